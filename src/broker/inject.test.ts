// Where a key is written and what is emptied for it, for every kind of place; and where a caller's token is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../test/support/rows.ts';
import { newTokenText } from '../access/token.ts';
import { Secret } from '../model/secret.ts';
import type { Place } from '../providers/provider.ts';
import { compileInjection, findTokens, type Injection } from './inject.ts';

const KEY = 'canary-key-1';
const HEADER: Place = { in: 'header', name: 'X-Api-Key', scheme: null };

function compiled(places: readonly Place[], key = KEY): Injection {
  return compileInjection(places, { key: new Secret(key) });
}
function scrubbed(injection: Injection): string[] {
  return injection.scrub.map((form) => Buffer.from(form).toString());
}

test('a header: with its scheme or bare', () => {
  const bearer = compiled([{ in: 'header', name: 'authorization', scheme: 'Bearer' }]);
  assert.deepEqual(bearer.headerLines, ['authorization', `Bearer ${KEY}`]);
  assert.deepEqual([...bearer.headers], ['authorization']);
  const bare = compiled([HEADER]);
  assert.deepEqual(bare.headerLines, ['X-Api-Key', KEY]);
  assert.deepEqual([...bare.headers], ['authorization', 'x-api-key']);
  for (const one of [bearer, bare]) {
    assert.deepEqual([one.query, one.bodies.size, one.queries, one.bodyPointers], [null, 0, [], []]);
    assert.deepEqual(scrubbed(one), [KEY]);
  }
});

test('basic: the user that the kind names, and the encoded form is scrubbed too', () => {
  const injection = compiled([{ in: 'basic', user: 'api' }]);
  const encoded = Buffer.from(`api:${KEY}`).toString('base64');
  assert.deepEqual(injection.headerLines, ['authorization', `Basic ${encoded}`]);
  assert.deepEqual(scrubbed(injection), [KEY, encoded]);
});

test('basic: where the part is user and password, the password alone is scrubbed too, unless it is very short', () => {
  const encoded = (text: string) => Buffer.from(text).toString('base64');
  const whole = 'admin:canary:1';
  assert.deepEqual(scrubbed(compiled([{ in: 'basic', user: null }], whole)), [whole, 'canary:1', encoded(whole)]);
  const short = 'canary-user:12345';
  assert.deepEqual(scrubbed(compiled([{ in: 'basic', user: null }], short)), [short, encoded(short)]);
});

test('query: escaped for its place, and the escaped form is scrubbed too', () => {
  const injection = compiled([{ in: 'query', name: 'api key' }], 'canary/+=&');
  assert.equal(injection.query, 'api%20key=canary%2F%2B%3D%26');
  assert.deepEqual(injection.queries, ['api key']);
  assert(scrubbed(injection).includes('canary%2F%2B%3D%26'), 'a redirect may repeat the query as it was sent');
});

test('body: escaped for JSON', () => {
  const injection = compiled([{ in: 'body', pointer: '/secret' }], 'canary"\\');
  assert.deepEqual([...injection.bodies], [['/secret', '"canary\\"\\\\"']]);
  assert.deepEqual(injection.headerLines, []);
});

test('the first place is written, all are emptied', () => {
  const places: Place[] = [
    { in: 'body', pointer: '/secret' },
    HEADER,
    { in: 'query', name: 'api_key' },
    { in: 'basic', user: '' },
    { in: 'body', pointer: '/access_token' },
  ];
  const injection = compiled(places);
  assert.deepEqual([[...injection.bodies.keys()][0], injection.query, injection.headerLines], ['/secret', null, []]);
  assert.deepEqual([...injection.headers], ['authorization', 'x-api-key']);
  assert.deepEqual([injection.queries, injection.bodyPointers], [['api_key'], ['/secret', '/access_token']]);
  for (const name of ['authorization', 'x-api-key', 'cookie', 'connection', 'host', 'x-forwarded-for', 'range']) {
    assert(injection.dropped.has(name), name);
  }
  assert(!injection.dropped.has('content-type'));
});

test('each part is written into the first of its own places; a public part may come back', () => {
  const parts = { clientId: new Secret('client-canary'), secret: new Secret('secret-canary') };
  const places: Place[] = [
    { part: 'clientId', in: 'header', name: 'PLAID-CLIENT-ID', scheme: null },
    { part: 'secret', in: 'header', name: 'PLAID-SECRET', scheme: null },
    { part: 'clientId', in: 'body', pointer: '/client_id' },
    { part: 'secret', in: 'body', pointer: '/secret' },
  ];
  const injection = compileInjection(places, parts, ['clientId']);
  assert.deepEqual(injection.headerLines, ['PLAID-CLIENT-ID', 'client-canary', 'PLAID-SECRET', 'secret-canary']);
  assert.deepEqual([injection.bodies.size, injection.bodyPointers], [0, ['/client_id', '/secret']]);
  assert.deepEqual(scrubbed(injection), ['secret-canary']);
  assert.throws(() => compileInjection(places, { secret: new Secret('secret-canary') }), /lacks a part/);
  const basic = compileInjection([{ part: 'secret', in: 'basic', user: '{clientId}' }], parts, ['clientId']);
  assert.equal(basic.headerLines[1], `Basic ${Buffer.from('client-canary:secret-canary').toString('base64')}`);
  assert.deepEqual(scrubbed(basic), ['secret-canary', Buffer.from('client-canary:secret-canary').toString('base64')]);
  const whole = compileInjection([{ in: 'basic', user: null }], { key: new Secret('admin:canary') });
  assert.equal(whole.headerLines[1], `Basic ${Buffer.from('admin:canary').toString('base64')}`);
});

test('a secret that is the user of a basic credential must not come back either, in any of its forms', () => {
  const parts = { id: new Secret('id/canary'), secret: new Secret('secret-canary') };
  const place: Place = { part: 'secret', in: 'basic', user: '{id}' };
  const encoded = Buffer.from('id/canary:secret-canary').toString('base64');
  const forms = ['id/canary', 'id\\/canary', 'secret-canary', encoded];
  assert.deepEqual(scrubbed(compileInjection([place], parts)).sort(), forms.sort());
  assert.deepEqual(scrubbed(compileInjection([place], parts, ['id'])).sort(), ['secret-canary', encoded].sort());
  assert(!scrubbed(compileInjection([{ in: 'basic', user: 'api' }], { key: new Secret('canary') })).includes('api'));
});

test('every form in which JSON may answer the key is scrubbed', () => {
  const key = 'canary/a"b\\c/d';
  const forms = scrubbed(compiled([HEADER], key));
  const json = JSON.stringify(key).slice(1, -1);
  for (const form of [key, json, json.replaceAll('/', '\\/')]) assert(forms.includes(form), form);
  assert.equal(new Set(forms).size, forms.length);
});

// Tokens of the caller.

const TOKEN = newTokenText(seededRandom(1));
const OTHER = newTokenText(seededRandom(2));
const base64 = (text: string) => Buffer.from(text).toString('base64');

test('a token is found in the forms in which SDKs send keys', () => {
  const headers: [string, string][] = [
    ['Authorization', `Bearer ${TOKEN}`],
    ['authorization', `bearer ${TOKEN}`],
    ['Authorization', `Bearer secret-token:${TOKEN}`],
    ['Authorization', `token ${TOKEN}`],
    ['Authorization', TOKEN],
    ['Authorization', `Basic ${base64(`${TOKEN}:`)}`],
    ['Authorization', `Basic ${base64(`user:${TOKEN}`)}`],
    ['Authorization', `basic  ${base64(`user:secret-token:${TOKEN}`)}`],
    ['X-Api-Key', TOKEN],
    ['Plaid-Secret', `secret-token:${TOKEN}`],
    ['Sec-WebSocket-Protocol', `chat, ${TOKEN}`],
  ];
  for (const [name, value] of headers) {
    const found = findTokens(['Host', 'broker', name, value], '', '/');
    assert.deepEqual(
      found,
      [{ text: TOKEN, header: name.toLowerCase(), query: null }],
      `${name}: ${value.split(' ', 1)}`,
    );
  }
  for (const query of [
    `api_key=${TOKEN}`,
    `a=1&api_key=${TOKEN}&b=2`,
    `api_key=secret-token%3A${TOKEN}`,
    `api_key=secret-token%3a${TOKEN}`,
  ]) {
    assert.deepEqual(findTokens([], query, '/'), [{ text: TOKEN, header: null, query: 'api_key' }]);
  }
});

test('what only looks like a part of one is none', () => {
  const values = [
    'Bearer napi_canary',
    'Bearer clv',
    'my_clv_thing',
    'xclv_short',
    'Basic !!!!',
    `Basic ${base64('user:pass')}`,
    'CLV_abc',
  ];
  for (const value of values)
    assert.deepEqual(findTokens(['Authorization', value], `q=${encodeURIComponent(value)}`, '/a'), [], value);
});

test('a cut, lengthened or invented one is found as it stands, to be refused as malformed', () => {
  for (const text of ['clv_', TOKEN.slice(0, -1), `${TOKEN}a`, 'clv_abc'].filter((one) => one !== 'clv_')) {
    assert.deepEqual(findTokens(['Authorization', `Bearer ${text}`], '', '/')[0]?.text, text);
  }
});

test('every token counts, wherever it stands: twice the same, two in one header, one in a place where no key is', () => {
  const count = (headers: readonly string[], query = '', path = '/') => findTokens(headers, query, path).length;
  assert.equal(count(['Authorization', `Bearer ${TOKEN}`, 'X-Api-Key', TOKEN]), 2);
  assert.equal(count(['Authorization', `Bearer ${TOKEN}`, 'Authorization', `Bearer ${OTHER}`]), 2);
  assert.equal(count(['Authorization', `Bearer ${TOKEN}, Bearer ${OTHER}`]), 2);
  assert.equal(count(['Authorization', `Basic ${base64(`${TOKEN}:${OTHER}`)}`]), 2);
  assert.equal(count(['Authorization', `Bearer ${TOKEN}`], `k=${TOKEN}`), 2);
  assert.equal(count([], `k=${TOKEN}&k=${OTHER}`), 2);
  assert.equal(count([], `${TOKEN}=1`), 1);
  assert.equal(count([], TOKEN), 1);
  assert.equal(count(['Cookie', `session=${TOKEN}`]), 1);
  assert.equal(count([], '', `/neon/prod/projects/${TOKEN}`), 1);
  assert.equal(count(['Authorization', `Bearer ${TOKEN}`], '', `/x/${TOKEN}/y`), 2);
});

test('wherever in a header, a query or a path a whole token stands, it is found', () => {
  const around = fc.stringMatching(/^[!-~]{0,6}$/).filter((text) => !text.includes('%'));
  fc.assert(
    fc.property(around, fc.stringMatching(/^(?:[!-/:-@[-`{-~][!-~]{0,5})?$/), (before, after) => {
      const text = `${before}${TOKEN}${after}`;
      const isThere = (found: ReturnType<typeof findTokens>) => found.some((one) => one.text === TOKEN);
      assert(isThere(findTokens(['X-Any', text], '', '/')), `header ${before} … ${after}`);
      assert(isThere(findTokens([], text, '/')), `query ${before} … ${after}`);
      assert(isThere(findTokens([], '', `/${text}`)), `path ${before} … ${after}`);
    }),
    { numRuns: 500 },
  );
});
