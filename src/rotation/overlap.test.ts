// The overlap protocol, step by step: the straight way, every way off it and back, and that it is total. What no single step shows
// is proven by the simulator (tools/simulator).
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  beginOverlap,
  beginRetirement,
  DEAD_ON_ARRIVAL,
  decide,
  evolve,
  type Means,
  OVERLAP_STEPS,
  type OverlapEffect,
  type OverlapEvent,
  type OverlapState,
  type OverlapStep,
  voidOnRead,
} from './overlap.ts';
import type { OverlapPolicy } from './policy.ts';
import {
  ALIVE,
  at,
  BEGUN,
  CANCELLED,
  COVERED,
  DEAD,
  effectOf,
  eventsUnder,
  FRESH,
  ISSUED,
  NARROW,
  OLD,
  QUIET,
  UNKNOWN,
} from './test-support.ts';

const POLICY: OverlapPolicy = { ...NARROW, discardsMax: 2 };
const after = eventsUnder(POLICY);
const CLEAN = { on: 'listed', orphans: [] } as const;
const START = beginOverlap(OLD, at(0));
const TO_VERIFY = [BEGUN, ISSUED];
const TO_PROMOTE = [...TO_VERIFY, ALIVE, ALIVE];
const TO_DRAIN = [...TO_PROMOTE, { on: 'promoted' } as const];
const TO_COVER = [...TO_DRAIN, QUIET];
const TO_CONFIRM = [...TO_COVER, COVERED];
const TO_REVOKE = [...TO_CONFIRM, ALIVE];
const TO_PROVE = [...TO_REVOKE, BEGUN, { on: 'revoke-called' } as const];
const TO_SWEEP = [...TO_PROVE, DEAD, DEAD, DEAD];

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

describe('the confirmation before a key is revoked', () => {
  const revoking = after(START, TO_REVOKE);
  const confirmedAt = revoking.since.mono;

  test('it lapses with a restart, and with a minute: the drain begins again', () => {
    assert.equal(decide(revoking, at(confirmedAt + 60_000), POLICY).kind, 'act');
    const lapsed = { kind: 'note', event: { on: 'lapsed' } };
    assert.deepEqual(decide(revoking, at(confirmedAt + 60_001), POLICY), lapsed);
    assert.deepEqual(decide(revoking, at(0, 2), POLICY), lapsed);
    assert.equal(evolve(revoking, { on: 'lapsed' }, at(0, 2), POLICY).step, 'drain');
  });

  test('after the pivot the call is repeated without asking again', () => {
    assert.deepEqual(effectOf(decide(after(revoking, [BEGUN], confirmedAt), at(0, 2), POLICY)), {
      do: 'revoke',
      which: 'old',
    });
  });

  test('a new key that died is taken back: the old one is confirmed, made current again, and drained of the new one', () => {
    const dying = after(START, [...TO_CONFIRM, DEAD, DEAD, DEAD]);
    assert.deepEqual([dying.step, dying.target, dying.promoted], ['confirm', 'fresh', true]);
    assert.deepEqual(effectOf(decide(dying, at(1_000_000), POLICY)), { do: 'probe', which: 'old' });
    const demoting = after(dying, [ALIVE]);
    assert.deepEqual(decide(demoting, at(0), POLICY), { kind: 'note', event: { on: 'demoted' } });
    const draining = after(demoting, [{ on: 'demoted' }]);
    assert.deepEqual([draining.step, draining.promoted, draining.target], ['drain', false, 'fresh']);
    assert.deepEqual(effectOf(decide(draining, at(1_000_000), POLICY)), { do: 'observe', which: 'fresh' });
    const again = after(draining, [QUIET]);
    assert.deepEqual(
      [again.step, effectOf(decide(again, at(1_000_000), POLICY))],
      ['confirm', { do: 'probe', which: 'old' }],
    );
    assert.equal(after(again, [ALIVE]).step, 'revoke');
  });

  test('with a dead old key there is nothing to go back to: a person is asked, and then it goes forward', () => {
    const stuck = after(START, [...TO_DRAIN, CANCELLED, DEAD, DEAD, DEAD]);
    assert.deepEqual([stuck.end, stuck.promoted], ['blocked', true]);
    const forward = after(stuck, [{ on: 'resumed' }]);
    assert.deepEqual([forward.step, forward.target, forward.undoing, forward.end], ['drain', 'old', null, null]);
    const unpromoted = after(START, [...TO_VERIFY, CANCELLED, DEAD, DEAD, DEAD, { on: 'resumed' }]);
    assert.deepEqual([unpromoted.step, unpromoted.target, unpromoted.undoing], ['verify', 'old', null]);
  });

  test('an old key that only cannot be told is asked for again', () => {
    const stuck = after(START, [...TO_DRAIN, CANCELLED, UNKNOWN, UNKNOWN, UNKNOWN]);
    assert.equal(stuck.end, 'blocked');
    const resumed = after(stuck, [{ on: 'resumed' }]);
    assert.deepEqual([resumed.step, resumed.undoing], ['confirm', CANCELLED.reason]);
  });

  test('the confirmation of the old key lapses as well', () => {
    const undoing = after(START, [...TO_VERIFY, CANCELLED, ALIVE]);
    assert.deepEqual(decide(undoing, at(0, 2), POLICY), { kind: 'note', event: { on: 'lapsed' } });
    assert.equal(evolve(undoing, { on: 'lapsed' }, at(0, 2), POLICY).step, 'confirm');
    const begun = after(undoing, [BEGUN]);
    assert.deepEqual(effectOf(decide(begun, at(0, 2), POLICY)), { do: 'revoke', which: 'fresh' });
  });
});

describe('prove', () => {
  const proving = after(START, TO_PROVE);

  test('refusals are spaced, and one acceptance calls for another revocation', () => {
    const once = evolve(proving, DEAD, at(500_000), POLICY);
    assert.deepEqual(decide(once, at(500_000), POLICY), { kind: 'wait', ms: POLICY.death.spacingMs });
    const alive = evolve(once, ALIVE, at(510_000), POLICY);
    assert.deepEqual([alive.step, alive.death.refusals, alive.revokes], ['revoke', 0, 1]);
    assert.equal(decide(alive, at(510_000), POLICY).kind, 'wait');
  });

  test('after so many calls that did nothing the run is blocked, and a person may let it go on', () => {
    const call = [BEGUN, { on: 'revoke-called' } as const];
    const blocked = after(proving, [ALIVE, ...call, ALIVE]);
    assert.deepEqual([blocked.end, blocked.revokes], ['blocked', 2]);
    const resumed = after(blocked, [{ on: 'resumed' }]);
    assert.deepEqual([resumed.end, resumed.step, resumed.revokes], [null, 'prove', 0]);
    assert.equal(after(resumed, [ALIVE]).step, 'revoke');
  });

  test('what cannot be told is no proof and no disproof', () => {
    const state = after(proving, [DEAD, UNKNOWN]);
    assert.deepEqual([state.death.refusals, state.failures], [1, 1]);
    assert.equal(after(proving, [UNKNOWN, UNKNOWN, UNKNOWN]).end, 'blocked');
  });

  test('evidence of before the row was read is void: an acceptance may have been seen and lost', () => {
    assert.equal(voidOnRead(proving), null);
    const once = after(proving, [DEAD]);
    assert.deepEqual(voidOnRead(once), { on: 'lapsed' });
    assert.equal(after(once, [{ on: 'lapsed' }]).death.refusals, 0);
  });
});

describe('failures', () => {
  const ways: [string, readonly OverlapEvent[], OverlapEvent, OverlapEvent][] = [
    ['issue', [BEGUN], { on: 'issue-refused', quotaFull: false }, ISSUED],
    [
      'reconcile',
      [BEGUN, { on: 'issue-ambiguous' }, { on: 'listed', orphans: ['a'] }],
      { on: 'list-failed' },
      { on: 'discarded' },
    ],
    ['verify', TO_VERIFY, UNKNOWN, ALIVE],
    ['cover', TO_COVER, { on: 'cover-failed' }, COVERED],
    ['confirm', TO_CONFIRM, UNKNOWN, DEAD],
    ['confirm, to the end', TO_CONFIRM, UNKNOWN, ALIVE],
    ['prove', TO_PROVE, UNKNOWN, DEAD],
    ['prove, and again', TO_PROVE, UNKNOWN, ALIVE],
    ['sweep', TO_SWEEP, { on: 'list-failed' }, CLEAN],
  ];
  for (const [step, events, failure, success] of ways) {
    test(`of ${step} are counted in a row: a success ends the row`, () => {
      const failed = after(START, [...events, failure]);
      assert.ok(failed.failures === 1 && !failed.intent);
      assert.equal(after(failed, [success]).failures === 0 || success === CLEAN, true);
      assert.equal(after(START, [...events, failure, failure]).end, null);
      const blocked = after(START, [...events, failure, failure, failure]);
      assert.deepEqual([blocked.end, blocked.intent, typeof blocked.reason], ['blocked', false, 'string']);
      const resumed = after(blocked, [{ on: 'resumed' }]);
      assert.deepEqual([resumed.end, resumed.reason, resumed.failures, resumed.pause], [null, null, 0, null]);
    });
  }

  test('they are paused for, twice as long each time, up to a limit', () => {
    const policy = { ...POLICY, failuresMax: 100, retryMinMs: 50, retryMaxMs: 1000 };
    let state = after(START, TO_COVER);
    const pauses: number[] = [];
    for (let tries = 0; tries < 7; tries++) {
      state = evolve(state, { on: 'cover-failed' }, at(0), policy);
      pauses.push(state.pause?.ms ?? 0);
    }
    assert.deepEqual(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
  });

  test('a revocation that did nothing is repeated after a pause, twice as long each time', () => {
    const policy = { ...POLICY, revokesMax: 100, retryMinMs: 50, retryMaxMs: 1000 };
    let state = after(START, TO_PROVE);
    const pauses: number[] = [];
    for (let tries = 0; tries < 6; tries++) {
      state = evolve(state, ALIVE, at(0), policy);
      pauses.push(state.pause?.ms ?? 0);
      for (const event of [BEGUN, { on: 'revoke-called' } as const]) state = evolve(state, event, at(0), policy);
    }
    assert.deepEqual(pauses, [100, 200, 400, 800, 1000, 1000]);
  });
});

describe('commands', () => {
  test('a cancel before the pivot undoes the run from wherever it stands', () => {
    const ways: [readonly OverlapEvent[], OverlapStep][] = [
      [[], 'sweep'],
      [[BEGUN], 'sweep'],
      [[BEGUN, { on: 'issue-ambiguous' }], 'sweep'],
      [TO_VERIFY, 'confirm'],
      [TO_PROMOTE, 'confirm'],
      [TO_DRAIN, 'confirm'],
      [TO_COVER, 'confirm'],
      [TO_CONFIRM, 'confirm'],
      [TO_REVOKE, 'confirm'],
    ];
    for (const [events, step] of ways) {
      const state = after(START, [...events, CANCELLED]);
      assert.deepEqual([state.step, state.undoing, state.intent], [step, CANCELLED.reason, false]);
    }
  });

  test('an undone run ends aborted, with its reason', () => {
    const tail = [ALIVE, BEGUN, { on: 'revoke-called' } as const, DEAD, DEAD, DEAD, CLEAN];
    const early = after(START, [...TO_VERIFY, CANCELLED, ...tail]);
    assert.deepEqual([early.end, early.reason], ['aborted', CANCELLED.reason]);
    const late = after(START, [...TO_DRAIN, CANCELLED, ALIVE, { on: 'demoted' }, QUIET, ...tail]);
    assert.deepEqual([late.end, late.reason, late.promoted], ['aborted', CANCELLED.reason, false]);
  });

  test('after the pivot a cancel changes nothing', () => {
    for (const events of [[...TO_REVOKE, BEGUN], TO_PROVE, TO_SWEEP]) {
      const state = after(START, events);
      assert.equal(evolve(state, CANCELLED, at(0), POLICY), state);
    }
  });

  test('a cancel while a dead key is cleared away means that no other one is issued', () => {
    const undoing = after(START, [...TO_VERIFY, DEAD, DEAD, DEAD, CANCELLED]);
    assert.equal(undoing.undoing, CANCELLED.reason);
    const end = after(undoing, [ALIVE, BEGUN, { on: 'revoke-called' }, DEAD, DEAD, DEAD, CLEAN]);
    assert.deepEqual([end.end, end.attempt], ['aborted', 1]);
  });

  test('a second cancel does not change the first reason', () => {
    const state = after(START, [...TO_VERIFY, CANCELLED]);
    assert.equal(evolve(state, { on: 'cancelled', reason: 'another' }, at(0), POLICY), state);
  });

  test('resumed is for blocked runs only', () => {
    for (const events of [[], TO_DRAIN, [...TO_SWEEP, CLEAN]]) {
      const state = after(START, events);
      assert.equal(evolve(state, { on: 'resumed' }, at(0), POLICY), state);
    }
  });

  test('a restored backup ends a run, also a blocked one, but never one that has ended', () => {
    const superseded = { on: 'superseded', reason: 'a backup was restored' } as const;
    const blocked = after(START, [...TO_VERIFY, UNKNOWN, UNKNOWN, UNKNOWN]);
    for (const state of [START, after(START, TO_PROVE), blocked]) {
      const ended = evolve(state, superseded, at(0), POLICY);
      assert.deepEqual([ended.end, ended.reason], ['aborted', superseded.reason]);
    }
    const rotated = after(START, [...TO_SWEEP, CLEAN]);
    assert.equal(evolve(rotated, superseded, at(0), POLICY), rotated);
  });

  test('a retirement begins with the drain of the version that was replaced', () => {
    const state = beginRetirement(OLD, FRESH, at(0));
    assert.deepEqual([state.step, state.old, state.fresh, state.promoted], ['drain', OLD, FRESH, true]);
    const end = after(state, [QUIET, COVERED, ALIVE, BEGUN, { on: 'revoke-called' }, DEAD, DEAD, DEAD, CLEAN]);
    assert.equal(end.end, 'rotated');
  });
});

describe('as a whole', () => {
  const OUTCOMES: Readonly<Record<OverlapEffect['do'], readonly OverlapEvent[]>> = {
    issue: [
      ISSUED,
      { on: 'issue-ambiguous' },
      ...[true, false].map((quotaFull) => ({ on: 'issue-refused' as const, quotaFull })),
    ],
    list: [CLEAN, CLEAN, { on: 'listed', orphans: ['a', 'b'] }, { on: 'list-failed' }, { on: 'list-impossible' }],
    discard: [{ on: 'discarded' }, { on: 'discard-failed' }],
    probe: [ALIVE, DEAD, UNKNOWN],
    observe: [QUIET, { on: 'observed', known: true, inFlight: 1, idleMs: 0 }],
    cover: [COVERED, { on: 'covered', by: 'none' }, { on: 'cover-failed' }],
    revoke: [{ on: 'revoke-called' }],
  };
  const MEANS: readonly Means[] = (['api', 'grace', 'person'] as const).flatMap((issue) =>
    (['api', 'person'] as const).map((revoke) => ({ issue, revoke })),
  );
  const SUPERSEDED = { on: 'superseded', reason: 'a backup was restored' } as const;
  interface Turn {
    readonly before: OverlapState;
    readonly event: OverlapEvent;
    readonly after: OverlapState;
    /** The effect whose outcome the event is, or null. */
    readonly asked: OverlapEffect | null;
  }

  /** A run in which the world answers as it likes: each number chooses an answer, and now and then a command, a key or a restart. */
  function walk(choices: readonly number[], means: Means): Turn[] {
    const turns: Turn[] = [];
    let state = beginOverlap(OLD, at(0), means);
    let now = at(0);
    const turn = (event: OverlapEvent, asked: OverlapEffect | null = null): void => {
      turns.push({ before: state, event, after: evolve(state, event, now, POLICY), asked });
      state = turns.at(-1)!.after;
    };
    for (const choice of choices) {
      now = at(now.mono + 1, now.boot);
      if (choice % 40 === 39) turn(CANCELLED);
      if (choice % 40 === 38) now = at(0, now.boot + 1);
      if (choice % 200 === 37) turn(SUPERSEDED);
      if (choice % 4 === 1 && state.step === 'await') turn({ ...ISSUED, versionId: `ver_${turns.length}` });
      if (state.end === 'blocked') turn({ on: 'resumed' });
      const decision = decide(state, now, POLICY);
      if (decision.kind === 'wait') now = at(now.mono + decision.ms, now.boot);
      if (decision.kind === 'note') turn(decision.event);
      if (decision.kind !== 'act') continue;
      if (decision.journalFirst) turn(BEGUN);
      const outcomes = OUTCOMES[decision.effect.do];
      turn(outcomes[choice % outcomes.length]!, decision.effect);
    }
    return turns;
  }
  const numbers = fc.array(fc.nat(1_000_000), { minLength: 10, maxLength: 120 });
  const walks = fc.tuple(numbers, fc.constantFrom(...MEANS)).map(([choices, means]) => walk(choices, means));

  function forEachTurn(check: (turn: Turn) => void): void {
    fc.assert(
      fc.property(walks, (turns) => turns.forEach(check)),
      { numRuns: 300 },
    );
  }

  test('every state has a next thing to do, whatever happened before', () => {
    fc.assert(
      fc.property(walks, fc.integer({ min: 1, max: 9 }), (turns, boot) => {
        for (const { after: state } of turns) {
          assert.ok(OVERLAP_STEPS.includes(state.step));
          const decision = decide(state, at(5, boot), POLICY);
          assert.equal(decision.kind === 'finished', state.end !== null);
          if (decision.kind === 'wait') assert.ok(decision.ms > 0 && Number.isFinite(decision.ms));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('no run passes its brakes, or is undone past the pivot', () => {
    forEachTurn(({ before, event, after: state }) => {
      assert.ok(state.revokes <= POLICY.revokesMax && state.discards <= POLICY.discardsMax);
      assert.ok(state.attempt >= before.attempt);
      if (state.end !== null) assert.ok(!state.intent && (state.end === 'rotated') === (state.reason === null));
      if (state.end === 'rotated') assert.ok(state.pivoted && state.promoted && state.undoing === null);
      if (event.on === 'superseded' || (before.end !== null && before.end !== 'blocked')) return;
      assert.ok(state.failures < POLICY.failuresMax || state.end === 'blocked');
      if (before.pivoted) assert.ok(state.pivoted && state.undoing === null && state.target === 'old');
      if (state.end === 'aborted') assert.ok(!state.pivoted && !state.promoted && state.undoing !== null);
    });
  });

  test('the old key is revoked only after the new one was promoted, the new one only while it is undone', () => {
    forEachTurn(({ before, asked }) => {
      if (asked?.do !== 'revoke') return;
      if (asked.which === 'old') assert.ok(before.promoted && before.pivoted);
      else assert.ok(!before.promoted && before.undoing !== null && !before.committed);
    });
  });

  test('what may have been replaced is never aborted, except by what supersedes it, and its new key never revoked', () => {
    forEachTurn(({ before, event, after: state }) => {
      if (!before.committed || event.on === 'superseded') return;
      assert.ok(state.committed && (state.end !== 'aborted' || before.end === 'aborted'));
      if (state.undoing !== null && state.end !== 'aborted')
        assert.deepEqual([state.step, state.target], ['prove', 'fresh']);
    });
  });

  test('a person’s rotation asks the provider for no key, and only keys with a label of ours are listed', () => {
    forEachTurn(({ before, asked }) => {
      if (before.means.issue === 'person') assert.ok(asked?.do !== 'issue');
      if (before.means.issue !== 'api') assert.ok(asked?.do !== 'list' && asked?.do !== 'discard');
    });
  });

  test('a new key gives way to another one only when it is proven dead', () => {
    forEachTurn(({ before, event, after: state }) => {
      if (before.fresh === null || state.fresh === before.fresh) return;
      assert.deepEqual([before.step, before.target, event], ['prove', 'fresh', DEAD]);
      assert.equal(before.death.refusals, POLICY.death.refusals - 1);
    });
  });

  test('walks come everywhere, with each of the means', () => {
    const seen = new Set<string>();
    for (const turns of fc.sample(walks, { numRuns: 6000, seed: 1 })) {
      for (const { after: state } of turns) {
        const { issue, revoke } = state.means;
        seen.add(state.step).add(`${issue}/${revoke} ${state.step}`).add(`${issue}/${revoke} ${state.end}`);
        seen.add(`${issue}/${revoke} ${state.step} ${state.target}`);
      }
    }
    for (const step of OVERLAP_STEPS) assert.ok(seen.has(step), step);
    for (const { issue, revoke } of MEANS) {
      const first = issue === 'person' ? ['await'] : ['issue', 'reconcile'];
      const undone = issue === 'grace' ? [] : ['confirm fresh', 'revoke fresh', 'demote'];
      const steps = ['verify', 'promote', 'drain', 'cover', 'confirm', 'revoke', 'prove old', 'prove fresh', 'sweep'];
      for (const what of [...first, ...undone, ...steps, 'rotated', 'aborted', 'blocked'])
        assert.ok(seen.has(`${issue}/${revoke} ${what}`), `${issue}/${revoke} ${what}`);
    }
  });

  test('a run that has ended is moved by nothing but a person or a restored backup', () => {
    const events: readonly OverlapEvent[] = [
      ...Object.values(OUTCOMES).flat(),
      BEGUN,
      CANCELLED,
      { on: 'lapsed' },
      { on: 'expired' },
      { on: 'key-refused' },
    ];
    fc.assert(
      fc.property(walks, fc.constantFrom(...events), (turns, event) => {
        for (const { after: state } of turns) {
          if (state.end === null) continue;
          assert.equal(evolve(state, event, at(1_000_000), POLICY), state);
          if (state.end !== 'blocked') assert.equal(after(state, [{ on: 'resumed' }, SUPERSEDED]), state);
        }
      }),
    );
  });

  test('a state is plain data: it is the same after a trip through JSON', () => {
    forEachTurn(({ after: state }) => {
      assert.deepEqual(JSON.parse(JSON.stringify(state)), state);
    });
  });
});
