// The rotation engine in trouble: a process that dies at every entry of its journal, and a provider that lies, loses and delays. Every run
// is checked for orphans, and every certificate against what the provider really did.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Death, Workshop } from '../../test/support/workshop.ts';
import {
  aliveKeys,
  assertRotated,
  atStep,
  deleteByHand,
  holdOpen,
  newest,
  requestRotation,
  rotated,
  rotationEnd,
  setIssuer,
  until,
  withShop,
} from '../../test/support/workshop-checks.ts';
import type { FaultName } from '../../twins/faults.ts';
import { neon } from '../providers/neon.ts';
import { NO_ISSUER } from './overlap-steps.ts';
import type { OverlapRotation, RotationRow } from './rotation.ts';
import { todoOf } from './todo.ts';

test('a process that dies at any entry of the journal, before or after it is written: another one brings the rotation to its end', async () => {
  const ends = { ended: 0, died: 0 };
  async function dieAt(death: Death): Promise<void> {
    await withShop(
      async (shop) => {
        const asked = await Promise.race([
          requestRotation(shop),
          until(() => shop.isDead, 'its death').then(() => null),
        ]);
        if (asked === null) await shop.restart();
        const [row] = await shop.rows<RotationRow>('rotation');
        if (row === undefined) {
          // It died before the request was on record: there is nothing to take up, and nothing happened.
          assert.deepEqual(aliveKeys(shop), [shop.first.providerKeyId]);
          return;
        }
        const end = await rotationEnd(shop, row.id);
        ends[end === 'died' || asked === null ? 'died' : 'ended']++;
        await assertRotated(shop, await rotated(shop, row.id));
      },
      { death },
    );
  }
  const deaths: Death[] = [];
  for (let write = 1; write <= 15; write++) deaths.push({ write, when: 'before' }, { write, when: 'after' });
  for (let i = 0; i < deaths.length; i += 6) await Promise.all(deaths.slice(i, i + 6).map(dieAt));
  assert(ends.died >= 25, `${ends.died} processes died on the way`);
  assert(ends.ended >= 1, 'the last deaths lie beyond the end');
});

test('the issuer goes before the old key is revoked: a person is told which one to delete, and its death is proven', () =>
  withShop(
    async (shop) => {
      const release = holdOpen(shop);
      const { id } = await requestRotation(shop);
      await atStep(shop, id, 'drain');
      await setIssuer(shop, null);
      release();
      await atStep(shop, id, 'prove');
      const waiting = await newest<OverlapRotation>(shop, 'rotation', id);
      assert.deepEqual([waiting.state.means.revoke, waiting.state.end, waiting.revokeCalledAt], ['person', null, null]);
      const todo = todoOf(waiting, {
        credential: shop.credential,
        provider: neon,
        kind: neon.kinds[1]!,
        isOvertaken: false,
      });
      assert.match(todo?.steps.join(' ') ?? '', new RegExp(`id ${shop.first.providerKeyId} there`));
      await deleteByHand(shop, shop.first.providerKeyId!);
      const row = await rotated(shop, id);
      assert.equal(row.revokeCalledAt, null, 'nobody was called');
      await assertRotated(shop, row);
    },
    { rotation: { removalPollMs: 50 } },
  ));

test('with no issuer to ask for a key a person is told at once; with another one named the rotation goes on', () =>
  withShop(
    async (shop) => {
      const { id } = await requestRotation(shop);
      await until(() => shop.isDead, 'its death before anything was asked for');
      await setIssuer(shop, null);
      await shop.restart();
      const now = () => newest<RotationRow>(shop, 'rotation', id);
      await until(async () => (await now()).state.end === 'blocked', 'its stand');
      assert.equal((await now()).lastProblem, NO_ISSUER);
      await setIssuer(shop, shop.credential.issuerId);
      await shop.engines.rotator.resume(id, 'prn_tester');
      await assertRotated(shop, await rotated(shop, id));
    },
    { death: { write: 2, when: 'before' } },
  ));

test('a wait that a process began is waited for by the next one, however long its own clock has been running', async () => {
  const settleMs = 2_000;
  await withShop(
    async (shop) => {
      const asked = requestRotation(shop);
      await until(() => shop.isDead, 'its death with a key on the way');
      const { id } = (await asked)!;
      await shop.restart({ write: 1, when: 'after' });
      await until(() => shop.isDead, 'its death with the doubt on record');
      const step = async () => (await shop.row<RotationRow>('rotation', id)).state;
      const waiting = await step();
      assert.deepEqual([waiting.step, waiting.pause?.ms], ['reconcile', settleMs]);
      const before = performance.now();
      await shop.restart();
      await until(async () => (await step()).step !== 'reconcile', 'the list');
      const waitedMs = performance.now() - before;
      assert.ok(waitedMs >= settleMs, `it waited ${waitedMs} ms`);
      await assertRotated(shop, await rotated(shop, id));
    },
    { death: { write: 2, when: 'after' }, rotation: { settleMs } },
  );
});

interface Trouble {
  readonly fault: FaultName;
  readonly options?: Parameters<Workshop['twin']['control']['fault']>[1];
  /** Milliseconds after which it is over; it ends by itself where it is left out. */
  readonly endsAfterMs?: number;
}

const TROUBLES: readonly Trouble[] = [
  { fault: 'revoke-late', options: { ms: 500 } },
  { fault: 'revoke-ignored', options: { count: 3 } },
  { fault: 'revoked-key-flaps', options: { probability: 0.5, ms: 35 } },
  { fault: 'create-lost', options: { count: 2 } },
  { fault: 'create-slow', options: { ms: 100, count: 1 } },
  { fault: 'create-arrives-later', options: { ms: 100, count: 1 } },
  { fault: 'dead-on-arrival', options: { count: 2 } },
  { fault: 'quota-full', options: { count: 2 } },
  { fault: 'good-key-refused', options: { probability: 0.2, on: ['auth'] }, endsAfterMs: 600 },
  { fault: 'outage-401', endsAfterMs: 400 },
  { fault: 'outage-401', options: { on: ['auth'] }, endsAfterMs: 400 },
  { fault: 'rate-limited', options: { probability: 0.5 }, endsAfterMs: 500 },
  { fault: 'server-error', options: { probability: 0.5 }, endsAfterMs: 500 },
  { fault: 'server-error-after', options: { on: ['create-key'], count: 2 } },
  { fault: 'server-error-after', options: { on: ['revoke-key'], count: 2 } },
  { fault: 'cut-before', options: { probability: 0.5 }, endsAfterMs: 500 },
  { fault: 'cut-after', options: { on: ['create-key'], count: 1 } },
  { fault: 'cut-after', options: { on: ['revoke-key'], count: 2 } },
  { fault: 'list-lags', options: { ms: 100 }, endsAfterMs: 600 },
];

test('whatever the provider does on the way, the rotation ends with one living key and no false certificate', async () => {
  async function through({ fault, options, endsAfterMs }: Trouble): Promise<void> {
    await withShop(async (shop) => {
      shop.twin.control.fault(fault, options);
      const over = endsAfterMs === undefined ? null : setTimeout(() => shop.twin.control.clearFaults(), endsAfterMs);
      try {
        const row = await rotated(shop, (await requestRotation(shop)).id);
        shop.twin.control.clearFaults();
        await assertRotated(shop, row);
      } catch (cause) {
        throw new Error(`with ${fault} ${JSON.stringify(options)}`, { cause });
      } finally {
        if (over !== null) clearTimeout(over);
      }
    });
  }
  for (let i = 0; i < TROUBLES.length; i += 5) await Promise.all(TROUBLES.slice(i, i + 5).map(through));
});
