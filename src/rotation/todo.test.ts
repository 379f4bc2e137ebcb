// When a rotation waits for a person, what for, where and until when; and when it does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialRow } from '../../test/support/rows.ts';
import * as providers from '../providers/index.ts';
import type { Kind, Provider } from '../providers/provider.ts';
import { beginOverlap, type Means, OVERLAP_STEPS, type OverlapState } from './overlap.ts';
import { defaultOverlapPolicy, defaultSwapPolicy } from './policy.ts';
import type { OverlapRotation, RotationRow, SwapRotation } from './rotation.ts';
import { beginSwap } from './swap.ts';
import { type Surroundings, todoOf } from './todo.ts';

const OLD = { versionId: 'ver_old', providerKeyId: '17' };
const FRESH = { versionId: 'ver_new', providerKeyId: '18' };
const NOW = { boot: 1, mono: 0 };
const BASE = {
  id: 'rot_1',
  rowVersion: 1,
  credentialId: 'crd_1',
  trigger: 'operator',
  reason: 'superseded',
  requestedAt: 1_000,
  requestedBy: 'prn_1',
  endedAt: null,
  settings: {},
  refusals: [],
  revokeCalledAt: null,
  lastProblem: null,
} as const;
const BY_HAND: Means = { issue: 'person', revoke: 'person' };

function overlap(change: Partial<OverlapState>, means: Means = BY_HAND): OverlapRotation {
  return { ...BASE, state: { ...beginOverlap(OLD, NOW, means), ...change }, policy: defaultOverlapPolicy(1_000) };
}

function around(provider: Provider, kind: Kind, given: Partial<Surroundings> = {}): Surroundings {
  const credential = credentialRow({
    environment: 'prod',
    provider: provider.name,
    name: 'main',
    origin: provider.origin,
  });
  return { credential, provider, kind, isOvertaken: false, ...given };
}
const CACHET = around(providers.cachet, providers.cachet.kinds[0]!);
const words = CACHET.kind.byHand!;
const NEON = around(providers.neon, providers.neon.kinds.find((kind) => kind.byHand === undefined)!);

test('a key is to be brought: the provider’s own words, at the page of this instance, until the time is over', () => {
  const at = { ...CACHET, credential: { ...CACHET.credential, origin: 'https://status.example.org:8443' } };
  assert.deepEqual(todoOf(overlap({}), at), {
    url: 'https://status.example.org:8443/dashboard',
    steps: words.issue,
    until: 1_000 + defaultOverlapPolicy(1_000).awaitMaxMs,
  });
  const server = around(providers.prefectServer, providers.prefectServer.kinds[0]!);
  assert.equal(todoOf(overlap({}), server)?.url, server.kind.byHand?.url, 'a page of documentation stays where it is');
  assert.equal(todoOf(overlap({ end: 'aborted' }), CACHET), null);
});

test('where the provider has no words for it, it is said what to make, and where', () => {
  const todo = todoOf(overlap({}), NEON);
  assert.equal(todo?.url, providers.neon.console);
  assert.deepEqual(todo?.steps, [
    `Make a new ${NEON.kind.title} at ${providers.neon.title}, with no more rights than the old one has.`,
  ]);
});

test('a key is to be ended: as long as it was not refused once, by a person, and also while the run is blocked over it', () => {
  const steps = [...words.revoke!, 'It has the id 17 there.'];
  const proving = { step: 'prove', fresh: FRESH } as const;
  const refused = { ...beginOverlap(OLD, NOW).death, refusals: 1 };
  const table: [string, OverlapRotation, readonly string[] | null][] = [
    ['waiting', overlap(proving), steps],
    ['blocked', overlap({ ...proving, end: 'blocked' }), steps],
    ['refused once', overlap({ ...proving, death: refused }), null],
    ['by the API', overlap(proving, { issue: 'person', revoke: 'api' }), null],
    ['over', overlap({ ...proving, end: 'rotated' }), null],
    ['nobody knows its id', overlap({ ...proving, old: { ...OLD, providerKeyId: '' } }), words.revoke],
  ];
  for (const [name, row, expected] of table) {
    assert.deepEqual(todoOf(row, CACHET)?.steps ?? null, expected, name);
    assert.equal(todoOf(row, CACHET)?.until ?? null, null, name);
  }
});

test('undoing, it is the new key that is to be ended, whatever the provider’s words say', () => {
  const todo = todoOf(overlap({ step: 'prove', fresh: FRESH, target: 'fresh', undoing: 'no' }), CACHET);
  assert.deepEqual(todo?.steps, [
    'Delete the new Cachet API token at Cachet 3; the old one stays.',
    'It has the id 18 there.',
  ]);
});

test('a key that replaced the old one is nobody’s to end while it is found out whether it lives', () => {
  const means: Means = { issue: 'grace', revoke: 'person' };
  const proving = { step: 'prove', fresh: FRESH, target: 'fresh', undoing: 'no' } as const;
  assert.equal(todoOf(overlap({ ...proving, committed: true }, means), CACHET), null);
  assert.notEqual(todoOf(overlap({ ...proving, committed: false }, means), CACHET), null);
});

test('where the new key ended the old one nobody has to; where there are no words, it is said plainly', () => {
  const server = around(providers.prefectServer, providers.prefectServer.kinds[0]!);
  assert.equal(todoOf(overlap({ step: 'prove', fresh: FRESH }), server), null);
  const todo = todoOf(overlap({ step: 'prove', fresh: FRESH }), NEON);
  assert.equal(todo?.steps[0], `Delete the old ${NEON.kind.title} at ${providers.neon.title}.`);
});

test('a lost key: another rotation is to be begun, until one was', () => {
  const state = { ...beginSwap(OLD, 'provider', NOW), end: 'lost', reason: 'x' } as const;
  const row: SwapRotation = { ...BASE, endedAt: 2_000, state, policy: defaultSwapPolicy(1_000) };
  const plaid = around(providers.plaid, providers.plaid.kinds.find((kind) => kind.rotation === 'swap')!);
  const todo = todoOf(row, plaid);
  assert.match(todo!.steps.join('\n'), /claviger rotate prod\/plaid\/main --by-hand$/);
  assert.equal(todo!.until, null);
  assert.equal(todoOf(row, { ...plaid, isOvertaken: true }), null);
});

test('nothing is ever to be done where machines do it all', () => {
  for (const step of OVERLAP_STEPS) {
    if (step === 'await') continue;
    for (const end of [null, 'blocked', 'rotated', 'aborted'] as const) {
      const row = overlap({ step, end, fresh: FRESH }, { issue: 'api', revoke: 'api' });
      assert.equal(todoOf(row, CACHET), null, `${step} ${end}`);
    }
  }
  const running: RotationRow = { ...BASE, state: beginSwap(OLD, 'ours', NOW), policy: defaultSwapPolicy(1_000) };
  assert.equal(todoOf(running, CACHET), null);
});

test('whatever the kind, what a person is told holds a page, and steps without empty lines', () => {
  for (const provider of Object.values(providers)) {
    for (const kind of provider.kinds) {
      for (const row of [
        overlap({}),
        overlap({ step: 'prove', fresh: FRESH }),
        overlap({ step: 'prove', fresh: FRESH, target: 'fresh' }),
      ]) {
        const todo = todoOf(row, around(provider, kind));
        if (todo === null) continue;
        assert.match(todo.url, /^https:\/\/\S+$/, `${provider.name} ${kind.name}`);
        assert.ok(todo.steps.length > 0 && todo.steps.every((step) => step.trim() !== '' && !step.includes('\n')));
      }
    }
  }
});
