// The simulated world as one mutable record: the provider's keys, our database, the messages under way, the processes, the
// clocks. Only data and the three things that every other file does with it: report a violation, note a line for a
// replay, and mix an entry into the digest. Flat and mutable on purpose: a schedule has sixty microseconds.
import type { DriveEnd } from '../../src/credentials/drive.ts';
import type { Held, OverlapState } from '../../src/rotation/overlap.ts';
import type { OverlapAnswer as Answer, OverlapAsk as Ask } from '../../src/rotation/overlap-state.ts';
import type { OverlapPolicy } from '../../src/rotation/policy.ts';
import { drawPlan, type Plan, type Rates } from './plan.ts';
import { type Dice, throwDice } from './random.ts';

export const NEVER = Number.POSITIVE_INFINITY;

/** The invariants, by the name that a violation carries. docs/simulator.md says each in a sentence. */
export type Invariant =
  | 'held'
  | 'bytes'
  | 'not-ours'
  | 'orphan-unexplained'
  | 'orphan-left'
  | 'in-use'
  | 'undead'
  | 'pinned'
  | 'control'
  | 'label'
  | 'early'
  | 'leftover'
  | 'scope'
  | 'expiry'
  | 'unaccepted'
  | 'journal'
  | 'intent'
  | 'command'
  | 'brake'
  | 'alarm'
  | 'end'
  | 'endless'
  | 'deterministic'
  | 'total';

export interface Violation {
  readonly invariant: Invariant;
  readonly detail: string;
  readonly at: number;
}

/** A key at the provider, as it truly is. */
export interface Key {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  /** Whose it truly is, whatever its name says. */
  readonly owner: 'ours' | 'person' | 'clone' | 'foreign';
  readonly credential: number;
  /** Number of the rotation that made it; -1 where none did. */
  readonly rotation: number;
  readonly createdAt: number;
  /** From here on every node of the provider accepts it. */
  readonly activeAt: number;
  /** False: dead on arrival, and for ever. */
  readonly works: boolean;
  readonly scope: number;
  readonly expiresAt: number;
  /** When its deletion took effect, and when the last node has learnt of it. */
  goneAt: number;
  deadAt: number;
  flapFrom: number;
  flapUntil: number;
  /** The false refusals since its last acceptance may make more than one that counts. */
  isShakenLong: boolean;
  /** It was refused for longer than any proof takes. */
  hadLongFlap: boolean;
  /** Flaps that follow, each after an acceptance. */
  flapsLeft: number;
  /** Somebody began to call for its revocation. */
  isRevoking: boolean;
  /** It was refused although it works, and was not accepted since: no further false refusal begins. */
  isShaken: boolean;
  acceptedAt: number;
  /** A fault of any kind may have made it look dead. */
  isDisturbed: boolean;
}

export interface Version {
  readonly number: number;
  readonly held: Held;
  readonly key: Key;
  readonly credential: number;
  hasBytes: boolean;
  isRevoked: boolean;
}

export interface RotationRow {
  readonly number: number;
  readonly credential: number;
  readonly labelPart: string;
  readonly isRetirement: boolean;
  /** Pinned when the rotation was requested. */
  readonly policy: OverlapPolicy;
  readonly scope: number;
  readonly expiresAt: number;
  state: OverlapState;
  rowVersion: number;
}

/** What a backup holds. */
export interface Database {
  fence: number;
  rows: RotationRow[];
  versions: Version[];
  /** Number of the current version of each credential. */
  current: number[];
  /** A backup was restored and the recovery is not finished. */
  isRecovering: boolean;
}

export interface Process {
  readonly fence: number;
  readonly bootAt: number;
  isAlive: boolean;
}

/** One driver of one rotation inside one process. */
export interface Rotator {
  readonly process: Process;
  readonly row: RotationRow;
  readonly isSecond: boolean;
  /** Null until the row is read again. */
  drive: Generator<Ask, DriveEnd, Answer> | null;
  /** Row version, and state, that this driver read or wrote last. */
  rowVersion: number;
  state: OverlapState;
  /** The ask that was made and not performed yet. */
  ask: Ask | null;
  answer: Answer | null;
  wakeAt: number;
  isWaiting: boolean;
  /** A journaled intent that no call has used up. */
  isArmed: boolean;
  /** Acts since its row moved on without it. */
  actsBehind: number;
  /** Journal entries since a cancel was handed over, or -1. */
  sinceCancel: number;
  reloads: number;
}

export interface Task {
  readonly at: number;
  /** Dies with this process; null for the network, the provider and people. */
  readonly process: Process | null;
  readonly run: () => void;
}

/** What is true of one rotation row, whatever the database was restored to. Indexed by row number. */
export interface Truth {
  /** Keys made until then were seen by its last sweep; without one, none is excused. */
  listedUntil: number;
  isCancelled: boolean;
  /** Attempts whose label was sent to the provider, and when the last intent to issue was written. */
  readonly sent: number[];
  issuedAt: number;
  /** Revoke calls of one key since a person last let the run go on. */
  calls: number;
  resumesAfterFaults: number;
}

export interface Credential {
  readonly labelPart: string;
  /** What its settings say now; a rotation must go by what was pinned. */
  scope: number;
  expiresAt: number;
  isWanted: boolean;
  requests: number;
}

export interface World {
  readonly seed: number;
  readonly dice: Dice;
  readonly plan: Plan;
  readonly log: string[] | null;
  readonly tally: Tally;
  rates: Readonly<Rates>;
  policyInForce: OverlapPolicy;
  hasFaults: boolean;
  violation: Violation | null;
  digest: number;
  asks: number;
  /** Those of processes that had the fence when they asked. */
  fencedAsks: number;
  entries: number;
  /** True time in milliseconds; also the provider's clock. */
  now: number;
  wallOffsetMs: number;
  readonly keys: Key[];
  /** Versions whose bytes lie in a second failure domain as well. */
  readonly copies: Version[];
  /** Every version that an answer of the provider ever gave us, by number. */
  readonly minted: Version[];
  readonly credentials: Credential[];
  /** Their label parts: what the inventory may judge. */
  readonly credentialParts: Set<string>;
  readonly truths: Truth[];
  /** Until when requests that began on a version are still open; when it was last used. Indexed by version number. */
  readonly busyUntil: number[];
  readonly usedAt: number[];
  keysMax: number;
  outageFrom: number;
  outageUntil: number;
  issuerRefusedUntil: number;
  issuerUnsteadyUntil: number;
  storeDownUntil: number;
  quotaFullUntil: number;
  database: Database;
  backup: Database | null;
  process: Process;
  rotators: Rotator[];
  tasks: Task[];
  nextTaskAt: number;
  cancelRow: RotationRow | null;
  cancels: number;
  kills: number;
  restores: number;
  recoveries: number;
  /** Keys that were called revoked during a flap that outlasts every proof: the inventory owes an alarm for each. */
  readonly alarmsDue: Key[];
}

/** How often each thing happened in a whole run: a fault that never strikes tests nothing. */
export type Tally = Map<string, number>;

export function newWorld(seed: number, log: string[] | null, tally: Tally): World {
  const dice = throwDice(seed);
  const plan = drawPlan(dice);
  const process: Process = { fence: 1, bootAt: 0, isAlive: true };
  return {
    seed,
    dice,
    plan,
    log,
    tally,
    rates: plan.rates,
    policyInForce: plan.policy,
    hasFaults: !plan.isClean,
    violation: null,
    digest: seed | 0,
    asks: 0,
    fencedAsks: 0,
    entries: 0,
    now: 0,
    wallOffsetMs: 0,
    keys: [],
    copies: [],
    minted: [],
    credentials: [],
    credentialParts: new Set(),
    truths: [],
    busyUntil: [],
    usedAt: [],
    keysMax: NEVER,
    outageFrom: 0,
    outageUntil: 0,
    issuerRefusedUntil: 0,
    issuerUnsteadyUntil: 0,
    storeDownUntil: 0,
    quotaFullUntil: 0,
    database: { fence: 1, rows: [], versions: [], current: [], isRecovering: false },
    backup: null,
    process,
    rotators: [],
    tasks: [],
    nextTaskAt: NEVER,
    cancelRow: null,
    cancels: 0,
    kills: 0,
    restores: 0,
    recoveries: 0,
    alarmsDue: [],
  };
}

/** Keeps the first violation; what follows from it is noise. */
export function violate(world: World, invariant: Invariant, detail: string): void {
  if (world.violation !== null) return;
  world.violation = { invariant, detail, at: world.now };
  if (world.log !== null) note(world, `VIOLATION ${invariant}: ${detail}`);
}

/** A line of a replay. Callers check `world.log` first, so that no text is made when nobody reads it. */
export function note(world: World, text: string): void {
  world.log?.push(`${(world.now / 1000).toFixed(3).padStart(11)}  ${text}`);
}

export function count(world: World, what: string): void {
  world.tally.set(what, (world.tally.get(what) ?? 0) + 1);
}

export function mixDigest(world: World, value: number): void {
  const x = Math.imul(world.digest ^ value, 0x01000193);
  world.digest = x ^ (x >>> 15);
}

export function schedule(world: World, at: number, process: Process | null, run: () => void): void {
  world.tasks.push({ at, process, run });
  if (at < world.nextTaskAt) world.nextTaskAt = at;
}

export function keyOf(world: World, providerKeyId: string): Key {
  return world.keys[Number(providerKeyId.slice(1))]!;
}

/** Works and was not deleted, whatever an outage or a flap makes it look like. */
export function isValid(key: Key): boolean {
  return key.works && key.goneAt === NEVER;
}

/** No node of the provider will ever accept it again. */
export function isDead(world: World, key: Key): boolean {
  return !key.works || key.deadAt <= world.now;
}

export function versionOf(database: Database, versionId: string): Version | null {
  for (const version of database.versions) if (version.held.versionId === versionId) return version;
  return null;
}

export function currentOf(world: World, credential: number): Version | null {
  const number = world.database.current[credential]!;
  for (const version of world.database.versions) if (version.number === number) return version;
  return null;
}

export function isUsed(world: World, version: Version): boolean {
  return world.database.current[version.credential] === version.number || world.now < world.busyUntil[version.number]!;
}

/** A rotation whose keys are its own business: it has not ended, or waits for a person. */
export function isRunning(row: RotationRow): boolean {
  return row.state.end === null || row.state.end === 'blocked';
}
