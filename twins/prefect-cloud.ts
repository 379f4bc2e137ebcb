// A twin of Prefect Cloud's keys: of users, of service accounts with their rotation in place, the log of both (prefect-cloud.log.ts), and as much
// of a workspace as a client needs to see its key accepted. Shapes follow Prefect Cloud's OpenAPI document, API 0.8.4; the refusals, which it leaves out, follow what its
// clients and issues quote. docs/providers/prefect-cloud.md says what was never compared with the live service.
import type { Json } from '../src/model/json.ts';
import { bearerOf, isAlive, type KitAnswer, type KitContext, type KitDefinition, type KitKey, member } from './kit.ts';
import { logRoutes, type PrefectLog, prefectLog } from './prefect-cloud.log.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

const GRACE_MAX_SECONDS = 172_800;
const NAME_LENGTH_MAX = 5_000;
const ACCOUNT = '/api/accounts/{account_id}';
const WORKSPACE = `${ACCOUNT}/workspaces/{workspace_id}`;

export interface PrefectBot {
  readonly id: string;
  readonly actorId: string;
  readonly name: string;
  /** `Admin` may do with service accounts what the user may; every other role may not. */
  readonly role: string;
  /** Scopes of its role in the workspace; empty: it is no member there. */
  readonly scopes: readonly string[];
  readonly createdAt: number;
}

export interface PrefectCloudState {
  /** The one user, an admin of the one account, which has one workspace. */
  readonly userId: string;
  readonly accountId: string;
  readonly workspaceId: string;
  readonly bots: Map<string, PrefectBot>;
  readonly flows: { readonly id: string; readonly name: string; readonly createdAt: number }[];
  /**
   * `honoured`: the old key of a rotation lives exactly as long as it was told, and dies at once where it was told nothing, null or 0, as the
   * document says. `ignored`: it always dies at once.
   */
  grace: 'honoured' | 'ignored';
  readonly log: PrefectLog;
}

type Context = KitContext<PrefectCloudState>;

function failure(status: number, detail: string): KitAnswer {
  return { status, body: { detail } };
}

function invalid(field: string, msg: string): KitAnswer {
  return { status: 422, body: { detail: [{ loc: ['body', field], msg, type: 'value_error' }] } };
}

/** As much of what the roles of the account and of the workspace hold as anybody here asks about. Only keys are refused for want of it. */
const MEMBER = ['read:account'];
const ADMIN = [...MEMBER, 'create:bot', 'read:bot', 'update:bot', 'delete:bot', 'read:audit_event'];
const OWNER = ['see_flows', 'run_flows', 'manage_flows', 'see_deployments', 'run_deployments', 'see_secret_blocks'];

const NOT_FOUND = failure(404, 'Not Found');
const FORBIDDEN = failure(403, 'Missing required permissions');

export function newPrefectKey(random: Prng, prefix: 'pnu' | 'pnb'): string {
  return `${prefix}_canary${random.text(30, ALPHANUMERIC)}`;
}

function timestamp(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function brief(key: KitKey): Json {
  const text = key.parts['key']!;
  return {
    id: key.id,
    created: timestamp(key.createdAt),
    name: key.name,
    // A key in its grace expires when that is over.
    expiration: timestamp(key.diesAt ?? key.expiresAt),
    masked_key: `${text.slice(0, 4)}...${text.slice(-4)}`,
  };
}

/** The answer of a creation: the only one that shows the key. */
function shown(key: KitKey): Json {
  const { id, name, createdAt, expiresAt, parts } = key;
  return { id, created: timestamp(createdAt), name, expiration: timestamp(expiresAt), key: parts['key']! };
}

/** A name and an end out of a body; an answer where they are not of their form. */
function wanted(
  body: Json | undefined,
  fields: { name: string; end: string },
): { name: string; endsAt: number | null } | KitAnswer {
  const name = member(body, fields.name);
  if (typeof name !== 'string' || name.length > NAME_LENGTH_MAX)
    return invalid(fields.name, 'Input should be a valid string');
  const endsAt = endOf(body, fields.end);
  return endsAt === undefined ? invalid(fields.end, 'Input should be a valid datetime') : { name, endsAt };
}

function endOf(body: Json | undefined, field: string): number | null | undefined {
  const text = member(body, field) ?? null;
  if (text === null) return null;
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function isOfUser({ key, state }: Context): boolean {
  return key!.account === state.userId;
}

function mayManageBots({ key, state }: Context): boolean {
  return key!.account === state.userId || state.bots.get(key!.account)?.role === 'Admin';
}

/** A route below the user: for their own keys alone. */
function ofUser(handle: (context: Context) => KitAnswer): (context: Context) => KitAnswer {
  return (context) =>
    context.params['id'] !== context.state.userId ? NOT_FOUND : isOfUser(context) ? handle(context) : FORBIDDEN;
}

/** A route below a service account. */
function ofBot(handle: (context: Context, bot: PrefectBot) => KitAnswer): (context: Context) => KitAnswer {
  return (context) => {
    const { params, state } = context;
    const bot = state.bots.get(params['id']!);
    if (params['account_id'] !== state.accountId || bot === undefined) return NOT_FOUND;
    return mayManageBots(context) ? handle(context, bot) : FORBIDDEN;
  };
}

/** Who sends a request, as the log names them. */
function doerOf({ key, state }: Context): PrefectLog['person'] {
  const bot = state.bots.get(key!.account);
  return bot === undefined ? state.log.person : { id: bot.actorId, name: bot.name };
}

function inAccount(handle: (context: Context) => KitAnswer): (context: Context) => KitAnswer {
  return (context) => (context.params['account_id'] === context.state.accountId ? handle(context) : NOT_FOUND);
}

/** Not a member, or no such workspace: the same answer. */
function inWorkspace(handle: (context: Context) => KitAnswer): (context: Context) => KitAnswer {
  return inAccount((context) =>
    context.params['workspace_id'] === context.state.workspaceId ? handle(context) : NOT_FOUND,
  );
}

/** The newest key of a service account that no end was set for: what a rotation replaces. */
function activeOf(keys: readonly KitKey[], bot: PrefectBot, now: number): KitKey | undefined {
  return keys.findLast((key) => key.account === bot.id && key.diesAt === null && isAlive(key, now));
}

function botAnswer(bot: PrefectBot, state: PrefectCloudState, apiKey: Json): Json {
  return {
    id: bot.id,
    created: timestamp(bot.createdAt),
    updated: timestamp(bot.createdAt),
    actor_id: bot.actorId,
    account_id: state.accountId,
    name: bot.name,
    account_role_name: bot.role,
    api_key: apiKey,
  };
}

/** Makes a service account as a person does, without a key. */
export function addBot(
  state: PrefectCloudState,
  random: Prng,
  bot: Pick<PrefectBot, 'name'> & Partial<PrefectBot>,
): PrefectBot {
  const made = { id: random.uuid(), actorId: random.uuid(), role: 'Member', scopes: [], createdAt: 0, ...bot };
  state.bots.set(made.id, made);
  return made;
}

function rotate(context: Context, bot: PrefectBot): KitAnswer {
  const { request, random, now, state, keys, faults, create } = context;
  const endsAt = endOf(request.body, 'api_key_expiration');
  if (endsAt === undefined) return invalid('api_key_expiration', 'Input should be a valid datetime');
  const grace = member(request.body, 'old_key_expires_in_seconds') ?? null;
  const isGrace =
    grace === null || (Number.isInteger(grace) && Number(grace) >= 0 && Number(grace) <= GRACE_MAX_SECONDS);
  if (!isGrace) return invalid('old_key_expires_in_seconds', 'Input should be between 0 and 172800');
  const old = activeOf(keys.all(), bot, now);
  const parts = { key: newPrefectKey(random, 'pnb') };
  return create({ kind: 'service-account-key', name: bot.name, account: bot.id, parts, expiresAt: endsAt }, (made) => {
    const isIgnored = state.grace === 'ignored' || faults.strike('grace-ignored', 'create-key') !== null;
    const graceMs = isIgnored ? 0 : Number(grace ?? 0) * 1000;
    if (old !== undefined) {
      old.diesAt = Math.min(old.diesAt ?? Number.POSITIVE_INFINITY, now + graceMs);
      if (graceMs === 0) old.revokedAt = now;
      state.log.rotated({ old, made }, doerOf(context), now);
    }
    state.log.doers.set(made.id, doerOf(context));
    return { status: 201, body: botAnswer(bot, state, shown(made)) };
  });
}

const meRoutes: KitDefinition<PrefectCloudState>['routes'] = [
  {
    line: 'GET /api/me/',
    class: 'auth',
    asks: 'key',
    handle: (context) =>
      isOfUser(context)
        ? {
            status: 200,
            body: {
              id: context.state.userId,
              handle: 'a-user',
              first_name: 'A',
              last_name: 'User',
              email: 'user@example.com',
              personal_account_id: null,
            },
          }
        : failure(403, 'Only users (not service accounts) can access this endpoint.'),
  },
  {
    line: 'GET /api/me/workspaces',
    class: 'auth',
    asks: 'key',
    handle: ({ state }) => ({
      status: 200,
      body: [
        {
          account_id: state.accountId,
          account_name: 'An account',
          account_handle: 'an-account',
          workspace_id: state.workspaceId,
          workspace_name: 'default',
          workspace_description: '',
          workspace_handle: 'default',
        },
      ],
    }),
  },
  {
    line: 'GET /api/me/accounts/{account_id}/permissions',
    class: 'other',
    asks: 'key',
    handle: inAccount((context) => ({ status: 200, body: mayManageBots(context) ? ADMIN : MEMBER })),
  },
  {
    line: 'GET /api/me/workspaces/{workspace_id}/scopes',
    class: 'other',
    asks: 'key',
    handle({ key, params, state }) {
      if (params['workspace_id'] !== state.workspaceId) return NOT_FOUND;
      return { status: 200, body: [...(state.bots.get(key!.account)?.scopes ?? OWNER)] };
    },
  },
];

const userRoutes: KitDefinition<PrefectCloudState>['routes'] = [
  {
    line: 'POST /api/users/{id}/api_keys',
    class: 'create-key',
    asks: 'key',
    handle: ofUser(({ request, random, state, create }) => {
      const asked = wanted(request.body, { name: 'name', end: 'expiration' });
      if ('status' in asked) return asked;
      const parts = { key: newPrefectKey(random, 'pnu') };
      return create(
        { kind: 'user-key', name: asked.name, account: state.userId, parts, expiresAt: asked.endsAt },
        (made) => ({
          status: 201,
          body: shown(made),
        }),
      );
    }),
  },
  {
    line: 'GET /api/users/{id}/api_keys',
    class: 'list-keys',
    asks: 'key',
    handle: ofUser(({ state, listed }) => ({
      status: 200,
      body: listed((key) => key.account === state.userId).map(brief),
    })),
  },
  {
    line: 'DELETE /api/users/{id}/api_keys/{api_key_id}',
    class: 'revoke-key',
    asks: 'key',
    handle: ofUser(({ params, keys, end, state }) => {
      const found = keys.byId(params['api_key_id']!);
      if (found === null || found.revokedAt !== null || found.account !== state.userId) return NOT_FOUND;
      return end(found, { status: 204, body: null });
    }),
  },
];

const botRoutes: KitDefinition<PrefectCloudState>['routes'] = [
  {
    line: `POST ${ACCOUNT}/bots/`,
    class: 'create-key',
    asks: 'key',
    handle: inAccount((context) => {
      const { request, random, now, state, create } = context;
      if (!mayManageBots(context)) return FORBIDDEN;
      const asked = wanted(request.body, { name: 'name', end: 'api_key_expiration' });
      if ('status' in asked) return asked;
      const bot = addBot(state, random, { name: asked.name, createdAt: now });
      const parts = { key: newPrefectKey(random, 'pnb') };
      return create(
        { kind: 'service-account-key', name: bot.name, account: bot.id, parts, expiresAt: asked.endsAt },
        (made) => {
          state.log.doers.set(made.id, doerOf(context));
          return { status: 201, body: botAnswer(bot, state, shown(made)) };
        },
      );
    }),
  },
  {
    line: `POST ${ACCOUNT}/bots/{id}/rotate_api_key`,
    class: 'create-key',
    asks: 'key',
    handle: ofBot(rotate),
  },
  {
    line: `GET ${ACCOUNT}/bots/{id}/read_bot_api_keys`,
    class: 'list-keys',
    asks: 'key',
    handle: ofBot(({ listed, now }, bot) => {
      const all = listed((key) => key.account === bot.id && (key.diesAt === null || now < key.diesAt));
      const active = activeOf(all, bot, now) ?? null;
      const rotating = all.filter((key) => key !== active).map(brief);
      return { status: 200, body: { active_key: active === null ? null : brief(active), rotating_keys: rotating } };
    }),
  },
  {
    line: `DELETE ${ACCOUNT}/bots/{id}/delete_bot_api_key/{api_key_id}`,
    class: 'revoke-key',
    asks: 'key',
    handle: ofBot((context, bot) => {
      const { params, keys, end, now, state } = context;
      const found = keys.byId(params['api_key_id']!);
      if (found === null || found.account !== bot.id || found.revokedAt !== null || !isAlive(found, now))
        return NOT_FOUND;
      state.log.doers.set(found.id, doerOf(context));
      return end(found, { status: 200, body: null });
    }),
  },
];

function flowAnswer({ id, name, createdAt }: PrefectCloudState['flows'][number]): Json {
  return { id, created: timestamp(createdAt), updated: timestamp(createdAt), name, tags: [], labels: {} };
}

const workspaceRoutes: KitDefinition<PrefectCloudState>['routes'] = [
  {
    line: `POST ${WORKSPACE}/flows/`,
    class: 'other',
    asks: 'key',
    handle: inWorkspace(({ request, random, now, state }) => {
      const name = member(request.body, 'name');
      if (typeof name !== 'string') return invalid('name', 'Input should be a valid string');
      const before = state.flows.find((flow) => flow.name === name);
      const flow = before ?? { id: random.uuid(), name, createdAt: now };
      if (before === undefined) state.flows.push(flow);
      return { status: 201, body: flowAnswer(flow) };
    }),
  },
  {
    line: `POST ${WORKSPACE}/flows/filter`,
    class: 'other',
    asks: 'key',
    handle: inWorkspace(({ state }) => ({ status: 200, body: state.flows.map(flowAnswer) })),
  },
];

/** The log of an account whose plan has one, for those that the user and an admin are. */
function asAuditor(handle: (context: Context) => KitAnswer): (context: Context) => KitAnswer {
  return inAccount((context) => (context.state.log.isInPlan && mayManageBots(context) ? handle(context) : FORBIDDEN));
}

export const prefectCloudTwin: KitDefinition<PrefectCloudState> = {
  name: 'prefect-cloud',
  state(random) {
    const [userId, accountId, workspaceId] = [random.uuid(), random.uuid(), random.uuid()];
    const log = prefectLog({ id: userId, name: 'a-user' });
    return { userId, accountId, workspaceId, bots: new Map(), flows: [], grace: 'honoured', log };
  },
  newId: (random) => random.uuid(),
  keyOf: (request, keys) => keys.byText(bearerOf(request)),
  // Missing, unknown, deleted and expired: one answer.
  refused: () => failure(401, 'Invalid authentication credentials'),
  notFound(request) {
    // A collection without its final slash: the client is sent to where it is.
    if (request.method !== 'POST' || !/\/(?:bots|flows)$/.test(request.path)) return NOT_FOUND;
    const location = `http://${request.headers['host'] ?? ''}${request.path}/`;
    return { status: 307, body: null, headers: { location } };
  },
  rateLimited: (retryAfter) => ({
    ...failure(429, 'Too many requests'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => failure(status, 'Internal Server Error'),
  routes: [...meRoutes, ...userRoutes, ...botRoutes, ...logRoutes(asAuditor), ...workspaceRoutes],
};
