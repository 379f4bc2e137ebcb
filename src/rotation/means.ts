// By which protocol a credential is rotated, and with what means: from what its kind can do, who is at hand to do it, and what is known of its
// key. Pure; the one place that decides it.

import { revokesByValue } from '../credentials/asking.ts';
import type { Programs } from '../credentials/programs.ts';
import { Failure } from '../model/failure.ts';
import type { Kind, KindSettings } from '../providers/provider.ts';
import type { Means } from './overlap-state.ts';

export type Way =
  | { readonly protocol: 'overlap'; readonly means: Means }
  | { readonly protocol: 'swap'; readonly source: 'provider' | 'ours' };

export interface Standing {
  readonly hasIssuer: boolean;
  /** The provider's id of the key that is to go; null where nobody knows it. */
  readonly oldId: string | null;
  readonly settings: KindSettings;
  /** A person asks to bring the new key, whatever the provider's API could do. */
  readonly byHand: boolean;
  /** Which programs of the operator's there are for it. */
  readonly programs: Pick<Programs, 'replace' | 'issue' | 'revoke'>;
}

/** Who ends a key of this kind. Where one slot holds the key, replacing it ended it: a delete would end more than the key. */
export function revocationMeans(kind: Kind, standing: Omit<Standing, 'byHand'>): Means['revoke'] {
  if (standing.programs.revoke !== null) return 'api';
  if (kind.revoke === null || kind.rotation === 'swap' || !standing.hasIssuer) return 'person';
  return standing.oldId !== null || revokesByValue(kind, standing.settings) ? 'api' : 'person';
}

/** Throws `invalid`, saying what to do, where the credential cannot be rotated as it stands. */
export function wayFor(kind: Kind, standing: Standing): Way {
  const byHand = 'bring a key by hand (claviger rotate --by-hand)';
  if (!standing.byHand && standing.programs.replace !== null && kind.made !== undefined) {
    return { protocol: 'swap', source: 'ours' };
  }
  if (!standing.byHand && standing.programs.issue !== null) {
    return { protocol: 'overlap', means: { issue: 'api', revoke: revocationMeans(kind, standing) } };
  }
  if (standing.byHand || kind.rotation === 'assisted') {
    return { protocol: 'overlap', means: { issue: 'person', revoke: revocationMeans(kind, standing) } };
  }
  if (!standing.hasIssuer) {
    throw new Failure('invalid', `the credential has no issuer with a usable key: name one, or ${byHand}`);
  }
  if (kind.rotation === 'swap') {
    if (kind.replace === undefined)
      throw new Failure('invalid', `a ${kind.title} cannot be replaced by API: ${byHand}`);
    return { protocol: 'swap', source: 'provider' };
  }
  if (standing.oldId === null && !revokesByValue(kind, standing.settings)) {
    throw new Failure('invalid', "the provider's id of the key is not known: identify the credential first");
  }
  if (kind.rotation === 'grace') {
    if (kind.replace === undefined)
      throw new Failure('invalid', `a ${kind.title} cannot be replaced by API: ${byHand}`);
    return { protocol: 'overlap', means: { issue: 'grace', revoke: revocationMeans(kind, standing) } };
  }
  if (kind.issue === null || kind.revoke === null) {
    throw new Failure('invalid', `a ${kind.title} cannot be rotated by the provider's API: ${byHand}`);
  }
  return { protocol: 'overlap', means: { issue: 'api', revoke: 'api' } };
}
