// Two keys in one request, and a caller whom only the body names, over real sockets: what the provider is sent, what comes back, what the log says
// and what is in flight. The provider is a raw upstream that says what it heard. How access ends midway: test/journeys/plaid.test.ts.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { hash, KEY, OTHER_TOKEN, TOKEN, UNKNOWN_TOKEN } from '../../test/support/plans.ts';
import { credentialRow, grantRow, tokenRow, versionRow } from '../../test/support/rows.ts';
import { isWhole, openRaw, statusesOf, talk } from '../../tools/foreign/raw.ts';
import type { RowImage } from '../model/change.ts';
import { Secret } from '../model/secret.ts';
import { compileInjection } from './inject.ts';
import {
  AUTHORIZED,
  CLOSE,
  codeOf,
  eventually,
  RECOVER,
  type Setting,
  serveBroker,
  shareUpstream,
} from './test-support.io.ts';

const SECOND_KEY = 'canary-second-key';
const PLACES = [
  { in: 'header', name: 'authorization', scheme: 'Bearer' },
  { in: 'body', pointer: '/secret' },
] as const;
const SECOND_PLACES = [{ in: 'body', pointer: '/access_token' }] as const;
/** It says everything that it heard. */
function echo(received: string): string | null {
  if (!isWhole(received)) return null;
  const body = received.slice(received.indexOf('\r\n\r\n') + 4);
  return `HTTP/1.1 200 OK\r\nX-Key: ${KEY}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

const upstream = await shareUpstream(echo);

function serve(t: TestContext, setting: Partial<Setting> = {}, more: readonly RowImage[] = []) {
  return serveBroker(t, {
    upstreamPort: upstream.port,
    credential: { places: PLACES },
    injections: { ver_2: compileInjection(SECOND_PLACES, { key: new Secret(SECOND_KEY) }) },
    more: [
      { noun: 'credential', row: credentialRow({ id: 'crd_2', name: 'second', places: SECOND_PLACES }) },
      { noun: 'version', row: versionRow({ id: 'ver_2', credentialId: 'crd_2' }) },
      { noun: 'grant', row: grantRow({ id: 'gnt_2', credentialId: 'crd_2' }) },
      { noun: 'token', row: tokenRow({ id: 'tok_2', hash: hash(OTHER_TOKEN), credentialId: 'crd_2' }) },
      ...more,
    ],
    ...setting,
  });
}

function post(body: string | object, { headers = AUTHORIZED, path = RECOVER, type = 'application/json' } = {}): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const length = Buffer.byteLength(text);
  return `POST ${path} HTTP/1.1\r\n${headers}${CLOSE}Content-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n${text}`;
}
const NAMELESS = 'Host: a\r\n';
const HANDLE = { access_token: OTHER_TOKEN };

function bodyOf(text: string): unknown {
  return JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4));
}
const pick = (entry: Record<string, unknown>, names: readonly string[]) => names.map((name) => entry[name]);

test('both keys are written, no token travels on, and neither key comes back', async (t) => {
  const broker = await serve(t);
  const received = await talk(broker.port, post({ secret: TOKEN, ...HANDLE, n: 1 }));
  assert.deepEqual(statusesOf(received), [200]);
  const [sent = ''] = upstream.received;
  assert.deepEqual(bodyOf(sent), { secret: '', access_token: SECOND_KEY, n: 1 });
  assert.match(sent, new RegExp(`authorization: Bearer ${KEY}\r\n`));
  assert.doesNotMatch(sent, /clv_/);
  assert.deepEqual(bodyOf(received), { secret: '', access_token: '*'.repeat(SECOND_KEY.length), n: 1 });
  assert.match(received, new RegExp(`x-key: \\*{${KEY.length}}\r\n`));
});

test('two entries in the log, each with its token, credential, version and grant, and two outcomes', async (t) => {
  const broker = await serve(t);
  await talk(broker.port, post(HANDLE));
  await eventually(() => broker.entries().some((entry) => entry['kind'] === 'outcomes'));
  const entries = broker.entries();
  const names = ['token', 'principal', 'credential', 'version', 'grant', 'action', 'path'];
  const uses = entries.map((entry, index) => ({ entry, index })).filter(({ entry }) => entry['kind'] === 'use');
  const common = ['project.recover', '/api/v2/projects/p1/recover'];
  assert.deepEqual(
    uses.map(({ entry }) => pick(entry, names)),
    [
      ['tok_1', 'prn_1', 'crd_1', 'ver_1', 'gnt_0', ...common],
      ['tok_2', 'prn_1', 'crd_2', 'ver_2', 'gnt_2', ...common],
    ],
  );
  assert.equal(uses[0]!.entry['id'], uses[1]!.entry['id'], 'one request');
  const outcomes = entries
    .filter((entry) => entry['kind'] === 'outcomes')
    .flatMap((entry) => entry['of'] as number[][]);
  assert.deepEqual(
    outcomes.map(([index, status]) => [index, status]),
    uses.map(({ index }) => [index, 200]),
  );
});

test('both versions are in flight until the answer has ended, and not longer', async (t) => {
  const broker = await serve(t);
  const gate = Promise.withResolvers<void>();
  upstream.answer = async (received) => {
    const said = echo(received);
    if (said !== null) await gate.promise;
    return said;
  };
  const caller = talk(broker.port, post(HANDLE));
  await upstream.seen(SECOND_KEY);
  const inFlight = () => ['ver_1', 'ver_2'].map((id) => broker.live.activity(id, performance.now()).inFlight);
  assert.deepEqual(inFlight(), [1, 1]);
  assert.equal(broker.live.openUses, 2);
  // Whatever ends the access of either reaches the one exchange; what is still allowed goes on.
  for (const id of ['tok_2', 'ver_2']) assert.equal(broker.live.cut(new Set([id]), 'test'), 1, id);
  gate.resolve();
  assert.deepEqual(statusesOf(await caller), [200]);
  assert.deepEqual(inFlight(), [0, 0]);
});

test('a handle that is refused refuses the request: an entry for each use, and the second one’s reason for the caller', async (t) => {
  const revoked = tokenRow({ id: 'tok_3', hash: hash(UNKNOWN_TOKEN), credentialId: 'crd_2', revokedAt: 1 });
  const table: readonly [Partial<Setting>, readonly RowImage[], object, number, string, readonly unknown[][]][] = [
    [{}, [], { access_token: UNKNOWN_TOKEN }, 403, 'unknown-token', [['tok_1', 'crd_1', 'unknown-token']]],
    [
      {},
      [{ noun: 'token', row: revoked }],
      { access_token: UNKNOWN_TOKEN },
      403,
      'token-revoked',
      [
        ['tok_1', 'crd_1', 'handle-refused'],
        ['tok_3', null, 'token-revoked'],
      ],
    ],
    [
      {},
      [{ noun: 'grant', row: grantRow({ id: 'gnt_2', rowVersion: 2, credentialId: 'crd_2', revokedAt: 1 }) }],
      HANDLE,
      403,
      'no-grant',
      [
        ['tok_1', 'crd_1', 'handle-refused'],
        ['tok_2', 'crd_2', 'no-grant'],
      ],
    ],
    [
      {},
      [],
      { a: HANDLE },
      400,
      'token-place',
      [
        ['tok_1', 'crd_1', 'handle-refused'],
        ['tok_2', null, 'token-place'],
      ],
    ],
  ];
  for (const [setting, more, body, status, code, recorded] of table) {
    const broker = await serve(t, setting, more);
    const received = await talk(broker.port, post(body));
    assert.deepEqual([statusesOf(received), codeOf(received)], [[status], code]);
    const entries = broker.entries().filter((entry) => entry['kind'] !== 'boot');
    assert.deepEqual(
      entries.map((entry) => [entry['kind'], ...pick(entry, ['token', 'credential', 'reason', 'version'])]),
      recorded.map((one) => ['refused', ...one, null]),
      code,
    );
    assert.equal(broker.live.openUses, 0);
  }
  assert.deepEqual(upstream.received, []);
});

test('a body that cannot be edited is refused before any handle in it is looked at', async (t) => {
  const broker = await serve(t, { limits: { editedBodyBytesMax: 200 } });
  const table: readonly [string, number, string][] = [
    [post({ ...HANDLE, pad: 'x'.repeat(200) }), 413, 'body-too-large'],
    [post(`{"access_token":"${OTHER_TOKEN}"`), 400, 'body-not-json'],
    [post(HANDLE, { type: 'text/plain' }), 415, 'body-type'],
  ];
  for (const [request, status, code] of table) {
    const received = await talk(broker.port, request);
    assert.deepEqual([statusesOf(received), codeOf(received)], [[status], code]);
  }
  const refused = broker.entries().filter((entry) => entry['kind'] === 'refused');
  assert.deepEqual(
    refused.map((entry) => pick(entry, ['token', 'reason'])),
    table.map(([, , code]) => ['tok_1', code]),
  );
});

// A caller whom only the body names.

test('a token in the body alone names the caller, by a path or bound to its credential, with a handle beside it or without', async (t) => {
  const bound = tokenRow({ id: 'tok_3', hash: hash(UNKNOWN_TOKEN), credentialId: 'crd_1' });
  const broker = await serve(t, {}, [{ noun: 'token', row: bound }]);
  const own = RECOVER.replace('/neon/prod', '');
  const table: readonly [string, unknown, readonly string[]][] = [
    [post({ secret: TOKEN }, { headers: NAMELESS }), { secret: '' }, ['tok_1']],
    [
      post({ secret: TOKEN, ...HANDLE }, { headers: NAMELESS }),
      { secret: '', access_token: SECOND_KEY },
      ['tok_1', 'tok_2'],
    ],
    [post({ secret: UNKNOWN_TOKEN }, { headers: NAMELESS, path: own }), { secret: '' }, ['tok_3']],
  ];
  for (const [request, body, tokens] of table) {
    upstream.received.length = 0;
    const before = broker.entries().length;
    assert.deepEqual(statusesOf(await talk(broker.port, request)), [200]);
    assert.deepEqual(bodyOf(upstream.received[0]!), body);
    const uses = broker
      .entries()
      .slice(before)
      .filter((entry) => entry['kind'] === 'use');
    assert.deepEqual(
      uses.map((entry) => entry['token']),
      tokens,
    );
  }
});

test('who is named nowhere, or not as it should be, is told so; the provider hears nothing', async (t) => {
  const broker = await serve(t);
  const nameless = (body: string | object, more: { path?: string } = {}) => post(body, { headers: NAMELESS, ...more });
  const table: readonly [string, number, string][] = [
    [nameless({}), 401, 'no-token'],
    [nameless('not json'), 401, 'no-token'],
    [nameless({ secret: UNKNOWN_TOKEN }), 401, 'unknown-token'],
    [nameless({ secret: 'clv_x' }), 401, 'malformed-token'],
    [nameless({ other: TOKEN }), 400, 'token-place'],
    [nameless({ note: `see ${TOKEN}`, secret: '' }), 400, 'token-place'],
    [nameless({ secret: OTHER_TOKEN, access_token: UNKNOWN_TOKEN }), 400, 'two-tokens'],
    // A handle alone names its own credential, whose paths are at the root.
    [nameless(HANDLE), 403, 'no-action'],
    // Whether there is such a path is told to nobody who has no token.
    [nameless({}, { path: '/no/such/path' }), 401, 'no-token'],
    [nameless({ secret: TOKEN }, { path: '/no/such/path' }), 403, 'no-grant'],
    [post({ secret: TOKEN }, { headers: NAMELESS, type: 'text/plain' }), 401, 'no-token'],
    [nameless({ secret: TOKEN, pad: 'x'.repeat(16_384) }), 401, 'no-token'],
  ];
  for (const [request, status, code] of table) {
    const received = await talk(broker.port, request);
    assert.deepEqual([statusesOf(received), codeOf(received)], [[status], code], request.slice(0, 300));
  }
  assert.deepEqual(upstream.received, []);
});

test('a stranger’s body is waited for no longer than a head, and is not asked for', async (t) => {
  const broker = await serve(t, { limits: { headersTimeoutMs: 60, strangerBodyBytesMax: 100 } });
  const head = `POST ${RECOVER} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n`;
  const late = await talk(broker.port, `${head}Content-Length: 50\r\n\r\n{"secret":`);
  assert.deepEqual([statusesOf(late), codeOf(late)], [[401], 'no-token']);
  const endless = await talk(broker.port, `${head}Transfer-Encoding: chunked\r\n\r\n65\r\n${'x'.repeat(101)}\r\n`);
  assert.deepEqual([statusesOf(endless), codeOf(endless)], [[401], 'no-token']);
  const asking = await talk(broker.port, `${head}Expect: 100-continue\r\nContent-Length: 50\r\n\r\n`);
  assert.deepEqual([statusesOf(asking), codeOf(asking)], [[401], 'no-token']);
  // Who goes away is nobody to answer.
  const gone = openRaw(broker.port);
  gone.write(`${head}Content-Length: 50\r\n\r\n{`);
  gone.destroy();
  await eventually(async () => (await broker.connections()) === 0);
  assert.deepEqual(upstream.received, []);
  const counted = broker.entries().filter((entry) => entry['kind'] === 'refusals');
  assert.deepEqual(
    counted.flatMap((entry) => (entry['of'] as [string, string, number][]).map(([reason, , count]) => [reason, count])),
    [['no-token', 3]],
  );
});

test('a caller whom only the body names waits for the second credential, and is still known afterwards', async (t) => {
  const broker = await serve(t);
  broker.gate.hold('crd_2', 60_000);
  const answered = talk(broker.port, post({ secret: TOKEN, ...HANDLE }, { headers: NAMELESS }));
  await new Promise((resolve) => setTimeout(resolve, 80));
  assert.equal(upstream.received.join(''), '', 'it waits');
  broker.gate.release('crd_2');
  assert.deepEqual(statusesOf(await answered), [200]);
  assert.equal(upstream.received.length, 1);
});

test('a caller whom only the body names spends its rate limit once, though it waited', async (t) => {
  const broker = await serve(t, { grants: [{ actions: ['*'], rate: { requests: 1, perSeconds: 3600, burst: 1 } }] });
  broker.gate.hold('crd_1', 60_000);
  const answered = talk(broker.port, post({ secret: TOKEN }, { headers: NAMELESS }));
  await new Promise((resolve) => setTimeout(resolve, 80));
  broker.gate.release('crd_1');
  assert.deepEqual(statusesOf(await answered), [200]);
  assert.deepEqual(statusesOf(await talk(broker.port, post({ secret: TOKEN }, { headers: NAMELESS }))), [429]);
});
