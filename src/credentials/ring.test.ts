// The key ring over a real vault and a real database: opened once, bound to its credential, and empty after a seal.
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { Kysely } from 'kysely';
import { credentialRow, versionRow } from '../../test/support/rows.ts';
import type { Schema } from '../database/schema.ts';
import { migrateSqlite, sqliteDialect } from '../database/sqlite.io.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { cipher, machineRandom } from '../vault/cipher.io.ts';
import { testKek } from '../vault/test-support.ts';
import { createVault } from '../vault/vault.io.ts';
import { createKeyRing, envelopeContext } from './ring.io.ts';

const KEY = 'canary-ring-key';
const closers: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closers) await close();
});

const HEX = '0198c1f2a0007aaa8bbbcccccccccc';
const credential = credentialRow({ id: `crd_${HEX}01` });
const version = versionRow({ id: `ver_${HEX}02`, credentialId: credential.id });

function setUp() {
  const database = new DatabaseSync(':memory:');
  migrateSqlite(database);
  let reads = 0;
  const read = new Kysely<Schema>({ dialect: sqliteDialect(database), log: () => void reads++ });
  closers.push(() => read.destroy());
  const vault = createVault({ cipher, random: machineRandom });
  const kek = testKek({ cipher, random: machineRandom });
  vault.unseal([kek]);
  const put = database.prepare("INSERT INTO blobs (kind, id, value) VALUES ('envelope', ?, ?)");
  const sealed = vault.sealParts(envelopeContext(credential, version.id), { key: new Secret(KEY) });
  put.run(version.id, sealed.bytes);
  const ring = createKeyRing(vault, read);
  return { ring, vault, kek, reads: () => reads, put, database };
}

function refuses(code: FailureCode): (error: unknown) => boolean {
  return (error) => {
    assert(!String(error).includes('canary'));
    return Failure.is(error, code);
  };
}

test('a version is opened once and then at hand', async () => {
  const { ring, reads } = setUp();
  const parts = await ring.open(credential, version);
  assert.equal(revealSecretText(parts['key']!), KEY);
  assert.equal(await ring.open(credential, version), parts);
  assert.equal(reads(), 1);
});

test('an envelope opens for the credential, version, purpose and destination that it was sealed for, and for no other', async () => {
  const { ring, database } = setUp();
  const others = [
    { ...credential, origin: 'https://evil.example.com' },
    { ...credential, places: [{ in: 'query' as const, name: 'key' }] },
    { ...credential, places: [] },
    { ...credential, purpose: 'manage' as const },
    { ...credential, environment: 'staging' },
    { ...credential, space: 'other' },
    { ...credential, id: `crd_${HEX}09` },
  ];
  for (const other of others) await assert.rejects(ring.open(other, version), refuses('corrupt'));
  const moved = versionRow({ id: `ver_${HEX}03`, credentialId: credential.id });
  database.prepare('UPDATE blobs SET id = ? WHERE id = ?').run(moved.id, version.id);
  await assert.rejects(ring.open(credential, moved), refuses('corrupt'));
  // What is no part of where a key may go may change freely.
  database.prepare('UPDATE blobs SET id = ? WHERE id = ?').run(version.id, moved.id);
  const renamed = { ...credential, name: 'renamed', owner: 'x', settings: {}, suspendedAt: 1 };
  assert.equal(revealSecretText((await ring.open(renamed, version))['key']!), KEY);
});

test('a version without an envelope is not found', async () => {
  const { ring } = setUp();
  await assert.rejects(ring.open(credential, versionRow({ id: `ver_${HEX}0f` })), refuses('not-found'));
});

test('while the vault is sealed nothing is given out, not even what was opened before', async () => {
  const { ring, vault, kek } = setUp();
  await ring.open(credential, version);
  vault.seal();
  await assert.rejects(ring.open(credential, version), refuses('sealed'));
  ring.clear();
  await assert.rejects(ring.open(credential, version), refuses('sealed'));
  const again = testKek({ cipher, random: machineRandom });
  assert.throws(() => vault.unseal([{ ...again, row: kek.row, check: kek.check }]), refuses('invalid'));
});

test('what is put is at hand, what is dropped is wiped and read again', async () => {
  const { ring, reads } = setUp();
  const parts = { key: new Secret('canary-other') };
  ring.put(version.id, parts);
  assert.equal(await ring.open(credential, version), parts);
  assert.equal(reads(), 0);
  ring.drop(version.id);
  assert.equal(revealSecretText(parts.key), '\u0000'.repeat(12), 'the bytes are overwritten');
  assert.equal(revealSecretText((await ring.open(credential, version))['key']!), KEY);
  ring.drop('ver_unknown');
});

test('clearing wipes every part of every version', () => {
  const { ring } = setUp();
  const all = ['a', 'b'].map((id) => ({ id, parts: { id: new Secret('canary-1'), key: new Secret('canary-2') } }));
  for (const { id, parts } of all) ring.put(id, parts);
  ring.clear();
  for (const { parts } of all) {
    for (const part of Object.values(parts)) assert.equal(revealSecretText(part), '\u0000'.repeat(8));
  }
});
