// The simulator itself: schedules without a violation, the same seed twice, limits of the fault model, and mutants that die. All
// mutants are planted by `npm run sim -- --mutants`; here are some of those that die soonest.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { hunt } from './hunt.ts';
import { MUTANTS } from './mutants.ts';
import { hunted, patch } from './mutate.io.ts';
import { drawPlan, FAMILIES } from './plan.ts';
import { chance, mix32, rate, scheduleSeed, throwDice } from './random.ts';
import { runSchedule } from './schedule.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

test('3,000 schedules break no invariant, and every kind of fault has struck', () => {
  const { found, tally } = hunt({ protocol: 'overlap', base: 20, schedules: 3000, onProgress: null });
  assert.equal(found, null, JSON.stringify(found));
  const kinds = [
    'crash',
    'takeover',
    'restore',
    'outage',
    'flap',
    'delete lies',
    'key dead on arrival',
    'create duplicated',
  ];
  const ends = ['ended rotated', 'ended aborted', 'ended blocked', 'orphan deleted by the inventory'];
  const others = ['create arrives late', 'delete arrives late', 'fresh-killed', 'old-killed', 'upgrade', 'store-down'];
  for (const kind of [...kinds, ...ends, ...others]) assert.ok((tally.get(kind) ?? 0) > 0, `${kind} never happened`);
});

test('the same seed gives the same journal, with and without a log', () => {
  for (let index = 0; index < 200; index++) {
    const seed = scheduleSeed(99, index);
    const log: string[] = [];
    const logged = runSchedule(seed, log, new Map());
    assert.deepEqual(runSchedule(seed, null, new Map()), logged);
    const again: string[] = [];
    runSchedule(seed, again, new Map());
    assert.deepEqual(again, log);
  }
});

test('two runs from one base agree in their digest, from another they do not', () => {
  const digest = (base: number): number => hunt({ protocol: 'overlap', base, schedules: 300, onProgress: null }).digest;
  assert.equal(digest(3), digest(3));
  assert.notEqual(digest(3), digest(4));
});

test('schedules of one base have seeds of their own', () => {
  const seeds = new Set(Array.from({ length: 100_000 }, (_, index) => scheduleSeed(1, index)));
  assert.equal(seeds.size, 100_000);
  assert.notEqual(mix32(1), mix32(2));
});

test('a probability of 0 never happens, a probability of a half about every second time', () => {
  const dice = throwDice(5);
  let hits = 0;
  for (let i = 0; i < 10_000; i++) {
    assert.equal(chance(dice, rate(0)), false);
    if (chance(dice, rate(0.5))) hits++;
  }
  assert.ok(hits > 4700 && hits < 5300, `${hits}`);
});

test('plans keep the limits of the fault model', () => {
  for (let index = 0; index < 5000; index++) {
    const plan = drawPlan(throwDice(scheduleSeed(7, index)));
    for (const policy of [plan.policy, plan.editedPolicy]) {
      assert.ok(policy.death.refusals >= 3);
      assert.ok(policy.death.spacingMs >= plan.propagationMs);
      assert.ok(plan.flapMaxMs < (policy.death.refusals - 1) * policy.death.spacingMs);
      assert.ok(plan.activationMs <= (policy.verifyAlive - 1) * policy.verifySpacingMs);
    }
    if (!plan.isClean) continue;
    assert.deepEqual(new Set(Object.values(plan.rates)), new Set([0]));
    assert.deepEqual([plan.strikes, plan.faultAsks], [[], 0]);
  }
});

test('a schedule without faults is an eighth of all, and each family is drawn', () => {
  let clean = 0;
  const strikes = new Set<string>();
  for (let index = 0; index < 4000; index++) {
    const plan = drawPlan(throwDice(scheduleSeed(8, index)));
    if (plan.isClean) clean++;
    for (const strike of plan.strikes) strikes.add(strike);
  }
  assert.ok(clean > 400 && clean < 600, `${clean}`);
  assert.equal(strikes.size, 19);
  assert.equal(FAMILIES.length, 16);
});

test('every mutant still applies to the files of today, and each has a name of its own', () => {
  for (const mutant of MUTANTS) {
    assert.ok(mutant.edits.length > 0);
    for (const { file } of mutant.edits) {
      const text = readFileSync(path.join(ROOT, file), 'utf8');
      assert.notEqual(patch(mutant, file, text), text, mutant.name);
    }
  }
  assert.equal(new Set(MUTANTS.map((mutant) => mutant.name)).size, MUTANTS.length);
});

test('a mutant whose text has changed is refused', () => {
  const mutant = { name: 'gone', where: 'protocol', why: '', edits: [{ file: 'a.ts', from: 'x', to: 'y' }] } as const;
  assert.throws(() => patch(mutant, 'a.ts', 'nothing'));
  assert.throws(() => patch(mutant, 'a.ts', 'x and x'));
  assert.equal(patch(mutant, 'a.ts', 'one x'), 'one y');
  assert.equal(patch(mutant, 'b.ts', 'one x'), 'one x');
});

for (const name of [
  'no prove',
  'revoke before promote',
  'sweep without the label',
  'no drain',
  'an abort is reported as rotated',
  'no second copy',
  'two rotators without fencing',
  'a resumed run has no brake left',
]) {
  test(`a mutant dies: ${name}`, async () => {
    const mutant = MUTANTS.find((one) => one.name === name);
    assert.ok(mutant !== undefined);
    const caught = await hunted(mutant, { base: 1, schedules: 5000 });
    assert.notEqual(caught.violation, null);
    // The seed that caught it is clean with the real protocol.
    assert.equal(runSchedule(caught.seed!, null, new Map()).violation, null);
  });
}
