// Serving: the parts of app.io.ts behind their two listeners, from start to a stop that drains. What the configuration forbids is
// refused before anything listens.
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import type https from 'node:https';
import type { AddressInfo } from 'node:net';
import { type App, createApp, VERSION } from './app.io.ts';
import { type Broker, createBroker, DEFAULT_LIMITS } from './broker/listener.io.ts';
import type { Config, ListenerConfig } from './config/config.ts';
import { requireOwnProviders } from './config/providers.io.ts';
import { createEngines, type Engines, type Report } from './engines.io.ts';
import { Failure } from './model/failure.ts';
import { revealSecretText, type Secret } from './model/secret.ts';
import { resolveRedirect } from './net/redirect.ts';
import * as registry from './providers/index.ts';
import type { Provider } from './providers/provider.ts';
import { finishRestore, recoverAfterRestore } from './recovery.io.ts';
import { unseal } from './unseal.io.ts';
import type { KekSource } from './vault/kek.io.ts';

export interface ServeOptions {
  readonly config: Config;
  /** Where the key-encryption key comes from at this start; null: the server starts sealed. */
  readonly kek: KekSource | null;
  /** Reads a secret that the configuration names. */
  readonly readSecret: (source: { env: string } | { file: string } | { command: readonly string[] }) => Promise<Secret>;
  readonly report: Report;
  /** The process can serve no more: its database was taken over or its writer died. */
  readonly onLost: (why: string) => void;
  readonly moreProviders?: readonly Provider[];
}

export interface Serving {
  readonly app: App;
  readonly engines: Engines;
  /** `http://127.0.0.1:8200`, with the port that was taken. */
  readonly brokerOrigin: string;
  readonly apiOrigin: string;
  /** Refuses new requests, lets open ones finish, writes everything down, ends. */
  stop(): Promise<void>;
}

const CERTIFICATE_LOOK_MS = 5_000;

/** A listener off loopback needs TLS, or a word about what terminates it in front. */
export function refuseExposed(listener: ListenerConfig, name: string): void {
  const loopback = /^127\.|^::1$/.test(listener.host);
  if (loopback || listener.tls !== null || listener.terminatedBy !== null) return;
  throw new Failure(
    'invalid',
    `${name} listens off loopback without TLS: set tls, or say in terminatedBy what terminates it`,
  );
}

function tlsOf(listener: ListenerConfig): https.ServerOptions | null {
  if (listener.tls === null) return null;
  return { cert: readFileSync(listener.tls.certificate), key: readFileSync(listener.tls.key), minVersion: 'TLSv1.2' };
}

/** Takes up a new certificate when its file changes; one that does not load leaves the old one in place. */
function followCertificate(listener: ListenerConfig, server: HttpServer | https.Server, report: Report): () => void {
  const { tls } = listener;
  if (tls === null || !('setSecureContext' in server)) return () => {};
  const files = [tls.certificate, tls.key];
  const reload = () => {
    try {
      server.setSecureContext(tlsOf(listener)!);
      report('tls.reloaded', { certificate: tls.certificate });
    } catch (error) {
      report('tls.not-reloaded', { certificate: tls.certificate, why: error instanceof Error ? error.message : '' });
    }
  };
  for (const file of files) watchFile(file, { interval: CERTIFICATE_LOOK_MS, persistent: false }, reload);
  return () => {
    for (const file of files) unwatchFile(file, reload);
  };
}

function listen(broker: Broker, listener: ListenerConfig): Promise<string> {
  return new Promise((resolve, reject) => {
    const { server } = broker;
    server.once('error', (cause) =>
      reject(new Failure('unavailable', 'the broker’s address cannot be listened on', { cause })),
    );
    server.listen(listener.port, listener.host, () => {
      const { address, port, family } = server.address() as AddressInfo;
      const host = family === 'IPv6' ? `[${address}]` : address;
      resolve(`${listener.tls === null ? 'http' : 'https'}://${host}:${port}`);
    });
  });
}

function createAppBroker(app: App): Broker {
  const { limits, broker } = app.config;
  return createBroker({
    guardian: app.guardian,
    live: app.live,
    gate: app.gate,
    now: () => app.clock.now(),
    mono: () => app.clock.monotonic(),
    redirect: resolveRedirect,
    headersTimeoutMs: limits.upstreamHeadersSeconds * 1000,
    bodyTimeoutMs: limits.upstreamSilenceSeconds * 1000,
    snapshot: app.snapshot,
    dispatcherFor: app.dispatcherFor,
    tls: tlsOf(broker),
    limits: {
      ...DEFAULT_LIMITS,
      headerBytesMax: limits.headerBytes,
      editedBodyBytesMax: limits.editedBodyBytes,
      connectionsMax: limits.connections,
    },
  });
}

/** Starts everything. Throws before anything listens where the configuration, the database or the key does not allow it. */
export async function serve(options: ServeOptions): Promise<Serving> {
  const { config, report } = options;
  refuseExposed(config.broker, 'broker');
  refuseExposed(config.api, 'api');
  const given = options.moreProviders ?? [];
  const taken = [...Object.values(registry), ...given].map((provider) => provider.name);
  const own = await requireOwnProviders(config.providersDirectory, taken);
  const app = await createApp(
    { config, onLost: options.onLost, report, moreProviders: [...given, ...own] },
    async (source) => revealSecretText(await options.readSecret(source)),
  );
  const closers: (() => Promise<void>)[] = [];
  try {
    await finishRestore(app);
    if (options.kek !== null) await unseal(app, options.kek);
    const engines = await createEngines(app, report);
    const started = { ...engines, start: () => startEngines(app, engines, report) };
    if (!app.vault.isSealed) await recoverAfterRestore(app, engines, report);
    // The broker first: applications wait for it, and the API's schemas take longer to build than all the rest.
    const broker = createAppBroker(app);
    closers.push(() => broker.drain(0));
    const brokerOrigin = await listen(broker, config.broker);
    const { createApi } = await import('./http/api.io.ts');
    const api = await createApi({
      app,
      engines: started,
      version: VERSION,
      tls: tlsOf(config.api),
      kekSource: options.kek === null ? null : () => Promise.resolve(options.kek!),
      secondCopyDirectory: config.secondCopy?.directory ?? null,
      report: (error, about) => {
        report('api.internal-error', {
          ...about,
          why: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
      },
    });
    const apiOrigin = await api.listen(config.api.host, config.api.port);
    const followed = [
      followCertificate(config.broker, broker.server, report),
      followCertificate(config.api, api.server, report),
    ];
    if (!app.vault.isSealed) started.start();
    return {
      app,
      engines,
      brokerOrigin,
      apiOrigin,
      async stop() {
        for (const unfollow of followed) unfollow();
        await Promise.all([broker.drain(config.drainSeconds * 1000), api.drain(config.drainSeconds * 1000)]);
        await engines.stop();
        await app.stop();
      },
    };
  } catch (error) {
    for (const close of closers) await close();
    await app.stop().catch(() => {});
    throw error;
  }
}

/** What an unseal starts: after a restore the recovery comes first. */
function startEngines(app: App, engines: Engines, report: Report): void {
  recoverAfterRestore(app, engines, report)
    .then(() => engines.start())
    .catch((error: unknown) => report('recovery.failed', { why: error instanceof Error ? error.message : '' }));
}
