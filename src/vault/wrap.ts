// The wrap of keys under a key-encryption key. Its additional data binds the KEK's id and version and the message id, and
// nothing else, so that changing the KEK never touches a payload:
//
//   text("claviger/wrap/v1") text(kek id) uint32(kek version) message id (32 bytes)       text() as in context.ts
//
// The check value of a KEK is a wrap of known bytes under a label of its own. Were the label shared, a check would be the
// genuine wrap of a known data-encryption key, with which anybody could forge envelopes. Not here: where KEKs come from.
import type { Random } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import { revealSecret, type Secret } from '../model/secret.ts';
import { concatBytes, prefixed, uint32, utf8 } from './bytes.ts';
import { type Cipher, KEY_BYTES, NONCE_BYTES, TAG_BYTES } from './cipher.ts';
import { COMMITMENT_BYTES, type Committed, openCommitted, SALT_BYTES, sealCommitted } from './committed.ts';

/** A KEK at hand: 32 bytes and the name that wraps carry. */
export interface WrappingKey {
  readonly id: string;
  readonly version: number;
  readonly key: Secret;
}

export interface Wrap extends Committed {
  readonly kekId: string;
  readonly kekVersion: number;
}

function wrapAad(kek: { readonly id: string; readonly version: number }, messageId: Uint8Array): Uint8Array {
  return concatBytes([prefixed('claviger/wrap/v1'), prefixed(kek.id), uint32(kek.version), messageId]);
}

/** Wraps the data-encryption keys of one envelope, one behind the other. */
export function wrapKeys(input: {
  readonly cipher: Cipher;
  readonly random: Random;
  readonly kek: WrappingKey;
  readonly messageId: Uint8Array;
  readonly keys: Uint8Array;
}): Wrap {
  const { cipher, random, kek, messageId } = input;
  const committed = sealCommitted({
    cipher,
    random,
    key: revealSecret(kek.key),
    salt: messageId,
    label: 'wrap',
    aad: wrapAad(kek, messageId),
    plaintext: input.keys,
  });
  return { kekId: kek.id, kekVersion: kek.version, ...committed };
}

/** The keys that a wrap holds. Throws `corrupt`, saying which check failed. */
export function unwrapKeys(input: {
  readonly cipher: Cipher;
  readonly kek: WrappingKey;
  readonly messageId: Uint8Array;
  readonly wrap: Wrap;
}): Uint8Array {
  const { cipher, kek, messageId, wrap } = input;
  if (wrap.kekId !== kek.id || wrap.kekVersion !== kek.version) {
    throw new Failure('corrupt', 'envelope: the wrap names another version of its key-encryption key');
  }
  const opened = openCommitted({
    cipher,
    key: revealSecret(kek.key),
    salt: messageId,
    label: 'wrap',
    aad: wrapAad(kek, messageId),
    from: wrap,
  });
  if (opened.is === 'opened') return opened.plaintext;
  throw new Failure(
    'corrupt',
    opened.is === 'other-key'
      ? 'envelope: the commitment of the wrap does not match the key-encryption key'
      : 'envelope: the wrap was altered',
  );
}

const CHECK_VALUE = utf8('claviger/kek-check/v1 known text');
const CHECK_BYTES = SALT_BYTES + COMMITMENT_BYTES + NONCE_BYTES + CHECK_VALUE.length + TAG_BYTES;

/**
 * The check value of a KEK: salt, commitment, nonce and sealed known text. It tells a mistyped passphrase from the right one
 * before anything is sealed under it. It lets whoever holds it guess passphrases, as an envelope does: a blob, never in a row.
 */
export function makeCheck(input: {
  readonly cipher: Cipher;
  readonly random: Random;
  readonly kek: WrappingKey;
}): Uint8Array {
  const { cipher, random, kek } = input;
  const key = revealSecret(kek.key);
  const salt = random.bytes(SALT_BYTES);
  const aad = wrapAad(kek, salt);
  const made = sealCommitted({ cipher, random, key, salt, label: 'check', aad, plaintext: CHECK_VALUE });
  return concatBytes([salt, made.commitment, made.nonce, made.sealed]);
}

/** Whether this is the key for which the check was made, under this id and version. */
export function passesCheck(input: {
  readonly cipher: Cipher;
  readonly kek: WrappingKey;
  readonly check: Uint8Array;
}): boolean {
  const { cipher, kek, check } = input;
  const key = revealSecret(kek.key);
  if (check.length !== CHECK_BYTES || key.length !== KEY_BYTES) return false;
  const salt = check.subarray(0, SALT_BYTES);
  const nonceAt = SALT_BYTES + COMMITMENT_BYTES;
  const from = {
    commitment: check.subarray(SALT_BYTES, nonceAt),
    nonce: check.subarray(nonceAt, nonceAt + NONCE_BYTES),
    sealed: check.subarray(nonceAt + NONCE_BYTES),
  };
  const opened = openCommitted({ cipher, key, salt, label: 'check', aad: wrapAad(kek, salt), from });
  return opened.is === 'opened' && cipher.timingSafeEqual(opened.plaintext, CHECK_VALUE);
}
