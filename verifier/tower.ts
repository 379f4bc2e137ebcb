// Builds the tree upwards from the roots of the full level-0 tiles, compares what it computes with the stored tiles of the
// levels above, and gives the root of the tree at any size on the way. Memory: one tile for each level.
import { createPeaks, HASH_BYTES, rootOfPeaks, type TreeHash } from './merkle.ts';
import { equalBytes } from './text.ts';
import { TILE_WIDTH } from './tiles.ts';

/** The stored tile with exactly `width` hashes, or null where it cannot be had. */
export type StoredTile = (level: number, index: number, width: number) => Uint8Array | null;

export interface Tower {
  /** The root of the next full level-0 tile. */
  append(tileRoot: Uint8Array): void;
  /** The root of the tree of all tiles so far, followed by a partial tile with these peaks. */
  root(partial: readonly Uint8Array[]): Uint8Array;
  /** Compares the partial tiles that are left. Call once, at the end. */
  finish(): void;
  /** The stored tiles that differ from what was computed. */
  differences(): readonly { readonly level: number; readonly tile: number }[];
}

interface Level {
  readonly hashes: Uint8Array;
  /** Hashes of this level so far. */
  count: number;
}

export function createTower(hash: TreeHash, stored: StoredTile): Tower {
  const peaks = createPeaks(hash);
  /** `levels[0]` is level 1. */
  const levels: Level[] = [];
  const differences: { level: number; tile: number }[] = [];

  function compare(level: number, tile: number, computed: Uint8Array): void {
    const there = stored(level, tile, computed.length / HASH_BYTES);
    if (there !== null && !equalBytes(there, computed)) differences.push({ level, tile });
  }

  function add(level: number, value: Uint8Array): void {
    levels[level - 1] ??= { hashes: new Uint8Array(TILE_WIDTH * HASH_BYTES), count: 0 };
    const at = levels[level - 1]!;
    at.hashes.set(value, (at.count % TILE_WIDTH) * HASH_BYTES);
    at.count++;
    if (at.count % TILE_WIDTH !== 0) return;
    compare(level, at.count / TILE_WIDTH - 1, at.hashes);
    add(level + 1, tileRoot(hash, at.hashes));
  }

  return {
    append(root) {
      peaks.push(root);
      add(1, root);
    },
    root: (partial) => rootOfPeaks(hash, [...peaks.list(), ...partial]),
    finish() {
      for (const [below, at] of levels.entries()) {
        const width = at.count % TILE_WIDTH;
        if (width > 0) compare(below + 1, Math.floor(at.count / TILE_WIDTH), at.hashes.subarray(0, width * HASH_BYTES));
      }
    },
    differences: () => differences,
  };
}

/** The root over the hashes of a tile. */
function tileRoot(hash: TreeHash, hashes: Uint8Array): Uint8Array {
  const peaks = createPeaks(hash);
  for (let i = 0; i < hashes.length; i += HASH_BYTES) peaks.push(hashes.slice(i, i + HASH_BYTES));
  return rootOfPeaks(hash, peaks.list());
}

/** The peaks over the first `stop` hashes of a tile, for each stop. Stops ascend; the last may be the whole width. */
export function peaksAt(hash: TreeHash, hashes: Uint8Array, stops: readonly number[]): Uint8Array[][] {
  const peaks = createPeaks(hash);
  const result: Uint8Array[][] = [];
  let done = 0;
  for (const stop of stops) {
    for (; done < stop; done++) peaks.push(hashes.subarray(done * HASH_BYTES, (done + 1) * HASH_BYTES));
    result.push(peaks.list());
  }
  return result;
}
