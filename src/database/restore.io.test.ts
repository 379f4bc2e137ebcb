// Restores that are killed: before each of their changes of a name in turn. Afterwards the old database stands there or the new one, and the
// restore, run again, ends as if it had not been killed. What else a restore promises is in backup.test.ts.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { LOGS } from '../ledger/layout.ts';
import { type ControlEvent, NOUNS, type Row } from '../model/change.ts';
import { Failure } from '../model/failure.ts';
import { takeBackup } from './backup.io.ts';
import { openForReading } from './reading.io.ts';
import { type Restored, restoreBackup } from './restore.io.ts';
import type { Tables } from './schema.ts';
import { migrateSqlite, openSqliteDatabase } from './sqlite.io.ts';
import { openSqlite } from './sqlite-commit.io.ts';

const NOW = 1_790_000_000_000;
const tables = Object.fromEntries(
  NOUNS.map((noun) => [
    noun,
    { naturalKey: (row: Row & { name?: string }) => row.name ?? null, parent: () => null, isLive: () => true },
  ]),
) as unknown as Tables;

const base = mkdtempSync(path.join(os.tmpdir(), 'claviger-restore-'));
after(() => rmSync(base, { recursive: true, force: true }));
const template = path.join(base, 'template');
const child = path.join(base, 'child.mjs');

/** A child that restores `a.backup` of a folder and is killed before its nth change of a name; it says how many it made. */
const CHILD = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
let made = 0;
for (const name of ['copyFileSync', 'linkSync', 'renameSync']) {
  const act = fs[name];
  fs[name] = (...given) => {
    if (made++ === Number(process.env.KILL_BEFORE)) process.kill(process.pid, 'SIGKILL');
    if (name === 'linkSync' && process.env.NO_LINKS === '1') throw Object.assign(new Error(), { code: 'EPERM' });
    return act(...given);
  };
}
syncBuiltinESMExports();
const { restoreBackup } = await import(process.env.RESTORE);
const { NOUNS } = await import(process.env.CHANGE);
const table = { naturalKey: (row) => row.name ?? null, parent: () => null, isLive: () => true };
const at = process.env.FOLDER;
await restoreBackup({
  file: at + '/a.backup',
  store: { kind: 'sqlite', file: at + '/claviger.db' },
  dataDirectory: at,
  replace: true,
  now: ${NOW},
  tables: Object.fromEntries(NOUNS.map((noun) => [noun, table])),
  cutsOf: () => [],
});
`;
writeFileSync(child, CHILD);

function killedRestore(folder: string, killBefore: number, more: NodeJS.ProcessEnv = {}): NodeJS.Signals | null {
  const source = (name: string) => new URL(name, import.meta.url).href;
  const env = {
    ...process.env,
    NODE_COMPILE_CACHE: path.join(base, 'cache'),
    RESTORE: source('restore.io.ts'),
    CHANGE: source('../model/change.ts'),
    FOLDER: folder,
  };
  const ended = spawnSync(process.execPath, [child], {
    env: { ...env, KILL_BEFORE: String(killBefore), ...more },
    encoding: 'utf8',
  });
  assert(ended.signal !== null || ended.status === 0, ended.stderr);
  return ended.signal;
}

function event(name: string): ControlEvent {
  const row = { id: `prn_${name}`, rowVersion: 1, name };
  return {
    v: 1,
    at: NOW,
    actor: 'system:test',
    type: 'principal.added',
    rows: [{ noun: 'principal', row }],
    detail: {},
  };
}

const note = (log: string, size: number) => `claviger/0a1b2c3d/${log}\n${size}\n${'A'.repeat(43)}=\n\n— x y\n`;

/** A folder with a database of twenty entries, a backup of its first ten, and a checkpoint of each log for both sizes. */
async function makeTemplate(): Promise<void> {
  mkdirSync(template);
  const store = { kind: 'sqlite' as const, file: path.join(template, 'claviger.db') };
  const empty = openSqlite(store.file);
  migrateSqlite(empty);
  empty.close();
  const hooks = { tables, cutsOf: () => [], committed: () => {}, onLost: () => {} };
  const database = await openSqliteDatabase({ file: store.file, ...hooks });
  const instance = { id: 'set_1', rowVersion: 1, name: 'instance', value: { id: '0a1b2c3d' } };
  await database.write({
    events: [{ ...event('first'), type: 'instance.created', rows: [{ noun: 'setting', row: instance }] }],
  });
  for (let i = 1; i < 10; i++) await database.write({ events: [event(`early-${i}`)] });
  const backup = path.join(template, 'a.backup');
  await takeBackup({ store, to: backup, program: '0.1.0', now: NOW, checkpoints: { control: null, use: null } });
  for (let i = 10; i < 20; i++) await database.write({ events: [event(`late-${i}`)] });
  await database.end();
  for (const log of LOGS) {
    const published = path.join(template, 'ledger', log, 'checkpoints');
    mkdirSync(published, { recursive: true });
    const sizes = log === 'control' ? [10, 15, 20] : [0, 5];
    for (const size of sizes) writeFileSync(path.join(published, String(size)), note(log, size));
    writeFileSync(path.join(template, 'ledger', log, 'checkpoint'), note(log, sizes.at(-1)!));
  }
}
await makeTemplate();

let folders = 0;
function folder(): string {
  const made = path.join(base, String(++folders));
  cpSync(template, made, { recursive: true });
  return made;
}

async function entriesOf(file: string): Promise<string[]> {
  const { read, close } = await openForReading({ kind: 'sqlite', file });
  const rows = await read.selectFrom('control_entries').select('entry').orderBy('idx').execute();
  await close();
  return rows.map((row) => row.entry);
}

function restore(at: string, replace = true): Promise<Restored> {
  const store = { kind: 'sqlite' as const, file: path.join(at, 'claviger.db') };
  const file = path.join(at, 'a.backup');
  return restoreBackup({ file, store, dataDirectory: at, replace, now: NOW, tables, cutsOf: () => [] });
}

const old = await entriesOf(path.join(template, 'claviger.db'));

/** Which of the two databases is in its place: whole, and no other. */
async function standing(at: string): Promise<'old' | 'new'> {
  const entries = await entriesOf(path.join(at, 'claviger.db'));
  if (entries.length === 20) {
    assert.deepEqual(entries, old);
    return 'old';
  }
  assert.deepEqual(entries.slice(0, 10), old.slice(0, 10));
  assert.equal(entries.length, 11);
  assert.equal(JSON.parse(entries[10]!).type, 'ledger.epoch-opened');
  return 'new';
}

/** What a restore leaves behind, killed before or not. */
async function assertRestored(at: string): Promise<void> {
  assert.equal(await standing(at), 'new');
  const { detail, epoch } = JSON.parse((await entriesOf(path.join(at, 'claviger.db')))[10]!);
  assert.equal(epoch, 1);
  assert.deepEqual([detail.lastCheckpoint.control.size, detail.lastCheckpoint.use.size], [20, 5], 'what was known');
  const ledger = (...names: string[]) => readdirSync(path.join(at, 'ledger', ...names)).sort();
  assert.deepEqual([ledger('control', 'checkpoints'), ledger('use', 'checkpoints')], [['10'], ['0']]);
  assert.deepEqual(ledger('control', 'superseded', '1'), ['15', '20', 'checkpoint']);
  assert.deepEqual(ledger('use', 'superseded', '1'), ['5', 'checkpoint']);
  assert.deepEqual([ledger('control'), ledger('use')], Array(2).fill(['checkpoints', 'superseded']));
  const names = readdirSync(at);
  assert(!names.some((name) => /restoring|partial/.test(name)), names.join());
  const aside = names.filter((name) => /^claviger\.db\.before-epoch-1(?:-\d+)?$/.test(name));
  const kept = await Promise.all(aside.map((name) => entriesOf(path.join(at, name))));
  assert(
    kept.some((entries) => entries.length === 20),
    `the old database is kept: ${aside}`,
  );
  const { ino } = statSync(path.join(at, 'claviger.db'));
  for (const name of aside) assert.notEqual(statSync(path.join(at, name)).ino, ino, 'and is not the new one');
}

for (const links of ['with links', 'on a file system without links']) {
  test(`killed before each change of a name, ${links}: the old database or the new one stands, and again works`, async () => {
    // What is compiled once is kept.
    killedRestore(folder(), -1);
    const more = links === 'with links' ? {} : { NO_LINKS: '1' };
    const stood: string[] = [];
    for (let change = 0; change < 40; change++) {
      const at = folder();
      const isKilled = killedRestore(at, change, more) === 'SIGKILL';
      stood.push(await standing(at));
      if (isKilled) await restore(at);
      await assertRestored(at);
      if (!isKilled) break;
    }
    const [first, last] = [stood.indexOf('new'), stood.length - 1];
    assert(first > 2 && last - first === 5, `killed before, within and after the exchange: ${stood}`);
    assert(
      stood.slice(first).every((one) => one === 'new'),
      `and never back: ${stood}`,
    );
  });
}

test('a restore that is not killed says where the old database is', async () => {
  const at = folder();
  const restored = await restore(at);
  assert.equal(restored.setAside, path.join(at, 'claviger.db.before-epoch-1'));
  await assertRestored(at);
});

test('a log whose database is gone is put aside too, and is not taken for that of the new one', async () => {
  const at = folder();
  const file = path.join(at, 'claviger.db');
  const late = openSqlite(file);
  const keeper = openSqlite(file, { readOnly: true });
  late.exec("UPDATE control_entries SET entry = 'x' WHERE idx = 3");
  copyFileSync(`${file}-wal`, path.join(at, 'wal'));
  late.close();
  keeper.close();
  renameSync(path.join(at, 'wal'), `${file}-wal`);
  rmSync(file);
  const left = readFileSync(`${file}-wal`);
  const restored = await restore(at, false);
  assert.equal(restored.setAside, null);
  assert.equal(await standing(at), 'new');
  assert.deepEqual(readFileSync(`${file}.before-epoch-1-wal`), left);
});

test('a name that a killed restore gave to the database is used again', async () => {
  const at = folder();
  const file = path.join(at, 'claviger.db');
  linkSync(file, `${file}.before-epoch-1`);
  const { setAside } = await restore(at);
  assert.equal(setAside, `${file}.before-epoch-1`);
  assert(!existsSync(`${file}.before-epoch-1-2`));
});

/** Reads a database from another process until it is told to end: within one process, SQLite and node:fs take each other's locks away. */
async function readElsewhere(file: string): Promise<{ end(): Promise<void> }> {
  const script = `
    import { DatabaseSync } from 'node:sqlite';
    const database = new DatabaseSync(process.argv[1], { readOnly: true });
    database.exec('BEGIN');
    const count = database.prepare('SELECT count(*) FROM control_entries');
    count.get();
    process.stdout.write('reading');
    process.stdin.once('end', () => database.close()).resume();
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, file], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    async end() {
      const exited = once(child, 'exit');
      child.stdin.end();
      await exited;
    },
  };
}

test('a database that is being read is not put aside: its log could not be written into it', async () => {
  const at = folder();
  const file = path.join(at, 'claviger.db');
  const reader = await readElsewhere(file);
  try {
    const late = openSqlite(file);
    // A real change: SQLite writes nothing where a row stays as it is.
    late.exec("INSERT INTO meta (name, value) VALUES ('late', '1')");
    late.close();
    await assert.rejects(restore(at), (error) => Failure.is(error, 'conflict') && /reading/.test(error.message));
    assert.equal(await standing(at), 'old');
    assert(!readdirSync(at).some((name) => name.includes('before-epoch')));
  } finally {
    await reader.end();
  }
  await restore(at);
  await assertRestored(at);
});
