// Scopes that a key holds against those that its grants need: every verdict, what is never called fine, and the difference held against a naive
// reckoning over random models.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cachet } from '../providers/cachet.ts';
import * as registry from '../providers/index.ts';
import { neon } from '../providers/neon.ts';
import type { Action, Kind, ScopeModel } from '../providers/provider.ts';
import { type Privilege, type PrivilegeInput, privilegeOf, scopesOfSettings } from './privilege.ts';

const MODEL: ScopeModel = {
  of: 'key',
  all: ['*', 'admin', 'read', 'read:a', 'read:b', 'write:a', 'write:b'],
  includes: { admin: ['read', 'write:a', 'write:b'], read: ['read:a', 'read:b'] },
  everything: ['*'],
};

function kindWith(scopes: ScopeModel | undefined): Kind {
  const { scopes: _, ...kind } = neon.kinds[1]!;
  return scopes === undefined ? kind : { ...kind, scopes };
}

function action(name: string, scopes?: readonly string[], more: Partial<Action> = {}): Action {
  return {
    name,
    method: 'GET',
    path: `/${name}`,
    effect: name.endsWith('.get') ? 'read' : 'write',
    ...(scopes === undefined ? {} : { scopes }),
    ...more,
  };
}

const ACTIONS = [
  action('a.get', ['read:a']),
  action('a.set', ['write:a']),
  action('b.get', ['read:b']),
  action('b.set', ['read:b', 'write:b']),
  action('any.get', []),
  action('dark.get'),
  action('either.get', undefined, { scopesAnyOf: ['read:a', 'read'] }),
  action('key.create', ['admin'], { mints: true }),
];

function given(held: readonly string[] | null, patterns: readonly string[], more: Partial<PrivilegeInput> = {}) {
  return privilegeOf({ kind: kindWith(MODEL), purpose: 'lend', held, actions: ACTIONS, patterns, ...more });
}

function brief({ verdict, unused, broader, missing, suggested }: Privilege): unknown[] {
  return [verdict, unused, broader.map(({ scope }) => scope), missing, suggested];
}

test('what a key holds against what its grants need', () => {
  const table: [string, readonly string[] | null, readonly string[], unknown[]][] = [
    ['exactly', ['read:a', 'write:a'], ['a.*'], ['narrow', [], [], [], ['read:a', 'write:a']]],
    ['one too many', ['read:a', 'write:a'], ['a.get'], ['wider', ['write:a'], [], [], ['read:a']]],
    ['one that includes what is needed', ['read'], ['a.get'], ['wider', [], ['read'], [], ['read:a']]],
    ['… beside the one that would do', ['read', 'read:a'], ['a.get'], ['wider', ['read'], [], [], ['read:a']]],
    ['… for more than one', ['read'], ['a.get', 'b.get'], ['wider', [], ['read'], [], ['read:a', 'read:b']]],
    ['included at two levels', ['admin'], ['a.get'], ['wider', [], ['admin'], [], ['read:a']]],
    ['one too few', ['read:a'], ['a.*'], ['missing', [], [], ['write:a'], ['read:a', 'write:a']]],
    ['one too few, one too many', ['read:b'], ['a.get'], ['missing', ['read:b'], [], ['read:a'], ['read:a']]],
    ['an action that any key may do', ['read:a'], ['any.get', 'a.get'], ['narrow', [], [], [], ['read:a']]],
    ['everything', ['*'], ['a.get'], ['overprivileged', [], [], [], ['read:a']]],
    ['everything, and more', ['*', 'write:b'], ['a.get'], ['overprivileged', ['write:b'], [], [], ['read:a']]],
    ['nothing granted', ['read:a'], [], ['wider', ['read:a'], [], [], null]],
    ['one of two is held', ['read:a'], ['either.get'], ['narrow', [], [], [], ['read:a']]],
    ['the wider of two', ['read'], ['either.get'], ['narrow', [], [], [], ['read:a']]],
    [
      'one of two, and the other is needed anyway',
      ['read:a'],
      ['either.get', 'a.get'],
      ['narrow', [], [], [], ['read:a']],
    ],
    ['a wildcard does not reach what mints', ['read:a'], ['key.*', 'a.get'], ['narrow', [], [], [], ['read:a']]],
    ['minting, by its name', ['read:a'], ['key.create', 'a.get'], ['missing', [], [], ['admin'], ['admin']]],
    ['an action of unknown scopes', ['read:a'], ['dark.get', 'a.get'], ['unknown', [], [], [], null]],
    [
      '… does not hide what is missing',
      ['read:b'],
      ['dark.get', 'a.get'],
      ['missing', ['read:b'], [], ['read:a'], null],
    ],
    ['… nor everything', ['*'], ['dark.get'], ['overprivileged', [], [], [], null]],
    ['a key of unknown scopes', null, ['a.get'], ['unknown', [], [], [], ['read:a']]],
  ];
  for (const [about, held, patterns, expected] of table)
    assert.deepEqual(brief(given(held, patterns)), expected, about);
});

test('one of several scopes is needed: it is said as such, and is missing as such', () => {
  const one = given(['write:b'], ['either.get']);
  assert.deepEqual(
    [one.verdict, one.neededOneOf, one.missingOneOf],
    ['missing', [['read', 'read:a']], [['read', 'read:a']]],
  );
  assert.deepEqual([one.needed, one.missing, one.unused], [[], [], ['write:b']]);
});

test('a model that nobody has listed whole is never fine, and a scope outside of it may include what seems missing', () => {
  for (const scopes of [
    { ...MODEL, isOpen: true },
    { of: 'key' as const, all: [] },
  ]) {
    const open = { kind: kindWith(scopes) };
    assert.equal(given(['read:a'], ['a.get'], open).verdict, 'unknown');
    assert.equal(given(['read:a', 'write:a'], ['a.get'], open).verdict, 'unknown');
    assert.deepEqual(given(['read:a', 'write:a'], ['a.get'], open).unused, ['write:a'], 'what is seen is said');
    assert.equal(given(['unheard-of'], ['a.get'], open).verdict, 'unknown');
    assert.deepEqual(given(['unheard-of'], ['a.get'], open).missing, ['read:a']);
  }
  assert.equal(given(['read:b'], ['a.get'], { kind: kindWith({ ...MODEL, isOpen: true }) }).verdict, 'missing');
});

test('where the provider has no scopes of a key, the grants narrow it at the broker, and nothing is claimed', () => {
  for (const scopes of [undefined, { of: 'none' as const, all: [] }, { of: 'kind' as const, all: [] }]) {
    const said = given(['read:a'], ['a.*'], { kind: kindWith(scopes) });
    assert.equal(said.verdict, 'broker');
    assert.match(said.why, /its grants narrow it, at the broker/);
    assert.deepEqual([said.held, said.needed, said.suggested], [null, [], null]);
  }
  const role = given(null, ['a.get'], { kind: kindWith({ ...MODEL, of: 'actor' }) });
  assert.deepEqual([role.verdict, role.needed, role.suggested], ['unknown', ['read:a'], null]);
  assert.match(role.why, /account behind the key/);
});

test('a key that mints is never called narrow, and one that may everything is pointed out', () => {
  assert.equal(given(['read:a'], [], { purpose: 'manage' }).verdict, 'unknown');
  assert.equal(given(['*'], [], { purpose: 'manage' }).verdict, 'overprivileged');
  assert.equal(given(['read:a'], [], { purpose: 'manage' }).suggested, null);
});

test('unknown actions are counted, and the first of them named', () => {
  const many = Array.from({ length: 50 }, (_, i) => action(`dark-${String(i).padStart(2, '0')}.get`));
  const said = given(['read:a'], ['*'], { actions: many });
  assert.deepEqual([said.unknownActions.count, said.unknownActions.names.length], [50, 20]);
  assert.equal(said.unknownActions.names[0], 'dark-00.get');
});

test('scopes are read from the settings, each once, where the kind has any', () => {
  const kind = kindWith(MODEL);
  assert.deepEqual(scopesOfSettings(kind, { scopes: 'b, a  b\ta' }), ['b', 'a']);
  assert.equal(scopesOfSettings(kind, {}), null);
  assert.equal(scopesOfSettings(kind, { scopes: ' , ' }), null);
  assert.equal(scopesOfSettings(kindWith(undefined), { scopes: 'a' }), null);
});

test('what opens secrets is pointed out, needed or not, and also where it is only included', () => {
  const model: ScopeModel = { ...MODEL, reveals: ['write:b'] };
  const revealsOf = (...held: string[]) =>
    privilegeOf({ kind: kindWith(model), purpose: 'lend', held, actions: ACTIONS, patterns: ['b.set'] }).reveals;
  assert.deepEqual(revealsOf('read:b', 'write:b'), ['write:b']);
  assert.deepEqual(revealsOf('write:a', 'admin'), ['admin']);
  assert.deepEqual(revealsOf('read'), []);
});

test('Cachet: a key with no ability ticked may everything, and one grant of metrics needs two abilities at most', () => {
  const [kind] = cachet.kinds;
  const said = privilegeOf({
    kind: kind!,
    purpose: 'lend',
    held: ['*'],
    actions: cachet.actions,
    patterns: ['metric.*', 'metric-point.*'],
  });
  assert.deepEqual([said.verdict, said.everything], ['overprivileged', ['*']]);
  assert(
    said.suggested?.every((scope) => scope.startsWith('metric')),
    String(said.suggested),
  );
});

// Random models.

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const someNames = fc.subarray(NAMES);
const model: fc.Arbitrary<ScopeModel> = fc
  .record({
    includes: fc.dictionary(fc.constantFrom(...NAMES), someNames, { maxKeys: 3 }),
    everything: fc.subarray(['f']),
  })
  .map(({ includes, everything }) => ({ of: 'key', all: NAMES, includes, everything }));
const world = fc.record({
  model,
  held: someNames,
  needs: fc.array(fc.record({ scopes: someNames, anyOf: someNames }), { maxLength: 4 }),
});

/** All that a set of scopes reaches, one step at a time until nothing is new. */
function reach({ includes = {} }: ScopeModel, scopes: readonly string[]): string[] {
  let found = [...scopes];
  for (let i = 0; i < NAMES.length; i++)
    found = [...new Set([...found, ...found.flatMap((one) => includes[one] ?? [])])];
  return found;
}

test('over random models: what is missing, unused and suggested is what a naive reckoning says', () => {
  fc.assert(
    fc.property(world, ({ model, held, needs }) => {
      const actions = needs.map(({ scopes, anyOf }, i) => action(`n${i}.get`, scopes, { scopesAnyOf: anyOf }));
      const said = privilegeOf({ kind: kindWith(model), purpose: 'lend', held, actions, patterns: ['*'] });
      const sets = needs.flatMap(({ scopes, anyOf }) => [
        ...scopes.map((one) => [one]),
        ...(anyOf.length === 0 ? [] : [anyOf]),
      ]);
      const meets = (by: readonly string[], set: readonly string[]) =>
        set.some((one) => reach(model, by).includes(one));
      const others = held.filter((one) => model.everything?.includes(one) !== true);
      const isAll = others.length < held.length;
      const kept = others.filter((one) => !said.unused.includes(one));
      for (const set of sets) {
        assert.equal(meets(kept, set), meets(others, set), 'what is unused can be spared');
        if (said.suggested !== null) assert(meets(said.suggested, set), 'what is suggested is enough');
      }
      for (const one of kept) {
        const without = kept.filter((other) => other !== one);
        assert(
          sets.some((set) => meets(kept, set) && !meets(without, set)),
          'what is kept cannot be spared',
        );
      }
      const lacks = !isAll && sets.some((set) => !meets(others, set));
      assert.equal(said.missing.length + said.missingOneOf.length > 0, lacks);
      assert.equal(said.suggested === null, sets.length === 0);
      assert.equal(said.verdict === 'overprivileged', isAll);
      if (said.verdict === 'narrow') {
        assert(!lacks && !isAll && kept.length === others.length);
        for (const one of others)
          assert(sets.flat().includes(one), 'nothing that is held is wider than what is needed');
      }
    }),
    { numRuns: 2_000 },
  );
});

test('every provider with scopes of keys: the suggestion is enough, and one listed scope more is never called narrow', () => {
  let compared = 0;
  for (const { name, kinds, actions } of Object.values(registry)) {
    for (const kind of kinds.filter((one) => one.scopes?.of === 'key' && one.scopes.all.length > 0)) {
      const known = actions.filter((one) => one.scopes !== undefined && one.mints !== true).map((one) => one.name);
      const ask = (held: readonly string[] | null) =>
        privilegeOf({ kind, purpose: 'lend', held, actions, patterns: known });
      const { suggested } = ask(null);
      if (suggested === null) {
        assert.deepEqual(known, [], `${name} ${kind.name}`);
        continue;
      }
      const { verdict, missing, unused } = ask(suggested);
      assert.deepEqual([missing, unused], [[], []], `${name} ${kind.name}`);
      assert.equal(verdict, kind.scopes!.isOpen === true ? 'unknown' : 'narrow', `${name} ${kind.name}`);
      for (const more of kind.scopes!.all.filter((one) => !suggested.includes(one))) {
        assert.notEqual(ask([...suggested, more]).verdict, 'narrow', `${name} ${kind.name} ${more}`);
      }
      compared++;
    }
  }
  assert(compared >= 5, String(compared));
});
