// Anthropic's operations as actions: everything that manages or reveals keys, and what applications use most; the rest is below
// `administration.*` and `api.*`. Paths follow Anthropic's client library 1.11 (read 2026-11-21); no OpenAPI document is public.
//
// The organization's administration has rests of its own, so that a grant of `api.create` never reaches it.
import type { Action } from './provider.ts';

const API_KEYS = '/v1/organizations/api_keys';
const WEBHOOKS = '/v1/organizations/webhooks';
const SERVICE_ACCOUNTS = '/v1/organizations/service_accounts';
const FEDERATION_RULES = '/v1/organizations/federation_rules';
const BATCHES = '/v1/messages/batches';

function read(name: string, path: string): Action {
  return { name, method: 'GET', path, effect: 'read' };
}

function write(name: string, path: string): Action {
  return { name, method: 'POST', path, effect: 'write' };
}

function remove(name: string, path: string): Action {
  return { name, method: 'DELETE', path, effect: 'delete' };
}

function mints(action: Action): Action {
  return { ...action, mints: true };
}

const KEYS: readonly Action[] = [
  read('api-key.list', API_KEYS),
  read('api-key.get', `${API_KEYS}/{api_key_id}`),
  // Sets the status: an inactive key is made to work again by this, which is as good as a new one.
  mints(write('api-key.update', `${API_KEYS}/{api_key_id}`)),

  // A federation rule lets a foreign identity take a token: as good as a key.
  read('federation-rule.list', FEDERATION_RULES),
  read('federation-rule.get', `${FEDERATION_RULES}/{federation_rule_id}`),
  mints(write('federation-rule.create', FEDERATION_RULES)),
  mints(write('federation-rule.update', `${FEDERATION_RULES}/{federation_rule_id}`)),
  write('federation-rule.archive', `${FEDERATION_RULES}/{federation_rule_id}/archive`),
  read('federation-rule-workspace.list', `${FEDERATION_RULES}/{federation_rule_id}/workspaces`),
  write('federation-rule-workspace.create', `${FEDERATION_RULES}/{federation_rule_id}/workspaces`),
  remove('federation-rule-workspace.delete', `${FEDERATION_RULES}/{federation_rule_id}/workspaces/{workspace_id}`),
  mints(write('access-token.create', '/v1/oauth/token')),

  read('service-account.list', SERVICE_ACCOUNTS),
  write('service-account.create', SERVICE_ACCOUNTS),
  read('service-account.get', `${SERVICE_ACCOUNTS}/{service_account_id}`),
  write('service-account.update', `${SERVICE_ACCOUNTS}/{service_account_id}`),
  write('service-account.archive', `${SERVICE_ACCOUNTS}/{service_account_id}/archive`),

  // The answers of these hold the secret that webhooks are signed with.
  read('webhook.list', WEBHOOKS),
  mints(write('webhook.create', WEBHOOKS)),
  read('webhook.get', `${WEBHOOKS}/{webhook_endpoint_id}`),
  write('webhook.update', `${WEBHOOKS}/{webhook_endpoint_id}`),
  remove('webhook.delete', `${WEBHOOKS}/{webhook_endpoint_id}`),
  mints(write('webhook-signing-secret.regenerate', `${WEBHOOKS}/{webhook_endpoint_id}/regenerate_signing_secret`)),

  mints(write('tunnel-token.reveal', '/v1/tunnels/{tunnel_id}/reveal_token')),
  mints(write('tunnel-token.rotate', '/v1/tunnels/{tunnel_id}/rotate_token')),
];

const USE: readonly Action[] = [
  read('organization.get', '/v1/organizations/me'),
  read('model.list', '/v1/models'),
  read('model.get', '/v1/models/{model_id}'),

  write('message.create', '/v1/messages'),
  // Counts and makes nothing.
  { ...write('message.count-tokens', '/v1/messages/count_tokens'), effect: 'read' },
  read('message-batch.list', BATCHES),
  write('message-batch.create', BATCHES),
  read('message-batch.get', `${BATCHES}/{message_batch_id}`),
  write('message-batch.cancel', `${BATCHES}/{message_batch_id}/cancel`),
  remove('message-batch.delete', `${BATCHES}/{message_batch_id}`),
  read('message-batch-result.list', `${BATCHES}/{message_batch_id}/results`),

  read('file.list', '/v1/files'),
  write('file.create', '/v1/files'),
  read('file.get', '/v1/files/{file_id}'),
  remove('file.delete', '/v1/files/{file_id}'),
  read('file-content.get', '/v1/files/{file_id}/content'),
];

/** Anthropic's library uses no other methods than these three. */
const REST: readonly Action[] = [
  read('administration.read', '/v1/organizations/{rest*}'),
  write('administration.write', '/v1/organizations/{rest*}'),
  remove('administration.delete', '/v1/organizations/{rest*}'),
  read('api.read', '/v1/{rest*}'),
  write('api.create', '/v1/{rest*}'),
  remove('api.delete', '/v1/{rest*}'),
];

export const anthropicActions: readonly Action[] = [...KEYS, ...USE, ...REST];
