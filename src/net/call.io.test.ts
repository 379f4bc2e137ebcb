// A call over real sockets: what goes out, what comes back, and what is known of the effect when the other side cuts, lies,
// floods or falls silent at every stage. The key must be in the request and nowhere else.
import assert from 'node:assert/strict';
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { Failure, type FailureCode } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import type { Call, Place, ProviderRequest } from '../providers/provider.ts';
import { createCall } from './call.io.ts';
import { createDialer } from './dial.io.ts';
import { createGuard, createResolver } from './resolve.io.ts';

const KEY = new Secret('canary/old-key');
const BEARER: readonly Place[] = [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }];
const WITH_KEY = { parts: { key: KEY }, places: BEARER };
const GET: ProviderRequest = { method: 'GET', path: '/keys' };
const POST: ProviderRequest = { method: 'POST', path: '/keys', json: { label: 'a "label"' } };
const clock = { now: Date.now, monotonic: () => performance.now() };

async function listen(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

interface CallBench {
  readonly origin: string;
  readonly addresses?: readonly string[];
  readonly deadlineMs?: number;
  readonly connectTimeoutMs?: number;
  readonly privateNetworks?: readonly string[];
}

function createBench(t: TestContext, bench: CallBench): Call {
  const resolver = createResolver({ clock, lookup: async () => bench.addresses ?? ['127.0.0.1'] });
  const dialer = createDialer({ guard: createGuard(resolver), connectTimeoutMs: bench.connectTimeoutMs ?? 2000 });
  t.after(() => dialer.close());
  const privateNetworks = bench.privateNetworks ?? ['127.0.0.0/8'];
  const settings = { origin: bench.origin, privateNetworks, plainHttp: true };
  const { dispatcherFor } = dialer;
  return createCall({ dispatcherFor, settings, clock, version: '0.1.0', deadlineMs: bench.deadlineMs ?? 5000 });
}

/** A server of raw bytes: hears each connection, and may say anything. */
async function listenRaw(t: TestContext, onConnection: (socket: Socket) => void): Promise<string> {
  return `http://upstream.test:${await listen(t, createTcpServer(onConnection))}`;
}

/** Answers every request head with these bytes; the connection stays open. */
async function listenAnswer(t: TestContext, answer: string): Promise<string> {
  return await listenRaw(t, (socket) => socket.once('data', () => socket.write(answer, 'latin1')));
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(Failure.is(error), inspect(error));
  const everything = inspect(error, { depth: 10, showHidden: true }) + String(error.stack) + JSON.stringify(error);
  assert.ok(!everything.includes('canary'), 'a failure holds the key');
  return error;
}

test('the request goes out whole, with the key in its place and nothing beside it', async (t) => {
  let seen: { line: string; headers: IncomingHttpHeaders; body: string } | null = null;
  const server = createHttpServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen = { line: `${request.method} ${request.url}`, headers: request.headers, body };
    response.writeHead(201, { 'content-type': 'application/json', 'x-request-id': 'r1' }).end('{"id":7}');
  });
  const origin = `http://upstream.test:${await listen(t, server)}`;
  const call = createBench(t, { origin });
  const answer = await call({ ...POST, headers: { 'X-Version': '2' } }, WITH_KEY);
  assert.deepEqual(
    [answer.status, answer.json, answer.text, answer.headers['x-request-id']],
    [201, { id: 7 }, '{"id":7}', 'r1'],
  );
  assert.deepEqual(seen, {
    line: 'POST /keys',
    headers: {
      host: origin.slice('http://'.length),
      connection: 'close',
      'user-agent': 'claviger/0.1.0',
      'accept-encoding': 'identity',
      'x-version': '2',
      authorization: 'Bearer canary/old-key',
      accept: 'application/json',
      'content-type': 'application/json',
      'content-length': '23',
    },
    body: '{"label":"a \\"label\\""}',
  });
});

test('every status is an answer: redirects are not followed, errors not thrown, interim answers skipped', async (t) => {
  for (const status of [200, 204, 301, 302, 401, 404, 429, 500]) {
    const empty = status === 204 ? '' : 'Content-Length: 0\r\n';
    const origin = await listenAnswer(
      t,
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 ${status} X\r\nLocation: http://127.0.0.1:1/x\r\n${empty}\r\n`,
    );
    const answer = await createBench(t, { origin })(GET, WITH_KEY);
    assert.deepEqual([answer.status, answer.json, answer.text], [status, null, '']);
    assert.equal(answer.headers['location'], 'http://127.0.0.1:1/x');
    assert.equal(answer.headers['link'], undefined);
  }
});

test('the own key is scrubbed from headers, text and JSON in all its forms; a new key stays readable', async (t) => {
  const body = '{"old":"canary\\/old-key","echo":"canary%2Fold-key canary/old-key","new":"canary/new-key"}';
  const origin = await listenAnswer(
    t,
    `HTTP/1.1 200 OK\r\nX-Echo: Bearer canary/old-key\r\nX-Echo: canary%2fold-key\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const answer = await createBench(t, { origin })(GET, WITH_KEY);
  assert.deepEqual(answer.json, { old: '[scrubbed]', echo: '[scrubbed] [scrubbed]', new: 'canary/new-key' });
  assert.equal(answer.headers['x-echo'], 'Bearer [scrubbed], [scrubbed]');
  assert.ok(!JSON.stringify(answer).includes('old-key'));
});

test('header names of an answer cannot reach the prototype', async (t) => {
  const origin = await listenAnswer(t, 'HTTP/1.1 200 OK\r\n__proto__: x\r\nContent-Length: 0\r\n\r\n');
  const answer = await createBench(t, { origin })(GET, WITH_KEY);
  assert.equal(Object.getPrototypeOf(answer.headers), Object.prototype);
});

test('the text is cut at 64 KiB, the JSON is read whole', async (t) => {
  const body = JSON.stringify({ long: 'é'.repeat(40_000), last: 1 });
  const server = createHttpServer((_request, response) => response.end(body));
  const origin = `http://upstream.test:${await listen(t, server)}`;
  const answer = await createBench(t, { origin })(GET, WITH_KEY);
  assert.equal((answer.json as { last: number }).last, 1);
  assert.ok(Buffer.byteLength(answer.text) <= 65_536 && Buffer.byteLength(answer.text) > 65_530);
  assert.ok(body.startsWith(answer.text));
});

/** One way in which the other side fails, and what is known of the effect then. */
interface Cut {
  readonly name: string;
  readonly code: FailureCode;
  readonly onConnection: (socket: Socket) => void;
  readonly deadlineMs?: number;
}

function afterHead(act: (socket: Socket) => void): (socket: Socket) => void {
  return (socket) => void socket.once('data', () => act(socket));
}

function say(bytes: string): (socket: Socket) => void {
  return afterHead((socket) => socket.end(bytes, 'latin1'));
}

const OK = 'HTTP/1.1 200 OK\r\n';
const HUGE = 'x'.repeat(1_048_577);
const CUTS: readonly Cut[] = [
  { name: 'closes before it has read', code: 'upstream-ambiguous', onConnection: (socket) => socket.destroy() },
  {
    name: 'resets after the head',
    code: 'upstream-ambiguous',
    onConnection: afterHead((socket) => socket.resetAndDestroy()),
  },
  { name: 'ends after the head', code: 'upstream-ambiguous', onConnection: say('') },
  { name: 'ends within the status line', code: 'upstream-ambiguous', onConnection: say('HTTP/1.1 2') },
  { name: 'ends within the headers', code: 'upstream-ambiguous', onConnection: say(`${OK}Content-Le`) },
  { name: 'ends before the body', code: 'upstream-ambiguous', onConnection: say(`${OK}Content-Length: 5\r\n\r\n`) },
  { name: 'ends within the body', code: 'upstream-ambiguous', onConnection: say(`${OK}Content-Length: 5\r\n\r\nab`) },
  {
    name: 'ends within a chunk',
    code: 'upstream-ambiguous',
    onConnection: say(`${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nab`),
  },
  {
    name: 'ends between chunks',
    code: 'upstream-ambiguous',
    onConnection: say(`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n`),
  },
  { name: 'echoes the key as nonsense', code: 'upstream-ambiguous', onConnection: say('canary/old-key\r\n\r\n') },
  {
    name: 'answers with two lengths',
    code: 'upstream-ambiguous',
    onConnection: say(`${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`),
  },
  { name: 'stays silent', code: 'upstream-ambiguous', onConnection: () => {}, deadlineMs: 60 },
  {
    name: 'drips its answer',
    code: 'upstream-ambiguous',
    deadlineMs: 60,
    onConnection: afterHead((socket) => {
      socket.write(`${OK}Content-Length: 100000\r\n\r\n`);
      const drip = setInterval(() => socket.write('x'), 5);
      socket.on('close', () => clearInterval(drip));
    }),
  },
  { name: 'announces too much', code: 'upstream-rejected', onConnection: say(`${OK}Content-Length: 1048577\r\n\r\n`) },
  { name: 'sends too much', code: 'upstream-rejected', onConnection: say(`${OK}Connection: close\r\n\r\n${HUGE}`) },
  {
    name: 'compresses',
    code: 'upstream-rejected',
    onConnection: say(`${OK}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab`),
  },
];

for (const { name, code, onConnection, deadlineMs } of CUTS) {
  test(`a server that ${name}: ${code}`, async (t) => {
    let connections = 0;
    const origin = await listenRaw(t, (socket) => {
      connections++;
      onConnection(socket);
    });
    const call = createBench(t, { origin, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
    const failure = await failureOf(call(POST, WITH_KEY));
    assert.equal(failure.code, code);
    assert.equal(connections, 1, 'the request was repeated');
  });
}

test('nothing was sent: unavailable', async (t) => {
  let bytes = 0;
  const origin = await listenRaw(t, (socket) => {
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
  });
  const benches: Record<string, CallBench> = {
    'a port that refuses': { origin, addresses: ['127.0.0.1', '::1'].slice(1), privateNetworks: ['::1/128'] },
    'a name without address': { origin, addresses: [] },
    'a private address beside an allowed one': { origin, addresses: ['127.0.0.1', '10.0.0.1'] },
    'a metadata address': { origin, addresses: ['169.254.169.254'], privateNetworks: ['0.0.0.0/0'] },
    'a handshake that never ends': { origin: origin.replace('http:', 'https:'), deadlineMs: 60 },
  };
  for (const [name, bench] of Object.entries(benches)) {
    const failure = await failureOf(createBench(t, bench)(POST, WITH_KEY));
    assert.equal(failure.code, 'upstream-unavailable', name);
  }
  assert.ok(bytes < 2048, 'only a TLS client hello may have arrived');
});

test('a call that gave up while it was connecting sends nothing once the connection stands', async (t) => {
  let heard = '';
  const origin = await listenRaw(t, (socket) => {
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
  });
  const { promise: answered, resolve: answer } = Promise.withResolvers<readonly string[]>();
  const resolver = createResolver({ clock, lookup: () => answered });
  const dialer = createDialer({ guard: createGuard(resolver), connectTimeoutMs: 2000 });
  t.after(() => dialer.close());
  const settings = { origin, privateNetworks: ['127.0.0.0/8'], plainHttp: true };
  const call = createCall({ dispatcherFor: dialer.dispatcherFor, settings, clock, version: '0.1.0', deadlineMs: 20 });
  const failure = await failureOf(call(POST, WITH_KEY));
  assert.equal(failure.code, 'upstream-unavailable');
  answer(['127.0.0.1']);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(heard, '');
});

test('a request that is not fit to be sent is invalid, and no connection is made', async (t) => {
  let connections = 0;
  const origin = await listenRaw(t, () => connections++);
  const call = createBench(t, { origin });
  const requests: ProviderRequest[] = [
    { method: 'GET', path: '/a b' },
    { method: 'GET', path: '/', headers: { 'x-a': 'b\r\nc: d' } },
    { method: 'GET', path: '/', headers: { host: 'evil.net' } },
  ];
  for (const request of requests) assert.equal((await failureOf(call(request, WITH_KEY))).code, 'invalid');
  assert.equal((await failureOf(call(GET, { parts: { key: KEY }, places: [] }))).code, 'invalid');
  const elsewhere = createBench(t, { origin: 'http://localhost:1' });
  assert.equal((await failureOf(elsewhere(GET, WITH_KEY))).code, 'invalid');
  assert.equal(connections, 0);
});
