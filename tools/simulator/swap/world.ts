// One credential with one slot, as it truly is: the provider's keys, our database, the held traffic, the processes that come and go. What may
// go wrong is drawn from the seed (plan.ts); what must hold is checked here, where the truth is known.

import type { DriveEnd } from '../../../src/credentials/drive.ts';
import type { SwapAnswer, SwapAsk, SwapState } from '../../../src/rotation/swap-state.ts';
import type { Timeline } from '../timeline.ts';
import type { SwapPlan } from './plan.ts';

export { count, later, mixDigest, note, violate } from '../timeline.ts';

export interface SlotKey {
  readonly id: string;
  isAlive: boolean;
  /** Until when the provider goes on accepting it although it was replaced. */
  lingersUntil: number;
}

export interface StoredVersion {
  readonly versionId: string;
  readonly providerKeyId: string;
  readonly hasBytes: boolean;
  state: 'pending' | 'current' | 'previous' | 'revoked';
}

export interface Row {
  state: SwapState;
  rowVersion: number;
}

export interface Driver {
  readonly boot: number;
  drive: Generator<SwapAsk, DriveEnd, SwapAnswer>;
  rowVersion: number;
  ask: SwapAsk | null;
  answer: SwapAnswer | null;
  wakeAt: number;
  /** It sleeps, and a command may wake it. */
  isWaiting: boolean;
}

export interface World extends Timeline<SwapPlan, Driver, SwapInvariant> {
  /** The key that is in the slot is the last one that was put there. */
  readonly keys: SlotKey[];
  slot: SlotKey;
  row: Row;
  readonly versions: StoredVersion[];
  /** The traffic: held by this process since then, or flowing. */
  hold: { readonly boot: number; readonly since: number } | null;
  /** Ends of the requests that were in flight when the traffic was held. */
  inFlight: number[];
}

export type SwapInvariant =
  /** A replacement was asked for while requests could meet the dead key. */
  | 'traffic'
  /** Traffic was held longer than it may be. */
  | 'bounded'
  /** A replacement was asked for again although the first has happened, or may. */
  | 'doubled'
  /** A replacement was asked for that no journal tells of. */
  | 'intent'
  /** Said to be rotated, and it is not so. */
  | 'rotated'
  /** Said to be lost, and it is not so. */
  | 'lost'
  /** Said to be aborted, and something has happened. */
  | 'aborted'
  /** A version in use whose key never was in force. */
  | 'promoted'
  /** A proof counted too early or without a control. */
  | 'proof'
  /** The run does not end, or ends otherwise than it must. */
  | 'end'
  | 'total'
  | 'deterministic';

export function mono(world: World): number {
  return world.now - world.bootedAt;
}

export function isAccepted(world: World, id: string): boolean {
  const key = world.keys.find((one) => one.id === id);
  return key !== undefined && (key.isAlive || world.now < key.lingersUntil);
}
