// A twin of what Stripe says to a key: `GET /v1/account`, the refusals, and a key that is rolled. Shapes follow answers that Stripe's client
// projects quote. A stand-in for tests and demonstrations; docs/providers/stripe.md says what was never compared with the live service.
import { bearerOf, type KitAnswer, type KitDefinition } from './kit.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

/** The permission that `GET /v1/account` asks of a restricted key. */
export const ACCOUNT_READ = 'rak_accounts_kyc_basic_read';

function failure(status: number, message: string, code?: string): KitAnswer {
  const type = 'invalid_request_error';
  return { status, body: { error: { message, type, ...(code === undefined ? {} : { code }) } } };
}

export const newStripeKey = (random: Prng, prefix: 'rk_test_' | 'sk_test_') =>
  `${prefix}canary${random.text(93, ALPHANUMERIC)}`;

export const stripeTwin: KitDefinition<null> = {
  name: 'stripe',
  state: () => null,
  newId: (random) => `mk_${random.text(24, ALPHANUMERIC)}`,
  keyOf: (request, keys) => keys.byText(bearerOf(request)),
  refused: (why) =>
    why === 'unknown'
      ? failure(401, 'Invalid API Key provided: rk_test_****abcd')
      : failure(401, 'Expired API Key provided: rk_test_****abcd', 'api_key_expired'),
  notFound: () => failure(404, 'Unrecognized request URL'),
  rateLimited: (retryAfter) => ({
    ...failure(429, 'Too many requests', 'rate_limit'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => ({ status, body: { error: { message: 'An error occurred', type: 'api_error' } } }),
  routes: [
    {
      line: 'GET /v1/account',
      class: 'auth',
      asks: 'key',
      handle: ({ key }) =>
        key!.kind === 'secret-key' || key!.scopes.includes(ACCOUNT_READ)
          ? { status: 200, body: { id: key!.account, object: 'account' } }
          : failure(
              403,
              `The provided key 'rk_test_****abcd' does not have the required permissions for this endpoint on account '${key!.account}'. Having the '${ACCOUNT_READ}' permission would allow this request to continue.`,
            ),
    },
  ],
};
