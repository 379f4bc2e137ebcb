// Supabase's operations as actions, of two origins: the Management API (/v1, with a personal access token) and a project's own services
// (/rest, /auth, /storage, /functions, /realtime, /graphql, with a secret key). Keys, secrets and signing keys follow Supabase's OpenAPI
// document, the rest its API reference. What of the Management API has no name is below `api.*`; what of a project has none is refused.
import type { Action } from './provider.ts';

type Method = Action['method'];
type More = Pick<Action, 'query' | 'scopes' | 'upgrade'>;

function action(effect: Action['effect'], name: string, method: Method, path: string, more: More): Action {
  return { name, method, path, effect, ...more };
}

function read(name: string, path: string, more: More = {}): Action {
  return action('read', name, 'GET', path, more);
}

function write(name: string, method: Method, path: string, more: More = {}): Action {
  return action('write', name, method, path, more);
}

function remove(name: string, path: string, more: More = {}): Action {
  return action('delete', name, 'DELETE', path, more);
}

/** Mints or reveals a credential: no wildcard matches it, and no action that takes a rest leads there. */
function reveals(marked: Action): Action {
  return { ...marked, mints: true };
}

const PROJECT = '/v1/projects/{ref}';
const KEYS = `${PROJECT}/api-keys`;
const SIGNING_KEYS = `${PROJECT}/config/auth/signing-keys`;
const REVEAL: More = { query: ['reveal'] };

const MANAGEMENT: readonly Action[] = [
  read('organization.list', '/v1/organizations'),
  read('project.list', '/v1/projects'),
  write('project.create', 'POST', '/v1/projects'),
  read('project.get', PROJECT),
  write('project.update', 'PATCH', PROJECT),
  remove('project.delete', PROJECT),
  read('project.get-health', `${PROJECT}/health`, { query: ['services'] }),
  write('project.pause', 'POST', `${PROJECT}/pause`),
  write('project.restore', 'POST', `${PROJECT}/restore`),

  // Each of these shows keys where `reveal` is true.
  reveals(read('api-key.list', KEYS, REVEAL)),
  reveals(write('api-key.create', 'POST', KEYS, REVEAL)),
  reveals(read('api-key.get', `${KEYS}/{id}`, REVEAL)),
  reveals(write('api-key.update', 'PATCH', `${KEYS}/{id}`, REVEAL)),
  reveals(remove('api-key.delete', `${KEYS}/{id}`, REVEAL)),
  read('legacy-api-key.get', `${KEYS}/legacy`),
  write('legacy-api-key.switch', 'PUT', `${KEYS}/legacy`, { query: ['enabled'] }),

  read('signing-key.list', SIGNING_KEYS),
  reveals(write('signing-key.create', 'POST', SIGNING_KEYS)),
  read('signing-key.get', `${SIGNING_KEYS}/{id}`),
  write('signing-key.update', 'PATCH', `${SIGNING_KEYS}/{id}`),
  remove('signing-key.delete', `${SIGNING_KEYS}/{id}`),
  read('legacy-signing-key.get', `${SIGNING_KEYS}/legacy`),
  reveals(write('legacy-signing-key.create', 'POST', `${SIGNING_KEYS}/legacy`)),

  // Secrets of edge functions: the list holds their values.
  reveals(read('secret.list', `${PROJECT}/secrets`)),
  write('secret.create', 'POST', `${PROJECT}/secrets`),
  remove('secret.delete', `${PROJECT}/secrets`),

  read('edge-function.list', `${PROJECT}/functions`),
  write('edge-function.deploy', 'POST', `${PROJECT}/functions/deploy`, { query: ['slug'] }),
  read('edge-function.get', `${PROJECT}/functions/{function_slug}`),
  write('edge-function.update', 'PATCH', `${PROJECT}/functions/{function_slug}`),
  remove('edge-function.delete', `${PROJECT}/functions/{function_slug}`),

  // Any statement, as the owner of the database.
  reveals(write('database.query', 'POST', `${PROJECT}/database/query`)),
  read('migration.list', `${PROJECT}/database/migrations`),
  write('migration.apply', 'POST', `${PROJECT}/database/migrations`),
  // Their answers have room for a JWT secret, passwords of mail servers, secrets of OAuth providers, a role's or a branch's password.
  reveals(read('postgrest-config.get', `${PROJECT}/postgrest`)),
  reveals(read('auth-config.get', `${PROJECT}/config/auth`)),
  reveals(write('login-role.create', 'POST', `${PROJECT}/cli/login-role`)),
  reveals(read('branch.get', '/v1/branches/{branch_id}')),
  reveals(write('oauth-token.create', 'POST', '/v1/oauth/token')),

  { name: 'api.read', method: 'GET', path: '/v1/{rest*}', effect: 'read' },
  { name: 'api.create', method: 'POST', path: '/v1/{rest*}', effect: 'write' },
  { name: 'api.replace', method: 'PUT', path: '/v1/{rest*}', effect: 'write' },
  { name: 'api.change', method: 'PATCH', path: '/v1/{rest*}', effect: 'write' },
  { name: 'api.delete', method: 'DELETE', path: '/v1/{rest*}', effect: 'delete' },
];

const TABLE = '/rest/v1/{table}';
const RPC = '/rest/v1/rpc/{function}';
const USERS = '/auth/v1/admin/users';
const BUCKETS = '/storage/v1/bucket';
const OBJECT = '/storage/v1/object/{bucket}/{object*}';

const OF_A_PROJECT: readonly Action[] = [
  read('row.list', TABLE),
  { name: 'row.count', method: 'HEAD', path: TABLE, effect: 'read' },
  write('row.create', 'POST', TABLE),
  write('row.replace', 'PUT', TABLE),
  write('row.update', 'PATCH', TABLE),
  remove('row.delete', TABLE),
  read('procedure.read', RPC),
  write('procedure.call', 'POST', RPC),
  write('graphql.query', 'POST', '/graphql/v1'),

  read('auth-settings.get', '/auth/v1/settings'),
  read('auth-user.list', USERS),
  write('auth-user.create', 'POST', USERS),
  read('auth-user.get', `${USERS}/{user_id}`),
  write('auth-user.update', 'PUT', `${USERS}/{user_id}`),
  remove('auth-user.delete', `${USERS}/{user_id}`),
  write('auth-user.invite', 'POST', '/auth/v1/invite'),
  // A link signs in whoever has it; the others answer with a session.
  reveals(write('auth-link.generate', 'POST', '/auth/v1/admin/generate_link')),
  reveals(write('auth-session.create', 'POST', '/auth/v1/token', { query: ['grant_type'] })),
  reveals(write('auth-session.sign-up', 'POST', '/auth/v1/signup')),
  reveals(write('auth-session.verify', 'POST', '/auth/v1/verify')),

  read('bucket.list', BUCKETS),
  write('bucket.create', 'POST', BUCKETS),
  read('bucket.get', `${BUCKETS}/{bucket}`),
  write('bucket.update', 'PUT', `${BUCKETS}/{bucket}`),
  remove('bucket.delete', `${BUCKETS}/{bucket}`),
  action('read', 'object.list', 'POST', '/storage/v1/object/list/{bucket}', {}),
  read('object.get', OBJECT),
  read('object.info', '/storage/v1/object/info/{bucket}/{object*}'),
  write('object.create', 'POST', OBJECT),
  write('object.replace', 'PUT', OBJECT),
  remove('object.delete', OBJECT),
  remove('object.delete-many', '/storage/v1/object/{bucket}'),
  write('object.move', 'POST', '/storage/v1/object/move'),
  write('object.copy', 'POST', '/storage/v1/object/copy'),
  // A signed address is a credential. Objects in folders are signed by the first, which has their names in its body.
  reveals(write('object.sign-many', 'POST', '/storage/v1/object/sign/{bucket}')),
  reveals(write('object.sign', 'POST', '/storage/v1/object/sign/{bucket}/{object}')),
  reveals(write('object.sign-upload', 'POST', '/storage/v1/object/upload/sign/{bucket}/{object}')),

  write('edge-function.invoke', 'POST', '/functions/v1/{function_slug}'),
  read('edge-function.invoke-get', '/functions/v1/{function_slug}'),
  read('realtime.connect', '/realtime/v1/websocket', { upgrade: 'websocket' }),
];

export const supabaseActions: readonly Action[] = [...MANAGEMENT, ...OF_A_PROJECT];
