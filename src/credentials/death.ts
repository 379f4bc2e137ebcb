// When a version may be called dead. Shared by rotation (the old key), its undoing (the new key) and revocation.
//
// A 2xx of the delete call proves nothing: revocation propagates late, some deletes do nothing, and a provider that is down may
// refuse everybody. So a refusal of the key counts only when a known-live key was accepted through the same path before and
// after it (the control), after the last revoke call and after the last acceptance of the key; and it takes several of
// them, further apart than the provider's propagation. One acceptance starts the count again.
import { elapsedMs, type Instant } from '../model/instant.ts';

/** The three readings of one bracketed probe. `control` keys are known to be live. */
export interface Probe {
  readonly before: 'alive' | 'dead' | 'unknown';
  readonly target: 'alive' | 'dead' | 'unknown';
  readonly after: 'alive' | 'dead' | 'unknown';
}

/** What one bracketed probe says about its target. */
export function verdict(probe: Probe): 'alive' | 'dead' | 'unknown' {
  if (probe.target === 'alive') return 'alive';
  if (probe.target === 'dead' && probe.before === 'alive' && probe.after === 'alive') return 'dead';
  return 'unknown';
}

export interface DeathPolicy {
  /** Refusals that make a proof. At least 3: one may be false and come before the deletion that two others see spread. */
  readonly refusals: number;
  /** Milliseconds between two refusals that count; not shorter than the kind's propagation. */
  readonly spacingMs: number;
}

/** What a proof takes at a provider whose revocation propagates within so many milliseconds. */
export function deathPolicyFor(propagationMs: number): DeathPolicy {
  return { refusals: 3, spacingMs: Math.max(1_000, propagationMs) };
}

/** Evidence gathered since the last revoke call and the last acceptance. */
export interface DeathEvidence {
  readonly refusals: number;
  readonly lastRefusal: Instant | null;
}

export const NO_EVIDENCE: DeathEvidence = { refusals: 0, lastRefusal: null };

/** The evidence after one more verdict. A refusal that comes too early is not counted; an acceptance discards all. */
export function weigh(
  evidence: DeathEvidence,
  seen: 'alive' | 'dead' | 'unknown',
  now: Instant,
  policy: DeathPolicy,
): DeathEvidence {
  if (seen === 'alive') return NO_EVIDENCE;
  if (seen === 'unknown') return evidence;
  if (evidence.lastRefusal !== null && elapsedMs(evidence.lastRefusal, now) < policy.spacingMs) return evidence;
  return { refusals: evidence.refusals + 1, lastRefusal: now };
}

export function isProvenDead(evidence: DeathEvidence, policy: DeathPolicy): boolean {
  return evidence.refusals >= policy.refusals;
}

/** Milliseconds until the next probe can count; 0 for at once. */
export function nextProbeMs(evidence: DeathEvidence, now: Instant, policy: DeathPolicy): number {
  if (evidence.lastRefusal === null) return 0;
  return Math.max(0, policy.spacingMs - elapsedMs(evidence.lastRefusal, now));
}
