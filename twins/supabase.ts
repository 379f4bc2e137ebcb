// A twin of Supabase: the API keys of projects in its Management API, whose shapes follow its OpenAPI document (1.0.0), and one address of a
// project's own services, behind the gateway that checks the key. Both answer at one origin here. A stand-in for tests and demonstrations;
// docs/providers/supabase.md says what was never compared with the live service.
import type { Json } from '../src/model/json.ts';
import { bearerOf, type KitAnswer, type KitDefinition, type KitKey, type KitRequest, member } from './kit.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

const HEX = '0123456789abcdef';
const NAME = /^[a-z_][a-z0-9_]{3,63}$/;

function failure(status: number, message: string): KitAnswer {
  return { status, body: { message } };
}

export function newSecretKey(random: Prng): string {
  return `sb_secret_canary${random.text(26, ALPHANUMERIC)}_${random.text(8, ALPHANUMERIC)}`;
}

export function newPersonalToken(random: Prng): string {
  return `sbp_canary${random.text(34, HEX)}`;
}

function isManagement(request: KitRequest): boolean {
  return request.path.startsWith('/v1/');
}

function shown(key: KitKey, isRevealed: boolean): Json {
  const text = key.parts['key']!;
  return {
    name: key.name,
    id: key.id,
    type: 'secret',
    api_key: isRevealed ? text : `${text.slice(0, 15)}··········`,
    prefix: text.slice(10, 15),
    description: null,
    hash: null,
    secret_jwt_template: { role: key.scopes[0]! },
    inserted_at: new Date(key.createdAt).toISOString(),
    updated_at: new Date(key.createdAt).toISOString(),
  };
}

/** What every project has beside its secret keys, without an id of its own. */
const OTHERS: readonly Json[] = [
  { name: 'anon', api_key: 'eyJ-canary-anon', id: null, type: 'legacy', hash: null, prefix: null, description: null },
  { name: 'default', api_key: 'sb_publishable_canary', id: 'd0', type: 'publishable', description: null },
];

export interface SupabaseState {
  readonly projects: Map<string, string>;
  /** The role that a new key gets, whatever was asked for; null is what was asked for. */
  otherRole: string | null;
}

export const supabaseTwin: KitDefinition<SupabaseState> = {
  name: 'supabase',
  state: () => ({ projects: new Map([['abcdefghijklmnopqrst', 'Twin']]), otherRole: null }),
  newId: (random) => random.uuid(),
  keyOf(request, keys) {
    const text = isManagement(request) ? bearerOf(request) : (request.headers['apikey'] ?? '');
    const key = keys.byText(text);
    return key !== null && (key.kind === 'personal-token') === isManagement(request) ? key : null;
  },
  refused(_why, request) {
    if (isManagement(request)) return failure(401, 'Unauthorized');
    const hint = 'Double check the provided API key as it is not registered for this project.';
    return { status: 401, body: { message: 'Unregistered API key', hint } };
  },
  notFound: () => failure(404, 'Not Found'),
  rateLimited: (retryAfter) => ({
    ...failure(429, 'ThrottlerException: Too Many Requests'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => failure(status, 'Internal Server Error'),
  routes: [
    {
      line: 'GET /auth/v1/settings',
      class: 'auth',
      asks: 'key',
      handle: () => ({ status: 200, body: { external: { email: true }, disable_signup: false } }),
    },
    {
      line: 'GET /v1/projects',
      class: 'auth',
      asks: 'key',
      handle: ({ state, now }) => ({
        status: 200,
        body: [...state.projects].map(([ref, name]) => ({
          id: ref,
          ref,
          name,
          organization_id: 'twin',
          organization_slug: 'twin',
          region: 'eu-central-1',
          created_at: new Date(now).toISOString(),
          status: 'ACTIVE_HEALTHY',
          database: { host: `db.${ref}.supabase.co`, version: '17.6', postgres_engine: '17', release_channel: 'ga' },
        })),
      }),
    },
    {
      line: 'POST /v1/projects/{ref}/api-keys',
      class: 'create-key',
      asks: 'key',
      handle({ request, params, keys, state, random, create }) {
        const ref = params['ref']!;
        if (!state.projects.has(ref)) return failure(403, 'Forbidden');
        const name = member(request.body, 'name');
        const role = member(member(request.body, 'secret_jwt_template'), 'role');
        if (typeof name !== 'string' || !NAME.test(name)) return failure(400, 'name must match /^[a-z_][a-z0-9_]+$/');
        if (member(request.body, 'type') !== 'secret') return failure(400, 'type must be secret');
        if (keys.all().some((one) => one.account === ref && one.name === name && one.revokedAt === null))
          return failure(409, 'an API key of this name exists');
        const scopes = [state.otherRole ?? String(role)];
        return create(
          { kind: 'secret-key', name, account: ref, scopes, parts: { key: newSecretKey(random) } },
          (made) => ({ status: 201, body: shown(made, request.query.get('reveal') === 'true') }),
        );
      },
    },
    {
      line: 'GET /v1/projects/{ref}/api-keys',
      class: 'list-keys',
      asks: 'key',
      handle({ request, params, listed }) {
        const isRevealed = request.query.get('reveal') === 'true';
        const own = listed((key) => key.kind === 'secret-key' && key.account === params['ref']);
        return { status: 200, body: [...OTHERS, ...own.map((key) => shown(key, isRevealed))] };
      },
    },
    {
      line: 'DELETE /v1/projects/{ref}/api-keys/{id}',
      class: 'revoke-key',
      asks: 'key',
      handle({ request, params, keys, end }) {
        const found = keys.byId(params['id']!);
        if (found === null || found.revokedAt !== null || found.account !== params['ref'])
          return failure(404, 'API key not found');
        return end(found, { status: 200, body: shown(found, request.query.get('reveal') === 'true') });
      },
    },
  ],
};
