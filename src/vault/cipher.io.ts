// The one place that calls the machine's ciphers, HKDF, Argon2id and CSPRNG (OpenSSL through node:crypto). `aesGcmSeal` and
// `aesGcmOpen` take every key and nonce size that NIST SP 800-38D allows, so that foreign test vectors judge exactly the
// code that the vault runs on; the record `cipher` narrows them to AES-256 with a 12-byte nonce. Not here: formats, policy.
import * as crypto from 'node:crypto';
import type { Random } from '../model/clock.ts';
import { assert } from '../model/failure.ts';
import { type Cipher, KEY_BYTES, NONCE_BYTES, TAG_BYTES } from './cipher.ts';

const AES_GCM = { 16: 'aes-128-gcm', 24: 'aes-192-gcm', 32: 'aes-256-gcm' } as const;

function aesGcmName(key: Uint8Array): (typeof AES_GCM)[keyof typeof AES_GCM] {
  assert(key.length === 16 || key.length === 24 || key.length === 32, 'an AES key has 16, 24 or 32 bytes');
  return AES_GCM[key.length];
}

interface AesGcmInput {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly aad: Uint8Array;
}

/** AES-GCM with a 16-byte tag: the ciphertext, then the tag. Throws for a key or nonce size that the algorithm does not have. */
export function aesGcmSeal(input: AesGcmInput & { readonly plaintext: Uint8Array }): Uint8Array {
  assert(input.nonce.length > 0, 'a nonce is not empty');
  const operation = crypto.createCipheriv(aesGcmName(input.key), input.key, input.nonce, { authTagLength: TAG_BYTES });
  operation.setAAD(input.aad);
  const body = operation.update(input.plaintext);
  operation.final();
  const sealed = new Uint8Array(body.length + TAG_BYTES);
  sealed.set(body);
  sealed.set(operation.getAuthTag(), body.length);
  return sealed;
}

/** The reverse. Null where the tag is refused or missing; what was decrypted until then is overwritten. */
export function aesGcmOpen(input: AesGcmInput & { readonly sealed: Uint8Array }): Uint8Array | null {
  assert(input.nonce.length > 0, 'a nonce is not empty');
  const bodyLength = input.sealed.length - TAG_BYTES;
  if (bodyLength < 0) return null;
  const operation = crypto.createDecipheriv(aesGcmName(input.key), input.key, input.nonce, {
    authTagLength: TAG_BYTES,
  });
  operation.setAAD(input.aad);
  operation.setAuthTag(input.sealed.subarray(bodyLength));
  const unauthenticated = operation.update(input.sealed.subarray(0, bodyLength));
  try {
    operation.final();
  } catch {
    unauthenticated.fill(0);
    return null;
  }
  // A plain view of the same memory: `slice` of a Buffer would not copy.
  return new Uint8Array(unauthenticated.buffer, unauthenticated.byteOffset, unauthenticated.length);
}

/** HKDF (RFC 5869). Throws where more than 255 blocks are asked for. `length` in bytes. */
export function hkdf(input: {
  readonly hash: 'sha256' | 'sha512';
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
  readonly info: Uint8Array;
  readonly length: number;
}): Uint8Array {
  return new Uint8Array(crypto.hkdfSync(input.hash, input.key, input.salt, input.info, input.length));
}

const text = new TextEncoder();

export const cipher: Cipher = {
  aes256gcmSeal(input) {
    assert(
      input.key.length === KEY_BYTES && input.nonce.length === NONCE_BYTES,
      'AES-256-GCM: 32-byte key, 12-byte nonce',
    );
    return aesGcmSeal(input);
  },
  aes256gcmOpen(input) {
    assert(
      input.key.length === KEY_BYTES && input.nonce.length === NONCE_BYTES,
      'AES-256-GCM: 32-byte key, 12-byte nonce',
    );
    return aesGcmOpen(input);
  },
  hkdfSha512({ key, salt, info, length }) {
    return hkdf({ hash: 'sha512', key, salt, info: text.encode(info), length });
  },
  timingSafeEqual(left, right) {
    return left.length === right.length && crypto.timingSafeEqual(left, right);
  },
  sha256(bytes) {
    return new Uint8Array(crypto.createHash('sha256').update(bytes).digest());
  },
};

/** The machine's CSPRNG. */
export const machineRandom: Random = {
  bytes(length) {
    return crypto.randomFillSync(new Uint8Array(length));
  },
};

/**
 * Argon2id (RFC 9106), version 0x13, 32 bytes out. Runs off the main thread. Bounds are the caller's (kek.ts): this takes
 * what it is given. `memoryKib` in KiB. The passphrase is not kept.
 */
export function argon2id(input: {
  readonly passphrase: Uint8Array;
  readonly salt: Uint8Array;
  readonly memoryKib: number;
  readonly passes: number;
  readonly lanes: number;
}): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    crypto.argon2(
      'argon2id',
      {
        message: input.passphrase,
        nonce: input.salt,
        parallelism: input.lanes,
        tagLength: KEY_BYTES,
        memory: input.memoryKib,
        passes: input.passes,
      },
      (error, key) => {
        if (error === null) resolve(key);
        else reject(error);
      },
    );
  });
}
