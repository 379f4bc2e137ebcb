// The cipher against published vectors: enough to see that each function is the one that it is named after. The Wycheproof
// vectors, which are not part of the project, go through tools/foreign/wycheproof.adapter.ts.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { aesGcmOpen, aesGcmSeal, argon2id, cipher, hkdf, machineRandom } from './cipher.io.ts';

const hex = Uint8Array.fromHex;
const text = new TextEncoder();

test('AES-256-GCM: test cases 13 and 14 of the GCM specification (McGrew and Viega)', () => {
  const key = new Uint8Array(32);
  const nonce = new Uint8Array(12);
  const aad = new Uint8Array();
  const none = cipher.aes256gcmSeal({ key, nonce, aad, plaintext: new Uint8Array() });
  assert.equal(none.toHex(), '530f8afbc74536b9a963b4f1c4cb738b');
  const sealed = cipher.aes256gcmSeal({ key, nonce, aad, plaintext: new Uint8Array(16) });
  assert.equal(sealed.toHex(), 'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919');
  assert.deepEqual(new Uint8Array(cipher.aes256gcmOpen({ key, nonce, aad, sealed })!), new Uint8Array(16));
});

test('a refused tag gives null, and less than a tag is refused', () => {
  const key = machineRandom.bytes(32);
  const nonce = machineRandom.bytes(12);
  const sealed = aesGcmSeal({ key, nonce, aad: hex('00'), plaintext: hex('0102') });
  assert.equal(aesGcmOpen({ key, nonce, aad: hex('01'), sealed }), null);
  assert.equal(aesGcmOpen({ key, nonce, aad: hex('00'), sealed: sealed.subarray(0, 15) }), null);
  assert.throws(() => aesGcmSeal({ key: key.subarray(1), nonce, aad: hex(''), plaintext: hex('') }), /AES key/);
  assert.throws(() => aesGcmSeal({ key, nonce: hex(''), aad: hex(''), plaintext: hex('') }), /nonce/);
});

test('the record narrows AES-GCM to 32-byte keys and 12-byte nonces', () => {
  const aad = new Uint8Array();
  const plaintext = new Uint8Array();
  assert.throws(() => cipher.aes256gcmSeal({ key: new Uint8Array(16), nonce: new Uint8Array(12), aad, plaintext }));
  assert.throws(() => cipher.aes256gcmSeal({ key: new Uint8Array(32), nonce: new Uint8Array(16), aad, plaintext }));
  const sealed = new Uint8Array(16);
  assert.throws(() => cipher.aes256gcmOpen({ key: new Uint8Array(16), nonce: new Uint8Array(12), aad, sealed }));
});

test('HKDF-SHA256: test case 1 of RFC 5869', () => {
  const key = new Uint8Array(22).fill(0x0b);
  const salt = hex('000102030405060708090a0b0c');
  const okm = hkdf({ hash: 'sha256', key, salt, info: hex('f0f1f2f3f4f5f6f7f8f9'), length: 42 });
  const expected = '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865';
  assert.equal(okm.toHex(), expected);
});

test('HKDF-SHA512 equals extract and expand written with HMAC', () => {
  const key = machineRandom.bytes(32);
  const salt = machineRandom.bytes(32);
  const extracted = createHmac('sha512', salt).update(key).digest();
  const expanded = createHmac('sha512', extracted).update('label').update(hex('01')).digest();
  assert.equal(cipher.hkdfSha512({ key, salt, info: 'label', length: 64 }).toHex(), expanded.toString('hex'));
});

test('Argon2id: the vector of the reference implementation for 64 MiB, 2 passes, 1 lane', async () => {
  const passphrase = text.encode('password');
  const derived = await argon2id({ passphrase, salt: text.encode('somesalt'), memoryKib: 65_536, passes: 2, lanes: 1 });
  assert.equal(derived.toHex(), '09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7');
});

test('timingSafeEqual takes different lengths as different', () => {
  assert.equal(cipher.timingSafeEqual(hex('0102'), hex('0102')), true);
  assert.equal(cipher.timingSafeEqual(hex('0102'), hex('0103')), false);
  assert.equal(cipher.timingSafeEqual(hex('0102'), hex('010200')), false);
});
