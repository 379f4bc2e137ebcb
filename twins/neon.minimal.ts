// The Neon twin's answers where it keeps no state: for each remaining operation the smallest body that Neon's OpenAPI document allows,
// with the ids of the request in it. Deletes and updates here are confirmed and forgotten. Secrets in them carry the marker `canary`.
import type { Json } from '../src/model/json.ts';
import { type Access, isRefusal, notFound, type Refusal, reachProject } from './neon.access.ts';
import { type Answer, type Context, type Handler, type Route, route } from './neon.router.ts';
import { ok, text } from './neon.routes.account.ts';
import { created, withBranch } from './neon.routes.project.ts';
import { instant, projectJson } from './neon.world.ts';

const EMPTY: Answer = { status: 204, body: null };
const NOTHING: Answer = { status: 200, body: null };

function constant(answer: Answer): Handler {
  return () => answer;
}

/** For the routes whose project is named in the body only. */
function inBody(handle: Handler): Handler {
  return (context) => {
    const project = reachProject(context.maker.world, context.key, text(context.body, 'project_id') ?? '');
    return isRefusal(project) ? project : handle(context);
  };
}

function param(context: Context, name: string): string {
  return context.params[name] ?? '';
}

const VPC = { vpc_endpoint_id: 'vpce-1234567890abcdef0', label: 'twin' };
const SPENDING = { spending_limit_cents: null };

function permission(context: Context): Json {
  return {
    id: context.maker.uuid(),
    granted_to_email: 'person@example.com',
    granted_at: instant(context.now),
  };
}

function jwks(context: Context): Json {
  return {
    id: context.maker.uuid(),
    project_id: param(context, 'project_id'),
    jwks_url: 'https://example.com/jwks.json',
    provider_name: 'twin',
    created_at: instant(context.now),
    updated_at: instant(context.now),
  };
}

function snapshot(context: Context): Json {
  return { id: 'snap-twin-1', name: 'twin', created_at: instant(context.now) };
}

function anonymization(context: Context): Answer {
  return ok({
    project_id: param(context, 'project_id'),
    branch_id: param(context, 'branch_id'),
    state: 'initialized',
    created_at: instant(context.now),
    updated_at: instant(context.now),
  });
}

function transferRequest(context: Context): Answer {
  const expires = instant(context.now + 86_400_000);
  const id = context.maker.uuid();
  const projectId = param(context, 'project_id');
  return created({ id, project_id: projectId, created_at: instant(context.now), expires_at: expires });
}

function recoverProject(context: Context): Answer {
  const project = context.maker.world.projects.get(param(context, 'project_id'))!;
  const branches = [...project.branches.values()].map(({ json }) => json);
  return ok({ project: projectJson(project, context.now), branches });
}

function restoreSnapshot(context: Context): Answer | Refusal {
  const project = context.maker.world.projects.get(param(context, 'project_id'))!;
  const [main] = project.branches.values();
  return main === undefined ? notFound('branch') : ok({ branch: main.json, operations: [] });
}

const CREDENTIAL_ID = `nak_live_${'0'.repeat(32)}`;

function branchCredential(context: Context): Answer {
  return created({
    token_id: CREDENTIAL_ID,
    token_id_short: 'nak_live_0000',
    api_token: 'canary-branch-token',
    s3_secret_access_key: 'nsk_live_canary',
    scopes: ['storage:read'],
    branch_id: param(context, 'branch_id'),
    created_at: instant(context.now),
  });
}

function presign(context: Context): Answer {
  const expires = instant(context.now + 900_000);
  return ok({
    url: 'https://storage.example.com/object?signature=canary',
    method: 'GET',
    headers: {},
    expires_at: expires,
  });
}

function functionJson(context: Context): Json {
  const slug = param(context, 'slug');
  return {
    id: `fn-${slug}`,
    slug,
    name: slug,
    invocation_url: 'https://functions.example.com/',
    created_at: instant(context.now),
  };
}

function deployment(context: Context): Answer {
  const created_at = instant(context.now);
  return created({ deployment: { id: 1, status: 'pending', memory_mib: 256, runtime: 'nodejs24', created_at } });
}

const AUTH_KEYS = {
  auth_provider: 'better_auth',
  auth_provider_project_id: 'twin',
  pub_client_key: 'canary-public-client-key',
  secret_server_key: 'canary-secret-server-key',
  jwks_url: 'https://example.com/jwks.json',
  schema_name: 'neon_auth',
  table_name: 'users_sync',
};

function integration(context: Context, branchId: string): Json {
  return {
    auth_provider: 'better_auth',
    auth_provider_project_id: 'twin',
    branch_id: branchId,
    db_name: 'neondb',
    created_at: instant(context.now),
    owned_by: 'neon',
    jwks_url: 'https://example.com/jwks.json',
  };
}

const DOMAINS = { domains: [{ domain: 'https://example.com', auth_provider: 'better_auth' }] };
const OAUTH_PROVIDER = { id: 'google', type: 'standard', client_id: 'twin', client_secret: 'canary-client-secret' };
const EMAIL_SERVER = {
  type: 'standard',
  host: 'mail.example.com',
  port: 587,
  username: 'twin',
  password: 'canary-mail-password',
  sender_email: 'twin@example.com',
  sender_name: 'Twin',
};
const EMAIL_AND_PASSWORD = {
  enabled: true,
  email_verification_method: 'link',
  require_email_verification: false,
  auto_sign_in_after_verification: false,
  send_verification_email_on_sign_up: false,
  send_verification_email_on_sign_in: false,
  disable_sign_up: false,
};
const ORGANIZATION_PLUGIN = {
  enabled: true,
  organization_limit: 5,
  membership_limit: 100,
  creator_role: 'owner',
  send_invitation_email: false,
};
const PLUGINS = {
  organization: ORGANIZATION_PLUGIN,
  email_provider: EMAIL_SERVER,
  email_and_password: EMAIL_AND_PASSWORD,
  oauth_providers: [OAUTH_PROVIDER],
  allow_localhost: true,
};

const PROJECT = '/projects/{project_id}';
const BRANCH = `${PROJECT}/branches/{branch_id}`;
const BUCKET = `${BRANCH}/buckets/{bucket_name}`;
const AUTH = `${BRANCH}/auth`;
const LEGACY = `${PROJECT}/auth`;
const ORGANIZATION = '/organizations/{org_id}';
const REGION_VPC = `${ORGANIZATION}/vpc/region/{region_id}/vpc_endpoints`;

/** Below a branch, which must exist. */
function onBranch(line: string, handle: Handler): Route {
  return route(
    line,
    'project',
    withBranch((context) => handle(context)),
  );
}

function fixed(line: string, access: Access, body: Json): Route {
  return route(line, access, constant(ok(body)));
}

export const minimalRoutes: readonly Route[] = [
  fixed('GET /consumption_history/projects', 'projects', { projects: [] }),
  fixed('GET /consumption_history/v2/projects', 'projects', { projects: [] }),
  fixed('GET /consumption_history/v2/branches', 'projects', { branches: [] }),
  fixed('POST /users/me/projects/transfer', 'person', {}),

  fixed(`GET ${ORGANIZATION}/billing/spending_limit`, 'admin', SPENDING),
  fixed(`PUT ${ORGANIZATION}/billing/spending_limit`, 'admin', SPENDING),
  fixed(`DELETE ${ORGANIZATION}/billing/spending_limit`, 'admin', {}),
  fixed(`GET ${ORGANIZATION}/vpc/vpc_endpoints`, 'organization', { endpoints: [] }),
  fixed(`GET ${REGION_VPC}`, 'organization', { endpoints: [VPC] }),
  fixed(`GET ${REGION_VPC}/{vpc_endpoint_id}`, 'organization', {
    ...VPC,
    state: 'accepted',
    num_restricted_projects: 0,
    example_restricted_projects: [],
  }),
  route(`POST ${REGION_VPC}/{vpc_endpoint_id}`, 'admin', constant(NOTHING)),
  route(`DELETE ${REGION_VPC}/{vpc_endpoint_id}`, 'admin', constant(NOTHING)),

  route(`POST ${PROJECT}/recover`, 'project-admin', recoverProject),
  route(`POST ${PROJECT}/transfer_requests`, 'project-admin', transferRequest),
  route(`PUT ${PROJECT}/transfer_requests/{request_id}`, 'project-admin', constant(EMPTY)),
  fixed(`GET ${PROJECT}/permissions`, 'project', { project_permissions: [] }),
  route(`POST ${PROJECT}/permissions`, 'project-admin', (context) => ok(permission(context))),
  route(`DELETE ${PROJECT}/permissions/{permission_id}`, 'project-admin', (context) => ok(permission(context))),
  fixed(`GET ${PROJECT}/jwks`, 'project', { jwks: [] }),
  route(`POST ${PROJECT}/jwks`, 'project', (context) => created({ jwks: jwks(context), operations: [] })),
  route(`DELETE ${PROJECT}/jwks/{jwks_id}`, 'project', (context) => ok(jwks(context))),
  fixed(`GET ${PROJECT}/advisors`, 'project', { issues: [] }),
  fixed(`GET ${PROJECT}/available_preload_libraries`, 'project', { libraries: [] }),
  fixed(`GET ${PROJECT}/vpc_endpoints`, 'project', { endpoints: [VPC] }),
  route(`POST ${PROJECT}/vpc_endpoints/{vpc_endpoint_id}`, 'project', constant(NOTHING)),
  route(`DELETE ${PROJECT}/vpc_endpoints/{vpc_endpoint_id}`, 'project', constant(NOTHING)),

  fixed(`GET ${PROJECT}/snapshots`, 'project', { snapshots: [] }),
  route(`PATCH ${PROJECT}/snapshots/{snapshot_id}`, 'project', (context) => ok({ snapshot: snapshot(context) })),
  route(`DELETE ${PROJECT}/snapshots/{snapshot_id}`, 'project', constant({ status: 202, body: { operations: [] } })),
  route(`POST ${PROJECT}/snapshots/{snapshot_id}/restore`, 'project', restoreSnapshot),
  onBranch(`POST ${BRANCH}/snapshot`, (context) => ok({ snapshot: snapshot(context), operations: [] })),
  onBranch(`POST ${BRANCH}/finalize_restore`, constant(ok({ operations: [] }))),
  route(
    `POST ${BRANCH}/recover`,
    'project',
    withBranch((_context, _project, { json }) => ok({ branch: json })),
  ),
  onBranch(`GET ${BRANCH}/schema`, constant(ok({ sql: '' }))),
  onBranch(`GET ${BRANCH}/compare_schema`, constant(ok({ diff: '' }))),
  onBranch(`GET ${BRANCH}/masking_rules`, constant(ok({ masking_rules: [] }))),
  onBranch(`PATCH ${BRANCH}/masking_rules`, constant(ok({ masking_rules: [] }))),
  onBranch(`GET ${BRANCH}/anonymized_status`, anonymization),
  onBranch(`POST ${BRANCH}/anonymize`, anonymization),
  onBranch(`GET ${BRANCH}/backup_schedule`, constant(ok({ schedule: [] }))),
  onBranch(`PUT ${BRANCH}/backup_schedule`, constant(ok({}))),

  onBranch(
    `GET ${BRANCH}/data-api/{database_name}`,
    constant(ok({ url: 'https://data.example.com/', status: 'ready' })),
  ),
  onBranch(`POST ${BRANCH}/data-api/{database_name}`, constant(created({ url: 'https://data.example.com/' }))),
  onBranch(`PATCH ${BRANCH}/data-api/{database_name}`, constant(created({}))),
  onBranch(`DELETE ${BRANCH}/data-api/{database_name}`, constant(ok({}))),

  onBranch(`GET ${BRANCH}/credentials`, constant(ok({ credentials: [] }))),
  onBranch(`POST ${BRANCH}/credentials`, branchCredential),
  onBranch(`DELETE ${BRANCH}/credentials/{token_id}`, constant(EMPTY)),

  onBranch(
    `GET ${BRANCH}/storage`,
    constant(
      ok({ enabled: true, s3_endpoint: 'https://s3.example.com/', region: 'us-east-2', force_path_style: true }),
    ),
  ),
  onBranch(`GET ${BRANCH}/ai_gateway`, constant(ok({ enabled: true, base_url: 'https://ai.example.com/' }))),
  onBranch(`GET ${BRANCH}/buckets`, constant(ok({ buckets: [] }))),
  onBranch(`POST ${BRANCH}/buckets`, (context) => {
    const name = text(context.body, 'name') ?? 'bucket';
    return created({ bucket: { name, access_level: 'private', created_at: instant(context.now) } });
  }),
  onBranch(`DELETE ${BUCKET}`, constant(EMPTY)),
  onBranch(`GET ${BUCKET}/objects`, constant(ok({ folders: [], objects: [], prefix: '', is_truncated: false }))),
  onBranch(`DELETE ${BUCKET}/objects-by-prefix`, constant(ok({ deleted: 0 }))),
  onBranch(`DELETE ${BUCKET}/objects/{object_key}`, constant(EMPTY)),
  onBranch(`GET ${BUCKET}/objects/{object_key}/download`, (context) => ({
    status: 200,
    body: new TextEncoder().encode(`the bytes of ${param(context, 'object_key')}`),
  })),
  onBranch(`POST ${BUCKET}/objects/{object_key}/presign`, presign),

  onBranch(`GET ${BRANCH}/functions`, constant(ok({ functions: [] }))),
  onBranch(`GET ${BRANCH}/functions/{slug}`, (context) => ok({ function: functionJson(context) })),
  onBranch(`PATCH ${BRANCH}/functions/{slug}`, (context) => ok({ function: functionJson(context) })),
  onBranch(`DELETE ${BRANCH}/functions/{slug}`, constant(EMPTY)),
  onBranch(`POST ${BRANCH}/functions/{slug}/deployments`, deployment),

  onBranch(`GET ${AUTH}`, (context) => ok(integration(context, param(context, 'branch_id')))),
  onBranch(`POST ${AUTH}`, constant(created(AUTH_KEYS))),
  onBranch(`DELETE ${AUTH}`, constant(NOTHING)),
  onBranch(`PATCH ${AUTH}/config`, constant(ok({ name: 'twin' }))),
  onBranch(`GET ${AUTH}/domains`, constant(ok(DOMAINS))),
  onBranch(`POST ${AUTH}/domains`, constant({ status: 201, body: null })),
  onBranch(`DELETE ${AUTH}/domains`, constant(NOTHING)),
  onBranch(`POST ${AUTH}/users`, (context) => created({ id: context.maker.uuid() })),
  onBranch(`DELETE ${AUTH}/users/{auth_user_id}`, constant(EMPTY)),
  onBranch(`PUT ${AUTH}/users/{auth_user_id}/role`, (context) => ok({ id: param(context, 'auth_user_id') })),
  onBranch(`GET ${AUTH}/oauth_providers`, constant(ok({ providers: [OAUTH_PROVIDER] }))),
  onBranch(`POST ${AUTH}/oauth_providers`, constant(ok(OAUTH_PROVIDER))),
  onBranch(`PATCH ${AUTH}/oauth_providers/{oauth_provider_id}`, constant(ok(OAUTH_PROVIDER))),
  onBranch(`DELETE ${AUTH}/oauth_providers/{oauth_provider_id}`, constant(NOTHING)),
  onBranch(`GET ${AUTH}/email_provider`, constant(ok(EMAIL_SERVER))),
  onBranch(`PATCH ${AUTH}/email_provider`, constant(ok(EMAIL_SERVER))),
  onBranch(`POST ${AUTH}/send_test_email`, constant(ok({ success: true }))),
  onBranch(`GET ${AUTH}/email_and_password`, constant(ok(EMAIL_AND_PASSWORD))),
  onBranch(`PATCH ${AUTH}/email_and_password`, constant(ok(EMAIL_AND_PASSWORD))),
  onBranch(`GET ${AUTH}/allow_localhost`, constant(ok({ allow_localhost: true }))),
  onBranch(`PATCH ${AUTH}/allow_localhost`, constant(ok({ allow_localhost: true }))),
  onBranch(`GET ${AUTH}/plugins`, constant(ok(PLUGINS))),
  onBranch(`PATCH ${AUTH}/plugins/organization`, constant(ok(ORGANIZATION_PLUGIN))),
  onBranch(
    `PATCH ${AUTH}/plugins/magic-link`,
    constant(ok({ enabled: true, expires_in: 300, disable_sign_up: false })),
  ),
  onBranch(`GET ${AUTH}/plugins/phone-number`, constant(ok({ enabled: false }))),
  onBranch(`PATCH ${AUTH}/plugins/phone-number`, constant(ok({ enabled: false }))),
  onBranch(`GET ${AUTH}/webhooks`, constant(ok({ enabled: false }))),
  onBranch(`PUT ${AUTH}/webhooks`, constant(ok({ enabled: false }))),

  route('POST /projects/auth/create', 'projects', inBody(constant(created(AUTH_KEYS)))),
  route('POST /projects/auth/keys', 'projects', inBody(constant(created(AUTH_KEYS)))),
  route(
    'POST /projects/auth/user',
    'projects',
    inBody((context) => created({ id: context.maker.uuid() })),
  ),
  route(
    'POST /projects/auth/transfer_ownership',
    'projects',
    inBody(constant(ok({ url: 'https://example.com/claim/canary' }))),
  ),
  fixed(`GET ${LEGACY}/integrations`, 'project', { data: [] }),
  route(`DELETE ${LEGACY}/integration/{auth_provider}`, 'project', constant(NOTHING)),
  fixed(`GET ${LEGACY}/domains`, 'project', DOMAINS),
  route(`POST ${LEGACY}/domains`, 'project', constant({ status: 201, body: null })),
  route(`DELETE ${LEGACY}/domains`, 'project', constant(NOTHING)),
  route(`DELETE ${LEGACY}/users/{auth_user_id}`, 'project', constant(EMPTY)),
  fixed(`GET ${LEGACY}/oauth_providers`, 'project', { providers: [OAUTH_PROVIDER] }),
  fixed(`POST ${LEGACY}/oauth_providers`, 'project', OAUTH_PROVIDER),
  fixed(`PATCH ${LEGACY}/oauth_providers/{oauth_provider_id}`, 'project', OAUTH_PROVIDER),
  route(`DELETE ${LEGACY}/oauth_providers/{oauth_provider_id}`, 'project', constant(NOTHING)),
  fixed(`GET ${LEGACY}/email_server`, 'project', EMAIL_SERVER),
  fixed(`PATCH ${LEGACY}/email_server`, 'project', EMAIL_SERVER),
];
