// The whole program: parsing, exit codes, its three forms of output, secrets that never come back out, and what it sends.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { newTokenText } from '../access/token.ts';
import { machineRandom } from '../vault/cipher.io.ts';
import { EXIT_MEANING } from './exit.ts';
import { call, NOW, problem, recordingServer, TOKEN, temporaryFolder } from './test-support.io.ts';

const KEY = `napi_${'canary0123456789'.repeat(4)}`;
const STATUS = {
  version: '0.1.0',
  instance: '0a1b2c3d',
  sealed: false,
  epoch: 0,
  fence: 3,
  dialect: 'sqlite',
  logs: { control: { size: 5 }, use: { size: 9 } },
  unprotected: 0,
  openUses: 0,
};
const CREDENTIAL = {
  id: 'crd_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
  rowVersion: 3,
  environment: 'default',
  provider: 'neon',
  name: 'billing',
  kind: 'organization-key',
  purpose: 'lend',
  policy: {},
  settings: {},
  owner: '',
  note: '',
  createdAt: '2026-09-20T14:13:20.000Z',
  suspendedAt: null,
  retiredAt: null,
  issuerId: null,
  managedBy: null,
};
const PROVIDERS = {
  items: [
    {
      name: 'neon',
      kinds: [
        { name: 'organization-key', parts: ['key'] },
        { name: 'pair', parts: ['id', 'secret'] },
      ],
      actions: [],
    },
  ],
  next: null,
};
const BROUGHT = {
  credential: CREDENTIAL,
  versions: [],
  protected: true,
  grants: 0,
  identified: { providerKeyId: '41', why: '' },
};
const PRINCIPAL = { id: 'prn_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4', rowVersion: 1, name: 'billing-service', roles: [] };

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

test('a secret comes from standard input, a file, a .env file or a prompt, and reaches the body alone', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'key'), `${KEY}\n`);
  writeFileSync(path.join(folder, '.env'), `OTHER=1\nNEON_API_KEY="${KEY}"\n`);
  const { env, requests } = await recordingServer(t, {
    'GET /v1/providers': { json: PROVIDERS },
    'POST /v1/credentials': { status: 201, json: BROUGHT },
  });
  const add = [
    'credential',
    'add',
    'billing',
    '--provider',
    'neon',
    '--kind',
    'organization-key',
    '--set',
    'orgId=org-1',
  ];
  const sources: [string[], { stdin?: string; answers?: string[] }][] = [
    [['--from-stdin'], { stdin: `${KEY}\n` }],
    [['--from-file', path.join(folder, 'key')], {}],
    [['--from-env-file', path.join(folder, '.env'), '--name', 'NEON_API_KEY'], {}],
    [[], { answers: [` ${KEY} `] }],
  ];
  for (const [more, options] of sources) {
    for (const json of [[], ['--json']]) {
      requests.length = 0;
      const { exit, out, err } = await call([...add, ...more, ...json], { env, ...options });
      assert.equal(exit, 0, err);
      const sent = requests.find((request) => request.method === 'POST')!;
      assert.deepEqual(sent.body, {
        provider: 'neon',
        name: 'billing',
        kind: 'organization-key',
        settings: { orgId: 'org-1' },
        parts: { key: KEY },
      });
      assert(!sent.target.includes('canary'));
      assert(!JSON.stringify(sent.headers).includes('canary'));
      assert(!`${out}${err}`.includes('canary'), 'the key is not shown');
      assert.equal(sent.headers.authorization, `Bearer ${TOKEN}`);
      assert.match(String(sent.headers['idempotency-key']), /^[0-9a-f]{32}$/);
    }
  }
});

test('sources of secrets that are refused', async (t) => {
  const folder = temporaryFolder(t);
  const at = (name: string) => path.join(folder, name);
  writeFileSync(at('key'), KEY);
  writeFileSync(at('empty'), '\n');
  writeFileSync(at('.env'), `NEON_API_KEY=${KEY}\n`);
  writeFileSync(at('big.env'), `NEON_API_KEY=${'x'.repeat(300_000)}\n`);
  symlinkSync(at('.env'), at('linked.env'));
  const { env, requests } = await recordingServer(t, { 'GET /v1/providers': { json: PROVIDERS } });
  const add = ['credential', 'add', 'billing', '--provider', 'neon', '--kind', 'organization-key'];
  const refused: [string[], RegExp, { stdin?: string }?][] = [
    [[], /where does the secret come from/],
    [['--from-stdin'], /empty/, { stdin: ' \n' }],
    [['--from-stdin', '--from-file', at('key')], /give one of/],
    [['--from-file', at('empty')], /empty/],
    [['--from-file', at('absent')], /not there/],
    [['--from-file', folder], /plain file|directory/],
    [['--from-env-file', at('linked.env'), '--name', 'NEON_API_KEY'], /links are not followed/],
    [['--from-env-file', at('big.env'), '--name', 'NEON_API_KEY'], /longer than/],
    [['--from-env-file', at('.env')], /NEON_API_KEY/],
    [['--from-env-file', at('.env'), '--name', 'OTHER'], /has no OTHER/],
    [['--name', 'NEON_API_KEY', '--from-stdin'], /goes with --from-env-file/, { stdin: KEY }],
    [['--no-bytes', '--from-file', at('key')], /no source of bytes/],
  ];
  for (const [more, why, options = {}] of refused) {
    const { exit, err } = await call([...add, ...more], { env, ...options });
    assert.notEqual(exit, 0);
    assert.match(err, why, more.join(' '));
    assert(!err.includes('canary'));
  }
  assert(
    requests.every((request) => request.method === 'GET'),
    'nothing was stored',
  );
});

test('a .env file behind a linked directory is refused, where the link lies below the working directory', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(path.join(folder, 'real'));
  writeFileSync(path.join(folder, 'real', '.env'), `K=${KEY}\n`);
  symlinkSync(path.join(folder, 'real'), path.join(folder, 'linked'));
  const { env } = await recordingServer(t, { 'GET /v1/providers': { json: PROVIDERS } });
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => process.chdir(before));
  const args = [
    'credential',
    'add',
    'b',
    '--provider',
    'neon',
    '--kind',
    'organization-key',
    '--name',
    'K',
    '--from-env-file',
  ];
  assert.match((await call([...args, 'linked/.env'], { env })).err, /directory on the way is a link/);
  assert.match(
    (await call([...args, 'real/.env'], { env })).err,
    /there is no such thing/,
    'this one was read and sent',
  );
});

test('a kind with several parts takes each by its name', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, '.env'), 'ID=canary-id\nSECRET=canary-secret\n');
  const { env, requests } = await recordingServer(t, {
    'GET /v1/providers': { json: PROVIDERS },
    'POST /v1/credentials': { status: 201, json: BROUGHT },
  });
  const add = [
    'credential',
    'add',
    'x',
    '--provider',
    'neon',
    '--kind',
    'pair',
    '--from-env-file',
    path.join(folder, '.env'),
  ];
  const { exit } = await call([...add, '--name', 'id=ID', '--name', 'secret=SECRET'], { env });
  assert.equal(exit, 0);
  assert.deepEqual((requests.at(-1)!.body as { parts: unknown }).parts, { id: 'canary-id', secret: 'canary-secret' });
  assert.match((await call([...add, '--name', 'id=ID'], { env })).err, /missing for: secret/);
});

test('the token: of mode 0600, well formed, and never sent to an address that nobody named', async (t) => {
  const folder = temporaryFolder(t);
  const { origin, env, requests } = await recordingServer(t, { 'GET /v1/status': { json: STATUS } });
  const file = path.join(folder, 'token');
  writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 });
  const args = ['status', '--api', origin, '--token-file', file];
  assert.equal((await call(args)).exit, 0);
  chmodSync(file, 0o644);
  const open = await call(args);
  assert.notEqual(open.exit, 0);
  assert.match(open.err, /open to others/);
  const odd = await call(['status'], { env: { ...env, CLAVIGER_TOKEN: 'canary-no-token' } });
  assert.equal(odd.exit, 3);
  assert(!odd.err.includes('canary'));
  const none = await call(['status', '--api', origin]);
  assert.equal(none.exit, 3);
  const plain = await call(['status', '--api', 'http://keys.example.com'], { env });
  assert.match(plain.err, /in clear/);
  assert.equal(requests.length, 1);
});

test('the token beside a configuration is found, and the API by its listener', async (t) => {
  const folder = temporaryFolder(t);
  const { origin } = await recordingServer(t, { 'GET /v1/status': { json: STATUS } });
  const config = path.join(folder, 'claviger.yaml');
  writeFileSync(config, `api:\n  listen: "${origin.slice('http://'.length)}"\n`, { mode: 0o600 });
  assert.match((await call(['status', '--config', config])).err, /no token was found/);
  writeFileSync(path.join(folder, 'claviger.token'), TOKEN, { mode: 0o600 });
  assert.equal((await call(['status', '--config', config])).exit, 0);
  assert.equal((await call(['status'], { env: { CLAVIGER_CONFIG: config } })).exit, 0);
  writeFileSync(config, 'apy: {}\n', { mode: 0o600 });
  const wrong = await call(['status', '--config', config]);
  assert.equal(wrong.exit, 2);
  assert.match(wrong.err, /apy/);
});

test('a token is shown once: on standard output alone, or in a file of mode 0600 and not at all', async (t) => {
  const folder = temporaryFolder(t);
  const issued = { token: { id: 'tok_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4' }, text: 'clv_canary-token' };
  const { env, requests } = await recordingServer(t, {
    'GET /v1/principals': { json: { items: [PRINCIPAL], next: null } },
    [`POST /v1/principals/${PRINCIPAL.id}/tokens`]: { status: 201, json: issued },
  });
  const shown = await call(['token', 'issue', 'billing-service', '--expires-in', '30d'], { env });
  assert.equal(shown.out, 'clv_canary-token\n');
  assert(!shown.err.includes('canary'));
  assert.deepEqual(requests.at(-1)!.body, { expiresInSeconds: 2_592_000 });
  const file = path.join(folder, 'token');
  const kept = await call(['token', 'issue', 'billing-service', '--out', file, '--json'], { env });
  assert(!`${kept.out}${kept.err}`.includes('canary'));
  assert.equal(readFileSync(file, 'utf8'), 'clv_canary-token\n');
  const before = requests.length;
  const taken = await call(['token', 'issue', 'billing-service', '--out', file], { env });
  assert.equal(taken.exit, 4);
  assert(
    requests.slice(before).every((request) => request.method === 'GET'),
    'nothing was issued for nothing',
  );
});

test('credential import prints the two lines for the .env file', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, '.env'), `NEON_API_KEY=${KEY}\n`);
  const { env, requests } = await recordingServer(t, {
    'GET /v1/providers': { json: PROVIDERS },
    'GET /v1/principals': { json: { items: [PRINCIPAL], next: null } },
    'POST /v1/credentials': { status: 201, json: BROUGHT },
    'POST /v1/grants': { status: 201, json: { actions: ['*:read'] } },
    [`POST /v1/principals/${PRINCIPAL.id}/tokens`]: {
      status: 201,
      json: { token: { id: 'tok_1' }, text: 'clv_fresh' },
    },
  });
  const args = [
    'credential',
    'import',
    'billing',
    '--from-env-file',
    path.join(folder, '.env'),
    '--name',
    'NEON_API_KEY',
  ];
  const kind = ['--provider', 'neon', '--kind', 'organization-key'];
  const replace = [
    '--replace-with-token',
    'billing-service',
    '--broker-url',
    'https://keys.example',
    '--action',
    '*:read',
  ];
  const { exit, out, err } = await call([...args, ...kind, ...replace, '--quiet'], { env });
  assert.equal(exit, 0, err);
  assert.equal(out, 'NEON_BASE_URL=https://keys.example\nNEON_API_KEY=clv_fresh\n');
  assert.deepEqual(
    requests.filter((request) => request.method === 'POST').map((request) => request.target),
    ['/v1/credentials', '/v1/grants', `/v1/principals/${PRINCIPAL.id}/tokens`],
  );
  assert.equal((requests.at(-1)!.body as { credential: string }).credential, CREDENTIAL.id);
  assert.match(readFileSync(path.join(folder, '.env'), 'utf8'), /canary/, 'the file is not changed');
  requests.length = 0;
  const missing = await call(
    [...args, ...kind, '--replace-with-token', 'nobody', '--broker-url', 'https://keys.example'],
    { env },
  );
  assert.equal(missing.exit, 1);
  assert(
    requests.every((request) => request.method === 'GET'),
    'nothing is stored where the token could not follow',
  );
});

test('rows are found by name, and an ambiguous name is told apart', async (t) => {
  const twin = { ...CREDENTIAL, id: 'crd_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d5', environment: 'staging' };
  const { env } = await recordingServer(t, {
    'GET /v1/credentials': (request) =>
      request.target.includes('cursor=two')
        ? { json: { items: [twin], next: null } }
        : { json: { items: [CREDENTIAL], next: 'two' } },
    [`POST /v1/credentials/${twin.id}/suspend`]: { json: twin },
  });
  const ambiguous = await call(['credential', 'suspend', 'billing', '--reason', 'x'], { env });
  assert.equal(ambiguous.exit, 4);
  assert.match(ambiguous.err, /default\/neon\/billing or staging\/neon\/billing/);
  assert.equal((await call(['credential', 'suspend', 'staging/neon/billing', '--reason', 'x'], { env })).exit, 0);
  assert.equal((await call(['credential', 'suspend', 'absent', '--reason', 'x'], { env })).exit, 1);
});

test('an edit sends If-Match, so that nobody overwrites what somebody else changed', async (t) => {
  const { env, requests } = await recordingServer(t, {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    [`PATCH /v1/credentials/${CREDENTIAL.id}`]: problem(412, 'precondition-failed', 'it was changed meanwhile'),
  });
  const { exit } = await call(['credential', 'edit', 'billing', '--every-days', '30'], { env });
  assert.equal(exit, 4);
  assert.equal(requests.at(-1)!.headers['if-match'], '"3"');
});

test('rotate shows each step once, ends with the end of the rotation, and resumes over a restart', async (t) => {
  const row = (step: string, end: string | null = null, more = {}) => ({
    id: 'rot_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
    credentialId: CREDENTIAL.id,
    trigger: 'operator',
    reason: 'superseded',
    policy: { death: { refusals: 3 } },
    lastProblem: null,
    state: {
      step,
      end,
      undoing: null,
      promoted: false,
      overdue: false,
      failures: 0,
      death: { refusals: 1 },
      reason: null,
      ...more,
    },
  });
  const states = [row('issue'), row('issue'), row('verify'), null, row('drain'), row('prove'), row('sweep', 'rotated')];
  let polls = 0;
  const answers = {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    'POST /v1/rotations': { status: 202, json: row('issue') },
    [`GET /v1/rotations/${row('issue').id}`]: () => {
      const state = states[Math.min(polls++, states.length - 1)];
      return state === null ? problem(503, 'unavailable', 'starting') : { json: { rotation: state, steps: [] } };
    },
  };
  const { env } = await recordingServer(t, answers);
  const { exit, out, err } = await call(['rotate', 'billing'], { env });
  assert.equal(exit, 0);
  assert.match(out, /Rotated: the old version is proven dead/);
  const lines = err.split('\n').filter((line) => line.startsWith('issue'));
  assert.deepEqual(
    lines.map((line) =>
      line
        .replaceAll(/ {2}\(.*/g, '')
        .split('  ')
        .filter((word) => /[✓…✗]/.test(word))
        .at(-1),
    ),
    ['issue …', 'verify …', 'drain …', 'prove …', 'sweep ✓'],
  );
  assert.match(err, /1 of 3 refusals seen/);

  states.splice(0, states.length, row('verify', 'aborted', { undoing: 'quota', reason: 'quota\u001b[2J' }));
  const aborted = await call(['rotate', 'billing'], { env });
  assert.equal(aborted.exit, 1);
  assert.match(aborted.out, /Aborted, and undone: quota\\u\{1b\}/);
  const detached = await call(['rotate', 'billing', '--no-wait', '--quiet'], { env });
  assert.deepEqual([detached.exit, detached.out], [0, `${row('issue').id}\n`]);
});

test('on a terminal, progress moves in place and colours are used; nothing of it is in --json', async (t) => {
  const row = {
    id: 'rev_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
    versionId: 'ver_1',
    certificateId: 'crt_1',
    policy: { refusals: 3 },
    state: { step: 'prove', end: 'proven', reason: null, death: { refusals: 3 } },
  };
  const { env } = await recordingServer(t, {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    'POST /v1/revocations': { status: 202, json: { revocations: [row], rotationId: null, cut: 2 } },
    [`GET /v1/revocations/${row.id}`]: { json: row },
  });
  const args = ['revoke', 'billing', '--reason', 'compromised'];
  const { exit, out, err } = await call(args, { env, columns: 80, answers: ['y'] });
  assert.equal(exit, 0);
  assert.match(err, /stops working.*\[y\/N\]/);
  assert.match(err, /\r\u001b\[2K.*suspend \u001b\[32m✓/);
  assert.match(out, /certificate show crt_1/);
  const quiet = await call([...args, '--yes', '--json'], { env, columns: 80 });
  assert.deepEqual([quiet.err, JSON.parse(quiet.out).items[0].id], ['', row.id]);
  assert.equal((await call(args, { env, answers: ['n'] })).out, 'Nothing was done.\n');
  assert.equal((await call(args, { env })).exit, 2, 'where nobody can be asked, --yes is needed');
});

test('apply: the difference first, then the question; places in the files for what is wrong', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'a.yaml'), 'principals:\n  - name: billing-service\n    kind: service\n');
  writeFileSync(
    path.join(folder, 'b.yml'),
    'grants:\n  - principal: billing-service\n    credential: neon/billing\n    actions: [project.get]\n',
  );
  writeFileSync(path.join(folder, 'README.md'), 'not a document');
  const changes = [
    {
      op: 'add',
      noun: 'principal',
      name: 'billing-service',
      diff: { kind: { from: null, to: 'service' }, note: { from: null, to: '' } },
    },
    { op: 'change', noun: 'grant', name: 'x', diff: { actions: { from: ['a'], to: ['b\u001b'] } } },
    { op: 'none', noun: 'credential', name: 'neon/billing', diff: {} },
  ];
  const unmentioned = [{ noun: 'grant', name: 'old' }];
  const { env, requests } = await recordingServer(t, {
    'POST /v1/apply': (request) => ({
      json: { changes, unmentioned, applied: (request.body as { dryRun: boolean }).dryRun === false },
    }),
  });
  const dry = await call(['apply', folder, '--dry-run', '--exit-code'], { env });
  assert.equal(dry.exit, 1);
  assert.match(
    dry.out,
    /^\+ principal billing-service\n {4}kind: service\n~ grant x\n {4}actions: \["a"\] → \["b\\u001b"\]\n\? grant old/,
  );
  assert.match(dry.out, /1 to add, 1 to change, 1 as they are/);
  assert.deepEqual(
    requests.map((request) => (request.body as { dryRun: boolean }).dryRun),
    [true],
  );
  const documents = (requests[0]!.body as { documents: { principals: unknown[]; grants: unknown[] } }).documents;
  assert.deepEqual([documents.principals.length, documents.grants.length], [1, 1]);
  requests.length = 0;
  assert.equal((await call(['apply', folder], { env, answers: ['no'] })).out.endsWith('Nothing was done.\n'), true);
  assert.equal(requests.length, 1);
  assert.equal((await call(['apply', folder, '--yes'], { env })).exit, 0);
  assert.equal(requests.length, 3);

  const errors = [{ pointer: '/documents/grants/0/actions', detail: 'there is no such action' }];
  const refusing = await recordingServer(t, { 'POST /v1/apply': problem(400, 'invalid', 'not accepted', { errors }) });
  const refused = await call(['apply', folder], { env: refusing.env });
  assert.match(refused.err, /b\.yml\/grants\/0\/actions {2}line 4, column 5: there is no such action/);
});

test('apply refuses bytes in files, unknown sections and what is no YAML, all at once and without repeating it', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'a.yaml'), `credentials:\n  - name: x\n    note: ${KEY}\nsecrets: []\n`);
  writeFileSync(path.join(folder, 'b.yaml'), 'principals: {canary: 1}\n');
  writeFileSync(path.join(folder, 'c.yaml'), 'principals: [canary\n');
  const { env, requests } = await recordingServer(t, {});
  const { exit, err } = await call(['apply', folder], { env });
  assert.equal(exit, 2);
  assert.match(err, /a\.yaml\/credentials\/0\/note {2}line 3, column 11: this looks like a secret/);
  assert.match(err, /a\.yaml\/ {2}line 4, column 1: expected one of principals, credentials, grants/);
  assert.match(err, /b\.yaml\/principals {2}line 1, column 1: expected a list/);
  assert.match(err, /c\.yaml/);
  assert(!err.includes('canary'));
  assert.equal(requests.length, 0);
});

test('hostile names in lists stay in their cells, in every form of output', async (t) => {
  const hostile = { ...CREDENTIAL, name: 'x\u001b]52;c;canary\u0007', owner: '\u202egnp\n+ forged' };
  const { env } = await recordingServer(t, { 'GET /v1/credentials': { json: { items: [hostile], next: null } } });
  for (const form of [[], ['--json'], ['--quiet']]) {
    const { out, err } = await call(['credential', 'list', ...form], { env, columns: 200 });
    assert.doesNotMatch(`${out}${err}`.replaceAll(/\u001b\[\d+m/g, ''), /[\u0000-\u0009\u000b-\u001f\u202e]/);
  }
  const { out } = await call(['credential', 'list'], { env });
  assert.equal(out.trimEnd().split('\n').length, 2);
  assert.match(out, /2026-09-20 14:13:20Z \(1 d ago\)/, new Date(NOW).toISOString());
});

test('grant suggest gives a line that can be pasted, whatever was observed', async (t) => {
  const items = [
    {
      principal: PRINCIPAL.id,
      actions: ['branch.create'],
      parameters: { project_id: ["a'; rm -rf /"] },
      uses: 41,
      wouldDeny: 0,
    },
  ];
  const { env, requests } = await recordingServer(t, {
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    'GET /v1/principals': { json: { items: [PRINCIPAL], next: null } },
    'POST /v1/grants/suggest': { json: { items } },
  });
  const { out } = await call(['grant', 'suggest', 'billing', '--since', '90d'], { env });
  assert.equal((requests.at(-3)?.body as { sinceSeconds?: number })?.sinceSeconds ?? 7_776_000, 7_776_000);
  assert.match(
    out,
    /claviger grant add billing-service default\/neon\/billing --action branch\.create --parameter 'project_id=a'\\''; rm -rf \/'/,
  );
});
