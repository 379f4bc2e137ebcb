// Providers by declaration: what is sent, what each answer means, and what a declaration may not say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { revealSecretText } from '../model/secret.ts';
import type { DeclarationInput } from './declaration.ts';
import { declared, parseDeclaration } from './declared.ts';
import type { ProviderAnswer } from './provider.ts';

const EXAMPLE: DeclarationInput = {
  name: 'example',
  title: 'Example',
  origin: 'https://api.example.com',
  console: 'https://example.com/keys',
  kinds: [
    {
      name: 'project-key',
      title: 'Project key',
      parts: { key: { format: '^ex_[a-z0-9]{8,}$' } },
      places: [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }],
      rotation: 'overlap',
      settings: {
        projectId: { about: 'Id of the project', format: '^[a-z0-9-]+$' },
        region: { required: false, about: 'Region' },
      },
      issuers: ['admin-key'],
      scopes: { of: 'key', all: ['read', 'write', '*'], everything: ['*'] },
      issue: {
        request: {
          method: 'POST',
          path: '/v1/projects/{projectId}/keys',
          json: { name: '{label}', scopes: '{scopes}', expires_at: '{expiresAt}', region: '{region}' },
        },
        answers: [
          {
            status: 201,
            name: 'made',
            as: 'issued',
            parts: { key: '/data/key' },
            id: '/data/id',
            scopes: '/data/scopes',
          },
          { status: 403, name: 'limit', when: { json: { '/code': 'key_limit' } }, as: 'refused', quotaFull: true },
        ],
      },
      list: {
        request: { method: 'GET', path: '/v1/projects/{projectId}/keys', page: 'after={cursor}' },
        answers: [
          {
            status: 200,
            name: 'listed',
            as: 'listed',
            keys: '/data',
            id: '/id',
            keyName: '/name',
            createdAt: { at: '/created', in: 'unix' },
            lastUsedAt: { at: '/last_used', in: 'rfc3339' },
            scope: '/scopes',
            skip: { json: { '/revoked': true } },
            next: { cursor: '/next', more: '/has_more' },
          },
        ],
      },
      revoke: {
        request: { method: 'DELETE', path: '/v1/projects/{projectId}/keys/{providerKeyId}' },
        answers: [
          { status: [200, 204], name: 'gone', as: 'accepted' },
          { status: 404, name: 'absent', when: { json: { '/code': 'no_such_key' } }, as: 'absent' },
        ],
      },
      probe: {
        request: { method: 'GET', path: '/v1/me' },
        answers: [
          { status: 200, name: 'me', when: { json: { '/id': { exists: true } } }, as: 'alive' },
          { status: 403, name: 'forbidden', as: 'alive' },
          { status: 401, name: 'invalid-key', when: { json: { '/error/code': 'invalid_key' } }, as: 'dead' },
        ],
      },
    },
    {
      name: 'admin-key',
      title: 'Admin key',
      places: [{ in: 'header', name: 'X-Key' }],
      rotation: 'assisted',
      byHand: { url: 'https://example.com/keys', issue: ['Make a key.'], revoke: ['Delete the old one.'] },
      probe: {
        request: { method: 'GET', path: '/v1/me' },
        answers: [{ status: 200, name: 'me', as: 'alive' }],
      },
    },
  ],
};
const example = declared(EXAMPLE);
const kind = example.kinds[0]!;
const settings = { projectId: 'p-1' };

function answer(status: number, json: Json = null, headers: Record<string, string> = {}): ProviderAnswer {
  return { status, headers, json, text: json === null ? '' : JSON.stringify(json) };
}

test('a request is the template with its values, and what has no value is left out', () => {
  const request = kind.issue!.request({ settings, label: 'clv-1', scopes: ['read'] });
  assert.deepEqual(request, {
    method: 'POST',
    path: '/v1/projects/p-1/keys',
    json: { name: 'clv-1', scopes: ['read'] },
  });
  const whole = kind.issue!.request({
    settings: { ...settings, region: 'eu' },
    label: 'l',
    scopes: ['read', 'write'],
    expiresAt: 1_800_000_000_000,
  });
  for (const without of [{}, { scopes: [] }]) {
    assert.throws(
      () => kind.issue!.request({ settings, label: 'l', ...without }),
      (error) => Failure.is(error, 'invalid'),
    );
  }
  assert.deepEqual(whole.json, {
    name: 'l',
    scopes: ['read', 'write'],
    expires_at: '2027-01-15T08:00:00Z',
    region: 'eu',
  });
  assert.equal(kind.revoke!.request({ settings, providerKeyId: 'a/b?c' }).path, '/v1/projects/p-1/keys/a%2Fb%3Fc');
  assert.equal(kind.list!.request({ settings, cursor: 'x=y' }).path, '/v1/projects/p-1/keys?after=x%3Dy');
});

test('a setting that is missing or out of its form is refused before anything is sent', () => {
  for (const bad of [{}, { projectId: '../x' }, { projectId: '' }]) {
    assert.throws(
      () => kind.probe.request({ settings: bad as typeof settings }),
      (error) => Failure.is(error, 'invalid'),
    );
  }
});

test('issuing: made, refused for good or for now, or nobody can say', () => {
  const read = (one: ProviderAnswer) => kind.issue!.read(one, { settings, label: 'l' });
  const made = read(answer(201, { data: { key: 'ex_canary12', id: 7, scopes: ['read'] } }));
  assert(made.is === 'issued');
  assert.deepEqual(
    [made.providerKeyId, made.scopes, revealSecretText(made.parts['key']!)],
    ['7', ['read'], 'ex_canary12'],
  );
  const brokenBodies: Json[] = [
    null,
    {},
    { data: { id: 7 } },
    { data: { key: 'ex_canary12' } },
    { data: { key: 'a b', id: 1 } },
  ];
  for (const body of brokenBodies) assert.equal(read(answer(201, body)).is, 'ambiguous');
  assert.partialDeepStrictEqual(read(answer(403, { code: 'key_limit' })), { is: 'refused', quotaFull: true });
  assert.partialDeepStrictEqual(read(answer(403, { code: 'x' })), { is: 'refused', final: false, quotaFull: false });
  assert.partialDeepStrictEqual(read(answer(422, {})), { is: 'refused', final: true });
  assert.partialDeepStrictEqual(read(answer(429)), { is: 'refused', final: false });
  for (const status of [500, 502, 503, 504, 200, 302]) assert.equal(read(answer(status, {})).is, 'ambiguous');
  assert.equal(read(answer(400)).is, 'ambiguous', 'a page of somebody in between is not the provider’s word');
});

test('a list: its members, what is skipped, its next page, and no list where one member has no id', () => {
  const read = (one: ProviderAnswer) => kind.list!.read(one, { settings });
  const member = { id: 'k1', name: 'a', created: 1_700_000_000, last_used: '2026-01-02T03:04:05Z', scopes: ['b', 'a'] };
  const listed = read(answer(200, { data: [member, { id: 'k2', revoked: true }], has_more: true, next: 'c2' }));
  assert.deepEqual(listed, {
    is: 'listed',
    keys: [
      {
        providerKeyId: 'k1',
        name: 'a',
        createdAt: 1_700_000_000_000,
        lastUsedAt: Date.parse('2026-01-02T03:04:05Z'),
        lastUsedFrom: null,
        scope: 'a b',
      },
    ],
    next: 'c2',
  });
  assert.deepEqual(read(answer(200, { data: [], has_more: false, next: 'c2' })), { is: 'listed', keys: [] });
  assert.equal(
    read(answer(200, { data: [], has_more: true, next: null })).is,
    'unknown',
    'more, and nobody knows where',
  );
  assert.equal(read(answer(200, { data: [{ name: 'a' }] })).is, 'unknown');
  assert.equal(read(answer(200, { data: [{ id: 2 ** 60 }] })).is, 'unknown', 'a number that cannot be held exactly');
  assert.equal(read(answer(401, {})).is, 'refused');
  assert.partialDeepStrictEqual(read(answer(503, null, { 'Retry-After': '2' })), { is: 'unknown', retryAfterMs: 2000 });
});

test('revoking: accepted, absent only where a rule says so, else refused or uncertain', () => {
  const read = (one: ProviderAnswer) => kind.revoke!.read(one, { settings, providerKeyId: 'k' });
  assert.equal(read(answer(204)).is, 'accepted');
  assert.equal(read(answer(404, { code: 'no_such_key' })).is, 'absent');
  assert.equal(read(answer(404, { code: 'no_such_project' })).is, 'ambiguous');
  assert.equal(read(answer(403, {})).is, 'refused');
  for (const status of [429, 500, 503]) assert.equal(read(answer(status, {})).is, 'ambiguous');
});

test('whatever a provider answers, only the named signature is death', () => {
  const bodies = fc.oneof(fc.jsonValue() as fc.Arbitrary<Json>, fc.constant({ error: { code: 'invalid_key' } }));
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), bodies, (status, body) => {
      const said = kind.probe.read(answer(status, body), { settings });
      const isNamed = status === 401 && JSON.stringify(body) === '{"error":{"code":"invalid_key"}}';
      if (said.is === 'dead') assert(status === 401 && JSON.stringify(body).includes('invalid_key'));
      if (isNamed) assert.equal(said.is, 'dead');
    }),
    { numRuns: 500 },
  );
  assert.equal(kind.probe.read(answer(401, { error: { code: 'other' } }), { settings }).is, 'unknown');
  assert.equal(kind.probe.read(answer(404, {}), { settings }).is, 'unknown');
});

test('evidence names provider, status and rule, and keeps a request id only where it looks like one', () => {
  const said = kind.probe.read(answer(403, {}, { 'X-Request-Id': 'r-1' }), { settings });
  assert.deepEqual(said.evidence, { status: 403, signature: 'example.403.forbidden', requestId: 'r-1' });
  assert.equal(kind.probe.read(answer(403, {}, { 'x-request-id': 'a b' }), { settings }).evidence.requestId, null);
});

test('a declaration that is wrong is refused with every error and its path', () => {
  const broken: [string, (one: Record<string, unknown>) => void][] = [
    ['/name', (one) => (one['name'] = 'Not A Slug')],
    ['/origin', (one) => (one['origin'] = 'http://plain.example.com')],
    ['/kinds/0/probe', (one) => delete (one['kinds'] as Record<string, unknown>[])[0]!['probe']],
    ['/kinds/0/extra', (one) => ((one['kinds'] as Record<string, unknown>[])[0]!['extra'] = 1)],
    ['/kinds/0/issuers', (one) => ((one['kinds'] as Record<string, unknown>[])[0]!['issuers'] = ['nobody'])],
    [
      '/kinds/0/places',
      (one) =>
        ((one['kinds'] as Record<string, unknown>[])[0]!['places'] = [{ in: 'query', name: 'k', part: 'other' }]),
    ],
    ['/kinds/1/rotation', (one) => delete (one['kinds'] as Record<string, unknown>[])[1]!['byHand']],
    ['/kinds/0/rotation', (one) => delete (one['kinds'] as Record<string, unknown>[])[0]!['revoke']],
  ];
  for (const [path, spoil] of broken) {
    const copy = structuredClone(EXAMPLE) as unknown as Record<string, unknown>;
    spoil(copy);
    assert.throws(
      () => parseDeclaration(copy),
      (error) => Failure.is(error, 'invalid') && error.message.includes(path.split('/').slice(0, 3).join('/')),
      path,
    );
  }
});

test('death by status alone, or by a status that proves nothing, cannot be declared', () => {
  const rules = [
    { status: 401, name: 'x', as: 'dead' },
    { status: [401, 429], name: 'x', when: { json: { '/a': 1 } }, as: 'dead' },
    { status: 503, name: 'x', when: { json: { '/a': 1 } }, as: 'dead' },
    { status: 200, name: 'x', as: 'dead' },
  ];
  for (const rule of rules) {
    const copy = structuredClone(EXAMPLE) as unknown as { kinds: { probe: { answers: unknown[] } }[] };
    copy.kinds[0]!.probe.answers = [rule];
    assert.throws(
      () => parseDeclaration(copy),
      (error) => Failure.is(error, 'invalid'),
    );
  }
});

test('a provider whose operations nobody has named has six actions', () => {
  assert.deepEqual(
    example.actions.map((one) => `${one.name} ${one.method} ${one.effect}`),
    [
      'api.read GET read',
      'api.head HEAD read',
      'api.create POST write',
      'api.replace PUT write',
      'api.change PATCH write',
      'api.delete DELETE delete',
    ],
  );
});
