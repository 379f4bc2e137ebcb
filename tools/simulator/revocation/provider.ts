// The provider as it truly behaves: what a deletion does and when, what each node says of the key, what the control is told. Faults that lie about
// the truth are here; what is done about them is not.
import { below, chance } from '../random.ts';
import { APART } from './plan.ts';
import {
  type Bracket,
  count,
  hasControl,
  isAccepted,
  isWithin,
  later,
  NEVER,
  note,
  type Reading,
  type World,
} from './world.ts';

/** Ends the key, for whichever reason. One that has ended already is absent. */
export function endKey(world: World, who: string): void {
  if (world.endedAt !== NEVER) return;
  world.endedAt = world.now;
  world.effective++;
  if (world.log !== null) note(world, `provider: the key ends (${who})`);
}

/** The provider gives the key back: everywhere, and at once. */
export function resurrect(world: World): void {
  if (world.endedAt === NEVER || !isSettled(world)) return;
  count(world, 'the key works again');
  note(world, 'provider: the key works again');
  world.endedAt = NEVER;
  world.resurrectedAt = world.now;
  world.flappedAt = world.now;
}

/** Between two untruths about the key lie several spacings, and an acceptance that we have seen. */
function isSettled(world: World): boolean {
  const { now, flappedAt, acceptedAt, plan } = world;
  return now - flappedAt > APART * plan.policy.spacingMs && acceptedAt >= flappedAt;
}

/** What becomes of a call that is to end the key. Returns after how many milliseconds the caller hears of it; what it hears proves nothing. */
export function deleteKey(world: World): number {
  const { dice, plan, hasFaults } = world;
  const travelMs = 5 + below(dice, 60);
  const arrive = (ms: number): void => {
    world.onTheirWay++;
    later(world, ms, () => {
      world.onTheirWay--;
      if (plan.isDeaf || (world.hasFaults && chance(dice, plan.lies))) {
        count(world, 'a deletion that did nothing');
        return;
      }
      endKey(world, 'our call');
    });
  };
  if (hasFaults && chance(dice, plan.refused)) {
    count(world, 'a call refused');
    return travelMs;
  }
  if (hasFaults && chance(dice, plan.lost)) {
    if (chance(dice, plan.late)) {
      count(world, 'a late call');
      arrive(below(dice, plan.lateMs));
    }
    return 1_000 + below(dice, 2_000);
  }
  arrive(travelMs);
  if (!hasFaults || !chance(dice, plan.answerLost)) return 2 * travelMs;
  count(world, 'a lost answer');
  return 1_000 + below(dice, 2_000);
}

/** What a probe hears when a refusal of the target stands between two acceptances of the control. */
export const REFUSED_BESIDE_LIFE = ' control alive, target dead, control alive,';

/** One reading, by some node, in the course of a probe. */
export function read(world: World, whose: 'target' | 'control', bracket: Bracket): Reading {
  const reading = readingOf(world, whose);
  bracket.heard += ` ${whose} ${reading},`;
  return reading;
}

function readingOf(world: World, whose: 'target' | 'control'): Reading {
  const { dice, plan, hasFaults } = world;
  if (hasFaults && chance(dice, plan.unknown)) return 'unknown';
  if (isWithin(world, plan.outage)) return 'dead';
  if (whose === 'control') {
    if (!hasControl(world)) return 'unknown';
    if (hasFaults && chance(dice, plan.controlFlaky)) return 'dead';
    return isWithin(world, plan.refusedControl) ? 'dead' : 'alive';
  }
  const accepted = isAccepted(world, below(dice, plan.nodesMs.length));
  if (!accepted || !hasFaults || !isSettled(world) || !chance(dice, plan.flaky)) return accepted ? 'alive' : 'dead';
  count(world, 'a false refusal');
  world.flappedAt = world.now;
  return 'dead';
}
