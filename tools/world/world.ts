// A small world on loopback: a provider (the Neon twin, or an upstream that is given), an installation of Claviger in a directory of
// its own, and one service that may use one credential. Built through the control API, as an operator would. Lab, journeys and
// outside test tools stand on it. Its data and its tokens die with it.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Config, DatabaseConfig } from '../../src/config/config.ts';
import { initialise } from '../../src/init.io.ts';
import { revealSecretText, Secret } from '../../src/model/secret.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { type Serving, serve } from '../../src/serve.io.ts';
import { machineRandom } from '../../src/vault/cipher.io.ts';
import { generateKeyFile } from '../../src/vault/kek.io.ts';
import { type RunningNeonTwin, startNeonTwin } from '../../twins/neon.io.ts';
import { labProvider } from './lab-provider.ts';

export interface WorldOptions {
  readonly brokerPort?: number;
  readonly apiPort?: number;
  readonly twinPort?: number;
  /** `postgresql://…`, an empty database; SQLite where absent. */
  readonly postgresql?: string;
  /** An origin on loopback that takes the twin's place. */
  readonly upstream?: string;
  /** `METHOD /path` patterns that the service may use at the upstream; `*` is any segment, a last `**` any rest. */
  readonly allow?: readonly string[];
  readonly seed?: number;
  readonly quietSeconds?: number;
  readonly secondCopy?: boolean;
  readonly report?: (message: string, fields: object) => void;
}

export interface World {
  readonly serving: Serving;
  readonly twin: RunningNeonTwin | null;
  readonly directory: string;
  readonly config: Config;
  readonly adminToken: string;
  /** A token of the service, for paths that name the credential. */
  readonly token: string;
  /** A token of the service that is bound to the credential: the provider's own paths at the root. */
  readonly boundToken: string;
  readonly credentialId: string;
  readonly principalId: string;
  readonly provider: string;
  /** The key that the credential began with: what the upstream accepts, until a rotation. */
  readonly upstreamKey: Secret;
  /** Sends JSON to the control API as the admin. Throws where the answer is an error. */
  api<T>(method: string, target: string, body?: unknown): Promise<T>;
  stop(): Promise<void>;
}

export function worldConfig(directory: string, options: WorldOptions, providers: Config['providers']): Config {
  const listener = (port: number) => ({ host: '127.0.0.1', port, tls: null, terminatedBy: null });
  const database: DatabaseConfig =
    options.postgresql === undefined
      ? { kind: 'sqlite' }
      : { kind: 'postgresql', url: { env: 'CLAVIGER_LAB_POSTGRESQL' } };
  return {
    dataDirectory: path.join(directory, 'data'),
    broker: listener(options.brokerPort ?? 0),
    api: listener(options.apiPort ?? 0),
    database,
    kek: { kind: 'key-file', path: path.join(directory, 'kek') },
    secondCopy: options.secondCopy === true ? { directory: path.join(directory, 'copies') } : null,
    providers,
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
    scheduler: { everySeconds: 5, rotationsAtOnce: 4, inventorySeconds: 60, orphansMax: 10 },
    checkpointSeconds: 10,
    log: { level: 'info' },
  };
}

/** Builds the world and resolves when it serves. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-world-'));
  const twin =
    options.upstream === undefined
      ? await startNeonTwin({
          seed: options.seed ?? 1,
          ...(options.twinPort === undefined ? {} : { port: options.twinPort }),
        })
      : null;
  const provider = twin === null ? labProvider(options.upstream!, options.allow ?? ['GET /**']) : null;
  const name = provider?.name ?? 'neon';
  const origin = twin?.origin ?? options.upstream!;
  const config = worldConfig(directory, options, {
    [name]: { origin, privateNetworks: ['127.0.0.0/8'], plainHttp: true },
  });
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
    report: options.report ?? (() => {}),
    onLost: (why) => {
      process.stderr.write(`lost: ${why}\n`);
      process.exit(1);
    },
    moreProviders: provider === null ? [] : [provider],
  });
  const api = createApi(serving.apiOrigin, made.token);
  const furnished = await furnish(api, { twin, provider, origin, quietSeconds: options.quietSeconds ?? 2 });
  return {
    serving,
    twin,
    directory,
    config,
    adminToken: made.token,
    provider: name,
    api,
    ...furnished,
    async stop() {
      await serving.stop();
      await twin?.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function createApi(origin: string, token: string): World['api'] {
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

interface Made {
  readonly id: string;
}
interface MadeCredential {
  readonly credential: Made;
}

async function furnish(
  api: World['api'],
  about: { twin: RunningNeonTwin | null; provider: Provider | null; origin: string; quietSeconds: number },
): Promise<Pick<World, 'token' | 'boundToken' | 'credentialId' | 'principalId' | 'upstreamKey'>> {
  const { twin, provider } = about;
  const policy = { quietSeconds: about.quietSeconds };
  let credential: Made;
  let upstreamKey: Secret;
  if (twin === null) {
    upstreamKey = new Secret(`lab_canary_${Buffer.from(machineRandom.bytes(16)).toString('hex')}`);
    ({ credential } = await api<MadeCredential>('POST', '/v1/credentials', {
      provider: provider!.name,
      name: 'prod',
      kind: 'key',
      parts: { key: revealSecretText(upstreamKey) },
      policy,
    }));
  } else {
    const { seeds } = twin.control;
    const { credential: admin } = await api<MadeCredential>('POST', '/v1/credentials', {
      provider: 'neon',
      name: 'admin',
      kind: 'personal-key',
      purpose: 'manage',
      parts: { key: revealSecretText(seeds.adminKey) },
      providerKeyId: seeds.adminKeyId,
    });
    const first = twin.control.mint({ kind: 'organization', orgId: seeds.orgId });
    upstreamKey = first.key;
    ({ credential } = await api<MadeCredential>('POST', '/v1/credentials', {
      provider: 'neon',
      name: 'prod',
      kind: 'organization-key',
      issuer: admin.id,
      settings: { orgId: seeds.orgId },
      parts: { key: revealSecretText(first.key) },
      providerKeyId: first.id,
      policy,
    }));
  }
  const principal = await api<Made>('POST', '/v1/principals', { name: 'service', kind: 'service', roles: [] });
  // Actions that mint or reveal stay out: no wildcard covers them.
  await api('POST', '/v1/grants', { principal: principal.id, credential: credential.id, actions: ['*'] });
  const tokens = `/v1/principals/${principal.id}/tokens`;
  const { text: token } = await api<{ text: string }>('POST', tokens, { note: 'by path' });
  const { text: boundToken } = await api<{ text: string }>('POST', tokens, {
    credential: credential.id,
    note: 'bound',
  });
  return { token, boundToken, credentialId: credential.id, principalId: principal.id, upstreamKey };
}
