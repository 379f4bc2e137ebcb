// Pools and sockets on loopback: which address is dialled, by which name it is verified, through which proxy, how often a
// connection is used, and what is refused before a byte of a request is sent.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { connect, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import { createDialer, type DialOptions, type Reuse } from './dial.io.ts';
import { createGuard, createResolver } from './resolve.io.ts';

const LOOPBACK = { privateNetworks: ['127.0.0.0/8', '::1/128'], plainHttp: true };
const PUBLIC = { privateNetworks: [], plainHttp: false };

/** A listening server that ends with its test, connections and all. */
async function listen(t: TestContext, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

interface Bench {
  readonly asked: string[];
  readonly get: (origin: string, settings?: typeof LOOPBACK | typeof PUBLIC, reuse?: Reuse) => Promise<string>;
  readonly dialer: ReturnType<typeof createDialer>;
}

/** A dialer over a scripted resolver without memory: each answer once, in order; the last one for ever. */
function createBench(
  t: TestContext,
  answers: readonly (readonly string[])[],
  options: Partial<DialOptions> = {},
): Bench {
  const asked: string[] = [];
  const resolver = createResolver({
    clock: { now: Date.now, monotonic: () => performance.now() },
    cacheMs: 0,
    async lookup(host) {
      asked.push(host);
      return answers[Math.min(asked.length, answers.length) - 1]!;
    },
  });
  const dialer = createDialer({ guard: createGuard(resolver), connectTimeoutMs: 2000, ...options });
  t.after(() => dialer.close());
  async function get(origin: string, settings = LOOPBACK, reuse: Reuse = 'kept'): Promise<string> {
    const dispatcher = dialer.dispatcherFor(origin, { origin, ...settings }, reuse);
    const answer = await dispatcher.request({ method: 'GET', path: '/' });
    return await answer.body.text();
  }
  return { asked, dialer, get };
}

function isUnavailable(error: unknown): boolean {
  return Failure.is(error, 'upstream-unavailable');
}

async function listenHttp(t: TestContext, listener: RequestListener): Promise<number> {
  return await listen(t, createHttpServer(listener));
}

test('the checked address is dialled, with the name as Host', async (t) => {
  const port = await listenHttp(t, (request, response) =>
    response.end(`${request.headers.host} ${request.socket.localAddress}`),
  );
  const bench = createBench(t, [['127.0.0.1']]);
  assert.equal(await bench.get(`http://upstream.test:${port}`), `upstream.test:${port} 127.0.0.1`);
  assert.deepEqual(bench.asked, ['upstream.test']);
});

test('a name that rebinds is asked once for each connection, and the changed answer is never dialled', async (t) => {
  let connections = 0;
  const server = createHttpServer((_request, response) => response.end('reached'));
  server.on('connection', () => connections++);
  const port = await listen(t, server);
  const bench = createBench(t, [['127.0.0.1'], ['10.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['169.254.169.254']]);
  assert.equal(await bench.get(`http://upstream.test:${port}`, LOOPBACK, 'fresh'), 'reached');
  for (let round = 0; round < 3; round++) {
    await assert.rejects(bench.get(`http://upstream.test:${port}`, LOOPBACK, 'fresh'), isUnavailable);
  }
  assert.deepEqual([bench.asked.length, connections], [4, 1]);
});

test('an address that refuses is passed over for the next', async (t) => {
  const port = await listenHttp(t, (_request, response) => response.end('reached'));
  const bench = createBench(t, [['::1', '127.0.0.1']]);
  assert.equal(await bench.get(`http://upstream.test:${port}`), 'reached');
});

test('where no address answers the failure says so, with the last address in its cause', async (t) => {
  const port = await listenHttp(t, (_request, response) => response.end());
  const bench = createBench(t, [['::1']]);
  const error = await bench.get(`http://upstream.test:${port}`).then(
    () => null,
    (failure: unknown) => failure,
  );
  assert.ok(Failure.is(error, 'upstream-unavailable') && !error.message.includes('::1'));
  assert.match(String(error.cause), /upstream\.test at ::1: /);
});

test('kept connections serve many requests, fresh ones one each', async (t) => {
  const seen = new Set<string>();
  const port = await listenHttp(t, (request, response) => {
    seen.add(`${request.socket.remotePort}`);
    response.end(request.headers.connection);
  });
  const bench = createBench(t, [['127.0.0.1']]);
  for (let round = 0; round < 8; round++) assert.equal(await bench.get(`http://upstream.test:${port}`), 'keep-alive');
  // A request that follows in the very same turn finds the first connection not yet free.
  assert.ok(seen.size <= 2);
  seen.clear();
  for (let round = 0; round < 3; round++) {
    assert.equal(await bench.get(`http://upstream.test:${port}`, LOOPBACK, 'fresh'), 'close');
  }
  assert.equal(seen.size, 3);
});

test('a connection beyond its age gets no further request: the name is asked and judged again', async (t) => {
  const port = await listenHttp(t, (_request, response) => response.end('reached'));
  const bench = createBench(t, [['127.0.0.1'], ['10.0.0.1']], { connectionAgeMaxMs: 1, idleMs: 60_000 });
  assert.equal(await bench.get(`http://upstream.test:${port}`), 'reached');
  await new Promise((resolve) => setTimeout(resolve, 10));
  await assert.rejects(bench.get(`http://upstream.test:${port}`), isUnavailable);
});

test('requests beyond the queue fail at once, the others are served', async (t) => {
  const held: (() => void)[] = [];
  const port = await listenHttp(t, (_request, response) => void held.push(() => response.end('served')));
  const bench = createBench(t, [['127.0.0.1']], { connectionsMax: 1, waitingMax: 2 });
  const all = Array.from({ length: 5 }, () => bench.get(`http://upstream.test:${port}`));
  const release = setInterval(() => held.shift()?.(), 1);
  t.after(() => clearInterval(release));
  const outcomes = await Promise.allSettled(all);
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  assert.ok(refused.length >= 1 && refused.length <= 2);
  for (const outcome of refused) assert.ok(isUnavailable(outcome.reason));
});

test('one dispatcher for each origin, settings and reuse; only so many of them, and only allowed ones', async (t) => {
  const { dialer } = createBench(t, [['127.0.0.1']], { originsMax: 3 });
  const settings = { origin: 'https://a.com', ...PUBLIC };
  const one = dialer.dispatcherFor('https://a.com', settings);
  assert.equal(dialer.dispatcherFor('https://a.com', { ...settings }), one);
  assert.notEqual(dialer.dispatcherFor('https://a.com', settings, 'fresh'), one);
  assert.notEqual(dialer.dispatcherFor('https://a.com', { ...settings, privateNetworks: ['10.0.0.0/8'] }), one);
  assert.throws(
    () => dialer.dispatcherFor('https://b.com', settings),
    (error) => Failure.is(error, 'unavailable'),
  );
  for (const origin of [
    'https://a.com/',
    'http://a.com',
    'https://127.0.0.1',
    'https://localhost',
    'https://0x7f000001',
  ]) {
    assert.throws(
      () => dialer.dispatcherFor(origin, settings),
      (error) => Failure.is(error, 'invalid'),
    );
  }
});

test('an answer whose head is too long is cut off', async (t) => {
  const port = await listenHttp(t, (_request, response) => response.setHeader('x-long', 'x'.repeat(9000)).end());
  const bench = createBench(t, [['127.0.0.1']], { headerBytesMax: 8192 });
  await assert.rejects(bench.get(`http://upstream.test:${port}`), { code: 'UND_ERR_HEADERS_OVERFLOW' });
});

test('a server that never finishes the TLS handshake is given up on', async (t) => {
  const port = await listen(
    t,
    createTcpServer(() => {}),
  );
  const bench = createBench(t, [['127.0.0.1']], { connectTimeoutMs: 50 });
  await assert.rejects(bench.get(`https://upstream.test:${port}`), isUnavailable);
});

const directory = mkdtempSync(path.join(tmpdir(), 'claviger-net-'));
after(() => rmSync(directory, { recursive: true }));

/** A certificate for the name, or null where the machine has no openssl. */
function createCertificate(name: string): { key: string; cert: string } | null {
  const [key, cert] = ['key', 'cert'].map((kind) => path.join(directory, `${name}.${kind}`)) as [string, string];
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name},IP:127.0.0.1`, '-days', '1'];
  const options = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject];
  try {
    execFileSync('openssl', [...options, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

const certificate = createCertificate('api.example.com');
const withTls = {
  skip: certificate === null ? 'SKIPPED: no openssl on this machine, TLS towards upstreams is UNTESTED' : false,
};

/** Answers each request with the server name of its connection. */
async function listenTls(t: TestContext): Promise<number> {
  assert.ok(certificate !== null);
  const server = createTlsServer({ ...certificate }, (socket: TLSSocket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      const name = `${socket.servername}`;
      socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\nConnection: close\r\n\r\n${name}`);
    });
  });
  server.on('tlsClientError', () => {});
  return await listen(t, server);
}

test('TLS is verified for the name while the checked address is dialled', withTls, async (t) => {
  const port = await listenTls(t);
  const settings = { privateNetworks: ['127.0.0.0/8'], plainHttp: false };
  const trusting = createBench(t, [['127.0.0.1']], { extraCaPem: certificate!.cert });
  assert.equal(await trusting.get(`https://api.example.com:${port}`, settings), 'api.example.com');
  assert.equal(await trusting.get(`https://127.0.0.1:${port}`, settings), 'false');
  await assert.rejects(trusting.get(`https://other.example.com:${port}`, settings), isUnavailable);
});

test('an unknown authority is refused, also where the environment says otherwise', withTls, async (t) => {
  const port = await listenTls(t);
  const settings = { privateNetworks: ['127.0.0.0/8'], plainHttp: false };
  const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  t.after(() => {
    if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
  });
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  const bench = createBench(t, [['127.0.0.1']]);
  await assert.rejects(bench.get(`https://api.example.com:${port}`, settings), isUnavailable);
});

interface ProxyRecord {
  readonly heads: string[];
  readonly port: number;
}

/** A small CONNECT proxy: records each head, answers, and joins the tunnel to `upstreamPort` whatever was asked for. */
async function listenProxy(
  t: TestContext,
  upstreamPort: number,
  answer = 'HTTP/1.1 200 OK\r\n\r\n',
): Promise<ProxyRecord> {
  const heads: string[] = [];
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (head) => {
      heads.push(head.toString('latin1'));
      const upstream = connect(upstreamPort, '127.0.0.1', () => {
        socket.write(answer);
        socket.pipe(upstream).pipe(socket);
      });
      upstream.on('error', () => socket.destroy());
      socket.on('close', () => upstream.destroy());
    });
  });
  return { heads, port: await listen(t, server) };
}

test(
  'through an outbound proxy the tunnel goes to the checked address, TLS and Host to the name',
  withTls,
  async (t) => {
    const proxy = await listenProxy(t, await listenTls(t));
    const bench = createBench(t, [['93.184.216.34'], ['2606:4700::1'], ['127.0.0.1']], {
      extraCaPem: certificate!.cert,
      proxy: { host: '127.0.0.1', port: proxy.port, authorization: new Secret('Basic canary-proxy') },
    });
    assert.equal(await bench.get('https://api.example.com', PUBLIC, 'fresh'), 'api.example.com');
    assert.equal(await bench.get('https://api.example.com', PUBLIC, 'fresh'), 'api.example.com');
    await assert.rejects(bench.get('https://api.example.com', PUBLIC, 'fresh'), isUnavailable);
    assert.deepEqual(
      proxy.heads,
      ['93.184.216.34:443', '[2606:4700::1]:443'].map(
        (target) => `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nProxy-Authorization: Basic canary-proxy\r\n\r\n`,
      ),
    );
  },
);

test('a proxy that refuses, speaks on, rambles or talks nonsense gets no request', async (t) => {
  let requests = 0;
  const port = await listenHttp(t, (_request, response) => {
    requests++;
    response.end();
  });
  const answers = [
    'HTTP/1.1 403 Forbidden\r\n\r\n',
    'HTTP/1.1 200 OK\r\n\r\nmore',
    'nonsense\r\n\r\n',
    'HTTP/1.1 200 OK\r\n',
  ];
  for (const answer of [...answers, `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(9000)}\r\n\r\n`, 'HTTP/1.1 2000\r\n\r\n']) {
    const proxy = await listenProxy(t, port, answer);
    const bench = createBench(t, [['127.0.0.1']], {
      connectTimeoutMs: 100,
      proxy: { host: '127.0.0.1', port: proxy.port, authorization: null },
    });
    await assert.rejects(bench.get(`http://upstream.test:${port}`), isUnavailable, answer);
  }
  assert.equal(requests, 0);
});

test('a proxy authorization that would break its line is refused at once', (t) => {
  const proxy = { host: '127.0.0.1', port: 1, authorization: new Secret('Basic canary\r\nX: 1') };
  assert.throws(
    () => createBench(t, [], { proxy }),
    (error) => Failure.is(error, 'invalid') && !error.message.includes('canary'),
  );
});
