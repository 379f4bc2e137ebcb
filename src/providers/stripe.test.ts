// Stripe at the family's conformance suite, and what is particular to it: a restricted key that may nothing is alive, two ways to be dead.
import assert from 'node:assert/strict';
import test from 'node:test';
import { providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { answer } from '../../test/support/provider-answer.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { prng } from '../../twins/prng.ts';
import { ACCOUNT_READ, newStripeKey, stripeTwin } from '../../twins/stripe.ts';
import { compileCatalogue, matchAction } from '../access/action.ts';
import type { Json } from '../model/json.ts';
import type { Kind } from './provider.ts';
import { stripe } from './stripe.ts';

const random = prng(7);

function freshKey(kind: string, scopes: readonly string[] = [ACCOUNT_READ]) {
  const text = newStripeKey(random, kind === 'secret-key' ? 'sk_test_' : 'rk_test_');
  return { kind, name: 'by hand', account: 'acct_1', scopes, parts: { key: text } };
}

providerConformance(stripe, () =>
  kitTwin({
    definition: stripeTwin,
    // None is public for keys.
    documents: [],
    issuer: (kind, control) => ({
      acting: { parts: secretParts(control.mint(freshKey('secret-key'))), places: kind.places },
      settings: {},
    }),
    byHand: (kind, control) => control.mint(freshKey(kind.name)),
  }),
);

function kindOf(name: string): Kind {
  return stripe.kinds.find((kind) => kind.name === name)!;
}

const restricted = kindOf('restricted-key');
const secret = kindOf('secret-key');

function error(message: string, more: Record<string, Json> = {}): Json {
  return { error: { message, type: 'invalid_request_error', ...more } };
}

const PERMISSION =
  "The provided key 'rk_test_****' does not have the required permissions for this endpoint on account 'acct_1'. Having …";

test('401 is death for an invalid key and for an expired one; 403 names what a live key lacks; everything else says nothing', () => {
  for (const kind of stripe.kinds) {
    const read = (status: number, json: Json) => kind.probe.read(answer(status, json), { settings: {} }).is;
    assert.equal(read(401, error('Invalid API Key provided: sk_test_****')), 'dead');
    assert.equal(read(401, error('Expired API Key provided: rk_test_****', { code: 'api_key_expired' })), 'dead');
    assert.equal(read(401, error('You did not provide an API key.')), 'unknown');
    assert.equal(read(401, { error: { type: 'api_error', message: 'Invalid API Key provided: x' } }), 'unknown');
    assert.equal(read(401, null), 'unknown');
    assert.equal(read(403, error(PERMISSION)), 'alive');
    assert.equal(read(403, error('The account was rejected.')), 'unknown');
    assert.equal(read(403, error('Expired API Key provided', { code: 'api_key_expired' })), 'unknown');
    assert.equal(read(403, { message: 'proxy' }), 'unknown');
    for (const status of [400, 402, 404, 409, 429, 500, 503])
      assert.equal(read(status, error('Invalid API Key provided: x', { code: 'api_key_expired' })), 'unknown');
    assert.equal(read(200, { object: 'list' }), 'unknown');
  }
});

test('at the twin, a restricted key without any permission is alive, of an account that nobody can say, until it is rolled', async () => {
  const twin = await startTwin(stripeTwin);
  try {
    const call = directCall(twin.origin);
    const made = twin.control.mint(freshKey('restricted-key', []));
    const acting = { parts: secretParts(made), places: restricted.places };
    const input = { settings: {} };
    const probe = async () => restricted.probe.read(await call(restricted.probe.request(input), acting), input);
    assert.partialDeepStrictEqual(await probe(), {
      is: 'alive',
      evidence: { signature: 'stripe.403.missing-permission' },
    });
    const whose = restricted.identity!.read(await call(restricted.identity!.request(input), acting), input);
    assert.equal(whose.is, 'unknown');
    twin.control.endByHand(made.id);
    assert.partialDeepStrictEqual(await probe(), { is: 'dead', evidence: { signature: 'stripe.401.expired-key' } });
    const nobodys = { ...acting, parts: secretParts({ parts: { key: newStripeKey(random, 'rk_test_') } }) };
    const said = restricted.probe.read(await call(restricted.probe.request(input), nobodys), input);
    assert.partialDeepStrictEqual(said, { is: 'dead', evidence: { signature: 'stripe.401.invalid-key' } });
  } finally {
    await twin.close();
  }
});

test('formats: restricted and secret keys are told apart, publishable and temporary ones are neither', () => {
  const forms = [restricted, secret].map((kind) => kind.format['key']!);
  const matching = (text: string) => forms.map((form) => form.test(text));
  assert.deepEqual(matching('rk_live_canary0123456789'), [true, false]);
  assert.deepEqual(matching('sk_test_canary0123456789'), [false, true]);
  for (const other of ['pk_live_canary0123456789', 'ek_test_canary0123456789', 'sk_live_short', 'rk_canary0123456789'])
    assert.deepEqual(matching(other), [false, false], other);
});

test('a person makes and ends keys: nothing here claims to', () => {
  for (const kind of stripe.kinds) {
    assert.deepEqual([kind.issue, kind.list, kind.revoke, kind.rotation], [null, null, null, 'assisted']);
    assert(kind.byHand?.revoke !== null && kind.byHand!.issue.length > 1);
  }
});

test('whatever shows a secret or acts for somebody is marked, also where it only reads', () => {
  const catalogue = compileCatalogue(stripe.actions);
  const found = (method: string, path: string) => matchAction(catalogue, method, path)?.action ?? null;
  for (const line of [
    'GET /v2/iam/api_keys',
    'POST /v2/iam/api_keys/k/rotate',
    'POST /v1/ephemeral_keys',
    'POST /v1/webhook_endpoints',
    'POST /v1/accounts/acct_1/login_links',
    'POST /v1/billing_portal/sessions',
    'GET /v1/apps/secrets/find',
  ]) {
    const [method, path] = line.split(' ');
    assert.equal(found(method!, path!)?.mints, true, line);
  }
  assert.equal(found('GET', '/v1/webhook_endpoints/we_1')?.mints, undefined);
  assert.equal(found('POST', '/v1/payment_intents/pi_1/confirm')?.name, 'payment-intent.confirm');
  assert.equal(found('GET', '/v1/customers/search')?.name, 'customer.search');
  assert.equal(found('POST', '/v1/accounts/acct_1/persons')?.name, 'api.create');
  assert.equal(found('POST', '/v1/Ephemeral_keys'), null);
  assert.equal(found('PUT', '/v1/customers/c'), null);
});
