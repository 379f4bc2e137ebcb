// What the small worlds of a simulation have in common (swap/, assisted/, revocation/): virtual time, in which tasks fall due and drivers wake, the faults' end,
// and what is said of a run: its notes, its tally, its digest, the first invariant that broke. Not here: the truth, which each world keeps for
// itself, and the overlap protocol's own world (world.ts), which has many credentials and processes at once.
import { chance, type Dice, type Rate } from './random.ts';
import type { Outcome } from './schedule.ts';
import type { Tally } from './world.ts';

export interface Task {
  readonly at: number;
  readonly run: () => void;
}

/** A world is a timeline and its truth. Flat and mutable on purpose. */
export interface Timeline<Plan, Driver, Invariant extends string> {
  readonly seed: number;
  readonly dice: Dice;
  readonly plan: Plan;
  readonly log: string[] | null;
  readonly tally: Tally;
  now: number;
  /** Number of the newest start; it is the fence. */
  boot: number;
  bootedAt: number;
  hasFaults: boolean;
  drivers: Driver[];
  tasks: Task[];
  /** Replacements that took effect. */
  effective: number;
  /** Replacements whose answer was lost and that will still arrive. */
  onTheirWay: number;
  /** When a living key was refused last. */
  flappedAt: number;
  nextId: number;
  entries: number;
  asks: number;
  digest: number;
  violation: { readonly invariant: Invariant; readonly detail: string; readonly at: number } | null;
}

/** A timeline at its beginning, in the first process and with nobody in it yet. */
export function beginTimeline<Plan, Driver, Invariant extends string>(
  given: Pick<Timeline<Plan, Driver, Invariant>, 'seed' | 'dice' | 'plan' | 'log' | 'tally' | 'hasFaults'>,
): Timeline<Plan, Driver, Invariant> {
  return {
    ...given,
    now: 0,
    boot: 1,
    bootedAt: 0,
    drivers: [],
    tasks: [],
    effective: 0,
    onTheirWay: 0,
    flappedAt: -1_000_000,
    nextId: 1,
    entries: 0,
    asks: 0,
    digest: 0,
    violation: null,
  };
}

/** Keeps the first violation; what follows from it is noise. */
export function violate<Invariant extends string>(
  world: Timeline<unknown, unknown, Invariant>,
  invariant: NoInfer<Invariant>,
  detail: string,
): void {
  world.violation ??= { invariant, detail, at: world.now };
}

/** A line of a replay. */
export function note(world: Timeline<unknown, unknown, string>, text: string): void {
  world.log?.push(`${String(world.now).padStart(9)}  ${text}`);
}

export function count(world: Timeline<unknown, unknown, string>, what: string): void {
  world.tally.set(what, (world.tally.get(what) ?? 0) + 1);
}

export function later(world: Timeline<unknown, unknown, string>, ms: number, run: () => void): void {
  world.tasks.push({ at: world.now + ms, run });
}

/** Folds a journal entry into the digest: two runs of one seed must agree in every one. */
export function mixDigest(world: Timeline<unknown, unknown, string>, event: string, rowVersion: number): void {
  world.entries++;
  let hash = Math.imul(world.digest ^ world.now, 0x01000193);
  for (let i = 0; i < event.length; i++) hash = Math.imul(hash ^ event.charCodeAt(i), 0x01000193);
  world.digest = Math.imul(hash ^ rowVersion, 0x01000193) >>> 0;
}

/** The next thing in time: a task, or a driver that wakes. False where nothing will ever happen. */
export function turn<Driver extends { readonly wakeAt: number }, World extends Timeline<unknown, Driver, string>>(
  world: World,
  step: (world: World, driver: Driver) => void,
): boolean {
  const { drivers, tasks } = world;
  let driver: Driver | null = null;
  for (let i = 0; i < drivers.length; i++)
    if (driver === null || drivers[i]!.wakeAt < driver.wakeAt) driver = drivers[i]!;
  let next = -1;
  for (let i = 0; i < tasks.length; i++) if (next < 0 || tasks[i]!.at < tasks[next]!.at) next = i;
  if (next >= 0 && (driver === null || tasks[next]!.at <= driver.wakeAt)) {
    const task = tasks[next]!;
    tasks.splice(next, 1);
    world.now = Math.max(world.now, task.at);
    task.run();
    return true;
  }
  if (driver === null) return false;
  world.now = Math.max(world.now, driver.wakeAt);
  step(world, driver);
  return true;
}

interface Flapping {
  readonly flaky: Rate;
  readonly policy: { readonly death: { readonly spacingMs: number } };
}

/** Whether a living key is refused this once. A flap is shorter than a proof takes. */
export function flaps(world: Timeline<Flapping, unknown, string>): boolean {
  const { dice, plan } = world;
  const isSettled = world.now - world.flappedAt > 3 * plan.policy.death.spacingMs;
  if (!world.hasFaults || !isSettled || !chance(dice, plan.flaky)) return false;
  world.flappedAt = world.now;
  return true;
}

/** What is reported of a schedule that is over. */
export function outcomeOf({ seed, violation, digest, entries, asks }: Timeline<unknown, unknown, string>): Outcome {
  return { seed, violation: violation as Outcome['violation'], digest: digest >>> 0, entries, asks };
}
