// The state of the Neon twin apart from its keys: users, organizations, projects and what is in them, in the shapes of Neon's OpenAPI
// document. It makes and keeps things; which request may see or change them is neon.access.ts and neon.routes.ts.
import type { Json } from '../src/model/json.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

export type Body = Record<string, Json>;

export interface User {
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

export interface Organization {
  readonly json: Body;
  /** User id to role. */
  readonly members: Map<string, { memberId: string; role: string; joinedAt: string }>;
  readonly invitations: Body[];
}

export interface Branch {
  readonly json: Body;
  readonly databases: Map<string, Body>;
  readonly roles: Map<string, { json: Body; password: string }>;
}

export interface Project {
  readonly json: Body;
  orgId: string;
  readonly branches: Map<string, Branch>;
  readonly endpoints: Map<string, Body>;
  readonly operations: Body[];
}

export interface World {
  readonly users: Map<string, User>;
  readonly organizations: Map<string, Organization>;
  readonly projects: Map<string, Project>;
}

/** What a project remembers of its operations. */
const OPERATIONS_MAX = 200;
const DIGITS = '0123456789';
const LOWER = 'abcdefghijklmnopqrstuvwxyz0123456789';

export function instant(now: number): string {
  return new Date(now).toISOString();
}

export interface Maker {
  readonly world: World;
  user(name: string): User;
  organization(name: string, now: number): Organization;
  join(organization: Organization, user: User, role: string, now: number): void;
  project(options: { orgId: string; ownerId: string; name: string }, now: number): Project;
  branch(project: Project, options: { name: string; parent: Branch | null }, now: number): Branch;
  endpoint(project: Project, branchId: string, type: string, now: number): Body;
  database(branch: Branch, name: string, owner: string, now: number): Body;
  role(branch: Branch, name: string, now: number): { json: Body; password: string };
  password(): string;
  operation(project: Project, action: string, branchId: string, now: number): Body;
  uuid(): string;
  id(prefix: string): string;
}

export function maker(random: Prng): Maker {
  const world: World = { users: new Map(), organizations: new Map(), projects: new Map() };
  let nextDatabaseId = 834_600;

  function id(prefix: string): string {
    return `${prefix}-quiet-${random.text(6, LOWER)}-${random.text(8, DIGITS)}`;
  }

  function user(name: string): User {
    const made = { id: random.uuid(), name, email: `${name.toLowerCase()}@example.com` };
    world.users.set(made.id, made);
    return made;
  }

  function organization(name: string, now: number): Organization {
    const orgId = id('org');
    const json: Body = {
      id: orgId,
      name,
      handle: name.toLowerCase(),
      plan: 'scale',
      created_at: instant(now),
      updated_at: instant(now),
      managed_by: 'console',
    };
    const made: Organization = { json, members: new Map(), invitations: [] };
    world.organizations.set(orgId, made);
    return made;
  }

  function join(to: Organization, who: User, role: string, now: number): void {
    to.members.set(who.id, { memberId: random.uuid(), role, joinedAt: instant(now) });
  }

  function project(options: { orgId: string; ownerId: string; name: string }, now: number): Project {
    const json: Body = {
      id: id('project'),
      platform_id: 'aws',
      region_id: 'aws-us-east-2',
      name: options.name,
      provisioner: 'k8s-neonvm',
      pg_version: 17,
      proxy_host: 'us-east-2.aws.neon.tech',
      branch_logical_size_limit: 8192,
      branch_logical_size_limit_bytes: 8_589_934_592,
      store_passwords: true,
      creation_source: 'console',
      created_at: instant(now),
      updated_at: instant(now),
      owner_id: options.ownerId,
      org_id: options.orgId,
      history_retention_seconds: 86_400,
      cpu_used_sec: 0,
    };
    const made: Project = { json, orgId: options.orgId, branches: new Map(), endpoints: new Map(), operations: [] };
    world.projects.set(String(json['id']), made);
    const main = branch(made, { name: 'main', parent: null }, now);
    endpoint(made, String(main.json['id']), 'read_write', now);
    role(main, 'neondb_owner', now);
    database(main, 'neondb', 'neondb_owner', now);
    return made;
  }

  function branch(inside: Project, options: { name: string; parent: Branch | null }, now: number): Branch {
    const branchId = id('br');
    const json: Body = {
      id: branchId,
      project_id: inside.json['id'] ?? '',
      name: options.name,
      current_state: 'ready',
      state_changed_at: instant(now),
      logical_size: 28,
      creation_source: 'console',
      default: options.parent === null,
      protected: false,
      cpu_used_sec: 0,
      compute_time_seconds: 0,
      active_time_seconds: 0,
      written_data_bytes: 0,
      data_transfer_bytes: 0,
      created_at: instant(now),
      updated_at: instant(now),
    };
    if (options.parent !== null) json['parent_id'] = options.parent.json['id'] ?? '';
    const made: Branch = { json, databases: new Map(), roles: new Map() };
    inside.branches.set(branchId, made);
    // A branch inherits roles with their passwords, and databases.
    for (const [name, inherited] of options.parent?.roles ?? []) {
      made.roles.set(name, { json: { ...inherited.json, branch_id: branchId }, password: inherited.password });
    }
    for (const [name, inherited] of options.parent?.databases ?? []) {
      made.databases.set(name, { ...inherited, branch_id: branchId });
    }
    return made;
  }

  function endpoint(inside: Project, branchId: string, type: string, now: number): Body {
    const endpointId = id('ep');
    const json: Body = {
      id: endpointId,
      host: `${endpointId}.us-east-2.aws.neon.tech`,
      project_id: inside.json['id'] ?? '',
      branch_id: branchId,
      autoscaling_limit_min_cu: 0.25,
      autoscaling_limit_max_cu: 2,
      region_id: 'aws-us-east-2',
      type,
      current_state: 'idle',
      settings: {},
      pooler_enabled: false,
      pooler_mode: 'transaction',
      disabled: false,
      passwordless_access: true,
      creation_source: 'console',
      created_at: instant(now),
      updated_at: instant(now),
      proxy_host: 'us-east-2.aws.neon.tech',
      suspend_timeout_seconds: 0,
      provisioner: 'k8s-neonvm',
    };
    inside.endpoints.set(endpointId, json);
    return json;
  }

  function database(on: Branch, name: string, owner: string, now: number): Body {
    const json: Body = {
      id: nextDatabaseId++,
      branch_id: on.json['id'] ?? '',
      name,
      owner_name: owner,
      created_at: instant(now),
      updated_at: instant(now),
    };
    on.databases.set(name, json);
    return json;
  }

  function password(): string {
    return `npg_canary${random.text(8, ALPHANUMERIC)}`;
  }

  function role(on: Branch, name: string, now: number): { json: Body; password: string } {
    const json: Body = {
      branch_id: on.json['id'] ?? '',
      name,
      protected: false,
      authentication_method: 'password',
      created_at: instant(now),
      updated_at: instant(now),
    };
    const made = { json, password: password() };
    on.roles.set(name, made);
    return made;
  }

  function operation(inside: Project, action: string, branchId: string, now: number): Body {
    const json: Body = {
      id: random.uuid(),
      project_id: inside.json['id'] ?? '',
      branch_id: branchId,
      action,
      status: 'finished',
      failures_count: 0,
      created_at: instant(now),
      updated_at: instant(now),
      total_duration_ms: 12,
    };
    inside.operations.unshift(json);
    inside.operations.length = Math.min(inside.operations.length, OPERATIONS_MAX);
    return json;
  }

  return {
    world,
    user,
    organization,
    join,
    project,
    branch,
    endpoint,
    database,
    role,
    password,
    operation,
    uuid: () => random.uuid(),
    id,
  };
}

/** A project as `GET /projects/{project_id}` shows it; the list shows `listedProject`. */
export function projectJson(project: Project, now: number): Json {
  return {
    ...project.json,
    data_storage_bytes_hour: 0,
    data_transfer_bytes: 0,
    written_data_bytes: 0,
    compute_time_seconds: 0,
    active_time_seconds: 0,
    consumption_period_start: instant(now - 86_400_000),
    consumption_period_end: instant(now),
  };
}

export function listedProject(project: Project): Json {
  return { ...project.json, active_time: 0 };
}
