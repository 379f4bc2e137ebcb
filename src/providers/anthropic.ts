// Anthropic, by declaration: API keys of workspaces and admin keys. Both are made by a person only; API keys are listed and ended by API.
// Follows Anthropic's client library 1.11, made from a document that is not public (read 2026-11-21); docs/providers/anthropic.md says what
// was never seen live.
//
// `revoke` archives. The other way, `inactive`, is undone by whoever holds an admin key: a version that could come back is not revoked.
import { anthropicActions } from './anthropic.actions.ts';
import { declared } from './declared.ts';

/** The version of the API that the library asks for: the shapes read here are this one's. */
const HEADERS = { 'anthropic-version': '2026-10-21' } as const;
const API_KEY_HEADER = [{ in: 'header', name: 'X-Api-Key' }] as const;
const KEYS_URL = 'https://console.anthropic.com/settings/keys';
/** Nobody documents how soon an ended key is refused everywhere, and nobody measured it: room for one short-lived cache. */
const PROPAGATION_SECONDS = 10;

/** By its type alone: the library says of the message that its wording can change. */
const DEAD = {
  status: 401,
  name: 'authentication-error',
  when: { json: { '/type': 'error', '/error/type': 'authentication_error' } },
  as: 'dead',
} as const;

export const anthropic = declared({
  name: 'anthropic',
  title: 'Anthropic',
  origin: 'https://api.anthropic.com',
  console: KEYS_URL,
  actions: anthropicActions,
  kinds: [
    {
      name: 'api-key',
      title: 'API key',
      parts: { key: { format: '^sk-ant-api03-[A-Za-z0-9_-]{93}AA$' } },
      places: API_KEY_HEADER,
      rotation: 'assisted',
      propagationSeconds: PROPAGATION_SECONDS,
      issuers: ['admin-key'],
      scopes: { of: 'none', all: [] },
      list: {
        request: {
          method: 'GET',
          path: '/v1/organizations/api_keys?limit=100',
          page: 'after_id={cursor}',
          headers: HEADERS,
        },
        answers: [
          {
            status: 200,
            name: 'listed',
            as: 'listed',
            keys: '/data',
            id: '/id',
            keyName: '/name',
            createdAt: { at: '/created_at', in: 'rfc3339' },
            scope: '/scope/workspace_id',
            hint: '/partial_key_hint',
            expiresAt: { at: '/expires_at', in: 'rfc3339' },
            // Neither comes back; an inactive key may, and is listed.
            skip: { json: { '/status': { oneOf: ['archived', 'expired'] } } },
            next: { cursor: '/last_id', more: '/has_more' },
          },
        ],
      },
      revoke: {
        request: {
          method: 'POST',
          path: '/v1/organizations/api_keys/{providerKeyId}',
          headers: HEADERS,
          json: { status: 'archived' },
        },
        answers: [
          { status: 200, name: 'archived', when: { json: { '/status': 'archived' } }, as: 'accepted' },
          { status: 404, name: 'absent', when: { json: { '/error/type': 'not_found_error' } }, as: 'absent' },
        ],
      },
      probe: {
        request: { method: 'GET', path: '/v1/models?limit=1', headers: HEADERS },
        answers: [{ status: 200, name: 'models', when: { json: { '/data': { is: 'array' } } }, as: 'alive' }, DEAD],
      },
      byHand: {
        url: KEYS_URL,
        issue: [
          'Create a key in the workspace of the old one.',
          'Give it a name that tells it from the old one.',
          'Copy the key; it is shown once.',
        ],
        revoke: null,
      },
    },
    {
      name: 'admin-key',
      title: 'Admin API key',
      parts: { key: { format: '^sk-ant-admin01-[A-Za-z0-9_-]{93}AA$' } },
      places: API_KEY_HEADER,
      rotation: 'assisted',
      propagationSeconds: PROPAGATION_SECONDS,
      scopes: { of: 'kind', all: [] },
      probe: {
        request: { method: 'GET', path: '/v1/organizations/me', headers: HEADERS },
        answers: [
          { status: 200, name: 'organization', when: { json: { '/type': 'organization' } }, as: 'alive' },
          DEAD,
        ],
      },
      identity: {
        request: { method: 'GET', path: '/v1/organizations/me', headers: HEADERS },
        answers: [
          {
            status: 200,
            name: 'organization',
            when: { json: { '/type': 'organization' } },
            as: 'known',
            account: '/id',
          },
        ],
      },
      byHand: {
        url: 'https://console.anthropic.com/settings/admin-keys',
        issue: ['As an admin of the organization, create an admin key.', 'Copy the key; it is shown once.'],
        revoke: ['Delete the old key in the list of admin keys.'],
      },
    },
  ],
});
