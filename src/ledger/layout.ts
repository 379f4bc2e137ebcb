// Where things stand in a log's directory (C2SP tlog-tiles): tile/<L>/<N>, tile/entries/<N>, checkpoint; N in groups of
// three digits, all but the last with an x before it; an incomplete tile ends in .p/<W>.
import { TILE_WIDTH } from './merkle.ts';

export type Log = 'control' | 'use';
export const LOGS: readonly Log[] = ['control', 'use'];

/** `1234067` as `x001/x234/067`. */
export function tileNumber(n: number): string {
  const groups = [(n % 1000).toString().padStart(3, '0')];
  for (let rest = Math.floor(n / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${(rest % 1000).toString().padStart(3, '0')}`);
  }
  return groups.join('/');
}

export function tilePath(level: number | 'entries', tile: number, width: number): string {
  const partial = width < TILE_WIDTH ? `.p/${width}` : '';
  return `tile/${level}/${tileNumber(tile)}${partial}`;
}

/** The tiles of one level in a tree of `size` leaves: how many full ones, and how wide the last one is (0: none). */
export function tilesAt(level: number, size: number): { full: number; partial: number } {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  return { full: Math.floor(hashes / TILE_WIDTH), partial: hashes % TILE_WIDTH };
}

/** An entry bundle: for each entry its length as a big-endian uint16 and its bytes. */
export function entryBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bundle = new Uint8Array(entries.reduce((sum, entry) => sum + entry.length + 2, 0));
  let at = 0;
  for (const entry of entries) {
    bundle[at] = entry.length >> 8;
    bundle[at + 1] = entry.length & 0xff;
    bundle.set(entry, at + 2);
    at += entry.length + 2;
  }
  return bundle;
}

/** The most that an entry may hold: the length field of a bundle has 16 bits. */
export const ENTRY_BYTES_MAX = 65_535;

/** The origin of a log, which is also the name of its key. `instance` is this installation's id, 8 hex digits. */
export function originOf(instance: string, log: Log): string {
  return `claviger/${instance}/${log}`;
}
