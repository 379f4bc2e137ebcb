// A small installation for the benchmarks: one Neon credential towards a given origin, one service with 50 grants and a rate limit.
import path from 'node:path';
import type { GrantRow, PrincipalRow, TokenRow } from '../../src/access/principal.ts';
import { newTokenText } from '../../src/access/token.ts';
import { type App, createApp } from '../../src/app.io.ts';
import type { Config } from '../../src/config/config.ts';
import { type CredentialRow, DEFAULT_ROTATION, type VersionRow } from '../../src/credentials/credential.ts';
import { envelopeContext } from '../../src/credentials/ring.io.ts';
import { initialise } from '../../src/init.io.ts';
import type { RowImage } from '../../src/model/change.ts';
import { newId } from '../../src/model/id.ts';
import type { Secret } from '../../src/model/secret.ts';
import { unseal } from '../../src/unseal.io.ts';
import { machineRandom as random } from '../../src/vault/cipher.io.ts';
import { generateKeyFile } from '../../src/vault/kek.io.ts';

export interface BenchHouse {
  readonly app: App;
  readonly token: string;
}

export function benchConfig(directory: string, origin: string): Config {
  return {
    dataDirectory: path.join(directory, 'data'),
    broker: { host: '127.0.0.1', port: 0, tls: null, terminatedBy: null },
    api: { host: '127.0.0.1', port: 0, tls: null, terminatedBy: null },
    database: { kind: 'sqlite' },
    kek: { kind: 'key-file', path: path.join(directory, 'kek') },
    secondCopy: null,
    providers: { neon: { origin, privateNetworks: ['127.0.0.0/8'], plainHttp: true } },
    trustedProxies: [],
    outboundProxy: null,
    limits: {
      headerBytes: 32_768,
      editedBodyBytes: 1_048_576,
      connections: 10_000,
      upstreamHeadersSeconds: 60,
      upstreamSilenceSeconds: 60,
    },
    drainSeconds: 5,
    scheduler: { everySeconds: 60, rotationsAtOnce: 4, inventorySeconds: 3_600, orphansMax: 10 },
    checkpointSeconds: 60,
    log: { level: 'warn' },
  };
}

export async function startHouse(options: {
  directory: string;
  origin: string;
  key: Secret;
  hash: (text: string) => string;
}): Promise<BenchHouse> {
  const { directory, origin } = options;
  const config = benchConfig(directory, origin);
  const kekPath = path.join(directory, 'kek');
  const kek = await generateKeyFile({ path: kekPath, dataDirectory: config.dataDirectory, random });
  await initialise({ config, kek: { kind: 'key-file', key: kek }, admin: 'admin', databaseUrl: null });
  const app = await createApp(
    {
      config,
      onLost: (why) => {
        process.stderr.write(`lost: ${why}\n`);
        process.exit(1);
      },
    },
    () => Promise.resolve(''),
  );
  await unseal(app, { kind: 'key-file', path: kekPath });
  const token = await furnish(app, origin, options.key, options.hash);
  return { app, token };
}

async function furnish(app: App, origin: string, key: Secret, hash: (text: string) => string): Promise<string> {
  const at = Date.now();
  const base = { rowVersion: 1, createdAt: at, note: '', managedBy: null };
  const credential: CredentialRow = {
    ...base,
    id: newId('credential', at, random),
    space: 'default',
    environment: 'default',
    provider: 'neon',
    name: 'prod',
    kind: 'organization-key',
    purpose: 'lend',
    issuerId: null,
    origin,
    places: [{ in: 'header', name: 'authorization', scheme: 'Bearer' }],
    settings: { orgId: 'org-bench' },
    owner: '',
    policy: DEFAULT_ROTATION,
    suspendedAt: null,
    suspendReason: null,
    retiredAt: null,
  };
  const versionId = newId('version', at, random);
  const sealed = app.vault.sealParts(envelopeContext(credential, versionId), { key });
  const version: VersionRow = {
    id: versionId,
    rowVersion: 1,
    credentialId: credential.id,
    number: 1,
    state: 'current',
    providerKeyId: '1',
    label: null,
    envelopeDigest: sealed.digest,
    secondCopyAt: null,
    expiresAt: null,
    createdAt: at,
    promotedAt: at,
    retiredAt: null,
    revokingAt: null,
    revokedAt: null,
    reason: null,
    certificateId: null,
  };
  const principal: PrincipalRow = {
    ...base,
    id: newId('principal', at, random),
    space: 'default',
    name: 'bench',
    kind: 'service',
    roles: [],
    owner: '',
    disabledAt: null,
  };
  const text = newTokenText(random);
  const token: TokenRow = {
    id: newId('token', at, random),
    rowVersion: 1,
    principalId: principal.id,
    hash: hash(text),
    hint: text.slice(-4),
    note: '',
    credentialId: null,
    networks: [],
    createdAt: at,
    expiresAt: null,
    revokedAt: null,
    replacedBy: null,
  };
  const grant = (actions: string[], rate: GrantRow['rate']): GrantRow => ({
    ...base,
    id: newId('grant', at, random),
    principalId: principal.id,
    credentialId: credential.id,
    actions,
    parameters: {},
    networks: [],
    rate,
    expiresAt: null,
    revokedAt: null,
  });
  const others = Array.from({ length: 49 }, (_, i) => grant([`branch-${i}.get`], null));
  const grants = [...others, grant(['*:read'], { requests: 1_000_000, perSeconds: 1, burst: 100_000 })];
  const rows: RowImage[] = [
    { noun: 'credential', row: credential },
    { noun: 'version', row: version },
    { noun: 'principal', row: principal },
    { noun: 'token', row: token },
    ...grants.map((row) => ({ noun: 'grant' as const, row })),
  ];
  for (let i = 0; i < rows.length; i += 20) {
    await app.write({
      events: [{ v: 1, at, actor: 'system:bench', type: 'bench.furnished', rows: rows.slice(i, i + 20), detail: {} }],
      blobs: i === 0 ? [{ kind: 'envelope', id: versionId, value: sealed.bytes }] : [],
    });
  }
  await app.arm(credential, version);
  return text;
}
