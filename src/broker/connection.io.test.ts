// The port as raw callers see it: real broker, real sockets, an upstream that records bytes. Requests say `Connection: close` where
// nothing else ends the connection, so that no test waits for a time to pass.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { openBroker } from '../../tools/foreign/open-broker.ts';
import { isWhole, OK, openRaw, statusesOf, talk } from '../../tools/foreign/raw.ts';
import { createConnections, LOOKS } from './connection.io.ts';
import { codeOf, eventually, shareUpstream } from './test-support.io.ts';

const upstream = await shareUpstream();
const broker = await openBroker({ upstreamPort: upstream.port });
after(() => broker.close());

const GET = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n';
const CHUNKED = 'POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

test('an upgrade behind an open request is answered after it', async () => {
  const received = await talk(
    broker.port,
    `${GET}GET /b HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
  );
  assert.deepEqual(statusesOf(received), [200, 403]);
  assert.equal(codeOf(received), 'upgrade-refused');
});

test('a refused expectation ends the connection, whatever stands behind it', async () => {
  const received = await talk(
    broker.port,
    'GET /a HTTP/1.1\r\nHost: a\r\nExpect: other\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  );
  assert.deepEqual(statusesOf(received), [417]);
});

test('an offer of another protocol is ignored', async () => {
  const received = await talk(
    broker.port,
    'GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n',
  );
  assert.deepEqual(statusesOf(received), [200]);
  assert.doesNotMatch(upstream.received[0]!, /upgrade|http2-settings/i);
});

test('CONNECT behind an open request is answered after it', async () => {
  const received = await talk(broker.port, `${GET}CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n`);
  assert.deepEqual(statusesOf(received), [200, 405]);
});

test('what is malformed behind a request does not take its answer', async () => {
  const received = await talk(
    broker.port,
    'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGARBAGE\u0000\r\n\r\n',
  );
  assert.deepEqual(statusesOf(received), [200, 400]);
});

test('a request that waits is not begun when what follows it is malformed', async () => {
  const received = await talk(broker.port, `${GET}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n\r\n0\r\n\r\n`);
  assert.deepEqual(statusesOf(received), [200, 400]);
  assert.doesNotMatch(upstream.received.join(''), /smuggled/);
});

test('requests of one connection are forwarded one at a time, in order', async () => {
  let open = 0;
  let openMost = 0;
  upstream.answer = async (received) => {
    if (!isWhole(received)) return null;
    open++;
    openMost = Math.max(openMost, open);
    await new Promise((resolve) => setTimeout(resolve, 20));
    open--;
    return OK;
  };
  const post = 'POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi';
  const received = await talk(broker.port, `${post}${GET}GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  assert.deepEqual(statusesOf(received), [200, 200, 200]);
  assert.equal(openMost, 1);
  assert.deepEqual(
    upstream.received.map((text) => text.split(' ', 2).join(' ')),
    ['POST /p', 'GET /a', 'GET /last'],
  );
});

test('a caller that piles up requests loses the connection', async () => {
  let heard = 0;
  upstream.answer = () => {
    heard++;
    return null;
  };
  await talk(broker.port, GET.repeat(200));
  assert.ok(heard <= 1);
  await eventually(() => broker.live.openUses === 0);
});

test('what follows a request that asked to close is not looked at', async () => {
  const received = await talk(
    broker.port,
    'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nq=42\r\n\r\nGET / HTTP/1.1\r\nnonsense',
  );
  assert.deepEqual(statusesOf(received), [200]);
});

test('a caller that sends nonsense and never closes holds no connection', async () => {
  const socket = connect({ port: broker.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  socket.resume();
  socket.write('NONSENSE\r\n\r\n');
  await new Promise((resolve) => socket.once('end', resolve));
  await eventually(async () => (await broker.connections()) === 0);
  socket.destroy();
});

test('OPTIONS of the server as a whole is answered by the broker', async () => {
  for (const target of ['*', 'http://a']) {
    const received = await talk(broker.port, `OPTIONS ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    assert.deepEqual(statusesOf(received), [204]);
    assert.match(received, /\r\nallow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n/);
  }
  const malformed = await talk(broker.port, 'OPTIONS * HTTP/1.1\r\nHost: #\r\nContent-Length: 1\r\n\r\nx');
  assert.equal(codeOf(malformed), 'host');
  assert.deepEqual(upstream.received, []);
});

test('the authority of an absolute target sends the request nowhere else', async () => {
  const received = await talk(
    broker.port,
    'GET http://user:pass@elsewhere.example:99/v1/x?y=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  );
  assert.deepEqual(statusesOf(received), [200]);
  assert.match(
    upstream.received[0]!,
    new RegExp(`^GET /v1/x\\?y=1 HTTP/1.1\\r\\nhost: 127.0.0.1:${upstream.port}\\r\\n`),
  );
  assert.doesNotMatch(upstream.received[0]!, /elsewhere|pass/);
});

test('a missing Host is answered as every other problem is', async () => {
  const received = await talk(broker.port, 'GET /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nx');
  assert.deepEqual(statusesOf(received), [400]);
  assert.equal(codeOf(received), 'host');
});

test('a lookalike of Transfer-Encoding does not travel on', async () => {
  const received = await talk(
    broker.port,
    'POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\nTransfer_Encoding: chunked\r\n\r\nhi',
  );
  assert.deepEqual(statusesOf(received), [200]);
  assert.doesNotMatch(upstream.received[0]!, /transfer/i);
});

test('a forbidden trailer that comes with its request keeps it from the provider', async () => {
  const received = await talk(broker.port, `${CHUNKED}5\r\nhello\r\n0\r\nHost: evil.example\r\n\r\n`);
  assert.deepEqual(statusesOf(received), [400]);
  assert.equal(codeOf(received), 'trailer');
  assert.deepEqual(upstream.received, []);
});

test('a forbidden trailer that comes late breaks the request off', async () => {
  const caller = openRaw(broker.port);
  caller.write(`${CHUNKED}5\r\nhello\r\n`);
  await upstream.seen('hello');
  caller.write('0\r\nHost: evil.example\r\n\r\n');
  const received = await caller.closed;
  assert.deepEqual(statusesOf(received), [400]);
  assert.equal(codeOf(received), 'trailer');
  assert.doesNotMatch(upstream.received[0]!, /\r\n0\r\n/);
  await eventually(() => broker.live.openUses === 0);
});

test('other trailers are left behind', async () => {
  const caller = openRaw(broker.port);
  caller.write(`${CHUNKED.replace('Host', 'Connection: close\r\nHost')}5\r\nhello\r\n0\r\nX-Checksum: canary\r\n\r\n`);
  assert.deepEqual(statusesOf(await caller.closed), [200]);
  assert.match(upstream.received[0]!, /hello$/);
  assert.doesNotMatch(upstream.received[0]!, /checksum/i);
});

test('malformed chunks that come with their request keep it from the provider', async () => {
  const received = await talk(broker.port, `${CHUNKED}5;\r\nhello\r\n0\r\n\r\n`);
  assert.deepEqual(statusesOf(received), [400]);
  assert.deepEqual(upstream.received, []);
});

test('malformed chunks that come late break the request off', async () => {
  const caller = openRaw(broker.port);
  caller.write(`${CHUNKED}5\r\nhello\r\n`);
  await upstream.seen('hello');
  caller.write('nonsense\r\n');
  assert.deepEqual(statusesOf(await caller.closed), [400]);
  assert.doesNotMatch(upstream.received[0]!, /\r\n0\r\n/);
  await eventually(() => broker.live.openUses === 0);
});

test('an answer to HEAD has no content, whatever broke its request off', async () => {
  for (const late of ['nonsense\r\n', '0\r\nHost: evil.example\r\n\r\n']) {
    const caller = openRaw(broker.port);
    caller.write(`${CHUNKED.replace('POST', 'HEAD')}5\r\nhello\r\n`);
    await upstream.seen('hello');
    caller.write(late);
    const received = await caller.closed;
    assert.deepEqual([statusesOf(received), codeOf(received)], [[400], undefined], received);
    upstream.received.length = 0;
  }
});

test('an answer that has begun is broken off, not continued by another one', async () => {
  upstream.answer = (received) =>
    received.includes('more') ? null : 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart';
  const caller = openRaw(broker.port);
  caller.write(`${CHUNKED}5\r\nhello\r\n`);
  await upstream.seen('hello');
  await caller.heard('part');
  caller.write('nonsense\r\n');
  assert.deepEqual(statusesOf(await caller.closed), [200]);
});

test('what is left of a request that was answered early is not taken for the next one', async () => {
  upstream.answer = (received) => (received.includes('part') ? 'HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno' : null);
  const caller = openRaw(broker.port);
  caller.write('POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\npart');
  const received = await caller.closed;
  assert.deepEqual(statusesOf(received), [413]);
});

test('a JSON body that is not UTF-8 is refused, not altered', async () => {
  const edited = await openBroker({ upstreamPort: upstream.port, places: [{ in: 'body', pointer: '/key' }] });
  const body = '{"key":"x","name":"\u00ff\u00fe"}';
  const head = `POST /a HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const received = await talk(edited.port, head + body);
  assert.deepEqual(statusesOf(received), [400]);
  assert.equal(codeOf(received), 'body-not-json');
  assert.deepEqual(upstream.received, []);
  await edited.close();
});

test('only a caller that takes nothing at so many looks in a row is cut: neither one with nothing to take, nor a slow one', () => {
  let cuts = 0;
  // A socket of the runtime as far as its counters go: when a kernel takes bytes is nothing that a test can say.
  const socket = Object.assign(new EventEmitter(), { bytesWritten: 0, writableLength: 0, destroy: () => void cuts++ });
  const connections = createConnections({ newcomersMax: 1, isProxy: () => false, stranger: () => {} });
  const request = { socket: socket as unknown as Socket } as IncomingMessage;
  connections.take(request, {} as ServerResponse, () => {});
  const look = (times: number) => {
    for (let i = 0; i < times; i++) connections.look();
  };
  look(20);
  Object.assign(socket, { bytesWritten: 900, writableLength: 300 });
  look(1 + LOOKS - 1);
  // It took a hundred, and as much came in behind: the amount that waits is the same.
  socket.bytesWritten += 100;
  look(1 + LOOKS - 1);
  // More came in, nothing was taken.
  Object.assign(socket, { bytesWritten: socket.bytesWritten + 50, writableLength: 350 });
  assert.equal(cuts, 0);
  look(1);
  assert.equal(cuts, 1);
  socket.emit('close');
  look(20);
  assert.equal(cuts, 1, 'who is gone is not looked at');
});

test('connections close in any order, and those that stay are still looked at', () => {
  const connections = createConnections({ newcomersMax: 1, isProxy: () => false, stranger: () => {} });
  const cut = new Set<number>();
  const sockets = Array.from({ length: 6 }, (_, id) =>
    Object.assign(new EventEmitter(), { bytesWritten: 9, writableLength: 9, destroy: () => void cut.add(id) }),
  );
  for (const socket of sockets) {
    const request = { socket: socket as unknown as Socket } as IncomingMessage;
    connections.take(request, {} as ServerResponse, () => {});
  }
  for (const id of [1, 5, 0]) sockets[id]!.emit('close');
  for (let i = 0; i <= LOOKS; i++) connections.look();
  assert.deepEqual([...cut].sort(), [2, 3, 4]);
});

test('a connection that speaks another protocol is looked at as well: cut where it takes nothing of what waits, left alone where it is idle', () => {
  const connections = createConnections({ newcomersMax: 1, isProxy: () => false, stranger: () => {} });
  const cut = new Set<string>();
  const opened = (name: string, waiting: number) => {
    const socket = Object.assign(new EventEmitter(), {
      bytesWritten: 9,
      writableLength: waiting,
      readableEnded: true,
      destroy: () => void cut.add(name),
    });
    return socket as unknown as Socket;
  };
  const [idle, silent, asked] = [opened('idle', 0), opened('silent', 9), opened('asked', 0)];
  const response = Object.assign(new EventEmitter(), { closed: false, headersSent: true });
  const request = { socket: asked } as IncomingMessage;
  connections.take(request, response as unknown as ServerResponse, () => {});
  assert.deepEqual([connections.isFree(asked), connections.isFree(idle)], [false, true], 'an answer is owed');
  response.closed = true;
  assert.equal(connections.isFree(asked), true);
  for (const socket of [idle, silent, asked]) connections.takeOver(socket);
  for (let i = 0; i < LOOKS * 5; i++) connections.look();
  assert.deepEqual([...cut], ['silent']);
});
