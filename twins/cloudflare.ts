// A twin of Cloudflare's API tokens, of an account and of a user: shapes follow the types of Cloudflare's own client, the texts of its
// refusals public reports. A stand-in for tests and demonstrations; docs/providers/cloudflare.md says what was never compared with the
// live service.
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

const HEX = '0123456789abcdef';
const USER = 'user';

function success(result: Json, more: { readonly [name: string]: Json } = {}): KitAnswer {
  return { status: 200, body: { success: true, errors: [], messages: [], result, ...more } };
}

function failure(status: number, code: number, message: string): KitAnswer {
  return { status, body: { success: false, errors: [{ code, message }], messages: [], result: null } };
}

export function newCloudflareToken(random: Prng, prefix: 'cfat' | 'cfut'): string {
  return `${prefix}_canary${random.text(34, ALPHANUMERIC)}${random.text(8, HEX)}`;
}

export interface CloudflareState {
  readonly accounts: Set<string>;
  /** Ids of tokens that somebody switched off. */
  readonly disabled: Set<string>;
  /** The policies that a new token gets, whatever was asked for; null is what was asked for. */
  otherPolicies: Json;
}

function text(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function statusOf(key: KitKey, state: CloudflareState, now: number): string {
  if (key.expiresAt !== null && now >= key.expiresAt) return 'expired';
  return state.disabled.has(key.id) ? 'disabled' : 'active';
}

function shown(key: KitKey, state: CloudflareState, now: number): { readonly [name: string]: Json } {
  const { condition } = key.more;
  return {
    id: key.id,
    name: key.name,
    status: statusOf(key, state, now),
    issued_on: text(key.createdAt),
    modified_on: text(key.createdAt),
    ...(key.lastUsedAt === null ? {} : { last_used_on: text(key.lastUsedAt) }),
    ...(key.expiresAt === null ? {} : { expires_on: text(key.expiresAt) }),
    policies: key.more['policies'] ?? [],
    ...(condition === undefined ? {} : { condition }),
  };
}

/** Whose tokens an address is about: an account's or the user's. Null where the caller may not manage them. */
function managed({ key, params }: KitContext<CloudflareState>): string | null {
  const owner = params['account'] ?? USER;
  const mayManage = key!.kind === 'user-admin-token' || (key!.kind === 'account-admin-token' && key!.account === owner);
  return mayManage ? owner : null;
}

const UNAUTHORIZED = failure(403, 9109, 'Unauthorized to access requested resource');

function create(context: KitContext<CloudflareState>): KitAnswer {
  const { request, state, now, random, create: make } = context;
  const account = managed(context);
  if (account === null) return UNAUTHORIZED;
  const name = member(request.body, 'name');
  const policies = member(request.body, 'policies');
  const condition = member(request.body, 'condition');
  const end = member(request.body, 'expires_on');
  if (typeof name !== 'string' || name === '' || name.length > 120) return failure(400, 400, 'name is invalid');
  if (!Array.isArray(policies) || policies.length === 0) return failure(400, 400, 'policies are missing');
  const given = (state.otherPolicies ?? policies) as readonly { readonly [name: string]: Json }[];
  return make(
    {
      kind: account === USER ? 'user-token' : 'account-token',
      name,
      account,
      parts: { key: newCloudflareToken(random, account === USER ? 'cfut' : 'cfat') },
      expiresAt: typeof end === 'string' ? Date.parse(end) : null,
      more: {
        policies: given.map((policy) => ({ ...policy, id: random.text(32, HEX) })),
        ...(condition === undefined ? {} : { condition }),
      },
    },
    (made) => success({ ...shown(made, state, now), value: made.parts['key']! }),
  );
}

function list(context: KitContext<CloudflareState>): KitAnswer {
  const { request, state, now, listed } = context;
  const account = managed(context);
  if (account === null) return UNAUTHORIZED;
  const size = Number(request.query.get('per_page') ?? '20');
  const page = Number(request.query.get('page') ?? '1');
  const all = listed((key) => key.account === account);
  const items = all.slice((page - 1) * size, page * size);
  const info = { page, per_page: size, count: items.length, total_count: all.length };
  return success(
    items.map((key) => shown(key, state, now)),
    { result_info: info },
  );
}

function remove(context: KitContext<CloudflareState>): KitAnswer {
  const account = managed(context);
  if (account === null) return UNAUTHORIZED;
  const found = context.keys.byId(context.params['id']!);
  if (found === null || found.revokedAt !== null || found.account !== account)
    return failure(404, 1003, 'Invalid token identifier');
  return context.end(found, success({ id: found.id }));
}

function verify({ key, params, state, now }: KitContext<CloudflareState>): KitAnswer {
  // Tokens of an account are unknown at the address of users, and the other way round.
  if (key!.account !== (params['account'] ?? USER)) return failure(401, 1000, 'Invalid API Token');
  const status = statusOf(key!, state, now);
  const end = key!.expiresAt === null ? {} : { expires_on: text(key!.expiresAt) };
  return success(
    { id: key!.id, status, ...end },
    { messages: [{ code: 10_000, message: `This API Token is valid and ${status}` }] },
  );
}

function routesOf(owner: string): KitRoute<CloudflareState>[] {
  const tokens = `/client/v4${owner}/tokens`;
  return [
    { line: `GET ${tokens}/verify`, class: 'auth', asks: 'key', handle: verify },
    { line: `POST ${tokens}`, class: 'create-key', asks: 'key', handle: create },
    { line: `GET ${tokens}`, class: 'list-keys', asks: 'key', handle: list },
    { line: `DELETE ${tokens}/{id}`, class: 'revoke-key', asks: 'key', handle: remove },
  ];
}

export const cloudflareTwin: KitDefinition<CloudflareState> = {
  name: 'cloudflare',
  state: () => ({ accounts: new Set(['0123456789abcdef0123456789abcdef']), disabled: new Set(), otherPolicies: null }),
  newId: (random) => random.text(32, HEX),
  keyOf: (request, keys) => keys.byText(bearerOf(request)),
  refused: () => failure(401, 1000, 'Invalid API Token'),
  notFound: () => failure(404, 7003, 'Could not route to the requested path'),
  rateLimited: (retryAfter) => ({
    ...failure(429, 10_429, 'Rate limit exceeded'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => failure(status, 10_000, 'Internal error'),
  routes: [...routesOf('/accounts/{account}'), ...routesOf('/user')],
};
