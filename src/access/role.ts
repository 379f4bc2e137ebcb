// Roles as data: what each may do at the control API. A permission is `noun:verb`; every route names the one it requires.
// Rotating or revealing needs, besides, every permission that minting that key would need.

export const PERMISSIONS = [
  'credential:read',
  'credential:write',
  'credential:rotate',
  'credential:revoke',
  'credential:suspend',
  'principal:read',
  'principal:write',
  'token:read',
  'token:write',
  'grant:read',
  'grant:write',
  'inventory:read',
  'inventory:run',
  'audit:read',
  'certificate:read',
  'kek:read',
  'kek:rotate',
  'server:seal',
  'server:read',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

const read = PERMISSIONS.filter((p) => p.endsWith(':read'));

export const ROLES = {
  /** Sees what exists, not who used it. */
  viewer: read.filter((p) => p !== 'audit:read'),
  /** Sees everything, the ledger too. Changes nothing. */
  auditor: read,
  /** Runs credentials, principals and grants day by day. */
  operator: [
    ...read.filter((p) => p !== 'audit:read'),
    'credential:write',
    'credential:rotate',
    'credential:suspend',
    'principal:write',
    'token:write',
    'grant:write',
    'inventory:run',
  ],
  /** Acts in an incident: suspends, revokes, rotates, reads the ledger. Gives nobody access. */
  responder: [...read, 'credential:suspend', 'credential:revoke', 'credential:rotate', 'inventory:run', 'server:seal'],
  admin: [...PERMISSIONS],
} as const satisfies Record<string, readonly Permission[]>;

export type RoleName = keyof typeof ROLES;
export const ROLE_NAMES = Object.keys(ROLES) as RoleName[];

/** Whether any of the roles gives the permission. */
export function isPermitted(roles: readonly RoleName[], permission: Permission): boolean {
  return roles.some((role) => (ROLES[role] as readonly Permission[]).includes(permission));
}

/** The permissions that a set of roles gives. */
export function permissionsOf(roles: readonly RoleName[]): Set<Permission> {
  return new Set(roles.flatMap((role) => ROLES[role] as readonly Permission[]));
}
