// The overlap protocol until the old key may be revoked, step by step: the straight way, every way off it and back. What its end may do
// is in overlap-end.test.ts, that it is total in overlap-walks.test.ts; what no single step shows is proven by the simulator (tools/simulator).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DEAD_ON_ARRIVAL, decide, evolve, type OverlapEvent, type OverlapStep } from './overlap.ts';
import { NO_ISSUER } from './overlap-steps.ts';
import {
  ALIVE,
  after,
  at,
  BEGUN,
  CLEAN,
  DEAD,
  effectOf,
  FRESH,
  POLICY,
  START,
  TO_CONFIRM,
  TO_COVER,
  TO_DRAIN,
  TO_PROMOTE,
  TO_PROVE,
  TO_REVOKE,
  TO_SWEEP,
  TO_VERIFY,
  UNKNOWN,
} from './test-support.ts';

describe('the straight way', () => {
  const ways: [readonly OverlapEvent[], OverlapStep, unknown][] = [
    [[], 'issue', { do: 'issue', attempt: 1 }],
    [TO_VERIFY, 'verify', { do: 'probe', which: 'fresh' }],
    [TO_PROMOTE, 'promote', 'note'],
    [TO_DRAIN, 'drain', { do: 'observe', which: 'old' }],
    [TO_COVER, 'cover', { do: 'cover' }],
    [TO_CONFIRM, 'confirm', { do: 'probe', which: 'fresh' }],
    [TO_REVOKE, 'revoke', { do: 'revoke', which: 'old' }],
    [TO_PROVE, 'prove', { do: 'probe', which: 'old' }],
    [TO_SWEEP, 'sweep', { do: 'list' }],
    [[...TO_SWEEP, CLEAN], 'sweep', 'finished'],
  ];
  for (const [events, step, next] of ways) {
    test(`after ${events.at(-1)?.on ?? 'the request'}: ${step}`, () => {
      const state = after(START, events);
      assert.equal(state.step, step);
      assert.equal(state.intent, false);
      assert.deepEqual(effectOf(decide(state, at(events.length * 10_000), POLICY)), next);
    });
  }

  test('it ends rotated, with the new key promoted and nothing undone', () => {
    const state = after(START, [...TO_SWEEP, CLEAN]);
    assert.equal(state.end, 'rotated');
    assert.deepEqual([state.fresh, state.promoted, state.pivoted, state.undoing], [FRESH, true, true, null]);
  });

  test('only calls that change the provider are journaled before they are made', () => {
    const first = new Map<string, boolean>();
    const orphaned = after(START, [...TO_SWEEP, { on: 'listed', orphans: ['key_lost'] }]);
    const states = ways.map(([events]) => after(START, events));
    for (const state of [...states, orphaned]) {
      const decision = decide(state, at(1_000_000), POLICY);
      if (decision.kind === 'act') first.set(decision.effect.do, decision.journalFirst);
    }
    assert.deepEqual(Object.fromEntries(first), {
      issue: true,
      probe: false,
      observe: false,
      cover: false,
      list: false,
      discard: true,
    });
    // By the time of the others its confirmation has lapsed.
    const revoking = decide(after(START, TO_REVOKE), at(60_000), POLICY);
    assert.ok(revoking.kind === 'act' && revoking.journalFirst);
  });

  test('the pivot is marked with the intent to revoke the old key, before the call', () => {
    assert.equal(after(START, TO_REVOKE).pivoted, false);
    assert.equal(after(START, [...TO_REVOKE, BEGUN]).pivoted, true);
  });
});

describe('issue and reconcile', () => {
  test('an intent without an outcome is ambiguous: the list is asked, after the settling time', () => {
    const state = after(START, [BEGUN]);
    assert.deepEqual(decide(state, at(0), POLICY), { kind: 'note', event: { on: 'issue-ambiguous' } });
    const waiting = evolve(state, { on: 'issue-ambiguous' }, at(0), POLICY);
    assert.equal(waiting.step, 'reconcile');
    assert.deepEqual(decide(waiting, at(0), POLICY), { kind: 'wait', ms: POLICY.settleMs });
    assert.deepEqual(effectOf(decide(waiting, at(POLICY.settleMs), POLICY)), { do: 'list' });
  });

  test('a restart never shortens the settling time', () => {
    const waiting = evolve(after(START, [BEGUN]), { on: 'issue-ambiguous' }, at(500_000), POLICY);
    assert.deepEqual(decide(waiting, at(0, 2), POLICY), { kind: 'wait', ms: POLICY.settleMs });
    assert.deepEqual(decide(waiting, at(4_000, 2), POLICY), { kind: 'wait', ms: POLICY.settleMs - 4_000 });
  });

  test('what was lost is deleted one by one and looked for again, then the next attempt begins', () => {
    let state = after(START, [BEGUN, { on: 'issue-ambiguous' }, { on: 'listed', orphans: ['a', 'b'] }]);
    assert.deepEqual(effectOf(decide(state, at(100_000), POLICY)), { do: 'discard', providerKeyId: 'a' });
    state = after(state, [BEGUN, { on: 'discarded' }]);
    assert.deepEqual([state.orphans, state.intent, state.discards], [['b'], false, 1]);
    state = after(state, [BEGUN, { on: 'discarded' }]);
    assert.deepEqual(effectOf(decide(state, at(100_000), POLICY)), { do: 'list' });
    state = after(state, [CLEAN]);
    assert.deepEqual([state.step, state.attempt, state.intent], ['issue', 2, false]);
  });

  test('a refusal takes the next attempt after a pause, a full quota looks for orphans first', () => {
    const refused = after(START, [BEGUN, { on: 'issue-refused', quotaFull: false }]);
    assert.deepEqual([refused.step, refused.attempt, refused.failures], ['issue', 2, 1]);
    assert.deepEqual(decide(refused, at(10_000), POLICY), { kind: 'wait', ms: POLICY.retryMinMs });
    assert.equal(after(START, [BEGUN, { on: 'issue-refused', quotaFull: true }]).step, 'reconcile');
  });

  test('a provider that never makes a key blocks the run, however it fails', () => {
    const failures: (readonly OverlapEvent[])[] = [
      [BEGUN, { on: 'issue-refused', quotaFull: false }],
      [BEGUN, { on: 'issue-ambiguous' }, CLEAN],
      [BEGUN, { on: 'issue-refused', quotaFull: true }, { on: 'list-impossible' }],
    ];
    for (const failure of failures) {
      const state = after(START, [...failure, ...failure, ...failure]);
      assert.equal(state.end, 'blocked');
      assert.equal(after(START, [...failure, ...failure]).end, null);
      const resumed = after(state, [{ on: 'resumed' }]);
      assert.deepEqual([resumed.end, resumed.failures, resumed.step], [null, 0, 'issue']);
    }
  });

  test('with nobody to ask for a key a person is told at once, and the next try is the same one', () => {
    const blocked = after(START, [BEGUN, { on: 'no-means' }]);
    assert.deepEqual([blocked.end, blocked.intent, blocked.reason], ['blocked', false, NO_ISSUER]);
    const resumed = after(blocked, [{ on: 'resumed' }]);
    assert.deepEqual(effectOf(decide(resumed, at(1_000_000), POLICY)), { do: 'issue', attempt: 1 });
  });

  test('a list that fails, or a delete that fails, is tried again', () => {
    const listing = after(START, [BEGUN, { on: 'issue-ambiguous' }]);
    assert.deepEqual([after(listing, [{ on: 'list-failed' }]).failures, listing.failures], [1, 0]);
    const state = after(listing, [{ on: 'listed', orphans: ['a'] }, BEGUN, { on: 'discard-failed' }]);
    assert.deepEqual([state.orphans, state.intent, state.failures, state.discards], [[], false, 1, 0]);
  });

  test('the brake lets only so many orphans be deleted, a person who resumes releases it once', () => {
    const many = { on: 'listed', orphans: ['a', 'b', 'c'] } as const;
    const once = [BEGUN, { on: 'discarded' }] as const;
    let state = after(START, [BEGUN, { on: 'issue-ambiguous' }, many]);
    assert.deepEqual(state.orphans, ['a', 'b']);
    state = after(state, [...once, ...once, { on: 'listed', orphans: ['c'] }]);
    assert.equal(state.end, 'blocked');
    state = after(state, [{ on: 'resumed' }, { on: 'listed', orphans: ['c'] }]);
    assert.deepEqual([state.end, state.orphans], [null, ['c']]);
  });
});

describe('verify', () => {
  test('acceptances count in a row only, refusals in all', () => {
    assert.equal(after(START, [...TO_VERIFY, ALIVE, DEAD, ALIVE]).step, 'verify');
    assert.equal(after(START, [...TO_VERIFY, ALIVE, UNKNOWN, ALIVE]).step, 'promote');
    assert.equal(after(START, [...TO_VERIFY, DEAD, ALIVE, DEAD]).step, 'verify');
    const dead = after(START, [...TO_VERIFY, DEAD, ALIVE, DEAD, DEAD]);
    assert.deepEqual([dead.step, dead.undoing, dead.target], ['confirm', DEAD_ON_ARRIVAL, 'fresh']);
  });

  test('two acceptances are apart', () => {
    const state = evolve(after(START, TO_VERIFY), ALIVE, at(50_000), POLICY);
    assert.deepEqual(decide(state, at(50_000), POLICY), { kind: 'wait', ms: POLICY.verifySpacingMs });
  });

  test('a key that can be neither confirmed nor refused blocks the run, and is never promoted', () => {
    const state = after(START, [...TO_VERIFY, UNKNOWN, UNKNOWN, UNKNOWN]);
    assert.deepEqual([state.end, state.promoted], ['blocked', false]);
  });

  test('a key that was dead on arrival is revoked and proven dead, then another one is issued', () => {
    const toProve = [...TO_VERIFY, DEAD, DEAD, DEAD, ALIVE, BEGUN, { on: 'revoke-called' } as const];
    const proving = after(START, toProve);
    assert.deepEqual([proving.step, proving.target, proving.pivoted], ['prove', 'fresh', false]);
    assert.deepEqual(effectOf(decide(proving, at(1_000_000), POLICY)), { do: 'probe', which: 'fresh' });
    const again = after(proving, [DEAD, DEAD, DEAD], 200_000);
    assert.deepEqual([again.step, again.attempt, again.fresh], ['issue', 2, null]);
    assert.deepEqual([again.target, again.undoing, again.alive, again.dead], ['old', null, 0, 0]);
  });

  test('after so many of them the rotation is aborted', () => {
    const events = [...TO_VERIFY, DEAD, DEAD, DEAD, ALIVE, BEGUN, { on: 'revoke-called' } as const, DEAD, DEAD, DEAD];
    const state = after(START, [...events, ...events, ...events, CLEAN]);
    assert.deepEqual([state.end, state.attempt, state.reason], ['aborted', 3, DEAD_ON_ARRIVAL]);
  });
});

describe('drain and cover', () => {
  const draining = after(START, TO_DRAIN);
  const seen = (known: boolean, inFlight: number, idleMs: number): OverlapEvent => ({
    on: 'observed',
    known,
    inFlight,
    idleMs,
  });

  test('it ends only when nothing is in flight and the version was quiet for long enough, and that is known', () => {
    assert.equal(after(draining, [seen(true, 0, 4999)]).step, 'drain');
    assert.equal(after(draining, [seen(true, 1, 5000)]).step, 'drain');
    assert.equal(after(draining, [seen(false, 0, 5000)]).step, 'drain');
    assert.equal(after(draining, [seen(true, 0, 5000)]).step, 'cover');
  });

  test('the next look is when it may be over, and at most a poll away', () => {
    const wait = (event: OverlapEvent) => decide(evolve(draining, event, at(90_000), POLICY), at(90_000), POLICY);
    assert.deepEqual(wait(seen(true, 0, 4600)), { kind: 'wait', ms: 400 });
    assert.deepEqual(wait(seen(true, 0, 100)), { kind: 'wait', ms: POLICY.drainPollMs });
    assert.deepEqual(wait(seen(true, 2, 4999)), { kind: 'wait', ms: POLICY.drainPollMs });
    assert.deepEqual(wait(seen(false, 0, 4999)), { kind: 'wait', ms: POLICY.drainPollMs });
  });

  test('when it takes too long that is noted once, and nobody is cut off', () => {
    const late = evolve(draining, seen(true, 1, 0), at(draining.since.mono + POLICY.drainMaxMs), POLICY);
    assert.deepEqual([late.overdue, late.step, late.end], [true, 'drain', null]);
    assert.equal(
      evolve(draining, seen(true, 1, 0), at(draining.since.mono + POLICY.drainMaxMs - 1), POLICY).overdue,
      false,
    );
  });

  test('no second copy, no further step', () => {
    const state = after(START, [...TO_COVER, { on: 'cover-failed' }]);
    assert.deepEqual([state.step, state.failures], ['cover', 1]);
    assert.equal(after(START, [...TO_COVER, { on: 'covered', by: 'none' }]).step, 'confirm');
  });
});
