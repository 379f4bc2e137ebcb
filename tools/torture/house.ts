// One installation under torture: a directory with its data, its key and its second copies, the twin that stands for the provider, and the
// rows that the load works with. Made before the first start of the server, by the same functions that the server is made of.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { newTokenText } from '../../src/access/token.ts';
import { type App, createApp } from '../../src/app.io.ts';
import type { Config } from '../../src/config/config.ts';
import { type CredentialRow, DEFAULT_ROTATION } from '../../src/credentials/credential.ts';
import { envelopeContext } from '../../src/credentials/ring.io.ts';
import { initialise } from '../../src/init.io.ts';
import type { Blob, RowImage } from '../../src/model/change.ts';
import { newId } from '../../src/model/id.ts';
import type { Secret } from '../../src/model/secret.ts';
import { unseal } from '../../src/unseal.io.ts';
import { machineRandom as random } from '../../src/vault/cipher.io.ts';
import { generateKeyFile } from '../../src/vault/kek.io.ts';
import { credentialRow, grantRow, principalRow, tokenRow, versionRow } from '../../test/support/rows.ts';
import { type RunningNeonTwin, startNeonTwin, type TwinExchange } from '../../twins/neon.io.ts';

/** Who sends requests: a token, and where its requests go. */
export interface Caller {
  readonly token: string;
  readonly tokenId: string;
  readonly grantId: string;
  readonly credentialId: string;
  /** What stands before the provider's paths. */
  readonly mount: string;
}

export interface TortureHouse {
  readonly directory: string;
  readonly config: Config;
  readonly kekPath: string;
  readonly databaseFile: string;
  readonly instance: string;
  readonly adminToken: string;
  readonly twin: RunningNeonTwin;
  /** Credentials that are lent, rotated, suspended and resumed. */
  readonly credentialIds: readonly string[];
  /** Credentials that wait to be revoked, for good. */
  readonly doomedIds: string[];
  readonly callers: readonly Caller[];
  /** A principal whose tokens and grants come and go, and its credential. */
  readonly guestId: string;
  readonly isProtected: boolean;
}

export interface HouseInput {
  readonly seed: number;
  readonly onExchange: (exchange: TwinExchange) => void;
  /** Whether second copies are written. Without them a restored backup may lose keys, and they must be shown as unprotected. */
  readonly isProtected: boolean;
}

function configOf(directory: string, origin: string, isProtected: boolean): Config {
  const listener = { host: '127.0.0.1', port: 0, tls: null, terminatedBy: null };
  return {
    dataDirectory: path.join(directory, 'data'),
    broker: listener,
    api: listener,
    database: { kind: 'sqlite' },
    kek: { kind: 'key-file', path: path.join(directory, 'kek') },
    secondCopy: isProtected ? { directory: path.join(directory, 'copies') } : null,
    providers: { neon: { origin, privateNetworks: ['127.0.0.0/8'], plainHttp: true } },
    trustedProxies: [],
    outboundProxy: null,
    limits: {
      headerBytes: 32_768,
      editedBodyBytes: 1_048_576,
      connections: 1_000,
      upstreamHeadersSeconds: 5,
      upstreamSilenceSeconds: 5,
    },
    drainSeconds: 1,
    scheduler: { everySeconds: 1, rotationsAtOnce: 4, inventorySeconds: 2, orphansMax: 1_000 },
    checkpointSeconds: 1,
    log: { level: 'warn' },
  };
}

export async function buildHouse(input: HouseInput): Promise<TortureHouse> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-torture-'));
  const twin = await startNeonTwin({ seed: input.seed, onExchange: input.onExchange });
  const config = configOf(directory, twin.origin, input.isProtected);
  if (config.secondCopy !== null) mkdirSync(config.secondCopy.directory, { mode: 0o700 });
  const kekPath = path.join(directory, 'kek');
  const key = await generateKeyFile({ path: kekPath, dataDirectory: config.dataDirectory, random });
  const made = await initialise({ config, kek: { kind: 'key-file', key }, admin: 'admin', databaseUrl: null });
  const app = await openApp(config, kekPath, () => Date.now());
  const furnished = await furnish(app, twin);
  await app.stop();
  writeFileSync(path.join(directory, 'server.json'), JSON.stringify({ config, kekPath }), { mode: 0o600 });
  return {
    directory,
    config,
    kekPath,
    databaseFile: path.join(config.dataDirectory, 'claviger.db'),
    instance: made.instance,
    adminToken: made.token,
    twin,
    isProtected: input.isProtected,
    ...furnished,
  };
}

/** The parts of a server in this process, without its listeners. `now` may differ from the machine's clock. */
export async function openApp(config: Config, kekPath: string, now: () => number): Promise<App> {
  const app = await createApp(
    {
      config,
      clock: { now, monotonic: () => performance.now() },
      onLost: (why) => {
        throw new Error(`the database was lost: ${why}`);
      },
    },
    () => Promise.reject(new Error('no secret is configured')),
  );
  await unseal(app, { kind: 'key-file', path: kekPath });
  return app;
}

type Furnished = Pick<TortureHouse, 'credentialIds' | 'doomedIds' | 'callers' | 'guestId'>;

/** Two credentials under load, two that wait for their end, one issuer; a caller by path, one by a bound token, one with a rate limit. */
async function furnish(app: App, twin: RunningNeonTwin): Promise<Furnished> {
  const { control, origin } = twin;
  const { seeds } = control;
  const rows: RowImage[] = [];
  const blobs: Blob[] = [];
  const createdAt = app.clock.now();

  function credential(given: Partial<CredentialRow>, key: { id: string; key: Secret }): CredentialRow {
    const row = credentialRow({ id: newId('credential', createdAt, random), origin, createdAt, ...given });
    const id = newId('version', createdAt, random);
    const sealed = app.vault.sealParts(envelopeContext(row, id), { key: key.key });
    const version = versionRow({
      id,
      credentialId: row.id,
      providerKeyId: key.id,
      envelopeDigest: sealed.digest,
      createdAt,
      promotedAt: createdAt,
    });
    rows.push({ noun: 'credential', row }, { noun: 'version', row: version });
    blobs.push({ kind: 'envelope', id, value: sealed.bytes });
    return row;
  }

  const issuer = credential(
    { name: 'issuer', kind: 'personal-key', purpose: 'manage', settings: {} },
    { id: seeds.adminKeyId, key: seeds.adminKey },
  );
  const policy = { ...DEFAULT_ROTATION, quietSeconds: 0 };
  const lent = (name: string, quietSeconds = 0) =>
    credential(
      { name, issuerId: issuer.id, settings: { orgId: seeds.orgId }, policy: { ...policy, quietSeconds } },
      control.mint({ kind: 'organization' }),
    );
  const alpha = lent('alpha');
  const beta = credential(
    {
      name: 'beta',
      kind: 'project-key',
      issuerId: issuer.id,
      settings: { orgId: seeds.orgId, projectId: seeds.projectId },
      policy: { ...policy, quietSeconds: 1 },
    },
    control.mint({ kind: 'project' }),
  );
  const doomed = [lent('doomed-1'), lent('doomed-2')];

  function principal(name: string): string {
    const row = principalRow({ id: newId('principal', createdAt, random), name, createdAt });
    rows.push({ noun: 'principal', row });
    return row.id;
  }

  function caller(name: string, to: CredentialRow, given: { isBound?: boolean; perSecond?: number } = {}): Caller {
    const principalId = principal(name);
    const token = newTokenText(random);
    const tokenId = newId('token', createdAt, random);
    const hash = createHash('sha256').update(token).digest('hex');
    const credentialId = given.isBound === true ? to.id : null;
    const row = tokenRow({ id: tokenId, principalId, hash, hint: token.slice(-4), credentialId, createdAt });
    const grant = grantRow({
      id: newId('grant', createdAt, random),
      principalId,
      credentialId: to.id,
      actions: ['*:read', 'project.update', 'project.delete'],
      rate: given.perSecond === undefined ? null : { requests: given.perSecond, perSeconds: 1, burst: 3 },
      createdAt,
    });
    rows.push({ noun: 'token', row }, { noun: 'grant', row: grant });
    const mount = given.isBound === true ? '' : `/neon/${to.name}`;
    return { token, tokenId, grantId: grant.id, credentialId: to.id, mount };
  }

  const callers = [
    caller('by-path', alpha),
    caller('bound', alpha, { isBound: true }),
    caller('other', beta),
    caller('limited', beta, { perSecond: 5 }),
    ...doomed.map((row) => caller(`of-${row.name}`, row)),
  ];
  const guestId = principal('guest');
  const event = { v: 1 as const, at: createdAt, actor: 'system:torture', type: 'torture.furnished', rows, detail: {} };
  await app.write({ events: [event], blobs });
  return { credentialIds: [alpha.id, beta.id], doomedIds: doomed.map((row) => row.id), callers, guestId };
}

/** What goes wrong at the provider while a house lives: slow, late, lost, refused, confirmed and not done. */
export function setFaults({ control }: RunningNeonTwin): void {
  control.latency({ ms: 0, jitterMs: 3 });
  control.fault('revoke-late', { probability: 0.4, ms: 1_200 });
  control.fault('revoke-ignored', { probability: 0.1 });
  control.fault('create-lost', { probability: 0.1, ms: 100 });
  control.fault('create-arrives-later', { probability: 0.05, ms: 1_500 });
  control.fault('dead-on-arrival', { probability: 0.05 });
  control.fault('server-error', { probability: 0.03, on: ['create-key', 'revoke-key', 'list-keys', 'auth'] });
  control.fault('cut-after', { probability: 0.05, on: ['create-key', 'revoke-key'] });
  control.fault('list-lags', { probability: 0.2, ms: 500 });
}
