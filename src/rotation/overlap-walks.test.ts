// The overlap protocol as a whole: runs in which the world answers as it likes, with each of the means.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  beginOverlap,
  decide,
  evolve,
  type Means,
  OVERLAP_STEPS,
  type OverlapEffect,
  type OverlapEvent,
  type OverlapState,
} from './overlap.ts';
import {
  ALIVE,
  after,
  at,
  BEGUN,
  CANCELLED,
  CLEAN,
  COVERED,
  DEAD,
  ISSUED,
  OLD,
  POLICY,
  QUIET,
  UNKNOWN,
} from './test-support.ts';

describe('as a whole', () => {
  const OUTCOMES: Readonly<Record<OverlapEffect['do'], readonly OverlapEvent[]>> = {
    issue: [
      ISSUED,
      ISSUED,
      { on: 'issue-ambiguous' },
      ...[true, false].map((quotaFull) => ({ on: 'issue-refused' as const, quotaFull })),
      { on: 'no-means' },
    ],
    list: [CLEAN, CLEAN, { on: 'listed', orphans: ['a', 'b'] }, { on: 'list-failed' }, { on: 'list-impossible' }],
    discard: [{ on: 'discarded' }, { on: 'discard-failed' }],
    probe: [ALIVE, DEAD, UNKNOWN],
    observe: [QUIET, { on: 'observed', known: true, inFlight: 1, idleMs: 0 }],
    cover: [COVERED, { on: 'covered', by: 'none' }, { on: 'cover-failed' }],
    revoke: [...Array.from({ length: 6 }, () => ({ on: 'revoke-called' as const })), { on: 'no-means' }],
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
