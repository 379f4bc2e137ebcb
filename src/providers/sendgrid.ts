// SendGrid, by declaration: API keys with scopes, minted, listed, deleted and probed through its own API.
// Follows Twilio's OpenAPI documents of the API keys and scopes APIs, v3 (read 2026-11-21); docs/providers/sendgrid.md says what was never seen live.
import { declared } from './declared.ts';
import { sendgridActions, sendgridScopes } from './sendgrid.actions.ts';

/** SendGrid's own form of an error; a proxy's page is not its word. */
const ERROR = { json: { '/errors/0/message': { is: 'string' } } } as const;
const KEY = { format: '^SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}$' };
const BEARER = [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }] as const;

/** `GET /v3/scopes` asks for no scope of its own, and says which ones the key has. */
const PROBE = {
  request: { method: 'GET', path: '/v3/scopes' },
  answers: [
    { status: 200, name: 'scopes', when: { json: { '/scopes': { is: 'array' } } }, as: 'alive' },
    { status: 403, name: 'forbidden', when: ERROR, as: 'alive' },
    { status: 401, name: 'unauthorized', when: ERROR, as: 'dead' },
  ],
} as const;

/** The scopes, and not whose they are. */
const IDENTITY = {
  request: PROBE.request,
  answers: [{ status: 200, name: 'scopes', when: PROBE.answers[0].when, as: 'known', scopes: '/scopes' }],
} as const;

const SCOPES = {
  of: 'key',
  all: sendgridScopes,
  isOpen: true,
  reveals: ['api_keys.create', 'api_keys.update'],
} as const;

export const sendgrid = declared({
  name: 'sendgrid',
  title: 'Twilio SendGrid',
  origin: 'https://api.sendgrid.com',
  console: 'https://app.sendgrid.com/settings/api_keys',
  actions: sendgridActions,
  kinds: [
    {
      name: 'api-key',
      title: 'API key',
      parts: { key: KEY },
      places: BEARER,
      rotation: 'overlap',
      // "If the number of maximum keys, 100, is reached, a 403 status will be returned."
      activeMax: 100,
      issuers: ['admin-key'],
      scopes: SCOPES,
      issue: {
        // Without `scopes` SendGrid makes a key of full access: they are always sent.
        request: { method: 'POST', path: '/v3/api_keys', json: { name: '{label}', scopes: '{scopes}' } },
        answers: [
          {
            status: 201,
            name: 'created',
            as: 'issued',
            parts: { key: '/api_key' },
            id: '/api_key_id',
            scopes: '/scopes',
          },
          // The same status for a hundred keys and for too few rights: waiting for room helps with the first, and harms with neither.
          { status: 403, name: 'forbidden', when: ERROR, as: 'refused', final: false, quotaFull: true },
        ],
      },
      list: {
        request: { method: 'GET', path: '/v3/api_keys' },
        answers: [{ status: 200, name: 'listed', as: 'listed', keys: '/result', id: '/api_key_id', keyName: '/name' }],
      },
      revoke: {
        request: { method: 'DELETE', path: '/v3/api_keys/{providerKeyId}' },
        answers: [
          { status: 204, name: 'deleted', as: 'accepted' },
          { status: 404, name: 'absent', when: ERROR, as: 'absent' },
        ],
      },
      probe: PROBE,
      identity: IDENTITY,
    },
    {
      name: 'admin-key',
      title: 'API key that manages API keys',
      parts: { key: KEY },
      places: BEARER,
      rotation: 'assisted',
      activeMax: 100,
      scopes: SCOPES,
      byHand: {
        url: 'https://app.sendgrid.com/settings/api_keys',
        issue: [
          'Create an API key with restricted access.',
          'Give it full access to "API Keys", and every scope that it is to hand on: a key cannot grant what it lacks.',
          'Copy the key; it is shown once.',
        ],
        revoke: ['Delete the old key in the list of API keys.'],
      },
      probe: PROBE,
      identity: IDENTITY,
    },
  ],
});
