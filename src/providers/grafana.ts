// Grafana: tokens of service accounts, minted, listed, deleted and probed through the HTTP API of any instance. A declaration, but for the
// lifetime of a new token, which Grafana wants as a number of seconds. Follows Grafana's Swagger document (a copy of April 2025, read
// 2026-11-21); docs/providers/grafana.md says what was never seen live.
import type { JsonObject } from '../model/json.ts';
import { crc32 } from './checksum.crc32.ts';
import { declared } from './declared.ts';
import { grafanaActions } from './grafana.actions.ts';
import type { Kind, Provider } from './provider.ts';

/** Grafana's own form of an error; a proxy's page is not its word. */
const ERROR = { json: { '/message': { is: 'string' } } } as const;
const KEY = { format: '^glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}$' };
const BEARER = [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }] as const;
const TOKENS = '/api/serviceaccounts/{serviceAccountId}/tokens';

/**
 * The three things that Grafana says of a token that does not pass (its source, pkg/services/authn/clients/api_key.go). A plain
 * "Unauthorized" is also what a request without a token hears, and proves nothing.
 */
const DEAD = { json: { '/message': { oneOf: ['Invalid API key', 'Expired API key', 'Revoked API key'] } } } as const;

const PROBE = {
  request: { method: 'GET', path: '/api/user' },
  answers: [
    { status: 200, name: 'user', when: { json: { '/login': { is: 'string' } } }, as: 'alive' },
    // Grafana 10 lets only people ask, and says so to a service account that it has recognised.
    { status: 403, name: 'forbidden', when: ERROR, as: 'alive' },
    { status: 401, name: 'token-refused', when: DEAD, as: 'dead' },
  ],
} as const;

const IDENTITY = {
  request: { method: 'GET', path: '/api/user' },
  answers: [{ status: 200, name: 'user', as: 'known', account: '/login' }],
} as const;

const SHARED = {
  parts: { key: KEY },
  places: BEARER,
  // What a token may do is its account's role, and may change under it.
  scopes: { of: 'actor', all: ['None', 'Viewer', 'Editor', 'Admin'] },
  // No figure is published. Tokens are looked up in the database for each request, so this leaves room for replicas of it.
  propagationSeconds: 10,
  probe: PROBE,
  identity: IDENTITY,
} as const;

const base = declared({
  name: 'grafana',
  title: 'Grafana',
  // Each instance has its own, Grafana Cloud's stacks too: a name that nothing may be sent to stands here until the configuration names it.
  origin: 'https://grafana.invalid',
  console: 'https://grafana.com/docs/grafana/latest/administration/service-accounts/',
  actions: grafanaActions,
  kinds: [
    {
      ...SHARED,
      name: 'service-account-token',
      title: 'Service account token',
      rotation: 'overlap',
      settings: {
        serviceAccountId: {
          about: 'Number of the service account: the last part of its address in the console',
          format: '^[1-9][0-9]{0,18}$',
        },
        secondsToLive: {
          required: false,
          about:
            'Lifetime of a new token in seconds, where none is set in days; absent: until it is deleted, where the instance allows that',
          format: '^[1-9][0-9]{0,9}$',
        },
      },
      issuers: ['admin-token'],
      issue: {
        request: { method: 'POST', path: TOKENS, json: { name: '{label}', secondsToLive: '{lifetimeSeconds}' } },
        answers: [
          { status: 200, name: 'created', as: 'issued', parts: { key: '/key' }, id: '/id' },
          // The name is one that only we give: a token that carries it was made by a request whose answer was lost.
          {
            status: [400, 409],
            name: 'name-taken',
            when: { json: { '/message': { matches: '^.*already exists.*$' } } },
            as: 'ambiguous',
          },
        ],
      },
      list: {
        request: { method: 'GET', path: TOKENS },
        answers: [
          {
            status: 200,
            name: 'listed',
            as: 'listed',
            keys: '',
            id: '/id',
            keyName: '/name',
            createdAt: { at: '/created', in: 'rfc3339' },
            lastUsedAt: { at: '/lastUsedAt', in: 'rfc3339' },
            expiresAt: { at: '/expiration', in: 'rfc3339' },
            // Grafana ends a token that it finds published, and goes on listing it.
            skip: { json: { '/isRevoked': true } },
          },
        ],
      },
      revoke: {
        request: { method: 'DELETE', path: `${TOKENS}/{providerKeyId}` },
        answers: [
          { status: 200, name: 'deleted', when: ERROR, as: 'accepted' },
          // Only this: 404 is also said of an account that the issuer does not see.
          {
            status: 404,
            name: 'absent',
            when: { json: { '/message': 'service account token not found' } },
            as: 'absent',
          },
        ],
      },
    },
    {
      ...SHARED,
      name: 'admin-token',
      title: 'Service account token that manages tokens',
      rotation: 'assisted',
      byHand: {
        url: 'https://grafana.com/docs/grafana/latest/administration/service-accounts/',
        issue: [
          'Open Administration, Users and access, Service accounts.',
          'Open the service account that Claviger is to use; it needs the permission serviceaccounts:write on the accounts it manages.',
          'Add a service account token and copy it; it is shown once.',
        ],
        revoke: ['Delete the old token in the list of the same service account.'],
      },
    },
  ],
});

/** The request of a declaration, with the lifetime of the settings where no end is asked for. */
function withLifetime(kind: Kind): Kind {
  const { issue } = kind;
  if (issue === null) return kind;
  return {
    ...kind,
    issue: {
      request(input) {
        const made = issue.request(input);
        const { secondsToLive } = input.settings;
        if (secondsToLive === undefined || input.expiresAt !== undefined) return made;
        return { ...made, json: { ...(made.json as JsonObject), secondsToLive: Number(secondsToLive) } };
      },
      read: issue.read,
    },
  };
}

const SECRET_AND_CHECKSUM = /^(glsa_[A-Za-z0-9]{32})_([0-9a-f]{8})$/;

/** Whether a token's last eight digits are the CRC-32 of what stands before them, its bytes in reverse (Grafana's source, satokengen). */
export function hasRightChecksum(token: string): boolean {
  const [, text, written] = SECRET_AND_CHECKSUM.exec(token) ?? [];
  if (text === undefined || written === undefined) return false;
  const bytes = crc32(text).toString(16).padStart(8, '0').match(/../g) ?? [];
  return bytes.reverse().join('') === written;
}

export const grafana: Provider = {
  ...base,
  kinds: base.kinds.map((kind) => ({ ...withLifetime(kind), check: { key: hasRightChecksum } })),
};
