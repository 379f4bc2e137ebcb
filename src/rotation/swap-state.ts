// The words of the swap protocol: its state as it is written down, what it asks for, what it is told. What they do is swap.ts.
import type { DeathEvidence, DeathPolicy } from '../credentials/death.ts';
import type { Answer, Ask } from '../credentials/drive.ts';
import type { Instant } from '../model/instant.ts';
import type { Held } from './overlap-state.ts';

export const SWAP_STEPS = ['prepare', 'hold', 'replace', 'resolve', 'verify', 'promote', 'cover', 'prove'] as const;
export type SwapStep = (typeof SWAP_STEPS)[number];

export interface SwapPolicy {
  /** Longest time for which the traffic of the credential may be held, milliseconds. Then it goes on, with the old key. */
  readonly holdMaxMs: number;
  /** Longest time that one call to replace the key may take: with less of the hold left, none is begun. */
  readonly callMs: number;
  /** What is in flight when the traffic is held may take so long to end; else the hold is given up and tried again later. */
  readonly drainMaxMs: number;
  readonly drainPollMs: number;
  /**
   * How long to wait before the old key is asked what became of a call whose answer was lost: as long as such a call may still arrive, and as
   * long after it as the provider may still accept a key that is gone.
   */
  readonly settleMs: number;
  /** Acceptances in a row, spaced, that say a replacement did not happen, or that a new key works. */
  readonly verifyAlive: number;
  readonly verifySpacingMs: number;
  readonly death: DeathPolicy;
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  readonly failuresMax: number;
  /** Replacements that may be asked for in one run. */
  readonly attemptsMax: number;
}

export interface SwapState {
  readonly protocol: 'swap/1';
  /** Who makes the new value: the provider (it is known from the answer alone), or we (it is stored before it is sent). */
  readonly source: 'provider' | 'ours';
  readonly step: SwapStep;
  /** The replacement was journaled as begun and has no outcome yet. */
  readonly intent: boolean;
  readonly attempt: number;
  /** Attempts since a person last looked. */
  readonly tries: number;
  readonly old: Held;
  readonly fresh: Held | null;
  /** A replacement was begun: the old key may be dead, whatever else is known. No way back. */
  readonly pivoted: boolean;
  readonly promoted: boolean;
  /** When the traffic was held; null while it flows: the shell lets it go when a state says so. Good for the process that held it and no other. */
  readonly heldSince: Instant | null;
  readonly alive: number;
  readonly death: DeathEvidence;
  readonly failures: number;
  readonly since: Instant;
  readonly pause: { readonly from: Instant; readonly ms: number } | null;
  /** `lost`: the old key is proven dead and the new one is known to nobody. A person has to bring another. */
  readonly end: 'rotated' | 'aborted' | 'blocked' | 'lost' | null;
  readonly reason: string | null;
}

export type SwapEffect =
  /** Makes the new value and stores it as a pending version. */
  | { readonly do: 'prepare' }
  /** Holds the credential's traffic from now on. */
  | { readonly do: 'hold' }
  | { readonly do: 'observe' }
  | { readonly do: 'replace'; readonly attempt: number }
  | { readonly do: 'probe'; readonly which: 'old' | 'fresh' }
  | { readonly do: 'cover' };

export type Verdict = 'alive' | 'dead' | 'unknown';

export type SwapEvent =
  | { readonly on: 'begun' }
  | { readonly on: 'prepared'; readonly versionId: string; readonly providerKeyId: string }
  | { readonly on: 'prepare-failed' }
  | { readonly on: 'held' }
  | { readonly on: 'observed'; readonly inFlight: number }
  /** The traffic flows again although nobody here let it: the process that held it is gone, or its time was over. */
  | { readonly on: 'hold-ended' }
  /** The provider's new key, stored in the same transaction; for a value of ours, its confirmation. */
  | { readonly on: 'replaced'; readonly versionId: string; readonly providerKeyId: string }
  /** Certainly nothing changed. */
  | { readonly on: 'replace-refused'; readonly final: boolean }
  | { readonly on: 'replace-ambiguous' }
  | { readonly on: 'probed'; readonly verdict: Verdict }
  | { readonly on: 'promoted' }
  | { readonly on: 'covered'; readonly by: 'copy' | 'none' }
  | { readonly on: 'cover-failed' }
  | { readonly on: 'lapsed' }
  | { readonly on: 'cancelled'; readonly reason: string }
  | { readonly on: 'resumed' }
  | { readonly on: 'superseded'; readonly reason: string };

export type SwapAsk = Ask<SwapState, SwapEffect, SwapEvent>;
export type SwapAnswer = Answer<SwapEvent>;
