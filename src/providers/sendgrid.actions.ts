// SendGrid's operations as actions, by what applications use most; the rest is below `api.*`. Names follow the paths of its API v3.
import type { Action } from './provider.ts';

export const sendgridActions: readonly Action[] = [
  { name: 'mail.send', method: 'POST', path: '/v3/mail/send', effect: 'write', scopes: ['mail.send'] },
  { name: 'mail-batch.create', method: 'POST', path: '/v3/mail/batch', effect: 'write', scopes: ['mail.batch.create'] },
  {
    name: 'mail-batch.get',
    method: 'GET',
    path: '/v3/mail/batch/{batch_id}',
    effect: 'read',
    scopes: ['mail.batch.read'],
  },
  { name: 'scope.list', method: 'GET', path: '/v3/scopes', effect: 'read' },
  { name: 'api-key.list', method: 'GET', path: '/v3/api_keys', effect: 'read', scopes: ['api_keys.read'] },
  { name: 'api-key.get', method: 'GET', path: '/v3/api_keys/{api_key_id}', effect: 'read', scopes: ['api_keys.read'] },
  {
    name: 'api-key.create',
    method: 'POST',
    path: '/v3/api_keys',
    effect: 'write',
    scopes: ['api_keys.create'],
    mints: true,
  },
  // Scopes of a key are widened by these: as good as a new key.
  {
    name: 'api-key.replace',
    method: 'PUT',
    path: '/v3/api_keys/{api_key_id}',
    effect: 'write',
    scopes: ['api_keys.update'],
    mints: true,
  },
  {
    name: 'api-key.rename',
    method: 'PATCH',
    path: '/v3/api_keys/{api_key_id}',
    effect: 'write',
    scopes: ['api_keys.update'],
  },
  {
    name: 'api-key.delete',
    method: 'DELETE',
    path: '/v3/api_keys/{api_key_id}',
    effect: 'delete',
    scopes: ['api_keys.delete'],
  },
  { name: 'api.read', method: 'GET', path: '/v3/{rest*}', effect: 'read' },
  { name: 'api.create', method: 'POST', path: '/v3/{rest*}', effect: 'write' },
  { name: 'api.replace', method: 'PUT', path: '/v3/{rest*}', effect: 'write' },
  { name: 'api.change', method: 'PATCH', path: '/v3/{rest*}', effect: 'write' },
  { name: 'api.delete', method: 'DELETE', path: '/v3/{rest*}', effect: 'delete' },
];

/** Scopes that the documents name; SendGrid has more, and takes them as they are. */
export const sendgridScopes = [
  'mail.send',
  'mail.batch.create',
  'mail.batch.read',
  'mail.batch.update',
  'mail.batch.delete',
  'user.scheduled_sends.create',
  'user.scheduled_sends.read',
  'user.scheduled_sends.update',
  'user.scheduled_sends.delete',
  'alerts.create',
  'alerts.read',
  'user.profile.read',
  'user.profile.update',
  'api_keys.create',
  'api_keys.read',
  'api_keys.update',
  'api_keys.delete',
] as const;
