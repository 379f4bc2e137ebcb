// A log as it is stored, for reading: entries and full hash tiles of level 0, growing ones above. From these the root and the
// tiles of any earlier size follow. Pure but for the two readers that are handed in; used by exports and backups.
import { Failure } from '../model/failure.ts';
import { tilesAt } from './layout.ts';
import { foldHashes, type Hasher, nodesOf, rangeRoot, TILE_WIDTH, tileSpan } from './merkle.ts';

export interface LogSource {
  readonly size: number;
  /** Hashes of a stored tile, whole or partial; null where it is not stored. */
  tile(level: number, tile: number): Promise<Uint8Array | null>;
  /** The stored entries from `from` (inclusive) to `to` (exclusive), in order. Fewer where old ones were pruned. */
  entries(from: number, to: number): Promise<readonly string[]>;
}

const encoder = new TextEncoder();

/**
 * The first `width` hashes of a tile. Level 0 is stored only when it is full: the last tile is hashed from its entries.
 * Throws `corrupt` where something is missing.
 */
export async function tileHashes(
  source: LogSource,
  wanted: { readonly level: number; readonly tile: number; readonly width: number },
  hasher: Hasher,
): Promise<Uint8Array> {
  const { level, tile, width } = wanted;
  const stored = await source.tile(level, tile);
  if (stored !== null && stored.length >= width * 32) return stored.subarray(0, width * 32);
  if (level > 0) throw new Failure('corrupt', `the ledger lacks tile ${level}/${tile}`);
  const from = tile * TILE_WIDTH;
  const entries = await source.entries(from, from + width);
  if (entries.length !== width) throw new Failure('corrupt', `the ledger lacks entries from ${from} on`);
  const hashes = new Uint8Array(width * 32);
  for (const [i, entry] of entries.entries()) hashes.set(hasher.leaf(encoder.encode(entry)), i * 32);
  return hashes;
}

/** The root of the log's first `size` entries. Reads a few tiles for each level. Throws `corrupt` where something is missing. */
export async function rootAt(source: LogSource, size: number, hasher: Hasher): Promise<Uint8Array> {
  if (size === 0) return hasher.empty();
  const nodes: Uint8Array[] = [];
  for (const node of nodesOf({ from: 0, to: size })) {
    const { level, tile, first, count } = tileSpan(node);
    const { full, partial } = tilesAt(level, size);
    const width = tile < full ? TILE_WIDTH : partial;
    nodes.push(foldHashes(await tileHashes(source, { level, tile, width }, hasher), first, count, hasher));
  }
  return rangeRoot(nodes, hasher);
}
