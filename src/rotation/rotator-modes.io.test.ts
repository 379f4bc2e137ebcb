// The rotation engine over what does not overlap by API: a grace, one slot, a person, a value of ours. Each against a twin of its provider, the
// straight way and the ways off it. With a process that dies: rotator-modes-faults.io.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CACHET,
  currentParts,
  isTaken,
  MASTODON,
  PLAID_TOKEN,
  PREFECT_SERVER,
  partsOf,
  SERVICE_ACCOUNT,
  type Shop,
  within,
} from '../../test/support/subjects.ts';
import { newest, requestRotation, rotationEnd, statesOf, until } from '../../test/support/workshop-checks.ts';
import { restartWith } from '../../twins/prefect-server.ts';
import type { VersionRow } from '../credentials/credential.ts';
import { Failure } from '../model/failure.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import type { Parts } from '../providers/provider.ts';
import type { RotationRow } from './rotation.ts';

async function ended<State>(shop: Shop<State>, id: string): Promise<RotationRow> {
  const row = await rotationEnd(shop, id);
  assert(row !== 'died');
  return row;
}

function waits<State>(shop: Shop<State>, id: string): Promise<RotationRow> {
  return until(async () => {
    const row = await newest<RotationRow>(shop, 'rotation', id);
    return row.state.step === 'await' ? row : null;
  }, 'a rotation that waits for a key');
}

async function assertChanged<State>(shop: Shop<State>, row: RotationRow): Promise<void> {
  assert.deepEqual([row.state.end, row.lastProblem], ['rotated', null], shop.reports.join('\n'));
  assert.deepEqual(await statesOf(shop), ['revoked', 'current']);
  assert.equal(isTaken(shop, shop.firstParts), false, 'the old key is dead');
  assert.equal(isTaken(shop, await currentParts(shop)), true, 'the new one works');
  const [old] = (await shop.rows<VersionRow>('version')).filter((one) => one.credentialId === shop.credential.id);
  assert(old!.certificateId !== null, 'its death is certified');
}

test('grace: the key is replaced beside the old one, which is deleted when nobody uses it any more', () =>
  within(SERVICE_ACCOUNT, async (shop) => {
    const row = await ended(shop, (await requestRotation(shop)).id);
    await assertChanged(shop, row);
    const counts = shop.twin.control.counts();
    assert.equal(Object.entries(counts).find(([line]) => line.includes('rotate_api_key'))?.[1], 1);
  }));

test('grace: a lost answer is answered by another replacement, and the credential never loses its key', () =>
  within(SERVICE_ACCOUNT, async (shop) => {
    shop.twin.control.fault('create-lost', { count: 1, ms: 1 });
    const row = await ended(shop, (await requestRotation(shop)).id);
    await assertChanged(shop, row);
    const events = (await shop.events()).map((event) => event.type);
    assert(events.includes('rotation.issue-ambiguous'));
    await assert.rejects(shop.engines.rotator.cancel(row.id, 'too late', 'prn_tester'), (error) => Failure.is(error));
  }));

test('swap: the token is replaced while its traffic is held, and used at once', () =>
  within(PLAID_TOKEN, async (shop) => {
    const row = await ended(shop, (await requestRotation(shop)).id);
    await assertChanged(shop, row);
    assert.equal(shop.app.gate.isAnyHeld, false);
    const types = (await shop.events()).filter(({ type }) => type.startsWith('rotation.')).map(({ type }) => type);
    assert.deepEqual(types.slice(0, 6), [
      'rotation.requested',
      'rotation.held',
      'rotation.observed',
      'rotation.replace-begun',
      'rotation.replaced',
      'rotation.promoted',
    ]);
  }));

test('swap: what is in flight is waited for, and the old key is replaced after it', () =>
  within(PLAID_TOKEN, async (shop) => {
    const use = {
      versionId: shop.first.id,
      credentialId: shop.credential.id,
      grantId: 'g',
      principalId: 'p',
      tokenId: 't',
    };
    const done = shop.app.live.open({ ...use, endsAt: Number.POSITIVE_INFINITY, cut() {} }, 0, Date.now());
    const asked = await requestRotation(shop);
    await until(() => shop.app.gate.isHeld(shop.credential.id), 'the hold');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(isTaken(shop, shop.firstParts), true, 'not while a request is under way');
    done(1, Date.now());
    await assertChanged(shop, await ended(shop, asked.id));
  }));

test('swap: a lost answer ends in the state lost, with an alarm, and a person brings another key', () =>
  within(PLAID_TOKEN, async (shop) => {
    shop.twin.control.fault('create-lost', { count: 1, ms: 1 });
    const lost = await ended(shop, (await requestRotation(shop)).id);
    assert.deepEqual([lost.state.end, lost.endedAt], ['lost', null]);
    assert(shop.reports.some((line) => line.startsWith('rotation.lost') && line.includes('critical')));
    assert.equal(shop.app.gate.isAnyHeld, false, 'its traffic goes on');
    await assert.rejects(requestRotation(shop), (error) => Failure.is(error, 'conflict'));
    const { id: credentialId } = shop.credential;
    const about = { credentialId, trigger: 'operator', reason: 'superseded', actor: 'prn_tester' } as const;
    const recovery = await shop.engines.rotator.request({ ...about, byHand: true });
    assert.equal((await shop.row<RotationRow>('rotation', lost.id)).endedAt !== null, true);
    await waits(shop, recovery.id);
    await shop.engines.rotator.bring(recovery.id, partsOf(PLAID_TOKEN.byHand(shop.twin)), 'prn_tester');
    await assertChanged(shop, await ended(shop, recovery.id));
  }));

test('swap: an answer that was lost before anything happened costs another try, and no key', () =>
  within(PLAID_TOKEN, async (shop) => {
    shop.twin.control.fault('cut-before', { count: 1, on: ['create-key'] });
    await assertChanged(shop, await ended(shop, (await requestRotation(shop)).id));
  }));

test('assisted: a person brings the new key and deletes the old one; the rest goes by itself', () =>
  within(CACHET, async (shop) => {
    const asked = await requestRotation(shop);
    await waits(shop, asked.id);
    const old = shop.twin.control.keys.byText(revealSecretText(shop.firstKey))!;
    await shop.engines.rotator.bring(asked.id, partsOf(CACHET.byHand(shop.twin)), 'prn_tester');
    const proving = await until(async () => {
      const row = await newest<RotationRow>(shop, 'rotation', asked.id);
      return row.state.step === 'prove' ? row : null;
    }, 'the wait for the deletion');
    assert.equal(proving.revokeCalledAt, null, 'nobody was called');
    shop.twin.control.endByHand(old.id);
    await assertChanged(shop, await ended(shop, asked.id));
  }));

test('assisted: an old token is revoked by API, by its value, where it can be', () =>
  within(MASTODON, async (shop) => {
    const asked = await requestRotation(shop);
    await waits(shop, asked.id);
    await shop.engines.rotator.bring(asked.id, partsOf(MASTODON.byHand(shop.twin)), 'prn_tester');
    const row = await ended(shop, asked.id);
    await assertChanged(shop, row);
    assert(row.revokeCalledAt !== null);
  }));

test('assisted, a hard cut: the old string is dead before the new one is brought', () =>
  within(PREFECT_SERVER, async (shop) => {
    const asked = await requestRotation(shop);
    await waits(shop, asked.id);
    const fresh = PREFECT_SERVER.byHand(shop.twin);
    assert.equal(isTaken(shop, shop.firstParts), false);
    await shop.engines.rotator.bring(asked.id, partsOf(fresh), 'prn_tester');
    await assertChanged(shop, await ended(shop, asked.id));
  }));

test('assisted: what is not the right key is refused, on record, and the rotation waits on', () =>
  within(MASTODON, async (shop) => {
    const asked = await requestRotation(shop);
    await waits(shop, asked.id);
    const { control } = shop.twin;
    const bring = (parts: Parts) => shop.engines.rotator.bring(asked.id, parts, 'prn_tester');
    const refused = (why: RegExp) => (error: unknown) =>
      Failure.is(error, 'invalid') && why.test((error as Error).message);
    await assert.rejects(bring(shop.firstParts), refused(/version 1/));
    const dead = MASTODON.byHand(shop.twin);
    control.endByHand(dead.id);
    await assert.rejects(bring(partsOf(dead)), refused(/refuses this key/));
    const beside = await shop.add();
    await assert.rejects(bring(beside.parts), refused(/to rotate one would end the other/));
    const app = control.keys.all().find((key) => key.kind === 'app')!;
    const common = { kind: 'user-token', name: 'an app', more: { app: app.id } };
    const other = control.mint({
      ...common,
      account: '43',
      scopes: ['read:accounts'],
      parts: { key: `canary${'a'.repeat(37)}` },
    });
    await assert.rejects(bring(partsOf(other)), refused(/another account/));
    const refusals = (await shop.events()).filter(({ type }) => type === 'rotation.key-refused');
    assert.deepEqual(
      refusals.map(({ detail, actor }) => [(detail as { outcome: string }).outcome, actor]),
      ['same-key', 'dead', 'same-key', 'other-account'].map((outcome) => [outcome, 'prn_tester']),
    );
    assert.equal((await newest<RotationRow>(shop, 'rotation', asked.id)).state.step, 'await');
    await bring(partsOf(MASTODON.byHand(shop.twin)));
    await assertChanged(shop, await ended(shop, asked.id));
  }));

test('assisted: what nobody does in time is abandoned, and what comes after that is refused', () =>
  within(
    CACHET,
    async (shop) => {
      const asked = await requestRotation(shop);
      const row = await ended(shop, asked.id);
      assert.deepEqual([row.state.end, row.state.reason], ['aborted', 'nobody brought a new key in time']);
      assert.deepEqual(await statesOf(shop), ['current']);
      const late = shop.engines.rotator.bring(asked.id, partsOf(CACHET.byHand(shop.twin)), 'prn_tester');
      await assert.rejects(late, (error) => Failure.is(error));
    },
    { rotation: { awaitMaxMs: 50 } },
  ));

test('ours: a value is stored before it is sent, put into force by a program, and the old one is dead', () => {
  const told: string[] = [];
  let shopOf: Shop<never> | null = null;
  const programs = {
    replaceMaxMs: 500,
    async replace(fresh: Parts, old: Parts) {
      told.push(revealSecretText(fresh['key']!), revealSecretText(old['key']!));
      restartWith(shopOf!.twin.control as never, told[0]!);
      return 'done' as const;
    },
  };
  return within(
    PREFECT_SERVER,
    async (shop) => {
      shopOf = shop as never;
      await assertChanged(shop, await ended(shop, (await requestRotation(shop)).id));
      assert.match(told[0]!, /^admin:[A-Za-z0-9]{40}$/);
      assert.equal(told[1], revealSecretText(shop.firstKey));
    },
    { programs },
  );
});

test('ours: a program whose outcome nobody knows is not run again before that is known', () => {
  let runs = 0;
  let shopOf: Shop<never> | null = null;
  const programs = {
    replaceMaxMs: 500,
    async replace(fresh: Parts) {
      runs++;
      restartWith(shopOf!.twin.control as never, revealSecretText(fresh['key']!));
      return 'ambiguous' as const;
    },
  };
  return within(
    PREFECT_SERVER,
    async (shop) => {
      shopOf = shop as never;
      await assertChanged(shop, await ended(shop, (await requestRotation(shop)).id));
      assert.equal(runs, 1);
    },
    { programs },
  );
});

test('no form of a key is spoken of: what a person brought stands in no report and no entry of the ledger', () =>
  within(CACHET, async (shop) => {
    const asked = await requestRotation(shop);
    await waits(shop, asked.id);
    await assert.rejects(shop.engines.rotator.bring(asked.id, { key: new Secret('canary-not-a-token') }, 'prn_tester'));
    const all = `${shop.reports.join('\n')}${JSON.stringify(await shop.events())}`;
    assert.equal(all.includes('canary'), false);
  }));
