// Puts the vault's cipher before the Wycheproof vectors (C2SP, testvectors_v1): the very functions of src/vault/cipher.io.ts
// that envelopes go through, in the shape that a vector runner calls. What the vault does not use is not offered here, so a
// runner skips it. Not here: the vectors, which are not part of this project.
import { aesGcmOpen, aesGcmSeal, hkdf } from '../../src/vault/cipher.io.ts';
import { TAG_BYTES } from '../../src/vault/cipher.ts';

function aesGcmEncrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  tagBytes: number,
): { ct: Buffer; tag: Buffer } {
  if (tagBytes !== TAG_BYTES) throw new Error('tags have 16 bytes');
  const sealed = Buffer.from(aesGcmSeal({ key, nonce, aad, plaintext }));
  return { ct: sealed.subarray(0, -TAG_BYTES), tag: sealed.subarray(-TAG_BYTES) };
}

function aesGcmDecrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
  tag: Uint8Array,
): Buffer {
  if (tag.length !== TAG_BYTES) throw new Error('tags have 16 bytes');
  const opened = aesGcmOpen({ key, nonce, aad, sealed: Buffer.concat([ciphertext, tag]) });
  if (opened === null) throw new Error('refused');
  return Buffer.from(opened);
}

function hkdfBytes(
  hash: 'sha256' | 'sha512',
  key: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Buffer {
  return Buffer.from(hkdf({ hash, key, salt, info, length }));
}

export default { aesGcmEncrypt, aesGcmDecrypt, hkdf: hkdfBytes };
