// The installation on this machine, for the commands that work beside the server and not through its API: where its database is, and
// where its ledger's checkpoints are.
import path from 'node:path';
import type { Config } from '../config/config.ts';
import type { LoadedConfig } from '../config/load.io.ts';
import { readSecretSource } from '../config/secret-source.io.ts';
import { openForReading, type Reading, type Store } from '../database/reading.io.ts';
import { Failure } from '../model/failure.ts';
import { loadConfiguration } from './configuration.io.ts';
import type { Context } from './context.ts';
import { showOnce } from './disclose.ts';

export interface Installation {
  readonly loaded: LoadedConfig;
  readonly config: Config;
  readonly store: Store;
  readonly ledgerDirectory: string;
}

/** Where the database of a configuration is. Reads the secret that its URL is. */
export async function storeOf(config: Config, environment: Context['machine']['env']): Promise<Store> {
  if (config.database.kind === 'sqlite') {
    return { kind: 'sqlite', file: path.join(config.dataDirectory, 'claviger.db') };
  }
  // The driver takes the URL as text and nothing else.
  return { kind: 'postgresql', url: showOnce(await readSecretSource(config.database.url, { environment })) };
}

export async function openInstallation(context: Context): Promise<Installation> {
  const loaded = await loadConfiguration(await context.configFile(), context.machine.env);
  const { config } = loaded;
  return {
    loaded,
    config,
    store: await storeOf(config, context.machine.env),
    ledgerDirectory: path.join(config.dataDirectory, 'ledger'),
  };
}

/** Reads the installation's database, and closes it afterwards. Throws `invalid` where its schema is not this program's. */
export async function withReading<T>(store: Store, schema: number, act: (reading: Reading) => Promise<T>): Promise<T> {
  const reading = await openForReading(store);
  try {
    if (reading.schema !== schema) {
      const what = reading.schema < schema ? 'older: run `claviger migrate`' : 'newer than this program';
      throw new Failure(
        'invalid',
        `the database has schema ${reading.schema}, this program wants ${schema}; it is ${what}`,
      );
    }
    return await act(reading);
  } finally {
    await reading.close();
  }
}
