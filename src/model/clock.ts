// Time and randomness as two arguments. Pure code never asks the machine for either: it is given a Clock and a Random,
// which are made once in app.io.ts (and by the simulator, from its seed).

/** Wall-clock time as UTC milliseconds since 1970. May step backwards: never used for durations. */
export type UtcMs = number;

export interface Clock {
  /** Wall clock, UTC milliseconds. Written into events and compared with expiries. */
  now(): UtcMs;
  /** Monotonic milliseconds from an arbitrary start. The only source for durations and waits. */
  monotonic(): number;
}

export interface Random {
  /** `length` unpredictable bytes from the machine's CSPRNG. */
  bytes(length: number): Uint8Array;
}

/** RFC 3339 in UTC with milliseconds: the form of time outside the database. */
export function toRfc3339(at: UtcMs): string {
  return new Date(at).toISOString();
}
