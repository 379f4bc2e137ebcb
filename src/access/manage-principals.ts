// Adding and changing principals. Each function checks the rules, writes one event and gives the new row. The rules hold only where calls
// come one after the other (createTurns), since some look at several rows.
import { nextImage } from '../model/change.ts';
import { allRows, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import { type Context, eventOf, invalidField } from '../model/route.ts';
import { demandAdminRemains, demandAuthorityOver, demandHeld, demandNotOwn } from './manage-ceiling.ts';
import type { PrincipalRow } from './principal.ts';
import { permissionsOf, type RoleName } from './role.ts';

/** Bounds what is in memory for deciding. */
const PRINCIPALS_MAX = 100_000;
export const SPACE = 'default';

type Acting = Pick<Context, 'caller' | 'desk'>;

export interface NewPrincipal {
  readonly name: string;
  readonly kind: PrincipalRow['kind'];
  readonly roles: readonly RoleName[];
  readonly owner: string;
  readonly note: string;
}

export type PrincipalChange = Partial<Omit<NewPrincipal, 'kind'>>;

function withoutRepeats(roles: readonly RoleName[]): readonly RoleName[] {
  return [...new Set(roles)];
}

/** The row of a new principal. Throws `denied` above the caller's own rights, `conflict` where the name is taken. */
export function principalRow(context: Acting, input: NewPrincipal, managedBy: string | null): PrincipalRow {
  demandHeld(context, input.roles, 'such a principal');
  const rows = allRows<PrincipalRow>(context.desk.rows, 'principal');
  if (rows.length >= PRINCIPALS_MAX) throw new Failure('conflict', `there are ${PRINCIPALS_MAX} principals already`);
  demandFreeName(rows, input.name, null);
  const { clock, random } = context.desk;
  const now = clock.now();
  return {
    id: newId('principal', now, random),
    rowVersion: 1,
    space: SPACE,
    name: input.name,
    kind: input.kind,
    roles: withoutRepeats(input.roles),
    owner: input.owner,
    note: input.note,
    disabledAt: null,
    createdAt: now,
    managedBy,
  };
}

function demandFreeName(rows: readonly PrincipalRow[], name: string, ownId: string | null): void {
  const taken = rows.some((row) => row.space === SPACE && row.name === name && row.id !== ownId);
  if (taken) {
    const errors = [{ pointer: '/name', detail: 'the name is taken' }];
    throw new Failure('conflict', `there is a principal called ${name} already`, { errors });
  }
}

/** The image of a principal with a change, or the row itself where nothing differs. Throws as `changePrincipal`. */
export function changedPrincipal(context: Acting, row: PrincipalRow, change: PrincipalChange): PrincipalRow {
  demandAuthorityOver(context, row);
  const roles = change.roles === undefined ? row.roles : withoutRepeats(change.roles);
  demandHeld(context, roles, 'such a principal');
  demandAdminRemains(context, row, { ...row, roles });
  const before = permissionsOf(row.roles);
  const lost = [...before].filter((permission) => !permissionsOf(roles).has(permission));
  if (lost.length > 0) demandNotOwn(context, row.id, 'nobody takes their own rights away');
  const name = change.name ?? row.name;
  if (name !== row.name) demandFreeName(allRows<PrincipalRow>(context.desk.rows, 'principal'), name, row.id);
  const after = { name, roles, owner: change.owner ?? row.owner, note: change.note ?? row.note };
  const isSame =
    after.name === row.name &&
    after.owner === row.owner &&
    after.note === row.note &&
    after.roles.join() === row.roles.join();
  return isSame ? row : nextImage(row, after);
}

export async function addPrincipal(context: Acting, input: NewPrincipal): Promise<PrincipalRow> {
  const row = principalRow(context, input, null);
  await context.desk.write({ events: [eventOf(context, 'principal.added', [{ noun: 'principal', row }])] });
  return row;
}

/**
 * Changes name, roles, owner or note. Throws `denied` where the principal has or would get permissions that the caller lacks,
 * `conflict` for a taken name, the last admin, or the caller's own rights. A change that changes nothing writes nothing.
 */
export async function changePrincipal(context: Acting, id: string, change: PrincipalChange): Promise<PrincipalRow> {
  const before = getRow<PrincipalRow>(context.desk.rows, 'principal', id);
  const row = changedPrincipal(context, before, change);
  if (row === before) return before;
  const detail = { fields: Object.keys(change).sort() };
  await context.desk.write({ events: [eventOf(context, 'principal.changed', [{ noun: 'principal', row }], detail)] });
  return row;
}

/** Disables a principal: all its tokens are refused from the next request on. Throws `conflict` for the last admin and the caller. */
export async function disablePrincipal(context: Acting, id: string): Promise<PrincipalRow> {
  const before = getRow<PrincipalRow>(context.desk.rows, 'principal', id);
  demandAuthorityOver(context, before);
  demandNotOwn(context, id, 'nobody disables themselves');
  const now = context.desk.clock.now();
  demandAdminRemains(context, before, { ...before, disabledAt: now });
  if (before.disabledAt !== null) return before;
  const row = nextImage(before, { disabledAt: now });
  await context.desk.write({ events: [eventOf(context, 'principal.disabled', [{ noun: 'principal', row }])] });
  return row;
}

export async function enablePrincipal(context: Acting, id: string): Promise<PrincipalRow> {
  const before = getRow<PrincipalRow>(context.desk.rows, 'principal', id);
  demandAuthorityOver(context, before);
  if (before.disabledAt === null) return before;
  const row = nextImage(before, { disabledAt: null });
  await context.desk.write({ events: [eventOf(context, 'principal.enabled', [{ noun: 'principal', row }])] });
  return row;
}

/** Checks a pointer to a principal in a body. */
export function principalAt(context: Acting, id: string, pointer: string): PrincipalRow {
  const row = allRows<PrincipalRow>(context.desk.rows, 'principal').find((one) => one.id === id);
  if (row === undefined) throw invalidField(pointer, 'there is no such principal');
  return row;
}
