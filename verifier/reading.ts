// Reads the tiles and bundles of one log, whichever of their names are there, and complains about what is missing, unreadable
// or not of its format. It does not compare anything. Pure: the files are an argument.
import { BUNDLE_BYTES_MAX, parseBundle } from './bundle.ts';
import type { Finding } from './findings.ts';
import { HASH_BYTES } from './merkle.ts';
import { partialsPath, partialWidths, TILE_WIDTH, type TileLevel, tilePath, widthOf } from './tiles.ts';
import type { StoredTile } from './tower.ts';

export type FileRead =
  | { readonly is: 'bytes'; readonly bytes: Uint8Array }
  | { readonly is: 'missing' }
  /** There, but not to be read: a directory, longer than allowed, an error of the machine. */
  | { readonly is: 'unreadable'; readonly why: string };

/** The files of one exported log. Paths are relative to it, with `/`. Neither function throws. */
export interface LogFiles {
  read(path: string, bytesMax: number): FileRead;
  /** The names in a folder, in any order; none where it cannot be read. */
  list(folder: string): readonly string[];
}

export interface BundleRead {
  readonly entries: readonly Uint8Array[];
  /** The bundle does not end where its last entry does: what follows these entries is unknown. */
  readonly isBroken: boolean;
  /** How many entries more the file is meant to hold than the tree of this size has: it was written for a larger tree. */
  readonly surplus: number;
}

export interface LogReader {
  /** Exactly the hashes that a tree of `size` has in this tile, or null after a complaint. */
  hashes(level: number, index: number): Uint8Array | null;
  /** The hash of a full level-0 tile as level 1 holds it, or null where level 1 cannot be had. */
  above(tile: number): Uint8Array | null;
  stored: StoredTile;
  /** The entries that are there, fewer or more than there should be; null where there is no file (no complaint is made). */
  bundle(index: number): BundleRead | null;
}

export function createLogReader(files: LogFiles, size: number, complain: (finding: Finding) => void): LogReader {
  // The last tile of each level: the towers and `above` ask for the same ones in turn.
  const last = new Map<number, { index: number; bytes: Uint8Array | null }>();

  /** The first of the possible files that is there. */
  function readFirst(widths: readonly number[], level: TileLevel, index: number, bytesMax: number) {
    for (const width of widths) {
      const path = tilePath(level, index, width);
      const file = files.read(path, bytesMax);
      if (file.is !== 'missing') return { path, width, file };
    }
    return null;
  }

  /** The widths a file may have that holds this tile: its own, or the wider ones of later trees. */
  function widthsFor(level: TileLevel, index: number, width: number): { wide: number[]; narrow: number[] } {
    if (width === TILE_WIDTH && level !== 'entries') return { wide: [TILE_WIDTH], narrow: [] };
    const partial = partialWidths(files.list(partialsPath(level, index)));
    const wide = [...new Set([...partial.filter((there) => there >= width), TILE_WIDTH])];
    return { wide, narrow: partial.filter((there) => there < width).reverse() };
  }

  function hashes(level: number, index: number): Uint8Array | null {
    const cached = last.get(level);
    if (cached?.index === index) return cached.bytes;
    const bytes = readHashes(level, index);
    last.set(level, { index, bytes });
    return bytes;
  }

  function readHashes(level: number, index: number): Uint8Array | null {
    const width = widthOf(size, level, index);
    const found = readFirst(widthsFor(level, index, width).wide, level, index, TILE_WIDTH * HASH_BYTES);
    if (found === null) {
      complain({
        kind: 'malformed',
        file: tilePath(level, index, width),
        index: null,
        why: 'the hash tile is missing',
      });
      return null;
    }
    const { path, file } = found;
    if (file.is === 'unreadable') {
      complain({ kind: 'malformed', file: path, index: null, why: file.why });
      return null;
    }
    if (file.bytes.length !== found.width * HASH_BYTES) {
      const why = `${file.bytes.length} bytes instead of ${found.width * HASH_BYTES}`;
      complain({ kind: 'malformed', file: path, index: null, why });
      return null;
    }
    return file.bytes.subarray(0, width * HASH_BYTES);
  }

  return {
    hashes,
    above(tile) {
      const bytes = hashes(1, Math.floor(tile / TILE_WIDTH));
      const offset = (tile % TILE_WIDTH) * HASH_BYTES;
      return bytes?.subarray(offset, offset + HASH_BYTES) ?? null;
    },
    stored(level, index, width) {
      const bytes = hashes(level, index);
      return bytes !== null && bytes.length === width * HASH_BYTES ? bytes : null;
    },
    bundle(index) {
      const width = widthOf(size, 'entries', index) || TILE_WIDTH;
      let found = readFirst([width], 'entries', index, BUNDLE_BYTES_MAX);
      if (found === null) {
        const { wide, narrow } = widthsFor('entries', index, width);
        found = readFirst([...wide, ...narrow], 'entries', index, BUNDLE_BYTES_MAX);
      }
      if (found === null) return null;
      const { path, file } = found;
      const start = index * TILE_WIDTH;
      if (file.is === 'unreadable') {
        complain({ kind: 'malformed', file: path, index: start, why: file.why });
        return { entries: [], isBroken: true, surplus: 0 };
      }
      const { entries, fault } = parseBundle(file.bytes);
      if (fault !== null) complain({ kind: 'malformed', file: path, index: start + entries.length, why: fault });
      return { entries, isBroken: fault !== null, surplus: Math.max(0, found.width - width) };
    },
  };
}
