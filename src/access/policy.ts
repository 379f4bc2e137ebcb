// The policy in force, ready for deciding: tokens by hash, credentials by address, grants by principal, credential and action. Built from
// rows and moved on by events, so that the live broker (rows from the tables) and the replay (rows from the folded log) hold
// the same thing. Decides from memory; nothing here waits.
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { Address, Network } from '../model/address.ts';
import type { ControlEvent, Rows } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import type { Action } from '../providers/provider.ts';
import { type Catalogue, compileCatalogue, type Match } from './action.ts';
import {
  type Attempt,
  authorize,
  type CompiledGrant,
  compileGrant,
  compileNetworks,
  covers,
  type Decision,
  isWithin,
} from './authorize.ts';
import { type CatalogueRow, parseAction } from './catalogue.ts';
import type { GrantRow, PrincipalRow, TokenRow } from './principal.ts';

/** A token with what deciding needs at hand. */
export interface LiveToken {
  row: TokenRow;
  readonly networks: readonly Network[];
  principal: PrincipalRow | null;
}

export interface LiveCredential {
  row: CredentialRow;
  /** The version that new requests use; null while there is none. */
  current: VersionRow | null;
  readonly catalogue: LiveCatalogue | null;
}

export interface LiveCatalogue {
  /** Paths that were matched lately, by method and path: bounded, and judged good when they went in. */
  readonly recent: Map<string, Match>;
  readonly row: CatalogueRow;
  readonly compiled: Catalogue;
  readonly actions: ReadonlyMap<string, Action>;
}

export interface Policy {
  /** Size of the control log that this state is of: the `asOf` of every decision made on it. */
  asOf: number;
  readonly tokensByHash: Map<string, LiveToken>;
  readonly tokens: Map<string, LiveToken>;
  readonly principals: Map<string, PrincipalRow>;
  readonly credentials: Map<string, LiveCredential>;
  /** By the path that stands before the provider's own: `/<provider>/<name>`, with `@<environment>` where that is not the default. */
  readonly credentialsByMount: Map<string, LiveCredential>;
  readonly versions: Map<string, VersionRow>;
  readonly grants: Map<string, CompiledGrant>;
  /** By principal, then by credential. */
  readonly pairs: Map<string, Map<string, GrantPair>>;
  readonly catalogues: Map<string, LiveCatalogue>;
}

interface GrantPair {
  readonly grants: CompiledGrant[];
  /** The grants that cover an action, worked out when it is first asked for. */
  readonly byAction: Map<string, readonly CompiledGrant[]>;
}

export function emptyPolicy(): Policy {
  return {
    asOf: 0,
    tokensByHash: new Map(),
    tokens: new Map(),
    principals: new Map(),
    credentials: new Map(),
    credentialsByMount: new Map(),
    versions: new Map(),
    grants: new Map(),
    pairs: new Map(),
    catalogues: new Map(),
  };
}

const DEFAULT_SPACE = 'default';
const DEFAULT_ENVIRONMENT = 'default';

/** The policy of a set of rows, as of a size of the control log. */
export function policyOf(rows: Rows, asOf: number): Policy {
  const policy = emptyPolicy();
  const order = ['catalogue', 'principal', 'token', 'credential', 'version', 'grant'] as const;
  for (const noun of order) {
    for (const row of rows.get(noun)?.values() ?? []) setRow(policy, noun, row);
  }
  policy.asOf = asOf;
  return policy;
}

/** Moves the policy on by events; `asOf` is the size of the control log after them. */
export function advancePolicy(policy: Policy, events: readonly ControlEvent[], asOf: number): void {
  for (const event of events) {
    for (const { noun, row } of event.rows) setRow(policy, noun, row);
  }
  policy.asOf = asOf;
}

function setRow(policy: Policy, noun: string, row: { id: string }): void {
  switch (noun) {
    case 'catalogue':
      setCatalogue(policy, row as CatalogueRow);
      break;
    case 'principal':
      setPrincipal(policy, row as PrincipalRow);
      break;
    case 'token':
      setToken(policy, row as TokenRow);
      break;
    case 'credential':
      setCredential(policy, row as CredentialRow);
      break;
    case 'version':
      setVersion(policy, row as VersionRow);
      break;
    case 'grant':
      setGrant(policy, row as GrantRow);
      break;
    default:
      break;
  }
}

function setCatalogue(policy: Policy, row: CatalogueRow): void {
  const actions = row.actions.map(parseAction);
  const live: LiveCatalogue = {
    recent: new Map(),
    row,
    compiled: compileCatalogue(actions),
    actions: new Map(actions.map((a) => [a.name, a])),
  };
  policy.catalogues.set(row.provider, live);
  for (const [id, credential] of policy.credentials) {
    if (credential.row.provider === row.provider) setCredential(policy, policy.credentials.get(id)!.row);
  }
  for (const pairs of policy.pairs.values()) {
    for (const pair of pairs.values()) pair.byAction.clear();
  }
}

function setPrincipal(policy: Policy, row: PrincipalRow): void {
  policy.principals.set(row.id, row);
  for (const token of policy.tokens.values()) {
    if (token.row.principalId === row.id) token.principal = row;
  }
}

function setToken(policy: Policy, row: TokenRow): void {
  const live: LiveToken = {
    row,
    networks: compileNetworks(row.networks),
    principal: policy.principals.get(row.principalId) ?? null,
  };
  policy.tokens.set(row.id, live);
  policy.tokensByHash.set(row.hash, live);
}

function setCredential(policy: Policy, row: CredentialRow): void {
  const before = policy.credentials.get(row.id);
  const live: LiveCredential = {
    row,
    current: before === undefined ? currentOf(policy, row.id) : before.current,
    catalogue: policy.catalogues.get(row.provider) ?? null,
  };
  if (before !== undefined) {
    for (const mount of mountsOf(before.row)) policy.credentialsByMount.delete(mount);
  }
  policy.credentials.set(row.id, live);
  for (const mount of mountsOf(row)) policy.credentialsByMount.set(mount, live);
}

/** Paths by which a credential is addressed. Only the default space can be. */
function mountsOf(row: CredentialRow): string[] {
  if (row.space !== DEFAULT_SPACE) return [];
  const short = `/${row.provider}/${row.name}`;
  const whole = `${short}@${row.environment}`;
  return row.environment === DEFAULT_ENVIRONMENT ? [short, whole] : [whole];
}

/** The current version of a credential that is new here: one event may name the version before the credential. */
function currentOf(policy: Policy, credentialId: string): VersionRow | null {
  for (const version of policy.versions.values()) {
    if (version.credentialId === credentialId && version.state === 'current') return version;
  }
  return null;
}

function setVersion(policy: Policy, row: VersionRow): void {
  policy.versions.set(row.id, row);
  const credential = policy.credentials.get(row.credentialId);
  if (credential === undefined) return;
  if (row.state === 'current') credential.current = row;
  else if (credential.current?.id === row.id) credential.current = null;
}

function setGrant(policy: Policy, row: GrantRow): void {
  let pairs = policy.pairs.get(row.principalId);
  if (pairs === undefined) {
    pairs = new Map();
    policy.pairs.set(row.principalId, pairs);
  }
  let pair = pairs.get(row.credentialId);
  if (pair === undefined) {
    pair = { grants: [], byAction: new Map() };
    pairs.set(row.credentialId, pair);
  }
  pair.byAction.clear();
  const compiled = compileGrant(row);
  const before = policy.grants.get(row.id);
  policy.grants.set(row.id, compiled);
  const at = before === undefined ? -1 : pair.grants.indexOf(before);
  if (before !== undefined) compiled.arrivalMs = before.arrivalMs;
  if (at >= 0) pair.grants[at] = compiled;
  else {
    // By id, and not as they came: which grant allows, and whose limit is spent, is the same after a restart and in a replay.
    pair.grants.push(compiled);
    pair.grants.sort((a, b) => (a.row.id < b.row.id ? -1 : 1));
  }
}

/** The grants of a principal on a credential that cover an action, revoked ones included (they deny by themselves). */
export function grantsFor(
  policy: Policy,
  principalId: string,
  credentialId: string,
  action: Action,
): readonly CompiledGrant[] {
  const pair = policy.pairs.get(principalId)?.get(credentialId);
  if (pair === undefined) return [];
  let covering = pair.byAction.get(action.name);
  if (covering === undefined) {
    covering = pair.grants.filter((grant) => grant.row.actions.some((pattern) => covers(pattern, action)));
    pair.byAction.set(action.name, covering);
  }
  return covering;
}

function deny(reason: Exclude<Decision, { allowed: true }>['reason']): Decision {
  return { allowed: false, reason, grant: null, retryAfterMs: 0 };
}

/** Whether a token may be used at all: its own expiry and networks, its principal. Null where it may. */
export function tokenProblem(
  token: LiveToken,
  at: UtcMs,
  from: { readonly address: Address | null },
): 'token-revoked' | 'token-expired' | 'token-network' | 'principal-disabled' | null {
  if (token.row.revokedAt !== null) return 'token-revoked';
  if (token.row.expiresAt !== null && at >= token.row.expiresAt) return 'token-expired';
  if (!isWithin(token.networks, token.row.networks.length, from)) return 'token-network';
  if (token.principal === null || token.principal.disabledAt !== null) return 'principal-disabled';
  return null;
}

/**
 * The whole decision for one use: token, principal, credential, version, grants. Spends the rate limit of the grant that allows.
 * The replay calls this with the facts of a leaf, the broker with those of a request.
 */
export function decideUse(
  policy: Policy,
  use: { token: LiveToken; credential: LiveCredential; action: Action },
  attempt: Attempt,
  spends = true,
): Decision {
  const { token, credential, action } = use;
  const problem = tokenProblem(token, attempt.at, attempt);
  if (problem !== null) return deny(problem);
  if (token.row.credentialId !== null && token.row.credentialId !== credential.row.id) return deny('wrong-credential');
  if (credential.row.purpose !== 'lend') return deny('no-grant');
  const unusable = credentialProblem(credential);
  const grants = grantsFor(policy, token.row.principalId, credential.row.id, action);
  // A use that cannot be made spends nothing.
  const decision = authorize(grants, attempt, { spends: spends && unusable === null });
  // What is wrong with the credential is told only to those who hold a grant on it.
  if (unusable === null || (!decision.allowed && decision.grant === null)) return decision;
  return deny(unusable);
}

function credentialProblem(
  credential: LiveCredential,
): 'credential-retired' | 'credential-suspended' | 'no-current-version' | null {
  if (credential.row.retiredAt !== null) return 'credential-retired';
  if (credential.row.suspendedAt !== null) return 'credential-suspended';
  return credential.current === null ? 'no-current-version' : null;
}
