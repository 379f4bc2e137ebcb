// The comparison of entries with their hashes: small random forgeries, and logs much longer than what is held in memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createAlignment } from './alignment.ts';
import { explainSegments, joinNeighbours } from './explain.ts';
import type { Finding } from './findings.ts';

/** Something like a hash for each number. */
function hashes(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 32);
  const view = new DataView(bytes.buffer);
  for (const [i, number] of numbers.entries()) view.setFloat64(i * 32 + 20, number);
  return bytes;
}

function compare(found: readonly number[], expected: readonly number[], piece = 256): Finding[] {
  const alignment = createAlignment();
  for (let at = 0; at < Math.max(found.length, expected.length); at += piece) {
    alignment.feed(hashes(found.slice(at, at + piece)), hashes(expected.slice(at, at + piece)));
  }
  alignment.restart(expected.length);
  assert.ok(alignment.isLevel());
  const runs = alignment.changedRuns().map((run): Finding => ({ kind: 'entry-changed', ...run }));
  return joinNeighbours([...explainSegments(alignment.segments(), () => false), ...runs]);
}

function placeOf(finding: Finding): number {
  if ('from' in finding) return finding.from;
  if ('first' in finding) return finding.first;
  assert.ok('index' in finding && finding.index !== null);
  return finding.index;
}

const upTo = (length: number) => Array.from({ length }, (_, i) => i);

test('whatever was done to the entries, the first difference is named, and nothing is named where there is none', () => {
  const edit = fc.record({
    how: fc.constantFrom('change', 'drop', 'insert', 'swap', 'move', 'repeat', 'cut'),
    at: fc.nat(),
    to: fc.nat(),
  });
  fc.assert(
    fc.property(
      fc.nat({ max: 120 }),
      fc.array(edit, { maxLength: 6 }),
      fc.integer({ min: 1, max: 40 }),
      (size, edits, piece) => {
        const expected = upTo(size);
        let found = upTo(size);
        for (const [number, { how, at, to }] of edits.entries()) {
          const [a, b] = [at % (found.length + 1), to % (found.length + 1)];
          if (how === 'change' && a < found.length) found = found.with(a, 1000 + number);
          if (how === 'drop') found = found.toSpliced(a, 1 + (to % 3));
          if (how === 'insert') found = found.toSpliced(a, 0, 1000 + number);
          if (how === 'cut') found = found.slice(0, a);
          if (a >= found.length || b >= found.length) continue;
          if (how === 'swap') found = found.with(a, found[b]!).with(b, found[a]!);
          if (how === 'move') found = found.toSpliced(a, 1).toSpliced(b, 0, found[a]!);
          if (how === 'repeat') found = found.toSpliced(a, 0, found[b]!);
        }
        const first = expected.findIndex((value, i) => value !== found[i]);
        const places = compare(found, expected, piece).map(placeOf);
        if (first < 0 && found.length === size) assert.deepEqual(places, []);
        else assert.equal(Math.min(...places), first < 0 ? size : first);
      },
    ),
    { numRuns: 400 },
  );
});

test('every hash that is missing or changed is accounted for', () => {
  fc.assert(
    fc.property(fc.nat({ max: 80 }), fc.array(fc.nat(), { maxLength: 20 }), (size, drops) => {
      const gone = new Set(drops.map((drop) => drop % (size + 1)).filter((drop) => drop < size));
      const findings = compare(
        upTo(size).filter((number) => !gone.has(number)),
        upTo(size),
      );
      const named = findings.flatMap((finding) => {
        assert.ok(finding.kind === 'entries-missing');
        return upTo(finding.to).slice(finding.from);
      });
      assert.deepEqual(
        named,
        [...gone].sort((a, b) => a - b),
      );
    }),
  );
});

const LONG = upTo(60_000);

test('in a long log, entries that were dropped far apart are named', () => {
  const found = LONG.toSpliced(50_000, 1).toSpliced(9000, 5000).toSpliced(100, 1);
  assert.deepEqual(compare(found, LONG), [
    { kind: 'entries-missing', from: 100, to: 101 },
    { kind: 'entries-missing', from: 9000, to: 14_000 },
    { kind: 'entries-missing', from: 50_000, to: 50_001 },
  ]);
});

test('in a long log, entries that were swapped farther apart than the window are one reordering', () => {
  const found = LONG.with(100, 50_000).with(50_000, 100);
  assert.deepEqual(compare(found, LONG), [{ kind: 'entries-reordered', first: 100, last: 50_000 }]);
});

test('in a long log, a run of changes and a few single ones are named', () => {
  const found = LONG.map((number) => (number >= 20_000 && number < 22_000 ? -number : number)).with(59_999, -1);
  assert.deepEqual(compare(found, LONG), [
    { kind: 'entry-changed', index: 20_000, count: 2000 },
    { kind: 'entry-changed', index: 59_999, count: 1 },
  ]);
});

test('where everything differs, what is kept stays bounded and the differences are counted', () => {
  const size = 200_000;
  const alignment = createAlignment();
  for (let at = 0; at < size; at += 256) {
    const expected = upTo(Math.min(256, size - at)).map((number) => at + number);
    alignment.feed(hashes(expected.map((number) => -1 - number)), hashes(expected));
  }
  alignment.restart(size);
  const kept = alignment.segments().reduce((sum, { expected, found }) => sum + expected.length + found.length, 0);
  assert.ok(kept <= 65_536, `${kept} hashes`);
  const named = alignment.segments().reduce((sum, { expected }) => sum + expected.length, 0);
  assert.deepEqual(alignment.changedRuns(), [{ index: named, count: size - named }]);
});

test('pieces that are settled otherwise are left out, tile by tile', () => {
  const expected = upTo(1024);
  const alignment = createAlignment();
  alignment.feed(hashes(expected.map((number) => -1 - number)), hashes(expected));
  alignment.restart(1024);
  const findings = explainSegments(alignment.segments(), (tile) => tile === 1 || tile === 2);
  assert.deepEqual(findings, [
    { kind: 'entry-changed', index: 0, count: 256 },
    { kind: 'entry-changed', index: 768, count: 256 },
  ]);
});

test('where one side runs ahead of the other for ever, what is pending stays bounded', () => {
  for (const [ahead, behind] of [
    [512, 0],
    [0, 512],
  ] as const) {
    const alignment = createAlignment();
    let fed = 0;
    for (let piece = 0; piece < 200; piece++, fed += 512) {
      const numbers = upTo(512).map((number) => fed + number);
      alignment.feed(hashes(numbers.slice(0, ahead)), hashes(numbers.slice(0, behind)));
    }
    const settled = alignment.segments().reduce((sum, { expected, found }) => sum + expected.length + found.length, 0);
    assert.ok(settled >= 65_536 - 8192, `${settled} of ${fed} hashes were settled before the end`);
  }
});
