// A rotator and a revoker at work: a real installation in a temporary directory, a Neon twin, and policies of milliseconds where the product
// has seconds. A process can be made to die at any entry of its journal and another one to take up what it left. What is listening
// (API, broker) is house.ts.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type App, createApp } from '../../src/app.io.ts';
import type { Config } from '../../src/config/config.ts';
import { type CredentialRow, DEFAULT_ROTATION, type VersionRow } from '../../src/credentials/credential.ts';
import { NO_PROGRAMS, type Programs } from '../../src/credentials/programs.ts';
import { envelopeContext } from '../../src/credentials/ring.io.ts';
import { TABLE_OF } from '../../src/database/schema.ts';
import { createEngines, type Engines } from '../../src/engines.io.ts';
import { initialise } from '../../src/init.io.ts';
import type { ControlEvent, ControlWrite, Noun, Row, RowImage } from '../../src/model/change.ts';
import { newId } from '../../src/model/id.ts';
import type { Secret } from '../../src/model/secret.ts';
import type { Kind, Parts } from '../../src/providers/provider.ts';
import type { RevocationPolicy, RevocationRow } from '../../src/revocation/revocation.ts';
import type { OverlapPolicy } from '../../src/rotation/policy.ts';
import { isSwap, type RotationRow } from '../../src/rotation/rotation.ts';
import type { SwapPolicy } from '../../src/rotation/swap-state.ts';
import { unseal } from '../../src/unseal.io.ts';
import { machineRandom } from '../../src/vault/cipher.io.ts';
import { generateKeyFile } from '../../src/vault/kek.io.ts';
import { type RunningNeonTwin, startNeonTwin } from '../../twins/neon.io.ts';
import { houseConfig } from './house.ts';
import { credentialRow, versionRow } from './rows.ts';

/** As careful as the product, but for a provider whose revocation propagates within 40 ms. */
export const QUICK_ROTATION: OverlapPolicy = {
  quietMs: 0,
  drainPollMs: 10,
  drainMaxMs: 60_000,
  verifyAlive: 2,
  verifyDead: 3,
  verifySpacingMs: 10,
  death: { refusals: 3, spacingMs: 40 },
  settleMs: 150,
  retryMinMs: 10,
  retryMaxMs: 100,
  failuresMax: 200,
  issueAttemptsMax: 8,
  revokesMax: 20,
  discardsMax: 16,
  awaitMaxMs: 600_000,
  removalPollMs: 30,
  removalMaxMs: 600_000,
};
export const QUICK_SWAP: SwapPolicy = {
  holdMaxMs: 3_000,
  callMs: 1_000,
  drainMaxMs: 1_500,
  drainPollMs: 5,
  settleMs: 150,
  verifyAlive: 2,
  verifySpacingMs: 10,
  death: { refusals: 3, spacingMs: 40 },
  retryMinMs: 10,
  retryMaxMs: 100,
  failuresMax: 200,
  attemptsMax: 20,
};
export const QUICK_REVOCATION: RevocationPolicy = {
  refusals: 3,
  spacingMs: 40,
  retryMinMs: 10,
  retryMaxMs: 100,
  revokesMax: 50,
  failuresMax: 200,
};

/** Where the process dies: at the n-th write of its engines (from 1), before it is committed or after, and unanswered. */
export interface Death {
  readonly write: number;
  readonly when: 'before' | 'after';
}

/** A provider to work with: its twin, who mints, and how a key comes to be. */
export interface Subject<Twin extends { readonly origin: string; close(): Promise<void> }> {
  readonly provider: string;
  start(): Promise<Twin>;
  /** Null where keys of this kind have no issuer. */
  issuer(twin: Twin): { readonly kind: string; readonly parts: Parts; readonly providerKeyId: string } | null;
  key(twin: Twin): {
    readonly kind: string;
    readonly parts: Parts;
    readonly providerKeyId: string | null;
    readonly settings: Readonly<Record<string, string>>;
  };
}

export interface Workshop<Twin = RunningNeonTwin> {
  readonly app: App;
  readonly engines: Engines;
  readonly twin: Twin;
  readonly directory: string;
  readonly credential: CredentialRow;
  /** The key that the credential had at first. */
  readonly first: VersionRow;
  readonly firstKey: Secret;
  readonly firstParts: Parts;
  readonly reports: readonly string[];
  /** Writes of the engines so far, in this process. */
  readonly writes: number;
  /** Whether the process has died as it was told. */
  readonly isDead: boolean;
  /** Abandons the process as it stands and starts another one on what it left. */
  restart(death?: Death | null): Promise<void>;
  /** Adds a credential with a key of its own at the twin. */
  add(
    given?: Partial<CredentialRow>,
  ): Promise<{ credential: CredentialRow; version: VersionRow; key: Secret; parts: Parts }>;
  write(type: string, ...rows: RowImage[]): Promise<void>;
  /** A row wherever it is: in memory, or in the table because it is history. */
  row<R extends Row>(noun: Noun, id: string): Promise<R>;
  rows<R extends Row>(noun: Noun): Promise<R[]>;
  events(): Promise<ControlEvent[]>;
  stop(): Promise<void>;
}

export interface WorkshopOptions {
  readonly death?: Death;
  readonly rotation?: Partial<OverlapPolicy>;
  readonly swap?: Partial<SwapPolicy>;
  readonly programs?: Partial<Programs>;
  readonly revocation?: Partial<RevocationPolicy>;
  readonly rotationsAtOnce?: number;
  /** How often the engines look what is due. */
  readonly lookEverySeconds?: number;
  readonly secondCopy?: boolean;
}

const BEFORE_THE_FENCE_MS = 3_600_000;
const NEVER = new Promise<never>(() => {});

const NEON: Subject<RunningNeonTwin> = {
  provider: 'neon',
  start: () => startNeonTwin(),
  issuer({ control }) {
    const { adminKey, adminKeyId } = control.seeds;
    return { kind: 'personal-key', parts: { key: adminKey }, providerKeyId: adminKeyId };
  },
  key({ control }) {
    const minted = control.mint({ kind: 'organization' });
    const settings = { orgId: control.seeds.orgId };
    return { kind: 'organization-key', parts: { key: minted.key }, providerKeyId: minted.id, settings };
  },
};

export function startWorkshop(options: WorkshopOptions = {}): Promise<Workshop> {
  return startShop(NEON, options);
}

export async function startShop<Twin extends { readonly origin: string; close(): Promise<void> }>(
  subject: Subject<Twin>,
  options: WorkshopOptions = {},
): Promise<Workshop<Twin>> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-workshop-'));
  const twin = await subject.start();
  const base = houseConfig(directory, { providers: { [subject.provider]: twin.origin } });
  const atOnce = options.rotationsAtOnce ?? base.scheduler.rotationsAtOnce;
  const everySeconds = options.lookEverySeconds ?? base.scheduler.everySeconds;
  const config: Config = { ...base, scheduler: { ...base.scheduler, rotationsAtOnce: atOnce, everySeconds } };
  const kek = path.join(directory, 'kek');
  const key = await generateKeyFile({ path: kek, dataDirectory: config.dataDirectory, random: machineRandom });
  await initialise({ config, kek: { kind: 'key-file', key }, admin: 'admin', databaseUrl: null });

  const reports: string[] = [];
  let app: App;
  let engines: Engines;
  let writes = 0;
  let isDead = false;
  let die = () => {};
  let dying = new Promise<void>(() => {});

  function quick(image: RowImage): RowImage {
    if (image.row.rowVersion !== 1) return image;
    if (image.noun === 'rotation') {
      const row = image.row as RotationRow;
      const policy = isSwap(row) ? { ...QUICK_SWAP, ...options.swap } : { ...QUICK_ROTATION, ...options.rotation };
      return { noun: image.noun, row: { ...row, policy } as RotationRow };
    }
    if (image.noun !== 'revocation') return image;
    const policy = { ...QUICK_REVOCATION, ...options.revocation };
    return { noun: image.noun, row: { ...(image.row as RevocationRow), policy } as RevocationRow };
  }

  /** The application as the engines of one process see it: its orders are quick, and it may die. */
  function mortal(whole: App, death: Death | null): App {
    async function write(given: ControlWrite) {
      if (isDead) return NEVER;
      const events = given.events.map((event) => ({ ...event, rows: event.rows.map(quick) }));
      const isLast = death !== null && ++writes >= death.write;
      if (death === null) writes++;
      if (isLast && death.when === 'before') {
        isDead = true;
        die();
        return NEVER;
      }
      const written = await whole.write({ ...given, events });
      if (!isLast) return written;
      isDead = true;
      die();
      return NEVER;
    }
    const programs = { ...NO_PROGRAMS, ...options.programs };
    return Object.create(whole, { write: { value: write }, programsFor: { value: () => programs } }) as App;
  }

  async function start(death: Death | null): Promise<void> {
    // Each process has a monotonic clock of its own, which was running long before it had the fence.
    const began = performance.now() - BEFORE_THE_FENCE_MS;
    const clock = { now: () => Date.now(), monotonic: () => performance.now() - began };
    [writes, isDead] = [0, false];
    dying = new Promise((resolve) => {
      die = resolve;
    });
    const lost = (why: string) => reports.push(why);
    app = await createApp({ config, clock, onLost: lost }, () => Promise.reject(new Error('no secret is configured')));
    await unseal(app, { kind: 'key-file', path: kek });
    engines = await createEngines(mortal(app, death), (message, fields) => {
      reports.push(`${message} ${JSON.stringify(fields)}`);
    });
  }

  async function put(type: string, ...rows: RowImage[]): Promise<void> {
    await app.write({ events: [{ v: 1, at: Date.now(), actor: 'system:test', type, rows, detail: {} }] });
  }

  async function store(credential: CredentialRow, version: VersionRow, parts: Parts): Promise<void> {
    const sealed = app.vault.sealParts(envelopeContext(credential, version.id), parts);
    const event = {
      v: 1 as const,
      at: Date.now(),
      actor: 'system:test',
      type: 'credential.added',
      rows: [
        { noun: 'credential' as const, row: credential },
        { noun: 'version' as const, row: { ...version, envelopeDigest: sealed.digest } },
      ],
      detail: {},
    };
    await app.write({ events: [event], blobs: [{ kind: 'envelope', id: version.id, value: sealed.bytes }] });
    if (credential.purpose === 'lend') await app.arm(credential, version);
  }

  const id = (kind: 'credential' | 'version') => newId(kind, Date.now(), machineRandom);
  const given = subject.issuer(twin);
  function kindOf(name: string): Kind {
    const kind = app.providers.get(subject.provider)?.kinds.find((one) => one.name === name);
    assert(kind !== undefined, `no kind ${name}`);
    return kind;
  }
  const common = { origin: twin.origin, provider: subject.provider, policy: DEFAULT_ROTATION };
  const issuerId = given === null ? null : id('credential');

  async function add(fields: Partial<CredentialRow> = {}) {
    const made = subject.key(twin);
    const base = { ...common, id: id('credential'), kind: made.kind, settings: made.settings, issuerId };
    const name = `c-${base.id.slice(-12)}`;
    const credential = credentialRow({ ...base, name, places: kindOf(made.kind).places, ...fields });
    const { providerKeyId } = made;
    const version = versionRow({ id: id('version'), credentialId: credential.id, providerKeyId });
    await store(credential, version, made.parts);
    return { credential, version, key: Object.values(made.parts).at(-1)!, parts: made.parts };
  }

  await start(options.death ?? null);
  if (given !== null && issuerId !== null) {
    const fields = { name: 'issuer', kind: given.kind, purpose: 'manage' as const, settings: {} };
    const places = kindOf(given.kind).places;
    const issuer = credentialRow({ ...common, ...fields, id: issuerId, places });
    const version = versionRow({ id: id('version'), credentialId: issuer.id, providerKeyId: given.providerKeyId });
    await store(issuer, version, given.parts);
  }
  const { credential, version: first, key: firstKey, parts: firstParts } = await add();

  async function rows<R extends Row>(noun: Noun): Promise<R[]> {
    const found = await app.database.read.selectFrom(TABLE_OF[noun]).select('row').orderBy('id').execute();
    return found.map(({ row }) => JSON.parse(row) as R);
  }

  return {
    get app() {
      return app;
    },
    get engines() {
      return engines;
    },
    get writes() {
      return writes;
    },
    get isDead() {
      return isDead;
    },
    twin,
    directory,
    credential,
    first,
    firstKey,
    firstParts,
    reports,
    async restart(death = null) {
      isDead = true;
      await app.stop();
      await start(death);
      engines.start();
    },
    add,
    write: put,
    rows,
    async row<R extends Row>(noun: Noun, wanted: string) {
      const row = (await rows<R>(noun)).find((one) => one.id === wanted);
      assert(row !== undefined, `no ${noun} ${wanted}`);
      return row;
    },
    async events() {
      const found = await app.database.read.selectFrom('control_entries').select('entry').orderBy('idx').execute();
      return found.map(({ entry }) => JSON.parse(entry) as ControlEvent);
    },
    async stop() {
      // The process may die at its last write, just when the test believes that all is over: such an engine never stops.
      if (!isDead) await Promise.race([engines.stop(), dying]);
      await app.stop();
      await twin.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
