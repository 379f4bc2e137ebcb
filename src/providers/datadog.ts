// Datadog, by declaration: API keys, application keys of service accounts, and the pair of both that a person brings and that issues the others.
// Follows Datadog's OpenAPI documents v1 and v2, client 2.67 (read 2026-11-21); docs/providers/datadog.md says what was never seen live.
// Each site of Datadog is an origin of its own.
import { datadogActions } from './datadog.actions.ts';
import { datadogScopes } from './datadog.scopes.ts';
import { declared } from './declared.ts';

/** Datadog's own form of an error; a proxy's page is not its word. */
const ERROR = { json: { '/errors/0': { is: 'string' } } } as const;
/** 32 hexadecimal digits, says Datadog; other letters are its own to refuse. */
const API_KEY = { format: '^[0-9a-z]{32}$' };
const APPLICATION_KEY = { format: '^(?:ddapp_[A-Za-z0-9]{34}|[0-9a-f]{40})$' };
const KEYS_URL = 'https://app.datadoghq.com/organization-settings/api-keys';
/** Nobody documents how soon a deleted key is refused everywhere, and nobody measured it: room for one short-lived cache. */
const PROPAGATION_SECONDS = 10;

/** Documented: "If invalid, a 403 is returned" (v1 validate), "401 or 403 otherwise" (v2 validate_keys). */
const DEAD = [
  { status: 403, name: 'forbidden', when: { json: { '/errors/0': 'Forbidden' } }, as: 'dead' },
  { status: 401, name: 'unauthorized', when: { json: { '/errors/0': 'Unauthorized' } }, as: 'dead' },
] as const;

const PAIR_VALID = { status: 200, name: 'both-valid', when: { json: { '/status': 'ok' } }, as: 'alive' } as const;
const REVOKED = [
  { status: 204, name: 'deleted', as: 'accepted' },
  { status: 404, name: 'absent', when: ERROR, as: 'absent' },
] as const;
const PAGE_SIZE = 100;
const PAGE = `page[size]=${PAGE_SIZE}`;
const NUMBERED = { page: 'page[number]={cursor}' } as const;

const SCOPES = {
  of: 'key',
  all: datadogScopes,
  // Keys are shown to whoever may read them, and made by whoever may write them.
  reveals: [
    'api_keys_read',
    'api_keys_write',
    'org_app_keys_read',
    'org_app_keys_write',
    'user_app_keys',
    'service_account_write',
  ],
} as const;

export const datadog = declared({
  name: 'datadog',
  title: 'Datadog',
  origin: 'https://api.datadoghq.com',
  console: KEYS_URL,
  actions: datadogActions,
  kinds: [
    {
      name: 'api-key',
      title: 'API key',
      parts: { key: API_KEY },
      places: [{ in: 'header', name: 'DD-API-KEY' }],
      rotation: 'overlap',
      propagationSeconds: PROPAGATION_SECONDS,
      issuers: ['key-pair'],
      scopes: { of: 'kind', all: [] },
      issue: {
        request: {
          method: 'POST',
          path: '/api/v2/api_keys',
          json: { data: { type: 'api_keys', attributes: { name: '{label}' } } },
        },
        answers: [
          { status: 201, name: 'created', as: 'issued', parts: { key: '/data/attributes/key' }, id: '/data/id' },
        ],
      },
      list: {
        request: { method: 'GET', path: `/api/v2/api_keys?${PAGE}`, ...NUMBERED },
        answers: [
          {
            status: 200,
            name: 'listed',
            as: 'listed',
            keys: '/data',
            id: '/id',
            keyName: '/attributes/name',
            createdAt: { at: '/attributes/created_at', in: 'rfc3339' },
            lastUsedAt: { at: '/attributes/date_last_used', in: 'rfc3339' },
            next: { size: PAGE_SIZE, first: 0 },
            hint: '/attributes/last4',
          },
        ],
      },
      revoke: { request: { method: 'DELETE', path: '/api/v2/api_keys/{providerKeyId}' }, answers: REVOKED },
      probe: {
        request: { method: 'GET', path: '/api/v1/validate' },
        answers: [{ status: 200, name: 'valid', when: { json: { '/valid': true } }, as: 'alive' }, DEAD[0]],
      },
    },
    {
      // Without an API key beside it no request passes, and the API that makes it does not hand one out: the caller brings that.
      name: 'service-account-key',
      title: 'Application key of a service account',
      parts: { appKey: APPLICATION_KEY },
      places: [{ in: 'header', name: 'DD-APPLICATION-KEY', part: 'appKey' }],
      rotation: 'overlap',
      propagationSeconds: PROPAGATION_SECONDS,
      settings: {
        serviceAccountId: { about: 'Id of the service account, a UUID; in its page', format: '^[A-Za-z0-9-]{1,64}$' },
      },
      issuers: ['key-pair'],
      scopes: SCOPES,
      asks: 'issuer',
      issue: {
        request: {
          method: 'POST',
          path: '/api/v2/service_accounts/{serviceAccountId}/application_keys',
          json: { data: { type: 'application_keys', attributes: { name: '{label}', scopes: '{scopes}' } } },
        },
        answers: [
          {
            status: 201,
            name: 'created',
            as: 'issued',
            parts: { appKey: '/data/attributes/key' },
            id: '/data/id',
            // Without scopes Datadog makes a key that may do whatever its account may; null stands there then.
            scopes: { at: '/data/attributes/scopes', must: 'equal' },
          },
        ],
      },
      list: {
        request: {
          method: 'GET',
          path: `/api/v2/service_accounts/{serviceAccountId}/application_keys?${PAGE}`,
          ...NUMBERED,
        },
        answers: [
          {
            status: 200,
            name: 'listed',
            as: 'listed',
            keys: '/data',
            id: '/id',
            keyName: '/attributes/name',
            createdAt: { at: '/attributes/created_at', in: 'rfc3339' },
            lastUsedAt: { at: '/attributes/last_used_at', in: 'rfc3339' },
            scope: '/attributes/scopes',
            next: { size: PAGE_SIZE, first: 0 },
            hint: '/attributes/last4',
          },
        ],
      },
      revoke: {
        request: {
          method: 'DELETE',
          path: '/api/v2/service_accounts/{serviceAccountId}/application_keys/{providerKeyId}',
        },
        answers: REVOKED,
      },
      probe: {
        request: {
          method: 'GET',
          path: '/api/v2/validate_keys',
          secrets: [
            { in: 'header', name: 'DD-API-KEY', scheme: null, part: 'apiKey', of: 'acting' },
            { in: 'header', name: 'DD-APPLICATION-KEY', scheme: null, part: 'appKey', of: 'target' },
          ],
        },
        answers: [PAIR_VALID, ...DEAD],
      },
    },
    {
      name: 'key-pair',
      title: 'API key with an application key',
      parts: { apiKey: API_KEY, appKey: APPLICATION_KEY },
      places: [
        { in: 'header', name: 'DD-API-KEY', part: 'apiKey' },
        { in: 'header', name: 'DD-APPLICATION-KEY', part: 'appKey' },
      ],
      rotation: 'assisted',
      propagationSeconds: PROPAGATION_SECONDS,
      scopes: SCOPES,
      probe: { request: { method: 'GET', path: '/api/v2/validate_keys' }, answers: [PAIR_VALID, ...DEAD] },
      byHand: {
        url: KEYS_URL,
        issue: [
          'In Organization Settings, create an API key.',
          'As a user or service account made for this purpose, create an application key.',
          'To issue other keys, give it the scopes api_keys_read, api_keys_write, api_keys_delete and service_account_write, and every scope that it is to hand on.',
          'Copy both keys; the application key is shown once.',
        ],
        revoke: ['Revoke the old application key, then the old API key.'],
      },
    },
  ],
});
