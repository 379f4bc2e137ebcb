// The revocation engine on a real database against a twin of the provider: suspended from the same commit on, revoked, proven, certified, in
// either order; what is refused; and what needs a person. Its troubles: revoke-faults.io.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDesk } from '../../test/support/desk.ts';
import { credentialRow, versionRow } from '../../test/support/rows.ts';
import {
  aliveKeys,
  assertProven,
  assertSound,
  currentOf,
  deleteByHand,
  newest,
  revoke,
  revoked,
  rotationEnd,
  setIssuer,
  statesOf,
  until,
  withShop,
} from '../../test/support/workshop-checks.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { createProber } from '../credentials/prober.ts';
import { NO_PROGRAMS } from '../credentials/programs.ts';
import { nextImage } from '../model/change.ts';
import { Failure } from '../model/failure.ts';
import { neon } from '../providers/neon.ts';
import type { RotationRow } from '../rotation/rotation.ts';
import type { RevocationRow } from './revocation.ts';
import { createRevoker } from './revoke.io.ts';
import type { RevocationRequest } from './revoker.ts';

test('revoke-first: suspended in the same commit, open uses cut, revoked, proven dead, certified', () =>
  withShop(async (shop) => {
    const { app, first, credential } = shop;
    const cut: string[] = [];
    const use = {
      versionId: first.id,
      credentialId: credential.id,
      grantId: 'g',
      principalId: 'p',
      tokenId: 't',
      endsAt: Number.POSITIVE_INFINITY,
    };
    app.live.open({ ...use, cut: (why) => cut.push(why) }, app.clock.monotonic(), app.clock.now());
    const { revocations, rotationId, cut: counted } = await revoke(shop);
    assert.deepEqual([revocations.length, rotationId, counted, cut.length], [1, null, 1, 1]);
    const live = app.policy.credentials.get(credential.id)!;
    assert.deepEqual([live.current, live.row.suspendReason], [null, 'compromised'], 'refused from the next request on');
    const row = await revoked(shop, revocations[0]!.id);
    await assertProven(shop, row);
    assert.deepEqual(aliveKeys(shop), []);
    assert.equal(app.injections.has(first.id), false);
    const events = (await shop.events()).filter((event) => event.type.startsWith('revocation.'));
    assert.deepEqual(
      events.map((event) => event.type),
      ['requested', 'revoke-begun', 'revoke-called', 'probed', 'probed', 'probed'].map((name) => `revocation.${name}`),
    );
    assert.deepEqual(events[0]!.rows.map(({ noun }) => noun).sort(), ['credential', 'revocation', 'version']);
    const statement = (await assertSound(shop))[0]!.statement as Record<string, unknown>;
    assert.deepEqual([statement['reason'], statement['requestedBy']], ['compromised', 'prn_responder']);
  }));

test('replace-first: the rotation brings the new key, and its old one is proven dead', () =>
  withShop(async (shop) => {
    const { revocations, rotationId } = await revoke(shop, { order: 'replace-first', reason: 'owner-left' });
    assert.equal(revocations.length, 0);
    const row = await rotationEnd(shop, rotationId!);
    assert(row !== 'died' && row.state.end === 'rotated');
    assert.deepEqual([row.trigger, row.reason], ['operator', 'owner-left'], 'the reason that was given');
    const credential = await shop.row<CredentialRow>('credential', shop.credential.id);
    assert.equal(credential.suspendedAt, null, 'nobody was kept from working');
    assert.deepEqual(await statesOf(shop), ['revoked', 'current']);
    assert.deepEqual(aliveKeys(shop), [(await currentOf(shop)).providerKeyId]);
    const statement = (await assertSound(shop))[0]!.statement as Record<string, unknown>;
    assert.deepEqual([statement['reason'], statement['requestedBy']], ['owner-left', 'prn_responder']);
  }));

test('under compromise replacing first is a rotation under compromise', () =>
  withShop(async (shop) => {
    const { rotationId } = await revoke(shop, { order: 'replace-first' });
    const row = await rotationEnd(shop, rotationId!);
    assert(row !== 'died');
    assert.deepEqual([row.trigger, row.reason], ['compromise', 'compromised']);
  }));

test('the credential’s own policy decides where the request does not', () =>
  withShop(async (shop) => {
    const change = (policy: Partial<CredentialRow['policy']>) => {
      const before = shop.app.rows.get('credential')!.get(shop.credential.id) as CredentialRow;
      const row = nextImage<CredentialRow>(before, { policy: { ...before.policy, ...policy } });
      return shop.write('credential.changed', { noun: 'credential', row });
    };
    await change({ onCompromise: 'replace-first' });
    const first = await revoke(shop, { order: null });
    assert.notEqual(first.rotationId, null);
    await rotationEnd(shop, first.rotationId!);
    await change({ onCompromise: 'revoke-first' });
    const second = await revoke(shop, { order: null });
    assert.equal(second.rotationId, null);
    await assertProven(shop, await revoked(shop, second.revocations[0]!.id));
  }));

test('a version that is no longer current is revoked without suspending anybody', () =>
  withShop(async (shop) => {
    const before = shop.app.rows.get('version')!.get(shop.first.id) as VersionRow;
    await shop.write('test.succeeded', { noun: 'version', row: nextImage<VersionRow>(before, { state: 'previous' }) });
    const { revocations } = await revoke(shop, { versionIds: [shop.first.id], reason: 'unused' });
    await assertProven(shop, await revoked(shop, revocations[0]!.id));
    assert.equal((await shop.row<CredentialRow>('credential', shop.credential.id)).suspendedAt, null);
  }));

test('what cannot be revoked is refused, and a second order for the same version is a conflict', () =>
  withShop(async (shop) => {
    const refuses = (given: Partial<RevocationRequest>, code: 'invalid' | 'not-found' | 'conflict') =>
      assert.rejects(revoke(shop, given), (error) => Failure.is(error, code));
    await refuses({ credentialId: 'crd_none' }, 'not-found');
    const other = await shop.add();
    await refuses({ versionIds: [shop.first.id, other.version.id] }, 'not-found');
    await refuses({ versionIds: ['ver_none'] }, 'invalid');
    await refuses({ versionIds: [] }, 'invalid');
    shop.twin.control.fault('revoke-late', { ms: 300 });
    const { revocations } = await revoke(shop, { versionIds: [shop.first.id, shop.first.id] });
    assert.equal(revocations.length, 1, 'named twice is named once');
    await refuses({}, 'conflict');
    await assertProven(shop, await revoked(shop, revocations[0]!.id));
    await refuses({}, 'invalid');
  }));

test('an old version whose order waits for a person keeps nobody from ending the whole credential', () =>
  withShop(
    async (shop) => {
      shop.twin.control.fault('revoke-ignored');
      const rotation = await shop.engines.rotator.request({
        credentialId: shop.credential.id,
        trigger: 'operator',
        reason: 'superseded',
        actor: 'prn_tester',
      });
      await until(async () => (await newest<RotationRow>(shop, 'rotation', rotation.id)).state.pivoted, 'the pivot');
      const old = await revoke(shop, { versionIds: [shop.first.id], reason: 'unused' });
      const waiting = await revoked(shop, old.revocations[0]!.id);
      assert.deepEqual([waiting.state.end, waiting.endedAt], ['blocked', null]);
      shop.twin.control.clearFaults();
      const current = await currentOf(shop);
      const { revocations } = await revoke(shop);
      assert.deepEqual(
        revocations.map((row) => row.versionId),
        [current.id],
        'the order that stands is not given twice',
      );
      assert.notEqual((await shop.row<CredentialRow>('credential', shop.credential.id)).suspendedAt, null);
      await assertProven(shop, await revoked(shop, revocations[0]!.id));
      await assert.rejects(revoke(shop), (error) => Failure.is(error, 'conflict'));
    },
    { revocation: { revokesMax: 2 } },
  ));

test('a key whose id is unknown waits for a person; what the person did is proven like any other', () =>
  withShop(async (shop) => {
    const before = shop.app.rows.get('version')!.get(shop.first.id) as VersionRow;
    await shop.write('test.forgot', { noun: 'version', row: nextImage<VersionRow>(before, { providerKeyId: null }) });
    const { revocations } = await revoke(shop);
    const waiting = await revoked(shop, revocations[0]!.id);
    assert.deepEqual([waiting.state.end, waiting.endedAt], ['blocked', null]);
    assert.match(waiting.state.reason ?? '', /console/);
    assert.notEqual(
      (await shop.row<CredentialRow>('credential', shop.credential.id)).suspendedAt,
      null,
      'suspended all the same',
    );
    // Not yet done: the provider still accepts it, and nobody is told otherwise.
    await shop.engines.revoker.resume(waiting.id, 'prn_responder');
    const still = await until(async () => {
      const row = await shop.row<RevocationRow>('revocation', waiting.id);
      return row.state.end !== null && row.rowVersion > waiting.rowVersion + 1 ? row : null;
    }, 'the second look');
    assert.equal(still.state.end, 'blocked');
    await deleteByHand(shop, shop.first.providerKeyId!);
    await shop.engines.revoker.resume(waiting.id, 'prn_responder');
    const row = await until(async () => {
      const one = await shop.row<RevocationRow>('revocation', waiting.id);
      return one.endedAt === null ? null : one;
    }, 'the proof');
    assert.equal(row.state.end, 'proven');
    const version = await shop.row<VersionRow>('version', shop.first.id);
    assert.equal(version.state, 'revoked');
    const statement = (
      await shop.rows<{ id: string; rowVersion: number; statement: Record<string, unknown> }>('certificate')
    )[0]!.statement;
    assert.equal(statement['revokeCalledAt'], null, 'we called nothing, and do not say that we did');
  }));

test('where the issuer goes while an order runs a person is asked at once; what they did is proven, beside a key that lives', () =>
  withShop(async (shop) => {
    const rotation = await shop.engines.rotator.request({
      credentialId: shop.credential.id,
      trigger: 'operator',
      reason: 'superseded',
      actor: 'prn_tester',
    });
    shop.twin.control.fault('revoke-ignored');
    await until(async () => (await newest<RotationRow>(shop, 'rotation', rotation.id)).state.pivoted, 'the pivot');
    const { revocations } = await revoke(shop, { versionIds: [shop.first.id], reason: 'compromised' });
    const { id } = revocations[0]!;
    await until(async () => (await newest<RevocationRow>(shop, 'revocation', id)).state.revokes > 0, 'a call');
    await setIssuer(shop, null);
    const waiting = await revoked(shop, id);
    assert.deepEqual([waiting.state.end, waiting.endedAt, waiting.state.intent], ['blocked', null, false]);
    assert.match(waiting.state.reason ?? '', /console/);
    shop.twin.control.clearFaults();
    await deleteByHand(shop, shop.first.providerKeyId!);
    await shop.engines.revoker.resume(id, 'prn_responder');
    await assertProven(shop, await revoked(shop, id));
  }));

test('a key that nobody here can revoke waits for a person too, and the provider is not said to have been asked', () =>
  withShop(async (shop) => {
    await setIssuer(shop, null);
    const { revocations } = await revoke(shop);
    const waiting = await revoked(shop, revocations[0]!.id);
    assert.equal(waiting.state.end, 'blocked');
    assert.deepEqual([waiting.revokeCalledAt, waiting.state.revokes], [null, 0]);
    // Nothing can serve as a control either: done by hand, it stays unproven.
    await deleteByHand(shop, shop.first.providerKeyId!);
    await shop.engines.revoker.resume(waiting.id, 'prn_responder');
    const row = await until(async () => {
      const one = await shop.row<RevocationRow>('revocation', waiting.id);
      return one.state.end === 'unproven' ? one : null;
    }, 'the end');
    assert.match(row.state.reason ?? '', /control/);
    assert.deepEqual(await shop.rows('certificate'), []);
    assert.deepEqual(await statesOf(shop), ['revoking'], 'and the version is not called revoked');
  }));

test('the order is about the versions that there are once running rotations were told to end', async () => {
  const desk = memoryDesk();
  const credential = credentialRow({ issuerId: 'crd_issuer' });
  const issuer = credentialRow({
    id: 'crd_issuer',
    name: 'issuer',
    kind: 'personal-key',
    purpose: 'manage',
    settings: {},
  });
  desk.furnish('credential', credential, issuer);
  const old = versionRow({ id: 'ver_old' });
  desk.furnish('version', old, versionRow({ id: 'ver_issuer', credentialId: issuer.id }));
  desk.furnish('version', versionRow({ id: 'ver_dead', number: 2, state: 'previous' }));
  const fail = () => Promise.reject(new Error('nothing is to run'));
  const revoker = createRevoker({
    desk,
    instant: () => ({ boot: 1, mono: 0 }),
    prober: createProber({
      now: () => 0,
      kindOf: () => fail() as never,
      callFor: () => fail,
      open: fail,
      issuerOf: () => null,
    }),
    kindOf: () => ({ kind: neon.kinds[1]! }),
    callFor: () => fail,
    open: fail,
    programsFor: () => NO_PROGRAMS,
    isSealed: () => true,
    certify: () => assert.fail('nothing is proven'),
    rotate: fail,
    cancelRotations() {
      // What may have happened when the rotation was told: it had just made a key, and had just proven one dead.
      desk.furnish('version', versionRow({ id: 'ver_new', number: 3, state: 'pending', providerKeyId: '103' }));
      desk.furnish('version', versionRow({ id: 'ver_dead', rowVersion: 2, number: 2, state: 'revoked' }));
      return Promise.resolve();
    },
    openUses: () => 0,
    report: () => {},
  });
  const asked = {
    credentialId: credential.id,
    versionIds: null,
    reason: 'compromised',
    order: 'revoke-first',
    note: '',
    actor: 'prn_1',
  } as const;
  const { revocations } = await revoker.request(asked);
  assert.deepEqual(revocations.map((row) => row.versionId).sort(), ['ver_new', 'ver_old']);
  const states = [...desk.rows.get('version')!.values()].map((row) => [row.id, (row as VersionRow).state]);
  assert.deepEqual(Object.fromEntries(states), {
    ver_old: 'revoking',
    ver_new: 'revoking',
    ver_dead: 'revoked',
    ver_issuer: 'current',
  });
  assert.notEqual((desk.rows.get('credential')!.get(credential.id) as CredentialRow).suspendedAt, null);
});

test('nothing that is reported or on record holds a key', () =>
  withShop(async (shop) => {
    const { revocations } = await revoke(shop);
    await revoked(shop, revocations[0]!.id);
    const stored = JSON.stringify([await shop.events(), await shop.rows('certificate'), shop.reports]);
    assert(!stored.includes('napi_'));
  }));
