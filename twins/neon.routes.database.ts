// The Neon twin's routes for the databases and roles of a branch, with their state. A role's password changes at once when it is reset;
// Neon's own stays valid until the last operation has finished.
import { invalid, notFound, type Refusal } from './neon.access.ts';
import { type Answer, type Context, type Handler, type Route, route } from './neon.router.ts';
import { field, ok, text } from './neon.routes.account.ts';
import { change, created, operations, withBranch } from './neon.routes.project.ts';
import type { Body, Branch, Project } from './neon.world.ts';

function withDatabase(handle: (context: Context, project: Project, branch: Branch, database: Body) => Answer): Handler {
  return withBranch((context, project, branch) => {
    const database = branch.databases.get(context.params['database_name'] ?? '');
    return database === undefined ? notFound('database') : handle(context, project, branch, database);
  });
}

function withRole(
  handle: (context: Context, project: Project, branch: Branch, role: { json: Body; password: string }) => Answer,
): Handler {
  return withBranch((context, project, branch) => {
    const role = branch.roles.get(context.params['role_name'] ?? '');
    return role === undefined ? notFound('role') : handle(context, project, branch, role);
  });
}

function createDatabase(context: Context, project: Project, branch: Branch): Answer | Refusal {
  const asked = field(context.body, 'database');
  const name = text(asked, 'name');
  const owner = text(asked, 'owner_name');
  if (name === null || owner === null) return invalid('name and owner_name are required');
  const database = context.maker.database(branch, name, owner, context.now);
  return created({ database, operations: operations(context, project, 'apply_config', branch.json['id']) });
}

function createRole(context: Context, project: Project, branch: Branch): Answer | Refusal {
  const name = text(field(context.body, 'role'), 'name');
  if (name === null) return invalid('name is required');
  const { json, password } = context.maker.role(branch, name, context.now);
  const done = operations(context, project, 'apply_config', branch.json['id']);
  return created({ role: { ...json, password }, operations: done });
}

const BRANCH = '/projects/{project_id}/branches/{branch_id}';
const DATABASE = `${BRANCH}/databases/{database_name}`;
const ROLE = `${BRANCH}/roles/{role_name}`;

export const databaseRoutes: readonly Route[] = [
  route(
    `GET ${BRANCH}/databases`,
    'project',
    withBranch((_context, _project, branch) => ok({ databases: [...branch.databases.values()] })),
  ),
  route(`POST ${BRANCH}/databases`, 'project', withBranch(createDatabase)),
  route(
    `GET ${DATABASE}`,
    'project',
    withDatabase((_context, _project, _branch, database) => ok({ database })),
  ),
  route(
    `PATCH ${DATABASE}`,
    'project',
    withDatabase((context, project, branch, database) => {
      branch.databases.delete(String(database['name']));
      change(database, field(context.body, 'database'), ['name', 'owner_name'], context.now);
      branch.databases.set(String(database['name']), database);
      return ok({ database, operations: operations(context, project, 'apply_config', branch.json['id']) });
    }),
  ),
  route(
    `DELETE ${DATABASE}`,
    'project',
    withDatabase((context, project, branch, database) => {
      branch.databases.delete(String(database['name']));
      return ok({ database, operations: operations(context, project, 'apply_config', branch.json['id']) });
    }),
  ),

  route(
    `GET ${BRANCH}/roles`,
    'project',
    withBranch((_context, _project, branch) => ok({ roles: [...branch.roles.values()].map(({ json }) => json) })),
  ),
  route(`POST ${BRANCH}/roles`, 'project', withBranch(createRole)),
  route(
    `GET ${ROLE}`,
    'project',
    withRole((_context, _project, _branch, { json }) => ok({ role: json })),
  ),
  route(
    `DELETE ${ROLE}`,
    'project',
    withRole((context, project, branch, { json }) => {
      branch.roles.delete(String(json['name']));
      return ok({ role: json, operations: operations(context, project, 'apply_config', branch.json['id']) });
    }),
  ),
  route(
    `GET ${ROLE}/reveal_password`,
    'project',
    withRole((_context, _project, _branch, { password }) => ok({ password })),
  ),
  route(
    `POST ${ROLE}/reset_password`,
    'project',
    withRole((context, project, branch, role) => {
      role.password = context.maker.password();
      const done = operations(context, project, 'apply_config', branch.json['id']);
      return ok({ role: { ...role.json, password: role.password }, operations: done });
    }),
  ),
];
