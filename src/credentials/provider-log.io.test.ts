// The provider's own log, read at a twin: what goes on record of keys that others make, replace and end, once each, and that our own rotations leave
// nothing behind. Which event is whose: provider-log.test.ts. What the provider's member reads: providers/prefect-cloud.log.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CREDENTIAL,
  HOUR_MS,
  INSTANCE,
  ISSUER,
  loggedAccount,
  MINUTE_MS,
  mint,
  stranger,
} from '../../test/support/logged-account.ts';
import { SERVICE_ACCOUNT, within } from '../../test/support/subjects.ts';
import { currentOf, requestRotation, rotationEnd, until } from '../../test/support/workshop-checks.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { addBot, prefectCloudTwin } from '../../twins/prefect-cloud.ts';
import { prng } from '../../twins/prng.ts';
import type { App } from '../app.io.ts';
import { createEngines } from '../engines.io.ts';
import { createRecords } from '../http/records.io.ts';
import { nextImage } from '../model/change.ts';
import { toRfc3339 } from '../model/clock.ts';
import type { Desk } from '../model/desk.ts';
import { allRows } from '../model/desk.ts';
import type { JsonObject } from '../model/json.ts';
import type { Context } from '../model/route.ts';
import { inventoryRoutes } from './api-inventory.ts';
import type { VersionRow } from './credential.ts';
import type { FindingRow } from './finding.ts';
import { createInventoryRunner } from './inventory.io.ts';
import { formatLabel, labelPart } from './label.ts';
import { typesOf } from './test-support.io.ts';

const random = prng(37);

test('keys that versions hold leave nothing on record', async () => {
  const { desk, look } = await loggedAccount();
  assert.deepEqual(await look(), { read: 3, outside: 0, problem: null });
  assert.deepEqual(desk.events, []);
});

test('a rotation outside is on record with who did it, once, whatever of the two keys the log names', async () => {
  for (const rotatedNames of ['old', 'new'] as const) {
    const { desk, twin, held, outside, look, findings, restart } = await loggedAccount();
    twin.control.state.log.rotatedNames = rotatedNames;
    const fresh = await outside.rotate();
    await look();
    // The list shows the new key at once; the log is believed once it has settled.
    assert.deepEqual(findings(), [['unregistered', fresh, 'open', undefined]]);
    desk.advance(MINUTE_MS);
    const expected =
      rotatedNames === 'old'
        ? [
            ['unregistered', fresh, 'open', undefined],
            ['changed-outside', held.id, 'open', 'terraform'],
          ]
        : [['unregistered', fresh, 'open', 'terraform']];
    assert.equal((await look())?.outside, 1);
    assert.deepEqual(findings(), expected);
    const [, second] = desk.events;
    const detail = { event: 'prefect-cloud.api-key.rotated' };
    if (rotatedNames === 'old') {
      assert.equal(second!.type, 'inventory.changed-outside-found');
      assert.deepEqual(second!.detail, { ...detail, credential: CREDENTIAL, version: `ver_${CREDENTIAL}` });
    } else {
      assert.equal(second!.type, 'inventory.finding-told');
      assert.deepEqual(second!.detail, detail);
    }
    const written = desk.writes.length;
    for (let again = 0; again < 3; again++) {
      desk.advance(HOUR_MS);
      if (again === 1) restart();
      assert.equal((await look())?.outside, 0);
    }
    assert.equal(desk.writes.length, written, 'reading it again writes nothing');
  }
});

test('a key in use that is ended outside is an alarm until no version in use holds it', async () => {
  const { desk, held, version, outside, look, findings, restart } = await loggedAccount();
  await outside.end(held.id);
  desk.advance(MINUTE_MS);
  await look();
  assert.deepEqual(findings(), [['changed-outside', held.id, 'open', 'terraform']]);
  const [row] = allRows<FindingRow>(desk.rows, 'finding');
  assert.deepEqual(row!.told, {
    event: 'prefect-cloud.api-key.deleted',
    at: desk.clock.now() - MINUTE_MS,
    by: 'terraform',
  });
  const previous = nextImage<VersionRow>(version, { state: 'previous' });
  desk.furnish('version', previous);
  await look();
  assert.equal(findings().length, 1);
  desk.furnish('version', nextImage<VersionRow>(previous, { state: 'revoked' }));
  await look();
  assert.deepEqual(findings(), []);
  restart();
  await look();
  assert.deepEqual(typesOf(desk), ['inventory.changed-outside-found', 'inventory.finding-gone']);
});

test('what no list of ours shows stays on record until the log says that it has ended, and is not found anew', async () => {
  const { desk, twin, look, findings, restart } = await loggedAccount();
  const { userId } = twin.control.state;
  const made = mint(twin, 'user-key', userId, 'a person’s key');
  desk.advance(HOUR_MS);
  await look();
  await look();
  assert.deepEqual(findings(), [['unregistered', made.id, 'open', 'a-user']]);
  assert.equal(allRows<FindingRow>(desk.rows, 'finding')[0]!.name, 'a person’s key');
  twin.control.endByHand(made.id);
  desk.advance(HOUR_MS);
  await look();
  assert.deepEqual(findings(), []);
  const types = ['inventory.unregistered-found', 'inventory.finding-gone'];
  assert.deepEqual(typesOf(desk), types);
  restart();
  assert.deepEqual(await look(), { read: 5, outside: 0, problem: null });
  assert.deepEqual(typesOf(desk), types);
});

test('a key that is registered after it was found is found no longer', async () => {
  const { desk, twin, furnish, look, findings } = await loggedAccount();
  const made = mint(twin, 'user-key', twin.control.state.userId);
  desk.advance(HOUR_MS);
  await look();
  assert.equal(findings().length, 1);
  furnish('crd_adopted', made, { settings: {} });
  await look();
  assert.deepEqual(findings(), []);
  assert.equal(typesOf(desk).at(-1), 'inventory.finding-adopted');
});

test('what a person has set aside stays aside, until the key turns out to be one in use', async () => {
  const { desk, twin, held, outside, look, findings, ignore, restart } = await loggedAccount();
  const fresh = await outside.rotate();
  desk.advance(MINUTE_MS);
  await look();
  await ignore(fresh);
  restart();
  await look();
  assert.deepEqual(findings(), [['unregistered', fresh, 'ignored', 'terraform']]);
  // Set aside as unregistered before it was ours; and then it is ended.
  const aside: FindingRow = {
    id: 'fnd_aside',
    rowVersion: 1,
    issuerId: ISSUER,
    providerKeyId: held.id,
    kind: 'unregistered',
    name: '',
    state: 'ignored',
    firstSeenAt: 1,
    closedAt: 2,
    lastUsedAt: null,
  };
  desk.furnish('finding', aside);
  await outside.end(held.id);
  desk.advance(MINUTE_MS);
  await look();
  assert.deepEqual(findings()[1], ['changed-outside', held.id, 'open', 'terraform']);
  await ignore(held.id);
  restart();
  await look();
  assert.deepEqual(findings()[1], ['changed-outside', held.id, 'ignored', 'terraform']);
  assert.equal(twin.control.isAlive(held.id), false);
});

test('an event that is shown some minutes late is seen; one that is shown much later, after a restart', async () => {
  const { desk, twin, look, findings, restart } = await loggedAccount();
  await look();
  const { log, userId } = twin.control.state;
  for (const [lateMs, seen] of [
    [9 * MINUTE_MS, 1],
    [30 * MINUTE_MS, 1],
  ] as const) {
    log.lateMs = lateMs;
    mint(twin, 'user-key', userId);
    log.catchUp(twin.control.keys.all());
    for (let waitedMs = 0; waitedMs <= lateMs; waitedMs += MINUTE_MS) {
      desk.advance(MINUTE_MS);
      await look();
    }
    assert.equal(findings().length, seen);
  }
  restart();
  await look();
  assert.equal(findings().length, 2);
});

test('a log that cannot be read is a problem of its own: the list is looked at all the same', async () => {
  const { desk, twin, look, findings, outside, run } = await loggedAccount();
  const { log } = twin.control.state;
  log.isInPlan = false;
  const fresh = await outside.rotate();
  desk.advance(MINUTE_MS);
  const refused = { read: 0, outside: 0, problem: 'log not readable: prefect-cloud.403.log-refused' };
  assert.deepEqual(await look(), refused);
  assert.deepEqual(findings(), [['unregistered', fresh, 'open', undefined]]);
  log.isInPlan = true;
  for (const [fault, problem] of [
    ['cut-before', 'upstream-ambiguous'],
    ['rate-limited', 'unknown: prefect-cloud.429.other'],
    ['server-error', 'unknown: prefect-cloud.500.other'],
  ] as const) {
    twin.control.fault(fault, { on: ['other'] });
    assert.deepEqual(await look(), { read: 0, outside: 0, problem });
    twin.control.clearFaults();
    desk.advance(HOUR_MS);
  }
  // What could not be read then is read now.
  assert.equal((await look())?.outside, 1);
  assert.deepEqual(findings(), [['unregistered', fresh, 'open', 'terraform']]);
  twin.control.fault('server-error', { on: ['list-keys'] });
  const [report] = await run();
  assert.notEqual(report!.problem, null);
  assert.equal(report!.log?.problem, null);
});

test('pages that lead elsewhere are not followed, and nothing that comes after them is taken for read', async () => {
  const { desk, twin, look, findings } = await loggedAccount();
  const { log, userId } = twin.control.state;
  for (let n = 0; n < 250; n++) mint(twin, 'user-key', userId);
  desk.advance(HOUR_MS);
  log.nextPage = 'https://elsewhere.example/next?page-token=t';
  assert.deepEqual(await look(), { read: 0, outside: 0, problem: 'unknown: prefect-cloud.200.log-next-page' });
  assert.deepEqual(findings(), []);
  log.nextPage = null;
  // The brake: not more than 200 in one look.
  assert.deepEqual(await look(), { read: 253, outside: 200, problem: null });
  assert.equal((await look())?.outside, 50);
  assert.equal((await look())?.outside, 0);
  assert.equal(findings().length, 250);
});

test('a log that is too long for one look is read on at the next', async () => {
  const { desk, twin, look, findings } = await loggedAccount();
  const { userId } = twin.control.state;
  const name = formatLabel({
    instance: INSTANCE,
    credential: labelPart(CREDENTIAL),
    rotation: 'f'.repeat(16),
    attempt: 1,
  });
  for (let n = 0; n < 5_100; n++) {
    desk.advance(1_000);
    mint(twin, 'user-key', userId, name);
  }
  const last = mint(twin, 'user-key', userId);
  desk.advance(HOUR_MS);
  assert.deepEqual(await look(), { read: 5_000, outside: 0, problem: null });
  assert.deepEqual(findings(), []);
  const next = await look();
  assert(next !== null && next.read < 1_000);
  assert.deepEqual(findings(), [['unregistered', last.id, 'open', 'a-user']]);
});

test('a log is read once, however many lists belong to it; a kind or settings without one have none', async () => {
  const { twin, furnish, run } = await loggedAccount();
  const { state } = twin.control;
  const { accountId, userId } = state;
  const second = addBot(state, random, { name: 'second' });
  const key = mint(twin, 'service-account-key', second.id);
  furnish('crd_second', key, { issuerId: ISSUER, settings: { accountId, botId: second.id } });
  furnish('crd_user', mint(twin, 'user-key', userId), { issuerId: ISSUER, settings: { userId } });
  const reads = () => twin.control.counts()['POST /api/accounts/{account_id}/events/filter'];
  assert.deepEqual(
    (await run()).map(({ log }) => log?.read ?? null),
    [5, null, null],
  );
  assert.equal(reads(), 1);
  furnish('crd_user2', mint(twin, 'user-key', userId), { issuerId: 'crd_user', settings: { userId, accountId } });
  assert.deepEqual((await run()).map(({ log }) => log?.read ?? null).length, 4);
  assert.equal(reads(), 3, 'with each issuer, its own');
});

test('with a real rotation: its grace leaves nothing on record, a rotation outside does, and so it stays after a restart', async () => {
  for (const rotatedNames of ['old', 'new'] as const) {
    let aheadMs = 0;
    const clock = { now: () => Date.now() + aheadMs };
    const subject = { ...SERVICE_ACCOUNT, start: () => startTwin(prefectCloudTwin, { clock }) };
    await within(subject, async (shop) => {
      const { twin, app } = shop;
      const { state } = twin.control;
      state.log.rotatedNames = rotatedNames;
      const desk = Object.create(app, { clock: { value: { ...app.clock, ...clock } } }) as Desk;
      const start = () =>
        createInventoryRunner({
          desk,
          instance: app.instance,
          kindOf: app.kindOf,
          callFor: app.callFor,
          open: (credential, version) => app.ring.open(credential, version),
          running: () => new Set(),
          settleMs: 0,
          orphansMax: 3,
          records: createRecords(app.database.read),
        });
      let runner = start();
      const look = async () => (await runner.run(null, 'system:inventory'))[0]!;
      const row = await rotationEnd(shop, (await requestRotation(shop)).id);
      assert(row !== 'died' && row.state.end === 'rotated');
      for (let again = 0; again < 2; again++, runner = start()) {
        const { log } = await look();
        // Two keys that were made by hand, a rotation, and the end of the old key.
        assert.deepEqual(log, { read: 4, outside: 0, problem: null });
      }
      assert.deepEqual(await shop.rows<FindingRow>('finding'), []);

      aheadMs = HOUR_MS;
      const current = await currentOf(shop);
      const other = stranger(twin, shop.credential.settings['botId']!);
      const fresh = await other.rotate();
      const expected = [
        // Made at the pages of the service.
        ['unregistered', other.key.id, 'a-user'],
        ...(rotatedNames === 'old'
          ? [
              ['unregistered', fresh, undefined],
              ['changed-outside', current.providerKeyId, 'terraform'],
            ]
          : [['unregistered', fresh, 'terraform']]),
      ];
      for (let again = 0; again < 3; again++, runner = start()) {
        await look();
        const found = (await shop.rows<FindingRow>('finding')).map((one) => [
          one.kind,
          one.providerKeyId,
          one.told?.by,
        ]);
        assert.deepEqual(new Set(found.map(String)), new Set(expected.map(String)));
      }
      const written = (await shop.events()).filter(({ type }) => type.startsWith('inventory.'));
      assert.equal(written.length, 3);
      assert(!JSON.stringify(written).includes('canary'));
    });
  }
});

test('the API gives what the log says, and the server’s log raises the alarm; that a log cannot be read it says once', async () => {
  // Behind ours, so that what happens there has settled here.
  const clock = { now: () => Date.now() - HOUR_MS };
  const subject = { ...SERVICE_ACCOUNT, start: () => startTwin(prefectCloudTwin, { clock }) };
  await within(subject, async ({ app, twin, credential, first }) => {
    const { log } = twin.control.state;
    const scheduler = { ...app.config.scheduler, everySeconds: 0.02, inventorySeconds: 0 };
    const lines: { readonly message: string; readonly fields: JsonObject }[] = [];
    const eager = Object.create(app, { config: { value: { ...app.config, scheduler } } }) as App;
    const engines = await createEngines(eager, (message, fields) => lines.push({ message, fields }));
    const said = (message: string) => lines.filter((line) => line.message === message).map((line) => line.fields);
    log.isInPlan = false;
    log.rotatedNames = 'old';
    await stranger(twin, credential.settings['botId']!).rotate();
    engines.start();
    await until(() => said('inventory.log').length > 0, 'a log that cannot be read');
    const reads = () => twin.control.counts()['POST /api/accounts/{account_id}/events/filter']!;
    const before = reads();
    await until(() => reads() > before + 2, 'some more looks');
    assert.deepEqual(
      said('inventory.log').map(({ problem }) => problem),
      ['log not readable: prefect-cloud.403.log-refused'],
    );
    log.isInPlan = true;
    const [alarm] = await until(() => {
      const alarms = said('inventory.changed-outside');
      return alarms.length > 1 ? alarms : null;
    }, 'the alarm, at each look');
    const { providerKeyId, by, severity } = alarm!;
    assert.deepEqual([providerKeyId, by, severity], [first.providerKeyId, 'terraform', 'critical']);
    await engines.stop();

    const routes = inventoryRoutes({ inventory: engines.inventory });
    const call = async (method: string) => {
      const route = routes.find((one) => one.method === method)!;
      const context = { desk: app, caller: { principalId: 'prn_1' } };
      const input = { params: {}, query: { limit: 50, cursor: null }, body: { issuer: null } };
      const { body } = await route.handler(context as unknown as Context, input);
      return (route.answers[200]!.schema.parse(body) as { items: JsonObject[] }).items;
    };
    const changed = (await call('GET')).find(({ kind }) => kind === 'changed-outside');
    const { told } = allRows<FindingRow>(app.rows, 'finding').find(({ kind }) => kind === 'changed-outside')!;
    assert.deepEqual([changed?.['severity'], changed?.['told']], ['critical', { ...told, at: toRfc3339(told!.at) }]);
    assert.equal(changed?.['credentialId'], credential.id, 'whose key it is');
    assert.deepEqual(
      (await call('POST')).map((report) => report['log'] !== null),
      [true],
    );
  });
});
