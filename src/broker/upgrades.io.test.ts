// WebSockets on the broker's port as they are refused and admitted: before anybody is known, with the token in the handshake or in the first
// frame, and what the provider says to it. Real sockets on both sides. What happens to an open one: upgrade.io.test.ts.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { KEY, OTHER_TOKEN, TOKEN, UNKNOWN_TOKEN } from '../../test/support/plans.ts';
import {
  clientFrame,
  exchangeRaw,
  givenOf,
  HANDSHAKE,
  openSocket,
  startSocketUpstream,
  told,
} from '../../test/support/sockets.ts';
import { statusesOf, talk } from '../../tools/foreign/raw.ts';
import { refuseUpgrade, type TwinPeer } from '../../twins/websocket.io.ts';
import { codeOf, eventually, type Served, type Setting, serveBroker } from './test-support.io.ts';

const EVENTS = '/prefect-server/prod/api/events/out';
const PUBLISH = '/prefect-server/prod/api/events/in';
const STREAM = '/mastodon/prod/api/v1/streaming';
const PREFECT = 'Sec-WebSocket-Protocol: prefect\r\n';
const AUTH = JSON.stringify({ type: 'auth', token: `x:${TOKEN}` });
const ask = (path: string, lines = PREFECT) => `GET ${path} HTTP/1.1\r\n${HANDSHAKE}${lines}\r\n`;
const basic = (text: string) => `Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`;

async function servePrefect(
  t: TestContext,
  setting: Partial<Setting> = {},
  answer?: Parameters<typeof startSocketUpstream>[1],
) {
  const upstream = await startSocketUpstream(t, answer);
  const given = givenOf('prefect-server', upstream.port, setting);
  return { upstream, broker: await serveBroker(t, { ...setting, ...given, upstreamPort: upstream.port }) };
}

async function serveMastodon(
  t: TestContext,
  answer?: Parameters<typeof startSocketUpstream>[1],
  setting: Partial<Setting> = {},
) {
  const upstream = await startSocketUpstream(t, answer);
  const given = givenOf('mastodon', upstream.port, setting);
  return { upstream, broker: await serveBroker(t, { ...setting, ...given, upstreamPort: upstream.port }) };
}

/** Refusals on record: those of known callers by their reason, strangers by reason and number. */
function refusalsOf(broker: Served): string[] {
  return broker.entries().flatMap((entry) => {
    if (entry['kind'] === 'refused') return [`${entry['token'] as string} ${entry['reason'] as string}`];
    if (entry['kind'] !== 'refusals') return [];
    return (entry['of'] as [string, string, number][]).map(([reason, , count]) => `stranger ${reason} ${count}`);
  });
}

const usesOf = (broker: Served) => broker.entries().filter((entry) => entry['kind'] === 'use');

test('the first frame says who calls: the key takes the token’s place, and comes back to nobody', async (t) => {
  const { broker, upstream } = await servePrefect(t, {}, () => ({
    said(text: string, peer: TwinPeer) {
      upstream.said.push(text);
      peer.send(`{"type":"auth_success","of":${JSON.stringify(text)}}`);
    },
  }));
  const caller = openSocket(`ws://127.0.0.1:${broker.port}${EVENTS}?since=1`, ['prefect']);
  assert.equal(await caller.opened, true);
  assert.deepEqual([caller.socket.protocol, caller.socket.extensions], ['prefect', '']);
  assert.equal(upstream.asked.length, 0, 'nobody is asked before anybody is known');
  caller.socket.send(AUTH);
  await eventually(() => caller.heard.length === 1);
  assert.deepEqual(upstream.said, [JSON.stringify({ type: 'auth', token: KEY })]);
  assert(!caller.heard[0]!.includes(KEY) && caller.heard[0]!.includes('*'.repeat(KEY.length)), 'the key came back');
  const { headers, url } = upstream.asked[0]!;
  assert.equal(url, '/api/events/out?since=1');
  assert.equal(headers.authorization, `Basic ${Buffer.from(KEY).toString('base64')}`);
  assert.deepEqual([headers['sec-websocket-protocol'], headers['sec-websocket-extensions']], ['prefect', undefined]);
  assert.equal(broker.live.openUses, 1);
  caller.socket.close(1000, 'enough');
  await eventually(() => broker.live.openUses === 0);
  assert.deepEqual(upstream.ended, [1000]);
  assert.equal(await caller.closed, '1000 enough');
  const [use] = usesOf(broker);
  assert.deepEqual([use?.['action'], use?.['path'], use?.['version']], ['event.subscribe', '/api/events/out', 'ver_1']);
  const outcomes = broker.entries().filter((entry) => entry['kind'] === 'outcomes');
  const [[, status, up, down]] = outcomes[0]!['of'] as [number[]];
  assert.equal(status, 101);
  assert(up! > AUTH.length - TOKEN.length && down! > 60, `${up} up, ${down} down`);
});

test('frames behind the first one are not lost, wherever the packets end', async (t) => {
  const { broker, upstream } = await servePrefect(t);
  const hello = clientFrame('{"type":"worker.hello.v1"}');
  const close = clientFrame(Buffer.from([0x03, 0xe8]), 0x88);
  await exchangeRaw(broker.port, [Buffer.concat([Buffer.from(ask(EVENTS)), clientFrame(AUTH), hello, close])]);
  assert.deepEqual(upstream.said, [JSON.stringify({ type: 'auth', token: KEY }), '{"type":"worker.hello.v1"}']);
  assert.deepEqual(upstream.ended, [1000]);
});

test('a ping before the first frame is answered: the official client waits for that', async (t) => {
  const { broker } = await servePrefect(t);
  const received = await exchangeRaw(broker.port, [
    ask(EVENTS),
    clientFrame('are you there', 0x89),
    clientFrame('', 0x88),
  ]);
  const pong = Buffer.concat([Buffer.from([0x8a, 13]), Buffer.from('are you there')]);
  assert(received.includes(pong), received.toString('latin1'));
  assert.deepEqual(refusalsOf(broker), [], 'who leaves by itself was not refused');
});

test('what is no way to say who one is ends with its code, is counted, and reaches no provider', async (t) => {
  const { broker, upstream } = await servePrefect(t, { limits: { firstFrameTimeoutMs: 200 } });
  const table: [frames: (string | Buffer)[], code: string, record: string][] = [
    [[], '1008 first-frame-late', 'stranger first-frame-late 1'],
    [[clientFrame(AUTH).subarray(0, 9)], '1008 first-frame-late', 'stranger first-frame-late 2'],
    [[clientFrame('a'.repeat(8_200))], '1009 first-frame-too-large', 'stranger first-frame-too-large 1'],
    [[clientFrame(AUTH, 0x82)], '1003 first-frame-binary', 'stranger first-frame-binary 1'],
    [[clientFrame(AUTH, 0xc1)], '1002 malformed-frame', 'stranger malformed-frame 1'],
    [[Buffer.from([0x81, 0x01, 0x61])], '1002 malformed-frame', 'stranger malformed-frame 2'],
    [['GET / HTTP/1.1\r\n\r\n'], '1002 malformed-frame', 'stranger malformed-frame 3'],
    [[clientFrame('hello')], '1008 first-frame', 'stranger first-frame 1'],
    [[clientFrame('{"type":"auth","token":null}')], '1008 no-token', 'stranger no-token 1'],
    [[clientFrame(AUTH.replace(TOKEN, UNKNOWN_TOKEN))], '1008 unknown-token', 'stranger unknown-token 1'],
    [[clientFrame(AUTH.replace(TOKEN, 'clv_nonsense'))], '1008 malformed-token', 'stranger malformed-token 1'],
    [[clientFrame(JSON.stringify({ token: TOKEN, more: TOKEN }))], '1008 token-place', 'stranger token-place 1'],
  ];
  const records = new Map<string, string>();
  for (const [frames, code, record] of table) {
    assert.equal(told(await exchangeRaw(broker.port, [ask(EVENTS), ...frames])), `101 ${code}`);
    records.set(record.split(' ')[1]!, record);
  }
  assert.deepEqual(refusalsOf(broker).sort(), [...records.values()].sort());
  assert.deepEqual([upstream.asked.length, usesOf(broker).length, broker.live.openUses], [0, 0, 0]);
});

test('a known caller is refused by a Close, and its refusal is on record with what it asked for', async (t) => {
  const table: [setting: Partial<Setting>, path: string, reason: string, code: number][] = [
    [{ grants: [] }, EVENTS, 'no-grant', 1008],
    [{ grants: [{ actions: ['flow.*'] }] }, EVENTS, 'no-grant', 1008],
    [{ token: { expiresAt: 1 } }, EVENTS, 'token-expired', 1008],
    [{}, '/prefect-server/other/api/events/out', 'no-grant', 1008],
    [{ credential: { suspendedAt: 1 } }, EVENTS, 'credential-suspended', 1008],
    [{ isSealed: true }, EVENTS, 'sealed', 1013],
    [{ limits: { upgradesPerTokenMax: 0 } }, EVENTS, 'too-many-upgrades', 1013],
  ];
  for (const [setting, path, reason, code] of table) {
    const { broker, upstream } = await servePrefect(t, setting);
    assert.equal(told(await exchangeRaw(broker.port, [ask(path), clientFrame(AUTH)])), `101 ${code} ${reason}`);
    assert.deepEqual(refusalsOf(broker), [`tok_1 ${reason}`]);
    assert.equal(upstream.asked.length, 0);
  }
});

test('a stranger’s handshake is told the same whether or not there is such a credential, or such a provider', async (t) => {
  const { broker } = await servePrefect(t, { limits: { firstFrameTimeoutMs: 50 } });
  const answers = await Promise.all(
    [EVENTS, '/prefect-server/other/api/events/out', '/nobody/none/api/events/out', '/api/events/out'].map(
      async (path) => (await exchangeRaw(broker.port, [ask(path)])).toString('latin1'),
    ),
  );
  assert.equal(new Set(answers).size, 1, answers.join('\n'));
  const others = await Promise.all(
    [EVENTS, PUBLISH.replace('prefect-server', 'nobody'), '/prefect-server/prod/api/none', '/none'].map(
      async (path) => {
        const received = await talk(broker.port, ask(path, ''));
        return received.replace(/urn:claviger:request:[0-9a-f-]+|Date: [^\r]*/g, '');
      },
    ),
  );
  assert.equal(new Set(others).size, 1, others.join('\n'));
  assert.deepEqual([statusesOf(others[0]!), codeOf(others[0]!)], [[401], 'no-token']);
});

test('a token in the handshake and one in the first frame must be the same; both are taken out', async (t) => {
  const { broker, upstream } = await servePrefect(t);
  const other = told(
    await exchangeRaw(broker.port, [
      ask(PUBLISH, PREFECT + basic(`x:${TOKEN}`)),
      clientFrame(AUTH.replace(TOKEN, OTHER_TOKEN)),
    ]),
  );
  assert.equal(other, '101 1008 two-tokens');
  const none = await exchangeRaw(broker.port, [
    ask(PUBLISH, PREFECT + basic(`x:${TOKEN}`)),
    clientFrame('{"type":"auth","token":null}'),
  ]);
  assert.equal(told(none), '101 1008 no-token');
  assert.deepEqual(refusalsOf(broker), ['tok_1 two-tokens', 'tok_1 no-token']);
  assert.equal(upstream.asked.length, 0);
  const frames = [clientFrame(AUTH), clientFrame(Buffer.from([0x03, 0xe8]), 0x88)];
  await exchangeRaw(broker.port, [ask(PUBLISH, PREFECT + basic(`x:${TOKEN}`)), ...frames]);
  assert.equal(upstream.asked[0]!.headers.authorization, `Basic ${Buffer.from(KEY).toString('base64')}`);
  assert.deepEqual(upstream.said, [JSON.stringify({ type: 'auth', token: KEY })]);
});

test('a token in the handshake that may not come here is refused in HTTP, as every request is', async (t) => {
  const { broker } = await servePrefect(t);
  const table: [text: string, path: string, status: number, code: string][] = [
    [UNKNOWN_TOKEN, PUBLISH, 401, 'unknown-token'],
    [TOKEN, '/prefect-server/other/api/events/in', 403, 'no-grant'],
    [TOKEN, '/prefect-server/prod/api/version', 403, 'upgrade-refused'],
    [TOKEN, '/prefect-server/prod/api/none', 403, 'no-action'],
  ];
  for (const [text, path, status, code] of table) {
    const received = await talk(broker.port, ask(path, PREFECT + basic(`x:${text}`)));
    assert.deepEqual([statusesOf(received), codeOf(received)], [[status], code]);
    assert.match(received, /\r\nconnection: close\r\n/i);
  }
  const bare = await talk(broker.port, ask(PUBLISH, basic(`x:${TOKEN}`)));
  assert.deepEqual([statusesOf(bare), codeOf(bare)], [[400], 'handshake'], 'without the subprotocol');
  const { broker: poor } = await servePrefect(t, { grants: [] });
  const received = await talk(poor.port, ask(PUBLISH, PREFECT + basic(`x:${TOKEN}`)));
  assert.deepEqual([statusesOf(received), codeOf(received)], [[403], 'no-grant']);
});

test('a token that is bound to its credential finds the provider’s own path', async (t) => {
  const { broker, upstream } = await servePrefect(t, { token: { credentialId: 'crd_1' } });
  const frames = [clientFrame(AUTH), clientFrame(Buffer.from([0x03, 0xe8]), 0x88)];
  await exchangeRaw(broker.port, [ask('/api/logs/out'), ...frames]);
  await exchangeRaw(broker.port, [ask('/api/events/in', PREFECT + basic(`x:${TOKEN}`)), ...frames]);
  assert.deepEqual(
    upstream.asked.map((one) => one.url),
    ['/api/logs/out', '/api/events/in'],
  );
});

test('a handshake that is not in order is answered in HTTP, and what stands behind one is not read as a request', async (t) => {
  const { broker, upstream } = await serveMastodon(t);
  const bearer = `Authorization: Bearer ${TOKEN}\r\n`;
  const version = await talk(broker.port, ask(STREAM, bearer).replace('Version: 13', 'Version: 8'));
  assert.deepEqual([statusesOf(version), codeOf(version)], [[426], 'websocket-version']);
  assert.match(version, /\r\nsec-websocket-version: 13\r\n/i);
  const keyless = await talk(broker.port, ask(STREAM, bearer).replace(/Sec-WebSocket-Key: [^\r]*\r\n/, ''));
  assert.deepEqual([statusesOf(keyless), codeOf(keyless)], [[400], 'handshake']);
  const refused = await talk(
    broker.port,
    `${ask('/mastodon/prod/api/v1/instance', bearer)}${ask('/mastodon/prod/api/v1/apps', bearer)}`,
  );
  assert.deepEqual([statusesOf(refused), codeOf(refused)], [[403], 'upgrade-refused']);
  const get = `GET /mastodon/prod/api/v1/instance HTTP/1.1\r\nHost: a\r\n${bearer}\r\n`;
  const behind = await talk(broker.port, `${get}${ask(STREAM, bearer)}`);
  assert.deepEqual([statusesOf(behind), codeOf(behind)], [[200, 403], 'upgrade-refused'], 'behind an open request');
  assert.equal(upstream.asked.length, 0);
});

test('a connection that was asked other things before can become a WebSocket', async (t) => {
  const { broker, upstream } = await serveMastodon(t);
  const bearer = `Authorization: Bearer ${TOKEN}\r\n`;
  const socket = connect({ port: broker.port, host: '127.0.0.1' });
  let received = '';
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  socket.write(`GET /mastodon/prod/api/v1/instance HTTP/1.1\r\nHost: a\r\n${bearer}\r\n`);
  await eventually(() => received.endsWith('ok'));
  socket.write(ask(STREAM, bearer));
  await eventually(() => statusesOf(received).length === 2);
  assert.deepEqual(statusesOf(received), [200, 101]);
  assert.equal(upstream.asked.length, 1);
  socket.destroy();
  await eventually(() => broker.live.openUses === 0);
});

test('Mastodon: the token as a subprotocol, in the query or as a header; the provider gets the key, the caller its own word back', async (t) => {
  const { broker, upstream } = await serveMastodon(t);
  const url = `ws://127.0.0.1:${broker.port}${STREAM}`;
  const browser = openSocket(`${url}?stream=user`, [TOKEN]);
  assert.equal(await browser.opened, true);
  assert.equal(browser.socket.protocol, TOKEN);
  const query = openSocket(`${url}/?access_token=${TOKEN}&stream=public`);
  assert.equal(await query.opened, true);
  assert.equal(query.socket.protocol, '');
  const asked = upstream.asked.map(({ url, headers }) => [
    url,
    headers['sec-websocket-protocol'],
    headers.authorization,
  ]);
  assert.deepEqual(asked, [
    ['/api/v1/streaming?stream=user', KEY, `Bearer ${KEY}`],
    ['/api/v1/streaming/?stream=public', undefined, `Bearer ${KEY}`],
  ]);
  assert(!JSON.stringify(upstream.asked.map((one) => one.rawHeaders)).includes('clv_'));
  upstream.peers[0]!.send(`key ${KEY}`);
  await eventually(() => browser.heard.length === 1);
  assert.equal(browser.heard[0], `key ${'*'.repeat(KEY.length)}`);
  for (const caller of [browser, query]) caller.socket.close();
  await eventually(() => broker.live.openUses === 0);
});

test('nothing is asked of the provider before the record is durable, though the action only reads', async (t) => {
  const waiting: (() => void)[] = [];
  const { broker, upstream } = await serveMastodon(t, undefined, {
    admit: (entry, _asOf, done) => {
      if (entry.includes('"kind":"use"')) waiting.push(() => done(0));
      else done(0);
    },
  });
  const caller = openSocket(`ws://127.0.0.1:${broker.port}${STREAM}`, [TOKEN]);
  await eventually(() => waiting.length === 1);
  assert.deepEqual([upstream.asked.length, broker.live.openUses], [0, 1]);
  waiting[0]!();
  assert.equal(await caller.opened, true);
  assert.equal(upstream.asked.length, 1);
  caller.socket.close();
  await eventually(() => broker.live.openUses === 0);
});

test('what cannot be recorded is not opened', async (t) => {
  const admit = (entry: string, _asOf: number, done: (index: number) => void) =>
    done(entry.includes('"kind":"use"') ? -2 : 0);
  const { broker, upstream } = await serveMastodon(t, undefined, { admit });
  const received = await talk(broker.port, ask(STREAM, `Authorization: Bearer ${TOKEN}\r\n`));
  assert.deepEqual([statusesOf(received), codeOf(received)], [[503], 'record-unwritable']);
  const prefect = await servePrefect(t, { admit });
  assert.equal(
    told(await exchangeRaw(prefect.broker.port, [ask(EVENTS), clientFrame(AUTH)])),
    '101 1013 record-unwritable',
  );
  assert.deepEqual([upstream.asked.length, prefect.upstream.asked.length, broker.live.openUses], [0, 0, 0]);
});

test('an answer that is no upgrade passes, without the key; behind a 101 it is a Close', async (t) => {
  const body = JSON.stringify({ error: `no such token: ${KEY}` });
  const refusing =
    (status: number, text = body, lines = '') =>
    (_: unknown, socket: Parameters<typeof refuseUpgrade>[0]) => {
      refuseUpgrade(socket, status, text, lines);
      return null;
    };
  const bearer = `Authorization: Bearer ${TOKEN}\r\n`;
  const { broker } = await serveMastodon(t, refusing(401, body, `X-Key: ${KEY}\r\nSet-Cookie: a=b\r\n`));
  const received = await talk(broker.port, ask(STREAM, bearer));
  assert.deepEqual(statusesOf(received), [401]);
  assert(received.includes('no such token: ***') && !received.includes(KEY) && !/set-cookie/i.test(received), received);
  await eventually(() => broker.live.openUses === 0);
  const [outcome] = broker.entries().filter((entry) => entry['kind'] === 'outcomes');
  assert.equal((outcome!['of'] as number[][])[0]![1], 401);
  const { broker: huge } = await serveMastodon(t, refusing(500, 'x'.repeat(70_000)));
  assert.equal(codeOf(await talk(huge.port, ask(STREAM, bearer))), 'upstream-invalid');
  const { broker: moved } = await serveMastodon(t, refusing(307, '', 'Location: /api/v1/streaming/other\r\n'));
  assert.equal(codeOf(await talk(moved.port, ask(STREAM, bearer))), 'upstream-redirect');
  const prefect = await servePrefect(t, {}, refusing(403));
  assert.equal(told(await exchangeRaw(prefect.broker.port, [ask(EVENTS), clientFrame(AUTH)])), '101 1014 upstream-403');
});

test('an upgrade that is no answer to the broker’s own handshake is none', async (t) => {
  const bearer = `Authorization: Bearer ${TOKEN}\r\n`;
  for (const served of [
    { lines: 'Sec-WebSocket-Extensions: permessage-deflate\r\n' },
    { lines: 'Sec-WebSocket-Accept: another=\r\n' },
    { protocol: 'not-offered' },
  ]) {
    const { broker, upstream } = await serveMastodon(t, () => served);
    const received = await talk(broker.port, ask(STREAM, bearer));
    assert.deepEqual([statusesOf(received), codeOf(received)], [[502], 'upstream-invalid'], JSON.stringify(served));
    await eventually(() => upstream.ended.length === 1 && broker.live.openUses === 0);
  }
});

test('a provider that is not there, or goes away at once, is told apart from one that refuses', async (t) => {
  const given = givenOf('prefect-server', 1);
  const broker = await serveBroker(t, { ...given, upstreamPort: 1 });
  assert.equal(told(await exchangeRaw(broker.port, [ask(EVENTS), clientFrame(AUTH)])), '101 1014 upstream-unreachable');
  const cutting = await serveMastodon(t, (_request, socket) => {
    socket.destroy();
    return null;
  });
  const received = await talk(cutting.broker.port, ask(STREAM, `Authorization: Bearer ${TOKEN}\r\n`));
  assert.deepEqual([statusesOf(received), codeOf(received)], [[502], 'upstream-ambiguous']);
  for (const one of [broker, cutting.broker]) {
    const [outcome] = one.entries().filter((entry) => entry['kind'] === 'outcomes');
    assert.equal((outcome!['of'] as number[][])[0]![1], 0);
  }
});
