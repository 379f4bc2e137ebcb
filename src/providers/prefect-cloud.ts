// Prefect Cloud: keys of users, which overlap, and keys of service accounts, which are rotated in place and leave the old one alive for a
// grace. By declaration, but for what no declaration can say: a grace that must not be missing, a list that stands in two places, and the audit log
// (prefect-cloud.log.ts).
// Follows Prefect Cloud's OpenAPI document, API 0.8.4, and its pages on API keys and service accounts (read 2026-11-21);
// docs/providers/prefect-cloud.md says what was never seen live.
import { Failure } from '../model/failure.ts';
import type { Json, JsonObject } from '../model/json.ts';
import { declared } from './declared.ts';
import { prefectCloudActions } from './prefect-cloud.actions.ts';
import { PREFECT_LOG_WINDOW_MS, prefectCloudLog } from './prefect-cloud.log.ts';
import { prefectAccountPermissions, prefectWorkspaceScopes } from './prefect-cloud.scopes.ts';
import type { Kind, Provider } from './provider.ts';

const UUID = '^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$';
const BEARER = [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }] as const;
/** Prefect's own form of an error; a proxy's page is not its word. */
const ERROR = { json: { '/detail': { is: 'string' } } } as const;
/** A key has no scopes of its own: it may do what its actor's roles allow. */
const SCOPES = {
  of: 'actor',
  all: [...prefectAccountPermissions, ...prefectWorkspaceScopes],
  reveals: ['see_secret_blocks', 'create:bot', 'update:bot'],
} as const;
const CONSOLE = 'https://app.prefect.cloud/my/api-keys';
/**
 * Deleting is documented to work at once, and writes as consistent only after some seconds, without a number; nobody measured either. This
 * leaves room for those seconds.
 */
const PROPAGATION_SECONDS = 10;
/** "If provided, it cannot be more than 48 hours (172800 seconds) in the future." */
const GRACE_MAX_SECONDS = 172_800;

/** What the official client asks to check a key; users and service accounts may. */
const PROBE = {
  request: { method: 'GET', path: '/api/me/workspaces' },
  answers: [
    { status: 200, name: 'workspaces', when: { json: { '': { is: 'array' } } }, as: 'alive' },
    // An allowlist of addresses, a private link or a role: each of them knows whose key it is.
    { status: 403, name: 'forbidden', when: ERROR, as: 'alive' },
    {
      status: 401,
      name: 'invalid-credentials',
      when: { json: { '/detail': 'Invalid authentication credentials' } },
      as: 'dead',
    },
  ],
} as const;

/** What the actor behind the key may do: in the account, and in the one workspace that the credential is for. */
const RIGHTS = [
  {
    request: { method: 'GET', path: '/api/me/accounts/{accountId}/permissions' },
    answers: [{ status: 200, name: 'permissions', as: 'known', scopes: '' }],
  },
  {
    request: { method: 'GET', path: '/api/me/workspaces/{workspaceId}/scopes' },
    answers: [{ status: 200, name: 'scopes', as: 'known', scopes: '' }],
  },
] as const;
const WORKSPACE = {
  about: 'Id of the workspace that the key is for; without it nobody asks what the key may do there',
  format: UUID,
  required: false,
} as const;

const REVOKED_OR_ABSENT = [
  { status: [200, 204], name: 'deleted', as: 'accepted' },
  { status: 404, name: 'absent', when: ERROR, as: 'absent' },
] as const;

const BOT = '/api/accounts/{accountId}/bots/{botId}';

const byDeclaration = declared({
  name: 'prefect-cloud',
  title: 'Prefect Cloud',
  origin: 'https://api.prefect.cloud',
  console: CONSOLE,
  actions: prefectCloudActions,
  kinds: [
    {
      name: 'user-key',
      title: 'API key of a user',
      parts: { key: { format: '^pnu_[A-Za-z0-9]{36}$' } },
      places: BEARER,
      rotation: 'overlap',
      propagationSeconds: PROPAGATION_SECONDS,
      settings: {
        userId: { about: 'Id of the user, as GET /api/me/ gives it', format: UUID },
        accountId: {
          about:
            'Id of the account whose audit log is read, and in which it is asked what the key may do; without it neither is',
          format: UUID,
          required: false,
        },
        workspaceId: WORKSPACE,
      },
      issuers: ['user-key'],
      scopes: SCOPES,
      byHand: {
        url: CONSOLE,
        issue: [
          'Select the account icon, then API Keys.',
          'Select + and give the key a name and, where there is to be one, an expiration date.',
          'Copy the key; it is shown once.',
        ],
        revoke: ['Delete the old key in the list of API keys.'],
      },
      issue: {
        request: {
          method: 'POST',
          path: '/api/users/{userId}/api_keys',
          json: { name: '{label}', expiration: '{expiresAt}' },
        },
        answers: [
          {
            status: 201,
            name: 'created',
            as: 'issued',
            parts: { key: '/key' },
            id: '/id',
            expiresAt: { at: '/expiration', in: 'rfc3339' },
          },
        ],
      },
      list: {
        request: { method: 'GET', path: '/api/users/{userId}/api_keys' },
        answers: [
          {
            status: 200,
            name: 'listed',
            as: 'listed',
            keys: '',
            id: '/id',
            keyName: '/name',
            createdAt: { at: '/created', in: 'rfc3339' },
            hint: '/masked_key',
            expiresAt: { at: '/expiration', in: 'rfc3339' },
          },
        ],
      },
      revoke: {
        request: { method: 'DELETE', path: '/api/users/{userId}/api_keys/{providerKeyId}' },
        answers: REVOKED_OR_ABSENT,
      },
      probe: PROBE,
      identity: {
        request: { method: 'GET', path: '/api/me/' },
        answers: [{ status: 200, name: 'user', as: 'known', account: '/id' }],
      },
      rights: RIGHTS,
    },
    {
      name: 'service-account-key',
      title: 'API key of a service account',
      // The prefix is Prefect's; that as many characters follow as in a user's key is not documented, so the length is left open.
      parts: { key: { format: '^pnb_[A-Za-z0-9]{24,64}$' } },
      places: BEARER,
      rotation: 'grace',
      graceMaxSeconds: GRACE_MAX_SECONDS,
      propagationSeconds: PROPAGATION_SECONDS,
      settings: {
        accountId: { about: 'Id of the account that the service account belongs to', format: UUID },
        botId: {
          about: 'Id of the service account, which the API calls a bot; it stays when its key is rotated',
          format: UUID,
        },
        workspaceId: WORKSPACE,
      },
      // Whoever may `update:bot`.
      issuers: ['user-key', 'service-account-key'],
      scopes: SCOPES,
      byHand: {
        url: 'https://app.prefect.cloud',
        issue: [
          'Open Service Accounts in the settings of the account, and create one; or rotate the key of one that is there, with a grace.',
          'Give it the narrowest role that will do, in each workspace that it needs.',
          'Copy the key; it is shown once.',
        ],
        revoke: ['Delete the rotating key of the service account, or let its grace pass.'],
      },
      replace: {
        request: {
          method: 'POST',
          path: `${BOT}/rotate_api_key`,
          json: { api_key_expiration: '{expiresAt}', old_key_expires_in_seconds: '{grace}' },
        },
        answers: [
          {
            status: 201,
            name: 'rotated',
            as: 'issued',
            parts: { key: '/api_key/key' },
            id: '/api_key/id',
            expiresAt: { at: '/api_key/expiration', in: 'rfc3339' },
          },
        ],
      },
      list: {
        request: { method: 'GET', path: `${BOT}/read_bot_api_keys` },
        answers: [
          {
            status: 200,
            name: 'listed',
            as: 'listed',
            // Where `together` has put them.
            keys: '/keys',
            id: '/id',
            keyName: '/name',
            createdAt: { at: '/created', in: 'rfc3339' },
            hint: '/masked_key',
            expiresAt: { at: '/expiration', in: 'rfc3339' },
          },
        ],
      },
      revoke: {
        request: { method: 'DELETE', path: `${BOT}/delete_bot_api_key/{providerKeyId}` },
        answers: REVOKED_OR_ABSENT,
      },
      probe: PROBE,
      // `/api/me/` is for users alone. A service account belongs to one account, so any workspace that it sees names it.
      identity: {
        request: { method: 'GET', path: '/api/me/workspaces' },
        answers: [{ status: 200, name: 'workspaces', as: 'known', account: '/0/account_id' }],
      },
      rights: RIGHTS,
    },
  ],
});

/** `{ active_key, rotating_keys }` as one list; nothing where it is not whole. That no key is active may be said by null, never by silence. */
function together(json: Json): Json {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return null;
  const { active_key: active, rotating_keys: rotating } = json as JsonObject;
  if (active === undefined || !Array.isArray(rotating)) return null;
  return { keys: active === null ? rotating : [active, ...rotating] };
}

function ofServiceAccount(kind: Kind): Kind {
  const { list, replace } = kind;
  if (list === null || replace === undefined) throw new Error('a service account lists and replaces its keys');
  return {
    ...kind,
    list: {
      request: list.request,
      read(answer, input) {
        return list.read(answer.status === 200 ? { ...answer, json: together(answer.json) } : answer, input);
      },
    },
    replace: {
      request(input) {
        // Left out, null or 0 deletes the old key in the same moment: whoever uses it fails.
        if (input.grace === undefined)
          throw new Failure(
            'invalid',
            'a key of a service account is replaced with a grace, or the old one dies at once',
          );
        return replace.request(input);
      },
      read: replace.read,
    },
  };
}

export const prefectCloud: Provider = {
  ...byDeclaration,
  kinds: byDeclaration.kinds.map((kind) => ({
    ...(kind.rotation === 'grace' ? ofServiceAccount(kind) : kind),
    log: prefectCloudLog,
    logWindowMs: PREFECT_LOG_WINDOW_MS,
  })),
};
