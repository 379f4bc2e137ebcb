// The Merkle tree of RFC 6962 section 2.1 as arithmetic without storage: a growing right edge that emits hash tiles of 256
// (C2SP tlog-tiles), and proofs as lists of ranges that somebody else reads. Hashing comes in as an argument.

/** Hashes of 32 bytes with the domain separation of RFC 6962. Results are fresh arrays. */
export interface Hasher {
  leaf(entry: Uint8Array): Uint8Array;
  /** The same of an entry as text, in UTF-8. */
  leafOf(entry: string): Uint8Array;
  node(left: Uint8Array, right: Uint8Array): Uint8Array;
  empty(): Uint8Array;
}

const encoder = new TextEncoder();

/** @param ofText SHA-256 of text in UTF-8, where that is quicker than of its bytes */
export function createHasher(
  sha256: (data: Uint8Array) => Uint8Array,
  ofText: (text: string) => Uint8Array = (text) => sha256(encoder.encode(text)),
): Hasher {
  const pair = new Uint8Array(65);
  pair[0] = 1;
  let buffer = new Uint8Array(1024);
  return {
    leaf(entry) {
      if (buffer.length < entry.length + 1) buffer = new Uint8Array(entry.length + 1);
      buffer[0] = 0;
      buffer.set(entry, 1);
      return sha256(buffer.subarray(0, entry.length + 1));
    },
    leafOf: (entry) => ofText(`\0${entry}`),
    node(left, right) {
      pair.set(left, 1);
      pair.set(right, 33);
      return sha256(pair);
    },
    empty() {
      return sha256(new Uint8Array(0));
    },
  };
}

/** Hashes in a tile, and bits of height that one tile level covers. */
export const TILE_WIDTH = 256;
const TILE_HEIGHT = 8;

/** A tile that changed. `width` hashes stand in it; it is full, and final, at 256. Level 0 is emitted only when full. */
export interface TileChange {
  readonly level: number;
  readonly tile: number;
  readonly width: number;
  readonly hashes: Uint8Array;
}

/** The right edge of a growing tree: enough to append and to know the root. Changed in place by `appendLeaf`. */
export interface Edge {
  size: number;
  /** Hash of the perfect subtree of height h at the right edge, where bit h of `size` is set. */
  readonly frontier: (Uint8Array | undefined)[];
  /** For each tile level the hashes of the last, incomplete tile. */
  readonly partial: { count: number; bytes: Uint8Array }[];
}

export function emptyEdge(): Edge {
  return { size: 0, frontier: [], partial: [] };
}

function pushHash(edge: Edge, level: number, hash: Uint8Array, changed: (tile: TileChange) => void): void {
  edge.partial[level] ??= { count: 0, bytes: new Uint8Array(TILE_WIDTH * 32) };
  const part = edge.partial[level];
  part.bytes.set(hash, part.count * 32);
  part.count++;
  if (level === 0 && part.count < TILE_WIDTH) return;
  // The index of this tile at its level: all leaves below it, this one included, divided by the leaves a tile spans.
  const span = TILE_WIDTH ** (level + 1);
  const tile = Math.ceil((edge.size + 1) / span) - 1;
  changed({ level, tile, width: part.count, hashes: part.bytes.slice(0, part.count * 32) });
  if (part.count === TILE_WIDTH) part.count = 0;
}

/** Appends a leaf's hash. Calls `changed` for each tile that became full (level 0) or grew (level 1 and above). */
export function appendLeaf(edge: Edge, leaf: Uint8Array, hasher: Hasher, changed: (tile: TileChange) => void): void {
  pushHash(edge, 0, leaf, changed);
  let hash = leaf;
  let height = 0;
  let rest = edge.size;
  while (rest % 2 === 1) {
    hash = hasher.node(edge.frontier[height]!, hash);
    edge.frontier[height] = undefined;
    height++;
    if (height % TILE_HEIGHT === 0) pushHash(edge, height / TILE_HEIGHT, hash, changed);
    rest = Math.floor(rest / 2);
  }
  edge.frontier[height] = hash;
  edge.size++;
}

/** The root over all leaves appended so far. */
export function edgeRoot(edge: Edge, hasher: Hasher): Uint8Array {
  let root: Uint8Array | null = null;
  for (const hash of edge.frontier) {
    if (hash === undefined) continue;
    root = root === null ? hash : hasher.node(hash, root);
  }
  return root ?? hasher.empty();
}

/** Leaves `from` (inclusive) to `to` (exclusive). */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** A perfect subtree: the leaves index·2^height to (index+1)·2^height. */
export interface Node {
  readonly height: number;
  readonly index: number;
}

/** The largest power of two below n, for n > 1: where RFC 6962 splits n leaves. */
function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** The perfect subtrees that make up a range that begins at a multiple of its largest part, left to right. */
export function nodesOf(range: Range): Node[] {
  const nodes: Node[] = [];
  let from = range.from;
  while (from < range.to) {
    let width = 1;
    let height = 0;
    while (from % (width * 2) === 0 && from + width * 2 <= range.to) {
      width *= 2;
      height++;
    }
    nodes.push({ height, index: from / width });
    from += width;
  }
  return nodes;
}

/** The ranges whose roots are the inclusion proof of leaf `index` in a tree of `size` leaves (RFC 6962 section 2.1.1). */
export function inclusionRanges(index: number, size: number): Range[] {
  const ranges: Range[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + splitPoint(to - from);
    if (index < middle) {
      ranges.unshift({ from: middle, to });
      to = middle;
    } else {
      ranges.unshift({ from, to: middle });
      from = middle;
    }
  }
  return ranges;
}

/** The ranges whose roots are the consistency proof from `older` to `size` leaves (RFC 6962 section 2.1.2). */
export function consistencyRanges(older: number, size: number): Range[] {
  if (older === 0 || older === size) return [];
  const ranges: Range[] = [];
  let from = 0;
  let to = size;
  let whole = true;
  let m = older;
  while (m !== to - from) {
    const k = splitPoint(to - from);
    if (m <= k) {
      ranges.unshift({ from: from + k, to });
      to = from + k;
    } else {
      ranges.unshift({ from, to: from + k });
      from += k;
      m -= k;
      whole = false;
    }
  }
  if (!whole) ranges.unshift({ from, to });
  return ranges;
}

/** Where a node's hash comes from: `count` hashes of a tile, from `first` on, folded pairwise. */
export interface TileSpan {
  readonly level: number;
  readonly tile: number;
  readonly first: number;
  readonly count: number;
}

export function tileSpan(node: Node): TileSpan {
  const level = Math.floor(node.height / TILE_HEIGHT);
  const count = 2 ** (node.height % TILE_HEIGHT);
  const first = node.index * count;
  return { level, tile: Math.floor(first / TILE_WIDTH), first: first % TILE_WIDTH, count };
}

/** The root of a perfect run of hashes (a power of two of them). */
export function foldHashes(hashes: Uint8Array, first: number, count: number, hasher: Hasher): Uint8Array {
  if (count === 1) return hashes.slice(first * 32, first * 32 + 32);
  const half = count / 2;
  return hasher.node(foldHashes(hashes, first, half, hasher), foldHashes(hashes, first + half, half, hasher));
}

/** The root of a range, given the hashes of the nodes that make it up. */
export function rangeRoot(nodes: readonly Uint8Array[], hasher: Hasher): Uint8Array {
  let root = nodes[nodes.length - 1]!;
  for (let i = nodes.length - 2; i >= 0; i--) root = hasher.node(nodes[i]!, root);
  return root;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Whether `proof` shows that `leaf` stands at `index` of the tree with `size` leaves and `root` (RFC 9162 section 2.1.3.2). */
export function verifyInclusion(
  claim: { index: number; size: number; leaf: Uint8Array; root: Uint8Array; proof: readonly Uint8Array[] },
  hasher: Hasher,
): boolean {
  const { index, size, leaf, root, proof } = claim;
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  if (leaf.length !== 32 || proof.some((hash) => hash.length !== 32)) return false;
  const ranges = inclusionRanges(index, size);
  if (ranges.length !== proof.length) return false;
  let hash = leaf;
  for (const [i, range] of ranges.entries()) {
    hash = range.from > index ? hasher.node(hash, proof[i]!) : hasher.node(proof[i]!, hash);
  }
  return equal(hash, root);
}

/** Whether `proof` shows that the tree (`size`, `root`) extends (`olderSize`, `olderRoot`) (RFC 9162 section 2.1.4.2). */
export function verifyConsistency(
  claim: { olderSize: number; olderRoot: Uint8Array; size: number; root: Uint8Array; proof: readonly Uint8Array[] },
  hasher: Hasher,
): boolean {
  const { olderSize, olderRoot, size, root, proof } = claim;
  if (!Number.isSafeInteger(olderSize) || !Number.isSafeInteger(size) || olderSize < 0 || olderSize > size)
    return false;
  if (olderSize === size)
    return proof.length === 0 && equal(olderRoot, root) && (size > 0 || equal(root, hasher.empty()));
  if (olderSize === 0 || proof.some((hash) => hash.length !== 32)) return false;
  const ranges = consistencyRanges(olderSize, size);
  if (ranges.length !== proof.length || proof.length === 0) return false;
  // The first range is the part of the old tree that the new one keeps as a subtree; where the whole old tree is such a
  // subtree, its root is not sent: it is the root we have.
  const wholeOld = ranges[0]!.from >= olderSize || ranges[0]!.to > olderSize;
  let older = wholeOld ? olderRoot : proof[0]!;
  let newer = older;
  for (let i = wholeOld ? 0 : 1; i < ranges.length; i++) {
    const hash = proof[i]!;
    if (ranges[i]!.from >= olderSize) newer = hasher.node(newer, hash);
    else {
      older = hasher.node(hash, older);
      newer = hasher.node(hash, newer);
    }
  }
  return equal(older, olderRoot) && equal(newer, root);
}
