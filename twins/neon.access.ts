// Who may call what at the Neon twin: the permission matrix of Neon's three key kinds and its members' roles, and the answers that a
// refusal has. Messages marked [seen] were quoted from the live service by others; the rest is ours and stands for "some refusal".
import type { Json } from '../src/model/json.ts';
import type { TwinKey } from './neon.keys.ts';
import type { Organization, Project, World } from './neon.world.ts';

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/**
 * What a route asks of its caller. `person`: a personal key. `organization`: a member or an organization key. `admin`: an admin's
 * personal key or an organization key. `admin-person`: an admin's personal key only. `project`: whoever reaches the project of the
 * path. `project-admin`: an admin or an organization key, never a project key. `anyone`: every live key.
 */
export type Access =
  | 'anyone'
  | 'person'
  | 'organization'
  | 'admin'
  | 'admin-person'
  | 'project'
  | 'project-admin'
  | 'projects';

/** Missing, unknown and revoked keys alike [seen]. */
export const DOES_NOT_PASS: Refusal = {
  status: 401,
  code: '',
  message: 'supplied credentials do not pass authentication',
};
/** [seen] on GET /users/me and GET /regions. */
const NOT_FOR_ORGANIZATION_KEYS: Refusal = {
  status: 404,
  code: '',
  message: 'not allowed for organization API keys',
};
/** [seen] on GET /projects. */
export const ORG_ID_REQUIRED: Refusal = {
  status: 400,
  code: '',
  message: 'org_id is required, you can find it on your organization settings page',
};
const FORBIDDEN: Refusal = { status: 403, code: '', message: 'user has no permission to perform this action' };

export function notFound(what: string): Refusal {
  return { status: 404, code: '', message: `${what} not found` };
}

export function invalid(message: string): Refusal {
  return { status: 400, code: '', message };
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'message' in value && 'code' in value && 'status' in value;
}

export function refusalJson(refusal: Refusal, requestId: string): Json {
  return { request_id: requestId, code: refusal.code, message: refusal.message };
}

/** [seen], with the project's id in it. */
function outsideProject(key: TwinKey): Refusal {
  const subject = `subject_project_id:"${key.projectId}"`;
  const message = `not allowed to perform actions outside the project this key is scoped to; ${subject}`;
  return { status: 404, code: '', message };
}

export function roleIn(organization: Organization, key: TwinKey): string | null {
  if (key.kind === 'personal') return organization.members.get(key.userId)?.role ?? null;
  return key.kind === 'organization' && organization.json['id'] === key.orgId ? 'admin' : null;
}

/** The project of a path, where the key reaches it. */
export function reachProject(world: World, key: TwinKey, projectId: string): Project | Refusal {
  if (key.kind === 'project' && key.projectId !== projectId) return outsideProject(key);
  const project = world.projects.get(projectId);
  if (project === undefined) return notFound('project');
  if (key.kind === 'project') return project.orgId === key.orgId ? project : outsideProject(key);
  const organization = world.organizations.get(project.orgId);
  return organization !== undefined && roleIn(organization, key) !== null ? project : notFound('project');
}

/** The organization of a path, where the key reaches it. */
export function reachOrganization(world: World, key: TwinKey, orgId: string): Organization | Refusal {
  if (key.kind === 'project') return outsideProject(key);
  const organization = world.organizations.get(orgId);
  return organization !== undefined && roleIn(organization, key) !== null ? organization : notFound('organization');
}

function isAdmin(world: World, key: TwinKey, orgId: string): boolean {
  const organization = world.organizations.get(orgId);
  return organization !== undefined && roleIn(organization, key) === 'admin';
}

/** Null where the caller may go on. `params` are those of the path. */
export function refuse(
  world: World,
  key: TwinKey,
  access: Access,
  params: Readonly<Record<string, string>>,
): Refusal | null {
  const orgId = params['org_id'] ?? params['source_org_id'] ?? '';
  switch (access) {
    case 'anyone':
      return null;
    case 'projects':
      return key.kind === 'project' ? outsideProject(key) : null;
    case 'person':
      if (key.kind === 'project') return outsideProject(key);
      return key.kind === 'organization' ? NOT_FOR_ORGANIZATION_KEYS : null;
    case 'organization':
    case 'admin':
    case 'admin-person': {
      const organization = reachOrganization(world, key, orgId);
      if (isRefusal(organization)) return organization;
      if (access === 'organization') return null;
      if (access === 'admin-person' && key.kind === 'organization') return NOT_FOR_ORGANIZATION_KEYS;
      return isAdmin(world, key, orgId) ? null : FORBIDDEN;
    }
    case 'project':
    case 'project-admin': {
      const project = reachProject(world, key, params['project_id'] ?? '');
      if (isRefusal(project)) return project;
      if (access === 'project') return null;
      return key.kind !== 'project' && isAdmin(world, key, project.orgId) ? null : FORBIDDEN;
    }
  }
}
