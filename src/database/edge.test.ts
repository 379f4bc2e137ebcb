// Reloading the right edge of a log: at every kind of size it is the edge that grew, it asks for no tile that it did not name beforehand,
// and what is missing or cut is noticed.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { ENTRY_BYTES_MAX } from '../ledger/layout.ts';
import { appendLeaf, createHasher, type Edge, edgeRoot, emptyEdge, TILE_WIDTH } from '../ledger/merkle.ts';
import { Failure } from '../model/failure.ts';
import { loadEdge, tilesForEdge } from './edge.ts';

const hasher = createHasher((data) => createHash('sha256').update(data).digest());
const encoder = new TextEncoder();
const entryAt = (i: number) => `{"n":${i}}`;

const SIZES = [
  0, 1, 2, 255, 256, 257, 300, 511, 512, 513, 1_023, 1_024, 4_095, 4_097, 65_535, 65_536, 65_537, 65_791, 65_792,
  66_100,
];
const LARGEST = 67_000;

interface Grown {
  readonly edge: Edge;
  readonly root: Uint8Array;
  readonly tiles: ReadonlyMap<string, Uint8Array>;
}

/** The log as it stood at each of the sizes: what is stored, and the edge that a writer held then. */
const grown = new Map<number, Grown>();
{
  const edge = emptyEdge();
  const tiles = new Map<string, Uint8Array>();
  const wanted = new Set([...SIZES, LARGEST]);
  for (let size = 0; size <= LARGEST; size++) {
    if (wanted.has(size))
      grown.set(size, { edge: structuredClone(edge), root: edgeRoot(edge, hasher), tiles: new Map(tiles) });
    appendLeaf(edge, hasher.leaf(encoder.encode(entryAt(size))), hasher, ({ level, tile, hashes }) =>
      tiles.set(`${level}/${tile}`, hashes),
    );
  }
}

function lastEntries(size: number): string[] {
  return Array.from({ length: size % TILE_WIDTH }, (_, i) => entryAt(size - (size % TILE_WIDTH) + i));
}
function load(size: number, tiles: ReadonlyMap<string, Uint8Array>, last = lastEntries(size)): Edge {
  return loadEdge(size, (level, tile) => tiles.get(`${level}/${tile}`) ?? null, last, hasher);
}

test('at every size the edge that is loaded has the root of the one that grew', () => {
  for (const size of SIZES) {
    const { root, tiles } = grown.get(size)!;
    const edge = load(size, tiles);
    assert.equal(edge.size, size);
    assert.deepEqual(Buffer.from(edgeRoot(edge, hasher)), Buffer.from(root), `at ${size}`);
  }
});

test('a log that goes on from a loaded edge writes the very same tiles and roots', () => {
  for (const size of SIZES) {
    const { tiles, edge: original } = grown.get(size)!;
    const [loaded, kept] = [load(size, tiles), structuredClone(original)];
    for (let i = size; i < size + 600; i++) {
      const changes = [loaded, kept].map((edge) => {
        const changed: string[] = [];
        appendLeaf(edge, hasher.leaf(encoder.encode(entryAt(i))), hasher, ({ level, tile, width, hashes }) => {
          changed.push(`${level}/${tile} ${width} ${Buffer.from(hashes).toString('hex')}`);
        });
        return changed;
      });
      assert.deepEqual(changes[0], changes[1], `entry ${i} after ${size}`);
    }
    assert.deepEqual(Buffer.from(edgeRoot(loaded, hasher)), Buffer.from(edgeRoot(kept, hasher)));
  }
});

test('only the tiles that were named beforehand are read, and few they are', () => {
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...SIZES), fc.nat(LARGEST)), (size) => {
      const named = new Set(tilesForEdge(size).map(({ level, tile }) => `${level}/${tile}`));
      assert(named.size <= 6, `${named.size} tiles at ${size}`);
      const { tiles } = grown.get(LARGEST)!;
      loadEdge(
        size,
        (level, tile) => {
          assert(named.has(`${level}/${tile}`), `${level}/${tile} at ${size} was not named`);
          // A growing tile held fewer hashes then: a prefix of what it holds now.
          return tiles.get(`${level}/${tile}`) ?? null;
        },
        lastEntries(size),
        hasher,
      );
    }),
    { numRuns: 300 },
  );
});

test('a log that lacks something is corrupt, and it is said what', () => {
  const refuses = (load: () => unknown, why: RegExp) => {
    assert.throws(load, (error) => Failure.is(error, 'corrupt') && why.test(error.message));
  };
  const { tiles } = grown.get(66_100)!;
  for (const { level, tile } of tilesForEdge(66_100)) {
    const without = new Map(tiles);
    without.delete(`${level}/${tile}`);
    refuses(() => load(66_100, without), /lacks tile/);
    const cut = new Map(tiles);
    cut.set(`${level}/${tile}`, new Uint8Array(0));
    refuses(() => load(66_100, cut), /too narrow/);
  }
  const last = lastEntries(66_100);
  refuses(() => load(66_100, tiles, last.slice(1)), /lacks entries/);
  refuses(() => load(66_100, tiles, [...last, 'more']), /lacks entries/);
  refuses(() => load(300, grown.get(300)!.tiles, []), /lacks entries: 0 of the last 44/);
  refuses(() => load(1, new Map(), ['x'.repeat(ENTRY_BYTES_MAX + 1)]), /too large/);
  load(1, new Map(), ['x'.repeat(ENTRY_BYTES_MAX)]);
});

test('an entry or a tile that is not the one that was written gives another root: nothing is repaired in silence', () => {
  const { root, tiles } = grown.get(66_100)!;
  const rootOf = (changed: ReadonlyMap<string, Uint8Array>, last?: string[]) =>
    Buffer.from(edgeRoot(load(66_100, changed, last), hasher));
  const last = lastEntries(66_100);
  last[3] = 'forged';
  assert(!rootOf(tiles, last).equals(root));
  const small = grown.get(4_097)!;
  const top = Uint8Array.from(small.tiles.get('1/0')!);
  top[40]! ^= 1;
  const edge = load(4_097, new Map(small.tiles).set('1/0', top));
  assert(!Buffer.from(edgeRoot(edge, hasher)).equals(small.root));
});
