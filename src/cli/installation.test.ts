// Setting up and looking over: what `init` refuses and leaves behind, what `doctor` finds, and the same on PostgreSQL.
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, type TestContext, test } from 'node:test';
import { startPostgresql } from '../../test/support/postgresql.ts';
import { configText, writtenPath } from './commands/init.io.ts';
import { clockCheck } from './doctor.ts';
import { type CallOptions, call, temporaryFolder } from './test-support.io.ts';

const server = await startPostgresql();
after(() => server?.stop());

const PASSPHRASE = 'a canary that is long';

function place(t: TestContext, env: Record<string, string> = {}) {
  const folder = temporaryFolder(t);
  const at = (...names: string[]) => path.join(folder, ...names);
  const all = { CLAVIGER_CONFIG: at('claviger.yaml'), ...env };
  const run = (args: string[], options: CallOptions = {}) => call(args, { env: all, now: Date.now(), ...options });
  const where = ['--data-directory', at('data'), '--api-listen', '127.0.0.1:0', '--broker-listen', '127.0.0.1:0'];
  const init = (...more: string[]) => run(['init', '--yes', ...where, ...more]);
  return { at, run, where, init };
}

interface Doctor {
  readonly ok: boolean;
  readonly checks: readonly { id: string; status: string; message: string; hint: string | null }[];
}
const found = (out: string, id: string) => (JSON.parse(out) as Doctor).checks.filter((one) => one.id.startsWith(id));

test('init with a passphrase asks twice, keeps it nowhere, and the server starts sealed', async (t) => {
  const { at, run, where } = place(t);
  const differing = await run(['init', '--kek', 'passphrase', ...where], { answers: [PASSPHRASE, 'another canary'] });
  assert.equal(differing.exit, 2);
  assert.match(differing.err, /differ/);
  assert.equal(existsSync(at('claviger.yaml')), false, 'so that the same call can be made again');
  const { exit, out, err } = await run(['init', '--kek', 'passphrase', ...where], {
    answers: [PASSPHRASE, PASSPHRASE],
  });
  assert.equal(exit, 0, err);
  assert.match(out, /claviger unseal/);
  const config = readFileSync(at('claviger.yaml'), 'utf8');
  assert.match(config, /^kek: null$/m);
  assert(!`${out}${err}${config}`.includes('canary'));
  const doctor = await run(['doctor', '--json']);
  assert.equal(found(doctor.out, 'key-encryption key')[0]?.status, 'warning');
});

test('init refuses what would harm: a key file in the data directory, a second installation, a name that is none', async (t) => {
  const { at, init, run } = place(t);
  const inside = await init('--kek-file', at('data', 'kek'));
  assert.equal(inside.exit, 2);
  assert.match(inside.err, /inside the data directory/);
  assert.equal((await init('--admin', 'Not A Slug')).exit, 2);
  assert.equal((await init('--api-listen', 'nowhere')).exit, 2);
  assert.equal(existsSync(at('claviger.yaml')), false);
  assert.equal((await init()).exit, 0);
  assert.equal((await run(['init', '--yes'])).exit, 4);
  rmSync(at('claviger.token'));
  const again = await run(['init', '--yes']);
  assert.equal(again.exit, 4, 'the database is there, whatever became of the token');
  assert.match((await init()).err, /a configuration already/);
});

test('init refuses a directory of second copies that is missing, inside the data, open to others or not writable', async (t) => {
  const { at, init, run } = place(t);
  const make = (name: string, mode: number) => {
    mkdirSync(at(name));
    chmodSync(at(name), mode);
    return at(name);
  };
  writeFileSync(at('file'), '');
  const isRoot = process.getuid?.() === 0;
  const cases: [string, RegExp][] = [
    [at('absent'), /does not exist: mount it, or make it by hand with mode 0700/],
    [at('file'), /is not a directory/],
    [make('open', 0o755), /is open to others than its owner: mode 0700/],
    ...(isRoot ? [] : ([[make('locked', 0o500), /cannot be written to/]] as [string, RegExp][])),
  ];
  for (const [directory, why] of cases) {
    const refused = await init('--second-copy', directory);
    assert.equal(refused.exit, 2, directory);
    assert.match(refused.err, why);
    assert.ok(refused.err.includes(`--second-copy  ${directory}`), refused.err);
  }
  for (const name of ['claviger.yaml', 'claviger.token', 'claviger.kek', 'data']) assert(!existsSync(at(name)), name);
  mkdirSync(at('data', 'copies'), { recursive: true, mode: 0o700 });
  assert.match((await init('--second-copy', at('data', 'copies'))).err, /lies inside the data directory/);
  assert.equal((await init('--second-copy', make('copies', 0o700))).exit, 0);

  const other = place(t);
  writeFileSync(other.at('claviger.yaml'), 'kek: null\nsecondCopy: { directory: ./gone }\n', { mode: 0o600 });
  assert.match((await other.run(['init', '--yes'])).err, /\/secondCopy\/directory {2}.*gone does not exist/);
  assert.equal(existsSync(other.at('claviger.yaml')), true, 'a configuration of somebody else stays');
  assert.equal((await run(['doctor'])).exit, 0);
});

test('init uses the configuration that is there', async (t) => {
  const { at, run } = place(t);
  writeFileSync(at('claviger.yaml'), 'dataDirectory: ./elsewhere\nkek: { kind: key-file, path: ./my.kek }\n', {
    mode: 0o600,
  });
  assert.equal((await run(['init', '--yes'])).exit, 0);
  assert(existsSync(at('elsewhere', 'claviger.db')) && existsSync(at('my.kek')));
});

test('doctor names everything that is wrong at once, with what to do, and never stops at the first', async (t) => {
  const { at, run, init } = place(t);
  writeFileSync(at('claviger.yaml'), 'broker: { listen: "nowhere" }\nunknown: 1\n', { mode: 0o600 });
  const broken = await run(['doctor', '--json']);
  assert.equal(broken.exit, 1);
  assert.equal(found(broken.out, 'configuration').length, 2);
  rmSync(at('claviger.yaml'));

  assert.equal((await init()).exit, 0);
  const fine = await run(['doctor', '--json']);
  assert.deepEqual([fine.exit, (JSON.parse(fine.out) as Doctor).ok], [0, true]);
  chmodSync(at('claviger.token'), 0o644);
  chmodSync(at('data'), 0o755);
  writeFileSync(at('claviger.kek'), Buffer.from(Array.from({ length: 32 }, (_, i) => i * 7 + 3)).toString('base64'));
  const database = new DatabaseSync(at('data', 'claviger.db'));
  database.exec("UPDATE meta SET value = '99' WHERE name = 'schema'");
  database.close();
  const many = await run(['doctor', '--json']);
  assert.equal(many.exit, 1);
  assert.deepEqual(found(many.out, 'token file')[0]?.status, 'error');
  assert.match(found(many.out, 'database')[0]!.message, /newer than this program/);
  assert(found(many.out, 'configuration /dataDirectory').length > 0);
  const back = new DatabaseSync(at('data', 'claviger.db'));
  back.exec("UPDATE meta SET value = '1' WHERE name = 'schema'");
  back.close();
  const key = found((await run(['doctor', '--json'])).out, 'key-encryption key')[0]!;
  assert.equal(key.status, 'error', 'a key file that is not the one');
  const human = await run(['doctor']);
  assert.match(human.out, /^✗ token file: .*open to others/m);
  assert.match(human.out, /^\d+ errors, \d+ warnings$/m);
});

test('doctor names the programs that nothing will ever run', async (t) => {
  const { at, run, init } = place(t);
  assert.equal((await init()).exit, 0);
  writeFileSync(at('set'), '#!/bin/sh\nexit 75\n', { mode: 0o700 });
  const programs = `programs:\n  - { credential: prod/prefect-server/none, replace: [${JSON.stringify(at('set'))}] }\n`;
  writeFileSync(at('claviger.yaml'), `${readFileSync(at('claviger.yaml'), 'utf8')}${programs}`, { mode: 0o600 });
  const { exit, out } = await run(['doctor', '--json']);
  assert.equal(exit, 0, 'nothing is broken by it');
  const [only, ...more] = found(out, 'configuration /programs');
  assert.deepEqual([only?.status, more.length], ['warning', 0]);
  assert.match(only!.message, /a credential that does not exist/);
});

test('an older schema is migrated after a backup, a newer one is refused', async (t) => {
  const { at, run, init } = place(t);
  assert.equal((await init()).exit, 0);
  const set = (version: string) => {
    const database = new DatabaseSync(at('data', 'claviger.db'));
    database.exec(`UPDATE meta SET value = '${version}' WHERE name = 'schema'`);
    database.close();
  };
  set('99');
  assert.match((await run(['migrate'])).err, /newer than this program/);
  assert.match((await run(['audit', 'replay'])).err, /newer than this program/);
  set('1');
  assert.match((await run(['migrate'])).out, /up to date/);
});

test('the configuration that init writes, and the paths in it', () => {
  const choices = {
    dataDirectory: './d',
    secondCopy: '/mnt/c "x"',
    databaseEnv: 'URL',
    apiListen: '[::1]:1',
    brokerListen: null,
  };
  assert.equal(
    configText({ ...choices, kek: { kind: 'passphrase', file: '/run/pass' } }),
    [
      '# The configuration of this server. Every option with its default: claviger.example.yaml.',
      'dataDirectory: "./d"',
      'api:',
      '  listen: "[::1]:1"',
      'database:',
      '  kind: postgresql',
      '  url: { env: "URL" }',
      'kek:',
      '  kind: passphrase',
      '  from: { file: "/run/pass" }',
      'secondCopy:',
      '  directory: "/mnt/c \\"x\\""',
      '',
    ].join('\n'),
  );
  assert.equal(writtenPath('/etc/claviger', '/etc/claviger/kek'), './kek');
  assert.equal(writtenPath('/etc/claviger', '/var/lib/claviger'), '/var/lib/claviger');
  assert.equal(writtenPath('/etc/claviger', '/etc/claviger'), '.');
});

test('the clock: before the ledger or before this program is an error, apart from the database a warning', () => {
  const now = Date.parse('2026-09-21T12:00:00Z');
  const judge = (more: object) => clockCheck({ now, newestEntryAt: null, databaseNow: null, ...more }).status;
  assert.equal(judge({}), 'ok');
  assert.equal(judge({ newestEntryAt: now + 4_000, databaseNow: now - 4_000 }), 'ok');
  assert.equal(judge({ newestEntryAt: now + 60_000 }), 'error');
  assert.equal(judge({ now: 0 }), 'error');
  assert.equal(judge({ databaseNow: now + 60_000 }), 'warning');
});

test('on PostgreSQL: init, doctor, backup, restore', {
  skip: server === null ? 'no PostgreSQL can be started here' : false,
}, async (t) => {
  const url = await server!.createDatabase();
  const { at, run, init } = place(t, { CLAVIGER_TEST_URL: url });
  const begun = await init('--postgresql-url-env', 'CLAVIGER_TEST_URL');
  assert.equal(begun.exit, 0, begun.err);
  const doctor = await run(['doctor', '--json']);
  assert.equal(doctor.exit, 0, doctor.out);
  assert.equal(found(doctor.out, 'clock')[0]?.status, 'ok');
  assert.equal((await run(['backup', at('a.backup')])).exit, 0);
  assert.equal((await run(['audit', 'export', at('out')])).exit, 4, 'nothing was published yet');
  assert.equal((await run(['restore', at('a.backup'), '--yes'])).exit, 4);
  const restored = await run(['restore', at('a.backup'), '--yes', '--replace', '--json']);
  assert.equal(restored.exit, 0, restored.err);
  assert.match((JSON.parse(restored.out) as { setAside: string }).setAside, /^claviger_before_epoch_1/);
  assert.equal(found((await run(['doctor', '--json'])).out, 'recovery').length, 1);
  assert(!`${begun.out}${begun.err}${doctor.out}`.includes(url), 'the URL may hold a password');

  // The same backup into SQLite.
  const other = place(t);
  mkdirSync(other.at('data'), { mode: 0o700 });
  writeFileSync(other.at('claviger.yaml'), 'dataDirectory: ./data\n', { mode: 0o600 });
  appendFileSync(other.at('claviger.yaml'), `kek: { kind: key-file, path: "${at('claviger.kek')}" }\n`);
  assert.equal((await other.run(['restore', at('a.backup'), '--yes'])).exit, 0);
  const moved = await other.run(['doctor', '--json']);
  assert.equal(found(moved.out, 'key-encryption key')[0]?.status, 'ok', 'the same key opens it');
});
