// Consents against the twin of an instance, with a clock that is moved by hand: what the address says, what an answer is worth, and everything that
// is none: another's, a second one, a late one, a refusal, other scopes, another account, another server. The whole story over HTTP is
// test/journeys/masto-consent.test.ts.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { callerOf, memoryDesk } from '../../test/support/desk.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { secretParts } from '../../test/support/kit-twin.ts';
import { credentialRow, seededRandom, versionRow } from '../../test/support/rows.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { type Dialect, mastodonTwin, newMastodonApp } from '../../twins/mastodon.ts';
import { prng } from '../../twins/prng.ts';
import { Failure } from '../model/failure.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { mastodon } from '../providers/mastodon.ts';
import type { Call, Parts, ProviderRequest } from '../providers/provider.ts';
import { CONSENT_MS, type Consented, type ConsentTools, createConsents } from './consent.ts';
import { consentFlow } from './consent-flow.ts';

const SCOPES = ['read:accounts', 'write:statuses'];
const REDIRECT_URI = 'https://claviger.example/v1/consent/callback';
const CALLER = callerOf('prn_1', ['credential:write', 'credential:rotate'], 'tok_1');
const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const random = prng(31);

interface Brought {
  readonly credentialId: string;
  readonly parts: Parts;
  readonly actor: string;
  readonly consented: Consented;
}

async function bench(t: TestContext, dialect: Dialect = 'mastodon', change: Partial<ConsentTools> = {}) {
  const twin = await startTwin(mastodonTwin(dialect), { seed: 7 });
  t.after(() => twin.close());
  const desk = memoryDesk();
  const registered = twin.control.mint({
    kind: 'app',
    name: 'an app',
    account: '',
    scopes: SCOPES,
    parts: newMastodonApp(random, dialect),
    more: { redirectUris: [REDIRECT_URI] },
  });
  const common = { provider: 'mastodon', origin: twin.origin, settings: { software: dialect } };
  const appRow = credentialRow({ ...common, id: 'crd_app', name: 'app', kind: 'app', purpose: 'manage' });
  const credential = credentialRow({ ...common, id: 'crd_1', name: 'bot', kind: 'user-token', issuerId: 'crd_app' });
  const version = versionRow({ id: 'ver_app', credentialId: 'crd_app', providerKeyId: registered.id });
  desk.furnish('credential', appRow, credential);
  desk.furnish('version', version);
  const brought: Brought[] = [];
  const sent: ProviderRequest[] = [];
  const call: Call = (request, acting, target) => {
    sent.push(request);
    return directCall(twin.origin)(request, acting, target);
  };
  const consents = createConsents({
    rows: desk.rows,
    clock: desk.clock,
    random: seededRandom(31),
    hash,
    publicText: (part) => revealSecretText(part),
    kindOf: (row) => ({ kind: mastodon.kinds.find((kind) => kind.name === row.kind)! }),
    callFor: () => call,
    open: () => Promise.resolve(secretParts(registered)),
    mayStill: () => true,
    isHeld: () => Promise.resolve(false),
    bring(credentialId, parts, actor, consented) {
      brought.push({ credentialId, parts, actor: actor.principalId, consented });
      return Promise.resolve();
    },
    ...change,
  });
  const app = { credential: appRow, version };
  const flow = consentFlow('mastodon', 'user-token')!;

  /** Begins one, and is the person's browser: what the instance sends back with. */
  async function begin(scopes: readonly string[] = SCOPES) {
    const asked = { credential, app, flow, redirectUri: REDIRECT_URI, scopes, caller: CALLER };
    const { url, view } = await consents.begin(asked);
    const visit = async () => {
      const response = await fetch(url, { redirect: 'manual' });
      const target = new URL(response.headers.get('location') ?? assert.fail(await response.text()));
      assert.equal(target.origin + target.pathname, REDIRECT_URI);
      const given = target.searchParams;
      return { state: given.get('state')!, code: given.get('code'), error: given.get('error'), issuer: null };
    };
    return { url: new URL(url), view, visit };
  }
  const tokens = () => twin.control.keys.all().filter((key) => key.kind === 'user-token');
  const alive = () => tokens().map((key) => twin.control.isAlive(key.id));
  return { twin, desk, consents, brought, sent, begin, tokens, alive, credential, appRow };
}

for (const dialect of ['mastodon', 'gotosocial'] as const) {
  test(`${dialect}: a person agrees, and the token is handed on with what is known of it`, async (t) => {
    const { consents, brought, sent, begin, tokens, twin } = await bench(t, dialect);
    const { url, view, visit } = await begin();
    assert.equal(url.origin + url.pathname, `${twin.origin}/oauth/authorize`);
    const asked = Object.fromEntries(url.searchParams);
    const { state, code_challenge, client_id, ...rest } = asked;
    assert.deepEqual(rest, {
      response_type: 'code',
      redirect_uri: REDIRECT_URI,
      scope: SCOPES.join(' '),
      code_challenge_method: 'S256',
      force_login: 'true',
    });
    assert.match(`${state} ${code_challenge}`, /^[\w-]{43} [\w-]{43}$/);
    assert.equal(client_id, twin.control.keys.byId(twin.control.keys.all()[0]!.id)!.parts['clientId']);
    assert.equal(view.state, 'waiting');

    const ended = await consents.finish(await visit());
    assert.deepEqual([ended?.state, ended?.account, ended?.scopes], ['brought', '42', SCOPES]);
    const [one] = brought;
    assert.deepEqual([one!.credentialId, one!.actor, one!.consented.account], ['crd_1', 'prn_1', '42']);
    assert.equal(one!.consented.app.credential.id, 'crd_app');
    assert.equal(revealSecretText(one!.parts['key']!), tokens()[0]!.parts['key']);
    assert.equal(consents.view('crd_1')?.state, 'brought');
    // What is kept of the request holds neither code nor verifier nor secret.
    assert(!JSON.stringify(sent).includes('canary'));
  });
}

test('wrong, replayed and late answers are nobody’s, and cost the one that is waited for nothing', async (t) => {
  const { consents, desk, begin, brought } = await bench(t);
  const { visit } = await begin();
  const answer = await visit();
  assert.equal(await consents.finish({ ...answer, state: 'x'.repeat(43) }), null);
  assert.equal(await consents.finish({ ...answer, state: '' }), null);
  assert.equal(consents.view('crd_1')?.state, 'waiting');
  assert.equal((await consents.finish(answer))?.state, 'brought');
  assert.equal(await consents.finish(answer), null, 'a second time');
  assert.equal(await consents.finish({ ...answer, code: 'canary-another-code' }), null);
  assert.equal(brought.length, 1);

  const late = await (await begin()).visit();
  desk.advance(CONSENT_MS - 1);
  assert.equal(consents.view('crd_1')?.state, 'waiting');
  desk.advance(1);
  assert.equal(await consents.finish(late), null);
  assert.equal(consents.view('crd_1')?.state, 'expired');
  desk.advance(3_600_000);
  assert.equal(consents.view('crd_1'), null, 'and then forgotten');
  assert.equal(brought.length, 1);
});

test('of two consents for one credential the later one counts', async (t) => {
  const { consents, begin, brought } = await bench(t);
  const first = await (await begin()).visit();
  const second = await (await begin()).visit();
  assert.equal(await consents.finish(first), null);
  assert.equal(consents.view('crd_1')?.state, 'waiting');
  assert.equal((await consents.finish(second))?.state, 'brought');
  assert.equal(brought.length, 1);
});

test('two answers with one state at the same time are one', async (t) => {
  const { consents, begin, brought } = await bench(t);
  const answer = await (await begin()).visit();
  const ends = await Promise.all([consents.finish(answer), consents.finish(answer), consents.finish(answer)]);
  assert.deepEqual(
    ends.map((one) => one?.state ?? null),
    ['brought', null, null],
  );
  assert.equal(brought.length, 1);
});

test('a person who does not agree, and an instance that answers with an error', async (t) => {
  const { consents, begin, brought, sent, twin } = await bench(t);
  twin.control.state.person.agrees = false;
  const denied = await consents.finish(await (await begin()).visit());
  assert.deepEqual([denied?.state, denied?.why], ['denied', 'the person did not agree']);
  const table = [
    ['server_error', 'the instance answered with server_error'],
    ['<script>', 'the instance answered with an error'],
  ] as const;
  for (const [error, why] of table) {
    const { state } = await (await begin()).visit();
    const ended = await consents.finish({ state, code: null, error, issuer: null });
    assert.deepEqual([ended?.state, ended?.why], ['refused', why]);
  }
  assert.deepEqual([brought, sent], [[], []]);
});

test('a code that is wrong, missing or another’s is no token', async (t) => {
  const { consents, begin, brought, sent } = await bench(t);
  for (const code of [null, '', 'short', `a ${'b'.repeat(20)}`]) {
    const { state } = await (await begin()).visit();
    const ended = await consents.finish({ state, code, error: null, issuer: null });
    assert.deepEqual([ended?.state, ended?.why], ['refused', 'the answer has no code'], String(code));
  }
  assert.deepEqual(sent, []);
  const answer = await (await begin()).visit();
  // A code that belongs to another challenge: whoever brought it has not the verifier.
  const stolen = await (await begin()).visit();
  const { state } = await (await begin()).visit();
  const ended = await consents.finish({ ...stolen, state });
  assert.deepEqual([ended?.state, ended?.why], ['refused', 'the instance refuses the code: invalid_grant']);
  assert.equal(await consents.finish(answer), null);
  assert.deepEqual(brought, []);
});

test('an answer in another server’s name is refused before anything is sent', async (t) => {
  const { consents, begin, sent, twin } = await bench(t);
  const ended = await consents.finish({ ...(await (await begin()).visit()), issuer: 'https://other.example' });
  assert.deepEqual([ended?.state, ended?.why, sent], ['refused', 'another server answered', []]);
  const named = await consents.finish({ ...(await (await begin()).visit()), issuer: twin.origin });
  assert.equal(named?.state, 'brought');
});

test('a token with other scopes than those that were asked for is not taken, and ended', async (t) => {
  const table = [
    [['read:accounts'], 'the token lacks scopes that were asked for: write:statuses'],
    [[...SCOPES, 'write:media'], 'the token has scopes that nobody asked for'],
    [['read', 'write:statuses'], 'the token has scopes that nobody asked for'],
  ] as const;
  for (const [scopes, why] of table) {
    const { consents, begin, brought, alive, twin } = await bench(t);
    const answer = await (await begin()).visit();
    const { codes } = twin.control.state;
    codes.set(answer.code!, { ...codes.get(answer.code!)!, scopes });
    const ended = await consents.finish(answer);
    assert.deepEqual([ended?.state, ended?.why], ['refused', why]);
    assert.deepEqual([brought, alive()], [[], [false]]);
  }
});

test('a token of another account is refused by whoever takes it, and ended; one that is in use is not', async (t) => {
  const bring: ConsentTools['bring'] = (_id, _parts, _actor, { account }) =>
    account === '42'
      ? Promise.resolve()
      : Promise.reject(new Failure('invalid', 'this key belongs to another account'));
  const { consents, begin, alive, twin } = await bench(t, 'mastodon', { bring });
  twin.control.state.person.account = '43';
  const ended = await consents.finish(await (await begin()).visit());
  assert.deepEqual([ended?.state, ended?.why], ['refused', 'this key belongs to another account']);
  assert.deepEqual(alive(), [false]);

  // The instance gives the same token again, to the same app, user and scopes. Somebody uses it, here or elsewhere.
  for (const isKnownHere of [true, false]) {
    const again = await bench(t, 'mastodon', { bring, isHeld: () => Promise.resolve(isKnownHere) });
    const { control } = again.twin;
    control.state.person.account = '43';
    const made = await again.consents.finish(await (await again.begin()).visit());
    if (isKnownHere) assert.match(made?.why ?? '', /may live on/);
    else assert.deepEqual(again.alive(), [false]);
    const old = control.mint({
      ...again.tokens()[0]!,
      id: 'in-use',
      parts: { key: `canary${'u'.repeat(37)}` },
      account: '44',
    });
    Object.assign(old, { createdAt: Date.now() - 3_600_000 });
    control.state.person.account = '44';
    const reused = await again.consents.finish(await (await again.begin()).visit());
    assert.match(reused?.why ?? '', /another account; the token that was made may live on/);
    assert(control.isAlive('in-use'));
  }
});

test('what ended since it was begun ends the consent', async (t) => {
  const cases: readonly (readonly [string, (b: Awaited<ReturnType<typeof bench>>) => void, Partial<ConsentTools>])[] = [
    ['whoever began this may not do it any more', () => {}, { mayStill: () => false }],
    [
      'the credential was decommissioned',
      ({ desk, credential }) => desk.furnish('credential', { ...credential, retiredAt: 1 } as never),
      {},
    ],
    [
      'the credential has moved to another origin',
      ({ desk, credential }) => desk.furnish('credential', { ...credential, origin: 'https://moved.example' } as never),
      {},
    ],
  ];
  for (const [why, change, tools] of cases) {
    const one = await bench(t, 'mastodon', tools);
    const answer = await (await one.begin()).visit();
    change(one);
    const ended = await one.consents.finish(answer);
    assert.deepEqual([ended?.state, ended?.why, one.sent], ['refused', why, []]);
  }
});

test('an instance that cannot be reached, redirects, or answers with something else gives no token', async (t) => {
  const answered = (status: number, json: object, headers = {}): Call => {
    return () => Promise.resolve({ status, headers, json: json as never, text: '' });
  };
  const lost = (code: 'upstream-unavailable' | 'upstream-ambiguous'): Call => {
    return () => Promise.reject(new Failure(code, 'a test'));
  };
  const token = { access_token: `canary${'t'.repeat(37)}`, token_type: 'Bearer', scope: SCOPES.join(' ') };
  const table: readonly (readonly [Call, string])[] = [
    [lost('upstream-unavailable'), 'the instance could not be reached: begin again'],
    [lost('upstream-ambiguous'), 'the instance did not answer: a token may have been made, begin again'],
    [
      answered(302, {}, { location: 'https://other.example/oauth/token' }),
      'the instance’s answer to the code is none that is known (302)',
    ],
    [answered(200, { ...token, token_type: 'mac' }), 'the instance’s answer to the code is none that is known (200)'],
    [
      answered(200, { ...token, access_token: 'with space' }),
      'the instance’s answer to the code is none that is known (200)',
    ],
    [answered(201, token), 'the instance’s answer to the code is none that is known (201)'],
    [answered(503, { error: 'unavailable' }), 'the instance’s answer to the code is none that is known (503)'],
    [answered(401, { error: 'invalid_client' }), 'the instance refuses the code: invalid_client'],
  ];
  for (const [call, why] of table) {
    let asked = 0;
    const counted: Call = (...given) => {
      asked++;
      return call(...given);
    };
    const { consents, begin, brought } = await bench(t, 'mastodon', { callFor: () => counted });
    const ended = await consents.finish(await (await begin()).visit());
    assert.deepEqual([ended?.state, ended?.why, brought, asked], ['refused', why, [], 1]);
  }
});

test('what fails in the server is not told, and the consent is used up all the same', async (t) => {
  const bring = () => Promise.reject(new Error('canary-detail'));
  const { consents, begin } = await bench(t, 'mastodon', { bring });
  const answer = await (await begin()).visit();
  await assert.rejects(consents.finish(answer), /canary-detail/);
  assert.deepEqual(
    [consents.view('crd_1')?.state, consents.view('crd_1')?.why],
    ['refused', 'it failed in the server'],
  );
  assert.equal(await consents.finish(answer), null);
});

test('no more than so many are under way at once', async (t) => {
  const { consents, credential, desk, appRow } = await bench(t, 'mastodon', {
    open: () => Promise.resolve({ clientId: new Secret('a-client-id') }),
  });
  const app = { credential: appRow, version: versionRow() };
  const flow = consentFlow('mastodon', 'user-token')!;
  const asked = { app, flow, redirectUri: REDIRECT_URI, scopes: SCOPES, caller: CALLER };
  for (let n = 0; n < 1_000; n++) await consents.begin({ ...asked, credential: { ...credential, id: `crd_${n}` } });
  const one = { ...asked, credential: { ...credential, id: 'crd_more' } };
  await assert.rejects(consents.begin(one), (error) => Failure.is(error, 'rate-limited'));
  // In the place of one that is there, always.
  await consents.begin({ ...asked, credential: { ...credential, id: 'crd_7' } });
  desk.advance(3_600_000);
  await consents.begin(one);
});
