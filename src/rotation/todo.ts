// What a person must do now for a rotation to go on, in the provider's words. Pure: the same row and the same kind give the same steps.
// Not here: doing it (Rotator.bring takes the key), how it is shown (cli/commands/rotation-watch.ts).
import type { CredentialRow } from '../credentials/credential.ts';
import type { UtcMs } from '../model/clock.ts';
import type { Kind, Provider } from '../providers/provider.ts';
import { isCommitted } from './overlap-steps.ts';
import { isSwap, type OverlapRotation, type RotationRow } from './rotation.ts';

export interface Todo {
  /** The page where it is done. */
  readonly url: string;
  readonly steps: readonly string[];
  /** When the rotation gives up waiting; null where it does not say. */
  readonly until: UtcMs | null;
}

export interface Surroundings {
  readonly credential: Pick<CredentialRow, 'environment' | 'provider' | 'name' | 'origin'>;
  readonly provider: Pick<Provider, 'title' | 'origin' | 'console'>;
  readonly kind: Pick<Kind, 'title' | 'byHand'>;
  /** Another rotation runs, or another version is current by now: what this one left behind is no longer anybody's to do. */
  readonly isOvertaken: boolean;
}

/** Null where nobody has to do anything now. */
export function todoOf(row: RotationRow, around: Surroundings): Todo | null {
  const { state } = row;
  if (state.end === 'lost') return around.isOvertaken ? null : beginAgain(around);
  if (isSwap(row)) return null;
  if (state.step === 'await' && state.end === null) return bringKey(row, around);
  // Blocked because nobody did it, it still has to be done; then somebody lets it go on.
  const isOpen = state.end === null || state.end === 'blocked';
  const isAwaited = state.step === 'prove' && row.state.means.revoke === 'person' && state.death.refusals === 0;
  // It may be the key in force: the old one ends with its grace, and whether this one lives is being looked at.
  const isInForce = row.state.target === 'fresh' && isCommitted(row.state);
  return isOpen && isAwaited && !isInForce ? endKey(row, around) : null;
}

function beginAgain(around: Surroundings): Todo {
  const { environment, provider, name } = around.credential;
  const steps = [
    `Begin a rotation that you bring a key to: claviger rotate ${environment}/${provider}/${name} --by-hand`,
  ];
  return { url: pageOf(around), steps, until: null };
}

function bringKey(row: OverlapRotation, around: Surroundings): Todo {
  const steps = around.kind.byHand?.issue ?? [
    `Make a new ${around.kind.title} at ${around.provider.title}, with no more rights than the old one has.`,
  ];
  return { url: pageOf(around), steps, until: row.requestedAt + row.policy.awaitMaxMs };
}

function endKey(row: OverlapRotation, around: Surroundings): Todo | null {
  const { target, old, fresh } = row.state;
  const { byHand, title } = around.kind;
  const id = (target === 'old' ? old : fresh)?.providerKeyId ?? '';
  const whose = id === '' ? [] : [`It has the id ${id} there.`];
  const plain = (which: string, rest: string) => [
    `Delete the ${which} ${title} at ${around.provider.title}${rest}.`,
    ...whose,
  ];
  // Undoing, it is the new key that goes: the provider's words are about the old one.
  if (target === 'fresh') return { url: pageOf(around), steps: plain('new', '; the old one stays'), until: null };
  if (byHand === undefined) return { url: pageOf(around), steps: plain('old', ''), until: null };
  return byHand.revoke === null ? null : { url: pageOf(around), steps: [...byHand.revoke, ...whose], until: null };
}

/** The page at the instance that this credential is of: members write it with the origin that they have built in. */
function pageOf({ credential, provider, kind }: Surroundings): string {
  const url = kind.byHand?.url ?? provider.console;
  const isThere = url === provider.origin || url.startsWith(`${provider.origin}/`);
  return isThere ? `${credential.origin}${url.slice(provider.origin.length)}` : url;
}
