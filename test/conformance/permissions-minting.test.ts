// What a new key is asked for: the scopes that its credential's settings name, each of them and no other, whatever the provider's own way of asking; and
// the same again for every key that follows. R33: minting asks for the narrowest native scope, rotation never widens.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { issuing } from '../../src/credentials/issuing.ts';
import { Failure } from '../../src/model/failure.ts';
import * as registry from '../../src/providers/index.ts';
import type { Kind, ScopeModel } from '../../src/providers/provider.ts';

const DAY_MS = 86_400_000;

/** What kinds need besides scopes, of the forms that they demand. */
const SETTINGS: Readonly<Record<string, string>> = {
  accessLevel: '30',
  group: '7',
  project: 'group/project',
  serviceAccountId: '00000000-0000-4000-8000-000000000001',
  accountSid: `AC${'0'.repeat(32)}`,
  probePath: `/2010-04-01/Accounts/AC${'0'.repeat(32)}/Messages.json`,
  software: 'mastodon',
  redirectUri: 'urn:ietf:wg:oauth:2.0:oob',
};

interface Minting {
  readonly about: string;
  readonly kind: Kind;
  readonly model: ScopeModel;
}

/** The kinds whose keys are minted with scopes of their own. */
const minting: readonly Minting[] = Object.values(registry).flatMap(({ name, kinds }) =>
  kinds.flatMap((kind) =>
    kind.issue !== null && kind.scopes?.of === 'key'
      ? [{ about: `${name} ${kind.name}`, kind, model: kind.scopes }]
      : [],
  ),
);

/** Scopes to choose from: the model's own, and where nobody listed any, made up ones of the form that the provider has. */
function poolOf({ model }: Minting): readonly string[] {
  return model.all.length > 0 ? model.all : ['/api/messages/read', '/api/messages/create', '/api/calls/read'];
}

function settingsOf(kind: Kind, scopes: readonly string[]): Record<string, string> {
  const own = Object.keys(kind.settings).flatMap((name) =>
    SETTINGS[name] === undefined ? [] : [[name, SETTINGS[name]]],
  );
  return { ...Object.fromEntries(own), scopes: scopes.join(' ') };
}

/** Every scope of the pool that a request names, as a whole word wherever it stands. */
function namedIn(request: object, pool: readonly string[]): string[] {
  const { path, json, form } = request as { path?: unknown; json?: unknown; form?: Readonly<Record<string, string>> };
  const words = new Set<string>();
  const collect = (value: unknown): void => {
    if (typeof value === 'string') for (const word of value.split(/[\s,"[\]]+/)) words.add(word);
    else if (typeof value === 'object' && value !== null) for (const member of Object.values(value)) collect(member);
  };
  collect([path, json, form]);
  return pool.filter((scope) => words.has(scope)).sort();
}

test('the kinds whose keys are minted with scopes of their own are found', () => {
  const found = new Set(minting.map(({ about }) => about));
  for (const about of [
    'datadog service-account-key',
    'gitlab group-token',
    'gitlab project-token',
    'mastodon app',
    'sendgrid api-key',
    'twilio restricted-key',
  ]) {
    assert(found.has(about), about);
  }
});

for (const one of minting) {
  test(`${one.about}: a new key is asked for with the scopes of its settings, every one and no other`, () => {
    const pool = poolOf(one);
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...pool), { minLength: 1, maxLength: 6 }), (scopes) => {
        const settings = settingsOf(one.kind, scopes);
        const asked = issuing(one.kind, settings, 0);
        assert.deepEqual([...(asked.scopes ?? [])].sort(), scopes.toSorted());
        const request = one.kind.issue!.request({ ...asked, label: 'label' });
        assert.deepEqual(namedIn(request, pool), scopes.toSorted());
      }),
      { numRuns: 60 },
    );
  });

  test(`${one.about}: without a scope no key is asked for at all`, () => {
    const isRefused = (run: () => unknown) =>
      assert.throws(run, (error) => Failure.is(error, 'invalid'), 'a provider may take none for all');
    isRefused(() => issuing(one.kind, settingsOf(one.kind, []), 0));
  });
}

// Rotation: the settings are pinned when it is requested, and every key of it is asked for with them.

const someScopes = fc.array(fc.constantFrom('read', 'read:a', 'write', 'admin', '*'), { minLength: 1, maxLength: 8 });
const separator = fc.constantFrom(' ', ',', '  ', ', ', '\n', '\t');

test('whatever stands in the settings, a later key is asked for with no scope more and no longer life than they say', () => {
  const kind: Kind = {
    ...registry.sendgrid.kinds[0]!,
    canExpire: true,
    scopes: {
      of: 'key',
      all: ['read', 'read:a', 'write', 'admin', '*'],
      everything: ['*'],
      includes: { admin: ['read'] },
    },
  };
  const written = fc.record({
    scopes: someScopes,
    between: separator,
    days: fc.option(fc.integer({ min: 1, max: 3_650 })),
  });
  const instants = fc.array(fc.integer({ min: 0, max: 4_102_444_800_000 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(written, instants, ({ scopes, between, days }, times) => {
      const settings = Object.freeze({
        scopes: scopes.join(between),
        ...(days === null ? {} : { lifetimeDays: String(days) }),
      });
      const first = issuing(kind, settings, times[0]!);
      for (const now of times) {
        const later = issuing(kind, settings, now);
        assert.deepEqual(later.scopes, first.scopes, 'the same for every key');
        assert.deepEqual(new Set(later.scopes), new Set(scopes), 'what the settings say');
        assert.equal(new Set(later.scopes).size, later.scopes!.length, 'each once');
        assert.equal(later.expiresAt, days === null ? undefined : now + days * DAY_MS);
      }
    }),
    { numRuns: 500 },
  );
});

test('a kind without scopes of keys is never asked for any, whatever the settings hold', () => {
  for (const owner of ['actor', 'kind', 'none'] as const) {
    const kind: Kind = { ...registry.sendgrid.kinds[0]!, scopes: { of: owner, all: ['read'] } };
    assert.equal(issuing(kind, { scopes: 'read' }, 0).scopes, undefined);
  }
});
