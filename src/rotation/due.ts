// What is due: an ordered chain of checks over one credential; the first that answers gives the reason. Pure.
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { UtcMs } from '../model/clock.ts';

export type Due =
  | { readonly due: true; readonly why: 'age' }
  | {
      readonly due: false;
      readonly why:
        | 'not-scheduled'
        | 'suspended'
        | 'retired'
        | 'no-current-version'
        | 'unidentified'
        | 'no-issuer'
        | 'not-yet';
      /** When it will be, where that is known. */
      readonly at: UtcMs | null;
    };

const DAY_MS = 86_400_000;

/** What rotating it takes. Where a person brings the new key, it takes neither. */
export interface Needs {
  readonly issuer: boolean;
  readonly providerKeyId: boolean;
}

export function dueFor(credential: CredentialRow, current: VersionRow | null, needs: Needs, now: UtcMs): Due {
  const no = (why: Extract<Due, { due: false }>['why'], at: UtcMs | null = null): Due => ({ due: false, why, at });
  if (credential.policy.everyDays === null) return no('not-scheduled');
  if (credential.retiredAt !== null) return no('retired');
  if (credential.suspendedAt !== null) return no('suspended');
  if (current === null) return no('no-current-version');
  if (needs.issuer && credential.issuerId === null) return no('no-issuer');
  if (needs.providerKeyId && current.providerKeyId === null) return no('unidentified');
  const at = (current.promotedAt ?? current.createdAt) + credential.policy.everyDays * DAY_MS;
  return now >= at ? { due: true, why: 'age' } : no('not-yet', at);
}
