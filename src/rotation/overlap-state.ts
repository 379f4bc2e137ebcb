// The words of the overlap protocol: its state as it is written down, what it asks for, what it is told. What they do is overlap.ts.
import type { DeathEvidence } from '../credentials/death.ts';
import type { Answer, Ask } from '../credentials/drive.ts';
import type { Instant } from '../model/instant.ts';

export const OVERLAP_STEPS = [
  'issue',
  'await',
  'reconcile',
  'verify',
  'promote',
  'drain',
  'cover',
  'confirm',
  'revoke',
  'prove',
  'demote',
  'sweep',
] as const;
export type OverlapStep = (typeof OVERLAP_STEPS)[number];

/** A version as the protocol knows it: our id, and the provider's id that is kept until its death is proven; empty where nobody knows one. */
export interface Held {
  readonly versionId: string;
  readonly providerKeyId: string;
}

/** How a rotation comes by its new key, and who ends the old one. Pinned when it is requested. */
export interface Means {
  /**
   * `api`: the provider makes a key beside the old one. `grace`: it replaces the old one, which lives on for a while. `person`: somebody makes it
   * and brings it.
   */
  readonly issue: 'api' | 'grace' | 'person';
  /** `person`: somebody deletes it, or bringing the new key ended it; nothing is called, and its death is watched for. */
  readonly revoke: 'api' | 'person';
}

export interface OverlapState {
  readonly protocol: 'overlap/1';
  readonly means: Means;
  readonly step: OverlapStep;
  /** The effect of this step was journaled as begun and has no outcome yet. */
  readonly intent: boolean;
  /** Number of the present or last try to issue; it is part of the label. */
  readonly attempt: number;
  readonly old: Held;
  readonly fresh: Held | null;
  /** A replacement with grace was asked for and may have happened: the old key will end by itself. No way back. */
  readonly committed: boolean;
  readonly promoted: boolean;
  /** The old key's revocation was begun: no way back. */
  readonly pivoted: boolean;
  /** Why the rotation is being undone, or null. */
  readonly undoing: string | null;
  /** Which version `drain`, `revoke` and `prove` are about. */
  readonly target: 'old' | 'fresh';
  readonly alive: number;
  readonly dead: number;
  readonly death: DeathEvidence;
  /** Calls of the provider's revoke for the target. */
  readonly revokes: number;
  /** Failures in a row within this step. */
  readonly failures: number;
  readonly discards: number;
  /** Keys of this rotation found at the provider that no version holds; the first one is deleted next. */
  readonly orphans: readonly string[];
  readonly since: Instant;
  readonly pause: { readonly from: Instant; readonly ms: number } | null;
  /** drainMax has passed and was reported. */
  readonly overdue: boolean;
  readonly end: 'rotated' | 'aborted' | 'blocked' | null;
  readonly reason: string | null;
}

export type OverlapEffect =
  | { readonly do: 'issue'; readonly attempt: number }
  | { readonly do: 'list' }
  | { readonly do: 'discard'; readonly providerKeyId: string }
  | { readonly do: 'probe'; readonly which: 'old' | 'fresh' }
  | { readonly do: 'observe'; readonly which: 'old' | 'fresh' }
  | { readonly do: 'cover' }
  | { readonly do: 'revoke'; readonly which: 'old' | 'fresh' };

export type Verdict = 'alive' | 'dead' | 'unknown';

export interface Observation {
  /** False where the evidence could not be gathered: then nothing is concluded. */
  readonly known: boolean;
  readonly inFlight: number;
  /** Milliseconds for which the version has certainly not been used, by the broker's count and the provider's word. */
  readonly idleMs: number;
}

export type OverlapEvent =
  | { readonly on: 'begun' }
  | { readonly on: 'issued'; readonly versionId: string; readonly providerKeyId: string }
  | { readonly on: 'issue-refused'; readonly quotaFull: boolean }
  | { readonly on: 'issue-ambiguous' }
  /** Nobody brought a key in time. */
  | { readonly on: 'expired' }
  /** A key was brought that is not taken. Goes on record; nothing changes. */
  | { readonly on: 'key-refused' }
  /** The provider's list, reduced to this rotation's keys that no version holds (see `orphansOf`). */
  | { readonly on: 'listed'; readonly orphans: readonly string[] }
  | { readonly on: 'list-failed' }
  /** The provider cannot list: orphans cannot be found, the inventory reports them as possible. */
  | { readonly on: 'list-impossible' }
  | { readonly on: 'discarded' }
  | { readonly on: 'discard-failed' }
  | { readonly on: 'probed'; readonly verdict: Verdict }
  | { readonly on: 'promoted' }
  | { readonly on: 'demoted' }
  | ({ readonly on: 'observed' } & Observation)
  /** `none`: no second failure domain is configured; the credential is shown as unprotected. */
  | { readonly on: 'covered'; readonly by: 'copy' | 'none' }
  | { readonly on: 'cover-failed' }
  | { readonly on: 'revoke-called' }
  /** There is nothing to call with any more: the issuer is gone, or its key; or nothing that names the key. Nothing was sent. */
  | { readonly on: 'no-means' }
  /** A confirmation is too old to revoke on its strength, or evidence may lack an acceptance that was seen and never written. */
  | { readonly on: 'lapsed' }
  | { readonly on: 'cancelled'; readonly reason: string }
  | { readonly on: 'resumed' }
  /** The row no longer describes the world (a backup was restored): the run ends here, others clean up after it. */
  | { readonly on: 'superseded'; readonly reason: string };

export type OverlapAsk = Ask<OverlapState, OverlapEffect, OverlapEvent>;
export type OverlapAnswer = Answer<OverlapEvent>;
