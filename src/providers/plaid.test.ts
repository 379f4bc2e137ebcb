// Plaid at the family's conformance suite, and what is particular to it: every refusal is a 400, a token is asked about with its client's keys,
// it is swapped without any overlap, and it belongs to one environment.
import assert from 'node:assert/strict';
import test from 'node:test';
import { type ProviderTwin, providerConformance } from '../../test/conformance/provider.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { answer } from '../../test/support/provider-answer.ts';
import type { KitControl, KitKey } from '../../twins/kit.ts';
import { newPlaidSecret, newPlaidToken, type PlaidState, plaidTwin } from '../../twins/plaid.ts';
import { prng } from '../../twins/prng.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { revealSecretText } from '../model/secret.ts';
import { plaid } from './plaid.ts';
import type { Acting, Kind, Parts } from './provider.ts';

const random = prng(11);
const CLIENT_ID = '0123456789abcdef01234567';
const INPUT = { settings: {}, label: 'l', providerKeyId: 'r' };

function kindNamed(name: string): Kind {
  return plaid.kinds.find((kind) => kind.name === name) ?? assert.fail(name);
}

type Control = KitControl<PlaidState>;

function newClient(control: Control, kind: string): KitKey {
  const parts = { clientId: CLIENT_ID, secret: newPlaidSecret(random) };
  return control.mint({ kind, name: '', account: 'team', parts });
}

/** A token of the one Item there is. As at Plaid, it ends the one before. */
function newToken(control: Control, kind: string): KitKey {
  for (const one of control.keys.all()) if (one.kind === kind) control.endByHand(one.id);
  const parts = { key: newPlaidToken(random, kind.startsWith('sandbox-') ? 'sandbox' : 'production') };
  return control.mint({ kind, name: '', account: 'team', parts, more: { item: 'item-1' } });
}

function actingAs(kind: Kind, key: KitKey): Acting {
  return { parts: secretParts(key), places: kind.places, publicParts: kind.publicParts ?? [] };
}

let lastControl: Control | null = null;

function makeTwin(): Promise<ProviderTwin> {
  return kitTwin({
    definition: plaidTwin,
    documents: [{ file: 'specs/plaid/plaid-2020-09-14.openapi.yml', base: '' }],
    issuer(kind, control) {
      lastControl = control;
      const issuer = kindNamed(kind.issuers[0] ?? kind.name);
      return { acting: actingAs(issuer, newClient(control, issuer.name)), settings: {} };
    },
    byHand: (kind, control) => (kind.asks === 'issuer' ? newToken(control, kind.name) : newClient(control, kind.name)),
  });
}

providerConformance(plaid, makeTwin);

function refusal(code: string, type = 'INVALID_INPUT'): Json {
  return { error_code: code, error_type: type, error_message: 'm', display_message: null, request_id: 'r' };
}

test('the probe of a client: what each answer proves', () => {
  const { probe } = kindNamed('client');
  assert.deepEqual(probe.request({ settings: {} }), {
    method: 'POST',
    path: '/institutions/get_by_id',
    headers: { 'Plaid-Version': '2020-09-14' },
    json: { institution_id: 'ins_109508', country_codes: ['US'] },
  });
  const rows: readonly (readonly [number, Json, string])[] = [
    [200, { institution: {}, request_id: 'r' }, 'alive'],
    [200, { institution: {} }, 'unknown'],
    [400, refusal('INVALID_INSTITUTION'), 'alive'],
    [400, refusal('INVALID_PRODUCT'), 'alive'],
    [400, refusal('INSTITUTION_DOWN', 'INSTITUTION_ERROR'), 'alive'],
    [400, { error_code: 'INVALID_PRODUCT' }, 'unknown'],
    [400, refusal('INSTITUTIONS_GET_BY_ID_LIMIT', 'RATE_LIMIT_EXCEEDED'), 'unknown'],
    [400, refusal('INVALID_API_KEYS'), 'dead'],
    [400, refusal('UNAUTHORIZED_ENVIRONMENT'), 'unknown'],
    // May be found before anybody looks at the keys.
    [400, refusal('MISSING_FIELDS', 'INVALID_REQUEST'), 'unknown'],
    [400, refusal('PLANNED_MAINTENANCE', 'API_ERROR'), 'unknown'],
    [401, refusal('INVALID_API_KEYS'), 'unknown'],
    [401, { message: 'proxy' }, 'unknown'],
    [429, refusal('INSTITUTIONS_GET_BY_ID_LIMIT', 'RATE_LIMIT_EXCEEDED'), 'unknown'],
    [500, refusal('INTERNAL_SERVER_ERROR', 'API_ERROR'), 'unknown'],
  ];
  for (const [status, json, expected] of rows)
    assert.equal(probe.read(answer(status, json), { settings: {} }).is, expected, JSON.stringify(json));
  const { evidence } = probe.read(answer(400, refusal('INVALID_API_KEYS')), { settings: {} });
  assert.deepEqual(evidence, { status: 400, signature: 'plaid.400.invalid-api-keys', requestId: 'r' });
});

test('the probe of an access token: only its own death is death', () => {
  const { probe } = kindNamed('access-token');
  const rows: readonly (readonly [number, Json, string])[] = [
    [200, { item: { error: null }, request_id: 'r' }, 'alive'],
    [200, { item: { error: refusal('ITEM_LOGIN_REQUIRED', 'ITEM_ERROR') }, request_id: 'r' }, 'alive'],
    [400, refusal('ITEM_LOGIN_REQUIRED', 'ITEM_ERROR'), 'alive'],
    [400, refusal('ACCESS_NOT_GRANTED', 'ITEM_ERROR'), 'alive'],
    [400, refusal('INVALID_ACCESS_TOKEN'), 'dead'],
    [400, refusal('ITEM_NOT_FOUND', 'ITEM_ERROR'), 'dead'],
    [400, refusal('INVALID_API_KEYS'), 'unknown'],
    [404, refusal('ITEM_NOT_FOUND', 'ITEM_ERROR'), 'unknown'],
    [429, refusal('ITEM_GET_LIMIT', 'RATE_LIMIT_EXCEEDED'), 'unknown'],
    [503, null, 'unknown'],
  ];
  for (const [status, json, expected] of rows)
    assert.equal(probe.read(answer(status, json), { settings: {} }).is, expected, JSON.stringify(json));
});

test('a swap is issued only with the token itself, and refused only in Plaid’s own form', () => {
  const { replace, revoke } = kindNamed('access-token');
  const token = newPlaidToken(random, 'production');
  const issued = replace!.read(answer(200, { new_access_token: token, request_id: 'r1' }), INPUT);
  assert(issued.is === 'issued' && issued.providerKeyId === 'r1');
  const rows: readonly (readonly [number, Json, object])[] = [
    [200, { request_id: 'r' }, { is: 'ambiguous' }],
    [200, { new_access_token: token }, { is: 'ambiguous' }],
    [400, refusal('INVALID_ACCESS_TOKEN'), { is: 'refused', final: true }],
    [400, refusal('INVALID_API_KEYS'), { is: 'refused', final: false }],
    [400, refusal('ITEM_LOCKED', 'ITEM_ERROR'), { is: 'refused', final: false }],
    [400, refusal('INTERNAL_SERVER_ERROR', 'API_ERROR'), { is: 'ambiguous' }],
    [400, { message: 'proxy' }, { is: 'ambiguous' }],
    [403, { message: 'proxy' }, { is: 'ambiguous' }],
    [429, refusal('RATE_LIMIT', 'RATE_LIMIT_EXCEEDED'), { is: 'refused', final: false }],
    [500, refusal('INTERNAL_SERVER_ERROR', 'API_ERROR'), { is: 'ambiguous' }],
  ];
  for (const [status, json, expected] of rows) {
    const { evidence: _, ...said } = replace!.read(answer(status, json), INPUT) as { evidence?: object };
    assert.partialDeepStrictEqual(said, expected, JSON.stringify(json));
  }
  assert.equal(revoke!.read(answer(400, refusal('INVALID_ACCESS_TOKEN')), INPUT).is, 'absent');
  assert.equal(revoke!.read(answer(400, { message: 'proxy' }), INPUT).is, 'ambiguous');
  assert.equal(revoke!.read(answer(200, {}), INPUT).is, 'ambiguous');
});

test('a kind is of one environment: its origin and the form of its tokens say the same', () => {
  const token = { production: newPlaidToken(random, 'production'), sandbox: newPlaidToken(random, 'sandbox') };
  const [live, sandbox] = [kindNamed('access-token'), kindNamed('sandbox-access-token')];
  assert(live.format['key']!.test(token.production) && !live.format['key']!.test(token.sandbox));
  assert(sandbox.format['key']!.test(token.sandbox) && !sandbox.format['key']!.test(token.production));
  assert.equal(plaid.origin, 'https://production.plaid.com');
  assert.equal(live.origin, undefined);
  for (const name of ['sandbox-client', 'sandbox-access-token'])
    assert.equal(kindNamed(name).origin, 'https://sandbox.plaid.com');
  assert.deepEqual([live.issuers, sandbox.issuers], [['client'], ['sandbox-client']]);
});

test('a country is asked for where the client has another one, and nothing else is taken for one', () => {
  const { probe } = kindNamed('client');
  const { json } = probe.request({ settings: { countryCode: 'GB' } });
  assert.deepEqual(json, { institution_id: 'ins_109508', country_codes: ['GB'] });
  assert.throws(
    () => probe.request({ settings: { countryCode: 'GB","x' } }),
    (error) => Failure.is(error, 'invalid'),
  );
});

/** A twin with the sandbox's client and one token, and what can be asked there. */
async function withSandbox(
  t: test.TestContext,
  run: (tools: {
    readonly control: Control;
    readonly twin: ProviderTwin;
    readonly acting: Acting;
    readonly token: KitKey;
    probe(parts: Parts, acting?: Acting): Promise<string>;
  }) => Promise<void>,
): Promise<void> {
  const kind = kindNamed('sandbox-access-token');
  const twin = await makeTwin();
  try {
    const { acting } = twin.issuer(kind);
    const control = lastControl!;
    await run({
      control,
      twin,
      acting,
      token: newToken(control, kind.name),
      async probe(parts, as = acting) {
        return kind.probe.read(await twin.call(kind.probe.request({ settings: {} }), as, parts), { settings: {} }).is;
      },
    });
    const problems = twin.problems();
    if (problems === null) t.diagnostic(twin.documentAbsent);
    else assert.deepEqual(problems, []);
  } finally {
    await twin.close();
  }
}

test('at the twin: a token outlives its user’s login, and dies with its Item', async (t) => {
  await withSandbox(t, async ({ twin, acting, token, probe }) => {
    const kind = kindNamed('sandbox-access-token');
    const parts = secretParts(token);
    const ask = (path: string) => twin.call({ ...kind.probe.request({ settings: {} }), path }, acting, parts);
    assert.equal((await ask('/sandbox/item/reset_login')).status, 200);
    assert.equal(await probe(parts), 'alive');
    const removed = await twin.call(kind.revoke!.request({ settings: {}, providerKeyId: 'x' }), acting, parts);
    assert.equal(kind.revoke!.read(removed, INPUT).is, 'accepted');
    const { json } = await ask('/item/get');
    assert.equal((json as { error_code: string }).error_code, 'ITEM_NOT_FOUND');
    assert.equal(await probe(parts), 'dead');
  });
});

test('at the twin: a client that is refused, or of the other environment, proves nothing of the token’s life', async (t) => {
  await withSandbox(t, async ({ control, acting, token, probe }) => {
    const kind = kindNamed('sandbox-client');
    const parts = secretParts(token);
    const other = actingAs(kind, newClient(control, 'sandbox-client'));
    control.endByHand(control.keys.byText(revealSecretText(acting.parts['secret']!))!.id);
    assert.equal(await probe(parts), 'unknown');
    assert.equal(await probe(parts, other), 'alive');
    // Why a kind is of one environment: there, the same token looks dead.
    assert.equal(await probe(parts, actingAs(kind, newClient(control, 'client'))), 'dead');
  });
});

test('at the twin: where the answer to a swap is lost, the old token tells whether it happened', async (t) => {
  await withSandbox(t, async ({ control, twin, acting, token, probe }) => {
    const kind = kindNamed('sandbox-access-token');
    const swap = (parts: Parts) => twin.call(kind.replace!.request(INPUT), acting, parts);
    const isLost = (error: unknown) => Failure.is(error, 'upstream-ambiguous');

    control.fault('cut-before');
    await assert.rejects(swap(secretParts(token)), isLost);
    control.clearFaults();
    assert.equal(await probe(secretParts(token)), 'alive', 'it did not happen');

    control.fault('create-lost');
    await assert.rejects(swap(secretParts(token)), isLost);
    control.clearFaults();
    assert.equal(await probe(secretParts(token)), 'dead', 'it happened, and the new one is lost');

    const next = newToken(control, kind.name);
    control.fault('create-arrives-later', { ms: 0 });
    await assert.rejects(swap(secretParts(next)), isLost);
    control.clearFaults();
    assert.equal(await probe(secretParts(next)), 'dead', 'it happened after the connection was gone');
  });
});

test('at the twin: an Item of the sandbox needs no browser, and its identity is the Item', async (t) => {
  await withSandbox(t, async ({ twin, acting, probe }) => {
    const kind = kindNamed('sandbox-access-token');
    const made = await twin.call(
      {
        method: 'POST',
        path: '/sandbox/public_token/create',
        json: { institution_id: 'ins_109508', initial_products: ['transactions'] },
      },
      acting,
    );
    const publicToken = (made.json as { public_token: string }).public_token;
    const exchange = () =>
      twin.call({ method: 'POST', path: '/item/public_token/exchange', json: { public_token: publicToken } }, acting);
    const { access_token, item_id } = (await exchange()).json as { access_token: string; item_id: string };
    assert.equal((await exchange()).status, 400, 'a public token is good for once');
    const parts = secretParts({ parts: { key: access_token } });
    assert.equal(await probe(parts), 'alive');
    const said = await twin.call(kind.identity!.request({ settings: {} }), acting, parts);
    const identity = kind.identity!.read(said, { settings: {} });
    assert(identity.is === 'known');
    assert.equal(identity.account, item_id);
    assert.deepEqual(identity.scopes, ['auth', 'transactions']);
  });
});
