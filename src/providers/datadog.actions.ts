// Datadog's operations as actions: everything that manages or reveals keys, and what applications use most; the rest is below `api.*`.
// Paths and permissions of key management follow Datadog's OpenAPI documents v1 and v2 (client 2.67), the other paths its client library
// 1.64 (read 2026-11-21).
import type { Action } from './provider.ts';

const API_KEYS = '/api/v2/api_keys';
const APPLICATION_KEYS = '/api/v2/application_keys';
const OWN_APPLICATION_KEYS = '/api/v2/current_user/application_keys';
const ACCOUNT = '/api/v2/service_accounts/{service_account_id}';
const PERSONAL_TOKENS = '/api/v2/personal_access_tokens';
const SHARED = '/api/v1/dashboard/public';
const SECURE_EMBED = '/api/v2/dashboard/{dashboard_id}/shared/secure-embed';
const LOCATIONS = '/api/v1/synthetics/private-locations';

type Method = Action['method'];

function read(name: string, path: string, ...scopes: string[]): Action {
  return { name, method: 'GET', path, effect: 'read', ...(scopes.length === 0 ? {} : { scopes }) };
}

function write(name: string, method: Method, path: string, ...scopes: string[]): Action {
  return { ...read(name, path, ...scopes), method, effect: 'write' };
}

function remove(name: string, path: string, ...scopes: string[]): Action {
  return { ...read(name, path, ...scopes), method: 'DELETE', effect: 'delete' };
}

/** A search that is asked for in a body. */
function search(name: string, path: string): Action {
  return { name, method: 'POST', path, effect: 'read' };
}

function mints(action: Action): Action {
  return { ...action, mints: true };
}

/** Datadog answers with the key itself wherever it shows one API key or application key by its id, unless its service account owns it. */
const KEYS: readonly Action[] = [
  read('api-key.list', API_KEYS, 'api_keys_read'),
  mints(read('api-key.get', `${API_KEYS}/{api_key_id}`, 'api_keys_read')),
  mints(write('api-key.create', 'POST', API_KEYS, 'api_keys_write')),
  mints(write('api-key.update', 'PATCH', `${API_KEYS}/{api_key_id}`, 'api_keys_write')),
  remove('api-key.delete', `${API_KEYS}/{api_key_id}`, 'api_keys_delete'),

  read('application-key.list', APPLICATION_KEYS, 'org_app_keys_read'),
  mints(read('application-key.get', `${APPLICATION_KEYS}/{app_key_id}`, 'org_app_keys_read')),
  mints(write('application-key.update', 'PATCH', `${APPLICATION_KEYS}/{app_key_id}`, 'org_app_keys_write')),
  remove('application-key.delete', `${APPLICATION_KEYS}/{app_key_id}`, 'org_app_keys_write'),

  read('own-application-key.list', OWN_APPLICATION_KEYS, 'user_app_keys'),
  mints(read('own-application-key.get', `${OWN_APPLICATION_KEYS}/{app_key_id}`, 'user_app_keys')),
  mints(write('own-application-key.create', 'POST', OWN_APPLICATION_KEYS, 'user_app_keys')),
  mints(write('own-application-key.update', 'PATCH', `${OWN_APPLICATION_KEYS}/{app_key_id}`, 'user_app_keys')),
  remove('own-application-key.delete', `${OWN_APPLICATION_KEYS}/{app_key_id}`, 'user_app_keys'),

  read('service-account-key.list', `${ACCOUNT}/application_keys`, 'service_account_write'),
  read('service-account-key.get', `${ACCOUNT}/application_keys/{app_key_id}`, 'service_account_write'),
  mints(write('service-account-key.create', 'POST', `${ACCOUNT}/application_keys`, 'service_account_write')),
  // Sets the scopes: as good as a new key.
  mints(
    write('service-account-key.update', 'PATCH', `${ACCOUNT}/application_keys/{app_key_id}`, 'service_account_write'),
  ),
  remove('service-account-key.delete', `${ACCOUNT}/application_keys/{app_key_id}`, 'service_account_write'),

  read('service-account-token.list', `${ACCOUNT}/access_tokens`, 'service_account_write'),
  read('service-account-token.get', `${ACCOUNT}/access_tokens/{token_id}`, 'service_account_write'),
  mints(write('service-account-token.create', 'POST', `${ACCOUNT}/access_tokens`, 'service_account_write')),
  mints(write('service-account-token.update', 'PATCH', `${ACCOUNT}/access_tokens/{token_id}`, 'service_account_write')),
  remove('service-account-token.delete', `${ACCOUNT}/access_tokens/{token_id}`, 'service_account_write'),

  read('personal-token.list', PERSONAL_TOKENS),
  read('personal-token.get', `${PERSONAL_TOKENS}/{token_id}`),
  mints(write('personal-token.create', 'POST', PERSONAL_TOKENS, 'user_app_keys')),
  mints(write('personal-token.update', 'PATCH', `${PERSONAL_TOKENS}/{token_id}`)),
  remove('personal-token.delete', `${PERSONAL_TOKENS}/{token_id}`),

  // Version 1 shows every key in full, and takes the key itself as its id in the path.
  mints(read('api-key.list-legacy', '/api/v1/api_key')),
  mints(read('api-key.get-legacy', '/api/v1/api_key/{key}')),
  mints(write('api-key.create-legacy', 'POST', '/api/v1/api_key')),
  mints(write('api-key.update-legacy', 'PUT', '/api/v1/api_key/{key}')),
  remove('api-key.delete-legacy', '/api/v1/api_key/{key}'),
  mints(read('application-key.list-legacy', '/api/v1/application_key')),
  mints(read('application-key.get-legacy', '/api/v1/application_key/{key}')),
  mints(write('application-key.create-legacy', 'POST', '/api/v1/application_key')),
  mints(write('application-key.update-legacy', 'PUT', '/api/v1/application_key/{key}')),
  remove('application-key.delete-legacy', '/api/v1/application_key/{key}'),

  read('api-key.validate', '/api/v1/validate'),
  read('key-pair.validate', '/api/v2/validate_keys'),

  // Links and configurations that are credentials themselves.
  mints(write('shared-dashboard.create', 'POST', SHARED)),
  mints(read('shared-dashboard.get', `${SHARED}/{token}`)),
  mints(write('shared-dashboard.update', 'PUT', `${SHARED}/{token}`)),
  remove('shared-dashboard.delete', `${SHARED}/{token}`),
  mints(write('dashboard-embed.create', 'POST', SECURE_EMBED)),
  mints(read('dashboard-embed.get', `${SECURE_EMBED}/{token}`)),
  mints(write('dashboard-embed.update', 'PATCH', `${SECURE_EMBED}/{token}`)),
  remove('dashboard-embed.delete', `${SECURE_EMBED}/{token}`),
  mints(write('private-location.create', 'POST', LOCATIONS)),
  read('private-location.get', `${LOCATIONS}/{location_id}`),
  write('private-location.update', 'PUT', `${LOCATIONS}/{location_id}`),
  remove('private-location.delete', `${LOCATIONS}/{location_id}`),
];

const USE: readonly Action[] = [
  write('metric.submit', 'POST', '/api/v2/series'),
  write('metric.submit-legacy', 'POST', '/api/v1/series'),
  write('metric.submit-distribution', 'POST', '/api/v1/distribution_points'),
  read('metric.list', '/api/v2/metrics'),
  read('metric.query', '/api/v1/query'),
  search('metric.query-timeseries', '/api/v2/query/timeseries'),
  search('metric.query-scalar', '/api/v2/query/scalar'),

  read('monitor.list', '/api/v1/monitor'),
  read('monitor.search', '/api/v1/monitor/search'),
  write('monitor.create', 'POST', '/api/v1/monitor'),
  read('monitor.get', '/api/v1/monitor/{monitor_id}'),
  write('monitor.update', 'PUT', '/api/v1/monitor/{monitor_id}'),
  remove('monitor.delete', '/api/v1/monitor/{monitor_id}'),

  read('dashboard.list', '/api/v1/dashboard'),
  write('dashboard.create', 'POST', '/api/v1/dashboard'),
  read('dashboard.get', '/api/v1/dashboard/{dashboard_id}'),
  write('dashboard.update', 'PUT', '/api/v1/dashboard/{dashboard_id}'),
  remove('dashboard.delete', '/api/v1/dashboard/{dashboard_id}'),

  write('event.create', 'POST', '/api/v2/events'),
  read('event.list', '/api/v2/events'),
  read('event.get', '/api/v2/events/{event_id}'),
  search('event.search', '/api/v2/events/search'),
  search('log.search', '/api/v2/logs/events/search'),
  search('log.aggregate', '/api/v2/logs/analytics/aggregate'),

  read('downtime.list', '/api/v2/downtime'),
  write('downtime.create', 'POST', '/api/v2/downtime'),
  read('downtime.get', '/api/v2/downtime/{downtime_id}'),
  write('downtime.update', 'PATCH', '/api/v2/downtime/{downtime_id}'),
  remove('downtime.delete', '/api/v2/downtime/{downtime_id}'),

  read('slo.list', '/api/v1/slo'),
  read('slo.get', '/api/v1/slo/{slo_id}'),
  read('slo-history.get', '/api/v1/slo/{slo_id}/history'),
  read('host.list', '/api/v1/hosts'),
];

const REST: readonly Action[] = [
  read('api.read', '/api/{rest*}'),
  write('api.create', 'POST', '/api/{rest*}'),
  write('api.replace', 'PUT', '/api/{rest*}'),
  write('api.change', 'PATCH', '/api/{rest*}'),
  remove('api.delete', '/api/{rest*}'),
];

export const datadogActions: readonly Action[] = [...KEYS, ...USE, ...REST];
