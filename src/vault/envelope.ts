// The envelope: the record that holds all secret parts of one version, encrypted. Responsible for its bytes only: form,
// strict parsing, which keys it names. How they are made and opened is sealing.ts. Follows ADR 0007. Integers are big-endian.
//
//   offset  bytes
//        0  4         magic: 43 4c 56 45 ("CLVE")
//        4  1         format: 01
//        5  32        message id: random, new for each sealing; the HKDF salt of every key below
//       37  1         p, number of parts, 1 to 16; then p parts, strictly ascending by name:
//             1         n, length of the name, 1 to 63
//             n         name: a letter, then letters, digits, `_`, `-`, `.`
//             32        commitment of the part's data-encryption key (DEK)
//             12        nonce
//             4         c, 17 to 65,552
//             c         ciphertext, its last 16 bytes the tag; additional data: context.ts
//           1         w, number of wraps, 1 to 8; then w wraps, strictly ascending by KEK id:
//             36        KEK id: `kek_` and 32 hex digits
//             4         KEK version, 1 to 2^31 - 1
//             32        commitment of the KEK
//             12        nonce
//             32p+16    the DEKs in the order of the parts, encrypted, and the tag; additional data: wrap.ts
//           12        nonce of the closing tag
//           16        closing tag: AES-256-GCM of nothing, additional data: every byte before it, nonce included;
//                     key: HKDF-SHA512(all DEKs, message id, "claviger/v1/envelope/key")
//
// Nothing may follow. A re-wrap changes the wraps and the closing tag; the bytes before `w` stay as they are.
import { Failure } from '../model/failure.ts';
import { isId } from '../model/id.ts';
import { concatBytes, readBytes, sameBytes, toHex, uint8, uint32, utf8 } from './bytes.ts';
import { KEY_BYTES, NONCE_BYTES, TAG_BYTES } from './cipher.ts';
import { COMMITMENT_BYTES, type Committed, SALT_BYTES } from './committed.ts';
import type { Wrap } from './wrap.ts';

const MAGIC = utf8('CLVE');
const FORMAT = 1;
const KEK_ID_BYTES = 36;
const PART_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,62}$/;

export const PARTS_MAX = 16;
export const WRAPS_MAX = 8;
/** Longest secret part, bytes: the longest key that is known (a service account with its certificate) with room above it. */
export const PART_BYTES_MAX = 65_536;
/** No record is longer; whoever reads one from outside stops there. */
export const ENVELOPE_BYTES_MAX =
  38 + PARTS_MAX * (1 + 63 + 32 + 12 + 4 + PART_BYTES_MAX + 16) + 1 + WRAPS_MAX * (84 + 32 * PARTS_MAX + 16) + 28;

export interface SealedPart extends Committed {
  readonly name: string;
}

export interface Envelope {
  readonly messageId: Uint8Array;
  readonly parts: readonly SealedPart[];
  readonly wraps: readonly Wrap[];
}

export interface ClosedEnvelope extends Envelope {
  readonly closingTag: Uint8Array;
  /** What the closing tag covers: the record up to it. A view of the bytes that were parsed. */
  readonly covered: Uint8Array;
  readonly closingNonce: Uint8Array;
}

export function isPartName(name: string): boolean {
  return PART_NAME.test(name);
}

function payloadBytes(envelope: Envelope): Uint8Array {
  const pieces = [MAGIC, uint8(FORMAT), envelope.messageId, uint8(envelope.parts.length)];
  for (const part of envelope.parts) {
    const name = utf8(part.name);
    pieces.push(uint8(name.length), name, part.commitment, part.nonce, uint32(part.sealed.length), part.sealed);
  }
  return concatBytes(pieces);
}

/** The record up to its closing tag, which sealing.ts computes over these bytes and appends. */
export function encodeCovered(envelope: Envelope, closingNonce: Uint8Array): Uint8Array {
  const pieces = [payloadBytes(envelope), uint8(envelope.wraps.length)];
  for (const wrap of envelope.wraps) {
    pieces.push(utf8(wrap.kekId), uint32(wrap.kekVersion), wrap.commitment, wrap.nonce, wrap.sealed);
  }
  return concatBytes([...pieces, closingNonce]);
}

/** Reads a record. Throws `corrupt` for anything that `encodeCovered` would not have written; the message never holds its bytes. */
export function parseEnvelope(bytes: Uint8Array): ClosedEnvelope {
  if (bytes.length > ENVELOPE_BYTES_MAX) throw malformed('too long');
  const reader = readBytes(bytes, 'envelope');
  if (!sameBytes(reader.take(MAGIC.length, 'magic'), MAGIC)) throw malformed('not an envelope');
  if (reader.uint8('format') !== FORMAT) throw malformed('a format that this version does not know');
  const messageId = reader.take(SALT_BYTES, 'message id');

  const parts: SealedPart[] = [];
  const partCount = bounded(reader.uint8('number of parts'), 1, PARTS_MAX, 'number of parts');
  while (parts.length < partCount) {
    const name = reader.text(bounded(reader.uint8('name of a part'), 1, 63, 'name of a part'), 'name of a part');
    if (!isPartName(name)) throw malformed('name of a part');
    if (parts.length > 0 && parts.at(-1)!.name >= name) throw malformed('parts out of order');
    const commitment = reader.take(COMMITMENT_BYTES, 'commitment');
    const nonce = reader.take(NONCE_BYTES, 'nonce');
    const length = bounded(reader.uint32('ciphertext'), 1 + TAG_BYTES, PART_BYTES_MAX + TAG_BYTES, 'ciphertext');
    parts.push({ name, commitment, nonce, sealed: reader.take(length, 'ciphertext') });
  }

  const wraps: Wrap[] = [];
  const wrapCount = bounded(reader.uint8('number of wraps'), 1, WRAPS_MAX, 'number of wraps');
  while (wraps.length < wrapCount) {
    const kekId = reader.text(KEK_ID_BYTES, 'key-encryption key');
    if (!isId('kek', kekId)) throw malformed('key-encryption key');
    if (wraps.length > 0 && wraps.at(-1)!.kekId >= kekId) throw malformed('wraps out of order');
    const kekVersion = bounded(reader.uint32('version of the key'), 1, 2 ** 31 - 1, 'version of the key');
    const commitment = reader.take(COMMITMENT_BYTES, 'commitment');
    const nonce = reader.take(NONCE_BYTES, 'nonce');
    const sealed = reader.take(KEY_BYTES * partCount + TAG_BYTES, 'wrapped keys');
    wraps.push({ kekId, kekVersion, commitment, nonce, sealed });
  }

  const closingNonce = reader.take(NONCE_BYTES, 'closing nonce');
  const covered = bytes.subarray(0, reader.offset());
  const closingTag = reader.take(TAG_BYTES, 'closing tag');
  reader.end();
  return { messageId, parts, wraps, closingNonce, covered, closingTag };
}

/** Ids of the KEKs that the record is wrapped under, ascending. Throws `corrupt`. Proves nothing: no key is asked. */
export function envelopeKekIds(bytes: Uint8Array): string[] {
  return parseEnvelope(bytes).wraps.map((wrap) => wrap.kekId);
}

/** A name for one sealing, the same after every re-wrap: `env_` and 32 hex digits of its message id. */
export function envelopeId(bytes: Uint8Array): string {
  return `env_${toHex(parseEnvelope(bytes).messageId.subarray(0, 16))}`;
}

/** Whether two records hold the same payloads, byte for byte, and differ at most in their wraps. Throws `corrupt`. */
export function holdsSamePayloads(left: Uint8Array, right: Uint8Array): boolean {
  return sameBytes(payloadBytes(parseEnvelope(left)), payloadBytes(parseEnvelope(right)));
}

function bounded(value: number, min: number, max: number, field: string): number {
  if (value < min || value > max) throw malformed(`${field} out of bounds`);
  return value;
}

function malformed(what: string): Failure {
  return new Failure('corrupt', `envelope: ${what}`);
}
