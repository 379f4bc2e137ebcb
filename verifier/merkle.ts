// Merkle trees as in RFC 6962 section 2.1 and RFC 9162 section 2.1: hashing, roots, and the verification of inclusion and
// consistency proofs. Pure: SHA-256 is an argument. Every verification is total: what is malformed is refused, never thrown.
import { equalBytes } from './text.ts';

/** SHA-256: 32 bytes that the caller may keep. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

export const HASH_BYTES = 32;

/** The hashes of a tree: of no entry, of one entry, of two subtrees. The prefixes keep leaves and nodes apart. */
export interface TreeHash {
  readonly empty: Uint8Array;
  leaf(entry: Uint8Array): Uint8Array;
  node(left: Uint8Array, right: Uint8Array): Uint8Array;
}

export function createTreeHash(sha256: Sha256): TreeHash {
  // One buffer for all leaves and one for all nodes: a verification hashes millions, and allocating would cost as much.
  let leafInput = new Uint8Array(4096);
  const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES);
  nodeInput[0] = 1;
  return {
    empty: sha256(new Uint8Array(0)),
    leaf(entry) {
      if (entry.length >= leafInput.length) leafInput = new Uint8Array(entry.length + 4096);
      leafInput[0] = 0;
      leafInput.set(entry, 1);
      return sha256(leafInput.subarray(0, 1 + entry.length));
    },
    node(left, right) {
      nodeInput.set(left, 1);
      nodeInput.set(right, 1 + HASH_BYTES);
      return sha256(nodeInput);
    },
  };
}

/** The roots of the perfect subtrees that a growing range decomposes into, largest first: at most one for each power of two. */
export interface Peaks {
  push(hash: Uint8Array): void;
  /** A copy of the list, which stays as it is while the range grows. */
  list(): Uint8Array[];
}

export function createPeaks(hash: TreeHash): Peaks {
  const peaks: Uint8Array[] = [];
  let count = 0;
  return {
    push(leafHash) {
      let merged = leafHash;
      for (let rest = count; rest % 2 === 1; rest = Math.floor(rest / 2)) merged = hash.node(peaks.pop()!, merged);
      peaks.push(merged);
      count++;
    },
    list: () => peaks.slice(),
  };
}

/** The root over peaks, largest first; of no peaks, the empty tree's. */
export function rootOfPeaks(hash: TreeHash, peaks: readonly Uint8Array[]): Uint8Array {
  let root: Uint8Array | null = null;
  for (let i = peaks.length - 1; i >= 0; i--) root = root === null ? peaks[i]! : hash.node(peaks[i]!, root);
  return root ?? hash.empty;
}

/** The root of the tree over `leafHashes[from, to)`. */
export function rangeRoot(
  hash: TreeHash,
  leafHashes: readonly Uint8Array[],
  from = 0,
  to = leafHashes.length,
): Uint8Array {
  const peaks = createPeaks(hash);
  for (const leafHash of leafHashes.slice(from, to)) peaks.push(leafHash);
  return rootOfPeaks(hash, peaks.list());
}

export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Uint8Array;
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** Whether the proof shows that the leaf stands at `index` in the tree of `size` leaves (RFC 9162 section 2.1.3.2). */
export function verifyInclusion(hash: TreeHash, claim: InclusionClaim): boolean {
  const { index, size, leafHash, proof, root } = claim;
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  if (![leafHash, root, ...proof].every(isHash)) return false;
  let position = index;
  let last = size - 1;
  let computed = leafHash;
  for (const sibling of proof) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      computed = hash.node(sibling, computed);
      // A node without a right sibling moves up unhashed until it is a right child.
      while (position % 2 === 0 && position !== 0) {
        position = position / 2;
        last = half(last);
      }
    } else {
      computed = hash.node(computed, sibling);
    }
    position = half(position);
    last = half(last);
  }
  return last === 0 && equalBytes(computed, root);
}

export interface ConsistencyClaim {
  readonly size1: number;
  readonly size2: number;
  readonly root1: Uint8Array;
  readonly root2: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/**
 * Whether the proof shows that the tree of `size1` leaves is a prefix of the tree of `size2` (RFC 9162 section 2.1.4.2).
 * Equal sizes need equal roots and an empty proof. From the empty tree to a larger one there is nothing to prove: refused.
 */
export function verifyConsistency(hash: TreeHash, claim: ConsistencyClaim): boolean {
  const { size1, size2, root1, root2, proof } = claim;
  if (!isCount(size1) || !isCount(size2) || size1 > size2) return false;
  if (size1 === size2) {
    // Nothing is hashed: the same root is the same tree, whatever made it. Checkpoints check the form of their roots.
    return proof.length === 0 && equalBytes(root1, root2) && (size1 !== 0 || equalBytes(root1, hash.empty));
  }
  if (![root1, root2, ...proof].every(isHash)) return false;
  if (size1 === 0 || proof.length === 0) return false;
  let position = size1 - 1;
  let last = size2 - 1;
  while (position % 2 === 1) {
    position = half(position);
    last = half(last);
  }
  // Where the old tree is perfect its root is a node of the new tree, and the proof leaves it out.
  const nodes = position === 0 ? [root1, ...proof] : proof;
  let old = nodes[0]!;
  let computed = nodes[0]!;
  for (const node of nodes.slice(1)) {
    if (last === 0) return false;
    if (position % 2 === 1 || position === last) {
      old = hash.node(node, old);
      computed = hash.node(node, computed);
      while (position % 2 === 0 && position !== 0) {
        position = position / 2;
        last = half(last);
      }
    } else {
      computed = hash.node(computed, node);
    }
    position = half(position);
    last = half(last);
  }
  return last === 0 && equalBytes(old, root1) && equalBytes(computed, root2);
}

// Sizes pass 2^32, so halves are taken by division: the shift operators would cut them to 32 bits.
function half(value: number): number {
  return Math.floor(value / 2);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === HASH_BYTES;
}
