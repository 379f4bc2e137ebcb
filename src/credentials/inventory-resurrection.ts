// Keys that live although their versions are certified dead: which ones the inventory must ask about, and what the answers mean. Lists lag, so a
// listed key is no more than a suspect; the provider's acceptance of it, in a probe of our own, is the alarm. An alarm ends only
// with a refusal beside a live control: a provider that says nothing has not said that the key is dead. Not here: journaling
// and calling the provider's revocation again (inventory.io.ts).
import type { Rows } from '../model/change.ts';
import { allRows, findRow } from '../model/desk.ts';
import type { ListedKey } from '../providers/provider.ts';
import type { Holder } from './asking.ts';
import type { CredentialRow, VersionRow } from './credential.ts';
import type { FindingRow } from './finding.ts';
import { resurrectedOf } from './inventory.ts';
import type { Prober } from './prober.ts';
import type { ReadingRecord } from './probing.ts';

/** One list of keys at one provider. */
export interface ListedAccount {
  readonly provider: string;
  /** Where its keys are managed and where they are used: a provider may have a host for each. */
  readonly origins: ReadonlySet<string>;
  readonly issuerId: string;
  /** Ids of the credentials whose keys stand in this list. */
  readonly dependants: ReadonlySet<string>;
}

/** A key to be asked about, by the version that was certified dead. */
export interface Suspect extends Holder {
  readonly providerKeyId: string;
  /** Its name in the provider's list; empty where it is not listed. */
  readonly name: string;
  readonly lastUsedAt: number | null;
}

/** Brake: suspects that one look asks about. Each costs three calls. */
export const SUSPECTS_MAX = 200;

/** Provider ids of versions that are called revoked, and that no other version holds. */
export function revokedKeys(rows: Rows, account: Pick<ListedAccount, 'provider' | 'origins'>): Map<string, Holder> {
  const revoked = new Map<string, Holder>();
  const held = new Set<string>();
  for (const version of allRows<VersionRow>(rows, 'version')) {
    const credential = findRow<CredentialRow>(rows, 'credential', version.credentialId);
    if (version.providerKeyId === null || credential?.provider !== account.provider) continue;
    if (!account.origins.has(credential.origin)) continue;
    if (version.state === 'revoked') revoked.set(version.providerKeyId, { credential, version });
    else held.add(version.providerKeyId);
  }
  for (const id of held) revoked.delete(id);
  return revoked;
}

/** What is listed although it is dead, and what an open alarm of this list is about although it is not listed any more. */
export function suspectsOf(rows: Rows, listed: readonly ListedKey[], account: ListedAccount): Suspect[] {
  const revoked = revokedKeys(rows, account);
  const ids = new Set(resurrectedOf(listed, new Set(revoked.keys())));
  for (const finding of allRows<FindingRow>(rows, 'finding')) {
    const credentialId = revoked.get(finding.providerKeyId)?.credential.id ?? '';
    const isHere = finding.issuerId === account.issuerId && account.dependants.has(credentialId);
    if (finding.kind === 'resurrected' && isHere) ids.add(finding.providerKeyId);
  }
  const seen = new Map(listed.map((key) => [key.providerKeyId, key]));
  return [...ids].slice(0, SUSPECTS_MAX).map((providerKeyId) => ({
    ...revoked.get(providerKeyId)!,
    providerKeyId,
    name: seen.get(providerKeyId)?.name ?? '',
    lastUsedAt: seen.get(providerKeyId)?.lastUsedAt ?? null,
  }));
}

export interface Judged {
  /** Accepted by the provider, with the reading that says so. */
  readonly alive: readonly (Suspect & { readonly reading: ReadingRecord })[];
  /** Ids of keys that were refused beside a live control. */
  readonly refused: ReadonlySet<string>;
}

/** Asks the provider about each suspect. `control`: the key that has just listed them. */
export async function judge(suspects: readonly Suspect[], prober: Prober, control: Holder): Promise<Judged> {
  const alive: (Suspect & { reading: ReadingRecord })[] = [];
  const refused = new Set<string>();
  for (const suspect of suspects) {
    const { verdict, target } = await prober.bracket(suspect, control);
    if (verdict === 'alive') alive.push({ ...suspect, reading: target });
    else if (verdict === 'dead') refused.add(suspect.providerKeyId);
  }
  return { alive, refused };
}
