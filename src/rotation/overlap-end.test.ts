// The end of the overlap protocol and what may come at any step: the confirmation, the revocation and its proof, failures, commands.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { beginRetirement, decide, evolve, type OverlapEvent, type OverlapStep, voidOnRead } from './overlap.ts';
import {
  ALIVE,
  after,
  at,
  BEGUN,
  CANCELLED,
  CLEAN,
  COVERED,
  DEAD,
  effectOf,
  FRESH,
  ISSUED,
  OLD,
  POLICY,
  QUIET,
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

  test('with nothing to call with any more it is for a person to end the key, and what was called before may have ended it', () => {
    const policy = { ...POLICY, removalPollMs: 1_000, removalMaxMs: 100_000 };
    const without = after(START, [...TO_REVOKE, BEGUN, { on: 'no-means' }]);
    assert.deepEqual([without.step, without.end, without.means.revoke, without.revokes], ['prove', null, 'person', 0]);
    const dead = after(without, [DEAD, DEAD, DEAD, CLEAN]);
    assert.equal(dead.end, 'rotated');
    const now = without.since.mono;
    const waiting = evolve(without, ALIVE, at(now), policy);
    assert.deepEqual([waiting.step, waiting.end], ['prove', null], 'the person has time');
    const over = evolve(waiting, ALIVE, at(now + 100_000), policy);
    assert.equal(over.end, 'blocked');
    assert.match(over.reason ?? '', /nobody has deleted it/);
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
