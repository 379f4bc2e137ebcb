// The swap simulation itself: it is deterministic, ends in every declared way, and a broken invariant is seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hunt } from '../hunt.ts';
import { testOneStory } from '../test-support.ts';
import { runSchedule } from './schedule.ts';

test('thousands of schedules break no invariant, and end in every way there is', () => {
  const { found, tally } = hunt({ protocol: 'swap', base: 5, schedules: 5_000, onProgress: null });
  assert.equal(found, null);
  for (const end of ['rotated (ours)', 'rotated (provider)', 'lost (provider)', 'aborted (ours)', 'aborted (provider)'])
    assert.ok((tally.get(`ended ${end}`) ?? 0) > 20, end);
  assert.equal(tally.get('ended lost (ours)'), undefined, 'a value of ours is never lost');
  for (const what of [
    'a crash',
    'a lost answer',
    'a late arrival',
    'a resume',
    'a cancel',
    'the gate opened by itself',
  ])
    assert.ok((tally.get(what) ?? 0) > 10, what);
});

testOneStory(runSchedule, 'journal');
