// What a provider says of a key that is at hand: whose it is, which id it has, what it may do and when it ends. Asked where a key comes in and whenever
// somebody wants to know, and noted on its version: so that what a key may do is its provider's word and not a note of ours. What the provider does
// not say stays as it was. Not here: whether a brought key is taken (rotation/bring.ts), what its grants need (access/privilege.ts).
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { Parts } from '../providers/provider.ts';
import { type AskTools, createAsker, type Holder } from './asking.ts';
import type { CredentialRow, VersionRow } from './credential.ts';

export interface Inspection {
  /** Whose it is, as the provider names it; null where it does not say. */
  readonly account: string | null;
  readonly providerKeyId: string | null;
  /** What it may do; null where that is not known. */
  readonly scopes: readonly string[] | null;
  /** When the provider ends it; null: never. Absent where it does not say. */
  readonly expiresAt?: UtcMs | null;
  /** Why what it may do is not known; null where it is. */
  readonly why: string | null;
}

/** More than any provider has: whoever sends more is not believed. */
const SCOPES_MAX = 512;
const SCOPE_LENGTH_MAX = 200;
/** No control characters, no half characters: what is written to the log can be written, and shown. */
const SCOPE = /^[^\p{C}]+$/u;

/** The names as they are noted: sorted, each once. Null where they are too many, too long or not of the form of names. */
export function notedScopes(scopes: readonly string[]): readonly string[] | null {
  const distinct = [...new Set(scopes)].sort();
  const isSound =
    distinct.length <= SCOPES_MAX && distinct.every((one) => one.length <= SCOPE_LENGTH_MAX && SCOPE.test(one));
  return isSound ? distinct : null;
}

/** Asks. Never throws for what the provider does. Throws `sealed` or `corrupt` where the issuer's key, where one asks, cannot be opened. */
export async function inspectKey(
  tools: AskTools,
  credential: CredentialRow,
  key: { readonly parts: Parts; readonly issuer: Holder | null },
): Promise<Inspection> {
  const asker = createAsker(tools);
  const whose = await asker.identify(credential, key.parts, key.issuer);
  const known = whose?.is === 'known' ? whose : null;
  const more = {
    account: known?.account ?? null,
    providerKeyId: known?.providerKeyId ?? null,
    ...(known?.expiresAt === undefined ? {} : { expiresAt: known.expiresAt }),
  };
  const rights = await asker.rights(credential, key.parts, key.issuer);
  const said = rights === null ? whose : rights;
  if (said === null) return { ...more, scopes: null, why: 'this provider does not say what a key may do' };
  if (said.is === 'unknown') return { ...more, scopes: null, why: said.evidence.signature };
  if (said.scopes === undefined) return { ...more, scopes: null, why: 'this provider does not say what a key may do' };
  const scopes = notedScopes(said.scopes);
  return { ...more, scopes, why: scopes === null ? 'what it says are no names of scopes' : null };
}

/** What changes on the version by it; null where nothing does. `isFree`: whether no other version holds an id. */
export function inspected(
  version: VersionRow,
  seen: Inspection,
  now: UtcMs,
  isFree: (providerKeyId: string) => boolean,
): Partial<VersionRow> | null {
  const isOther = seen.scopes !== null && seen.scopes.join(' ') !== version.holds?.scopes.join(' ');
  const id = seen.providerKeyId;
  const change: Partial<VersionRow> = {
    ...(isOther ? { holds: { scopes: seen.scopes!, at: now } } : {}),
    ...(seen.expiresAt !== undefined && seen.expiresAt !== version.expiresAt ? { expiresAt: seen.expiresAt } : {}),
    ...(id !== null && id !== '' && version.providerKeyId === null && isFree(id) ? { providerKeyId: id } : {}),
  };
  return Object.keys(change).length === 0 ? null : change;
}

/** Throws `conflict` where the credential has no version that it can be asked about. */
export function inspectable(versions: readonly VersionRow[]): VersionRow {
  const current = versions.find((version) => version.state === 'current');
  if (current === undefined) throw new Failure('conflict', 'the credential has no current version');
  return current;
}
