// The certificate of death: anybody can check it with the log's public key, it says what the evidence was, and it holds no key.
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { credentialRow, NOW, versionRow } from '../../test/support/rows.ts';
import type { RefusalRecord } from '../credentials/probing.ts';
import { createSigners, newSigningKey } from '../ledger/checkpoints.io.ts';
import { openNote, parseVkey } from '../ledger/note.ts';
import { canonicalJson, type Json } from '../model/json.ts';
import { CERTIFICATE_TYPE, type DeathFacts, deathStatement, issueCertificate } from './certificate.ts';

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest();
const signers = createSigners('0a1b2c3d', newSigningKey());
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

/** Checks an Ed25519 signature with the runtime's own code. */
function isSigned(publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([SPKI_ED25519, publicKey]), format: 'der', type: 'spki' });
  return verify(null, text, key, signature);
}

function refusal(at: number): RefusalRecord {
  const reading = (offset: number, is: 'alive' | 'dead') => ({
    at: at + offset,
    is,
    status: is === 'alive' ? 200 : 401,
    signature: is === 'alive' ? 'neon.200.api-key-org' : 'neon.401.credentials-do-not-pass',
    requestId: `r-${offset}`,
  });
  return {
    at,
    target: reading(1, 'dead'),
    control: { versionId: 'ver_control', before: reading(0, 'alive'), after: reading(2, 'alive') },
  };
}

const FACTS: DeathFacts = {
  instance: '0a1b2c3d',
  credential: credentialRow(),
  version: versionRow(),
  reason: 'compromised',
  actor: 'prn_admin',
  requestedAt: NOW,
  revokeCalledAt: NOW + 10,
  refusals: [refusal(NOW + 100), refusal(NOW + 2_100), refusal(NOW + 4_100)],
  issuedAt: NOW + 4_200,
};

test('the note verifies under the control log’s key, and its text is the statement', () => {
  const row = issueCertificate('crt_1', FACTS, signers.control);
  const { text, verified } = openNote(Buffer.from(row.note), [parseVkey(signers.control.vkey, sha256)], isSigned);
  assert.equal(verified, 1);
  assert.equal(text, `${canonicalJson(row.statement)}\n`);
  assert.deepEqual(JSON.parse(text), row.statement);
  assert.deepEqual(
    [row.id, row.rowVersion, row.credentialId, row.versionId, row.issuedAt],
    ['crt_1', 1, 'crd_1', 'ver_1', NOW + 4_200],
  );
});

test('a changed statement, another log’s key, or another installation’s does not verify', () => {
  const { note } = issueCertificate('crt_1', FACTS, signers.control);
  const key = parseVkey(signers.control.vkey, sha256);
  assert.throws(
    () => openNote(Buffer.from(note.replace('compromised', 'superseded')), [key], isSigned),
    /wrong signature/,
  );
  for (const vkey of [signers.use.vkey, createSigners('0a1b2c3d', newSigningKey()).control.vkey]) {
    assert.throws(
      () => openNote(Buffer.from(note), [parseVkey(vkey, sha256)], isSigned),
      /no signature by a known key/,
    );
  }
});

test('the statement names the version, who asked and why, and each refusal beside its controls', () => {
  const statement = deathStatement(FACTS) as Record<string, Json>;
  assert.equal(statement['type'], CERTIFICATE_TYPE);
  assert.deepEqual(statement['version'], { id: 'ver_1', number: 1, providerKeyId: '101' });
  assert.deepEqual([statement['reason'], statement['requestedBy']], ['compromised', 'prn_admin']);
  const refusals = statement['refusals'] as { refused: Record<string, Json>; control: Record<string, Json> }[];
  assert.equal(refusals.length, 3);
  for (const { refused, control } of refusals) {
    assert.equal(refused['is'], 'dead');
    const [before, after] = [control['before'], control['after']] as Record<string, Json>[];
    assert.deepEqual([before!['is'], after!['is'], control['version']], ['alive', 'alive', 'ver_control']);
    assert(String(before!['at']) < String(refused['at']) && String(refused['at']) < String(after!['at']));
    assert(String(statement['revokeCalledAt']) < String(refused['at']));
  }
  for (const name of ['requestedAt', 'revokeCalledAt', 'issuedAt'])
    assert.match(String(statement[name]), /^\d{4}-.*Z$/);
});

test('what is not known is null, and what is not for the public is not said', () => {
  const facts = {
    ...FACTS,
    revokeCalledAt: null,
    version: versionRow({ providerKeyId: null }),
    credential: credentialRow({ note: 'canary note' }),
  };
  const statement = deathStatement(facts);
  assert.equal(statement['revokeCalledAt'], null);
  const text = canonicalJson(statement);
  for (const word of ['canary', 'envelope', 'settings', 'org-1']) assert(!text.includes(word), word);
});
