// What is open right now: the uses in flight by version, when each version was last used, and a way to end them. Broker,
// rotation and revocation meet here: the broker counts, a rotation asks whether a version has drained, a revocation cuts.
// In memory only: after a restart nothing is in flight, and every idle time counts from the start.

/** One use that is open: an answer that streams, an upload, an upgraded connection. */
export interface OpenUse {
  readonly versionId: string;
  readonly credentialId: string;
  readonly grantId: string;
  readonly principalId: string;
  readonly tokenId: string;
  /** UTC milliseconds at which grant or token expire; Infinity: never. */
  readonly endsAt: number;
  /** Ends it at once, both sides. Called at most once. */
  cut(why: string): void;
  /**
   * The version that it was opened with has a successor: it ends itself soon, with a word to the client, which then opens it anew. Absent for what
   * ends by itself. It stays counted until it has ended; calling it again does nothing.
   */
  retire?(): void;
}

interface VersionActivity {
  inFlight: number;
  /** Monotonic milliseconds of the last begin or end of a use. */
  lastUseMs: number;
  /** The same by the wall clock, for comparison with what the provider says. */
  lastUseAt: number;
  uses: number;
}

export interface Live {
  /** Counts a use in. The returned function counts it out; calling it again does nothing. */
  open(use: OpenUse, monoMs: number, at: number): (monoMs: number, at: number) => void;
  /** In-flight uses of a version, and how long it has certainly been idle. */
  activity(versionId: string, monoMs: number): { inFlight: number; idleMs: number; lastUseAt: number | null };
  /** Cuts every open use that touches one of the ids. Returns how many. */
  cut(ids: ReadonlySet<string>, why: string): number;
  /** Cuts every open use that is not allowed any more: the keys are being forgotten. Returns how many were asked. */
  cutAll(why: string): number;
  /** Asks every open connection of a version that would not end by itself to end. Returns how many; requests in flight are left alone. */
  retire(versionId: string): number;
  /** Cuts every open use whose grant or token has expired. */
  cutExpired(at: number): number;
  /** Who is using a version now: principal ids, for the alert that names them. */
  users(versionId: string): string[];
  readonly openUses: number;
}

/** A use in its place among those that are open. */
interface Slot {
  readonly use: OpenUse;
  /** Position in the list; -1 once it is counted out. */
  at: number;
}

export function createLive(): Live {
  // A list whose last member takes the place of the one that leaves. A Set that members enter and leave with every request makes the
  // collector carry what has left through every young collection: each of its tables keeps the next one alive (measured: a third of
  // the broker's time).
  const open: Slot[] = [];
  const versions = new Map<string, VersionActivity>();

  function cutWhere(matches: (use: OpenUse) => boolean, why: string): number {
    const hit: OpenUse[] = [];
    for (const { use } of open) if (matches(use)) hit.push(use);
    // One that cannot be ended must not keep the others open.
    let failure: unknown = null;
    for (const use of hit) {
      try {
        use.cut(why);
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== null) throw failure;
    return hit.length;
  }

  return {
    open(use, monoMs, at) {
      let activity = versions.get(use.versionId);
      if (activity === undefined) {
        activity = { inFlight: 0, lastUseMs: monoMs, lastUseAt: at, uses: 0 };
        versions.set(use.versionId, activity);
      }
      activity.inFlight++;
      activity.uses++;
      activity.lastUseMs = monoMs;
      activity.lastUseAt = at;
      const slot: Slot = { use, at: open.length };
      open.push(slot);
      const counted = activity;
      return (endMs, endAt) => {
        if (slot.at < 0) return;
        const last = open.pop()!;
        if (last !== slot) {
          open[slot.at] = last;
          last.at = slot.at;
        }
        slot.at = -1;
        counted.inFlight--;
        counted.lastUseMs = endMs;
        counted.lastUseAt = endAt;
      };
    },
    activity(versionId, monoMs) {
      const activity = versions.get(versionId);
      if (activity === undefined) return { inFlight: 0, idleMs: monoMs, lastUseAt: null };
      return { inFlight: activity.inFlight, idleMs: monoMs - activity.lastUseMs, lastUseAt: activity.lastUseAt };
    },
    cut(ids, why) {
      return cutWhere(
        (use) =>
          ids.has(use.credentialId) ||
          ids.has(use.versionId) ||
          ids.has(use.grantId) ||
          ids.has(use.principalId) ||
          ids.has(use.tokenId),
        why,
      );
    },
    cutAll: (why) => cutWhere(() => true, why),
    retire(versionId) {
      const hit: OpenUse[] = [];
      for (const { use } of open) if (use.versionId === versionId && use.retire !== undefined) hit.push(use);
      for (const use of hit) use.retire!();
      return hit.length;
    },
    cutExpired(at) {
      return cutWhere((use) => use.endsAt <= at, 'its grant or token has expired');
    },
    users(versionId) {
      const ids = new Set<string>();
      for (const { use } of open) if (use.versionId === versionId) ids.add(use.principalId);
      return [...ids];
    },
    get openUses() {
      return open.length;
    },
  };
}
