// How totals become a verdict: a script that always exits with 0 must still be able to fail the run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeRaw } from './http-raw.ts';
import { judgeKinds } from './kinds.ts';
import { type ForeignResult, formatResults, isMet } from './result.ts';

const rule = {
  name: 'tlog',
  goal: 'all',
  maySkip: (kind: string) => kind.startsWith('merkle subtree'),
  mustRun: ['merkle inclusion'],
};
const printed = (stdout: string, code: number | null = 0) => ({ stdout, stderr: '', code });
const GOOD =
  'merkle inclusion             ok 48 wrong 0 skipped 0\nmerkle subtreeinclusion      ok 0 wrong 0 skipped 94\n';

test('kinds: all right, and only what may be left out was left out', () => {
  const result = judgeKinds(printed(GOOD), rule);
  assert.deepEqual([result.passed, result.failed, result.skipped, isMet(result)], [48, 0, 94, true]);
});

test('kinds: a wrong answer, a gap, an absent kind, and silence each miss the goal', () => {
  const bad: [string, number | null][] = [
    [GOOD.replace('wrong 0', 'wrong 1'), 1],
    [GOOD.replace('skipped 0', 'skipped 1'), 0],
    ['checkpoints                  ok 7 wrong 0 skipped 0\n', 0],
    [GOOD.replace('ok 48', 'ok 0'), 0],
    ['', 0],
    [GOOD, 7],
    [GOOD, null],
  ];
  for (const [stdout, code] of bad) assert.equal(isMet(judgeKinds(printed(stdout, code), rule)), false);
});

test('kinds: names of files and notes behind the totals are read', () => {
  const result = judgeKinds(
    printed(
      'aes_gcm_test.json                      ok 146 wrong 0 skipped 0 acceptable(not scored) 2\n     tc1 invalid\n',
    ),
    { ...rule, mustRun: ['aes_gcm_test'] },
  );
  assert.deepEqual([result.passed, isMet(result)], [146, true]);
});

const TOTAL = 'llhttp accept    pass 7 fail 0\nTOTAL pass 7 fail 0 of 7 scored (9 cases)\n';

test('raw: totals that account for every case', () => {
  const result = judgeRaw(printed(TOTAL), 9, []);
  assert.deepEqual([result.passed, result.failed, result.skipped, isMet(result)], [7, 0, 2, true]);
});

test('raw: a failed case is named, although the script exits with 0', () => {
  const verdicts = [{ id: 'a', name: 'one', expect: 'reject', pass: false, why: 'status 200' }, { pass: true }];
  const result = judgeRaw(
    printed(TOTAL.replace('pass 7 fail 0 of 7 scored', 'pass 6 fail 1 of 7 scored')),
    9,
    verdicts,
  );
  assert.equal(isMet(result), false);
  assert.deepEqual(result.failures, ['a one: expected reject, status 200']);
});

test('raw: missing totals, a crash and cases that were not run miss the goal', () => {
  assert.equal(isMet(judgeRaw(printed(''), 9, [])), false);
  assert.equal(isMet(judgeRaw(printed(TOTAL, 1), 9, [])), false);
  assert.equal(isMet(judgeRaw(printed(TOTAL), 10, [])), false);
});

test('table: the verdict stands in words, and nothing passed is not met', () => {
  const result: ForeignResult = { name: 'a', passed: 0, failed: 0, skipped: 3, goal: 'all', failures: [] };
  assert.match(formatResults([result]), /all: NOT MET/);
  assert.match(formatResults([{ ...result, gated: false }]), /not met, no gate/);
  assert.match(formatResults([{ ...result, passed: 1 }]), /all: met/);
});
