// Key files and passphrases on a real file system: which files are read, which are refused and under whatever name, and how a new one is made.
import assert from 'node:assert/strict';
import { chmod, link, mkdir, mkdtemp, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Failure, type FailureCode } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import { revealSecret, Secret } from '../model/secret.ts';
import { cipher, machineRandom as random } from './cipher.io.ts';
import { deriveKek, generateKeyFile, loadKek, readKeyFile, readPassphraseFile } from './kek.io.ts';
import { type Argon2idParams, newArgon2idParams, newKek } from './kek.ts';
import { errorText, TEST_NOW } from './test-support.ts';
import { createVault } from './vault.io.ts';

const root = await realpath(await mkdtemp(path.join(tmpdir(), 'claviger-kek-')));
after(() => rm(root, { recursive: true, force: true }));
const dataDirectory = path.join(root, 'data');
const outside = path.join(root, 'keys');
await mkdir(path.join(dataDirectory, 'deep'), { recursive: true });
await mkdir(outside);
const key = random.bytes(32);
// The smallest cost that is allowed: these tests are about files.
const params: Argon2idParams = newArgon2idParams(random, { memoryKib: 19_456, passes: 2, lanes: 1 });

async function keyFile(name: string, mode = 0o600, content: string | Uint8Array = key.toBase64()): Promise<string> {
  await writeFile(name, content);
  await chmod(name, mode);
  return name;
}

async function refuses(act: () => Promise<unknown>, code: FailureCode, message: RegExp): Promise<void> {
  await assert.rejects(act, (error) => {
    assert.ok(Failure.is(error, code), errorText(error));
    assert.match(error.message, message);
    assert.ok(!error.message.includes(root), 'the message names no path of this machine');
    assert.ok(!errorText(error).includes(key.toBase64()) && !errorText(error).includes('canary'));
    return true;
  });
}

test('a key file outside the data directory with mode 0600 or 0400 is read', async () => {
  for (const mode of [0o600, 0o400]) {
    const name = await keyFile(path.join(outside, `mode-${mode.toString(8)}`), mode);
    assert.deepEqual(revealSecret(await readKeyFile({ path: name, dataDirectory })), key);
  }
});

test('a key file that others may read, write or run is refused', async () => {
  const name = await keyFile(path.join(outside, 'exposed'));
  for (const mode of [0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o601]) {
    await chmod(name, mode);
    await refuses(() => readKeyFile({ path: name, dataDirectory }), 'invalid', /0600/);
  }
});

test('a key file inside the data directory is refused, however it is named', async () => {
  const inside = await keyFile(path.join(dataDirectory, 'deep', 'kek'));
  const good = await keyFile(path.join(outside, 'good'));
  const linkToFile = path.join(outside, 'link-to-file');
  await symlink(inside, linkToFile);
  const linkToLink = path.join(outside, 'link-to-link');
  await symlink(linkToFile, linkToLink);
  const linkToDirectory = path.join(root, 'alias');
  await symlink(dataDirectory, linkToDirectory);
  const linkOut = path.join(dataDirectory, 'link-out');
  await symlink(good, linkOut);
  const directoryOut = path.join(dataDirectory, 'directory-out');
  await symlink(outside, directoryOut);
  const linkToDeep = path.join(outside, 'link-to-deep');
  await symlink(path.join(dataDirectory, 'deep'), linkToDeep);
  await symlink(good, path.join(dataDirectory, 'deep', 'link-out'));
  const relative = path.relative(process.cwd(), inside);
  const names = [
    path.join(directoryOut, 'good'),
    path.join(linkToDeep, 'link-out'),
    inside,
    relative,
    path.join(outside, '..', 'data', 'deep', 'kek'),
    linkToFile,
    linkToLink,
    path.join(linkToDirectory, 'deep', 'kek'),
    linkOut,
  ];
  for (const name of names) {
    for (const directory of [dataDirectory, linkToDirectory, path.relative(process.cwd(), dataDirectory)]) {
      await refuses(() => readKeyFile({ path: name, dataDirectory: directory }), 'invalid', /data directory/);
      await refuses(() => readPassphraseFile({ path: name, dataDirectory: directory }), 'invalid', /data directory/);
    }
  }
  const hard = path.join(outside, 'hard-link');
  await link(inside, hard);
  await refuses(() => readKeyFile({ path: hard, dataDirectory }), 'invalid', /hard link/);
});

test('a directory whose name only begins like the data directory is outside it', async () => {
  await mkdir(path.join(root, 'data-keys'));
  const name = await keyFile(path.join(root, 'data-keys', 'kek'));
  assert.equal((await readKeyFile({ path: name, dataDirectory })).length, 32);
  const dotted = await keyFile(path.join(root, '..kek'));
  assert.equal((await readKeyFile({ path: dotted, dataDirectory })).length, 32);
});

test('a link to a key file elsewhere is followed, as mounted secrets are links', async () => {
  const name = path.join(outside, 'mounted');
  await symlink(await keyFile(path.join(outside, 'target')), name);
  assert.deepEqual(revealSecret(await readKeyFile({ path: name, dataDirectory })), key);
});

test('what is not a regular file with a key in it is refused', async () => {
  await refuses(() => readKeyFile({ path: outside, dataDirectory }), 'invalid', /regular file/);
  await refuses(() => readKeyFile({ path: path.join(outside, 'absent'), dataDirectory }), 'unavailable', /opened/);
  const long = await keyFile(path.join(outside, 'long'), 0o600, new Uint8Array(4097));
  await refuses(() => readKeyFile({ path: long, dataDirectory }), 'invalid', /too long/);
  const text = await keyFile(path.join(outside, 'text'), 0o600, 'canary canary canary');
  await refuses(() => readKeyFile({ path: text, dataDirectory }), 'invalid', /32 bytes/);
});

test('a new key file has mode 0600 whatever the umask, is never overwritten, and never lies in the data directory', async () => {
  for (const umask of [0, 0o777]) {
    const before = process.umask(umask);
    try {
      const fresh = path.join(outside, `new-${umask}`);
      const made = await generateKeyFile({ path: fresh, dataDirectory, random });
      assert.equal((await stat(fresh)).mode & 0o777, 0o600);
      assert.ok((await readKeyFile({ path: fresh, dataDirectory })).equals(made));
    } finally {
      process.umask(before);
    }
  }
  const name = path.join(outside, 'new-0');
  const content = await readFile(name);
  await refuses(() => generateKeyFile({ path: name, dataDirectory, random }), 'conflict', /already/);
  assert.deepEqual(await readFile(name), content);
  const inside = path.join(dataDirectory, 'new');
  await refuses(() => generateKeyFile({ path: inside, dataDirectory, random }), 'invalid', /data directory/);
  await assert.rejects(stat(inside), { code: 'ENOENT' });
  const nowhere = path.join(outside, 'absent', 'new');
  await refuses(() => generateKeyFile({ path: nowhere, dataDirectory, random }), 'unavailable', /written/);
});

test('the data directory need not exist yet', async () => {
  const later = path.join(root, 'later');
  for (const name of ['kek', '..kek', 'deep/kek']) {
    const inside = path.join(later, name);
    await refuses(() => generateKeyFile({ path: inside, dataDirectory: later, random }), 'invalid', /data directory/);
  }
  const alias = path.join(outside, 'link-to-root');
  await symlink(root, alias);
  const throughLink = path.join(alias, 'later', 'kek');
  await refuses(
    () => generateKeyFile({ path: throughLink, dataDirectory: later, random }),
    'invalid',
    /data directory/,
  );
  assert.equal((await generateKeyFile({ path: path.join(outside, 'early'), dataDirectory: later, random })).length, 32);
});

test('parameters out of bounds are refused before any derivation', async () => {
  const huge = { ...params, memoryKib: 2 ** 31 };
  await refuses(() => deriveKek(new Secret('canary-passphrase'), huge), 'invalid', /memoryKib/);
});

test('a KEK loads from its own kind of source, and a wrong passphrase shows when the vault is unsealed', async () => {
  const passphrase = new Secret('canary-passphrase');
  const derived = await deriveKek(passphrase, params);
  const id = newId('kek', TEST_NOW, random);
  const { row, check } = newKek({
    cipher,
    random,
    now: TEST_NOW,
    id,
    rows: [],
    role: 'primary',
    params,
    key: derived,
  });
  const file = await keyFile(path.join(outside, 'passphrase'), 0o600, 'canary-passphrase\n');
  const loaded = await loadKek({ row, source: { kind: 'passphrase-file', path: file }, dataDirectory });
  assert.ok(loaded.equals(derived));
  const vault = createVault({ cipher, random });
  const wrong = await loadKek({
    row,
    source: { kind: 'passphrase', passphrase: new Secret('canary-passphrasf') },
    dataDirectory,
  });
  assert.throws(
    () => vault.unseal([{ row, check, key: wrong }]),
    (error) => Failure.is(error, 'invalid') && !errorText(error).includes('canary'),
  );
  assert.equal(vault.isSealed, true);
  vault.unseal([{ row, check, key: loaded }]);
  assert.equal(vault.isSealed, false);

  const good = await keyFile(path.join(outside, 'kek-for-load'));
  const fromFile = { ...row, kind: 'key-file', params: null } as const;
  await refuses(
    () => loadKek({ row, source: { kind: 'key-file', path: good }, dataDirectory }),
    'invalid',
    /from a passphrase/,
  );
  await refuses(
    () => loadKek({ row: fromFile, source: { kind: 'passphrase', passphrase }, dataDirectory }),
    'invalid',
    /from a key file/,
  );
  await refuses(
    () => loadKek({ row: { ...row, version: 0 }, source: { kind: 'passphrase', passphrase }, dataDirectory }),
    'invalid',
    /version/,
  );
  const source = { kind: 'key-file', path: good } as const;
  assert.deepEqual(revealSecret(await loadKek({ row: fromFile, source, dataDirectory })), key);
});
