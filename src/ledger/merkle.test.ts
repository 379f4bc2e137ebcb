// The tree against a naive recursion written from RFC 6962 section 2.1, for every size up to 70 and some across tiles.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  appendLeaf,
  consistencyRanges,
  createHasher,
  edgeRoot,
  emptyEdge,
  foldHashes,
  inclusionRanges,
  nodesOf,
  rangeRoot,
  type TileChange,
  tileSpan,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';

const sha256 = (data: Uint8Array) => new Uint8Array(createHash('sha256').update(data).digest());
const hasher = createHasher(sha256);
const entry = (i: number) => new TextEncoder().encode(`entry ${i}`);

function naiveRoot(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array(0));
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha256(Buffer.concat([Uint8Array.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k))]));
}

function naivePath(m: number, leaves: Uint8Array[]): Uint8Array[] {
  if (leaves.length <= 1) return [];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return m < k
    ? [...naivePath(m, leaves.slice(0, k)), naiveRoot(leaves.slice(k))]
    : [...naivePath(m - k, leaves.slice(k)), naiveRoot(leaves.slice(0, k))];
}

function naiveSubproof(m: number, leaves: Uint8Array[], whole: boolean): Uint8Array[] {
  if (m === leaves.length) return whole ? [] : [naiveRoot(leaves)];
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return m <= k
    ? [...naiveSubproof(m, leaves.slice(0, k), whole), naiveRoot(leaves.slice(k))]
    : [...naiveSubproof(m - k, leaves.slice(k), false), naiveRoot(leaves.slice(0, k))];
}

/** Grows a tree of n leaves and keeps its tiles, as the database does: full ones, and the growing ones above level 0. */
function grow(n: number) {
  const edge = emptyEdge();
  const leaves: Uint8Array[] = [];
  const tiles = new Map<string, Uint8Array>();
  for (let i = 0; i < n; i++) {
    const leaf = hasher.leaf(entry(i));
    leaves.push(leaf);
    appendLeaf(edge, leaf, hasher, (tile: TileChange) => tiles.set(`${tile.level}/${tile.tile}`, tile.hashes));
  }
  const width = n % 256;
  if (width > 0) tiles.set(`0/${Math.floor(n / 256)}`, Buffer.concat(leaves.slice(n - width)));
  const rootOf = (range: { from: number; to: number }) =>
    rangeRoot(
      nodesOf(range).map((node) => {
        const span = tileSpan(node);
        const hashes = tiles.get(`${span.level}/${span.tile}`);
        assert(
          hashes !== undefined && hashes.length >= (span.first + span.count) * 32,
          `tile for ${JSON.stringify(node)}`,
        );
        return foldHashes(hashes, span.first, span.count, hasher);
      }),
      hasher,
    );
  return { edge, leaves, rootOf };
}

test('the root of every size up to 70 is that of RFC 6962', () => {
  for (let n = 0; n <= 70; n++) {
    const { edge, leaves } = grow(n);
    assert.deepEqual(Buffer.from(edgeRoot(edge, hasher)), Buffer.from(naiveRoot(leaves)), `size ${n}`);
  }
});

test('proofs read from tiles equal the naive ones and verify; a changed bit does not', () => {
  for (const n of [1, 2, 3, 7, 8, 31, 70, 255, 256, 257, 515, 1027]) {
    const { edge, leaves, rootOf } = grow(n);
    const root = edgeRoot(edge, hasher);
    for (const index of new Set([0, 1, n >> 1, n - 2, n - 1, Math.min(256, n - 1)].filter((i) => i >= 0 && i < n))) {
      const proof = inclusionRanges(index, n).map(rootOf);
      assert.deepEqual(proof.map(hex), naivePath(index, leaves).map(hex), `inclusion ${index} of ${n}`);
      const claim = { index, size: n, leaf: leaves[index]!, root, proof };
      assert(verifyInclusion(claim, hasher));
      assert(!verifyInclusion({ ...claim, leaf: flip(claim.leaf) }, hasher));
      assert(!verifyInclusion({ ...claim, proof: [...proof, root] }, hasher));
    }
    for (const older of new Set([1, 2, n >> 1, n - 1, Math.min(256, n)].filter((m) => m >= 1 && m <= n))) {
      const proof = consistencyRanges(older, n).map(rootOf);
      assert.deepEqual(proof.map(hex), naiveSubproof(older, leaves, true).map(hex), `consistency ${older} to ${n}`);
      const claim = { olderSize: older, olderRoot: naiveRoot(leaves.slice(0, older)), size: n, root, proof };
      assert(verifyConsistency(claim, hasher), `consistency ${older} to ${n}`);
      assert(!verifyConsistency({ ...claim, olderRoot: flip(claim.olderRoot) }, hasher));
      assert(!verifyConsistency({ ...claim, root: flip(root) }, hasher));
    }
  }
});

test('any older size is consistent with any newer one, and with no other root', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 0, max: 300 }), (older, more) => {
      const { edge, leaves, rootOf } = grow(older + more);
      const proof = consistencyRanges(older, older + more).map(rootOf);
      const claim = {
        olderSize: older,
        olderRoot: naiveRoot(leaves.slice(0, older)),
        size: older + more,
        root: edgeRoot(edge, hasher),
        proof,
      };
      return (
        verifyConsistency(claim, hasher) &&
        (more === 0 || !verifyConsistency({ ...claim, olderSize: older + 1 }, hasher))
      );
    }),
    { numRuns: 60 },
  );
});

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
function flip(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[3]! ^= 4;
  return copy;
}
