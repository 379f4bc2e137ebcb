// The route of one credential: its row and its versions, and what its key may do at the provider against what its grants need. Here, and not among the
// other routes of credentials, because grants are known here. The comparison is privilege.ts.
import { z } from 'zod';
import { credentialView } from '../credentials/api.ts';
import { credentialViewSchema } from '../credentials/api-schemas.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { Acting, Kinds } from '../credentials/manage.ts';
import { allRows, findRow, getRow } from '../model/desk.ts';
import { idParams, type Route, route, rowAnswer } from '../model/route.ts';
import type { ActionsOf } from './manage-grants.ts';
import type { GrantRow, PrincipalRow } from './principal.ts';
import { PRIVILEGE_VERDICTS, type Privilege, privilegeOf, scopesOfSettings } from './privilege.ts';

export interface CredentialRouteRoom {
  readonly kinds: Kinds;
  readonly actionsOf: ActionsOf;
}

const scopes = z.array(z.string());
const privilegeSchema = z.object({
  of: z.enum(['key', 'actor', 'kind', 'none']).nullable().meta({
    description: 'Of what the provider’s scopes are a property; null: none are compared for this kind',
  }),
  verdict: z.enum(PRIVILEGE_VERDICTS),
  why: z.string(),
  held: scopes.nullable().meta({
    description:
      'Scopes that the key has, as its provider said (the version’s `holds`), else as its settings say; null: not known',
  }),
  needed: scopes.meta({ description: 'Scopes that the actions of the grants in force need, as far as that is known' }),
  neededOneOf: z.array(scopes).meta({ description: 'Sets of scopes of which one is needed besides' }),
  everything: scopes.meta({ description: 'Held scopes that mean everything' }),
  reveals: scopes.meta({ description: 'Held scopes with which the key reads stored secrets or makes other keys' }),
  unused: scopes.meta({
    description: 'Held scopes without which what is known to be needed would be reached all the same',
  }),
  broader: z
    .array(z.object({ scope: z.string(), neededOf: scopes }))
    .meta({ description: 'Held scopes that include what is needed and are not needed themselves' }),
  missing: scopes.meta({ description: 'Needed scopes that the key lacks' }),
  missingOneOf: z.array(scopes),
  unknownActions: z
    .object({ count: z.int(), names: z.array(z.string()) })
    .meta({ description: 'Granted actions whose scopes are not known: how many, and the first of them' }),
  suggested: scopes.nullable().meta({ description: 'The fewest scopes for the next key; null: that cannot be told' }),
});

export const credentialWithPrivilegeSchema = credentialViewSchema.extend({
  privilege: privilegeSchema.nullable().meta({
    description: 'What the key may do against what its grants need; null: this program does not know its kind',
  }),
});

/** What the key of a credential may do against what its grants in force need; null where this program does not know its kind. */
export function privilegeIn(
  { desk }: Pick<Acting, 'desk'>,
  row: CredentialRow,
  { kinds, actionsOf }: CredentialRouteRoom,
): Privilege | null {
  const kind = kinds.kindNamed(row.provider, row.kind);
  if (kind === null) return null;
  const now = desk.clock.now();
  const isEnabled = (id: string) => findRow<PrincipalRow>(desk.rows, 'principal', id)?.disabledAt === null;
  const grants = allRows<GrantRow>(desk.rows, 'grant').filter(
    (grant) =>
      grant.credentialId === row.id &&
      grant.revokedAt === null &&
      (grant.expiresAt === null || grant.expiresAt > now) &&
      isEnabled(grant.principalId),
  );
  const versions = allRows<VersionRow>(desk.rows, 'version');
  const current = versions.find((version) => version.credentialId === row.id && version.state === 'current');
  return privilegeOf({
    kind,
    purpose: row.purpose,
    held: current?.holds?.scopes ?? scopesOfSettings(kind, row.settings),
    actions: actionsOf(row.provider),
    patterns: grants.flatMap((grant) => grant.actions),
  });
}

export function credentialRoute(room: CredentialRouteRoom): Route {
  return route({
    method: 'GET',
    path: '/v1/credentials/{id}',
    permission: 'credential:read',
    summary: 'A credential with its versions, and what its key may do against what its grants need',
    tag: 'credentials',
    params: idParams('credential'),
    answers: { 200: { about: 'The credential', schema: credentialWithPrivilegeSchema } },
    handler(context, { params: { id } }) {
      const row = getRow<CredentialRow>(context.desk.rows, 'credential', id);
      return rowAnswer(row, { ...credentialView(context, row), privilege: privilegeIn(context, row, room) });
    },
  });
}
