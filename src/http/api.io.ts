// Puts the control API together: the rooms' routes, what they need of the running program, and the listener. The one place that knows
// all of them.
import { createHash, createHmac } from 'node:crypto';
import type https from 'node:https';
import { accessRoutes } from '../access/api.ts';
import type { VersionRow } from '../credentials/credential.ts';
import { parseNetworks } from '../model/address.ts';
import { allRows } from '../model/desk.ts';
import type { Route } from '../model/route.ts';
import { createIdempotency, DEFAULT_IDEMPOTENCY } from './idempotency.ts';
import type { AppParts, Engines } from './parts.io.ts';
import { createRecords } from './records.io.ts';
import { type ApiLimits, type ApiOptions, type ApiServer, createApiServer, DEFAULT_API_LIMITS } from './server.io.ts';
import { type Status, systemRoutes } from './system.ts';

export interface ApiInput {
  readonly app: AppParts;
  readonly engines: Engines;
  /** Program version. */
  readonly version: string;
  readonly tls: https.ServerOptions | null;
  readonly limits?: ApiLimits;
  /** Told of every internal error. */
  readonly report: ApiOptions['report'];
  readonly checkAnswers?: boolean;
}

/** The API, ready to listen. */
export async function createApi(input: ApiInput): Promise<ApiServer> {
  const { app } = input;
  let document: object = {};
  const idempotency = createIdempotency({
    desk: app,
    limits: DEFAULT_IDEMPOTENCY,
    read: (id) => readBlob(app, 'idempotency', id),
    mac: (key, text) => createHmac('sha256', key).update(text).digest('hex'),
  });
  const stored = await app.database.read
    .selectFrom('blobs')
    .select(['id', 'value'])
    .where('kind', '=', 'idempotency')
    .execute();
  idempotency.load(stored);
  const readiness = createReadiness(app);
  const routes = apiRoutes(input, { readiness, document: () => document });
  const server = await createApiServer({
    routes,
    desk: app,
    policy: app.policy,
    idempotency,
    hash: sha256,
    trustedProxies: parseNetworks(app.config.trustedProxies, '/trustedProxies'),
    stranger: (reason, source) => app.guardian.stranger(reason, source),
    version: input.version,
    boot: app.database.fence,
    tls: input.tls,
    limits: input.limits ?? DEFAULT_API_LIMITS,
    report: input.report,
    checkAnswers: input.checkAnswers ?? false,
  });
  document = server.document;
  return server;
}

export interface ServerFacts {
  readonly readiness: () => Promise<string | null>;
  readonly document: () => object;
}

/** Every route of the API. */
export function apiRoutes(input: Omit<ApiInput, 'tls' | 'report'>, facts: ServerFacts): Route[] {
  const { app } = input;
  const records = createRecords(app.database.read);
  return [
    ...systemRoutes({ status: () => statusOf(app, input.version), ...facts }),
    ...accessRoutes({ records, hash: sha256 }),
  ];
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function readBlob(app: AppParts, kind: string, id: string): Promise<Uint8Array | null> {
  const row = await app.database.read
    .selectFrom('blobs')
    .select('value')
    .where('kind', '=', kind)
    .where('id', '=', id)
    .executeTakeFirst();
  return row?.value ?? null;
}

async function statusOf(app: AppParts, version: string): Promise<Status> {
  const { database } = app;
  const { control, use } = await database.heads();
  const unprotected = allRows<VersionRow>(app.rows, 'version').filter(
    (row) => row.state === 'current' && row.secondCopyAt === null,
  );
  return {
    version,
    instance: app.instance,
    sealed: app.vault.isSealed,
    epoch: database.epoch,
    fence: database.fence,
    dialect: database.dialect,
    logs: { control: { size: control.size }, use: { size: use.size } },
    unprotected: unprotected.length,
    openUses: app.live.openUses,
  };
}

/** A look at the database is good for this long: the probes of a load balancer must not become load. */
const LOOK_MS = 1_000;

function createReadiness(app: AppParts): () => Promise<string | null> {
  let look: { readonly at: number; readonly answer: Promise<boolean> } | null = null;
  return async () => {
    if (app.vault.isSealed) return 'sealed';
    const now = app.clock.monotonic();
    if (look === null || now - look.at > LOOK_MS) {
      const answer = app.database.read
        .selectFrom('ledger_heads')
        .select('fence')
        .where('log', '=', 'control')
        .executeTakeFirst()
        .then(
          (row) => row?.fence === app.database.fence,
          () => false,
        );
      look = { at: now, answer };
    }
    return (await look.answer) ? null : 'the database cannot be reached, or another server has taken it over';
  };
}
