// The revocation engine in trouble: taken up after a death at any entry of its journal, a provider that lies, loses and delays, and a rotation
// of the very same key. Never a certificate for a key that lives.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Death, Workshop } from '../../test/support/workshop.ts';
import {
  aliveKeys,
  assertProven,
  assertSound,
  newest,
  revocationEnd,
  revoke,
  revoked,
  rotationEnd,
  setIssuer,
  until,
  withShop,
} from '../../test/support/workshop-checks.ts';
import type { FaultName } from '../../twins/faults.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { RotationRow } from '../rotation/rotation.ts';
import type { RevocationRow } from './revocation.ts';

test('a process that dies at any entry of the journal, before or after it is written: another one brings the revocation to its end', async () => {
  let died = 0;
  async function dieAt(death: Death): Promise<void> {
    await withShop(
      async (shop) => {
        const started = await Promise.race([revoke(shop), until(() => shop.isDead, 'its death').then(() => null)]);
        if (started === null) await shop.restart();
        const [row] = await shop.rows<RevocationRow>('revocation');
        if (row === undefined) {
          assert.deepEqual(aliveKeys(shop), [shop.first.providerKeyId]);
          assert.equal((await shop.row<CredentialRow>('credential', shop.credential.id)).suspendedAt, null);
          return;
        }
        assert.notEqual((await shop.row<CredentialRow>('credential', shop.credential.id)).suspendedAt, null);
        if (started === null || (await revocationEnd(shop, row.id)) === 'died') died++;
        await assertProven(shop, await revoked(shop, row.id));
        assert.deepEqual(aliveKeys(shop), []);
      },
      { death },
    );
  }
  const deaths: Death[] = [];
  for (let write = 1; write <= 7; write++) deaths.push({ write, when: 'before' }, { write, when: 'after' });
  for (let i = 0; i < deaths.length; i += 7) await Promise.all(deaths.slice(i, i + 7).map(dieAt));
  assert(died >= 9, `${died} processes died on the way`);
});

test('a process dies with its call on the way, and the issuer goes: that is found out about, and a person is told', () =>
  withShop(
    async (shop) => {
      shop.twin.control.fault('revoke-ignored');
      const { revocations } = await revoke(shop);
      const { id } = revocations[0]!;
      await until(() => shop.isDead, 'its death');
      assert.equal((await shop.row<RevocationRow>('revocation', id)).state.intent, true);
      await setIssuer(shop, null);
      await shop.restart();
      // Without the issuer there is no control either.
      const unproven = await revoked(shop, id);
      assert.deepEqual([unproven.state.end, unproven.state.intent], ['unproven', false]);
      await shop.engines.revoker.resume(id, 'prn_responder');
      const waiting = await revoked(shop, id);
      assert.equal(waiting.state.end, 'blocked');
      assert.match(waiting.state.reason ?? '', /console/);
    },
    { death: { write: 3, when: 'before' } },
  ));

interface Trouble {
  readonly fault: FaultName;
  readonly options?: Parameters<Workshop['twin']['control']['fault']>[1];
  readonly endsAfterMs?: number;
}
const TROUBLES: readonly Trouble[] = [
  { fault: 'revoke-late', options: { ms: 500 } },
  { fault: 'revoke-ignored', options: { count: 3 } },
  { fault: 'revoked-key-flaps', options: { probability: 0.5, ms: 35 } },
  { fault: 'good-key-refused', options: { probability: 0.3, on: ['auth'] }, endsAfterMs: 600 },
  { fault: 'outage-401', endsAfterMs: 400 },
  { fault: 'outage-401', options: { on: ['auth'] }, endsAfterMs: 400 },
  { fault: 'outage-401', options: { on: ['auth'], probability: 0.5 }, endsAfterMs: 600 },
  { fault: 'rate-limited', options: { probability: 0.5 }, endsAfterMs: 500 },
  { fault: 'server-error', options: { probability: 0.5 }, endsAfterMs: 500 },
  { fault: 'server-error-after', options: { on: ['revoke-key'], count: 2 } },
  { fault: 'cut-before', options: { probability: 0.5 }, endsAfterMs: 500 },
  { fault: 'cut-after', options: { on: ['revoke-key'], count: 2 } },
];

test('whatever the provider does on the way, the key ends proven dead and no certificate is false', async () => {
  async function through({ fault, options, endsAfterMs }: Trouble): Promise<void> {
    await withShop(async (shop) => {
      shop.twin.control.fault(fault, options);
      const over = endsAfterMs === undefined ? null : setTimeout(() => shop.twin.control.clearFaults(), endsAfterMs);
      try {
        const { revocations } = await revoke(shop);
        await assertProven(shop, await revoked(shop, revocations[0]!.id));
        assert.deepEqual(aliveKeys(shop), []);
      } catch (cause) {
        throw new Error(`with ${fault} ${JSON.stringify(options)}`, { cause });
      } finally {
        if (over !== null) clearTimeout(over);
      }
    });
  }
  for (let i = 0; i < TROUBLES.length; i += 6) await Promise.all(TROUBLES.slice(i, i + 6).map(through));
});

test('as long as the provider accepts the key, or refuses everybody, there is no certificate; a person is asked instead', async () => {
  const lasting: [FaultName, string][] = [
    ['revoke-ignored', 'blocked'],
    ['outage-401', 'unproven'],
    ['server-error', 'unproven'],
  ];
  await Promise.all(
    lasting.map(([fault, end]) =>
      withShop(
        async (shop) => {
          shop.twin.control.fault(fault);
          const { revocations } = await revoke(shop);
          const row = await revoked(shop, revocations[0]!.id);
          assert.equal(row.state.end, end, fault);
          assert.deepEqual([row.endedAt, row.certificateId], [null, null]);
          assert.deepEqual(await shop.rows('certificate'), []);
          shop.twin.control.clearFaults();
          await shop.engines.revoker.resume(row.id, 'prn_responder');
          const proven = await until(async () => {
            const one = await shop.row<RevocationRow>('revocation', row.id);
            return one.endedAt === null ? null : one;
          }, 'the proof');
          assert.equal(proven.state.end, 'proven');
          await assertSound(shop);
        },
        { revocation: { failuresMax: 4, revokesMax: 3 } },
      ),
    ),
  );
});

/** A rotation is revoking the first key when a person orders the very same. Gives the ids of both. */
async function both(shop: Workshop): Promise<{ rotationId: string; revocationId: string }> {
  shop.twin.control.fault('revoke-late', { ms: 300 });
  const { id } = await shop.engines.rotator.request({
    credentialId: shop.credential.id,
    trigger: 'operator',
    reason: 'superseded',
    actor: 'prn_tester',
  });
  await until(async () => (await newest<RotationRow>(shop, 'rotation', id)).state.pivoted, 'the pivot');
  const { revocations } = await revoke(shop, { versionIds: [shop.first.id] });
  return { rotationId: id, revocationId: revocations[0]!.id };
}

test('a version that a rotation has proven dead meanwhile has its certificate: the revocation ends with that one', () =>
  withShop(
    async (shop) => {
      const { rotationId, revocationId } = await both(shop);
      const rotation = await rotationEnd(shop, rotationId);
      assert(rotation !== 'died' && rotation.state.end === 'rotated');
      const row = await revoked(shop, revocationId);
      assert.equal(row.state.end, 'proven');
      const version = await shop.row<VersionRow>('version', shop.first.id);
      assert.deepEqual([version.state, version.certificateId], ['revoked', row.certificateId]);
      assert.equal((await assertSound(shop)).length, 1);
    },
    { revocation: { spacingMs: 500 } },
  ));

test('a rotation whose old key a revocation has proven dead meanwhile ends with that certificate', () =>
  withShop(
    async (shop) => {
      const { rotationId, revocationId } = await both(shop);
      await assertProven(shop, await revoked(shop, revocationId));
      const rotation = await rotationEnd(shop, rotationId);
      assert(rotation !== 'died' && rotation.state.end === 'rotated');
      assert.equal((await assertSound(shop)).length, 1);
    },
    { rotation: { death: { refusals: 3, spacingMs: 500 } } },
  ));

test('revoke-first ends a running rotation, wherever it stands: nothing of it goes on, or stands in the way of the next', async () => {
  for (const step of ['verify', 'drain', 'prove']) {
    await withShop(async (shop) => {
      if (step === 'verify') shop.twin.control.fault('server-error', { on: ['auth'] });
      if (step === 'prove') shop.twin.control.fault('revoke-late', { ms: 300 });
      const { app, first, credential } = shop;
      const use = {
        versionId: first.id,
        credentialId: credential.id,
        grantId: 'g',
        principalId: 'p',
        tokenId: 't',
        endsAt: Number.POSITIVE_INFINITY,
        cut() {},
      };
      if (step === 'drain') app.live.open(use, app.clock.monotonic(), app.clock.now());
      const rotation = await shop.engines.rotator.request({
        credentialId: credential.id,
        trigger: 'operator',
        reason: 'superseded',
        actor: 'prn_tester',
      });
      await until(async () => (app.rows.get('rotation')!.get(rotation.id) as RotationRow).state.step === step, step);
      const { revocations } = await revoke(shop);
      shop.twin.control.clearFaults();
      // All of them first: one that ends while another is looked at would be seen with half of its rows.
      const ended = await Promise.all(revocations.map((one) => revoked(shop, one.id)));
      for (const one of ended) await assertProven(shop, one);
      const row = await rotationEnd(shop, rotation.id);
      assert(row !== 'died' && row.state.end === 'aborted' && row.endedAt !== null, step);
      assert.deepEqual(aliveKeys(shop), [], step);
    });
  }
});
