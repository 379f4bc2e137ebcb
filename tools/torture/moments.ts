// When a server or a restore is killed, drawn from the seed. Not here: waiting for the moment (story.ts, child.ts).
import type { Prng } from '../../twins/prng.ts';

/** When a server is killed. */
export type Moment =
  | { readonly at: 'start'; readonly ms: number }
  | { readonly at: 'ready'; readonly ms: number }
  /** `ms` after the provider has seen a request of a kind; where none comes, after a while. */
  | { readonly at: 'request'; readonly kind: RegExp; readonly ms: number; readonly waitMs: number }
  /** At the instant at which so many answers have arrived: what was acknowledged last has just been acknowledged. */
  | { readonly at: 'answer'; readonly count: number };

/** `ms` after a restore has said that it comes to a step; it may be over by then. */
export interface RestoreMoment {
  readonly step: 'started' | 'preparing' | 'putting it into place';
  readonly ms: number;
}

const START_MS = 1_200;
/** About as long as a recovery takes. */
const RECOVERY_MS = 14_000;
const REQUEST_WAIT_MS = 4_000;
const PIVOT_WAIT_MS = 20_000;
const KINDS = [
  /^POST .*\/api_keys$/,
  /^DELETE .*\/api_keys\/\d+$/,
  /^GET .*\/api_keys$/,
  /^GET \/api\/v2\/auth$/,
  /\/projects\/n-/,
];

export function momentOf(random: Prng): Moment {
  const drawn = random.next();
  if (drawn < 0.15) return { at: 'start', ms: random.below(START_MS) };
  if (drawn < 0.4) return { at: 'ready', ms: random.below(2_500) };
  if (drawn < 0.6) return { at: 'answer', count: 1 + random.below(150) };
  if (drawn < 0.85)
    return {
      at: 'request',
      kind: KINDS[random.below(KINDS.length)]!,
      ms: random.below(3) * random.below(20),
      waitMs: REQUEST_WAIT_MS,
    };
  return { at: 'ready', ms: 2_500 + random.below(6_500) };
}

/** Within a recovery, which comes before the server is ready. */
export function duringRecovery(random: Prng): Moment {
  return { at: 'start', ms: START_MS + random.below(RECOVERY_MS) };
}

/** Soon after one of these keys was ended at the provider, which a backup from before holds to be current. */
export function pastPivot(random: Prng, keyIds: readonly string[]): Moment {
  const kind = new RegExp(`^DELETE .*/api_keys/(?:${keyIds.join('|')})$`);
  return { at: 'request', kind, ms: random.below(3_000), waitMs: PIVOT_WAIT_MS };
}

/** Half of them while the files change places, which takes a few milliseconds. */
export function restoreMomentOf(random: Prng): RestoreMoment {
  const drawn = random.next();
  if (drawn < 0.2) return { step: 'started', ms: random.below(200) };
  if (drawn < 0.5) return { step: 'preparing', ms: random.below(120) };
  return { step: 'putting it into place', ms: random.below(22) };
}
