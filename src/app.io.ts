// The composition root: configuration in, running parts out. Everything that lives as long as the process is made here and
// handed down; nothing below reaches for it. The live state (rows, policy, injections) follows the control log here: a commit
// moves it on before anybody is told that the commit happened.
import { hash as digest } from 'node:crypto';
import path from 'node:path';
import type { Dispatcher } from 'undici';
import { syncCatalogues } from './access/catalogues.ts';
import { cutsOf } from './access/cuts.ts';
import { createGuardian, type Guardian } from './access/guardian.io.ts';
import { advancePolicy, type LiveCredential, type Policy, policyOf } from './access/policy.ts';
import { compileInjection, type Injection } from './broker/inject.ts';
import type { Snapshot } from './broker/plan.ts';
import { type Config, providerSettings } from './config/config.ts';
import type { CredentialRow, VersionRow } from './credentials/credential.ts';
import { createGate, type Gate } from './credentials/gate.ts';
import { createLive, type Live } from './credentials/live.ts';
import type { Programs } from './credentials/programs.ts';
import { pendingRecovery } from './credentials/recovery.ts';
import { createKeyRing, type KeyRing } from './credentials/ring.io.ts';
import type { Database } from './database/database.ts';
import { openPostgresqlDatabase } from './database/postgresql.io.ts';
import { TABLE_OF } from './database/schema.ts';
import { openSqliteDatabase } from './database/sqlite.io.ts';
import { createPublisher, createSigners, type Publisher } from './ledger/checkpoints.io.ts';
import type { Signer } from './ledger/note.ts';
import { parseNetworks } from './model/address.ts';
import { type ControlEvent, type ControlWrite, emptyRows, NOUNS, type Row, type Rows } from './model/change.ts';
import type { Clock, Random } from './model/clock.ts';
import type { Desk } from './model/desk.ts';
import { allRows } from './model/desk.ts';
import { Failure } from './model/failure.ts';
import type { Instant } from './model/instant.ts';
import type { JsonObject } from './model/json.ts';
import type { SettingRow } from './model/setting.ts';
import { createCall } from './net/call.io.ts';
import { createDialer, type Dialer } from './net/dial.io.ts';
import { createGuard, createResolver } from './net/resolve.io.ts';
import * as registry from './providers/index.ts';
import type { Call, Kind, Provider, ProviderSettings } from './providers/provider.ts';
import { TABLES } from './tables.ts';
import { createPrograms } from './targets/program.io.ts';
import { cipher, machineRandom } from './vault/cipher.io.ts';
import type { EnvelopeContext } from './vault/context.ts';
import type { KekRow } from './vault/kek.ts';
import { createVault, type Vault } from './vault/vault.io.ts';

export const VERSION = '0.1.0';

export const machineClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** What runs: the parts that commands, routes and workers are given pieces of. */
export interface App extends Desk {
  readonly config: Config;
  readonly database: Database;
  readonly policy: Policy;
  readonly vault: Vault;
  readonly ring: KeyRing;
  readonly live: Live;
  /** Where the traffic of a credential waits while its key is replaced. */
  readonly gate: Gate;
  /** Programs of the operator's for a credential. */
  readonly programsFor: (credential: CredentialRow) => Programs;
  readonly guardian: Guardian;
  readonly instance: string;
  readonly providers: ReadonlyMap<string, Provider>;
  readonly injections: ReadonlyMap<string, Injection>;
  /** The log's signers; null while sealed. */
  readonly signers: Record<'control' | 'use', Signer> | null;
  snapshot(): Snapshot;
  /** Now, for durations that outlast this process. */
  instant(): Instant;
  /** The kind of a credential. Throws `not-found` where this program has no such provider or kind. */
  kindOf(credential: CredentialRow): { provider: Provider; kind: Kind };
  callFor(credential: Pick<CredentialRow, 'provider' | 'origin'>): Call;
  dispatcherFor(credential: LiveCredential): Dispatcher;
  /** Opens a version and makes it usable by the broker. */
  arm(credential: CredentialRow, version: VersionRow): Promise<void>;
  /** After the vault was unsealed: loads the log's key and the current versions' keys. */
  wake(): Promise<void>;
  /** Forgets every key; the broker answers 503 from the next request on. */
  sleep(): void;
  /** Publishes checkpoints now. Throws `sealed` while the log's key is not at hand. */
  publish(): Promise<void>;
  stop(): Promise<void>;
}

export interface AppOptions {
  readonly config: Config;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly onLost: (why: string) => void;
  readonly report?: (message: string, fields: JsonObject) => void;
  /** Providers beside the registry's. */
  readonly moreProviders?: readonly Provider[];
}

/** Where the ledger's signing key is bound to: an envelope like any other, of a credential that nobody can grant. */
export function signingKeyContext(instance: string): EnvelopeContext {
  return {
    space: 'default',
    environment: 'ledger',
    credential: 'ledger',
    version: 'signing-key',
    purpose: 'sign',
    destination: { origin: `claviger:${instance}`, places: [] },
  };
}
export const SIGNING_KEY_BLOB = 'ledger-signing-key';

async function loadRows(database: Database): Promise<Rows> {
  const rows = emptyRows();
  for (const noun of NOUNS) {
    const found = await database.read.selectFrom(TABLE_OF[noun]).select(['id', 'row']).where('live', '=', 1).execute();
    const table = rows.get(noun)!;
    for (const { id, row } of found) table.set(id, JSON.parse(row) as Row);
  }
  return rows;
}

async function openDatabase(
  config: Config,
  hooks: { committed: (events: readonly ControlEvent[], size: number) => void; onLost: (why: string) => void },
  readSecret: (source: { env: string } | { file: string } | { command: readonly string[] }) => Promise<string>,
): Promise<Database> {
  const common = { tables: TABLES, cutsOf, ...hooks };
  if (config.database.kind === 'sqlite') {
    return openSqliteDatabase({ file: path.join(config.dataDirectory, 'claviger.db'), ...common });
  }
  return openPostgresqlDatabase({ url: await readSecret(config.database.url), ...common });
}

/** Opens everything but the listeners. The vault is sealed until `vault.unseal` and `wake`. */
export async function createApp(
  options: AppOptions,
  readSecret: (source: { env: string } | { file: string } | { command: readonly string[] }) => Promise<string>,
): Promise<App> {
  const { config } = options;
  const clock = options.clock ?? machineClock;
  const random = options.random ?? machineRandom;
  let rows: Rows = emptyRows();
  let policy: Policy | null = null;
  const live = createLive();
  const gate = createGate((ms, run) => {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  });
  const injections = new Map<string, Injection>();
  let asOf = 0;

  function committed(events: readonly ControlEvent[], size: number): void {
    asOf = size;
    // The database has checked that each image follows its row: here it only takes its place, or leaves where it is history.
    for (const { noun, row } of events.flatMap((event) => event.rows)) {
      if (TABLES[noun].isLive(row as never)) rows.get(noun)!.set(row.id, row);
      else rows.get(noun)!.delete(row.id);
    }
    if (policy !== null) advancePolicy(policy, events, size);
    for (const event of events) endAccess(event);
  }

  function endAccess(event: ControlEvent): void {
    const ids = cutsOf(event).filter((id) => !mayFinish(id, event));
    if (ids.length > 0) live.cut(new Set(ids), 'access ended');
    for (const { noun, row } of event.rows) {
      if (noun === 'version') {
        const { id, state } = row as VersionRow;
        if (state === 'revoking' || state === 'revoked') injections.delete(id);
        if (state === 'revoked') ring.drop(id);
      }
      if (noun === 'credential' && (row as CredentialRow).retiredAt !== null) {
        for (const version of rows.get('version')?.values() ?? [])
          if ((version as VersionRow).credentialId === row.id) injections.delete(version.id);
      }
    }
  }

  /** Whether the policy of the credential that ends, or whose version does, lets open streams finish; a compromise never does. */
  function mayFinish(id: string, event: ControlEvent): boolean {
    const version = policy?.versions.get(id);
    if (version?.reason === 'compromised' || event.detail['reason'] === 'compromised') return false;
    const credential = rows.get('credential')?.get(version?.credentialId ?? id) as CredentialRow | undefined;
    return credential?.policy.openStreams === 'finish';
  }

  const database = await openDatabase(config, { committed, onLost: options.onLost }, readSecret);
  const fencedAt = clock.monotonic();
  rows = await loadRows(database);
  asOf = database.startSizes.control;
  const livePolicy = policyOf(rows, asOf);
  policy = livePolicy;

  const setting = allRows<SettingRow>(rows, 'setting').find((row) => row.name === 'instance');
  if (setting === undefined) {
    await database.end();
    throw new Failure('invalid', 'this database was not initialised: run `claviger init`');
  }
  const instance = String((setting.value as { id: string }).id);
  const vault = createVault({ cipher, random });
  const ring = createKeyRing(vault, database.read);
  const providers = new Map<string, Provider>(
    [...Object.values(registry), ...(options.moreProviders ?? [])].map((provider) => [provider.name, provider]),
  );
  const dialer: Dialer = createDialer({
    guard: createGuard(createResolver({ clock })),
    connectionsMax: 256,
    proxy: proxyOf(config.outboundProxy),
    headersTimeoutMs: config.limits.upstreamHeadersSeconds * 1000,
    bodyTimeoutMs: config.limits.upstreamSilenceSeconds * 1000,
  });
  const trustedProxies = parseNetworks(config.trustedProxies, '/trustedProxies');
  const hash = (text: string) => digest('sha256', text, 'hex');
  const settingsOf = new Map<string, ProviderSettings>();
  let signers: Record<'control' | 'use', Signer> | null = null;
  let publisher: Publisher | null = null;

  function settingsFor(provider: string, origin: string): ProviderSettings {
    const key = `${provider} ${origin}`;
    let settings = settingsOf.get(key);
    if (settings === undefined) {
      settings = { ...providerSettings(config, provider, origin), origin };
      settingsOf.set(key, settings);
    }
    return settings;
  }

  const guardian = createGuardian({
    admit: (entry, decidedOn, done) => database.admit(entry, decidedOn, done),
    now: () => clock.now(),
    epoch: database.epoch,
    asOf: () => asOf,
  });

  async function publish(): Promise<void> {
    if (publisher === null) throw new Failure('sealed', 'the ledger cannot be signed while the vault is sealed');
    publisher.publish(await database.heads());
  }
  const publishing = setInterval(() => {
    if (publisher !== null) publish().catch(() => {});
  }, config.checkpointSeconds * 1000);
  publishing.unref();
  const expiring = setInterval(() => live.cutExpired(clock.now()), 250);
  expiring.unref();

  const app: App = {
    config,
    clock,
    random,
    rows,
    database,
    policy: livePolicy,
    vault,
    ring,
    live,
    gate,
    programsFor: createPrograms({
      programs: config.programs ?? [],
      kindOf: (credential) => app.kindOf(credential),
      environment: process.env,
      report: options.report ?? (() => {}),
    }),
    guardian,
    instance,
    providers,
    injections,
    get signers() {
      return signers;
    },
    snapshot: () => ({ policy: livePolicy, injections, hash, anonymous: null, trustedProxies }),
    instant: () => ({ boot: database.fence, mono: clock.monotonic() - fencedAt }),
    async write(write: ControlWrite) {
      if (write.checkpoint === true && publisher === null) {
        throw new Failure('sealed', 'this step needs a signed checkpoint, and the vault is sealed');
      }
      const written = await database.write(write);
      if (written.heads !== null) publisher?.publish(written.heads);
      return written;
    },
    kindOf(credential) {
      const provider = providers.get(credential.provider);
      const kind = provider?.kinds.find((one) => one.name === credential.kind);
      if (provider === undefined || kind === undefined) {
        throw new Failure('not-found', `this program has no provider kind ${credential.provider}/${credential.kind}`);
      }
      return { provider, kind };
    },
    callFor(credential) {
      const settings = settingsFor(credential.provider, credential.origin);
      return createCall({ dispatcherFor: dialer.dispatcherFor, settings, clock, version: VERSION });
    },
    dispatcherFor(credential) {
      const { provider, origin } = credential.row;
      return dialer.dispatcherFor(origin, settingsFor(provider, origin));
    },
    async arm(credential, version) {
      const parts = await ring.open(credential, version);
      const { publicParts } = app.kindOf(credential).kind;
      injections.set(version.id, compileInjection(credential.places, parts, publicParts));
    },
    async wake() {
      const row = await database.read
        .selectFrom('blobs')
        .select('value')
        .where('kind', '=', 'envelope')
        .where('id', '=', SIGNING_KEY_BLOB)
        .executeTakeFirst();
      if (row === undefined) throw new Failure('corrupt', 'the ledger has no signing key');
      const parts = vault.openParts(signingKeyContext(instance), row.value);
      signers = createSigners(instance, parts['key']!);
      publisher = createPublisher(path.join(config.dataDirectory, 'ledger'), signers);
      await syncCatalogues(app, providers.values());
      // After a restore nothing is brokered until its recovery has chosen what is current.
      if (pendingRecovery(rows) === null) await armCurrent(app, options.report ?? (() => {}));
    },
    sleep() {
      vault.seal();
      ring.clear();
      injections.clear();
      // What is open was allowed by keys that nobody may use any more.
      live.cutAll('sealed');
      signers = null;
      publisher = null;
    },
    publish,
    async stop() {
      clearInterval(publishing);
      clearInterval(expiring);
      guardian.stop();
      await database.idle();
      if (publisher !== null) await publish().catch(() => {});
      await database.end();
      await dialer.close();
      app.sleep();
    },
  };
  return app;
}

/**
 * Makes the current version of every credential that is lent usable by the broker. One that cannot be opened is reported and left
 * out (its requests are answered 503): it must not keep the others from being served.
 */
export async function armCurrent(app: App, report: (message: string, fields: JsonObject) => void): Promise<void> {
  for (const credential of app.policy.credentials.values()) {
    if (credential.current === null || credential.row.purpose !== 'lend') continue;
    try {
      await app.arm(credential.row, credential.current);
    } catch (error) {
      const why = error instanceof Error ? error.message : '';
      report('credential.not-opened', { credential: credential.row.id, version: credential.current.id, why });
    }
  }
}

/** An outbound proxy without credentials of its own: `http://host:port`. */
function proxyOf(url: string | null): { host: string; port: number; authorization: null } | null {
  if (url === null) return null;
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port), authorization: null };
}

/** KEK rows, in the order of their versions. */
export function kekRows(rows: Rows): KekRow[] {
  return allRows<KekRow>(rows, 'kek').sort((a, b) => a.version - b.version);
}
