// The promises of the envelope: it opens in its own context and in no other, no byte of it can change, it commits to its
// keys, and a re-wrap leaves the payloads alone.
import assert from 'node:assert/strict';
import * as crypto from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure, type FailureCode } from '../model/failure.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { cipher, machineRandom as random } from './cipher.io.ts';
import type { Committed } from './committed.ts';
import { contextBytes, type EnvelopeContext } from './context.ts';
import { encodeCovered, PART_BYTES_MAX, parseEnvelope } from './envelope.ts';
import { openEnvelope, openPayload, rewrapEnvelope, sealEnvelope, sealPayload, type WrappingKeys } from './sealing.ts';
import { errorText, testContext, testKek, wrappingKey } from './test-support.ts';
import { makeCheck, passesCheck, unwrapKeys, type WrappingKey, wrapKeys } from './wrap.ts';

const CANARY = 'canary-7c1f0d9b';
const first = testKek({ cipher, random });
const second = testKek({ cipher, random, rows: [first.row] });
const oldKek = wrappingKey(first);
const newKek = wrappingKey(second);
const context = testContext();
const parts = { key: new Secret(`${CANARY}-key`), clientId: new Secret(`${CANARY}-id`) };

function keyring(...keks: WrappingKey[]): WrappingKeys {
  return new Map(keks.map((kek) => [kek.id, kek]));
}

function refuses(act: () => unknown, code: FailureCode, message: RegExp): void {
  assert.throws(act, (error) => {
    assert.ok(Failure.is(error, code), errorText(error));
    assert.match(error.message, message);
    for (const form of [CANARY, Buffer.from(CANARY).toString('hex'), Buffer.from(CANARY).toString('base64')]) {
      assert.ok(!errorText(error).includes(form));
    }
    return true;
  });
}

test('what was sealed opens to the same parts', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.-]{0,62}$/),
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        {
          minKeys: 1,
          maxKeys: 16,
        },
      ),
      (plain) => {
        const secrets = Object.fromEntries(Object.entries(plain).map(([name, value]) => [name, new Secret(value)]));
        const bytes = sealEnvelope({ cipher, random, context, parts: secrets, keks: [oldKek] });
        const opened = openEnvelope({ cipher, context, bytes, keks: keyring(oldKek) });
        assert.deepEqual(Object.keys(opened), Object.keys(plain).sort());
        return Object.entries(secrets).every(([name, secret]) => opened[name]?.equals(secret));
      },
    ),
    { numRuns: 50 },
  );
});

test('parts without a form are refused before anything is encrypted', () => {
  const tooMany = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`p${index}`, new Secret('canary')]));
  const wrong: Record<string, Secret>[] = [
    {},
    tooMany,
    { '': new Secret('canary') },
    { 'a b': new Secret('canary') },
    { ['__proto__']: new Secret('canary') },
    { key: new Secret('') },
    { key: new Secret(new Uint8Array(PART_BYTES_MAX + 1)) },
  ];
  for (const refused of wrong) {
    refuses(() => sealEnvelope({ cipher, random, context, parts: refused, keks: [oldKek] }), 'invalid', /part/);
  }
  const longest = { key: new Secret(new Uint8Array(PART_BYTES_MAX)) };
  const bytes = sealEnvelope({ cipher, random, context, parts: longest, keks: [oldKek] });
  assert.equal(openEnvelope({ cipher, context, bytes, keks: keyring(oldKek) })['key']?.length, PART_BYTES_MAX);
});

test('a row that is moved does not open: space, environment, credential, version, purpose, origin, places', () => {
  const bytes = sealEnvelope({ cipher, random, context, parts, keks: [oldKek] });
  const { origin, places } = context.destination;
  const elsewhere: Partial<EnvelopeContext>[] = [
    { space: 'other' },
    { environment: 'staging' },
    { credential: 'crd_0198c1f2a0007aaa8bbbcccccccccc99' },
    { version: 'ver_0198c1f2a0007aaa8bbbcccccccccc99' },
    { purpose: 'manage' },
    { destination: { origin: 'https://attacker.example.test', places } },
    { destination: { origin, places: [{ in: 'query', name: 'key' }] } },
    { destination: { origin, places: [{ in: 'header', name: 'Authorization', scheme: null }] } },
    { destination: { origin, places: [...places, { in: 'query', name: 'key' }] } },
    { destination: { origin, places: [] } },
  ];
  for (const change of elsewhere) {
    const moved = testContext(change);
    refuses(
      () => openEnvelope({ cipher, context: moved, bytes, keks: keyring(oldKek) }),
      'corrupt',
      /altered, or sealed for another context/,
    );
  }
});

test('payloads of two envelopes, and parts of one, cannot be exchanged, dropped or renamed', () => {
  const keks = keyring(oldKek);
  const bytes = sealEnvelope({ cipher, random, context, parts, keks: [oldKek] });
  const other = sealEnvelope({ cipher, random, context, parts, keks: [oldKek] });
  const { messageId, parts: sealed, wraps } = parseEnvelope(bytes);
  const [clientId, key] = sealed;
  const foreign = parseEnvelope(other);
  const deks = unwrapKeys({ cipher, kek: oldKek, messageId, wrap: wraps[0]! });
  const forged = {
    'the payload of another sealing': { messageId, parts: [clientId!, foreign.parts[1]!], wraps },
    'the wrap of another sealing': { messageId, parts: sealed, wraps: foreign.wraps },
    'parts exchanged': {
      messageId,
      parts: [
        { ...key!, name: 'clientId' },
        { ...clientId!, name: 'key' },
      ],
      wraps,
    },
    'a part renamed': { messageId, parts: [clientId!, { ...key!, name: 'secret' }], wraps },
    // With the KEK, a whole new wrap and closing tag can be made; the payload still knows which parts it had beside it.
    'a part dropped': {
      messageId,
      parts: [clientId!],
      wraps: [wrapKeys({ cipher, random, kek: oldKek, messageId, keys: deks.subarray(0, 32) })],
    },
  };
  for (const [what, envelope] of Object.entries(forged)) {
    const covered = encodeCovered(envelope, random.bytes(12));
    const record = Buffer.concat([covered, new Uint8Array(16)]);
    assert.throws(
      () => openEnvelope({ cipher, context, bytes: record, keks }),
      (error) => Failure.is(error, 'corrupt') && !error.message.includes('closing tag'),
      what,
    );
  }
});

test('no byte of a record can be changed, cut off or added, also in a wrap whose KEK is not at hand', () => {
  const keks = keyring(newKek);
  const bytes = sealEnvelope({ cipher, random, context, parts, keks: [oldKek, newKek] });
  assert.equal(revealSecretText(openEnvelope({ cipher, context, bytes, keks })['key']!), `${CANARY}-key`);
  function fails(record: Uint8Array): void {
    assert.throws(
      () => openEnvelope({ cipher, context, bytes: record, keks }),
      (error) => {
        assert.ok(Failure.is(error, 'corrupt') || Failure.is(error, 'sealed'), errorText(error));
        assert.ok(!errorText(error).includes(CANARY));
        return true;
      },
    );
    assert.throws(() => {
      rewrapEnvelope({ cipher, random, bytes: record, keks, to: newKek, keeps: () => true });
      // A payload's ciphertext is not read by a re-wrap, but the closing tag covers it.
    });
  }
  for (let at = 0; at < bytes.length; at++) {
    for (const mask of [0x01, 0x80, 0xff]) {
      const flipped = bytes.slice();
      flipped[at] = flipped[at]! ^ mask;
      fails(flipped);
    }
    fails(bytes.slice(0, at));
  }
  fails(Buffer.concat([bytes, new Uint8Array(1)]));
  fails(Buffer.concat([bytes, bytes]));
});

test('arbitrary bytes never open and never break the parser', () => {
  const keks = keyring(oldKek);
  const start = sealEnvelope({ cipher, random, context, parts, keks: [oldKek] });
  const record = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc
      .tuple(fc.nat({ max: start.length }), fc.uint8Array({ maxLength: 400 }))
      .map(([kept, rest]) => Uint8Array.from([...start.subarray(0, kept), ...rest])),
  );
  fc.assert(
    fc.property(record, (bytes) => {
      if (Buffer.compare(bytes, start) === 0) return;
      assert.throws(
        () => openEnvelope({ cipher, context, bytes, keks }),
        (error) => Failure.is(error, 'corrupt') || Failure.is(error, 'sealed'),
      );
    }),
    { numRuns: 300 },
  );
});

test('a KEK that is not at hand is `sealed`; another key under its name is `corrupt` at the commitment', () => {
  const bytes = sealEnvelope({ cipher, random, context, parts, keks: [oldKek] });
  refuses(() => openEnvelope({ cipher, context, bytes, keks: keyring(newKek) }), 'sealed', /at hand/);
  const impostor = { ...oldKek, key: newKek.key };
  refuses(() => openEnvelope({ cipher, context, bytes, keks: keyring(impostor) }), 'corrupt', /commitment of the wrap/);
  const later = { ...oldKek, version: oldKek.version + 1 };
  refuses(() => openEnvelope({ cipher, context, bytes, keks: keyring(later) }), 'corrupt', /another version/);
});

test('an envelope with two wraps opens with either KEK alone', () => {
  const bytes = sealEnvelope({ cipher, random, context, parts, keks: [oldKek, newKek] });
  for (const kek of [oldKek, newKek]) {
    assert.ok(openEnvelope({ cipher, context, bytes, keks: keyring(kek) })['key']?.equals(parts.key));
  }
});

test('a re-wrap keeps every payload byte, and the old KEK opens it no more', () => {
  const bytes = sealEnvelope({ cipher, random, context, parts, keks: [oldKek] });
  const keks = keyring(oldKek, newKek);
  const next = rewrapEnvelope({ cipher, random, bytes, keks, to: newKek, keeps: () => false });
  const payloadLength = bytes.length - (1 + 84 + 2 * 32 + 16) - 28;
  assert.equal(next.length, bytes.length);
  assert.deepEqual(next.slice(0, payloadLength), bytes.slice(0, payloadLength));
  assert.deepEqual(parseEnvelope(next).parts, parseEnvelope(bytes).parts);
  assert.ok(openEnvelope({ cipher, context, bytes: next, keks: keyring(newKek) })['key']?.equals(parts.key));
  refuses(() => openEnvelope({ cipher, context, bytes: next, keks: keyring(oldKek) }), 'sealed', /at hand/);
  assert.equal(rewrapEnvelope({ cipher, random, bytes: next, keks, to: newKek, keeps: () => false }), next);
});

test('a re-wrap may keep other wraps, and refuses a ninth', () => {
  const others: WrappingKey[] = [];
  for (let count = 0; count < 7; count++) others.push(wrappingKey(testKek({ cipher, random })));
  const bytes = sealEnvelope({ cipher, random, context, parts, keks: [oldKek, ...others] });
  const keks = keyring(oldKek, newKek);
  refuses(() => rewrapEnvelope({ cipher, random, bytes, keks, to: newKek, keeps: () => true }), 'invalid', /at most 8/);
  const next = rewrapEnvelope({ cipher, random, bytes, keks, to: newKek, keeps: (id) => id !== oldKek.id });
  assert.deepEqual(
    parseEnvelope(next).wraps.map((wrap) => wrap.kekId),
    [...others.map((kek) => kek.id), newKek.id].sort(),
  );
});

// A ciphertext of one block that AES-GCM accepts under two keys: GHASH is linear, so the block can be solved for.
const ONE = 1n << 127n;
function multiply(left: bigint, right: bigint): bigint {
  let product = 0n;
  let shifted = right;
  for (let bit = 127n; bit >= 0n; bit--) {
    if ((left >> bit) & 1n) product ^= shifted;
    shifted = (shifted >> 1n) ^ (shifted & 1n ? 0xe1n << 120n : 0n);
  }
  return product;
}
function inverse(value: bigint): bigint {
  let result = ONE;
  let power = value;
  for (let bit = 1; bit <= 127; bit++) {
    power = multiply(power, power);
    result = multiply(result, power);
  }
  return result;
}
function block(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex').padEnd(32, '0')}`);
}
function encrypt(key: Uint8Array, input: Uint8Array): bigint {
  const aes = crypto.createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
  return block(aes.update(input));
}
function forgeForTwoKeys(keys: readonly [Uint8Array, Uint8Array], nonce: Uint8Array, aad: Uint8Array): Uint8Array {
  const lengths = (BigInt(aad.length * 8) << 64n) | 128n;
  const [left, right] = keys.map((key) => {
    const h = encrypt(key, new Uint8Array(16));
    let hash = 0n;
    for (let at = 0; at < aad.length; at += 16) hash = multiply(hash ^ block(aad.subarray(at, at + 16)), h);
    const square = multiply(h, h);
    const mask = encrypt(key, Uint8Array.from([...nonce, 0, 0, 0, 1]));
    return { square, rest: multiply(hash, square) ^ multiply(lengths, h) ^ mask };
  });
  const body = multiply(left!.rest ^ right!.rest, inverse(left!.square ^ right!.square));
  const tag = multiply(body, left!.square) ^ left!.rest;
  return Buffer.from(`${body.toString(16).padStart(32, '0')}${tag.toString(16).padStart(32, '0')}`, 'hex');
}
function cipherKey(key: Uint8Array, salt: Uint8Array, label: string): Uint8Array {
  return cipher.hkdfSha512({ key, salt, info: `claviger/v1/${label}/key`, length: 32 });
}

test('partitioning oracle: a payload that AES-GCM accepts under two keys opens under the committed one alone', () => {
  const messageId = random.bytes(32);
  const deks = [random.bytes(32), random.bytes(32)] as const;
  const nonce = random.bytes(12);
  const aad = contextBytes(context, 'key', ['key']);
  const keys = [cipherKey(deks[0], messageId, 'payload'), cipherKey(deks[1], messageId, 'payload')] as const;
  const sealed = forgeForTwoKeys(keys, nonce, aad);
  for (const key of keys) assert.notEqual(cipher.aes256gcmOpen({ key, nonce, aad, sealed }), null, 'the forgery works');

  const { commitment } = sealPayload({ cipher, random, dek: deks[0], messageId, aad, secret: new Secret('canary') });
  const payload: Committed = { commitment, nonce, sealed };
  assert.equal(openPayload({ cipher, dek: deks[0], messageId, aad, payload }).length, 16);
  refuses(() => openPayload({ cipher, dek: deks[1], messageId, aad, payload }), 'corrupt', /commitment of a payload/);
});

test('partitioning oracle: a wrap that AES-GCM accepts under two KEKs is refused for both but one', () => {
  // The wrap of half a key: one block is enough to show that the commitment is what decides.
  const messageId = random.bytes(32);
  const keks = [random.bytes(32), random.bytes(32)] as const;
  const nonce = random.bytes(12);
  const name = { kekId: oldKek.id, kekVersion: 1 };
  const aad = Buffer.concat([
    Buffer.from('00000010', 'hex'),
    Buffer.from('claviger/wrap/v1'),
    Buffer.from('00000024', 'hex'),
    Buffer.from(oldKek.id),
    Buffer.from('00000001', 'hex'),
    messageId,
  ]);
  const keys = [cipherKey(keks[0], messageId, 'wrap'), cipherKey(keks[1], messageId, 'wrap')] as const;
  const sealed = forgeForTwoKeys(keys, nonce, aad);
  for (const key of keys) assert.notEqual(cipher.aes256gcmOpen({ key, nonce, aad, sealed }), null, 'the forgery works');

  const [chosen, guessed] = keks.map((key) => ({ id: oldKek.id, version: 1, key: new Secret(key) }));
  const { commitment } = wrapKeys({ cipher, random, kek: chosen!, messageId, keys: random.bytes(32) });
  const wrap = { ...name, commitment, nonce, sealed };
  assert.equal(unwrapKeys({ cipher, kek: chosen!, messageId, wrap }).length, 16);
  refuses(() => unwrapKeys({ cipher, kek: guessed!, messageId, wrap }), 'corrupt', /commitment of the wrap/);
});

test('nothing is decrypted where the commitment does not match', () => {
  const bytes = sealEnvelope({ cipher, random, context, parts, keks: [oldKek] });
  let decryptions = 0;
  const counting = {
    ...cipher,
    aes256gcmOpen(input: Parameters<typeof cipher.aes256gcmOpen>[0]) {
      decryptions++;
      return cipher.aes256gcmOpen(input);
    },
  };
  const impostor = { ...oldKek, key: newKek.key };
  assert.throws(() => openEnvelope({ cipher: counting, context, bytes, keks: keyring(impostor) }));
  assert.equal(decryptions, 0);
});

test('the check value of a KEK knows its key, id and version, and cannot be used as the wrap of a known key', () => {
  const check = makeCheck({ cipher, random, kek: oldKek });
  assert.equal(passesCheck({ cipher, kek: oldKek, check }), true);
  assert.equal(passesCheck({ cipher, kek: { ...oldKek, key: newKek.key }, check }), false);
  assert.equal(passesCheck({ cipher, kek: { ...oldKek, id: newKek.id }, check }), false);
  assert.equal(passesCheck({ cipher, kek: { ...oldKek, version: 2 }, check }), false);
  for (let at = 0; at < check.length; at++) {
    const flipped = check.slice();
    flipped[at] = flipped[at]! ^ 1;
    assert.equal(passesCheck({ cipher, kek: oldKek, check: flipped }), false);
    assert.equal(passesCheck({ cipher, kek: oldKek, check: check.slice(0, at) }), false);
  }
  const wrap = {
    kekId: oldKek.id,
    kekVersion: oldKek.version,
    commitment: check.slice(32, 64),
    nonce: check.slice(64, 76),
    sealed: check.slice(76),
  };
  assert.equal(wrap.sealed.length, 32 + 16, 'it has the length of a wrapped key');
  refuses(() => unwrapKeys({ cipher, kek: oldKek, messageId: check.slice(0, 32), wrap }), 'corrupt', /commitment/);
});
