// Keeps servers away from a database while something is done to it that they must not see halfway: the locks that a server takes when
// it starts (sqlite.io.ts, postgresql.io.ts), taken here instead.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { Failure } from '../model/failure.ts';
import { LOCK_KEY } from './postgresql.io.ts';
import { connectPostgresql } from './postgresql-client.io.ts';
import type { Store } from './reading.io.ts';
import { takeSqliteLock } from './sqlite.io.ts';

export interface Hold {
  /** Lets servers in again. A process that ends has let go, too. */
  release(): Promise<void>;
}

/** Takes the place of a server. Throws `conflict` where one runs, `unavailable` where the database cannot be reached. */
export async function holdStore(store: Store, dataDirectory: string): Promise<Hold> {
  return store.kind === 'sqlite' ? holdSqlite(dataDirectory) : holdPostgresql(store.url);
}

function holdSqlite(dataDirectory: string): Hold {
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  const file = path.join(dataDirectory, 'claviger.db');
  const lock = takeSqliteLock(file, 'a server is using this data directory: stop it first');
  return {
    release() {
      lock.close();
      return Promise.resolve();
    },
  };
}

async function holdPostgresql(url: string): Promise<Hold> {
  const client = await connectPostgresql(url);
  const lock = await client.query<{ held: boolean }>(`SELECT pg_try_advisory_lock(${LOCK_KEY}) AS held`);
  if (lock.rows[0]?.held !== true) {
    await client.end();
    throw new Failure('conflict', 'a server is using this database: stop it first');
  }
  return { release: () => client.end() };
}
