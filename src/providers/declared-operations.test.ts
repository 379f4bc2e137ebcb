// What declarations may say beyond the plain cases of declared.test.ts: death at a status of success, preflights, requests whose id stands in the
// body, hints and ends in lists, accounts that nobody names, pages from zero; and what they may not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DeclaredKindInput, declarationWith, PROBE } from '../../test/support/declaration.ts';
import { answer } from '../../test/support/provider-answer.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import type { DeclarationInput } from './declaration.ts';
import { declarationOf, declared } from './declared.ts';
import type { Kind } from './provider.ts';

function kindWith(more: Partial<DeclaredKindInput>, of: Partial<DeclarationInput> = {}): Kind {
  return declared(declarationWith(more, of)).kinds[0]!;
}

function complaint(more: Partial<DeclaredKindInput>): string {
  try {
    kindWith(more);
    return '';
  } catch (error) {
    assert(Failure.is(error, 'invalid'));
    return error.message;
  }
}

test('death at a status of success is what its body says by name, and nothing else', () => {
  const dead = (when: object | undefined, status: number | number[] = 200) => ({
    probe: {
      ...PROBE,
      answers: [{ status, name: 'gone', ...(when && { when }), as: 'dead' as const }, ...PROBE.answers],
    },
  });
  const kind = kindWith(dead({ json: { '/error': 'invalid key' } }, [200, 401]));
  const read = (status: number, json: Json) => kind.probe.read(answer(status, json), { settings: {} });
  assert.partialDeepStrictEqual(read(200, { error: 'invalid key' }), {
    is: 'dead',
    evidence: { signature: 'example.200.gone' },
  });
  assert.equal(read(200, { error: 'invalid key', id: 1 }).is, 'dead', 'the first rule that fits speaks');
  assert.equal(read(200, { id: 1 }).is, 'alive');
  assert.equal(read(200, { error: 'too many' }).is, 'unknown');
  assert.equal(read(503, { error: 'invalid key' }).is, 'unknown');

  for (const named of [
    { contains: '<code>1015</code>' },
    { json: { '/code': 401 } },
    { json: { '/code': { oneOf: [1, 2] } } },
    { json: { '/message': { matches: '^Invalid.*$' } } },
  ])
    assert.equal(complaint(dead(named)), '', JSON.stringify(named));
  for (const vague of [
    undefined,
    { json: {} },
    { json: { '': { is: 'object' } } },
    { json: { '/error': { exists: true } } },
    { json: { '/status': { noneOf: ['ok'] } } },
    { json: { '/data': null } },
    { json: { '/ok': false } },
  ])
    assert.match(complaint(dead(vague)), /\/kinds\/0\/probe\/answers\/0: dead/, JSON.stringify(vague));
  for (const status of [100, 429, 500, 503])
    assert.match(complaint(dead({ json: { '/error': 'gone' } }, status)), /a status that proves nothing/);
});

test('a preflight goes without a key, and lets a probe count by what stands in its answer alone', () => {
  const request = { method: 'GET', path: '/ping?n={n}' } as const;
  const sound = { status: 401, name: 'refused', when: { json: { '/error': 'no key' } }, as: 'sound' } as const;
  const open = { status: 200, name: 'open', as: 'unsound' } as const;
  const settings = { n: { about: 'A number', default: '1' } };
  const kind = kindWith({ settings, preflight: { request, answers: [sound, open] } });
  assert.deepEqual(kind.preflight!.request({ settings: {} }), { method: 'GET', path: '/ping?n=1', secrets: [] });
  const read = (status: number, json: Json, headers = {}) =>
    kind.preflight!.read(answer(status, json, headers), { settings: {} });
  assert.equal(read(401, { error: 'no key' }).is, 'sound');
  assert.equal(read(200, {}).is, 'unsound');
  assert.equal(read(401, { error: 'proxy' }).is, 'unknown');
  assert.partialDeepStrictEqual(read(503, null, { 'retry-after': '3' }), { is: 'unknown', retryAfterMs: 3_000 });

  const { when: _, ...vague } = sound;
  assert.match(complaint({ preflight: { request, answers: [vague] } }), /sound by its status alone/);
  assert.match(complaint({ preflight: { request, answers: [open] } }), /no answer is sound/);
  const secrets = [{ of: 'acting' as const, in: 'header', name: 'X-Key', scheme: null }];
  assert.match(complaint({ preflight: { request: { ...request, secrets }, answers: [sound] } }), /no key goes along/);
});

test('a request’s id is a header’s, else one that stands in the body, where it looks like an id', () => {
  const kind = kindWith({}, { requestIdsInBody: ['/meta/id', '/request_id'] });
  const idOf = (json: Json, headers = {}) =>
    kind.probe.read(answer(200, json, headers), { settings: {} }).evidence.requestId;
  assert.equal(idOf({ request_id: 'r-1' }), 'r-1');
  assert.equal(idOf({ request_id: 'r-1', meta: { id: 'm-1' } }), 'm-1');
  assert.equal(idOf({ request_id: 'r-1' }, { 'X-Request-Id': 'h-1' }), 'h-1');
  assert.equal(idOf({ request_id: 'r-1', meta: { id: 'a b' } }, { 'x-request-id': '<b>' }), 'r-1');
  for (const none of [{ request_id: 7 }, { request_id: 'a\nb' }, { request_id: 'x'.repeat(61) }, null])
    assert.equal(idOf(none as Json), null);
});

test('a list tells keys apart by their last characters, says when they end, and may count its pages from zero', () => {
  const kind = kindWith({
    list: {
      request: { method: 'GET', path: '/keys', page: 'page={cursor}' },
      answers: [
        {
          status: 200,
          name: 'listed',
          as: 'listed',
          keys: '',
          id: '/id',
          keyName: '/name',
          hint: '/masked',
          expiresAt: { at: '/ends', in: 'unix' },
          next: { size: 2, first: 0 },
        },
      ],
    },
  });
  const list = kind.list!;
  assert.equal(list.request({ settings: {} }).path, '/keys?page=0');
  assert.equal(list.request({ settings: {}, cursor: '3' }).path, '/keys?page=3');
  const read = (keys: Json, cursor?: string) =>
    list.read(answer(200, keys), { settings: {}, ...(cursor === undefined ? {} : { cursor }) });
  const two = read([
    { id: 1, name: 'a', masked: 'sk-...a1b2', ends: 1_800_000_000 },
    { id: 2, name: 'b', masked: '****' },
  ]);
  assert(two.is === 'listed');
  assert.deepEqual(
    two.keys.map(({ hint, expiresAt }) => [hint, expiresAt]),
    [
      ['a1b2', 1_800_000_000_000],
      [null, null],
    ],
  );
  assert.equal(two.next, '1');
  assert.partialDeepStrictEqual(read([{ id: 3 }, { id: 4 }], '1'), { next: '2' });
  const last = read([{ id: 5, masked: 'sk-canary-whole-key' }], '2');
  assert(last.is === 'listed' && last.next === undefined);
  assert.equal(last.keys[0]!.hint, '-key', 'never more than four, whatever is shown');
  const hints = ['ab', '...', 'ends in "', 7].map((masked) => {
    const said = read([{ id: 1, masked }]);
    return said.is === 'listed' ? said.keys[0]!.hint : 'not listed';
  });
  assert.deepEqual(hints, [null, null, null, null]);
});

test('a page may be followed by the id of its last member, also where that one is passed over', () => {
  const list = kindWith({
    list: {
      request: { method: 'GET', path: '/keys?limit=2', page: 'after={cursor}' },
      answers: [
        {
          status: 200,
          name: 'listed',
          as: 'listed',
          keys: '/data',
          id: '/id',
          keyName: '/name',
          skip: { json: { '/gone': true } },
          next: { by: 'last-id', more: '/has_more' },
        },
      ],
    },
  }).list!;
  const read = (json: Json) => list.read(answer(200, json), { settings: {} });
  assert.partialDeepStrictEqual(read({ has_more: true, data: [{ id: 'a' }, { id: 'b', gone: true }] }), {
    is: 'listed',
    keys: [{ providerKeyId: 'a' }],
    next: 'b',
  });
  assert.equal(list.request({ settings: {}, cursor: 'b' }).path, '/keys?limit=2&after=b');
  const last = read({ has_more: false, data: [{ id: 'c' }] });
  assert(last.is === 'listed' && last.next === undefined);
  for (const lost of [[], [{ id: 'a' }, { gone: true }]])
    assert.equal(read({ has_more: true, data: lost as Json }).is, 'unknown', 'there is more, and nobody can say where');
});

test('an identity may leave open whose key it is; where it says that it tells, it must', () => {
  const identityWith = (account?: string) =>
    kindWith({
      identity: {
        request: { method: 'GET', path: '/me' },
        answers: [{ status: 200, name: 'me', as: 'known', ...(account && { account }), scopes: '/scopes' }],
      },
    }).identity!;
  const body = { id: 'u', scopes: ['read'] };
  assert.partialDeepStrictEqual(identityWith().read(answer(200, body), { settings: {} }), {
    is: 'known',
    account: null,
    scopes: ['read'],
  });
  assert.partialDeepStrictEqual(identityWith('/id').read(answer(200, body), { settings: {} }), { account: 'u' });
  assert.equal(identityWith('/owner').read(answer(200, body), { settings: {} }).is, 'unknown');
});

test('a default has the form of its setting', () => {
  const settings = (one: object) => ({ settings: { region: { about: 'Region', ...one } } });
  assert.equal(complaint(settings({ default: 'eu', format: '^[a-z]{2}$' })), '');
  assert.match(complaint(settings({ default: 'EU', format: '^[a-z]{2}$' })), /\/settings\/region\/default/);
  assert.match(complaint(settings({ default: 'eu', number: true })), /\/settings\/region\/default/);
});

test('a member is known by its declaration for as long as nothing is added to it', () => {
  const provider = declared(declarationWith({}));
  assert.equal(declarationOf(provider)?.kinds[0]?.name, 'key');
  assert.equal(declarationOf({ ...provider }), null);
});
