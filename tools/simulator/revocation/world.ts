// One key that is to end, as it truly is at the provider and in our database: the nodes that accept it, the orders, the version, the certificates, the
// processes that come and go. What may go wrong is drawn from the seed (plan.ts); what must hold is checked where the truth is known
// (invariants.ts). Only data and what every other file does with it.
import type { Answer, Ask, DriveEnd } from '../../../src/credentials/drive.ts';
import type { RefusalRecord } from '../../../src/credentials/probing.ts';
import type { RevocationEffect, RevocationEvent } from '../../../src/revocation/order.ts';
import type { RevocationRow, RevocationState } from '../../../src/revocation/revocation.ts';
import type { Timeline } from '../timeline.ts';
import type { RevocationPlan } from './plan.ts';

export { count, later, mixDigest, note, violate } from '../timeline.ts';

export const NEVER = Number.POSITIVE_INFINITY;

export type Reading = 'alive' | 'dead' | 'unknown';
export type RevocationAsk = Ask<RevocationState, RevocationEffect, RevocationEvent>;

/** One bracketed probe, with what is true about it and stands in no record. */
export interface Bracket {
  before: Reading;
  target: Reading;
  after: Reading;
  /** When the target was read. */
  at: number;
  /** What the provider was asked in the course of it, in order, and has said. */
  heard: string;
  record: RefusalRecord | null;
}

/** An order in the database, and what the world knows of it. */
export interface Order {
  row: RevocationRow;
  /** The probes behind the refusals that count, oldest first. */
  evidence: Bracket[];
  /** Calls to the provider, and drivers that have begun, since it was ordered or a person said go on. */
  calls: number;
  starts: number;
  /** How often a person has said so when the faults were over, and whether one is on the way. */
  resumes: number;
  isAsked: boolean;
}

export interface Driver {
  readonly boot: number;
  readonly bootedAt: number;
  readonly order: Order;
  readonly drive: Generator<RevocationAsk, DriveEnd, Answer<RevocationEvent>>;
  rowVersion: number;
  /** An intent of its own is journaled, and its call not yet made. */
  isArmed: boolean;
  wakeAt: number;
  answer: Answer<RevocationEvent> | null;
  /** The event that the last act gave, and the probe that it rests on. */
  said: RevocationEvent | null;
  bracket: Bracket | null;
  /** Probes in a row that told it nothing. */
  unknowns: number;
  /** When it asks no more, for it was overtaken. */
  stopsAt: number;
  /** When an answer told it to leave the provider alone for a while. */
  rebuffedAt: number;
}

export interface World extends Timeline<RevocationPlan, Driver, RevocationInvariant> {
  isDown: boolean;
  wallOffsetMs: number;
  /** The key at the provider: when its end took effect, and when it was given back last. */
  endedAt: number;
  resurrectedAt: number;
  readonly orders: Order[];
  /** `current`, `revoking`, `revoked`, as in the database. */
  readonly version: { state: 'current' | 'revoking' | 'revoked'; certificateId: string | null };
  readonly certificates: string[];
  /** The last acceptance that a process of ours saw, and the last call that it made, whether or not it lived to write that down. */
  acceptedAt: number;
  calledAt: number;
}

/** The invariants, by the name that a violation carries. docs/simulator.md says each in a sentence. */
export const INVARIANTS = [
  'undead',
  'proof',
  'counted',
  'control',
  'span',
  'certificate',
  'intent',
  'nameless',
  'brake',
  'pace',
  'forward',
  'twice',
  'named',
  'journal',
  'stuck',
  'end',
  'total',
  'deterministic',
] as const;
export type RevocationInvariant = (typeof INVARIANTS)[number];

/** Whether some node of the provider accepts the key, or one of them. */
export function isAccepted(world: World, node: number | null): boolean {
  const { nodesMs } = world.plan;
  const spreadMs = node === null ? Math.max(...nodesMs) : nodesMs[node]!;
  return world.now < world.endedAt + spreadMs;
}

export function isWithin(world: World, span: { readonly from: number; readonly until: number } | null): boolean {
  return span !== null && world.hasFaults && world.now >= span.from && world.now < span.until;
}

/** Whether there is a key that can serve as control. */
export function hasControl(world: World): boolean {
  return world.plan.hasControl && !isWithin(world, world.plan.absentControl);
}

/** Whether there is anything to call the provider with. An issuer that is gone for good stays so when the faults are over. */
export function hasIssuer(world: World): boolean {
  const span = world.plan.absentIssuer;
  if (span === null || world.now < span.from) return true;
  return span.until !== null && (world.now >= span.until || !world.hasFaults);
}

export function isStoreDown(world: World): boolean {
  return isWithin(world, world.plan.storeDown);
}

export function instantOf(world: World, driver: Pick<Driver, 'boot' | 'bootedAt'>): { boot: number; mono: number } {
  return { boot: driver.boot, mono: world.now - driver.bootedAt };
}

export function wall(world: World): number {
  return 1_790_000_000_000 + world.now + world.wallOffsetMs;
}
