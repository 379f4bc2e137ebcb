// A user consents to an app through Claviger's own callback: an operator's command prints an address, a browser opens it at the instance and is sent
// back, the command ends, and a bot uses the token that nobody has seen. Everything over HTTP, with the twin of an instance of each dialect.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createProgram } from '../../src/cli/commands/index.io.ts';
import { runProgram } from '../../src/cli/program.io.ts';
import { testMachine } from '../../src/cli/test-support.io.ts';
import { type RunningTwin, startTwin } from '../../twins/kit.io.ts';
import { type Dialect, type MastodonState, mastodonTwin, newMastodonApp } from '../../twins/mastodon.ts';
import { prng } from '../../twins/prng.ts';
import { addCredential, addService, ask, entriesOf, grant, issueToken } from '../support/applications.ts';
import { type House, startHouse } from '../support/house.ts';
import { mastodonDocument } from '../support/mastodon-documents.ts';
import { loadOpenApi } from '../support/openapi.ts';
import { until } from '../support/workshop-checks.ts';

const SCOPES = ['read:accounts', 'write:statuses'];
const random = prng(37);
const problems: string[] = [];

const twins = new Map<Dialect, RunningTwin<MastodonState>>();
let house: House;
before(async () => {
  const document = loadOpenApi(mastodonDocument('mastodon'), '');
  const onExchange = (one: Parameters<NonNullable<typeof document>['validateExchange']>[0]) => {
    if (!one.path.startsWith('/oauth/authorize')) problems.push(...(document?.validateExchange(one) ?? []));
  };
  twins.set('mastodon', await startTwin(mastodonTwin('mastodon'), { onExchange }));
  twins.set('gotosocial', await startTwin(mastodonTwin('gotosocial'), { seed: 2 }));
  house = await startHouse({ providers: { mastodon: twins.get('mastodon')!.origin }, broker: true });
});
after(async () => {
  try {
    assert.deepEqual([...problems, ...house.errors], []);
  } finally {
    await house.stop();
    for (const twin of twins.values()) await twin.close();
  }
});

/** A registered app, which may send browsers back to this house, and a user's credential without a key. */
async function furnish(name: string, dialect: Dialect): Promise<{ id: string; app: string }> {
  const { control, origin } = twins.get(dialect)!;
  const redirectUri = `${house.origin}/v1/consent/callback`;
  const registered = control.mint({
    kind: 'app',
    name,
    account: '',
    scopes: SCOPES,
    parts: newMastodonApp(random, dialect),
    more: { redirectUris: [redirectUri] },
  });
  const common = { provider: 'mastodon', origin };
  const app = await addCredential(house, {
    ...common,
    name: `${name}-app`,
    kind: 'app',
    purpose: 'manage',
    settings: { software: dialect, scopes: SCOPES.join(' '), redirectUri },
    parts: registered.parts,
    providerKeyId: registered.id,
  });
  const body = {
    ...common,
    name,
    kind: 'user-token',
    issuer: app,
    settings: { software: dialect },
    policy: { quietSeconds: 0 },
  };
  const { credential } = await ask<{ credential: { id: string } }>(house, 'POST', '/v1/credentials', body);
  return { id: credential.id, app };
}

/** The operator's command; `address` is what it has printed. */
function startCommand(args: readonly string[]) {
  const env = { CLAVIGER_API: house.origin, CLAVIGER_TOKEN: house.adminToken };
  const { machine, said } = testMachine({ env, isPatient: true });
  return {
    address: () => until(() => /https?:\/\/\S+/.exec(said.out)?.[0], 'the address'),
    ended: runProgram(createProgram(), ['credential', 'consent', ...args], machine).then((exit) => ({ exit, ...said })),
    said,
  };
}

/** The browser: opens an address of the instance and goes where it is sent. */
async function visit(address: string): Promise<Response> {
  const sent = await fetch(address, { redirect: 'manual' });
  assert.equal(sent.status, 302, address);
  return fetch(sent.headers.get('location')!, { redirect: 'manual' });
}

async function addressOf(id: string, body: object = {}): Promise<string> {
  return (await ask<{ url: string }>(house, 'POST', `/v1/credentials/${id}/consent`, body)).url;
}

for (const dialect of ['mastodon', 'gotosocial'] as const) {
  test(`${dialect}: the command waits, a person agrees, and a bot uses the token`, async () => {
    const { id } = await furnish(`bot-${dialect}`, dialect);
    const command = startCommand([`mastodon/bot-${dialect}`]);
    const page = await visit(await command.address());
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
    assert.deepEqual(
      [page.headers.get('cache-control'), page.headers.get('x-content-type-options')],
      ['no-store', 'nosniff'],
    );
    const html = await page.text();
    assert.match(html, /<h1>Done<\/h1>/);
    assert.doesNotMatch(html, /<script|canary|code=|http:/i);
    const { exit, out, err } = await command.ended;
    assert.equal(exit, 0, err);
    assert.match(out, /has its key, of the account 42\./);
    assert.doesNotMatch(out + err, /canary/i, 'neither the code nor the token is shown');

    const bot = await addService(house, `bot-${dialect}`);
    await grant(house, bot, id, ['own-account.get']);
    const { text } = await issueToken(house, bot, id);
    const answer = await fetch(`${house.brokerOrigin}/api/v1/accounts/verify_credentials`, {
      headers: { authorization: `Bearer ${text}` },
    });
    assert.equal(((await answer.json()) as { id: string }).id, '42');
    const [version] = [...house.app.policy.versions.values()].filter((one) => one.credentialId === id);
    assert.match(version!.providerKeyId ?? '', /-42$/, 'one for each app and account');
    const brought = (await entriesOf(house, 'control')).filter((entry) => entry['type'] === 'version.brought').at(-1)!;
    assert.equal(brought['actor'], house.adminId, 'whoever began it');
  });
}

test('a person who does not agree, an answer that nobody waits for, and one that comes twice', async () => {
  const { person } = twins.get('mastodon')!.control.state;
  await furnish('shy', 'mastodon');
  person.agrees = false;
  const command = startCommand(['mastodon/shy']);
  const page = await visit(await command.address());
  person.agrees = true;
  assert.equal(page.status, 403);
  assert.match(await page.text(), /Nothing was given/);
  const { exit, out } = await command.ended;
  assert.deepEqual([exit, /did not agree/.test(out)], [1, true]);

  const callback = `${house.origin}/v1/consent/callback`;
  const stranger = await fetch(`${callback}?state=${'x'.repeat(43)}&code=canary-code`);
  assert.equal(stranger.status, 410);
  const { id } = await furnish('twice', 'mastodon');
  const sent = await fetch(await addressOf(id), { redirect: 'manual' });
  const back = sent.headers.get('location')!;
  assert.deepEqual([(await fetch(back)).status, (await fetch(back)).status], [200, 410]);
  const malformed = await fetch(`${callback}?state=a&state=b`);
  assert.deepEqual([malformed.status, malformed.headers.get('content-type')], [400, 'application/problem+json']);
  assert.doesNotMatch(await malformed.text(), /canary/);
});

test('a credential that has a key gets its next by a rotation; the very key that it has is refused, and left alone', async () => {
  const { control } = twins.get('gotosocial')!;
  const { id, app } = await furnish('again', 'gotosocial');
  assert.equal((await visit(await addressOf(id))).status, 200);
  const page = await visit(await addressOf(id, { app, scopes: ['read:accounts'] }));
  assert.equal(page.status, 200);
  const found = await ask<{ items: { state: { means: object; fresh: object | null } }[] }>(
    house,
    'GET',
    `/v1/rotations?credential=${id}`,
  );
  assert.equal(found.items.length, 1);
  assert.deepEqual(found.items[0]!.state.means, { issue: 'person', revoke: 'api' });
  assert.notEqual(found.items[0]!.state.fresh, null, 'the new key is stored');
  const own = control.keys.all().filter((key) => key.kind === 'user-token' && key.name === 'again');
  assert.deepEqual(
    own.map((key) => control.isAlive(key.id)),
    [true, true],
    'the rotation ends the old one when nobody uses it any more',
  );
  // The very key that is in use comes again: it is left alone.
  const { id: same } = await furnish('same', 'mastodon');
  assert.equal((await visit(await addressOf(same))).status, 200);
  assert.equal((await visit(await addressOf(same))).status, 403);
  const mastodon = twins.get('mastodon')!.control;
  const one = mastodon.keys.all().filter((key) => key.kind === 'user-token' && key.name === 'same');
  assert.deepEqual(
    one.map((key) => mastodon.isAlive(key.id)),
    [true],
  );
});

test('a consent to another app makes a key that this app ends, and a rotation after it the issuer’s again', async () => {
  const { control } = twins.get('mastodon')!;
  const { id, app: first } = await furnish('two-apps', 'mastodon');
  const { id: beside, app: second } = await furnish('two-apps-too', 'mastodon');
  const versions = async () =>
    (await ask<{ versions: { state: string; issuerId?: string }[] }>(house, 'GET', `/v1/credentials/${id}`)).versions;
  assert.equal((await visit(await addressOf(id))).status, 200);
  assert.equal((await visit(await addressOf(id, { app: second }))).status, 200);
  const revoked = (count: number) =>
    until(async () => {
      const all = await versions();
      return all.filter((one) => one.state === 'revoked').length === count ? all : null;
    }, 'the end of the old token');
  assert.deepEqual(
    (await revoked(1)).map((one) => one.issuerId),
    [second, undefined],
  );
  await ask(house, 'POST', `/v1/credentials/${beside}/retire`);
  const held = await house.request('POST', `/v1/credentials/${second}/retire`);
  assert.deepEqual([held.status, /ended by it alone/.test(held.text)], [409, true]);
  assert.equal((await visit(await addressOf(id, { app: first }))).status, 200);
  assert.deepEqual(
    (await revoked(2)).map((one) => one.issuerId),
    [undefined, second, undefined],
  );
  const tokens = control.keys.all().filter((key) => key.kind === 'user-token' && key.name.startsWith('two-apps'));
  assert.deepEqual(
    tokens.map((key) => control.isAlive(key.id)),
    [false, false, true],
  );
});

test('whoever began it must still be allowed to when the browser comes back', async () => {
  const { id } = await furnish('left', 'mastodon');
  const { id: operator } = await ask<{ id: string }>(house, 'POST', '/v1/principals', {
    name: 'operator',
    kind: 'person',
    roles: ['operator'],
  });
  const token = await issueToken(house, operator);
  const begun = await house.request('POST', `/v1/credentials/${id}/consent`, { body: {}, token: token.text });
  assert.equal(begun.status, 201, begun.text);
  await ask(house, 'POST', `/v1/tokens/${token.id}/revoke`, {});
  assert.equal((await visit((begun.json as { url: string }).url)).status, 403);
  const seen = await ask<{ why: string }>(house, 'GET', `/v1/credentials/${id}/consent`);
  assert.equal(seen.why, 'whoever began this may not do it any more');
});

test('what a consent cannot be begun with, and by whom', async () => {
  const { id, app } = await furnish('strict', 'mastodon');
  const begin = async (target: string, body: object, token?: string) => {
    const answer = await house.request('POST', `/v1/credentials/${target}/consent`, {
      body,
      ...(token === undefined ? {} : { token }),
    });
    return [answer.status, (answer.json as { code: string }).code];
  };
  const { id: viewer } = await ask<{ id: string }>(house, 'POST', '/v1/principals', {
    name: 'viewer',
    kind: 'person',
    roles: ['viewer'],
  });
  const token = await issueToken(house, viewer);
  assert.deepEqual(await begin(id, {}, token.text), [403, 'denied']);
  assert.deepEqual(await begin(id, { scopes: ['write:media'] }), [400, 'invalid']);
  assert.deepEqual(await begin(id, { scopes: [] }), [400, 'invalid']);
  assert.deepEqual(await begin(id, { app: id }), [400, 'invalid']);
  assert.deepEqual(await begin(app, {}), [409, 'conflict'], 'an app is no key that somebody consents to');
  const none = await house.request('GET', `/v1/credentials/${id}/consent`);
  assert.equal(none.status, 404);
  const { origin } = twins.get('mastodon')!;
  const common = { provider: 'mastodon', origin, kind: 'app', purpose: 'manage' };
  const uris = [undefined, 'http://claviger.example/v1/consent/callback', `${house.origin}/elsewhere`];
  for (const [n, redirectUri] of uris.entries()) {
    const settings = { software: 'mastodon', scopes: 'read', ...(redirectUri === undefined ? {} : { redirectUri }) };
    const body = { ...common, name: `app-${n}`, settings, parts: newMastodonApp(random, 'mastodon') };
    // The instance does not know these apps: they are stored unasked.
    const added = await ask<{ credential: { id: string } }>(house, 'POST', '/v1/credentials?resolve=false', body);
    assert.deepEqual(await begin(id, { app: added.credential.id }), [409, 'conflict'], String(redirectUri));
  }
});
