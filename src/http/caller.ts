// Who calls: the bearer token, and what it may do. Pure: the policy in memory and the hash come
// in. Tokens stand in the Authorization header and nowhere else; a token that is bound to a credential opens the broker alone.
import { type LiveToken, type Policy, tokenProblem } from '../access/policy.ts';
import { permissionsOf } from '../access/role.ts';
import { bareToken, isWellFormedToken } from '../access/token.ts';
import { parseAddress } from '../model/address.ts';
import type { UtcMs } from '../model/clock.ts';
import type { Caller } from '../model/route.ts';

export type Identified =
  | { readonly is: 'caller'; readonly caller: Caller; readonly token: LiveToken }
  | { readonly is: 'stranger'; readonly reason: string; readonly detail: string };

const BEARER = /^bearer +([!-~]+) *$/i;
const WHY: Readonly<Record<ReturnType<typeof tokenProblem> & string, string>> = {
  'token-revoked': 'this token was revoked',
  'token-expired': 'this token has expired',
  'token-network': 'this token may not be used from this address',
  'principal-disabled': 'the principal of this token is disabled',
};

function stranger(reason: string, detail: string): Identified {
  return { is: 'stranger', reason, detail };
}

/** Identifies the caller by the Authorization header. */
export function identify(
  authorization: string | undefined,
  facts: { policy: Policy; hash: (text: string) => string; at: UtcMs; source: string },
): Identified {
  if (authorization === undefined) return stranger('no-token', 'a bearer token is needed');
  const match = BEARER.exec(authorization);
  const text = match === null ? '' : bareToken(match[1]!);
  if (!isWellFormedToken(text)) return stranger('malformed-token', 'this is not a Claviger token');
  const token = facts.policy.tokensByHash.get(facts.hash(text));
  if (token === undefined) return stranger('unknown-token', 'this token is not known, or no longer');
  const wrong = tokenProblem(token, facts.at, { address: parseAddress(facts.source) });
  if (wrong !== null) return stranger(wrong, WHY[wrong]);
  const isBound = token.row.credentialId !== null;
  const permissions = isBound ? new Set<string>() : permissionsOf(token.principal?.roles ?? []);
  return { is: 'caller', token, caller: { principalId: token.row.principalId, tokenId: token.row.id, permissions } };
}
