// Giving and revoking grants. A grant is checked against the provider's catalogue when it is given, so that a name that means nothing is
// an error and not a grant that never allows anything.
import type { CredentialRow } from '../credentials/credential.ts';
import { parseNetworks } from '../model/address.ts';
import { nextImage } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import { allRows, findRow, getRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import { type Context, eventOf, invalidField } from '../model/route.ts';
import type { Action } from '../providers/provider.ts';
import { covers, isActionPattern } from './authorize.ts';
import { principalAt } from './manage-principals.ts';
import type { GrantRow, Rate } from './principal.ts';

/** Bounds what one decision may have to look at. */
const GRANTS_OF_A_PAIR_MAX = 100;

type Acting = Pick<Context, 'caller' | 'desk'>;
/** The actions of a provider, by its name. */
export type ActionsOf = (provider: string) => readonly Action[];

export interface GrantTerms {
  readonly actions: readonly string[];
  readonly parameters: Readonly<Record<string, readonly string[]>>;
  readonly networks: readonly string[];
  readonly rate: Rate | null;
  readonly note: string;
}

export interface NewGrant extends GrantTerms {
  readonly principalId: string;
  readonly credentialId: string;
  readonly expiresInSeconds: number | null;
}

/** The parameters of an action that a grant may constrain: those of its path, and the query's that its catalogue names. */
export function parametersOf(action: Action): string[] {
  const inPath = [...action.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
  return [...inPath, ...(action.query ?? [])];
}

/** Holds the terms of a grant against the catalogue. Throws `invalid` with a pointer for each that is wrong, `denied` for minting. */
export function demandTerms(context: Acting, terms: GrantTerms, actions: readonly Action[]): void {
  const errors: { pointer: string; detail: string }[] = [];
  const covered = new Set<Action>();
  for (const [i, pattern] of terms.actions.entries()) {
    const matched = isActionPattern(pattern) ? actions.filter((action) => covers(pattern, action)) : [];
    for (const action of matched) covered.add(action);
    if (matched.length > 0) continue;
    const detail = isActionPattern(pattern) ? 'covers no action of this provider' : 'not an action or a pattern';
    errors.push({ pointer: `/actions/${i}`, detail });
  }
  const known = new Set([...covered].flatMap(parametersOf));
  for (const name of Object.keys(terms.parameters)) {
    if (known.has(name) || errors.length > 0) continue;
    errors.push({ pointer: `/parameters/${name}`, detail: 'none of these actions has such a parameter' });
  }
  if (errors.length > 0) throw new Failure('invalid', 'the grant does not fit the provider’s catalogue', { errors });
  parseNetworks(terms.networks, '/networks');
  // Lending an action that makes keys is making keys.
  const mints = [...covered].find((action) => action.mints === true);
  if (mints !== undefined && !context.caller.permissions.has('credential:write')) {
    throw new Failure('denied', `${mints.name} mints or reveals credentials: granting it needs credential:write`);
  }
}

/** The credential of a grant. Throws `invalid` where there is none, or none that may be granted. */
export function grantableAt(context: Acting, id: string, pointer: string): CredentialRow {
  const credential = findRow<CredentialRow>(context.desk.rows, 'credential', id);
  if (credential === null) throw invalidField(pointer, 'there is no such credential');
  demandGrantable(credential, pointer);
  return credential;
}

export function demandGrantable(credential: CredentialRow, pointer: string): void {
  if (credential.purpose !== 'lend') throw invalidField(pointer, 'this credential mints others and is never lent');
  if (credential.retiredAt !== null) throw invalidField(pointer, 'this credential is decommissioned');
}

export function grantRow(
  context: Acting,
  input: GrantTerms & { principalId: string; credentialId: string; expiresAt: UtcMs | null },
  managedBy: string | null,
): GrantRow {
  const now = context.desk.clock.now();
  return {
    id: newId('grant', now, context.desk.random),
    rowVersion: 1,
    principalId: input.principalId,
    credentialId: input.credentialId,
    actions: input.actions,
    parameters: input.parameters,
    networks: input.networks,
    rate: input.rate,
    expiresAt: input.expiresAt,
    revokedAt: null,
    createdAt: now,
    note: input.note,
    managedBy,
  };
}

/** Gives a grant. Throws `invalid` where it does not fit, `denied` for minting without the right to, `conflict` for too many. */
export async function giveGrant(context: Acting, input: NewGrant, actionsOf: ActionsOf): Promise<GrantRow> {
  const { desk } = context;
  principalAt(context, input.principalId, '/principal');
  const credential = grantableAt(context, input.credentialId, '/credential');
  demandTerms(context, input, actionsOf(credential.provider));
  const ofPair = allRows<GrantRow>(desk.rows, 'grant').filter(
    (row) => row.principalId === input.principalId && row.credentialId === input.credentialId,
  );
  if (ofPair.length >= GRANTS_OF_A_PAIR_MAX) {
    throw new Failure('conflict', `there are ${GRANTS_OF_A_PAIR_MAX} grants of this principal on this credential`);
  }
  const expiresAt = input.expiresInSeconds === null ? null : desk.clock.now() + input.expiresInSeconds * 1000;
  const row = grantRow(context, { ...input, expiresAt }, null);
  await desk.write({ events: [eventOf(context, 'grant.given', [{ noun: 'grant', row }])] });
  return row;
}

/** Revokes a grant: refused from the next request on, what is open is cut. */
export async function revokeGrant(context: Acting, id: string): Promise<GrantRow> {
  const { desk } = context;
  const before = getRow<GrantRow>(desk.rows, 'grant', id);
  const row = nextImage(before, { revokedAt: desk.clock.now() });
  await desk.write({ events: [eventOf(context, 'grant.revoked', [{ noun: 'grant', row }])] });
  return row;
}
