// The rotation engine on a real database against a twin of the provider: the happy path and its journal, what is refused, cancelling on both
// sides of the pivot, and the brake. Its troubles: rotator-faults.io.test.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Workshop } from '../../test/support/workshop.ts';
import {
  aliveKeys,
  assertRotated,
  assertSound,
  atStep,
  currentOf,
  holdOpen,
  requestRotation,
  rotated,
  statesOf,
  until,
  withShop,
} from '../../test/support/workshop-checks.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { nextImage } from '../model/change.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import type { RotationRow } from './rotation.ts';

test('a rotation: a new key is made, proven, lent, the old one drained, revoked, proven dead; all of it on record', () =>
  withShop(async (shop) => {
    const asked = await requestRotation(shop);
    const row = await rotated(shop, asked.id);
    await assertRotated(shop, row);
    const journal = (await shop.events()).filter((event) => event.rows.some(({ noun }) => noun === 'rotation'));
    assert.deepEqual(
      journal.map((event) => event.type),
      [
        'rotation.requested',
        'rotation.issue-begun',
        'rotation.issued',
        'rotation.probed',
        'rotation.promoted',
        'rotation.observed',
        'rotation.covered',
        'rotation.probed',
        'rotation.revoke-begun',
        'rotation.revoke-called',
        'rotation.probed',
        'rotation.probed',
        'rotation.probed',
        'rotation.listed',
      ],
    );
    const [first, second] = (await shop.rows<VersionRow>('version')).filter(
      (one) => one.credentialId === shop.credential.id,
    );
    assert.deepEqual([first!.reason, first!.number, second!.number], ['superseded', 1, 2]);
    assert.match(second!.label ?? '', /^clv\/[0-9a-f]{8}\/[0-9a-f]{16}\/[0-9a-f]{16}\/1$/);
    assert.equal(journal[0]!.actor, 'prn_tester');
    for (const event of journal.slice(1)) assert.equal(event.actor, 'system:rotator');
  }));

test('the checkpoint that holds the intent to revoke is on disk before the provider is asked', () =>
  withShop(async (shop) => {
    const checkpoint = path.join(shop.directory, 'data', 'ledger', 'control', 'checkpoint');
    let published = -1;
    // The twin is asked to delete: what is on disk at this moment?
    const { keys } = shop.twin.control;
    const asked = await requestRotation(shop);
    await until(() => {
      const isRevoked = keys().find((key) => key.id === shop.first.providerKeyId)?.revokedAt !== null;
      if (!isRevoked) return null;
      published = Number(readFileSync(checkpoint, 'utf8').split('\n')[1]);
      return true;
    }, 'the delete');
    await rotated(shop, asked.id);
    const intent = (await shop.events()).findIndex((event) => event.type === 'rotation.revoke-begun');
    assert(published > intent, `published up to ${published}, the intent is entry ${intent}`);
  }));

test('nothing that is stored or reported holds a key', () =>
  withShop(async (shop) => {
    await rotated(shop, (await requestRotation(shop)).id);
    const files = ['claviger.db', 'claviger.db-wal'].map((name) => path.join(shop.directory, 'data', name));
    const stored = files.map((file) => readFileSync(file, 'latin1')).join('');
    for (const text of [stored, JSON.stringify(await shop.events()), shop.reports.join()])
      assert(!text.includes('napi_'));
    assert(stored.includes('rotation.revoke-begun'), 'these are the files that were written');
  }));

test('what cannot be rotated is refused with its reason, and nothing is written', () =>
  withShop(async (shop) => {
    const change = async (what: Partial<CredentialRow>) => {
      const { credential } = await shop.add();
      await shop.write('credential.changed', { noun: 'credential', row: nextImage<CredentialRow>(credential, what) });
      return credential.id;
    };
    const { credential, version } = await shop.add();
    await shop.write('version.changed', {
      noun: 'version',
      row: nextImage<VersionRow>({ ...version, envelopeDigest: '' }, { providerKeyId: null }),
    });
    const { credential: empty, version: only } = await shop.add();
    await shop.write('version.changed', { noun: 'version', row: nextImage<VersionRow>(only, { state: 'previous' }) });
    const before = (await shop.events()).length;
    const table: [string, FailureCode, RegExp][] = [
      ['crd_none', 'not-found', /credential/],
      [await change({ retiredAt: 1 }), 'invalid', /decommissioned/],
      [await change({ issuerId: null }), 'invalid', /issuer/],
      [await change({ kind: 'no-such-kind' }), 'not-found', /kind/],
      [credential.id, 'invalid', /id of the/],
      [empty.id, 'invalid', /current version/],
    ];
    for (const [id, code, why] of table) {
      await assert.rejects(
        requestRotation(shop, id),
        (error) => Failure.is(error, code) && why.test(error.message),
        String(why),
      );
    }
    shop.app.sleep();
    await assert.rejects(requestRotation(shop), (error) => Failure.is(error, 'sealed'));
    assert.equal((await shop.events()).length, before + 6, 'only what the test itself wrote');
  }));

test('a second request while one runs is a conflict, also after a restart', () =>
  withShop(async (shop) => {
    const release = holdOpen(shop);
    const asked = await requestRotation(shop);
    await atStep(shop, asked.id, 'drain');
    await assert.rejects(requestRotation(shop), (error) => Failure.is(error, 'conflict'));
    await shop.restart();
    await assert.rejects(requestRotation(shop), (error) => Failure.is(error, 'conflict'));
    release();
    await assertRotated(shop, await rotated(shop, asked.id));
    await assertRotated(shop, await rotated(shop, (await requestRotation(shop)).id));
  }));

test('while a use of the old key is open it is not revoked, and new uses get the new key', () =>
  withShop(async (shop) => {
    const release = holdOpen(shop);
    const asked = await requestRotation(shop);
    await atStep(shop, asked.id, 'drain');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual(await statesOf(shop), ['previous', 'current']);
    assert.equal(shop.twin.control.keys().find((key) => key.id === shop.first.providerKeyId)?.isAlive, true);
    release();
    await assertRotated(shop, await rotated(shop, asked.id));
  }));

test('cancelled before the pivot: the old key stays, the new one is revoked and proven dead', () =>
  withShop(async (shop) => {
    const release = holdOpen(shop);
    const asked = await requestRotation(shop);
    await atStep(shop, asked.id, 'drain');
    await shop.engines.rotator.cancel(asked.id, 'changed our minds', 'prn_tester');
    release();
    const row = await rotated(shop, asked.id);
    assert.deepEqual([row.state.end, row.state.reason], ['aborted', 'changed our minds']);
    assert.deepEqual(await statesOf(shop), ['current', 'revoked']);
    assert.deepEqual(aliveKeys(shop), [shop.first.providerKeyId]);
    assert.equal((await assertSound(shop)).length, 1);
    assert.equal((await currentOf(shop)).id, shop.first.id);
    await assertRotatedAfterAbort(shop);
  }));

test('a cancel is carried out at once, also while the old key is still in use', () =>
  withShop(async (shop) => {
    const release = holdOpen(shop);
    const asked = await requestRotation(shop);
    await atStep(shop, asked.id, 'drain');
    await shop.engines.rotator.cancel(asked.id, 'changed our minds', 'prn_tester');
    assert.equal((await rotated(shop, asked.id)).state.end, 'aborted');
    assert.deepEqual(aliveKeys(shop), [shop.first.providerKeyId]);
    release();
  }));

/** The marker of a run that ended does not stand in the way of the next one. */
async function assertRotatedAfterAbort(shop: Workshop): Promise<void> {
  const row = await rotated(shop, (await requestRotation(shop)).id);
  assert.equal(row.state.end, 'rotated');
  assert.deepEqual(aliveKeys(shop), [(await currentOf(shop)).providerKeyId]);
  await assertSound(shop);
}

test('cancelled while the new key is not yet confirmed: it never becomes current', () =>
  withShop(async (shop) => {
    shop.twin.control.fault('server-error', { on: ['auth'] });
    const asked = await requestRotation(shop);
    await atStep(shop, asked.id, 'verify');
    await shop.engines.rotator.cancel(asked.id, 'no', 'prn_tester');
    shop.twin.control.clearFaults();
    const row = await rotated(shop, asked.id);
    assert.equal(row.state.end, 'aborted');
    assert.deepEqual(aliveKeys(shop), [shop.first.providerKeyId]);
    const types = (await shop.events()).map((event) => event.type);
    assert(types.includes('rotation.cancelled') && !types.includes('rotation.promoted'));
    await assertSound(shop);
  }));

test('past the pivot a cancel is a conflict, and the rotation goes on to its end', () =>
  withShop(async (shop) => {
    shop.twin.control.fault('revoke-late', { ms: 400 });
    const asked = await requestRotation(shop);
    await atStep(shop, asked.id, 'prove');
    await assert.rejects(shop.engines.rotator.cancel(asked.id, 'too late', 'prn_tester'), (error) =>
      Failure.is(error, 'conflict'),
    );
    await assertRotated(shop, await rotated(shop, asked.id));
    await assert.rejects(shop.engines.rotator.cancel(asked.id, 'over', 'prn_tester'), (error) =>
      Failure.is(error, 'not-found'),
    );
  }));

test('a rotation that stands still goes on when a person says so', () =>
  withShop(
    async (shop) => {
      shop.twin.control.fault('server-error', { on: ['auth'] });
      const asked = await requestRotation(shop);
      const stopped = await rotated(shop, asked.id);
      assert.equal(stopped.state.end, 'blocked');
      assert.notEqual(stopped.lastProblem, null);
      assert.equal(stopped.endedAt, null, 'it is not over');
      await assert.rejects(requestRotation(shop), (error) => Failure.is(error, 'conflict'));
      shop.twin.control.clearFaults();
      await shop.engines.rotator.resume(asked.id, 'prn_tester');
      await assertRotated(shop, await rotated(shop, asked.id));
      await assert.rejects(shop.engines.rotator.resume(asked.id, 'prn_tester'), (error) =>
        Failure.is(error, 'not-found'),
      );
    },
    { rotation: { failuresMax: 3 } },
  ));

test('no more rotations run at once than the brake allows; those that wait have their turn', () =>
  withShop(
    async (shop) => {
      const release = holdOpen(shop);
      const other = await shop.add();
      const first = await requestRotation(shop);
      const second = await requestRotation(shop, other.credential.id);
      await atStep(shop, first.id, 'drain');
      await new Promise((resolve) => setTimeout(resolve, 60));
      assert.equal((await shop.row<RotationRow>('rotation', second.id)).rowVersion, 1, 'it has not begun');
      release();
      assert.equal((await rotated(shop, first.id)).state.end, 'rotated');
      assert.equal((await rotated(shop, second.id)).state.end, 'rotated');
      await assertSound(shop);
    },
    { rotationsAtOnce: 1 },
  ));

test('the broker’s decision names the new version from the moment it is promoted', () =>
  withShop(async (shop) => {
    const release = holdOpen(shop);
    const asked = await requestRotation(shop);
    await atStep(shop, asked.id, 'drain');
    const live = shop.app.policy.credentials.get(shop.credential.id)!;
    assert.notEqual(live.current?.id, shop.first.id);
    assert(shop.app.injections.has(live.current!.id));
    assert.equal(shop.app.injections.has(shop.first.id), true, 'uses that are open still have theirs');
    release();
    await rotated(shop, asked.id);
    assert.equal(shop.app.injections.has(shop.first.id), false, 'a dead key is forgotten');
  }));
