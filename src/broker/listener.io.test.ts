// What callers may do to the port before they are known and while they are served: hold connections, stop reading, say nothing more, want
// another protocol. Real broker, real tokens, real sockets; the provider is a raw upstream. Waiting is for what must come about, never
// for a time to pass.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { OTHER_TOKEN, TOKEN } from '../../test/support/plans.ts';
import { clientFrame, givenOf, HANDSHAKE, startSocketUpstream } from '../../test/support/sockets.ts';
import { OK, openRaw, statusesOf, talk } from '../../tools/foreign/raw.ts';
import {
  AUTHORIZED,
  CLOSE,
  codeOf,
  eventually,
  GET,
  PROJECT,
  RECOVER,
  type Served,
  type Setting,
  serveBroker,
  shareUpstream,
  WEBSOCKET,
} from './test-support.io.ts';

const upstream = await shareUpstream();

const serve = (t: TestContext, setting: Partial<Setting> = {}) =>
  serveBroker(t, { upstreamPort: upstream.port, ...setting });

// Connections of one source.

/** How many connections were closed because their source, which is this machine, had too many. */
function closedOf(broker: Served): number {
  const refusals = broker.entries().filter((entry) => entry['kind'] === 'refusals');
  const rows = refusals.flatMap((entry) => entry['of'] as [string, string, number][]);
  const closed = rows.filter(([reason, source]) => reason === 'connections' && source === '127.0.0.1');
  return closed.reduce((sum, [, , count]) => sum + count, 0);
}

test('a source holds so many connections without an admitted request; one more is closed at once, and counted', async (t) => {
  const broker = await serve(t, { limits: { newcomersMax: 2 } });
  const [first, second] = [openRaw(broker.port), openRaw(broker.port)];
  const over = () => openRaw(broker.port).closed;
  assert.equal(await over(), '');
  assert.equal(closedOf(broker), 1);
  // A refusal admits nobody, whoever it is.
  first.write(`GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /x HTTP/1.1\r\n${AUTHORIZED}\r\n`);
  await first.heard('"no-grant"');
  assert.equal(await over(), '');
  first.write(`${GET}\r\n${GET}\r\n`);
  await first.heard('200 OK');
  const third = openRaw(broker.port);
  third.write(`GET / HTTP/1.1\r\nHost: a\r\n\r\n`);
  await third.heard('"no-token"');
  assert.equal(await over(), '');
  // A connection that ends makes room, admitted or not: and an admitted one takes its admission along.
  first.destroy();
  await eventually(async () => (await broker.connections()) === 2);
  assert.equal(await over(), '');
  second.destroy();
  await eventually(async () => (await broker.connections()) === 1);
  const fourth = openRaw(broker.port);
  fourth.write(`${GET}${CLOSE}\r\n`);
  assert.deepEqual(statusesOf(await fourth.closed), [200]);
  assert.equal(closedOf(broker), 4);
  third.destroy();
});

test('a trusted proxy brings everybody’s connections, and is not counted', async (t) => {
  const broker = await serve(t, { limits: { newcomersMax: 1 }, trustedProxies: ['127.0.0.0/8'] });
  const idle = [openRaw(broker.port), openRaw(broker.port)];
  const caller = openRaw(broker.port);
  caller.write(`${GET}${CLOSE}\r\n`);
  assert.deepEqual(statusesOf(await caller.closed), [200]);
  for (const one of idle) one.destroy();
});

const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-listener-'));
after(() => rmSync(directory, { recursive: true }));

/** A certificate for loopback, or null where the machine has no openssl. */
function createCertificate(): { key: string; cert: string } | null {
  const [key, cert] = [path.join(directory, 'key'), path.join(directory, 'cert')];
  const options = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  try {
    execFileSync('openssl', [...options, '-subj', '/CN=a', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}
const certificate = createCertificate();
const withTls = { skip: certificate === null ? 'SKIPPED: no openssl here, TLS towards callers is UNTESTED' : false };

function everything(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(received));
  });
}

test('under TLS too: counted before the handshake, admitted after it', withTls, async (t) => {
  const broker = await serve(t, { limits: { newcomersMax: 1 }, certificate: certificate! });
  const open = () => tls.connect({ port: broker.port, host: '127.0.0.1', rejectUnauthorized: false });
  const first = open();
  const heard = new Promise((resolve) => first.once('data', resolve));
  first.on('error', () => {});
  first.write(`${GET}\r\n`);
  await heard;
  const bare = openRaw(broker.port);
  assert.equal(await everything(open()), '');
  first.destroy();
  await eventually(async () => (await broker.connections()) === 1);
  assert.equal(await everything(open()), '', 'the admission left with its connection');
  bare.destroy();
  await eventually(async () => (await broker.connections()) === 0);
  const last = open();
  last.write(`${GET}${CLOSE}\r\n`);
  assert.deepEqual(statusesOf(await everything(last)), [200]);
});

// Callers that stop reading, and callers that have nothing more to say.

async function assertCut(t: TestContext, isTls: boolean): Promise<void> {
  const sockets: Socket[] = [];
  const endless = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n');
      socket.write(Buffer.alloc(48 * 1_048_576));
    });
  });
  await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
  t.after(() => endless.close());
  const upstreamPort = (endless.address() as AddressInfo).port;
  const tlsOrNot = isTls ? { certificate: certificate! } : {};
  const broker = await serve(t, { limits: { clientSilenceMs: 100 }, upstreamPort, ...tlsOrNot });
  const to = { port: broker.port, host: '127.0.0.1' };
  const caller = isTls ? tls.connect({ ...to, rejectUnauthorized: false }) : connect(to);
  caller.on('error', () => {});
  caller.write(`${GET}\r\n`);
  await eventually(() => broker.live.openUses === 1);
  await eventually(() => broker.live.openUses === 0);
  await eventually(() => sockets.length === 1 && sockets[0]!.destroyed);
  const outcomes = broker
    .entries()
    .flatMap((entry) => (entry['kind'] === 'outcomes' ? (entry['of'] as number[][]) : []));
  assert.deepEqual(
    outcomes.map((outcome) => outcome[1]),
    [-200],
  );
  caller.destroy();
}

test('a caller that takes nothing of its answer is cut, and the use ends with the status that broke off', (t) =>
  assertCut(t, false));

test('a caller under TLS that takes nothing is cut as well', withTls, (t) => assertCut(t, true));

test('a caller that waits for a slow provider is not silent', async (t) => {
  const broker = await serve(t, { limits: { clientSilenceMs: 20 } });
  upstream.answer = () => new Promise((resolve) => setTimeout(() => resolve(OK), 200));
  assert.deepEqual(statusesOf(await talk(broker.port, `${GET}${CLOSE}\r\n`)), [200]);
});

test('a caller that closes its side after its request still gets its answer', async (t) => {
  const broker = await serve(t);
  upstream.answer = () => new Promise((resolve) => setTimeout(() => resolve(OK), 50));
  const plain = connect({ port: broker.port, host: '127.0.0.1', allowHalfOpen: true });
  plain.end(`${GET}\r\n${GET}\r\n`);
  plain.on('end', () => plain.destroy());
  assert.deepEqual(statusesOf(await everything(plain)), [200, 200]);
  await eventually(async () => (await broker.connections()) === 0);
});

test('a caller that has closed its side and is never answered is given up', async (t) => {
  const broker = await serve(t, { limits: { clientSilenceMs: 40 } });
  upstream.answer = () => new Promise(() => {});
  const gone = connect({ port: broker.port, host: '127.0.0.1', allowHalfOpen: true });
  gone.on('error', () => {});
  gone.end(`${GET}\r\n`);
  await eventually(() => broker.live.openUses === 1);
  await eventually(() => broker.live.openUses === 0);
  gone.destroy();
});

test('the same under TLS', withTls, async (t) => {
  const broker = await serve(t, { certificate: certificate! });
  upstream.answer = () => new Promise((resolve) => setTimeout(() => resolve(OK), 50));
  const options = { port: broker.port, host: '127.0.0.1', rejectUnauthorized: false, allowHalfOpen: true };
  const caller = tls.connect(options);
  caller.end(`${GET}\r\n`);
  assert.deepEqual(statusesOf(await everything(caller)), [200]);
  await eventually(async () => (await broker.connections()) === 0);
});

test('who still asks while the broker stops is told so, and the connection ends', async (t) => {
  const broker = await serve(t);
  let release = () => {};
  const whenReleased = new Promise<string>((resolve) => {
    release = () => resolve(OK);
  });
  upstream.answer = (received) => (received.includes('held') ? whenReleased : OK);
  const held = openRaw(broker.port);
  held.write(`GET ${PROJECT}?held HTTP/1.1\r\n${AUTHORIZED}\r\n`);
  await upstream.seen('held');
  const caller = openRaw(broker.port);
  caller.write(`${GET}\r\n${GET}`);
  await caller.heard('200 OK');
  const drained = broker.drain(5_000);
  caller.write('\r\n');
  await caller.heard('"stopping"');
  assert.match(await caller.closed, /\r\nconnection: close\r\n/i);
  release();
  assert.deepEqual(statusesOf(await held.closed), [200]);
  await drained;
});

// Other protocols.

test('a request for another protocol is refused in its turn, whatever content it has, and nothing behind it is read', async (t) => {
  const broker = await serve(t);
  const behind = `GET ${PROJECT}/smuggled HTTP/1.1\r\n${AUTHORIZED}\r\n`;
  for (const [line, content] of [
    ['Content-Length: 0\r\n', ''],
    ['Content-Length: 2\r\n', 'hi'],
    ['Content-Length: 100\r\n', 'part of it'],
    ['Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ['Transfer-Encoding: chunked\r\n', '5\r\nhel'],
    ['Transfer-Encoding: chunked\r\n', 'nonsense\r\n'],
  ] as const) {
    const upgrade = `POST ${RECOVER} HTTP/1.1\r\n${AUTHORIZED}${WEBSOCKET}${line}\r\n${content}`;
    const received = await talk(broker.port, `${GET}\r\n${upgrade}${content.startsWith('part') ? '' : behind}`);
    assert.equal(statusesOf(received)[0], 200);
    assert([400, 403].includes(statusesOf(received)[1]!), received);
    assert.equal(statusesOf(received).length, 2, content);
    assert.match(received, /\r\nconnection: close\r\n/i);
  }
  assert.doesNotMatch(upstream.received.join(''), /smuggled|POST/);
});

test('a stranger who asks for another protocol gets a stranger’s answer, and the connection ends', async (t) => {
  const broker = await serve(t);
  const head = `GET ${PROJECT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${OTHER_TOKEN}\r\n${WEBSOCKET}`;
  const received = await talk(broker.port, `${head}\r\n${GET}\r\n`);
  assert.deepEqual([statusesOf(received), codeOf(received)], [[401], 'unknown-token']);
});

test('an offer that is ignored is the last request of its connection: no part of what stands behind it is taken for another', async (t) => {
  const broker = await serve(t);
  const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n';
  const asked = `POST ${RECOVER} HTTP/1.1\r\n${AUTHORIZED}`;
  let reply: (text: string) => void = () => {};
  upstream.answer = () =>
    new Promise((resolve) => {
      reply = resolve;
    });
  const caller = openRaw(broker.port);
  caller.write(`${asked}${offer}Content-Length: 4\r\n\r\nlast${asked}Content-Length: 50\r\n\r\n`);
  await upstream.seen('last');
  caller.write(`GET ${PROJECT}?smuggled HTTP/1.1\r\n${AUTHORIZED}\r\n`);
  await eventually(() => broker.live.openUses === 1);
  reply(OK);
  assert.deepEqual(statusesOf(await caller.closed), [200]);
  assert.doesNotMatch(upstream.received.join(''), /smuggled|upgrade|http2/i);
});

test('a WebSocket under TLS: opened, heard both ways, and ended by whoever ends it', withTls, async (t) => {
  const upstream = await startSocketUpstream(t, () => ({ said: (text, peer) => peer.send(`heard ${text}`) }));
  const given = givenOf('mastodon', upstream.port);
  const broker = await serveBroker(t, { ...given, upstreamPort: upstream.port, certificate: certificate! });
  const ask = `GET /mastodon/prod/api/v1/streaming HTTP/1.1\r\n${HANDSHAKE}Authorization: Bearer ${TOKEN}\r\n\r\n`;
  for (const ending of ['caller', 'provider', 'access'] as const) {
    const caller = tls.connect({ port: broker.port, host: '127.0.0.1', rejectUnauthorized: false });
    let received = '';
    caller.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    caller.on('error', () => {});
    const closed = new Promise((resolve) => caller.once('close', resolve));
    caller.write(ask);
    caller.write(clientFrame('hello'));
    await eventually(() => received.includes('heard hello'));
    if (ending === 'caller') caller.end(clientFrame(Buffer.from([0x03, 0xe8]), 0x88));
    else if (ending === 'provider') upstream.peers.at(-1)!.close(1001, 'going');
    else broker.live.retire('ver_1');
    await closed;
    await eventually(() => broker.live.openUses === 0);
    assert.match(
      received,
      { caller: /\x88\x02\x03\xe8$/, provider: /\x03\xe9going$/, access: /\x03\xf4key-rotated$/ }[ending],
    );
  }
  await eventually(async () => (await broker.connections()) === 0);
});

// Answers without content.

test('a refusal of HEAD says how long its content would be, and has none', async (t) => {
  const broker = await serve(t, { upstreamPort: 1 });
  const head = (line: string, more = '') => `HEAD ${line} HTTP/1.1\r\n${AUTHORIZED}${more}\r\n`;
  const received = await talk(
    broker.port,
    `${head('/x')}${head(`${PROJECT}/%2e`)}HEAD / HTTP/1.1\r\nHost: a\r\n\r\n${head('/x', CLOSE)}`,
  );
  assert.deepEqual(statusesOf(received), [403, 400, 401, 403]);
  assert.doesNotMatch(received, /"code"/);
  assert.match(received, /\r\ncontent-length: [1-9]/i);
  for (const request of [
    head(PROJECT, CLOSE),
    head(PROJECT, 'Expect: other\r\n'),
    head('/x', `Transfer-Encoding: chunked\r\n`).concat('nonsense\r\n'),
  ]) {
    const one = await talk(broker.port, request);
    assert(statusesOf(one)[0]! >= 400 && !one.includes('"code"'), one);
  }
});

test('an IPv4 address counts as itself where the listener sees it mapped into IPv6', async (t) => {
  const get = (broker: Served) => talk(broker.port, `${GET}${CLOSE}\r\n`);
  const host = '::ffff:127.0.0.1';
  for (const [network, status] of [
    ['127.0.0.0/8', 200],
    ['10.0.0.0/8', null],
  ] as const) {
    const token = await get(await serve(t, { host, token: { networks: [network] } }));
    assert.deepEqual(statusesOf(token), [status ?? 401]);
    const broker = await serve(t, { host, grants: [{ networks: [network] }] });
    assert.deepEqual(statusesOf(await get(broker)), [status ?? 403]);
    const [, use] = broker.entries();
    assert.equal(use?.['ip'], '::ffff:127.0.0.1');
  }
});
