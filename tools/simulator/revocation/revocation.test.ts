// The revocation simulation itself: it breaks no invariant, ends in every declared way, is deterministic, keeps the limits of its model, and a
// broken rule is seen.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { hunt } from '../hunt.ts';
import { ORDERED } from '../mutants-revocation.ts';
import { scheduleSeed, throwDice } from '../random.ts';
import { cleanRuns, testMutantsDie, testOneStory } from '../test-support.ts';
import { drawPlan, OUTAGE_MIN_MS } from './plan.ts';
import { runSchedule } from './schedule.ts';
import { INVARIANTS } from './world.ts';

const PAGE = path.resolve(import.meta.dirname, '../../../docs/simulator.md');

test('thousands of schedules break no invariant, every fault strikes, and they end in every way there is', () => {
  const { found, tally } = hunt({ protocol: 'revocation', base: 5, schedules: 8_000, onProgress: null });
  assert.equal(found, null, JSON.stringify(found));
  for (const end of ['proven', 'unproven'])
    for (const how of ['with an id', 'without an id'])
      assert.ok((tally.get(`ended ${end} (${how})`) ?? 0) > 20, `${end} ${how}`);
  assert.equal(tally.get('ended nowhere (with an id)'), undefined);
  const faults = [
    'a call refused',
    'a crash',
    'a deletion that did nothing',
    'a false refusal',
    'a late call',
    'a lost answer',
    'a person deletes the key',
    'a person resumes: one who has deleted the key',
    'a person resumes: one who has not deleted the key',
    'a probe that said nothing',
    'a rotation proves it first',
    'a row that is read again',
    'a second order: conflict',
    'a second order: invalid',
    'a step of the clock on the wall',
    'a takeover',
    'a write whose answer was lost',
    'nothing to call with',
    'nothing to call with, and a person has been',
    'an acceptance that nobody wrote down',
    'an order that nobody heard of',
    'certified sooner than an endless deletion spreads',
    'the key works again',
  ];
  for (const what of faults) assert.ok((tally.get(what) ?? 0) > 20, what);
});

testOneStory(runSchedule, 'journal requested');

test('a schedule without faults is a tenth of all, and ends proven without a person, where the key has an id', () => {
  for (const tally of cleanRuns(runSchedule, drawPlan)) {
    const ended = [...tally.keys()].filter((what) => what.startsWith('ended '));
    assert.equal(ended.length, 1);
    assert.match(ended[0]!, /^ended proven/);
    if (ended[0]!.endsWith('with an id)')) assert.ok(![...tally.keys()].some((what) => what.startsWith('a person')));
  }
});

test('plans keep the limits of the model', () => {
  for (let index = 0; index < 5_000; index++) {
    const plan = drawPlan(throwDice(scheduleSeed(7, index)));
    const { refusals, spacingMs } = plan.policy;
    const mostMs = Math.max(...plan.nodesMs);
    assert.ok(refusals >= 3 && spacingMs >= plan.propagationMs);
    if (plan.spread === 'within') assert.ok(mostMs < plan.propagationMs);
    // A proof lasts two spacings: what spreads for as long leaves no room for a false refusal.
    if (plan.spread === 'twice') assert.ok(mostMs < (refusals - 1) * spacingMs && plan.flaky === 0);
    if (plan.outage !== null) assert.ok(plan.outage.until - plan.outage.from >= OUTAGE_MIN_MS);
    if (!plan.isClean) continue;
    const rates = [plan.lost, plan.answerLost, plan.refused, plan.lies, plan.unknown, plan.flaky, plan.crash];
    assert.deepEqual([...new Set(rates)], [0]);
    assert.ok(plan.hasControl && !plan.isDeaf && plan.spread === 'within');
  }
});

test('the page names every invariant, and no other', () => {
  const text = readFileSync(PAGE, 'utf8');
  const section = text.split(/^## /m).find((one) => one.startsWith('The revocation protocol\n')) ?? '';
  const table = section.split('| Invariant | Broken when |')[1] ?? '';
  const rows = table
    .split('\n\n')[0]!
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  const named = rows.flatMap((line) => [...line.split('|')[1]!.matchAll(/`([a-z-]+)`/g)].map((match) => match[1]!));
  assert.deepEqual(named.toSorted(), INVARIANTS.toSorted());
});

testMutantsDie(
  ORDERED,
  [
    'order: two refusals are enough',
    'order: the control is asked before, and not after',
    'order: evidence is taken over from a process that died',
    'order: an order that waits for a person is not in the way of another',
  ],
  runSchedule,
);
