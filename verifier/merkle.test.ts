// The verifier's Merkle tree against the recursion of RFC 6962, for all sizes up to 70 and for whatever a forger may change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createTreeHash, rangeRoot, verifyConsistency, verifyInclusion } from './merkle.ts';
import { naiveConsistency, naiveInclusion, naiveLeaf, naiveRoot } from './testing/made-log.io.ts';
import { nodePrimitives } from './verify.io.ts';

const hash = createTreeHash(nodePrimitives().sha256);
const SIZE_MAX = 70;
const leaves = Array.from({ length: SIZE_MAX }, (_, i) => naiveLeaf(Buffer.from(`entry ${i}`)));
const roots = Array.from({ length: SIZE_MAX + 1 }, (_, size) => naiveRoot(leaves.slice(0, size)));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('a leaf of any length hashes as the definition says', () => {
  for (const length of [0, 1, 31, 4095, 4096, 4097, 65_535]) {
    const entry = Buffer.alloc(length, 7);
    assert.equal(hex(hash.leaf(entry)), hex(naiveLeaf(entry)), `length ${length}`);
  }
});

test('the root of every range up to 70 leaves is that of the recursion', () => {
  for (let to = 0; to <= SIZE_MAX; to++) {
    for (const from of [0, 1, 2, 3, 8, 31].filter((start) => start <= to)) {
      assert.equal(hex(rangeRoot(hash, leaves, from, to)), hex(naiveRoot(leaves.slice(from, to))));
    }
  }
});

test('every inclusion proof up to 70 leaves verifies, at its own index and size only', () => {
  for (let size = 1; size <= SIZE_MAX; size++) {
    for (let index = 0; index < size; index++) {
      const proof = naiveInclusion(index, leaves.slice(0, size));
      const claim = { index, size, leafHash: leaves[index]!, proof, root: roots[size]! };
      assert.equal(verifyInclusion(hash, claim), true, `${index} of ${size}`);
      assert.equal(verifyInclusion(hash, { ...claim, index: (index + 1) % (size + 1) }), false);
      assert.equal(verifyInclusion(hash, { ...claim, leafHash: leaves[(index + 1) % SIZE_MAX]! }), false);
      assert.equal(verifyInclusion(hash, { ...claim, proof: [...proof, roots[1]!] }), false);
      if (proof.length > 0) assert.equal(verifyInclusion(hash, { ...claim, proof: proof.slice(1) }), false);
    }
  }
});

test('every consistency proof up to 70 leaves verifies, between its own roots only', () => {
  for (let size2 = 1; size2 <= SIZE_MAX; size2++) {
    for (let size1 = 1; size1 <= size2; size1++) {
      const proof = naiveConsistency(size1, leaves.slice(0, size2));
      const claim = { size1, size2, root1: roots[size1]!, root2: roots[size2]!, proof };
      assert.equal(verifyConsistency(hash, claim), true, `${size1} to ${size2}`);
      assert.equal(verifyConsistency(hash, { ...claim, root1: roots[0]! }), false);
      assert.equal(verifyConsistency(hash, { ...claim, root2: roots[0]! }), false);
      assert.equal(verifyConsistency(hash, { ...claim, proof: [...proof, roots[1]!] }), false);
      if (size1 < size2) assert.equal(verifyConsistency(hash, { ...claim, proof: [] }), false);
    }
  }
});

test('the empty tree is consistent with itself alone', () => {
  const empty = roots[0]!;
  const claim = { size1: 0, size2: 0, root1: empty, root2: empty, proof: [] };
  assert.equal(verifyConsistency(hash, claim), true);
  assert.equal(verifyConsistency(hash, { ...claim, root1: roots[1]!, root2: roots[1]! }), false);
  assert.equal(verifyConsistency(hash, { ...claim, size2: 1, root2: roots[1]! }), false);
});

test('changing any bit of a proof, a leaf or a root is noticed', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: SIZE_MAX }),
      fc.nat(),
      fc.nat(),
      fc.nat({ max: 255 }),
      (size, at, which, bit) => {
        const index = at % size;
        const parts = [leaves[index]!, roots[size]!, ...naiveInclusion(index, leaves.slice(0, size))].map((part) =>
          Buffer.from(part),
        );
        const victim = parts[which % parts.length]!;
        victim[bit >> 3] = victim[bit >> 3]! ^ (1 << (bit & 7));
        const [leafHash, root, ...proof] = parts as [Buffer, Buffer, ...Buffer[]];
        return !verifyInclusion(hash, { index, size, leafHash, proof, root });
      },
    ),
  );
});

test('whatever is malformed is refused, never thrown', () => {
  const bytes = fc.uint8Array({ maxLength: 40 });
  const number = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.constantFrom(-1, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY),
  );
  fc.assert(
    fc.property(number, number, bytes, bytes, fc.array(bytes, { maxLength: 8 }), (a, b, x, y, proof) => {
      assert.equal(verifyInclusion(hash, { index: a, size: b, leafHash: x, root: y, proof }), false);
      if (a !== b) assert.equal(verifyConsistency(hash, { size1: a, size2: b, root1: x, root2: y, proof }), false);
    }),
  );
});

test('a hash that is cut short is refused, even right after the whole one was hashed', () => {
  const [first, second] = [leaves[0]!, leaves[1]!];
  const inclusion = { index: 0, size: 2, leafHash: first, proof: [second], root: roots[2]! };
  const consistency = { size1: 1, size2: 2, root1: first, root2: roots[2]!, proof: [second] };
  for (const cut of [second.subarray(0, 31), Buffer.concat([second, second]), Buffer.alloc(0)]) {
    assert.equal(verifyInclusion(hash, inclusion), true);
    assert.equal(verifyInclusion(hash, { ...inclusion, proof: [cut] }), false);
    assert.equal(verifyConsistency(hash, consistency), true);
    assert.equal(verifyConsistency(hash, { ...consistency, proof: [cut] }), false);
  }
});

test('indexes beyond 2^32 are not cut to 32 bits', () => {
  // A path of 40 right turns and then left ones: leaf 2^40 - 1 in a tree of 2^41 leaves.
  const index = 2 ** 40 - 1;
  const proof = Array.from({ length: 41 }, (_, i) => naiveLeaf(Buffer.from(`sibling ${i}`)));
  let root: Uint8Array = leaves[0]!;
  for (const [level, sibling] of proof.entries())
    root = level < 40 ? hash.node(sibling, root) : hash.node(root, sibling);
  const claim = { index, size: 2 ** 41, leafHash: leaves[0]!, proof, root };
  assert.equal(verifyInclusion(hash, claim), true);
  assert.equal(verifyInclusion(hash, { ...claim, index: index - 2 ** 32 }), false);
});
