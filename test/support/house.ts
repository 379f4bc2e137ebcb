// A whole installation in a temporary directory, for tests and journeys: initialised, unsealed, its engines running, its API listening
// on loopback. Nothing of it is a mock: what leaves the house goes to a twin, where one is named.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type App, createApp, VERSION } from '../../src/app.io.ts';
import { type Broker, createBroker, DEFAULT_LIMITS } from '../../src/broker/listener.io.ts';
import type { Config } from '../../src/config/config.ts';
import { createEngines, type Engines } from '../../src/engines.io.ts';
import { type ApiInput, createApi } from '../../src/http/api.io.ts';
import type { ApiServer } from '../../src/http/server.io.ts';
import { initialise } from '../../src/init.io.ts';
import type { Clock } from '../../src/model/clock.ts';
import { resolveRedirect } from '../../src/net/redirect.ts';
import { unseal } from '../../src/unseal.io.ts';
import { machineRandom } from '../../src/vault/cipher.io.ts';
import { generateKeyFile } from '../../src/vault/kek.io.ts';

export interface House {
  readonly app: App;
  readonly engines: Engines;
  readonly config: Config;
  readonly directory: string;
  /** The first admin's token, and its principal. */
  readonly adminToken: string;
  readonly adminId: string;
  /** Origin of the control API. */
  readonly origin: string;
  readonly api: ApiServer;
  /** Origin of the broker; empty where it was not asked for. */
  readonly brokerOrigin: string;
  /** Internal errors that the API reported. A test that expects none checks that it is empty. */
  readonly errors: readonly unknown[];
  /** Sends JSON to the API, with the admin's token where no other is given; null: none. */
  request(method: string, target: string, options?: HouseRequest): Promise<HouseAnswer>;
  stop(): Promise<void>;
}

export interface HouseRequest {
  readonly body?: unknown;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HouseAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; undefined where it is not JSON. */
  readonly json: unknown;
}

export interface HouseOptions {
  /** Origins of the twins that stand for providers, by the provider's name. */
  readonly providers?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  readonly broker?: boolean;
  /** Whether the house is left sealed. */
  readonly sealed?: boolean;
  /** A second failure domain beside the data. */
  readonly secondCopy?: boolean;
  readonly api?: Partial<Pick<ApiInput, 'limits' | 'brake'>>;
  readonly trustedProxies?: readonly string[];
  /** Programs that change the keys of single credentials. */
  readonly programs?: Config['programs'];
  /** The URL of an empty PostgreSQL database; SQLite where absent. */
  readonly postgresql?: string;
}

export function houseConfig(directory: string, options: HouseOptions): Config {
  const settings = (origin: string) => ({ origin, privateNetworks: ['127.0.0.0/8'], plainHttp: true });
  const listener = { host: '127.0.0.1', port: 0, tls: null, terminatedBy: null };
  return {
    dataDirectory: path.join(directory, 'data'),
    broker: listener,
    api: listener,
    database:
      options.postgresql === undefined ? { kind: 'sqlite' } : { kind: 'postgresql', url: { env: 'HOUSE_DATABASE' } },
    kek: { kind: 'key-file', path: path.join(directory, 'kek') },
    secondCopy: options.secondCopy === true ? { directory: path.join(directory, 'copies') } : null,
    providers: Object.fromEntries(Object.entries(options.providers ?? {}).map(([name, at]) => [name, settings(at)])),
    trustedProxies: options.trustedProxies ?? [],
    programs: options.programs ?? [],
    outboundProxy: null,
    limits: {
      headerBytes: 32_768,
      editedBodyBytes: 1_048_576,
      connections: 1_000,
      upstreamHeadersSeconds: 10,
      upstreamSilenceSeconds: 10,
    },
    drainSeconds: 2,
    scheduler: { everySeconds: 3_600, rotationsAtOnce: 4, inventorySeconds: 3_600, orphansMax: 10 },
    checkpointSeconds: 3_600,
    log: { level: 'warn' },
  };
}

export async function startHouse(options: HouseOptions = {}): Promise<House> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-house-'));
  const config = houseConfig(directory, options);
  if (config.secondCopy !== null) mkdirSync(config.secondCopy.directory);
  const kekPath = path.join(directory, 'kek');
  const key = await generateKeyFile({ path: kekPath, dataDirectory: config.dataDirectory, random: machineRandom });
  const made = await initialise({
    config,
    kek: { kind: 'key-file', key },
    admin: 'admin',
    databaseUrl: options.postgresql ?? null,
  });
  const errors: unknown[] = [];
  const app = await createApp(
    { config, onLost: (why) => errors.push(new Error(why)), ...(options.clock ? { clock: options.clock } : {}) },
    () => Promise.resolve(options.postgresql ?? ''),
  );
  if (options.sealed !== true) await unseal(app, { kind: 'key-file', path: kekPath });
  const engines = await createEngines(app, () => {});
  if (options.sealed !== true) engines.start();
  const api = await createApi({
    app,
    engines,
    version: VERSION,
    kekSource: () => Promise.resolve({ kind: 'key-file', path: kekPath }),
    secondCopyDirectory: config.secondCopy?.directory ?? null,
    tls: null,
    report: (error) => errors.push(error),
    checkAnswers: true,
    ...options.api,
  });
  const origin = await api.listen('127.0.0.1', 0);
  const broker = options.broker === true ? openBroker(app) : null;
  const brokerOrigin = broker === null ? '' : await listening(broker);

  async function request(method: string, target: string, asked: HouseRequest = {}): Promise<HouseAnswer> {
    const headers = new Headers(asked.headers);
    const token = asked.token === undefined ? made.token : asked.token;
    if (token !== null) headers.set('authorization', `Bearer ${token}`);
    if (asked.body !== undefined) headers.set('content-type', 'application/json');
    const body = asked.body === undefined ? null : JSON.stringify(asked.body);
    const response = await fetch(origin + target, { method, headers, body });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: jsonOf(text) };
  }

  return {
    app,
    engines,
    config,
    directory,
    adminToken: made.token,
    adminId: made.principalId,
    origin,
    api,
    brokerOrigin,
    errors,
    request,
    async stop() {
      await api.drain(1_000);
      await broker?.drain(1_000);
      await engines.stop();
      await app.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function openBroker(app: App): Broker {
  return createBroker({
    guardian: app.guardian,
    live: app.live,
    gate: app.gate,
    now: () => app.clock.now(),
    mono: () => app.clock.monotonic(),
    redirect: resolveRedirect,
    headersTimeoutMs: 10_000,
    bodyTimeoutMs: 10_000,
    snapshot: app.snapshot,
    dispatcherFor: app.dispatcherFor,
    tls: null,
    limits: DEFAULT_LIMITS,
  });
}

function listening(broker: Broker): Promise<string> {
  return new Promise((resolve) => {
    broker.server.listen(0, '127.0.0.1', () => {
      resolve(`http://127.0.0.1:${(broker.server.address() as AddressInfo).port}`);
    });
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
