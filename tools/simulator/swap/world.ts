// One credential with one slot, as it truly is: the provider's keys, our database, the held traffic, the processes that come and go. What may
// go wrong is drawn from the seed (plan.ts); what must hold is checked here, where the truth is known.

import type { DriveEnd } from '../../../src/credentials/drive.ts';
import type { SwapAnswer, SwapAsk, SwapEvent, SwapState } from '../../../src/rotation/swap-state.ts';
import type { Dice } from '../random.ts';
import type { SwapPlan } from './plan.ts';

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

export interface Task {
  readonly at: number;
  readonly run: () => void;
}

export interface World {
  readonly seed: number;
  readonly dice: Dice;
  readonly plan: SwapPlan;
  readonly log: string[] | null;
  readonly tally: Map<string, number>;
  now: number;
  boot: number;
  bootedAt: number;
  hasFaults: boolean;
  drivers: Driver[];
  tasks: Task[];
  /** The key that is in the slot is the last one that was put there. */
  readonly keys: SlotKey[];
  slot: SlotKey;
  row: Row;
  readonly versions: StoredVersion[];
  /** The traffic: held by this process since then, or flowing. */
  hold: { readonly boot: number; readonly since: number } | null;
  /** Ends of the requests that were in flight when the traffic was held. */
  inFlight: number[];
  /** Replacements whose answer was lost and that will still arrive. */
  onTheirWay: number;
  /** Replacements that took effect. */
  effective: number;
  /** When a living key was refused last. */
  flappedAt: number;
  nextId: number;
  entries: number;
  asks: number;
  digest: number;
  violation: { readonly invariant: SwapInvariant; readonly detail: string; readonly at: number } | null;
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

export function violate(world: World, invariant: SwapInvariant, detail: string): void {
  world.violation ??= { invariant, detail, at: world.now };
}

export function note(world: World, text: string): void {
  world.log?.push(`${String(world.now).padStart(9)}  ${text}`);
}

export function count(world: World, what: string): void {
  world.tally.set(what, (world.tally.get(what) ?? 0) + 1);
}

export function later(world: World, ms: number, run: () => void): void {
  world.tasks.push({ at: world.now + ms, run });
}

/** Folds a journal entry into the digest: two runs of one seed must agree in every one. */
export function digest(world: World, event: SwapEvent | { readonly on: string }, rowVersion: number): void {
  world.entries++;
  let hash = Math.imul(world.digest ^ world.now, 0x01000193);
  for (let i = 0; i < event.on.length; i++) hash = Math.imul(hash ^ event.on.charCodeAt(i), 0x01000193);
  world.digest = Math.imul(hash ^ rowVersion, 0x01000193) >>> 0;
}

export function mono(world: World): number {
  return world.now - world.bootedAt;
}

export function isAccepted(world: World, id: string): boolean {
  const key = world.keys.find((one) => one.id === id);
  return key !== undefined && (key.isAlive || world.now < key.lingersUntil);
}
