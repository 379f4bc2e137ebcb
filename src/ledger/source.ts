// A log as it is stored, for reading: entries and full hash tiles of level 0, growing ones above. From these the root and the
// tiles of any earlier size follow. Pure but for the two readers that are handed in; used by exports and backups.
import { Failure } from '../model/failure.ts';
import { tilesAt } from './layout.ts';
import {
  appendLeaf,
  edgeRoot,
  emptyEdge,
  foldHashes,
  type Hasher,
  nodesOf,
  rangeRoot,
  TILE_WIDTH,
  type TileChange,
  tileSpan,
} from './merkle.ts';

export interface LogSource {
  readonly size: number;
  /** Hashes of a stored tile, whole or partial; null where it is not stored. */
  tile(level: number, tile: number): Promise<Uint8Array | null>;
  /** The stored entries from `from` (inclusive) to `to` (exclusive), in order. Fewer where old ones were pruned. */
  entries(from: number, to: number): Promise<readonly string[]>;
}

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
  for (const [i, entry] of entries.entries()) hashes.set(hasher.leafOf(entry), i * 32);
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

/**
 * Hashes a whole log anew and compares every stored tile with what follows from the entries. Where old entries were pruned, the
 * hashes of their tiles stand for them. Returns the root. Throws `corrupt` with the first thing that does not fit.
 */
export async function rehash(source: LogSource, hasher: Hasher): Promise<Uint8Array> {
  const edge = emptyEdge();
  const grown = new Map<string, TileChange>();
  for (let tile = 0; tile * TILE_WIDTH < source.size; tile++) {
    const from = tile * TILE_WIDTH;
    const width = Math.min(TILE_WIDTH, source.size - from);
    const stored = await source.tile(0, tile);
    const entries = await source.entries(from, from + width);
    const isPruned = entries.length < width && stored?.length === TILE_WIDTH * 32;
    if (entries.length !== width && !isPruned) throw new Failure('corrupt', `the ledger lacks entries from ${from} on`);
    for (let i = 0; i < width; i++) {
      const leaf = isPruned ? stored.slice(i * 32, i * 32 + 32) : hasher.leafOf(entries[i]!);
      appendLeaf(edge, leaf, hasher, (change) => grown.set(`${change.level}/${change.tile}`, change));
    }
    // Full tiles are final: compared now, so that no more than the right edge is held in memory.
    for (const [name, change] of grown) {
      if (change.width < TILE_WIDTH) continue;
      await compareTile(source, change);
      grown.delete(name);
    }
  }
  for (const change of grown.values()) await compareTile(source, change);
  return edgeRoot(edge, hasher);
}

async function compareTile(source: LogSource, change: TileChange): Promise<void> {
  const stored = await source.tile(change.level, change.tile);
  const isSame = stored?.length === change.hashes.length && change.hashes.every((byte, i) => byte === stored[i]);
  if (!isSame)
    throw new Failure('corrupt', `tile ${change.level}/${change.tile} of the ledger does not fit its entries`);
}
