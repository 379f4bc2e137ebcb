// One schedule of the revocation protocol: a seeded world in which a key is ordered to end, and processes come and go until it has. One seed gives
// one schedule, for ever.
import { driveProtocol } from '../../../src/credentials/drive.ts';
import { REVOCATION } from '../../../src/revocation/order.ts';
import { below, chance, HALF, type Rate, throwDice } from '../random.ts';
import type { Outcome } from '../schedule.ts';
import { beginTimeline, outcomeOf, turn } from '../timeline.ts';
import { command, newDriver, noteNoMeans, placeOrder, readBack, rotationProves } from './database.ts';
import { checkEnd, isGivenUp, notice } from './person.ts';
import { drawPlan, FAULTS_END_MS, type RevocationPlan, STALL_MAX_MS } from './plan.ts';
import { endKey, resurrect } from './provider.ts';
import { perform } from './shell.ts';
import {
  count,
  type Driver,
  hasIssuer,
  instantOf,
  isAccepted,
  later,
  NEVER,
  note,
  type Order,
  type RevocationAsk,
  type RevocationInvariant,
  violate,
  type World,
} from './world.ts';

/** More asks than this in one schedule is an order that does not end. */
const ASKS_MAX = 4_000;
const RESTART_MS = 1_500;
const RELOAD_MS = 1_000;
const LONG_AGO = -1_000_000;

export function runSchedule(seed: number, log: string[] | null, tally: Map<string, number>): Outcome {
  const world = open(seed, log, tally);
  strike(world);
  request(world);
  while (world.violation === null && (world.tasks.length > 0 || !isOver(world))) {
    notice(world, () => takeUp(world));
    if (!turn(world, step)) break;
  }
  if (world.violation === null) checkEnd(world);
  return outcomeOf(world);
}

function open(seed: number, log: string[] | null, tally: Map<string, number>): World {
  const dice = throwDice(seed);
  const plan = drawPlan(dice);
  if (log !== null) log.push(JSON.stringify(plan));
  const given = { seed, dice, plan, log, tally, hasFaults: !plan.isClean };
  return {
    ...beginTimeline<RevocationPlan, Driver, RevocationInvariant>(given),
    isDown: false,
    wallOffsetMs: 0,
    endedAt: NEVER,
    resurrectedAt: LONG_AGO,
    orders: [],
    version: { state: 'current', certificateId: null },
    certificates: [],
    acceptedAt: LONG_AGO,
    calledAt: LONG_AGO,
  };
}

/** Every order has its proof, or cannot have one. What is still to come cannot change that, and is waited for. */
function isOver(world: World): boolean {
  if (world.orders.length === 0) return false;
  for (const order of world.orders) {
    const { end } = order.row.state;
    if (end !== 'proven' && (end === null || !isGivenUp(world, order))) return false;
  }
  return true;
}

/** What happens at a time of its own. */
function strike(world: World): void {
  const { plan, dice } = world;
  const strikeAt = (at: number | null, run: () => void): void => {
    if (at !== null) later(world, at, run);
  };
  later(world, FAULTS_END_MS, () => {
    if (!world.hasFaults) return;
    world.hasFaults = false;
    note(world, 'the faults are over');
  });
  strikeAt(plan.takeOverAt, () => takeOver(world));
  strikeAt(plan.resurrectAt, () => resurrect(world));
  strikeAt(plan.secondAt, () => request(world));
  strikeAt(plan.resumeAt, () => {
    for (const order of world.orders) if (!world.isDown && command(world, order)) takeUp(world);
  });
  strikeAt(plan.wallStepAt, () => {
    count(world, 'a step of the clock on the wall');
    world.wallOffsetMs += (below(dice, 5) - 2) * 3_600_000;
  });
  strikeAt(plan.rotationAt, () => {
    if (plan.isDeaf) return;
    endKey(world, 'a rotation');
    later(world, Math.max(...plan.nodesMs) + 2 * plan.policy.spacingMs, () => {
      if (!isAccepted(world, null)) rotationProves(world);
    });
  });
}

/** Somebody orders the version to end. Where it cannot be written, they try again. */
function request(world: World): void {
  const { dice, plan } = world;
  if (world.isDown || (world.hasFaults && chance(dice, plan.storeFails))) {
    later(world, 500, () => request(world));
    return;
  }
  const order = placeOrder(world);
  if (typeof order === 'string') {
    count(world, `a second order: ${order}`);
    return;
  }
  if (!world.hasFaults || !chance(dice, plan.storeAnswerLost)) {
    takeUp(world);
    return;
  }
  // It stands in the database, and the process that has lost its writer ends. Whoever ordered it was not told, and orders it again.
  count(world, 'an order that nobody heard of');
  crash(world);
  later(world, RESTART_MS, () => request(world));
}

/** Drives every order that has not ended, and that nobody drives. */
function takeUp(world: World): void {
  if (world.isDown) return;
  for (const order of world.orders) {
    const isDriven = world.drivers.some((driver) => driver.order === order && driver.boot === world.boot);
    if (isDriven || order.row.state.end !== null) continue;
    if (order.row.state.step === 'revoke' && !hasIssuer(world)) {
      if (!noteNoMeans(world, order)) later(world, RELOAD_MS, () => takeUp(world));
      if (order.row.state.end !== null) continue;
    }
    start(world, order);
  }
}

function start(world: World, order: Order): void {
  order.starts++;
  const { state, policy } = order.row;
  world.drivers.push(newDriver(world, order, driveProtocol(REVOCATION, state, policy, instantOf(world, world))));
}

/** One turn of a driver: it hears its answer, asks for the next thing, and unless its process dies, gets it. */
function step(world: World, driver: Driver): void {
  if (++world.asks > ASKS_MAX) {
    violate(world, 'end', 'the order does not end');
    return;
  }
  if (world.now >= driver.stopsAt) {
    drop(world, driver);
    return;
  }
  const { answer } = driver;
  driver.answer = null;
  const next = answer === null ? driver.drive.next() : driver.drive.next({ ...answer, now: instantOf(world, driver) });
  if (next.done === true) {
    drop(world, driver);
    if (next.value === 'reload') {
      reload(world);
      return;
    }
    // The production rim writes an end and leaves its loop in one turn. Here some milliseconds pass, and a resume may fall between.
    takeUp(world);
    return;
  }
  if (world.hasFaults && driver.boot === world.boot && chance(world.dice, crashRate(world, next.value))) {
    crash(world);
    return;
  }
  if (isIntent(next.value) && driver.boot === world.boot && !hasIssuer(world)) {
    // Found out before the intent is on record.
    drop(world, driver);
    reload(world);
    return;
  }
  perform(world, driver, next.value);
}

function isIntent(ask: RevocationAsk): boolean {
  return ask.ask === 'journal' && ask.event.on === 'begun';
}

function reload(world: World): void {
  count(world, 'a row that is read again');
  later(world, RELOAD_MS, () => takeUp(world));
}

/** The worst moments are between an act and its entry, above all where the entry takes back what was believed. */
function crashRate({ plan }: World, ask: RevocationAsk): Rate {
  if (plan.crash === 0 || ask.ask !== 'journal' || ask.event.on === 'begun') return plan.crash;
  const takesBack = ask.event.on === 'probed' && ask.event.verdict === 'alive' && ask.before.death.refusals > 0;
  return takesBack ? HALF : 3 * plan.crash;
}

function drop(world: World, driver: Driver): void {
  world.drivers = world.drivers.filter((one) => one !== driver);
}

/** Whether it holds an acceptance that takes back refusals which are on record. */
function hasSeenLife({ said, order }: Driver): boolean {
  return said?.on === 'probed' && said.verdict === 'alive' && order.row.state.death.refusals > 0;
}

/** The process dies: what was not written did not happen, except out there. */
function crash(world: World): void {
  count(world, 'a crash');
  note(world, 'the process dies');
  if (world.drivers.some(hasSeenLife)) count(world, 'an acceptance that nobody wrote down');
  world.drivers = world.drivers.filter((driver) => driver.boot !== world.boot);
  world.isDown = true;
  later(world, below(world.dice, RESTART_MS), () => boot(world));
}

/** A process has the fence, and reads the rows as they were written. */
function boot(world: World): void {
  readBack(world);
  world.isDown = false;
  world.boot++;
  world.bootedAt = world.now;
  takeUp(world);
}

/** Another process takes the fence. The one before it goes on for a while, and does not know. */
function takeOver(world: World): void {
  const { dice } = world;
  if (world.isDown) return;
  count(world, 'a takeover');
  note(world, 'another process takes over');
  for (const driver of world.drivers) {
    driver.stopsAt = world.now + STALL_MAX_MS;
    if (driver.wakeAt < NEVER && chance(dice, HALF)) driver.wakeAt = world.now + below(dice, STALL_MAX_MS);
  }
  boot(world);
}
