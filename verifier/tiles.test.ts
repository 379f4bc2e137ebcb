// Tile arithmetic by the worked examples of tlog-tiles, and the walk over the tiles that are there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseBundle } from './bundle.ts';
import { bundleBytes, madeTilePath } from './testing/made-log.io.ts';
import { levelsOf, partialWidths, presentTiles, tileCount, tilePath, widthOf } from './tiles.ts';

test('paths are those of the specification', () => {
  assert.equal(tilePath(0, 1_234_067), 'tile/0/x001/x234/067');
  assert.equal(tilePath(0, 0, 1), 'tile/0/000.p/1');
  assert.equal(tilePath('entries', 999), 'tile/entries/999');
  assert.equal(tilePath('entries', 1000, 255), 'tile/entries/x001/000.p/255');
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 45 }), fc.integer({ min: 1, max: 256 }), (index, width) => {
      assert.equal(tilePath(3, index, width), madeTilePath('3', index, width));
    }),
  );
});

test('a tree of 70,000 has the tiles that the specification lists', () => {
  assert.equal(levelsOf(70_000), 3);
  assert.deepEqual([tileCount(70_000, 0), widthOf(70_000, 0, 272), widthOf(70_000, 0, 273)], [274, 256, 112]);
  assert.deepEqual([tileCount(70_000, 1), widthOf(70_000, 1, 0), widthOf(70_000, 1, 1)], [2, 256, 17]);
  assert.deepEqual([tileCount(70_000, 2), widthOf(70_000, 2, 0), widthOf(70_000, 2, 1)], [1, 1, 0]);
});

test('a tree of 256 has a full tile and one hash above it; the empty tree has nothing', () => {
  assert.deepEqual([levelsOf(256), widthOf(256, 0, 0), widthOf(256, 1, 0)], [2, 256, 1]);
  assert.deepEqual([levelsOf(255), levelsOf(0), tileCount(0, 0), widthOf(0, 0, 0)], [1, 0, 0, 0]);
  assert.equal(levelsOf(Number.MAX_SAFE_INTEGER), 7);
});

function listOf(files: readonly string[]): (folder: string) => string[] {
  return (folder) => {
    const names = files.filter((file) => file.startsWith(`${folder}/`)).map((file) => file.slice(folder.length + 1));
    return [...new Set(names.map((name) => name.split('/')[0]!))];
  };
}

test('the tiles that are there are walked in ascending order, each once', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.oneof(fc.nat({ max: 30 }), fc.nat({ max: 5000 }), fc.nat({ max: 10 ** 13 })), {
        maxLength: 30,
      }),
      (indexes) => {
        const files = indexes.flatMap((index, i) => [
          madeTilePath('0', index, i % 2 === 0 ? 256 : 7),
          madeTilePath('0', index, 9),
        ]);
        assert.deepEqual(
          [...presentTiles(0, listOf(files))],
          indexes.sort((a, b) => a - b),
        );
      },
    ),
  );
});

test('names that are no tiles are passed over', () => {
  const files = [
    'tile/0/x000/001',
    'tile/0/1',
    'tile/0/0001',
    'tile/0/abc',
    'tile/0/002.q/3',
    'tile/0/004',
    'tile/1/005',
  ];
  assert.deepEqual([...presentTiles(0, listOf(files))], [4]);
  assert.deepEqual(partialWidths(['3', '0', '03', '255', '256', '12', 'x', '-1', '1e2']), [3, 12, 255]);
});

test('bundles are read entry by entry', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 40 }), (entries) => {
      const bundle = parseBundle(bundleBytes(entries));
      assert.equal(bundle.fault, null);
      assert.deepEqual(
        bundle.entries.map((entry) => Buffer.from(entry)),
        entries.map((entry) => Buffer.from(entry)),
      );
    }),
  );
  const largest = Buffer.alloc(65_535, 1);
  assert.equal(parseBundle(bundleBytes([largest, largest])).entries[1]!.length, 65_535);
});

test('a bundle that breaks off gives what is before and says where', () => {
  const whole = bundleBytes([Buffer.from('one'), Buffer.from('two')]);
  assert.deepEqual(parseBundle(whole.subarray(0, 6)), {
    entries: [whole.subarray(2, 5)],
    fault: 'it ends inside a length',
  });
  assert.deepEqual(parseBundle(whole.subarray(0, 9)).fault, 'it ends inside an entry');
  assert.deepEqual(parseBundle(Buffer.alloc(4096)).fault, 'more than 512 entries');
  assert.deepEqual(parseBundle(new Uint8Array(0)), { entries: [], fault: null });
});
