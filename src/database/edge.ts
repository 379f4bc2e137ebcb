// Rebuilding the right edge of a log from what is stored: full and growing tiles, and the last entries that fill no tile yet.
// At most 255 leaves are hashed, whatever the size.
import { ENTRY_BYTES_MAX } from '../ledger/layout.ts';
import { type Edge, foldHashes, type Hasher, nodesOf, TILE_WIDTH, tileSpan } from '../ledger/merkle.ts';
import { Failure } from '../model/failure.ts';

/** Reads a tile's hashes, or null where it is not stored. */
export type ReadTile = (level: number, tile: number) => Uint8Array | null;

/** The tiles above level 0, and the last full ones, that `loadEdge` will ask for: so that they can be read beforehand. */
export function tilesForEdge(size: number): { level: number; tile: number }[] {
  const wanted = new Map<string, { level: number; tile: number }>();
  const want = (level: number, tile: number) => wanted.set(`${level}/${tile}`, { level, tile });
  for (const node of nodesOf({ from: 0, to: size })) {
    const span = tileSpan(node);
    if (span.level > 0 || span.first + span.count === TILE_WIDTH) want(span.level, span.tile);
  }
  for (let level = 1; TILE_WIDTH ** level <= size; level++) {
    const hashes = Math.floor(size / TILE_WIDTH ** level);
    if (hashes % TILE_WIDTH > 0) want(level, Math.floor(hashes / TILE_WIDTH));
  }
  return [...wanted.values()];
}

/**
 * The edge of a log of `size` entries.
 * @param last the entries after the last full tile of level 0, in order
 * @throws Failure `corrupt` where a tile is missing or too narrow
 */
export function loadEdge(size: number, readTile: ReadTile, last: readonly string[], hasher: Hasher): Edge {
  const encoder = new TextEncoder();
  const width = size % TILE_WIDTH;
  if (last.length !== width)
    throw new Failure('corrupt', `the ledger lacks entries: ${last.length} of the last ${width}`);
  const tail = new Uint8Array(TILE_WIDTH * 32);
  for (const [i, entry] of last.entries()) {
    const bytes = encoder.encode(entry);
    if (bytes.length > ENTRY_BYTES_MAX) throw new Failure('corrupt', 'an entry of the ledger is too large');
    tail.set(hasher.leaf(bytes), i * 32);
  }
  const edge: Edge = { size, frontier: [], partial: [{ count: width, bytes: tail }] };
  const read = (level: number, tile: number): Uint8Array => {
    if (level === 0 && tile === Math.floor(size / TILE_WIDTH)) return tail.subarray(0, width * 32);
    const hashes = readTile(level, tile);
    if (hashes === null) throw new Failure('corrupt', `the ledger lacks tile ${level}/${tile}`);
    return hashes;
  };
  for (const node of nodesOf({ from: 0, to: size })) {
    const span = tileSpan(node);
    const hashes = read(span.level, span.tile);
    if (hashes.length < (span.first + span.count) * 32)
      throw new Failure('corrupt', 'a tile of the ledger is too narrow');
    edge.frontier[node.height] = foldHashes(hashes, span.first, span.count, hasher);
  }
  for (let level = 1; TILE_WIDTH ** level <= size; level++) {
    const count = Math.floor(size / TILE_WIDTH ** level) % TILE_WIDTH;
    const bytes = new Uint8Array(TILE_WIDTH * 32);
    if (count > 0) {
      const hashes = read(level, Math.floor(size / TILE_WIDTH ** (level + 1)));
      if (hashes.length < count * 32) throw new Failure('corrupt', 'a tile of the ledger is too narrow');
      bytes.set(hashes.subarray(0, count * 32));
    }
    edge.partial[level] = { count, bytes };
  }
  return edge;
}
