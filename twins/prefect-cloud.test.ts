// The twin of Prefect Cloud by itself, without sockets and on a clock of its own: what a grace does to the old key, to the millisecond, and
// what is refused or redirected. How Claviger gets on with it is src/providers/prefect-cloud.test.ts.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Json } from '../src/model/json.ts';
import { createTwin, type KitAnswer, type KitKey } from './kit.ts';
import { addBot, newPrefectKey, prefectCloudTwin } from './prefect-cloud.ts';
import { prng } from './prng.ts';

const REFUSED = { status: 401, body: { detail: 'Invalid authentication credentials' } };

function twinAt(start: number) {
  const clock = { ms: start, now: () => clock.ms };
  const random = prng(17);
  const twin = createTwin(prefectCloudTwin, { seed: 3, clock });
  const { state } = twin.control;
  const bot = addBot(state, random, { name: 'etl-prod' });
  const mint = (kind: string, account: string, prefix: 'pnu' | 'pnb') =>
    twin.control.mint({ kind, name: 'by hand', account, parts: { key: newPrefectKey(random, prefix) } });
  const admin = mint('user-key', state.userId, 'pnu');
  const old = mint('service-account-key', bot.id, 'pnb');

  function send(method: string, path: string, key: KitKey, body: Json = null): KitAnswer {
    const headers = { authorization: `Bearer ${key.parts['key']}`, host: 'twin' };
    const query = new URLSearchParams();
    return twin.handle({ method, path, query, headers, body, remoteAddress: '192.0.2.1' }, clock.ms);
  }
  const use = (key: KitKey) => send('GET', '/api/me/workspaces', key);
  const bots = `/api/accounts/${state.accountId}/bots`;
  const rotate = (body: Json) => send('POST', `${bots}/${bot.id}/rotate_api_key`, admin, body);
  return { twin, state, clock, admin, old, bots, send, use, rotate };
}

test('an old key lives until exactly the end of its grace', () => {
  const { clock, old, use, rotate } = twinAt(1_000_000);
  assert.equal(rotate({ old_key_expires_in_seconds: 60 }).status, 201);
  clock.ms += 59_999;
  assert.equal(use(old).status, 200);
  clock.ms += 1;
  assert.deepEqual(use(old), REFUSED);
});

test('a second rotation leaves the first old key the end that it has', () => {
  const { clock, old, use, rotate } = twinAt(0);
  rotate({ old_key_expires_in_seconds: 60 });
  rotate({ old_key_expires_in_seconds: 3_600 });
  clock.ms = 59_999;
  assert.equal(use(old).status, 200);
  clock.ms = 60_000;
  assert.deepEqual(use(old), REFUSED);
});

test('no grace, null or 0 ends the old key at once; a grace out of bounds changes nothing', () => {
  for (const body of [null, {}, { old_key_expires_in_seconds: null }, { old_key_expires_in_seconds: 0 }]) {
    const { old, use, rotate } = twinAt(0);
    assert.equal(rotate(body).status, 201);
    assert.deepEqual(use(old), REFUSED);
  }
  for (const grace of [-1, 1.5, 172_801, '60']) {
    const { old, use, rotate } = twinAt(0);
    assert.equal(rotate({ old_key_expires_in_seconds: grace }).status, 422);
    assert.equal(use(old).status, 200);
  }
});

test('a grace that the service ignores is there to be met', () => {
  const { state, old, use, rotate } = twinAt(0);
  state.grace = 'ignored';
  assert.equal(rotate({ old_key_expires_in_seconds: 3_600 }).status, 201);
  assert.deepEqual(use(old), REFUSED);
});

test('an expired key is refused like an unknown one; a collection without its slash is a redirect', () => {
  const { twin, state, clock, admin, bots, send, use } = twinAt(0);
  const asked = { name: 'n', expiration: '1970-01-01T00:00:10Z' };
  assert.equal(send('POST', `/api/users/${state.userId}/api_keys`, admin, asked).status, 201);
  const key = twin.control.keys.all().at(-1)!;
  assert.equal(use(key).status, 200);
  clock.ms = 10_000;
  assert.deepEqual(use(key), REFUSED);
  const { status, headers } = send('POST', bots, admin, { name: 'n' });
  assert.deepEqual([status, headers], [307, { location: `http://twin${bots}/` }]);
});

test('the log shows a late event later, a span of at most 14 days, and nothing to a member', () => {
  const DAY_MS = 86_400_000;
  const { state, clock, admin, old, send, rotate } = twinAt(20 * DAY_MS);
  const iso = (ms: number) => new Date(ms).toISOString();
  const filter = `/api/accounts/${state.accountId}/events/filter`;
  const asked = (since: number) => ({
    filter: { occurred: { since: iso(since), until: iso(clock.ms) }, order: 'ASC' },
  });
  const events = () => {
    const { body } = send('POST', filter, admin, asked(clock.ms - DAY_MS));
    return (body as { events: { event: string }[] }).events.map(({ event }) => event.split('.').at(-1));
  };
  assert.deepEqual(events(), ['created', 'created']);
  state.log.lateMs = 5_000;
  clock.ms += 1;
  rotate({ old_key_expires_in_seconds: 60 });
  clock.ms += 4_999;
  assert.deepEqual(events(), ['created', 'created']);
  clock.ms += 1;
  assert.deepEqual(events(), ['created', 'created', 'rotated']);
  assert.equal(send('POST', filter, admin, asked(clock.ms - 14 * DAY_MS)).status, 200);
  assert.equal(send('POST', filter, admin, asked(clock.ms - 14 * DAY_MS - 1)).status, 422);
  assert.equal(send('POST', filter, old, asked(clock.ms - DAY_MS)).status, 403);
  assert.equal(send('POST', filter, admin, { limit: 201 }).status, 422);
  assert.equal(send('GET', `${filter}/next`, admin).status, 422);
});
