// Builds the tree of a log in three ways at once and tries every signed checkpoint on each. The ways differ only in where the
// root of a full level-0 tile comes from: from the `entries`, from the hashes in `tiles`, or from the hash `above` it in level 1.
// Which of them a checkpoint has signed tells who is right where they differ. Where all agree they cost no more than one.
import type { Anchor, Anchors } from './anchors.ts';
import { rootOfPeaks, type TreeHash } from './merkle.ts';
import type { LogReader } from './reading.ts';
import { equalBytes } from './text.ts';
import { TILE_WIDTH, widthOf } from './tiles.ts';
import { createTower, peaksAt, type Tower } from './tower.ts';

/** Where the hashes of a tree come from. `aboveEntries`: as `above`, and from the entries where the last tile is partial. */
export const SOURCES = ['tiles', 'above', 'aboveEntries', 'entries'] as const;
export type Source = (typeof SOURCES)[number];

/** A checkpoint and the sources whose tree has its root. */
export interface JudgedAnchor extends Anchor {
  readonly matches: ReadonlySet<Source>;
}

/** A level-0 tile whose root differs between the sources. A partial tile has nothing above it: there the two `AsAbove` are true. */
export interface Dispute {
  readonly tile: number;
  readonly isTileAsEntries: boolean;
  readonly isTileAsAbove: boolean;
  readonly isEntriesAsAbove: boolean;
}

export interface Trees {
  /** The next tile, in order. Hashes are null where they cannot be had; both null is a gap, bridged by the hash above it. */
  settle(tile: number, tileHashes: Uint8Array | null, entryHashes: Uint8Array | null): void;
  /** False after a gap that nothing bridges: no root can be computed any more. */
  isKnown(): boolean;
  /** Call once, after the last tile. */
  finish(): TreeEvidence;
}

export interface TreeEvidence {
  readonly disputes: readonly Dispute[];
  /** Of the published checkpoints that match every source only the largest is listed, all others in any case. */
  readonly anchors: readonly JudgedAnchor[];
  /** Stored tiles above level 0 that differ from the tree of each source. */
  readonly differences: Readonly<Record<'tiles' | 'above' | 'entries', ReturnType<Tower['differences']>>>;
}

export interface TreesInput {
  readonly hash: TreeHash;
  /** Entries of the tree. */
  readonly size: number;
  readonly reader: LogReader;
  readonly anchors: Anchors;
}

const EVERY_SOURCE: ReadonlySet<Source> = new Set(SOURCES);
const NO_PEAKS: Uint8Array[] = [];

export function createTrees({ hash, size, reader, anchors }: TreesInput): Trees {
  const towers = {
    tiles: createTower(hash, reader.stored),
    above: createTower(hash, reader.stored),
    entries: createTower(hash, reader.stored),
  };
  const disputes: Dispute[] = [];
  const judged: JudgedAnchor[] = [];
  let largestPlain: JudgedAnchor | null = null;
  // Whether the three towers differ, and whether there is a tree at all: after a gap that nothing bridges there is none.
  let isForked = false;
  let isTreeKnown = true;

  function judge(anchor: Anchor, tilePeaks: Uint8Array[], entryPeaks: Uint8Array[]): void {
    const isRoot = (tower: Tower, peaks: Uint8Array[]) => equalBytes(tower.root(peaks), anchor.root);
    let matches: ReadonlySet<Source>;
    if (!isForked && tilePeaks === entryPeaks) {
      matches = isRoot(towers.tiles, tilePeaks) ? EVERY_SOURCE : new Set();
    } else {
      const found = new Set<Source>();
      if (isRoot(towers.tiles, tilePeaks)) found.add('tiles');
      if (isRoot(towers.above, tilePeaks)) found.add('above');
      if (isRoot(towers.above, entryPeaks)) found.add('aboveEntries');
      if (isRoot(towers.entries, entryPeaks)) found.add('entries');
      matches = found;
    }
    if (matches === EVERY_SOURCE && !anchor.isKept) largestPlain = { ...anchor, matches };
    else judged.push({ ...anchor, matches });
  }

  /** A tile of which neither hashes nor entries are there: only a checkpoint at its very end can be tried. */
  function bridge(tile: number, due: readonly Anchor[]): void {
    const above = widthOf(size, 0, tile) === TILE_WIDTH ? reader.above(tile) : null;
    if (above === null) {
      isTreeKnown = false;
      return;
    }
    for (const tower of Object.values(towers)) tower.append(above);
    const end = (tile + 1) * TILE_WIDTH;
    for (const anchor of due) if (anchor.size === end) judge(anchor, NO_PEAKS, NO_PEAKS);
  }

  /** Appends the three roots of a full tile. */
  function append(tile: number, tileRoot: Uint8Array, entriesRoot: Uint8Array): void {
    const above = reader.above(tile) ?? tileRoot;
    const isTileAsEntries = equalBytes(tileRoot, entriesRoot);
    const isTileAsAbove = equalBytes(tileRoot, above);
    if (!isTileAsEntries || !isTileAsAbove) {
      isForked = true;
      disputes.push({ tile, isTileAsEntries, isTileAsAbove, isEntriesAsAbove: equalBytes(entriesRoot, above) });
    }
    towers.tiles.append(tileRoot);
    towers.above.append(above);
    towers.entries.append(entriesRoot);
  }

  return {
    settle(tile, tileHashes, entryHashes) {
      const start = tile * TILE_WIDTH;
      const width = widthOf(size, 0, tile);
      const due = anchors.upTo(start + width);
      if (!isTreeKnown) return;
      const fromTile = tileHashes ?? entryHashes;
      const fromEntries = entryHashes ?? tileHashes;
      if (fromTile === null || fromEntries === null) {
        bridge(tile, due);
        return;
      }
      const stops = [...due.map((anchor) => Math.min(anchor.size - start, width)), width];
      const isSame = fromTile === fromEntries || equalBytes(fromTile, fromEntries);
      const tilePeaks = peaksAt(hash, fromTile, stops);
      const entryPeaks = isSame ? tilePeaks : peaksAt(hash, fromEntries, stops);
      const isFull = width === TILE_WIDTH;
      for (const [i, anchor] of due.entries()) {
        if (isFull && anchor.size === start + width) continue;
        // The same list where the sources agree: `judge` computes one root for all.
        judge(anchor, tilePeaks[i]!, isSame ? tilePeaks[i]! : entryPeaks[i]!);
      }
      if (!isFull) {
        if (!isSame) disputes.push({ tile, isTileAsEntries: false, isTileAsAbove: true, isEntriesAsAbove: true });
        return;
      }
      const tileRoot = rootOfPeaks(hash, tilePeaks.at(-1)!);
      append(tile, tileRoot, isSame ? tileRoot : rootOfPeaks(hash, entryPeaks.at(-1)!));
      for (const anchor of due) if (anchor.size === start + width) judge(anchor, NO_PEAKS, NO_PEAKS);
    },
    isKnown: () => isTreeKnown,
    finish() {
      // Checkpoints that could not be tried are opened all the same: their signatures are looked at, and the empty tree's root.
      for (const anchor of anchors.upTo(size)) if (size === 0) judge(anchor, NO_PEAKS, NO_PEAKS);
      if (isTreeKnown) for (const tower of Object.values(towers)) tower.finish();
      const differences = {
        tiles: towers.tiles.differences(),
        above: towers.above.differences(),
        entries: towers.entries.differences(),
      };
      return { disputes, anchors: largestPlain === null ? judged : [...judged, largestPlain], differences };
    },
  };
}
