// What every twin of a provider with keys does the same way: finding the route, knowing the caller's key, keeping the keys, and going wrong
// as it is told. A twin is a definition (its routes, its words) over this; sockets are kit.io.ts. Pure but for its own state: the same
// seed, requests and instants give the same replies.
import type { Json } from '../src/model/json.ts';
import { type Fault, type FaultBox, type FaultName, faultBox, type RequestClass } from './faults.ts';
import { type Prng, prng } from './prng.ts';

export interface KitRequest {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** null without a body; undefined for one that is not JSON. A form is an object of its fields. */
  readonly body: Json | undefined;
  readonly remoteAddress: string;
}

export interface KitAnswer {
  readonly status: number;
  /** null for an empty body; a string is sent as plain text. */
  readonly body: Json;
  readonly headers?: Readonly<Record<string, string>>;
  readonly delayMs?: number;
  /** Cut the connection instead of answering, after the delay. */
  readonly isCut?: boolean;
}

export interface KitKey {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  /** Whose it is, as the provider names that. */
  readonly account: string;
  /** Its parts in clear; each secret one holds the marker `canary`. */
  readonly parts: Readonly<Record<string, string>>;
  readonly scopes: readonly string[];
  /** UTC milliseconds, as all instants here. */
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly isDeadOnArrival: boolean;
  /** From when it is accepted: later than it was made, where that has not spread yet. */
  readonly livesFrom: number;
  /** Whatever else the provider keeps beside it. */
  readonly more: Readonly<Record<string, Json>>;
  /** When its end was confirmed: from then on it is not listed. */
  revokedAt: number | null;
  /** From when it is refused. */
  diesAt: number | null;
  lastUsedAt: number | null;
  lastUsedFrom: string;
  acceptedCount: number;
}

export type NewKitKey = Pick<KitKey, 'kind' | 'name' | 'account' | 'parts'> &
  Partial<Pick<KitKey, 'id' | 'scopes' | 'expiresAt' | 'more'>>;

export interface KitContext<State> {
  readonly request: KitRequest;
  readonly params: Readonly<Record<string, string>>;
  readonly now: number;
  readonly random: Prng;
  /** The caller's key, alive; null on a route that asks for none. */
  readonly key: KitKey | null;
  readonly keys: KitKeys;
  readonly state: State;
  readonly faults: FaultBox;
  /** Makes a key and answers with it, unless a fault has something else in mind. */
  create(key: NewKitKey, answer: (made: KitKey) => KitAnswer): KitAnswer;
  /** Ends a key and answers, or only says so where a fault lies. */
  end(key: KitKey, answer: KitAnswer): KitAnswer;
  /** The keys that a list shows now: not ended, and as old as a lagging list is. */
  listed(matches: (key: KitKey) => boolean): KitKey[];
}

export interface KitRoute<State> {
  /** `POST /v1/projects/{project}/keys`, from the origin. */
  readonly line: string;
  readonly class: RequestClass;
  /** Whether a live key is needed; `none` routes see whatever was sent. */
  readonly asks: 'key' | 'none';
  readonly handle: (context: KitContext<State>) => KitAnswer;
}

export interface KitDefinition<State> {
  readonly name: string;
  /** The state beside the keys, new for each twin. */
  readonly state: (random: Prng, now: number) => State;
  readonly routes: readonly KitRoute<State>[];
  /** The key that a request shows, alive or not; null where it shows none that ever was. */
  readonly keyOf: (request: KitRequest, keys: KitKeys) => KitKey | null;
  /** The provider's own words where a key does not pass. */
  readonly refused: (why: 'unknown' | 'ended' | 'expired', request: KitRequest) => KitAnswer;
  readonly notFound: (request: KitRequest) => KitAnswer;
  readonly rateLimited: (retryAfter: string | null) => KitAnswer;
  readonly serverError: (status: number) => KitAnswer;
  /** What a create is told when there is no room; absent where the provider knows no limit. */
  readonly quotaFull?: KitAnswer;
  /** Ids as the provider writes them; a counter from 1001 by default. */
  readonly newId?: (random: Prng, count: number) => string;
}

export interface KitKeys {
  add(key: NewKitKey, now: number, birth?: Partial<Pick<KitKey, 'isDeadOnArrival' | 'livesFrom'>>): KitKey;
  byId(id: string): KitKey | null;
  /** The key one of whose parts is this text. */
  byText(text: string): KitKey | null;
  all(): readonly KitKey[];
}

export interface KitControl<State> {
  readonly state: State;
  readonly keys: KitKeys;
  /** Makes a key as a person does on the provider's pages. */
  mint(key: NewKitKey): KitKey;
  /** Ends one as a person does: at once, without a lie. */
  endByHand(id: string): void;
  isAlive(id: string): boolean;
  fault(name: FaultName, options?: Partial<Fault>): void;
  clearFaults(name?: FaultName): void;
  latency(ms: number): void;
  /** Requests by `METHOD /template`, so far. */
  counts(): Readonly<Record<string, number>>;
}

export interface KitTwin<State> {
  readonly control: KitControl<State>;
  handle(request: KitRequest, now: number): KitAnswer;
}

/** A member of a JSON object; undefined where it is none, or lacks it. */
export function member(body: Json | undefined, name: string): Json | undefined {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  return isObject ? (body as Readonly<Record<string, Json>>)[name] : undefined;
}

/** The key after a scheme in Authorization: `Bearer`. */
export function bearerOf(request: KitRequest, scheme = 'Bearer'): string {
  const value = request.headers['authorization'] ?? '';
  return value.startsWith(`${scheme} `) ? value.slice(scheme.length + 1) : '';
}

export function isAlive(key: KitKey, now: number): boolean {
  if (key.isDeadOnArrival || now < key.livesFrom || (key.expiresAt !== null && now >= key.expiresAt)) return false;
  return key.diesAt === null || now < key.diesAt;
}

function keyStore(random: Prng, newId: NonNullable<KitDefinition<unknown>['newId']>): KitKeys {
  const all: KitKey[] = [];
  const texts = new Map<string, KitKey>();
  return {
    add(key, now, { isDeadOnArrival = false, livesFrom = now } = {}) {
      const made: KitKey = {
        ...key,
        id: key.id ?? newId(random, all.length + 1),
        scopes: key.scopes ?? [],
        expiresAt: key.expiresAt ?? null,
        more: key.more ?? {},
        createdAt: now,
        isDeadOnArrival,
        livesFrom,
        revokedAt: null,
        diesAt: null,
        lastUsedAt: null,
        lastUsedFrom: '',
        acceptedCount: 0,
      };
      all.push(made);
      for (const text of Object.values(made.parts)) texts.set(text, made);
      return made;
    },
    byId: (id) => all.find((key) => key.id === id) ?? null,
    byText: (text) => texts.get(text) ?? null,
    all: () => all,
  };
}

interface Found<State> {
  readonly route: KitRoute<State>;
  readonly params: Record<string, string>;
}

/** The route of a request line: the first whose segments fit, so that literals are written before parameters. */
function find<State>(routes: readonly KitRoute<State>[], method: string, path: string): Found<State> | null {
  const segments = path.split('/');
  for (const route of routes) {
    const [verb, template = ''] = route.line.split(' ');
    const parts = template.split('/');
    if (verb !== method || parts.length !== segments.length) continue;
    const params: Record<string, string> = {};
    const fits = parts.every((part, i) => {
      const segment = segments[i]!;
      if (!part.startsWith('{')) return part === segment;
      params[part.slice(1, -1)] = decodeURIComponent(segment);
      return segment !== '';
    });
    if (fits) return { route, params };
  }
  return null;
}

const PENDING_MAX = 10_000;

export function createTwin<State>(
  definition: KitDefinition<State>,
  options: { readonly seed: number; readonly clock: { now(): number } },
): KitTwin<State> {
  const random = prng(options.seed);
  // A source of its own: faults must not change the ids that a seed gives.
  const faults = faultBox(prng(options.seed ^ 0x5bd1e995));
  const keys = keyStore(random, definition.newId ?? ((_, count) => String(1_000 + count)));
  const state = definition.state(random, options.clock.now());
  const counts = new Map<string, number>();
  const pending: { at: number; effect: () => void }[] = [];
  let latencyMs = 0;

  function settle(now: number): void {
    for (let i = pending.length - 1; i >= 0; i--) {
      if (pending[i]!.at > now) continue;
      const [due] = pending.splice(i, 1);
      due!.effect();
    }
  }

  /** The caller's key where it is accepted, or the refusal; every fault that lies about keys is here. */
  function authenticated(request: KitRequest, kind: RequestClass, now: number): KitKey | KitAnswer {
    const key = definition.keyOf(request, keys);
    if (key === null) return definition.refused('unknown', request);
    let accepted = isAlive(key, now);
    const why = key.expiresAt !== null && now >= key.expiresAt ? 'expired' : 'ended';
    if (!accepted && key.diesAt !== null) {
      const flap = faults.strike('revoked-key-flaps', kind);
      accepted = flap !== null && (flap.ms === 0 || now < key.diesAt + flap.ms);
    } else if (accepted && faults.strike('good-key-refused', kind) !== null) accepted = false;
    if (faults.strike('outage-401', kind) !== null) accepted = false;
    if (!accepted) return definition.refused(why, request);
    key.lastUsedAt = now;
    key.lastUsedFrom = request.remoteAddress;
    key.acceptedCount++;
    return key;
  }

  function contextOf(
    { route, params }: Found<State>,
    request: KitRequest,
    key: KitKey | null,
    now: number,
  ): KitContext<State> {
    return {
      request,
      params,
      now,
      random,
      key,
      keys,
      state,
      faults,
      create(wanted, answer) {
        if (definition.quotaFull !== undefined && faults.strike('quota-full', route.class) !== null)
          return definition.quotaFull;
        const isDeadOnArrival = faults.strike('dead-on-arrival', route.class) !== null;
        const spreadMs = faults.strike('create-propagates-late', route.class)?.ms ?? 0;
        const born = (at: number) => keys.add(wanted, at, { isDeadOnArrival, livesFrom: at + spreadMs });
        const later = faults.strike('create-arrives-later', route.class);
        if (later !== null) {
          if (pending.length >= PENDING_MAX) throw new Error('too many effects are on their way');
          pending.push({ at: now + later.ms, effect: () => born(now + later.ms) });
          return { status: 200, body: null, isCut: true };
        }
        const done = answer(born(now));
        const lost = faults.strike('create-lost', route.class);
        if (lost !== null) return { ...done, delayMs: lost.ms, isCut: true };
        const slow = faults.strike('create-slow', route.class);
        return slow === null ? done : { ...done, delayMs: slow.ms };
      },
      end(ended, answer) {
        if (faults.strike('revoke-ignored', route.class) !== null) return answer;
        const late = faults.strike('revoke-late', route.class);
        ended.revokedAt ??= now;
        ended.diesAt = Math.min(ended.diesAt ?? Number.POSITIVE_INFINITY, now + (late?.ms ?? 0));
        return answer;
      },
      listed(matches) {
        const lag = faults.strike('list-lags', route.class);
        const at = now - (lag?.ms ?? 0);
        return keys
          .all()
          .filter((one) => one.createdAt <= at && (one.revokedAt === null || one.revokedAt > at) && matches(one));
      },
    };
  }

  function answer(request: KitRequest, found: Found<State> | null, kind: RequestClass, now: number): KitAnswer {
    const limited = faults.strike('rate-limited', kind);
    if (limited !== null) return definition.rateLimited(limited.retryAfter);
    if (faults.strike('cut-before', kind) !== null) return { status: 0, body: null, isCut: true };
    const broken = faults.strike('server-error', kind);
    if (broken !== null) return definition.serverError(broken.status);
    if (found === null) return definition.notFound(request);
    const caller = found.route.asks === 'none' ? null : authenticated(request, kind, now);
    if (caller !== null && 'status' in caller) return caller;
    const done = found.route.handle(contextOf(found, request, caller, now));
    // What was refused was not done; but a probe may find what it looks for in a status of failure.
    const isDone = done.status < 300 || kind === 'auth';
    if (isDone && faults.strike('cut-after', kind) !== null) return { ...done, isCut: true };
    const failed = isDone ? faults.strike('server-error-after', kind) : null;
    return failed === null ? done : definition.serverError(failed.status);
  }

  return {
    control: {
      state,
      keys,
      mint: (key) => keys.add(key, options.clock.now()),
      endByHand(id) {
        const key = keys.byId(id);
        if (key === null) throw new Error('there is no such key');
        key.revokedAt ??= options.clock.now();
        key.diesAt = options.clock.now();
      },
      isAlive(id) {
        settle(options.clock.now());
        const key = keys.byId(id);
        return key !== null && isAlive(key, options.clock.now());
      },
      fault: faults.set,
      clearFaults: faults.clear,
      latency(ms) {
        latencyMs = ms;
      },
      counts: () => Object.fromEntries(counts),
    },
    handle(request, now) {
      settle(now);
      const found = find(definition.routes, request.method, request.path);
      const line = found?.route.line ?? 'unrouted';
      counts.set(line, (counts.get(line) ?? 0) + 1);
      const done = answer(request, found, found?.route.class ?? 'other', now);
      return latencyMs === 0 ? done : { ...done, delayMs: (done.delayMs ?? 0) + latencyMs };
    },
  };
}
