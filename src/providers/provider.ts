// The contract of the family `providers`: who issues keys. A member is data and pure functions: each operation builds one
// HTTP request and reads one answer. It opens no socket, keeps no state and never sees a secret's bytes; `net` sends the
// request with the key written into its place. So that a twin, a simulation and the real service are read by the same code.
//
// What may be claimed: `read` answers with a closed union. Whatever it does not recognise is `unknown` or `ambiguous`, never a
// guess; a transport failure never reaches it.
import type { Json, JsonObject } from '../model/json.ts';
import type { Secret } from '../model/secret.ts';

/** Where a secret part stands in a request. */
export type Place =
  | { readonly in: 'header'; readonly name: string; readonly scheme: string | null }
  | { readonly in: 'basic'; readonly user: string }
  | { readonly in: 'query'; readonly name: string }
  | { readonly in: 'body'; readonly pointer: string };

/** One call to a provider's own API, relative to the origin of the credential. Never holds a secret. */
export interface ProviderRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query, percent-encoded, beginning with `/`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: Json;
}

/** What came back, whole and bounded. `json` is null where the body is empty or not JSON; `text` is at most 64 KiB of it. */
export interface ProviderAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: Json;
  readonly text: string;
}

/**
 * Sends one request with a key in its place and resolves with the answer, whatever its status.
 * Rejects with Failure `upstream-unavailable` when nothing was sent, `upstream-ambiguous` when it may have been.
 */
export type Call = (request: ProviderRequest, key: Secret, places: readonly Place[]) => Promise<ProviderAnswer>;

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
}
export type IssueOutcome =
  | {
      readonly is: 'issued';
      readonly parts: Readonly<Record<string, Secret>>;
      readonly providerKeyId: string;
      readonly evidence: Evidence;
    }
  /** Certainly no key was made. `final`: the same request will never succeed; `quotaFull`: only after another key is gone. */
  | { readonly is: 'refused'; readonly final: boolean; readonly quotaFull: boolean; readonly evidence: Evidence }
  /** A key may exist. */
  | { readonly is: 'ambiguous'; readonly evidence: Evidence };

export interface ListInput {
  readonly settings: KindSettings;
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
}
export type ListOutcome =
  | { readonly is: 'listed'; readonly keys: readonly ListedKey[] }
  | { readonly is: 'refused'; readonly evidence: Evidence }
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

/** How versions of a kind may follow one another. */
export type RotationMode = 'overlap' | 'grace' | 'swap' | 'assisted';

/** A credential kind: its format, places, probe, rotation mode and how many may be active belong to the kind. */
export interface Kind {
  readonly name: string;
  readonly title: string;
  /** Names of the secret parts; most kinds have the one part `key`. */
  readonly parts: readonly string[];
  /** Format of a part, for validating what is pasted or imported. Anchored. */
  readonly format: Readonly<Record<string, RegExp>>;
  /** Every place where this kind's key may stand in a request; the first one is where it is injected. */
  readonly places: readonly Place[];
  readonly rotation: RotationMode;
  /** How many keys may be active at once; null is unlimited. */
  readonly activeMax: number | null;
  /** Longest time after a delete in which the provider may still accept the key, milliseconds, with its source in a comment. */
  readonly propagationMs: number;
  /** The settings a credential of this kind needs, each with what it means. */
  readonly settings: Readonly<Record<string, { readonly required: boolean; readonly about: string }>>;
  /** Kinds whose keys may mint and revoke this one. */
  readonly issuers: readonly string[];
  readonly issue: Operation<IssueInput, IssueOutcome> | null;
  readonly list: Operation<ListInput, ListOutcome> | null;
  readonly revoke: Operation<RevokeInput, RevokeOutcome> | null;
  readonly probe: Operation<ProbeInput, Liveness>;
}

/** One named thing that the provider's API can do. Grants name actions, not paths. */
export interface Action {
  /** `resource.verb`: `branch.create`. Unique in the provider's catalogue. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS';
  /** Path below the origin with parameters in braces: `/api/v2/projects/{project_id}/branches`. A parameter is one whole segment. */
  readonly path: string;
  readonly effect: 'read' | 'write' | 'delete';
  /** Query parameters that a grant may constrain. */
  readonly query?: readonly string[];
  /** Path parameters that may hold an encoded slash (`%2F`), as GitLab's project paths need. */
  readonly slashes?: readonly string[];
  /** Mints or reveals a credential: never matched by a wildcard. */
  readonly mints?: boolean;
  /** Whether a redirect to a foreign origin may pass to the client (`pass`) or is refused. */
  readonly foreignRedirect?: 'pass';
  /** Whether the client may upgrade the connection here. */
  readonly upgrade?: 'websocket';
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
