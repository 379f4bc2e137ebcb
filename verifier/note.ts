// Signed notes and verifier keys (C2SP signed-note v1.0.0), Ed25519 (type 0x01) only. Opening a note is the only way to its
// text: unsigned text is never returned. Pure: SHA-256 and Ed25519 are arguments.
import type { Sha256 } from './merkle.ts';
import { accept, decodeBase64, decodeUtf8, type Result, refuse } from './text.ts';

/** Verifies an Ed25519 signature (RFC 8032) with a raw public key of 32 bytes. False for whatever is malformed. */
export type VerifyEd25519 = (input: { publicKey: Uint8Array; message: Uint8Array; signature: Uint8Array }) => boolean;

export interface VerifierKey {
  readonly name: string;
  /** The first four bytes of SHA-256(name, newline, type, public key), in lower-case hex. */
  readonly id: string;
  readonly publicKey: Uint8Array;
}

export interface OpenNote {
  /** The signed text with its final newline. */
  readonly text: string;
  /** The known keys whose signatures verified. At least one. */
  readonly signers: readonly VerifierKey[];
}

export const NOTE_BYTES_MAX = 1_000_000;
const SIGNATURES_MAX = 100;
const TYPE_ED25519 = 1;
const UNWELCOME_IN_NAME = /[\p{White_Space}\uFEFF+]/u;

function isKeyName(name: string): boolean {
  return name.length > 0 && name.isWellFormed() && !UNWELCOME_IN_NAME.test(name);
}

/** Reads `name+id+base64(type, key)`. Refuses other key types and an id that is not the hash of the rest. */
export function parseVkey(text: string, sha256: Sha256): Result<VerifierKey> {
  const match = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(text);
  if (match === null) return refuse('not of the form name+id+key');
  const [, name, id, encoded] = match as unknown as [string, string, string, string];
  if (!isKeyName(name)) return refuse('the key name is empty or holds a space');
  const key = decodeBase64(encoded);
  if (key === null) return refuse('the key is not base64');
  if (key[0] !== TYPE_ED25519 || key.length !== 33) return refuse('not an Ed25519 key (type 0x01, 32 bytes)');
  const named = new TextEncoder().encode(`${name}\n`);
  const hashed = new Uint8Array(named.length + key.length);
  hashed.set(named);
  hashed.set(key, named.length);
  if (sha256(hashed).subarray(0, 4).toHex() !== id) return refuse('the key id is not the hash of name and key');
  return accept({ name, id, publicKey: key.subarray(1) });
}

/**
 * Opens a signed note with the keys that the caller trusts. Signatures of other keys are ignored, as the specification asks.
 * One signature of a known key that fails refuses the whole note; a second one of the same key is not looked at.
 */
export function openNote(
  bytes: Uint8Array,
  keys: readonly VerifierKey[],
  verifyEd25519: VerifyEd25519,
): Result<OpenNote> {
  if (bytes.length > NOTE_BYTES_MAX) return refuse('the note is too long');
  const note = decodeUtf8(bytes);
  if (note === null) return refuse('not UTF-8');
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) return refuse('the note holds a control character');
  const split = note.lastIndexOf('\n\n');
  if (split < 0) return refuse('no blank line before signatures');
  const text = note.slice(0, split + 1);
  const signed = note.slice(split + 2);
  if (!signed.endsWith('\n')) return refuse('no signature line, or no newline after the last');
  const lines = signed.slice(0, -1).split('\n');
  if (lines.length > SIGNATURES_MAX) return refuse('too many signatures');

  const message = new TextEncoder().encode(text);
  const signers: VerifierKey[] = [];
  for (const line of lines) {
    const signature = parseSignatureLine(line);
    if (signature === null) return refuse('malformed signature line');
    const known = keys.filter((key) => key.name === signature.name && key.id === signature.id);
    const [key] = known;
    if (key === undefined) continue;
    if (known.length > 1) return refuse('two known keys have the same name and id');
    if (signers.includes(key)) continue;
    if (!verifyEd25519({ publicKey: key.publicKey, message, signature: signature.bytes })) {
      return refuse('the signature does not verify');
    }
    signers.push(key);
  }
  return signers.length === 0 ? refuse('no signature of a known key') : accept({ text, signers });
}

interface SignatureLine {
  readonly name: string;
  readonly id: string;
  readonly bytes: Uint8Array;
}

function parseSignatureLine(line: string): SignatureLine | null {
  const parts = line.split(' ');
  const [dash, name, encoded] = parts;
  if (parts.length !== 3 || dash !== '—' || name === undefined || encoded === undefined) return null;
  if (!isKeyName(name)) return null;
  const bytes = decodeBase64(encoded);
  if (bytes === null || bytes.length < 5) return null;
  return { name, id: bytes.subarray(0, 4).toHex(), bytes: bytes.subarray(4) };
}
