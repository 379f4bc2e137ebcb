// One schedule of the swap protocol: a seeded world in which processes come and go, until the run has ended and the truth is compared with it.
import { driveProtocol } from '../../../src/credentials/drive.ts';
import { beginSwap, evolve, SWAP } from '../../../src/rotation/swap.ts';
import { below, chance, throwDice } from '../random.ts';
import type { Outcome } from '../schedule.ts';
import { beginTimeline, outcomeOf, turn } from '../timeline.ts';
import { drawPlan, type SwapPlan } from './plan.ts';
import { commit, monoOf, perform } from './shell.ts';
import {
  count,
  type Driver,
  later,
  mono,
  note,
  type SlotKey,
  type SwapInvariant,
  violate,
  type World,
} from './world.ts';

/** More asks than this in one schedule is a run that does not end. */
const ASKS_MAX = 3_000;
const FAULTS_END_MS = 60_000;
const RESTART_MS = 1_500;
const RELOAD_MS = 200;

export function runSchedule(seed: number, log: string[] | null, tally: Map<string, number>): Outcome {
  const world = open(seed, log, tally);
  later(world, FAULTS_END_MS, () => {
    world.hasFaults = false;
    note(world, 'the faults are over');
  });
  if (world.plan.cancelAt !== null) later(world, world.plan.cancelAt, () => cancel(world));
  start(world);
  if (world.plan.second) {
    later(world, 300, () => {
      if (world.drivers.length === 1) start(world);
    });
  }
  while (world.violation === null) {
    const { end } = world.row.state;
    if (end !== null && end !== 'blocked') break;
    if (end === 'blocked' && world.drivers.length === 0 && !resume(world)) break;
    if (!turn(world, step)) break;
  }
  if (world.violation === null) close(world);
  return outcomeOf(world);
}

function open(seed: number, log: string[] | null, tally: Map<string, number>): World {
  const dice = throwDice(seed);
  const plan = drawPlan(dice);
  const first: SlotKey = { id: 'key0', isAlive: true, lingersUntil: 0 };
  const held = { versionId: 'ver-key0', providerKeyId: 'key0' };
  return {
    ...beginTimeline<SwapPlan, Driver, SwapInvariant>({ seed, dice, plan, log, tally, hasFaults: true }),
    keys: [first],
    slot: first,
    row: { state: beginSwap(held, plan.source, { boot: 1, mono: 0 }), rowVersion: 1 },
    versions: [{ ...held, hasBytes: true, state: 'current' }],
    hold: null,
    inFlight: [],
  };
}

function start(world: World): void {
  const { row, boot } = world;
  const from = { boot, mono: mono(world) };
  world.drivers.push({
    boot,
    drive: driveProtocol(SWAP, row.state, world.plan.policy, from),
    rowVersion: row.rowVersion,
    ask: null,
    answer: null,
    wakeAt: world.now,
    isWaiting: false,
  });
}

function step(world: World, driver: Driver): void {
  if (++world.asks > ASKS_MAX) {
    violate(world, 'end', 'the run does not end');
    return;
  }
  const { dice, plan } = world;
  if (world.hasFaults && chance(dice, plan.crash)) {
    crash(world);
    return;
  }
  const isFirst = driver.answer === null;
  const next = isFirst ? driver.drive.next() : driver.drive.next({ ...driver.answer!, now: monoOf(world, driver) });
  driver.answer = null;
  if (next.done === true) {
    world.drivers = world.drivers.filter((one) => one !== driver);
    const { end } = world.row.state;
    if (next.value === 'reload' && end === null && driver.boot === world.boot)
      later(world, RELOAD_MS, () => {
        if (world.drivers.length === 0 && world.row.state.end === null) start(world);
      });
    return;
  }
  driver.ask = next.value;
  perform(world, driver);
}

/** The process dies: what was not written did not happen, except out there. Traffic that it held is gone with it. */
function crash(world: World): void {
  count(world, 'a crash');
  note(world, 'the process dies');
  world.drivers = [];
  world.hold = null;
  world.inFlight = [];
  world.boot++;
  const down = below(world.dice, RESTART_MS);
  world.bootedAt = world.now + down;
  later(world, down, () => {
    if (world.row.state.end === null && world.drivers.length === 0) start(world);
  });
}

function cancel(world: World): void {
  const { row, plan } = world;
  const after = evolve(
    row.state,
    { on: 'cancelled', reason: 'an operator' },
    { boot: world.boot, mono: mono(world) },
    plan.policy,
  );
  if (after === row.state) return;
  count(world, 'a cancel');
  commit(world, after, { on: 'cancelled', reason: 'an operator' });
}

/** A person looks at a run that stands still, when the faults are over. False where it is not resumed any more. */
function resume(world: World): boolean {
  if (world.hasFaults) {
    world.now = Math.max(world.now, FAULTS_END_MS);
    world.hasFaults = false;
  }
  if (isTiring(world)) return false;
  const { row, plan } = world;
  const after = evolve(row.state, { on: 'resumed' }, { boot: world.boot, mono: mono(world) }, plan.policy);
  count(world, 'a resume');
  commit(world, after, { on: 'resumed' });
  start(world);
  return true;
}

const resumes = new WeakMap<World, number>();
function isTiring(world: World): boolean {
  const times = (resumes.get(world) ?? 0) + 1;
  resumes.set(world, times);
  return times > 3;
}

function close(world: World): void {
  const { state } = world.row;
  count(world, `ended ${state.end ?? 'nowhere'} (${state.source})`);
  if (state.end === null) violate(world, 'end', 'nothing will happen any more, and the run has not ended');
  if (state.end === 'blocked') violate(world, 'end', `it stands still although the faults are over: ${state.reason}`);
  const { plan } = world;
  if (plan.isClean && state.end !== 'rotated') violate(world, 'end', `nothing went wrong, and it ended ${state.end}`);
  if (state.end === 'lost' && plan.source === 'ours') violate(world, 'lost', 'a value of ours is never lost');
}
