// Where things stand in a log's directory: the paths of C2SP tlog-tiles, how many tiles a tree has, and bundles that read back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ENTRY_BYTES_MAX, entryBundle, LOGS, originOf, tileNumber, tilePath, tilesAt } from './layout.ts';
import { appendLeaf, createHasher, emptyEdge } from './merkle.ts';

test('numbers in groups of three, all but the last with an x', () => {
  const table: [number, string][] = [
    [0, '000'],
    [1, '001'],
    [999, '999'],
    [1_000, 'x001/000'],
    [67_500, 'x067/500'],
    [1_234_067, 'x001/x234/067'],
    [999_999, 'x999/999'],
    [1_000_000, 'x001/x000/000'],
    [Number.MAX_SAFE_INTEGER, 'x009/x007/x199/x254/x740/991'],
  ];
  for (const [n, text] of table) assert.equal(tileNumber(n), text);
  fc.assert(fc.property(fc.maxSafeNat(), (n) => assert.equal(Number(tileNumber(n).replace(/[x/]/g, '')), n)));
});

test('a tile that is not full says how wide it is', () => {
  assert.equal(tilePath(0, 5, 256), 'tile/0/005');
  assert.equal(tilePath(0, 5, 255), 'tile/0/005.p/255');
  assert.equal(tilePath(2, 1_000, 1), 'tile/2/x001/000.p/1');
  assert.equal(tilePath('entries', 0, 256), 'tile/entries/000');
  assert.equal(tilePath('entries', 12, 7), 'tile/entries/012.p/7');
});

test('the tiles of a tree are those that a growing tree makes', () => {
  // A stand-in for a hash: only the counting matters here.
  const hasher = createHasher(() => new Uint8Array(32));
  const edge = emptyEdge();
  const widths = new Map<string, number>();
  for (let size = 1; size <= 70_000; size++) {
    appendLeaf(edge, new Uint8Array(32), hasher, ({ level, tile, width }) => widths.set(`${level}/${tile}`, width));
    if (size % 251 !== 0 && size % 256 > 1 && size % 65_536 > 1) continue;
    for (const level of [0, 1, 2]) {
      const { full, partial } = tilesAt(level, size);
      const made = [...widths].filter(([name]) => name.startsWith(`${level}/`));
      assert.equal(made.filter(([, width]) => width === 256).length, full, `level ${level} at ${size}`);
      // Level 0 is kept only when full: its last hashes follow from the entries.
      const growing = made.filter(([, width]) => width < 256).map(([, width]) => width);
      assert.deepEqual(growing, level === 0 || partial === 0 ? [] : [partial], `level ${level} at ${size}`);
    }
  }
});

test('a bundle holds each entry behind its length, up to the longest that there may be', () => {
  const entry = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20 }), (entries) => {
      const bundle = Buffer.from(entryBundle(entries));
      const read: Buffer[] = [];
      let at = 0;
      while (at < bundle.length) {
        const length = bundle.readUInt16BE(at);
        read.push(bundle.subarray(at + 2, at + 2 + length));
        at += 2 + length;
      }
      assert.equal(at, bundle.length);
      assert.deepEqual(
        read.map((one) => [...one]),
        entries.map((one) => [...one]),
      );
    }),
  );
  const longest = new Uint8Array(ENTRY_BYTES_MAX).fill(7);
  const bundle = entryBundle([longest]);
  assert.deepEqual([bundle.length, bundle[0], bundle[1], bundle[2]], [ENTRY_BYTES_MAX + 2, 0xff, 0xff, 7]);
});

test('the two logs of an installation have two names', () => {
  assert.deepEqual(
    LOGS.map((log) => originOf('0a1b2c3d', log)),
    ['claviger/0a1b2c3d/control', 'claviger/0a1b2c3d/use'],
  );
});
