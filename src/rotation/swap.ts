// The swap protocol: one slot, so that the old key dies in the moment in which the new one is made. A pure state machine, like overlap.ts.
//
//   provider:             hold ─► replace ─► promote ─► verify ─► cover ─► prove ─► rotated
//   ours:     prepare ─►  hold ─► replace ─► verify ─► promote ─► cover ─► prove ─► rotated
//                          ▲        │ refused: let the traffic go, wait, once more
//                          │        ▼ answer lost, or a crash
//                          └──── resolve ── the old key lives (ours: the prepared one is refused): it did not happen
//                                   └────── the old key is proven dead: lost (ours: the prepared one is accepted: verify)
//
// Where the provider makes the value, the old key is dead when the new one is known: it is promoted at once, and verified in use. A value of
// ours is known beforehand, and promoted when it is seen to be in force.
//
// While the traffic is held no request meets a dead key. The hold is bounded, and belongs to the process that made it: a replacement is
// begun only under a hold of this very process. Once a replacement was begun there is no way back; a lost answer is never answered by a second
// replacement unless the old key was accepted after the first one can no longer arrive. Where the new value is known only from the answer, a
// lost answer can end in the declared state `lost`: said aloud, and never retried in silence.
import { isProvenDead, NO_EVIDENCE, nextProbeMs, weigh } from '../credentials/death.ts';
import type { Decision, Protocol } from '../credentials/drive.ts';
import { elapsedMs, type Instant } from '../model/instant.ts';
import type { Held } from './overlap-state.ts';
import type { SwapEffect, SwapEvent, SwapPolicy, SwapState, SwapStep, Verdict } from './swap-state.ts';

export type { SwapAnswer, SwapAsk, SwapEffect, SwapEvent, SwapPolicy, SwapState } from './swap-state.ts';

/** The state in which a swap is requested. */
export function beginSwap(old: Held, source: SwapState['source'], now: Instant): SwapState {
  return {
    protocol: 'swap/1',
    source,
    step: source === 'ours' ? 'prepare' : 'hold',
    intent: false,
    attempt: 1,
    tries: 1,
    old,
    fresh: null,
    pivoted: false,
    promoted: false,
    heldSince: null,
    alive: 0,
    death: NO_EVIDENCE,
    failures: 0,
    since: now,
    pause: null,
    end: null,
    reason: null,
  };
}

function act(effect: SwapEffect, journalFirst = false): Decision<SwapEffect, SwapEvent> {
  return { kind: 'act', effect, journalFirst };
}

/** Whether the hold is this process's own, with so much of its time left. */
function isHeld(state: SwapState, now: Instant, policy: SwapPolicy, leftMs: number): boolean {
  const { heldSince } = state;
  return heldSince !== null && heldSince.boot === now.boot && elapsedMs(heldSince, now) < policy.holdMaxMs - leftMs;
}

/** The next thing to do. Total: every state has an answer, and the same state at the same instant the same one. */
export function decide(state: SwapState, now: Instant, policy: SwapPolicy): Decision<SwapEffect, SwapEvent> {
  if (state.end !== null) return { kind: 'finished' };
  if (state.step === 'replace' && state.intent) return { kind: 'note', event: { on: 'replace-ambiguous' } };
  if (state.step === 'promote') return { kind: 'note', event: { on: 'promoted' } };
  // Whatever is waited for: traffic that nobody is still allowed to hold goes on.
  const isShort = state.step === 'replace' && !isHeld(state, now, policy, policy.callMs);
  if (isShort || (state.heldSince !== null && !isHeld(state, now, policy, 0))) {
    return { kind: 'note', event: { on: 'hold-ended' } };
  }
  if (state.pause !== null) {
    const left = state.pause.ms - elapsedMs(state.pause.from, now);
    const holdLeft = state.heldSince === null ? left : policy.holdMaxMs - elapsedMs(state.heldSince, now);
    if (left > 0) return { kind: 'wait', ms: Math.max(1, Math.min(left, holdLeft)) };
  }
  switch (state.step) {
    case 'prepare':
      return act({ do: 'prepare' });
    case 'hold':
      return state.heldSince === null ? act({ do: 'hold' }) : act({ do: 'observe' });
    case 'replace':
      return act({ do: 'replace', attempt: state.attempt }, true);
    case 'resolve':
      return afterWait(state, now, policy, { do: 'probe', which: state.source === 'ours' ? 'fresh' : 'old' });
    case 'verify':
      return afterWait(state, now, policy, { do: 'probe', which: 'fresh' });
    case 'cover':
      return act({ do: 'cover' });
    case 'prove':
      return afterWait(state, now, policy, { do: 'probe', which: 'old' });
  }
}

/** Probes whose refusals count are spaced wider than a revocation propagates. */
function afterWait(
  state: SwapState,
  now: Instant,
  policy: SwapPolicy,
  effect: SwapEffect,
): Decision<SwapEffect, SwapEvent> {
  const left = nextProbeMs(state.death, now, policy.death);
  return left > 0 ? { kind: 'wait', ms: left } : act(effect);
}

/** The state after an event. Total: an event that does not fit the state changes nothing. */
export function evolve(state: SwapState, event: SwapEvent, now: Instant, policy: SwapPolicy): SwapState {
  if (event.on === 'superseded') {
    const isOver = state.end !== null && state.end !== 'blocked';
    return isOver ? state : ended(state, 'aborted', event.reason);
  }
  if (event.on === 'resumed') {
    return state.end === 'blocked' ? { ...enter(state, state.step, now), tries: 0, end: null, reason: null } : state;
  }
  if (state.end !== null) return state;
  if (event.on === 'cancelled') {
    // Before a replacement was begun nothing has happened; after it there is nothing to go back to.
    return state.pivoted ? state : ended(state, 'aborted', event.reason);
  }
  if (event.on === 'hold-ended') return holdEnded(state, now, policy);
  if (event.on === 'lapsed') return { ...state, death: NO_EVIDENCE, alive: 0 };
  if (event.on === 'begun') return state.step === 'replace' ? { ...state, intent: true, pivoted: true } : state;
  switch (state.step) {
    case 'prepare':
      if (event.on === 'prepared') return enter({ ...state, fresh: heldOf(event) }, 'hold', now);
      return event.on === 'prepare-failed' ? retry(state, now, policy, 'the new value could not be stored') : state;
    case 'hold':
      return afterHold(state, event, now, policy);
    case 'replace':
      return afterReplace(state, event, now, policy);
    case 'resolve':
      return event.on === 'probed' ? afterResolve(state, event.verdict, now, policy) : state;
    case 'verify':
      return event.on === 'probed' ? afterVerify(state, event.verdict, now, policy) : state;
    case 'promote':
      return event.on === 'promoted'
        ? enter({ ...state, promoted: true, heldSince: null }, state.source === 'ours' ? 'cover' : 'verify', now)
        : state;
    case 'cover':
      if (event.on === 'covered') return enter(state, 'prove', now);
      return event.on === 'cover-failed' ? retry(state, now, policy, 'no second copy could be written') : state;
    case 'prove':
      return event.on === 'probed' ? afterProof(state, event.verdict, now, policy) : state;
  }
}

function heldOf(event: { versionId: string; providerKeyId: string }): Held {
  return { versionId: event.versionId, providerKeyId: event.providerKeyId };
}

function enter(state: SwapState, step: SwapStep, now: Instant): SwapState {
  return { ...state, step, intent: false, alive: 0, death: NO_EVIDENCE, failures: 0, since: now, pause: null };
}

function pauseFor(state: SwapState, ms: number, now: Instant): SwapState {
  return { ...state, pause: { from: now, ms } };
}

/** An end lets the traffic go. */
function ended(state: SwapState, end: NonNullable<SwapState['end']>, reason: string | null): SwapState {
  return { ...state, intent: false, end, reason, pause: null, heldSince: null };
}

function retry(state: SwapState, now: Instant, policy: SwapPolicy, reason: string): SwapState {
  const failures = state.failures + 1;
  if (failures >= policy.failuresMax) return { ...ended(state, 'blocked', reason), failures };
  const ms = Math.min(policy.retryMaxMs, policy.retryMinMs * 2 ** Math.min(failures - 1, 20));
  return { ...state, intent: false, failures, pause: { from: now, ms } };
}

/** Another try from the hold on, later; too many of them are a person's to look at. The traffic is let go in between. */
function again(state: SwapState, now: Instant, policy: SwapPolicy, reason: string): SwapState {
  const { failures } = state;
  const next = retry({ ...state, heldSince: null }, now, policy, reason);
  if (next.end !== null) return next;
  return { ...enter(next, 'hold', now), failures: failures + 1, pause: next.pause };
}

function holdEnded(state: SwapState, now: Instant, policy: SwapPolicy): SwapState {
  // Nothing was begun: the next hold comes later. What was begun goes on, and the traffic with it.
  if (state.step === 'hold' || state.step === 'replace') {
    return again(state, now, policy, 'what was in flight did not end while the traffic was held');
  }
  return { ...state, heldSince: null };
}

function afterHold(state: SwapState, event: SwapEvent, now: Instant, policy: SwapPolicy): SwapState {
  if (event.on === 'held') return { ...state, heldSince: now, since: now, pause: null };
  if (event.on !== 'observed' || state.heldSince === null) return state;
  if (event.inFlight === 0) return { ...enter(state, 'replace', now), failures: state.failures };
  if (elapsedMs(state.since, now) >= policy.drainMaxMs) {
    return again(state, now, policy, 'what was in flight did not end while the traffic was held');
  }
  return pauseFor(state, policy.drainPollMs, now);
}

function afterReplace(state: SwapState, event: SwapEvent, now: Instant, policy: SwapPolicy): SwapState {
  switch (event.on) {
    case 'replaced':
      return state.source === 'ours'
        ? enter(state, 'verify', now)
        : enter({ ...state, fresh: heldOf(event) }, 'promote', now);
    case 'replace-ambiguous':
      // It may still arrive: nobody is asked before it cannot any more.
      return pauseFor(enter(state, 'resolve', now), policy.settleMs, now);
    case 'replace-refused':
      if (event.final) {
        // Refused for good: the old key itself may be what is wrong. It is asked before anything else is done.
        return pauseFor(enter(state, 'resolve', now), policy.settleMs, now);
      }
      return again(state, now, policy, 'the provider refuses to replace the key');
    default:
      return state;
  }
}

/** What became of a replacement without an answer. */
function afterResolve(state: SwapState, seen: Verdict, now: Instant, policy: SwapPolicy): SwapState {
  const death = weigh(state.death, seen, now, policy.death);
  if (seen === 'unknown') return retry({ ...state, death }, now, policy, 'whether the key was replaced is not known');
  if (seen === 'alive') {
    const alive = state.alive + 1;
    if (alive < policy.verifyAlive)
      return pauseFor({ ...state, alive, death, failures: 0 }, policy.verifySpacingMs, now);
    // `ours`: the prepared value is in force. `provider`: the old key is, so nothing happened.
    if (state.source === 'ours') return enter(state, 'verify', now);
    return nextAttempt(state, now, policy);
  }
  if (!isProvenDead(death, policy.death)) return { ...state, death, alive: 0, failures: 0, pause: null };
  if (state.source === 'ours') return nextAttempt(state, now, policy);
  return { ...ended(state, 'lost', LOST), death };
}

/** Why a swap ends `lost`: shown to people, with what they must do. */
export const LOST = 'the old key is dead and the answer that held the new one never arrived: bring a new key';

function nextAttempt(state: SwapState, now: Instant, policy: SwapPolicy): SwapState {
  const reason = 'the key could not be replaced';
  if (state.tries >= policy.attemptsMax) return ended(state, 'blocked', reason);
  return again({ ...state, attempt: state.attempt + 1, tries: state.tries + 1 }, now, policy, reason);
}

function afterVerify(state: SwapState, seen: Verdict, now: Instant, policy: SwapPolicy): SwapState {
  const death = weigh(state.death, seen, now, policy.death);
  if (seen === 'alive') {
    const alive = state.alive + 1;
    if (alive >= policy.verifyAlive) return enter(state, state.promoted ? 'cover' : 'promote', now);
    return pauseFor({ ...state, alive, death, failures: 0 }, policy.verifySpacingMs, now);
  }
  if (seen === 'unknown')
    return retry({ ...state, death, alive: 0 }, now, policy, 'the new key can be neither confirmed nor refused');
  if (!isProvenDead(death, policy.death)) return { ...state, death, alive: 0, failures: 0, pause: null };
  if (state.source === 'ours') return nextAttempt(state, now, policy);
  return { ...ended(state, 'lost', 'the new key is dead, and so is the old one: bring a new key'), death };
}

function afterProof(state: SwapState, seen: Verdict, now: Instant, policy: SwapPolicy): SwapState {
  const death = weigh(state.death, seen, now, policy.death);
  if (seen === 'alive')
    return retry({ ...state, death }, now, policy, 'the provider still accepts the key that was replaced');
  if (seen === 'unknown') return retry({ ...state, death }, now, policy, 'the death of the key is unproven');
  if (!isProvenDead(death, policy.death)) return { ...state, death, failures: 0, pause: null };
  return { ...ended(state, 'rotated', null), death: NO_EVIDENCE };
}

/** Whether two states differ in more than a pause or a counter of this process: then the row is written. */
function isMaterial(before: SwapState, after: SwapState): boolean {
  return (
    before.step !== after.step ||
    before.intent !== after.intent ||
    before.attempt !== after.attempt ||
    before.fresh !== after.fresh ||
    before.pivoted !== after.pivoted ||
    before.promoted !== after.promoted ||
    before.heldSince !== after.heldSince ||
    before.death !== after.death ||
    before.end !== after.end
  );
}

/** Evidence may lack an acceptance that was seen and never written. */
function voidOnRead(state: SwapState): SwapEvent | null {
  return state.death.refusals > 0 || state.alive > 0 ? { on: 'lapsed' } : null;
}

export const SWAP: Protocol<SwapState, SwapEffect, SwapEvent, SwapPolicy> = { decide, evolve, isMaterial, voidOnRead };
