// The contract of the family `providers`: who issues keys. A member is data and pure functions: each operation builds one
// HTTP request and reads one answer. It opens no socket, keeps no state and never sees a secret's bytes; `net` sends the
// request with the key written into its place. So that a twin, a simulation and the real service are read by the same code.
//
// What may be claimed: `read` answers with a closed union. Whatever it does not recognise is `unknown` or `ambiguous`, never a
// guess; a transport failure never reaches it.
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { Secret } from '../model/secret.ts';

/**
 * Where a part of a credential stands in a request. `part` names it; absent, it is `key`, or the only one there is.
 * `basic`: the part is the password, and `user` its user, as text or as another part (`{sid}`); null where the part is `user:password` itself.
 */
export type Place = { readonly part?: string } & (
  | { readonly in: 'header'; readonly name: string; readonly scheme: string | null }
  | { readonly in: 'basic'; readonly user: string | null }
  | { readonly in: 'query'; readonly name: string }
  | { readonly in: 'body'; readonly pointer: string }
);

/** The parts of a version, by name: what is secret, and what goes with it (a client id). */
export type Parts = Readonly<Record<string, Secret>>;

/** A field of a body of `application/x-www-form-urlencoded`. Only in requests of our own: no kind's key is lent there. */
export interface FormPlace {
  readonly part?: string;
  readonly in: 'form';
  readonly name: string;
}

/** A place in one of our own requests, and whose part stands there: of the key that acts, or of the one that it is about. */
export type SecretPlace = (Place | FormPlace) & { readonly of: 'acting' | 'target' };

/** One call to a provider's own API, relative to the origin of the credential. Never holds a secret. */
export interface ProviderRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query, percent-encoded, beginning with `/`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: Json;
  /** A body of `application/x-www-form-urlencoded`, instead of `json`. */
  readonly form?: Readonly<Record<string, string>>;
  /** Where secrets stand in this request. Absent: the acting key's parts, each in the first of its own places. */
  readonly secrets?: readonly SecretPlace[];
}

/** What came back, whole and bounded. `json` is null where the body is empty or not JSON; `text` is at most 64 KiB of it. */
export interface ProviderAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: Json;
  readonly text: string;
}

/** A key that acts: its parts, and where they stand in a request that does not say. */
export interface Acting {
  readonly parts: Parts;
  readonly places: readonly Place[];
  /** Parts that are no secrets: they may come back in an answer. */
  readonly publicParts?: readonly string[];
}

/**
 * Sends one request with its secrets in their places and resolves with the answer, whatever its status. `target`: the parts of the key that
 * the request is about, where it names them.
 * Rejects with Failure `upstream-unavailable` when nothing was sent, `upstream-ambiguous` when it may have been.
 */
export type Call = (request: ProviderRequest, acting: Acting, target?: Parts) => Promise<ProviderAnswer>;

/** Liveness has three values. `unknown` is never `dead`. */
export type Liveness =
  | { readonly is: 'alive'; readonly evidence: Evidence }
  | { readonly is: 'dead'; readonly evidence: Evidence }
  | { readonly is: 'unknown'; readonly evidence: Evidence; readonly retryAfterMs: number | null };

/** What a verdict rests on: shown in certificates, so it says which signature matched. Never a secret. */
export interface Evidence {
  readonly status: number | null;
  /** Name of the signature that matched: `neon.401.credentials-do-not-pass`. */
  readonly signature: string;
  readonly requestId: string | null;
}

/** A pair of pure functions: what to send, and what the answer means. */
export interface Operation<In, Out> {
  request(input: In): ProviderRequest;
  read(answer: ProviderAnswer, input: In): Out;
}

/** Settings of a credential that its kind needs: organisation, project, … Checked by the kind's `settings` schema. */
export type KindSettings = Readonly<Record<string, string>>;

export interface IssueInput {
  readonly settings: KindSettings;
  /** Name for the provider's list: carries credential, rotation and attempt, so that orphans can be attributed. */
  readonly label: string;
  /** The native scopes to ask for, never more than before; absent where the kind has none. */
  readonly scopes?: readonly string[];
  /** UTC milliseconds at which the new key is to end by itself; absent: never, or what the provider does by default. */
  readonly expiresAt?: UtcMs;
  /** UTC milliseconds of the asking: for a provider that is told a lifetime instead of an end. */
  readonly askedAt?: UtcMs;
}

declare const isGrace: unique symbol;
/** Seconds for which an old key lives on beside its successor: never none, for a provider that is told none kills it at once. */
export type GraceSeconds = number & { readonly [isGrace]: true };

/** Throws `invalid` for anything but whole seconds from 1 to the given maximum. */
export function graceSeconds(seconds: number, maximum: number): GraceSeconds {
  if (Number.isSafeInteger(seconds) && seconds >= 1 && seconds <= maximum) return seconds as GraceSeconds;
  throw new Failure('invalid', `a grace is 1 to ${maximum} whole seconds`);
}

export interface ReplaceInput extends IssueInput {
  /** The provider's id of the key that is replaced. */
  readonly providerKeyId: string;
  /** For kinds of mode `grace`. */
  readonly grace?: GraceSeconds;
}
export type IssueOutcome =
  | {
      readonly is: 'issued';
      readonly parts: Readonly<Record<string, Secret>>;
      readonly providerKeyId: string;
      /** What it may do and until when, where the answer says so. */
      readonly scopes?: readonly string[];
      readonly expiresAt?: UtcMs | null;
      readonly evidence: Evidence;
    }
  /** Certainly no key was made. `final`: the same request will never succeed; `quotaFull`: only after another key is gone. */
  | { readonly is: 'refused'; readonly final: boolean; readonly quotaFull: boolean; readonly evidence: Evidence }
  /** A key may exist. */
  | { readonly is: 'ambiguous'; readonly evidence: Evidence };

export interface ListInput {
  readonly settings: KindSettings;
  /** Where the last page said that the next one begins; absent for the first. */
  readonly cursor?: string;
}
export interface ListedKey {
  readonly providerKeyId: string;
  readonly name: string;
  /** UTC milliseconds; null where the provider does not say. */
  readonly createdAt: number | null;
  readonly lastUsedAt: number | null;
  /** As the provider writes it: may be a list of addresses. Text, never parsed. */
  readonly lastUsedFrom: string | null;
  /** What narrows the key at the provider, as text for people and for comparison: `project:…`. */
  readonly scope: string | null;
  /** The key's last characters, where the list shows them: enough to tell keys apart, too few to use one. */
  readonly hint?: string | null;
  /** When the key ends by itself; null: never, or the provider does not say. Absent: this provider's list never says. */
  readonly expiresAt?: UtcMs | null;
}
export type ListOutcome =
  /** `next`: there is more, beginning there. A list is whole only when its last page is here. */
  | { readonly is: 'listed'; readonly keys: readonly ListedKey[]; readonly next?: string }
  | { readonly is: 'refused'; readonly evidence: Evidence }
  | { readonly is: 'unknown'; readonly evidence: Evidence; readonly retryAfterMs: number | null };

export interface LogInput {
  readonly settings: KindSettings;
  /** The time that is asked about, both ends included; never longer than the kind's `logWindowMs`. */
  readonly since: UtcMs;
  readonly until: UtcMs;
  /** Where the last page said that the next one begins; absent for the first. */
  readonly cursor?: string;
}
/** What the provider's own log says was done with a key, by whoever did it. */
export interface LoggedEvent {
  /** The provider's id of the event: the same at each reading. */
  readonly id: string;
  /** When it happened, by the provider's clock. */
  readonly at: UtcMs;
  /** `replaced`: the key that it names has a successor, or is the successor; not every provider says which. */
  readonly is: 'made' | 'replaced' | 'ended';
  /** The provider's name of the event: `prefect-cloud.api-key.rotated`. One that the member knows, never other people's text. */
  readonly event: string;
  readonly providerKeyId: string;
  /** Name of the key, and who did it: other people's text, bounded. Null where the log does not say. */
  readonly keyName: string | null;
  readonly by: string | null;
}
export type LogOutcome =
  /** In the order in which it happened. `next`: there is more, beginning there. */
  | { readonly is: 'read'; readonly events: readonly LoggedEvent[]; readonly next?: string }
  /** The key that asks may not read it, or there is none for this account. */
  | { readonly is: 'refused'; readonly evidence: Evidence }
  /** An event that is about a key, and does not say which or when, makes its whole page unknown. */
  | { readonly is: 'unknown'; readonly evidence: Evidence; readonly retryAfterMs: number | null };

export interface RevokeInput {
  readonly settings: KindSettings;
  readonly providerKeyId: string;
}
/** What the provider said to a delete. None of them is a proof of death. */
export type RevokeOutcome =
  | { readonly is: 'accepted'; readonly evidence: Evidence }
  | { readonly is: 'absent'; readonly evidence: Evidence }
  | { readonly is: 'refused'; readonly final: boolean; readonly evidence: Evidence }
  | { readonly is: 'ambiguous'; readonly evidence: Evidence; readonly retryAfterMs: number | null };

export interface ProbeInput {
  readonly settings: KindSettings;
}

/**
 * Whether an answer to the probe can mean anything where the key is used: a server that lets everybody in accepts every key, one that is
 * switched off knows none. Only after `sound` does a probe count.
 */
export type Soundness =
  | { readonly is: 'sound'; readonly evidence: Evidence }
  | { readonly is: 'unsound'; readonly evidence: Evidence }
  | { readonly is: 'unknown'; readonly evidence: Evidence; readonly retryAfterMs: number | null };

/** Whose key it is, and what it may do: what a pasted one is held against. */
export type IdentityOutcome =
  | {
      readonly is: 'known';
      /** The account, as the provider names it: compared, never shown as more than that. Null: the answer does not say whose. */
      readonly account: string | null;
      readonly providerKeyId?: string;
      readonly scopes?: readonly string[];
      readonly expiresAt?: UtcMs | null;
      readonly evidence: Evidence;
    }
  | { readonly is: 'unknown'; readonly evidence: Evidence };

/** What a provider's own scopes are worth. */
export interface ScopeModel {
  /** Of what they are a property: of the key, of the account behind it (a role), of the kind itself, or of nothing. */
  readonly of: 'key' | 'actor' | 'kind' | 'none';
  /** All there are, where they are known. */
  readonly all: readonly string[];
  /** There are more, which nobody has listed: one that is not among them is taken as it is. */
  readonly isOpen?: boolean;
  /** Scopes that include others: `read` has `read:accounts` and its like. */
  readonly includes?: Readonly<Record<string, readonly string[]>>;
  /** Scopes that mean everything, which no key should have: `*`. */
  readonly everything?: readonly string[];
  /** Scopes with which a key reads secrets that are stored there, or makes other keys: pointed out, whether needed or not. */
  readonly reveals?: readonly string[];
}

/** What a person does where there is no API, in the provider's own words, a step a line. */
export interface ByHand {
  readonly url: string;
  readonly issue: readonly string[];
  /** Null: nobody has to, the provider's API or the new key ends the old one. */
  readonly revoke: readonly string[] | null;
}

/** How versions of a kind may follow one another. */
export type RotationMode = 'overlap' | 'grace' | 'swap' | 'assisted';

/** A credential kind: its format, places, probe, rotation mode and how many may be active belong to the kind. */
export interface Kind {
  readonly name: string;
  readonly title: string;
  /** Names of the parts; most kinds have the one part `key`. */
  readonly parts: readonly string[];
  /** Those that are no secrets but go with one: a client id. They are not scrubbed from answers. */
  readonly publicParts?: readonly string[];
  /** Format of a part, for validating what is pasted or imported. Anchored. */
  readonly format: Readonly<Record<string, RegExp>>;
  /** Beside the format, where a part carries a checksum: false for a text that is certainly no key. Offline and pure; takes the part in clear. */
  readonly check?: Readonly<Record<string, (text: string) => boolean>>;
  /** Every place where this kind's key may stand in a request; the first one is where it is injected. */
  readonly places: readonly Place[];
  readonly rotation: RotationMode;
  /** How many keys may be active at once; null is unlimited. */
  readonly activeMax: number | null;
  /** Longest time after a delete in which the provider may still accept the key, milliseconds, with its source in a comment. */
  readonly propagationMs: number;
  /** Origin of the service for this kind, where it is not the provider's. */
  readonly origin?: string;
  /** The settings a credential of this kind needs, each with what it means. One with a default is never required. */
  readonly settings: Readonly<
    Record<string, { readonly required: boolean; readonly about: string; readonly default?: string }>
  >;
  /** Kinds whose keys may mint and revoke this one. */
  readonly issuers: readonly string[];
  readonly issue: Operation<IssueInput, IssueOutcome> | null;
  readonly list: Operation<ListInput, ListOutcome> | null;
  /** The list says when each key was last used, by whomever. */
  readonly showsLastUse?: boolean;
  readonly revoke: Operation<RevokeInput, RevokeOutcome> | null;
  /** The provider's own log of keys, asked with the issuer's key. `request` throws `invalid` where the settings name none. */
  readonly log?: Operation<LogInput, LogOutcome>;
  /** With `log`: how far back, and over how long a time, may be asked. */
  readonly logWindowMs?: number;
  readonly probe: Operation<ProbeInput, Liveness>;
  /** Asked before each probe, without any key: a probe of a kind that has one is `unknown` unless this says `sound`. */
  readonly preflight?: Operation<ProbeInput, Soundness>;
  /** Whose key asks in `probe`, `identity` and `rights`: its own, or its issuer's with this one as the target. Absent: its own. */
  readonly asks?: 'own' | 'issuer';
  /**
   * Mode `grace`: makes the next key and leaves the old one alive for the grace. Mode `swap`: makes the next key and ends the old one in
   * the same moment. The issuer acts, the old key is the target.
   */
  readonly replace?: Operation<ReplaceInput, IssueOutcome>;
  /** Longest grace that the provider grants, seconds. */
  readonly graceMaxSeconds?: number;
  readonly identity?: Operation<ProbeInput, IdentityOutcome>;
  /** What the key may do, where `identity` does not say: the scopes of all of these together. One that is not known makes all of it unknown. */
  readonly rights?: readonly Operation<ProbeInput, IdentityOutcome>[];
  readonly scopes?: ScopeModel;
  /** Whether a new key can be asked for with an end. */
  readonly canExpire?: boolean;
  /**
   * For a key that is whatever its owner sets: how we make its next value. What `keeps` matches at the beginning of the old one stays, and
   * so many random letters and digits follow. A command of the configuration puts it into force.
   */
  readonly made?: { readonly part: string; readonly keeps: RegExp; readonly letters: number };
  readonly byHand?: ByHand;
}

/** One named thing that the provider's API can do. Grants name actions, not paths. */
export interface Action {
  /** `resource.verb`: `branch.create`. Unique in the provider's catalogue. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';
  /** Path below the origin with parameters in braces: `/api/v2/projects/{project_id}/branches`. A parameter is one whole segment; the last one may be `{rest*}`, all that is left. */
  readonly path: string;
  readonly effect: 'read' | 'write' | 'delete';
  /** Query parameters that a grant may constrain. */
  readonly query?: readonly string[];
  /** Path parameters that may hold an encoded slash (`%2F`), as GitLab's project paths need. */
  readonly slashes?: readonly string[];
  /** Native scopes of which a key needs every one for this; absent where that is not known. */
  readonly scopes?: readonly string[];
  /** Native scopes of which a key needs one, besides every one of `scopes`. */
  readonly scopesAnyOf?: readonly string[];
  /** Mints or reveals a credential: never matched by a wildcard. */
  readonly mints?: boolean;
  /** Whether a redirect to a foreign origin may pass to the client (`pass`) or is refused. */
  readonly foreignRedirect?: 'pass';
  /** Whether the client may upgrade the connection here. */
  readonly upgrade?: 'websocket';
  /** With `upgrade`: the key stands in the client's first message. Absent: in the handshake, where its kind has it. */
  readonly firstFrame?: FirstFrame;
}

/** A WebSocket on which the client says who it is in its first message, as text of a JSON object. */
export interface FirstFrame {
  /** JSON pointer of the key in that message. */
  readonly pointer: string;
  /** The subprotocol that client and server agree on. */
  readonly subprotocol: string;
}

export interface Provider {
  /** Slug; the first segment of a path-addressed request. */
  readonly name: string;
  readonly title: string;
  /** Origin of the service, `https://host`; an instance can be set where the provider is self-hosted. */
  readonly origin: string;
  readonly kinds: readonly Kind[];
  readonly actions: readonly Action[];
  /** A page for people: where keys are made by hand. */
  readonly console: string;
}

/** What the provider's settings in the configuration may say (claviger.yaml, `providers.<name>`). */
export interface ProviderSettings {
  readonly origin: string;
  /** Networks in CIDR form that this provider's host may resolve to although they are private. Metadata addresses never. */
  readonly privateNetworks: readonly string[];
  /** Whether `http:` is allowed: only ever for a host inside `privateNetworks`. */
  readonly plainHttp: boolean;
}

export type { JsonObject };
