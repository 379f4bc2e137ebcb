// The rotation policy: when a credential is due, and how carefully its rotation proceeds. A rotation pins the policy that it was
// requested under, so that an edit never changes a run that is under way.
import { type DeathPolicy, deathPolicyFor } from '../credentials/death.ts';
import type { SwapPolicy } from './swap-state.ts';

/** How one overlap rotation proceeds. All times in milliseconds, all counts bounded. */
export interface OverlapPolicy {
  /** The old version must have been unused for this long, with nothing in flight, before it is revoked. */
  readonly quietMs: number;
  readonly drainPollMs: number;
  /** After this long an alert names who still uses the old version. Nobody is cut off in silence. */
  readonly drainMaxMs: number;
  /** Acceptances in a row that make a new key trustworthy. At least 2: a key may be accepted by one node and not yet by another. */
  readonly verifyAlive: number;
  /** Refusals (with a live control) after which a new key counts as dead on arrival. */
  readonly verifyDead: number;
  readonly verifySpacingMs: number;
  readonly death: DeathPolicy;
  /** How long a lost create may still arrive before the provider's list is believed. */
  readonly settleMs: number;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** Failures in a row within one step before the run is `blocked` and asks for a person. */
  readonly failuresMax: number;
  /** Keys that may turn out dead on arrival before the rotation is aborted. */
  readonly issueAttemptsMax: number;
  /** Revoke calls for one version before the run is `blocked`. */
  readonly revokesMax: number;
  /** Brake: orphans of its own that one rotation may delete by itself. */
  readonly discardsMax: number;
  /** How long somebody has to bring the new key, where a person makes it. A restart may lengthen it, never shorten it. */
  readonly awaitMaxMs: number;
  /** How often an old key is tried that a person is to delete, and how long, before the run is `blocked`. */
  readonly removalPollMs: number;
  readonly removalMaxMs: number;
}

/** Safe for a provider whose revocation propagates within `propagationMs`. */
export function defaultOverlapPolicy(propagationMs: number): OverlapPolicy {
  return {
    quietMs: 60_000,
    drainPollMs: 1_000,
    drainMaxMs: 24 * 3_600_000,
    verifyAlive: 2,
    verifyDead: 3,
    verifySpacingMs: 1_000,
    death: deathPolicyFor(propagationMs),
    settleMs: 10_000,
    retryMinMs: 1_000,
    retryMaxMs: 300_000,
    failuresMax: 40,
    issueAttemptsMax: 8,
    revokesMax: 20,
    discardsMax: 16,
    awaitMaxMs: 7 * 24 * 3_600_000,
    removalPollMs: 15_000,
    removalMaxMs: 7 * 24 * 3_600_000,
  };
}

/** How one swap proceeds, for a provider whose revocation propagates within `propagationMs`. */
export function defaultSwapPolicy(propagationMs: number): SwapPolicy {
  return {
    holdMaxMs: 25_000,
    callMs: 12_000,
    drainMaxMs: 10_000,
    drainPollMs: 50,
    settleMs: 10_000 + propagationMs,
    verifyAlive: 2,
    verifySpacingMs: 500,
    death: deathPolicyFor(propagationMs),
    retryMinMs: 1_000,
    retryMaxMs: 300_000,
    failuresMax: 40,
    attemptsMax: 5,
  };
}

/** The policy that a rotation of this credential is pinned to. */
export function overlapPolicyFor(
  kind: { readonly propagationMs: number },
  settings: { readonly quietSeconds: number | null; readonly drainMaxSeconds: number | null },
): OverlapPolicy {
  const base = defaultOverlapPolicy(kind.propagationMs);
  return {
    ...base,
    quietMs: settings.quietSeconds === null ? base.quietMs : settings.quietSeconds * 1000,
    drainMaxMs: settings.drainMaxSeconds === null ? base.drainMaxMs : settings.drainMaxSeconds * 1000,
  };
}

/** How long a replacement with grace may still arrive: a late one puts our own new key into its grace, and no answer shows it. */
const GRACE_SETTLE_MS = 60_000;

const PROGRAM_FAILURES_MAX = 3;

/** The same for a rotation by these means. */
export function policyByMeans(
  policy: OverlapPolicy,
  means: { readonly issue: string },
  programs: { readonly issue: unknown },
): OverlapPolicy {
  if (means.issue === 'grace') return { ...policy, settleMs: Math.max(policy.settleMs, GRACE_SETTLE_MS) };
  // What a program made whose answer nobody understands is found by nobody: it is not asked again and again.
  const isProgram = means.issue === 'api' && programs.issue !== null;
  return isProgram ? { ...policy, failuresMax: PROGRAM_FAILURES_MAX } : policy;
}

/** The policy that a swap is pinned to. Where a program puts the new value into force, the traffic is held for as long as it may take. */
export function swapPolicyFor(
  kind: { readonly propagationMs: number },
  programs: { readonly replaceMaxMs: number },
): SwapPolicy {
  const base = defaultSwapPolicy(kind.propagationMs);
  const callMs = Math.max(base.callMs, programs.replaceMaxMs);
  return { ...base, callMs, holdMaxMs: base.holdMaxMs + callMs - base.callMs };
}
