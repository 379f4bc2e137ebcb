// One schedule of the assisted protocols: a seeded world in which processes and people come and go, until the run has ended and the truth is
// compared with it. One seed gives one schedule, for ever.
import { driveProtocol } from '../../../src/credentials/drive.ts';
import { beginOverlap, OVERLAP } from '../../../src/rotation/overlap.ts';
import { below, chance, HALF, throwDice } from '../random.ts';
import type { Outcome } from '../schedule.ts';
import { beginTimeline, outcomeOf, turn } from '../timeline.ts';
import { checkEnd } from './invariants.ts';
import { ask, cancel, deleteEarly, notice, supersede } from './person.ts';
import { type AssistedPlan, drawPlan, FAULTS_END_MS, LATE_MAX_MS, STALL_MAX_MS } from './plan.ts';
import { perform } from './shell.ts';
import {
  type AssistedInvariant,
  type AssistedKey,
  count,
  type Driver,
  later,
  NEVER,
  note,
  violate,
  type World,
} from './world.ts';

/** More asks than this in one schedule is a run that does not end. */
const ASKS_MAX = 4_000;
const RESTART_MS = 1_500;
const RELOAD_MS = 200;
/** Runs of one schedule. */
const RUNS_MAX = 2;

export function runSchedule(seed: number, log: string[] | null, tally: Map<string, number>): Outcome {
  const world = open(seed, log, tally);
  strike(world);
  start(world);
  notice(world);
  let isAsking = false;
  while (world.violation === null) {
    const { state, run } = world.row;
    if (state.end !== null && state.end !== 'blocked' && !isAsking) {
      closeRun(world);
      if (run === RUNS_MAX || !isWanted(world)) break;
      isAsking = true;
      // What was on its way has arrived by then.
      later(world, LATE_MAX_MS + STALL_MAX_MS + 500, () => {
        endFaults(world);
        world.drivers = [];
        ask(world);
        if (!world.isDown) start(world);
        isAsking = false;
      });
    }
    const { rowVersion } = world.row;
    if (!turn(world, step)) break;
    if (world.row.rowVersion === rowVersion) continue;
    notice(world);
    takeUp(world);
  }
  const { end } = world.row.state;
  if (world.violation === null && (end === null || end === 'blocked'))
    violate(world, 'end', 'nothing will happen any more, and the run has not ended');
  return outcomeOf(world);
}

function open(seed: number, log: string[] | null, tally: Map<string, number>): World {
  const dice = throwDice(seed);
  const plan = drawPlan(dice);
  const first: AssistedKey = {
    id: 'key0',
    madeBy: plan.slots === 'grace' ? 'provider' : 'person',
    activeAt: 0,
    diedAt: NEVER,
    deadAt: NEVER,
    death: null,
    isDoomed: false,
    seenAliveAt: 0,
  };
  const held = { versionId: 'ver-key0', providerKeyId: 'key0' };
  const state = beginOverlap(held, { boot: 1, mono: 0 }, plan.means);
  if (log !== null) log.push(JSON.stringify(plan));
  return {
    ...beginTimeline<AssistedPlan, Driver, AssistedInvariant>({
      seed,
      dice,
      plan,
      log,
      tally,
      hasFaults: !plan.isClean,
    }),
    isDown: false,
    keys: [first],
    active: first,
    row: { state, rowVersion: 1, run: 1 },
    versions: [{ ...held, key: first, run: 0, state: 'current', busyUntil: 0 }],
    person: {
      inHand: null,
      isComing: false,
      isDeleting: false,
      isLooking: false,
      wrongLeft: plan.wrongKeys,
      isMistaken: true,
      resumes: 0,
      wasTold: false,
    },
    mayHaveReplaced: false,
    badKeys: 0,
    awaitsSince: 0,
    watchesSince: 0,
    wasSuperseded: false,
    movedAt: 0,
  };
}

/** What happens at a time of its own, in the first run. */
function strike(world: World): void {
  const { plan, dice } = world;
  const strikeAt = (at: number, run: () => void): void => {
    later(world, at, () => {
      if (world.row.run === 1) run();
    });
  };
  later(world, FAULTS_END_MS, () => endFaults(world));
  if (plan.cancelAt !== null) strikeAt(plan.cancelAt, () => cancel(world));
  if (plan.supersedeAt !== null) strikeAt(plan.supersedeAt, () => supersede(world));
  if (plan.takeOverAt !== null) strikeAt(plan.takeOverAt, () => takeOver(world));
  if (plan.removal === 'early') strikeAt(below(dice, 12_000), () => deleteEarly(world));
  if (plan.hasSecond) {
    strikeAt(300, () => {
      if (!world.isDown && world.drivers.length === 1) start(world);
    });
  }
}

function endFaults(world: World): void {
  if (!world.hasFaults) return;
  world.hasFaults = false;
  note(world, 'the faults are over');
}

function start(world: World): void {
  const { row, boot, bootedAt, now } = world;
  world.drivers.push({
    boot,
    bootedAt,
    drive: driveProtocol(OVERLAP, row.state, world.plan.policy, { boot, mono: now - bootedAt }),
    state: row.state,
    rowVersion: row.rowVersion,
    isArmed: false,
    isWaiting: false,
    actedAt: now,
    wakeAt: now,
    answer: null,
    stopsAt: NEVER,
    sawFresh: false,
    sawUndeletedAt: -1_000_000,
    looksTooMany: 0,
  });
}

function step(world: World, driver: Driver): void {
  if (++world.asks > ASKS_MAX) {
    violate(world, 'end', 'the run does not end');
    return;
  }
  if (world.now >= driver.stopsAt) {
    drop(world, driver);
    return;
  }
  if (world.hasFaults && driver.boot === world.boot && chance(world.dice, world.plan.crash)) {
    crash(world);
    return;
  }
  const { answer } = driver;
  // It may have been woken sooner than it asked for.
  const now = { boot: driver.boot, mono: world.now - driver.bootedAt };
  const next = answer === null ? driver.drive.next() : driver.drive.next({ ...answer, now });
  if (next.done !== true && perform(world, driver, next.value)) return;
  drop(world, driver);
  if (next.done !== true || next.value === 'reload') later(world, RELOAD_MS, () => takeUp(world));
}

/** The row is read again, where nobody drives it. */
function takeUp(world: World): void {
  const isDriven = world.drivers.some((driver) => driver.boot === world.boot);
  if (!world.isDown && !isDriven && world.row.state.end === null) start(world);
}

function drop(world: World, driver: Driver): void {
  world.drivers = world.drivers.filter((one) => one !== driver);
}

/** The process dies: what was not written did not happen, except out there. */
function crash(world: World): void {
  count(world, 'a crash');
  note(world, 'the process dies');
  world.drivers = world.drivers.filter((driver) => driver.boot !== world.boot);
  world.isDown = true;
  later(world, below(world.dice, RESTART_MS), () => boot(world));
}

/** A process starts, and reads the row as it was written. */
function boot(world: World): void {
  world.row.state = JSON.parse(JSON.stringify(world.row.state));
  world.isDown = false;
  world.boot++;
  world.bootedAt = world.now;
  takeUp(world);
}

/** Another process takes the fence. The one before it goes on for a while, and does not know. */
function takeOver(world: World): void {
  const { dice } = world;
  if (world.isDown || world.row.state.end !== null) return;
  count(world, 'a takeover');
  note(world, 'another process takes over');
  for (const driver of world.drivers) {
    driver.stopsAt = world.now + STALL_MAX_MS;
    if (chance(dice, HALF)) driver.wakeAt = world.now + below(dice, STALL_MAX_MS);
  }
  boot(world);
}

function closeRun(world: World): void {
  const { row, plan } = world;
  const { state } = row;
  const means = `${state.means.issue}/${state.means.revoke}`;
  const how = world.wasSuperseded ? 'superseded' : state.end;
  count(world, `ended ${how} (${plan.slots}, ${means})`);
  note(world, `run ${row.run} has ended ${how}: ${state.reason ?? ''}`);
  checkEnd(world);
  if (row.run > 1 && state.end !== 'rotated')
    violate(
      world,
      'end',
      `the faults are over, the person does their part, and it ended ${state.end}: ${state.reason}`,
    );
  if (plan.isClean && state.attempt !== 1) violate(world, 'end', 'nothing went wrong, and it took more than one try');
}

/** Whether a run that was not rotated is asked for again. */
function isWanted(world: World): boolean {
  return world.row.state.end === 'aborted' && (world.wasSuperseded || world.plan.isAskedAgain);
}
