// A second key in one request: in the JSON body, where the provider has a place for it, the caller writes a handle, which is a token of its own
// that is bound to the second credential. Both uses are decided, by the same function and on the same facts; this is the second decision, made
// when the body is there. Pure. Not here: the first (plan.ts), finding tokens (body-tokens.ts), recording and sending both (companion.io.ts).
import { decideUse, type LiveCredential, tokenProblem } from '../access/policy.ts';
import { parseAddress } from '../model/address.ts';
import type { FoundToken, Injection } from './inject.ts';
import type { Forward, Identity, Refusal, Snapshot } from './plan.ts';

/** The second use: what goes along with the first. */
export interface Companion {
  readonly identity: Forward['identity'];
  readonly versionId: string;
  readonly grantId: string;
  readonly endsAt: number;
  readonly injection: Injection;
}

export type CompanionPlan =
  /** No handle in the body. */
  | { readonly kind: 'alone' }
  | { readonly kind: 'along'; readonly companion: Companion }
  /** The identity is the second use's, as far as it is known. */
  | (Omit<Refusal, 'kind'> & { readonly kind: 'refuse' });

/** Why the first use is refused where its second is: what the second was refused for stands in an entry of its own, where its token is known. */
export const HANDLE_REFUSED = 'handle-refused';

/**
 * Decides what the tokens of a body are besides the caller's own. Spends the rate limit of the grant that allows the second use: call it once
 * for each request that was planned. A handle stands for one credential, at one of that credential's own places, of the same provider at the
 * same origin: whoever could name any place could have a key written where it comes back.
 */
export function planCompanion(
  made: Forward,
  inBody: readonly FoundToken[],
  snapshot: Snapshot,
  when: { readonly at: number; readonly monoMs: number },
): CompanionPlan {
  const { policy, hash } = snapshot;
  const first = made.identity;
  const handles: FoundToken[] = [];
  for (const found of inBody) {
    if (hash(found.text) !== first.token.row.hash) handles.push(found);
    // The caller's own again: in one of the first credential's places it is taken out, elsewhere it would travel on.
    else if (!isOneOf(found, made.injection.bodyPointers)) return refuse(made, 400, 'token-place', null);
  }
  const [handle] = handles;
  if (handle === undefined) return { kind: 'alone' };
  if (handles.some((other) => other.text !== handle.text)) return refuse(made, 400, 'two-tokens', null);
  const token = policy.tokensByHash.get(hash(handle.text));
  // Somebody else's is no more known here than one that nobody issued.
  if (token === undefined || token.row.principalId !== first.token.row.principalId)
    return refuse(made, 403, 'unknown-token', null);
  const attempt = { parameters: made.parameters, address: parseAddress(made.ip), ...when };
  const nowhere: Identity = { token, credential: null, action: null, path: null, query: null, grantId: null };
  const wrong = tokenProblem(token, when.at, attempt);
  if (wrong !== null) return refuse(made, 403, wrong, nowhere);
  const credential = policy.credentials.get(token.row.credentialId ?? '');
  if (credential === undefined || !belongs(credential, made) || !handles.every((one) => stands(one, credential, made)))
    return refuse(made, 400, 'token-place', nowhere);
  const { action, path, query } = first;
  const identity = { token, credential, action, path, query, grantId: null };
  const decision = decideUse(policy, { token, credential, action }, attempt);
  if (!decision.allowed) {
    const status = decision.reason === 'rate-limited' ? 429 : 403;
    const known = { ...identity, grantId: decision.grant?.row.id ?? null };
    return { ...refuse(made, status, decision.reason, known), retryAfterMs: decision.retryAfterMs };
  }
  const grant = decision.grant.row;
  const version = credential.current!;
  const injection = snapshot.injections.get(version.id);
  if (injection === undefined) return refuse(made, 503, 'sealed', { ...identity, grantId: grant.id });
  return {
    kind: 'along',
    companion: {
      identity: { ...identity, grantId: grant.id },
      versionId: version.id,
      grantId: grant.id,
      endsAt: Math.min(grant.expiresAt ?? Number.POSITIVE_INFINITY, token.row.expiresAt ?? Number.POSITIVE_INFINITY),
      injection,
    },
  };
}

function refuse(made: Forward, status: number, reason: string, identity: Identity | null) {
  return { kind: 'refuse', status, reason, identity, ip: made.ip, retryAfterMs: 0 } as const;
}

function isOneOf(found: FoundToken, pointers: readonly string[]): boolean {
  return found.pointer !== undefined && pointers.includes(found.pointer);
}

/** Whether its key may be written into this request: to the origin that it is bound to, and only into the body. */
function belongs({ row }: LiveCredential, { identity: { credential } }: Forward): boolean {
  const isSamePlace = row.provider === credential.row.provider && row.origin === credential.row.origin;
  return isSamePlace && row.id !== credential.row.id && row.places.every((place) => place.in === 'body');
}

/** Whether a handle stands where its credential's key belongs, and no other key does. */
function stands(handle: FoundToken, { row }: LiveCredential, made: Forward): boolean {
  const pointers = row.places.flatMap((place) => (place.in === 'body' ? [place.pointer] : []));
  return isOneOf(handle, pointers) && !isOneOf(handle, made.injection.bodyPointers);
}
