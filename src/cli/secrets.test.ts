// Secrets and tokens: where they may come from, what is refused, and that none of them comes back out.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { BROUGHT, CREDENTIAL, KEY, PRINCIPAL, PROVIDERS, STATUS } from './test-rows.ts';
import { call, problem, recordingServer, TOKEN, temporaryFolder } from './test-support.io.ts';

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

test('where a token is sent is said beside it: bound, with the provider’s paths; unbound, with the credential’s first', async (t) => {
  const issued = { token: { id: 'tok_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4' }, text: 'clv_fresh' };
  const answers = {
    'GET /v1/principals': { json: { items: [PRINCIPAL], next: null } },
    'GET /v1/credentials': { json: { items: [CREDENTIAL], next: null } },
    [`POST /v1/principals/${PRINCIPAL.id}/tokens`]: { status: 201, json: issued },
  };
  const knowing = await recordingServer(t, { ...answers, 'GET /v1/providers': { json: PROVIDERS } });
  const env = { ...knowing.env, CLAVIGER_BROKER: 'https://keys.example' };
  const issue = ['token', 'issue', 'billing-service'];
  const bound = await call([...issue, '--credential', 'billing'], { env });
  assert.match(bound.err, /give it https:\/\/keys\.example\/api\/v2$/m);
  assert.match((await call(issue, { env })).err, /https:\/\/keys\.example\/<provider>\/<credential>, and/);
  assert.equal((await call([...issue, '--quiet'], { env })).err, '');
  const denying = await recordingServer(t, { ...answers, 'GET /v1/providers': problem(403, 'denied', 'no') });
  const unsure = await call([...issue, '--credential', 'billing'], { env: denying.env });
  assert.deepEqual([unsure.exit, unsure.out], [0, 'clv_fresh\n']);
  assert.match(unsure.err, /paths follow this address: <address of the broker>\/…/);
});

test('what is never lent is not offered for granting', async (t) => {
  const added = (purpose: string) => ({ ...BROUGHT, credential: { ...CREDENTIAL, purpose } });
  const { env } = await recordingServer(t, {
    'GET /v1/providers': { json: PROVIDERS },
    'POST /v1/credentials': ({ body }) => ({
      status: 201,
      json: added((body as { purpose?: string }).purpose ?? 'lend'),
    }),
  });
  const add = ['credential', 'add', 'billing', '--provider', 'neon', '--kind', 'organization-key', '--no-bytes'];
  assert.match((await call(add, { env })).err, /Grant its use/);
  assert.equal((await call([...add, '--purpose', 'manage'], { env })).err, '');
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
  const told = await call([...args, ...kind, ...replace], { env });
  assert.match(
    told.out,
    /where its client takes https:\/\/console\.neon\.tech\/api\/v2, give it https:\/\/keys\.example\/api\/v2\n$/,
  );
  requests.length = 0;
  const minting = await call([...args, ...kind, ...replace, '--purpose', 'manage'], { env });
  assert.equal(minting.exit, 2);
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
