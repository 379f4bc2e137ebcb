// A connection to PostgreSQL: how one is made, what its numbers become, and which schema it finds. Not here: what is done with it (postgresql.io.ts,
// reading.io.ts, hold.io.ts).
import pg from 'pg';
import { Failure } from '../model/failure.ts';

const INT8 = 20;

/** 64-bit integers come back as numbers; ours stay far below 2^53. */
export const POSTGRESQL_TYPES = {
  getTypeParser(oid: number, format?: unknown) {
    return oid === INT8 ? Number : pg.types.getTypeParser(oid, format as never);
  },
} as pg.CustomTypesConfig;

export function postgresqlUnavailable(cause: unknown): Failure {
  return new Failure('unavailable', 'PostgreSQL cannot be reached', { cause });
}

/** A connection of one's own. Throws `unavailable`. @param url may hold a password: never logged */
export async function connectPostgresql(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    types: POSTGRESQL_TYPES,
    connectionTimeoutMillis: 10_000,
    application_name: 'claviger',
  });
  // A lost connection also rejects the query that runs; without a listener it would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (cause) {
    throw postgresqlUnavailable(cause);
  }
  return client;
}

/** The schema version of a database, 0 where nothing was migrated yet. */
export async function postgresqlSchemaVersion(client: pg.ClientBase | pg.Pool): Promise<number> {
  const exists = await client.query<{ found: string | null }>("SELECT to_regclass('meta') AS found");
  if (exists.rows[0]?.found === null) return 0;
  const rows = await client.query<{ value: string }>("SELECT value FROM meta WHERE name = 'schema'");
  return Number(rows.rows[0]?.value ?? 0);
}
