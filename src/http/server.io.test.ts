// The listener's own part, over real sockets: authentication, permissions, methods, bodies, problems, the brake, draining. The house
// checks every answer against what the OpenAPI document says of it, and an undocumented one is an internal error.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import test, { after, before } from 'node:test';
import { type House, type HouseAnswer, startHouse } from '../../test/support/house.ts';
import { isPermitted, type Permission, ROLE_NAMES } from '../access/role.ts';

let house: House;

before(async () => {
  house = await startHouse({ trustedProxies: ['127.0.0.0/8'] });
});

after(async () => {
  assert.deepEqual(house.errors, []);
  await house.stop();
});

interface Problem {
  readonly type: string;
  readonly status: number;
  readonly code: string;
  readonly instance: string;
  readonly errors: readonly { pointer: string; detail: string }[];
}

function problemOf(answer: HouseAnswer, status: number, code: string): Problem {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers.get('content-type'), 'application/problem+json');
  const problem = answer.json as Problem;
  assert.equal(problem.type, `urn:claviger:problem:${code}`);
  assert.equal(problem.status, status);
  return problem;
}

interface Operation {
  readonly 'x-claviger-permission': string;
  readonly security: readonly object[];
  readonly responses: Readonly<Record<string, unknown>>;
}

function operations(): [method: string, path: string, operation: Operation][] {
  const { paths } = house.api.document as { paths: Record<string, Record<string, Operation>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [method.toUpperCase(), path, operation] as const),
  ) as [string, string, Operation][];
}

/** A request that reaches the operation, with an id that no row has. */
function target(path: string): string {
  const prefix = { principals: 'prn', tokens: 'tok', grants: 'gnt', credentials: 'crd', rotations: 'rot' } as const;
  const noun = path.split('/')[2] as keyof typeof prefix;
  const other = { revocations: 'rev', certificates: 'crt', inventory: 'fnd' }[noun as string] ?? 'xxx';
  return path.replace('{id}', `${prefix[noun] ?? other}_${'0'.repeat(32)}`).replace('{index}', '0');
}

test('every operation but the public ones wants a token', async () => {
  const open = operations().filter(([, , { security }]) => security.length === 0);
  // A browser that comes back from a consent has no token: it is known by its state.
  const names = ['/healthz', '/openapi.json', '/readyz', '/v1/consent/callback'];
  assert.deepEqual(open.map(([, path]) => path).sort(), names);
  for (const [method, path] of operations()) {
    if (open.some(([, one]) => one === path)) continue;
    const answer = await house.request(method, target(path), {
      token: null,
      headers: { 'x-forwarded-for': '192.0.2.9' },
    });
    assert.ok(answer.status === 401 || answer.status === 429, `${method} ${path}: ${answer.status}`);
    if (answer.status === 401) assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="claviger"');
  }
});

test('every operation refuses each role that lacks its permission, before it looks at the input', async () => {
  let refused = 0;
  for (const role of ROLE_NAMES) {
    const made = await house.request('POST', '/v1/principals', {
      body: { name: `as-${role}`, kind: 'person', roles: [role] },
    });
    const { id } = made.json as { id: string };
    const { text } = (await house.request('POST', `/v1/principals/${id}/tokens`)).json as { text: string };
    for (const [method, path, operation] of operations()) {
      const permission = operation['x-claviger-permission'];
      if (permission === 'public' || permission === 'any valid token') continue;
      if (isPermitted([role], permission as Permission)) continue;
      const body = method === 'GET' ? {} : { body: { nonsense: true } };
      const problem = problemOf(await house.request(method, target(path), { token: text, ...body }), 403, 'denied');
      assert.ok(JSON.stringify(problem).includes(permission));
      refused++;
    }
  }
  assert.ok(refused > 50, `${refused} refusals were seen`);
});

test('the document names every problem that can be met, and its schema', () => {
  for (const [method, path, { responses }] of operations()) {
    for (const status of ['400', '503']) assert.ok(responses[status] !== undefined, `${method} ${path} ${status}`);
    const problem = JSON.stringify(responses['503']);
    assert.ok(problem.includes('application/problem+json') && problem.includes('#/components/schemas/Problem'));
  }
});

test('a path without the method says which it has; OPTIONS and HEAD behave', async () => {
  for (const method of ['PUT', 'DELETE', 'PATCH', 'PROPFIND']) {
    const answer = await house.request(method, '/v1/principals');
    problemOf(answer, 405, 'method-not-allowed');
    assert.equal(answer.headers.get('allow'), 'GET, HEAD, OPTIONS, POST');
  }
  problemOf(await house.request('GET', '/v1/grants/suggest'), 405, 'method-not-allowed');
  const options = await house.request('OPTIONS', '/v1/principals', { token: null });
  assert.deepEqual([options.status, options.headers.get('allow'), options.text], [204, 'GET, HEAD, OPTIONS, POST', '']);
  const got = await house.request('GET', '/v1/principals');
  const head = await house.request('HEAD', '/v1/principals');
  assert.deepEqual([head.status, head.text], [200, '']);
  assert.equal(head.headers.get('content-length'), String(Buffer.byteLength(got.text)));
  assert.equal((await house.request('HEAD', '/v1/principals', { token: null })).status, 401);
});

test('what is not there is a 404, whatever it looks like', async () => {
  for (const path of ['/', '/v1', '/v1/', '/v1/none', '/v2/principals', '/V1/principals', '/v1//principals']) {
    problemOf(await house.request('GET', path), 404, 'no-such-path');
  }
  problemOf(await house.request('GET', `/v1/principals/prn_${'0'.repeat(32)}`), 404, 'not-found');
  problemOf(await house.request('GET', '/v1/principals/%E0%A4%A'), 400, 'malformed-request');
  problemOf(await house.request('GET', `/v1/principals/${'x'.repeat(1_000)}`), 400, 'malformed-request');
});

test('malformed JSON and invalid input are different problems', async () => {
  async function raw(body: string, type = 'application/json') {
    const headers = { authorization: `Bearer ${house.adminToken}`, 'content-type': type };
    const response = await fetch(`${house.origin}/v1/principals`, { method: 'POST', headers, body });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) as unknown };
  }
  problemOf(await raw('{'), 400, 'malformed-json');
  problemOf(await raw('{"name":"\\u0000"}'), 400, 'invalid');
  const invalid = problemOf(await raw('{"name":"A","kind":"x","more":1}'), 400, 'invalid');
  assert.deepEqual(invalid.errors.map(({ pointer }) => pointer).sort(), ['/kind', '/more', '/name']);
  problemOf(await raw('{}', 'text/plain'), 415, 'unsupported-media-type');
  problemOf(await raw('name=x', 'application/x-www-form-urlencoded'), 415, 'unsupported-media-type');
  problemOf(await raw('', 'application/json'), 400, 'invalid');
  problemOf(await raw(`{"name":"${'x'.repeat(1_100_000)}"}`), 413, 'too-large');
});

test('a query that is not known, or comes twice, is invalid', async () => {
  for (const query of ['?limit=0', '?limit=x', '?limit=1&limit=2', '?more=1', '?cursor=%00', '?cursor=AAAA']) {
    const problem = problemOf(await house.request('GET', `/v1/principals${query}`), 400, 'invalid');
    assert.ok(problem.errors[0]?.pointer.startsWith('/query'), query);
  }
});

test('If-Match guards a change and ETag follows it', async () => {
  const path = `/v1/principals/${house.adminId}`;
  const before = await house.request('GET', path);
  const etag = before.headers.get('etag')!;
  const change = (note: string, match: string) =>
    house.request('PATCH', path, { body: { note }, headers: { 'if-match': match } });
  const changed = await change('one', etag);
  assert.equal(changed.status, 200);
  assert.notEqual(changed.headers.get('etag'), etag);
  problemOf(await change('two', etag), 412, 'precondition-failed');
  problemOf(await change('two', 'nonsense'), 400, 'invalid');
  assert.equal((await change('two', '*')).status, 200);
  // Both read the same version: one of them is too late, whoever it is.
  const now = (await house.request('GET', path)).headers.get('etag')!;
  const both = await Promise.all([change('three', now), change('four', now)]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [200, 412]);
});

test('an Idempotency-Key gives the same answer to the same request, and a token’s text once', async () => {
  const post = (body: object, key: string) =>
    house.request('POST', '/v1/principals', { body, headers: { 'idempotency-key': key } });
  const made = await post({ name: 'once', kind: 'service' }, 'k1');
  const again = await post({ kind: 'service', name: 'once' }, 'k1');
  assert.deepEqual([again.status, again.json], [201, made.json]);
  assert.equal(again.headers.get('etag'), '"1"');
  problemOf(await post({ name: 'twice', kind: 'service' }, 'k1'), 409, 'conflict');
  problemOf(await post({ name: 'twice', kind: 'service' }, 'k'.repeat(300)), 400, 'invalid');
  const { id } = made.json as { id: string };
  const issue = () => house.request('POST', `/v1/principals/${id}/tokens`, { headers: { 'idempotency-key': 'k2' } });
  const [first, second] = [await issue(), await issue()];
  assert.match((first.json as { text: string }).text, /^clv_/);
  assert.deepEqual(second.json, { ...(first.json as object), text: null });
  const both = await Promise.all([
    post({ name: 'race', kind: 'service' }, 'k3'),
    post({ name: 'race', kind: 'service' }, 'k3'),
  ]);
  assert.deepEqual(both.map(({ status }) => status).sort(), [201, 409]);
});

test('after many failures a source hears 429, a valid token from there is served, and others are not touched', async () => {
  const from = (address: string, token: string | null) =>
    house.request('GET', '/v1/whoami', { token, headers: { 'x-forwarded-for': address } });
  let limited: HouseAnswer | null = null;
  for (let i = 0; i < 40 && limited === null; i++) {
    const answer = await from('203.0.113.5', 'clv_nonsense');
    if (answer.status === 429) limited = answer;
    else problemOf(answer, 401, 'unauthenticated');
  }
  assert.ok(limited !== null, 'no brake');
  problemOf(limited, 429, 'rate-limited');
  assert.ok(Number(limited.headers.get('retry-after')) >= 1);
  assert.equal((await from('203.0.113.5', house.adminToken)).status, 200);
  problemOf(await from('203.0.113.6', null), 401, 'unauthenticated');
});

/** Sends bytes and resolves with everything that came back until the connection ended. */
function exchange(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(house.origin);
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let got = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (got += chunk));
    socket.on('close', () => resolve(got));
    socket.on('error', reject);
  });
}

test('what is no HTTP, and heads beyond the bound, are problems too', async () => {
  const head = `GET /v1/whoami HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${house.adminToken}\r\n`;
  const cases: [string, number, string][] = [
    ['nonsense\r\n\r\n', 400, 'malformed-request'],
    [`${head}x: ${'y'.repeat(20_000)}\r\n\r\n`, 431, 'headers-too-large'],
    [`${head}bad header: 1\r\n\r\n`, 400, 'malformed-request'],
    [`${head}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n`, 400, 'malformed-request'],
  ];
  for (const [text, status, code] of cases) {
    const answer = await exchange(text);
    assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), answer.slice(0, 100));
    assert.ok(answer.includes(`urn:claviger:problem:${code}`), answer);
  }
});

test('a stranger’s body is not read: the connection ends with the answer', async () => {
  const answer = await exchange(
    'POST /v1/principals HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{',
  );
  assert.ok(/^HTTP\/1\.1 4(?:01|29) /.test(answer), answer.slice(0, 40));
  assert.match(answer, /\r\nconnection: close\r\n/i);
});

test('answers are not to be cached, and name their request', async () => {
  for (const answer of [await house.request('GET', '/v1/whoami'), await house.request('GET', '/v1/none')]) {
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.match(answer.headers.get('claviger-request') ?? '', /^[0-9a-z]+-a[0-9a-z]+$/);
  }
});

test('draining refuses what is new and lets finish what is open', async () => {
  const other = await startHouse();
  try {
    const body = JSON.stringify({ name: 'late', kind: 'service' });
    const { hostname, port } = new URL(other.origin);
    const socket = connect(Number(port), hostname);
    socket.setEncoding('utf8');
    let got = '';
    const heard = new Promise<void>((resolve) => {
      socket.on('data', (chunk: string) => {
        got += chunk;
        resolve();
      });
    });
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    socket.write(
      `POST /v1/principals HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${other.adminToken}\r\nexpect: 100-continue\r\n` +
        `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    // The head is in: the request is open while its body is not there.
    await heard;
    assert.match(got, /^HTTP\/1\.1 100 /);
    const drained = other.api.drain(10_000);
    await assert.rejects(other.request('GET', '/healthz'));
    socket.write(body);
    await closed;
    assert.match(got, /HTTP\/1\.1 201 /);
    await drained;
  } finally {
    await other.stop();
  }
});
