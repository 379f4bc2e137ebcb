// The migrations, forward only, as statements for either dialect. A migration is never edited after a release; a change is a
// new one. `claviger migrate` runs them after it has made a backup, each in a transaction with its entry in `meta`. And what is said where a
// database was migrated by another program.
import { Failure } from '../model/failure.ts';
import { TABLE_OF } from './schema.ts';

export type Dialect = 'sqlite' | 'postgresql';

export interface Migration {
  readonly version: number;
  readonly about: string;
  statements(dialect: Dialect): string[];
}

const first: Migration = {
  version: 1,
  about: 'the ledger, the rows of every noun, blobs',
  statements(dialect) {
    const bytes = dialect === 'sqlite' ? 'BLOB' : 'BYTEA';
    const integer = dialect === 'sqlite' ? 'INTEGER' : 'BIGINT';
    // PostgreSQL compares text by the collation of the database; ids and keys are compared by bytes.
    const text = dialect === 'sqlite' ? 'TEXT' : 'TEXT COLLATE "C"';
    const rows = Object.values(TABLE_OF).flatMap((table) => [
      `CREATE TABLE ${table} (id ${text} PRIMARY KEY, row_version ${integer} NOT NULL, natural_key ${text} UNIQUE, ` +
        `parent ${text}, live ${integer} NOT NULL, row TEXT NOT NULL)`,
      `CREATE INDEX ${table}_parent ON ${table} (parent, id)`,
      `CREATE INDEX ${table}_live ON ${table} (live, id)`,
    ]);
    return [
      ...rows,
      `CREATE TABLE control_entries (idx ${integer} PRIMARY KEY, entry TEXT NOT NULL)`,
      `CREATE TABLE use_entries (idx ${integer} PRIMARY KEY, entry TEXT NOT NULL)`,
      `CREATE TABLE ledger_tiles (log TEXT NOT NULL, level ${integer} NOT NULL, tile ${integer} NOT NULL, ` +
        `hashes ${bytes} NOT NULL, PRIMARY KEY (log, level, tile))`,
      `CREATE TABLE ledger_heads (log TEXT PRIMARY KEY, size ${integer} NOT NULL, fence ${integer} NOT NULL, epoch ${integer} NOT NULL)`,
      `CREATE TABLE blobs (kind TEXT NOT NULL, id ${text} NOT NULL, value ${bytes} NOT NULL, PRIMARY KEY (kind, id))`,
      `INSERT INTO ledger_heads (log, size, fence, epoch) VALUES ('control', 0, 0, 0), ('use', 0, 0, 0)`,
    ];
  },
};

export const MIGRATIONS: readonly Migration[] = [first];

/** The version that this program reads and writes. */
export const SCHEMA_VERSION = MIGRATIONS[MIGRATIONS.length - 1]!.version;

/** `meta` exists before the first migration: it holds which ones have run. */
export const META_TABLE = 'CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)';

/** Why a database of this schema version cannot be served, with what to do about it; null where it can. */
export function schemaProblem(version: number): Failure | null {
  if (version === SCHEMA_VERSION) return null;
  const what =
    version < SCHEMA_VERSION ? 'older: run `claviger migrate`' : 'newer than this program: install a newer one';
  return new Failure(
    'invalid',
    `the database has schema ${version}, this program wants ${SCHEMA_VERSION}; it is ${what}`,
  );
}
