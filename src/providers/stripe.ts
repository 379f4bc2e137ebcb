// Stripe, by declaration: restricted and secret keys, made, rolled and ended by a person in the Dashboard.
// Follows Stripe's pages on keys and the answers of its API that its own client projects quote (read 2026-11-21); no document of keys is
// public. docs/providers/stripe.md says what was never seen live.
//
// An API for keys exists as a private preview, for installed Stripe Apps alone: it is not used here.
import { declared } from './declared.ts';
import { stripeActions } from './stripe.actions.ts';

const KEYS_URL = 'https://dashboard.stripe.com/apikeys';
const BEARER = [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }] as const;
/** An ended key was seen to work for nine seconds more (measured by others at the preview API, 2026-09-17). */
const PROPAGATION_SECONDS = 30;

const REQUEST = { method: 'GET', path: '/v1/account' } as const;
const ACCOUNT = { json: { '/object': 'account' } } as const;
const TYPE = { '/error/type': 'invalid_request_error' } as const;

/** `GET /v1/account` asks a restricted key for a permission that it need not have; Stripe names that one only to a key that it knows. */
const PROBE = {
  request: REQUEST,
  answers: [
    { status: 200, name: 'account', when: ACCOUNT, as: 'alive' },
    {
      status: 403,
      name: 'missing-permission',
      when: {
        json: {
          ...TYPE,
          '/error/message': { matches: '^The provided key [\\s\\S]* does not have the required permissions[\\s\\S]*$' },
        },
      },
      as: 'alive',
    },
    { status: 401, name: 'expired-key', when: { json: { ...TYPE, '/error/code': 'api_key_expired' } }, as: 'dead' },
    {
      status: 401,
      name: 'invalid-key',
      when: { json: { ...TYPE, '/error/message': { matches: '^Invalid API Key provided[\\s\\S]*$' } } },
      as: 'dead',
    },
  ],
} as const;

const IDENTITY = {
  request: REQUEST,
  answers: [{ status: 200, name: 'account', when: ACCOUNT, as: 'known', account: '/id' }],
} as const;

const END_BY_HAND = ['If the old key has not expired yet, expire it now in the list of API keys.'] as const;

export const stripe = declared({
  name: 'stripe',
  title: 'Stripe',
  origin: 'https://api.stripe.com',
  console: KEYS_URL,
  actions: stripeActions,
  kinds: [
    {
      name: 'restricted-key',
      title: 'Restricted API key',
      parts: { key: { format: '^rk_(?:test|live|prod)_[A-Za-z0-9]{10,247}$' } },
      places: BEARER,
      rotation: 'assisted',
      propagationSeconds: PROPAGATION_SECONDS,
      // A permission for each resource, set in the Dashboard; no answer lists them.
      scopes: { of: 'key', all: [] },
      probe: PROBE,
      identity: IDENTITY,
      byHand: {
        url: KEYS_URL,
        issue: [
          'In the list of API keys, open the menu of the old key and choose to roll it.',
          'Choose an expiration within seven days: until then both keys work, with the same permissions.',
          'Copy the new key; it may be shown this once.',
        ],
        revoke: END_BY_HAND,
      },
    },
    {
      name: 'secret-key',
      title: 'Secret API key',
      parts: { key: { format: '^sk_(?:test|live|prod)_[A-Za-z0-9]{10,247}$' } },
      places: BEARER,
      rotation: 'assisted',
      propagationSeconds: PROPAGATION_SECONDS,
      scopes: { of: 'none', all: [] },
      probe: PROBE,
      identity: IDENTITY,
      byHand: {
        url: KEYS_URL,
        issue: [
          'Better: create a restricted key with the permissions that are used, and bring that.',
          'Otherwise, open the menu of the secret key, choose to roll it, and choose an expiration within seven days.',
          'Copy the new key; it may be shown this once.',
        ],
        revoke: END_BY_HAND,
      },
    },
  ],
});
