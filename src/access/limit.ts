// GCRA, the generic cell rate algorithm: one number for each limit, the theoretical arrival time. Exact, without buckets or
// timers. Times are monotonic milliseconds, so that a clock set back neither locks anybody out nor lets anybody in; each use's leaf
// carries its monotonic time, so that the decision can be made again from the log.
import type { Rate } from './principal.ts';

export interface Limit {
  /** Milliseconds between two requests at the sustained rate. */
  readonly intervalMs: number;
  /** How far ahead of time a request may come: (burst - 1) intervals. */
  readonly toleranceMs: number;
}

export function limitOf(rate: Rate): Limit {
  const intervalMs = (rate.perSeconds * 1000) / rate.requests;
  return { intervalMs, toleranceMs: intervalMs * (Math.max(1, rate.burst) - 1) };
}

export interface Spent {
  /** The new theoretical arrival time; unchanged where the request is refused. */
  readonly arrivalMs: number;
  readonly allowed: boolean;
  /** Milliseconds until the same request would be allowed; 0 where it is. */
  readonly retryAfterMs: number;
}

/** Spends one request. `arrivalMs` is the last result, -Infinity at first. */
export function spend(limit: Limit, arrivalMs: number, nowMs: number): Spent {
  const due = Math.max(arrivalMs, nowMs);
  const early = due - nowMs;
  if (early > limit.toleranceMs) return { arrivalMs, allowed: false, retryAfterMs: early - limit.toleranceMs };
  return { arrivalMs: due + limit.intervalMs, allowed: true, retryAfterMs: 0 };
}
