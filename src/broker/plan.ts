// The whole of the broker's judgement in one pure function: from a head and the state in memory to what will be done. No socket,
// no clock, no waiting; what a plan says is carried out by listener.io.ts, and a faster codec may carry it out too.
//
//   who (token) -> where (credential, by the token or by the first two path segments) -> what (action of the catalogue) ->
//   may it (grants) -> how it is sent on (headers, injection)
import { type Match, matchAction, mayName, NO_VALUES, pathProblem, readQuery } from '../access/action.ts';
import {
  decideUse,
  type LiveCatalogue,
  type LiveCredential,
  type LiveToken,
  type Policy,
  tokenProblem,
} from '../access/policy.ts';
import { bareToken, isWellFormedToken, TOKEN_LENGTH } from '../access/token.ts';
import { type Address, type Network, parseAddress, sourceOf } from '../model/address.ts';
import type { Action } from '../providers/provider.ts';
import { type Head, type HeadFacts, inspectHead } from './head.ts';
import { type FoundToken, findTokens, type Injection } from './inject.ts';

/** What a plan rests on besides the head. */
export interface Snapshot {
  readonly policy: Policy;
  /** Key material of the current versions, by version id; absent while sealed. */
  readonly injections: ReadonlyMap<string, Injection>;
  /** SHA-256 as hex. */
  readonly hash: (text: string) => string;
  /** Whom a request without any token acts as; null, as in every server: nobody, it is refused. */
  readonly anonymous: LiveToken | null;
  /** Proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly Network[];
}

/** Whom a refusal is about, as far as it is known. */
export interface Identity {
  readonly token: LiveToken;
  readonly credential: LiveCredential | null;
  readonly action: Action | null;
  readonly path: string | null;
  readonly query: Readonly<Record<string, string>> | null;
  readonly grantId: string | null;
}

export interface Refusal {
  readonly kind: 'refuse';
  readonly status: number;
  readonly reason: string;
  /** Null: nobody we know. Counted, not recorded one by one. */
  readonly identity: Identity | null;
  readonly ip: string;
  readonly retryAfterMs: number;
}

export interface Forward {
  readonly kind: 'forward';
  readonly identity: Identity & { readonly credential: LiveCredential; readonly action: Action; readonly path: string };
  readonly versionId: string;
  readonly grantId: string;
  readonly endsAt: number;
  readonly ip: string;
  /** Path and query to ask for at the credential's origin. */
  readonly target: string;
  /** Header lines to send, name and value in turn; Host is left to the connection. */
  readonly headers: readonly string[];
  readonly injection: Injection;
  /** What must be put before a redirect's path to lead back here. */
  readonly mount: string;
  readonly facts: HeadFacts;
  /** Path and query parameters that grants may constrain: what a companion's grants are held against too. */
  readonly parameters: Readonly<Record<string, string>>;
}

export type Plan = Refusal | Forward;

interface Parsed {
  readonly path: string;
  readonly query: string;
}

function split(target: string): Parsed {
  const at = target.indexOf('?');
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

const NO_TOKENS: readonly FoundToken[] = [];

/**
 * Decides what becomes of a request. Spends the rate limit of the grant that allows it: call it once for each request. `inBody`: the tokens of
 * its JSON body, where that had to be read because the head holds none.
 */
export function plan(
  head: Head,
  snapshot: Snapshot,
  at: number,
  monoMs: number,
  inBody: readonly FoundToken[] = NO_TOKENS,
  spends = true,
): Plan {
  const ip = ipOf(head, snapshot);
  const inspected = inspectHead(head);
  if (inspected.problem !== null) return refuse(inspected.problem.status, inspected.problem.reason, ip, null);
  const { path, query } = split(head.target);
  const inHead = findTokens(head.rawHeaders, query, path);
  const tokens = inHead.length > 0 || inBody.length === 0 ? inHead : ownTokens(inBody, snapshot);
  const found = tokens[0] ?? null;
  // One token in several of the provider's places is one token: clients that send a key twice exist.
  if (tokens.length > 1 && tokens.some((other) => other.text !== found!.text))
    return refuse(400, 'two-tokens', ip, null);
  const token = found === null ? snapshot.anonymous : snapshot.policy.tokensByHash.get(snapshot.hash(found.text));
  if (token === null || token === undefined) {
    return refuse(401, found === null ? 'no-token' : unknownToken(found.text), ip, null);
  }
  const attempt = new LazyAttempt(ip, at, monoMs);
  const identity: Identity = { token, credential: null, action: null, path: null, query: null, grantId: null };
  // Judged before anything else is looked up, so that an expired token learns nothing about what exists.
  const wrong = tokenProblem(token, at, attempt);
  if (wrong !== null) return refuse(401, wrong, ip, identity);
  const bad = pathProblem(path);
  if (bad !== null) return refuse(400, bad, ip, identity);
  const place = locate(snapshot.policy, token, path);
  if (place === null) return refuse(403, 'no-grant', ip, identity);
  return planFor(place, { head, facts: inspected.facts, snapshot, token, tokens, query, ip, attempt, spends });
}

/**
 * The caller's own among the tokens of a body: the one that is bound to no credential, for handles always are; else the only one there is. Where
 * that leaves several, all of them, and they are refused.
 */
function ownTokens(inBody: readonly FoundToken[], { policy, hash }: Snapshot): readonly FoundToken[] {
  const isUnbound = ({ text }: FoundToken) => policy.tokensByHash.get(hash(text))?.row.credentialId === null;
  const unbound = inBody.filter(isUnbound);
  return unbound.length > 0 ? unbound : inBody;
}

/** The caller's address, as far as the proxies in front are believed. */
export function ipOf(head: Pick<Head, 'remote' | 'rawHeaders'>, { trustedProxies }: Snapshot): string {
  if (trustedProxies.length === 0) return head.remote;
  return sourceOf(head.remote, forwardedFor(head.rawHeaders), trustedProxies);
}

/**
 * The action that a request with this token is, where its caller may know of it: the token is in order, and holds a grant on the credential.
 * Null for everybody else. Decides nothing, and spends nothing.
 */
export function knownAction(
  head: Head,
  text: string,
  snapshot: Snapshot,
  when: { readonly at: number; readonly monoMs: number },
): Action | null {
  const { policy } = snapshot;
  const token = policy.tokensByHash.get(snapshot.hash(text));
  const { path } = split(head.target);
  if (token === undefined || inspectHead(head).problem !== null || pathProblem(path) !== null) return null;
  if (tokenProblem(token, when.at, new LazyAttempt(ipOf(head, snapshot), when.at, when.monoMs)) !== null) return null;
  const place = locate(policy, token, path);
  if (place === null || place.credential.catalogue === null || !holdsAny(policy, place, token)) return null;
  return recentMatch(place.credential.catalogue, head.method, place.path)?.action ?? null;
}

/**
 * What a decision looks at besides the grants. A class for its getter: an address is parsed only where networks are configured, and
 * an object literal with a getter would cost every request more than the parsing.
 */
class LazyAttempt {
  readonly at: number;
  readonly monoMs: number;
  parameters: Readonly<Record<string, string>> = NO_VALUES;
  readonly #ip: string;

  constructor(ip: string, at: number, monoMs: number) {
    this.#ip = ip;
    this.at = at;
    this.monoMs = monoMs;
  }

  get address(): Address | null {
    return parseAddress(this.#ip);
  }
}

interface Place {
  readonly credential: LiveCredential;
  readonly path: string;
  readonly mount: string;
}

/** The credential that a request is about: the one its token is bound to, or `/<provider>/<name>[@<environment>]/…`. */
function locate(policy: Policy, token: LiveToken, path: string): Place | null {
  if (token.row.credentialId !== null) {
    const credential = policy.credentials.get(token.row.credentialId);
    return credential === undefined ? null : { credential, path, mount: '' };
  }
  const first = path.indexOf('/', 1);
  if (first < 0) return null;
  let second = path.indexOf('/', first + 1);
  if (second < 0) second = path.length;
  const mount = path.slice(0, second);
  const credential = policy.credentialsByMount.get(mount);
  if (credential === undefined) return null;
  return { credential, path: path.slice(second) || '/', mount };
}

interface Asked {
  readonly head: Head;
  readonly facts: HeadFacts;
  readonly snapshot: Snapshot;
  readonly token: LiveToken;
  /** Where its token stands; nowhere for the anonymous caller. */
  readonly tokens: readonly FoundToken[];
  readonly query: string;
  readonly ip: string;
  readonly attempt: LazyAttempt;
  /** Whether this is the decision that counts: another one asks and spends no rate limit. */
  readonly spends: boolean;
}

function planFor(place: Place, asked: Asked): Plan {
  const { head, facts, snapshot, token, ip, attempt, spends } = asked;
  const { credential, path } = place;
  const base = { token, credential, action: null, path: null, query: null, grantId: null };
  // Before anything of the request is on record: its path would be, and with it the token.
  if (asked.tokens.some(isAstray)) {
    return holdsAny(snapshot.policy, place, token)
      ? refuse(400, 'token-place', ip, base)
      : refuse(403, 'no-grant', ip, base);
  }
  const match = credential.catalogue === null ? null : recentMatch(credential.catalogue, head.method, path);
  // Whoever holds no grant at all on this credential learns nothing about its provider's actions.
  if (match === null) return refuse(403, holdsAny(snapshot.policy, place, token) ? 'no-action' : 'no-grant', ip, base);
  const { action } = match;
  const wanted = action.query ?? [];
  const query = readQuery(asked.query, wanted);
  const identity: Identity = { token, credential, action, path, query: query.values, grantId: null };
  if (query.problem !== null) {
    if (!holdsAny(snapshot.policy, place, token)) return refuse(403, 'no-grant', ip, base);
    return refuse(400, query.problem, ip, { ...identity, path: null });
  }
  attempt.parameters = query.values === NO_VALUES ? match.parameters : { ...query.values, ...match.parameters };
  const decision = decideUse(snapshot.policy, { token, credential, action }, attempt, spends);
  if (!decision.allowed) {
    const status = decision.reason === 'rate-limited' ? 429 : 403;
    const grantId = decision.grant?.row.id ?? null;
    return { ...refuse(status, decision.reason, ip, { ...identity, grantId }), retryAfterMs: decision.retryAfterMs };
  }
  const version = credential.current!;
  const injection = snapshot.injections.get(version.id);
  if (injection === undefined) return refuse(503, 'sealed', ip, identity);
  if (!asked.tokens.every((found) => isPlaceOf(found, injection))) return refuse(400, 'token-place', ip, identity);
  const grant = decision.grant.row;
  return {
    kind: 'forward',
    identity: { token, credential, action, path, query: query.values, grantId: grant.id },
    versionId: version.id,
    grantId: grant.id,
    endsAt: Math.min(grant.expiresAt ?? Number.POSITIVE_INFINITY, token.row.expiresAt ?? Number.POSITIVE_INFINITY),
    ip,
    target: targetOf(path, asked.query, injection),
    headers: headersOf(head.rawHeaders, injection, facts.named),
    injection,
    mount: place.mount,
    facts,
    parameters: attempt.parameters,
  };
}

/** Whether a token stands in the path, or in the name of a parameter: where no provider has its key. */
function isAstray({ header, query, pointer, inFrame }: FoundToken): boolean {
  return header === null && query === null && pointer === undefined && inFrame !== true;
}

/** Whether the caller holds any grant on the credential that was not revoked. */
function holdsAny(policy: Policy, { credential }: Place, token: LiveToken): boolean {
  const pair = policy.pairs.get(token.row.principalId)?.get(credential.row.id);
  return pair?.grants.some((grant) => grant.row.revokedAt === null) === true;
}

/** Paths longer than this are matched each time: the memory of what was matched stays small. */
const RECENT_PATH_LENGTH_MAX = 256;
const RECENT_MAX = 4_096;

/** The action of a path, remembered: applications ask for the same paths again and again. */
function recentMatch(catalogue: LiveCatalogue, method: string, path: string): Match | null {
  const key = `${method} ${path}`;
  const known = catalogue.recent.get(key);
  if (known !== undefined) return known;
  const match = matchAction(catalogue.compiled, method, path);
  if (match !== null && path.length <= RECENT_PATH_LENGTH_MAX) {
    if (catalogue.recent.size >= RECENT_MAX) catalogue.recent.clear();
    catalogue.recent.set(key, match);
  }
  return match;
}

function refuse(status: number, reason: string, ip: string, identity: Identity | null): Refusal {
  return { kind: 'refuse', status, reason, identity, ip, retryAfterMs: 0 };
}

/** What is wrong with a token that nobody issued. The checksum tells a typing error from a guess. */
function unknownToken(text: string): string {
  return text.length === TOKEN_LENGTH && isWellFormedToken(bareToken(text)) ? 'unknown-token' : 'malformed-token';
}

function isPlaceOf(found: FoundToken, injection: Injection): boolean {
  if (found.inFrame === true) return true;
  if (found.pointer !== undefined) return injection.bodyPointers.includes(found.pointer);
  if (found.header !== null) return injection.headers.has(found.header);
  return found.query !== null && injection.queries.includes(found.query);
}

/** Path and query for the provider: the credential's query parameters emptied, the key added where it belongs. */
function targetOf(path: string, query: string, injection: Injection): string {
  let rest = query;
  if (injection.queries.length > 0 && query !== '') {
    rest = query
      .split('&')
      .filter((pair) => !injection.queries.some((name) => mayName(pair, name)))
      .join('&');
  }
  if (injection.query !== null) rest = rest === '' ? injection.query : `${rest}&${injection.query}`;
  return rest === '' ? path : `${path}?${rest}`;
}

/** The header lines that travel on, with the key in its place. */
function headersOf(rawHeaders: readonly string[], injection: Injection, named: ReadonlySet<string> | null): string[] {
  const { dropped } = injection;
  const lines: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (dropped.has(name) || named?.has(name)) continue;
    lines.push(name, rawHeaders[i + 1]!);
  }
  lines.push('accept-encoding', 'identity');
  for (const text of injection.headerLines) lines.push(text);
  return lines;
}

/** What X-Forwarded-For says, its lines joined in their order; empty where there is none. */
function forwardedFor(rawHeaders: readonly string[]): string {
  const lines: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === 'x-forwarded-for') lines.push(rawHeaders[i + 1]!);
  }
  return lines.join(',');
}
