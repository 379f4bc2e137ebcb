// Secrets from the environment, from files and from commands; no error holds any part of one.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import { Failure, type FailureCode } from '../model/failure.ts';
import { revealSecretText } from '../model/secret.ts';
import type { SecretSource } from './config.ts';
import { readSecretSource, SECRET_BYTES_MAX, type SecretSourceOptions } from './secret-source.io.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'claviger-source-'));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string | Uint8Array, mode = 0o600): string {
  const at = path.join(directory, name);
  writeFileSync(at, content);
  chmodSync(at, mode);
  return at;
}

async function text(source: SecretSource, options: SecretSourceOptions = {}): Promise<string> {
  return revealSecretText(await readSecretSource(source, options));
}

/** Refused, with nothing of the secret or of the source in the error or its causes. */
async function assertRefused(
  source: SecretSource,
  expected: { readonly code: FailureCode; readonly message: RegExp },
  options: SecretSourceOptions = {},
): Promise<void> {
  await assert.rejects(readSecretSource(source, options), (error) => {
    assert.ok(Failure.is(error, expected.code), inspect(error));
    assert.match(error.message, expected.message);
    assert.ok(!/canary/i.test(inspect(error, { depth: 9, showHidden: true })), 'the error holds the marker');
    return true;
  });
}

/** A command that runs this program's own runtime. */
function script(code: string): SecretSource {
  return { command: [process.execPath, '-e', code] };
}

test('an environment variable is taken as it is', async () => {
  const environment = { A: 'canary-value\n', EMPTY: '' };
  assert.equal(await text({ env: 'A' }, { environment }), 'canary-value\n');
  for (const env of ['EMPTY', 'CANARY_ABSENT', 'toString', '__proto__']) {
    await assertRefused({ env }, { code: 'unavailable', message: /is not set/ }, { environment });
    await assertRefused({ env }, { code: 'unavailable', message: /is not set/ });
  }
  const long = { A: `canary${'x'.repeat(SECRET_BYTES_MAX)}` };
  await assertRefused({ env: 'A' }, { code: 'invalid', message: /more than/ }, { environment: long });
});

test('a file loses one line end and nothing else', async () => {
  const table: readonly (readonly [string, string])[] = [
    ['canary', 'canary'],
    ['canary\n', 'canary'],
    ['canary\r\n', 'canary'],
    ['canary\n\n', 'canary\n'],
    [' canary \t\n', ' canary \t'],
    ['canary\r', 'canary\r'],
  ];
  for (const [content, expected] of table) assert.equal(await text({ file: file('plain', content) }), expected);
  const longest = `canary${'x'.repeat(SECRET_BYTES_MAX - 6)}`;
  assert.equal(await text({ file: file('longest', `${longest}\r\n`) }), longest);
});

test('a file is read through links, as orchestrators mount secrets', async () => {
  const link = path.join(directory, 'link');
  symlinkSync(file('target', 'canary'), link);
  assert.equal(await text({ file: link }), 'canary');
});

test('a file that is open to others, no file, empty, too long or absent is refused', async () => {
  for (const mode of [0o604, 0o640, 0o620]) {
    await assertRefused({ file: file('open', 'canary', mode) }, { code: 'invalid', message: /open to others/ });
  }
  await assertRefused({ file: directory }, { code: 'invalid', message: /not a regular file/ });
  await assertRefused({ file: '/dev/null' }, { code: 'invalid', message: /not a regular file/ });
  for (const content of ['', '\n', '\r\n']) {
    await assertRefused({ file: file('empty', content) }, { code: 'invalid', message: /gives nothing/ });
  }
  const long = `canary${'x'.repeat(SECRET_BYTES_MAX)}`;
  await assertRefused({ file: file('long', long) }, { code: 'invalid', message: /more than/ });
  const absent = path.join(directory, 'canary-absent');
  await assertRefused({ file: absent }, { code: 'unavailable', message: /cannot be read/ });
  await assertRefused({ file: 'canary\0' }, { code: 'unavailable', message: /cannot be read/ });
});

test('a pipe in the place of a file is refused, and not waited for', { timeout: 20_000 }, async () => {
  const pipe = path.join(directory, 'pipe');
  execFileSync('mkfifo', ['-m', '600', pipe]);
  await assertRefused({ file: pipe }, { code: 'invalid', message: /not a regular file/ });
});

test('a command gives what it prints, without one line end', async () => {
  assert.equal(await text(script(`console.log('canary')`)), 'canary');
  assert.equal(await text(script(`process.stdout.write('canary\\n\\n')`)), 'canary\n');
});

test('no shell looks at the arguments of a command', async () => {
  const marker = path.join(directory, 'made-by-a-shell');
  const argument = `; touch ${marker} $(touch ${marker}) canary`;
  const source = { command: [process.execPath, '-e', 'console.log(process.argv[1])', '--', argument] };
  assert.equal(await text(source), argument);
  assert.ok(!existsSync(marker));
});

test('a command has no input, and its errors are not seen', async () => {
  const code = `process.stderr.write('canary'); process.stdin.on('data', () => {}).on('end', () => console.log('end'))`;
  assert.equal(await text(script(code)), 'end');
});

test('a command that fails, is absent, prints nothing or too much is refused', async () => {
  const failed = script(`console.log('canary'); console.error('canary'); process.exitCode = 3`);
  await assertRefused(failed, { code: 'unavailable', message: /failed/ });
  const killed = script(`console.log('canary'); process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 60_000)`);
  await assertRefused(killed, { code: 'unavailable', message: /failed/ });
  await assertRefused({ command: ['/absent/canary', 'canary'] }, { code: 'unavailable', message: /cannot be run/ });
  await assertRefused({ command: ['canary\0'] }, { code: 'invalid', message: /cannot be run/ });
  await assertRefused({ command: [] }, { code: 'invalid', message: /cannot be run/ });
  await assertRefused(script(''), { code: 'invalid', message: /gives nothing/ });
  const endless = script(`const write = () => process.stdout.write('canary'.repeat(10_000), write); write()`);
  await assertRefused(endless, { code: 'unavailable', message: /too much/ });
});

test('at the deadline a command is ended, with what it started', async () => {
  const pids = path.join(directory, 'pids');
  const source = { command: ['/bin/sh', '-c', 'echo $$ >> "$0"; sleep 60 & echo $! >> "$0"; wait', pids] };
  await assertRefused(source, { code: 'unavailable', message: /took too long/ }, { deadlineMs: 1_500 });
  const started = readFileSync(pids, 'utf8').trim().split('\n').map(Number);
  assert.equal(started.length, 2);
  for (const pid of started) await assertGone(pid);
});

/** A process that was killed may take a moment to disappear, and stays as a zombie until its new parent looks. */
async function assertGone(pid: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (!isRunning(pid)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail('a process outlived its deadline');
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const status = `/proc/${pid}/stat`;
  return !existsSync(status) || !/\) Z /.test(readFileSync(status, 'utf8'));
}
