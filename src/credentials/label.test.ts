// Labels: what is written is read back, and nothing else is taken for ours.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatLabel, type Label, labelPart, parseLabel } from './label.ts';

const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const attempts = fc.integer({ min: 1, max: 9999 });
const labels: fc.Arbitrary<Label> = fc
  .tuple(hex(8), hex(16), hex(16), attempts)
  .map(([instance, credential, rotation, attempt]) => ({ instance, credential, rotation, attempt }));

test('a label is read back as it was written, and fits into 64 characters', () => {
  fc.assert(
    fc.property(labels, (label) => {
      const name = formatLabel(label);
      assert.ok(name.length <= 64);
      assert.deepEqual(parseLabel(name), label);
    }),
  );
});

test('labels of two keys differ', () => {
  fc.assert(
    fc.property(labels, labels, (one, other) => {
      const isSame = JSON.stringify(one) === JSON.stringify(other);
      assert.equal(formatLabel(one) === formatLabel(other), isSame);
    }),
  );
});

test('a name that is cut, extended or altered anywhere is not ours', () => {
  fc.assert(
    fc.property(labels, fc.nat(), fc.string({ minLength: 1, maxLength: 3 }), (label, place, text) => {
      const name = formatLabel(label);
      const index = place % name.length;
      const others = [name.slice(0, index), name.slice(index + 1), name + text, text + name];
      others.push(name.slice(0, index) + text + name.slice(index));
      for (const other of others) {
        const read = parseLabel(other);
        // What still reads as a label is one in every character: no other name shares it.
        if (read !== null) assert.equal(formatLabel(read), other);
      }
    }),
  );
});

test('names of people and of other tools are not labels', () => {
  const good = 'clv/5eed5eed/c0c0c0c0c0c0c0c0/0198c1a2b3c47000/1';
  assert.notEqual(parseLabel(good), null);
  const names = [
    '',
    'laptop',
    'clv',
    'clv/',
    `${good} `,
    ` ${good}`,
    `${good}\n`,
    `${good} (copy)`,
    good.toUpperCase(),
    good.replace('/1', '/0'),
    good.replace('/1', '/01'),
    good.replace('/1', '/10000'),
    good.replace('/1', '/-1'),
    good.replace('/1', '/1.5'),
    good.replace('clv', 'CLV'),
    good.replace('c0c0c0c0c0c0c0c0', 'c0c0c0c0c0c0c0c'),
    good.replace('c0c0c0c0c0c0c0c0', 'g0c0c0c0c0c0c0c0'),
  ];
  for (const name of names) assert.equal(parseLabel(name), null, JSON.stringify(name));
});

test("an id's part in a label is its random tail", () => {
  assert.equal(labelPart('crd_0198c1a2b3c4700080a1b2c3d4e5f607'), '80a1b2c3d4e5f607');
});
