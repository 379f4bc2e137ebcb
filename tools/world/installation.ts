// An installation of Claviger in a temporary directory, serving on loopback, and its control API as the first admin. Nothing of it is a mock. What it
// is furnished with is world.ts and worlds.ts. Its data and its tokens die with it.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Config, DatabaseConfig } from '../../src/config/config.ts';
import { initialise } from '../../src/init.io.ts';
import { Secret } from '../../src/model/secret.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { type Serving, serve } from '../../src/serve.io.ts';
import { machineRandom } from '../../src/vault/cipher.io.ts';
import { generateKeyFile } from '../../src/vault/kek.io.ts';

export interface InstallationOptions {
  readonly brokerPort?: number;
  readonly apiPort?: number;
  /** `postgresql://…`, an empty database; SQLite where absent. */
  readonly postgresql?: string;
  readonly secondCopy?: boolean;
  readonly report?: (message: string, fields: object) => void;
  /** Rotations that may run at once; 4 where absent. */
  readonly rotationsAtOnce?: number;
  readonly programs?: Config['programs'];
  readonly moreProviders?: readonly Provider[];
}

/** Sends JSON to the control API as the admin. Throws where the answer is an error. */
export type Api = <T>(method: string, target: string, body?: unknown) => Promise<T>;

export interface Installation {
  readonly serving: Serving;
  readonly directory: string;
  readonly config: Config;
  readonly adminToken: string;
  readonly api: Api;
  /** Stops serving and removes the directory. */
  stop(): Promise<void>;
}

function configOf(directory: string, options: InstallationOptions, origins: Readonly<Record<string, string>>): Config {
  const listener = (port: number) => ({ host: '127.0.0.1', port, tls: null, terminatedBy: null });
  const database: DatabaseConfig =
    options.postgresql === undefined
      ? { kind: 'sqlite' }
      : { kind: 'postgresql', url: { env: 'CLAVIGER_LAB_POSTGRESQL' } };
  const settings = (origin: string) => ({ origin, privateNetworks: ['127.0.0.0/8'], plainHttp: true });
  return {
    dataDirectory: path.join(directory, 'data'),
    broker: listener(options.brokerPort ?? 0),
    api: listener(options.apiPort ?? 0),
    database,
    kek: { kind: 'key-file', path: path.join(directory, 'kek') },
    secondCopy: options.secondCopy === true ? { directory: path.join(directory, 'copies') } : null,
    providers: Object.fromEntries(Object.entries(origins).map(([name, origin]) => [name, settings(origin)])),
    programs: options.programs ?? [],
    trustedProxies: [],
    outboundProxy: null,
    limits: {
      headerBytes: 32_768,
      editedBodyBytes: 1_048_576,
      connections: 10_000,
      upstreamHeadersSeconds: 60,
      upstreamSilenceSeconds: 300,
    },
    drainSeconds: 5,
    scheduler: {
      everySeconds: 5,
      rotationsAtOnce: options.rotationsAtOnce ?? 4,
      inventorySeconds: 60,
      orphansMax: 10,
    },
    checkpointSeconds: 10,
    log: { level: 'info' },
  };
}

/** Resolves when it serves. `origins`: where each provider is, by its name. A server that loses its database ends the process. */
export async function startInstallation(
  origins: Readonly<Record<string, string>>,
  options: InstallationOptions = {},
): Promise<Installation> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-world-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  try {
    const config = configOf(directory, options, origins);
    if (config.secondCopy !== null) mkdirSync(config.secondCopy.directory);
    const kekPath = path.join(directory, 'kek');
    const kek = await generateKeyFile({ path: kekPath, dataDirectory: config.dataDirectory, random: machineRandom });
    const made = await initialise({
      config,
      kek: { kind: 'key-file', key: kek },
      admin: 'admin',
      databaseUrl: options.postgresql ?? null,
    });
    const serving = await serve({
      config,
      kek: { kind: 'key-file', path: kekPath },
      readSecret: () => Promise.resolve(new Secret(options.postgresql ?? '')),
      report: options.report ?? reportInternal,
      onLost: (why) => {
        process.stderr.write(`lost: ${why}\n`);
        process.exit(1);
      },
      moreProviders: options.moreProviders ?? [],
    });
    return {
      serving,
      directory,
      config,
      adminToken: made.token,
      api: createApi(serving.apiOrigin, made.token),
      async stop() {
        await serving.stop();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Where nobody listens, only what must never happen is said. */
function reportInternal(message: string, fields: object): void {
  if (message === 'api.internal-error') process.stderr.write(`${JSON.stringify({ message, ...fields })}\n`);
}

function createApi(origin: string, token: string): Api {
  return async <T>(method: string, target: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${origin}${target}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${text}`);
    return (text === '' ? null : JSON.parse(text)) as T;
  };
}
