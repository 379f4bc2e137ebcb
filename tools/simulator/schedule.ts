// One schedule: the world is set up, drivers and the network take their turns in the order of virtual time, faults strike, the
// faults end, everything must come to its end, and the last looks are taken. One seed gives one schedule, for ever.
import { formatLabel } from '../../src/credentials/label.ts';
import type { OverlapAsk as Ask } from '../../src/rotation/overlap-state.ts';
import { crash, takeOver } from './boots.ts';
import { copyOf, INSTANCE } from './database.ts';
import { checkFinal } from './invariants.ts';
import { finalLook } from './looks.ts';
import { ended, endFaults, proceed, reload } from './machines.ts';
import { NO_FAULTS } from './plan.ts';
import { create } from './provider.ts';
import { below, chance, HALF, type Rate } from './random.ts';
import { mint, perform } from './shell.ts';
import { strike } from './strikes.ts';
import {
  mixDigest,
  NEVER,
  newWorld,
  note,
  type Rotator,
  schedule,
  type Tally,
  type Violation,
  violate,
  type World,
} from './world.ts';

export interface Outcome {
  readonly seed: number;
  readonly violation: Violation | null;
  /** A digest of every journal entry with its time, and of the end. */
  readonly digest: number;
  readonly entries: number;
  readonly asks: number;
}

/** More asks than this of processes that have the fence is a run that does not end. */
const ASKS_MAX = 6000;
/** The same for all processes: a dozen that were overtaken may poll a long drain beside the one that runs. */
const ALL_ASKS_MAX = 20_000;
const EXPIRES_AT = 4_000_000_000_000;
const CREDENTIAL_PARTS = ['c0c0c0c0c0c0c0c0', 'c0c0c0c0c0c0c0c1'] as const;
/** A credential of ours that another issuer mints, on the same account. */
const FOREIGN_PART = 'c0c0c0c0c0c0c0ff';
const FOREIGN_NAME = formatLabel({
  instance: INSTANCE,
  credential: FOREIGN_PART,
  rotation: '00000000f0e10000',
  attempt: 1,
});
const PERSON_NAMES = ['laptop', `clv/${INSTANCE}/${CREDENTIAL_PARTS[0]}/0000000000000000/1 copy`, `clv/${INSTANCE}/`];
const NO_ONE = { credential: -1, rotation: -1, scope: 0xff, expiresAt: EXPIRES_AT } as const;

export function runSchedule(seed: number, log: string[] | null, tally: Tally): Outcome {
  const world = newWorld(seed, log, tally);
  open(world);
  while (world.violation === null) {
    const rotator = nextRotator(world);
    const at = rotator === null ? NEVER : rotator.wakeAt;
    if (world.nextTaskAt <= at && world.nextTaskAt < NEVER) runTask(world);
    else if (rotator !== null && at < NEVER) step(world, rotator);
    else if (world.hasFaults) endFaults(world);
    else break;
  }
  if (world.violation === null) close(world);
  return { seed, violation: world.violation, digest: world.digest >>> 0, entries: world.entries, asks: world.asks };
}

/** The account as it is found, before any fault: our keys, people's, another credential's, a clone's; and the first request. */
function open(world: World): void {
  const { plan, dice, rates, hasFaults } = world;
  world.rates = NO_FAULTS;
  world.hasFaults = false;
  for (let credential = 0; credential < plan.credentials; credential++) {
    const scope = 1 + below(dice, 15);
    const expiresAt = EXPIRES_AT + below(dice, 1000);
    const name = `first of ${credential}`;
    world.credentials.push({ labelPart: CREDENTIAL_PARTS[credential]!, scope, expiresAt, isWanted: true, requests: 0 });
    world.credentialParts.add(CREDENTIAL_PARTS[credential]!);
    const key = create(world, { name, owner: 'ours', credential, rotation: -1, scope, expiresAt });
    if (typeof key === 'string') continue;
    world.database.versions.push(mint(world, key));
    world.database.current.push(world.minted.length - 1);
  }
  for (let i = 0; i < plan.persons; i++) create(world, { name: PERSON_NAMES[i]!, owner: 'person', ...NO_ONE });
  if (plan.hasForeign) create(world, { name: FOREIGN_NAME, owner: 'foreign', ...NO_ONE });
  if (plan.hasClone) {
    for (let attempt = 1; attempt <= plan.orphansMax + 2; attempt++) {
      create(world, { name: cloneName(attempt), owner: 'clone', ...NO_ONE });
    }
  }
  world.rates = rates;
  world.hasFaults = hasFaults;
  world.keysMax = world.keys.length + plan.quotaLeft + plan.credentials - 1;
  // Half of the backups are from before everything.
  if (plan.strikes.includes('restore') && below(dice, 2) === 0) world.backup = copyOf(world.database);
  proceed(world, 0);
  if (plan.credentials === 2) schedule(world, below(dice, 3000), null, () => proceed(world, 1));
}

function cloneName(attempt: number): string {
  const rotation = '00000000c10e0000';
  return formatLabel({ instance: INSTANCE, credential: CREDENTIAL_PARTS[0], rotation, attempt });
}

function nextRotator(world: World): Rotator | null {
  const { rotators } = world;
  let next: Rotator | null = null;
  for (let i = 0; i < rotators.length; i++) {
    const rotator = rotators[i]!;
    if (next === null || rotator.wakeAt < next.wakeAt) next = rotator;
  }
  return next;
}

function runTask(world: World): void {
  const { tasks } = world;
  let next = 0;
  for (let i = 1; i < tasks.length; i++) if (tasks[i]!.at < tasks[next]!.at) next = i;
  const task = tasks[next]!;
  tasks.splice(next, 1);
  world.nextTaskAt = NEVER;
  for (const other of tasks) if (other.at < world.nextTaskAt) world.nextTaskAt = other.at;
  if (task.at > world.now) world.now = task.at;
  if (task.process === null || task.process.isAlive) task.run();
}

/** One turn of a driver: it hears its answer, asks for the next thing, and unless a fault comes between, gets it. */
function step(world: World, rotator: Rotator): void {
  if (rotator.wakeAt > world.now) world.now = rotator.wakeAt;
  if (rotator.drive === null) reload(world, rotator);
  if (isOutdated(world, rotator)) {
    ended(world, rotator, 'reload');
    return;
  }
  if (rotator.ask === null) {
    const { answer, drive } = rotator;
    const next = answer === null ? drive!.next() : drive!.next(answer);
    if (next.done === true) {
      ended(world, rotator, next.value);
      return;
    }
    rotator.ask = next.value;
    world.asks++;
    if (rotator.process === world.process) world.fencedAsks++;
    if (world.fencedAsks > ASKS_MAX || world.asks > ALL_ASKS_MAX) violate(world, 'endless', `${world.asks} asks`);
    if (world.hasFaults && !meetsFaults(world, rotator)) return;
  }
  perform(world, rotator);
  if (chance(world.dice, world.rates.crash)) crash(world, rotator.process, null);
}

/**
 * A driver that waited looks at its row's version before it goes on: in a step that writes nothing, such as a long drain, it would
 * never learn that an operator has cancelled. A process that lost its fence is spared the look, which is the worse case.
 */
function isOutdated(world: World, rotator: Rotator): boolean {
  if (!rotator.isWaiting || rotator.process !== world.process) return false;
  return rotator.rowVersion !== rotator.row.rowVersion && world.now >= world.storeDownUntil;
}

/** Lets faults strike before the ask in hand is performed. Whether the driver is still there, and not held up. */
function meetsFaults(world: World, rotator: Rotator): boolean {
  const { dice, rates, plan } = world;
  if (world.asks > plan.faultAsks) {
    endFaults(world);
    return rotator.process.isAlive && world.rotators.includes(rotator);
  }
  if (chance(dice, rates.strike)) strike(world, rotator);
  if (chance(dice, crashRate(world, rotator.ask!))) crash(world, rotator.process, null);
  if (!rotator.process.isAlive) return false;
  // The worst moment to be overtaken is with a call in hand that changes something.
  if (isCall(rotator.ask!) && rotator.process === world.process && chance(dice, rates.stall)) takeOver(world);
  const isOvertaken = rotator.process !== world.process && chance(dice, HALF);
  if (!isOvertaken && !chance(dice, rates.stall)) return true;
  rotator.wakeAt = world.now + below(dice, 30_000);
  return false;
}

function isCall(ask: Ask): boolean {
  return ask.ask === 'act' && (ask.effect.do === 'issue' || ask.effect.do === 'revoke' || ask.effect.do === 'discard');
}

/** The worst moments for a crash are between an act and its entry, above all where the entry takes back what was believed. */
function crashRate(world: World, ask: Ask): Rate {
  const usual = world.rates.crash;
  if (usual === 0 || ask.ask !== 'journal' || ask.event.on === 'begun') return usual;
  const takesBack = ask.before.step === 'prove' && ask.event.on === 'probed' && ask.event.verdict === 'alive';
  return takesBack ? HALF : 3 * usual;
}

function close(world: World): void {
  // Lists and deletions spread; then the inventory looks, and looks again.
  for (let looks = world.plan.isClean ? 1 : 0; looks < 2 && world.plan.canList; looks++) {
    world.now += world.plan.propagationMs + world.plan.policy.settleMs + 1;
    finalLook(world);
  }
  if (world.violation === null) checkFinal(world);
  mixDigest(world, world.keys.length);
  mixDigest(world, world.now | 0);
  if (world.log !== null) logEnd(world);
}

function logEnd(world: World): void {
  for (const key of world.keys) {
    const gone = key.goneAt === NEVER ? (key.works ? 'works' : 'never worked') : `gone at ${key.goneAt / 1000} s`;
    note(world, `key ${key.id} (${key.owner}, ${key.name}): ${gone}`);
  }
  for (const version of world.database.versions) {
    const isCurrent = world.database.current[version.credential] === version.number;
    const what = isCurrent ? 'current' : version.isRevoked ? 'revoked' : 'neither current nor revoked';
    note(world, `version ${version.held.versionId} (${version.key.id}): ${what}`);
  }
}
