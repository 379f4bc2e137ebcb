// The whole program: parsing, exit codes, its three forms of output, arguments that look like secrets.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { newTokenText } from '../access/token.ts';
import { machineRandom } from '../vault/cipher.io.ts';
import { EXIT_MEANING } from './exit.ts';
import { KEY, STATUS } from './test-rows.ts';
import { call, problem, recordingServer, TOKEN, temporaryFolder } from './test-support.io.ts';

test('a result in three forms: for people, for programs, and only what a script wants', async (t) => {
  const { env } = await recordingServer(t, { 'GET /v1/status': { json: STATUS } });
  const people = await call(['status'], { env });
  assert.deepEqual([people.exit, people.err], [0, '']);
  assert.match(people.out, /^state {8}serving$/m);
  const programs = await call(['status', '--json'], { env });
  assert.deepEqual(JSON.parse(programs.out), STATUS);
  const script = await call(['--quiet', 'status'], { env });
  assert.equal(script.out, 'serving\n');
});

test('each answer of the server ends with its exit code, and says what to do', async (t) => {
  const cases: [number, string, number, RegExp][] = [
    [400, 'invalid', 2, /wrong name/],
    [401, 'unauthenticated', 3, /--token-file/],
    [403, 'denied', 3, /whoami/],
    [404, 'not-found', 1, /wrong name/],
    [409, 'conflict', 4, /wrong name/],
    [412, 'precondition-failed', 4, /wrong name/],
    [429, 'rate-limited', 6, /again in 7 s/],
    [500, 'corrupt', 1, /wrong name/],
    [502, 'upstream-unavailable', 1, /wrong name/],
    [503, 'sealed', 6, /claviger unseal/],
    [503, 'unavailable', 6, /again in 7 s/],
  ];
  for (const [status, code, exit, said] of cases) {
    const answer = { ...problem(status, code, 'wrong name'), headers: { 'retry-after': '7' } };
    const { env } = await recordingServer(t, { 'GET /v1/status': answer });
    const people = await call(['status'], { env });
    assert.equal(people.exit, exit, code);
    assert.equal(people.out, '');
    assert.match(people.err, /^error: wrong name$/m);
    assert.match(people.err, said, code);
    const programs = await call(['status', '--json'], { env });
    assert.deepEqual([JSON.parse(programs.err).error.exit, programs.out], [exit, '']);
    assert(exit in EXIT_MEANING);
  }
});

test('wrong fields are named, one line each; hostile text in a problem is made visible', async (t) => {
  const errors = [
    { pointer: '/name', detail: 'not a slug' },
    { pointer: '/roles/0', detail: 'unknown\u001b[2J' },
  ];
  const { env } = await recordingServer(t, {
    'POST /v1/principals': problem(400, 'invalid', 'not accepted', { errors }),
  });
  const { exit, err } = await call(['principal', 'add', 'X'], { env });
  assert.equal(exit, 2);
  assert.match(err, /^ {2}\/name {2}not a slug$/m);
  assert.match(err, /^ {2}\/roles\/0 {2}unknown\\u\{1b\}\[2J$/m);
});

test('a server that cannot be reached, and one that is none', async (t) => {
  const { origin, env } = await recordingServer(t, {
    'GET /v1/status': { status: 200, text: '<html>' },
    'GET /v1/whoami': { status: 502, text: '<html>' },
  });
  const absent = await call(['status'], { env: { CLAVIGER_API: 'http://127.0.0.1:1', CLAVIGER_TOKEN: TOKEN } });
  assert.equal(absent.exit, 5);
  assert.match(absent.err, /no answer from http:\/\/127\.0\.0\.1:1/);
  const foreign = await call(['whoami'], { env });
  assert.match(foreign.err, /not as a Claviger server does/);
  const tls = await call(['status'], { env: { ...env, CLAVIGER_API: origin.replace('http:', 'https:') } });
  assert.equal(tls.exit, 5);
});

test('a redirect is not followed: the token goes nowhere else', async (t) => {
  const other = await recordingServer(t, { 'GET /v1/status': { json: STATUS } });
  const { env } = await recordingServer(t, {
    'GET /v1/status': { status: 307, headers: { location: `${other.origin}/v1/status` }, json: {} },
  });
  assert.equal((await call(['status'], { env })).exit, 1);
  assert.equal(other.requests.length, 0);
});

test('wrong calls end with 2, and what was typed is not repeated', async (t) => {
  const { env } = await recordingServer(t, {});
  const secretive = 'hunter2-canary';
  const calls: [string[], RegExp][] = [
    [['credental'], /no command credental.*did you mean credential/],
    [['credential', 'ad'], /did you mean add/],
    [['status', '--colour'], /no option --colour/],
    [['status', secretive], /too many arguments/],
    [['credential', 'add', 'x', `--key=${secretive}`], /no option --key\b.*\n.*secrets are never arguments/],
    [['credential', 'add', 'x', '--password', secretive], /secrets are never arguments/],
    [['principal', 'add', 'x', '--kind', secretive], /--kind takes one of: service, person/],
    [['principal', 'add'], /argument is missing/],
    [['principal', 'add', 'x', '--owner'], /--owner needs a value/],
    [['audit', 'show', secretive, '1'], /takes one of: control, use/],
    [['token', 'issue', 'x', '--expires-in', secretive], /--expires-in takes a duration/],
    [['credential', 'edit', 'x', '--every-days', secretive], /--every-days takes a whole number/],
    [['grant', 'add', 'a', 'b', '--action', 'x', '--rate', secretive], /--rate takes requests\/period/],
    [['grant', 'add', 'a', 'b'], /--action is needed/],
    [['rotation', 'show', secretive], /takes the id of a rotation/],
    [['--api', `https://u:${secretive}@h`, 'status'], /holds a user or a password/],
  ];
  for (const [args, why] of calls) {
    const { exit, out, err } = await call(args, { env });
    assert.deepEqual([exit, out], [2, ''], `${args.join(' ')}: ${err}`);
    assert.match(err, why, args.join(' '));
    assert(!`${out}${err}`.includes(secretive), args.join(' '));
  }
});

test('an argument that looks like a secret is refused before anything is sent, and not echoed', async (t) => {
  const { env, requests } = await recordingServer(t, { 'GET /v1/status': { json: STATUS } });
  const known = newTokenText(machineRandom);
  for (const args of [
    ['credential', 'add', KEY, '--provider', 'neon'],
    ['credential', 'add', 'x', `--set=token=${KEY}`],
    ['status', '--token-file', known],
    ['principal', 'add', 'x', '--note', `uses ${KEY} now`],
    ['status', '--json', '--api', `https://h/?k=${KEY}`],
  ]) {
    const { exit, out, err } = await call(args, { env });
    assert.equal(exit, 2);
    assert.match(err, /looks like a secret/);
    assert(!`${out}${err}`.includes('canary') && !`${out}${err}`.includes(known));
  }
  assert.equal(requests.length, 0);
});

test('help and version: to standard output, exit code 0; a group alone asks which command', async () => {
  for (const args of [
    ['--help'],
    ['help'],
    ['credential', '--help'],
    ['credential', 'add', '--help'],
    ['help', 'rotate'],
  ]) {
    const { exit, out } = await call(args);
    assert.equal(exit, 0, args.join(' '));
    assert.match(out, /^Usage: claviger/, args.join(' '));
  }
  const { out } = await call(['credential', 'add', '--help']);
  assert.match(out, /^Examples:$/m);
  assert.match((await call(['--version'])).out, /^\d+\.\d+\.\d+\n$/);
  const { exit, err } = await call(['credential']);
  assert.equal(exit, 2);
  assert.match(err, /which command/);
});

test('a configuration that is named and not there is a wrong call', async (t) => {
  const folder = temporaryFolder(t);
  for (const command of ['status', 'doctor', 'backup']) {
    const args = [
      command,
      ...(command === 'backup' ? [path.join(folder, 'b')] : []),
      '--config',
      path.join(folder, 'absent.yaml'),
    ];
    const { exit, out, err } = await call(args);
    assert.equal(exit, command === 'doctor' ? 1 : 2, command);
    assert.match(`${out}${err}`, /cannot be read/);
  }
});
