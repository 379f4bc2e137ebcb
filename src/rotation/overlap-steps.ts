// What each step of the overlap protocol makes of an event: the second half of overlap.ts, which says when a step is taken. Pure.
import { isProvenDead, NO_EVIDENCE, weigh } from '../credentials/death.ts';
import { elapsedMs, type Instant } from '../model/instant.ts';
import type { Means, Observation, OverlapEvent, OverlapState, OverlapStep, Verdict } from './overlap-state.ts';
import type { OverlapPolicy } from './policy.ts';

/** Moves to a step with its counters fresh. What outlives a step is named by the caller. */
export function enter(state: OverlapState, step: OverlapStep, now: Instant): OverlapState {
  return { ...state, step, intent: false, failures: 0, alive: 0, dead: 0, orphans: [], since: now, pause: null };
}

function pauseFor(state: OverlapState, ms: number, now: Instant): OverlapState {
  return { ...state, pause: { from: now, ms } };
}

/** Counts a failure and waits, longer each time; too many in a row end in `blocked`, which a person can resume. */
export function retry(state: OverlapState, now: Instant, policy: OverlapPolicy, reason: string): OverlapState {
  const failures = state.failures + 1;
  if (failures >= policy.failuresMax) return { ...state, intent: false, failures, end: 'blocked', reason };
  const ms = Math.min(policy.retryMaxMs, policy.retryMinMs * 2 ** Math.min(failures - 1, 20));
  return { ...state, intent: false, failures, pause: { from: now, ms } };
}

export function finish(state: OverlapState, end: 'rotated' | 'aborted'): OverlapState {
  return { ...state, intent: false, end, reason: state.undoing, pause: null };
}

/** Whether the provider may have replaced the old key already: it will end by itself, and there is nothing to go back to. */
export function isCommitted(state: OverlapState): boolean {
  return state.committed || (state.means.issue === 'grace' && state.step === 'issue' && state.intent);
}

export function undo(state: OverlapState, reason: string, now: Instant): OverlapState {
  const undoing = { ...state, undoing: reason };
  // Replaced again it is out of the way too, but first it is certain that nobody will ever need it.
  if (isCommitted(state)) return enter({ ...undoing, target: 'fresh' }, 'prove', now);
  // A create that was begun may still make a key: find it before the end.
  if (state.fresh === null) return enter(undoing, 'sweep', now);
  return enter({ ...undoing, target: 'fresh' }, 'confirm', now);
}

/** A person has looked and says go on, with every brake released once. Where undoing found the old key dead, it is given up. */
export function resume(state: OverlapState, now: Instant, policy: OverlapPolicy): OverlapState {
  const again = { ...state, end: null, reason: null, failures: 0, revokes: 0, discards: 0, pause: null };
  // Somebody says that the key is gone, or will be: the time for it begins anew.
  const resumed = state.step === 'prove' ? { ...again, since: now } : again;
  if (state.step !== 'confirm' || state.target !== 'fresh' || state.dead < policy.verifyDead) return resumed;
  return enter({ ...resumed, undoing: null, target: 'old' }, state.promoted ? 'drain' : 'verify', now);
}

/** Where a rotation comes by its new key. */
export function firstStep(means: Means): OverlapStep {
  return means.issue === 'person' ? 'await' : 'issue';
}

export function afterIssue(
  state: OverlapState,
  event: OverlapEvent,
  now: Instant,
  policy: OverlapPolicy,
): OverlapState {
  if (event.on === 'issued') {
    const fresh = { versionId: event.versionId, providerKeyId: event.providerKeyId };
    return enter({ ...state, fresh, committed: state.means.issue === 'grace' }, 'verify', now);
  }
  if (event.on === 'issue-ambiguous' || (event.on === 'issue-refused' && event.quotaFull)) {
    // The failures are kept: a provider that always times out, or has no room, must not be asked for ever.
    const committed = state.committed || (state.means.issue === 'grace' && event.on === 'issue-ambiguous');
    const waiting = { ...enter({ ...state, committed }, 'reconcile', now), failures: state.failures };
    return pauseFor(waiting, policy.settleMs, now);
  }
  if (event.on === 'no-means') return { ...state, intent: false, end: 'blocked', reason: NO_ISSUER };
  if (event.on === 'issue-refused') {
    return retry({ ...state, attempt: state.attempt + 1 }, now, policy, 'the provider refuses to issue a key');
  }
  return state;
}

export const NO_ISSUER = 'there is no issuer with a usable key any more: name one, then resume';

export function afterAwait(state: OverlapState, event: OverlapEvent, now: Instant): OverlapState {
  if (event.on === 'expired') return finish({ ...state, undoing: EXPIRED }, 'aborted');
  if (event.on !== 'issued') return state;
  return enter({ ...state, fresh: { versionId: event.versionId, providerKeyId: event.providerKeyId } }, 'verify', now);
}

/** Why a rotation ends for which nobody did anything. */
export const EXPIRED = 'nobody brought a new key in time';

export function afterList(state: OverlapState, event: OverlapEvent, now: Instant, policy: OverlapPolicy): OverlapState {
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

export function afterVerify(state: OverlapState, seen: Verdict, now: Instant, policy: OverlapPolicy): OverlapState {
  if (seen === 'unknown') return retry(state, now, policy, 'the new key can be neither confirmed nor refused');
  const alive = seen === 'alive' ? state.alive + 1 : 0;
  const dead = seen === 'dead' ? state.dead + 1 : state.dead;
  if (alive >= policy.verifyAlive) return enter(state, 'promote', now);
  if (dead >= policy.verifyDead) return undo(state, DEAD_ON_ARRIVAL, now);
  return pauseFor({ ...state, alive, dead, failures: 0 }, policy.verifySpacingMs, now);
}

/** Undoing for this reason alone leads to another try. */
export const DEAD_ON_ARRIVAL = 'the new key was dead on arrival';

export function afterDrain(state: OverlapState, seen: Observation, now: Instant, policy: OverlapPolicy): OverlapState {
  if (seen.known && seen.inFlight === 0 && seen.idleMs >= policy.quietMs) {
    return enter(state, state.target === 'old' ? 'cover' : 'confirm', now);
  }
  const overdue = state.overdue || elapsedMs(state.since, now) >= policy.drainMaxMs;
  const quietLeft = seen.known && seen.inFlight === 0 ? policy.quietMs - seen.idleMs : policy.drainPollMs;
  return pauseFor({ ...state, overdue }, Math.max(1, Math.min(policy.drainPollMs, quietLeft)), now);
}

export function afterConfirm(state: OverlapState, seen: Verdict, now: Instant, policy: OverlapPolicy): OverlapState {
  if (seen === 'alive') {
    // Making the new key may have ended the old one, and what has ended is accepted for as long as that takes to spread.
    const mayLinger = state.target === 'fresh' && state.means.issue === 'person';
    const leftMs = mayLinger ? policy.death.spacingMs - elapsedMs(state.since, now) : 0;
    if (leftMs > 0) return pauseFor({ ...state, failures: 0 }, leftMs, now);
    if (state.target === 'fresh' && state.promoted) return enter(state, 'demote', now);
    return enter({ ...state, revokes: 0 }, 'revoke', now);
  }
  if (seen === 'unknown') return retry(state, now, policy, 'the key that stays can be neither confirmed nor refused');
  const dead = state.dead + 1;
  if (dead >= policy.verifyDead) {
    if (state.target === 'old' && isCommitted(state)) {
      return { ...state, dead, end: 'blocked', reason: 'the new key is dead, and the old one ends with its grace' };
    }
    if (state.target === 'old') return undo(state, 'the new key died before the old one was revoked', now);
    return { ...state, dead, end: 'blocked', reason: 'the old key is dead: there is nothing to go back to' };
  }
  return pauseFor({ ...state, dead, failures: 0 }, policy.verifySpacingMs, now);
}

/** With nothing to call with it is for a person to end the key; that what was begun before may have ended it is found out all the same. */
export function afterRevoke(state: OverlapState, on: 'revoke-called' | 'no-means', now: Instant): OverlapState {
  const proving = enter({ ...state, death: NO_EVIDENCE }, 'prove', now);
  if (on === 'no-means') return { ...proving, means: { ...state.means, revoke: 'person' } };
  return { ...proving, revokes: state.revokes + 1 };
}

export function afterProof(state: OverlapState, seen: Verdict, now: Instant, policy: OverlapPolicy): OverlapState {
  const death = weigh(state.death, seen, now, policy.death);
  if (seen === 'alive' && isCommitted(state) && state.target === 'fresh') {
    // It only looked dead: it is the key that is in force.
    return enter({ ...state, death, undoing: null, target: 'old' }, 'verify', now);
  }
  if (seen === 'alive' && state.means.revoke === 'person') {
    if (elapsedMs(state.since, now) < policy.removalMaxMs) {
      return pauseFor({ ...state, death, failures: 0 }, policy.removalPollMs, now);
    }
    return { ...state, death, end: 'blocked', reason: 'the key still works: nobody has deleted it at the provider' };
  }
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
  const isLast = state.attempt >= policy.issueAttemptsMax;
  if (state.undoing === DEAD_ON_ARRIVAL && (!isLast || isCommitted(state))) {
    const again = { ...proven, fresh: null, target: 'old' as const, undoing: null, attempt: state.attempt + 1 };
    const next = enter(again, firstStep(state.means), now);
    // There is no going back to the old key: whoever looks decides whether yet another one is asked for.
    return isLast ? { ...next, end: 'blocked', reason: 'each new key was dead on arrival' } : next;
  }
  return enter(proven, 'sweep', now);
}
