// What a new key is asked for besides its kind's own settings: its native scopes and its lifetime. Both stand in the settings of the credential,
// are pinned with them when a rotation is requested, and are the same for every version: a rotation neither widens nor lengthens.
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { IssueInput, Kind, KindSettings } from '../providers/provider.ts';

const DAY_MS = 86_400_000;
const LIFETIME_DAYS_MAX = 3_650;

/** Settings that kinds share, each with what it means: `lifetimeDays` where keys can end by themselves, `scopes` where they have scopes of their own. */
export function sharedSettings(kind: Kind): Kind['settings'] {
  const isMinted = kind.issue !== null || kind.replace !== undefined;
  const about = 'Days after which the provider ends each key by itself';
  const lifetime: Kind['settings'] =
    isMinted && kind.canExpire === true ? { lifetimeDays: { required: false, about } } : {};
  if (kind.scopes?.of !== 'key') return lifetime;
  const asked = "The provider's own scopes that each key gets, separated by spaces: as few as will do";
  const had =
    "The provider's own scopes that the key has, separated by spaces: what a person brings next may have no others";
  return { ...lifetime, scopes: { required: isMinted, about: isMinted ? asked : had } };
}

/**
 * Scopes and end of a key that is asked for now. Throws `invalid`, naming what is wrong, where a scope is none of the kind's or the lifetime is no
 * whole number of days.
 */
export function issuing(
  kind: Kind,
  settings: KindSettings,
  now: UtcMs,
): Pick<IssueInput, 'settings' | 'scopes' | 'expiresAt' | 'askedAt'> {
  const scopes = scopesOf(kind, settings);
  const days = lifetimeOf(settings);
  return {
    settings,
    ...(scopes === null ? {} : { scopes }),
    ...(days === null ? {} : { expiresAt: now + days * DAY_MS, askedAt: now }),
  };
}

function scopesOf(kind: Kind, settings: KindSettings): readonly string[] | null {
  if (kind.scopes?.of !== 'key' || settings['scopes'] === undefined) return null;
  const named = settings['scopes'].split(/[\s,]+/).filter((one) => one !== '');
  const known = new Set(kind.scopes.all);
  const isOpen = kind.scopes.isOpen === true || known.size === 0;
  const unknown = isOpen ? [] : named.filter((one) => !known.has(one));
  if (named.length === 0) throw new Failure('invalid', 'scopes: name at least one');
  if (unknown.length > 0) throw new Failure('invalid', `scopes: ${kind.title} has no scope ${unknown.join(', ')}`);
  return [...new Set(named)];
}

function lifetimeOf(settings: KindSettings): number | null {
  const text = settings['lifetimeDays'];
  if (text === undefined) return null;
  const days = Number(text);
  if (Number.isSafeInteger(days) && days >= 1 && days <= LIFETIME_DAYS_MAX) return days;
  throw new Failure('invalid', `lifetimeDays: whole days from 1 to ${LIFETIME_DAYS_MAX}`);
}

/** Scopes that mean everything, among those that a key is asked for: no key should have them. */
export function overprivileged(kind: Kind, settings: KindSettings): readonly string[] {
  const everything = new Set(kind.scopes?.everything ?? []);
  return (scopesOf(kind, settings) ?? []).filter((one) => everything.has(one));
}
