// A twin of Datadog's keys: shapes follow Datadog's OpenAPI documents v1 and v2. A stand-in for tests and demonstrations;
// docs/providers/datadog.md says what was never compared with the live service. A request shows two keys: both must be alive.
import type { Json } from '../src/model/json.ts';
import { isAlive, type KitAnswer, type KitContext, type KitDefinition, type KitKey, member } from './kit.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

const LOWER = 'abcdefghijklmnopqrstuvwxyz0123456789';
const PAGE_MAX = 100;
const VALIDATE = '/api/v1/validate';

export const newApiKey = (random: Prng) => `canary${random.text(26, LOWER)}`;
export const newApplicationKey = (random: Prng) => `ddapp_canary${random.text(28, ALPHANUMERIC)}`;

function failure(status: number, message: string): KitAnswer {
  return { status, body: { errors: [message] } };
}

const at = (ms: number) => new Date(ms).toISOString();

function shown(key: KitKey, secret: Readonly<Record<string, string>> = {}): Json {
  const used = key.lastUsedAt === null ? null : at(key.lastUsedAt);
  const isApi = key.kind === 'api-key';
  const own: Readonly<Record<string, Json>> = isApi
    ? { date_last_used: used }
    : { last_used_at: used, scopes: key.scopes.length === 0 ? null : [...key.scopes] };
  const last4 = (key.parts['key'] ?? key.parts['appKey'] ?? '').slice(-4);
  const attributes = { name: key.name, created_at: at(key.createdAt), last4, ...own, ...secret };
  return { id: key.id, type: isApi ? 'api_keys' : 'application_keys', attributes };
}

function page(context: KitContext<null>, matches: (key: KitKey) => boolean): KitAnswer {
  const { query } = context.request;
  const size = Math.min(Number(query.get('page[size]') ?? '10'), PAGE_MAX);
  const from = Number(query.get('page[number]') ?? '0') * size;
  const all = context.listed(matches);
  return {
    status: 200,
    body: {
      data: all.slice(from, from + size).map((key) => shown(key)),
      meta: { page: { total_filtered_count: all.length } },
    },
  };
}

/** The API key beside the application key, where it is alive. */
function withBoth(handle: (context: KitContext<null>) => KitAnswer): (context: KitContext<null>) => KitAnswer {
  return (context) => {
    const apiKey = context.keys.byText(context.request.headers['dd-api-key'] ?? '');
    const isRight = apiKey !== null && apiKey.kind !== 'service-account-key' && isAlive(apiKey, context.now);
    return isRight ? handle(context) : failure(403, 'Forbidden');
  };
}

function attributesOf(body: Json | undefined): { name: string; scopes: string[] } | null {
  const attributes = member(member(body, 'data'), 'attributes');
  const name = member(attributes, 'name');
  const scopes = member(attributes, 'scopes');
  if (typeof name !== 'string' || name === '') return null;
  return { name, scopes: Array.isArray(scopes) ? scopes.map(String) : [] };
}

function end(context: KitContext<null>, matches: (key: KitKey) => boolean): KitAnswer {
  const found = context.keys.byId(context.params['id']!);
  if (found === null || found.revokedAt !== null || !matches(found)) return failure(404, 'Not found');
  return context.end(found, { status: 204, body: null });
}

function create(context: KitContext<null>, kind: 'api-key' | 'service-account-key'): KitAnswer {
  const attributes = attributesOf(context.request.body);
  if (attributes === null) return failure(400, 'name is required');
  const part: Record<string, string> =
    kind === 'api-key' ? { key: newApiKey(context.random) } : { appKey: newApplicationKey(context.random) };
  const more: Record<string, string> = kind === 'api-key' ? {} : { account: context.params['account']! };
  const { account } = context.key!;
  return context.create({ ...attributes, kind, account, parts: part, more }, (made) => ({
    status: 201,
    body: { data: shown(made, { key: Object.values(made.parts)[0]! }) },
  }));
}

const ofAccount = (context: KitContext<null>) => (key: KitKey) =>
  key.kind === 'service-account-key' && key.more['account'] === context.params['account'];
const isApiKey = (key: KitKey) => key.kind === 'api-key';
const ACCOUNT_KEYS = '/api/v2/service_accounts/{account}/application_keys';

export const datadogTwin: KitDefinition<null> = {
  name: 'datadog',
  state: () => null,
  newId: (random) => random.uuid(),
  keyOf({ path, headers }, keys) {
    const name = path === VALIDATE ? 'dd-api-key' : 'dd-application-key';
    const key = keys.byText(headers[name] ?? '');
    return key !== null && (path === VALIDATE) === (key.kind === 'api-key') ? key : null;
  },
  refused: () => failure(403, 'Forbidden'),
  notFound: () => failure(404, 'Not found'),
  rateLimited: (retryAfter) => ({
    ...failure(429, 'Rate limit of 10 requests in 10 seconds reached'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => failure(status, 'Internal Server Error'),
  routes: [
    { line: `GET ${VALIDATE}`, class: 'auth', asks: 'key', handle: () => ({ status: 200, body: { valid: true } }) },
    {
      line: 'GET /api/v2/validate_keys',
      class: 'auth',
      asks: 'key',
      handle: withBoth(() => ({ status: 200, body: { status: 'ok' } })),
    },
    {
      line: 'GET /api/v2/api_keys',
      class: 'list-keys',
      asks: 'key',
      handle: withBoth((context) => page(context, isApiKey)),
    },
    {
      line: 'POST /api/v2/api_keys',
      class: 'create-key',
      asks: 'key',
      handle: withBoth((context) => create(context, 'api-key')),
    },
    {
      line: 'DELETE /api/v2/api_keys/{id}',
      class: 'revoke-key',
      asks: 'key',
      handle: withBoth((context) => end(context, isApiKey)),
    },
    {
      line: `GET ${ACCOUNT_KEYS}`,
      class: 'list-keys',
      asks: 'key',
      handle: withBoth((context) => page(context, ofAccount(context))),
    },
    {
      line: `POST ${ACCOUNT_KEYS}`,
      class: 'create-key',
      asks: 'key',
      handle: withBoth((context) => create(context, 'service-account-key')),
    },
    {
      line: `DELETE ${ACCOUNT_KEYS}/{id}`,
      class: 'revoke-key',
      asks: 'key',
      handle: withBoth((context) => end(context, ofAccount(context))),
    },
  ],
};
