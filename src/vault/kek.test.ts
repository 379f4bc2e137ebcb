// Key-encryption keys as rows and as text: bounds of their parameters, edited rows, which one is in force, and what a key file may hold.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowJson } from '../model/change.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import { canonicalJson } from '../model/json.ts';
import { revealSecret, Secret } from '../model/secret.ts';
import { cipher, machineRandom as random } from './cipher.io.ts';
import {
  ARGON2ID_BOUNDS,
  ARGON2ID_DEFAULTS,
  type Argon2idParams,
  argon2idProblem,
  decodeKeyFile,
  decodePassphrase,
  type KekRow,
  kekInForce,
  kekRowProblem,
  newArgon2idParams,
  newKek,
} from './kek.ts';
import { errorText, TEST_NOW, testKek } from './test-support.ts';

const text = new TextEncoder();

function invalid(act: () => unknown, message = /./): void {
  assert.throws(act, (error) => {
    assert.ok(Failure.is(error, 'invalid') && message.test(error.message), errorText(error));
    assert.ok(!errorText(error).includes('canary'));
    return true;
  });
}

test('Argon2id parameters out of bounds are refused, in a row and for a new KEK', () => {
  const good = newArgon2idParams(random, ARGON2ID_DEFAULTS);
  assert.equal(argon2idProblem(good), null);
  for (const name of ['memoryKib', 'passes', 'lanes'] as const) {
    const { min, max } = ARGON2ID_BOUNDS[name];
    for (const fits of [min, max]) assert.equal(argon2idProblem({ ...good, [name]: fits }), null);
    for (const wrong of [min - 1, max + 1, 0, -1, min + 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.match(argon2idProblem({ ...good, [name]: wrong }) ?? '', new RegExp(name));
      invalid(() => newArgon2idParams(random, { ...ARGON2ID_DEFAULTS, [name]: wrong }), new RegExp(name));
    }
  }
  for (const salt of ['', 'ab', good.salt.toUpperCase().replace(/\d/g, 'A'), `${good.salt}00`]) {
    assert.match(argon2idProblem({ ...good, salt }) ?? '', /salt/);
  }
  const unknown = { ...good, algorithm: 'argon2d' } as unknown as Argon2idParams;
  assert.match(argon2idProblem(unknown) ?? '', /algorithm/);
});

test('each new passphrase KEK has its own salt', () => {
  assert.notEqual(newArgon2idParams(random, ARGON2ID_DEFAULTS).salt, newArgon2idParams(random, ARGON2ID_DEFAULTS).salt);
});

test('a row that was edited is refused', () => {
  const { row } = testKek({ cipher, random });
  const params = newArgon2idParams(random, ARGON2ID_DEFAULTS);
  assert.equal(kekRowProblem(row), null);
  assert.equal(kekRowProblem({ ...row, kind: 'passphrase', params }), null);
  const edited: [Partial<Record<keyof KekRow, unknown>>, RegExp][] = [
    [{ id: 'crd_00000000000000000000000000000000' }, /id/],
    [{ version: 0 }, /version/],
    [{ version: 2 ** 31 }, /version/],
    [{ role: 'admin' }, /role/],
    [{ kind: 'plain' }, /kind/],
    [{ params }, /key file/],
    [{ kind: 'passphrase' }, /parameters/],
    [{ kind: 'passphrase', params: { ...params, memoryKib: 8 } }, /memoryKib/],
  ];
  for (const [change, message] of edited) assert.match(kekRowProblem({ ...row, ...change } as KekRow) ?? '', message);
});

test('the row is JSON and holds neither the key nor its check value', () => {
  const key = new Secret(random.bytes(32));
  const params = newArgon2idParams(random, ARGON2ID_DEFAULTS);
  const id = newId('kek', TEST_NOW, random);
  const { row, check } = newKek({ cipher, random, now: TEST_NOW, id, rows: [], role: 'primary', params, key });
  const json = canonicalJson(rowJson(row));
  for (const hidden of [revealSecret(key), check.slice(0, 32), check.slice(32, 64)]) {
    assert.ok(!json.includes(hidden.toHex()) && !json.includes(hidden.toBase64()));
  }
  assert.deepEqual(JSON.parse(json), row);
  assert.equal(row.kind, 'passphrase');
});

test('versions count over all KEKs, and the newest in a role that is not retired is in force', () => {
  const first = testKek({ cipher, random }).row;
  const recovery = testKek({ cipher, random, rows: [first], role: 'recovery' }).row;
  const second = testKek({ cipher, random, rows: [first, recovery] }).row;
  const rows = [second, first, recovery];
  assert.deepEqual(
    [first, recovery, second].map((row) => row.version),
    [1, 2, 3],
  );
  assert.equal(kekInForce(rows, 'primary'), second);
  assert.equal(kekInForce(rows, 'recovery'), recovery);
  assert.equal(kekInForce([{ ...second, retiredAt: TEST_NOW }, first], 'primary'), first);
  assert.equal(kekInForce([], 'primary'), null);
});

test('a key file is 32 bytes: raw, hex or base64, with one line end at most', () => {
  const key = random.bytes(32);
  for (const form of [key.toHex(), key.toHex().toUpperCase(), key.toBase64()]) {
    for (const end of ['', '\n', '\r\n']) assert.deepEqual(revealSecret(decodeKeyFile(text.encode(form + end))), key);
  }
  assert.deepEqual(revealSecret(decodeKeyFile(key.slice())), key);
});

test('a key file with anything else is refused', () => {
  const key = random.bytes(32);
  const canonical = key.toBase64();
  const wrong: (string | Uint8Array)[] = [
    '',
    'canary canary canary',
    key.toHex().slice(2),
    `${key.toHex()}00`,
    `${key.toHex()}\n\n`,
    ` ${key.toHex()}`,
    canonical.slice(0, -1),
    `${canonical.slice(0, -2)}${canonical.at(-2) === '/' ? 'A' : '/'}=`.replace(/.=$/, 'B='),
    random.bytes(31),
    random.bytes(33),
    random.bytes(64),
  ];
  for (const content of wrong) {
    invalid(() => decodeKeyFile(typeof content === 'string' ? text.encode(content) : content), /32 bytes/);
  }
  const weak = [
    'canary 0123456789abcdefghijklmno',
    new Uint8Array(32),
    Uint8Array.from({ length: 32 }, (_, i) => i % 11),
  ];
  for (const content of weak) {
    invalid(() => decodeKeyFile(typeof content === 'string' ? text.encode(content) : content), /not random/);
  }
  invalid(() => decodeKeyFile(text.encode('00'.repeat(32))), /not random/);
});

test('a passphrase loses one line end, nothing else, and has bounds', () => {
  const cases: [string, string][] = [
    ['canary-passphrase', 'canary-passphrase'],
    ['canary-passphrase\n', 'canary-passphrase'],
    ['canary-passphrase\r\n', 'canary-passphrase'],
    ['canary-passphrase\n\n', 'canary-passphrase\n'],
    [' canary-passphrase ', ' canary-passphrase '],
    ['canary-passphrase\r', 'canary-passphrase\r'],
  ];
  for (const [content, expected] of cases) {
    assert.ok(decodePassphrase(text.encode(content)).equals(new Secret(expected)));
  }
  for (const wrong of ['', '\n', 'canary-9999', 'canary-9999\n', 'x'.repeat(1025)]) {
    invalid(() => decodePassphrase(text.encode(wrong)), /12 to 1024/);
  }
  assert.equal(decodePassphrase(text.encode('x'.repeat(1024))).length, 1024);
  assert.equal(decodePassphrase(text.encode('x'.repeat(12))).length, 12);
});
