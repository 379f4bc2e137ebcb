// Grafana's operations as actions: what manages service accounts and their tokens, what applications use most, and what answers with
// something secret; the rest is below `api.*`. Paths of service accounts follow Grafana's Swagger document, the others its HTTP API
// reference. What lies below /apis, Grafana's newer API, has no name: it is refused until it has one.
import type { Action } from './provider.ts';

type Method = Action['method'];
type More = Pick<Action, 'query'>;

function action(effect: Action['effect'], name: string, method: Method, path: string, more: More): Action {
  return { name, method, path: `/api${path}`, effect, ...more };
}

function read(name: string, path: string, more: More = {}): Action {
  return action('read', name, 'GET', path, more);
}

function write(name: string, method: Method, path: string): Action {
  return action('write', name, method, path, {});
}

function remove(name: string, path: string): Action {
  return action('delete', name, 'DELETE', path, {});
}

/** Mints or reveals a credential: no wildcard matches it, and no `api.*` leads there. */
function reveals(marked: Action): Action {
  return { ...marked, mints: true };
}

const ACCOUNT = '/serviceaccounts/{service_account_id}';
const DASHBOARD = '/dashboards/uid/{dashboard_uid}';

export const grafanaActions: readonly Action[] = [
  read('health.get', '/health'),
  read('user.get', '/user'),
  read('user.list-permissions', '/access-control/user/permissions'),

  read('service-account.search', '/serviceaccounts/search'),
  write('service-account.create', 'POST', '/serviceaccounts'),
  read('service-account.get', ACCOUNT),
  // Its role is changed by this, and with it what all of its tokens may do.
  write('service-account.update', 'PATCH', ACCOUNT),
  remove('service-account.delete', ACCOUNT),
  read('service-account-token.list', `${ACCOUNT}/tokens`),
  reveals(write('service-account-token.create', 'POST', `${ACCOUNT}/tokens`)),
  remove('service-account-token.delete', `${ACCOUNT}/tokens/{token_id}`),
  // The API keys of before service accounts.
  read('api-key.list', '/auth/keys'),
  reveals(write('api-key.create', 'POST', '/auth/keys')),
  remove('api-key.delete', '/auth/keys/{api_key_id}'),

  read('dashboard.search', '/search', { query: ['folderUIDs', 'type'] }),
  read('dashboard.get', DASHBOARD),
  write('dashboard.save', 'POST', '/dashboards/db'),
  remove('dashboard.delete', DASHBOARD),
  // Answers with the token that opens the dashboard to everybody.
  reveals(read('public-dashboard.get', `${DASHBOARD}/public-dashboards`)),
  reveals(write('public-dashboard.create', 'POST', `${DASHBOARD}/public-dashboards`)),
  reveals(write('public-dashboard.update', 'PATCH', `${DASHBOARD}/public-dashboards/{public_dashboard_uid}`)),
  remove('public-dashboard.delete', `${DASHBOARD}/public-dashboards/{public_dashboard_uid}`),
  // Answers with the key that deletes it.
  reveals(write('snapshot.create', 'POST', '/snapshots')),

  read('folder.list', '/folders', { query: ['parentUid'] }),
  write('folder.create', 'POST', '/folders'),
  read('folder.get', '/folders/{folder_uid}'),
  write('folder.update', 'PUT', '/folders/{folder_uid}'),
  remove('folder.delete', '/folders/{folder_uid}'),

  read('data-source.list', '/datasources'),
  write('data-source.create', 'POST', '/datasources'),
  read('data-source.get', '/datasources/uid/{data_source_uid}'),
  write('data-source.update', 'PUT', '/datasources/uid/{data_source_uid}'),
  remove('data-source.delete', '/datasources/uid/{data_source_uid}'),
  // Asks any data source that the account reaches; which one is in the body.
  write('data-source.query', 'POST', '/ds/query'),

  read('annotation.list', '/annotations', { query: ['dashboardUID'] }),
  write('annotation.create', 'POST', '/annotations'),
  remove('annotation.delete', '/annotations/{annotation_id}'),

  read('alert-rule.list', '/v1/provisioning/alert-rules'),
  write('alert-rule.create', 'POST', '/v1/provisioning/alert-rules'),
  read('alert-rule.get', '/v1/provisioning/alert-rules/{alert_rule_uid}'),
  write('alert-rule.update', 'PUT', '/v1/provisioning/alert-rules/{alert_rule_uid}'),
  remove('alert-rule.delete', '/v1/provisioning/alert-rules/{alert_rule_uid}'),
  // Decrypts the secrets of contact points where it is asked to.
  reveals(read('contact-point.export', '/v1/provisioning/contact-points/export', { query: ['decrypt'] })),

  { name: 'api.read', method: 'GET', path: '/api/{rest*}', effect: 'read' },
  { name: 'api.create', method: 'POST', path: '/api/{rest*}', effect: 'write' },
  { name: 'api.replace', method: 'PUT', path: '/api/{rest*}', effect: 'write' },
  { name: 'api.change', method: 'PATCH', path: '/api/{rest*}', effect: 'write' },
  { name: 'api.delete', method: 'DELETE', path: '/api/{rest*}', effect: 'delete' },
];
