// The overlap protocol: old and new key are both valid while the traffic moves over. A pure state machine: `evolve` is the only
// way its state changes, `decide` says what to do next. The state row is the truth; it is written after every change.
//
//   issue ─► verify ─► promote ─► drain ─► cover ─► confirm ─► revoke ─► prove ─► sweep ─► rotated
//     │ ▲       │ dead on arrival: undo, then issue again   ▲          ▲ └ alive: revoke again
//     ▼ │       └─ undo (before the pivot): confirm the old key, [demote ─► drain ─► confirm it again,]
//   reconcile      revoke the new key, prove, sweep ─► aborted
//                  the pivot is the first revoke call of the old key; after it, forward only
//
// No key is revoked, forwards or backwards, unless the key that stays was accepted less than CONFIRMED_FOR_MS before, in this boot.
// Storing is part of `issued`: the shell commits the new version's envelope and the event in one transaction, so there is no
// state in which a key is known but its bytes are not. What a crash leaves behind: an `intent` without an outcome. For `issue` it means
// that a key may exist whose bytes are gone (reconcile finds it by its label and deletes it); for `revoke` and `discard` the call is repeated.
// Time is an Instant (model/instant.ts): no wait is ever cut short by a clock step or a restart.
import { isProvenDead, NO_EVIDENCE, nextProbeMs, weigh } from '../credentials/death.ts';
import type { Decision, Protocol } from '../credentials/drive.ts';
import { elapsedMs, type Instant } from '../model/instant.ts';
import type {
  Held,
  Observation,
  OverlapEffect,
  OverlapEvent,
  OverlapState,
  OverlapStep,
  Verdict,
} from './overlap-state.ts';
import type { OverlapPolicy } from './policy.ts';

export {
  type Held,
  OVERLAP_STEPS,
  type OverlapAnswer,
  type OverlapAsk,
  type OverlapEffect,
  type OverlapEvent,
  type OverlapState,
  type OverlapStep,
} from './overlap-state.ts';

/** The state in which a rotation is requested. */
export function beginOverlap(old: Held, now: Instant): OverlapState {
  return {
    protocol: 'overlap/1',
    step: 'issue',
    intent: false,
    attempt: 1,
    old,
    fresh: null,
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
export function beginRetirement(old: Held, current: Held, now: Instant): OverlapState {
  return { ...beginOverlap(old, now), step: 'drain', fresh: current, promoted: true };
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
    case 'reconcile':
    case 'sweep':
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
    // While a key that was dead on arrival is cleared away, a cancel means that no other one is issued.
    if (state.undoing === DEAD_ON_ARRIVAL) return { ...state, undoing: event.reason };
    return state.pivoted || state.undoing !== null ? state : undo(state, event.reason, now);
  }
  if (event.on === 'begun') return begin(state);
  switch (state.step) {
    case 'issue':
      return afterIssue(state, event, now, policy);
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
      return event.on === 'revoke-called'
        ? enter({ ...state, revokes: state.revokes + 1, death: NO_EVIDENCE }, 'prove', now)
        : state;
    case 'prove':
      if (event.on === 'lapsed') return { ...state, death: NO_EVIDENCE };
      return event.on === 'probed' ? afterProof(state, event.verdict, now, policy) : state;
  }
}

function begin(state: OverlapState): OverlapState {
  const pivoted = state.pivoted || (state.step === 'revoke' && state.target === 'old');
  return { ...state, intent: true, pivoted };
}

/** Moves to a step with its counters fresh. What outlives a step is named by the caller. */
function enter(state: OverlapState, step: OverlapStep, now: Instant): OverlapState {
  return { ...state, step, intent: false, failures: 0, alive: 0, dead: 0, orphans: [], since: now, pause: null };
}

function pauseFor(state: OverlapState, ms: number, now: Instant): OverlapState {
  return { ...state, pause: { from: now, ms } };
}

/** Counts a failure and waits, longer each time; too many in a row end in `blocked`, which a person can resume. */
function retry(state: OverlapState, now: Instant, policy: OverlapPolicy, reason: string): OverlapState {
  const failures = state.failures + 1;
  if (failures >= policy.failuresMax) return { ...state, intent: false, failures, end: 'blocked', reason };
  const ms = Math.min(policy.retryMaxMs, policy.retryMinMs * 2 ** Math.min(failures - 1, 20));
  return { ...state, intent: false, failures, pause: { from: now, ms } };
}

function finish(state: OverlapState, end: 'rotated' | 'aborted'): OverlapState {
  return { ...state, intent: false, end, reason: state.undoing, pause: null };
}

function undo(state: OverlapState, reason: string, now: Instant): OverlapState {
  const undoing = { ...state, undoing: reason };
  // A create that was begun may still make a key: find it before the end.
  if (state.fresh === null) return enter(undoing, 'sweep', now);
  return enter({ ...undoing, target: 'fresh' }, 'confirm', now);
}

/** A person has looked and says go on, with every brake released once. Where undoing found the old key dead, it is given up. */
function resume(state: OverlapState, now: Instant, policy: OverlapPolicy): OverlapState {
  const resumed = { ...state, end: null, reason: null, failures: 0, revokes: 0, discards: 0, pause: null };
  if (state.step !== 'confirm' || state.target !== 'fresh' || state.dead < policy.verifyDead) return resumed;
  return enter({ ...resumed, undoing: null, target: 'old' }, state.promoted ? 'drain' : 'verify', now);
}

function afterIssue(state: OverlapState, event: OverlapEvent, now: Instant, policy: OverlapPolicy): OverlapState {
  if (event.on === 'issued') {
    const fresh = { versionId: event.versionId, providerKeyId: event.providerKeyId };
    return enter({ ...state, fresh }, 'verify', now);
  }
  if (event.on === 'issue-ambiguous' || (event.on === 'issue-refused' && event.quotaFull)) {
    // The failures are kept: a provider that always times out, or has no room, must not be asked for ever.
    const waiting = { ...enter(state, 'reconcile', now), failures: state.failures };
    return pauseFor(waiting, policy.settleMs, now);
  }
  if (event.on === 'issue-refused') {
    return retry({ ...state, attempt: state.attempt + 1 }, now, policy, 'the provider refuses to issue a key');
  }
  return state;
}

function afterList(state: OverlapState, event: OverlapEvent, now: Instant, policy: OverlapPolicy): OverlapState {
  switch (event.on) {
    case 'listed':
      if (event.orphans.length > 0) {
        const orphans = event.orphans.slice(0, Math.max(0, policy.discardsMax - state.discards));
        if (orphans.length > 0) return { ...state, orphans };
        return { ...state, end: 'blocked', reason: 'more keys of this rotation than it may delete by itself' };
      }
      return afterClean(state, now, policy);
    case 'list-impossible':
      return afterClean(state, now, policy);
    case 'list-failed':
      return retry(state, now, policy, 'the provider does not list its keys');
    case 'discarded':
      return { ...state, intent: false, failures: 0, discards: state.discards + 1, orphans: state.orphans.slice(1) };
    case 'discard-failed':
      return retry({ ...state, orphans: [] }, now, policy, 'the provider does not delete an orphan');
    default:
      return state;
  }
}

/** Nothing of ours is left over at the provider: try again, or end. */
function afterClean(state: OverlapState, now: Instant, policy: OverlapPolicy): OverlapState {
  if (state.step === 'sweep') return finish(state, state.undoing === null ? 'rotated' : 'aborted');
  const again = enter({ ...state, attempt: state.attempt + 1 }, 'issue', now);
  return retry({ ...again, failures: state.failures }, now, policy, 'the provider makes no key');
}

function afterVerify(state: OverlapState, seen: Verdict, now: Instant, policy: OverlapPolicy): OverlapState {
  if (seen === 'unknown') return retry(state, now, policy, 'the new key can be neither confirmed nor refused');
  const alive = seen === 'alive' ? state.alive + 1 : 0;
  const dead = seen === 'dead' ? state.dead + 1 : state.dead;
  if (alive >= policy.verifyAlive) return enter(state, 'promote', now);
  if (dead >= policy.verifyDead) return undo(state, DEAD_ON_ARRIVAL, now);
  return pauseFor({ ...state, alive, dead, failures: 0 }, policy.verifySpacingMs, now);
}

/** Undoing for this reason alone leads to another try. */
export const DEAD_ON_ARRIVAL = 'the new key was dead on arrival';

function afterDrain(state: OverlapState, seen: Observation, now: Instant, policy: OverlapPolicy): OverlapState {
  if (seen.known && seen.inFlight === 0 && seen.idleMs >= policy.quietMs) {
    return enter(state, state.target === 'old' ? 'cover' : 'confirm', now);
  }
  const overdue = state.overdue || elapsedMs(state.since, now) >= policy.drainMaxMs;
  const quietLeft = seen.known && seen.inFlight === 0 ? policy.quietMs - seen.idleMs : policy.drainPollMs;
  return pauseFor({ ...state, overdue }, Math.max(1, Math.min(policy.drainPollMs, quietLeft)), now);
}

function afterConfirm(state: OverlapState, seen: Verdict, now: Instant, policy: OverlapPolicy): OverlapState {
  if (seen === 'alive') {
    if (state.target === 'fresh' && state.promoted) return enter(state, 'demote', now);
    return enter({ ...state, revokes: 0 }, 'revoke', now);
  }
  if (seen === 'unknown') return retry(state, now, policy, 'the key that stays can be neither confirmed nor refused');
  const dead = state.dead + 1;
  if (dead >= policy.verifyDead) {
    if (state.target === 'old') return undo(state, 'the new key died before the old one was revoked', now);
    return { ...state, dead, end: 'blocked', reason: 'the old key is dead: there is nothing to go back to' };
  }
  return pauseFor({ ...state, dead, failures: 0 }, policy.verifySpacingMs, now);
}

function afterProof(state: OverlapState, seen: Verdict, now: Instant, policy: OverlapPolicy): OverlapState {
  const death = weigh(state.death, seen, now, policy.death);
  if (seen === 'alive') {
    if (state.revokes >= policy.revokesMax) {
      return { ...state, death, end: 'blocked', reason: 'the provider still accepts the key after every revocation' };
    }
    const again = { ...enter({ ...state, death }, 'revoke', now), failures: 0 };
    return pauseFor(again, Math.min(policy.retryMaxMs, policy.retryMinMs * 2 ** Math.min(state.revokes, 20)), now);
  }
  if (seen === 'unknown') return retry({ ...state, death }, now, policy, 'the death of the key is unproven');
  if (!isProvenDead(death, policy.death)) return { ...state, death, failures: 0, pause: null };
  const proven = { ...state, death: NO_EVIDENCE, revokes: 0 };
  if (state.undoing === DEAD_ON_ARRIVAL && state.attempt < policy.issueAttemptsMax) {
    const again = { ...proven, fresh: null, target: 'old' as const, undoing: null, attempt: state.attempt + 1 };
    return enter(again, 'issue', now);
  }
  return enter(proven, 'sweep', now);
}

/** Whether two states differ in more than a pause or a counter of this process: then the row is written. */
function isMaterial(before: OverlapState, after: OverlapState): boolean {
  if (before === after) return false;
  return (
    before.step !== after.step ||
    before.intent !== after.intent ||
    before.attempt !== after.attempt ||
    before.fresh !== after.fresh ||
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
