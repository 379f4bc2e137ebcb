// Runs schedules one after the other until one breaks an invariant. Used by the command, by the tests and by the workers that
// hunt mutants; what it imports of src may be a mutated copy.
import { runSchedule as runAssisted } from './assisted/schedule.ts';
import { scheduleSeed } from './random.ts';
import { runSchedule as runRevocation } from './revocation/schedule.ts';
import { type Outcome, runSchedule as runOverlap } from './schedule.ts';
import { runSchedule as runSwap } from './swap/schedule.ts';
import type { Tally } from './world.ts';

/** The protocols that have a simulation, each with what runs one schedule of it. */
export const PROTOCOLS = {
  overlap: runOverlap,
  swap: runSwap,
  assisted: runAssisted,
  revocation: runRevocation,
} as const;
export type ProtocolName = keyof typeof PROTOCOLS;

export interface Hunt {
  readonly schedules: number;
  readonly entries: number;
  readonly asks: number;
  /** The first outcome with a violation, or null. */
  readonly found: Outcome | null;
  /** Over all digests, in order: two runs of one seed agree in it or are not deterministic. */
  readonly digest: number;
  readonly tally: Tally;
}

/** Every so many schedules one is run twice, and both runs must leave the same journal. */
const TWICE_EVERY = 1000;

export function hunt(options: {
  readonly protocol: ProtocolName;
  readonly base: number;
  readonly schedules: number;
  /** Told the number of finished schedules now and then. */
  readonly onProgress: ((done: number) => void) | null;
}): Hunt {
  const tally: Tally = new Map();
  let digest = 0;
  let entries = 0;
  let asks = 0;
  for (let index = 0; index < options.schedules; index++) {
    const seed = scheduleSeed(options.base, index);
    const outcome = run(options.protocol, seed, tally);
    entries += outcome.entries;
    asks += outcome.asks;
    digest = Math.imul(digest ^ outcome.digest, 0x01000193) >>> 0;
    if (outcome.violation !== null) return { schedules: index + 1, entries, asks, found: outcome, digest, tally };
    if (index % TWICE_EVERY === 0) {
      options.onProgress?.(index);
      const again = run(options.protocol, seed, new Map());
      if (again.digest !== outcome.digest) {
        const violation = { invariant: 'deterministic', detail: 'one seed gave two journals', at: 0 } as const;
        return { schedules: index + 1, entries, asks, found: { ...outcome, violation }, digest, tally };
      }
    }
  }
  return { schedules: options.schedules, entries, asks, found: null, digest, tally };
}

/** A schedule that throws is a violation like any other: the code under test must be total. */
function run(protocol: ProtocolName, seed: number, tally: Tally): Outcome {
  try {
    return PROTOCOLS[protocol](seed, null, tally);
  } catch (error) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { seed, violation: { invariant: 'total', detail, at: 0 }, digest: 0, entries: 0, asks: 0 };
  }
}
