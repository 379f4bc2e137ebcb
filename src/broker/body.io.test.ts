// Callers that ask before they send (Expect: 100-continue): a decision comes first, and content is asked for only where it is wanted. Real
// broker, real sockets.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openRaw, statusesOf, talk } from '../../tools/foreign/raw.ts';
import {
  AUTHORIZED,
  CLOSE,
  codeOf,
  GET,
  PROJECT,
  RECOVER,
  type Setting,
  serveBroker,
  shareUpstream,
  WEBSOCKET,
} from './test-support.io.ts';

const upstream = await shareUpstream();

const serve = (t: TestContext, setting: Partial<Setting> = {}) =>
  serveBroker(t, { upstreamPort: upstream.port, ...setting });

const EXPECT = 'Expect: 100-continue\r\n';

for (const [kind, framing, content] of [
  ['content that is streamed', 'Content-Length: 5', 'hello'],
  ['chunks', 'Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\n\r\n'],
  ['a form', 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5', 'a=b&c'],
] as const) {
  test(`${kind}: asked for once the request is admitted, and sent on`, async (t) => {
    const broker = await serve(t);
    const caller = openRaw(broker.port);
    caller.write(`POST ${RECOVER} HTTP/1.1\r\n${AUTHORIZED}${CLOSE}${EXPECT}${framing}\r\n\r\n`);
    await caller.heard('100 Continue');
    assert(broker.live.openUses > 0, 'nothing is asked for that is not held');
    caller.write(content);
    assert.deepEqual(statusesOf(await caller.closed), [100, 200]);
    assert.doesNotMatch(upstream.received[0]!, /expect/i);
  });
}

test('a refusal stands in the place of 100 Continue, and ends the connection: content may follow', async (t) => {
  const broker = await serve(t, { limits: { editedBodyBytesMax: 100 } });
  const post = (line: string, headers = AUTHORIZED) =>
    `POST ${line} HTTP/1.1\r\n${headers}${EXPECT}Content-Length: 101\r\n`;
  const table: readonly [string, string, number][] = [
    [post(RECOVER, 'Host: a\r\n'), 'no-token', 401],
    [post(`${PROJECT}/%2e%2e`), 'encoded-dot', 400],
    [post('/neon/prod/api/v9'), 'no-action', 403],
    [post('/none/none/x'), 'no-grant', 403],
    [post(RECOVER, 'Host: #\r\n'), 'host', 400],
    [post(RECOVER) + WEBSOCKET, 'upgrade-refused', 403],
    [`${post(RECOVER)}Content-Type: application/x-www-form-urlencoded\r\n`, 'body-too-large', 413],
    [`${post(RECOVER)}X-Method-Override: DELETE\r\n`, 'method-override', 400],
  ];
  for (const [head, code, status] of table) {
    const received = await talk(broker.port, `${head}\r\n`);
    assert.deepEqual([statusesOf(received), codeOf(received)], [[status], code]);
    assert.match(received, /\r\nconnection: close\r\n/i);
  }
  assert.deepEqual(upstream.received, []);
});

test('a body that could not be edited is not asked for', async (t) => {
  const places = [
    { in: 'header', name: 'authorization', scheme: 'Bearer' },
    { in: 'body', pointer: '/key' },
  ] as const;
  const broker = await serve(t, { credential: { places } });
  for (const [type, code] of [
    ['text/plain', 'body-type'],
    ['application/json\r\nContent-Encoding: gzip', 'body-encoding'],
  ]) {
    const head = `POST ${RECOVER} HTTP/1.1\r\n${AUTHORIZED}${EXPECT}Content-Type: ${type}\r\nContent-Length: 5\r\n\r\n`;
    const received = await talk(broker.port, head);
    assert.deepEqual([statusesOf(received), codeOf(received)], [[415], code]);
  }
});

test('what waits for its turn is asked for in its turn', async (t) => {
  const broker = await serve(t);
  const caller = openRaw(broker.port);
  caller.write(`${GET}\r\nPOST ${RECOVER} HTTP/1.1\r\n${AUTHORIZED}${CLOSE}${EXPECT}Content-Length: 2\r\n\r\n`);
  await caller.heard('100 Continue');
  caller.write('hi');
  assert.deepEqual(statusesOf(await caller.closed), [200, 100, 200]);
});

test('HTTP/1.0 knows no 100 Continue', async (t) => {
  const broker = await serve(t);
  const received = await talk(
    broker.port,
    `POST ${RECOVER} HTTP/1.0\r\n${AUTHORIZED}${EXPECT}Content-Length: 2\r\n\r\nhi`,
  );
  assert.deepEqual(statusesOf(received), [200]);
});
