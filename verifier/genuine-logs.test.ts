// Logs as the writer leaves them, whole, grown and pruned: what must not be called forged.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  CHECKPOINTS,
  flip,
  found,
  genuine,
  genuineOf,
  keptOf,
  SIZE,
  verify,
  withChange,
} from './testing/forging.io.ts';
import {
  jsonEntry,
  type MadeLog,
  makeFolder,
  makeKey,
  plainControlEntries,
  plainUseEntries,
  writeBundles,
  writeCheckpoints,
  writeLog,
  writeTiles,
} from './testing/made-log.io.ts';

test('genuine logs of all small sizes verify, with a checkpoint at every size', (t) => {
  const entries = plainControlEntries(SIZE);
  for (const size of [...Array.from({ length: 18 }, (_, i) => i), 31, 32, 33, 70, 255, 256, 257, 511, 512, 513]) {
    const log: MadeLog = { folder: makeFolder(t), key: makeKey('claviger/t/control'), entries: entries.slice(0, size) };
    const sizes = size > 71 ? CHECKPOINTS.filter((s) => s < size) : Array.from({ length: size }, (_, i) => i);
    writeLog(log, sizes);
    for (const keptSize of new Set([0, Math.floor(size / 2), size])) {
      const report = verify(log, keptOf(log, keptSize));
      assert.deepEqual(report.findings, [], `size ${size}, kept ${keptSize}`);
      assert.deepEqual([report.newest?.size, report.kept.verdict, report.entriesRead], [size, 'consistent', size]);
      assert.equal(report.checkpoints, sizes.length + 1);
    }
    rmSync(log.folder, { recursive: true });
  }
});

test('a genuine log verifies without a kept checkpoint, and says that there was none', (t) => {
  const report = verify(genuine(t), null);
  assert.equal(report.isVerified, true);
  assert.deepEqual(report.kept, { size: null, verdict: 'absent' });
  assert.deepEqual(report.times, { first: 1_790_000_000_000, last: 1_790_000_000_699 });
});

test('a genuine log of three levels of tiles verifies', (t) => {
  const entries = Array.from({ length: 65_536 + 300 }, (_, i) => Buffer.from(`e${i}`));
  const log: MadeLog = { folder: makeFolder(t), key: makeKey('example.com/log'), entries };
  writeLog(log, [65_536]);
  assert.deepEqual(found(log, null), []);
  flip(log, 'tile/1/000', 40 * 32);
  flip(log, 'tile/2/000.p/1', 3);
  assert.deepEqual(found(log, null), [
    { kind: 'tile-changed', level: 1, tile: 0 },
    { kind: 'tile-changed', level: 2, tile: 0 },
  ]);
});

test('a log that has grown beyond its checkpoint since verifies', (t) => {
  for (const [size, grown] of [
    [100, 130],
    [100, 256],
    [256, 700],
    [300, 700],
    [513, 1100],
  ] as const) {
    const log: MadeLog = { ...genuine(t), entries: plainControlEntries(size) };
    rmSync(path.join(log.folder, 'tile'), { recursive: true });
    rmSync(path.join(log.folder, 'checkpoints'), { recursive: true });
    writeBundles(log.folder, plainControlEntries(grown));
    writeTiles(log.folder, plainControlEntries(grown));
    writeCheckpoints(log, [50]);
    assert.deepEqual(found(log, keptOf(log, 50)), [], `${size} of ${grown}`);
    writeBundles(log.folder, withChange(plainControlEntries(grown), size - 1));
    assert.deepEqual(found(log, keptOf(log, 50)), [{ kind: 'entry-changed', index: size - 1, count: 1 }]);
  }
});

test('bundles-pruned: information in the use log, from the start only', (t) => {
  const log = genuineOf(t, plainUseEntries(SIZE), 'claviger/test/use');
  assert.deepEqual(found(log), []);
  rmSync(path.join(log.folder, 'tile/entries/000'));
  assert.deepEqual(found(log), [{ kind: 'pruned', from: 0, to: 256 }]);
  assert.deepEqual(verify(log).times, { first: 1_790_000_000_256, last: 1_790_000_000_699 });
  rmSync(path.join(log.folder, 'tile/entries/002.p'), { recursive: true });
  assert.deepEqual(found(log), [
    { kind: 'entries-missing', from: 512, to: 700 },
    { kind: 'pruned', from: 0, to: 256 },
  ]);
  rmSync(path.join(log.folder, 'tile/entries/001'));
  assert.deepEqual(
    found(log),
    [{ kind: 'entries-missing', from: 0, to: 700 }],
    'a log without any entry is not pruned',
  );
});

test('an outcome may name a use whose bundle was pruned', (t) => {
  const outcome = jsonEntry({ at: 1, kind: 'outcomes', of: [[10, 200, 0, 9, 1]], v: 1 });
  const log = genuineOf(t, plainUseEntries(SIZE).with(600, outcome), 'claviger/test/use');
  rmSync(path.join(log.folder, 'tile/entries/000'));
  assert.deepEqual(found(log), [{ kind: 'pruned', from: 0, to: 256 }]);
});

test('bundles-pruned does not hide a changed hash tile', (t) => {
  const log = genuineOf(t, plainUseEntries(SIZE), 'claviger/test/use');
  rmSync(path.join(log.folder, 'tile/entries/000'));
  flip(log, 'tile/0/000', 0);
  assert.deepEqual(found(log), [
    { kind: 'history-rewritten', afterSize: 0, upToSize: 256 },
    { kind: 'pruned', from: 0, to: 256 },
  ]);
});

test('bundles-pruned is no excuse in the control log', (t) => {
  const log = genuine(t);
  rmSync(path.join(log.folder, 'tile/entries/000'));
  assert.deepEqual(found(log), [{ kind: 'entries-missing', from: 0, to: 256 }]);
});

test('a genuine log with a contradiction in its entries is told apart from a forged one', (t) => {
  const entries = plainControlEntries(SIZE).with(
    30,
    jsonEntry({ actor: 'x', at: 1, detail: {}, epoch: 4, rows: [], type: 'test.noted', uses: 0, v: 1 }),
  );
  const log = genuineOf(t, entries);
  const [first] = found(log);
  assert.deepEqual(first, { kind: 'sequence', index: 30, why: 'epoch 4 follows epoch 0: one is missing' });
});
