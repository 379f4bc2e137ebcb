// Checkpoints: what a log signs about itself (C2SP tlog-checkpoint), as text and as the stricter form that Claviger's logs
// publish (docs/formats/ledger.md): origin equal to the key's name, a 32-byte root, no extension lines.
import { HASH_BYTES } from './merkle.ts';
import { openNote, type VerifierKey, type VerifyEd25519 } from './note.ts';
import { accept, decodeBase64, decodeUint64, type Result, refuse } from './text.ts';

/** The text of any log's checkpoint. Unsigned: says nothing until its note was opened. */
export interface CheckpointText {
  readonly origin: string;
  readonly size: bigint;
  readonly hash: Uint8Array;
  /** Everything after the third line, opaque. */
  readonly extension: string;
}

/** A checkpoint of this log that was signed by its key. */
export interface Checkpoint {
  readonly origin: string;
  /** Number of entries, at most 2^53 - 1. */
  readonly size: number;
  readonly root: Uint8Array;
}

/** Reads origin, size, root and whatever follows. The third line must end in a newline. */
export function parseCheckpoint(text: string): Result<CheckpointText> {
  const lines = text.split('\n');
  const [origin, sizeText, hashText] = lines;
  if (lines.length < 4 || origin === undefined || sizeText === undefined || hashText === undefined) {
    return refuse('fewer than three lines');
  }
  if (origin === '') return refuse('the origin is empty');
  const size = decodeUint64(sizeText);
  if (size === null) return refuse('the size is not a decimal uint64');
  const hash = decodeBase64(hashText);
  if (hash === null || hash.length === 0) return refuse('the root is not base64');
  return accept({ origin, size, hash, extension: lines.slice(3).join('\n') });
}

/** Opens a signed checkpoint with the log's key and holds it to the form that this log publishes. */
export function openCheckpoint(bytes: Uint8Array, key: VerifierKey, verifyEd25519: VerifyEd25519): Result<Checkpoint> {
  const note = openNote(bytes, [key], verifyEd25519);
  if (!note.ok) return note;
  const parsed = parseCheckpoint(note.value.text);
  if (!parsed.ok) return parsed;
  const { origin, size, hash, extension } = parsed.value;
  if (origin !== key.name) return refuse('the origin is not the name of the key');
  if (extension !== '') return refuse('extension lines');
  if (hash.length !== HASH_BYTES) return refuse('the root is not 32 bytes');
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) return refuse('the size is beyond 2^53 - 1');
  return accept({ origin, size: Number(size), root: hash });
}
