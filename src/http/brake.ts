// The brake on guessing: how often a source may fail to authenticate before its further failures are answered 429. A valid token is never
// held up, whatever came from its address before. One number for each source (GCRA, access/limit.ts), a bounded count of sources.
import { limitOf, spend } from '../access/limit.ts';
import { sourceKey } from '../model/address.ts';

export interface Brake {
  /** Counts a failure. Returns 0 where it may be answered as such, else the milliseconds to wait. */
  failed(source: string, monoMs: number): number;
  readonly sources: number;
}

export interface BrakeLimits {
  /** Failures in a row that are answered plainly. */
  readonly burst: number;
  /** After them, one more every so many seconds. */
  readonly everySeconds: number;
  /** Sources remembered; the one that failed longest ago is forgotten first. */
  readonly sourcesMax: number;
}

export const DEFAULT_BRAKE: BrakeLimits = { burst: 20, everySeconds: 6, sourcesMax: 10_000 };

export function createBrake(limits: BrakeLimits): Brake {
  const limit = limitOf({ requests: 1, perSeconds: limits.everySeconds, burst: limits.burst });
  const arrivals = new Map<string, number>();
  return {
    failed(source, monoMs) {
      const key = sourceKey(source);
      const spent = spend(limit, arrivals.get(key) ?? Number.NEGATIVE_INFINITY, monoMs);
      // Taken out and put in again: the order of the map is the order of the last failures.
      arrivals.delete(key);
      arrivals.set(key, spent.arrivalMs);
      if (arrivals.size > limits.sourcesMax) {
        const oldest = arrivals.keys().next();
        if (oldest.done !== true) arrivals.delete(oldest.value);
      }
      return spent.retryAfterMs;
    },
    get sources() {
      return arrivals.size;
    },
  };
}
