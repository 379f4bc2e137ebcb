// An open WebSocket: cut when its access ends, asked to end when its version retires or the server stops, broken off where either side speaks no
// WebSocket, and slowed where a side takes nothing. Real sockets on both sides. How one is opened: upgrades.io.test.ts.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { hash, OTHER_TOKEN, TOKEN } from '../../test/support/plans.ts';
import { controlEvent, grantRow, tokenRow, versionRow } from '../../test/support/rows.ts';
import {
  clientFrame,
  exchangeRaw,
  givenOf,
  HANDSHAKE,
  openSocket,
  type SocketUpstream,
  startSocketUpstream,
  type TestCaller,
  told,
} from '../../test/support/sockets.ts';
import { advancePolicy } from '../access/policy.ts';
import type { RowImage } from '../model/change.ts';
import { eventually, type Served, type Setting, serveBroker } from './test-support.io.ts';

const STREAM = '/mastodon/prod/api/v1/streaming';
const ASK = `GET ${STREAM} HTTP/1.1\r\n${HANDSHAKE}Authorization: Bearer ${TOKEN}\r\n\r\n`;

interface Bench {
  readonly broker: Served;
  readonly upstream: SocketUpstream;
  open(): Promise<TestCaller>;
}

async function bench(t: TestContext, setting: Partial<Setting> = {}): Promise<Bench> {
  const upstream = await startSocketUpstream(t);
  const given = givenOf('mastodon', upstream.port, setting);
  const broker = await serveBroker(t, { ...setting, ...given, upstreamPort: upstream.port });
  return {
    broker,
    upstream,
    async open() {
      const caller = openSocket(`ws://127.0.0.1:${broker.port}${STREAM}`, [TOKEN]);
      assert.equal(await caller.opened, true);
      return caller;
    },
  };
}

/** Status of each use that has ended. */
function statusesOf(broker: Served): number[] {
  const ended = broker.entries().filter((entry) => entry['kind'] === 'outcomes');
  return ended.flatMap((entry) => (entry['of'] as number[][]).map((outcome) => outcome[1]!));
}

function happened(broker: Served, ...rows: RowImage[]): void {
  advancePolicy(broker.policy, [controlEvent(rows)], broker.policy.asOf + 1);
}

test('access that ends ends the connection at once, with a word to the caller, and the use as one that broke off', async (t) => {
  const { broker, upstream, open } = await bench(t);
  const caller = await open();
  happened(broker, { noun: 'token', row: tokenRow({ hash: hash(TOKEN), rowVersion: 2, revokedAt: 1 }) });
  assert.equal(broker.live.cut(new Set(['tok_1']), 'access ended'), 1);
  assert.equal(broker.live.openUses, 0, 'nothing is in flight from that moment on');
  assert.equal(await caller.closed, '1008 access-ended');
  await eventually(() => upstream.ended.length === 1);
  assert.deepEqual([upstream.ended, statusesOf(broker)], [[null], [-101]]);
});

test('an expiry ends it; a grant that another one stands in for does not', async (t) => {
  const { broker, open } = await bench(t, { grants: [{ actions: ['*'] }, { actions: ['stream.*'] }] });
  const caller = await open();
  happened(broker, { noun: 'grant', row: grantRow({ id: 'gnt_0', rowVersion: 2, actions: ['*'], revokedAt: 1 }) });
  broker.live.cut(new Set(['gnt_0']), 'access ended');
  assert.equal(broker.live.openUses, 1);
  happened(broker, { noun: 'grant', row: grantRow({ id: 'gnt_1', rowVersion: 2, actions: ['*'], expiresAt: 5 }) });
  broker.live.cut(new Set(['gnt_1']), 'access ended');
  assert.equal(await caller.closed, '1008 access-ended');
  const ending = await bench(t, { token: { expiresAt: Date.now() + 3_600_000 } });
  const other = await ending.open();
  happened(ending.broker, { noun: 'token', row: tokenRow({ hash: hash(TOKEN), rowVersion: 2, expiresAt: 1 }) });
  assert.equal(ending.broker.live.cutExpired(Date.now()), 0);
  assert.equal(ending.broker.live.cutExpired(Date.now() + 3_600_001), 1);
  assert.equal(await other.closed, '1008 access-ended');
});

test('sealing ends it: what is cut then is asked again, and there is no key any more', async (t) => {
  const { broker, open } = await bench(t);
  const caller = await open();
  assert.equal(broker.live.cutAll('sealed'), 1);
  assert.equal(broker.live.openUses, 1, 'nothing was sealed');
  broker.injections.clear();
  broker.live.cutAll('sealed');
  assert.equal(await caller.closed, '1008 access-ended');
});

test('a version that retires has its connections end with 1012 on both sides, and its requests in flight left alone', async (t) => {
  const { broker, upstream, open } = await bench(t);
  const callers = [await open(), await open()];
  const requests: string[] = [];
  const held = {
    versionId: 'ver_1',
    credentialId: 'c',
    grantId: 'g',
    principalId: 'p',
    tokenId: 't',
    endsAt: Infinity,
  };
  broker.live.open({ ...held, cut: () => requests.push('cut') }, 0, 0);
  assert.equal(broker.live.retire('ver_2'), 0);
  assert.equal(broker.live.retire('ver_1'), 2);
  assert.equal(broker.live.retire('ver_1'), 2, 'asking again changes nothing');
  for (const caller of callers) assert.equal(await caller.closed, '1012 key-rotated');
  await eventually(() => broker.live.openUses === 1);
  assert.deepEqual([upstream.ended, requests, statusesOf(broker)], [[1012, 1012], [], [101, 101]]);
});

test('a frame under way ends before the Close; one that never ends is cut after a moment', async (t) => {
  const { broker, upstream } = await bench(t);
  const whole = Buffer.concat([Buffer.from([0x81, 0x7e, 0x03, 0xe8]), Buffer.alloc(1_000, 'a')]);
  const endings: Buffer[] = [];
  for (const isEver of [true, false]) {
    const socket = connect({ port: broker.port, host: '127.0.0.1' });
    let received = Buffer.alloc(0);
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
    });
    socket.write(ASK);
    await eventually(() => received.includes('\r\n\r\n'));
    upstream.peers.at(-1)!.raw(whole.subarray(0, 500));
    await eventually(() => received.subarray(-400).equals(Buffer.alloc(400, 'a')));
    // This provider would answer a Close within its own frame.
    if (!isEver) upstream.peers.at(-1)!.socket.pause();
    broker.live.retire('ver_1');
    if (isEver) upstream.peers.at(-1)!.raw(whole.subarray(500));
    await closed;
    endings.push(received.subarray(received.indexOf('\r\n\r\n') + 4));
  }
  const close = Buffer.concat([Buffer.from([0x88, 13, 0x03, 0xf4]), Buffer.from('key-rotated')]);
  assert.deepEqual(endings, [Buffer.concat([whole, close]), whole.subarray(0, 500)]);
  await eventually(() => broker.live.openUses === 0);
});

test('a version that retires while its connection is being opened is not missed', async (t) => {
  const waiting: (() => void)[] = [];
  const { broker, upstream } = await bench(t, {
    admit: (entry, _asOf, done) => {
      if (entry.includes('"kind":"use"')) waiting.push(() => done(0));
      else done(0);
    },
  });
  const caller = openSocket(`ws://127.0.0.1:${broker.port}${STREAM}`, [TOKEN]);
  await eventually(() => waiting.length === 1);
  assert.equal(broker.live.retire('ver_1'), 1);
  waiting[0]!();
  assert.equal(await caller.closed, '1012 key-rotated');
  await eventually(() => upstream.ended.length === 1);
});

test('a server that stops asks its WebSockets to end, and those that have not said yet who they are', async (t) => {
  const { broker, upstream, open } = await bench(t);
  const caller = await open();
  const stranger = openSocket(`ws://127.0.0.1:${broker.port}/x/y/api/events/out`, ['prefect']);
  assert.equal(await stranger.opened, true);
  await broker.drain(5_000);
  assert.deepEqual([await caller.closed, await stranger.closed], ['1012 stopping', '1012 stopping']);
  assert.deepEqual([broker.live.openUses, upstream.ended], [0, [1012]]);
  assert.equal(await broker.connections().catch(() => 0), 0);
});

test('while its key is being replaced nobody is let through: who waits is opened on what is in force then', async (t) => {
  const { broker, upstream } = await bench(t);
  broker.gate.hold('crd_1', 60_000);
  const waiting = openSocket(`ws://127.0.0.1:${broker.port}${STREAM}`, [TOKEN]);
  const gone = connect({ port: broker.port, host: '127.0.0.1' });
  gone.write(ASK);
  const late = openSocket(`ws://127.0.0.1:${broker.port}${STREAM}`, [OTHER_TOKEN]);
  assert.equal(await late.opened, false, 'who may not come is told at once');
  gone.resetAndDestroy();
  await eventually(async () => (await broker.connections()) === 1);
  happened(broker, { noun: 'version', row: versionRow({ rowVersion: 2, state: 'previous' }) });
  happened(broker, { noun: 'version', row: versionRow({ id: 'ver_2', number: 2 }) });
  broker.injections.set('ver_2', broker.injections.get('ver_1')!);
  assert.deepEqual([upstream.asked.length, broker.live.openUses], [0, 0]);
  broker.gate.release('crd_1');
  assert.equal(await waiting.opened, true);
  assert.deepEqual([broker.live.retire('ver_1'), broker.live.retire('ver_2'), upstream.asked.length], [0, 1, 1]);
  assert.equal(await waiting.closed, '1012 key-rotated');
  // A server that stops keeps nobody waiting.
  broker.gate.hold('crd_1', 60_000);
  const stranded = openSocket(`ws://127.0.0.1:${broker.port}${STREAM}`, [TOKEN]);
  await eventually(async () => (await broker.connections()) === 1);
  assert.equal(await openSocket(`ws://127.0.0.1:${broker.port}${STREAM}`, [OTHER_TOKEN]).opened, false);
  await broker.drain(0);
  assert.equal(await stranded.opened, false);
  broker.gate.release('crd_1');
});

test('one token has so many WebSockets at a time, and another one when one has ended', async (t) => {
  const { broker, open } = await bench(t, { limits: { upgradesPerTokenMax: 2 } });
  const [first] = [await open(), await open()];
  const received = await exchangeRaw(broker.port, [ASK]);
  assert.equal(told(received), '429');
  assert(received.includes('too-many-upgrades'));
  first!.socket.close();
  await eventually(() => broker.live.openUses === 1);
  await open();
});

test('what is no frame ends the connection: 1002 for the caller’s fault, 1014 for the provider’s', async (t) => {
  const { broker, upstream, open } = await bench(t);
  for (const bytes of [
    Buffer.from([0x81, 0x01, 0x61]),
    clientFrame('x', 0xc1),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  ]) {
    assert.equal(told(await exchangeRaw(broker.port, [ASK, bytes])), '101 1002 malformed-frame');
  }
  await eventually(() => broker.live.openUses === 0 && upstream.ended.length === 3);
  assert.deepEqual(upstream.said, []);
  const caller = await open();
  upstream.peers[3]!.send('before');
  upstream.peers[3]!.raw(Buffer.from('HTTP/1.1 500 Oops\r\n\r\n'));
  assert.equal(await caller.closed, '1014 upstream-invalid');
  assert.deepEqual(caller.heard, ['before']);
  await eventually(() => broker.live.openUses === 0);
  assert.deepEqual(statusesOf(broker), [-101, -101, -101, -101]);
});

test('a provider that closes is heard, one that goes away is not explained', async (t) => {
  const { broker, upstream, open } = await bench(t);
  const closed = await open();
  upstream.peers[0]!.close(1008, 'Invalid token');
  assert.equal(await closed.closed, '1008 Invalid token');
  const gone = await open();
  upstream.peers[1]!.socket.destroy();
  assert.match(await gone.closed, /^1006/);
  await eventually(() => broker.live.openUses === 0);
  assert.deepEqual(statusesOf(broker), [101, -101]);
});

test('a caller that goes away takes its connection to the provider with it, also while that is being opened', async (t) => {
  const { broker, upstream } = await bench(t);
  const socket = connect({ port: broker.port, host: '127.0.0.1' });
  socket.write(ASK);
  await eventually(() => upstream.peers.length === 1);
  socket.resetAndDestroy();
  await eventually(() => broker.live.openUses === 0 && upstream.ended.length === 1);
  assert.deepEqual([upstream.ended, statusesOf(broker)], [[null], [-101]]);

  const waiting: (() => void)[] = [];
  const slow = await bench(t, {
    admit: (entry, _asOf, done) => {
      if (entry.includes('"kind":"use"')) waiting.push(() => done(0));
      else done(0);
    },
  });
  const early = connect({ port: slow.broker.port, host: '127.0.0.1' });
  early.write(ASK);
  await eventually(() => waiting.length === 1);
  early.resetAndDestroy();
  await eventually(() => slow.broker.live.openUses === 0);
  waiting[0]!();
  assert.deepEqual([slow.upstream.asked.length, statusesOf(slow.broker)], [0, [0]]);
});

test('a caller that says all it has to say and ends its side at once is not kept for ever', async (t) => {
  const { broker, upstream } = await bench(t);
  for (let i = 0; i < 20; i++) {
    const socket = connect({ port: broker.port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.resume();
    socket.end(ASK);
  }
  await eventually(() => upstream.peers.length === 20);
  await eventually(async () => broker.live.openUses === 0 && (await broker.connections()) === 0);
});

test('who waits to say who it is counts as a newcomer of its source, and as none once it is admitted', async (t) => {
  const upstream = await startSocketUpstream(t);
  const given = givenOf('prefect-server', upstream.port);
  const broker = await serveBroker(t, { ...given, limits: { newcomersMax: 1 }, upstreamPort: upstream.port });
  const url = `ws://127.0.0.1:${broker.port}/prefect-server/prod/api/events/out`;
  const first = openSocket(url, ['prefect']);
  assert.equal(await first.opened, true);
  assert.equal(await openSocket(url, ['prefect']).opened, false);
  first.socket.send(JSON.stringify({ type: 'auth', token: TOKEN }));
  await eventually(() => upstream.said.length === 1);
  assert.equal(await openSocket(url, ['prefect']).opened, true);
});

test('what a side takes slowly is not lost and not piled up: the other side waits', async (t) => {
  const { upstream, open } = await bench(t);
  const caller = await open();
  const word = 'x'.repeat(65_536);
  const provider = upstream.peers[0]!.socket;
  let sent = 0;
  for (; sent < 200; sent++) upstream.peers[0]!.send(`${sent} ${word}`);
  await eventually(() => caller.heard.length === 200);
  assert.deepEqual(
    caller.heard.map((text) => Number.parseInt(text, 10)),
    Array.from({ length: 200 }, (_, i) => i),
  );
  provider.pause();
  for (let i = 0; i < 200; i++) caller.socket.send(`${i} ${word}`);
  await eventually(() => caller.socket.bufferedAmount === 0 || provider.readableLength > 0);
  provider.resume();
  await eventually(() => upstream.said.length === 200);
  assert(upstream.said.every((text, i) => text === `${i} ${word}`));
});

test('a caller that takes nothing while there is something to take is cut; one to whom nobody speaks stays', async (t) => {
  const { broker, upstream, open } = await bench(t, { limits: { clientSilenceMs: 40 } });
  const idle = await open();
  const silent = connect({ port: broker.port, host: '127.0.0.1' });
  silent.on('error', () => {});
  silent.write(ASK);
  await eventually(() => upstream.peers.length === 2);
  silent.pause();
  for (let i = 0; i < 400; i++) upstream.peers[1]!.send('x'.repeat(65_536));
  await eventually(() => broker.live.openUses === 1);
  upstream.peers[0]!.send('still here');
  await eventually(() => idle.heard.length === 1);
  idle.socket.close();
  silent.destroy();
  await eventually(() => broker.live.openUses === 0);
});
