// One pass over a log: reads every bundle and level-0 tile once, aligns entries with their hashes and builds the trees. It
// collects evidence; what it means is decided in verdict.ts. Memory is bounded by the window of the alignment, a tile a level,
// and a few numbers for each tile in dispute.
import { type ChangedRun, createAlignment, type Segment } from './alignment.ts';
import { HASH_BYTES, type TreeHash } from './merkle.ts';
import type { BundleRead, LogReader } from './reading.ts';
import { equalBytes } from './text.ts';
import { TILE_WIDTH, tileCount, widthOf } from './tiles.ts';
import type { TreeEvidence, Trees } from './trees.ts';

export interface Evidence extends TreeEvidence {
  readonly segments: readonly Segment[];
  readonly changedRuns: readonly ChangedRun[];
  /** Entries of bundles that are not there at all, as half-open intervals. */
  readonly missing: readonly Interval[];
  readonly pruned: Interval | null;
  /** Entries at the end that may rightly be found beyond the size that was verified: the log has grown since. */
  readonly surplus: number;
  readonly entriesRead: number;
}

export type Interval = readonly [from: number, to: number];

export interface ScanInput {
  readonly hash: TreeHash;
  /** Entries to verify: the size of the newest checkpoint. */
  readonly size: number;
  readonly reader: LogReader;
  readonly trees: Trees;
  /** The indexes of the level-0 tiles and of the bundles that are there, ascending. */
  readonly tilesThere: Iterator<number>;
  readonly bundlesThere: Iterator<number>;
  /** Whether the oldest bundles may have been pruned. */
  readonly isPrunable: boolean;
  /** Called with each entry that matches its hash, in order, until the first place where one does not or is missing. */
  readonly onEntry: (index: number, entry: Uint8Array) => void;
  /** Called before the first entry where entries were pruned. */
  readonly onPruned: (to: number) => void;
  readonly onProgress: (entries: number) => void;
}

export function scanLog(input: ScanInput): Evidence {
  const { hash, size, reader, trees } = input;
  const alignment = createAlignment();
  const missing: [number, number][] = [];
  let surplus = 0;
  let entriesRead = 0;
  let isContentWhole = true;

  function addMissing(from: number, to: number): void {
    isContentWhole = false;
    const last = missing.at(-1);
    if (last?.[1] === from) last[1] = to;
    else missing.push([from, to]);
  }

  /** Compares a bundle with its tile. Returns the hashes of the entries where there are as many as there should be, else null. */
  function align(tile: number, bundle: BundleRead, tileHashes: Uint8Array | null): Uint8Array | null {
    const start = tile * TILE_WIDTH;
    const width = widthOf(size, 0, tile);
    entriesRead += Math.min(bundle.entries.length, width);
    const all = hashEntries(hash, bundle.entries);
    const own = bundle.isBroken || bundle.entries.length < width ? null : all.subarray(0, width * HASH_BYTES);
    if (tileHashes === null) {
      alignment.restart(start + width);
      if (own === null && !bundle.isBroken) addMissing(start + bundle.entries.length, start + width);
    } else if (bundle.isBroken) {
      const comparable = Math.min(all.length, tileHashes.length);
      alignment.restart(start);
      alignment.feed(all.subarray(0, comparable), tileHashes.subarray(0, comparable));
      alignment.restart(start + width);
    } else if (
      own !== null &&
      bundle.entries.length <= width + bundle.surplus &&
      alignment.isLevel() &&
      equalBytes(own, tileHashes)
    ) {
      alignment.skip(width);
    } else {
      isContentWhole = false;
      surplus += bundle.surplus;
      alignment.feed(all, tileHashes);
    }
    isContentWhole = isContentWhole && own !== null;
    for (let i = 0; isContentWhole && i < width; i++) input.onEntry(start + i, bundle.entries[i]!);
    return own;
  }

  const tiles = seekable(input.tilesThere);
  const bundles = seekable(input.bundlesThere);
  const end = tileCount(size, 0);
  const firstBundle = bundles(0);
  const prunedTiles = input.isPrunable && firstBundle < end ? firstBundle : 0;
  if (prunedTiles > 0) input.onPruned(prunedTiles * TILE_WIDTH);

  let tile = 0;
  while (tile < end) {
    const start = tile * TILE_WIDTH;
    const next = Math.min(tiles(tile), bundles(tile), end);
    if (next > tile) {
      // Neither hashes nor entries. `hashes` is asked for its complaint; level 1 may know enough to go on behind the gap.
      alignment.restart(next * TILE_WIDTH);
      if (tile >= prunedTiles) addMissing(start, Math.min(size, next * TILE_WIDTH));
      reader.hashes(0, tile);
      for (let gap = tile; gap < next && trees.isKnown(); gap++) trees.settle(gap, null, null);
      tile = next;
      continue;
    }
    const width = widthOf(size, 0, tile);
    const tileHashes = reader.hashes(0, tile);
    const bundle = bundles(tile) === tile ? reader.bundle(tile) : null;
    let entryHashes: Uint8Array | null = null;
    if (bundle !== null) {
      entryHashes = align(tile, bundle, tileHashes);
    } else if (tile >= prunedTiles && tileHashes !== null && alignment.isFoundPending()) {
      // Entries that were shifted out of the bundles before may belong here.
      alignment.feed(NO_HASHES, tileHashes);
    } else {
      alignment.restart(start + width);
      if (tile >= prunedTiles) addMissing(start, start + width);
    }
    trees.settle(tile, tileHashes, entryHashes);
    tile++;
    input.onProgress(start + width);
  }
  if (!alignment.isLevel() && bundles(end) === end) {
    // Entries were shifted: the last ones may stand in a bundle beyond the end.
    const beyond = reader.bundle(end)?.entries ?? [];
    surplus += beyond.length;
    alignment.feed(hashEntries(hash, beyond), NO_HASHES);
  }
  alignment.restart(size);

  return {
    ...trees.finish(),
    segments: alignment.segments(),
    changedRuns: alignment.changedRuns(),
    missing,
    pruned: prunedTiles > 0 ? [0, prunedTiles * TILE_WIDTH] : null,
    surplus,
    entriesRead,
  };
}

const NO_HASHES = new Uint8Array(0);

/** The leaf hashes of entries, concatenated. */
function hashEntries(hash: TreeHash, entries: readonly Uint8Array[]): Uint8Array {
  const hashes = new Uint8Array(entries.length * HASH_BYTES);
  for (const [i, entry] of entries.entries()) hashes.set(hash.leaf(entry), i * HASH_BYTES);
  return hashes;
}

/** The first index at or after one, infinite where there is none. Only ever asked forwards. */
function seekable(indexes: Iterator<number>): (from: number) => number {
  let current = indexes.next();
  return (from) => {
    while (current.done !== true && current.value < from) current = indexes.next();
    return current.done === true ? Number.POSITIVE_INFINITY : current.value;
  };
}
