// SQLite as the database: the file in the data directory, its lock, the fence, the writer's thread and a connection for reads.
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import {
  type DatabaseConnection,
  type Dialect,
  Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import { Failure } from '../model/failure.ts';
import { type Database, type ServingOptions, startOf } from './database.ts';
import { type ControlResult, createGatherer, type Prepared, pack, type UsesResult } from './gather.ts';
import { META_TABLE, MIGRATIONS, schemaProblem } from './migrations.ts';
import type { HeadTable, Schema } from './schema.ts';
import { openSqlite } from './sqlite-commit.io.ts';

/** A Kysely dialect over one synchronous connection of node:sqlite. For reads. */
export function sqliteDialect(database: DatabaseSync): Dialect {
  const connection: DatabaseConnection = {
    executeQuery<R>(query: { sql: string; parameters: readonly unknown[] }): Promise<QueryResult<R>> {
      const statement = database.prepare(query.sql);
      return Promise.resolve({ rows: statement.all(...(query.parameters as never[])) as R[] });
    },
    // biome-ignore lint/correctness/useYield: the interface asks for a generator; nothing here streams
    async *streamQuery() {
      throw new Error('not streamed');
    },
  };
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => ({
      init: () => Promise.resolve(),
      acquireConnection: () => Promise.resolve(connection),
      beginTransaction: () => Promise.resolve(),
      commitTransaction: () => Promise.resolve(),
      rollbackTransaction: () => Promise.resolve(),
      releaseConnection: () => Promise.resolve(),
      destroy: () => {
        database.close();
        return Promise.resolve();
      },
    }),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** The schema version of a file, 0 where nothing was migrated yet. */
export function sqliteSchemaVersion(database: DatabaseSync): number {
  const exists = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'meta'").get();
  if (exists === undefined) return 0;
  const row = database.prepare("SELECT value FROM meta WHERE name = 'schema'").get() as { value: string } | undefined;
  return row === undefined ? 0 : Number(row.value);
}

/** Runs the migrations that are missing, each in its own transaction. */
export function migrateSqlite(database: DatabaseSync): number[] {
  database.exec(META_TABLE);
  const ran: number[] = [];
  for (const migration of MIGRATIONS) {
    if (migration.version <= sqliteSchemaVersion(database)) continue;
    database.exec('BEGIN IMMEDIATE');
    try {
      for (const statement of migration.statements('sqlite')) database.exec(statement);
      database
        .prepare(
          "INSERT INTO meta (name, value) VALUES ('schema', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .run(String(migration.version));
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
    ran.push(migration.version);
  }
  return ran;
}

/**
 * Takes a database file for this process: an exclusive lock on a file of its own beside it, which the system releases when the process
 * ends, however it ends. Throws `conflict`, saying `taken`, where another process holds it. Closing it lets go.
 */
export function takeSqliteLock(file: string, taken: string): DatabaseSync {
  const lock = new DatabaseSync(`${file}.lock`, { timeout: 0 });
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE');
    lock.exec('PRAGMA journal_mode = DELETE');
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    lock.close();
    throw new Failure('conflict', taken, { cause });
  }
}

/** How often it is looked whether the file is in its place still. */
const LOOK_MS = 1_000;

/** Whether a file is the one that it was when this was called. What cannot be told is no reason to end. */
function placeOf(file: string): () => boolean {
  const { dev, ino } = statSync(file);
  return () => {
    try {
      const now = statSync(file, { throwIfNoEntry: false });
      return now !== undefined && now.dev === dev && now.ino === ino;
    } catch {
      return true;
    }
  };
}

export interface SqliteOptions extends ServingOptions {
  readonly file: string;
}

/** Opens the database for serving. Throws `conflict` where it is in use, `invalid` where its schema is not this program's. */
export async function openSqliteDatabase(options: SqliteOptions): Promise<Database> {
  const lock = takeSqliteLock(options.file, 'another Claviger server is using this data directory');
  const reader = openSqlite(options.file);
  const problem = schemaProblem(sqliteSchemaVersion(reader));
  if (problem !== null) {
    reader.close();
    lock.close();
    throw problem;
  }
  reader.exec('UPDATE ledger_heads SET fence = fence + 1');
  const heads = reader.prepare('SELECT log, size, fence, epoch FROM ledger_heads ORDER BY log').all();
  const start = startOf(heads as unknown as HeadTable[]);
  const worker = new Worker(new URL('./sqlite-writer.io.ts', import.meta.url), {
    workerData: { file: options.file, fence: start.fence },
    // Everything it allocates is gone after the next commit: a small young generation is enough.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
  let pending: { resolve: (r: (ControlResult | UsesResult)[]) => void; reject: (e: Failure) => void } | null = null;
  let ended = false;
  worker.on('message', (message: { results?: (ControlResult | UsesResult)[]; error?: string; lost?: boolean }) => {
    const waiting = pending;
    pending = null;
    if (message.results !== undefined) waiting?.resolve(message.results);
    else waiting?.reject(new Failure('unavailable', 'the database cannot write', { cause: message.error }));
    if (message.lost === true) died(message.error);
  });
  const died = (cause: unknown) => {
    if (ended) return;
    ended = true;
    clearInterval(watch);
    gatherer.close('the database writer has stopped');
    pending?.reject(new Failure('unavailable', 'the database writer has stopped', { cause }));
    pending = null;
    options.onLost(cause === undefined || cause === 0 ? 'the database writer has stopped' : String(cause));
  };
  worker.on('error', died);
  worker.on('exit', died);
  const isInPlace = placeOf(options.file);
  // What is written to a file that no name leads to is gone with this process, and nobody would know before.
  const watch = setInterval(() => {
    if (!isInPlace()) died('the database file was removed, or another one put in its place');
  }, LOOK_MS);
  watch.unref();
  const gatherer = createGatherer({
    commit: (items: readonly Prepared[]) =>
      new Promise((resolve, reject) => {
        pending = { resolve, reject };
        worker.postMessage(pack(items));
      }),
    tables: options.tables,
    cutsOf: options.cutsOf,
    committed: options.committed,
    schedule: setImmediate,
  });
  const read = new Kysely<Schema>({ dialect: sqliteDialect(reader) });
  return {
    ...gatherer,
    ...start,
    dialect: 'sqlite',
    read,
    async end() {
      await gatherer.idle();
      gatherer.close('the server is stopping');
      ended = true;
      clearInterval(watch);
      const exited = new Promise((resolve) => worker.once('exit', resolve));
      worker.postMessage('end');
      await exited;
      await read.destroy();
      lock.close();
    },
  };
}
