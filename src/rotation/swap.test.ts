// The swap protocol, step by step: the straight way for both sources, what a lost answer becomes, and that it is total. What no single step shows is
// proven by the simulator (tools/simulator/swap).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Instant } from '../model/instant.ts';
import { defaultSwapPolicy } from './policy.ts';
import { beginSwap, decide, evolve, LOST, SWAP, type SwapEvent, type SwapState } from './swap.ts';

const POLICY = { ...defaultSwapPolicy(1_000), failuresMax: 4, attemptsMax: 2 };
const OLD = { versionId: 'ver_old', providerKeyId: 'key_old' };
const NEW = { versionId: 'ver_new', providerKeyId: 'key_new' };

/** Feeds events, a second apart, and says what would be done next. */
function after(source: SwapState['source'], events: readonly SwapEvent[], everyMs = 1_000) {
  let mono = 0;
  let state = beginSwap(OLD, source, { boot: 1, mono });
  for (const event of events) {
    mono += everyMs;
    state = evolve(state, event, { boot: 1, mono }, POLICY);
  }
  return { state, now: { boot: 1, mono } satisfies Instant, next: decide(state, { boot: 1, mono }, POLICY) };
}

const HELD: SwapEvent[] = [{ on: 'held' }, { on: 'observed', inFlight: 0 }];
const alive = { on: 'probed', verdict: 'alive' } as const;
const dead = { on: 'probed', verdict: 'dead' } as const;

test('a key that the provider makes: held, replaced, promoted at once, verified, covered, the old one proven dead', () => {
  const way: SwapEvent[] = [
    ...HELD,
    { on: 'begun' },
    { on: 'replaced', ...NEW },
    { on: 'promoted' },
    alive,
    alive,
    { on: 'covered', by: 'copy' },
    dead,
    dead,
    dead,
  ];
  assert.deepEqual(after('provider', HELD).next, {
    kind: 'act',
    effect: { do: 'replace', attempt: 1 },
    journalFirst: true,
  });
  const promoted = after('provider', way.slice(0, 5)).state;
  assert.deepEqual([promoted.heldSince, promoted.fresh], [null, NEW], 'the traffic goes on with the new key');
  const { state, next } = after('provider', way, 1_500);
  assert.deepEqual([state.end, next.kind], ['rotated', 'finished']);
});

test('a value of ours is stored before it is sent, and promoted when it is seen to be in force', () => {
  assert.deepEqual(after('ours', []).next, { kind: 'act', effect: { do: 'prepare' }, journalFirst: false });
  const way: SwapEvent[] = [{ on: 'prepared', ...NEW }, ...HELD, { on: 'begun' }, { on: 'replaced', ...NEW }];
  assert.equal(after('ours', way).state.step, 'verify');
  assert.equal(after('ours', [...way, alive, alive]).state.step, 'promote');
});

test('a lost answer is waited for, asked about, and never simply made again', () => {
  const lost: SwapEvent[] = [...HELD, { on: 'begun' }, { on: 'replace-ambiguous' }];
  const { next } = after('provider', lost);
  assert(next.kind === 'wait' && next.ms > 0);
  assert.equal(after('provider', [...lost, alive]).state.step, 'resolve', 'one acceptance is not enough');
  const again = after('provider', [...lost, alive, alive]).state;
  assert.deepEqual([again.step, again.attempt], ['hold', 2]);
  const gone = after('provider', [...lost, dead, dead, dead], 1_500).state;
  assert.deepEqual([gone.end, gone.reason, gone.heldSince], ['lost', LOST, null]);
  const ours = after('ours', [{ on: 'prepared', ...NEW }, ...lost, alive, alive]).state;
  assert.equal(ours.step, 'verify', 'the prepared value is accepted: it is in force');
});

test('a crash in the middle of the call is a lost answer', () => {
  const { state } = after('provider', [...HELD, { on: 'begun' }]);
  const restarted = decide(state, { boot: 2, mono: 5 }, POLICY);
  assert.deepEqual(restarted, { kind: 'note', event: { on: 'replace-ambiguous' } });
});

test('a hold of a process that is gone is none, and one that is nearly over begins no call', () => {
  const { state } = after('provider', HELD);
  for (const now of [
    { boot: 2, mono: 10 },
    { boot: 1, mono: 1_000 + POLICY.holdMaxMs - POLICY.callMs },
  ]) {
    assert.deepEqual(decide(state, now, POLICY), { kind: 'note', event: { on: 'hold-ended' } });
  }
  const ended = evolve(state, { on: 'hold-ended' }, { boot: 2, mono: 10 }, POLICY);
  assert.deepEqual([ended.step, ended.heldSince], ['hold', null]);
});

test('before the call a cancel ends it; after it there is no way back', () => {
  const cancelled: SwapEvent = { on: 'cancelled', reason: 'x' };
  assert.equal(after('provider', [...HELD, cancelled]).state.end, 'aborted');
  assert.equal(after('provider', [...HELD, { on: 'begun' }, cancelled]).state.end, null);
});

const anyEvent: fc.Arbitrary<SwapEvent> = fc.oneof(
  fc.constantFrom<SwapEvent>(
    { on: 'begun' },
    { on: 'prepared', ...NEW },
    { on: 'prepare-failed' },
    { on: 'held' },
    { on: 'hold-ended' },
    { on: 'replaced', ...NEW },
    { on: 'replace-ambiguous' },
    { on: 'promoted' },
    { on: 'covered', by: 'none' },
    { on: 'cover-failed' },
    { on: 'lapsed' },
    { on: 'cancelled', reason: 'x' },
    { on: 'resumed' },
    { on: 'superseded', reason: 'x' },
  ),
  fc.record({ on: fc.constant('observed' as const), inFlight: fc.nat(2) }),
  fc.record({ on: fc.constant('replace-refused' as const), final: fc.boolean() }),
  fc.record({ on: fc.constant('probed' as const), verdict: fc.constantFrom('alive', 'dead', 'unknown') }),
);

test('every state has an answer to everything, an end lets the traffic go, and only a standstill goes on from its end', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('ours' as const, 'provider' as const),
      fc.array(fc.tuple(anyEvent, fc.nat(20_000), fc.boolean()), { maxLength: 40 }),
      (source, events) => {
        let [boot, mono] = [1, 0];
        let state = beginSwap(OLD, source, { boot, mono });
        for (const [event, ms, crashes] of events) {
          if (crashes) [boot, mono] = [boot + 1, 0];
          mono += ms;
          const before = state;
          state = evolve(state, event, { boot, mono }, POLICY);
          const next = decide(state, { boot, mono }, POLICY);
          if (next.kind === 'wait') assert.ok(next.ms > 0);
          if (state.end !== null) assert.deepEqual([next.kind, state.heldSince], ['finished', null]);
          if (before.end !== null && before.end !== 'blocked') assert.equal(state, before);
          if (state !== before && state.end !== before.end) assert.ok(SWAP.isMaterial(before, state));
          assert.ok(state.end !== 'lost' || source === 'provider', 'a value of ours is never lost');
          if (before.pivoted && state.end === 'aborted') assert.equal(event.on, 'superseded');
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
