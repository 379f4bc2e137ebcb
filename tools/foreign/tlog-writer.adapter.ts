// Adapter for the transparency-log corpus: the writer's own code (src/ledger) behind the corpus runner's contract.
import { createHash, createPublicKey, verify } from 'node:crypto';
import {
  appendLeaf,
  createHasher,
  edgeRoot,
  emptyEdge,
  verifyConsistency,
  verifyInclusion,
} from '../../src/ledger/merkle.ts';
import { openNote, parseCheckpoint, parseVkey } from '../../src/ledger/note.ts';

const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();
const hasher = createHasher(sha256);

function verifySignature(publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
  return verify(null, text, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
}

interface Inclusion {
  leafIdx: number;
  treeSize: number;
  root: Buffer;
  leafHash: Buffer;
  proof: Buffer[];
}
interface Consistency {
  size1: number;
  size2: number;
  root1: Buffer;
  root2: Buffer;
  proof: Buffer[];
}

export default {
  verifyInclusion(c: Inclusion): boolean {
    return verifyInclusion(
      { index: c.leafIdx, size: c.treeSize, leaf: c.leafHash, root: c.root, proof: c.proof },
      hasher,
    );
  },
  verifyConsistency(c: Consistency): boolean {
    const claim = { olderSize: c.size1, olderRoot: c.root1, size: c.size2, root: c.root2, proof: c.proof };
    return verifyConsistency(claim, hasher);
  },
  root(leaves: Buffer[]): Buffer {
    const edge = emptyEdge();
    for (const leaf of leaves) appendLeaf(edge, hasher.leaf(leaf), hasher, () => {});
    return Buffer.from(edgeRoot(edge, hasher));
  },
  parseVkey(text: string) {
    return parseVkey(text, sha256);
  },
  openNote(note: Buffer, vkeys: string[]) {
    const keys = vkeys.map((vkey) => parseVkey(vkey, sha256));
    return openNote(note, keys, verifySignature);
  },
  parseCheckpoint(text: string) {
    const { origin, size, root } = parseCheckpoint(text);
    return { origin, size: String(size), hash: Buffer.from(root) };
  },
};
