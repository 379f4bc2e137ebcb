// The Neon twin's routes for projects, their branches, endpoints and operations, with their state. Operations finish at once. Databases
// and roles are neon.routes.database.ts; what has no state answers from neon.minimal.ts.
import type { Json } from '../src/model/json.ts';
import { invalid, notFound, ORG_ID_REQUIRED, type Refusal, roleIn } from './neon.access.ts';
import { endKey } from './neon.keys.ts';
import { type Answer, type Context, type Handler, type Route, route } from './neon.router.ts';
import { field, ok, text } from './neon.routes.account.ts';
import { type Body, type Branch, instant, listedProject, type Project, projectJson } from './neon.world.ts';

const PAGE_DEFAULT = 10;
const PAGE_MAX = 400;

export function created(body: Json): Answer {
  return { status: 201, body };
}

function projectOf(context: Context): Project {
  return context.maker.world.projects.get(context.params['project_id'] ?? '')!;
}

/** Applies those of a resource's changeable fields that a body's wrapper holds, in place. */
export function change(target: Body, wrapper: Json | undefined, names: readonly string[], now: number): void {
  for (const name of names) {
    const value = field(wrapper, name);
    if (value !== undefined) target[name] = value;
  }
  target['updated_at'] = instant(now);
}

/** A handler that has its branch, or answers 404. */
export function withBranch(handle: (context: Context, project: Project, branch: Branch) => Answer | Refusal): Handler {
  return (context) => {
    const project = projectOf(context);
    const branch = project.branches.get(context.params['branch_id'] ?? '');
    return branch === undefined ? notFound('branch') : handle(context, project, branch);
  };
}

function withEndpoint(handle: (context: Context, project: Project, endpoint: Body) => Answer | Refusal): Handler {
  return (context) => {
    const project = projectOf(context);
    const endpoint = project.endpoints.get(context.params['endpoint_id'] ?? '');
    return endpoint === undefined ? notFound('endpoint') : handle(context, project, endpoint);
  };
}

export function operations(context: Context, project: Project, action: string, branchId: Json | undefined): Json {
  return [context.maker.operation(project, action, String(branchId), context.now)];
}

function connectionUris(project: Project, branch: Branch): Json {
  const endpoint = [...project.endpoints.values()].find((one) => one['branch_id'] === branch.json['id']);
  const [role, owned] = [...branch.roles][0] ?? [];
  if (endpoint === undefined || role === undefined || owned === undefined) return [];
  const host = String(endpoint['host']);
  const parameters = { database: 'neondb', role, password: owned.password, host, pooler_host: `pooler-${host}` };
  const uri = `postgresql://${role}:${owned.password}@${host}/neondb`;
  return [{ connection_uri: uri, connection_parameters: parameters }];
}

/** What a new branch's answer holds besides itself. */
function contents(project: Project, branch: Branch): Body {
  const own = [...project.endpoints.values()].filter((one) => one['branch_id'] === branch.json['id']);
  return {
    branch: branch.json,
    endpoints: own,
    roles: [...branch.roles.values()].map(({ json, password }) => ({ ...json, password })),
    databases: [...branch.databases.values()],
    connection_uris: connectionUris(project, branch),
  };
}

function page(context: Context, all: readonly Json[]): { items: readonly Json[]; next: string } {
  const from = Number(context.query.get('cursor') ?? 0) || 0;
  const asked = Number(context.query.get('limit') ?? PAGE_DEFAULT) || PAGE_DEFAULT;
  const items = all.slice(from, from + Math.min(Math.max(asked, 1), PAGE_MAX));
  return { items, next: String(from + items.length) };
}

function listProjects(context: Context): Answer | Refusal {
  const { key, maker, query } = context;
  const asked = query.get('org_id');
  if (key.kind === 'personal' && asked === null) return ORG_ID_REQUIRED;
  const orgId = asked ?? key.orgId ?? '';
  const organization = maker.world.organizations.get(orgId);
  if (organization === undefined || roleIn(organization, key) === null) return notFound('organization');
  const search = query.get('search') ?? '';
  const found = [...maker.world.projects.values()].filter(
    (one) => one.orgId === orgId && `${one.json['name']} ${one.json['id']}`.includes(search),
  );
  const { items, next } = page(context, found.map(listedProject));
  return ok({ projects: items, pagination: { cursor: next }, applications: {}, integrations: {} });
}

function createProject(context: Context): Answer | Refusal {
  const { key, maker, now } = context;
  const asked = field(context.body, 'project');
  if (asked === undefined) return invalid('project is required');
  const orgId = text(asked, 'org_id') ?? key.orgId;
  if (orgId === null) return ORG_ID_REQUIRED;
  const organization = maker.world.organizations.get(orgId);
  if (organization === undefined || roleIn(organization, key) === null) return notFound('organization');
  const project = maker.project({ orgId, ownerId: key.userId, name: text(asked, 'name') ?? 'unnamed' }, now);
  const main = [...project.branches.values()][0]!;
  return created({
    project: projectJson(project, now),
    ...contents(project, main),
    operations: operations(context, project, 'create_timeline', main.json['id']),
  });
}

function updateProject(context: Context): Answer {
  const project = projectOf(context);
  const asked = field(context.body, 'project');
  change(project.json, asked, ['name', 'settings', 'history_retention_seconds'], context.now);
  return ok({ project: projectJson(project, context.now), operations: [] });
}

function deleteProject(context: Context): Answer {
  const project = projectOf(context);
  const projectId = context.params['project_id'] ?? '';
  context.maker.world.projects.delete(projectId);
  for (const key of context.keys.all()) if (key.projectId === projectId) endKey(key, context.now, context.now);
  return ok({ project: projectJson(project, context.now) });
}

function listBranches(context: Context): Answer {
  const search = context.query.get('search') ?? '';
  const found = [...projectOf(context).branches.values()].filter(({ json }) =>
    `${json['name']} ${json['id']}`.includes(search),
  );
  return ok({ branches: found.map(({ json }) => json), annotations: {}, pagination: {} });
}

/** `asked` has the form of BranchCreateRequest. */
function createBranch(context: Context, asked: Json | undefined): Answer | Refusal {
  const project = projectOf(context);
  const branchAsked = field(asked, 'branch');
  const parentId = text(branchAsked, 'parent_id');
  const parent =
    parentId === null
      ? [...project.branches.values()].find(({ json }) => json['default'] === true)
      : project.branches.get(parentId);
  if (parent === undefined) return notFound('branch');
  const name = text(branchAsked, 'name') ?? context.maker.id('branch');
  const branch = context.maker.branch(project, { name, parent }, context.now);
  const endpoints = field(asked, 'endpoints');
  for (const endpoint of Array.isArray(endpoints) ? endpoints : []) {
    const type = text(endpoint, 'type') ?? 'read_write';
    context.maker.endpoint(project, String(branch.json['id']), type, context.now);
  }
  return created({
    ...contents(project, branch),
    operations: operations(context, project, 'create_branch', branch.json['id']),
  });
}

function branchOperation(action: string, effect: (context: Context, project: Project, branch: Branch) => void) {
  return withBranch((context, project, branch) => {
    effect(context, project, branch);
    return ok({ branch: branch.json, operations: operations(context, project, action, branch.json['id']) });
  });
}

function deleteBranch(_: Context, project: Project, branch: Branch): void {
  project.branches.delete(String(branch.json['id']));
  for (const [id, endpoint] of project.endpoints) {
    if (endpoint['branch_id'] === branch.json['id']) project.endpoints.delete(id);
  }
}

function setDefault(_: Context, project: Project, branch: Branch): void {
  for (const one of project.branches.values()) one.json['default'] = one === branch;
}

function createEndpoint(context: Context): Answer | Refusal {
  const project = projectOf(context);
  const asked = field(context.body, 'endpoint');
  const branchId = text(asked, 'branch_id') ?? '';
  if (!project.branches.has(branchId)) return notFound('branch');
  const endpoint = context.maker.endpoint(project, branchId, text(asked, 'type') ?? 'read_write', context.now);
  return created({ endpoint, operations: operations(context, project, 'create_compute', branchId) });
}

function endpointOperation(action: string, effect: (context: Context, project: Project, endpoint: Body) => void) {
  return withEndpoint((context, project, endpoint) => {
    effect(context, project, endpoint);
    return ok({ endpoint, operations: operations(context, project, action, endpoint['branch_id']) });
  });
}

function connectionUri(context: Context): Answer | Refusal {
  const project = projectOf(context);
  const branchId = context.query.get('branch_id');
  const branch = [...project.branches.values()].find(({ json }) =>
    branchId === null ? json['default'] === true : json['id'] === branchId,
  );
  const role = branch?.roles.get(context.query.get('role_name') ?? '');
  const endpoint = [...project.endpoints.values()].find((one) => one['branch_id'] === branch?.json['id']);
  if (role === undefined || endpoint === undefined) return notFound('role or endpoint');
  const database = context.query.get('database_name') ?? '';
  return ok({ uri: `postgresql://${role.json['name']}:${role.password}@${endpoint['host']}/${database}` });
}

const PROJECT = '/projects/{project_id}';
const BRANCH = `${PROJECT}/branches/{branch_id}`;
const ENDPOINT = `${PROJECT}/endpoints/{endpoint_id}`;
const ENDPOINT_FIELDS = ['branch_id', 'name', 'disabled', 'autoscaling_limit_min_cu', 'autoscaling_limit_max_cu'];

export const projectRoutes: readonly Route[] = [
  route('GET /projects', 'projects', listProjects),
  route('POST /projects', 'projects', createProject),
  route('GET /projects/shared', 'person', () => ok({ projects: [], pagination: { cursor: '0' } })),
  route(`GET ${PROJECT}`, 'project', (context) => ok({ project: projectJson(projectOf(context), context.now) })),
  route(`PATCH ${PROJECT}`, 'project', updateProject),
  route(`DELETE ${PROJECT}`, 'project-admin', deleteProject),
  route(`GET ${PROJECT}/connection_uri`, 'project', connectionUri),

  route(`GET ${PROJECT}/operations`, 'project', (context) => {
    const { items, next } = page(context, projectOf(context).operations);
    return ok({ operations: items, pagination: { cursor: next } });
  }),
  route(`GET ${PROJECT}/operations/{operation_id}`, 'project', (context) => {
    const found = projectOf(context).operations.find((one) => one['id'] === context.params['operation_id']);
    return found === undefined ? notFound('operation') : ok({ operation: found });
  }),

  route(`GET ${PROJECT}/branches`, 'project', listBranches),
  route(`GET ${PROJECT}/branches/count`, 'project', (context) => ok({ count: projectOf(context).branches.size })),
  route(`POST ${PROJECT}/branches`, 'project', (context) => createBranch(context, context.body)),
  route(`POST ${PROJECT}/branch_anonymized`, 'project', (context) =>
    createBranch(context, field(context.body, 'branch_create')),
  ),
  route(
    `GET ${BRANCH}`,
    'project',
    withBranch((_context, _project, { json }) => {
      const object = { type: 'console/branch', id: json['id'] ?? '' };
      return ok({ branch: json, annotation: { object, value: {} } });
    }),
  ),
  route(
    `PATCH ${BRANCH}`,
    'project',
    branchOperation('apply_config', (context, _project, { json }) =>
      change(json, field(context.body, 'branch'), ['name', 'protected'], context.now),
    ),
  ),
  route(`DELETE ${BRANCH}`, 'project', branchOperation('delete_timeline', deleteBranch)),
  route(
    `POST ${BRANCH}/restore`,
    'project',
    branchOperation('create_branch', () => {}),
  ),
  route(`POST ${BRANCH}/set_as_default`, 'project', branchOperation('apply_config', setDefault)),

  route(`GET ${PROJECT}/endpoints`, 'project', (context) =>
    ok({ endpoints: [...projectOf(context).endpoints.values()] }),
  ),
  route(
    `GET ${BRANCH}/endpoints`,
    'project',
    withBranch((_context, project, { json }) => {
      const own = [...project.endpoints.values()].filter((one) => one['branch_id'] === json['id']);
      return ok({ endpoints: own });
    }),
  ),
  route(`POST ${PROJECT}/endpoints`, 'project', createEndpoint),
  route(
    `GET ${ENDPOINT}`,
    'project',
    withEndpoint((_context, _project, endpoint) => ok({ endpoint })),
  ),
  route(
    `PATCH ${ENDPOINT}`,
    'project',
    endpointOperation('apply_config', (context, _project, endpoint) =>
      change(endpoint, field(context.body, 'endpoint'), ENDPOINT_FIELDS, context.now),
    ),
  ),
  route(
    `DELETE ${ENDPOINT}`,
    'project',
    endpointOperation('suspend_compute', (_context, project, endpoint) =>
      project.endpoints.delete(String(endpoint['id'])),
    ),
  ),
  ...(['start', 'suspend', 'restart'] as const).map((verb) =>
    route(
      `POST ${ENDPOINT}/${verb}`,
      'project',
      endpointOperation(verb === 'suspend' ? 'suspend_compute' : 'start_compute', (_context, _project, endpoint) => {
        endpoint['current_state'] = verb === 'suspend' ? 'idle' : 'active';
      }),
    ),
  ),
];
