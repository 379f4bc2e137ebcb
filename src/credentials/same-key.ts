// Which version holds the bytes of a key. One key in two credentials would be rotated from under whoever uses it through the other: each counts its
// own traffic alone, and revokes what the other one lends. Pure but for opening; compares in constant time, and says nothing of the bytes.
import type { Rows } from '../model/change.ts';
import { allRows, findRow } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import type { Kind, Parts } from '../providers/provider.ts';
import type { CredentialRow, VersionRow } from './credential.ts';

export type Open = (credential: CredentialRow, version: VersionRow) => Promise<Parts>;

export interface KeyHolder {
  readonly credential: CredentialRow;
  readonly version: VersionRow;
}

/** Whether both are one key: every secret part of the kind is the same. Public parts are not looked at. */
export function isSameKey(kind: Kind, one: Parts, other: Parts): boolean {
  const secret = kind.parts.filter((name) => kind.publicParts?.includes(name) !== true);
  const isSame = (name: string) => other[name] !== undefined && one[name]?.equals(other[name]) === true;
  return secret.length > 0 && secret.every(isSame);
}

export type Held =
  | ({ readonly is: 'held' } & KeyHolder)
  | { readonly is: 'free' }
  /** No version that could be opened holds it, and there are some that could not. */
  | { readonly is: 'unknown' };

/** Whether a version at this provider and origin holds these bytes and is not revoked. Throws `sealed`. */
export async function holderOfKey(
  rows: Rows,
  key: { readonly credential: Pick<CredentialRow, 'provider' | 'origin'>; readonly kind: Kind; readonly parts: Parts },
  open: Open,
): Promise<Held> {
  const { provider, origin } = key.credential;
  let isCertain = true;
  for (const version of allRows<VersionRow>(rows, 'version')) {
    const credential = findRow<CredentialRow>(rows, 'credential', version.credentialId);
    if (version.state === 'revoked' || credential?.provider !== provider || credential.origin !== origin) continue;
    const known = await opened(credential, version, open);
    if (known === null) isCertain = false;
    else if (isSameKey(key.kind, key.parts, known)) return { is: 'held', credential, version };
  }
  return { is: isCertain ? 'free' : 'unknown' };
}

/** What to say of a key that another credential holds. */
export function heldElsewhere({ credential, version }: KeyHolder): string {
  const name = `${credential.environment}/${credential.provider}/${credential.name}`;
  const way =
    credential.purpose === 'manage'
      ? 'That one is never lent: bring another key'
      : 'Give whoever is to use it a grant on that credential and a token of their own, or bring another key';
  return `this is the key of ${name}, version ${version.number}: to rotate one would end the other. ${way}`;
}

async function opened(credential: CredentialRow, version: VersionRow, open: Open): Promise<Parts | null> {
  try {
    return await open(credential, version);
  } catch (error) {
    if (!Failure.is(error) || error.code === 'sealed') throw error;
    return null;
  }
}
