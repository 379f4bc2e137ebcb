// OpenAI's operations as actions: everything that manages keys, and what applications use most; the rest is below `administration.*` and
// `api.*`. Paths follow OpenAI's OpenAPI document 2.3.0 for keys and models, and its client library 6.49 for the others (read 2026-11-21).
//
// The organization's administration has rests of its own, so that a grant of `api.create` never reaches it.
import type { Action } from './provider.ts';

const ADMIN_KEYS = '/v1/organization/admin_api_keys';
const PROJECT = '/v1/organization/projects/{project_id}';
const SERVICE_ACCOUNTS = `${PROJECT}/service_accounts`;
const SERVICE_ACCOUNT = `${SERVICE_ACCOUNTS}/{service_account_id}`;

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
  read('admin-key.list', ADMIN_KEYS),
  read('admin-key.get', `${ADMIN_KEYS}/{key_id}`),
  mints(write('admin-key.create', ADMIN_KEYS)),
  remove('admin-key.delete', `${ADMIN_KEYS}/{key_id}`),

  read('project-key.list', `${PROJECT}/api_keys`),
  read('project-key.get', `${PROJECT}/api_keys/{api_key_id}`),
  remove('project-key.delete', `${PROJECT}/api_keys/{api_key_id}`),

  read('service-account.list', SERVICE_ACCOUNTS),
  read('service-account.get', SERVICE_ACCOUNT),
  // The answer holds a key, unless the body asks for an account without one.
  mints(write('service-account.create', SERVICE_ACCOUNTS)),
  // The body may make the account an owner of the project: as good as a new key.
  mints(write('service-account.update', SERVICE_ACCOUNT)),
  remove('service-account.delete', SERVICE_ACCOUNT),
  mints(write('service-account-key.create', `${SERVICE_ACCOUNT}/api_keys`)),

  // Short-lived secrets for browsers.
  mints(write('realtime-client-secret.create', '/v1/realtime/client_secrets')),
  mints(write('realtime-session.create', '/v1/realtime/sessions')),
  mints(write('realtime-transcription-session.create', '/v1/realtime/transcription_sessions')),
  mints(write('chatkit-session.create', '/v1/chatkit/sessions')),
  write('chatkit-session.cancel', '/v1/chatkit/sessions/{session_id}/cancel'),
];

const USE: readonly Action[] = [
  read('model.list', '/v1/models'),
  read('model.get', '/v1/models/{model}'),
  remove('model.delete', '/v1/models/{model}'),

  write('response.create', '/v1/responses'),
  read('response.get', '/v1/responses/{response_id}'),
  remove('response.delete', '/v1/responses/{response_id}'),
  write('response.cancel', '/v1/responses/{response_id}/cancel'),
  read('response-input-item.list', '/v1/responses/{response_id}/input_items'),

  write('chat-completion.create', '/v1/chat/completions'),
  write('completion.create', '/v1/completions'),
  write('embedding.create', '/v1/embeddings'),
  write('moderation.create', '/v1/moderations'),
  write('image.generate', '/v1/images/generations'),
  write('image.edit', '/v1/images/edits'),
  write('audio-speech.create', '/v1/audio/speech'),
  write('audio-transcription.create', '/v1/audio/transcriptions'),
  write('audio-translation.create', '/v1/audio/translations'),
  { ...read('realtime.connect', '/v1/realtime'), upgrade: 'websocket' },

  read('file.list', '/v1/files'),
  write('file.create', '/v1/files'),
  read('file.get', '/v1/files/{file_id}'),
  remove('file.delete', '/v1/files/{file_id}'),
  read('file-content.get', '/v1/files/{file_id}/content'),

  read('batch.list', '/v1/batches'),
  write('batch.create', '/v1/batches'),
  read('batch.get', '/v1/batches/{batch_id}'),
  write('batch.cancel', '/v1/batches/{batch_id}/cancel'),
];

/** OpenAI's documents and libraries use no other methods than these three. */
const REST: readonly Action[] = [
  read('administration.read', '/v1/organization/{rest*}'),
  write('administration.write', '/v1/organization/{rest*}'),
  remove('administration.delete', '/v1/organization/{rest*}'),
  read('project-role.read', '/v1/projects/{rest*}'),
  write('project-role.write', '/v1/projects/{rest*}'),
  remove('project-role.delete', '/v1/projects/{rest*}'),
  read('api.read', '/v1/{rest*}'),
  write('api.create', '/v1/{rest*}'),
  remove('api.delete', '/v1/{rest*}'),
];

export const openaiActions: readonly Action[] = [...KEYS, ...USE, ...REST];
