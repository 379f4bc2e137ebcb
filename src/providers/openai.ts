// OpenAI, by declaration: admin keys, keys of service accounts in a project (both minted through its administration API), and keys of
// users, which only a person can make.
// Follows OpenAI's OpenAPI document 2.3.0 (read 2026-11-21); docs/providers/openai.md says what was never seen live.
//
// A key of a service account cannot be deleted: its account is. So each version is a service account of its own, and its id is the account's.
import { declared } from './declared.ts';
import { openaiActions } from './openai.actions.ts';

/** OpenAI's own form of an error; a proxy's page is not its word. */
const ERROR = { json: { '/error/message': { is: 'string' } } } as const;
const BEARER = [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }] as const;
const PROJECT_ID = {
  projectId: { about: 'Id of the project, proj_…; in the settings of the project', format: '^[A-Za-z0-9_-]{1,100}$' },
} as const;
const KEYS_URL = 'https://platform.openai.com/api-keys';
/** Nobody documents how soon a deleted key is refused everywhere, and nobody measured it: room for one short-lived cache. */
const PROPAGATION_SECONDS = 10;

/** What a key that is refused hears, and what a live one hears that lacks a right: both are 401, and only the body tells them apart. */
const REFUSALS = [
  {
    status: [401, 403],
    name: 'missing-scopes',
    when: {
      json: {
        '/error/message': {
          matches: '^You have insufficient permissions for this operation\\. Missing scopes: [\\s\\S]*$',
        },
      },
    },
    as: 'alive',
  },
  { status: 401, name: 'invalid-api-key', when: { json: { '/error/code': 'invalid_api_key' } }, as: 'dead' },
] as const;

const LISTED = { json: { '/object': 'list', '/data': { is: 'array' } } } as const;

const PROBE = {
  request: { method: 'GET', path: '/v1/models' },
  answers: [{ status: 200, name: 'models', when: LISTED, as: 'alive' }, ...REFUSALS],
} as const;

const NEXT = { cursor: '/last_id', more: '/has_more' } as const;
const DELETED = { status: 200, name: 'deleted', when: { json: { '/deleted': true } }, as: 'accepted' } as const;
const ABSENT = { status: 404, name: 'absent', when: ERROR, as: 'absent' } as const;

/** Without `any`, the list leaves out enabled keys whose owner has lost the project. */
const PROJECT_KEYS = {
  method: 'GET',
  path: '/v1/organization/projects/{projectId}/api_keys?limit=100&owner_project_access=any',
  page: 'after={cursor}',
} as const;

const SHOWN_IN_LISTS = {
  createdAt: { at: '/created_at', in: 'unix' },
  lastUsedAt: { at: '/last_used_at', in: 'unix' },
  hint: '/redacted_value',
} as const;

export const openai = declared({
  name: 'openai',
  title: 'OpenAI',
  origin: 'https://api.openai.com',
  console: KEYS_URL,
  actions: openaiActions,
  kinds: [
    {
      name: 'admin-key',
      title: 'Admin API key',
      // Secret scanners know more of the form; a key is not turned away for what OpenAI never promised.
      parts: { key: { format: '^sk-admin-[A-Za-z0-9_-]{20,300}$' } },
      places: BEARER,
      rotation: 'overlap',
      propagationSeconds: PROPAGATION_SECONDS,
      issuers: ['admin-key'],
      scopes: { of: 'kind', all: [] },
      issue: {
        request: { method: 'POST', path: '/v1/organization/admin_api_keys', json: { name: '{label}' } },
        answers: [
          {
            status: 200,
            name: 'created',
            when: { json: { '/object': 'organization.admin_api_key' } },
            as: 'issued',
            parts: { key: '/value' },
            id: '/id',
            expiresAt: { at: '/expires_at', in: 'unix' },
          },
        ],
      },
      list: {
        request: { method: 'GET', path: '/v1/organization/admin_api_keys?limit=100', page: 'after={cursor}' },
        answers: [
          {
            status: 200,
            name: 'listed',
            when: LISTED,
            as: 'listed',
            keys: '/data',
            id: '/id',
            keyName: '/name',
            ...SHOWN_IN_LISTS,
            expiresAt: { at: '/expires_at', in: 'unix' },
            next: NEXT,
          },
        ],
      },
      revoke: {
        request: { method: 'DELETE', path: '/v1/organization/admin_api_keys/{providerKeyId}' },
        answers: [DELETED, ABSENT],
      },
      // Admin keys are for the administration API alone: `GET /v1/models` says nothing of them.
      probe: {
        request: { method: 'GET', path: '/v1/organization/admin_api_keys?limit=1' },
        answers: [{ status: 200, name: 'admin-keys', when: LISTED, as: 'alive' }, ...REFUSALS],
      },
    },
    {
      name: 'service-account-key',
      title: 'Key of a service account of a project',
      parts: { key: { format: '^sk-svcacct-[A-Za-z0-9_-]{20,300}$' } },
      places: BEARER,
      rotation: 'overlap',
      propagationSeconds: PROPAGATION_SECONDS,
      settings: PROJECT_ID,
      issuers: ['admin-key'],
      // The roles of the account; a new one is a member.
      scopes: { of: 'actor', all: ['none', 'member', 'owner'] },
      issue: {
        request: {
          method: 'POST',
          path: '/v1/organization/projects/{projectId}/service_accounts',
          json: { name: '{label}' },
        },
        answers: [
          {
            status: 200,
            name: 'created',
            when: { json: { '/object': 'organization.project.service_account' } },
            as: 'issued',
            parts: { key: '/api_key/value' },
            id: '/id',
          },
        ],
      },
      // The keys and not the accounts: only they say when they were last used. A person's keys are not of this kind.
      list: {
        request: PROJECT_KEYS,
        answers: [
          {
            status: 200,
            name: 'listed',
            when: LISTED,
            as: 'listed',
            keys: '/data',
            id: '/owner/service_account/id',
            keyName: '/owner/service_account/name',
            ...SHOWN_IN_LISTS,
            scope: '/owner/service_account/role',
            skip: { json: { '/owner/type': 'user' } },
            next: NEXT,
          },
        ],
      },
      revoke: {
        request: {
          method: 'DELETE',
          path: '/v1/organization/projects/{projectId}/service_accounts/{providerKeyId}',
        },
        answers: [DELETED, ABSENT],
      },
      probe: PROBE,
    },
    {
      name: 'user-key',
      title: 'Key of a user in a project',
      // `sk-proj-…` today; older ones have no second prefix.
      parts: { key: { format: '^sk-(?!admin-|svcacct-)[A-Za-z0-9_-]{20,300}$' } },
      places: BEARER,
      rotation: 'assisted',
      propagationSeconds: PROPAGATION_SECONDS,
      settings: PROJECT_ID,
      issuers: ['admin-key'],
      scopes: { of: 'none', all: [] },
      list: {
        request: PROJECT_KEYS,
        answers: [
          {
            status: 200,
            name: 'listed',
            when: LISTED,
            as: 'listed',
            keys: '/data',
            id: '/id',
            keyName: '/name',
            ...SHOWN_IN_LISTS,
            scope: '/owner/user/role',
            skip: { json: { '/owner/type': 'service_account' } },
            next: NEXT,
          },
        ],
      },
      revoke: {
        request: { method: 'DELETE', path: '/v1/organization/projects/{projectId}/api_keys/{providerKeyId}' },
        answers: [DELETED, ABSENT],
      },
      probe: PROBE,
      byHand: {
        url: KEYS_URL,
        issue: [
          'As the user whose key it is, create a new secret key in the same project.',
          'Choose "Restricted" and the permissions that the old key has.',
          'Copy the key; it is shown once.',
        ],
        revoke: null,
      },
    },
  ],
});
