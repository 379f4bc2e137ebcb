// Second copies on a real file system: what a write leaves behind, what is never overwritten, and what does not count as a copy.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import { Secret } from '../model/secret.ts';
import { cipher, machineRandom as random } from './cipher.io.ts';
import { ENVELOPE_BYTES_MAX } from './envelope.ts';
import { openSecondCopy } from './second-copy.io.ts';
import { compareCopy, copyFileName, versionOfFileName } from './second-copy.ts';
import { TEST_NOW, testContext, testKek } from './test-support.ts';
import { createVault } from './vault.io.ts';

const root = await realpath(await mkdtemp(path.join(tmpdir(), 'claviger-copy-')));
after(() => rm(root, { recursive: true, force: true }));
const dataDirectory = path.join(root, 'data');
await mkdir(dataDirectory);
const directory = path.join(root, 'copies');

const old = testKek({ cipher, random });
const next = testKek({ cipher, random, rows: [old.row] });
const vault = createVault({ cipher, random });
vault.unseal([old, next]);
const versionId = newId('version', TEST_NOW, random);
const context = testContext({ version: versionId });
const { bytes } = vault.sealParts(context, { key: new Secret('canary-key') });
const different = vault.sealParts(context, { key: new Secret('canary-key') }).bytes;
const fileOf = (id: string) => path.join(directory, `${id}.envelope`);

/** The same payloads under other wraps: a recovery KEK is added. */
function rewrapped(): Uint8Array {
  const recovery = testKek({ cipher, random, rows: [old.row, next.row], role: 'recovery' });
  const other = createVault({ cipher, random });
  other.unseal([next, recovery]);
  return other.rewrap(bytes, recovery.row.id);
}

beforeEach(async () => {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
});

test('what was written is read, is listed, and is ciphertext in a file of mode 0600', async () => {
  const copies = await openSecondCopy({ directory, dataDirectory });
  assert.equal(await copies.read(versionId), null);
  assert.equal(await copies.compare(versionId, bytes), 'absent');
  assert.equal(await copies.write(versionId, bytes), 'absent');
  assert.deepEqual(await copies.read(versionId), bytes);
  assert.equal(await copies.compare(versionId, bytes), 'same');
  assert.equal(await copies.write(versionId, bytes), 'same');
  assert.deepEqual(await readdir(directory), [`${versionId}.envelope`]);
  assert.equal((await stat(fileOf(versionId))).mode & 0o777, 0o600);
  assert.ok(!(await readFile(fileOf(versionId))).includes('canary'));
  assert.ok(vault.openParts(context, (await copies.read(versionId))!)['key']?.equals(new Secret('canary-key')));
});

test('a re-wrap replaces its copy; other payloads never do', async () => {
  const copies = await openSecondCopy({ directory, dataDirectory });
  await copies.write(versionId, bytes);
  const later = rewrapped();
  assert.equal(await copies.compare(versionId, later), 'rewrapped');
  assert.equal(await copies.write(versionId, later), 'rewrapped');
  assert.deepEqual(await copies.read(versionId), later);

  assert.equal(await copies.compare(versionId, different), 'different');
  await assert.rejects(copies.write(versionId, different), (error) => Failure.is(error, 'conflict'));
  assert.deepEqual(await copies.read(versionId), later);
});

test('a file that is no envelope is never overwritten, and never counts as a copy', async () => {
  const copies = await openSecondCopy({ directory, dataDirectory });
  for (const content of ['', 'canary notes', bytes.slice(0, -1)]) {
    await writeFile(fileOf(versionId), content);
    assert.equal(await copies.compare(versionId, bytes), 'unreadable');
    await assert.rejects(copies.write(versionId, bytes), (error) => Failure.is(error, 'conflict'));
    assert.deepEqual(await readFile(fileOf(versionId)), Buffer.from(content));
  }
});

test('a link, a directory or a huge file in place of a copy is refused', async () => {
  const copies = await openSecondCopy({ directory, dataDirectory });
  const elsewhere = path.join(root, 'elsewhere');
  await writeFile(elsewhere, bytes);
  await symlink(elsewhere, fileOf(versionId));
  await assert.rejects(copies.read(versionId), (error) => Failure.is(error, 'unavailable'));
  await rm(fileOf(versionId));
  await mkdir(fileOf(versionId));
  await assert.rejects(copies.read(versionId), (error) => Failure.is(error, 'corrupt'));
  await rm(fileOf(versionId), { recursive: true });
  await writeFile(fileOf(versionId), new Uint8Array(ENVELOPE_BYTES_MAX + 1));
  await assert.rejects(copies.write(versionId, bytes), (error) => Failure.is(error, 'corrupt'));
});

test('what a crash left behind is written over: a temporary file is no copy', async () => {
  const copies = await openSecondCopy({ directory, dataDirectory });
  await writeFile(path.join(directory, `.${versionId}.envelope.tmp`), bytes.slice(0, 50));
  assert.equal(await copies.compare(versionId, bytes), 'absent');
  assert.deepEqual((await copies.list(10)).versionIds, []);
  await copies.write(versionId, bytes);
  assert.deepEqual(await readdir(directory), [`${versionId}.envelope`]);
  assert.deepEqual(await copies.read(versionId), bytes);
});

test('a temporary file that is a link is not followed', async () => {
  const copies = await openSecondCopy({ directory, dataDirectory });
  const victim = path.join(root, 'victim');
  await writeFile(victim, 'as it was');
  await symlink(victim, path.join(directory, `.${versionId}.envelope.tmp`));
  await assert.rejects(copies.write(versionId, bytes), (error) => Failure.is(error, 'unavailable'));
  assert.equal(await readFile(victim, 'utf8'), 'as it was');
});

test('two writes of one version at once: one wins, the other is told', async () => {
  const copies = await openSecondCopy({ directory, dataDirectory });
  const [left, right] = await Promise.allSettled([copies.write(versionId, bytes), copies.write(versionId, different)]);
  assert.equal(left?.status, 'fulfilled');
  assert.ok(right?.status === 'rejected' && Failure.is(right.reason, 'conflict'));
  assert.deepEqual(await copies.read(versionId), bytes);
});

test('the list is bounded and knows versions alone', async () => {
  const copies = await openSecondCopy({ directory, dataDirectory });
  const ids = Array.from({ length: 3 }, () => newId('version', TEST_NOW, random)).sort();
  for (const id of ids) await copies.write(id, bytes);
  await writeFile(path.join(directory, 'notes.txt'), '');
  const whole = await copies.list(3);
  assert.deepEqual([whole.versionIds.toSorted(), whole.isWhole], [ids, true]);
  const cut = await copies.list(2);
  assert.deepEqual([cut.versionIds.length, cut.isWhole], [2, false]);
});

test('only the id of a version names a copy', async () => {
  const copies = await openSecondCopy({ directory, dataDirectory });
  for (const id of ['', '../data/x', `${versionId}/x`, versionId.toUpperCase(), versionId.replace('ver_', 'crd_')]) {
    assert.equal(copyFileName(id), null);
    await assert.rejects(copies.read(id), /named after a version/);
    await assert.rejects(copies.write(id, bytes), /named after a version/);
  }
  assert.equal(versionOfFileName(`${versionId}.envelope`), versionId);
  assert.equal(versionOfFileName(versionId), null);
  assert.throws(
    () => compareCopy(null, new Uint8Array(3)),
    (error) => Failure.is(error, 'corrupt'),
  );
});

test('the directory must exist, outside the data directory; the same file system is reported', async () => {
  await rm(directory, { recursive: true });
  await assert.rejects(openSecondCopy({ directory, dataDirectory }), (error) => Failure.is(error, 'unavailable'));
  await assert.rejects(stat(directory), { code: 'ENOENT' }, 'nothing is made in its place');
  const inside = path.join(dataDirectory, 'copies');
  await mkdir(inside, { recursive: true });
  const alias = path.join(root, 'alias');
  await symlink(inside, alias);
  for (const name of [inside, alias]) {
    await assert.rejects(openSecondCopy({ directory: name, dataDirectory }), (error) => Failure.is(error, 'invalid'));
  }
  await mkdir(directory);
  assert.equal((await openSecondCopy({ directory, dataDirectory })).sharesDevice, true);
});

test('a directory that is gone is `unavailable`, with no path in the message', async () => {
  const copies = await openSecondCopy({ directory, dataDirectory });
  await rm(directory, { recursive: true });
  for (const act of [() => copies.write(versionId, bytes), () => copies.list(1)]) {
    await assert.rejects(act, (error) => Failure.is(error, 'unavailable') && !error.message.includes(root));
  }
});
