// What begins by itself: a key that its provider is about to end is replaced, and one rotation that was called off is not begun anew at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CACHET, within } from '../../test/support/subjects.ts';
import { startWorkshop, type Workshop } from '../../test/support/workshop.ts';
import { holdOpen, until } from '../../test/support/workshop-checks.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { nextImage } from '../model/change.ts';
import { allRows } from '../model/desk.ts';
import type { RotationRow } from './rotation.ts';

const LOOK = { lookEverySeconds: 0.02 };
const DAY_MS = 86_400_000;

/** As if the key had been made three weeks ago for a month. */
async function age(shop: Workshop<unknown>): Promise<void> {
  const now = Date.now();
  const row = nextImage<VersionRow>(shop.first, { createdAt: now - 26 * DAY_MS, expiresAt: now + 4 * DAY_MS });
  await shop.write('version.covered', { noun: 'version', row });
}

test('a key whose end is near is replaced, without a policy that says so', async () => {
  const shop = await startWorkshop(LOOK);
  try {
    shop.engines.start();
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(await shop.rows<RotationRow>('rotation'), [], 'nobody ends it, and it has no age to reach');
    await age(shop);
    const row = await until(
      async () => (await shop.rows<RotationRow>('rotation')).find((one) => one.state.end === 'rotated'),
      'the rotation',
    );
    assert.deepEqual([row.trigger, row.requestedBy], ['schedule', 'system:scheduler']);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal((await shop.rows('rotation')).length, 1, 'the new key has no end');
  } finally {
    await shop.stop();
  }
});

test('by its age a key that nobody has come to the broker with is left alone, and the log says why; once it was used nothing is in the way', () =>
  within(
    CACHET,
    async (shop) => {
      const old = nextImage<VersionRow>(shop.first, { createdAt: 0, promotedAt: 0 });
      await shop.write('version.covered', { noun: 'version', row: old });
      const due = nextImage<CredentialRow>(shop.credential, { policy: { ...shop.credential.policy, everyDays: 30 } });
      await shop.write('credential.changed', { noun: 'credential', row: due });
      shop.engines.start();
      await until(() => shop.reports.some((line) => /schedule.refused .*through the broker/.test(line)), 'the reason');
      assert.deepEqual(await shop.rows('rotation'), []);
      holdOpen(shop)();
      // The next try is an hour away; a person's is at once.
      assert.equal(await shop.engines.doubtOf(shop.credential), null);
    },
    LOOK,
  ));

test('one that a person called off is not begun anew at the next look', () =>
  within(
    CACHET,
    async (shop) => {
      shop.engines.start();
      await age(shop);
      const row = await until(() => allRows<RotationRow>(shop.app.rows, 'rotation')[0], 'the rotation');
      await shop.engines.rotator.cancel(row.id, 'not today', 'prn_tester');
      await until(async () => (await shop.row<RotationRow>('rotation', row.id)).endedAt, 'its end');
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal((await shop.rows('rotation')).length, 1);
    },
    LOOK,
  ));
