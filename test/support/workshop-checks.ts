// What tests of the engines wait for and what must be true afterwards: one living key, no orphan, and no certificate that lies. The
// workshop itself is workshop.ts.
import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import type { CredentialRow, VersionRow } from '../../src/credentials/credential.ts';
import { openNote, parseVkey } from '../../src/ledger/note.ts';
import { type Noun, nextImage, type Row } from '../../src/model/change.ts';
import type { CertificateRow, RevocationRow } from '../../src/revocation/revocation.ts';
import type { RevocationRequest, RevocationStarted } from '../../src/revocation/revoker.ts';
import type { RotationRow } from '../../src/rotation/rotation.ts';
import { directCall } from './direct-call.ts';
import { QUICK_ROTATION, startWorkshop, type Workshop, type WorkshopOptions } from './workshop.ts';

/** Long enough never to decide a test that is going to pass. */
const PATIENCE_MS = 30_000;

/** Looks again and again until there is something to see. */
export async function until<T>(look: () => T | Promise<T>, about: string): Promise<NonNullable<T>> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen as NonNullable<T>;
    if (performance.now() > deadline) assert.fail(`waited in vain for ${about}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A row as the process knows it: the table may be a moment ahead of what the writer has told. */
export function newest<R extends Row>(shop: Workshop<unknown>, noun: Noun, id: string): Promise<R> {
  const live = shop.app.rows.get(noun)?.get(id) as R | undefined;
  return live === undefined ? shop.row<R>(noun, id) : Promise.resolve(live);
}

/** Waits until a rotation has ended or stands still, or the process has died on the way (null). */
export function rotationEnd(shop: Workshop<unknown>, rotationId: string): Promise<RotationRow | 'died'> {
  return until(
    async () => {
      if (shop.isDead) return 'died';
      const row = await newest<RotationRow>(shop, 'rotation', rotationId);
      return row.state.end === null ? null : row;
    },
    `the end of a rotation: ${shop.reports.join('; ')}`,
  );
}

export function revocationEnd(shop: Workshop<unknown>, revocationId: string): Promise<RevocationRow | 'died'> {
  return until(
    async () => {
      if (shop.isDead) return 'died';
      const row = await newest<RevocationRow>(shop, 'revocation', revocationId);
      return row.state.end === null ? null : row;
    },
    `the end of a revocation: ${shop.reports.join('; ')}`,
  );
}

const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

/** Checks a note's Ed25519 signature with the runtime's own code. */
export function isSigned(publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([SPKI_ED25519, publicKey]), format: 'der', type: 'spki' });
  return verify(null, text, key, signature);
}

/**
 * No certificate lies: each verifies under the log's key, names a key that is dead and was never accepted after its first refusal, and
 * has as many refusals as a proof takes, far enough apart. And every version that is called revoked has one.
 */
export async function assertSound(shop: Workshop): Promise<CertificateRow[]> {
  const certificates = await shop.rows<CertificateRow>('certificate');
  const keys = new Map(shop.twin.control.keys().map((key) => [key.id, key]));
  const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest();
  for (const certificate of certificates) {
    const vkey = parseVkey(shop.app.signers!.control.vkey, sha256);
    const { text } = openNote(Buffer.from(certificate.note), [vkey], isSigned);
    const said = JSON.parse(text) as {
      version: { id: string; providerKeyId: string };
      requestedAt: string;
      revokeCalledAt: string | null;
      issuedAt: string;
      refusals: { refused: { at: string; is: string }; control: { before: { is: string }; after: { is: string } } }[];
    };
    assert.deepEqual(said as unknown, certificate.statement as unknown);
    assert.equal(said.version.id, certificate.versionId);
    assert(said.refusals.length >= QUICK_ROTATION.death.refusals, 'too few refusals');
    const at = said.refusals.map(({ refused }) => Date.parse(refused.at));
    for (const [i, { refused, control }] of said.refusals.entries()) {
      assert.deepEqual([refused.is, control.before.is, control.after.is], ['dead', 'alive', 'alive']);
      // Read by two clocks: the wall clock may be a millisecond short of the monotonic one.
      if (i > 0) assert(at[i]! - at[i - 1]! >= QUICK_ROTATION.death.spacingMs - 2, 'refusals too close to each other');
    }
    const key = keys.get(said.version.providerKeyId)!;
    assert.equal(key.isAlive, false, 'a certificate of death for a key that lives');
    assert((key.lastAcceptedAt ?? 0) <= at[0]!, 'the key was accepted after its first refusal');
    if (said.revokeCalledAt !== null) assert(Date.parse(said.revokeCalledAt) <= at[0]!);
    assert(Date.parse(said.issuedAt) >= at.at(-1)!);
  }
  for (const version of await shop.rows<VersionRow>('version')) {
    const own = certificates.filter((certificate) => certificate.versionId === version.id);
    assert.equal(own.length, version.state === 'revoked' ? 1 : 0, `version ${version.number} is ${version.state}`);
    assert.equal(version.certificateId, own[0]?.id ?? null);
  }
  return certificates;
}

/** Keys of the organisation that the provider still accepts. */
export function aliveKeys(shop: Workshop): string[] {
  const keys = shop.twin.control.keys().filter((key) => key.kind === 'organization' && key.isAlive);
  return keys.map((key) => key.id).sort();
}

/** The versions of a credential by state. */
export async function statesOf(shop: Workshop<unknown>, credentialId = shop.credential.id): Promise<string[]> {
  const versions = (await shop.rows<VersionRow>('version')).filter((version) => version.credentialId === credentialId);
  return versions.sort((a, b) => a.number - b.number).map((version) => version.state);
}

/** The one version that the broker uses now. */
export async function currentOf(shop: Workshop<unknown>, credentialId = shop.credential.id): Promise<VersionRow> {
  const versions = (await shop.rows<VersionRow>('version')).filter(
    (version) => version.credentialId === credentialId && version.state === 'current',
  );
  assert.equal(versions.length, 1, 'exactly one version is current');
  return versions[0]!;
}

/** Runs a test in a workshop of its own, which is cleared away whatever happens. */
export async function withShop(run: (shop: Workshop) => Promise<void>, options: WorkshopOptions = {}): Promise<void> {
  const shop = await startWorkshop(options);
  try {
    await run(shop);
  } finally {
    await shop.stop();
  }
}

/** Asks for a rotation as a person would. */
export function requestRotation(shop: Workshop<unknown>, credentialId = shop.credential.id): Promise<RotationRow> {
  return shop.engines.rotator.request({ credentialId, trigger: 'operator', reason: 'superseded', actor: 'prn_tester' });
}

/** Rotates to the end, starting a new process where the old one has died. */
export async function rotated(shop: Workshop, rotationId: string): Promise<RotationRow> {
  for (;;) {
    const end = await rotationEnd(shop, rotationId);
    if (end !== 'died') return end;
    await shop.restart();
  }
}

/** What must be true after every rotation that ended as rotated. */
export async function assertRotated(shop: Workshop, row: RotationRow): Promise<void> {
  assert.equal(row.state.end, 'rotated', `${row.state.end}: ${row.state.reason} ${shop.reports.join('; ')}`);
  assert.notEqual(row.endedAt, null);
  const current = await currentOf(shop);
  assert.deepEqual(
    aliveKeys(shop),
    [current.providerKeyId],
    'exactly one key of ours lives, and it is the current one',
  );
  const states = await statesOf(shop);
  assert.deepEqual(states, [...new Array(states.length - 1).fill('revoked'), 'current']);
  const certificates = await assertSound(shop);
  assert.equal(certificates.length, states.length - 1, 'one certificate for each dead version');
  assert.equal(shop.app.policy.credentials.get(shop.credential.id)?.current?.id, current.id);
  assert(shop.app.injections.has(current.id), 'the broker can use it');
}

/** Orders a revocation as a person would in an incident. */
export function revoke(shop: Workshop, given: Partial<RevocationRequest> = {}): Promise<RevocationStarted> {
  return shop.engines.revoker.request({
    credentialId: shop.credential.id,
    versionIds: null,
    reason: 'compromised',
    order: 'revoke-first',
    note: 'seen in a public log',
    actor: 'prn_responder',
    ...given,
  });
}

/** Follows a revocation to its end, starting a new process where the old one has died. */
export async function revoked(shop: Workshop, revocationId: string): Promise<RevocationRow> {
  for (;;) {
    const end = await revocationEnd(shop, revocationId);
    if (end !== 'died') return end;
    await shop.restart();
  }
}

export async function assertProven(shop: Workshop, row: RevocationRow): Promise<void> {
  assert.equal(row.state.end, 'proven', `${row.state.end}: ${row.state.reason} ${shop.reports.join('; ')}`);
  assert.notEqual(row.endedAt, null);
  const version = await shop.row<VersionRow>('version', row.versionId);
  assert.deepEqual([version.state, version.certificateId], ['revoked', row.certificateId]);
  assert((await assertSound(shop)).some((certificate) => certificate.id === row.certificateId));
}

/** Keeps a use of the first version open, as a caller does whose answer is still streaming. */
export function holdOpen(shop: Workshop<unknown>): () => void {
  const { app, first, credential } = shop;
  const use = {
    versionId: first.id,
    credentialId: credential.id,
    grantId: 'gnt_x',
    principalId: 'prn_x',
    tokenId: 'tok_x',
    endsAt: Number.POSITIVE_INFINITY,
    cut() {},
  };
  const close = app.live.open(use, app.clock.monotonic(), app.clock.now());
  return () => close(app.clock.monotonic(), app.clock.now());
}

export function atStep(shop: Workshop, rotationId: string, step: string): Promise<unknown> {
  return until(
    async () => (await newest<RotationRow>(shop, 'rotation', rotationId)).state.step === step,
    `the step ${step}`,
  );
}

/** Ends a key as its provider's console does. */
export async function deleteByHand(shop: Workshop, providerKeyId: string): Promise<void> {
  const { orgId, adminKey } = shop.twin.control.seeds;
  const path = `/api/v2/organizations/${orgId}/api_keys/${providerKeyId}`;
  const answer = await directCall(shop.twin.origin)(
    { method: 'DELETE', path },
    { parts: { key: adminKey }, places: shop.credential.places },
  );
  assert.equal(answer.status, 200);
}

/** Gives the credential another issuer, or none. */
export async function setIssuer(shop: Workshop, issuerId: string | null): Promise<void> {
  const before = shop.app.rows.get('credential')!.get(shop.credential.id) as CredentialRow;
  const row = nextImage<CredentialRow>(before, { issuerId });
  await shop.write('test.issuer-changed', { noun: 'credential', row });
}
