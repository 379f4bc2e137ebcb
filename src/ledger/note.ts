// Signed notes (C2SP signed-note) and checkpoints (C2SP tlog-checkpoint) with Ed25519, type 0x01. Written for the writer's side;
// the verifier has its own. No extension lines: later cosignature types do not cover them.
import { Failure } from '../model/failure.ts';

export interface Signer {
  /** The verifier key in its text form: `<name>+<hash>+<base64>`. */
  readonly vkey: string;
  readonly name: string;
  readonly keyHash: Uint8Array;
  sign(text: Uint8Array): Uint8Array;
}

export interface VerifierKey {
  readonly name: string;
  readonly keyHash: Uint8Array;
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
}

const ED25519 = 1;
const encoder = new TextEncoder();

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** Bytes of canonical base64, or null: the decoded bytes must encode to the very same text. */
function unbase64(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

function keyHashOf(name: string, publicKey: Uint8Array, sha256: (data: Uint8Array) => Uint8Array): Uint8Array {
  return sha256(Buffer.concat([encoder.encode(`${name}\n`), Uint8Array.of(ED25519), publicKey])).slice(0, 4);
}

function isKeyName(name: string): boolean {
  return name.length > 0 && !/[\s+]/u.test(name);
}

export function createSigner(
  name: string,
  publicKey: Uint8Array,
  sign: (text: Uint8Array) => Uint8Array,
  sha256: (data: Uint8Array) => Uint8Array,
): Signer {
  if (!isKeyName(name)) throw new Failure('invalid', 'a log name must not hold spaces or a plus sign');
  const keyHash = keyHashOf(name, publicKey, sha256);
  const typed = Buffer.concat([Uint8Array.of(ED25519), publicKey]);
  return { vkey: `${name}+${Buffer.from(keyHash).toString('hex')}+${base64(typed)}`, name, keyHash, sign };
}

/** Reads a verifier key. Throws `invalid` for anything that is not exactly one Ed25519 key with its right hash. */
export function parseVkey(text: string, sha256: (data: Uint8Array) => Uint8Array): VerifierKey {
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(text);
  const typed = match === null ? null : unbase64(match[3]!);
  if (match === null || typed === null || typed.length !== 33 || typed[0] !== ED25519) {
    throw new Failure('invalid', 'not an Ed25519 verifier key');
  }
  const publicKey = typed.slice(1);
  const keyHash = keyHashOf(match[1]!, publicKey, sha256);
  if (Buffer.from(keyHash).toString('hex') !== match[2])
    throw new Failure('invalid', 'the verifier key does not match its hash');
  return { name: match[1]!, keyHash, publicKey };
}

/** A signed note over `text`, which must end in a newline. */
export function signNote(text: string, signer: Signer): string {
  const signature = signer.sign(encoder.encode(text));
  return `${text}\n\u2014 ${signer.name} ${base64(Buffer.concat([signer.keyHash, signature]))}\n`;
}

export type VerifySignature = (publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array) => boolean;

/** More signature lines than this are refused: the bound that C2SP recommends is low tens. */
const SIGNATURES_MAX = 100;

/** Opens a note: its text and how many of `keys` signed it. Throws `corrupt` for a malformed note, a wrong signature of a known key, or none of them. */
export function openNote(
  note: Uint8Array,
  keys: readonly VerifierKey[],
  verify: VerifySignature,
): { text: string; verified: number } {
  const refuse = (why: string): never => {
    throw new Failure('corrupt', `signed note: ${why}`);
  };
  let decoded: string;
  try {
    decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(note);
  } catch {
    return refuse('not UTF-8');
  }
  if (/[\u0000-\u0009\u000b-\u001f]/u.test(decoded)) refuse('control character');
  const cut = decoded.lastIndexOf('\n\n');
  if (cut < 0) refuse('no signatures');
  const text = decoded.slice(0, cut + 1);
  const tail = decoded.slice(cut + 2);
  if (tail === '' || !tail.endsWith('\n')) refuse('malformed signatures');
  const lines = tail.slice(0, -1).split('\n');
  if (lines.length > SIGNATURES_MAX) refuse('too many signatures');
  const seen = new Set<string>();
  for (const line of lines) {
    const match = /^\u2014 ([^\s+]+) (\S+)$/u.exec(line);
    const bytes = match === null ? null : unbase64(match[2]!);
    if (match === null || bytes === null || bytes.length < 5) return refuse('malformed signature line');
    const hash = Buffer.from(bytes.subarray(0, 4)).toString('hex');
    const known = keys.filter((key) => key.name === match[1] && Buffer.from(key.keyHash).toString('hex') === hash);
    if (known.length > 1) refuse('ambiguous key');
    const key = known[0];
    const id = `${match[1]} ${hash}`;
    if (key === undefined || seen.has(id)) continue;
    seen.add(id);
    if (!verify(key.publicKey, encoder.encode(text), bytes.subarray(4))) refuse('wrong signature');
  }
  if (seen.size === 0) refuse('no signature by a known key');
  return { text, verified: seen.size };
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

export function checkpointText(checkpoint: Checkpoint): string {
  return `${checkpoint.origin}\n${checkpoint.size}\n${base64(checkpoint.root)}\n`;
}

/** Reads a checkpoint's text. Throws `corrupt` where it is malformed or its size is beyond what a number holds exactly. */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n');
  const [origin, size, root] = lines;
  const hash = root === undefined ? null : unbase64(root);
  // The root's length is not judged here (C2SP leaves it to the tree's hash): one that is not 32 bytes equals no root.
  if (lines.length < 4 || !origin || !/^(?:0|[1-9][0-9]*)$/.test(size ?? '') || hash === null || hash.length === 0) {
    throw new Failure('corrupt', 'not a checkpoint');
  }
  if (!Number.isSafeInteger(Number(size))) throw new Failure('corrupt', 'a checkpoint of an impossible size');
  return { origin, size: Number(size), root: hash };
}
