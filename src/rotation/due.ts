// What is due: an ordered chain of checks over one credential; the first that answers gives the reason. Pure.
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { UtcMs } from '../model/clock.ts';

export type Due =
  | { readonly due: true; readonly why: 'age' | 'expiry' }
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

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LEAD_MAX_MS = 14 * DAY_MS;
/** A key is left alone for so long after it was made, whatever its end. */
const REST_MIN_MS = 300_000;

/** What rotating it takes. Where a person brings the new key, it takes neither. */
export interface Needs {
  readonly issuer: boolean;
  readonly providerKeyId: boolean;
}

/**
 * When a key that its provider ends by itself is to be replaced: a quarter of its life before that, two weeks at the most, an hour or half of its
 * life at the least. Null: nobody ends it.
 */
export function replacedBy({ expiresAt, createdAt }: Pick<VersionRow, 'expiresAt' | 'createdAt'>): UtcMs | null {
  if (expiresAt === null) return null;
  const lifeMs = Math.max(0, expiresAt - createdAt);
  const at = expiresAt - Math.max(Math.min(HOUR_MS, lifeMs / 2), Math.min(lifeMs / 4, LEAD_MAX_MS));
  // Where a provider's ends are over before they begin (a clock that is wrong), each new key would be due at once, for ever.
  const restMs = lifeMs === 0 ? HOUR_MS : Math.max(REST_MIN_MS, Math.min(HOUR_MS, lifeMs / 2));
  return Math.max(at, createdAt + restMs);
}

/** Waits between two scheduled tries of a credential whose current version stays: an hour, then twice as long each time, up to a day. */
export function mayTryAgain(tries: { readonly count: number; readonly lastAt: UtcMs } | null, now: UtcMs): boolean {
  if (tries === null || tries.count === 0) return true;
  return now >= tries.lastAt + Math.min(HOUR_MS * 2 ** Math.min(tries.count - 1, 20), DAY_MS);
}

/** By its age, where its policy says one; and by the end that its provider gives it, whatever the policy says: a key that ends is an outage. */
export function dueFor(credential: CredentialRow, current: VersionRow | null, needs: Needs, now: UtcMs): Due {
  const no = (why: Extract<Due, { due: false }>['why'], at: UtcMs | null = null): Due => ({ due: false, why, at });
  const { everyDays } = credential.policy;
  const byEnd = current === null ? null : replacedBy(current);
  if (everyDays === null && byEnd === null) return no('not-scheduled');
  if (credential.retiredAt !== null) return no('retired');
  if (credential.suspendedAt !== null) return no('suspended');
  if (current === null) return no('no-current-version');
  if (needs.issuer && credential.issuerId === null) return no('no-issuer');
  if (needs.providerKeyId && current.providerKeyId === null) return no('unidentified');
  const byAge = everyDays === null ? null : (current.promotedAt ?? current.createdAt) + everyDays * DAY_MS;
  const at = Math.min(byAge ?? Number.POSITIVE_INFINITY, byEnd ?? Number.POSITIVE_INFINITY);
  if (now < at) return no('not-yet', at);
  return { due: true, why: at === byAge ? 'age' : 'expiry' };
}
