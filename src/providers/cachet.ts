// Cachet 3, by declaration: API tokens with abilities, made and ended in its dashboard, for it has no API for them. And their checksum,
// which tells a token from a text that only looks like one.
// Follows the sources of cachethq/core 3.x and laravel/sanctum (read 2026-11-21); docs/providers/cachet.md says what was never seen live.
import { CACHET_EVERYTHING, cachetAbilities, cachetActions } from './cachet.actions.ts';
import { crc32 } from './checksum.crc32.ts';
import { declared } from './declared.ts';
import type { Provider } from './provider.ts';

/** `<id>|`, a prefix that an installation may set, forty characters, their CRC-32. Sanctum takes them without `<id>|` too. */
const FORMAT = '^(?:[0-9]{1,10}\\|)?[A-Za-z0-9_.-]{0,64}[A-Za-z0-9]{40}[0-9a-f]{8}$';
const RANDOM_AND_CHECKSUM = /([A-Za-z0-9]{40})([0-9a-f]{8})$/;
/** Whether a token's last eight digits are the CRC-32 of the forty characters before them. False for a text of another form. */
export function hasRightChecksum(token: string): boolean {
  const found = RANDOM_AND_CHECKSUM.exec(token);
  return found !== null && crc32(found[1]!) === Number.parseInt(found[2]!, 16);
}

const base = declared({
  name: 'cachet',
  title: 'Cachet 3',
  // Everybody's own: a name that is nobody's, so that nothing is sent anywhere before an origin was set.
  origin: 'https://cachet.example',
  console: 'https://cachet.example/dashboard',
  actions: cachetActions,
  kinds: [
    {
      name: 'token',
      title: 'Cachet API token',
      parts: { key: { format: FORMAT } },
      places: [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }],
      rotation: 'assisted',
      activeMax: null,
      // Its row is deleted, and read anew for every request (Sanctum's Guard): at once. Two seconds are for the request on its way.
      propagationSeconds: 2,
      scopes: {
        of: 'key',
        all: cachetAbilities,
        includes: { [CACHET_EVERYTHING]: cachetAbilities.filter((one) => one !== CACHET_EVERYTHING) },
        everything: [CACHET_EVERYTHING],
      },
      byHand: {
        url: 'https://cachet.example/dashboard',
        issue: [
          'Sign in as the user whom the token is to belong to: only its owner sees a token, and it ends with the account.',
          'Settings, Manage API keys: create a key, with a name that says what it is for.',
          'Choose the abilities it needs. Choose at least one: none chosen means all of them.',
          'Copy the token; it is shown once. The number before the "|" is its id.',
        ],
        revoke: ['Settings, Manage API keys: delete the old key.'],
      },
      // An installation whose API is switched off answers 404 to everything; one that lets nobody in without a token, 401.
      preflight: {
        request: { method: 'GET', path: '/api/ping' },
        answers: [
          { status: 200, name: 'pong', when: { json: { '/data': 'Pong!' } }, as: 'sound' },
          // The setting `api_protected`: somebody asks for tokens, so the API is there.
          { status: 401, name: 'protected', when: { json: { '/message': 'Unauthenticated.' } }, as: 'sound' },
          { status: 404, name: 'api-is-off', as: 'unsound' },
        ],
      },
      probe: {
        // There is no subscriber 0. The token is looked at first, then the subscriber is, the ability last: so no ability is needed, and
        // nobody's address is read.
        request: { method: 'GET', path: '/api/subscribers/0' },
        answers: [
          // Laravel's word for a path that nobody serves: before the token is looked at.
          {
            status: 404,
            name: 'no-such-route',
            when: { json: { '/message': { matches: '^The route [\\s\\S]* could not be found\\.$' } } },
            as: 'unknown',
          },
          { status: 404, name: 'no-such-subscriber', when: { json: { '/message': { is: 'string' } } }, as: 'alive' },
          {
            status: 403,
            name: 'lacks-ability',
            when: { json: { '/message': 'Invalid ability provided.' } },
            as: 'alive',
          },
          { status: 401, name: 'unauthenticated', when: { json: { '/message': 'Unauthenticated.' } }, as: 'dead' },
        ],
      },
    },
  ],
});

export const cachet: Provider = {
  ...base,
  kinds: base.kinds.map((kind) => ({ ...kind, check: { key: hasRightChecksum } })),
};
