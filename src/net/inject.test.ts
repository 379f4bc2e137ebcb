// The key in each of its places, and every way in which a request could turn into more than one line, header or path.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import type { Acting, Parts, Place, ProviderRequest } from '../providers/provider.ts';
import { injectSecrets, placed } from './inject.ts';

const KEY = new Secret('canary/key+1=');
const GET: ProviderRequest = { method: 'GET', path: '/v1/keys' };
const BEARER: Place = { in: 'header', name: 'Authorization', scheme: 'Bearer' };

/** With the one part that most kinds have. */
function injectKey(request: ProviderRequest, key: Secret, places: readonly Place[]) {
  return injectSecrets(request, { parts: { key }, places });
}

function headersOf(request: ProviderRequest, ...places: Place[]): Record<string, string> {
  const { headers } = injectKey(request, KEY, places);
  return Object.fromEntries(headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1]!]] : [])));
}

function isInvalid(error: unknown): boolean {
  return Failure.is(error, 'invalid') && !error.message.includes('canary');
}

test('a header carries the key with its scheme or bare', () => {
  assert.equal(headersOf(GET, BEARER)['authorization'], 'Bearer canary/key+1=');
  assert.equal(headersOf(GET, { in: 'header', name: 'X-Key', scheme: null })['x-key'], 'canary/key+1=');
});

test('basic carries user and key in base64', () => {
  const header = headersOf(GET, { in: 'basic', user: 'admin' })['authorization']!;
  assert.equal(Buffer.from(header.slice('Basic '.length), 'base64').toString(), 'admin:canary/key+1=');
  assert.throws(() => injectKey(GET, KEY, [{ in: 'basic', user: 'a:b' }]), isInvalid);
});

test('the query carries the key percent-encoded, behind what is there', () => {
  const place: Place = { in: 'query', name: 'api key' };
  const pathOf = (path: string): string => injectKey({ method: 'GET', path }, KEY, [place]).path;
  assert.equal(pathOf('/x'), '/x?api%20key=canary%2Fkey%2B1%3D');
  assert.equal(pathOf('/x?a=1'), '/x?a=1&api%20key=canary%2Fkey%2B1%3D');
  assert.equal(pathOf('/x?'), '/x?api%20key=canary%2Fkey%2B1%3D');
  assert.throws(() => pathOf('/x?api+key=1'), isInvalid);
});

test('the body carries the key at its pointer and leaves the rest', () => {
  const request: ProviderRequest = { method: 'POST', path: '/x', json: { options: { a: [1] }, 'a/b': null } };
  const bodyAt = (pointer: string): unknown => JSON.parse(injectKey(request, KEY, [{ in: 'body', pointer }]).body!);
  assert.deepEqual(bodyAt('/secret'), { options: { a: [1] }, 'a/b': null, secret: 'canary/key+1=' });
  assert.deepEqual(bodyAt('/options/key'), { options: { a: [1], key: 'canary/key+1=' }, 'a/b': null });
  assert.deepEqual(bodyAt('/a~1b'), { options: { a: [1] }, 'a/b': 'canary/key+1=' });
  for (const pointer of [
    '',
    'secret',
    '/options',
    '/missing/key',
    '/options/a/0',
    '/a~1b/c',
    '/__proto__',
    '/options/__proto__/x',
  ]) {
    assert.throws(() => bodyAt(pointer), isInvalid, pointer);
  }
  assert.deepEqual(request.json, { options: { a: [1] }, 'a/b': null });
});

test('a body without JSON becomes an object that holds the key, and says so', () => {
  const wire = injectKey({ method: 'POST', path: '/x' }, KEY, [{ in: 'body', pointer: '/secret' }]);
  assert.equal(wire.body, '{"secret":"canary/key+1="}');
  assert.ok(wire.headers.includes('content-type'));
  assert.throws(() => injectKey(GET, KEY, [{ in: 'body', pointer: '/secret' }]), isInvalid);
  assert.throws(() => injectKey({ ...GET, json: {} }, KEY, [BEARER]), isInvalid);
});

test('only the first place is written, and none may be taken', () => {
  const places: Place[] = [BEARER, { in: 'query', name: 'key' }, { in: 'body', pointer: '/key' }];
  const wire = injectKey({ method: 'POST', path: '/x?a=1', json: { b: 1 } }, KEY, places);
  assert.deepEqual([wire.path, wire.body], ['/x?a=1', '{"b":1}']);
  const taken: ProviderRequest[] = [
    { method: 'POST', path: '/x', headers: { AUTHORIZATION: 'x' } },
    { method: 'POST', path: '/x?key=' },
    { method: 'POST', path: '/x', json: { key: 'x' } },
  ];
  for (const request of taken) assert.throws(() => injectKey(request, KEY, places), isInvalid);
  assert.throws(() => injectKey(GET, KEY, []), isInvalid);
});

test('headers that would end a line, start one, or speak for the transport are refused', () => {
  const values = ['a\r\nX: 1', 'a\nb', 'a\rb', 'a\u0000', 'é', ' a', 'a ', '\u2028', 'a'.repeat(9000)];
  for (const value of values)
    assert.throws(() => injectKey({ ...GET, headers: { 'x-a': value } }, KEY, [BEARER]), isInvalid);
  const names = [
    '',
    'x a',
    'x:a',
    'x\r\nb',
    'é',
    'Host',
    'content-length',
    'Transfer-Encoding',
    'Connection',
    'TE',
    'expect',
  ];
  for (const name of names)
    assert.throws(() => injectKey({ ...GET, headers: { [name]: '1' } }, KEY, [BEARER]), isInvalid, name);
  assert.throws(() => injectKey({ ...GET, headers: { 'X-A': '1', 'x-a': '2' } }, KEY, [BEARER]), isInvalid);
});

test('a path that needs normalising or encoding is refused', () => {
  const bare = ['', 'x', '//evil', 'https://evil/', '/a b', '/a\r\nX: 1', '/a#b', '/a\\b', '/é', '/%', '/%zz', '/a|b'];
  for (const path of [
    ...bare,
    '/a/../b',
    '/%2e%2e/b',
    '/./a',
    '/a//b',
    '/a%0d%0ab',
    '/a%5cb',
    `/${'a'.repeat(9000)}`,
  ]) {
    assert.throws(() => injectKey({ method: 'GET', path }, KEY, [BEARER]), isInvalid, path);
  }
  for (const path of ['/', '/a.b/..c', '/projects/a%2Fb', '/x?q=%0d%0a&a[]=1'])
    injectKey({ method: 'GET', path }, KEY, [BEARER]);
});

test('keys that are too short, too long or not printable ASCII are refused', () => {
  for (const text of [
    '',
    'short',
    'canary\r\nX: 1',
    'canary\n',
    'canaryé',
    '\ufeffcanary',
    'canary\u0000',
    'c'.repeat(8193),
  ]) {
    for (const place of [BEARER, { in: 'query', name: 'k' } as const, { in: 'basic', user: 'u' } as const]) {
      assert.throws(() => injectKey(GET, new Secret(text), [place]), isInvalid);
    }
  }
  assert.throws(() => injectKey(GET, new Secret('canary '), [BEARER]), isInvalid);
});

test('whatever is accepted stays one line for each header and one target', () => {
  const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 8 }));
  const request = fc.record({
    name: text,
    value: text,
    query: text,
    label: text,
    key: text.map((tail) => `canary${tail}`),
  });
  fc.assert(
    fc.property(request, ({ name, value, query, label, key }) => {
      try {
        const given = { method: 'POST', path: `/x?q=${query}`, headers: { [name]: value }, json: { label } } as const;
        const wire = injectKey(given, new Secret(key), [BEARER]);
        for (const part of [...wire.headers, wire.path]) assert.ok(/^[\t -~]*$/.test(part));
        assert.ok(!wire.path.includes(' '));
        assert.deepEqual(JSON.parse(wire.body!), { label });
      } catch (error) {
        assert.ok(Failure.is(error, 'invalid'), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('each part stands in the first of its own places, and a user may be a part', () => {
  const parts = {
    clientId: new Secret('client-canary'),
    secret: new Secret('secret-canary'),
    sid: new Secret('SK-canary'),
  };
  const places: Place[] = [
    { part: 'clientId', in: 'header', name: 'X-Client', scheme: null },
    { part: 'secret', in: 'header', name: 'X-Secret', scheme: null },
    { part: 'clientId', in: 'body', pointer: '/client_id' },
    { part: 'secret', in: 'body', pointer: '/secret' },
  ];
  const wire = injectSecrets({ method: 'POST', path: '/x', json: {} }, { parts, places });
  assert.equal(wire.body, '{}');
  const lines = wire.headers.join(' ');
  assert.ok(lines.includes('x-client client-canary') && lines.includes('x-secret secret-canary'));
  assert.throws(
    () => injectSecrets({ method: 'POST', path: '/x', json: { secret: 'x' } }, { parts, places }),
    isInvalid,
  );
  const basic = injectSecrets(GET, { parts, places: [{ part: 'secret', in: 'basic', user: '{sid}' }] });
  const token = basic.headers[basic.headers.indexOf('authorization') + 1]!.slice('Basic '.length);
  assert.equal(Buffer.from(token, 'base64').toString(), 'SK-canary:secret-canary');
  const whole = injectSecrets(GET, {
    parts: { key: new Secret('admin:canary') },
    places: [{ in: 'basic', user: null }],
  });
  assert.ok(whole.headers.includes(`Basic ${Buffer.from('admin:canary').toString('base64')}`));
});

test('a request may name its secrets: of the key that acts, and of the one that it is about', () => {
  const acting = { parts: { clientId: new Secret('client-canary'), secret: new Secret('secret-canary') }, places: [] };
  const target = { key: new Secret('access-canary') };
  const request: ProviderRequest = {
    method: 'POST',
    path: '/item/remove',
    json: {},
    secrets: [
      { of: 'acting', part: 'clientId', in: 'body', pointer: '/client_id' },
      { of: 'acting', part: 'secret', in: 'body', pointer: '/secret' },
      { of: 'target', in: 'body', pointer: '/access_token' },
    ],
  };
  const body = '{"client_id":"client-canary","secret":"secret-canary","access_token":"access-canary"}';
  assert.equal(injectSecrets(request, acting, target).body, body);
  assert.throws(() => injectSecrets(request, acting), isInvalid);
  const twice = {
    ...request,
    secrets: [request.secrets![0]!, { ...request.secrets![1]!, in: 'body', pointer: '/client_id' } as const],
  };
  assert.throws(() => injectSecrets(twice, acting, target), isInvalid);
  assert.throws(() => injectSecrets({ ...request, method: 'GET' }, acting, target), isInvalid);
});

test('a form is a body of its own, and never beside a JSON body', () => {
  const wire = injectSecrets(
    { method: 'POST', path: '/x', form: { 'a b': 'c&d' } },
    { parts: { key: KEY }, places: [BEARER] },
  );
  assert.equal(wire.body, 'a+b=c%26d');
  assert.ok(wire.headers.includes('application/x-www-form-urlencoded'));
  const both: ProviderRequest = { method: 'POST', path: '/x', form: { a: 'b' }, json: {} };
  assert.throws(() => injectSecrets(both, { parts: { key: KEY }, places: [BEARER] }), isInvalid);
});

test('a secret may stand in a form, behind the fields that are there', () => {
  const acting = { parts: { id: new Secret('canary-id'), secret: new Secret('canary&=1') }, places: [] };
  const request: ProviderRequest = {
    method: 'POST',
    path: '/oauth/revoke',
    form: { hint: 'a b', token: '' },
    secrets: [
      { of: 'acting', part: 'id', in: 'form', name: 'client_id' },
      { of: 'acting', part: 'secret', in: 'form', name: 'client_secret' },
      { of: 'target', in: 'form', name: 'token' },
    ],
  };
  const target = { key: new Secret('canary-token') };
  const wire = injectSecrets(request, acting, target);
  assert.equal(wire.body, 'hint=a+b&client_id=canary-id&client_secret=canary%26%3D1&token=canary-token');
  assert.ok(wire.headers.includes('application/x-www-form-urlencoded'));
  const { form: _, ...bare } = request;
  const alone = injectSecrets(bare, acting, target);
  assert.equal(alone.body, 'client_id=canary-id&client_secret=canary%26%3D1&token=canary-token');
  assert.ok(alone.headers.includes('application/x-www-form-urlencoded'));

  const wrong: readonly ProviderRequest[] = [
    { ...request, form: { token: 'x' } },
    { ...bare, json: {} },
    { ...bare, method: 'GET' },
    { ...bare, secrets: [...request.secrets!, { of: 'acting', part: 'id', in: 'form', name: 'token' }] },
    { ...bare, secrets: [...request.secrets!, { of: 'acting', part: 'id', in: 'body', pointer: '/id' }] },
  ];
  for (const one of wrong) assert.throws(() => injectSecrets(one, acting, target), isInvalid);
});

test('what is written knows whether it is a secret: a public part of the acting key is none, all of a target is', () => {
  const acting: Acting = {
    parts: { id: new Secret('canary-id'), secret: new Secret('canary-secret') },
    places: [],
    publicParts: ['id'],
  };
  const of = (user: string, parts?: Parts) =>
    placed(
      { ...GET, secrets: [{ of: parts ? 'target' : 'acting', in: 'basic', user, part: 'secret' }] },
      acting,
      parts,
    ).map(({ isSecret, isUserSecret }) => [isSecret, isUserSecret]);
  assert.deepEqual(of('{id}'), [[true, false]]);
  assert.deepEqual(of('admin'), [[true, false]]);
  assert.deepEqual(of('{id}', { ...acting.parts }), [[true, true]]);
  const [alone] = placed(
    { ...GET, secrets: [{ of: 'acting', part: 'id', in: 'query', name: 'i' }] },
    acting,
    undefined,
  );
  assert.equal(alone?.isSecret, false);
});
