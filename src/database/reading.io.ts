// Reading a database that may be served by another process at the same time: a connection of its own, which takes no lock and no
// fence and cannot write. For exports, backups and checks. Not here: the server's own connections (sqlite.io.ts, postgresql.io.ts).
import { existsSync } from 'node:fs';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Log } from '../ledger/layout.ts';
import type { LogSource } from '../ledger/source.ts';
import { Failure } from '../model/failure.ts';
import { POSTGRESQL_TYPES, postgresqlSchemaVersion, postgresqlUnavailable } from './postgresql-client.io.ts';
import type { Schema } from './schema.ts';
import { sqliteDialect, sqliteSchemaVersion } from './sqlite.io.ts';
import { openSqlite } from './sqlite-commit.io.ts';

/** Where a database is. The URL may hold a password: never logged. */
export type Store =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgresql'; readonly url: string };

export interface Reading {
  readonly read: Kysely<Schema>;
  /** Schema version; 0 where the database is empty. */
  readonly schema: number;
  close(): Promise<void>;
}

/** Opens for reading. Throws `not-found` where there is no database file, `unavailable` where it cannot be reached. */
export async function openForReading(store: Store): Promise<Reading> {
  if (store.kind === 'sqlite') {
    if (!existsSync(store.file)) throw new Failure('not-found', 'there is no database yet: run `claviger init`');
    const database = openSqlite(store.file, { readOnly: true });
    const schema = sqliteSchemaVersion(database);
    const read = new Kysely<Schema>({ dialect: sqliteDialect(database) });
    return { read, schema, close: () => read.destroy() };
  }
  const pool = new pg.Pool({
    connectionString: store.url,
    max: 2,
    types: POSTGRESQL_TYPES,
    connectionTimeoutMillis: 10_000,
    application_name: 'claviger-read',
    options: '-c default_transaction_read_only=on',
  });
  pool.on('error', () => {});
  const read = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  try {
    return { read, schema: await postgresqlSchemaVersion(pool), close: () => read.destroy() };
  } catch (cause) {
    await read.destroy();
    throw postgresqlUnavailable(cause);
  }
}

/** A stored log, as it is now: its size does not follow what is appended later. */
export async function logSource(read: Kysely<Schema>, log: Log): Promise<LogSource> {
  const head = await read.selectFrom('ledger_heads').select('size').where('log', '=', log).executeTakeFirst();
  const table = `${log}_entries` as const;
  return {
    size: head?.size ?? 0,
    async tile(level, tile) {
      const row = await read
        .selectFrom('ledger_tiles')
        .select('hashes')
        .where('log', '=', log)
        .where('level', '=', level)
        .where('tile', '=', tile)
        .executeTakeFirst();
      return row?.hashes ?? null;
    },
    async entries(from, to) {
      const rows = await read
        .selectFrom(table)
        .select('entry')
        .where('idx', '>=', from)
        .where('idx', '<', to)
        .orderBy('idx')
        .execute();
      return rows.map((row) => row.entry);
    },
  };
}

/** The instance's id, or null where the database was not initialised. */
export async function instanceOf(read: Kysely<Schema>): Promise<string | null> {
  const row = await read.selectFrom('settings').select('row').where('natural_key', '=', 'instance').executeTakeFirst();
  if (row === undefined) return null;
  const { value } = JSON.parse(row.row) as { value?: { id?: unknown } };
  return typeof value?.id === 'string' ? value.id : null;
}
