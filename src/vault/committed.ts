// Encryption that commits to its key: AES-256-GCM alone does not (one ciphertext can be made that opens under two keys, and
// under a passphrase an oracle over many guesses at once). From the key and a random salt, HKDF-SHA512 makes the cipher key
// and, with another label, a 32-byte commitment that is stored and compared in constant time before anything is decrypted.
// Payloads and key wraps are both made here and differ in their label, so neither can stand in for the other. ADR 0007.
import type { Random } from '../model/clock.ts';
import { type Cipher, KEY_BYTES, NONCE_BYTES } from './cipher.ts';

export const SALT_BYTES = 32;
export const COMMITMENT_BYTES = 32;

/** What the key is for: a part's bytes, the data-encryption keys of an envelope, or the check value of a KEK. */
export type Label = 'payload' | 'wrap' | 'check';

export interface Committed {
  readonly commitment: Uint8Array;
  readonly nonce: Uint8Array;
  /** Ciphertext, then the 16-byte tag. */
  readonly sealed: Uint8Array;
}

export interface Keyed {
  readonly cipher: Cipher;
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** 32 random bytes, fresh for each envelope. */
  readonly salt: Uint8Array;
  readonly label: Label;
  readonly aad: Uint8Array;
}

export function sealCommitted(input: Keyed & { readonly random: Random; readonly plaintext: Uint8Array }): Committed {
  const { cipher, aad, plaintext } = input;
  const nonce = input.random.bytes(NONCE_BYTES);
  const key = cipherKey(input);
  try {
    return { commitment: commitmentOf(input), nonce, sealed: cipher.aes256gcmSeal({ key, nonce, aad, plaintext }) };
  } finally {
    key.fill(0);
  }
}

export type Opened =
  | { readonly is: 'opened'; readonly plaintext: Uint8Array }
  /** Another key than the one it was sealed with. Nothing was decrypted. */
  | { readonly is: 'other-key' }
  /** The right key; bytes or context differ. */
  | { readonly is: 'altered' };

export function openCommitted(input: Keyed & { readonly from: Committed }): Opened {
  const { cipher, aad, from } = input;
  if (!cipher.timingSafeEqual(commitmentOf(input), from.commitment)) return { is: 'other-key' };
  const key = cipherKey(input);
  try {
    const plaintext = cipher.aes256gcmOpen({ key, nonce: from.nonce, aad, sealed: from.sealed });
    return plaintext === null ? { is: 'altered' } : { is: 'opened', plaintext };
  } finally {
    key.fill(0);
  }
}

function cipherKey({ cipher, key, salt, label }: Keyed): Uint8Array {
  return cipher.hkdfSha512({ key, salt, info: `claviger/v1/${label}/key`, length: KEY_BYTES });
}

function commitmentOf({ cipher, key, salt, label }: Keyed): Uint8Array {
  return cipher.hkdfSha512({ key, salt, info: `claviger/v1/${label}/commitment`, length: COMMITMENT_BYTES });
}
