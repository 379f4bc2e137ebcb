// How a process begins: after a crash, beside another one, after an upgrade, and from a restored backup (src/credentials/recovery.ts
// says what must happen then, and in which order).
import { verdict } from '../../src/credentials/death.ts';
import { adoptable, type Candidate, recover, recoveryWaitMs } from '../../src/credentials/recovery.ts';
import { evolve, type OverlapState } from '../../src/rotation/overlap.ts';
import { commit, copyOf, cutTraffic, instantOf, switchTraffic } from './database.ts';
import { checkHeld, RESTORED } from './invariants.ts';
import { beginLook } from './looks.ts';
import { proceedAll, stop } from './machines.ts';
import { readIssuer, readKey } from './provider.ts';
import { below, chance } from './random.ts';
import {
  count,
  isRunning,
  isValid,
  note,
  type Process,
  schedule,
  type Version,
  versionOf,
  violate,
  type World,
} from './world.ts';

/** How long a process that lost its fence may go on without noticing. */
const STALE_MAX_MS = 60_000;
const RECOVERIES_MAX = 1000;
const RESTARTS_MS = [10, 10, 200, 200, 5000, 120_000] as const;

/** A process takes the next fence and goes on from the database. */
function boot(world: World): void {
  world.database.fence++;
  world.process = { fence: world.database.fence, bootAt: world.now, isAlive: true };
  if (world.log !== null) note(world, `a process starts with fence ${world.database.fence}`);
  if (world.database.isRecovering) beginRecovery(world);
  else proceedAll(world);
}

function bootLater(world: World, afterMs: number): void {
  schedule(world, world.now + afterMs, null, () => {
    if (world.process.isAlive) return;
    if (world.now < world.storeDownUntil) bootLater(world, world.storeDownUntil - world.now + 1);
    else boot(world);
  });
}

export function crash(world: World, process: Process, downMs: number | null): void {
  count(world, 'crash');
  if (world.log !== null) note(world, `the process with fence ${process.fence} crashes`);
  stop(world, process);
  if (process !== world.process) return;
  bootLater(world, downMs ?? RESTARTS_MS[below(world.dice, RESTARTS_MS.length)]!);
}

/** A new process takes over while the old one still has calls on their way. */
export function takeOver(world: World): void {
  if (!world.process.isAlive || world.database.isRecovering || world.now < world.storeDownUntil) return;
  count(world, 'takeover');
  cutTraffic(world);
  const stale = world.process;
  schedule(world, world.now + below(world.dice, STALE_MAX_MS), stale, () => stop(world, stale));
  boot(world);
}

/** The program is stopped, replaced by the next release and started: the rows are read from their JSON. */
export function upgrade(world: World): void {
  count(world, 'upgrade');
  for (const row of world.database.rows) {
    if (isRunning(row)) row.state = JSON.parse(JSON.stringify(row.state)) as OverlapState;
  }
  world.policyInForce = world.plan.editedPolicy;
  crash(world, world.process, null);
}

/** The database goes back to its backup. The provider, its keys and the messages under way do not. */
export function restore(world: World): void {
  if (world.backup === null || world.now < world.storeDownUntil) return;
  count(world, 'restore');
  if (world.log !== null) note(world, 'every process is stopped, and the backup is restored');
  for (const rotator of [...world.rotators]) stop(world, rotator.process);
  stop(world, world.process);
  world.restores++;
  world.database = copyOf(world.backup);
  world.database.isRecovering = true;
  for (let credential = 0; credential < world.credentials.length; credential++) checkHeld(world, credential);
  bootLater(world, 100);
}

function beginRecovery(world: World): void {
  const { settleMs } = world.plan.policy;
  const waitMs = recoveryWaitMs({ settleMs, propagationMs: world.plan.propagationMs });
  schedule(world, world.now + waitMs, world.process, () => continueRecovery(world));
}

function continueRecovery(world: World): void {
  const { database, dice, process } = world;
  if (++world.recoveries > RECOVERIES_MAX) violate(world, 'endless', 'the recovery finds no key that works');
  if (world.violation !== null) return;
  adopt(world);
  if (chance(dice, world.rates.crash)) {
    crash(world, process, null);
    return;
  }
  for (let credential = 0; credential < world.credentials.length; credential++) {
    if (!settle(world, credential)) {
      schedule(world, world.now + 1000 + below(dice, 5000), process, () => continueRecovery(world));
      return;
    }
  }
  const goOn = (): void => {
    database.isRecovering = false;
    proceedAll(world);
  };
  if (!world.plan.canList) goOn();
  else if (!beginLook(world, process, goOn)) {
    schedule(world, world.now + 1000, process, () => continueRecovery(world));
  }
}

/** Second copies that the database does not know become versions again. */
function adopt(world: World): void {
  const known = new Set(world.database.versions.map((version) => version.held.versionId));
  const copies = world.copies.map((copy) => ({ versionId: copy.held.versionId, copy }));
  for (const { copy } of adoptable(copies, known)) {
    count(world, 'second copy adopted');
    if (world.log !== null) note(world, `${copy.held.versionId} is adopted from its second copy`);
    world.database.versions.push({ ...copy, hasBytes: true, isRevoked: false });
  }
}

/** Finds the current version of one credential and ends what was under way. False: nothing is accepted yet. */
function settle(world: World, credential: number): boolean {
  const { database } = world;
  const candidates: Candidate[] = [];
  for (const version of database.versions) {
    if (version.credential !== credential || version.isRevoked) continue;
    const { versionId } = version.held;
    candidates.push({ versionId, issuedAt: version.key.createdAt, verdict: probe(world, version) });
  }
  const { current } = recover(candidates);
  if (world.log !== null) note(world, `recovery: ${JSON.stringify(candidates)} -> ${current}`);
  const version = current === null ? null : versionOf(database, current);
  if (version === null) return false;
  if (!isValid(version.key))
    violate(world, 'unaccepted', `${version.key.id} is dead and is made current by the recovery`);
  switchTraffic(world, credential, version);
  cutTraffic(world);
  for (const row of database.rows) {
    if (row.credential !== credential || !isRunning(row)) continue;
    const event = { on: 'superseded', reason: RESTORED } as const;
    commit(world, row, row.state, evolve(row.state, event, instantOf(world, world.process), row.policy), event);
  }
  return true;
}

function probe(world: World, version: Version): 'alive' | 'dead' | 'unknown' {
  const { now } = world;
  const before = readIssuer(world, now);
  const target = readKey(world, version.key, now + 2, true);
  return verdict({ before, target, after: readIssuer(world, now + 4) });
}
