// One forged log for each way to tamper with entries, named after what it forges, and what the verifier says of it: entries that
// were changed, dropped, added, moved or cut off while the hash tiles were left alone.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { flip, forgedEntry, found, genuine, genuineOf, SIZE, verify, withChange } from './testing/forging.io.ts';
import { bundleBytes, madeTilePath, plainControlEntries, writeBundles, writeIn } from './testing/made-log.io.ts';

test('entry-changed', (t) => {
  for (const index of [0, 1, 255, 256, 400, 511, 512, 699]) {
    const log = genuine(t);
    writeBundles(log.folder, withChange(log.entries, index));
    assert.deepEqual(found(log), [{ kind: 'entry-changed', index, count: 1 }]);
  }
});

test('entries-changed, next to each other and apart', (t) => {
  const log = genuine(t);
  writeBundles(log.folder, withChange(log.entries, 10, 11, 12, 254, 255, 256, 600));
  assert.deepEqual(found(log), [
    { kind: 'entry-changed', index: 10, count: 3 },
    { kind: 'entry-changed', index: 254, count: 3 },
    { kind: 'entry-changed', index: 600, count: 1 },
  ]);
});

test('entry-changed in length by one bit of its prefix', (t) => {
  const log = genuine(t);
  const file = 'tile/entries/000';
  const offset = bundleBytes(log.entries.slice(0, 40)).length;
  flip(log, file, offset + 1);
  const [first] = found(log);
  assert.equal(first?.kind, 'entry-changed');
  assert.equal(first?.kind === 'entry-changed' && first.index, 40);
});

test('every-entry-changed', (t) => {
  const log = genuine(t);
  writeBundles(log.folder, plainControlEntries(SIZE, 'forged'));
  assert.deepEqual(found(log), [{ kind: 'entry-changed', index: 0, count: SIZE }]);
});

test('entry-dropped, everything behind it moved up', (t) => {
  for (const index of [0, 1, 255, 256, 300, 511, 512, 698, 699]) {
    const log = genuine(t);
    writeBundles(log.folder, log.entries.toSpliced(index, 1));
    assert.deepEqual(found(log), [{ kind: 'entries-missing', from: index, to: index + 1 }]);
  }
});

test('entry-dropped, so that the last bundle vanishes', (t) => {
  const log = genuineOf(t, plainControlEntries(513));
  writeBundles(log.folder, log.entries.toSpliced(300, 1));
  assert.deepEqual(found(log), [{ kind: 'entries-missing', from: 300, to: 301 }]);
});

test('entry-dropped from its bundle alone', (t) => {
  const log = genuine(t);
  writeIn(log.folder, 'tile/entries/001', bundleBytes(log.entries.slice(256, 512).toSpliced(40, 1)));
  assert.deepEqual(found(log), [{ kind: 'entries-missing', from: 296, to: 297 }]);
});

test('entries-dropped, many of them and in two places', (t) => {
  const log = genuine(t);
  writeBundles(log.folder, log.entries.toSpliced(400, 250).toSpliced(20, 3));
  assert.deepEqual(found(log), [
    { kind: 'entries-missing', from: 20, to: 23 },
    { kind: 'entries-missing', from: 400, to: 650 },
  ]);
});

test('entry-dropped and another one changed', (t) => {
  const log = genuine(t);
  writeBundles(log.folder, withChange(log.entries, 500).toSpliced(100, 1));
  assert.deepEqual(found(log), [
    { kind: 'entry-changed', index: 500, count: 1 },
    { kind: 'entries-missing', from: 100, to: 101 },
  ]);
});

test('entry-inserted, everything behind it moved down', (t) => {
  for (const index of [0, 1, 255, 256, 300, 512, 699]) {
    const log = genuine(t);
    writeBundles(log.folder, log.entries.toSpliced(index, 0, forgedEntry(1)));
    assert.deepEqual(found(log), [{ kind: 'entries-inserted', index, count: 1 }]);
  }
});

test('entry-inserted, so that a bundle is added', (t) => {
  const log = genuineOf(t, plainControlEntries(512));
  writeBundles(log.folder, log.entries.toSpliced(300, 0, forgedEntry(1)));
  assert.deepEqual(found(log), [{ kind: 'entries-inserted', index: 300, count: 1 }]);
});

test('entry-inserted into its bundle alone', (t) => {
  const log = genuine(t);
  writeIn(log.folder, 'tile/entries/001', bundleBytes(log.entries.slice(256, 512).toSpliced(40, 0, forgedEntry(1))));
  assert.deepEqual(found(log), [{ kind: 'entries-inserted', index: 296, count: 1 }]);
});

test('entry-appended to a bundle that is complete without it', (t) => {
  for (const [tile, from, to] of [
    [0, 0, 256],
    [2, 512, SIZE],
  ] as const) {
    const log = genuine(t);
    const entries = [...log.entries.slice(from, to), forgedEntry(1)];
    writeIn(log.folder, madeTilePath('entries', tile, to - from), bundleBytes(entries));
    assert.deepEqual(found(log), [{ kind: 'entries-inserted', index: to, count: 1 }]);
  }
});

test('entries-swapped', (t) => {
  for (const [a, b] of [
    [0, 1],
    [255, 256],
    [10, 690],
    [300, 333],
    [698, 699],
  ] as const) {
    const log = genuine(t);
    writeBundles(log.folder, log.entries.with(a, log.entries[b]!).with(b, log.entries[a]!));
    const [finding, ...others] = found(log);
    assert.deepEqual(
      [finding?.kind, finding?.kind === 'entries-reordered' && finding.first, others],
      ['entries-reordered', a, []],
    );
  }
});

test('entry-moved, forwards and backwards', (t) => {
  for (const [from, to] of [
    [5, 9],
    [9, 5],
    [20, 650],
    [650, 20],
  ] as const) {
    const log = genuine(t);
    writeBundles(log.folder, log.entries.toSpliced(from, 1).toSpliced(to, 0, log.entries[from]!));
    const [finding, ...others] = found(log);
    assert.deepEqual([finding?.kind, others], ['entries-reordered', []]);
    assert.equal(finding?.kind === 'entries-reordered' && finding.first, Math.min(from, to));
  }
});

test('entries-reversed', (t) => {
  const log = genuine(t);
  writeBundles(log.folder, [
    ...log.entries.slice(0, 100),
    ...log.entries.slice(100, 400).reverse(),
    ...log.entries.slice(400),
  ]);
  const [finding, ...others] = found(log);
  assert.deepEqual(
    [finding?.kind, finding?.kind === 'entries-reordered' && finding.first, others],
    ['entries-reordered', 100, []],
  );
});

test('last-entries-cut-off within a bundle, and whole bundles', (t) => {
  const log = genuine(t);
  writeBundles(log.folder, log.entries.slice(0, 690));
  assert.deepEqual(found(log), [{ kind: 'entries-missing', from: 690, to: SIZE }]);
  writeBundles(log.folder, log.entries.slice(0, 300));
  assert.deepEqual(found(log), [{ kind: 'entries-missing', from: 300, to: SIZE }]);
  rmSync(path.join(log.folder, 'tile/entries'), { recursive: true });
  assert.deepEqual(found(log), [{ kind: 'entries-missing', from: 0, to: SIZE }]);
});

test('bundle-removed from the middle', (t) => {
  const log = genuine(t);
  rmSync(path.join(log.folder, 'tile/entries/001'));
  assert.deepEqual(found(log), [{ kind: 'entries-missing', from: 256, to: 512 }]);
});

test('log-exchanged as a whole: a few findings of each kind, and how many more', (t) => {
  const log = genuine(t);
  const forged = log.entries.map((entry, i) => (i % 2 === 0 ? forgedEntry(i) : entry));
  writeBundles(log.folder, forged);
  const report = verify(log);
  assert.equal(report.findings.length, 100);
  assert.equal(report.findingsDropped, 250);
});
