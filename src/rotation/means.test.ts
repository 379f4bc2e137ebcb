// Every registered kind in every standing: each has a way in which its key is rotated, or an error that says what to do. And for those that
// the others are like, which way it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_PROGRAMS, type Programs } from '../credentials/programs.ts';
import { Failure } from '../model/failure.ts';
import * as providers from '../providers/index.ts';
import type { Kind } from '../providers/provider.ts';
import { revocationMeans, type Standing, wayFor } from './means.ts';

const kinds = Object.values(providers).flatMap((provider) =>
  provider.kinds.map((kind) => [`${provider.name} ${kind.name}`, kind] as const),
);

function kindAt(name: string): Kind {
  return kinds.find(([one]) => one === name)?.[1] ?? assert.fail(`no kind ${name}`);
}

const replace: NonNullable<Programs['replace']> = () => assert.fail('not run');
const issue: NonNullable<Programs['issue']> = () => assert.fail('not run');
const revoke: NonNullable<Programs['revoke']> = () => assert.fail('not run');

const BEST: Standing = { hasIssuer: true, oldId: '17', settings: {}, byHand: false, programs: NO_PROGRAMS };

/** `issue/revoke` of an overlap, `swap source`, or why not. */
function wayOf(kind: Kind, standing: Partial<Standing> = {}): string {
  try {
    const way = wayFor(kind, { ...BEST, ...standing });
    return way.protocol === 'swap' ? `swap ${way.source}` : `${way.means.issue}/${way.means.revoke}`;
  } catch (error) {
    assert.ok(Failure.is(error, 'invalid'), String(error));
    return error.message;
  }
}

/** All standings there are. */
function* standings(): Generator<Standing> {
  const flags = [false, true];
  for (const hasIssuer of flags)
    for (const oldId of [null, '17'])
      for (const byHand of flags)
        for (const [r, i, v] of flags.flatMap((a) => flags.flatMap((b) => flags.map((c) => [a, b, c] as const)))) {
          const programs = { replace: r ? replace : null, issue: i ? issue : null, revoke: v ? revoke : null };
          yield { hasIssuer, oldId, byHand, settings: {}, programs };
        }
}

const NO_ISSUER = /^the credential has no issuer with a usable key: name one, or bring a key by hand/;
const NO_ID = /id of the key is not known: identify the credential first$/;

test('each kind in each standing has a way, or an error that says what to do', () => {
  assert.ok(kinds.length > 40);
  for (const [name, kind] of kinds) {
    for (const standing of standings()) {
      const way = wayOf(kind, standing);
      const at = `${name}, ${JSON.stringify(standing)}: ${way}`;
      const isWay = /^(?:swap (?:provider|ours)|(?:api|grace|person)\/(?:api|person))$/.test(way);
      assert.ok(isWay || NO_ISSUER.test(way) || NO_ID.test(way), at);
      if (standing.byHand) assert.match(way, /^person\//, at);
      if (/^swap ours$/.test(way)) assert.ok(kind.made !== undefined && standing.programs.replace !== null, at);
      // Nobody is called who is not there.
      const isProviderCalled = standing.programs.issue === null && /^(?:api|grace)\/|^swap provider$/.test(way);
      if (isProviderCalled) assert.ok(standing.hasIssuer && (kind.issue !== null || kind.replace !== undefined), at);
      if (way.endsWith('/api')) {
        const byProvider = standing.hasIssuer && kind.revoke !== null && kind.rotation !== 'swap';
        assert.ok(standing.programs.revoke !== null || byProvider, at);
      }
    }
  }
});

test('with an issuer, and the id of the old key, every kind can be rotated; without them, every kind by hand', () => {
  for (const [name, kind] of kinds) {
    assert.doesNotMatch(wayOf(kind), / by | not /, name);
    assert.match(wayOf(kind, { hasIssuer: false, oldId: null, byHand: true }), /^person\/person$/, name);
  }
});

test('the way of a kind follows from its nature', () => {
  const table: [string, Partial<Standing>, string | RegExp][] = [
    ['neon organization-key', {}, 'api/api'],
    ['neon organization-key', { hasIssuer: false }, NO_ISSUER],
    ['neon organization-key', { oldId: null }, NO_ID],
    ['neon organization-key', { byHand: true }, 'person/api'],
    ['neon organization-key', { byHand: true, oldId: null }, 'person/person'],
    ['prefect-cloud service-account-key', {}, 'grace/api'],
    ['prefect-cloud service-account-key', { oldId: null }, NO_ID],
    ['plaid access-token', {}, 'swap provider'],
    ['plaid access-token', { oldId: null }, 'swap provider'],
    // Deleting what was one slot would end more than the key.
    ['plaid access-token', { byHand: true }, 'person/person'],
    ['plaid client', {}, 'person/person'],
    ['mastodon user-token', {}, 'person/api'],
    // It is shown the token itself: nobody has to know an id.
    ['mastodon user-token', { oldId: null }, 'person/api'],
    ['mastodon user-token', { hasIssuer: false }, 'person/person'],
    ['anthropic api-key', {}, 'person/api'],
    ['cachet token', { hasIssuer: false, oldId: null }, 'person/person'],
    ['cachet-v2 user-key', {}, 'person/person'],
    ['prefect-server auth-string', { hasIssuer: false, oldId: null }, 'person/person'],
  ];
  for (const [name, standing, expected] of table) {
    const way = wayOf(kindAt(name), standing);
    if (typeof expected === 'string') assert.equal(way, expected, `${name} ${JSON.stringify(standing)}`);
    else assert.match(way, expected, `${name} ${JSON.stringify(standing)}`);
  }
});

test('programs of the operator’s come before the provider, and a person before both', () => {
  const none = { hasIssuer: false, oldId: null };
  const table: [string, Partial<Programs>, Partial<Standing>, string][] = [
    ['prefect-server auth-string', { replace }, none, 'swap ours'],
    ['prefect-server auth-string', { replace, issue }, none, 'swap ours'],
    ['prefect-server auth-string', { replace }, { ...none, byHand: true }, 'person/person'],
    ['prefect-server auth-string', { revoke }, none, 'person/api'],
    ['cachet token', { issue, revoke }, none, 'api/api'],
    ['cachet token', { issue }, none, 'api/person'],
    ['cachet token', { revoke }, none, 'person/api'],
    // What is not ours to make cannot be put into force by anybody.
    ['cachet token', { replace }, none, 'person/person'],
    ['neon organization-key', { issue }, none, 'api/person'],
    ['neon organization-key', { issue }, {}, 'api/api'],
    ['plaid access-token', { issue }, {}, 'api/person'],
    ['plaid access-token', { issue, revoke }, {}, 'api/api'],
  ];
  for (const [name, programs, standing, expected] of table) {
    const way = wayOf(kindAt(name), { ...standing, programs: { ...NO_PROGRAMS, ...programs } });
    assert.equal(way, expected, `${name} ${Object.keys(programs)} ${JSON.stringify(standing)}`);
  }
});

test('a kind that has nothing to be rotated with says so', () => {
  const base = kindAt('neon organization-key');
  const { replace: _, ...bare } = base;
  const table: [Kind, RegExp][] = [
    [{ ...bare, rotation: 'swap' }, /cannot be replaced by API: bring a key by hand/],
    [{ ...bare, rotation: 'grace' }, /cannot be replaced by API: bring a key by hand/],
    [{ ...bare, issue: null }, /cannot be rotated by the provider's API: bring a key by hand/],
  ];
  for (const [kind, expected] of table) assert.match(wayOf(kind), expected);
});

test('who ends a key is the same question whether a rotation or a retirement asks', () => {
  for (const [name, kind] of kinds) {
    for (const { byHand: _, ...standing } of standings()) {
      const means = revocationMeans(kind, standing);
      if (standing.programs.revoke !== null) assert.equal(means, 'api', name);
      else if (!standing.hasIssuer || kind.revoke === null || kind.rotation === 'swap')
        assert.equal(means, 'person', name);
    }
  }
});
