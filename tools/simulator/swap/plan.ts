// What goes wrong in one schedule, drawn from its seed. The fault model: a replacement whose answer is lost arrives at once, late (also later
// than anybody waits), or never; a replaced key lingers no longer than the propagation of its kind; refusals of a living key are single; faults
// end, and after them the run must end.
import type { SwapPolicy } from '../../../src/rotation/swap-state.ts';
import { below, chance, type Dice, HALF, type Rate, rate } from '../random.ts';

/** What a lost call that is waited for takes at most. */
export const ARRIVAL_MS = 5_000;

export interface SwapPlan {
  readonly source: 'provider' | 'ours';
  readonly isClean: boolean;
  readonly policy: SwapPolicy;
  readonly propagationMs: number;
  readonly lostBefore: Rate;
  readonly lostAfter: Rate;
  readonly lateArrival: Rate;
  readonly lateMs: number;
  /** How long a call takes; less than the policy's longest, by what its own journal entry takes. */
  readonly callMs: number;
  readonly refused: Rate;
  readonly refusedFinal: Rate;
  /** A target says that our value is in force, and it is not. */
  readonly confirmedOnly: Rate;
  readonly unknown: Rate;
  readonly flaky: Rate;
  readonly crash: Rate;
  readonly storeDown: Rate;
  readonly storeAnswerLost: Rate;
  readonly outage: boolean;
  readonly second: boolean;
  readonly cancelAt: number | null;
  readonly deadOnArrival: boolean;
  /** Longest request that is in flight when the traffic is held. */
  readonly longestMs: number;
  /** How long the old key is accepted after it was replaced. */
  readonly lingerMs: number;
}

function some(dice: Dice, most: number): Rate {
  return chance(dice, HALF) ? rate((below(dice, 1000) / 1000) * most) : 0;
}

export function drawPlan(dice: Dice): SwapPlan {
  const isClean = below(dice, 10) === 0;
  const propagationMs = 200 + below(dice, 3_000);
  const drawn = (most: number): Rate => (isClean ? 0 : some(dice, most));
  return {
    source: chance(dice, HALF) ? 'provider' : 'ours',
    isClean,
    propagationMs,
    policy: {
      holdMaxMs: 8_000,
      callMs: 4_000,
      drainMaxMs: 3_000,
      drainPollMs: 100,
      settleMs: ARRIVAL_MS + propagationMs,
      verifyAlive: 2,
      verifySpacingMs: 300,
      death: { refusals: 3, spacingMs: Math.max(1_000, propagationMs) },
      retryMinMs: 500,
      retryMaxMs: 20_000,
      failuresMax: 12,
      attemptsMax: 5,
    },
    lostBefore: drawn(0.4),
    lostAfter: drawn(0.4),
    lateArrival: drawn(0.5),
    callMs: 100 + below(dice, 2_500),
    lateMs: 500 + below(dice, chance(dice, HALF) ? 4_000 : 60_000),
    refused: drawn(0.3),
    refusedFinal: drawn(0.15),
    confirmedOnly: drawn(0.2),
    unknown: drawn(0.3),
    flaky: drawn(0.1),
    crash: drawn(0.08),
    storeDown: drawn(0.15),
    storeAnswerLost: drawn(0.1),
    outage: !isClean && below(dice, 4) === 0,
    second: !isClean && below(dice, 4) === 0,
    cancelAt: !isClean && below(dice, 4) === 0 ? below(dice, 20_000) : null,
    deadOnArrival: !isClean && below(dice, 20) === 0,
    longestMs: isClean ? 1_500 : 500 + below(dice, 12_000),
    lingerMs: chance(dice, HALF) ? 0 : below(dice, propagationMs),
  };
}
