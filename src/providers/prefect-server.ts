// Prefect Server, which people run themselves, by declaration: it knows no keys, only one string `user:password` that whoever may use it
// shares. Changing it is a restart, so a person does that, or a program of the operator's with a string that Claviger made; Claviger takes
// the new string in, proves the old one dead and watches.
// Follows Prefect's source and its page on security settings, as measured with 3.8.8 (2026-11-21); docs/providers/prefect-server.md.
import { declared } from './declared.ts';
import { prefectServerActions } from './prefect-server.actions.ts';
import type { Provider } from './provider.ts';

const SETTINGS_PAGE = 'https://docs.prefect.io/v3/advanced/security-settings';

const byDeclaration = declared({
  name: 'prefect-server',
  title: 'Prefect Server',
  // Every server has its own: to be set in the configuration. This name leads nowhere, by RFC 2606.
  origin: 'https://prefect-server.invalid',
  console: SETTINGS_PAGE,
  actions: prefectServerActions,
  kinds: [
    {
      name: 'auth-string',
      title: 'Basic auth string',
      // Printable ASCII: measured, a server with any other character in its string answers 500 to everything. At least six characters, so that
      // it can be scrubbed from answers; no space at either end.
      parts: { key: { format: '^[\\x21-\\x39\\x3b-\\x7e]{1,255}:[\\x21-\\x7e][\\x20-\\x7e]{2,253}[\\x21-\\x7e]$' } },
      // The scheme is spelt `Basic`: any other spelling of it is refused.
      places: [{ in: 'basic', user: null }],
      rotation: 'assisted',
      activeMax: 1,
      // Measured with one process: the old string is refused from the restart on. Several processes behind one address are restarted one by
      // one; that each of them was is the person's to see to.
      propagationSeconds: 10,
      scopes: { of: 'none', all: [] },
      byHand: {
        url: SETTINGS_PAGE,
        issue: [
          'Choose a new password of at least 32 random characters, printable ASCII without spaces.',
          'Set PREFECT_SERVER_API_AUTH_STRING of the server to user:password; the setting is read at the start alone.',
          'Restart every process of the server. Requests fail until it is up again, and the old string is refused from then on.',
          'Set PREFECT_API_AUTH_STRING wherever a client has the old string itself.',
        ],
        revoke: null,
      },
      // A server that was started without a string lets everybody in, whatever they send: there an acceptance proves nothing.
      preflight: {
        request: { method: 'GET', path: '/api/admin/version' },
        answers: [
          {
            status: 401,
            name: 'unauthorized',
            when: { json: { '/exception_message': 'Unauthorized' } },
            as: 'sound',
          },
          { status: 200, name: 'open', when: { json: { '': { is: 'string' } } }, as: 'unsound' },
        ],
      },
      probe: {
        // Not /api/health nor /api/ready: they answer 200 to everybody.
        request: { method: 'GET', path: '/api/admin/version' },
        answers: [
          { status: 200, name: 'version', when: { json: { '': { is: 'string' } } }, as: 'alive' },
          {
            status: 401,
            name: 'unauthorized',
            when: { json: { '/exception_message': 'Unauthorized' } },
            as: 'dead',
          },
        ],
      },
    },
  ],
});

/** The user stays; 40 letters and digits are 238 bits, and need quoting nowhere. */
const MADE = { part: 'key', keeps: /^[^:]+:/, letters: 40 } as const;

export const prefectServer: Provider = {
  ...byDeclaration,
  kinds: byDeclaration.kinds.map((kind) => ({ ...kind, made: MADE })),
};
