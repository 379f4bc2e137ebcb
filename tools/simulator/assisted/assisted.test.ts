// The assisted simulation itself: it breaks no invariant, ends in every declared way, is deterministic, keeps the limits of its model, and a
// broken rule is seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hunt } from '../hunt.ts';
import { ASSISTED } from '../mutants-assisted.ts';
import { scheduleSeed, throwDice } from '../random.ts';
import { cleanRuns, testMutantsDie, testOneStory } from '../test-support.ts';
import { drawPlan, LATE_MAX_MS, STALL_MAX_MS } from './plan.ts';
import { runSchedule } from './schedule.ts';

test('thousands of schedules break no invariant, every fault strikes, and they end in every way there is', () => {
  const { found, tally } = hunt({ protocol: 'assisted', base: 5, schedules: 8_000, onProgress: null });
  assert.equal(found, null, JSON.stringify(found));
  const kinds = [
    'by-hand, person/api',
    'by-hand, person/person',
    'hard-cut, person/person',
    'grace, grace/api',
    'grace, grace/person',
  ];
  for (const kind of kinds) {
    for (const end of ['rotated', 'superseded'])
      assert.ok((tally.get(`ended ${end} (${kind})`) ?? 0) > 20, `${end} ${kind}`);
  }
  const aborted = kinds.map((kind) => tally.get(`ended aborted (${kind})`) ?? 0);
  assert.ok(aborted.slice(0, 3).every((times) => times > 100) && aborted[3]! > 0, `${aborted}`);
  const faults = [
    'a brought key was lost with its process',
    'a cancel',
    'a crash',
    'a late replacement',
    'a lost answer',
    'a person deletes the new key before the old one was to go',
    'a person deletes the new key instead of the old one',
    'a person deletes the old key too early',
    'a replacement arrived twice',
    'a replacement was dead on arrival',
    'a resume',
    'a takeover',
    'a wrong key: mistyped',
    'a wrong key: short-lived',
    'given up',
    'nothing to replace it with',
    'nothing to revoke it with',
  ];
  for (const what of faults) assert.ok((tally.get(what) ?? 0) > 20, what);
});

testOneStory(runSchedule, 'has ended');

test('a schedule without faults is a tenth of all, and ends rotated at the first try', () => {
  for (const tally of cleanRuns(runSchedule, drawPlan)) {
    assert.deepEqual(
      [...tally.keys()].filter((what) => what.startsWith('ended ')).map((what) => what.slice(6, 13)),
      ['rotated'],
    );
  }
});

test('plans keep the limits of the model', () => {
  for (let index = 0; index < 3_000; index++) {
    const plan = drawPlan(throwDice(scheduleSeed(7, index)));
    const { death, settleMs } = plan.policy;
    // What was lost has arrived, or never will, when another replacement is asked for.
    assert.ok(settleMs > LATE_MAX_MS + STALL_MAX_MS);
    assert.ok(death.refusals >= 3 && death.spacingMs >= plan.propagationMs);
    assert.ok(plan.lingerMs < plan.propagationMs && plan.activationMs < death.spacingMs);
    assert.ok(plan.isShortGrace || plan.graceMs >= 150_000);
    if (plan.means.revoke === 'api') assert.ok(plan.hasIssuer, 'whoever is called by API has a key to call with');
  }
});

testMutantsDie(
  ASSISTED,
  [
    'a replacement under way can be cancelled',
    'an old key that may have been cut is trusted at once',
    'the person is told before it is written',
  ],
  runSchedule,
);
