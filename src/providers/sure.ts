// Sure, the personal-finance application, as a provider of keys to its own API, by declaration: a person makes and ends them in its settings.
// (The keys that Sure itself holds, of banks and prices, are in financial/.)
// Follows Sure's OpenAPI document and its source, we-promise/sure (read 2026-11-21); docs/providers/sure.md says what was never seen live.
import { declared } from './declared.ts';
import { sureActions } from './sure.actions.ts';

/** Whatever it answers, the key has passed: only a live one is named, limited or told that it may not. */
const USAGE = {
  request: { method: 'GET', path: '/api/v1/usage' },
  answers: [
    { status: 200, name: 'usage', when: { json: { '/api_key': { is: 'object' } } }, as: 'alive' },
    { status: 403, name: 'insufficient-scope', when: { json: { '/error': 'insufficient_scope' } }, as: 'alive' },
    // Each key's own count. The limit that stands before the application, for addresses, has other words, and looks at no key.
    { status: 429, name: 'key-limited', when: { json: { '/error': 'rate_limit_exceeded' } }, as: 'alive' },
    {
      status: 401,
      name: 'unauthorized',
      when: {
        json: {
          '/error': 'unauthorized',
          '/message': 'Access token or API key is invalid, expired, or missing',
        },
      },
      as: 'dead',
    },
  ],
} as const;

export const sure = declared({
  name: 'sure',
  title: 'Sure',
  // Most people run their own: set in the configuration, or on the credential.
  origin: 'https://app.sure.am',
  console: 'https://app.sure.am/settings/api_key',
  actions: sureActions,
  kinds: [
    {
      name: 'api-key',
      title: 'Sure API key',
      // SecureRandom.hex(32).
      parts: { key: { format: '^[0-9a-f]{64}$' } },
      places: [{ in: 'header', name: 'X-Api-Key' }],
      rotation: 'assisted',
      // Looked up anew for each request: at once. Two seconds are for the request on its way.
      propagationSeconds: 2,
      scopes: { of: 'key', all: ['read', 'read_write'], includes: { read_write: ['read'] } },
      byHand: {
        url: 'https://app.sure.am/settings/api_key',
        issue: [
          'Sign in as the user whose data the key is to reach, and open Settings, API keys.',
          'Create a key with a name that no other active key has, and the scope of the old one: "read" where nothing is changed.',
          'Copy the key.',
        ],
        revoke: ['Revoke the old key on the same page.'],
      },
      // A hundred requests an hour for each key, and a probe is one of them.
      probe: USAGE,
      identity: {
        request: USAGE.request,
        answers: [{ ...USAGE.answers[0], as: 'known', scopes: '/api_key/scopes' }],
      },
    },
  ],
});
