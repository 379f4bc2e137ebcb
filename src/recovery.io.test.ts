// The first start after a restore that was killed before it had put the checkpoints aside: the published ones are those of the history that
// goes on, and the others are kept. The recovery itself is proven by tools/torture and the simulator.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { houseConfig } from '../test/support/house.ts';
import { cutsOf } from './access/cuts.ts';
import { type App, createApp, VERSION } from './app.io.ts';
import { takeBackup } from './database/backup.io.ts';
import { restoreBackup } from './database/restore.io.ts';
import { initialise } from './init.io.ts';
import { newestCheckpoints } from './ledger/superseded.io.ts';
import { finishRestore } from './recovery.io.ts';
import { TABLES } from './tables.ts';
import { unseal } from './unseal.io.ts';
import { machineRandom } from './vault/cipher.io.ts';
import { generateKeyFile } from './vault/kek.io.ts';

const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-recovery-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const config = houseConfig(directory, {});
const kek = { kind: 'key-file' as const, path: path.join(directory, 'kek') };
const store = { kind: 'sqlite' as const, file: path.join(config.dataDirectory, 'claviger.db') };
const ledger = path.join(config.dataDirectory, 'ledger');

function open(): Promise<App> {
  return createApp({ config, onLost: (why) => assert.fail(why) }, () => Promise.reject(new Error('no secret')));
}

/** A life of a server: unsealed, so many changes with a checkpoint each, stopped. */
async function live(changes: number): Promise<void> {
  const app = await open();
  await finishRestore(app);
  await unseal(app, kek);
  for (let i = 0; i < changes; i++) {
    const event = { v: 1 as const, at: i, actor: 'system:test', type: 'test.noted', rows: [], detail: {} };
    await app.write({ events: [event], checkpoint: true });
  }
  await app.stop();
}

const published = (log: string) => readdirSync(path.join(ledger, log, 'checkpoints')).map(Number);
const superseded = (log: string) => readdirSync(path.join(ledger, log, 'superseded', '1')).sort();

async function lastEvent(): Promise<{ type: string; detail: { checkpointsSetAside?: number } }> {
  const app = await open();
  const entries = await app.database.read.selectFrom('control_entries').select('entry').orderBy('idx').execute();
  await app.stop();
  return JSON.parse(entries.at(-1)!.entry);
}

test('checkpoints that a killed restore left in place are put aside before the server signs one, once', async () => {
  const key = await generateKeyFile({ path: kek.path, dataDirectory: config.dataDirectory, random: machineRandom });
  await initialise({ config, kek: { kind: 'key-file', key }, admin: 'admin', databaseUrl: null });
  await live(2);
  const file = path.join(directory, 'a.backup');
  const checkpoints = newestCheckpoints(ledger);
  const { logs } = await takeBackup({ store, to: file, program: VERSION, now: 0, checkpoints });
  await live(5);
  const before = path.join(directory, 'ledger-before');
  cpSync(ledger, before, { recursive: true });
  const beyond = published('control').filter((size) => size > logs.control.size);
  assert(beyond.length >= 5);

  const { dataDirectory } = config;
  await restoreBackup({ file, store, dataDirectory, replace: true, now: 0, tables: TABLES, cutsOf });
  // As if it had been killed before it came to the checkpoints.
  rmSync(ledger, { recursive: true });
  cpSync(before, ledger, { recursive: true });

  const app = await open();
  await finishRestore(app);
  assert(Math.max(...published('control')) <= logs.control.size && Math.max(...published('use')) <= logs.use.size);
  assert.deepEqual(newestCheckpoints(ledger), { control: null, use: null });
  await app.stop();
  for (const size of beyond) {
    const [kept, was] = [path.join(ledger, 'control', 'superseded', '1'), path.join(before, 'control', 'checkpoints')];
    assert(readFileSync(path.join(kept, String(size))).equals(readFileSync(path.join(was, String(size)))), `${size}`);
  }
  const begun = await lastEvent();
  assert.deepEqual([begun.type, begun.detail.checkpointsSetAside! > beyond.length], ['recovery.begun', true]);

  // The recovery is still pending: what is published meanwhile stays through the next start.
  const aside = [superseded('control'), superseded('use')];
  await live(5);
  const since = published('control').filter((size) => size > logs.control.size);
  assert(since.length >= 5);
  await live(0);
  assert.deepEqual(
    since.filter((size) => !published('control').includes(size)),
    [],
  );
  assert.deepEqual([superseded('control'), superseded('use')], aside);
});

test('a database that was not restored, or has recovered, is left alone', async () => {
  const other = houseConfig(path.join(directory, 'other'), {});
  const key = await generateKeyFile({
    path: path.join(directory, 'other-kek'),
    dataDirectory: other.dataDirectory,
    random: machineRandom,
  });
  await initialise({ config: other, kek: { kind: 'key-file', key }, admin: 'admin', databaseUrl: null });
  const app = await createApp({ config: other, onLost: (why) => assert.fail(why) }, () =>
    Promise.reject(new Error('')),
  );
  const size = app.database.startSizes.control;
  await finishRestore(app);
  assert.equal((await app.database.heads()).control.size, size);
  await app.stop();
});
