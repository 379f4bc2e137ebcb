// WebSockets of two providers through a whole installation, each opened as its own clients open it: Prefect Server, whose clients say who they
// are in their first message, and Mastodon, whose key is a subprotocol in browsers. Events go one way and come back another, access that ends
// ends connections, a version that retires has its clients come back on the next one, and the log can be decided again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startMastodonTwin } from '../../twins/mastodon.streams.io.ts';
import { startPrefectServerTwin } from '../../twins/prefect-server.sockets.io.ts';
import {
  addCredential,
  addService,
  ask,
  assertReplays,
  entriesOf,
  grant,
  issueToken,
} from '../support/applications.ts';
import { type House, startHouse } from '../support/house.ts';
import { openSocket, type TestCaller } from '../support/sockets.ts';
import { until } from '../support/workshop-checks.ts';

const STRINGS = ['admin:canary-first', 'admin:canary-second'] as const;
const KEY = `canary${'a1B2_-'.repeat(7).slice(0, 37)}`;

let prefect: Awaited<ReturnType<typeof startPrefectServerTwin>>;
let mastodon: Awaited<ReturnType<typeof startMastodonTwin>>;
let house: House;
let port: string;
/** The credential of the Prefect Server. */
let flows: string;

before(async () => {
  prefect = await startPrefectServerTwin();
  mastodon = await startMastodonTwin();
  house = await startHouse({
    providers: { 'prefect-server': prefect.origin, mastodon: mastodon.origin },
    broker: true,
  });
  port = new URL(house.brokerOrigin).port;
});
after(async () => {
  assert.deepEqual(house.errors, []);
  await house.stop();
  await Promise.all([prefect.close(), mastodon.close()]);
});

const soon = (isSo: () => boolean, what: string) => until(async () => (isSo() ? true : null), what);

/** Who uses one credential: its principal's grant and token. */
async function lend(name: string, credential: string, actions: readonly string[]) {
  const principal = await addService(house, name);
  const grantId = await grant(house, principal, credential, actions);
  return { grantId, token: (await issueToken(house, principal)).text };
}

/** Opens a socket of Prefect's as its client does: a ping that must be answered, then who it is. */
async function greet(path: string, token: string): Promise<TestCaller> {
  const caller = openSocket(`ws://127.0.0.1:${port}/prefect-server/flows/api${path}`, ['prefect']);
  assert.equal(await caller.opened, true);
  caller.socket.send(JSON.stringify({ type: 'auth', token: `x:${token}` }));
  await soon(() => caller.heard.length > 0, 'an answer to the greeting');
  return caller;
}

test('Prefect Server: events are published, heard, and neither side ever sees the other’s credential', async () => {
  mint(STRINGS[0]);
  flows = await addCredential(house, {
    provider: 'prefect-server',
    name: 'flows',
    kind: 'auth-string',
    parts: { key: STRINGS[0] },
  });
  const { token, grantId } = await lend('runner', flows, ['event.*', 'log.*', 'work-pool-worker.connect']);
  const out = await greet('/events/out', token);
  assert.deepEqual(out.heard, ['{"type":"auth_success"}']);
  out.socket.send('{"type":"filter","filter":{}}');
  const publisher = await greet('/events/in', token);
  const event = { occurred: '2026-11-21T00:00:00Z', event: 'prefect.task-run.Completed', id: '1' };
  publisher.socket.send(JSON.stringify(event));
  await soon(() => out.heard.length === 2, 'the event');
  assert.deepEqual(JSON.parse(out.heard[1]!), { type: 'event', event });
  assert.deepEqual(prefect.control.state.events, [event]);
  const worker = await greet('/work_pools/default/workers/connect', token);
  worker.socket.send('{"type":"worker.hello.v1"}');
  await soon(() => worker.heard.length === 2, 'a welcome');
  const log = await greet('/logs/out', token);
  log.socket.send('{"type":"nonsense"}');
  assert.equal(await log.closed, "1002 Expected 'filter' message");
  await soon(() => house.app.live.openUses === 3, 'the end of the fourth');
  assert.deepEqual(prefect.sockets.open(), {
    '/api/events/out': 1,
    '/api/events/in': 1,
    '/api/work_pools/default/workers/connect': 1,
  });

  // Revoking the grant ends what rests on it, in the same moment.
  await ask(house, 'POST', `/v1/grants/${grantId}/revoke`);
  for (const caller of [out, publisher, worker]) assert.equal(await caller.closed, '1008 access-ended');
  assert.equal(house.app.live.openUses, 0);
  const refused = openSocket(`ws://127.0.0.1:${port}/prefect-server/flows/api/events/out`, ['prefect']);
  await refused.opened;
  refused.socket.send(JSON.stringify({ type: 'auth', token }));
  assert.equal(await refused.closed, '1008 no-grant');
  for (const caller of [out, publisher, worker, log]) assert(!caller.heard.join('').includes('canary'));
});

function mint(text: string) {
  return prefect.control.mint({ kind: 'auth-string', name: 'auth-string', account: 'server', parts: { key: text } });
}

test('Prefect Server: when the version retires its clients are told to come back, and come back on the next one', async () => {
  mint(STRINGS[1]);
  const { token } = await lend('publisher', flows, ['event.publish']);
  const caller = await greet('/events/in', token);
  const before = house.app.policy.credentials.get(flows)!.current!;
  await ask(house, 'POST', `/v1/credentials/${flows}/versions?resolve=false`, {
    parts: { key: STRINGS[1] },
    providerKeyId: 'flows-2',
  });
  const next = house.app.policy.credentials.get(flows)!.current!;
  assert.notEqual(next.id, before.id);
  caller.socket.send('{"event":"still on the old one"}');
  await soon(() => prefect.control.state.events.length === 2, 'an event on the old version');
  assert.equal(house.app.live.retire(before.id), 1);
  assert.equal(await caller.closed, '1012 key-rotated');
  await soon(() => house.app.live.activity(before.id, 0).inFlight === 0, 'the drain');
  const again = await greet('/events/in', token);
  const keys = prefect.control.keys.all();
  assert.equal(keys.find((key) => key.parts['key'] === STRINGS[1])!.acceptedCount, 1);
  again.socket.close();
  await soon(() => house.app.live.openUses === 0, 'the end');
});

test('Mastodon: a WebSocket as a browser opens it, and a stream of events, both in flight while they last', async () => {
  const key = mastodon.control.mint({
    kind: 'user-token',
    name: 'bot',
    account: '42',
    scopes: ['read'],
    parts: { key: KEY },
  });
  assert.equal(key.acceptedCount, 0);
  const credential = await addCredential(house, {
    provider: 'mastodon',
    name: 'bot',
    kind: 'user-token',
    parts: { key: KEY },
  });
  const { token } = await lend('reader', credential, ['stream.*', 'user-stream.read']);
  const mount = `127.0.0.1:${port}/mastodon/bot/api/v1/streaming`;
  const browser = openSocket(`ws://${mount}?stream=user`, [token]);
  assert.equal(await browser.opened, true);
  assert.equal(browser.socket.protocol, token);
  const leaving = new AbortController();
  const headers = { authorization: `Bearer ${token}` };
  const stream = await fetch(`http://${mount}/user`, { headers, signal: leaving.signal });
  assert.deepEqual([stream.status, stream.headers.get('content-type')], [200, 'text/event-stream']);
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
  assert.deepEqual([mastodon.streams.open(), house.app.live.openUses], [[1, 1], 2]);
  mastodon.streams.publish('update', JSON.stringify({ content: `hello ${KEY}` }));
  await soon(() => browser.heard.length === 1, 'an update');
  let text = '';
  while (!text.includes('hello')) text += (await reader.read()).value ?? assert.fail('the stream ended');
  for (const heard of [browser.heard[0]!, text]) assert(heard.includes('hello ***') && !heard.includes(KEY), heard);

  const version = house.app.policy.credentials.get(credential)!.current!;
  assert.equal(house.app.live.retire(version.id), 1, 'a stream of events is a request, and left alone');
  assert.equal(await browser.closed, '1012 key-rotated');
  mastodon.streams.publish('update', '{"content":"later"}');
  while (!text.includes('later')) text += (await reader.read()).value ?? assert.fail('the stream ended');
  leaving.abort();
  // That a reader has gone shows when it is written to.
  await soon(() => {
    mastodon.streams.publish('update', '{}');
    return house.app.live.openUses === 0;
  }, 'the end of both');
  const wrong = openSocket(`ws://${mount}`, ['mastodon']);
  assert.equal(await wrong.opened, false);
});

test('every connection has its use and its outcome on record, and an outsider decides each of them again', async () => {
  const entries = await entriesOf(house, 'use');
  const uses = entries.flatMap((entry, index) => (entry['kind'] === 'use' ? [index] : []));
  const outcomes = entries
    .filter((entry) => entry['kind'] === 'outcomes')
    .flatMap((entry) => entry['of'] as number[][]);
  assert.deepEqual(
    outcomes.map(([index]) => index).sort((a, b) => a! - b!),
    uses,
  );
  const sockets = outcomes.filter((outcome) => Math.abs(outcome[1]!) === 101);
  assert.deepEqual(sockets.map((outcome) => outcome[1]).sort(), [-101, -101, -101, 101, 101, 101, 101]);
  const text = JSON.stringify(entries);
  assert(!text.includes('canary') && !text.includes('clv_'));
  await assertReplays(house);
});
