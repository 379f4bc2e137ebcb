// One forged log for each way to tamper with hash tiles, alone or with the entries below them, named after what it forges, and
// what the verifier says of it.
import assert from 'node:assert/strict';
import { appendFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  CHECKPOINTS,
  flip,
  forgedEntry,
  found,
  genuine,
  KEPT,
  keptOf,
  SIZE,
  verify,
  withChange,
} from './testing/forging.io.ts';
import {
  bundleBytes,
  type MadeLog,
  madeTilePath,
  writeBundles,
  writeIn,
  writeLog,
  writeTiles,
} from './testing/made-log.io.ts';

test('tile-and-bundle-removed: the gap is named, and what is behind it still verified', (t) => {
  const log = genuine(t);
  rmSync(path.join(log.folder, 'tile/entries/001'));
  rmSync(path.join(log.folder, 'tile/0/001'));
  assert.deepEqual(found(log), [
    { kind: 'entries-missing', from: 256, to: 512 },
    { kind: 'malformed', file: 'tile/0/001', index: null, why: 'the hash tile is missing' },
  ]);
  writeIn(log.folder, madeTilePath('entries', 2, 188), bundleBytes(withChange(log.entries, 600).slice(512)));
  assert.equal(found(log)[0]?.kind, 'entry-changed');
  assert.equal(verify(log).kept.verdict, 'consistent', 'the checkpoint at the end of the gap was reached by level 1');
});

test('hash-tile-changed: the entries and the checkpoints convict it', (t) => {
  for (const [file, tile] of [
    ['tile/0/000', 0],
    ['tile/0/001', 1],
    ['tile/0/002.p/188', 2],
  ] as const) {
    const log = genuine(t);
    flip(log, file, 5 * 32);
    assert.deepEqual(found(log), [{ kind: 'tile-changed', level: 0, tile }]);
  }
});

test('hash-tile-of-level-1-changed', (t) => {
  const log = genuine(t);
  flip(log, 'tile/1/000.p/2', 32);
  assert.deepEqual(found(log), [{ kind: 'tile-changed', level: 1, tile: 0 }]);
});

test('hash-tiles-of-levels-0-and-1-changed: the entries alone are right', (t) => {
  const log = genuine(t);
  flip(log, 'tile/0/000', 5 * 32);
  flip(log, 'tile/1/000.p/2', 32);
  assert.deepEqual(found(log), [
    { kind: 'tile-changed', level: 0, tile: 0 },
    { kind: 'tile-changed', level: 1, tile: 0 },
  ]);
});

test('hash-tile-changed in one place and entry-changed in another', (t) => {
  const log = genuine(t);
  flip(log, 'tile/0/000', 5 * 32);
  writeBundles(log.folder, withChange(log.entries, 300));
  assert.deepEqual(found(log), [
    { kind: 'entry-changed', index: 300, count: 1 },
    { kind: 'tile-changed', level: 0, tile: 0 },
  ]);
  flip(log, 'tile/0/002.p/188', 7 * 32);
  assert.deepEqual(found(log), [
    { kind: 'entry-changed', index: 300, count: 1 },
    { kind: 'tile-changed', level: 0, tile: 0 },
    { kind: 'tile-changed', level: 0, tile: 2 },
  ]);
});

test('hash-tile-removed, and one of the wrong length', (t) => {
  const log = genuine(t);
  rmSync(path.join(log.folder, 'tile/0/001'));
  appendFileSync(path.join(log.folder, 'tile/1/000.p/2'), 'x');
  assert.deepEqual(found(log), [
    { kind: 'malformed', file: 'tile/1/000.p/2', index: null, why: '65 bytes instead of 64' },
    { kind: 'malformed', file: 'tile/0/001', index: null, why: 'the hash tile is missing' },
  ]);
});

test('entry-and-all-hashes-rewritten: the first checkpoint that no longer matches bounds it', (t) => {
  for (const [index, afterSize, upToSize] of [
    [0, 0, 1],
    [50, 1, 100],
    [255, 100, 256],
    [256, 256, 300],
    [400, 300, 512],
    [650, 600, 700],
  ] as const) {
    const log = genuine(t);
    const forged = withChange(log.entries, index);
    writeBundles(log.folder, forged);
    writeTiles(log.folder, forged);
    assert.deepEqual(found(log, null), [{ kind: 'history-rewritten', afterSize, upToSize }]);
  }
});

test('entry-and-all-hashes-rewritten: the checkpoint that the reader kept narrows the interval', (t) => {
  const log = genuine(t);
  const forged = withChange(log.entries, 400);
  writeBundles(log.folder, forged);
  writeTiles(log.folder, forged);
  assert.deepEqual(found(log, keptOf(log, 410)), [{ kind: 'history-rewritten', afterSize: 300, upToSize: 410 }]);
  assert.deepEqual(found(log, keptOf(log, 390)), [{ kind: 'history-rewritten', afterSize: 390, upToSize: 512 }]);
  assert.equal(verify(log, keptOf(log, 410)).kept.verdict, 'inconsistent');
});

test('entry-and-its-hash-tile-rewritten: the tile above bounds it', (t) => {
  const log = genuine(t);
  const forged = withChange(log.entries, 400);
  writeBundles(log.folder, forged);
  writeTiles(log.folder, forged, [0]);
  assert.deepEqual(found(log), [{ kind: 'history-rewritten', afterSize: 256, upToSize: 512 }]);
});

test('entry-dropped-and-all-hashes-rewritten', (t) => {
  const log = genuine(t);
  const forged = [...log.entries.toSpliced(400, 1), forgedEntry(699)];
  writeBundles(log.folder, forged);
  writeTiles(log.folder, forged);
  assert.deepEqual(found(log, null), [{ kind: 'history-rewritten', afterSize: 300, upToSize: 512 }]);
});

test('history-rewritten-and-signed-again: only the kept checkpoint tells', (t) => {
  const log = genuine(t);
  const kept = keptOf(log);
  const forged: MadeLog = { ...log, entries: withChange(log.entries, 400) };
  writeLog(forged, CHECKPOINTS);
  assert.deepEqual(found(forged, kept), [{ kind: 'forked', size: KEPT, isKept: true }]);
  assert.equal(verify(forged, keptOf(log, 300)).isVerified, true, 'before the change both histories are one');
  assert.deepEqual(found(forged, keptOf(log, SIZE)), [{ kind: 'forked', size: SIZE, isKept: true }]);
});
