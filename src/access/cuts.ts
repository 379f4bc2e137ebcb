// Which access an event ends. The writer refuses, as stale, every use of these ids that was decided before the event and comes
// after it; the broker cuts what is open.
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { ControlEvent } from '../model/change.ts';
import type { GrantRow, PrincipalRow, TokenRow } from './principal.ts';

/** Ids of credentials, versions, grants, principals and tokens that may not be used from this event on. */
export function cutsOf(event: ControlEvent): string[] {
  const ids: string[] = [];
  for (const { noun, row } of event.rows) {
    if (isCut(noun, row, event.at)) ids.push(row.id);
  }
  return ids;
}

function isCut(noun: string, row: { id: string }, at: number): boolean {
  switch (noun) {
    case 'credential': {
      const credential = row as CredentialRow;
      return credential.suspendedAt !== null || credential.retiredAt !== null;
    }
    case 'version': {
      const { state } = row as VersionRow;
      return state === 'revoking' || state === 'revoked';
    }
    case 'grant': {
      const grant = row as GrantRow;
      // Any change of a grant ends decisions made on the one before: it may have become narrower.
      return grant.rowVersion > 1 || grant.revokedAt !== null || (grant.expiresAt !== null && grant.expiresAt <= at);
    }
    case 'principal':
      return (row as PrincipalRow).disabledAt !== null;
    case 'token': {
      const token = row as TokenRow;
      // An end that is yet to come (a token that was rotated with an overlap) ends nothing now.
      return token.revokedAt !== null || (token.expiresAt !== null && token.expiresAt <= at);
    }
    default:
      return false;
  }
}
