// Which file is read, what it must be like, and how its problems arrive.
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Failure, type FailureCode } from '../model/failure.ts';
import { loadConfig } from './load.io.ts';

const directory = realpathSync(mkdtempSync(path.join(tmpdir(), 'claviger-load-')));
after(() => rmSync(directory, { recursive: true }));

let count = 0;
/** A fresh directory, with these files in it. */
function place(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const at = path.join(directory, `${count++}`);
  mkdirSync(at);
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(path.join(at, name), content);
    chmodSync(path.join(at, name), 0o644);
  }
  return at;
}

async function failureOf(work: Promise<unknown>, code: FailureCode): Promise<Failure> {
  const outcome = await work.then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(Failure.is(outcome, code), String(outcome));
  return outcome;
}

test('with no file anywhere the defaults hold, relative to the working directory', async () => {
  const workingDirectory = place();
  const loaded = await loadConfig(null, { environment: {}, workingDirectory });
  assert.equal(loaded.file, null);
  assert.equal(loaded.fileOwnership, null);
  assert.equal(loaded.positionOf('/drain'), null);
  assert.equal(loaded.config.dataDirectory, path.join(workingDirectory, 'claviger-data'));
  assert.ok(Object.isFrozen(loaded) && Object.isFrozen(loaded.config));
});

test('the file that is named wins over the environment, which wins over the working directory', async () => {
  const workingDirectory = place({ 'claviger.yaml': 'drain: 1s' });
  const other = place({ 'a.yaml': 'drain: 2s', 'b.yaml': 'drain: 3s' });
  const environment = { CLAVIGER_CONFIG: path.join(other, 'a.yaml') };
  const named = await loadConfig(path.join(other, 'b.yaml'), { environment, workingDirectory });
  assert.equal(named.config.drainSeconds, 3);
  assert.equal((await loadConfig(null, { environment, workingDirectory })).config.drainSeconds, 2);
  const unset = { environment: { CLAVIGER_CONFIG: '' }, workingDirectory };
  assert.equal((await loadConfig(null, unset)).config.drainSeconds, 1);
});

test('paths in the file are relative to its directory, those of the environment to the working directory', async () => {
  const workingDirectory = place();
  const at = place({ 'c.yaml': 'kek: { kind: key-file, path: ../kek }' });
  const environment = { CLAVIGER_DATA_DIRECTORY: 'data' };
  const file = path.relative(workingDirectory, path.join(at, 'c.yaml'));
  const { config, file: found } = await loadConfig(file, { environment, workingDirectory });
  assert.equal(found, path.join(at, 'c.yaml'));
  assert.deepEqual(config.kek, { kind: 'key-file', path: path.join(directory, 'kek') });
  assert.equal(config.dataDirectory, path.join(workingDirectory, 'data'));
  const plain = await loadConfig(file, { environment: {}, workingDirectory });
  assert.equal(plain.config.dataDirectory, path.join(at, 'claviger-data'));
});

test('a file that is named and absent, or a directory, is an error, never the defaults', async () => {
  const workingDirectory = place();
  const absent = await failureOf(loadConfig('absent.yaml', { environment: {}, workingDirectory }), 'unavailable');
  assert.ok(!absent.message.includes(workingDirectory), 'the message names no path');
  const environment = { CLAVIGER_CONFIG: 'absent.yaml' };
  await failureOf(loadConfig(null, { environment, workingDirectory }), 'unavailable');
  await failureOf(loadConfig(workingDirectory, { environment: {} }), 'invalid');
  symlinkSync('absent.yaml', path.join(workingDirectory, 'dangling.yaml'));
  await failureOf(loadConfig('dangling.yaml', { environment: {}, workingDirectory }), 'unavailable');
});

test('a file that everybody may write is refused, since it may name commands', async () => {
  const workingDirectory = place({ 'claviger.yaml': '' });
  const file = path.join(workingDirectory, 'claviger.yaml');
  chmodSync(file, 0o646);
  for (const name of [null, file]) {
    const failure = await failureOf(loadConfig(name, { environment: {}, workingDirectory }), 'invalid');
    assert.match(failure.message, /written by everybody/);
  }
  chmodSync(file, 0o664);
  assert.equal((await loadConfig(file, { environment: {} })).fileOwnership?.mode, 0o664);
});

const asRoot = { skip: process.geteuid?.() === 0 ? false : 'SKIPPED: only root can give a file to another user' };

test('a file of another user is obeyed only where it is named', asRoot, async () => {
  const workingDirectory = place({ 'claviger.yaml': 'drain: 7s' });
  const file = path.join(workingDirectory, 'claviger.yaml');
  chownSync(file, 12_345, 12_345);
  const failure = await failureOf(loadConfig(null, { environment: {}, workingDirectory }), 'invalid');
  assert.match(failure.message, /belongs to another user and was not named/);
  assert.equal((await loadConfig(file, { environment: {} })).config.drainSeconds, 7);
  const environment = { CLAVIGER_CONFIG: 'claviger.yaml' };
  assert.equal((await loadConfig(null, { environment, workingDirectory })).config.drainSeconds, 7);
});

test('every problem arrives with its pointer, line and column, and without the value', async () => {
  const at = place({ 'c.yaml': 'drain: canary\nlog:\n  levle: canary\nkek: canary\n' });
  const failure = await failureOf(loadConfig(path.join(at, 'c.yaml'), { environment: {} }), 'invalid');
  assert.equal(failure.message, 'the configuration is not accepted: 3 problems');
  assert.deepEqual(
    failure.errors.map(({ pointer }) => pointer),
    ['/drain', '/log/levle', '/kek'],
  );
  assert.match(failure.errors[1]!.detail, /^line 3, column 3: unknown key; did you mean level\?$/);
  assert.ok(!JSON.stringify(failure.errors).includes('canary'));
});

test('bytes that are no UTF-8, and files that are too long, are refused', async () => {
  const at = place({ 'latin1.yaml': Uint8Array.of(0x23, 0x20, 0xe9), 'long.yaml': `#${'x'.repeat(1_000_000)}` });
  const latin1 = await failureOf(loadConfig(path.join(at, 'latin1.yaml'), { environment: {} }), 'invalid');
  assert.match(latin1.message, /not UTF-8/);
  const long = await failureOf(loadConfig(path.join(at, 'long.yaml'), { environment: {} }), 'invalid');
  assert.match(long.message, /longer than/);
});

test('an option is found by its pointer, and what is not there by the section around it', async () => {
  const at = place({
    'c.yaml': 'broker:\n  listen: 127.0.0.1:1\nproviders:\n  neon: { origin: https://a.example.com }\n',
  });
  const { positionOf } = await loadConfig(path.join(at, 'c.yaml'), { environment: {} });
  assert.deepEqual(positionOf('/broker/listen'), { line: 2, column: 3 });
  assert.deepEqual(positionOf('/providers/neon/privateNetworks/0'), { line: 4, column: 3 });
  assert.deepEqual(positionOf('/broker/tls'), { line: 1, column: 1 });
  assert.deepEqual(positionOf('/api/listen'), { line: 1, column: 1 });
});
