// Re-wrapping: which envelopes need it, that a pass over pages misses none, and when an older key may be retired.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cipher, machineRandom as random } from './cipher.io.ts';
import type { KekRow } from './kek.ts';
import { needsRewrap, planPage, type RewrapPass, retirableKeks, startPass, type WrappedEnvelope } from './rewrap.ts';
import { TEST_NOW, testKek } from './test-support.ts';

const first = testKek({ cipher, random }).row;
const recovery = testKek({ cipher, random, rows: [first], role: 'recovery' }).row;
const second = testKek({ cipher, random, rows: [first, recovery] }).row;
const third = testKek({ cipher, random, rows: [first, recovery, second] }).row;
const rows = [first, recovery, second, third];

function wholePass(envelopes: readonly WrappedEnvelope[], limit: number, among: readonly KekRow[] = rows) {
  let pass: RewrapPass = startPass(among, 'primary')!;
  const rewrap: string[] = [];
  while (!pass.isOver) {
    const page = envelopes.filter(({ id }) => pass.cursor === null || id > pass.cursor).slice(0, limit);
    const planned = planPage({ rows: among, pass, page, limit });
    rewrap.push(...planned.rewrap);
    pass = planned.pass;
  }
  return { pass, rewrap };
}

test('an envelope needs a re-wrap unless it is under the target and no other KEK of its role', () => {
  const cases: [KekRow[], boolean][] = [
    [[third], false],
    [[recovery, third], false],
    [[first], true],
    [[recovery], true],
    [[second, third], true],
    [[], true],
  ];
  for (const [keks, expected] of cases) {
    const kekIds = keks.map(({ id }) => id);
    assert.equal(needsRewrap(rows, third.id, { id: 'a', kekIds }), expected);
  }
});

test('a pass sees each envelope once, whatever the size of its pages', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 30 }),
      fc.infiniteStream(fc.subarray(rows)),
      fc.integer({ min: 1, max: 10 }),
      (ids, kekStream, limit) => {
        const envelopes = ids
          .toSorted((left, right) => (left < right ? -1 : 1))
          .map((id) => ({ id, kekIds: (kekStream.next().value as KekRow[]).map((row) => row.id) }));
        const { pass, rewrap } = wholePass(envelopes, limit);
        const expected = envelopes.filter((envelope) => needsRewrap(rows, third.id, envelope)).map(({ id }) => id);
        assert.deepEqual(rewrap, expected);
        assert.equal(pass.seen, envelopes.length);
        assert.equal(pass.unfinished, expected.length);
        // Whatever may be retired, every envelope still opens with a KEK of the role that is left.
        const left = new Set([first, second, third].map(({ id }) => id));
        for (const retired of retirableKeks(rows, pass)) left.delete(retired);
        return expected.length > 0 || envelopes.every(({ kekIds }) => kekIds.some((kekId) => left.has(kekId)));
      },
    ),
    { numRuns: 300 },
  );
});

test('older KEKs may be retired only after a whole pass that found nothing to do', () => {
  const done = [{ id: 'a', kekIds: [third.id] }];
  const { pass } = wholePass(done, 10);
  assert.deepEqual(retirableKeks(rows, pass), [first.id, second.id]);
  assert.deepEqual(retirableKeks(rows, { ...pass, isOver: false }), []);
  assert.deepEqual(retirableKeks(rows, { ...pass, unfinished: 1 }), []);
  assert.deepEqual(retirableKeks(rows, { ...pass, aloneUnder: { [first.id]: 1 } }), [second.id]);
  assert.deepEqual(retirableKeks([{ ...first, retiredAt: TEST_NOW }, second, third], pass), [second.id]);
  assert.deepEqual(retirableKeks([first, second, { ...third, retiredAt: TEST_NOW }], pass), []);
  assert.deepEqual(retirableKeks([first], pass), []);
});

test('a KEK that alone opens an envelope is counted so, whoever else wraps it for another role', () => {
  const envelopes = [
    { id: 'a', kekIds: [first.id, recovery.id] },
    { id: 'b', kekIds: [first.id, third.id] },
    { id: 'c', kekIds: [first.id] },
  ];
  assert.deepEqual(wholePass(envelopes, 2).pass.aloneUnder, { [first.id]: 2 });
});

test('a pass goes towards the KEK in force in its role; pages out of order are a defect', () => {
  assert.equal(startPass(rows, 'recovery')?.targetId, recovery.id);
  assert.equal(startPass([{ ...third, retiredAt: TEST_NOW }, second], 'primary')?.targetId, second.id);
  assert.equal(startPass([], 'primary'), null);
  const pass = startPass(rows, 'primary')!;
  const page = ['b', 'a'].map((id) => ({ id, kekIds: [third.id] }));
  assert.throws(() => planPage({ rows, pass, page, limit: 5 }), /ascend/);
  assert.throws(() => planPage({ rows, pass: { ...pass, cursor: 'b' }, page: [page[0]!], limit: 5 }), /ascend/);
});
