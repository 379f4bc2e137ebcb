// Bytes in and out: big-endian integers, length-prefixed text, and a reader that never passes its end. Shared by the
// canonical context (context.ts) and the envelope record (envelope.ts). Not here: what the bytes mean.
import { Failure } from '../model/failure.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export function concatBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

export function uint8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** UTF-8 behind its length in bytes, a big-endian uint32. */
export function prefixed(text: string): Uint8Array {
  const bytes = utf8(text);
  return concatBytes([uint32(bytes.length), bytes]);
}

export function toHex(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0');
  return hex;
}

/** Whether both hold the same bytes. For public bytes only: not in constant time. */
export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

export interface Reader {
  /** The next `length` bytes, a copy. Throws `corrupt` where fewer are left, naming the field and never its bytes. */
  take(length: number, field: string): Uint8Array;
  uint8(field: string): number;
  uint32(field: string): number;
  /** Text of `length` bytes. Throws `corrupt` where it is not UTF-8. */
  text(length: number, field: string): string;
  /** How many bytes have been read. */
  offset(): number;
  /** Throws `corrupt` where bytes are left. */
  end(): void;
}

export function readBytes(bytes: Uint8Array, subject: string): Reader {
  let at = 0;
  function take(length: number, field: string): Uint8Array {
    if (length > bytes.length - at) throw new Failure('corrupt', `${subject}: cut short in ${field}`);
    const piece = Uint8Array.from(bytes.subarray(at, at + length));
    at += length;
    return piece;
  }
  return {
    take,
    uint8: (field) => take(1, field)[0]!,
    uint32(field) {
      const [a, b, c, d] = take(4, field);
      return a! * 2 ** 24 + b! * 2 ** 16 + c! * 2 ** 8 + d!;
    },
    text(length, field) {
      const piece = take(length, field);
      try {
        return decoder.decode(piece);
      } catch {
        throw new Failure('corrupt', `${subject}: ${field} is not text`);
      }
    },
    offset: () => at,
    end() {
      if (at !== bytes.length) throw new Failure('corrupt', `${subject}: bytes after its end`);
    },
  };
}
