// The layout of C2SP tlog-tiles: which tiles a tree of a given size has, how wide they are and what their paths are. Pure
// arithmetic over names; reading is done elsewhere.

export const TILE_WIDTH = 256;

/** A level of hash tiles (0 holds the hashes of entries), or the bundles of the entries themselves. */
export type TileLevel = number | 'entries';

/** Hashes (or entries) that a tree of `size` has at a level: `floor(size / 256^level)`. */
export function levelCount(size: number, level: TileLevel): number {
  return level === 'entries' ? size : Math.floor(size / TILE_WIDTH ** level);
}

/** Number of tiles at a level, the partial one included. */
export function tileCount(size: number, level: TileLevel): number {
  return Math.ceil(levelCount(size, level) / TILE_WIDTH);
}

/** Levels that have at least one hash. None for the empty tree. */
export function levelsOf(size: number): number {
  let levels = 0;
  while (levelCount(size, levels) > 0) levels++;
  return levels;
}

/** Width of tile `index` in a tree of `size`: 256, or less for the last one, or 0 where there is no such tile. */
export function widthOf(size: number, level: TileLevel, index: number): number {
  return Math.max(0, Math.min(TILE_WIDTH, levelCount(size, level) - index * TILE_WIDTH));
}

/** `tile/0/x001/x234/067`, and `….p/112` for a partial tile. */
export function tilePath(level: TileLevel, index: number, width: number = TILE_WIDTH): string {
  const full = `${levelPath(level)}/${indexPath(index)}`;
  return width === TILE_WIDTH ? full : `${full}.p/${width}`;
}

/** The folder that holds the partial versions of a tile. */
export function partialsPath(level: TileLevel, index: number): string {
  return `${levelPath(level)}/${indexPath(index)}.p`;
}

export function levelPath(level: TileLevel): string {
  return `tile/${level}`;
}

function indexPath(index: number): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.match(/.{3}/g)!;
  return groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
}

/** The widths of partial tiles among the names of a `.p` folder, ascending. */
export function partialWidths(names: readonly string[]): number[] {
  const widths = names.filter((name) => /^[1-9][0-9]{0,2}$/.test(name)).map(Number);
  return widths.filter((width) => width < TILE_WIDTH).sort((a, b) => a - b);
}

// 2^53 entries are 14 digits of tile index: five groups of three.
const GROUPS_MAX = 5;

/**
 * The indexes of a level's tiles that are there, whole or partial, ascending; names that tlog-tiles does not know are passed
 * over. `list` gives the names in a folder, none where it is missing. Holds one folder's names for each group of digits.
 */
export function* presentTiles(level: TileLevel, list: (folder: string) => readonly string[]): Generator<number> {
  for (let groups = 1; groups <= GROUPS_MAX; groups++) yield* walk(levelPath(level), groups, 0, list);
}

function* walk(
  folder: string,
  groups: number,
  prefix: number,
  list: (folder: string) => readonly string[],
): Generator<number> {
  const pattern = groups === 1 ? /^([0-9]{3})(?:\.p)?$/ : /^x([0-9]{3})$/;
  const numbers = new Set<number>();
  for (const name of list(folder)) {
    const match = pattern.exec(name);
    if (match !== null) numbers.add(Number(match[1]));
  }
  for (const number of [...numbers].sort((a, b) => a - b)) {
    // A leading group of zeroes would be a second name for a smaller index.
    if (groups > 1 && prefix === 0 && number === 0) continue;
    const value = prefix * 1000 + number;
    if (groups === 1) yield value;
    else yield* walk(`${folder}/x${String(number).padStart(3, '0')}`, groups - 1, value, list);
  }
}
