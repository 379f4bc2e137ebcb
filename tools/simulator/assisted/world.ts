// One credential as it truly is: the provider's keys, our database, the traffic, the person, the processes that come and go. What may go wrong is
// drawn from the seed (plan.ts); what must hold is checked where the truth is known (invariants.ts). Only data and what every other file does with it.
import type { DriveEnd } from '../../../src/credentials/drive.ts';
import type { OverlapAnswer, OverlapAsk, OverlapState } from '../../../src/rotation/overlap-state.ts';
import type { Timeline } from '../timeline.ts';
import type { AssistedPlan } from './plan.ts';

export { count, later, mixDigest, note, violate } from '../timeline.ts';

export const NEVER = Number.POSITIVE_INFINITY;

/** What ended a key: a person's hand, the key that was made after it, our own call, its grace. */
export type Death = 'hand' | 'cut' | 'us' | 'grace';

export interface AssistedKey {
  readonly id: string;
  readonly madeBy: 'person' | 'provider';
  /** From here on it is accepted; NEVER where it never was a key. */
  readonly activeAt: number;
  /** When its end takes effect, and when the last node refuses it. */
  diedAt: number;
  deadAt: number;
  death: Death | null;
  /** A replacement that nobody was told of has put it into its grace: it ends, and nobody can see that before. */
  isDoomed: boolean;
  /** When we last saw it accepted. */
  seenAliveAt: number;
}

export interface StoredVersion {
  readonly versionId: string;
  readonly key: AssistedKey;
  /** Empty where nobody knows it. */
  readonly providerKeyId: string;
  /** Number of the run that brought it; 0: it was there. */
  readonly run: number;
  state: 'pending' | 'current' | 'previous' | 'revoking' | 'revoked';
  /** While it is current, or until its last request is over, it is in use. */
  busyUntil: number;
}

export interface Row {
  state: OverlapState;
  rowVersion: number;
  run: number;
}

export interface Driver {
  readonly boot: number;
  readonly bootedAt: number;
  readonly drive: Generator<OverlapAsk, DriveEnd, OverlapAnswer>;
  /** What this process believes the row to be: what it wrote or read last. */
  state: OverlapState;
  rowVersion: number;
  /** An intent of its own is journaled, and its call not yet made. */
  isArmed: boolean;
  isWaiting: boolean;
  /** When it last did something, whose outcome may be written much later. */
  actedAt: number;
  wakeAt: number;
  answer: OverlapAnswer | null;
  /** When it asks no more, for it was overtaken. */
  stopsAt: number;
  /** Whether the new key was accepted at its last probe. */
  sawFresh: boolean;
  /** When it last saw a key alive that somebody is to delete. */
  sawUndeletedAt: number;
  /** Looks at such a key after its time was over. */
  looksTooMany: number;
}

export interface Person {
  /** The key in hand: made, and not known to be taken. */
  inHand: AssistedKey | null;
  isComing: boolean;
  isDeleting: boolean;
  isLooking: boolean;
  wrongLeft: number;
  /** The wrong key is yet to be deleted. */
  isMistaken: boolean;
  resumes: number;
  /** Told that a key was taken. */
  wasTold: boolean;
}

/** `effective` and `onTheirWay` are of the run in hand. */
export interface World extends Timeline<AssistedPlan, Driver, AssistedInvariant> {
  isDown: boolean;
  readonly keys: AssistedKey[];
  /** The key that a replacement replaces. */
  active: AssistedKey;
  row: Row;
  versions: StoredVersion[];
  readonly person: Person;
  /** By what is on record: a replacement of this run was asked for and not certainly refused. */
  mayHaveReplaced: boolean;
  /** Keys made so far that are no good. */
  badKeys: number;
  /** When this run began to wait for a key, or for a deletion. */
  awaitsSince: number;
  watchesSince: number;
  wasSuperseded: boolean;
  /** When the row was last written by somebody whom its drivers do not know of. */
  movedAt: number;
}

/** The invariants, by the name that a violation carries. docs/simulator.md says each in a sentence. */
export type AssistedInvariant =
  | 'current'
  | 'promoted'
  | 'held'
  | 'in-use'
  | 'not-ours'
  | 'needless'
  | 'grace'
  | 'intent'
  | 'rotated'
  | 'aborted'
  | 'blocked'
  | 'brake'
  | 'command'
  | 'deadline'
  | 'removal'
  | 'asleep'
  | 'told'
  | 'stuck'
  | 'leftover'
  | 'end'
  | 'total'
  | 'deterministic';

export function isAccepted(world: World, key: AssistedKey): boolean {
  return world.now >= key.activeAt && world.now < key.deadAt;
}

/** Whether it works, or will. */
export function isGood(world: World, key: AssistedKey): boolean {
  return key.activeAt !== NEVER && world.now < key.deadAt;
}

export function currentOf(world: World): StoredVersion {
  return world.versions.find((version) => version.state === 'current')!;
}

export function versionOf(world: World, versionId: string | undefined): StoredVersion | null {
  return world.versions.find((version) => version.versionId === versionId) ?? null;
}

/** Whether there is a key to mint, revoke and compare with. */
export function hasIssuer(world: World): boolean {
  const { hasIssuer: hadOne, issuerGoesAt } = world.plan;
  const isGone = issuerGoesAt !== null && world.hasFaults && world.now >= issuerGoesAt;
  return hadOne && !isGone;
}

export function isUsed(world: World, version: StoredVersion): boolean {
  return version.state === 'current' || world.now < version.busyUntil;
}
