// Taking backups and checking them. From SQLite: VACUUM INTO, one read transaction however long it takes, while the server goes on
// writing (the backup API of SQLite starts again whenever another connection writes, and may never end). From PostgreSQL: all
// tables in one REPEATABLE READ snapshot, copied into a file of the same form. A file gets its name when it is complete and checked.
import { createHash } from 'node:crypto';
import { chmodSync, closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type pg from 'pg';
import { LOGS, type Log } from '../ledger/layout.ts';
import { createHasher } from '../ledger/merkle.ts';
import { type LogSource, rehash, rootAt } from '../ledger/source.ts';
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import { BACKUP_FORMAT, type BackupManifest, type Checkpoints, MANIFEST_TABLE, parseManifest } from './backup.ts';
import { META_TABLE, MIGRATIONS } from './migrations.ts';
import { connectPostgresql } from './postgresql-client.io.ts';
import { instanceOf, logSource, openForReading, type Store } from './reading.io.ts';
import { sqliteSchemaVersion } from './sqlite.io.ts';

const hasher = createHasher((data) => createHash('sha256').update(data).digest());
const BATCH = 500;

export interface BackupInput {
  readonly store: Store;
  /** The file to make; it must not exist. */
  readonly to: string;
  /** Version of this program, for the manifest. */
  readonly program: string;
  readonly now: UtcMs;
  readonly checkpoints: Checkpoints;
  /** Told which table is being copied, or that the result is being checked. */
  readonly onProgress?: (what: string) => void;
}

/**
 * Makes a backup of mode 0600 and checks it. On return it is complete and flushed under its name. Throws `conflict` where the name
 * is taken, `corrupt` where what was written does not hold what it must. A crash leaves at most a file `….partial`.
 */
export async function takeBackup(input: BackupInput): Promise<BackupManifest> {
  const partial = `${input.to}.partial`;
  if (existsSync(input.to)) throw new Failure('conflict', TAKEN);
  try {
    rmSync(partial, { force: true });
    claim(partial);
    if (input.store.kind === 'sqlite') vacuumInto(input.store.file, partial, input.onProgress);
    else await copyPostgresql(input.store.url, partial, input.onProgress);
    input.onProgress?.('checking');
    await writeManifest(partial, input);
    const manifest = await checkBackup(partial);
    flush(partial);
    publish(partial, input.to);
    flush(path.dirname(path.resolve(input.to)));
    return manifest;
  } catch (error) {
    for (const name of [partial, `${partial}-journal`]) rmSync(name, { force: true });
    throw error;
  }
}

const TAKEN = 'the file of the backup is already there';

/** Gives the finished file its name, and never takes it from another: a link fails where the name is taken, a rename would not. */
function publish(partial: string, to: string): void {
  try {
    linkSync(partial, to);
    rmSync(partial);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new Failure('conflict', TAKEN);
    // A file system without links, such as that of a memory stick.
    renameSync(partial, to);
  }
}

/** An empty file of mode 0600: SQLite would make it readable for everybody. */
function claim(name: string): void {
  try {
    closeSync(openSync(name, 'wx', 0o600));
    chmodSync(name, 0o600);
  } catch (error) {
    throw new Failure('unavailable', 'the file of the backup cannot be written', { cause: error });
  }
}

/** Flushes a file, or the names in a directory. */
export function flush(name: string): void {
  const handle = openSync(name, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function vacuumInto(file: string, to: string, onProgress?: (what: string) => void): void {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  } catch (cause) {
    throw new Failure('not-found', 'there is no database to back up', { cause });
  }
  try {
    onProgress?.('copying the database');
    database.prepare('VACUUM INTO ?').run(to);
  } finally {
    database.close();
  }
}

/** Tables of a file, in the order in which they were made. */
export function tablesOf(database: DatabaseSync): { name: string; columns: string[] }[] {
  const tables = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
    .all() as { name: string }[];
  return tables
    .filter(({ name }) => name !== MANIFEST_TABLE)
    .map(({ name }) => {
      const columns = database.prepare(`SELECT name FROM pragma_table_info(?)`).all(name) as { name: string }[];
      return { name, columns: columns.map((column) => column.name) };
    });
}

async function copyPostgresql(url: string, to: string, onProgress?: (what: string) => void): Promise<void> {
  const client = await connectPostgresql(url);
  const file = new DatabaseSync(to);
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const version = await client
      .query<{ value: string }>("SELECT value FROM meta WHERE name = 'schema'")
      .catch(() => null);
    if (version === null) throw new Failure('not-found', 'there is no database to back up');
    file.exec('PRAGMA journal_mode = OFF');
    file.exec('BEGIN');
    file.exec(META_TABLE);
    for (const migration of MIGRATIONS) {
      if (migration.version > Number(version.rows[0]?.value ?? 0)) break;
      for (const statement of migration.statements('sqlite')) file.exec(statement);
    }
    for (const table of tablesOf(file)) {
      onProgress?.(`copying ${table.name}`);
      await copyTable(client, file, table);
    }
    file.exec('COMMIT');
    await client.query('COMMIT');
  } finally {
    file.close();
    await client.end().catch(() => {});
  }
}

async function copyTable(
  client: pg.Client,
  file: DatabaseSync,
  { name, columns }: { name: string; columns: readonly string[] },
): Promise<void> {
  // What the migrations put there is replaced by what the source has.
  file.exec(`DELETE FROM ${name}`);
  const insert = file.prepare(
    `INSERT INTO ${name} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  );
  await client.query(`DECLARE rows NO SCROLL CURSOR FOR SELECT ${columns.join(', ')} FROM ${name}`);
  for (;;) {
    const { rows } = await client.query<Record<string, string | number | Uint8Array | null>>(
      `FETCH ${BATCH} FROM rows`,
    );
    for (const row of rows) insert.run(...columns.map((column) => row[column] ?? null));
    if (rows.length < BATCH) break;
  }
  await client.query('CLOSE rows');
}

function countsOf(database: DatabaseSync): Record<string, number> {
  const counts = tablesOf(database).map(({ name }) => {
    const { count } = database.prepare(`SELECT count(*) AS count FROM ${name}`).get() as { count: number };
    return [name, count] as const;
  });
  return Object.fromEntries(counts);
}

async function writeManifest(file: string, input: BackupInput): Promise<void> {
  const logs = await rootsOf(file, (source) => rootAt(source, source.size, hasher));
  const database = new DatabaseSync(file);
  try {
    const { read, close } = await openForReading({ kind: 'sqlite', file });
    const instance = await instanceOf(read);
    await close();
    if (instance === null)
      throw new Failure('invalid', 'the database was not initialised: there is nothing to back up');
    const { epoch } = database.prepare('SELECT max(epoch) AS epoch FROM ledger_heads').get() as { epoch: number };
    const withCheckpoint = (log: Log) => ({ ...logs[log], checkpoint: input.checkpoints[log] });
    const manifest: BackupManifest = {
      format: BACKUP_FORMAT,
      program: input.program,
      schema: sqliteSchemaVersion(database),
      dialect: input.store.kind,
      instance,
      takenAt: input.now,
      epoch,
      logs: { control: withCheckpoint('control'), use: withCheckpoint('use') },
      tables: countsOf(database),
    };
    database.exec('PRAGMA journal_mode = DELETE');
    database.exec(`CREATE TABLE ${MANIFEST_TABLE} (manifest TEXT NOT NULL)`);
    database.prepare(`INSERT INTO ${MANIFEST_TABLE} (manifest) VALUES (?)`).run(JSON.stringify(manifest));
  } finally {
    database.close();
  }
}

type RootOf = (source: LogSource) => Promise<Uint8Array>;

async function rootsOf(file: string, rootOf: RootOf): Promise<Record<Log, { size: number; root: string }>> {
  const { read, close } = await openForReading({ kind: 'sqlite', file });
  try {
    const roots = {} as Record<Log, { size: number; root: string }>;
    for (const log of LOGS) {
      const source = await logSource(read, log);
      roots[log] = { size: source.size, root: Buffer.from(await rootOf(source)).toString('hex') };
    }
    return roots;
  } finally {
    await close();
  }
}

/**
 * Checks a backup whole: SQLite's own check, the number of rows in each table, entries without a gap, and both logs hashed anew,
 * entry by entry. Returns its manifest. Throws `corrupt` with what is wrong, `not-found`.
 */
export async function checkBackup(file: string): Promise<BackupManifest> {
  const database = openBackup(file);
  let manifest: BackupManifest;
  try {
    manifest = readManifest(database);
    const integrity = database.prepare('PRAGMA integrity_check(1)').all() as { integrity_check: string }[];
    if (integrity[0]?.integrity_check !== 'ok') throw new Failure('corrupt', 'the backup is damaged');
    const counts = countsOf(database);
    for (const [table, count] of Object.entries(manifest.tables)) {
      if (counts[table] !== count) throw new Failure('corrupt', `the backup has not all rows of ${table}`);
    }
    for (const log of LOGS) checkEntries(database, log, manifest.logs[log].size);
  } catch (error) {
    if (Failure.is(error)) throw error;
    throw new Failure('corrupt', 'the backup cannot be read', { cause: error });
  } finally {
    database.close();
  }
  const roots = await rootsOf(file, (source) => rehash(source, hasher));
  for (const log of LOGS) {
    if (roots[log].size !== manifest.logs[log].size || roots[log].root !== manifest.logs[log].root) {
      throw new Failure('corrupt', `the ${log} log of the backup is not the one of its manifest`);
    }
  }
  return manifest;
}

function openBackup(file: string): DatabaseSync {
  try {
    return new DatabaseSync(file, { readOnly: true });
  } catch (cause) {
    throw new Failure('not-found', 'there is no such backup', { cause });
  }
}

function readManifest(database: DatabaseSync): BackupManifest {
  let row: { manifest: string } | undefined;
  try {
    row = database.prepare(`SELECT manifest FROM ${MANIFEST_TABLE}`).get() as typeof row;
  } catch (cause) {
    throw new Failure('corrupt', 'this is no backup of Claviger', { cause });
  }
  if (row === undefined) throw new Failure('corrupt', 'the backup has no manifest');
  return parseManifest(row.manifest);
}

/** The first entries of the use log may be pruned; what is there stands without a gap up to the end. */
function checkEntries(database: DatabaseSync, log: Log, size: number): void {
  const found = database
    .prepare(`SELECT count(*) AS count, min(idx) AS first, max(idx) AS last FROM ${log}_entries`)
    .get() as { count: number; first: number | null; last: number | null };
  const isWhole =
    size === 0
      ? found.count === 0
      : found.last === size - 1 && found.count === size - found.first! && (log === 'use' || found.first === 0);
  if (!isWhole) throw new Failure('corrupt', `entries are missing in the ${log} log of the backup`);
}
