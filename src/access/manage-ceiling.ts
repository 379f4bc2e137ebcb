// The rules about who may change whose access: nobody gives what they do not hold, nobody takes their own token or rights away, and one
// admin who can act always remains. Pure checks over the rows; they throw.
import { allRows } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import type { Context } from '../model/route.ts';
import type { PrincipalRow } from './principal.ts';
import { permissionsOf, type RoleName } from './role.ts';

/** Throws `denied` where roles hold a permission that the caller lacks, naming those. */
export function demandHeld(context: Pick<Context, 'caller'>, roles: readonly RoleName[], what: string): void {
  const missing = [...permissionsOf(roles)].filter((permission) => !context.caller.permissions.has(permission));
  if (missing.length === 0) return;
  throw new Failure('denied', `${what} holds permissions that you do not: ${missing.sort().join(', ')}`);
}

/**
 * Throws unless the caller may act on this principal: it must hold every permission that the principal has, or it could take over
 * or shut out somebody above it.
 */
export function demandAuthorityOver(context: Pick<Context, 'caller'>, principal: PrincipalRow): void {
  demandHeld(context, principal.roles, `principal ${principal.name}`);
}

/** Throws `conflict` where, after `change`, no enabled admin would remain. */
export function demandAdminRemains(
  context: Pick<Context, 'desk'>,
  principal: PrincipalRow,
  after: Pick<PrincipalRow, 'roles' | 'disabledAt'>,
): void {
  const isAdmin = (row: Pick<PrincipalRow, 'roles' | 'disabledAt'>) =>
    row.disabledAt === null && row.roles.includes('admin');
  if (!isAdmin(principal) || isAdmin(after)) return;
  const others = allRows<PrincipalRow>(context.desk.rows, 'principal').filter(
    (row) => row.id !== principal.id && isAdmin(row),
  );
  if (others.length === 0) throw new Failure('conflict', 'this is the last admin: make another one first');
}

/** Throws `conflict` where the caller would lose rights that it has: that is for somebody else to do. */
export function demandNotOwn(context: Pick<Context, 'caller'>, principalId: string, what: string): void {
  if (context.caller.principalId === principalId) {
    throw new Failure('conflict', `${what}: let another principal do it`);
  }
}
