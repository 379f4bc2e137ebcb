// What is typed at a prompt that shows nothing: keys in, bytes out. Kept as bytes, so that they can be wiped; a string could not be.

/** Longer input than any secret is cut off, not collected. */
export const TYPED_BYTES_MAX = 16_384;

export interface Typed {
  readonly bytes: number[];
  readonly is: 'more' | 'done' | 'cancelled';
  /** What came after the end of the line: the beginning of the next answer, when several lines were pasted. */
  readonly rest: Uint8Array;
}

export const NOTHING_TYPED: Typed = { bytes: [], is: 'more', rest: new Uint8Array(0) };

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const BACKSPACES = [0x08, 0x7f];
const CTRL_U = 0x15;
const CTRL_W = 0x17;
const ESCAPE = 0x1b;

/** The state after some bytes of the terminal. Escape sequences (arrows, brackets of a paste) are dropped whole. */
export function type(before: Typed, chunk: Uint8Array): Typed {
  const { bytes } = before;
  for (let i = 0; i < chunk.length; i++) {
    const byte = chunk[i]!;
    const rest = () => chunk.slice(i + 1);
    if (byte === 0x0d || byte === 0x0a) return { bytes, is: 'done', rest: rest() };
    if (byte === CTRL_C) return wiped(bytes);
    if (byte === CTRL_D) {
      if (bytes.length === 0) return wiped(bytes);
      return { bytes, is: 'done', rest: rest() };
    }
    if (byte === CTRL_U || byte === CTRL_W) bytes.length = 0;
    else if (BACKSPACES.includes(byte)) dropCharacter(bytes);
    else if (byte === ESCAPE) i = sequenceEnd(chunk, i);
    else if (byte >= 0x20 && bytes.length < TYPED_BYTES_MAX) bytes.push(byte);
  }
  return { bytes, is: 'more', rest: new Uint8Array(0) };
}

function wiped(bytes: number[]): Typed {
  bytes.fill(0);
  bytes.length = 0;
  return { bytes, is: 'cancelled', rest: new Uint8Array(0) };
}

/** Removes the last character: a whole UTF-8 sequence. */
function dropCharacter(bytes: number[]): void {
  while (bytes.length > 0 && (bytes.at(-1)! & 0xc0) === 0x80) bytes.pop();
  bytes.pop();
}

/** Index of the last byte of an escape sequence: `ESC [ … letter`, `ESC O letter`, or the escape alone. */
function sequenceEnd(chunk: Uint8Array, start: number): number {
  if (chunk[start + 1] === 0x4f) return start + 2;
  if (chunk[start + 1] !== 0x5b) return start;
  for (let i = start + 2; i < chunk.length; i++) {
    if (chunk[i]! >= 0x40 && chunk[i]! <= 0x7e) return i;
  }
  return chunk.length;
}
