// Backups and restores, from and to both databases: nothing is lost or altered, a damaged file is refused, the epoch is opened and
// names what was known, and what was there before is kept.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import pg from 'pg';
import { startPostgresql } from '../../test/support/postgresql.ts';
import { createHasher } from '../ledger/merkle.ts';
import { rootAt } from '../ledger/source.ts';
import { type ControlEvent, NOUNS, type Row } from '../model/change.ts';
import { Failure } from '../model/failure.ts';
import { checkBackup, takeBackup } from './backup.io.ts';
import type { Database } from './database.ts';
import { migratePostgresql, openPostgresqlDatabase } from './postgresql.io.ts';
import { logSource, openForReading, type Store } from './reading.io.ts';
import { type RestoreInput, restoreBackup } from './restore.io.ts';
import type { Tables } from './schema.ts';
import { migrateSqlite, openSqliteDatabase } from './sqlite.io.ts';
import { openSqlite } from './sqlite-commit.io.ts';

const NOW = 1_790_000_000_000;
const hasher = createHasher((data) => createHash('sha256').update(data).digest());
const tables = Object.fromEntries(
  NOUNS.map((noun) => [
    noun,
    { naturalKey: (row: Row & { name?: string }) => row.name ?? null, parent: () => null, isLive: () => true },
  ]),
) as unknown as Tables;
const hooks = { tables, cutsOf: () => [], committed: () => {}, onLost: () => {} };

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(path.join(os.tmpdir(), 'claviger-backup-'));
  folders.push(made);
  return made;
}
const server = await startPostgresql();
after(async () => {
  for (const made of folders) rmSync(made, { recursive: true, force: true });
  await server?.stop();
});

function event(
  type: string,
  row?: Row & Record<string, unknown>,
  noun: 'setting' | 'principal' = 'principal',
): ControlEvent {
  return { v: 1, at: NOW, actor: 'system:test', type, rows: row === undefined ? [] : [{ noun, row }], detail: {} };
}

async function open(store: Store): Promise<Database> {
  return store.kind === 'sqlite'
    ? openSqliteDatabase({ file: store.file, ...hooks })
    : openPostgresqlDatabase({ url: store.url, ...hooks });
}

async function emptyStore(kind: Store['kind'], isMigrated = true): Promise<Store> {
  if (kind === 'postgresql') {
    const url = await server!.createDatabase();
    if (isMigrated) await migratePostgresql(url);
    return { kind, url };
  }
  const file = path.join(folder(), 'claviger.db');
  if (isMigrated) {
    const database = openSqlite(file);
    migrateSqlite(database);
    database.close();
  }
  return { kind, file };
}

/** A database with an instance, 300 control entries, 700 uses, a blob of every byte, and text that is hard to copy. */
async function filledStore(kind: Store['kind']): Promise<Store> {
  const store = await emptyStore(kind);
  const database = await open(store);
  const setting = { id: 'set_1', rowVersion: 1, name: 'instance', value: { id: '0a1b2c3d' } };
  const blob = { kind: 'envelope' as const, id: 'ver_1', value: Uint8Array.from({ length: 256 }, (_, i) => i) };
  await database.write({ events: [event('instance.created', setting, 'setting')], blobs: [blob] });
  const writes = Array.from({ length: 299 }, (_, i) =>
    database.write({
      events: [event('principal.added', { id: `prn_${i}`, rowVersion: 1, name: `n${i}`, note: `Zoë 🗝 "\\ ${i}` })],
    }),
  );
  await Promise.all(writes);
  for (let i = 0; i < 700; i++) database.admit(JSON.stringify({ id: i, kind: 'use' }), 300, () => {});
  await database.idle();
  await database.end();
  return store;
}

async function contents(store: Store): Promise<Record<string, unknown>> {
  const { read, close } = await openForReading(store);
  const roots: string[] = [];
  for (const log of ['control', 'use'] as const) {
    const source = await logSource(read, log);
    roots.push(`${source.size} ${Buffer.from(await rootAt(source, source.size, hasher)).toString('hex')}`);
  }
  const all = {
    principals: await read.selectFrom('principals').selectAll().orderBy('id').execute(),
    control: await read.selectFrom('control_entries').selectAll().orderBy('idx').execute(),
    use: await read.selectFrom('use_entries').selectAll().orderBy('idx').execute(),
    blobs: (await read.selectFrom('blobs').selectAll().orderBy('id').execute()).map((one) => ({
      ...one,
      value: Buffer.from(one.value).toString('hex'),
    })),
    roots,
  };
  await close();
  return JSON.parse(JSON.stringify(all));
}

function backup(store: Store, to: string) {
  return takeBackup({ store, to, program: '0.1.0', now: NOW, checkpoints: { control: null, use: null } });
}

function restoring(file: string, store: Store, more: Partial<RestoreInput> = {}): RestoreInput {
  const dataDirectory = store.kind === 'sqlite' ? path.dirname(store.file) : folder();
  return { file, store, dataDirectory, replace: false, now: NOW, tables, cutsOf: () => [], ...more };
}

const KINDS: readonly Store['kind'][] = server === null ? ['sqlite'] : ['sqlite', 'postgresql'];

for (const from of KINDS) {
  test(`a backup from ${from} holds everything, says what it holds, and is for its owner alone`, async () => {
    const store = await filledStore(from);
    const to = path.join(folder(), 'a.backup');
    const manifest = await backup(store, to);
    assert.equal(statSync(to).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(path.dirname(to)), ['a.backup'], 'nothing else is left behind');
    assert.deepEqual(
      [manifest.instance, manifest.dialect, manifest.epoch, manifest.logs.control.size, manifest.logs.use.size],
      ['0a1b2c3d', from, 0, 300, 700],
    );
    assert.deepEqual(manifest.tables['principals'], 299);
    assert.deepEqual(await contents({ kind: 'sqlite', file: to }), await contents(store));
    assert.deepEqual(await checkBackup(to), manifest);
    await assert.rejects(backup(store, to), (error) => Failure.is(error, 'conflict'), 'never over another file');
  });

  for (const into of KINDS) {
    test(`restored from ${from} into ${into}: the same, in a new epoch whose first entry says so`, async () => {
      const source = await filledStore(from);
      const file = path.join(folder(), 'a.backup');
      const manifest = await backup(source, file);
      const store = await emptyStore(into, false);
      const restored = await restoreBackup(restoring(file, store));
      assert.deepEqual([restored.epoch, restored.setAside], [1, null]);

      const before = await contents(source);
      const after = await contents(store);
      const entries = after['control'] as { idx: number; entry: string }[];
      assert.deepEqual(entries.slice(0, 300), before['control']);
      assert.deepEqual(
        [after['use'], after['principals'], after['blobs']],
        [before['use'], before['principals'], before['blobs']],
      );
      const opened = JSON.parse(entries[300]!.entry);
      assert.deepEqual([opened.type, opened.epoch, opened.actor], ['ledger.epoch-opened', 1, 'system:restore']);
      assert.deepEqual(opened.detail.backup.control, { root: manifest.logs.control.root, size: 300 });
      assert.deepEqual(opened.detail.lastCheckpoint, { control: null, use: null });
      assert.deepEqual(opened.rows[0].row.value, { epoch: 1, state: 'pending' });

      // The server goes on where the entry stands.
      const database = await open(store);
      assert.equal(database.epoch, 1);
      const written = await database.write({
        events: [event('principal.added', { id: 'prn_x', rowVersion: 1, name: 'x' })],
      });
      assert.equal(written.size, 302);
      await database.end();
    });
  }

  test(`${from}: a database that is there is refused, and put aside where that is asked for`, async () => {
    const store = await filledStore(from);
    const file = path.join(folder(), 'a.backup');
    await backup(store, file);
    const database = await open(store);
    await database.write({ events: [event('principal.added', { id: 'prn_late', rowVersion: 1, name: 'late' })] });
    const input = restoring(file, store);
    await assert.rejects(
      restoreBackup({ ...input, replace: true }),
      (error) => Failure.is(error, 'conflict'),
      'while it is served',
    );
    await database.end();
    await assert.rejects(restoreBackup(input), (error) => Failure.is(error, 'conflict'));
    const first = await restoreBackup({ ...input, replace: true });
    const second = await restoreBackup({ ...input, replace: true });
    assert.notEqual(first.setAside, null);
    assert.notEqual(first.setAside, second.setAside, 'both are kept');
    if (store.kind === 'sqlite') {
      const aside = await contents({ kind: 'sqlite', file: first.setAside! });
      assert.equal((aside['control'] as unknown[]).length, 301, 'with the last commit');
      assert(!readdirSync(path.dirname(store.file)).some((name) => name.includes('restoring')));
    } else {
      const client = new pg.Client({ connectionString: store.url });
      await client.connect();
      const { rows } = await client.query(`SELECT count(*)::int AS n FROM ${first.setAside}.control_entries`);
      await client.end();
      assert.equal(rows[0].n, 301);
    }
    assert.equal(((await contents(store))['principals'] as unknown[]).length, 299);
  });
}

test('a backup of a database that is written to is one moment of it', async () => {
  const store = await filledStore('sqlite');
  const database = await open(store);
  let stop = false;
  let n = 0;
  const writing = (async () => {
    while (!stop) {
      await database.write({ events: [event('principal.added', { id: `prn_w${n}`, rowVersion: 1, name: `w${n++}` })] });
    }
  })();
  for (let i = 0; i < 3; i++) {
    const file = path.join(folder(), 'a.backup');
    const manifest = await backup(store, file);
    assert.equal(manifest.tables['principals'], manifest.logs.control.size - 1, 'rows and entries of the same moment');
  }
  stop = true;
  await writing;
  await database.end();
});

test('a backup that is damaged, cut or exchanged is refused with what is wrong', async () => {
  const store = await filledStore('sqlite');
  const file = path.join(folder(), 'a.backup');
  await backup(store, file);
  const change = (name: string, sql: string) => {
    const copy = path.join(folder(), name);
    writeFileSync(copy, readFileSync(file), { mode: 0o600 });
    const database = new DatabaseSync(copy);
    database.exec(sql);
    database.close();
    return copy;
  };
  const cases: [string, RegExp][] = [
    [change('row', "DELETE FROM principals WHERE id = 'prn_7'"), /not all rows of principals/],
    [change('gap', 'UPDATE use_entries SET idx = 5000 WHERE idx = 350'), /entries are missing in the use log/],
    [
      change('entry', "UPDATE control_entries SET entry = '{}' WHERE idx = 299"),
      /control log of the backup is not the one/,
    ],
    [change('size', "UPDATE ledger_heads SET size = 699 WHERE log = 'use'"), /use log of the backup is not the one/],
    [
      change('tile', "UPDATE ledger_tiles SET hashes = zeroblob(8192) WHERE log = 'use' AND level = 0 AND tile = 1"),
      /tile 0\/1 of the ledger/,
    ],
    [change('manifest', "UPDATE backup_manifest SET manifest = '{}'"), /manifest/],
    [change('none', 'DROP TABLE backup_manifest'), /no backup of Claviger/],
  ];
  for (const [copy, why] of cases) {
    await assert.rejects(checkBackup(copy), (error) => Failure.is(error, 'corrupt') && why.test(error.message), copy);
    const target = await emptyStore('sqlite', false);
    await assert.rejects(restoreBackup(restoring(copy, target)), (error) => Failure.is(error, 'corrupt'));
    assert(target.kind === 'sqlite' && !existsSync(target.file), 'nothing was put into place');
  }
  const cut = path.join(folder(), 'cut');
  writeFileSync(cut, readFileSync(file).subarray(0, 20_000));
  await assert.rejects(checkBackup(cut), (error) => Failure.is(error, 'corrupt'));
  await assert.rejects(checkBackup(path.join(folder(), 'absent')), (error) => Failure.is(error, 'not-found'));
});

test('checkpoints beyond the backup are put aside, and the last one known is named in the new epoch', async () => {
  const store = await filledStore('sqlite');
  assert(store.kind === 'sqlite');
  const file = path.join(folder(), 'a.backup');
  await backup(store, file);
  const dataDirectory = path.dirname(store.file);
  const published = path.join(dataDirectory, 'ledger', 'control', 'checkpoints');
  mkdirSync(published, { recursive: true });
  const note = (size: number, instance = '0a1b2c3d') =>
    `claviger/${instance}/control\n${size}\n${'A'.repeat(43)}=\n\n— x y\n`;
  for (const size of [100, 300, 301, 400]) writeFileSync(path.join(published, String(size)), note(size));
  writeFileSync(path.join(dataDirectory, 'ledger', 'control', 'checkpoint'), note(400));
  const restored = await restoreBackup(restoring(file, store, { replace: true }));
  assert.deepEqual(readdirSync(published).sort(), ['100', '300']);
  assert.equal(restored.checkpointsSetAside, 3);
  assert.deepEqual(readdirSync(path.join(dataDirectory, 'ledger', 'control', 'superseded', '1')).sort(), [
    '301',
    '400',
    'checkpoint',
  ]);
  assert.equal(restored.lastKnown.control?.size, 400);
  const entries = (await contents(store))['control'] as { entry: string }[];
  assert.equal(JSON.parse(entries[300]!.entry).detail.lastCheckpoint.control.note, note(400));

  // A checkpoint of another instance says nothing about this one.
  writeFileSync(path.join(dataDirectory, 'ledger', 'control', 'checkpoint'), note(900, 'ffffffff'));
  const again = await restoreBackup(restoring(file, store, { replace: true }));
  assert.equal(again.lastKnown.control, null);
});

test('where the file cannot be written, it is said', async () => {
  const store = await filledStore('sqlite');
  const to = path.join(folder(), 'absent', 'a.backup');
  await assert.rejects(backup(store, to), (error) => Failure.is(error, 'unavailable'));
});
