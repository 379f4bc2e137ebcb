// Puts the control API together: the rooms' routes, what is kept under Idempotency-Keys, whether the server is ready, the listener.
import { createHmac } from 'node:crypto';
import type https from 'node:https';
import { parseNetworks } from '../model/address.ts';
import { type BrakeLimits, createBrake, DEFAULT_BRAKE } from './brake.ts';
import { createIdempotency, DEFAULT_IDEMPOTENCY } from './idempotency.ts';
import type { AppParts } from './parts.io.ts';
import { apiRoutes, type RoomsInput, sha256 } from './rooms.io.ts';
import { type ApiLimits, type ApiOptions, type ApiServer, createApiServer, DEFAULT_API_LIMITS } from './server.io.ts';

export interface ApiInput extends RoomsInput {
  readonly tls: https.ServerOptions | null;
  readonly limits?: ApiLimits;
  readonly brake?: BrakeLimits;
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
    brake: createBrake(input.brake ?? DEFAULT_BRAKE),
    report: input.report,
    checkAnswers: input.checkAnswers ?? false,
  });
  document = server.document;
  return server;
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
