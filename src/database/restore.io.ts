// Restoring a backup. A working copy is prepared beside the data: checked, migrated, its epoch raised by one and the first entry of
// the new epoch written, which names the last checkpoint that was known. Only then it takes the database's place, in one step:
// a rename on SQLite, one transaction on PostgreSQL. What was there before is kept under another name, which it is given first.
//
// What a restore cannot do is make providers forget: keys that were rotated since are told apart by the recovery that the server
// runs before it brokers (credentials/recovery.ts). It is asked for here, by the row `recovery` of the settings.
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type pg from 'pg';
import { type Log, originOf } from '../ledger/layout.ts';
import {
  type KnownCheckpoint,
  knownCheckpoint,
  newestCheckpoints,
  setAsideCheckpoints,
} from '../ledger/superseded.io.ts';
import type { ControlEvent } from '../model/change.ts';
import { nextImage } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { SettingRow } from '../model/setting.ts';
import { checkBackup, flush, tablesOf } from './backup.io.ts';
import { type BackupManifest, MANIFEST_TABLE } from './backup.ts';
import { holdStore } from './hold.io.ts';
import { META_TABLE, MIGRATIONS, SCHEMA_VERSION } from './migrations.ts';
import { connectPostgresql } from './postgresql-client.io.ts';
import type { Store } from './reading.io.ts';
import type { Tables } from './schema.ts';
import { migrateSqlite, openSqliteDatabase } from './sqlite.io.ts';
import { openSqlite } from './sqlite-commit.io.ts';

/** Name of the setting that says a recovery is due: `{ epoch, state: 'pending' | 'done' }`. The server sets it to done. */
export const RECOVERY_SETTING = 'recovery';

export interface RestoreInput {
  readonly file: string;
  readonly store: Store;
  /** Holds the working copy, and the ledger's checkpoints below `ledger`. */
  readonly dataDirectory: string;
  /** Whether a database that is there may be put aside. */
  readonly replace: boolean;
  readonly now: UtcMs;
  readonly tables: Tables;
  readonly cutsOf: (event: ControlEvent) => string[];
  readonly onProgress?: (what: string) => void;
}

export interface Restored {
  readonly manifest: BackupManifest;
  readonly epoch: number;
  /** The last checkpoint of each log that was known anywhere: what was written after the backup and is gone shows here. */
  readonly lastKnown: Readonly<Record<Log, KnownCheckpoint | null>>;
  /** Where the database is now that was there before; null where there was none. */
  readonly setAside: string | null;
  readonly checkpointsSetAside: number;
}

/**
 * Restores a backup. Throws `conflict` where a server is running, a database is there and may not be replaced or is being read, `corrupt` where the
 * backup is, `invalid` where it is of a newer program. A crash leaves the old database or the new one; then it is run again, or the server
 * is started: on the new one it puts the remaining checkpoints aside itself (recovery.io.ts).
 */
export async function restoreBackup(input: RestoreInput): Promise<Restored> {
  const manifest = await checkBackup(input.file);
  if (manifest.schema > SCHEMA_VERSION) {
    throw new Failure('invalid', 'the backup was made by a newer program: install that one');
  }
  mkdirSync(input.dataDirectory, { recursive: true, mode: 0o700 });
  const hold = await holdStore(input.store, input.dataDirectory);
  const work = path.join(input.dataDirectory, 'claviger.db.restoring');
  try {
    await refuseOccupied(input);
    removeFile(work);
    input.onProgress?.('preparing');
    copyFileSync(input.file, work);
    const lastKnown = lastCheckpoints(manifest, input.dataDirectory);
    const epoch = await prepare(work, { ...input, manifest, lastKnown });
    input.onProgress?.('putting it into place');
    const setAside =
      input.store.kind === 'sqlite'
        ? exchangeFile(work, input.store.file, epoch)
        : await fillPostgresql(work, input.store.url, epoch);
    const sizes = { control: manifest.logs.control.size, use: manifest.logs.use.size };
    const checkpointsSetAside = setAsideCheckpoints(path.join(input.dataDirectory, 'ledger'), { sizes, epoch });
    return { manifest, epoch, lastKnown, setAside, checkpointsSetAside };
  } finally {
    removeFile(work);
    await hold.release();
  }
}

function removeFile(file: string): void {
  for (const end of ['', '-wal', '-shm', '-journal', '.lock', '.lock-journal'])
    rmSync(`${file}${end}`, { force: true });
}

const OCCUPIED = 'there is a database already: --replace puts it aside';

async function refuseOccupied(input: RestoreInput): Promise<void> {
  if (input.replace) return;
  if (input.store.kind === 'sqlite') {
    if (existsSync(input.store.file)) throw new Failure('conflict', OCCUPIED);
    return;
  }
  await withPostgresql(input.store.url, async (client) => {
    if ((await occupied(client)).length > 0) throw new Failure('conflict', OCCUPIED);
  });
}

function lastCheckpoints(manifest: BackupManifest, dataDirectory: string): Record<Log, KnownCheckpoint | null> {
  const ledger = path.join(dataDirectory, 'ledger');
  const onDisk = newestCheckpoints(ledger);
  const newest = (log: Log) => {
    const origin = originOf(manifest.instance, log);
    // Where none is there, a restore that was killed may have put it aside already.
    const aside = path.join(ledger, log, 'superseded', String(manifest.epoch + 1), 'checkpoint');
    const note = onDisk[log] ?? (existsSync(aside) ? readFileSync(aside, 'utf8') : null);
    const found = [knownCheckpoint(note, origin), knownCheckpoint(manifest.logs[log].checkpoint, origin)];
    return found.filter((one) => one !== null).sort((a, b) => b.size - a.size)[0] ?? null;
  };
  return { control: newest('control'), use: newest('use') };
}

interface Preparation extends RestoreInput {
  readonly manifest: BackupManifest;
  readonly lastKnown: Readonly<Record<Log, KnownCheckpoint | null>>;
}

/** Makes the working copy a database of this program in a new epoch. Returns the epoch. */
async function prepare(work: string, input: Preparation): Promise<number> {
  const database = openSqlite(work);
  try {
    database.exec(`DROP TABLE ${MANIFEST_TABLE}`);
    migrateSqlite(database);
    database.exec('UPDATE ledger_heads SET epoch = epoch + 1');
  } finally {
    database.close();
  }
  const opened = await openSqliteDatabase({
    file: work,
    tables: input.tables,
    cutsOf: input.cutsOf,
    committed: () => {},
    onLost: () => {},
  });
  try {
    const { epoch } = opened;
    const before = await opened.read
      .selectFrom('settings')
      .select('row')
      .where('natural_key', '=', RECOVERY_SETTING)
      .executeTakeFirst();
    const value: Json = { epoch, state: 'pending' };
    const row: SettingRow =
      before === undefined
        ? { id: newId('setting', input.now, machineRandom), rowVersion: 1, name: RECOVERY_SETTING, value }
        : nextImage(JSON.parse(before.row) as SettingRow, { value });
    await opened.write({
      events: [
        {
          v: 1,
          at: input.now,
          actor: 'system:restore',
          type: 'ledger.epoch-opened',
          rows: [{ noun: 'setting', row }],
          detail: detailOf(input),
        },
      ],
    });
    return epoch;
  } finally {
    await opened.end();
  }
}

const machineRandom = { bytes: (length: number) => new Uint8Array(randomBytes(length)) };

/** What the first entry of the epoch says: which backup, and the last that was known of each log. */
function detailOf({ manifest, lastKnown }: Preparation): JsonObject {
  const logs = (log: Log): JsonObject => ({ root: manifest.logs[log].root, size: manifest.logs[log].size });
  const known = (log: Log): Json => {
    const checkpoint = lastKnown[log];
    return checkpoint === null ? null : { note: checkpoint.note, root: checkpoint.root, size: checkpoint.size };
  };
  return {
    backup: { control: logs('control'), epoch: manifest.epoch, takenAt: manifest.takenAt, use: logs('use') },
    lastCheckpoint: { control: known('control'), use: known('use') },
  };
}

/**
 * Puts the working copy where the database is, and what was there under another name. At every instant one of the two is in its place,
 * whole: a kill before the rename leaves the old one, any later one the new one.
 */
function exchangeFile(work: string, file: string, epoch: number): string | null {
  flush(work);
  const isThere = existsSync(file);
  const aside = freeName(`${file}.before-epoch-${epoch}`, file);
  if (isThere) {
    foldLog(file);
    nameTwice(file, aside);
  }
  // A log that stayed behind would be taken for that of the new database: it goes first. The old database needs it no more, or is damaged.
  for (const end of ['-wal', '-shm']) {
    if (existsSync(`${file}${end}`)) renameSync(`${file}${end}`, `${aside}${end}`);
  }
  flush(path.dirname(file));
  renameSync(work, file);
  flush(path.dirname(file));
  return isThere ? aside : null;
}

/** Gives the database a second name; on a file system without links, such as that of a memory stick, a copy of it. */
function nameTwice(file: string, aside: string): void {
  rmSync(`${aside}.partial`, { force: true });
  if (existsSync(aside)) return;
  try {
    linkSync(file, aside);
  } catch {
    copyFileSync(file, `${aside}.partial`);
    flush(`${aside}.partial`);
    renameSync(`${aside}.partial`, aside);
  }
}

/**
 * Writes the write-ahead log into its database, where the database can still be opened. Throws `conflict` where something reads it for so
 * long that not all of the log can be written: put aside then, the database would not be whole for a moment.
 */
function foldLog(file: string): void {
  let isRead = false;
  try {
    const database = openSqlite(file);
    database.exec(`PRAGMA busy_timeout = ${READERS_WAIT_MS}`);
    isRead = database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'] === 1;
    database.close();
  } catch {
    // A damaged database is put aside as it is, its log beside it.
  }
  if (isRead) throw new Failure('conflict', 'something is reading the database: try again when it has ended');
}

const READERS_WAIT_MS = 2_000;

/** A name that nothing has, or that a killed restore has already given to the same file. */
function freeName(name: string, file: string): string {
  for (let n = 1; n < 1_000; n++) {
    const candidate = n === 1 ? name : `${name}-${n}`;
    const isTaken = existsSync(candidate) ? !isSameFile(candidate, file) : existsSync(`${candidate}-wal`);
    if (!isTaken) return candidate;
  }
  throw new Failure('conflict', 'too many databases were put aside here');
}

function isSameFile(a: string, b: string): boolean {
  if (!existsSync(b)) return false;
  const [one, other] = [statSync(a), statSync(b)];
  return one.ino === other.ino && one.dev === other.dev;
}

const BATCH = 500;

async function withPostgresql<T>(url: string, act: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connectPostgresql(url);
  try {
    return await act(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Our tables that are there. */
async function occupied(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables
     WHERE table_schema = current_schema() AND table_name = ANY($1)`,
    [ourTables()],
  );
  return rows.map((row) => row.name);
}

/** The names of all tables, as this program's migrations make them. */
function ourTables(): string[] {
  const made = MIGRATIONS.flatMap((migration) => migration.statements('sqlite'));
  const names = [META_TABLE, ...made].map((sql) => /^CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)/.exec(sql)?.[1]);
  return names.filter((name) => name !== undefined);
}

async function fillPostgresql(work: string, url: string, epoch: number): Promise<string | null> {
  const source = new DatabaseSync(work, { readOnly: true });
  try {
    return await withPostgresql(url, async (client) => {
      await client.query('BEGIN');
      const aside = await setTablesAside(client, epoch);
      await client.query(META_TABLE);
      for (const migration of MIGRATIONS) {
        for (const statement of migration.statements('postgresql')) await client.query(statement);
      }
      for (const table of tablesOf(source)) await fillTable(client, source, table);
      await client.query('COMMIT');
      return aside;
    });
  } finally {
    source.close();
  }
}

async function setTablesAside(client: pg.Client, epoch: number): Promise<string | null> {
  const tables = await occupied(client);
  if (tables.length === 0) return null;
  const { rows } = await client.query<{ name: string }>(
    `SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'claviger\\_before\\_%'`,
  );
  const taken = new Set(rows.map((row) => row.name));
  let schema = `claviger_before_epoch_${epoch}`;
  for (let n = 2; taken.has(schema); n++) schema = `claviger_before_epoch_${epoch}_${n}`;
  await client.query(`CREATE SCHEMA ${schema}`);
  for (const table of tables) await client.query(`ALTER TABLE ${table} SET SCHEMA ${schema}`);
  return schema;
}

async function fillTable(
  client: pg.Client,
  source: DatabaseSync,
  { name, columns }: { name: string; columns: readonly string[] },
): Promise<void> {
  await client.query(`DELETE FROM ${name}`);
  let batch: unknown[] = [];
  const send = async () => {
    if (batch.length === 0) return;
    const rows = batch.length / columns.length;
    const places = Array.from(
      { length: rows },
      (_, row) => `(${columns.map((_column, i) => `$${row * columns.length + i + 1}`).join(', ')})`,
    );
    await client.query(`INSERT INTO ${name} (${columns.join(', ')}) VALUES ${places.join(', ')}`, batch);
    batch = [];
  };
  for (const row of source.prepare(`SELECT ${columns.join(', ')} FROM ${name}`).iterate()) {
    for (const column of columns) {
      const value = row[column] ?? null;
      batch.push(value instanceof Uint8Array ? Buffer.from(value) : value);
    }
    if (batch.length >= BATCH * columns.length) await send();
  }
  await send();
}
