// Where the traffic of one credential waits while its key is replaced. The rotation holds and lets go, the broker waits. Every hold has an end
// of its own, so that traffic never waits for a rotation that is gone. In memory only: after a restart nothing is held.
// Not here: when to hold (rotation/swap.ts), what a request does after it (broker/listener.io.ts).

/** How a wait ended: `go`: decide anew and send; `full`: too many wait already. */
export type Passage = 'go' | 'full';

export interface Gate {
  /** Holds from now on, for at most so many milliseconds. A second hold begins the time anew. */
  hold(credentialId: string, ms: number): void;
  /** Lets go what waits, in the order in which it came. Nothing happens where nothing is held. */
  release(credentialId: string): void;
  isHeld(credentialId: string): boolean;
  /** How many requests of a credential wait now. */
  waiting(credentialId: string): number;
  /** Whether anything at all is held: what a request asks first. */
  readonly isAnyHeld: boolean;
  /** Calls back once, never at once. The returned function leaves the queue. */
  wait(credentialId: string, done: (how: Passage) => void): () => void;
}

interface Hold {
  readonly waiting: Set<(how: Passage) => void>;
  readonly cancel: () => void;
}

/** Requests of one credential that may wait at once. */
const WAITING_MAX = 1_024;

/** @param after calls back once, after so many milliseconds; the returned function calls it off */
export function createGate(after: (ms: number, run: () => void) => () => void): Gate {
  const holds = new Map<string, Hold>();

  function end(credentialId: string): void {
    const hold = holds.get(credentialId);
    if (hold === undefined) return;
    holds.delete(credentialId);
    hold.cancel();
    for (const done of hold.waiting) done('go');
  }

  return {
    hold(credentialId, ms) {
      const before = holds.get(credentialId);
      before?.cancel();
      holds.set(credentialId, {
        waiting: before?.waiting ?? new Set(),
        cancel: after(ms, () => end(credentialId)),
      });
    },
    release: (credentialId) => end(credentialId),
    isHeld: (credentialId) => holds.has(credentialId),
    waiting: (credentialId) => holds.get(credentialId)?.waiting.size ?? 0,
    get isAnyHeld() {
      return holds.size > 0;
    },
    wait(credentialId, done) {
      const hold = holds.get(credentialId);
      if (hold === undefined || hold.waiting.size >= WAITING_MAX) {
        return after(0, () => done(hold === undefined ? 'go' : 'full'));
      }
      const { waiting } = hold;
      waiting.add(done);
      return () => {
        waiting.delete(done);
      };
    },
  };
}
