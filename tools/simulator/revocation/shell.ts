// The simulator's answers to what the revocation protocol asks for: what the rim of src/revocation does with a provider, done with a simulated one.
// A probe takes its time, reading by reading, and its process may die between any two of them.
import { verdict } from '../../../src/credentials/death.ts';
import type { ReadingRecord } from '../../../src/credentials/probing.ts';
import type { RevocationEvent } from '../../../src/revocation/order.ts';
import { below, chance } from '../random.ts';
import { type Written, write } from './database.ts';
import { checkCall, checkPace } from './invariants.ts';
import { deleteKey, read } from './provider.ts';
import {
  type Bracket,
  count,
  type Driver,
  hasControl,
  hasIssuer,
  isStoreDown,
  later,
  NEVER,
  note,
  type Reading,
  type RevocationAsk,
  type World,
  wall,
} from './world.ts';

/** Performs an ask, and puts its answer where the driver finds it when it wakes. */
export function perform(world: World, driver: Driver, ask: RevocationAsk): void {
  if (ask.ask === 'wait') {
    answer(world, driver, null, null, ask.ms);
    return;
  }
  if (ask.ask === 'journal') {
    const journal = write(world, driver, ask);
    if (world.log !== null && journal !== 'done') note(world, `    ${driver.boot} journal ${ask.event.on}: ${journal}`);
    answer(world, driver, null, journal, 2 + below(world.dice, 5));
    return;
  }
  if (ask.effect.do === 'revoke') revoke(world, driver);
  else prove(world, driver);
}

function answer(
  world: World,
  driver: Driver,
  event: RevocationEvent | null,
  journal: Written | null,
  ms: number,
): void {
  driver.wakeAt = world.now + ms;
  // What the time is, it is told when it wakes.
  driver.answer = { now: { boot: driver.boot, mono: 0 }, event, journal };
}

function isOurs(world: World, driver: Driver): boolean {
  return driver.boot === world.boot;
}

/** Whatever the provider says to the call, and whether it says anything: the event is the same. */
function revoke(world: World, driver: Driver): void {
  checkCall(world, driver);
  if (isOurs(world, driver)) world.calledAt = world.now;
  const ms = hasIssuer(world) ? deleteKey(world) : 1;
  if (world.log !== null) note(world, `    ${driver.boot} revoke`);
  driver.said = { on: 'revoke-called' };
  driver.bracket = null;
  answer(world, driver, driver.said, null, ms);
}

/** Reads the control, the target and the control again, one after the other. */
function prove(world: World, driver: Driver): void {
  checkPace(world, driver);
  driver.bracket = null;
  if (!hasControl(world)) {
    driver.said = { on: 'no-control' };
    answer(world, driver, driver.said, null, 1);
    return;
  }
  const bracket: Bracket = {
    before: 'unknown',
    target: 'unknown',
    after: 'unknown',
    at: world.now,
    heard: '',
    record: null,
  };
  driver.wakeAt = NEVER;
  const step = (run: () => void): void => {
    const { dice, plan } = world;
    const ms = world.hasFaults && chance(dice, plan.slow) ? 200 + below(dice, 2_000) : 2 + below(dice, 40);
    later(world, ms, () => {
      if (world.drivers.includes(driver)) run();
    });
  };
  step(() => {
    bracket.before = readAs(world, 'control', bracket);
    step(() => {
      bracket.target = readAs(world, 'target', bracket);
      bracket.at = world.now;
      if (bracket.target === 'alive' && isOurs(world, driver)) world.acceptedAt = world.now;
      if (bracket.target !== 'dead') {
        bracket.after = bracket.before;
        step(() => judge(world, driver, bracket));
        return;
      }
      step(() => {
        bracket.after = readAs(world, 'control', bracket);
        judge(world, driver, bracket);
      });
    });
  });
}

/** While the vault is sealed, or the database down, no key can be opened. */
function readAs(world: World, whose: 'target' | 'control', bracket: Bracket): Reading {
  return isStoreDown(world) ? 'unknown' : read(world, whose, bracket);
}

function judge(world: World, driver: Driver, bracket: Bracket): void {
  const { before, target, after } = bracket;
  const judged = verdict({ before, target, after });
  if (judged === 'dead') bracket.record = recordOf(world, bracket);
  driver.bracket = bracket;
  driver.said = { on: 'probed', verdict: judged };
  driver.unknowns = judged === 'unknown' ? driver.unknowns + 1 : 0;
  if (judged !== 'dead') driver.rebuffedAt = world.now;
  if (judged === 'unknown') count(world, 'a probe that said nothing');
  if (world.log !== null) note(world, `    ${driver.boot} prove → ${judged} (${before}, ${target}, ${after})`);
  answer(world, driver, driver.said, null, 1);
}

/** What goes on record: by the clock on the wall, which may be wrong. */
function recordOf(world: World, { before, target, after }: Bracket): NonNullable<Bracket['record']> {
  const at = wall(world);
  const reading = (is: Reading): ReadingRecord => ({ at, is, status: null, signature: 'simulated', requestId: null });
  return {
    at,
    target: reading(target),
    control: { versionId: 'ver_c', before: reading(before), after: reading(after) },
  };
}
