// The handshake on both sides: what is in order, what goes to the provider, which of its answers is one.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Action } from '../providers/provider.ts';
import {
  acceptFor,
  handshakeLines,
  handshakeProblem,
  offeredProtocols,
  readAnswer,
  readHandshake,
  switching,
} from './handshake.ts';
import type { Head } from './head.ts';
import type { Injection } from './inject.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const hash = (text: string) => createHash('sha1').update(text).digest('base64');

const LINES = [
  'Host',
  'a',
  'Connection',
  'keep-alive, Upgrade',
  'Upgrade',
  'WebSocket',
  'Sec-WebSocket-Version',
  '13',
  'Sec-WebSocket-Key',
  KEY,
];

function asked(more: readonly string[] = [], change: Partial<Head> = {}, without = ''): Head {
  const kept = LINES.flatMap((one, i) => (i % 2 === 0 && one !== without ? [one, LINES[i + 1]!] : []));
  return { method: 'GET', target: '/', rawHeaders: [...kept, ...more], httpVersion: '1.1', remote: '::1', ...change };
}

test('a handshake in order is read, its subprotocols in the order in which they are offered', () => {
  assert.deepEqual(readHandshake(asked()), { is: 'handshake', handshake: { key: KEY, protocols: [] } });
  const offers = ['Sec-WebSocket-Protocol', 'prefect, other', 'sec-websocket-protocol', 'third'];
  const read = readHandshake(asked(offers, {}));
  assert(read.is === 'handshake');
  assert.deepEqual(read.handshake.protocols, ['prefect', 'other', 'third']);
  assert.equal(
    readHandshake(asked(['Content-Length', '0', 'Sec-WebSocket-Extensions', 'permessage-deflate'])).is,
    'handshake',
  );
});

test('whatever is not in order is no handshake', () => {
  const version = readHandshake(asked(['Sec-WebSocket-Version', '8'], {}, 'Sec-WebSocket-Version'));
  assert.equal(version.is, 'version');
  const table: [why: string, head: Head][] = [
    ['another method', asked([], { method: 'POST' })],
    ['HTTP/1.0', asked([], { httpVersion: '1.0' })],
    ['content', asked(['Content-Length', '2'])],
    ['chunks', asked(['Transfer-Encoding', 'chunked'])],
    ['an expectation', asked(['Expect', '100-continue'])],
    ['no Upgrade', asked([], {}, 'Upgrade')],
    ['another protocol', asked(['Upgrade', 'h2c'], {}, 'Upgrade')],
    ['two protocols', asked(['Upgrade', 'h2c'])],
    ['no Connection', asked([], {}, 'Connection')],
    ['no version', asked([], {}, 'Sec-WebSocket-Version')],
    ['two versions', asked(['Sec-WebSocket-Version', '13'])],
    ['no key', asked([], {}, 'Sec-WebSocket-Key')],
    ['two keys', asked(['Sec-WebSocket-Key', KEY])],
    ['a key of another length', asked(['Sec-WebSocket-Key', 'c2hvcnQ='], {}, 'Sec-WebSocket-Key')],
    ['a key of 17 bytes', asked(['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZR=='], {}, 'Sec-WebSocket-Key')],
    ['a subprotocol twice', asked(['Sec-WebSocket-Protocol', 'a, a'])],
    ['an empty subprotocol', asked(['Sec-WebSocket-Protocol', ''])],
    ['a list with a hole', asked(['Sec-WebSocket-Protocol', 'a,,b'])],
    ['a subprotocol with a space', asked(['Sec-WebSocket-Protocol', 'a b'])],
    ['too many', asked(['Sec-WebSocket-Protocol', Array.from({ length: 17 }, (_, i) => `p${i}`).join()])],
  ];
  for (const [why, head] of table) assert.equal(readHandshake(head).is, 'malformed', why);
});

test('why it is answered in HTTP: no WebSocket there, not in order, another version, or out of its turn', () => {
  const action: Action = { name: 'a.b', method: 'GET', path: '/', effect: 'read' };
  const upgradable: Action = { ...action, upgrade: 'websocket' };
  const said = (one: Action, head: Head) => Object.values(handshakeProblem(one, head)).join(' ');
  assert.equal(said(action, asked()), '403 upgrade-refused');
  assert.equal(said(upgradable, asked([], { method: 'POST' })), '400 handshake');
  assert.equal(
    said(upgradable, asked(['Sec-WebSocket-Version', '8'], {}, 'Sec-WebSocket-Version')),
    '426 websocket-version',
  );
  assert.equal(said(upgradable, asked()), '403 upgrade-refused');
});

test('the key takes the token’s place among the subprotocols where the kind has it there, and nowhere else', () => {
  const token = 'clv_token';
  const mine: Pick<Injection, 'headers' | 'bare'> = {
    headers: new Set(['authorization', 'sec-websocket-protocol']),
    bare: 'canary-key',
  };
  const offered = (protocols: string[], given: Partial<typeof mine> = {}, found: string | null = token) =>
    offeredProtocols(protocols, found, { ...mine, ...given });
  assert.deepEqual(offered(['chat', token]), ['chat', 'canary-key']);
  assert.deepEqual(offered(['chat']), ['chat']);
  assert.deepEqual(offered(['chat', token], {}, null), ['chat', token]);
  assert.deepEqual(offered([]), []);
  assert.equal(offered([`key.${token}`]), null, 'a part of a name');
  assert.equal(offered([token], { headers: new Set(['authorization']) }), null, 'no place of this kind');
  assert.equal(offered([token], { bare: null }), null, 'a key of several parts');
  assert.equal(offered([token], { bare: 'admin:canary' }), null, 'a key that cannot be a name');
});

test('our own handshake: nothing of the client’s, one key, one version, no extension', () => {
  const client = [
    ...LINES.slice(2),
    'Sec-WebSocket-Extensions',
    'permessage-deflate',
    'sec-websocket-protocol',
    'x',
    'content-length',
    '0',
  ];
  const headers = [
    'x-one',
    '1',
    ...client.map((one, i) => (i % 2 === 0 ? one.toLowerCase() : one)),
    'authorization',
    'Bearer canary',
  ];
  const lines = handshakeLines(
    headers.filter((_, i, all) => !['connection', 'upgrade'].includes(all[i - (i % 2)]!)),
    'ours==',
    ['prefect', 'b'],
  );
  assert.deepEqual(lines, [
    'x-one',
    '1',
    'authorization',
    'Bearer canary',
    'sec-websocket-version',
    '13',
    'sec-websocket-key',
    'ours==',
    'sec-websocket-protocol',
    'prefect, b',
  ]);
  assert.equal(handshakeLines([], 'ours==', []).includes('sec-websocket-protocol'), false);
});

test('the provider’s answer is one to our handshake, or none', () => {
  const accept = acceptFor(KEY, hash);
  assert.equal(accept, 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=', 'the example of the RFC');
  const lines = ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Accept', accept];
  const read = (more: string[], offered: string[] = ['prefect', 'b'], from = lines) => {
    const answer = readAnswer([...from, ...more], { accept, offered });
    return answer.is === 'open' ? answer.protocol : answer.is;
  };
  assert.equal(read([]), null);
  assert.equal(read(['Sec-WebSocket-Protocol', 'b']), 'b');
  assert.equal(read(['Sec-WebSocket-Protocol', 'c']), 'invalid');
  assert.equal(read(['Sec-WebSocket-Protocol', 'b'], []), 'invalid');
  assert.equal(read(['Sec-WebSocket-Protocol', 'b', 'Sec-WebSocket-Protocol', 'prefect']), 'invalid');
  assert.equal(read(['Sec-WebSocket-Extensions', 'permessage-deflate']), 'invalid');
  assert.equal(read([], [], lines.slice(2)), 'invalid');
  assert.equal(read([], [], lines.slice(0, 4)), 'invalid');
  assert.equal(readAnswer(lines, { accept: acceptFor('another', hash), offered: [] }).is, 'invalid');
});

test('our 101 names the subprotocol or none, and no extension', () => {
  const plain = switching('x=', null);
  assert.match(
    plain,
    /^HTTP\/1\.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: x=\r\n\r\n$/,
  );
  assert.match(switching('x=', 'prefect'), /\r\nsec-websocket-protocol: prefect\r\n\r\n$/);
});
