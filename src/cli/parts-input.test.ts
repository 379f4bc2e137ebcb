// Keys of several parts: asked for, read from wherever each part is, and never taken from an argument where the part is a secret. Keys of one
// part: secrets.test.ts.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { BROUGHT, PRINCIPAL, PROVIDERS } from './test-rows.ts';
import { type CallOptions, call, recordingServer, temporaryFolder } from './test-support.io.ts';

/** A call of `credential add` for a kind with one public part, and the parts that were sent; null where nothing was. */
async function addClient(t: TestContext, more: readonly string[], options: CallOptions = {}, provider = 'neon') {
  const { env, requests } = await recordingServer(t, {
    'GET /v1/providers': { json: PROVIDERS },
    'POST /v1/credentials': { status: 201, json: BROUGHT },
  });
  const args = ['credential', 'add', 'x', '--provider', provider, '--kind', 'client', ...more];
  const said = await call(args, { env, ...options });
  const sent = requests.find((request) => request.method === 'POST');
  return { ...said, parts: (sent?.body as { parts?: unknown } | undefined)?.parts ?? null };
}

const CLIENT_ID = '0123456789abcdef01234567';
const CLIENT = { clientId: CLIENT_ID, secret: 'canary-secret' };

test('each part is asked for: a public one is shown while it is typed, a secret one is not', async (t) => {
  for (const provider of ['neon', 'plaid']) {
    const { exit, err, parts } = await addClient(t, [], { answers: [` ${CLIENT_ID}`, 'canary-secret '] }, provider);
    assert.equal(exit, 0, err);
    assert.deepEqual(parts, CLIENT);
    assert.match(err, /^clientId: secret \(not shown\): /);
  }
  const rest = await addClient(t, ['--part', `clientId=${CLIENT_ID}`], { answers: ['canary-secret'] });
  assert.deepEqual(rest.parts, CLIENT);
  assert.match(rest.err, /^secret \(not shown\): /);
});

test('parts by their names, from wherever each of them is', async (t) => {
  const folder = temporaryFolder(t);
  const at = (name: string) => path.join(folder, name);
  writeFileSync(at('secret'), 'canary-secret\n');
  writeFileSync(at('id'), `${CLIENT_ID}\n`);
  writeFileSync(at('.env'), `CLIENT=${CLIENT_ID}\nSECRET=canary-secret\n`);
  const named = `clientId=${CLIENT_ID}`;
  const env = ['--from-env-file', at('.env'), '--name', 'SECRET'];
  const stdin = { stdin: 'canary-secret\n' };
  const ways: [string[], CallOptions?][] = [
    [['--part', named, '--part', `secret=@${at('secret')}`]],
    [['--part', `clientId=@${at('id')}`, '--part', 'secret=-'], stdin],
    [['--part', named, '--from-stdin'], stdin],
    [['--part', named, '--from-file', at('secret')]],
    [['--from-file', `clientId=${at('id')}`, '--from-file', `secret=${at('secret')}`]],
    [['--part', named, ...env]],
    [[...env, '--name', 'clientId=CLIENT']],
  ];
  for (const [more, options] of ways) {
    const { exit, out, err, parts } = await addClient(t, more, options);
    assert.equal(exit, 0, `${more.join(' ')}: ${err}`);
    assert.deepEqual(parts, CLIENT);
    assert(!`${out}${err}`.includes('canary'));
  }
});

test('a secret part is never taken from an argument; parts that are unknown, double or missing are said', async (t) => {
  const named = `clientId=${CLIENT_ID}`;
  const stdin = { stdin: 'canary-secret' };
  const refused: [string[], RegExp, CallOptions?][] = [
    [['--part', named, '--part', 'secret=canary-plain'], /rotate it/],
    [['--part', named, '--part', 'other=canary-plain'], /clientId=text, secret=@path/],
    [['--part', 'canary-plain'], /takes the name of a part/],
    [['--part', '-'], /takes the name of a part/, stdin],
    [['--part', named, '--part', named, '--from-stdin'], /once for each of/, stdin],
    [['--part', 'secret=-', '--from-stdin'], /once for each of/, stdin],
    [['--part', 'clientId=-', '--from-stdin'], /standard input gives one part/, stdin],
    [['--part', 'clientId=', '--from-stdin'], /empty/, stdin],
    [['--part', named], /missing for: secret/],
    [['--from-stdin'], /missing for: clientId/, stdin],
    [['--no-bytes', '--part', named], /no source of bytes/],
  ];
  for (const [more, why, options] of refused) {
    const { exit, err, parts } = await addClient(t, more, options);
    assert.equal(exit, 2, more.join(' '));
    assert.match(err, why, more.join(' '));
    assert(!err.includes('canary'));
    assert.equal(parts, null);
  }
  const twoSecrets = ['credential', 'add', 'x', '--provider', 'neon', '--kind', 'pair', '--from-stdin'];
  const { env } = await recordingServer(t, { 'GET /v1/providers': { json: PROVIDERS } });
  assert.match((await call(twoSecrets, { env, ...stdin })).err, /say which one it is/);
});

test('credential import takes a kind’s parts by several names; the token takes the place of the secret part alone', async (t) => {
  const folder = temporaryFolder(t);
  const file = path.join(folder, '.env');
  writeFileSync(file, `BANK_CLIENT_ID=${CLIENT_ID}\nBANK_SECRET=canary-secret\nPAIR_ID=canary-id\n`);
  const { env, requests } = await recordingServer(t, {
    'GET /v1/providers': { json: PROVIDERS },
    'GET /v1/principals': { json: { items: [PRINCIPAL], next: null } },
    'POST /v1/credentials': { status: 201, json: BROUGHT },
    [`POST /v1/principals/${PRINCIPAL.id}/tokens`]: {
      status: 201,
      json: { token: { id: 'tok_1' }, text: 'clv_fresh' },
    },
  });
  const args = ['credential', 'import', 'bank', '--provider', 'neon', '--from-env-file', file];
  const replace = ['--replace-with-token', 'billing-service', '--broker-url', 'https://keys.example'];
  const client = [
    ...args,
    ...replace,
    '--kind',
    'client',
    '--name',
    'clientId=BANK_CLIENT_ID',
    '--name',
    'BANK_SECRET',
  ];
  const short = await call([...client, '--quiet'], { env });
  assert.equal(short.out, 'BANK_BASE_URL=https://keys.example\nBANK_SECRET=clv_fresh\n');
  const sent = requests.find((request) => request.target.startsWith('/v1/credentials'))!;
  assert.deepEqual((sent.body as { parts: unknown }).parts, CLIENT);
  const told = await call(client, { env });
  assert.match(told.out, /^As they are, since they are no secrets: BANK_CLIENT_ID$/m);
  const pair = [
    ...args,
    ...replace,
    '--kind',
    'pair',
    '--name',
    'secret=BANK_SECRET',
    '--name',
    'id=PAIR_ID',
    '--quiet',
  ];
  assert.equal(
    (await call(pair, { env })).out,
    'PAIR_ID_BASE_URL=https://keys.example\nPAIR_ID=clv_fresh\nBANK_SECRET=held-by-claviger\n',
  );
});
