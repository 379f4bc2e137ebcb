// A small seeded random source (splitmix32 steps), so that a twin's ids, keys, faults and delays repeat for the same seed and the same
// order of requests. Not for secrets of anybody but a twin.

export interface Prng {
  /** A number from 0 up to, but not including, 1. */
  next(): number;
  /** A whole number from 0 up to, but not including, `bound`. */
  below(bound: number): number;
  /** `length` characters drawn from an alphabet. */
  text(length: number, alphabet: string): string;
  /** A version 4 UUID. */
  uuid(): string;
}

export const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const HEX = '0123456789abcdef';

export function prng(seed: number): Prng {
  let state = seed >>> 0;

  function next(): number {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  }

  function below(bound: number): number {
    return Math.floor(next() * bound);
  }

  function text(length: number, alphabet: string): string {
    let drawn = '';
    for (let i = 0; i < length; i++) drawn += alphabet[below(alphabet.length)];
    return drawn;
  }

  function uuid(): string {
    const variant = HEX[8 + below(4)];
    return `${text(8, HEX)}-${text(4, HEX)}-4${text(3, HEX)}-${variant}${text(3, HEX)}-${text(12, HEX)}`;
  }

  return { next, below, text, uuid };
}
