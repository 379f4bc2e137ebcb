// Cachet 2.4, by declaration: one key for each user, renewed by hand and at once, which ends the one before it.
// Follows the sources of cachethq/cachet, branch 2.4 (read 2026-11-21); docs/providers/cachet-v2.md says what was never seen live.
import { cachetV2Actions } from './cachet-v2.actions.ts';
import { declared } from './declared.ts';

export const cachetV2 = declared({
  name: 'cachet-v2',
  title: 'Cachet 2',
  // Everybody's own: a name that is nobody's, so that nothing is sent anywhere before an origin was set.
  origin: 'https://cachet.example',
  console: 'https://cachet.example/dashboard/user',
  actions: cachetV2Actions,
  kinds: [
    {
      name: 'user-key',
      title: 'Cachet API key of a user',
      // Str::random(20), without a checksum.
      parts: { key: { format: '^[A-Za-z0-9]{20}$' } },
      places: [{ in: 'header', name: 'X-Cachet-Token', scheme: null }],
      rotation: 'assisted',
      activeMax: 1,
      // The key is a column of the user's row, and read anew for every request (ApiAuthentication): at once, but for a request on its way.
      propagationSeconds: 2,
      scopes: { of: 'none', all: [] },
      byHand: {
        url: 'https://cachet.example/dashboard/user',
        issue: [
          'The moment the key is renewed, the old one is refused: stop what uses it, or do this when nothing does.',
          'Sign in as the user whose key it is. On the page of the user, regenerate the API key, and copy it.',
          'To change without an outage: make a second user, give its key to the application, then delete the first user.',
        ],
        revoke: null,
      },
      probe: {
        // A page that is empty for certain: nobody's address is read. The reads of everything else are public and prove nothing.
        request: { method: 'GET', path: '/api/v1/subscribers?per_page=1&page=1000000' },
        answers: [
          {
            status: 200,
            name: 'page',
            when: { json: { '/data': { is: 'array' }, '/meta/pagination': { is: 'object' } } },
            as: 'alive',
          },
          { status: 401, name: 'unauthorized', when: { json: { '/errors/0/status': 401 } }, as: 'dead' },
        ],
      },
    },
  ],
});
