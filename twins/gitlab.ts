// A twin of GitLab's access tokens: shapes follow GitLab's API pages and the types of its Go client, the texts of its refusals its source.
// It has the trap of token families: who rotates a token that has ended ends what came of it. A stand-in for tests and demonstrations;
// docs/providers/gitlab.md says what was never compared with a real instance.
import type { Json } from '../src/model/json.ts';
import {
  bearerOf,
  type KitAnswer,
  type KitContext,
  type KitDefinition,
  type KitKey,
  type KitRoute,
  member,
} from './kit.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

const DAY_MS = 86_400_000;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const LEVELS = [10, 15, 20, 30, 40, 50];

function failure(status: number, message: string): KitAnswer {
  return { status, body: { message } };
}

function invalidToken(description: string): KitAnswer {
  return { status: 401, body: { error: 'invalid_token', error_description: description } };
}

export function newGitlabToken(random: Prng): string {
  return `glpat-canary${random.text(14, ALPHANUMERIC)}`;
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function entity(key: KitKey, now: number): { readonly [name: string]: Json } {
  const isExpired = key.expiresAt !== null && now >= key.expiresAt;
  const level = key.more['level'];
  return {
    id: Number(key.id),
    name: key.name,
    revoked: key.revokedAt !== null,
    created_at: new Date(key.createdAt).toISOString(),
    description: '',
    scopes: [...key.scopes],
    user_id: Number(key.more['user']),
    last_used_at: key.lastUsedAt === null ? null : new Date(key.lastUsedAt).toISOString(),
    active: key.revokedAt === null && !isExpired,
    expires_at: key.expiresAt === null ? null : dateOf(key.expiresAt),
    ...(level === undefined ? {} : { access_level: level }),
  };
}

function withToken(key: KitKey, now: number): Json {
  return { ...entity(key, now), token: key.parts['key']! };
}

export interface GitlabState {
  /** Paths of projects and groups by their number. */
  readonly projects: ReadonlyMap<string, string>;
  readonly groups: ReadonlyMap<string, string>;
  /** The longest life of a token; what one gets that is asked for without an end. */
  readonly lifetimeMaxMs: number;
  /** Scopes that every new token gets, whatever was asked for; null is what was asked for. */
  otherScopes: readonly string[] | null;
  users: number;
}

type Resource = 'project' | 'group';

/** `project:42`, whether it was named by its number or its path; null where there is none. */
function resourceOf(state: GitlabState, resource: Resource, named: string): string | null {
  const all = resource === 'project' ? state.projects : state.groups;
  const found = [...all].find(([id, path]) => id === named || path === named);
  return found === undefined ? null : `${resource}:${found[0]}`;
}

/** The end of a new token, UTC milliseconds; null where what was asked for is refused. */
function endOf(asked: Json | undefined, now: number, maxMs: number): number | null {
  const latest = Math.floor((now + maxMs) / DAY_MS) * DAY_MS;
  if (asked === undefined || asked === null) return latest;
  const end = typeof asked === 'string' && DATE.test(asked) ? Date.parse(asked) : Number.NaN;
  return end > now && end <= latest ? end : null;
}

function create({ request, now, random, state, create: make }: KitContext<GitlabState>, account: string): KitAnswer {
  const scopes = member(request.body, 'scopes');
  const name = member(request.body, 'name');
  const level = member(request.body, 'access_level') ?? 40;
  if (typeof name !== 'string' || name === '') return { status: 400, body: { error: 'name is missing' } };
  if (!Array.isArray(scopes) || scopes.length === 0) return failure(400, '400 Bad request - Scopes can not be blank');
  if (!LEVELS.includes(Number(level)))
    return { status: 400, body: { error: 'access_level does not have a valid value' } };
  const expiresAt = endOf(member(request.body, 'expires_at'), now, state.lifetimeMaxMs);
  if (expiresAt === null) return failure(400, '400 Bad request - Expiration date is not allowed');
  // Each token has a bot user of its own.
  state.users++;
  const user = 1_000 + state.users;
  return make(
    {
      kind: account.startsWith('project:') ? 'project-token' : 'group-token',
      name,
      account,
      scopes: state.otherScopes ?? scopes.map(String),
      expiresAt,
      parts: { key: newGitlabToken(random) },
      more: { level, user, family: user },
    },
    (made) => ({ status: 201, body: withToken(made, now) }),
  );
}

function rotate({ keys, params, now, random, create: make, end }: KitContext<GitlabState>, account: string): KitAnswer {
  const found = keys.byId(params['id']!);
  if (found === null || found.account !== account) return failure(401, '401 Unauthorized');
  if (found.revokedAt !== null) {
    // Reuse: whoever asks has an old token, so all of its kin may be stolen.
    for (const kin of keys.all()) if (kin.more['family'] === found.more['family']) end(kin, failure(401, ''));
    return failure(401, '401 Unauthorized');
  }
  end(found, failure(200, ''));
  return make(
    {
      ...found,
      id: String(10_000 + keys.all().length),
      expiresAt: now + 7 * DAY_MS,
      parts: { key: newGitlabToken(random) },
    },
    (made) => ({ status: 200, body: withToken(made, now) }),
  );
}

function list({ request, keys, now, listed }: KitContext<GitlabState>, account: string): KitAnswer {
  const active = listed((key) => key.account === account);
  // What has ended stays in the list, and says so.
  const ended = keys.all().filter((key) => key.account === account && key.revokedAt !== null && !active.includes(key));
  const size = Number(request.query.get('per_page') ?? '20');
  const start = (Number(request.query.get('page') ?? '1') - 1) * size;
  return { status: 200, body: [...active, ...ended].slice(start, start + size).map((key) => entity(key, now)) };
}

function revoke({ params, keys, end }: KitContext<GitlabState>, account: string, resource: Resource): KitAnswer {
  const id = params['id']!;
  const found = keys.byId(id);
  if (found === null || found.revokedAt !== null || found.account !== account)
    return failure(404, `404 Could not find ${resource} access token with token_id: ${id} Not Found`);
  return end(found, { status: 204, body: null });
}

function routesOf(resource: Resource): KitRoute<GitlabState>[] {
  const tokens = `/api/v4/${resource}s/{resource}/access_tokens`;
  const guarded =
    (handle: (context: KitContext<GitlabState>, account: string, resource: Resource) => KitAnswer) =>
    (context: KitContext<GitlabState>): KitAnswer => {
      const account = resourceOf(context.state, resource, context.params['resource']!);
      if (account === null) return failure(404, `404 ${resource === 'project' ? 'Project' : 'Group'} Not Found`);
      // "You must use a personal access token with this endpoint."
      if (context.key!.kind !== 'personal-token') return failure(403, '403 Forbidden');
      if (!context.key!.scopes.includes('api'))
        return {
          status: 403,
          body: { error: 'insufficient_scope', error_description: 'The request requires higher privileges' },
        };
      return handle(context, account, resource);
    };
  return [
    { line: `POST ${tokens}`, class: 'create-key', asks: 'key', handle: guarded(create) },
    { line: `GET ${tokens}`, class: 'list-keys', asks: 'key', handle: guarded(list) },
    { line: `DELETE ${tokens}/{id}`, class: 'revoke-key', asks: 'key', handle: guarded(revoke) },
    { line: `POST ${tokens}/{id}/rotate`, class: 'create-key', asks: 'key', handle: guarded(rotate) },
  ];
}

export const gitlabTwin: KitDefinition<GitlabState> = {
  name: 'gitlab',
  state: () => ({
    projects: new Map([['42', 'group/twin']]),
    groups: new Map([['7', 'group/below']]),
    lifetimeMaxMs: 365 * DAY_MS,
    otherScopes: null,
    users: 0,
  }),
  keyOf: (request, keys) => keys.byText(request.headers['private-token'] ?? bearerOf(request)),
  refused(why) {
    if (why === 'ended') return invalidToken('Token was revoked. You have to re-authorize from the user.');
    if (why === 'expired')
      return invalidToken('Token is expired. You can either do re-authorization or token refresh.');
    return failure(401, '401 Unauthorized');
  },
  notFound: () => ({ status: 404, body: { error: '404 Not Found' } }),
  rateLimited: (retryAfter) => ({
    status: 429,
    body: 'Retry later',
    headers: { 'content-type': 'text/plain', ...(retryAfter === null ? {} : { 'retry-after': retryAfter }) },
  }),
  serverError: (status) => failure(status, '500 Internal Server Error'),
  routes: [
    {
      line: 'GET /api/v4/personal_access_tokens/self',
      class: 'auth',
      asks: 'key',
      handle: ({ key, now }) => ({ status: 200, body: entity({ ...key!, more: { user: key!.more['user']! } }, now) }),
    },
    ...routesOf('project'),
    ...routesOf('group'),
  ],
};
