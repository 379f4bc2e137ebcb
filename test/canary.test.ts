// The canary: every secret of an installation is known here, and whatever leaves it is searched for them: what commands print, the server's
// log, answers and errors of API and broker, database and write-ahead log, export, backup, second copies, the crash report. The exceptions
// are named: a new token is shown this once, where it was asked for, and `init` leaves the admin's in a file of its own.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { createApp, SIGNING_KEY_BLOB, signingKeyContext } from '../src/app.io.ts';
import { revealSecret, revealSecretText, Secret } from '../src/model/secret.ts';
import { unseal } from '../src/unseal.io.ts';
import { type Birdcage, GROUPS, openBirdcage } from './canary-house.ts';
import { MARK, search, type Wanted, wanted } from './canary-search.ts';
import { openFaultHouse } from './journeys/fault-house.ts';
import { houseConfig } from './support/house.ts';

test('the search finds each form, wherever it begins', () => {
  const secret = Buffer.from('a canary in a mine');
  const secrets = [wanted('secret', secret), wanted('marker', MARK)];
  const hidden = [
    (before: string) => `${before}${secret}`,
    (before: string) => Buffer.from(`${before}${secret} and more`).toString('base64'),
    (before: string) => Buffer.from(`${before}${secret} and more`).toString('base64url'),
    (before: string) => Buffer.from(`${before}${secret}`).toString('hex'),
    (before: string) => before + [...secret].map((byte) => `%${byte.toString(16)}`).join(''),
    (before: string) => before + [...secret].map((byte) => `\\u00${byte.toString(16)}`).join(''),
  ];
  for (const [n, hide] of hidden.entries()) {
    for (const before of ['', 'x', 'xy', 'xyz']) {
      const names = search('here', Buffer.from(hide(before)), secrets).map((line) => line.split(',')[0]);
      assert.ok(names.includes('secret') && names.includes('marker'), `form ${n} behind ${before.length} characters`);
    }
  }
  assert.deepEqual(search('here', Buffer.from('a cana ry in a mine'), secrets), []);
});

const PASSPHRASE = 'canary passphrase: a bird in a mine';
const CRASH_ON_SIGNAL = `data:text/javascript,process.on('SIGUSR2',()=>{throw new Error('injected')})`;

/** Keys come in, are lent, rotated, listed. Returns the first key, now dead, and a caller's token. */
async function ordinaryLife(cage: Birdcage): Promise<{ key: string; token: string }> {
  const { run, send, twin } = cage;
  const { seeds } = twin.control;
  const adminKey = path.join(cage.inputs, 'admin.key');
  writeFileSync(adminKey, revealSecretText(seeds.adminKey), { mode: 0o600 });
  const key = revealSecretText(twin.control.mint({ kind: 'organization' }).key);
  const issuer = ['--kind', 'personal-key', '--purpose', 'manage', '--from-file', adminKey];
  await run(['credential', 'add', 'issuer', '--provider', 'neon', ...issuer]);
  const shop = [...organizationKey(cage), '--issuer', 'issuer', '--quiet-for', '0s', '--from-stdin'];
  await run(['credential', 'add', 'shop', ...shop], { input: key });
  await run(['principal', 'add', 'caller', '--kind', 'service']);
  await run(['grant', 'add', 'caller', 'shop', '--action', '*']);
  const shown = await run(['token', 'issue', 'caller', '--json'], { shows: true });
  const token = /clv_[0-9A-Za-z]{33}/.exec(shown)?.[0] ?? '';
  const bearer = { authorization: `Bearer ${token}` };
  assert.equal(await send('GET', `/neon/shop/api/v2/projects/${seeds.projectId}`, bearer), 200);
  await run(['rotate', 'shop']);
  await run(['credential', 'list']);
  await run(['credential', 'show', 'shop']);
  await run(['inventory', 'run']);
  return { key, token };
}

function organizationKey(cage: Birdcage): string[] {
  return ['--provider', 'neon', '--kind', 'organization-key', '--set', `orgId=${cage.twin.control.seeds.orgId}`];
}

/** Requests to the broker that are refused, or that hold a key or a token where none belongs. */
async function misuse({ send }: Birdcage, key: string, token: string): Promise<void> {
  const bearer = { authorization: `Bearer ${token}` };
  const json = { ...bearer, 'content-type': 'application/json' };
  const projects = '/neon/shop/api/v2/projects';
  const requests: readonly (readonly [string, string, Record<string, string>, string?])[] = [
    ['GET', projects, {}],
    ['GET', projects, { authorization: `Bearer ${key}` }],
    ['GET', projects, { authorization: `Basic ${Buffer.from(`user:${key}`).toString('base64')}` }],
    ['GET', projects, { authorization: `Bearer ${token}x` }],
    ['GET', `${projects}?api_key=${key}`, {}],
    ['GET', `${projects}?token=${token}`, {}],
    ['GET', `${projects}?api_key=${key}`, bearer],
    ['GET', `/neon/shop/${key}`, bearer],
    ['GET', `/neon/${key}/api/v2/projects`, bearer],
    ['GET', `/${key}`, bearer],
    ['GET', `${projects}/%2e%2e/${key}`, bearer],
    ['GET', projects, { ...bearer, cookie: `key=${key}` }],
    ['GET', projects, { ...bearer, 'x-api-key': token }],
    ['GET', projects, { ...bearer, 'x-key': key }],
    ['GET', projects, { ...bearer, host: `${key}.example` }],
    ['GET', projects, { ...bearer, 'x-forwarded-for': key }],
    ['GET', projects, { ...bearer, 'user-agent': `curl ${token}` }],
    ['POST', projects, json, `{"project":{"name":"${key}"}}`],
    ['POST', '/neon/shop/api/v2/nothing', json, `{"key":"${key}"}`],
    [`K${key.slice(0, 10).toUpperCase()}`, '/neon/shop/', bearer],
  ];
  // The parser of the client refuses some of them itself.
  for (const [method, target, headers, body] of requests) await send(method, target, headers, body).catch(() => {});
}

/** Calls of the API and commands that go wrong with a secret in them. */
async function mistakes(cage: Birdcage, key: string): Promise<void> {
  const { ask, run } = cage;
  const add = ['credential', 'add', 'wrong', ...organizationKey(cage), '--from-stdin'];
  await run(add, { input: 'napi_canary but not of the form\n', fails: true });
  await run(add, { input: key, fails: true });
  const credential = { provider: 'neon', name: 'wrong', kind: 'organization-key' };
  await ask('POST', '/v1/credentials', { body: `{"parts": {"key": "${key}"` });
  await ask('POST', '/v1/credentials', { body: { ...credential, parts: { key: [key] } } });
  await ask('POST', '/v1/credentials', { body: { ...credential, parts: { key }, settings: { orgId: key } } });
  await ask('POST', '/v1/credentials', { body: { ...credential, name: key, kind: key } });
  await ask('GET', '/v1/whoami', { token: key });
  await ask('GET', `/v1/credentials/${key}`);
  await ask('GET', `/v1/${key}?${key}=${key}`);
}

/** Sealed, with the wrong passphrase and with the right one; another key-encryption key, and back. */
async function sealing({ run, send }: Birdcage, token: string): Promise<void> {
  await run(['seal', '--yes']);
  assert.equal(await send('GET', '/neon/shop/api/v2/projects', { authorization: `Bearer ${token}` }), 503);
  await run(['unseal', '--from-stdin'], { input: 'the wrong canary\n', fails: true });
  await run(['unseal', '--from-stdin'], { input: PASSPHRASE });
  await run(['kek', 'rotate', '--from-stdin'], { input: `${PASSPHRASE}, and another` });
  await run(['kek', 'rotate', '--from-stdin'], { input: PASSPHRASE });
}

/** Everything that can be read. */
async function reading({ ask, run }: Birdcage): Promise<void> {
  const nouns = ['status', 'whoami', 'principals', 'credentials', 'grants', 'rotations', 'revocations', 'certificates'];
  const others = ['inventory', 'keks', 'providers', 'audit/checkpoints'];
  const logs = ['audit/control?limit=200', 'audit/use?limit=200'];
  for (const target of [...nouns, ...others, ...logs]) assert.equal(await ask('GET', `/v1/${target}`), 200, target);
  await ask('GET', '/openapi.json');
  await run(['status']);
  await run(['doctor', '--all']);
  for (const log of ['control', 'use']) await run(['audit', 'tail', log]);
}

/** An internal error while a key is on its way in, one while rows are read, and one that ends the server. */
async function breaking(cage: Birdcage, key: string): Promise<void> {
  const { ask, end, home, installation, twin } = cage;
  const database = new DatabaseSync(path.join(installation, 'data', 'claviger.db'), { timeout: 5_000 });
  database.exec('ALTER TABLE credentials RENAME TO away; ALTER TABLE rotations RENAME TO away_too');
  const settings = { orgId: twin.control.seeds.orgId };
  const body = { provider: 'neon', name: 'late', kind: 'organization-key', settings, parts: { key } };
  assert.ok((await ask('POST', '/v1/credentials?resolve=false', { body })) >= 500);
  assert.ok((await ask('GET', '/v1/rotations')) >= 500);
  database.exec('ALTER TABLE away RENAME TO credentials; ALTER TABLE away_too RENAME TO rotations');
  database.close();
  await end('SIGUSR2');
  assert.match(cage.serverOutput(), /injected/);
  assert.equal(readdirSync(path.join(home, 'crash')).length, 1, 'there is no crash report');
}

/** The private half of the ledger's key, opened as the server opens it: the only way to know it. */
async function signingKey({ installation }: Birdcage): Promise<Buffer> {
  const config = { ...houseConfig(installation, {}), dataDirectory: path.join(installation, 'data') };
  const app = await createApp({ config, onLost: () => {} }, () => Promise.reject(new Error('none is configured')));
  await unseal(app, { kind: 'passphrase', passphrase: new Secret(PASSPHRASE) });
  const blobs = app.database.read.selectFrom('blobs').select('value');
  const row = await blobs.where('id', '=', SIGNING_KEY_BLOB).executeTakeFirst();
  const parts = app.vault.openParts(signingKeyContext(app.instance), row!.value);
  // It stands at the end of the PKCS #8 form; what is before it is the same for every key.
  const secret = Buffer.from(revealSecret(parts['key']!)).subarray(-32);
  const copy = Buffer.from(secret);
  await app.stop();
  return copy;
}

describe('nothing that leaves an installation holds a secret', () => {
  const secrets: Wanted[] = [wanted('a marked secret', MARK)];
  let cage: Birdcage;

  before(async () => {
    cage = await openBirdcage(PASSPHRASE);
    const { home, installation, run, start, end, collectFiles } = cage;
    const data = path.join(installation, 'data');
    await run(['init', '--yes'], { shows: true });
    const crash = [
      '--report-uncaught-exception',
      `--report-directory=${path.join(home, 'crash')}`,
      '--report-exclude-env',
    ];
    await start([...crash, '--import', CRASH_ON_SIGNAL]);
    const { key, token } = await ordinaryLife(cage);
    secrets.push(wanted('a caller’s token', token));
    secrets.push(wanted('the admin’s token', readFileSync(cage.tokenFile(), 'utf8').trim()));
    await misuse(cage, key, token);
    await mistakes(cage, key);
    await sealing(cage, token);
    await reading(cage);
    await run(['revoke', 'shop', '--reason', 'compromised', '--yes']);
    await run(['backup', path.join(home, 'backup')]);
    collectFiles('database', data);
    await breaking(cage, key);
    await start();
    await end('SIGTERM');
    await run(['audit', 'export', path.join(home, 'export')]);
    await run(['audit', 'verify']);
    await run(['audit', 'replay']);
    await run(['restore', path.join(home, 'backup'), '--replace', '--yes']);
    collectFiles('database', data);
    collectFiles('export', path.join(home, 'export'));
    cage.collect('backup', readFileSync(path.join(home, 'backup')));
    collectFiles('second copies', path.join(home, 'copies'));
    collectFiles('crash report', path.join(home, 'crash'));
    collectFiles('configuration', installation, (name) => !name.startsWith(data) && name !== cage.tokenFile());
    secrets.push(wanted('the ledger’s signing key', await signingKey(cage)));
  });
  after(() => cage.dispose());

  test('what is searched holds something, and a secret in it would be found', () => {
    for (const group of GROUPS) {
      const size = cage.collected(group).reduce((sum, bytes) => sum + bytes.length, 0);
      assert.ok(size > 200, `${group}: ${size} bytes`);
    }
    assert.equal(secrets.length, 4);
    const input = readFileSync(path.join(cage.inputs, 'admin.key'));
    assert.deepEqual(search('input', input, secrets).length, 1);
    const token = readFileSync(cage.tokenFile());
    assert.deepEqual(search('token', token, secrets).length, 1);
  });

  for (const group of GROUPS) {
    test(group, () => {
      const found = cage.collected(group).flatMap((bytes, n) => search(`${group} ${n}`, bytes, secrets));
      assert.deepEqual(found, []);
    });
  }
});

describe('what callers put where it does not belong', () => {
  test('a token in the path of a request', () => recorded((token) => [`/${token}`, {}]));

  test('a provider’s key in the user agent', () =>
    recorded(() => ['/p-1', { 'user-agent': `curl napi_${MARK}${'0a'.repeat(20)}` }]));

  async function recorded(odd: (token: string) => [string, Record<string, string>]): Promise<void> {
    const house = await openFaultHouse();
    const unsent = house.open('GET', 'x').on('error', () => {});
    const token = String(unsent.getHeader('authorization')).slice('Bearer '.length);
    unsent.destroy();
    const [name, headers] = odd(token);
    const request = house.open('GET', name.slice(1));
    for (const [header, value] of Object.entries(headers)) request.setHeader(header, value);
    await new Promise((resolve) => request.on('response', (response) => response.resume().on('end', resolve)).end());
    const entries = Buffer.from(JSON.stringify(await house.uses()));
    await house.stop();
    assert.deepEqual(search('the use log', entries, [wanted('token', token), wanted('marker', MARK)]), []);
  }
});
