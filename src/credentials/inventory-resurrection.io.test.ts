// Dead keys that live again, against a provider: the alarm, what it needs to be raised and to end, and that the order to revoke still stands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlEvent } from '../../test/support/rows.ts';
import { nextImage } from '../model/change.ts';
import type { FindingRow } from './finding.ts';
import { CREDENTIAL, ISSUER, setUpDead, typesOf } from './test-support.io.ts';

test('a dead key that a lagging list still shows is asked about, and refused it is nothing', async () => {
  const { desk, twin, run, remove } = await setUpDead();
  await remove();
  desk.advance(60_000);
  twin.control.fault('list-lags', { ms: 60_500 });
  const report = await run();
  assert.deepEqual([report.listed, report.resurrected, report.orphansDeleted, report.unregistered], [2, 0, 0, 0]);
  assert.deepEqual(desk.events, []);
});

test('a dead key that is listed and accepted is an alarm: on record with its certificate, and asked to end once more', async () => {
  const { desk, twin, run, remove, dead, open } = await setUpDead();
  await remove();
  desk.advance(60_000);
  twin.control.fault('list-lags', { ms: 60_500 });
  twin.control.fault('revoked-key-flaps');
  assert.equal((await run()).resurrected, 1);
  assert.deepEqual(open(), [['resurrected', dead.id, 'open']]);
  assert.deepEqual(typesOf(desk), ['inventory.resurrected-found', 'inventory.revoke-repeated']);
  assert.deepEqual(desk.events[0]!.detail, {
    credential: CREDENTIAL,
    version: 'ver_dead',
    certificate: 'crt_dead',
    signature: 'neon.200.api-key-org',
    status: 200,
  });
  assert.deepEqual(desk.events[1]!.detail, { outcome: 'absent' });
  // Not listed any more, and accepted all the same: the alarm stands.
  twin.control.clearFaults();
  twin.control.fault('revoked-key-flaps');
  assert.equal((await run()).resurrected, 1);
  assert.deepEqual(open(), [['resurrected', dead.id, 'open']]);
  // Nobody can tell: it stands.
  twin.control.clearFaults();
  for (const fault of ['server-error', 'outage-401'] as const) {
    twin.control.fault(fault, { on: ['auth'] });
    assert.equal((await run()).resurrected, 0, fault);
    assert.deepEqual(open(), [['resurrected', dead.id, 'open']], fault);
    twin.control.clearFaults();
  }
  // Refused beside a live control: over.
  await run();
  assert.deepEqual(open(), []);
  assert.equal(typesOf(desk).at(-1), 'inventory.finding-gone');
});

test('a dead key that came back to life is ended again, and the alarm ends when it is refused', async () => {
  const { run, dead, isAlive, open } = await setUpDead();
  const first = await run();
  assert.deepEqual([first.resurrected, first.orphansDeleted, first.unregistered], [1, 0, 0]);
  assert.equal(isAlive(dead.id), false, 'the order to revoke it stands');
  assert.deepEqual(open(), [['resurrected', dead.id, 'open']], 'that it was confirmed is no proof');
  assert.equal((await run()).resurrected, 0);
  assert.deepEqual(open(), []);
});

test('the brake holds for dead keys too; one that a person has set aside is left alone', async () => {
  const braked = await setUpDead({ orphansMax: 0 });
  assert.equal((await braked.run()).resurrected, 1);
  assert.equal(braked.isAlive(braked.dead.id), true);
  assert.deepEqual(typesOf(braked.desk), ['inventory.resurrected-found']);
  const { desk, run, findings, isAlive, dead, twin } = await setUpDead();
  twin.control.fault('revoke-ignored');
  await run();
  const row = nextImage<FindingRow>(findings()[0]!, { state: 'ignored', closedAt: desk.clock.now() });
  await desk.write({ events: [controlEvent([{ noun: 'finding', row }], { type: 'finding.ignored' })] });
  twin.control.clearFaults();
  assert.equal((await run()).resurrected, 0);
  assert.equal(isAlive(dead.id), true);
  assert.equal(typesOf(desk).at(-1), 'finding.ignored');
});

test('what was set aside as unregistered is an alarm all the same once it is known to be a dead key', async () => {
  const { desk, run, dead, open } = await setUpDead();
  const about = { id: 'fnd_1', rowVersion: 1, issuerId: ISSUER, providerKeyId: dead.id, name: '', lastUsedAt: null };
  const aside: FindingRow = { ...about, kind: 'unregistered', state: 'ignored', firstSeenAt: 1, closedAt: 2 };
  desk.furnish('finding', aside);
  assert.equal((await run()).resurrected, 1);
  assert.deepEqual(open(), [['resurrected', dead.id, 'open']]);
});
