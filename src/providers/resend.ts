// Resend, by declaration: keys that may only send, and keys that may do everything, which mint and end both.
// Follows Resend's OpenAPI document 1.5.0 and its pages on API keys and errors, and what others have quoted of its refusals (read 2026-11-21);
// docs/providers/resend.md says what was never seen live.
import { declared } from './declared.ts';

const KEYS_URL = 'https://resend.com/api-keys';

/**
 * A key that may only send hears 401, one that was ended 400 or 401, its pages say 403: the words tell, the status does not. Nobody's mail is
 * read, and none is sent.
 */
const PROBE = {
  request: { method: 'GET', path: '/domains?limit=1' },
  answers: [
    { status: 200, name: 'domains', when: { json: { '/data': { is: 'array' } } }, as: 'alive' },
    { status: 401, name: 'may-only-send', when: { json: { '/name': 'restricted_api_key' } }, as: 'alive' },
    {
      status: [400, 401, 403],
      name: 'invalid-key',
      when: { json: { '/message': { matches: '^API key is invalid\\.?$' } } },
      as: 'dead',
    },
  ],
} as const;

const SHARED = {
  parts: { key: { format: '^re_[A-Za-z0-9_]{16,200}$' } },
  places: [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }],
  rotation: 'overlap',
  // Nobody documents how soon an ended key is refused everywhere, and nobody measured it: room for one short-lived cache.
  propagationSeconds: 10,
  issuers: ['full-key'],
  scopes: { of: 'kind', all: [] },
  list: {
    request: { method: 'GET', path: '/api-keys?limit=100', page: 'after={cursor}' },
    answers: [
      {
        status: 200,
        name: 'listed',
        as: 'listed',
        keys: '/data',
        id: '/id',
        keyName: '/name',
        createdAt: { at: '/created_at', in: 'rfc3339' },
        lastUsedAt: { at: '/last_used_at', in: 'rfc3339' },
        next: { by: 'last-id', more: '/has_more' },
      },
    ],
  },
  revoke: {
    request: { method: 'DELETE', path: '/api-keys/{providerKeyId}' },
    answers: [
      { status: 200, name: 'deleted', as: 'accepted' },
      { status: 404, name: 'absent', when: { json: { '/name': 'not_found' } }, as: 'absent' },
    ],
  },
  probe: PROBE,
} as const;

/** The permission is always sent: left out, it is the full one. */
function issueWith(permission: 'sending_access' | 'full_access', more: Readonly<Record<string, string>> = {}) {
  return {
    request: { method: 'POST', path: '/api-keys', json: { name: '{label}', permission, ...more } },
    answers: [{ status: [200, 201], name: 'created', as: 'issued', parts: { key: '/token' }, id: '/id' }],
  } as const;
}

export const resend = declared({
  name: 'resend',
  title: 'Resend',
  origin: 'https://api.resend.com',
  console: KEYS_URL,
  kinds: [
    {
      ...SHARED,
      name: 'sending-key',
      title: 'API key that may only send',
      settings: {
        domainId: {
          required: false,
          about: 'Id of the one domain that the key may send from; absent: from every domain of the team',
          format: '^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$',
        },
      },
      issue: issueWith('sending_access', { domain_id: '{domainId}' }),
    },
    { ...SHARED, name: 'full-key', title: 'API key with full access', issue: issueWith('full_access') },
  ],
  actions: [
    { name: 'email.send', method: 'POST', path: '/emails', effect: 'write' },
    { name: 'email.send-batch', method: 'POST', path: '/emails/batch', effect: 'write' },
    { name: 'email.list', method: 'GET', path: '/emails', effect: 'read' },
    { name: 'email.get', method: 'GET', path: '/emails/{email_id}', effect: 'read' },
    { name: 'email.reschedule', method: 'PATCH', path: '/emails/{email_id}', effect: 'write' },
    { name: 'email.cancel', method: 'POST', path: '/emails/{email_id}/cancel', effect: 'write' },
    { name: 'received-email.list', method: 'GET', path: '/emails/receiving', effect: 'read' },
    { name: 'received-email.get', method: 'GET', path: '/emails/receiving/{email_id}', effect: 'read' },
    { name: 'api-key.list', method: 'GET', path: '/api-keys', effect: 'read' },
    { name: 'api-key.create', method: 'POST', path: '/api-keys', effect: 'write', mints: true },
    { name: 'api-key.delete', method: 'DELETE', path: '/api-keys/{api_key_id}', effect: 'delete' },
    // Both show the secret that a webhook's messages are signed with.
    { name: 'webhook.create', method: 'POST', path: '/webhooks', effect: 'write', mints: true },
    { name: 'webhook.get', method: 'GET', path: '/webhooks/{webhook_id}', effect: 'read', mints: true },
    { name: 'webhook.list', method: 'GET', path: '/webhooks', effect: 'read' },
    { name: 'webhook.update', method: 'PATCH', path: '/webhooks/{webhook_id}', effect: 'write' },
    { name: 'webhook.delete', method: 'DELETE', path: '/webhooks/{webhook_id}', effect: 'delete' },
    { name: 'api.read', method: 'GET', path: '/{rest*}', effect: 'read' },
    { name: 'api.create', method: 'POST', path: '/{rest*}', effect: 'write' },
    { name: 'api.change', method: 'PATCH', path: '/{rest*}', effect: 'write' },
    { name: 'api.delete', method: 'DELETE', path: '/{rest*}', effect: 'delete' },
  ],
});
