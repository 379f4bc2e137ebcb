// A twin of SendGrid's API keys: shapes follow Twilio's OpenAPI documents of the API keys and scopes APIs, v3. A stand-in for tests and
// demonstrations; docs/providers/sendgrid.md says what was never compared with the live service.
import type { Json } from '../src/model/json.ts';
import { bearerOf, type KitAnswer, type KitDefinition, type KitKey, member } from './kit.ts';
import type { Prng } from './prng.ts';

const URL_SAFE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';
const KEYS_MAX = 100;

function failure(status: number, message: string): KitAnswer {
  return { status, body: { errors: [{ field: null, message }] } };
}

export function newSendgridKey(random: Prng): string {
  return `SG.canary${random.text(16, URL_SAFE)}.${random.text(43, URL_SAFE)}`;
}

function brief(key: KitKey): Json {
  return { api_key_id: key.id, name: key.name };
}

export const sendgridTwin: KitDefinition<null> = {
  name: 'sendgrid',
  state: () => null,
  newId: (random) => random.text(22, URL_SAFE),
  keyOf: (request, keys) => keys.byText(bearerOf(request)),
  refused: () => failure(401, 'authorization required'),
  notFound: () => failure(404, 'not found'),
  rateLimited: (retryAfter) => ({
    ...failure(429, 'too many requests'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => ({ status, body: { errors: [{ message: 'internal error' }] } }),
  quotaFull: failure(403, 'Cannot create more than 100 API Keys'),
  routes: [
    {
      line: 'GET /v3/scopes',
      class: 'auth',
      asks: 'key',
      handle: ({ key }) => ({ status: 200, body: { scopes: [...key!.scopes] } }),
    },
    {
      line: 'POST /v3/api_keys',
      class: 'create-key',
      asks: 'key',
      handle({ request, key, random, listed, create }) {
        const name = member(request.body, 'name');
        if (typeof name !== 'string' || name === '') return failure(400, 'missing required argument name');
        const asked = member(request.body, 'scopes');
        // Nothing asked for is everything, as its document says.
        const scopes = Array.isArray(asked) ? asked.map(String) : [...key!.scopes];
        if (scopes.some((scope) => !key!.scopes.includes(scope))) return failure(403, 'access forbidden');
        if (listed(() => true).length >= KEYS_MAX) return failure(403, 'Cannot create more than 100 API Keys');
        return create(
          { kind: 'api-key', name, account: key!.account, scopes, parts: { key: newSendgridKey(random) } },
          (made) => ({
            status: 201,
            body: { api_key: made.parts['key']!, api_key_id: made.id, name: made.name, scopes: [...made.scopes] },
          }),
        );
      },
    },
    {
      line: 'GET /v3/api_keys',
      class: 'list-keys',
      asks: 'key',
      handle: ({ listed }) => ({ status: 200, body: { result: listed(() => true).map(brief) } }),
    },
    {
      line: 'DELETE /v3/api_keys/{id}',
      class: 'revoke-key',
      asks: 'key',
      handle({ params, keys, end }) {
        const found = keys.byId(params['id']!);
        if (found === null || found.revokedAt !== null) return failure(404, 'unable to find API Key');
        return end(found, { status: 204, body: null });
      },
    },
  ],
};
