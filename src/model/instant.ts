// Durations that survive a clock step and a restart. An Instant is a reading of the monotonic clock together with the boot it
// was read in (the fence number that the process took when it started; it grows with every start). Within one boot a
// difference is exact. Across boots all that can be claimed is the time since the present boot took its fence: no other boot has
// written anything after that. A lower bound, which makes every wait longer after a crash and never shorter.

export interface Instant {
  /** Fence number of the process that read the clock. */
  readonly boot: number;
  /** Monotonic milliseconds since that process took its fence. */
  readonly mono: number;
}

/** Milliseconds that have certainly passed between two readings, `now` being the later one. */
export function elapsedMs(since: Instant, now: Instant): number {
  if (since.boot === now.boot) return now.mono - since.mono;
  // A process that was overtaken may read what a later one wrote: nothing has passed for it.
  return since.boot > now.boot ? 0 : now.mono;
}
