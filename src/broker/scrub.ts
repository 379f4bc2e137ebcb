// Takes exact byte patterns out of a stream, across chunk boundaries, keeping its length: each byte of a found pattern becomes `*`, so
// that Content-Length stays true. Covers the bytes as they are and their JSON-escaped form; it cannot see through compression,
// encryption or a provider that answers the key in some other spelling (docs/providers say so).

export interface Scrubber {
  /** The part of the stream that may be released now; may be empty. The input may be changed in place. */
  push(chunk: Buffer): Buffer;
  /** What was held back. */
  end(): Buffer;
  readonly found: number;
}

const EMPTY = Buffer.alloc(0);
const STAR = 0x2a;

/** Length of the longest proper prefix of `pattern` that is a suffix of `chunk`. */
function overlap(chunk: Uint8Array, pattern: Uint8Array): number {
  const first = pattern[0];
  const { length } = chunk;
  for (let at = Math.max(0, length - pattern.length + 1); at < length; at++) {
    if (chunk[at] !== first) continue;
    let i = 1;
    while (at + i < length && chunk[at + i] === pattern[i]) i++;
    if (at + i === length) return i;
  }
  return 0;
}

/** Blots every occurrence of the patterns in a buffer. Returns how many there were. */
export function blot(buffer: Buffer, patterns: readonly Uint8Array[]): number {
  let found = 0;
  for (const pattern of patterns) {
    if (pattern.length === 0) continue;
    for (let at = buffer.indexOf(pattern); at >= 0; at = buffer.indexOf(pattern, at + pattern.length)) {
      buffer.fill(STAR, at, at + pattern.length);
      found++;
    }
  }
  return found;
}

export function createScrubber(patterns: readonly Uint8Array[]): Scrubber {
  let held = EMPTY;
  let found = 0;
  return {
    push(chunk) {
      const joined = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      found += blot(joined, patterns);
      let keep = 0;
      for (let i = 0; i < patterns.length; i++) {
        const length = overlap(joined, patterns[i]!);
        if (length > keep) keep = length;
      }
      if (keep === 0) {
        held = EMPTY;
        return joined;
      }
      held = Buffer.from(joined.subarray(joined.length - keep));
      return joined.subarray(0, joined.length - keep);
    },
    end() {
      const rest = held;
      held = EMPTY;
      return rest;
    },
    get found() {
      return found;
    },
  };
}
