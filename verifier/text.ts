// Strict readings of small pieces of text: UTF-8, base64 (RFC 4648 section 4), decimal. Each either returns the one value that
// the text stands for or says no; nothing is repaired, because two readers that repair differently can be shown two logs.

/** An expected outcome as a value. `why` is a few words in lower case for a person. */
export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string };

export function accept<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function refuse(why: string): { readonly ok: false; readonly why: string } {
  return { ok: false, why };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of well-formed UTF-8, with a byte order mark kept as a character, else null. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The bytes of padded base64 without white space and without stray bits in the last character, else null. */
export function decodeBase64(text: string): Uint8Array | null {
  if (!BASE64.test(text)) return null;
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: 'strict' });
  } catch {
    return null;
  }
}

const UINT64_MAX = 2n ** 64n - 1n;

/** A decimal uint64 without sign and leading zeroes, else null. */
export function decodeUint64(text: string): bigint | null {
  if (!/^(?:0|[1-9][0-9]{0,19})$/.test(text)) return null;
  const value = BigInt(text);
  return value <= UINT64_MAX ? value : null;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
