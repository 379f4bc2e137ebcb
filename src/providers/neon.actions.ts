// Neon's action catalogue: a name for each of the 163 operations of Neon's OpenAPI document (API v2, read 2026-11-21), so that
// grants speak of `branch.create` and not of paths. It decides nothing: matching and authorising belong to the broker and to access.
//
// Names are `resource.verb`, resources in the singular. Where one request line fits two templates, the literal segment wins:
//   GET /projects/shared                          is project.list-shared, not project.get
//   GET /projects/{project_id}/branches/count     is branch.count, not branch.get
// `reveals` marks an action as minting or revealing a credential: no wildcard matches it. Marked is every operation whose documented
// answer has room for one, whether or not the service fills it today: what the document allows may appear without notice.
import type { Action } from './provider.ts';

const ROOT = '/api/v2';
const PROJECT = '/projects/{project_id}';
const BRANCH = `${PROJECT}/branches/{branch_id}`;
const ENDPOINT = `${PROJECT}/endpoints/{endpoint_id}`;
const BUCKET = `${BRANCH}/buckets/{bucket_name}`;
const NEON_AUTH = `${BRANCH}/auth`;
const LEGACY_AUTH = `${PROJECT}/auth`;
const ORGANIZATION = '/organizations/{org_id}';
const ORGANIZATION_VPC = `${ORGANIZATION}/vpc/region/{region_id}/vpc_endpoints`;

type Method = Action['method'];
type More = Pick<Action, 'query' | 'slashes'>;

function action(effect: Action['effect'], name: string, method: Method, path: string, more: More): Action {
  return { name, method, path: ROOT + path, effect, ...more };
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

function reveals(marked: Action): Action {
  return { ...marked, mints: true };
}

const OBJECT_KEY: More = { slashes: ['object_key'] };

const ACCOUNT: readonly Action[] = [
  read('authentication.get', '/auth'),
  read('user.get', '/users/me'),
  read('organization.list', '/users/me/organizations'),
  read('region.list', '/regions', { query: ['org_id'] }),

  read('api-key.list', '/api_keys'),
  // The answer's `key` is a new personal key.
  reveals(write('api-key.create', 'POST', '/api_keys')),
  remove('api-key.delete', '/api_keys/{key_id}'),

  read('project-consumption.list-legacy', '/consumption_history/projects', { query: ['org_id', 'project_ids'] }),
  read('project-consumption.list', '/consumption_history/v2/projects', { query: ['org_id', 'project_ids'] }),
  read('branch-consumption.list', '/consumption_history/v2/branches', {
    query: ['org_id', 'project_ids', 'branch_ids'],
  }),
];

const ORGANIZATIONS: readonly Action[] = [
  read('organization.get', ORGANIZATION),

  read('organization-api-key.list', `${ORGANIZATION}/api_keys`),
  // The answer's `key` is a new organization or project key: which of them only the body says.
  reveals(write('organization-api-key.create', 'POST', `${ORGANIZATION}/api_keys`)),
  remove('organization-api-key.delete', `${ORGANIZATION}/api_keys/{key_id}`),

  read('organization-spending-limit.get', `${ORGANIZATION}/billing/spending_limit`),
  write('organization-spending-limit.update', 'PUT', `${ORGANIZATION}/billing/spending_limit`),
  remove('organization-spending-limit.delete', `${ORGANIZATION}/billing/spending_limit`),

  read('organization-member.list', `${ORGANIZATION}/members`),
  read('organization-member.get', `${ORGANIZATION}/members/{member_id}`),
  write('organization-member.update', 'PATCH', `${ORGANIZATION}/members/{member_id}`),
  remove('organization-member.delete', `${ORGANIZATION}/members/{member_id}`),

  read('organization-invitation.list', `${ORGANIZATION}/invitations`),
  write('organization-invitation.create', 'POST', `${ORGANIZATION}/invitations`),

  read('organization-vpc-endpoint.list', `${ORGANIZATION}/vpc/vpc_endpoints`),
  read('organization-vpc-endpoint.list-region', ORGANIZATION_VPC),
  read('organization-vpc-endpoint.get', `${ORGANIZATION_VPC}/{vpc_endpoint_id}`),
  write('organization-vpc-endpoint.assign', 'POST', `${ORGANIZATION_VPC}/{vpc_endpoint_id}`),
  remove('organization-vpc-endpoint.delete', `${ORGANIZATION_VPC}/{vpc_endpoint_id}`),
];

const PROJECTS: readonly Action[] = [
  read('project.list', '/projects', { query: ['org_id', 'recoverable'] }),
  read('project.list-shared', '/projects/shared'),
  // `connection_uris` and `roles` hold the password of the first role.
  reveals(write('project.create', 'POST', '/projects')),
  read('project.get', PROJECT),
  write('project.update', 'PATCH', PROJECT),
  remove('project.delete', PROJECT),
  write('project.recover', 'POST', `${PROJECT}/recover`),
  write('project.transfer', 'POST', '/organizations/{source_org_id}/projects/transfer'),
  write('project.transfer-from-user', 'POST', '/users/me/projects/transfer'),

  // The request's `id` is the claim link: whoever holds it may take the project.
  reveals(write('project-transfer-request.create', 'POST', `${PROJECT}/transfer_requests`)),
  write('project-transfer-request.accept', 'PUT', `${PROJECT}/transfer_requests/{request_id}`),

  read('project-permission.list', `${PROJECT}/permissions`),
  write('project-permission.create', 'POST', `${PROJECT}/permissions`),
  remove('project-permission.delete', `${PROJECT}/permissions/{permission_id}`),

  // Public keys; adding a set makes its owner's tokens acceptable to the database, but no credential passes through here.
  read('jwks.list', `${PROJECT}/jwks`),
  write('jwks.create', 'POST', `${PROJECT}/jwks`),
  remove('jwks.delete', `${PROJECT}/jwks/{jwks_id}`),

  // `uri` holds the role's password.
  reveals(
    read('connection-uri.get', `${PROJECT}/connection_uri`, {
      query: ['branch_id', 'endpoint_id', 'database_name', 'role_name', 'pooled'],
    }),
  ),
  read('operation.list', `${PROJECT}/operations`),
  read('operation.get', `${PROJECT}/operations/{operation_id}`),
  read('advisor-issue.list', `${PROJECT}/advisors`, { query: ['branch_id', 'database_name'] }),
  read('preload-library.list', `${PROJECT}/available_preload_libraries`),

  read('project-vpc-endpoint.list', `${PROJECT}/vpc_endpoints`),
  write('project-vpc-endpoint.assign', 'POST', `${PROJECT}/vpc_endpoints/{vpc_endpoint_id}`),
  remove('project-vpc-endpoint.delete', `${PROJECT}/vpc_endpoints/{vpc_endpoint_id}`),

  read('snapshot.list', `${PROJECT}/snapshots`),
  write('snapshot.create', 'POST', `${BRANCH}/snapshot`),
  write('snapshot.update', 'PATCH', `${PROJECT}/snapshots/{snapshot_id}`),
  remove('snapshot.delete', `${PROJECT}/snapshots/{snapshot_id}`),
  write('snapshot.restore', 'POST', `${PROJECT}/snapshots/{snapshot_id}/restore`),
];

const BRANCHES: readonly Action[] = [
  read('branch.list', `${PROJECT}/branches`, { query: ['include_deleted'] }),
  read('branch.count', `${PROJECT}/branches/count`),
  // `connection_uris` and `roles` hold the passwords that the branch inherits from its parent.
  reveals(write('branch.create', 'POST', `${PROJECT}/branches`)),
  reveals(write('branch.create-anonymized', 'POST', `${PROJECT}/branch_anonymized`)),
  read('branch.get', BRANCH),
  write('branch.update', 'PATCH', BRANCH),
  remove('branch.delete', BRANCH, { query: ['hard_delete'] }),
  write('branch.restore', 'POST', `${BRANCH}/restore`),
  write('branch.finalize-restore', 'POST', `${BRANCH}/finalize_restore`),
  write('branch.recover', 'POST', `${BRANCH}/recover`),
  write('branch.set-default', 'POST', `${BRANCH}/set_as_default`),

  read('branch-schema.get', `${BRANCH}/schema`, { query: ['db_name'] }),
  read('branch-schema.compare', `${BRANCH}/compare_schema`, { query: ['base_branch_id', 'db_name'] }),
  read('masking-rule.list', `${BRANCH}/masking_rules`),
  write('masking-rule.update', 'PATCH', `${BRANCH}/masking_rules`),
  read('anonymization.get', `${BRANCH}/anonymized_status`),
  write('anonymization.start', 'POST', `${BRANCH}/anonymize`),
  read('backup-schedule.get', `${BRANCH}/backup_schedule`),
  write('backup-schedule.update', 'PUT', `${BRANCH}/backup_schedule`),

  read('database.list', `${BRANCH}/databases`),
  write('database.create', 'POST', `${BRANCH}/databases`),
  read('database.get', `${BRANCH}/databases/{database_name}`),
  write('database.update', 'PATCH', `${BRANCH}/databases/{database_name}`),
  remove('database.delete', `${BRANCH}/databases/{database_name}`),

  // A role's `password` is documented on every answer that holds a role, the plain reads included.
  reveals(read('role.list', `${BRANCH}/roles`)),
  reveals(write('role.create', 'POST', `${BRANCH}/roles`)),
  reveals(read('role.get', `${BRANCH}/roles/{role_name}`)),
  reveals(remove('role.delete', `${BRANCH}/roles/{role_name}`)),
  reveals(read('role.reveal-password', `${BRANCH}/roles/{role_name}/reveal_password`)),
  reveals(write('role.reset-password', 'POST', `${BRANCH}/roles/{role_name}/reset_password`)),

  read('data-api.get', `${BRANCH}/data-api/{database_name}`),
  write('data-api.create', 'POST', `${BRANCH}/data-api/{database_name}`),
  write('data-api.update', 'PATCH', `${BRANCH}/data-api/{database_name}`),
  remove('data-api.delete', `${BRANCH}/data-api/{database_name}`),

  read('branch-endpoint.list', `${BRANCH}/endpoints`),
  read('endpoint.list', `${PROJECT}/endpoints`),
  write('endpoint.create', 'POST', `${PROJECT}/endpoints`),
  read('endpoint.get', ENDPOINT),
  write('endpoint.update', 'PATCH', ENDPOINT),
  remove('endpoint.delete', ENDPOINT),
  write('endpoint.start', 'POST', `${ENDPOINT}/start`),
  write('endpoint.suspend', 'POST', `${ENDPOINT}/suspend`),
  write('endpoint.restart', 'POST', `${ENDPOINT}/restart`),
];

const PLATFORM: readonly Action[] = [
  // The list has ids and dates only; `api_token` and `s3_secret_access_key` are in the answer to create.
  read('branch-credential.list', `${BRANCH}/credentials`),
  reveals(write('branch-credential.create', 'POST', `${BRANCH}/credentials`)),
  remove('branch-credential.delete', `${BRANCH}/credentials/{token_id}`),

  read('branch-storage.get', `${BRANCH}/storage`),
  read('bucket.list', `${BRANCH}/buckets`),
  write('bucket.create', 'POST', `${BRANCH}/buckets`),
  remove('bucket.delete', BUCKET),
  read('bucket-object.list', `${BUCKET}/objects`, { query: ['prefix'] }),
  read('bucket-object.download', `${BUCKET}/objects/{object_key}/download`, OBJECT_KEY),
  remove('bucket-object.delete', `${BUCKET}/objects/{object_key}`, OBJECT_KEY),
  remove('bucket-object.delete-prefix', `${BUCKET}/objects-by-prefix`, { query: ['prefix'] }),
  // A signed URL is a bearer credential, valid for up to seven days; upload or download is in the body.
  reveals(write('bucket-object.presign', 'POST', `${BUCKET}/objects/{object_key}/presign`, OBJECT_KEY)),

  read('ai-gateway.get', `${BRANCH}/ai_gateway`),
  // The names of a function's environment variables are shown, their values never.
  read('function.list', `${BRANCH}/functions`),
  read('function.get', `${BRANCH}/functions/{slug}`),
  write('function.update', 'PATCH', `${BRANCH}/functions/{slug}`),
  remove('function.delete', `${BRANCH}/functions/{slug}`),
  write('function.deploy', 'POST', `${BRANCH}/functions/{slug}/deployments`),
];

const AUTH: readonly Action[] = [
  read('neon-auth.get', NEON_AUTH),
  // `secret_server_key`.
  reveals(write('neon-auth.create', 'POST', NEON_AUTH)),
  remove('neon-auth.delete', NEON_AUTH),
  write('neon-auth.update', 'PATCH', `${NEON_AUTH}/config`),
  // `secret_server_key`; the project is in the body only.
  reveals(write('neon-auth-sdk-key.create', 'POST', '/projects/auth/keys')),
  // The answer's `url` hands the provider's project to whoever opens it.
  reveals(write('neon-auth-provider-project.transfer', 'POST', '/projects/auth/transfer_ownership')),

  read('neon-auth-domain.list', `${NEON_AUTH}/domains`),
  write('neon-auth-domain.create', 'POST', `${NEON_AUTH}/domains`),
  remove('neon-auth-domain.delete', `${NEON_AUTH}/domains`),

  write('neon-auth-user.create', 'POST', `${NEON_AUTH}/users`),
  remove('neon-auth-user.delete', `${NEON_AUTH}/users/{auth_user_id}`),
  write('neon-auth-user.update-role', 'PUT', `${NEON_AUTH}/users/{auth_user_id}/role`),

  // `client_secret` stands in every answer that holds a provider.
  reveals(read('neon-auth-oauth-provider.list', `${NEON_AUTH}/oauth_providers`)),
  reveals(write('neon-auth-oauth-provider.create', 'POST', `${NEON_AUTH}/oauth_providers`)),
  reveals(write('neon-auth-oauth-provider.update', 'PATCH', `${NEON_AUTH}/oauth_providers/{oauth_provider_id}`)),
  remove('neon-auth-oauth-provider.delete', `${NEON_AUTH}/oauth_providers/{oauth_provider_id}`),

  // The mail server's `password`.
  reveals(read('neon-auth-email-provider.get', `${NEON_AUTH}/email_provider`)),
  reveals(write('neon-auth-email-provider.update', 'PATCH', `${NEON_AUTH}/email_provider`)),
  write('neon-auth-email-provider.test', 'POST', `${NEON_AUTH}/send_test_email`),

  read('neon-auth-email-password.get', `${NEON_AUTH}/email_and_password`),
  write('neon-auth-email-password.update', 'PATCH', `${NEON_AUTH}/email_and_password`),
  read('neon-auth-localhost.get', `${NEON_AUTH}/allow_localhost`),
  write('neon-auth-localhost.update', 'PATCH', `${NEON_AUTH}/allow_localhost`),
  // Holds the mail server and the OAuth providers again.
  reveals(read('neon-auth-plugin.list', `${NEON_AUTH}/plugins`)),
  write('neon-auth-organization-plugin.update', 'PATCH', `${NEON_AUTH}/plugins/organization`),
  write('neon-auth-magic-link-plugin.update', 'PATCH', `${NEON_AUTH}/plugins/magic-link`),
  read('neon-auth-phone-number-plugin.get', `${NEON_AUTH}/plugins/phone-number`),
  write('neon-auth-phone-number-plugin.update', 'PATCH', `${NEON_AUTH}/plugins/phone-number`),
  read('neon-auth-webhook.get', `${NEON_AUTH}/webhooks`),
  write('neon-auth-webhook.update', 'PUT', `${NEON_AUTH}/webhooks`),
];

/** Deprecated by Neon in favour of the routes below a branch; still served. */
const LEGACY: readonly Action[] = [
  // `secret_server_key`; the project is in the body only.
  reveals(write('legacy-auth.create', 'POST', '/projects/auth/create')),
  read('legacy-auth.list', `${LEGACY_AUTH}/integrations`),
  remove('legacy-auth.delete', `${LEGACY_AUTH}/integration/{auth_provider}`),
  read('legacy-auth-domain.list', `${LEGACY_AUTH}/domains`),
  write('legacy-auth-domain.create', 'POST', `${LEGACY_AUTH}/domains`),
  remove('legacy-auth-domain.delete', `${LEGACY_AUTH}/domains`),
  write('legacy-auth-user.create', 'POST', '/projects/auth/user'),
  remove('legacy-auth-user.delete', `${LEGACY_AUTH}/users/{auth_user_id}`),
  reveals(read('legacy-auth-oauth-provider.list', `${LEGACY_AUTH}/oauth_providers`)),
  reveals(write('legacy-auth-oauth-provider.create', 'POST', `${LEGACY_AUTH}/oauth_providers`)),
  reveals(write('legacy-auth-oauth-provider.update', 'PATCH', `${LEGACY_AUTH}/oauth_providers/{oauth_provider_id}`)),
  remove('legacy-auth-oauth-provider.delete', `${LEGACY_AUTH}/oauth_providers/{oauth_provider_id}`),
  reveals(read('legacy-auth-email-server.get', `${LEGACY_AUTH}/email_server`)),
  reveals(write('legacy-auth-email-server.update', 'PATCH', `${LEGACY_AUTH}/email_server`)),
];

/** Every operation of Neon's API v2, each exactly once. */
export const neonActions: readonly Action[] = [
  ...ACCOUNT,
  ...ORGANIZATIONS,
  ...PROJECTS,
  ...BRANCHES,
  ...PLATFORM,
  ...AUTH,
  ...LEGACY,
];
