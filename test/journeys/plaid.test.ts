// Plaid's official client, unmodified, through the broker: with the application's own access tokens, and with handles in their place, so that the
// application holds neither of the two keys. Keys change beneath it without a failed request, and whatever ends the access of either use ends
// the request. What crosses the twin is held against Plaid's own document, where that lies beside the checkout.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { Configuration, PlaidApi, type PlaidError } from 'plaid';
import { type RunningTwin, startTwin } from '../../twins/kit.io.ts';
import type { KitKey } from '../../twins/kit.ts';
import { newPlaidSecret, newPlaidToken, type PlaidState, plaidTwin } from '../../twins/plaid.ts';
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
import { loadOpenApi } from '../support/openapi.ts';
import { until } from '../support/workshop-checks.ts';

const CLIENT_ID = '0123456789abcdef01234567';
const ACTIONS = ['item.get', 'accounts.get'];
const random = prng(23);
const problems: string[] = [];

let twin: RunningTwin<PlaidState>;
let house: House;
let service: string;
let team: string;
before(async () => {
  const document = loadOpenApi('specs/plaid/plaid-2020-09-14.openapi.yml', '');
  twin = await startTwin(plaidTwin, { onExchange: (one) => problems.push(...(document?.validateExchange(one) ?? [])) });
  house = await startHouse({ providers: { plaid: twin.origin }, broker: true });
  service = await addService(house, 'budget');
  team = await addCredential(house, { ...ofClient('team'), parts: newSecret('secret-1').parts });
  await grant(house, service, team, ACTIONS);
});
beforeEach(() => twin.control.latency(0));
afterEach(() => assert.deepEqual(problems, []));
after(async () => {
  try {
    assert.deepEqual(house.errors, []);
    await assertReplays(house);
  } finally {
    await house.stop();
    await twin.close();
  }
});

function ofClient(name: string) {
  return { provider: 'plaid', name, kind: 'client' };
}

/** A secret of the team, as a person makes one in the dashboard. */
function newSecret(id: string): KitKey {
  const parts = { clientId: CLIENT_ID, secret: newPlaidSecret(random) };
  return twin.control.mint({ id, kind: 'client', name: '', account: 'team', parts });
}

function newItem(item: string): KitKey {
  const parts = { key: newPlaidToken(random, 'production') };
  return twin.control.mint({ kind: 'access-token', name: '', account: 'team', parts, more: { item } });
}

/** An Item as a credential that the service may use, and the service's handle for it. */
async function lendItem(name: string, actions: readonly string[] = ACTIONS) {
  const { parts } = newItem(name);
  // Nobody can be asked about it here: the key of its issuer is lent, and does not mint.
  const kind = { provider: 'plaid', kind: 'access-token' };
  const id = await addCredential(house, { ...kind, name, parts });
  const grantId = await grant(house, service, id, actions);
  return { id, grantId, handle: await issueToken(house, service, id) };
}

/** The client as its documentation sets it up. */
function plaidClient(headers: Readonly<Record<string, string>>, mount = '/plaid/team'): PlaidApi {
  return new PlaidApi(new Configuration({ basePath: `${house.brokerOrigin}${mount}`, baseOptions: { headers } }));
}

const byHeaders = (token: string) => plaidClient({ 'PLAID-CLIENT-ID': 'claviger', 'PLAID-SECRET': token });

/** What a client sees of a refusal: Plaid's own error, or the broker's problem. */
async function refusalOf(asking: Promise<unknown>): Promise<{ status: number; code: string }> {
  const error = await asking.then(
    () => assert.fail('it was not refused'),
    (one: unknown) => one as { response?: { status: number; data: Partial<PlaidError> & { code?: string } } },
  );
  assert(error.response !== undefined, String(error));
  const { status, data } = error.response;
  return { status, code: data.error_code ?? data.code ?? '' };
}

test('the client asks through the broker, with headers or with its keys in the body, and sees Plaid’s own errors', async () => {
  const { text } = await issueToken(house, service);
  const bound = await issueToken(house, service, team);
  const item = newItem('own-item');
  const access_token = item.parts['key']!;
  const inBody = { client_id: 'claviger', secret: text };
  const asked: readonly (readonly [string, Promise<{ data: { accounts: readonly object[] } }>])[] = [
    ['headers', byHeaders(text).accountsGet({ access_token })],
    ['the body', plaidClient({}).accountsGet({ ...inBody, access_token })],
    ['both', byHeaders(text).accountsGet({ ...inBody, access_token })],
    ['a bound token, at the root', plaidClient({ 'PLAID-SECRET': bound.text }, '').accountsGet({ access_token })],
  ];
  for (const [about, answer] of asked) assert.equal((await answer).data.accounts.length, 1, about);
  const { data } = await byHeaders(text).itemGet({ access_token });
  assert.equal(data.item.item_id, 'own-item');
  assert.deepEqual(await refusalOf(byHeaders(text).itemGet({ access_token: 'access-production-canary' })), {
    status: 400,
    code: 'INVALID_ACCESS_TOKEN',
  });
  assert.deepEqual(await refusalOf(byHeaders(text).itemRemove({ access_token })), { status: 403, code: 'no-grant' });
  assert.deepEqual(await refusalOf(plaidClient({}).itemGet({ access_token })), { status: 401, code: 'no-token' });
});

test('under load the secret is changed, and no request fails', async () => {
  const { text } = await issueToken(house, service);
  const { handle } = await lendItem('busy');
  const client = byHeaders(text);
  twin.control.latency(3);
  const load = startLoad(4, async (worker, n) => {
    const { data } = await client.itemGet({ access_token: handle.text });
    assert.equal(data.item.item_id, 'busy', `${worker} ${n}`);
  });
  await load.more(50);
  const next = newSecret('secret-2');
  await ask(house, 'POST', `/v1/credentials/${team}/versions`, { parts: next.parts, providerKeyId: 'secret-2' });
  await load.more(50);
  // Nothing uses the old one any more: a person deletes it, and nobody notices.
  const [old] = await until(() => {
    const versions = [...house.app.policy.versions.values()].filter((one) => one.credentialId === team);
    const previous = versions.filter((one) => one.state === 'previous');
    const inFlight = previous.map((one) => house.app.live.activity(one.id, house.app.clock.monotonic()).inFlight);
    return previous.length > 0 && inFlight.every((count) => count === 0) ? previous : null;
  }, 'the old secret to be idle');
  const before = twin.control.keys.byId('secret-1')!.acceptedCount;
  twin.control.endByHand('secret-1');
  await load.more(50);
  const { answers, failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert(answers >= 150);
  assert.equal(old!.providerKeyId, 'team-1');
  assert.equal(twin.control.keys.byId('secret-1')!.acceptedCount, before, 'the old one was not used again');
});

test('a handle stands for an Item’s token: each use is on record, and neither key is seen by the application', async () => {
  const { text } = await issueToken(house, service);
  const { id, handle } = await lendItem('item-a');
  const client = byHeaders(text);
  const { data } = await client.accountsGet({ access_token: handle.text });
  assert.equal(data.item.item_id, 'item-a');
  // The client's own way of putting everything into the body.
  const whole = { client_id: 'claviger', secret: text, access_token: handle.text };
  assert.equal((await plaidClient({}).itemGet(whole)).data.item.item_id, 'item-a');
  const uses = (await entriesOf(house, 'use')).filter((entry) => entry['kind'] === 'use');
  const ofItem = uses.filter((entry) => entry['credential'] === id);
  assert.deepEqual(
    ofItem.map((entry) => [entry['action'], entry['token']]),
    [
      ['accounts.get', handle.id],
      ['item.get', handle.id],
    ],
  );
  for (const { id: request } of ofItem as { id: string }[])
    assert.equal(uses.filter((entry) => entry['id'] === request).length, 2, 'one request, two uses');
});

test('whatever is wrong with a handle refuses the request, and the provider hears nothing of it', async () => {
  const { text } = await issueToken(house, service);
  const client = byHeaders(text);
  const { handle } = await lendItem('item-b', ['accounts.get']);
  const stranger = await addService(house, 'stranger');
  const ofStranger = await issueToken(house, stranger, (await lendItem('item-c')).id);
  const ended = await lendItem('item-d');
  await ask(house, 'POST', `/v1/tokens/${ended.handle.id}/revoke`, {});
  const suspended = await lendItem('item-e');
  await ask(house, 'POST', `/v1/credentials/${suspended.id}/suspend`, { reason: 'a test' });
  const heard = () => twin.control.counts()['POST /item/get'] ?? 0;
  const before = heard();
  const table: readonly (readonly [string, string])[] = [
    [handle.text, 'no-grant'],
    [ofStranger.text, 'unknown-token'],
    [ended.handle.text, 'token-revoked'],
    [suspended.handle.text, 'credential-suspended'],
    [`${handle.text.slice(0, -1)}${handle.text.endsWith('0') ? '1' : '0'}`, 'unknown-token'],
  ];
  for (const [access_token, code] of table)
    assert.deepEqual(await refusalOf(client.itemGet({ access_token })), { status: 403, code });
  assert.equal(heard(), before);
  assert.equal((await client.accountsGet({ access_token: handle.text })).data.accounts.length, 1);
});

test('the access of either use ends midway: the request ends, and what comes after is refused', async () => {
  for (const ends of ['handle', 'grant', 'credential'] as const) {
    const { text } = await issueToken(house, service);
    const { id, grantId, handle } = await lendItem(`midway-${ends}`);
    twin.control.latency(60_000);
    const asking = refusalOf(byHeaders(text).itemGet({ access_token: handle.text }));
    const versionId = house.app.policy.credentials.get(id)!.current!.id;
    const inFlight = () => house.app.live.activity(versionId, house.app.clock.monotonic()).inFlight;
    await until(() => inFlight() === 1, 'the request to be under way');
    if (ends === 'handle') await ask(house, 'POST', `/v1/tokens/${handle.id}/revoke`, {});
    else if (ends === 'grant') await ask(house, 'POST', `/v1/grants/${grantId}/revoke`, {});
    else await ask(house, 'POST', `/v1/credentials/${id}/suspend`, { reason: 'a test' });
    assert.deepEqual(await asking, { status: 403, code: 'access-ended' }, ends);
    assert.equal(inFlight(), 0);
    twin.control.latency(0);
    const { status } = await refusalOf(byHeaders(text).itemGet({ access_token: handle.text }));
    assert.equal(status, 403, ends);
  }
});

test('a second grant beside the one that is revoked keeps the request alive', async () => {
  const { text } = await issueToken(house, service);
  const { id, grantId, handle } = await lendItem('two-grants');
  await grant(house, service, id, ['item.get']);
  twin.control.latency(300);
  const asking = byHeaders(text).itemGet({ access_token: handle.text });
  const versionId = house.app.policy.credentials.get(id)!.current!.id;
  await until(
    () => house.app.live.activity(versionId, house.app.clock.monotonic()).inFlight === 1,
    'the request to be under way',
  );
  await ask(house, 'POST', `/v1/grants/${grantId}/revoke`, {});
  assert.equal((await asking).data.item.item_id, 'two-grants');
});
