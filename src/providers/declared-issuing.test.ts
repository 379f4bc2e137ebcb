// Making keys by declaration: what is asked for and what may not be forgotten, and whether the key that came is the one that was asked for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import type { DeclarationInput } from './declaration.ts';
import { declared } from './declared.ts';
import type { IssueInput, IssueOutcome, Kind, ProviderAnswer } from './provider.ts';

type Issue = NonNullable<DeclarationInput['kinds'][number]['issue']>;
type Issued = Extract<Issue['answers'][number], { as: 'issued' }>;

const ISSUED: Issued = { status: 201, name: 'made', as: 'issued', parts: { key: '/key' }, id: '/id' };
const SETTINGS: DeclarationInput['kinds'][number]['settings'] = {
  level: { about: 'Role', format: '^[0-9]+$', number: true },
  region: { about: 'Region', format: '^[a-z]{2}$', default: 'eu' },
};

function kindWith(json: Json, issued: Partial<Issued> = {}, scopes: readonly string[] = ['read', 'write']): Kind {
  return declared({
    name: 'example',
    title: 'Example',
    origin: 'https://api.example.com',
    console: 'https://example.com/keys',
    kinds: [
      {
        name: 'key',
        title: 'Key',
        places: [{ in: 'header', name: 'X-Key' }],
        rotation: 'overlap',
        settings: SETTINGS,
        ...(scopes.length === 0 ? {} : { scopes: { of: 'key', all: [...scopes] } }),
        issue: {
          request: { method: 'POST', path: '/keys/{region}?level={level}', json: json as never },
          answers: [{ ...ISSUED, ...issued }],
        },
        revoke: {
          request: { method: 'DELETE', path: '/keys/{providerKeyId}' },
          answers: [{ status: 204, name: 'gone', as: 'accepted' }],
        },
        probe: { request: { method: 'GET', path: '/me' }, answers: [{ status: 200, name: 'me', as: 'alive' }] },
      },
    ],
  }).kinds[0]!;
}

const INPUT: IssueInput = { settings: { level: '30' }, label: 'l', scopes: ['read'] };
const NOW = 1_800_000_000_000;
const isInvalid = (error: unknown) => Failure.is(error, 'invalid');

function read(kind: Kind, json: Json, more: Partial<IssueInput> = {}): IssueOutcome {
  const answer: ProviderAnswer = { status: 201, headers: {}, json, text: JSON.stringify(json) };
  return kind.issue!.read(answer, { ...INPUT, ...more });
}

test('a setting has its default where none is set, and is a number in a body where it is declared one', () => {
  const kind = kindWith({ level: '{level}', at: '{region}', note: 'level {level}', scopes: '{scopes}' });
  assert.deepEqual(kind.issue!.request(INPUT), {
    method: 'POST',
    path: '/keys/eu?level=30',
    json: { level: 30, at: 'eu', note: 'level 30', scopes: ['read'] },
  });
  assert.equal(kind.issue!.request({ ...INPUT, settings: { level: '0', region: 'us' } }).path, '/keys/us?level=0');
  for (const settings of [{}, { level: '-' }, { level: '9'.repeat(16) }, { level: '1', region: 'EU' }])
    assert.throws(() => kind.issue!.request({ ...INPUT, settings: settings as { level: string } }), isInvalid);
  assert.deepEqual(kind.settings, {
    level: { required: true, about: 'Role' },
    region: { required: false, about: 'Region', default: 'eu' },
  });
});

test('an end that is asked for has a place in the request, or nothing is asked for', () => {
  const without = kindWith({ name: '{label}', scopes: '{scopes}' });
  assert.equal(without.canExpire, undefined);
  assert.throws(() => without.issue!.request({ ...INPUT, expiresAt: NOW }), isInvalid);
  for (const [template, value] of [
    ['{expiresAt}', '2027-01-15T08:00:00Z'],
    ['{expiresDate}', '2027-01-15'],
    ['{expiresUnix}', 1_800_000_000],
  ] as const) {
    const kind = kindWith({ ends: template, scopes: '{scopes}' });
    assert.equal(kind.canExpire, true);
    assert.deepEqual(kind.issue!.request({ ...INPUT, expiresAt: NOW }).json, { ends: value, scopes: ['read'] });
    assert.deepEqual(kind.issue!.request(INPUT).json, { scopes: ['read'] }, 'left out where none is asked for');
  }
});

test('a lifetime counts from when it is asked for, less a minute for the way there and the clocks', () => {
  const kind = kindWith({ ttl: '{lifetimeSeconds}', scopes: '{scopes}' });
  assert.equal(kind.canExpire, true);
  const ttl = (more: Partial<IssueInput>) => (kind.issue!.request({ ...INPUT, ...more }).json as { ttl?: number }).ttl;
  assert.equal(ttl({ expiresAt: NOW + 3_600_000, askedAt: NOW }), 3_540);
  assert.equal(ttl({ expiresAt: NOW + 61_999, askedAt: NOW }), 1);
  assert.equal(ttl({ askedAt: NOW }), undefined, 'no end, no lifetime');
  assert.throws(() => ttl({ expiresAt: NOW + 60_999, askedAt: NOW }), isInvalid, 'too near');
  assert.throws(() => ttl({ expiresAt: NOW - 1, askedAt: NOW }), isInvalid, 'past');
  assert.throws(() => ttl({ expiresAt: NOW + 3_600_000 }), isInvalid, 'nobody says what time it is');
});

test('scopes of the answer: told, or held against what was asked for', () => {
  const body = (scopes: Json): Json => ({ key: 'canary-1', id: 1, scopes });
  const told = kindWith({ scopes: '{scopes}' }, { scopes: '/scopes' });
  assert.partialDeepStrictEqual(read(told, body(['read', 'write'])), { is: 'issued', scopes: ['read', 'write'] });

  const rows: readonly (readonly [Json, string, string])[] = [
    [['read'], 'issued', 'issued'],
    ['read', 'issued', 'issued'],
    [['read', 'write'], 'ambiguous', 'ambiguous'],
    [[], 'ambiguous', 'issued'],
    [null, 'ambiguous', 'ambiguous'],
    [[1], 'ambiguous', 'ambiguous'],
  ];
  const equal = kindWith({ scopes: '{scopes}' }, { scopes: { at: '/scopes', must: 'equal' } });
  const narrow = kindWith({ scopes: '{scopes}' }, { scopes: { at: '/scopes', must: 'no-wider' } });
  for (const [scopes, asEqual, asNarrow] of rows) {
    assert.equal(read(equal, body(scopes)).is, asEqual, JSON.stringify(scopes));
    assert.equal(read(narrow, body(scopes)).is, asNarrow, JSON.stringify(scopes));
  }
  const { evidence } = read(equal, body([]));
  assert.equal(evidence.signature, 'example.201.other-scopes');
});

test('a key that ends later than was asked for, or never, is not the one that was asked for', () => {
  const kind = kindWith({ ends: '{expiresAt}', scopes: '{scopes}' }, { expiresAt: { at: '/ends', in: 'rfc3339' } });
  const ends = (value: Json, expiresAt?: number) =>
    read(kind, { key: 'canary-1', id: 1, ends: value }, expiresAt === undefined ? {} : { expiresAt });
  assert.partialDeepStrictEqual(ends('2027-01-15T08:00:00Z', NOW), { is: 'issued', expiresAt: NOW });
  assert.equal(ends('2027-01-15T07:59:59Z', NOW).is, 'issued');
  for (const later of ['2027-01-15T08:00:01Z', null, 'never']) {
    const outcome = ends(later, NOW);
    assert.equal(outcome.is, 'ambiguous');
    assert.equal(outcome.evidence.signature, 'example.201.other-end');
  }
  assert.partialDeepStrictEqual(ends('2030-01-01T00:00:00Z'), { is: 'issued' }, 'nobody asked for an end');
});

test('what must stand in the answer as it was asked for: texts, numbers, settings with a default', () => {
  const kind = kindWith({ scopes: '{scopes}' }, { asAsked: { '/level': '{level}', '/at/region': '{region}' } });
  const body = (level: Json, region: Json): Json => ({ key: 'canary-1', id: 1, level, at: { region } });
  assert.equal(read(kind, body(30, 'eu')).is, 'issued');
  for (const [level, region] of [
    [40, 'eu'],
    ['30', 'eu'],
    [30, 'us'],
    [undefined, 'eu'],
  ] as const) {
    const outcome = read(kind, body(level as Json, region));
    assert.equal(outcome.is, 'ambiguous', JSON.stringify([level, region]));
    assert.equal(outcome.evidence.signature, 'example.201.other-than-asked');
  }
});
