// Labels as names of Supabase's: each has one, within its limits, and comes back whole.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Failure } from '../model/failure.ts';
import { labelOfName, nameOfLabel } from './supabase.label.ts';

/** As the document constrains names. */
const NAME = /^[a-z_][a-z0-9_]{3,63}$/;
const LONGEST = `clv/${'f'.repeat(8)}/${'0'.repeat(16)}/${'9'.repeat(16)}/9999`;

test('the longest label that there is has a name, and comes back', () => {
  const name = nameOfLabel(LONGEST);
  assert.match(name, NAME);
  assert.equal(labelOfName(name), LONGEST);
  assert.equal(nameOfLabel('clv/0a/1'), 'claviger_clv__0a__1');
});

test('every label comes back from its name, and no two have the same', () => {
  const label = fc.string({
    unit: fc.constantFrom(...'abcxyzuhdABZ0189._/-'),
    minLength: 1,
    maxLength: 18,
  });
  fc.assert(
    fc.property(label, label, (one, other) => {
      assert.match(nameOfLabel(one), NAME);
      assert.equal(labelOfName(nameOfLabel(one)), one);
      assert.equal(nameOfLabel(one) === nameOfLabel(other), one === other);
    }),
  );
});

test('a name that a person gave stays as it is', () => {
  for (const name of ['default', 'ci_secret_key', 'claviger', 'claviger_', 'claviger_my_key', '_clv__1', 'claviger_a_'])
    assert.equal(labelOfName(name), name);
});

test('what has no name is refused: nothing, too much, what no label holds', () => {
  for (const label of ['', `${LONGEST}/`, 'a b', 'ä', 'a\n', '😀'])
    assert.throws(
      () => nameOfLabel(label),
      (error) => Failure.is(error, 'invalid'),
      JSON.stringify(label),
    );
});
