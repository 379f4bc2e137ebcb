// Checks on this machine what the server says about its ledger: that an entry stands where it is said to stand, under a checkpoint
// that the log's key signed. Pure: hashing and signatures come in as functions. The full verification of a log is verifier/.
import { createHasher, verifyInclusion } from '../ledger/merkle.ts';
import { openNote, parseCheckpoint, parseVkey, type VerifySignature } from '../ledger/note.ts';
import { Failure } from '../model/failure.ts';
import { canonicalJson, type Json } from '../model/json.ts';

export interface Primitives {
  sha256(data: Uint8Array): Uint8Array;
  readonly verify: VerifySignature;
}

/** An entry with its inclusion proof, as the API gives it. */
export interface EntryProof {
  readonly index: number;
  readonly entry: Json;
  readonly proof: {
    readonly size: number;
    readonly root: string;
    readonly hashes: readonly string[];
    readonly checkpoint: string;
  } | null;
}

/**
 * Why the entry is not proven to stand in the log, or null where it is. Nothing of what the server says is believed: the
 * checkpoint's own text counts, under a key that somebody here trusts.
 */
export function proofProblem(claim: EntryProof, vkey: string, primitives: Primitives): string | null {
  const { proof } = claim;
  if (proof === null) return 'no checkpoint covers it yet, and the server is sealed';
  let checkpoint: { origin: string; size: number; root: Uint8Array };
  try {
    const key = parseVkey(vkey.trim(), primitives.sha256);
    const { text } = openNote(new TextEncoder().encode(proof.checkpoint), [key], primitives.verify);
    checkpoint = parseCheckpoint(text);
    if (checkpoint.origin !== key.name) return 'the checkpoint is of another log';
  } catch (error) {
    return Failure.is(error) ? `the checkpoint: ${error.message}` : 'the checkpoint cannot be read';
  }
  const hasher = createHasher(primitives.sha256);
  const leaf = hasher.leaf(new TextEncoder().encode(canonicalJson(claim.entry)));
  const hashes = proof.hashes.map(bytesOf);
  if (hashes.some((hash) => hash === null)) return 'the proof holds something that is no hash';
  const isThere = verifyInclusion(
    {
      index: claim.index,
      size: checkpoint.size,
      leaf,
      root: checkpoint.root,
      proof: hashes.filter((hash) => hash !== null),
    },
    hasher,
  );
  return isThere ? null : 'the proof does not show that this entry stands there';
}

/** A hash of 32 bytes in base64 or hex, or null. */
function bytesOf(text: string): Uint8Array | null {
  if (/^[0-9a-f]{64}$/.test(text)) return Uint8Array.fromHex(text);
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) return null;
  return Uint8Array.fromBase64(text);
}

/** What a certificate says, once its signature is checked. Throws `corrupt` where it was not signed by this key. */
export function openCertificate(
  note: Uint8Array,
  vkey: string,
  primitives: Primitives,
): Readonly<Record<string, Json>> {
  const { text } = openNote(note, [parseVkey(vkey.trim(), primitives.sha256)], primitives.verify);
  let statement: unknown;
  try {
    statement = JSON.parse(text);
  } catch {
    throw new Failure('corrupt', 'the signed text is no certificate');
  }
  const isObject = typeof statement === 'object' && statement !== null && !Array.isArray(statement);
  const fields = isObject ? (statement as Record<string, Json>) : {};
  if (typeof fields['type'] !== 'string' || !fields['type'].startsWith('claviger/certificate-of-death/')) {
    throw new Failure('corrupt', 'the signed text is no certificate of death');
  }
  // What is signed is the text: a second way to write the same statement would be another certificate.
  if (`${canonicalJson(fields)}\n` !== text)
    throw new Failure('corrupt', 'the certificate is not in its canonical form');
  return fields;
}
