// What follows a restored backup: which second copies become versions again, and which version the broker goes on with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { adoptable, type Candidate, recover, recoveryWaitMs } from './recovery.ts';

function candidate(versionId: string, issuedAt: number, verdict: Candidate['verdict']): Candidate {
  return { versionId, issuedAt, verdict };
}

test('an acceptance is trusted only after calls under way have arrived and spread', () => {
  assert.equal(recoveryWaitMs({ settleMs: 10_000, propagationMs: 60_000 }), 70_000);
});

test('second copies that the database knows are not adopted, the others are', () => {
  const copies = [{ versionId: 'ver_a' }, { versionId: 'ver_b' }];
  assert.deepEqual(adoptable(copies, new Set(['ver_a', 'ver_z'])), [{ versionId: 'ver_b' }]);
  assert.deepEqual(adoptable(copies, new Set(['ver_a', 'ver_b'])), []);
});

test('the newest key that is accepted becomes current, every other one is to be retired', () => {
  const candidates = [
    candidate('new and dead', 40, 'dead'),
    candidate('newest alive', 30, 'alive'),
    candidate('old', 10, 'alive'),
    candidate('cannot be told', 35, 'unknown'),
  ];
  assert.deepEqual(recover(candidates), {
    current: 'newest alive',
    retire: ['old', 'cannot be told', 'new and dead'],
  });
});

test('of two keys of one instant the later in the list is the newer', () => {
  const chosen = recover([candidate('a', 10, 'alive'), candidate('b', 10, 'alive')]);
  assert.deepEqual(chosen, { current: 'b', retire: ['a'] });
});

test('where none is accepted there is no current version, and nothing is decided', () => {
  assert.equal(recover([]).current, null);
  assert.equal(recover([candidate('a', 1, 'dead'), candidate('b', 2, 'unknown')]).current, null);
});

test('a key that was refused or did not answer is never made current, and none is forgotten', () => {
  const candidates = fc.uniqueArray(
    fc.record({
      versionId: fc.string({ minLength: 1, maxLength: 4 }),
      issuedAt: fc.integer({ min: 0, max: 5 }),
      verdict: fc.constantFrom('alive', 'dead', 'unknown'),
    }),
    { selector: (one) => one.versionId },
  );
  fc.assert(
    fc.property(candidates, (list: Candidate[]) => {
      const { current, retire } = recover(list);
      const alive = list.filter((one) => one.verdict === 'alive');
      const newest = Math.max(...alive.map((one) => one.issuedAt));
      const chosen = list.find((one) => one.versionId === current);
      if (alive.length === 0) assert.equal(current, null);
      else assert.ok(chosen?.verdict === 'alive' && chosen.issuedAt === newest);
      const all = current === null ? [...retire] : [current, ...retire];
      assert.deepEqual(all.sort(), list.map((one) => one.versionId).sort());
    }),
  );
});
