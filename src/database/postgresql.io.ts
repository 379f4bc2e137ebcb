// PostgreSQL as the database: one connection for the writer, one that holds the advisory lock, a pool for reads. A list of uses
// is one statement, one round trip, and its own transaction; the fence is in that statement, since a lock of a session alone
// does not stop the pool of a server that lost it. Control writes run in a transaction with a savepoint each.
import { createHash } from 'node:crypto';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Log } from '../ledger/layout.ts';
import { createHasher } from '../ledger/merkle.ts';
import { Failure } from '../model/failure.ts';
import {
  appendUses,
  appendWrite,
  concludeCommit,
  type Ended,
  emptyWriterState,
  nothingEnded,
  takeGathered,
  type WriterState,
} from './append.ts';
import { type Database, type ServingOptions, startOf } from './database.ts';
import { loadEdge, tilesForEdge } from './edge.ts';
import {
  type Commit,
  type ControlResult,
  createGatherer,
  type Prepared,
  type PreparedControl,
  type UsesResult,
} from './gather.ts';
import { META_TABLE, MIGRATIONS, schemaProblem } from './migrations.ts';
import { connectPostgresql, POSTGRESQL_TYPES, postgresqlSchemaVersion } from './postgresql-client.io.ts';
import type { HeadTable, Schema } from './schema.ts';
import { DELETE_BLOB, numbered, PUT_BLOB, rowStatement, type Statement } from './statements.ts';

/** Key of the advisory lock that one server holds: the word `claviger` as a 64-bit number. */
export const LOCK_KEY = '7164208268442035570';

export interface PostgresqlOptions extends ServingOptions {
  /** `postgresql://…`, from the configuration; may hold a password: never logged. */
  readonly url: string;
}

/** Runs the migrations that are missing, each in its own transaction. */
export async function migratePostgresql(url: string): Promise<number[]> {
  const client = await connectPostgresql(url);
  try {
    await client.query(META_TABLE);
    const ran: number[] = [];
    for (const migration of MIGRATIONS) {
      if (migration.version <= (await postgresqlSchemaVersion(client))) continue;
      await client.query('BEGIN');
      for (const statement of migration.statements('postgresql')) await client.query(statement);
      await client.query(
        "INSERT INTO meta (name, value) VALUES ('schema', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [String(migration.version)],
      );
      await client.query('COMMIT');
      ran.push(migration.version);
    }
    return ran;
  } finally {
    await client.end();
  }
}

async function loadState(client: pg.Client, ended: Ended): Promise<WriterState> {
  const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest();
  const heads = (await client.query<HeadTable>('SELECT log, size, fence, epoch FROM ledger_heads')).rows;
  const state = emptyWriterState(createHasher(sha256), heads[0]?.epoch ?? 0, ended);
  for (const head of heads) {
    const tiles = new Map<string, Uint8Array>();
    for (const { level, tile } of tilesForEdge(head.size)) {
      const found = await client.query<{ hashes: Uint8Array }>(
        'SELECT hashes FROM ledger_tiles WHERE log = $1 AND level = $2 AND tile = $3',
        [head.log, level, tile],
      );
      if (found.rows[0] !== undefined) tiles.set(`${level}/${tile}`, found.rows[0].hashes);
    }
    const last = await client.query<{ entry: string }>(
      `SELECT entry FROM ${head.log}_entries WHERE idx >= $1 ORDER BY idx`,
      [head.size - (head.size % 256)],
    );
    state.edges[head.log] = loadEdge(
      head.size,
      (level, tile) => tiles.get(`${level}/${tile}`) ?? null,
      last.rows.map((row) => row.entry),
      state.hasher,
    );
  }
  return state;
}

/**
 * Moves the heads and inserts what was gathered, all or nothing, in one statement: where the fence or a size is not the
 * expected one no head moves, and every insert is empty.
 */
const APPEND = `WITH moved AS (
  UPDATE ledger_heads SET size = CASE log WHEN 'control' THEN $2::bigint ELSE $4::bigint END
  WHERE fence = $5 AND size = CASE log WHEN 'control' THEN $1::bigint ELSE $3::bigint END RETURNING log
), held AS (SELECT count(*) = 2 AS yes FROM moved), control AS (
  INSERT INTO control_entries (idx, entry) SELECT * FROM unnest($6::bigint[], $7::text[]) WHERE (SELECT yes FROM held)
), uses AS (
  INSERT INTO use_entries (idx, entry) SELECT * FROM unnest($8::bigint[], $9::text[]) WHERE (SELECT yes FROM held)
), tiles AS (
  INSERT INTO ledger_tiles (log, level, tile, hashes)
  SELECT * FROM unnest($10::text[], $11::bigint[], $12::bigint[], $13::bytea[]) WHERE (SELECT yes FROM held)
  ON CONFLICT (log, level, tile) DO UPDATE SET hashes = excluded.hashes
) SELECT yes FROM held`;

/** @param ended outlives this connection: see `emptyWriterState` */
function createPostgresqlCommit(client: pg.Client, fence: number, ended: Ended) {
  let state: WriterState | null = null;

  async function run(statement: Statement): Promise<number> {
    const result = await client.query(numbered(statement.sql), [...statement.parameters]);
    return result.rowCount ?? 0;
  }

  async function tryRow(row: PreparedControl['rows'][number]): Promise<'version' | 'key' | null> {
    try {
      return (await run(rowStatement(row))) === 1 ? null : 'version';
    } catch (error) {
      const { code, constraint } = error as { code?: string; constraint?: string };
      if (code === '23505') return constraint?.includes('natural_key') ? 'key' : 'version';
      throw error;
    }
  }

  async function writeControl(item: PreparedControl, current: WriterState): Promise<ControlResult> {
    await client.query('SAVEPOINT one');
    for (const row of item.rows) {
      const conflict = await tryRow(row);
      if (conflict !== null) {
        await client.query('ROLLBACK TO SAVEPOINT one');
        return { is: 'conflict', noun: row.noun, id: row.id, why: conflict };
      }
    }
    for (const blob of item.blobs) {
      if (blob.value === null) await run({ sql: DELETE_BLOB, parameters: [blob.kind, blob.id] });
      else await run({ sql: PUT_BLOB, parameters: [blob.kind, blob.id, Buffer.from(blob.value)] });
    }
    await client.query('RELEASE SAVEPOINT one');
    return appendWrite(current, item);
  }

  async function append(current: WriterState, before: Record<Log, number>): Promise<void> {
    const { entries, tiles: all } = takeGathered(current);
    // A tile that grew twice within one statement may stand in it only once.
    const tiles = [...new Map(all.map((tile) => [`${tile.log} ${tile.level} ${tile.tile}`, tile])).values()];
    const control = entries.filter((entry) => entry.log === 'control');
    const uses = entries.filter((entry) => entry.log === 'use');
    const result = await client.query<{ yes: boolean }>({
      name: 'append',
      text: APPEND,
      values: [
        before.control,
        current.edges.control.size,
        before.use,
        current.edges.use.size,
        fence,
        control.map((entry) => entry.index),
        control.map((entry) => entry.entry),
        uses.map((entry) => entry.index),
        uses.map((entry) => entry.entry),
        tiles.map((tile) => tile.log),
        tiles.map((tile) => tile.level),
        tiles.map((tile) => tile.tile),
        tiles.map((tile) => Buffer.from(tile.hashes)),
      ],
    });
    if (result.rows[0]?.yes !== true) throw new Failure('conflict', 'another server has taken this database over');
  }

  return async (items: readonly Prepared[]): Promise<(ControlResult | UsesResult)[]> => {
    state ??= await loadState(client, ended);
    const current = state;
    const before = { control: current.edges.control.size, use: current.edges.use.size };
    const transaction = items.some((item) => item.kind === 'control');
    const results: (ControlResult | UsesResult)[] = [];
    try {
      if (transaction) await client.query('BEGIN');
      for (const item of items) {
        results.push(item.kind === 'control' ? await writeControl(item, current) : appendUses(current, item));
      }
      await append(current, before);
      if (transaction) await client.query('COMMIT');
    } catch (error) {
      state = null;
      if (transaction) await client.query('ROLLBACK').catch(() => {});
      throw error;
    }
    return concludeCommit(current, ended, items, results);
  };
}

/** Milliseconds that a commit whose answer was lost may still be under way at the server. */
const LOST_COMMIT_MS = 10_000;

/**
 * The size of the control log, once nobody writes it any more: whoever asks after a lost connection may come before the commit that was under way
 * on it. Throws where that takes too long.
 */
async function settledControlSize(client: pg.Client): Promise<number> {
  await client.query('BEGIN');
  await client.query(`SET LOCAL lock_timeout = ${LOST_COMMIT_MS}`);
  const { rows } = await client.query<{ size: number }>(
    "SELECT size FROM ledger_heads WHERE log = 'control' FOR UPDATE",
  );
  await client.query('COMMIT');
  return rows[0]!.size;
}

/** Opens the database for serving. Throws `conflict` where another server holds it, `invalid` where its schema is not this program's. */
export async function openPostgresqlDatabase(options: PostgresqlOptions): Promise<Database> {
  const keeper = await connectPostgresql(options.url);
  const lock = await keeper.query<{ held: boolean }>(`SELECT pg_try_advisory_lock(${LOCK_KEY}) AS held`);
  if (lock.rows[0]?.held !== true) {
    await keeper.end();
    throw new Failure('conflict', 'another Claviger server is using this database');
  }
  const problem = schemaProblem(await postgresqlSchemaVersion(keeper));
  if (problem !== null) {
    await keeper.end();
    throw problem;
  }
  const heads = (
    await keeper.query<HeadTable>('UPDATE ledger_heads SET fence = fence + 1 RETURNING log, size, fence, epoch')
  ).rows;
  const start = startOf(heads);
  let writer = await connectPostgresql(options.url);
  const endedAccess = nothingEnded();
  /** Null while what became of the last commit is not known. */
  let commit: Commit | null = createPostgresqlCommit(writer, start.fence, endedAccess);
  let controlSize = start.startSizes.control;
  let ended = false;
  const lose = (why: string) => {
    if (ended) return;
    ended = true;
    gatherer.close(why);
    options.onLost(why);
  };
  keeper.on('error', () => lose('the connection that holds the lock was lost'));
  keeper.on('end', () => lose('the connection that holds the lock was lost'));

  /**
   * The connection may be broken, and what it did unknown: a new one looks first. Changes that are in the log, and that nobody here was told of, are
   * not in this process's memory: it would go on allowing what they end.
   */
  async function connected(): Promise<Commit> {
    if (commit !== null) return commit;
    await writer.end().catch(() => {});
    writer = await connectPostgresql(options.url);
    if ((await settledControlSize(writer)) !== controlSize) {
      throw new Failure('conflict', 'a change was committed and its answer lost: this process does not know of it');
    }
    commit = createPostgresqlCommit(writer, start.fence, endedAccess);
    return commit;
  }

  function note(results: readonly (ControlResult | UsesResult)[]): void {
    for (const result of results) if (result.is === 'written') controlSize = Math.max(controlSize, result.size);
  }

  const gatherer = createGatherer({
    async commit(items) {
      const wasConnected = commit !== null;
      try {
        const results = await (await connected())(items);
        note(results);
        return results;
      } catch (cause) {
        commit = null;
        // At once, and not with the next write: what was committed may have ended somebody's access.
        const isKnown = Failure.is(cause, 'conflict') || ended || !wasConnected;
        const found = isKnown ? cause : await connected().catch((error: unknown) => error);
        if (Failure.is(found, 'conflict')) lose(found.message);
        throw cause;
      }
    },
    tables: options.tables,
    cutsOf: options.cutsOf,
    committed: options.committed,
    schedule: setImmediate,
  });
  const pool = new pg.Pool({
    connectionString: options.url,
    max: 4,
    types: POSTGRESQL_TYPES,
    application_name: 'claviger',
  });
  pool.on('error', () => {});
  const read = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  return {
    ...gatherer,
    ...start,
    dialect: 'postgresql',
    read,
    async end() {
      await gatherer.idle();
      gatherer.close('the server is stopping');
      ended = true;
      await writer.end();
      await read.destroy();
      await keeper.end();
    },
  };
}
