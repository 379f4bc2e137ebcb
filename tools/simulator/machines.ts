// Processes, the drivers inside them, and the operator: who runs which rotation, what happens when a driver ends, and how a
// process that stops takes its drivers and connections with it.
import { driveProtocol } from '../../src/credentials/drive.ts';
import { beginRetirement, evolve, OVERLAP, type OverlapEvent } from '../../src/rotation/overlap.ts';
import { addRow, commit, cutTraffic, instantOf } from './database.ts';
import { CANCEL } from './invariants.ts';
import { beginLook } from './looks.ts';
import { NO_FAULTS } from './plan.ts';
import { hasRoom } from './provider.ts';
import { below } from './random.ts';
import {
  count,
  currentOf,
  isRunning,
  note,
  type Process,
  type RotationRow,
  type Rotator,
  schedule,
  violate,
  type World,
} from './world.ts';

const REQUESTS_MAX = 12;
const RESUMES_MAX = 8;

/** The process ends at once: its drivers, its look and its connections with it. */
export function stop(world: World, process: Process): void {
  process.isAlive = false;
  world.rotators = world.rotators.filter((rotator) => rotator.process !== process);
  if (process === world.process) cutTraffic(world);
  for (const version of world.database.versions) {
    if (!version.hasBytes) violate(world, 'bytes', `${version.held.versionId} is in the database without its bytes`);
  }
}

/** A driver for a row, from what the row says now. */
export function start(world: World, row: RotationRow, isSecond: boolean): void {
  const process = world.process;
  world.rotators.push({
    process,
    row,
    isSecond,
    drive: driveProtocol(OVERLAP, row.state, row.policy, instantOf(world, process)),
    rowVersion: row.rowVersion,
    state: row.state,
    ask: null,
    answer: null,
    wakeAt: world.now,
    isWaiting: false,
    isArmed: false,
    actsBehind: 0,
    sinceCancel: -1,
    reloads: 0,
  });
}

/** The driver reads its row again. */
export function reload(world: World, rotator: Rotator): void {
  const { row, process } = rotator;
  rotator.drive = driveProtocol(OVERLAP, row.state, row.policy, instantOf(world, process));
  rotator.rowVersion = row.rowVersion;
  rotator.state = row.state;
  rotator.isArmed = false;
  rotator.actsBehind = 0;
}

/** Sees to it that whatever a credential needs is under way. */
export function proceed(world: World, credential: number): void {
  const { process, database } = world;
  if (!process.isAlive || database.isRecovering || world.violation !== null) return;
  let row: RotationRow | null = null;
  for (const candidate of database.rows) {
    if (candidate.credential === credential && isRunning(candidate)) row = candidate;
  }
  if (row !== null) {
    if (row.state.end === 'blocked') askOperator(world, row);
    else if (!world.rotators.some((rotator) => rotator.row === row && rotator.process === process)) {
      start(world, row, false);
    }
    return;
  }
  const current = currentOf(world, credential);
  if (current === null) return;
  const wants = world.credentials[credential]!;
  for (const version of database.versions) {
    if (version.credential !== credential || version.isRevoked || version === current) continue;
    if (world.restores === 0) violate(world, 'leftover', `${version.held.versionId} belongs to no rotation`);
    const state = beginRetirement(version.held, current.held, instantOf(world, process));
    start(world, addRow(world, credential, { old: version, state }), false);
    return;
  }
  if (!wants.isWanted) return;
  wants.requests++;
  if (wants.requests > REQUESTS_MAX) violate(world, 'endless', `credential ${credential} is requested again and again`);
  if (wants.requests > REQUESTS_MAX / 2) endFaults(world);
  start(world, addRow(world, credential, { old: current, state: null }), false);
}

export function proceedAll(world: World): void {
  for (let credential = 0; credential < world.credentials.length; credential++) proceed(world, credential);
}

/** The driver is done with its row, or must read it again, as soon as the store answers. */
export function ended(world: World, rotator: Rotator, how: 'finished' | 'reload'): void {
  const isStale = rotator.process !== world.process;
  if (how === 'reload' && !(isStale && rotator.reloads >= 2)) {
    rotator.drive = null;
    rotator.ask = null;
    rotator.answer = null;
    rotator.isWaiting = false;
    rotator.sinceCancel = -1;
    rotator.reloads++;
    rotator.wakeAt = Math.max(world.now, world.storeDownUntil) + 1 + below(world.dice, 100);
    return;
  }
  world.rotators.splice(world.rotators.indexOf(rotator), 1);
  if (!isStale) proceed(world, rotator.row.credential);
}

/** The run is blocked: a person looks at it after a while and says go on, or gives up where there is no room for a key. */
function askOperator(world: World, row: RotationRow): void {
  schedule(world, world.now + 100 + below(world.dice, 60_000), world.process, () => {
    if (row.state.end !== 'blocked' || world.database.isRecovering) return;
    if (world.now < world.storeDownUntil) {
      askOperator(world, row);
      return;
    }
    beginLook(world, world.process, () => {});
    const truth = world.truths[row.number]!;
    if (!world.hasFaults) truth.resumesAfterFaults++;
    const givesUp = truth.resumesAfterFaults > RESUMES_MAX;
    if (givesUp && hasRoom(world))
      violate(world, 'endless', `rotation ${row.number} blocks again: ${row.state.reason}`);
    order(world, row, { on: 'resumed' });
    if (givesUp) order(world, row, { on: 'cancelled', reason: CANCEL });
    proceed(world, row.credential);
  });
}

/** A command of the operator's that is written into the row itself, under its guards. Whether it changed anything. */
export function order(world: World, row: RotationRow, event: OverlapEvent): boolean {
  const after = evolve(row.state, event, instantOf(world, world.process), row.policy);
  if (after === row.state) return false;
  count(world, `operator: ${event.on}`);
  commit(world, row, row.state, after, event);
  return true;
}

/** No fault begins any more, and those that lasted are over. What is on its way still arrives, stale calls as well. */
export function endFaults(world: World): void {
  if (!world.hasFaults) return;
  if (world.log !== null) note(world, 'the faults are over');
  const { now, plan } = world;
  world.hasFaults = false;
  world.rates = NO_FAULTS;
  world.wallOffsetMs = 0;
  world.outageFrom = now;
  world.outageUntil = now;
  world.issuerRefusedUntil = now;
  world.issuerUnsteadyUntil = now;
  world.storeDownUntil = now;
  if (!plan.quotaNeverFrees) world.quotaFullUntil = now;
  for (const key of world.keys) key.flapUntil = Math.min(key.flapUntil, now);
  world.rotators = world.rotators.filter((rotator) => !rotator.isSecond);
  proceedAll(world);
}
