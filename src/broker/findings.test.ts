// Defects that a review of the broker found, each kept from coming back: through the running broker, over raw sockets.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type OpenBroker, openBroker } from '../../tools/foreign/open-broker.ts';
import { isWhole, OK, openRaw, statusesOf, talk } from '../../tools/foreign/raw.ts';
import { Secret } from '../model/secret.ts';
import { answerHead } from './answer.ts';
import { compileInjection } from './inject.ts';
import { shareUpstream } from './test-support.io.ts';

const upstream = await shareUpstream((received) => (isWhole(received) ? OK : null));
const open: OpenBroker[] = [];

after(async () => {
  for (const broker of open) await broker.close();
});

async function brokerWith(places: Parameters<typeof compileInjection>[0] | null): Promise<OpenBroker> {
  const port = { upstreamPort: upstream.port };
  const broker = await openBroker(places === null ? port : { ...port, places });
  open.push(broker);
  return broker;
}

const END = 'Connection: close\r\n\r\n';

test('a request whose body is still being read holds its version', async () => {
  const broker = await brokerWith([{ in: 'body', pointer: '/key' }]);
  const caller = openRaw(broker.port);
  caller.write(
    'POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"key"',
  );
  await caller.heard('100 Continue');
  assert.equal(broker.live.openUses, 1, 'a rotation that drains would revoke the version under it');
  caller.destroy();
});

test('no token is ever written into the log', async () => {
  const broker = await brokerWith(null);
  await talk(broker.port, `GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: ${broker.token}\r\n${END}`);
  assert.ok(!broker.entries.join('').includes(broker.token));
});

test('one token in two places is one token', async () => {
  const broker = await brokerWith([
    { in: 'header', name: 'authorization', scheme: 'Bearer' },
    { in: 'header', name: 'apikey', scheme: null },
  ]);
  const twice = `Authorization: Bearer ${broker.token}\r\napikey: ${broker.token}\r\n`;
  assert.deepEqual(statusesOf(await talk(broker.port, `GET /a HTTP/1.1\r\nHost: a\r\n${twice}${END}`)), [200]);
});

test('a path may end with a slash', async () => {
  const broker = await brokerWith(null);
  assert.deepEqual(statusesOf(await talk(broker.port, `GET /flows/ HTTP/1.1\r\nHost: a\r\n${END}`)), [200]);
});

test('forwarding claims are dropped with underscores too', async () => {
  const broker = await brokerWith(null);
  await talk(broker.port, `GET /a HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 10.0.0.1\r\n${END}`);
  assert.doesNotMatch(upstream.received[0]!, /forwarded/i);
});

test('an answer without content has no length', async () => {
  const broker = await brokerWith(null);
  upstream.answer = (received) => (isWhole(received) ? 'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n' : null);
  assert.doesNotMatch(await talk(broker.port, `GET /a HTTP/1.1\r\nHost: a\r\n${END}`), /content-length/i);
});

test('the place of what was created leads back through the broker', () => {
  const injection = compileInjection([], { key: new Secret('canary') });
  const action = { name: 'a.create', method: 'POST', path: '/a', effect: 'write' } as const;
  const redirect = () => ({ is: 'same', path: '/a/1' }) as const;
  const raw = ['Location', 'https://api.example/a/1'];
  const head = answerHead(201, raw, {
    injection,
    action,
    mount: '/neon/prod',
    origin: 'https://api.example',
    redirect,
  });
  assert.deepEqual(head, { is: 'pass', headers: ['location', '/neon/prod/a/1'] });
});

test('a use whose grant was changed under it is decided again, and refused when that does not help', async () => {
  for (const [stales, expected] of [
    [1, 200],
    [2, 200],
    [3, 403],
  ] as const) {
    let left: number = stales;
    const recorded: string[] = [];
    const broker = await openBroker({
      upstreamPort: upstream.port,
      admit: (entry, _asOf, done) => {
        if (JSON.parse(entry).kind !== 'use') return;
        recorded.push(entry);
        done(left-- > 0 ? -1 : recorded.length);
      },
    });
    open.push(broker);
    const heard = await talk(
      broker.port,
      `GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${broker.token}\r\n${END}`,
    );
    assert.deepEqual(statusesOf(heard), [expected], `${stales} stale`);
    assert.equal(recorded.length, Math.min(stales + 1, 3));
  }
});
