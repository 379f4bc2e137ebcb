// The rotation engine over what does not overlap by API, with a process that dies at each of its writes, before it is committed or after: the next
// one finishes what it finds. The straight ways: rotator-modes.io.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  currentParts,
  isTaken,
  type KitSubject,
  MASTODON,
  PLAID_TOKEN,
  partsOf,
  SERVICE_ACCOUNT,
  type Shop,
  within,
} from '../../test/support/subjects.ts';
import type { Death } from '../../test/support/workshop.ts';
import { requestRotation, until } from '../../test/support/workshop-checks.ts';
import type { KitKey } from '../../twins/kit.ts';
import type { RotationRow } from './rotation.ts';

const nobody = async () => {};

/** Runs a rotation with a death at each write in turn, until one run needs no more writes. */
async function everyDeath<State>(
  when: Death['when'],
  subject: KitSubject<State>,
  help: (shop: Shop<State>, row: RotationRow) => Promise<void>,
  judge: (shop: Shop<State>, row: RotationRow) => Promise<void>,
): Promise<void> {
  for (let write = 1; ; write++) {
    let isOver = false;
    await within(
      subject,
      async (shop) => {
        const asked = requestRotation(shop);
        asked.catch((error: unknown) => assert(shop.isDead, String(error)));
        const drive = async () => {
          const endsAt = performance.now() + 60_000;
          while (!shop.isDead) {
            const [row] = await shop.rows<RotationRow>('rotation');
            const stands = `${when} ${write}: ${JSON.stringify(row?.state)} ${shop.reports.join('; ')}`;
            assert(performance.now() < endsAt, stands);
            if (row !== undefined && row.state.end !== null) return;
            // What a dead process was asked for never comes back.
            const helped = row === undefined ? nobody() : help(shop, row).catch(() => {});
            await Promise.race([helped, new Promise((resolve) => setTimeout(resolve, 50))]);
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        };
        await drive();
        isOver = !shop.isDead;
        if (shop.isDead) {
          await shop.restart();
          const rows = await shop.rows<RotationRow>('rotation');
          if (rows.length === 0) await requestRotation(shop);
          await drive();
        }
        const [row] = await shop.rows<RotationRow>('rotation');
        await judge(shop, row!);
      },
      { death: { write, when } },
    );
    if (isOver) break;
  }
}

for (const when of ['before', 'after'] as const) {
  test(`grace: a process that dies ${when} any of its writes leaves nothing that the next one cannot finish`, () =>
    everyDeath(when, SERVICE_ACCOUNT, nobody, async (shop, row) => {
      assert.equal(row.state.end, 'rotated', shop.reports.join('\n'));
      assert.equal(isTaken(shop, await currentParts(shop)), true);
      assert.equal(isTaken(shop, shop.firstParts), false);
    }));

  test(`swap: a process that dies ${when} any of its writes ends rotated, or in the state lost, and says so`, () =>
    everyDeath(when, PLAID_TOKEN, nobody, async (shop, row) => {
      assert(row.state.end === 'rotated' || row.state.end === 'lost', `${row.state.end}: ${shop.reports.join('\n')}`);
      if (row.state.end === 'rotated') assert.equal(isTaken(shop, await currentParts(shop)), true);
      else await until(() => shop.reports.some((line) => line.startsWith('rotation.lost')), 'the alarm');
      assert.equal(isTaken(shop, shop.firstParts), false);
      assert.equal(shop.app.gate.isAnyHeld, false);
    }));

  test(`assisted: a process that dies ${when} any of its writes goes on, with the key that was brought or another`, () => {
    const made = new WeakMap<object, KitKey>();
    return everyDeath(
      when,
      MASTODON,
      async (shop, row) => {
        if (row.state.step !== 'await') return;
        const key = made.get(shop.twin) ?? MASTODON.byHand(shop.twin);
        made.set(shop.twin, key);
        await shop.engines.rotator.bring(row.id, partsOf(key), 'prn_tester');
      },
      async (shop, row) => {
        assert.equal(row.state.end, 'rotated', shop.reports.join('\n'));
        assert.equal(isTaken(shop, await currentParts(shop)), true);
        assert.equal(isTaken(shop, shop.firstParts), false);
      },
    );
  });
}
