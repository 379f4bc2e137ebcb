// Cloudflare's operations as actions: all that manage API tokens, those known to mint or reveal something, and what applications use most;
// the rest is below `api.*`. Paths of tokens follow Cloudflare's own client (npm cloudflare 7.3.0, read 2026-11-21), the others its API
// reference. Resources of accounts and of zones have the ids of both as parameters, so that a grant can be narrowed to one.
import type { Action } from './provider.ts';

type Method = Action['method'];
type More = Pick<Action, 'query'>;

function action(effect: Action['effect'], name: string, method: Method, path: string, more: More): Action {
  return { name, method, path: `/client/v4${path}`, effect, ...more };
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

const ACCOUNT = '/accounts/{account_id}';
const ZONE = '/zones/{zone_id}';

function tokens(name: string, path: string): Action[] {
  return [
    read(`${name}.list`, path),
    reveals(write(`${name}.create`, 'POST', path)),
    read(`${name}.get`, `${path}/{token_id}`),
    // Policies of a token are widened by this: as good as a new one.
    reveals(write(`${name}.update`, 'PUT', `${path}/{token_id}`)),
    remove(`${name}.delete`, `${path}/{token_id}`),
    reveals(write(`${name}.roll`, 'PUT', `${path}/{token_id}/value`)),
    read(`${name}.verify`, `${path}/verify`),
    read(`${name}.list-permission-groups`, `${path}/permission_groups`),
  ];
}

const RECORDS = `${ZONE}/dns_records`;
const SCRIPT = `${ACCOUNT}/workers/scripts/{script_name}`;
const NAMESPACES = `${ACCOUNT}/storage/kv/namespaces`;
const VALUE = `${NAMESPACES}/{namespace_id}/values/{key_name}`;
const BUCKETS = `${ACCOUNT}/r2/buckets`;
const TUNNELS = `${ACCOUNT}/cfd_tunnel`;
const SERVICE_TOKENS = `${ACCOUNT}/access/service_tokens`;
const APPS = `${ACCOUNT}/access/apps`;
const PROVIDERS = `${ACCOUNT}/access/identity_providers`;
const WIDGETS = `${ACCOUNT}/challenges/widgets`;

export const cloudflareActions: readonly Action[] = [
  ...tokens('account-token', `${ACCOUNT}/tokens`),
  ...tokens('user-token', '/user/tokens'),

  read('user.get', '/user'),
  read('account.list', '/accounts'),
  read('account.get', ACCOUNT),
  read('account-member.list', `${ACCOUNT}/members`),
  // Gives a person rights: grant it by name.
  write('account-member.create', 'POST', `${ACCOUNT}/members`),

  read('zone.list', '/zones', { query: ['account.id', 'name'] }),
  write('zone.create', 'POST', '/zones'),
  read('zone.get', ZONE),
  write('zone.update', 'PATCH', ZONE),
  remove('zone.delete', ZONE),
  write('cache.purge', 'POST', `${ZONE}/purge_cache`),
  read('dns-record.list', RECORDS, { query: ['name', 'type'] }),
  write('dns-record.create', 'POST', RECORDS),
  read('dns-record.get', `${RECORDS}/{dns_record_id}`),
  write('dns-record.update', 'PATCH', `${RECORDS}/{dns_record_id}`),
  write('dns-record.replace', 'PUT', `${RECORDS}/{dns_record_id}`),
  remove('dns-record.delete', `${RECORDS}/{dns_record_id}`),
  write('dns-record.batch', 'POST', `${RECORDS}/batch`),
  read('dns-record.export', `${RECORDS}/export`),

  read('worker.list', `${ACCOUNT}/workers/scripts`),
  read('worker.get', SCRIPT),
  write('worker.upload', 'PUT', SCRIPT),
  remove('worker.delete', SCRIPT),
  read('worker-secret.list', `${SCRIPT}/secrets`),
  write('worker-secret.set', 'PUT', `${SCRIPT}/secrets`),
  read('kv-namespace.list', NAMESPACES),
  read('kv-value.get', VALUE),
  write('kv-value.set', 'PUT', VALUE),
  remove('kv-value.delete', VALUE),
  read('r2-bucket.list', BUCKETS),
  write('r2-bucket.create', 'POST', BUCKETS),
  read('r2-bucket.get', `${BUCKETS}/{bucket_name}`),
  remove('r2-bucket.delete', `${BUCKETS}/{bucket_name}`),
  reveals(write('r2-credential.create', 'POST', `${ACCOUNT}/r2/temp-access-credentials`)),
  write('d1-database.query', 'POST', `${ACCOUNT}/d1/database/{database_id}/query`),
  read('pages-project.list', `${ACCOUNT}/pages/projects`),
  write('pages-deployment.create', 'POST', `${ACCOUNT}/pages/projects/{project_name}/deployments`),

  read('tunnel.list', TUNNELS),
  // A tunnel comes with the credentials to run it.
  reveals(write('tunnel.create', 'POST', TUNNELS)),
  read('tunnel.get', `${TUNNELS}/{tunnel_id}`),
  remove('tunnel.delete', `${TUNNELS}/{tunnel_id}`),
  reveals(read('tunnel.get-token', `${TUNNELS}/{tunnel_id}/token`)),
  reveals(write('warp-connector.create', 'POST', `${ACCOUNT}/warp_connector`)),
  reveals(read('warp-connector.get-token', `${ACCOUNT}/warp_connector/{tunnel_id}/token`)),

  read('access-service-token.list', SERVICE_TOKENS),
  reveals(write('access-service-token.create', 'POST', SERVICE_TOKENS)),
  reveals(write('access-service-token.rotate', 'POST', `${SERVICE_TOKENS}/{service_token_id}/rotate`)),
  remove('access-service-token.delete', `${SERVICE_TOKENS}/{service_token_id}`),
  // Answers have room for a client secret.
  reveals(write('access-app.create', 'POST', APPS)),
  reveals(write('access-app.update', 'PUT', `${APPS}/{app_id}`)),
  reveals(write('access-identity-provider.create', 'POST', PROVIDERS)),
  reveals(read('access-identity-provider.get', `${PROVIDERS}/{identity_provider_id}`)),
  reveals(write('turnstile-widget.create', 'POST', WIDGETS)),
  reveals(read('turnstile-widget.get', `${WIDGETS}/{sitekey}`)),
  reveals(write('turnstile-widget.rotate-secret', 'POST', `${WIDGETS}/{sitekey}/rotate_secret`)),
  reveals(write('stream-key.create', 'POST', `${ACCOUNT}/stream/keys`)),
  reveals(write('stream-token.create', 'POST', `${ACCOUNT}/stream/{video_id}/token`)),
  reveals(read('image-key.list', `${ACCOUNT}/images/v1/keys`)),

  { name: 'api.read', method: 'GET', path: '/client/v4/{rest*}', effect: 'read' },
  { name: 'api.create', method: 'POST', path: '/client/v4/{rest*}', effect: 'write' },
  { name: 'api.replace', method: 'PUT', path: '/client/v4/{rest*}', effect: 'write' },
  { name: 'api.change', method: 'PATCH', path: '/client/v4/{rest*}', effect: 'write' },
  { name: 'api.delete', method: 'DELETE', path: '/client/v4/{rest*}', effect: 'delete' },
];
