// The Mastodon client `masto`, unmodified, through the broker. It drops whatever path its address has, so it is the proof of addressing by token:
// a token that is bound to the credential, and the broker's origin as the instance. The user's key is replaced by a second app's while the
// client works on. What crosses the twin is held against Mastodon's own document, where that lies beside the checkout.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createRestAPIClient, type mastodon } from 'masto';
import { type RunningTwin, startTwin } from '../../twins/kit.io.ts';
import type { KitKey } from '../../twins/kit.ts';
import { type MastodonState, mastodonTwin, newMastodonApp, newMastodonToken } from '../../twins/mastodon.ts';
import { prng } from '../../twins/prng.ts';
import {
  addCredential,
  addService,
  ask,
  assertReplays,
  entriesOf,
  grant,
  issueToken,
  startLoad,
} from '../support/applications.ts';
import { type House, startHouse } from '../support/house.ts';
import { mastodonDocument } from '../support/mastodon-documents.ts';
import { loadOpenApi } from '../support/openapi.ts';
import { until } from '../support/workshop-checks.ts';

const SCOPES = ['read:accounts', 'read:statuses', 'write:statuses'];
const SETTINGS = { software: 'mastodon' };
const random = prng(29);
const problems: string[] = [];

let twin: RunningTwin<MastodonState>;
let house: House;
before(async () => {
  const document = loadOpenApi(mastodonDocument('mastodon'), '');
  twin = await startTwin(mastodonTwin('mastodon'), {
    onExchange: (one) => problems.push(...(document?.validateExchange(one) ?? [])),
  });
  house = await startHouse({ providers: { mastodon: twin.origin }, broker: true });
});
after(async () => {
  try {
    assert.deepEqual([...problems, ...house.errors], []);
    await assertReplays(house);
  } finally {
    await house.stop();
    await twin.close();
  }
});

/** A token of the one user who consented to this app. */
function consented(app: KitKey, name: string): KitKey {
  const parts = { key: newMastodonToken(random, 'mastodon') };
  return twin.control.mint({ kind: 'user-token', name, account: '42', scopes: SCOPES, parts, more: { app: app.id } });
}

/** An app, and the credential that it is the issuer of others with. */
async function addApp(name: string): Promise<{ readonly app: KitKey; readonly issuer: string }> {
  const app = twin.control.mint({
    kind: 'app',
    name,
    account: '',
    scopes: SCOPES,
    parts: newMastodonApp(random, 'mastodon'),
    more: { redirectUris: ['urn:ietf:wg:oauth:2.0:oob'] },
  });
  const settings = { ...SETTINGS, scopes: SCOPES.join(' ') };
  const body = { provider: 'mastodon', settings, name, kind: 'app', purpose: 'manage', parts: app.parts };
  return { app, issuer: await addCredential(house, body) };
}

/** The first app as the issuer, its token as a credential that a bot may use, and a client that has the bot's token. */
async function furnish(
  name: string,
): Promise<{ app: KitKey; id: string; client: mastodon.rest.Client; tokenText: string }> {
  const { app, issuer } = await addApp(`${name}-app`);
  const { parts } = consented(app, name);
  const body = { provider: 'mastodon', settings: SETTINGS, name, kind: 'user-token', issuer, parts };
  const id = await addCredential(house, body);
  const bot = await addService(house, `${name}-bot`);
  await grant(house, bot, id, ['own-account.get', 'account-status.list', 'status.create']);
  const { text } = await issueToken(house, bot, id);
  // An address with a path, as somebody might write it: the client does not keep it.
  const client = createRestAPIClient({ url: `${house.brokerOrigin}/mastodon/${name}`, accessToken: text });
  return { app, id, client, tokenText: text };
}

test('the client verifies its account, posts, and reads on from page to page', async () => {
  const { id, client, tokenText } = await furnish('reader');
  const me = await client.v1.accounts.verifyCredentials();
  assert.equal(me.id, '42');
  const texts = Array.from({ length: 5 }, (_, n) => `post ${n} & <b>`);
  for (const status of texts) await client.v1.statuses.create({ status });

  // Newest first, on one page, and page by page by the ids that the client has seen.
  const expected = texts.map((one) => `<p>${one.replace('&', '&amp;').replace('<', '&lt;')}</p>`).toReversed();
  const { statuses } = client.v1.accounts.$select(me.id);
  assert.deepEqual(
    (await statuses.list({ limit: 20 })).map((one) => one.content),
    expected,
  );
  const pages: string[][] = [];
  for await (const page of statuses.list({ limit: 2 })) pages.push(page.map((one) => one.content));
  assert.deepEqual(pages, [expected.slice(0, 2), expected.slice(2, 4), expected.slice(4)]);

  // What Link names is the broker's: whoever followed the instance's own address would take the token there.
  const read: string[] = [];
  let next: string | null = `/api/v1/accounts/${me.id}/statuses?limit=2`;
  while (next !== null) {
    const response: Response = await fetch(new URL(next, house.brokerOrigin), {
      headers: { authorization: `Bearer ${tokenText}` },
    });
    read.push(...((await response.json()) as { content: string }[]).map((one) => one.content));
    const link = response.headers.get('link') ?? '';
    assert(!link.includes(twin.origin));
    assert(link.startsWith(`<${house.brokerOrigin}/`), link);
    next = /<([^>]+)>; rel="next"/.exec(link)?.[1] ?? null;
  }
  assert.deepEqual(read, expected);

  const uses = (await entriesOf(house, 'use')).filter((entry) => entry['credential'] === id);
  assert(uses.every((entry) => entry['kind'] === 'use'));
  assert(uses.some((entry) => entry['path'] === '/api/v1/statuses' && entry['action'] === 'status.create'));
});

test('what no grant allows, and what the instance refuses, reach the client as errors of their own', async () => {
  const { client } = await furnish('narrow');
  // The client reads `application/json` alone: of the broker's own problems it says that it cannot read them.
  await assert.rejects(async () => client.v1.preferences.fetch(), /unknown encoding/);
  twin.control.state.shut.set('42', 'disabled');
  await assert.rejects(
    async () => client.v1.accounts.verifyCredentials(),
    (error: Error) => error.message === 'Your login is currently disabled',
  );
  twin.control.state.shut.clear();
});

test('under load the keys of two apps give way to each other: no request fails, and each old one is ended by its own app, proven dead', async () => {
  const { app, id, client } = await furnish('busy');
  const second = await addApp('busy-too');
  twin.control.latency(2);
  const load = startLoad(4, async (_worker, n) => {
    if (n % 10 === 0) await client.v1.statuses.create({ status: `at work ${n}` });
    else assert.equal((await client.v1.accounts.verifyCredentials()).id, '42');
  });
  await load.more(40);
  const tokens = [
    { parts: consented(second.app, 'busy again').parts, providerKeyId: 'busy-2', issuer: second.issuer },
    { parts: consented(app, 'busy once more').parts, providerKeyId: 'busy-3' },
  ];
  for (const token of tokens) {
    const old = house.app.policy.credentials.get(id)!.current!;
    await ask(house, 'POST', `/v1/credentials/${id}/versions`, token);
    await load.more(40);
    const { id: rotation } = await ask<{ id: string }>(house, 'POST', `/v1/versions/${old.id}/retire`, {});
    const ended = await until(async () => {
      const seen = await ask<{ rotation: { state: { end: string | null } } }>(
        house,
        'GET',
        `/v1/rotations/${rotation}`,
      );
      return seen.rotation.state.end;
    }, 'the end of the old version');
    assert.equal(ended, 'rotated');
    await load.more(40);
  }
  const { answers, failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert(answers >= 200);
  const keys = twin.control.keys.all().filter((key) => key.kind === 'user-token' && key.name.startsWith('busy'));
  assert.deepEqual(
    keys.map((key) => [key.name, twin.control.isAlive(key.id)]),
    [
      ['busy', false],
      ['busy again', false],
      ['busy once more', true],
    ],
  );
  const { items } = await ask<{ items: { credentialId: string }[] }>(house, 'GET', `/v1/certificates?credential=${id}`);
  assert.equal(items.length, 2);
});
