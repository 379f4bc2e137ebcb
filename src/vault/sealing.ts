// Seals the parts of a version into an envelope, opens it, and wraps it anew. Pure: cipher and randomness are given. Each
// part has a random data-encryption key (DEK) of its own; every check fails closed and says which one it was, never what it
// saw. Not here: the form of the record (envelope.ts), which KEKs are in force (kek.ts), whether the vault is unsealed.
import type { Random } from '../model/clock.ts';
import { assert, Failure } from '../model/failure.ts';
import { revealSecret, Secret } from '../model/secret.ts';
import { concatBytes } from './bytes.ts';
import { type Cipher, KEY_BYTES, NONCE_BYTES } from './cipher.ts';
import { type Committed, openCommitted, SALT_BYTES, sealCommitted } from './committed.ts';
import { contextBytes, type EnvelopeContext } from './context.ts';
import {
  type ClosedEnvelope,
  type Envelope,
  encodeCovered,
  isPartName,
  PART_BYTES_MAX,
  PARTS_MAX,
  parseEnvelope,
  type SealedPart,
  WRAPS_MAX,
} from './envelope.ts';
import { unwrapKeys, type Wrap, type WrappingKey, wrapKeys } from './wrap.ts';

/** KEKs at hand, by id. */
export type WrappingKeys = ReadonlyMap<string, WrappingKey>;

interface PayloadKey {
  readonly cipher: Cipher;
  /** 32 bytes, used for this payload alone. */
  readonly dek: Uint8Array;
  readonly messageId: Uint8Array;
  readonly aad: Uint8Array;
}

/** One part under its DEK. Throws `invalid` for a part that is empty or longer than 65,536 bytes. */
export function sealPayload(input: PayloadKey & { readonly random: Random; readonly secret: Secret }): Committed {
  const { cipher, random, dek, messageId, aad, secret } = input;
  if (secret.length < 1 || secret.length > PART_BYTES_MAX) {
    throw new Failure('invalid', `a secret part has 1 to ${PART_BYTES_MAX} bytes`);
  }
  const plaintext = revealSecret(secret);
  return sealCommitted({ cipher, random, key: dek, salt: messageId, label: 'payload', aad, plaintext });
}

/** The reverse. The commitment is compared before anything is decrypted. Throws `corrupt`. */
export function openPayload(input: PayloadKey & { readonly payload: Committed }): Secret {
  const { cipher, dek, messageId, aad, payload } = input;
  const opened = openCommitted({ cipher, key: dek, salt: messageId, label: 'payload', aad, from: payload });
  if (opened.is === 'other-key') {
    throw new Failure('corrupt', 'envelope: the commitment of a payload does not match its key');
  }
  if (opened.is === 'altered') {
    throw new Failure('corrupt', 'envelope: a payload was altered, or sealed for another context');
  }
  const secret = new Secret(opened.plaintext);
  opened.plaintext.fill(0);
  return secret;
}

/** A new envelope record. `keks`: one wrap for each, 1 to 8. Throws `invalid` for parts or a context that have no form. */
export function sealEnvelope(input: {
  readonly cipher: Cipher;
  readonly random: Random;
  readonly context: EnvelopeContext;
  readonly parts: Readonly<Record<string, Secret>>;
  readonly keks: readonly WrappingKey[];
}): Uint8Array {
  const { cipher, random, context, parts, keks } = input;
  assert(keks.length >= 1 && keks.length <= WRAPS_MAX, 'an envelope has 1 to 8 wraps');
  const names = Object.keys(parts).sort();
  if (names.length < 1 || names.length > PARTS_MAX || !names.every(isPartName)) {
    throw new Failure('invalid', `a version has 1 to ${PARTS_MAX} parts with plain names`);
  }
  const messageId = random.bytes(SALT_BYTES);
  const deks = random.bytes(KEY_BYTES * names.length);
  try {
    const sealed: SealedPart[] = names.map((name, index) => {
      const dek = dekOf(deks, index);
      const aad = contextBytes(context, name, names);
      return { name, ...sealPayload({ cipher, random, dek, messageId, aad, secret: parts[name]! }) };
    });
    const wraps = keks.map((kek) => wrapKeys({ cipher, random, kek, messageId, keys: deks }));
    return close({ cipher, random, deks, envelope: { messageId, parts: sealed, wraps: ordered(wraps) } });
  } finally {
    deks.fill(0);
  }
}

/**
 * All parts of an envelope. Throws `sealed` where none of its KEKs is at hand, `corrupt` where any check fails: the
 * commitment of the wrap, the wrap, the commitment of a payload, the payload in this context, the closing tag.
 */
export function openEnvelope(input: {
  readonly cipher: Cipher;
  readonly context: EnvelopeContext;
  readonly bytes: Uint8Array;
  readonly keks: WrappingKeys;
}): Record<string, Secret> {
  const { cipher, context } = input;
  const envelope = parseEnvelope(input.bytes);
  const { messageId } = envelope;
  const deks = dataKeys({ cipher, envelope, keks: input.keks });
  const names = envelope.parts.map((part) => part.name);
  const opened: [string, Secret][] = [];
  try {
    for (const [index, payload] of envelope.parts.entries()) {
      const aad = contextBytes(context, payload.name, names);
      const dek = dekOf(deks, index);
      opened.push([payload.name, openPayload({ cipher, dek, messageId, aad, payload })]);
    }
    checkClosingTag({ cipher, envelope, deks });
    return Object.fromEntries(opened);
  } catch (error) {
    for (const [, secret] of opened) secret.wipe();
    throw error;
  } finally {
    deks.fill(0);
  }
}

/**
 * The same payloads under other wraps: those for which `keeps` is true, and one for `to`. Gives the bytes back unchanged
 * where that is what they already have, so repeating it is harmless. Throws as `openEnvelope`; needs no context.
 */
export function rewrapEnvelope(input: {
  readonly cipher: Cipher;
  readonly random: Random;
  readonly bytes: Uint8Array;
  readonly keks: WrappingKeys;
  readonly to: WrappingKey;
  readonly keeps: (kekId: string) => boolean;
}): Uint8Array {
  const { cipher, random, to } = input;
  const envelope = parseEnvelope(input.bytes);
  const kept = envelope.wraps.filter((wrap) => wrap.kekId === to.id || input.keeps(wrap.kekId));
  const deks = dataKeys({ cipher, envelope, keks: input.keks });
  try {
    checkClosingTag({ cipher, envelope, deks });
    const isWrapped = kept.some((wrap) => wrap.kekId === to.id);
    if (isWrapped && kept.length === envelope.wraps.length) return input.bytes;
    const { messageId, parts } = envelope;
    const added = isWrapped ? [] : [wrapKeys({ cipher, random, kek: to, messageId, keys: deks })];
    if (kept.length + added.length > WRAPS_MAX)
      throw new Failure('invalid', `an envelope has at most ${WRAPS_MAX} wraps`);
    const next = close({ cipher, random, deks, envelope: { messageId, parts, wraps: ordered([...kept, ...added]) } });
    // The old wraps are about to be given up: the new one has to hold the same keys, by the way that it will be read.
    const again = dataKeys({ cipher, envelope: parseEnvelope(next), keks: new Map([[to.id, to]]) });
    const isSame = cipher.timingSafeEqual(again, deks);
    again.fill(0);
    if (!isSame) throw new Failure('corrupt', 'envelope: the new wrap does not hold the same keys');
    return next;
  } finally {
    deks.fill(0);
  }
}

function dekOf(deks: Uint8Array, index: number): Uint8Array {
  return deks.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES);
}

function ordered(wraps: readonly Wrap[]): Wrap[] {
  return wraps.toSorted((left, right) => (left.kekId < right.kekId ? -1 : 1));
}

/** The DEKs, through the wrap of the newest KEK at hand. A wrap that fails is not passed over for another one. */
function dataKeys(input: {
  readonly cipher: Cipher;
  readonly envelope: Envelope;
  readonly keks: WrappingKeys;
}): Uint8Array {
  const { cipher, envelope, keks } = input;
  const usable = envelope.wraps
    .flatMap((wrap) => {
      const kek = keks.get(wrap.kekId);
      return kek === undefined ? [] : [{ wrap, kek }];
    })
    .sort((left, right) => right.kek.version - left.kek.version)[0];
  if (usable === undefined) throw new Failure('sealed', 'envelope: none of its key-encryption keys is at hand');
  return unwrapKeys({ cipher, messageId: envelope.messageId, ...usable });
}

function closingKey(cipher: Cipher, deks: Uint8Array, messageId: Uint8Array): Uint8Array {
  return cipher.hkdfSha512({ key: deks, salt: messageId, info: 'claviger/v1/envelope/key', length: KEY_BYTES });
}

function close(input: {
  readonly cipher: Cipher;
  readonly random: Random;
  readonly deks: Uint8Array;
  readonly envelope: Envelope;
}): Uint8Array {
  const { cipher, deks, envelope } = input;
  const nonce = input.random.bytes(NONCE_BYTES);
  const covered = encodeCovered(envelope, nonce);
  const key = closingKey(cipher, deks, envelope.messageId);
  const tag = cipher.aes256gcmSeal({ key, nonce, aad: covered, plaintext: new Uint8Array() });
  key.fill(0);
  return concatBytes([covered, tag]);
}

/** Also authenticates the wraps of KEKs that are not at hand: a recovery wrap must not rot unseen. */
function checkClosingTag(input: {
  readonly cipher: Cipher;
  readonly envelope: ClosedEnvelope;
  readonly deks: Uint8Array;
}): void {
  const { cipher, envelope, deks } = input;
  const { closingNonce: nonce, covered: aad, closingTag: sealed } = envelope;
  const key = closingKey(cipher, deks, envelope.messageId);
  const opened = cipher.aes256gcmOpen({ key, nonce, aad, sealed });
  key.fill(0);
  if (opened === null) throw new Failure('corrupt', 'envelope: the closing tag does not match');
}
