// The standing inventory against a provider: what it deletes is certainly ours and certainly nobody's, never more than the brake allows,
// and what it finds is on record once. Dead keys that live again: inventory-resurrection.io.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directCall } from '../../test/support/direct-call.ts';
import { controlEvent, credentialRow, versionRow } from '../../test/support/rows.ts';
import { nextImage } from '../model/change.ts';
import { getRow } from '../model/desk.ts';
import type { CredentialRow, VersionRow } from './credential.ts';
import type { FindingRow } from './finding.ts';
import { labelPart } from './label.ts';
import { CREDENTIAL, ISSUER, label, ROTATION, setUp, typesOf } from './test-support.io.ts';

test('where everything is as it should be nothing is found, deleted or written', async () => {
  const { desk, run, held, isAlive } = await setUp();
  const { problem, orphansDeleted, heldBack, unregistered, missing, listed } = await run();
  assert.deepEqual([problem, orphansDeleted, heldBack, unregistered, missing, listed], [null, 0, 0, 0, 0, 1]);
  assert.deepEqual(desk.events, []);
  assert.equal(isAlive(held.id), true);
});

test('an orphan is deleted: on record before it is asked for, and again when it was confirmed', async () => {
  const { desk, run, mint, isAlive, findings, twin } = await setUp();
  const orphan = mint({ kind: 'organization', name: label(2) });
  let typesAtDelete: string[] = [];
  const { orphansDeleted } = await (async () => {
    const before = twin.control.counters().requests;
    const report = await run();
    assert.equal(twin.control.counters().requests, before + 2, 'one list and one delete');
    typesAtDelete = typesOf(desk);
    return report;
  })();
  assert.equal(orphansDeleted, 1);
  assert.equal(isAlive(orphan.id), false);
  assert.deepEqual(typesAtDelete, ['inventory.orphan-found', 'inventory.orphan-deleted']);
  assert.deepEqual(findings(), [], 'a closed finding is history');
  assert.equal((await run()).orphansDeleted, 0);
  assert.equal(desk.events.length, 2);
});

test('a delete that was refused or got lost leaves the finding open, and the next look tries again', async () => {
  for (const fault of ['cut-before', 'server-error', 'rate-limited'] as const) {
    const { run, mint, twin, findings, isAlive } = await setUp();
    const orphan = mint({ kind: 'organization', name: label(2) });
    twin.control.fault(fault, { on: ['revoke-key'] });
    assert.equal((await run()).orphansDeleted, 0, fault);
    assert.deepEqual(
      findings().map((finding) => [finding.kind, finding.providerKeyId, finding.state]),
      [['orphan', orphan.id, 'open']],
    );
    twin.control.clearFaults();
    assert.equal((await run()).orphansDeleted, 1, fault);
    assert.deepEqual(findings(), []);
    assert.equal(isAlive(orphan.id), false);
  }
});

test('an orphan whose deletion was confirmed and did nothing is deleted again', async () => {
  const { run, mint, twin, isAlive } = await setUp();
  const orphan = mint({ kind: 'organization', name: label(2) });
  twin.control.fault('revoke-ignored', { count: 1 });
  assert.equal((await run()).orphansDeleted, 1);
  assert.equal(isAlive(orphan.id), true);
  assert.equal((await run()).orphansDeleted, 1);
  assert.equal(isAlive(orphan.id), false);
});

test('what is not wholly ours is reported once and never touched', async () => {
  const { desk, run, mint, isAlive, findings } = await setUp();
  const names = [
    'a person’s key',
    '',
    label(2, { instance: 'ffffffff' }),
    label(2, { credential: 'f'.repeat(16) }),
    `${label(2)}0000`,
    `${label(2)} `,
    ` ${label(2)}`,
    label(2).slice(0, -2),
    label(2).toUpperCase(),
    label(2).replace('clv/', 'clv2/'),
  ];
  const minted = names.map((name) => mint({ kind: 'organization', name }));
  const first = await run();
  assert.deepEqual([first.orphansDeleted, first.unregistered], [0, names.length]);
  const second = await run();
  assert.equal(second.unregistered, names.length);
  for (const key of minted) assert.equal(isAlive(key.id), true);
  assert.deepEqual(
    findings()
      .map((finding) => finding.providerKeyId)
      .sort(),
    minted.map((key) => key.id).sort(),
  );
  assert.equal(typesOf(desk).filter((type) => type === 'inventory.unregistered-found').length, names.length);
});

test('a finding whose key is gone is closed', async () => {
  const { desk, run, mint, findings, twin } = await setUp();
  const stray = mint({ kind: 'organization', name: 'stray' });
  await run();
  assert.equal(findings().length, 1);
  const target = `/api/v2/organizations/${twin.control.seeds.orgId}/api_keys/${stray.id}`;
  await directCall(twin.origin)(
    { method: 'DELETE', path: target },
    { parts: { key: twin.control.seeds.adminKey }, places: credentialRow().places },
  );
  await run();
  assert.deepEqual(findings(), []);
  assert.equal(typesOf(desk).at(-1), 'inventory.finding-gone');
});

test('the keys of a running rotation, and keys that are very young, are left alone', async () => {
  const { run, running, mint, isAlive } = await setUp();
  const orphan = mint({ kind: 'organization', name: label(2) });
  running.add(labelPart(ROTATION));
  assert.equal((await run()).orphansDeleted, 0);
  running.clear();
  assert.equal((await run()).orphansDeleted, 1);
  assert.equal(isAlive(orphan.id), false);

  const slow = await setUp({ settleMs: 60_000 });
  const young = slow.mint({ kind: 'organization', name: label(2) });
  slow.desk.advance(59_999);
  assert.equal((await slow.run()).orphansDeleted, 0);
  assert.equal(slow.isAlive(young.id), true);
  slow.desk.advance(1_000);
  assert.equal((await slow.run()).orphansDeleted, 1);
});

test('the brake: one orphan more than may be deleted, and none is; a person is shown them all', async () => {
  const { run, mint, isAlive, findings } = await setUp({ orphansMax: 2 });
  const orphans = [2, 3, 4].map((attempt) => mint({ kind: 'organization', name: label(attempt) }));
  const report = await run();
  assert.deepEqual([report.orphansDeleted, report.heldBack], [0, 3]);
  for (const orphan of orphans) assert.equal(isAlive(orphan.id), true);
  assert.deepEqual(
    findings().map((finding) => finding.kind),
    ['held-back', 'held-back', 'held-back'],
  );
});

test('a list that cannot be read changes nothing', async () => {
  for (const fault of ['outage-401', 'server-error', 'cut-before', 'rate-limited'] as const) {
    const { desk, run, mint, twin, isAlive } = await setUp();
    const orphan = mint({ kind: 'organization', name: label(2) });
    mint({ kind: 'organization', name: 'stray' });
    twin.control.fault(fault, { on: ['list-keys'] });
    const report = await run();
    assert.notEqual(report.problem, null, fault);
    assert.deepEqual(desk.events, [], fault);
    assert.equal(isAlive(orphan.id), true, fault);
  }
});

test('a version whose key the provider no longer lists is missing; one that is proven dead is not', async () => {
  const { desk, run } = await setUp();
  const lost = versionRow({ id: 'ver_lost', credentialId: CREDENTIAL, providerKeyId: '999999', state: 'previous' });
  desk.furnish('version', lost);
  assert.equal((await run()).missing, 1);
  desk.furnish('version', nextImage<VersionRow>(lost, { state: 'revoked' }));
  assert.equal((await run()).missing, 0);
});

test('the issuer’s own key is in another list than the keys it mints: it is not missing there', async () => {
  const { run } = await setUp();
  assert.equal((await run()).missing, 0);
});

test('where keys are managed at one host and used at another, those that versions hold are ours all the same', async () => {
  const { desk, run, mint, isAlive, held, twin } = await setUp();
  const issuer = getRow<CredentialRow>(desk.rows, 'credential', ISSUER);
  desk.furnish('credential', nextImage<CredentialRow>(issuer, { origin: 'https://manage.example' }));
  const other = mint({ kind: 'organization', name: label(3) });
  const { orgId } = twin.control.seeds;
  desk.furnish('credential', credentialRow({ id: 'crd_o', name: 'o', issuerId: null, settings: { orgId } }));
  desk.furnish('version', versionRow({ id: 'ver_o', credentialId: 'crd_o', providerKeyId: other.id }));
  const managing = { purpose: 'manage', origin: 'https://manage.example' } as const;
  const managed = mint({ kind: 'organization', name: label(4) });
  desk.furnish('credential', credentialRow({ id: 'crd_m', name: 'm', ...managing, settings: { orgId } }));
  desk.furnish('version', versionRow({ id: 'ver_m', credentialId: 'crd_m', providerKeyId: managed.id }));
  const far = mint({ kind: 'organization', name: 'theirs' });
  desk.furnish('credential', credentialRow({ id: 'crd_f', name: 'f', origin: 'https://elsewhere.example' }));
  desk.furnish('version', versionRow({ id: 'ver_f', credentialId: 'crd_f', providerKeyId: far.id }));
  const { listed, orphansDeleted, unregistered, missing } = await run();
  assert.deepEqual([listed, orphansDeleted, unregistered, missing], [4, 0, 1, 0]);
  for (const { id } of [held, other, managed]) assert.equal(isAlive(id), true);
});

test('a key that a version of another issuer’s credential holds is registered', async () => {
  const { desk, run, mint, twin, runner } = await setUp();
  const other = mint({ kind: 'organization', name: 'minted elsewhere' });
  const { orgId } = twin.control.seeds;
  desk.furnish(
    'credential',
    credentialRow({ id: 'crd_i2', name: 'i2', kind: 'personal-key', purpose: 'manage', settings: {} }),
  );
  desk.furnish('credential', credentialRow({ id: 'crd_o', name: 'o', issuerId: 'crd_i2', settings: { orgId } }));
  desk.furnish('version', versionRow({ id: 'ver_o', credentialId: 'crd_o', providerKeyId: other.id }));
  assert.equal((await run()).unregistered, 0);
  assert.deepEqual(
    (await runner.run('crd_i2', 'system:inventory')).length,
    0,
    'an issuer without a key takes no inventory',
  );
});

test('an issuer of two lists: what is in one is not gone because it is not in the other', async () => {
  const { desk, runner, mint, findings, twin } = await setUp();
  const personal = mint({ kind: 'personal', name: 'personal stray' });
  const organization = mint({ kind: 'organization', name: 'organization stray' });
  const held = mint({ kind: 'personal', name: 'held' });
  desk.furnish(
    'credential',
    credentialRow({ id: 'crd_p', name: 'p', kind: 'personal-key', issuerId: ISSUER, settings: {} }),
  );
  desk.furnish('version', versionRow({ id: 'ver_p', credentialId: 'crd_p', providerKeyId: held.id }));
  for (let i = 0; i < 3; i++) {
    const reports = await runner.run(ISSUER, 'system:inventory');
    assert.deepEqual(
      reports.map((report) => [report.problem, report.unregistered, report.missing]),
      [
        [null, 1, 0],
        [null, 1, 0],
      ],
    );
    assert.deepEqual(
      findings()
        .map((finding) => finding.providerKeyId)
        .sort(),
      [personal.id, organization.id].sort(),
    );
  }
  assert.equal(desk.events.length, 2, 'found once each, and not found and lost again each time');
  // Where one of the lists cannot be read, nothing is called gone on the strength of the other.
  twin.control.fault('server-error', { on: ['list-keys'], count: 1 });
  await runner.run(ISSUER, 'system:inventory');
  assert.equal(findings().length, 2);
});

test('a finding that a person set aside stays aside as long as the key is there', async () => {
  const { desk, run, mint, findings, twin } = await setUp();
  const stray = mint({ kind: 'organization', name: 'stray' });
  await run();
  const ignored = nextImage<FindingRow>(findings()[0]!, { state: 'ignored', closedAt: desk.clock.now() });
  await desk.write({ events: [controlEvent([{ noun: 'finding', row: ignored }], { type: 'finding.ignored' })] });
  await run();
  await run();
  assert.deepEqual(typesOf(desk), ['inventory.unregistered-found', 'finding.ignored']);
  const target = `/api/v2/organizations/${twin.control.seeds.orgId}/api_keys/${stray.id}`;
  await directCall(twin.origin)(
    { method: 'DELETE', path: target },
    { parts: { key: twin.control.seeds.adminKey }, places: credentialRow().places },
  );
  await run();
  assert.equal(typesOf(desk).at(-1), 'inventory.finding-gone');
  assert.deepEqual(findings(), []);
});

test('no key is in what is written', async () => {
  const { desk, run, mint } = await setUp();
  mint({ kind: 'organization', name: label(2) });
  mint({ kind: 'organization', name: 'stray' });
  await run();
  assert(desk.events.length > 0 && !JSON.stringify(desk.events).includes('napi_'));
  assert.equal(getRow<CredentialRow>(desk.rows, 'credential', CREDENTIAL).id, CREDENTIAL);
});
