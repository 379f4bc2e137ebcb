// A twin of Grafana's service account tokens: shapes follow Grafana's Swagger document (a copy of April 2025), the texts of its refusals its
// source. A stand-in for tests and demonstrations; docs/providers/grafana.md says what was never compared with a real instance.
import { crc32 } from 'node:zlib';
import type { Json } from '../src/model/json.ts';
import { bearerOf, type KitAnswer, type KitDefinition, type KitKey, member } from './kit.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

/** What every error of Grafana's has, its document names only the message. */
function failure(status: number, messageId: string, message: string): KitAnswer {
  return { status, body: { message, messageId, statusCode: status, traceID: '' } };
}

export function newGrafanaKey(random: Prng): string {
  const text = `glsa_canary${random.text(26, ALPHANUMERIC)}`;
  // The checksum of what stands before it, least byte first.
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(text));
  return `${text}_${checksum.toString('hex')}`;
}

function text(ms: number): string {
  return new Date(ms).toISOString();
}

/** A token as the list shows it; `lastUsedAt` and `expiration` are left out where there are none. */
function dto(key: KitKey, now: number): Json {
  const { expiresAt, lastUsedAt } = key;
  return {
    id: Number(key.id),
    name: key.name,
    created: text(key.createdAt),
    ...(lastUsedAt === null ? {} : { lastUsedAt: text(lastUsedAt) }),
    ...(expiresAt === null ? {} : { expiration: text(expiresAt) }),
    secondsUntilExpiration: expiresAt === null ? 0 : Math.max(0, (expiresAt - now) / 1000),
    hasExpired: expiresAt !== null && now >= expiresAt,
    isRevoked: key.more['isRevoked'] === true,
  };
}

export interface GrafanaState {
  /** The service accounts that there are, and the lifetime beyond which the instance makes no token; null is none. */
  readonly accounts: Set<string>;
  secondsToLiveMax: number | null;
  /** Names are unique in the organization, whatever the account. */
  areNamesUnique: boolean;
}

export const grafanaTwin: KitDefinition<GrafanaState> = {
  name: 'grafana',
  state: () => ({ accounts: new Set(['7', '8']), secondsToLiveMax: null, areNamesUnique: true }),
  keyOf: (request, keys) => keys.byText(bearerOf(request)),
  refused(why) {
    if (why === 'expired') return failure(401, 'api-key.expired', 'Expired API key');
    return failure(401, 'api-key.invalid', 'Invalid API key');
  },
  notFound: () => failure(404, '', 'Not found'),
  rateLimited: (retryAfter) => ({
    ...failure(429, '', 'too many requests'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => failure(status, '', 'Internal server error'),
  routes: [
    {
      line: 'GET /api/user',
      class: 'auth',
      asks: 'key',
      handle: ({ key }) => ({
        status: 200,
        body: { orgId: 1, uid: `service-account:${key!.account}`, name: key!.account, login: `sa-1-${key!.account}` },
      }),
    },
    {
      line: 'POST /api/serviceaccounts/{account}/tokens',
      class: 'create-key',
      asks: 'key',
      handle({ request, key, keys, params, now, random, state, create }) {
        if (key!.kind !== 'admin-token') return failure(403, 'accesscontrol.permission-denied', 'Access denied');
        if (!state.accounts.has(params['account']!))
          return failure(404, 'serviceaccounts.ErrNotFound', 'service account not found');
        const name = member(request.body, 'name');
        if (typeof name !== 'string' || name === '') return failure(400, '', 'name is required');
        const seconds = member(request.body, 'secondsToLive') ?? 0;
        const isTooLong =
          state.secondsToLiveMax !== null && (seconds === 0 || Number(seconds) > state.secondsToLiveMax);
        if (typeof seconds !== 'number' || seconds < 0 || isTooLong)
          return failure(400, 'serviceaccounts.ErrInvalidInput', 'invalid SecondsToLive value');
        if (state.areNamesUnique && keys.all().some((one) => one.name === name && one.revokedAt === null)) {
          const message = 'service account token with given name already exists in the organization';
          return failure(400, 'serviceaccounts.ErrTokenAlreadyExists', message);
        }
        return create(
          {
            kind: 'service-account-token',
            name,
            account: params['account']!,
            parts: { key: newGrafanaKey(random) },
            expiresAt: seconds === 0 ? null : now + seconds * 1000,
          },
          (made) => ({ status: 200, body: { id: Number(made.id), name, key: made.parts['key']! } }),
        );
      },
    },
    {
      line: 'GET /api/serviceaccounts/{account}/tokens',
      class: 'list-keys',
      asks: 'key',
      handle: ({ key, params, now, listed }) =>
        key!.kind === 'admin-token'
          ? { status: 200, body: listed((one) => one.account === params['account']).map((one) => dto(one, now)) }
          : failure(403, 'accesscontrol.permission-denied', 'Access denied'),
    },
    {
      line: 'DELETE /api/serviceaccounts/{account}/tokens/{id}',
      class: 'revoke-key',
      asks: 'key',
      handle({ key, params, keys, end }) {
        if (key!.kind !== 'admin-token') return failure(403, 'accesscontrol.permission-denied', 'Access denied');
        const found = keys.byId(params['id']!);
        if (found === null || found.revokedAt !== null || found.account !== params['account'])
          return failure(404, 'serviceaccounts.ErrTokenNotFound', 'service account token not found');
        return end(found, { status: 200, body: { message: 'Service account token deleted' } });
      },
    },
  ],
};
