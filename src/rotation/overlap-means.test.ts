// The overlap protocol where a person makes the new key, deletes the old one, or the provider replaces it and leaves the old one a grace: step by
// step. The way by API and random walks with all the means are in overlap.test.ts; what no single step shows is proven by the simulator.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  beginOverlap,
  beginRetirement,
  DEAD_ON_ARRIVAL,
  decide,
  evolve,
  type Means,
  type OverlapEvent,
  type OverlapState,
  type OverlapStep,
} from './overlap.ts';
import { EXPIRED, isCommitted } from './overlap-steps.ts';
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

const OTHER = { versionId: 'ver_other', providerKeyId: '' };
const POLICY: OverlapPolicy = {
  ...NARROW,
  awaitMaxMs: 100_000,
  removalPollMs: 15_000,
  removalMaxMs: 60_000,
};
const after = eventsUnder(POLICY);
const LOST = { on: 'issue-ambiguous' } as const;
const REFUSED = { on: 'issue-refused', quotaFull: false } as const;
const PROMOTED = { on: 'promoted' } as const;
const CALLED = { on: 'revoke-called' } as const;
const NO_LIST = { on: 'list-impossible' } as const;
const RESUMED = { on: 'resumed' } as const;
const SUPERSEDED = { on: 'superseded', reason: 'a backup was restored' } as const;

const BY_HAND: Means = { issue: 'person', revoke: 'person' };
const BROUGHT: Means = { issue: 'person', revoke: 'api' };
const GRACE: Means = { issue: 'grace', revoke: 'api' };

function begun(means: Means): OverlapState {
  return beginOverlap(OLD, at(0), means);
}

const WAY = [ALIVE, ALIVE, PROMOTED, QUIET, COVERED, ALIVE, BEGUN, CALLED, DEAD, DEAD, DEAD, NO_LIST] as const;
const TO_PROVE = WAY.slice(0, 8);
/** Refused in `verify` as often as it takes, with the old key as the control. */
const ON_ARRIVAL = [DEAD, DEAD, DEAD] as const;

function next(state: OverlapState, mono = 10_000_000): unknown {
  return effectOf(decide(state, at(mono), POLICY));
}

describe('the straight way', () => {
  const steps: readonly OverlapStep[] = [
    'verify',
    'verify',
    'promote',
    'drain',
    'cover',
    'confirm',
    'revoke',
    'revoke',
    'prove',
    'prove',
    'prove',
    'sweep',
  ];
  const ways: [string, Means, readonly OverlapEvent[]][] = [
    ['brought by a person, revoked by API', BROUGHT, [ISSUED]],
    ['brought and deleted by a person', BY_HAND, [ISSUED]],
    ['replaced with a grace', GRACE, [BEGUN, ISSUED]],
    ['replaced with a grace that nobody cuts short', { issue: 'grace', revoke: 'person' }, [BEGUN, ISSUED]],
  ];
  for (const [what, means, first] of ways) {
    test(`${what}: step by step to rotated`, () => {
      const start = begun(means);
      assert.equal(start.step, means.issue === 'person' ? 'await' : 'issue');
      WAY.forEach((_, n) => {
        assert.equal(after(start, [...first, ...WAY.slice(0, n)]).step, steps[n], `before ${WAY[n]?.on}`);
      });
      const end = after(start, [...first, ...WAY]);
      assert.deepEqual([end.end, end.reason, end.fresh, end.promoted], ['rotated', null, FRESH, true]);
    });
  }

  test('a key without a label of ours is never looked for in a list: neither after a lost answer nor at the end', () => {
    const sweeping = after(begun(BROUGHT), [ISSUED, ...WAY.slice(0, -1)]);
    assert.deepEqual(decide(sweeping, at(0), POLICY), { kind: 'note', event: NO_LIST });
    const lost = after(begun(GRACE), [BEGUN, LOST]);
    assert.deepEqual(decide(lost, at(1_000_000), POLICY), { kind: 'note', event: NO_LIST });
  });

  test('a retirement may leave the deletion to a person, and lists nothing of a person', () => {
    const state = beginRetirement(OLD, FRESH, at(0), 'person');
    assert.deepEqual([state.step, state.means], ['drain', { issue: 'api', revoke: 'person' }]);
    const watching = after(state, [QUIET, COVERED, ALIVE, BEGUN, CALLED]);
    assert.deepEqual([after(watching, [ALIVE]).step, after(watching, [DEAD, DEAD, DEAD]).step], ['prove', 'sweep']);
  });
});

describe('await', () => {
  const waiting = begun(BROUGHT);

  test('it asks for nothing and waits, up to its deadline', () => {
    assert.deepEqual(decide(waiting, at(0), POLICY), { kind: 'wait', ms: 100_000 });
    assert.deepEqual(decide(waiting, at(99_999), POLICY), { kind: 'wait', ms: 1 });
    assert.deepEqual(decide(waiting, at(100_000), POLICY), { kind: 'note', event: { on: 'expired' } });
  });

  test('a restart never cuts it short, and a process that was overtaken sees no time pass', () => {
    const late = beginOverlap(OLD, at(900_000, 3), BROUGHT);
    assert.deepEqual(decide(late, at(5, 4), POLICY), { kind: 'wait', ms: 99_995 });
    assert.deepEqual(decide(late, at(100_000, 4), POLICY), { kind: 'note', event: { on: 'expired' } });
    assert.deepEqual(decide(late, at(5_000_000, 2), POLICY), { kind: 'wait', ms: 100_000 });
  });

  test('when nobody comes it ends aborted, with its reason, and the old key as it was', () => {
    const end = after(waiting, [{ on: 'expired' }]);
    assert.deepEqual([end.end, end.reason, end.fresh, end.pivoted], ['aborted', EXPIRED, null, false]);
  });

  test('a key that is brought is verified like any other, whether or not its id is known', () => {
    assert.deepEqual(next(after(waiting, [ISSUED])), { do: 'probe', which: 'fresh' });
    assert.deepEqual(after(waiting, [{ on: 'issued', ...OTHER }]).fresh, OTHER);
  });

  test('what is brought too late, or twice, changes nothing', () => {
    const verifying = after(waiting, [ISSUED]);
    assert.equal(after(verifying, [{ on: 'issued', ...OTHER }]), verifying);
    const ended = after(waiting, [{ on: 'expired' }]);
    assert.equal(after(ended, [ISSUED]), ended);
  });

  test('a key that is not taken changes nothing, nor does anything else that is no answer', () => {
    for (const event of [{ on: 'key-refused' } as const, ALIVE, DEAD, LOST, REFUSED, CALLED, RESUMED])
      assert.equal(after(waiting, [event]), waiting, event.on);
  });

  test('a cancel ends it at once, a restored backup too', () => {
    const cancelled = after(waiting, [CANCELLED, NO_LIST]);
    assert.deepEqual([cancelled.end, cancelled.reason], ['aborted', CANCELLED.reason]);
    assert.equal(after(waiting, [SUPERSEDED]).end, 'aborted');
  });
});

describe('a brought key that was dead on arrival', () => {
  for (const [means, cleared] of [
    [BROUGHT, 'by API'],
    [BY_HAND, 'by the person'],
  ] as const) {
    test(`the old key is confirmed, the new one goes ${cleared} and is proven dead, and another one is awaited`, () => {
      const undoing = after(begun(means), [ISSUED, ...ON_ARRIVAL]);
      assert.deepEqual([undoing.step, undoing.undoing, undoing.target], ['confirm', DEAD_ON_ARRIVAL, 'fresh']);
      assert.deepEqual(next(undoing), { do: 'probe', which: 'old' });
      const revoking = evolve(undoing, ALIVE, at(10_000_000), POLICY);
      assert.deepEqual(next(revoking), { do: 'revoke', which: 'fresh' });
      const again = after(revoking, [BEGUN, CALLED, DEAD, DEAD, DEAD], 20_000_000);
      assert.deepEqual([again.step, again.attempt, again.fresh], ['await', 2, null]);
      assert.deepEqual([again.target, again.undoing, again.pivoted], ['old', null, false]);
      // Its deadline begins when it is asked for again.
      assert.deepEqual(decide(again, again.since, POLICY), { kind: 'wait', ms: 100_000 });
      assert.equal(after(again, [{ on: 'issued', ...OTHER }, ...WAY]).end, 'rotated');
    });
  }

  test('after so many of them the rotation is aborted', () => {
    const once = [ISSUED, ...ON_ARRIVAL, ALIVE, BEGUN, CALLED, DEAD, DEAD, DEAD] as const;
    const end = after(begun(BROUGHT), [...once, ...once, ...once, NO_LIST]);
    assert.deepEqual([end.end, end.attempt, end.reason], ['aborted', 3, DEAD_ON_ARRIVAL]);
  });

  test('a cancel meanwhile means that no other one is awaited', () => {
    const end = after(begun(BROUGHT), [
      ISSUED,
      ...ON_ARRIVAL,
      CANCELLED,
      ALIVE,
      BEGUN,
      CALLED,
      DEAD,
      DEAD,
      DEAD,
      NO_LIST,
    ]);
    assert.deepEqual([end.end, end.attempt, end.reason], ['aborted', 1, CANCELLED.reason]);
  });
});

describe('a hard cut: the old key is dead when the new one comes', () => {
  test('it goes straight on, with the new key as the control of the proof', () => {
    const proving = after(begun(BY_HAND), [ISSUED, ...TO_PROVE]);
    assert.deepEqual(next(proving), { do: 'probe', which: 'old' });
    const end = after(proving, [DEAD, DEAD, DEAD, NO_LIST]);
    assert.deepEqual([end.end, end.failures], ['rotated', 0]);
  });

  test('a cancel finds nothing to go back to: a person is asked, and then it goes forward', () => {
    const stuck = after(begun(BY_HAND), [ISSUED, CANCELLED, DEAD, DEAD, DEAD]);
    assert.deepEqual([stuck.end, stuck.fresh], ['blocked', FRESH]);
    const forward = after(stuck, [RESUMED]);
    assert.deepEqual([forward.step, forward.target, forward.undoing, forward.end], ['verify', 'old', null, null]);
    assert.equal(after(forward, WAY).end, 'rotated');
  });

  test('a cut key may be accepted until that has spread: undoing trusts no acceptance before', () => {
    for (const way of [[ISSUED], [ISSUED, ALIVE, ALIVE, PROMOTED]]) {
      const undoing = after(begun(BY_HAND), [...way, CANCELLED]);
      const from = undoing.since.mono;
      const { spacingMs } = POLICY.death;
      const lingering = evolve(undoing, ALIVE, at(from + 1), POLICY);
      assert.equal(lingering.step, 'confirm');
      assert.deepEqual(decide(lingering, at(from + 1), POLICY), { kind: 'wait', ms: spacingMs - 1 });
      const sure = evolve(lingering, ALIVE, at(from + spacingMs), POLICY);
      assert.equal(sure.step, undoing.promoted ? 'demote' : 'revoke');
      // A key that nobody cut is asked once.
      const replaced = { ...undoing, means: { issue: 'api', revoke: 'api' } as const };
      assert.equal(evolve(replaced, ALIVE, at(from), POLICY).step, sure.step);
    }
  });

  test('a new key that is no good cannot be told from an outage: it is asked about so often, then a person is', () => {
    let state = after(begun(BY_HAND), [ISSUED, UNKNOWN, UNKNOWN, UNKNOWN]);
    assert.deepEqual([state.end, state.step, state.promoted], ['blocked', 'verify', false]);
    state = after(state, [RESUMED, UNKNOWN, UNKNOWN, UNKNOWN]);
    assert.equal(state.end, 'blocked');
    // The way out: this run ends where it stands, the next one waits for a better key.
    assert.equal(after(state, [SUPERSEDED]).end, 'aborted');
  });
});

describe('the old key is for a person to delete', () => {
  const watching = after(begun(BY_HAND), [ISSUED, ...TO_PROVE]);
  const from = watching.since.mono;

  test('nobody is called twice: while it works it is looked at now and then', () => {
    const seen = evolve(watching, ALIVE, at(from + 1), POLICY);
    assert.deepEqual([seen.step, seen.revokes, seen.end], ['prove', 1, null]);
    assert.deepEqual(decide(seen, at(from + 1), POLICY), { kind: 'wait', ms: POLICY.removalPollMs });
    assert.deepEqual(effectOf(decide(seen, at(from + 1 + POLICY.removalPollMs), POLICY)), {
      do: 'probe',
      which: 'old',
    });
  });

  test('removed early: three refusals, as always, and never fewer for a person’s word', () => {
    assert.equal(after(watching, [DEAD, DEAD], from).end, null);
    assert.equal(after(watching, [DEAD, DEAD, DEAD, NO_LIST], from).end, 'rotated');
    assert.equal(after(watching, [DEAD, DEAD, ALIVE, DEAD, NO_LIST], from).end, null);
  });

  test('removed late: blocked when its time is over, a resume begins it anew, and then it is proven', () => {
    const early = evolve(watching, ALIVE, at(from + POLICY.removalMaxMs - 1), POLICY);
    assert.equal(early.end, null);
    const blocked = evolve(early, ALIVE, at(from + POLICY.removalMaxMs), POLICY);
    assert.deepEqual([blocked.end, blocked.step], ['blocked', 'prove']);
    assert.match(blocked.reason ?? '', /nobody has deleted/);
    const resumed = evolve(blocked, RESUMED, at(from + 500_000), POLICY);
    const again = evolve(resumed, ALIVE, at(from + 500_000 + POLICY.removalMaxMs - 1), POLICY);
    assert.deepEqual([resumed.end, again.end], [null, null]);
    assert.equal(after(again, [DEAD, DEAD, DEAD, NO_LIST], from + 600_000).end, 'rotated');
  });

  test('never removed: blocked each time, and never said to be rotated', () => {
    let state = watching;
    for (let round = 1; round <= 5; round++) {
      const now = at(from + round * 1_000_000);
      state = evolve(evolve(state, RESUMED, now, POLICY), ALIVE, at(now.mono + POLICY.removalMaxMs), POLICY);
      assert.equal(state.end, 'blocked');
    }
  });

  test('a restart gives it more time, never less', () => {
    assert.equal(evolve(watching, ALIVE, at(POLICY.removalMaxMs - 1, 2), POLICY).end, null);
    assert.equal(evolve(watching, ALIVE, at(POLICY.removalMaxMs, 2), POLICY).end, 'blocked');
  });

  test('a cancel is too late: somebody may be deleting it right now', () => {
    assert.equal(after(watching, [CANCELLED]), watching);
  });

  test('a cancel in time asks for the new key to be deleted, and watches that', () => {
    const undone = after(begun(BY_HAND), [ISSUED, CANCELLED, ALIVE, BEGUN, CALLED]);
    assert.deepEqual([undone.step, undone.target, after(undone, [ALIVE]).step], ['prove', 'fresh', 'prove']);
    assert.deepEqual([after(undone, [DEAD, DEAD, DEAD, NO_LIST]).end], ['aborted']);
  });
});

describe('replaced with a grace', () => {
  const start = begun(GRACE);

  test('the first call that may have got through is the point of no return', () => {
    assert.equal(isCommitted(start), false);
    const ways: OverlapEvent[][] = [[BEGUN], [BEGUN, LOST], [BEGUN, ISSUED], [BEGUN, LOST, NO_LIST, BEGUN, REFUSED]];
    for (const events of ways) {
      const state = after(start, events);
      assert.equal(isCommitted(state), true, `${events.at(-1)?.on}`);
      assert.equal(after(state, [CANCELLED]), state);
    }
    const refused = after(start, [BEGUN, REFUSED]);
    assert.deepEqual([isCommitted(refused), after(refused, [CANCELLED, NO_LIST]).end], [false, 'aborted']);
    const full = after(start, [BEGUN, { on: 'issue-refused', quotaFull: true }]);
    assert.deepEqual([full.step, isCommitted(full)], ['reconcile', false]);
  });

  test('a lost answer is followed by another replacement, when the first can no longer arrive', () => {
    const lost = evolve(after(start, [BEGUN]), LOST, at(0), POLICY);
    assert.deepEqual(decide(lost, at(0), POLICY), { kind: 'wait', ms: POLICY.settleMs });
    const again = after(lost, [NO_LIST], 50_000);
    assert.deepEqual([again.step, again.attempt, again.committed], ['issue', 2, true]);
    assert.deepEqual(next(again), { do: 'issue', attempt: 2 });
    assert.equal(after(again, [BEGUN, ISSUED, ...WAY]).end, 'rotated');
  });

  test('a crash in the middle of the call is a lost answer', () => {
    assert.deepEqual(decide(after(start, [BEGUN]), at(0, 2), POLICY), { kind: 'note', event: LOST });
  });

  test('dead on arrival: nothing is revoked; it is proven dead, and replaced again', () => {
    const doubted = after(start, [BEGUN, ISSUED, ...ON_ARRIVAL]);
    assert.deepEqual([doubted.step, doubted.target, doubted.revokes], ['prove', 'fresh', 0]);
    assert.deepEqual(next(doubted), { do: 'probe', which: 'fresh' });
    const again = after(doubted, [DEAD, DEAD, DEAD]);
    assert.deepEqual([again.step, again.attempt, again.fresh, again.committed], ['issue', 2, null, true]);
    assert.equal(after(again, [BEGUN, { on: 'issued', ...OTHER }, ...WAY]).end, 'rotated');
  });

  test('it only looked dead: it is the key in force, and is verified again', () => {
    const again = after(start, [BEGUN, ISSUED, ...ON_ARRIVAL, DEAD, ALIVE]);
    assert.deepEqual([again.step, again.target, again.undoing, again.fresh], ['verify', 'old', null, FRESH]);
    assert.deepEqual([again.alive, again.dead], [0, 0]);
  });

  test('each new key dead on arrival: blocked and not aborted; whoever resumes asks for one more', () => {
    const once = [BEGUN, ISSUED, ...ON_ARRIVAL, DEAD, DEAD, DEAD] as const;
    let state = after(start, [...once, ...once, ...once]);
    assert.deepEqual([state.end, state.step, state.fresh], ['blocked', 'issue', null]);
    state = after(state, [RESUMED]);
    assert.deepEqual([state.end, next(state)], [null, { do: 'issue', attempt: 4 }]);
    state = after(state, once);
    assert.equal(state.end, 'blocked', 'one for each resume');
    assert.equal(after(state, [RESUMED, BEGUN, ISSUED, ...WAY]).end, 'rotated');
  });

  test('a provider that never answers blocks the run, however often it is resumed', () => {
    const once = [BEGUN, LOST, NO_LIST] as const;
    const blocked = after(start, [...once, ...once, ...once]);
    assert.deepEqual([blocked.end, blocked.committed], ['blocked', true]);
    assert.equal(after(blocked, [RESUMED, ...once, ...once, ...once]).end, 'blocked');
  });

  test('a new key that died later: the old one ends with its grace, a person is asked', () => {
    const dying = after(start, [BEGUN, ISSUED, ...WAY.slice(0, 5), DEAD, DEAD, DEAD]);
    assert.deepEqual([dying.end, dying.step, dying.target, dying.promoted], ['blocked', 'confirm', 'old', true]);
    assert.equal(after(dying, [RESUMED, ALIVE]).step, 'revoke', 'it works again');
    assert.equal(after(dying, [RESUMED, DEAD]).end, 'blocked');
    assert.equal(after(dying, [SUPERSEDED]).end, 'aborted');
  });
});
