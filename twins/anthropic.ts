// A twin of Anthropic's administration of API keys: shapes follow Anthropic's client library 1.11. A stand-in for tests and demonstrations;
// docs/providers/anthropic.md says what was never compared with the live service.
import type { Json } from '../src/model/json.ts';
import { isAlive, type KitAnswer, type KitContext, type KitDefinition, type KitKey, member } from './kit.ts';
import type { Prng } from './prng.ts';

const KEY_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';
const ID_ALPHABET = 'ABCDEFGHJKMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789';
const PAGE_MAX = 1000;

export interface AnthropicState {
  readonly organizationId: string;
  /** Ids of keys that are switched off and may be switched on again. */
  readonly inactive: Set<string>;
}

function failure(status: number, type: string, message: string): KitAnswer {
  return { status, body: { type: 'error', error: { type, message }, request_id: 'req_twin' } };
}

function newText(random: Prng, prefix: string): string {
  return `${prefix}canary${random.text(87, KEY_ALPHABET)}AA`;
}
export const newApiKey = (random: Prng) => newText(random, 'sk-ant-api03-');
export const newAdminKey = (random: Prng) => newText(random, 'sk-ant-admin01-');

type Context = KitContext<AnthropicState>;

function statusOf(key: KitKey, { state, now }: Context): string {
  if (key.revokedAt !== null) return 'archived';
  if (state.inactive.has(key.id)) return 'inactive';
  return isAlive(key, now) ? 'active' : 'expired';
}

function apiKey(key: KitKey, context: Context): Json {
  return {
    id: key.id,
    created_at: new Date(key.createdAt).toISOString(),
    created_by: { id: 'user_twin', type: 'user' },
    expires_at: key.expiresAt === null ? null : new Date(key.expiresAt).toISOString(),
    name: key.name,
    partial_key_hint: `sk-ant-api03-R2D...${key.parts['key']!.slice(-4)}`,
    principal: null,
    scope: { type: 'workspace', workspace_id: String(key.more['workspace'] ?? 'wrkspc_default') },
    status: statusOf(key, context),
    type: 'api_key',
  };
}

function adminOnly(handle: (context: Context) => KitAnswer): (context: Context) => KitAnswer {
  return (context) =>
    context.key?.kind === 'admin-key' ? handle(context) : failure(403, 'permission_error', 'An admin key is needed.');
}

function list(context: Context): KitAnswer {
  const { query } = context.request;
  const present = context.listed((key) => key.kind === 'api-key');
  // Archived keys stay in the list for ever.
  const archived = context.keys.all().filter((key) => key.kind === 'api-key' && key.revokedAt !== null);
  const all = [...present, ...archived.filter((key) => !present.includes(key))]
    .map((key) => apiKey(key, context))
    .filter((key) => !query.has('status') || member(key, 'status') === query.get('status'));
  const limit = Math.min(Number(query.get('limit') ?? '20'), PAGE_MAX);
  const after = query.get('after_id');
  const from = after === null ? 0 : all.findIndex((key) => member(key, 'id') === after) + 1;
  const data = all.slice(from, from + limit);
  const idAt = (at: number) => member(data.at(at), 'id') ?? null;
  return {
    status: 200,
    body: { data, has_more: from + limit < all.length, first_id: idAt(0), last_id: idAt(-1) },
  };
}

function update(context: Context): KitAnswer {
  const { request, params, keys, state, now } = context;
  const key = keys.all().find((one) => one.kind === 'api-key' && one.id === params['id']);
  if (key === undefined) return failure(404, 'not_found_error', 'API key not found.');
  const status = member(request.body, 'status');
  if (status === 'archived') {
    // What was archived is archived, whether the key was ended or a fault only says so.
    const said = { ...(apiKey(key, context) as Record<string, Json>), status: 'archived' };
    return context.end(key, { status: 200, body: said });
  }
  if (key.revokedAt !== null) return failure(400, 'invalid_request_error', 'The API key is archived.');
  if (status === 'inactive') {
    state.inactive.add(key.id);
    key.diesAt = now;
  } else if (status === 'active' && state.inactive.delete(key.id)) key.diesAt = null;
  return { status: 200, body: apiKey(key, context) };
}

export const anthropicTwin: KitDefinition<AnthropicState> = {
  name: 'anthropic',
  state: (random) => ({ organizationId: random.uuid(), inactive: new Set() }),
  newId: (random) => `apikey_01${random.text(22, ID_ALPHABET)}`,
  keyOf: (request, keys) => keys.byText(request.headers['x-api-key'] ?? ''),
  refused: () => failure(401, 'authentication_error', 'invalid x-api-key'),
  notFound: () => failure(404, 'not_found_error', 'Not found'),
  rateLimited: (retryAfter) => ({
    ...failure(429, 'rate_limit_error', 'This would exceed the rate limit.'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => failure(status, 'api_error', 'Internal server error'),
  routes: [
    {
      line: 'GET /v1/models',
      class: 'auth',
      asks: 'key',
      handle: () => ({ status: 200, body: { data: [], has_more: false, first_id: null, last_id: null } }),
    },
    {
      line: 'GET /v1/organizations/me',
      class: 'auth',
      asks: 'key',
      handle: adminOnly(({ state }) => ({
        status: 200,
        body: { id: state.organizationId, name: 'Twin', type: 'organization' },
      })),
    },
    { line: 'GET /v1/organizations/api_keys', class: 'list-keys', asks: 'key', handle: adminOnly(list) },
    { line: 'POST /v1/organizations/api_keys/{id}', class: 'revoke-key', asks: 'key', handle: adminOnly(update) },
  ],
};
