// What the tests of the overlap protocol have in common: two keys, narrow limits, what may be heard of them, and a run to which it happens.
import type { Decision } from '../credentials/drive.ts';
import type { Instant } from '../model/instant.ts';
import { beginOverlap, evolve, type OverlapEffect, type OverlapEvent, type OverlapState } from './overlap.ts';
import { defaultOverlapPolicy, type OverlapPolicy } from './policy.ts';

export const OLD = { versionId: 'ver_old', providerKeyId: 'key_old' };
export const FRESH = { versionId: 'ver_new', providerKeyId: 'key_new' };

export const NARROW: OverlapPolicy = {
  ...defaultOverlapPolicy(2000),
  quietMs: 5000,
  failuresMax: 3,
  issueAttemptsMax: 3,
  revokesMax: 2,
};

export const ALIVE = { on: 'probed', verdict: 'alive' } as const;
export const DEAD = { on: 'probed', verdict: 'dead' } as const;
export const UNKNOWN = { on: 'probed', verdict: 'unknown' } as const;
export const BEGUN = { on: 'begun' } as const;
export const ISSUED = { on: 'issued', ...FRESH } as const;
export const QUIET = { on: 'observed', known: true, inFlight: 0, idleMs: 5000 } as const;
export const COVERED = { on: 'covered', by: 'copy' } as const;
export const CANCELLED = { on: 'cancelled', reason: 'wrong credential' } as const;

export function at(mono: number, boot = 1): Instant {
  return { boot, mono };
}

/** Applies events one after the other, ten seconds apart: longer than any pause of the narrow limits. */
export function eventsUnder(
  policy: OverlapPolicy,
): (state: OverlapState, events: readonly OverlapEvent[], from?: number) => OverlapState {
  return (state, events, from = 0) =>
    events.reduce((now, event, index) => evolve(now, event, at(from + index * 10_000), policy), state);
}

/** What would be done; the kind of a decision that does nothing. */
export function effectOf(decision: Decision<OverlapEffect, OverlapEvent>): unknown {
  return decision.kind === 'act' ? decision.effect : decision.kind;
}

/** The limits of the tests of single steps. */
export const POLICY: OverlapPolicy = { ...NARROW, discardsMax: 2 };
export const after = eventsUnder(POLICY);
export const CLEAN = { on: 'listed', orphans: [] } as const;

/** Where a run begins, and the events that bring it straight to a step. */
export const START = beginOverlap(OLD, at(0));
export const TO_VERIFY = [BEGUN, ISSUED];
export const TO_PROMOTE = [...TO_VERIFY, ALIVE, ALIVE];
export const TO_DRAIN = [...TO_PROMOTE, { on: 'promoted' } as const];
export const TO_COVER = [...TO_DRAIN, QUIET];
export const TO_CONFIRM = [...TO_COVER, COVERED];
export const TO_REVOKE = [...TO_CONFIRM, ALIVE];
export const TO_PROVE = [...TO_REVOKE, BEGUN, { on: 'revoke-called' } as const];
export const TO_SWEEP = [...TO_PROVE, DEAD, DEAD, DEAD];
