// Mastodon at the family's conformance suite, and what is particular to it: the same token for the same app, user and scopes; tokens that only
// their own app ends; an app that is probed without making a token. GoToSocial is in mastodon.gotosocial.test.ts.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { mastodonDocument } from '../../test/support/mastodon-documents.ts';
import { loadOpenApi } from '../../test/support/openapi.ts';
import { startTwin } from '../../twins/kit.io.ts';
import type { KitControl } from '../../twins/kit.ts';
import { type MastodonState, mastodonTwin, newMastodonApp, newMastodonToken, type Shut } from '../../twins/mastodon.ts';
import { prng } from '../../twins/prng.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { instanceDialect } from './mastodon.dialect.ts';
import { mastodon } from './mastodon.ts';
import type { Acting, IssueOutcome, Kind, KindSettings, Parts } from './provider.ts';

const random = prng(17);
const OUT_OF_BAND = 'urn:ietf:wg:oauth:2.0:oob';
const [userToken, app, appToken] = mastodon.kinds as readonly [Kind, Kind, Kind];
const NOT_IN_THE_DOCUMENT = ['POST /oauth/authorize', 'GET /nodeinfo/2.0'];

function mintApp(control: KitControl<MastodonState>) {
  const more = { redirectUris: [OUT_OF_BAND] };
  const parts = newMastodonApp(random, 'mastodon');
  return control.mint({ kind: 'app', name: 'an app', account: '', scopes: ['read', 'write'], parts, more });
}

function actingApp(parts: Parts): Acting {
  return { parts, places: app.places, publicParts: ['clientId'] };
}

providerConformance(mastodon, () =>
  kitTwin({
    definition: mastodonTwin('mastodon'),
    documents: [{ file: mastodonDocument('mastodon'), base: '' }],
    undocumented: NOT_IN_THE_DOCUMENT,
    issuer: (_, control) => ({ acting: actingApp(secretParts(mintApp(control))), settings: {} }),
    // As by a person: a second app, and consent to it.
    byHand: (kind, control) =>
      control.mint({
        kind: kind.name,
        name: 'an app',
        account: kind.name === 'user-token' ? '42' : '',
        scopes: ['read:accounts'],
        parts: { key: newMastodonToken(random, 'mastodon') },
        more: { app: mintApp(control).id },
      }),
  }),
);

type Bench = Awaited<ReturnType<typeof bench>>;

async function bench() {
  const document = loadOpenApi(mastodonDocument('mastodon'), '');
  const problems: string[] = [];
  const twin = await startTwin(mastodonTwin('mastodon'), {
    onExchange(exchange) {
      const found = document?.validateExchange(exchange) ?? [];
      const isKnown = NOT_IN_THE_DOCUMENT.some((line) => line === `${exchange.method} ${exchange.path.split('?')[0]}`);
      // The document does not say what a user who is shut out is told.
      if (!isKnown) problems.push(...found.filter((one) => !one.endsWith('403: status 403 is not documented')));
    },
  });
  const call = directCall(twin.origin);
  const nobody: Acting = { parts: {}, places: [] };
  const settings: KindSettings = { software: 'mastodon' };
  const post = (path: string, json: Json) => call({ method: 'POST', path, json, secrets: [] }, nobody);
  return {
    twin,
    problems,
    call,
    post,
    async register(scopes = ['read:accounts', 'write:statuses'], label = 'claviger/test/1') {
      const input = { settings, label, scopes };
      return app.issue!.read(await call(app.issue!.request(input), nobody), input);
    },
    /** A person opens the page, signs in and agrees; the code is shown, or travels with the redirect. */
    async consent(client: Parts, more: Readonly<Record<string, string>> = {}) {
      const answer = await post('/oauth/authorize', {
        response_type: 'code',
        client_id: revealSecretText(client['clientId']!),
        redirect_uri: OUT_OF_BAND,
        scope: 'read:accounts write:statuses',
        account: '42',
        ...more,
      });
      const shown = new URL(answer.headers['location'] ?? '/', 'https://mastodon.example').searchParams;
      return { answer, code: shown.get('code') ?? '', state: shown.get('state') };
    },
    exchange: (client: Parts, code: string, more: Readonly<Record<string, string>> = {}) =>
      post('/oauth/token', {
        grant_type: 'authorization_code',
        code,
        client_id: revealSecretText(client['clientId']!),
        client_secret: revealSecretText(client['clientSecret']!),
        redirect_uri: OUT_OF_BAND,
        ...more,
      }),
    async probe(kind: Kind, parts: Parts, given: KindSettings = settings) {
      const acting = kind === app ? actingApp(parts) : { parts, places: kind.places };
      return kind.probe.read(await call(kind.probe.request({ settings: given }), acting), { settings: given });
    },
    async revoke(parts: Parts, owner: Parts) {
      const input = { settings, providerKeyId: '1' };
      return userToken.revoke!.read(await call(userToken.revoke!.request(input), actingApp(owner), parts), input);
    },
  };
}

async function atTwin(run: (tools: Bench) => Promise<void>) {
  const tools = await bench();
  try {
    await run(tools);
    assert.deepEqual(tools.problems, []);
  } finally {
    await tools.twin.close();
  }
}

function partsOf(outcome: IssueOutcome): Parts {
  assert(outcome.is === 'issued');
  return outcome.parts;
}

function tokenOf(json: Json): Parts {
  const text = (json as { access_token?: string } | null)?.access_token;
  assert(typeof text === 'string');
  return { key: new Secret(text) };
}

test('an app is registered, its user agrees, the token lives, a second app’s follows it, and its own app ends it', () =>
  atTwin(async (tools) => {
    const first = partsOf(await tools.register());
    const agreed = await tools.consent(first, { state: 'a state' });
    assert.equal(agreed.state, 'a state');
    const old = tokenOf((await tools.exchange(first, agreed.code)).json);
    const again = tokenOf((await tools.exchange(first, (await tools.consent(first)).code)).json);
    assert(again['key']!.equals(old['key']!), 'the same app, user and scopes: the same token');

    const second = partsOf(await tools.register());
    const fresh = tokenOf((await tools.exchange(second, (await tools.consent(second)).code)).json);
    assert(!fresh['key']!.equals(old['key']!));
    assert.equal((await tools.probe(userToken, old)).is, 'alive');
    assert.equal((await tools.probe(userToken, fresh)).is, 'alive');

    const stranger = await tools.revoke(old, second);
    assert.equal(stranger.is, 'refused');
    assert.equal((await tools.probe(userToken, old)).is, 'alive', 'another app ends nothing');
    assert.equal((await tools.revoke(old, first)).is, 'accepted');
    const verdict = await tools.probe(userToken, old);
    assert.deepEqual([verdict.is, verdict.evidence.signature], ['dead', 'mastodon.401.revoked']);
    assert.equal((await tools.probe(userToken, fresh)).is, 'alive');
    assert.equal((await tools.revoke(old, first)).is, 'accepted', 'as often as one likes');
    const never = { key: new Secret(newMastodonToken(random, 'mastodon')) };
    assert.equal((await tools.revoke(never, second)).is, 'accepted', 'what never was is accepted too: no proof');
    assert.equal((await tools.probe(userToken, never)).evidence.signature, 'mastodon.401.invalid');
  }));

test('an accepted revocation is no proof: a token that lives on is seen to', () =>
  atTwin(async (tools) => {
    for (const lie of ['revoke-late', 'revoke-ignored'] as const) {
      const client = partsOf(await tools.register());
      const token = tokenOf((await tools.exchange(client, (await tools.consent(client)).code)).json);
      tools.twin.control.fault(lie, { ms: 3_600_000 });
      assert.equal((await tools.revoke(token, client)).is, 'accepted');
      assert.equal((await tools.probe(userToken, token)).is, 'alive', lie);
      tools.twin.control.clearFaults();
    }
  }));

test('a code is worth one token, to its own app, for ten minutes, with the verifier that belongs to it', () =>
  atTwin(async (tools) => {
    const client = partsOf(await tools.register());
    const verifier = 'canary-a-verifier-that-is-long-enough-for-anybody';
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const withChallenge = { code_challenge: challenge, code_challenge_method: 'S256' };
    const right = await tools.consent(client, withChallenge);
    assert.equal((await tools.exchange(client, right.code, { code_verifier: verifier })).status, 200);
    assert.equal((await tools.exchange(client, right.code, { code_verifier: verifier })).status, 400, 'only once');
    const wrong = await tools.consent(client, withChallenge);
    const refused = await tools.exchange(client, wrong.code, { code_verifier: `${verifier}!` });
    assert.deepEqual([refused.status, (refused.json as { error: string }).error], [400, 'invalid_grant']);
    assert.equal((await tools.exchange(client, (await tools.consent(client, withChallenge)).code)).status, 400);
    assert.equal(
      (await tools.consent(client, { ...withChallenge, code_challenge_method: 'plain' })).answer.status,
      400,
    );
    assert.equal((await tools.consent(client, { scope: 'write' })).answer.status, 400, 'no more than its app has');
    const other = partsOf(await tools.register());
    assert.equal((await tools.exchange(other, (await tools.consent(client)).code)).status, 400);
    const late = await tools.consent(client);
    const { codes } = tools.twin.control.state;
    codes.set(late.code, { ...codes.get(late.code)!, endsAt: 0 });
    assert.equal((await tools.exchange(client, late.code)).status, 400);
  }));

test('an app is probed without making a token, and otherwise with one that Mastodon gives again and again', () =>
  atTwin(async (tools) => {
    const client = partsOf(await tools.register());
    const readable = partsOf(await tools.register(['read']));
    const tokens = () => tools.twin.control.keys.all().filter((key) => key.kind === 'app-token').length;
    for (const one of [client, readable]) {
      const verdict = await tools.probe(app, one);
      assert.deepEqual([verdict.is, verdict.evidence.signature], ['alive', 'mastodon.400.invalid-scope']);
    }
    assert.equal(tokens(), 0, 'nothing was made');
    assert.equal((await tools.probe(app, client, {})).evidence.signature, 'mastodon.400.invalid-scope');
    assert.equal((await tools.probe(app, readable, {})).evidence.signature, 'mastodon.200.token-granted');
    await tools.probe(app, readable, {});
    assert.equal(tokens(), 1, 'the same token, however often');
    const stolen = { ...client, clientSecret: new Secret(newMastodonToken(random, 'mastodon')) };
    assert.equal((await tools.probe(app, stolen)).is, 'dead');
    assert.equal((await tools.probe(app, stolen, {})).is, 'dead');
  }));

test('a token of an app is alive where only the user is missing, and its app ends it', () =>
  atTwin(async (tools) => {
    const client = partsOf(await tools.register(['read']));
    const ask = () => tools.exchange(client, '', { grant_type: 'client_credentials', scope: 'read' });
    const token = tokenOf((await ask()).json);
    assert(tokenOf((await ask()).json)['key']!.equals(token['key']!), 'the same again');
    assert.equal((await tools.probe(appToken, token)).is, 'alive');
    const request = userToken.identity!.request({ settings: {} });
    const answer = await tools.call(request, { parts: token, places: appToken.places });
    assert.deepEqual([answer.status, userToken.identity!.read(answer, { settings: {} }).is], [422, 'unknown']);
    assert.equal(userToken.probe.read(answer, { settings: {} }).is, 'alive');
    assert.equal((await tools.revoke(token, client)).is, 'accepted');
    assert.equal((await tools.probe(appToken, token)).is, 'dead');
  }));

test('a user who is shut out has a live token, and an expired one is dead', () =>
  atTwin(async (tools) => {
    const { control } = tools.twin;
    const made = control.mint({
      kind: 'user-token',
      name: 'an app',
      account: '42',
      scopes: ['write:statuses'],
      parts: { key: newMastodonToken(random, 'mastodon') },
      more: { app: mintApp(control).id },
    });
    for (const why of ['disabled', 'unconfirmed', 'pending'] satisfies Shut[]) {
      control.state.shut.set('42', why);
      assert.equal((await tools.probe(userToken, secretParts(made))).is, 'alive', why);
    }
    control.state.shut.clear();
    const request = userToken.identity!.request({ settings: {} });
    const answer = await tools.call(request, { parts: secretParts(made), places: userToken.places });
    assert.equal(userToken.probe.read(answer, { settings: {} }).evidence.signature, 'mastodon.403.outside-scopes');
    const brief = control.mint({
      ...made,
      id: 'brief',
      parts: { key: newMastodonToken(random, 'mastodon') },
      expiresAt: 1,
    });
    assert.equal((await tools.probe(userToken, secretParts(brief))).evidence.signature, 'mastodon.401.expired');
  }));

test('each answer to a token is read as the facts say, and only in the dialect that is set', () => {
  const read = (status: number, error: Json, settings: KindSettings) => {
    const json = error === null ? null : { error };
    return userToken.probe.read({ status, headers: {}, json, text: '' }, { settings }).is;
  };
  const rows: readonly [number, Json, string][] = [
    [401, 'The access token was revoked', 'dead'],
    [401, 'The access token is invalid', 'dead'],
    [401, 'The access token expired', 'dead'],
    [403, 'This action is outside the authorized scopes', 'alive'],
    [403, 'Your login is currently disabled', 'alive'],
    [422, 'This method requires an authenticated user', 'alive'],
    [401, 'This API requires an authenticated user', 'unknown'],
    [401, 'Le jeton d’accès est invalide', 'unknown'],
    [403, 'The access token was revoked', 'unknown'],
    [403, 'This action is not allowed', 'unknown'],
    [403, null, 'unknown'],
    [401, null, 'unknown'],
    [404, 'Record not found', 'unknown'],
    [429, 'Too many requests', 'unknown'],
    [503, 'The access token is invalid', 'unknown'],
  ];
  for (const [status, error, expected] of rows) {
    assert.equal(read(status, error, { software: 'mastodon' }), expected, `${status} ${error}`);
    assert.equal(read(status, error, {}), expected, `${status} ${error}`);
    assert.equal(read(status, error, { software: 'gotosocial' }), 'unknown', `${status} ${error}`);
  }
  const page = { status: 200, headers: {}, text: '<html>', json: null };
  assert.equal(userToken.probe.read(page, { settings: {} }).is, 'unknown');
});

test('each answer to an app is read as the facts say', () => {
  const read = (status: number, json: Json, settings: KindSettings = {}) =>
    app.probe.read({ status, headers: {}, json, text: '' }, { settings }).is;
  const rows: readonly [number, Json, string][] = [
    [200, { access_token: 'canary-token' }, 'alive'],
    [400, { error: 'invalid_scope' }, 'alive'],
    [401, { error: 'invalid_client' }, 'dead'],
    // GoToSocial’s way to say so: without the setting it could be anybody’s.
    [400, { error: 'invalid_client' }, 'unknown'],
    [403, { error: 'invalid_scope' }, 'unknown'],
    [400, { error: 'invalid_request' }, 'unknown'],
    [401, null, 'unknown'],
    [200, {}, 'unknown'],
    [429, { error: 'Too many requests' }, 'unknown'],
    [500, { error: 'invalid_client' }, 'unknown'],
  ];
  for (const [status, json, expected] of rows) {
    assert.equal(read(status, json), expected, `${status}`);
    assert.equal(read(status, json, { software: 'mastodon' }), expected, `${status}`);
  }
});

test('nothing but what is certain is said of an app that was registered, and of a token that was to end', () => {
  const input = { settings: {}, label: 'l', scopes: ['read'] };
  const issue = (status: number, json: Json) => app.issue!.read({ status, headers: {}, json, text: '' }, input);
  const made = { id: '1', client_id: 'canary-id', client_secret: 'canary-secret', scopes: ['read'] };
  const issued = issue(200, { ...made, client_secret_expires_at: 0 });
  assert(issued.is === 'issued' && issued.expiresAt === null);
  const ending = issue(200, { ...made, client_secret_expires_at: 1_800_000_000 });
  assert(ending.is === 'issued' && ending.expiresAt === 1_800_000_000_000);
  assert.equal(issue(200, { ...made, scopes: ['read', 'write'] }).is, 'ambiguous', 'wider than asked for');
  assert.equal(issue(200, { ...made, client_secret: null }).is, 'ambiguous');
  assert.equal(issue(422, { error: 'Validation failed' }).is, 'refused');
  assert.equal(issue(429, { error: 'Too many requests' }).is, 'refused');
  assert.equal(issue(422, null).is, 'ambiguous');
  assert.equal(issue(502, { error: 'bad gateway' }).is, 'ambiguous');
  const end = { settings: {}, providerKeyId: '1' };
  const revoke = (status: number, json: Json) =>
    userToken.revoke!.read({ status, headers: {}, json, text: '' }, end).is;
  assert.equal(revoke(200, {}), 'accepted');
  assert.equal(revoke(200, null), 'ambiguous', 'a page of somebody else');
  assert.equal(revoke(403, { error: 'unauthorized_client' }), 'refused');
  assert.equal(revoke(401, { error: 'invalid_client' }), 'refused');
  assert.equal(revoke(403, { error: 'forbidden' }), 'ambiguous');
  assert.equal(revoke(404, { error: 'Record not found' }), 'ambiguous');
  assert.equal(revoke(429, { error: 'Too many requests' }), 'ambiguous');
});

test('an app is never registered without its scopes, with a name that Mastodon would refuse, or with a setting that it does not know', () => {
  const settings = {};
  const refused = (run: () => unknown) => assert.throws(run, (error) => Failure.is(error, 'invalid'));
  const ask = app.issue!.request;
  refused(() => ask({ settings, label: 'l' }));
  refused(() => ask({ settings, label: 'l', scopes: [] }));
  refused(() => ask({ settings, label: 'l'.repeat(61), scopes: ['read'] }));
  refused(() => ask({ settings: { redirectUri: 'https://a.example/\n' }, label: 'l', scopes: ['read'] }));
  refused(() => ask({ settings: { software: 'pleroma' }, label: 'l', scopes: ['read'] }));
  for (const kind of mastodon.kinds) refused(() => kind.probe.request({ settings: { software: 'pleroma' } }));
  const redirectUri = 'https://app.example/back';
  assert.deepEqual(ask({ settings: { redirectUri }, label: 'l', scopes: ['read', 'push'] }).json, {
    client_name: 'l',
    redirect_uris: [redirectUri],
    scopes: 'read push',
  });
});

test('how long to wait is told by a time of the server’s, held against the server’s clock', () => {
  const wait = (status: number, headers: Readonly<Record<string, string>>) => {
    const read = userToken.probe.read({ status, headers, json: null, text: '' }, { settings: {} });
    assert(read.is === 'unknown');
    return read.retryAfterMs;
  };
  const date = 'Sat, 21 Nov 2026 10:00:00 GMT';
  assert.equal(wait(429, { date, 'x-ratelimit-reset': '2026-11-21T10:05:00.000000Z' }), 300_000);
  assert.equal(wait(429, { date, 'x-ratelimit-reset': '2026-11-21T09:00:00Z' }), 0);
  assert.equal(wait(429, { date, 'x-ratelimit-reset': '2027-11-21T09:00:00Z' }), 3_600_000);
  assert.equal(wait(429, { 'x-ratelimit-reset': '2026-11-21T10:05:00Z' }), null);
  assert.equal(wait(429, { 'retry-after': '7' }), 7_000);
  assert.equal(wait(500, { date, 'x-ratelimit-reset': '2026-11-21T10:05:00Z' }), null);
});

test('an instance says what it is, and no other software is taken for one that is known', () =>
  atTwin(async ({ call }) => {
    const answer = await call(instanceDialect.request({ settings: {} }), { parts: {}, places: [] });
    assert.equal(instanceDialect.read(answer, { settings: {} }), 'mastodon');
    const read = (status: number, json: Json) =>
      instanceDialect.read({ status, headers: {}, json, text: '' }, { settings: {} });
    assert.equal(read(200, { software: { name: 'pleroma' } }), null);
    assert.equal(read(404, { software: { name: 'mastodon' } }), null);
    assert.equal(read(200, null), null);
  }));
