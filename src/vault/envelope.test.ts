// The bytes of the record: what the file header of envelope.ts documents is all that is needed to read one, records of
// earlier releases keep opening, and the parser takes nothing else.
import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import { test } from 'node:test';
import { Failure } from '../model/failure.ts';
import { revealSecret, revealSecretText, Secret } from '../model/secret.ts';
import { cipher, machineRandom as random } from './cipher.io.ts';
import { contextBytes } from './context.ts';
import { ENVELOPE_BYTES_MAX, envelopeId, envelopeKekIds, holdsSamePayloads, parseEnvelope } from './envelope.ts';
import { openEnvelope, sealEnvelope } from './sealing.ts';
import { countingRandom, testContext, testKek, wrappingKey } from './test-support.ts';
import { makeCheck } from './wrap.ts';

const context = testContext();
const kek = wrappingKey(testKek({ cipher, random }));
const other = wrappingKey(testKek({ cipher, random }));
const bytes = sealEnvelope({ cipher, random, context, parts: { key: new Secret('canary-one') }, keks: [kek] });

function refused(record: Uint8Array, message: RegExp): void {
  assert.throws(
    () => parseEnvelope(record),
    (error) => Failure.is(error, 'corrupt') && message.test(error.message),
  );
}

function changed(at: number, ...values: number[]): Uint8Array {
  const record = bytes.slice();
  record.set(values, at);
  return record;
}

test('a record opens with node:crypto, the KEK and the documented offsets alone', () => {
  const record = Buffer.from(bytes);
  const hkdf = (key: Uint8Array, label: string) =>
    Buffer.from(crypto.hkdfSync('sha512', key, record.subarray(5, 37), `claviger/v1/${label}`, 32));
  const decrypt = (key: Uint8Array, nonce: Uint8Array, sealed: Buffer, aad: Uint8Array) => {
    const aes = crypto.createDecipheriv('aes-256-gcm', key, nonce).setAAD(aad).setAuthTag(sealed.subarray(-16));
    return Buffer.concat([aes.update(sealed.subarray(0, -16)), aes.final()]);
  };
  const length = (value: number) => Buffer.from(value.toString(16).padStart(8, '0'), 'hex');
  assert.equal(record.toString('latin1', 0, 4), 'CLVE');
  assert.deepEqual([record[4], record[37], record[38]], [1, 1, 3]);
  assert.equal(record.toString('latin1', 39, 42), 'key');
  const cipherLength = record.readUInt32BE(86);
  assert.equal(cipherLength, 'canary-one'.length + 16);
  const wrapAt = 90 + cipherLength + 1;
  assert.equal(record[wrapAt - 1], 1);
  assert.equal(record.toString('latin1', wrapAt, wrapAt + 36), kek.id);
  const wrapAad = Buffer.concat([
    length(16),
    Buffer.from('claviger/wrap/v1'),
    length(36),
    record.subarray(wrapAt, wrapAt + 40),
    record.subarray(5, 37),
  ]);
  const kekBytes = revealSecret(kek.key);
  assert.deepEqual(hkdf(kekBytes, 'wrap/commitment'), record.subarray(wrapAt + 40, wrapAt + 72));
  const wrapped = record.subarray(wrapAt + 84, wrapAt + 84 + 48);
  const dek = decrypt(hkdf(kekBytes, 'wrap/key'), record.subarray(wrapAt + 72, wrapAt + 84), wrapped, wrapAad);
  assert.deepEqual(hkdf(dek, 'payload/commitment'), record.subarray(42, 74));
  const payload = record.subarray(90, 90 + cipherLength);
  const aad = contextBytes(context, 'key', ['key']);
  assert.equal(decrypt(hkdf(dek, 'payload/key'), record.subarray(74, 86), payload, aad).toString(), 'canary-one');
  const closing = record.length - 28;
  assert.equal(closing, wrapAt + 132);
  const nothing = decrypt(
    hkdf(dek, 'envelope/key'),
    record.subarray(closing, closing + 12),
    record.subarray(-16),
    record.subarray(0, -16),
  );
  assert.equal(nothing.length, 0);
});

// Made by the first release. Never to be replaced: a record that stops opening is a key that is lost.
const GOLDEN = `
  Q0xWRQFAQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpbXF1eXwIIY2xpZW50SWT2GjqV4c1nWCz345I23Qf3qT+hBPS/XpSfVW2QwaqcCKChoqOk
  paanqKmqqwAAABmRS591kinWdai5mfdhrK4I30O2Fw/SaQniA2tleXEzGTn79xTmtnv/q2hpvt21JTSblOBCopY6VzW2WGYPrK2ur7CxsrO0tba3
  AAAAGv0dMXYMU8M4s3SXy+cycD5OF2VQuT4loQ5OAmtla18wMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMQAAAAGq9xG+FqrU33aH5Ma7
  PIU3hchYkWJuS84qiFPtGV+wW7i5uru8vb6/wMHCw3tDSxmEKELPXXzGdgbatq7Sv/it+8qIKaEuN8VAgCNl/1zWOSBR0sl3EMlk0t0t9xWMdQkd
  rLNTZRpvLuFXt5cunVVBICd0F+0tX5Oz/RNZa2VrXzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAyAAAAAtbCUDTaDVYa+pT58ql5RYd6
  DymeqBFen7BVp1bxCDYUxMXGx8jJysvMzc7PvFSP1OnlO6+iyZ+8pTsJFYNpb5WF0kVr3OdybZZ5ouafjTIHSBg0No0OtD6Qe9tJq5yErhC18S4E
  QR8Fpu/RyyxP3oAPJdUzrNIp9WydvfDQ0dLT1NXW19jZ2ttaWvGNODwHMozbSMefBnPM
`;
const GOLDEN_CHECK = `
  3N3e3+Dh4uPk5ebn6Onq6+zt7u/w8fLz9PX29/j5+gBBoc6BlCXQ4kmQtpBHzpviWnz55vmGxonhwIx7PGLBiwECAwQFBgcICQoLDDXLfT8//IBp
  tizkIXssv7v5janU6VuRK2Or+eFjm8QSqenF4EHxjS6T+IcfWIlZXA==
`;

test('a record of the first release opens, and sealing still makes the same bytes', () => {
  const predictable = countingRandom();
  const parts = { clientId: new Secret('canary-id'), key: new Secret('canary-key') };
  const keks = [
    { id: 'kek_00000000000000000000000000000001', version: 1, key: new Secret(predictable.bytes(32)) },
    { id: 'kek_00000000000000000000000000000002', version: 2, key: new Secret(predictable.bytes(32)) },
  ];
  const made = sealEnvelope({ cipher, random: predictable, context, parts, keks });
  assert.equal(Buffer.from(made).toString('base64'), GOLDEN.replaceAll(/\s/g, ''));
  const keyring = new Map(keks.map((one) => [one.id, one]));
  const check = makeCheck({ cipher, random: predictable, kek: keks[0]! });
  assert.equal(Buffer.from(check).toString('base64'), GOLDEN_CHECK.replaceAll(/\s/g, ''));
  assert.equal(revealSecretText(openEnvelope({ cipher, context, bytes: made, keks: keyring })['key']!), 'canary-key');
});

test('the parser names the field that it refuses', () => {
  const wrapAt = bytes.length - 28 - 132;
  refused(new Uint8Array(), /cut short in magic/);
  refused(bytes.slice(0, 60), /cut short in commitment/);
  refused(changed(0, 0x58), /not an envelope/);
  refused(changed(4, 2), /format/);
  refused(changed(37, 0), /number of parts out of bounds/);
  refused(changed(37, 17), /number of parts out of bounds/);
  refused(changed(38, 0), /name of a part out of bounds/);
  refused(changed(38, 64), /name of a part out of bounds/);
  refused(changed(39, 0xff), /name of a part is not text/);
  refused(changed(39, 0x20), /name of a part/);
  refused(changed(86, 0, 0, 0, 16), /ciphertext out of bounds/);
  refused(changed(86, 0, 1, 0, 17), /ciphertext out of bounds/);
  refused(changed(86, 0xff, 0xff, 0xff, 0xff), /ciphertext out of bounds/);
  refused(changed(wrapAt - 1, 0), /number of wraps out of bounds/);
  refused(changed(wrapAt - 1, 9), /number of wraps out of bounds/);
  refused(changed(wrapAt, 0x4b), /key-encryption key/);
  refused(changed(wrapAt + 36, 0, 0, 0, 0), /version of the key out of bounds/);
  refused(changed(wrapAt + 36, 0x80, 0, 0, 0), /version of the key out of bounds/);
  refused(Buffer.concat([bytes, new Uint8Array(1)]), /bytes after its end/);
  refused(new Uint8Array(ENVELOPE_BYTES_MAX + 1), /too long/);
});

test('parts and wraps stand in one order, once each', () => {
  const two = { a: new Secret('canary-a'), b: new Secret('canary-b') };
  const record = Buffer.from(sealEnvelope({ cipher, random, context, parts: two, keks: [kek, other] }));
  const [ids, partLength, wrapLength] = [[kek.id, other.id].sort(), 1 + 1 + 48 + 24, 84 + 80];
  assert.deepEqual(envelopeKekIds(record), ids);
  const firstPart = record.subarray(38, 38 + partLength);
  const secondPart = record.subarray(38 + partLength, 38 + 2 * partLength);
  const wrapsAt = 38 + 2 * partLength + 1;
  const firstWrap = record.subarray(wrapsAt, wrapsAt + wrapLength);
  const secondWrap = record.subarray(wrapsAt + wrapLength, wrapsAt + 2 * wrapLength);
  const [head, middle, tail] = [record.subarray(0, 38), record.subarray(wrapsAt - 1, wrapsAt), record.subarray(-28)];
  const join = (...pieces: Buffer[]) => Buffer.concat(pieces);
  assert.ok(join(head, firstPart, secondPart, middle, firstWrap, secondWrap, tail).equals(record));
  refused(join(head, secondPart, firstPart, middle, firstWrap, secondWrap, tail), /parts out of order/);
  refused(join(head, firstPart, firstPart, middle, firstWrap, secondWrap, tail), /parts out of order/);
  refused(join(head, firstPart, secondPart, middle, secondWrap, firstWrap, tail), /wraps out of order/);
  refused(join(head, firstPart, secondPart, middle, firstWrap, firstWrap, tail), /wraps out of order/);
});

test('the longest record is as long as the bound says', () => {
  const names = Array.from({ length: 16 }, (_, index) => `p${String.fromCharCode(97 + index)}`.padEnd(63, 'x'));
  const secret = new Secret(new Uint8Array(65_536));
  const parts = Object.fromEntries(names.map((name) => [name, secret]));
  const keks = Array.from({ length: 8 }, () => wrappingKey(testKek({ cipher, random })));
  assert.equal(sealEnvelope({ cipher, random, context, parts, keks }).length, ENVELOPE_BYTES_MAX);
});

test('the id names one sealing', () => {
  const again = sealEnvelope({ cipher, random, context, parts: { key: new Secret('canary-one') }, keks: [kek] });
  assert.match(envelopeId(bytes), /^env_[0-9a-f]{32}$/);
  assert.notEqual(envelopeId(bytes), envelopeId(again));
  assert.equal(holdsSamePayloads(bytes, bytes.slice()), true);
  assert.equal(holdsSamePayloads(bytes, again), false);
});
