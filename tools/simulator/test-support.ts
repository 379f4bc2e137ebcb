// What every simulation's own tests show in the same way: that one seed tells one story, how many schedules go without a fault, and that mutants die.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Mutant } from './mutant.ts';
import { hunted } from './mutate.io.ts';
import { type Dice, scheduleSeed, throwDice } from './random.ts';
import type { Outcome } from './schedule.ts';

type RunSchedule = (seed: number, log: string[] | null, tally: Map<string, number>) => Outcome;

/** With and without a log, a hundred seeds give what they gave; `telling` is what the log has a line with. */
export function testOneStory(run: RunSchedule, telling: string): void {
  test('one seed gives one journal, and a log of it that tells the story', () => {
    for (let index = 0; index < 100; index++) {
      const seed = scheduleSeed(3, index);
      const log: string[] = [];
      assert.deepEqual(run(seed, log, new Map()), run(seed, null, new Map()));
      assert.ok(log.length > 2 && log.some((line) => line.includes(telling)), `seed ${seed}`);
    }
  });
}

/** The schedules without faults among 3,000, about a tenth of all, with what they counted. Fails where one of them breaks an invariant. */
export function cleanRuns(
  run: RunSchedule,
  draw: (dice: Dice) => { readonly isClean: boolean },
): readonly ReadonlyMap<string, number>[] {
  const seeds = Array.from({ length: 3_000 }, (_, index) => scheduleSeed(9, index));
  const clean = seeds.filter((seed) => draw(throwDice(seed)).isClean);
  assert.ok(clean.length > 200 && clean.length < 400, `${clean.length}`);
  return clean.map((seed) => {
    const tally = new Map<string, number>();
    assert.equal(run(seed, null, tally).violation, null, `seed ${seed}`);
    return tally;
  });
}

/** Some of those that die soonest; `npm run sim -- --mutants` plants all. */
export function testMutantsDie(mutants: readonly Mutant[], names: readonly string[], run: RunSchedule): void {
  for (const name of names) {
    test(`a mutant dies: ${name}`, async () => {
      const mutant = mutants.find((one) => one.name === name);
      assert.ok(mutant !== undefined);
      const caught = await hunted(mutant, { base: 1, schedules: 20_000 });
      assert.notEqual(caught.violation, null);
      // The seed that caught it is clean with the real protocol.
      assert.equal(run(caught.seed!, null, new Map()).violation, null);
    });
  }
}
