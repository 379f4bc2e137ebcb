// A twin of OpenAI's administration of keys: shapes follow OpenAI's OpenAPI document 2.3.0. A stand-in for tests and demonstrations;
// docs/providers/openai.md says what was never compared with the live service. 401 and 404 are not in that document.
import type { Json } from '../src/model/json.ts';
import { bearerOf, type KitAnswer, type KitContext, type KitDefinition, type KitKey, member } from './kit.ts';
import type { Prng } from './prng.ts';

const KEY_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';
const PAGE_MAX = 100;
/** The right that `GET /v1/models` asks of a restricted key. */
export const MODELS_READ = 'api.model.read';

function failure(status: number, message: string, code: string | null = null): KitAnswer {
  return { status, body: { error: { message, type: 'invalid_request_error', param: null, code } } };
}

function newText(random: Prng, prefix: string): string {
  return `${prefix}canary${random.text(40, KEY_ALPHABET)}T3BlbkFJ${random.text(46, KEY_ALPHABET)}`;
}
export const newAdminKey = (random: Prng) => newText(random, 'sk-admin-');
export const newServiceAccountKey = (random: Prng) => newText(random, 'sk-svcacct-');
export const newUserKey = (random: Prng) => newText(random, 'sk-proj-');

const unix = (ms: number | null) => (ms === null ? null : Math.floor(ms / 1000));

function adminKey(key: KitKey) {
  return {
    object: 'organization.admin_api_key',
    id: key.id,
    name: key.name,
    redacted_value: `sk-admin...${key.parts['key']!.slice(-4)}`,
    created_at: unix(key.createdAt),
    expires_at: unix(key.expiresAt),
    last_used_at: unix(key.lastUsedAt),
    owner: {
      type: 'user',
      object: 'organization.user',
      id: 'user-abc',
      name: 'Admin',
      created_at: 1_700_000_000,
      role: 'owner',
    },
  };
}

/** A key's own id where its owner has another one. */
const keyIdOf = (key: KitKey) => String(key.more['keyId'] ?? key.id);

function projectKey(key: KitKey): Json {
  const owner = { id: key.id, name: key.name, created_at: unix(key.createdAt), role: 'member' };
  const user = { id: 'user-abc', email: 'user@example.com', name: 'User', created_at: 1_700_000_000, role: 'member' };
  const isAccount = key.kind === 'service-account-key';
  return {
    object: 'organization.project.api_key',
    id: keyIdOf(key),
    // Every account's own key has this name: only the account carries ours.
    name: isAccount ? 'Secret Key' : key.name,
    redacted_value: `sk-abc...${key.parts['key']!.slice(-4)}`,
    created_at: unix(key.createdAt),
    last_used_at: unix(key.lastUsedAt),
    owner_project_access: 'active',
    owner: isAccount ? { type: 'service_account', service_account: owner } : { type: 'user', user },
  };
}

/** One page of a list, after the member that `after` names. */
function page(context: KitContext<null>, all: readonly Json[]): KitAnswer {
  const { query } = context.request;
  const limit = Math.min(Number(query.get('limit') ?? '20'), PAGE_MAX);
  const after = query.get('after');
  const from = after === null ? 0 : all.findIndex((one) => member(one, 'id') === after) + 1;
  const data = all.slice(from, from + limit);
  return {
    status: 200,
    body: {
      object: 'list',
      data,
      first_id: member(data[0], 'id') ?? null,
      last_id: member(data[data.length - 1], 'id') ?? null,
      has_more: from + limit < all.length,
    },
  };
}

function adminOnly(handle: (context: KitContext<null>) => KitAnswer): (context: KitContext<null>) => KitAnswer {
  return (context) =>
    context.key?.kind === 'admin-key'
      ? handle(context)
      : failure(401, 'You have insufficient permissions for this operation. Missing scopes: api.management.read.');
}

const ADMIN_KEYS = '/v1/organization/admin_api_keys';
const PROJECT = '/v1/organization/projects/{project}';

function inProject(project: string | undefined, kind?: string): (key: KitKey) => boolean {
  return (key) => key.more['project'] === project && (kind === undefined || key.kind === kind);
}

function deleted(context: KitContext<null>, key: KitKey | undefined, object: string, id: string): KitAnswer {
  if (key === undefined || key.revokedAt !== null) return failure(404, `No such object: ${id}`);
  return context.end(key, { status: 200, body: { object, id, deleted: true } });
}

export const openaiTwin: KitDefinition<null> = {
  name: 'openai',
  state: () => null,
  newId: (random) => `key_${random.text(16, KEY_ALPHABET)}`,
  keyOf: (request, keys) => keys.byText(bearerOf(request)),
  refused: () => failure(401, 'Incorrect API key provided: sk-...', 'invalid_api_key'),
  notFound: () => failure(404, 'Invalid URL'),
  rateLimited: (retryAfter) => ({
    ...failure(429, 'Rate limit reached', 'rate_limit_exceeded'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => ({ ...failure(status, 'The server had an error'), status }),
  routes: [
    {
      line: 'GET /v1/models',
      class: 'auth',
      asks: 'key',
      handle({ key }) {
        const isRestricted = key!.scopes.length > 0 && !key!.scopes.includes(MODELS_READ);
        if (isRestricted)
          return failure(
            401,
            `You have insufficient permissions for this operation. Missing scopes: ${MODELS_READ}. Check that you have the correct role.`,
          );
        const model = { id: 'gpt-example', object: 'model', created: 1_700_000_000, owned_by: 'openai' };
        return { status: 200, body: { object: 'list', data: [model] } };
      },
    },
    {
      line: `GET ${ADMIN_KEYS}`,
      class: 'list-keys',
      asks: 'key',
      handle: adminOnly((context) => page(context, context.listed((key) => key.kind === 'admin-key').map(adminKey))),
    },
    {
      line: `POST ${ADMIN_KEYS}`,
      class: 'create-key',
      asks: 'key',
      handle: adminOnly(({ request, key, now, random, create }) => {
        const name = member(request.body, 'name');
        if (typeof name !== 'string' || name === '') return failure(400, 'name is required');
        const seconds = member(request.body, 'expires_in_seconds');
        const expiresAt = typeof seconds === 'number' ? now + seconds * 1000 : null;
        const parts = { key: newAdminKey(random) };
        return create({ kind: 'admin-key', name, account: key!.account, parts, expiresAt }, (made) => ({
          status: 200,
          body: { ...adminKey(made), value: made.parts['key']! },
        }));
      }),
    },
    {
      line: `DELETE ${ADMIN_KEYS}/{id}`,
      class: 'revoke-key',
      asks: 'key',
      handle: adminOnly((context) => {
        const id = context.params['id']!;
        const found = context.keys.all().find((key) => key.kind === 'admin-key' && key.id === id);
        return deleted(context, found, 'organization.admin_api_key.deleted', id);
      }),
    },
    {
      line: `GET ${PROJECT}/api_keys`,
      class: 'list-keys',
      asks: 'key',
      handle: adminOnly((context) =>
        page(context, context.listed(inProject(context.params['project'])).map(projectKey)),
      ),
    },
    {
      line: `DELETE ${PROJECT}/api_keys/{id}`,
      class: 'revoke-key',
      asks: 'key',
      handle: adminOnly((context) => {
        const { project, id } = context.params;
        const found = context.keys.all().find((key) => inProject(project)(key) && keyIdOf(key) === id);
        if (found?.kind === 'service-account-key') return failure(400, 'Keys of a service account cannot be deleted.');
        return deleted(context, found, 'organization.project.api_key.deleted', id!);
      }),
    },
    {
      line: `POST ${PROJECT}/service_accounts`,
      class: 'create-key',
      asks: 'key',
      handle: adminOnly(({ request, params, key, random, create }) => {
        const name = member(request.body, 'name');
        if (typeof name !== 'string' || name === '') return failure(400, 'name is required');
        const id = `svc_acct_${random.text(16, KEY_ALPHABET)}`;
        const more = { project: params['project']!, keyId: `key_${random.text(16, KEY_ALPHABET)}` };
        const parts = { key: newServiceAccountKey(random) };
        return create({ kind: 'service-account-key', id, name, account: key!.account, parts, more }, (made) => ({
          status: 200,
          body: {
            object: 'organization.project.service_account',
            id: made.id,
            name: made.name,
            role: 'member',
            created_at: unix(made.createdAt),
            api_key: {
              object: 'organization.project.service_account.api_key',
              id: keyIdOf(made),
              name: 'Secret Key',
              created_at: unix(made.createdAt),
              value: made.parts['key']!,
            },
          },
        }));
      }),
    },
    {
      line: `DELETE ${PROJECT}/service_accounts/{id}`,
      class: 'revoke-key',
      asks: 'key',
      handle: adminOnly((context) => {
        const { project, id } = context.params;
        const isIt = inProject(project, 'service-account-key');
        const found = context.keys.all().find((key) => isIt(key) && key.id === id);
        return deleted(context, found, 'organization.project.service_account.deleted', id!);
      }),
    },
  ],
};
