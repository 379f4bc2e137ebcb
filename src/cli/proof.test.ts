// What is checked on this machine: inclusion proofs under a trusted key, and certificates; forged ones are named.
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createHasher } from '../ledger/merkle.ts';
import { checkpointText, createSigner, type Signer, signNote } from '../ledger/note.ts';
import { rootAt } from '../ledger/source.ts';
import { canonicalJson, type Json, type JsonObject } from '../model/json.ts';
import { ed25519, sha256 } from './primitives.io.ts';
import { type EntryProof, openCertificate, proofProblem } from './proof.ts';
import { call, recordingServer, temporaryFolder } from './test-support.io.ts';

const PRIMITIVES = { sha256, verify: ed25519 };
const hasher = createHasher(sha256);

function signerOf(name: string): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return createSigner(name, raw, (text) => sign(null, text, privateKey), sha256);
}

const LOG = 'claviger/0a1b2c3d/control';
const signer = signerOf(LOG);
const entries: JsonObject[] = Array.from({ length: 3 }, (_, i) => ({ at: i, note: `Zoë ${i}`, v: 1 }));
const leaves = entries.map((entry) => hasher.leaf(new TextEncoder().encode(canonicalJson(entry))));
const root = hasher.node(hasher.node(leaves[0]!, leaves[1]!), leaves[2]!);
const checkpoint = signNote(checkpointText({ origin: LOG, size: 3, root }), signer);
const genuine: EntryProof = {
  index: 1,
  entry: entries[1] as Json,
  proof: { size: 3, root: root.toBase64(), hashes: [leaves[0]!.toBase64(), leaves[2]!.toBase64()], checkpoint },
};

test('a genuine proof holds; whatever is forged in it is found', async () => {
  assert.equal(proofProblem(genuine, signer.vkey, PRIMITIVES), null);
  const source = {
    size: 3,
    tile: () => Promise.resolve(null),
    entries: (from: number, to: number) =>
      Promise.resolve(entries.slice(from, to).map((entry) => canonicalJson(entry))),
  };
  assert.deepEqual(await rootAt(source, 3, hasher), root, 'the root that was signed here is the tree’s');
  const proof = genuine.proof!;
  const forged: [string, EntryProof, string][] = [
    ['the entry', { ...genuine, entry: { ...entries[1]!, note: 'x' } }, signer.vkey],
    ['the index', { ...genuine, index: 0 }, signer.vkey],
    ['the size', { ...genuine, index: 7 }, signer.vkey],
    [
      'a hash',
      { ...genuine, proof: { ...proof, hashes: [leaves[1]!.toBase64(), leaves[2]!.toBase64()] } },
      signer.vkey,
    ],
    ['too few hashes', { ...genuine, proof: { ...proof, hashes: [] } }, signer.vkey],
    ['no hash', { ...genuine, proof: { ...proof, hashes: ['x', 'y'] } }, signer.vkey],
    [
      'the checkpoint',
      { ...genuine, proof: { ...proof, checkpoint: checkpoint.replace('\n3\n', '\n4\n') } },
      signer.vkey,
    ],
    ['another key', genuine, signerOf(LOG).vkey],
    ['another log', genuine, signerOf('claviger/0a1b2c3d/use').vkey],
    ['no key', genuine, ''],
    ['no proof', { ...genuine, proof: null }, signer.vkey],
  ];
  for (const [what, claim, vkey] of forged) assert.notEqual(proofProblem(claim, vkey, PRIMITIVES), null, what);
});

test('audit show checks the proof itself, with the key that is given', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'vkey'), `${signer.vkey}\n`);
  const { env } = await recordingServer(t, {
    'GET /v1/audit/control/1': { json: genuine },
    'GET /v1/audit/control/0': { json: genuine },
    'GET /v1/audit/checkpoints': { json: { vkeys: { control: signerOf(LOG).vkey } } },
  });
  const args = ['audit', 'show', 'control'];
  assert.match((await call([...args, '1', '--key', path.join(folder, 'vkey')], { env })).out, /^proven/m);
  assert.equal((await call([...args, '1', '--key', signer.vkey], { env })).exit, 0);
  const other = await call([...args, '0', '--key', signer.vkey], { env });
  assert.deepEqual([other.exit, /gave another entry/.test(other.out)], [1, true]);
  const told = await call([...args, '1'], { env });
  assert.equal(told.exit, 1);
  assert.match(told.err, /came from the server itself/);
});

const statement = {
  type: 'claviger/certificate-of-death/v1',
  credential: { name: 'billing\u001b' },
  reason: 'superseded',
};

test('a certificate: genuine, altered, of another key, and something else that was signed', async (t) => {
  const note = signNote(`${canonicalJson(statement)}\n`, signer);
  const open = (text: string, vkey = signer.vkey) => openCertificate(new TextEncoder().encode(text), vkey, PRIMITIVES);
  assert.equal(open(note)['reason'], 'superseded');
  const forged: [string, string][] = [
    ['altered', note.replace('superseded', 'compromised')],
    ['other text', signNote('hello\n', signer)],
    ['a checkpoint', checkpoint],
    ['another type', signNote(`${canonicalJson({ ...statement, type: 'claviger/other/v1' })}\n`, signer)],
    ['not canonical', signNote(`${JSON.stringify(statement)}\n`, signer)],
  ];
  for (const [what, text] of forged) assert.throws(() => open(text), { name: 'Failure' }, what);
  assert.throws(() => open(note, signerOf(LOG).vkey), { name: 'Failure' });

  const folder = temporaryFolder(t);
  writeFileSync(path.join(folder, 'a'), note);
  writeFileSync(path.join(folder, 'b'), forged[0]![1]);
  const verify = (file: string, key = signer.vkey) =>
    call(['certificate', 'verify', path.join(folder, file), '--key', key]);
  const good = await verify('a');
  assert.equal(good.exit, 0);
  assert.match(good.out, /^genuine\n[\s\S]*billing\\u\{1b\}/);
  assert.deepEqual(
    [(await verify('b')).exit, (await verify('absent')).exit, (await verify('a', 'no-key')).exit],
    [1, 1, 1],
  );
  assert.equal(
    JSON.parse((await call(['certificate', 'verify', path.join(folder, 'b'), '--key', signer.vkey, '--json'])).out)
      .verified,
    false,
  );
});
