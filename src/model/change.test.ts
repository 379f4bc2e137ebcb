// Changes: images follow one another without a gap, and folding them gives the rows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { controlEvent } from '../../test/support/rows.ts';
import { applyEvent, emptyRows, NOUNS, type Noun, nextImage, type Row } from './change.ts';

interface Named extends Row {
  readonly name: string;
}
const row = (id: string, rowVersion: number, name = ''): Named => ({ id, rowVersion, name });

test('a first image is version 1, each next one is one more; anything else is a complaint', () => {
  const rows = emptyRows();
  const put = (id: string, rowVersion: number) =>
    applyEvent(rows, controlEvent([{ noun: 'principal', row: row(id, rowVersion) }]));
  assert.match(put('a', 0) ?? '', /does not follow row version 0/);
  assert.match(put('a', 2) ?? '', /image 2 does not follow row version 0/);
  assert.equal(put('a', 1), null);
  assert.match(put('a', 1) ?? '', /image 1 does not follow row version 1/);
  assert.match(put('a', 3) ?? '', /image 3 does not follow row version 1/);
  assert.equal(put('a', 2), null);
  assert.equal(put('b', 1), null, 'rows are counted apart');
  const elsewhere = applyEvent(rows, controlEvent([{ noun: 'token', row: row('a', 1) }]));
  assert.equal(elsewhere, null, 'and so are nouns');
});

test('an unknown noun is a complaint', () => {
  assert.match(
    applyEvent(emptyRows(), controlEvent([{ noun: 'nonsense' as Noun, row: row('a', 1) }])) ?? '',
    /unknown noun nonsense/,
  );
});

test('the next image changes what it is told, and nothing else', () => {
  const before = { ...row('a', 4, 'old'), other: 7 };
  assert.deepEqual(nextImage(before, { name: 'new' }), { id: 'a', rowVersion: 5, name: 'new', other: 7 });
  assert.deepEqual(before, { id: 'a', rowVersion: 4, name: 'old', other: 7 });
});

test('folding random images gives the last image of every row, however they are grouped into events', () => {
  const change = fc.record({
    noun: fc.constantFrom(...NOUNS),
    id: fc.constantFrom('a', 'b', 'c'),
    name: fc.string(),
    isLast: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const expected = new Map<string, Named>();
      const rows = emptyRows();
      let images: { noun: Noun; row: Named }[] = [];
      for (const { noun, id, name, isLast } of changes) {
        const before = expected.get(`${noun} ${id}`);
        const image = before === undefined ? row(id, 1, name) : nextImage<Named>(before, { name });
        expected.set(`${noun} ${id}`, image);
        images.push({ noun, row: image });
        if (!isLast) continue;
        assert.equal(applyEvent(rows, controlEvent(images)), null);
        images = [];
      }
      assert.equal(applyEvent(rows, controlEvent(images)), null);
      const folded = new Map(
        [...rows].flatMap(([noun, table]) => [...table].map(([id, one]) => [`${noun} ${id}`, one] as const)),
      );
      assert.deepEqual(folded, expected);
    }),
  );
});
