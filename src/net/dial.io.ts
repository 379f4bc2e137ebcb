// The pools of connections to upstreams: one for each origin and settings, bounded in every direction, HTTP/1.1 without
// pipelining. A request on an open connection waits for nothing of ours; checking happens where a connection is made.
// Not here: the way to a checked socket (socket.io.ts), whole calls with a key (call.io.ts), streaming (the broker's).
// Follows docs/adr/0009-outbound.md.
import { type Dispatcher, Pool } from 'undici';
import { Failure } from '../model/failure.ts';
import type { ProviderSettings } from '../providers/provider.ts';
import { validateOrigin } from './origin.ts';
import { createOpenSocket, type SocketOptions } from './socket.io.ts';
import { upstreamFailure } from './upstream-failure.ts';

/**
 * How a connection is used. `kept`: again and again, until it is idle or old (the broker's traffic). `fresh`: for one request
 * only, so that an effect is never lost on a connection that the other side was just closing (calls that mint and revoke).
 */
export type Reuse = 'kept' | 'fresh';

/**
 * The dispatcher for an upstream, always the same one for the same arguments. Throws Failure `invalid` where the origin or the
 * settings are not allowed, `unavailable` where there are too many origins. What it dispatches may name no `origin` and must
 * not carry a `host` header: the Host is the origin's. Whatever fails before a handler's `onRequestStart` fails with nothing
 * sent, and a connection that could not be made is a Failure `upstream-unavailable`; `upstreamFailure` names the rest.
 */
export type DispatcherFor = (origin: string, settings: ProviderSettings, reuse?: Reuse) => Dispatcher;

export interface DialOptions extends SocketOptions {
  /** Most connections to one origin at a time. */
  readonly connectionsMax?: number;
  /** Most requests that wait for one of them; the next one fails at once. */
  readonly waitingMax?: number;
  /** Most origins with a pool; there is one for each provider and pinned destination. */
  readonly originsMax?: number;
  /** How long an idle connection is kept, milliseconds; a hint of the server can stretch it up to `connectionAgeMaxMs`. */
  readonly idleMs?: number;
  /**
   * Age beyond which a connection gets no new request, milliseconds: how long an address that left the DNS is still used. Only a
   * request that was waiting before that may still take it.
   */
  readonly connectionAgeMaxMs?: number;
  /** Longest wait for the head of an answer, milliseconds. */
  readonly headersTimeoutMs?: number;
  /** Longest silence within the body of an answer, milliseconds. */
  readonly bodyTimeoutMs?: number;
  /** Most bytes of the header lines of an answer. */
  readonly headerBytesMax?: number;
}

export interface Dialer {
  readonly dispatcherFor: DispatcherFor;
  /** Ends all connections, requests under way with them. */
  close(): Promise<void>;
}

/** What a handler gets as controller of a request that was never started. */
const NEVER_STARTED: Dispatcher.DispatchController = {
  aborted: true,
  paused: false,
  reason: null,
  abort() {},
  pause() {},
  resume() {},
};

/** Bounds the requests that wait in the pool's own queue, which has no limit. Costs one comparison while the pool is not full. */
function boundWaiting(pool: Pool, waitingMax: number): Pool {
  const dispatch = pool.dispatch.bind(pool);
  let isFull = false;
  pool.dispatch = (options, handler) => {
    if (isFull && pool.stats.queued >= waitingMax) {
      const failure = new Failure('upstream-unavailable', 'too many requests wait for this upstream');
      handler.onResponseError?.(NEVER_STARTED, failure);
      return false;
    }
    isFull = !dispatch(options, handler);
    return !isFull;
  };
  return pool;
}

/** The pools of this process. Make it once; it holds sockets until `close`. */
export function createDialer(options: DialOptions): Dialer {
  const openSocket = createOpenSocket(options);
  const { connectionsMax = 64, waitingMax = 1024, originsMax = 1024, connectionAgeMaxMs = 60_000 } = options;
  const { headersTimeoutMs = 60_000, bodyTimeoutMs = 60_000, headerBytesMax = 32_768 } = options;
  const idleMs = Math.min(options.idleMs ?? 15_000, connectionAgeMaxMs);
  // A pool is replaced when it is old, and ends once its last request has: the library's own age limit looks at the clock for
  // every connection of the pool, twice a request.
  const pools = new Map<string, { readonly pool: Pool; readonly untilMs: number }>();
  const ending = new Set<Pool>();
  const settingsKeys = new WeakMap<ProviderSettings, string>();

  function settingsKey(settings: ProviderSettings): string {
    let key = settingsKeys.get(settings);
    if (key === undefined) {
      key = `${settings.plainHttp} ${settings.privateNetworks.join(' ')}`;
      settingsKeys.set(settings, key);
    }
    return key;
  }

  function createPool(text: string, settings: ProviderSettings, reuse: Reuse): Pool {
    const verdict = validateOrigin(text, settings);
    if (verdict.is === 'refused') {
      throw new Failure('invalid', `the origin of the upstream is refused: ${verdict.reason}`);
    }
    if (pools.size >= originsMax) throw new Failure('unavailable', 'there are too many upstream origins');
    const { origin } = verdict;
    const pool = new Pool(origin.text, {
      // Takes nothing from the library's arguments: a Host header must not choose the name that TLS checks.
      connect(_options, callback) {
        openSocket(origin).then(
          (socket) => callback(null, socket),
          (error: unknown) => callback(upstreamFailure(error, false), null),
        );
      },
      connections: connectionsMax,
      pipelining: reuse === 'kept' ? 1 : 0,
      allowH2: false,
      keepAliveTimeout: idleMs,
      keepAliveMaxTimeout: connectionAgeMaxMs,
      headersTimeout: headersTimeoutMs,
      bodyTimeout: bodyTimeoutMs,
      maxHeaderSize: headerBytesMax,
    });
    return boundWaiting(pool, waitingMax);
  }

  function dispatcherFor(origin: string, settings: ProviderSettings, reuse: Reuse = 'kept'): Dispatcher {
    const key = `${reuse} ${origin} ${settingsKey(settings)}`;
    const known = pools.get(key);
    if (known !== undefined && performance.now() < known.untilMs) return known.pool;
    if (known !== undefined) {
      pools.delete(key);
      retire(known.pool);
    }
    const pool = createPool(origin, settings, reuse);
    pools.set(key, { pool, untilMs: performance.now() + connectionAgeMaxMs });
    return pool;
  }

  /** Gives a pool no further request; its connections close when they are idle. */
  function retire(pool: Pool): void {
    ending.add(pool);
    pool
      .close()
      .catch(() => {})
      .finally(() => ending.delete(pool));
  }

  async function close(): Promise<void> {
    const all = [...[...pools.values()].map(({ pool }) => pool), ...ending];
    pools.clear();
    await Promise.all(all.map((pool) => pool.destroy()));
  }

  return { dispatcherFor, close };
}
