// What counts as failed, lost and doubled, and which requests a pause is measured by.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Seen } from '../world/caller.ts';
import { judge, quantile, type Span } from './judge.ts';

const read = (line: number, at: number, ms: number, status = 200): Seen => [line, null, at, ms, status, ''];
const write = (number: string, status: number): Seen => [0, number, 0, 1, status, ''];

test('a quantile is one of the numbers, and nothing of none', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.deepEqual(
    [quantile(hundred, 0.99), quantile(hundred, 1), quantile([7], 0.99), quantile([], 0.5)],
    [99, 100, 7, 0],
  );
});

test('a pause is measured by the requests of its own line that were in flight while it lasted', () => {
  const hold: Span = { line: 0, from: 100, to: 200, is: 'hold' };
  const seen = [
    read(0, 0, 99),
    read(0, 0, 100),
    read(0, 150, 60),
    read(0, 200, 5),
    read(0, 201, 500),
    read(1, 150, 900),
  ];
  const { around, longestMs, failed } = judge(seen, [hold], new Map());
  assert.deepEqual([around, longestMs, failed], [3, 100, 0]);
  assert.equal(judge(seen, [], new Map()).around, 6, 'where nothing was held: by all');
});

test('what fails inside a hard cut of its line is counted apart, and nothing else is', () => {
  const cut: Span = { line: 0, from: 100, to: 200, is: 'cut' };
  const seen = [read(0, 150, 1, 401), read(1, 150, 1, 401), read(0, 201, 1, 401), read(0, 150, 1)];
  const { failed, cut: inCut, problems } = judge(seen, [cut], new Map());
  assert.deepEqual([failed, inCut, problems.length], [2, 1, 2]);
  assert.equal(judge(seen, [{ ...cut, is: 'hold' }], new Map()).failed, 3, 'a hold excuses nobody');
  assert.equal(judge([read(0, 0, 1, 0), read(0, 0, 1, 302)], [], new Map()).failed, 2, 'no answer is no success');
});

test('a write that was answered was carried out once, and one that was not at most once', () => {
  const seen = ['a', 'b', 'c', 'd', 'e'].map((number, i) => write(number, i < 3 ? 200 : 503));
  const carried = new Map([
    ['a', 1],
    ['c', 2],
    ['d', 1],
    ['f', 1],
  ]);
  const verdict = judge(seen, [], carried);
  assert.deepEqual([verdict.writes, verdict.lost, verdict.doubled], [3, 1, 1]);
  assert.deepEqual(
    verdict.problems.filter((one) => one.includes('writes')),
    [
      '1 writes answered and not carried out: b',
      '1 writes carried out more than once: c',
      '1 writes carried out and never sent: f',
    ],
  );
  assert.equal(judge([write('e', 503)], [], new Map([['e', 2]])).doubled, 1);
});
