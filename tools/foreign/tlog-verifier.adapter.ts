// Lets the foreign corpus of Merkle proofs, signed notes and checkpoints run against the verifier: its functions under the names
// and in the forms that the corpus runner calls. A refusal becomes an exception where the runner expects one. No logic here.
import { parseCheckpoint } from '../../verifier/checkpoint.ts';
import { createTreeHash, rangeRoot, verifyConsistency, verifyInclusion } from '../../verifier/merkle.ts';
import { openNote, parseVkey } from '../../verifier/note.ts';
import type { Result } from '../../verifier/text.ts';
import { nodePrimitives } from '../../verifier/verify.io.ts';

const { sha256, verifyEd25519 } = nodePrimitives();
const hash = createTreeHash(sha256);

function orThrow<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(result.why);
  return result.value;
}

interface InclusionCase {
  readonly leafIdx: number;
  readonly treeSize: number;
  readonly root: Uint8Array;
  readonly leafHash: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

export default {
  root: (leaves: readonly Uint8Array[]) => Buffer.from(rangeRoot(hash, leaves.map(hash.leaf))),
  verifyInclusion: ({ leafIdx, treeSize, root, leafHash, proof }: InclusionCase) =>
    verifyInclusion(hash, { index: leafIdx, size: treeSize, leafHash, proof, root }),
  verifyConsistency: (claim: Parameters<typeof verifyConsistency>[1]) => verifyConsistency(hash, claim),
  parseVkey: (text: string) => orThrow(parseVkey(text, sha256)),
  openNote(note: Uint8Array, vkeys: readonly string[]) {
    const keys = vkeys.map((vkey) => orThrow(parseVkey(vkey, sha256)));
    const { text, signers } = orThrow(openNote(note, keys, verifyEd25519));
    return { text, verified: signers.length };
  },
  parseCheckpoint(text: string) {
    const { origin, size, hash: root } = orThrow(parseCheckpoint(text));
    return { origin, size: String(size), hash: root };
  },
};
