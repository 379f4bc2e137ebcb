// Requests whose credential is held while its key is replaced, over real sockets: they wait, are decided anew, and go on with the key that is in
// force then, each once. The provider is a raw upstream that says what it heard.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KEY } from '../../test/support/plans.ts';
import { isWhole, OK, openRaw, statusesOf, talk } from '../../tools/foreign/raw.ts';
import { Secret } from '../model/secret.ts';
import { compileInjection } from './inject.ts';
import { AUTHORIZED, CLOSE, codeOf, eventually, RECOVER, serveBroker, shareUpstream } from './test-support.io.ts';

const NEXT_KEY = 'canary-the-next-key';
const PLACES = [{ in: 'header', name: 'authorization', scheme: 'Bearer' }] as const;
const upstream = await shareUpstream((received) => (isWhole(received) ? OK : null));

const GET = `GET /neon/prod/api/v2/projects/p1 HTTP/1.1\r\n${AUTHORIZED}${CLOSE}\r\n`;
const POST = `POST ${RECOVER} HTTP/1.1\r\n${AUTHORIZED}${CLOSE}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;

type Broker = Awaited<ReturnType<typeof serveBroker>>;

/** What was decided of the credential; entries about nobody in particular gather by themselves. */
function usesOf(broker: Broker): object[] {
  return broker.entries().filter((entry) => entry['credential'] === 'crd_1');
}

/** What a rotation does while it holds: another key is in the place of the one that was. */
function exchange(broker: Broker): void {
  for (const id of broker.injections.keys()) {
    broker.injections.set(id, compileInjection(PLACES, { key: new Secret(NEXT_KEY) }));
  }
}

for (const [name, request] of [
  ['a read', GET],
  ['a write with content', POST],
] as const) {
  test(`${name} waits while its credential is held, and is sent once, with the key that is in force then`, async (t) => {
    const broker = await serveBroker(t, { upstreamPort: upstream.port });
    broker.gate.hold('crd_1', 60_000);
    const answered = talk(broker.port, request);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const begun = upstream.received.join('');
    assert.deepEqual([begun, usesOf(broker).length, broker.live.openUses], ['', 0, 0]);
    exchange(broker);
    broker.gate.release('crd_1');
    assert.deepEqual(statusesOf(await answered), [200]);
    assert.equal(upstream.received.length, 1);
    assert.equal(upstream.received[0]!.includes(NEXT_KEY), true);
    assert.equal(upstream.received[0]!.includes(KEY), false);
    assert.equal(usesOf(broker).length, 1, 'one use');
  });
}

test('other credentials are not held', async (t) => {
  const broker = await serveBroker(t, { upstreamPort: upstream.port });
  broker.gate.hold('crd_other', 60_000);
  assert.deepEqual(statusesOf(await talk(broker.port, GET)), [200]);
});

test('a hold ends by itself, and what waited goes on', async (t) => {
  const broker = await serveBroker(t, { upstreamPort: upstream.port });
  broker.gate.hold('crd_1', 40);
  assert.deepEqual(statusesOf(await talk(broker.port, GET)), [200]);
});

test('what is not allowed any more after the wait is refused, and recorded as refused', async (t) => {
  const broker = await serveBroker(t, { upstreamPort: upstream.port });
  broker.gate.hold('crd_1', 60_000);
  const answered = talk(broker.port, GET);
  await eventually(() => broker.gate.waiting('crd_1') === 1);
  broker.injections.clear();
  broker.gate.release('crd_1');
  const text = await answered;
  assert.deepEqual([statusesOf(text), codeOf(text)], [[503], 'sealed']);
  assert.equal(upstream.received.length, 0);
});

test('a caller that goes away while it waits leaves nothing behind', async (t) => {
  const broker = await serveBroker(t, { upstreamPort: upstream.port, limits: { clientSilenceMs: 200 } });
  broker.gate.hold('crd_1', 60_000);
  const raw = openRaw(broker.port);
  raw.write(GET);
  await eventually(() => broker.gate.waiting('crd_1') === 1);
  raw.destroy();
  await eventually(() => broker.gate.waiting('crd_1') === 0);
  await eventually(async () => (await broker.connections()) === 0);
  broker.gate.release('crd_1');
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([upstream.received.length, usesOf(broker).length], [0, 0]);
});

test('a rate limit is spent once for a request that waited', async (t) => {
  const broker = await serveBroker(t, {
    upstreamPort: upstream.port,
    grants: [{ actions: ['*'], rate: { requests: 2, perSeconds: 3600, burst: 2 } }],
  });
  broker.gate.hold('crd_1', 60_000);
  const both = [talk(broker.port, GET), talk(broker.port, GET)];
  await eventually(() => broker.gate.waiting('crd_1') === 2);
  broker.gate.release('crd_1');
  const statuses = (await Promise.all(both)).map((text) => statusesOf(text)[0]);
  assert.deepEqual(statuses, [200, 200]);
  assert.deepEqual(statusesOf(await talk(broker.port, GET)), [429]);
});
