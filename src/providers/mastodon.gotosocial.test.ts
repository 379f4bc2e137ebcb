// Mastodon's member at its second dialect, GoToSocial: the same suite, and the answers that mean the opposite there.
import assert from 'node:assert/strict';
import test from 'node:test';
import { providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { mastodonDocument } from '../../test/support/mastodon-documents.ts';
import { startTwin } from '../../twins/kit.io.ts';
import type { KitControl } from '../../twins/kit.ts';
import { type MastodonState, mastodonTwin, newMastodonApp, newMastodonToken } from '../../twins/mastodon.ts';
import { prng } from '../../twins/prng.ts';
import type { Json } from '../model/json.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { instanceDialect } from './mastodon.dialect.ts';
import { mastodon } from './mastodon.ts';
import type { Acting, Kind, KindSettings, Parts } from './provider.ts';

const random = prng(19);
const OUT_OF_BAND = 'urn:ietf:wg:oauth:2.0:oob';
const SETTINGS: KindSettings = { software: 'gotosocial' };
const [userToken, app, appToken] = mastodon.kinds as readonly [Kind, Kind, Kind];

function mintApp(control: KitControl<MastodonState>) {
  const more = { redirectUris: [OUT_OF_BAND] };
  const parts = newMastodonApp(random, 'gotosocial');
  return control.mint({ kind: 'app', name: 'an app', account: '', scopes: ['read', 'write'], parts, more });
}

function actingApp(parts: Parts): Acting {
  return { parts, places: app.places, publicParts: ['clientId'] };
}

providerConformance(mastodon, () =>
  kitTwin({
    definition: mastodonTwin('gotosocial'),
    documents: [{ file: mastodonDocument('gotosocial'), base: '' }],
    // Its document leaves these out.
    undocumented: ['POST /oauth/token', 'POST /oauth/authorize', 'GET /api/v1/apps/verify_credentials'],
    issuer: (_, control) => ({ acting: actingApp(secretParts(mintApp(control))), settings: SETTINGS }),
    byHand: (kind, control) =>
      control.mint({
        kind: kind.name,
        name: 'an app',
        account: kind.name === 'user-token' ? '01ARZ3NDEKTSV4RRFFQ69G5FAV' : '',
        scopes: ['read:accounts'],
        parts: { key: newMastodonToken(random, 'gotosocial') },
        more: { app: mintApp(control).id },
      }),
  }),
);

async function atTwin(run: (tools: Awaited<ReturnType<typeof bench>>) => Promise<void>) {
  const tools = await bench();
  try {
    await run(tools);
  } finally {
    await tools.twin.close();
  }
}

async function bench() {
  let now = 1_790_000_000_000;
  const twin = await startTwin(mastodonTwin('gotosocial'), { clock: { now: () => now } });
  const call = directCall(twin.origin);
  const client = secretParts(mintApp(twin.control));
  const named = {
    client_id: revealSecretText(client['clientId']!),
    client_secret: revealSecretText(client['clientSecret']!),
  };
  const post = (path: string, json: Json) =>
    call({ method: 'POST', path, json, secrets: [] }, { parts: {}, places: [] });
  return {
    twin,
    call,
    client,
    named,
    post,
    pass(ms: number) {
      now += ms;
    },
    async token(more: Readonly<Record<string, string>>): Promise<Parts> {
      const answer = await post('/oauth/token', { redirect_uri: OUT_OF_BAND, ...named, ...more });
      return { key: new Secret((answer.json as { access_token: string }).access_token) };
    },
    async consent(): Promise<string> {
      const { client_id } = named;
      const wanted = { response_type: 'code', client_id, redirect_uri: OUT_OF_BAND, scope: 'read', account: '7' };
      const answer = await post('/oauth/authorize', wanted);
      return new URL(answer.headers['location']!, 'https://mastodon.example').searchParams.get('code')!;
    },
    async probe(kind: Kind, parts: Parts, settings: KindSettings = SETTINGS) {
      const acting = kind === app ? actingApp(parts) : { parts, places: kind.places };
      return kind.probe.read(await call(kind.probe.request({ settings }), acting), { settings });
    },
  };
}

test('a live app token is told from a dead one by its text alone, and never called dead, whatever the setting says', () =>
  atTwin(async (tools) => {
    const token = await tools.token({ grant_type: 'client_credentials', scope: 'read' });
    const verdict = await tools.probe(appToken, token);
    assert.deepEqual([verdict.is, verdict.evidence.signature], ['alive', 'gotosocial.401.app-token']);
    assert.equal((await tools.probe(appToken, token, {})).is, 'alive');
    assert.equal((await tools.probe(appToken, token, { software: 'mastodon' })).is, 'unknown');
    tools.pass(7_199_999);
    assert.equal((await tools.probe(appToken, token)).is, 'alive');
    tools.pass(1);
    const dead = await tools.probe(appToken, token);
    assert.deepEqual([dead.is, dead.evidence.signature], ['dead', 'gotosocial.401.not-supplied']);
    assert.equal((await tools.probe(appToken, token, {})).is, 'dead');
    assert.equal((await tools.probe(appToken, token, { software: 'mastodon' })).is, 'unknown');
  }));

test('the same app, user and scopes give a new token each time, beside the old one', () =>
  atTwin(async (tools) => {
    const first = await tools.token({ grant_type: 'authorization_code', code: await tools.consent() });
    const second = await tools.token({ grant_type: 'authorization_code', code: await tools.consent() });
    assert(!first['key']!.equals(second['key']!));
    assert.deepEqual(
      [(await tools.probe(userToken, first)).is, (await tools.probe(userToken, second)).is],
      ['alive', 'alive'],
    );
    const one = await tools.token({ grant_type: 'client_credentials', scope: 'read' });
    const other = await tools.token({ grant_type: 'client_credentials', scope: 'read' });
    assert(!one['key']!.equals(other['key']!));
  }));

test('a token that may not read is alive all the same', () =>
  atTwin(async (tools) => {
    const narrow = tools.twin.control.mint({
      kind: 'user-token',
      name: 'an app',
      account: '7',
      scopes: ['write:statuses'],
      parts: { key: newMastodonToken(random, 'gotosocial') },
      more: { app: '1' },
    });
    const verdict = await tools.probe(userToken, secretParts(narrow));
    assert.deepEqual([verdict.is, verdict.evidence.signature], ['alive', 'gotosocial.403.outside-scopes']);
  }));

test('an app is alive by the token it is given, dead by its own form of the word, and unknown where it may not read', () =>
  atTwin(async (tools) => {
    assert.equal((await tools.probe(app, tools.client)).is, 'alive');
    const wrong = { ...tools.client, clientSecret: new Secret(random.uuid()) };
    const dead = await tools.probe(app, wrong);
    assert.deepEqual([dead.is, dead.evidence.signature], ['dead', 'gotosocial.400.invalid-client']);
    assert.equal(
      (await tools.probe(app, wrong, {})).is,
      'unknown',
      'without the setting nobody knows whose word it is',
    );
    assert.equal((await tools.probe(app, wrong, { software: 'mastodon' })).is, 'unknown');
    const narrow = tools.twin.control.mint({
      kind: 'app',
      name: 'an app',
      account: '',
      scopes: ['profile'],
      parts: newMastodonApp(random, 'gotosocial'),
      more: { redirectUris: [OUT_OF_BAND] },
    });
    assert.equal(
      (await tools.probe(app, secretParts(narrow))).is,
      'unknown',
      'its scope may be looked at before its secret',
    );
  }));

test('revoking takes a form there, which is what is sent: a JSON body ends nothing', () =>
  atTwin(async (tools) => {
    const token = await tools.token({ grant_type: 'authorization_code', code: await tools.consent() });
    const body = { ...tools.named, token: revealSecretText(token['key']!) };
    assert.equal((await tools.post('/oauth/revoke', body)).status, 400);
    assert.equal((await tools.probe(userToken, token)).is, 'alive');
    const input = { settings: SETTINGS, providerKeyId: '1' };
    const revoke = async (client: Parts) =>
      userToken.revoke!.read(await tools.call(userToken.revoke!.request(input), actingApp(client), token), input);
    const stranger = { ...tools.client, clientSecret: new Secret(random.uuid()) };
    assert.partialDeepStrictEqual(await revoke(stranger), { is: 'refused', final: true });
    assert.equal((await tools.probe(userToken, token)).is, 'alive');
    assert.equal((await revoke(tools.client)).is, 'accepted');
    assert.equal((await tools.probe(userToken, token)).is, 'dead');
    assert.equal((await revoke(tools.client)).is, 'accepted', 'what is gone, too');
  }));

test('an instance says that it is GoToSocial, and a request without redirect_uri is refused there', () =>
  atTwin(async (tools) => {
    const answer = await tools.call(instanceDialect.request({ settings: {} }), { parts: {}, places: [] });
    assert.equal(instanceDialect.read(answer, { settings: {} }), 'gotosocial');
    const without = await tools.post('/oauth/token', {
      grant_type: 'client_credentials',
      scope: 'read',
      ...tools.named,
    });
    assert.deepEqual([without.status, (without.json as { error: string }).error], [400, 'invalid_request']);
    assert.deepEqual(app.issue!.request({ settings: SETTINGS, label: 'l', scopes: ['read'] }).json, {
      client_name: 'l',
      redirect_uris: OUT_OF_BAND,
      scopes: 'read',
    });
  }));

test('each answer to a token is read as it was measured, and only in the dialect that is set', () => {
  const read = (status: number, error: string, settings: KindSettings) =>
    userToken.probe.read({ status, headers: {}, json: { error }, text: '' }, { settings }).is;
  const rows: readonly [number, string, string][] = [
    [401, 'Unauthorized: token not supplied', 'dead'],
    [401, 'Unauthorized: user not supplied or not authorized', 'alive'],
    [403, 'Forbidden: token has insufficient scope permission', 'alive'],
    [401, 'Unauthorized', 'unknown'],
    [403, 'Forbidden', 'unknown'],
    [403, 'Unauthorized: token not supplied', 'unknown'],
    [500, 'Unauthorized: token not supplied', 'unknown'],
  ];
  for (const [status, error, expected] of rows) {
    assert.equal(read(status, error, SETTINGS), expected, `${status} ${error}`);
    assert.equal(read(status, error, {}), expected, `${status} ${error}`);
    assert.equal(read(status, error, { software: 'mastodon' }), 'unknown', `${status} ${error}`);
  }
});
