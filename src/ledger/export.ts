// Which files an exported log of a given size has (docs/formats/ledger.md), in the order in which they are written: bundles of entries
// first, then hash tiles from the bottom up. Pure; export.io.ts writes them.

import { tilePath, tilesAt } from './layout.ts';
import { TILE_WIDTH } from './merkle.ts';

export interface ExportFile {
  readonly path: string;
  readonly level: number | 'entries';
  readonly tile: number;
  readonly width: number;
  /** A full tile is final: one that is there already is not written again. */
  readonly isFinal: boolean;
}

/** The files of a log of `size` entries. */
export function* exportFiles(size: number): Generator<ExportFile> {
  yield* filesAt('entries', 0, size);
  for (let level = 0; TILE_WIDTH ** level <= size; level++) yield* filesAt(level, level, size);
}

function* filesAt(name: number | 'entries', level: number, size: number): Generator<ExportFile> {
  const { full, partial } = tilesAt(level, size);
  for (let tile = 0; tile < full; tile++) {
    yield { path: tilePath(name, tile, TILE_WIDTH), level: name, tile, width: TILE_WIDTH, isFinal: true };
  }
  if (partial > 0)
    yield { path: tilePath(name, full, partial), level: name, tile: full, width: partial, isFinal: false };
}

/** How many files that is, for telling how far an export has come. */
export function countExportFiles(size: number): number {
  const count = (level: number) => Math.ceil(Math.floor(size / TILE_WIDTH ** level) / TILE_WIDTH);
  let files = count(0);
  for (let level = 0; TILE_WIDTH ** level <= size; level++) files += count(level);
  return files;
}
