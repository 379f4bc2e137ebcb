// The decision: may this principal do this action with this credential now? Pure, total, deny by default; the reason is part
// of the answer. The live broker and the offline replay (audit replay) call the very same functions on the very same values:
// everything a decision rests on is in the control log or in the leaf of the use.
import { type Address, contains, type Network, parseNetwork } from '../model/address.ts';
import type { UtcMs } from '../model/clock.ts';
import type { Action } from '../providers/provider.ts';
import { type Limit, limitOf, spend } from './limit.ts';
import type { GrantRow } from './principal.ts';

/** Why a request is refused. Part of the public answer; none of them tells an outsider what exists. */
export type DenialReason =
  | 'no-grant'
  | 'grant-expired'
  | 'network'
  | 'parameter'
  | 'rate-limited'
  | 'token-expired'
  | 'token-revoked'
  | 'token-network'
  | 'principal-disabled'
  | 'credential-suspended'
  | 'credential-retired'
  | 'no-current-version'
  | 'wrong-credential'
  | 'no-action'
  | 'stale';

export type Decision =
  | { readonly allowed: true; readonly grant: CompiledGrant }
  | {
      readonly allowed: false;
      readonly reason: DenialReason;
      readonly grant: CompiledGrant | null;
      readonly retryAfterMs: number;
    };

/** A grant made ready for deciding: parsed once, when it is loaded. `arrivalMs` is its rate limit's state. */
export interface CompiledGrant {
  readonly row: GrantRow;
  readonly networks: readonly Network[];
  readonly parameters: readonly { readonly name: string; readonly values: ReadonlySet<string> }[];
  readonly limit: Limit | null;
  arrivalMs: number;
}

/** What a decision looks at besides the grants. */
export interface Attempt {
  readonly parameters: Readonly<Record<string, string>>;
  readonly address: Address | null;
  readonly at: UtcMs;
  readonly monoMs: number;
}

const PATTERN = /^(\*|[a-z0-9-]+)(?:\.(\*|[a-z0-9-]+))?(?::(read|write|delete))?$/;

/** Whether text is an action pattern: `branch.create`, `branch.*`, `*`, `*:read`, `branch.*:delete`. */
export function isActionPattern(text: string): boolean {
  const match = PATTERN.exec(text);
  return match !== null && (match[2] !== undefined || match[1] === '*');
}

/** Whether a pattern covers an action. One that mints or reveals credentials is covered by its full name alone. */
export function covers(pattern: string, action: Pick<Action, 'name' | 'effect' | 'mints'>): boolean {
  if (pattern === action.name) return true;
  if (action.mints === true) return false;
  const match = PATTERN.exec(pattern);
  if (match === null) return false;
  const [, resource, verb, effect] = match;
  if (effect !== undefined && effect !== action.effect) return false;
  const [actionResource, actionVerb] = action.name.split('.');
  if (resource !== '*' && resource !== actionResource) return false;
  return verb === undefined ? resource === '*' : verb === '*' || verb === actionVerb;
}

/** Parses a list of CIDR networks that was validated when it was written; one that is wrong matches nothing. */
export function compileNetworks(texts: readonly string[]): Network[] {
  return texts.map((text) => parseNetwork(text)).filter((network) => network !== null);
}

export function compileGrant(row: GrantRow): CompiledGrant {
  return {
    row,
    networks: compileNetworks(row.networks),
    parameters: Object.entries(row.parameters).map(([name, values]) => ({ name, values: new Set(values) })),
    limit: row.rate === null ? null : limitOf(row.rate),
    arrivalMs: Number.NEGATIVE_INFINITY,
  };
}

/**
 * Whether the attempt's address lies in one of the networks; no networks means anywhere, an unknown address is nowhere. The
 * address is asked for only where networks are configured: parsing it would cost every request.
 */
export function isWithin(
  networks: readonly Network[],
  configured: number,
  attempt: { readonly address: Address | null },
): boolean {
  if (configured === 0) return true;
  const { address } = attempt;
  if (address === null) return false;
  return networks.some((network) => contains(network, address));
}

/** From the least to the most that had to be right: the reason shown is that of the grant that came closest. */
const CLOSENESS: readonly DenialReason[] = ['no-grant', 'grant-expired', 'network', 'parameter', 'rate-limited'];

/**
 * Decides over the grants that cover the action, in the order in which they were given. The first that allows wins, and only
 * its rate limit is spent; none is asked or spent where `spends` is false, because the use will not be made.
 */
export function authorize(
  grants: readonly CompiledGrant[],
  attempt: Attempt,
  { spends }: { readonly spends: boolean } = { spends: true },
): Decision {
  let best: { reason: DenialReason; grant: CompiledGrant | null; retryAfterMs: number } = {
    reason: 'no-grant',
    grant: null,
    retryAfterMs: 0,
  };
  for (const grant of grants) {
    let reason = refusal(grant, attempt);
    let retryAfterMs = 0;
    if (reason === null && grant.limit !== null && spends) {
      const spent = spend(grant.limit, grant.arrivalMs, attempt.monoMs);
      if (spent.allowed) grant.arrivalMs = spent.arrivalMs;
      else {
        reason = 'rate-limited';
        retryAfterMs = spent.retryAfterMs;
      }
    }
    if (reason === null) return { allowed: true, grant };
    if (CLOSENESS.indexOf(reason) > CLOSENESS.indexOf(best.reason)) best = { reason, grant, retryAfterMs };
  }
  return { allowed: false, ...best };
}

function refusal(grant: CompiledGrant, attempt: Attempt): DenialReason | null {
  const { row } = grant;
  if (row.revokedAt !== null) return 'no-grant';
  if (row.expiresAt !== null && attempt.at >= row.expiresAt) return 'grant-expired';
  if (!isWithin(grant.networks, row.networks.length, attempt)) return 'network';
  for (const { name, values } of grant.parameters) {
    const value = attempt.parameters[name];
    // A constraint on what the request does not say, or says where it is not read, is a denial.
    if (value === undefined || !values.has(value)) return 'parameter';
  }
  return null;
}
