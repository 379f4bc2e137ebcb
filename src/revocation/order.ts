// The revocation protocol: call, then prove. The tail of every other protocol's story, run by itself when a key must end without a
// successor. Forward only. Pure; driven by credentials/drive.ts.
import { deathPolicyFor, isProvenDead, NO_EVIDENCE, nextProbeMs, weigh } from '../credentials/death.ts';
import type { Decision, Protocol } from '../credentials/drive.ts';
import { elapsedMs, type Instant } from '../model/instant.ts';
import type { RevocationPolicy, RevocationState } from './revocation.ts';

export type RevocationEffect = { readonly do: 'revoke' } | { readonly do: 'prove' };

export type RevocationEvent =
  | { readonly on: 'begun' }
  | { readonly on: 'revoke-called' }
  | { readonly on: 'probed'; readonly verdict: 'alive' | 'dead' | 'unknown' }
  /** There is nothing to call with any more: the issuer is gone, or its key. */
  | { readonly on: 'no-means' }
  /** No key that is known to be live can serve as control: no refusal will ever count. */
  | { readonly on: 'no-control' }
  /** The row is read anew, after a crash or a failing store: evidence may lack an acceptance that was seen and never written. */
  | { readonly on: 'lapsed' }
  /** A person says that it may go on: where nothing can be called from here, that the key was revoked by hand. */
  | { readonly on: 'resumed' };

/** @param providerKeyId null where it is not known, or where nobody here can call the provider's revocation */
export function beginRevocation(providerKeyId: string | null): RevocationState {
  return {
    protocol: 'revoke/1',
    step: 'revoke',
    intent: false,
    providerKeyId,
    revokes: 0,
    failures: 0,
    death: NO_EVIDENCE,
    pause: null,
    end: providerKeyId === null ? 'blocked' : null,
    reason: providerKeyId === null ? NEEDS_A_PERSON : null,
  };
}

export const NEEDS_A_PERSON =
  'this key cannot be revoked from here (its id at the provider, or its issuer, is not known): revoke it in the provider’s console, then resume';

function decide(
  state: RevocationState,
  now: Instant,
  policy: RevocationPolicy,
): Decision<RevocationEffect, RevocationEvent> {
  if (state.end !== null) return { kind: 'finished' };
  if (state.pause !== null) {
    const left = state.pause.ms - elapsedMs(state.pause.from, now);
    if (left > 0) return { kind: 'wait', ms: left };
  }
  if (state.step === 'revoke') return { kind: 'act', effect: { do: 'revoke' }, journalFirst: true };
  const left = nextProbeMs(state.death, now, policy);
  if (left > 0) return { kind: 'wait', ms: left };
  return { kind: 'act', effect: { do: 'prove' }, journalFirst: false };
}

function evolve(
  state: RevocationState,
  event: RevocationEvent,
  now: Instant,
  policy: RevocationPolicy,
): RevocationState {
  if (event.on === 'resumed') {
    if (state.end === null || state.end === 'proven') return state;
    // Without an id there is nothing to call: what a person did is proven like any other revocation.
    const step = state.providerKeyId === null ? 'prove' : 'revoke';
    const byHand = state.reason === NEEDS_A_PERSON;
    const afresh = { failures: 0, revokes: 0, death: NO_EVIDENCE, pause: null };
    return { ...state, ...afresh, step, byHand, end: null, reason: null };
  }
  if (state.end !== null) return state;
  switch (event.on) {
    case 'begun':
      return { ...state, intent: true };
    case 'revoke-called':
      return {
        ...state,
        step: 'prove',
        intent: false,
        byHand: false,
        revokes: state.revokes + 1,
        death: NO_EVIDENCE,
        failures: 0,
        pause: null,
      };
    case 'no-means':
      if (state.step !== 'revoke') return state;
      // What was begun may have been called, and what a person was asked for may have been done: that is found out.
      if (state.intent || state.byHand === true)
        return { ...state, step: 'prove', intent: false, death: NO_EVIDENCE, failures: 0, pause: null };
      return { ...state, intent: false, pause: null, end: 'blocked', reason: NEEDS_A_PERSON };
    case 'lapsed':
      return state.death.refusals === 0 ? state : { ...state, death: NO_EVIDENCE };
    case 'no-control':
      return { ...state, end: 'unproven', reason: 'no key that is known to be live can serve as control' };
    case 'probed':
      return afterProbe(state, event.verdict, now, policy);
  }
}

function afterProbe(
  state: RevocationState,
  seen: 'alive' | 'dead' | 'unknown',
  now: Instant,
  policy: RevocationPolicy,
): RevocationState {
  const death = weigh(state.death, seen, now, policy);
  const backoff = (n: number) => Math.min(policy.retryMaxMs, policy.retryMinMs * 2 ** Math.min(n, 20));
  if (seen === 'alive') {
    if (state.providerKeyId === null || state.byHand === true) {
      return { ...state, death, end: 'blocked', reason: 'the provider still accepts the key' };
    }
    if (state.revokes >= policy.revokesMax) {
      return { ...state, death, end: 'blocked', reason: 'the provider still accepts the key after every revocation' };
    }
    return { ...state, step: 'revoke', death, pause: { from: now, ms: backoff(state.revokes) } };
  }
  if (seen === 'unknown') {
    const failures = state.failures + 1;
    if (failures >= policy.failuresMax) {
      return { ...state, failures, end: 'unproven', reason: 'the death of the key could not be proven' };
    }
    return { ...state, failures, pause: { from: now, ms: backoff(failures) } };
  }
  if (isProvenDead(death, policy)) return { ...state, death, failures: 0, end: 'proven' };
  return { ...state, death, failures: 0, pause: null };
}

function isMaterial(before: RevocationState, after: RevocationState): boolean {
  return (
    before.step !== after.step ||
    before.intent !== after.intent ||
    before.revokes !== after.revokes ||
    before.death !== after.death ||
    before.end !== after.end
  );
}

export const REVOCATION: Protocol<RevocationState, RevocationEffect, RevocationEvent, RevocationPolicy> = {
  decide,
  evolve,
  isMaterial,
  voidOnRead: (state) => (state.step === 'prove' && state.death.refusals > 0 ? { on: 'lapsed' } : null),
};

export function defaultRevocationPolicy(propagationMs: number): RevocationPolicy {
  return {
    ...deathPolicyFor(propagationMs),
    retryMinMs: 1_000,
    retryMaxMs: 60_000,
    revokesMax: 50,
    failuresMax: 40,
  };
}
