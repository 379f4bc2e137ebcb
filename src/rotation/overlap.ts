// The overlap protocol: old and new key are both valid while the traffic moves over. A pure state machine: `evolve` is the only
// way its state changes, `decide` says what to do next. The state row is the truth; it is written after every change.
//
//   issue ─► verify ─► promote ─► drain ─► cover ─► confirm ─► revoke ─► prove ─► sweep ─► rotated
//     │ ▲       │ dead on arrival: undo, then issue again   ▲          ▲ └ alive: revoke again
//     ▼ │       └─ undo (before the pivot): confirm the old key, [demote ─► drain ─► confirm it again,]
//   reconcile      revoke the new key, prove, sweep ─► aborted
//                  the pivot is the first revoke call of the old key; after it, forward only
//
// Where a person makes the new key (means.issue `person`), `await` stands in the place of `issue` until it is brought; where a person deletes
// the old one (means.revoke `person`), `revoke` calls nobody and `prove` watches until it is gone. Where the provider replaces the key and leaves
// the old one a grace (`grace`), the first call that may have got through is a point of no return: then a lost answer, or a key that was dead on
// arrival, is answered by another replacement, never by going back.
//
// No key is revoked, forwards or backwards, unless the key that stays was accepted less than CONFIRMED_FOR_MS before, in this boot.
// Storing is part of `issued`: the shell commits the new version's envelope and the event in one transaction, so there is no
// state in which a key is known but its bytes are not. What a crash leaves behind: an `intent` without an outcome. For `issue` it means
// that a key may exist whose bytes are gone (reconcile finds it by its label and deletes it); for `revoke` and `discard` the call is repeated.
// Time is an Instant (model/instant.ts): no wait is ever cut short by a clock step or a restart.
import { NO_EVIDENCE, nextProbeMs } from '../credentials/death.ts';
import type { Decision, Protocol } from '../credentials/drive.ts';
import { elapsedMs, type Instant } from '../model/instant.ts';
import type { Held, Means, OverlapEffect, OverlapEvent, OverlapState } from './overlap-state.ts';
import {
  afterAwait,
  afterConfirm,
  afterDrain,
  afterIssue,
  afterList,
  afterProof,
  afterRevoke,
  afterVerify,
  DEAD_ON_ARRIVAL,
  enter,
  finish,
  firstStep,
  isCommitted,
  resume,
  retry,
  undo,
} from './overlap-steps.ts';
import type { OverlapPolicy } from './policy.ts';

export {
  type Held,
  type Means,
  OVERLAP_STEPS,
  type OverlapAnswer,
  type OverlapAsk,
  type OverlapEffect,
  type OverlapEvent,
  type OverlapState,
  type OverlapStep,
} from './overlap-state.ts';
export { DEAD_ON_ARRIVAL } from './overlap-steps.ts';

const BY_API: Means = { issue: 'api', revoke: 'api' };

/** The state in which a rotation is requested. */
export function beginOverlap(old: Held, now: Instant, means: Means = BY_API): OverlapState {
  return {
    protocol: 'overlap/1',
    means,
    step: firstStep(means),
    intent: false,
    attempt: 1,
    old,
    fresh: null,
    committed: false,
    promoted: false,
    pivoted: false,
    undoing: null,
    target: 'old',
    alive: 0,
    dead: 0,
    death: NO_EVIDENCE,
    revokes: 0,
    failures: 0,
    discards: 0,
    orphans: [],
    since: now,
    pause: null,
    overdue: false,
    end: null,
    reason: null,
  };
}

/** The state in which a version is retired that another one has already replaced: after a restore, see credentials/recovery.ts. */
export function beginRetirement(old: Held, current: Held, now: Instant, revoke: Means['revoke'] = 'api'): OverlapState {
  return { ...beginOverlap(old, now, { issue: 'api', revoke }), step: 'drain', fresh: current, promoted: true };
}

/** The next thing to do. Total: every state has an answer, and the same state at the same instant the same one. */
export function decide(
  state: OverlapState,
  now: Instant,
  policy: OverlapPolicy,
): Decision<OverlapEffect, OverlapEvent> {
  if (state.end !== null) return { kind: 'finished' };
  if (state.step === 'issue' && state.intent) return { kind: 'note', event: { on: 'issue-ambiguous' } };
  if (state.step === 'promote') return { kind: 'note', event: { on: 'promoted' } };
  if (state.step === 'demote') return { kind: 'note', event: { on: 'demoted' } };
  // What was confirmed before a restart, or before the store was down, may be long ago: look again before a key is revoked.
  if (state.step === 'revoke' && isUncalled(state) && isLapsed(state.since, now)) {
    return { kind: 'note', event: { on: 'lapsed' } };
  }
  if (state.pause !== null) {
    const left = state.pause.ms - elapsedMs(state.pause.from, now);
    if (left > 0) return { kind: 'wait', ms: left };
  }
  switch (state.step) {
    case 'issue':
      return act({ do: 'issue', attempt: state.attempt }, true);
    case 'await': {
      const left = policy.awaitMaxMs - elapsedMs(state.since, now);
      return left > 0 ? { kind: 'wait', ms: left } : { kind: 'note', event: { on: 'expired' } };
    }
    case 'reconcile':
    case 'sweep':
      // Such keys carry no label of ours: none can be told from somebody else's.
      if (state.means.issue !== 'api') return { kind: 'note', event: { on: 'list-impossible' } };
      if (state.orphans.length > 0) return act({ do: 'discard', providerKeyId: state.orphans[0]! }, true);
      return act({ do: 'list' }, false);
    case 'verify':
    case 'confirm':
      return act({ do: 'probe', which: state.target === 'old' ? 'fresh' : 'old' }, false);
    case 'drain':
      return act({ do: 'observe', which: state.target }, false);
    case 'cover':
      return act({ do: 'cover' }, false);
    case 'revoke':
      return act({ do: 'revoke', which: state.target }, true);
    case 'prove': {
      const left = nextProbeMs(state.death, now, policy.death);
      if (left > 0) return { kind: 'wait', ms: left };
      return act({ do: 'probe', which: state.target }, false);
    }
  }
}

/** How long an acceptance of the key that stays is good for. */
const CONFIRMED_FOR_MS = 60_000;

function isLapsed(since: Instant, now: Instant): boolean {
  return since.boot !== now.boot || elapsedMs(since, now) > CONFIRMED_FOR_MS;
}

/** Whether no revoke call of the target can have been made yet. */
function isUncalled(state: OverlapState): boolean {
  return state.target === 'old' ? !state.pivoted : !state.intent && state.revokes === 0;
}

/** What is void when the row is read anew, after a crash or a write that failed for good; null where nothing is. */
export function voidOnRead(state: OverlapState): OverlapEvent | null {
  return state.step === 'prove' && state.death.refusals > 0 ? { on: 'lapsed' } : null;
}

function act(effect: OverlapEffect, journalFirst: boolean): Decision<OverlapEffect, OverlapEvent> {
  return { kind: 'act', effect, journalFirst };
}

/** The state after an event. Total: an event that does not fit the state changes nothing. */
export function evolve(state: OverlapState, event: OverlapEvent, now: Instant, policy: OverlapPolicy): OverlapState {
  if (event.on === 'superseded') {
    const isOver = state.end === 'rotated' || state.end === 'aborted';
    return isOver ? state : finish({ ...state, undoing: event.reason }, 'aborted');
  }
  if (event.on === 'resumed') return state.end === 'blocked' ? resume(state, now, policy) : state;
  if (state.end !== null) return state;
  if (event.on === 'cancelled') {
    if (isCommitted(state)) return state;
    // While a key that was dead on arrival is cleared away, a cancel means that no other one is issued.
    if (state.undoing === DEAD_ON_ARRIVAL) return { ...state, undoing: event.reason };
    return state.pivoted || state.undoing !== null ? state : undo(state, event.reason, now);
  }
  if (event.on === 'begun') return begin(state);
  switch (state.step) {
    case 'issue':
      return afterIssue(state, event, now, policy);
    case 'await':
      return afterAwait(state, event, now);
    case 'reconcile':
    case 'sweep':
      return afterList(state, event, now, policy);
    case 'verify':
      return event.on === 'probed' ? afterVerify(state, event.verdict, now, policy) : state;
    case 'promote':
      return event.on === 'promoted' ? enter({ ...state, promoted: true }, 'drain', now) : state;
    case 'demote':
      return event.on === 'demoted' ? enter({ ...state, promoted: false }, 'drain', now) : state;
    case 'drain':
      return event.on === 'observed' ? afterDrain(state, event, now, policy) : state;
    case 'cover':
      if (event.on === 'covered') return enter(state, 'confirm', now);
      return event.on === 'cover-failed' ? retry(state, now, policy, 'no second copy could be written') : state;
    case 'confirm':
      return event.on === 'probed' ? afterConfirm(state, event.verdict, now, policy) : state;
    case 'revoke':
      if (event.on === 'lapsed') return enter(state, state.target === 'old' ? 'drain' : 'confirm', now);
      return event.on === 'revoke-called' || event.on === 'no-means' ? afterRevoke(state, event.on, now) : state;
    case 'prove':
      if (event.on === 'lapsed') return { ...state, death: NO_EVIDENCE };
      return event.on === 'probed' ? afterProof(state, event.verdict, now, policy) : state;
  }
}

function begin(state: OverlapState): OverlapState {
  const pivoted = state.pivoted || (state.step === 'revoke' && state.target === 'old');
  return { ...state, intent: true, pivoted };
}

/** Whether two states differ in more than a pause or a counter of this process: then the row is written. */
function isMaterial(before: OverlapState, after: OverlapState): boolean {
  if (before === after) return false;
  return (
    before.step !== after.step ||
    before.intent !== after.intent ||
    before.attempt !== after.attempt ||
    before.fresh !== after.fresh ||
    before.committed !== after.committed ||
    before.promoted !== after.promoted ||
    before.undoing !== after.undoing ||
    before.target !== after.target ||
    before.death !== after.death ||
    before.revokes !== after.revokes ||
    before.discards !== after.discards ||
    before.orphans !== after.orphans ||
    before.overdue !== after.overdue ||
    before.end !== after.end
  );
}

export const OVERLAP: Protocol<OverlapState, OverlapEffect, OverlapEvent, OverlapPolicy> = {
  decide,
  evolve,
  isMaterial,
  voidOnRead,
};
