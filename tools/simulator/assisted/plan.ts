// What goes wrong in one schedule, drawn from its seed: which kind of provider it is, what the person does, which faults there are. The limits of
// the model: a replacement that was lost arrives before another one is asked for, or never; a key that was deleted is refused everywhere within
// the propagation time; refusals of a living key are single; faults end, and then the person does what is asked.
import type { Means } from '../../../src/rotation/overlap-state.ts';
import type { OverlapPolicy } from '../../../src/rotation/policy.ts';
import { below, chance, type Dice, HALF, pick, type Rate, rate } from '../random.ts';

/**
 * `by-hand`: a person makes a second key beside the first. `hard-cut`: making the new key ends the old one in that moment. `grace`: the
 * provider replaces the key by API, and the former one lives on for the grace.
 */
export type Slots = 'by-hand' | 'hard-cut' | 'grace';

/** What the person does about the old key, where that is their part. */
export type Removal = 'soon' | 'late' | 'never' | 'early' | 'wrong-one' | 'wrong-one-early';

/** What the person brings first: what was never a key, or a key that works when it is looked at and ends soon after. */
export type WrongKey = 'mistyped' | 'short-lived';

export interface AssistedPlan {
  readonly slots: Slots;
  readonly means: Means;
  readonly isClean: boolean;
  readonly hasIssuer: boolean;
  /** The issuer goes, and when the faults are over there is one again. */
  readonly issuerGoesAt: number | null;
  readonly policy: OverlapPolicy;
  readonly propagationMs: number;
  /** How long a key is accepted after it was deleted. */
  readonly lingerMs: number;
  /** How long a replaced key lives on. */
  readonly graceMs: number;
  /** The grace may end before the faults do: then the old key dies in use, and nobody can help it. */
  readonly isShortGrace: boolean;
  /** A key that the provider makes is refused for this long at first. */
  readonly activationMs: number;
  /** So many keys of the provider, or of the person, are no good before one is. */
  readonly wrongKeys: number;
  readonly wrongKey: WrongKey;
  readonly bringMs: number;
  readonly isAbsent: boolean;
  readonly removal: Removal;
  readonly removalMs: number;
  /** Nobody knows the provider's id of a key that was brought. */
  readonly hasNoId: boolean;
  readonly cancelAt: number | null;
  readonly supersedeAt: number | null;
  readonly takeOverAt: number | null;
  readonly hasSecond: boolean;
  /** A run that was aborted is asked for again. */
  readonly isAskedAgain: boolean;
  readonly hasOutage: boolean;
  /** Longest request that is in flight when the traffic moves to another version. */
  readonly longestMs: number;
  readonly lost: Rate;
  readonly answerLost: Rate;
  readonly late: Rate;
  readonly doubled: Rate;
  readonly refused: Rate;
  readonly lies: Rate;
  readonly unknown: Rate;
  readonly flaky: Rate;
  /** The shell's look at a brought key takes one that is refused for one that works. */
  readonly blind: Rate;
  readonly crash: Rate;
  readonly storeDown: Rate;
  readonly storeAnswerLost: Rate;
  readonly unobserved: Rate;
  readonly uncovered: Rate;
}

/** A lost call that arrives at all arrives within this time. */
export const LATE_MAX_MS = 1_500;
/** A process that was overtaken stops within this time. */
export const STALL_MAX_MS = 1_500;
export const FAULTS_END_MS = 25_000;

/** Where nobody cuts a grace short, it is watched for to its end. */
function drawPolicy(dice: Dice, slots: Slots, propagationMs: number, graceMs: number): OverlapPolicy {
  return {
    quietMs: 200 + below(dice, 800),
    drainPollMs: 250,
    drainMaxMs: 2_000,
    verifyAlive: 2,
    verifyDead: 2 + below(dice, 2),
    verifySpacingMs: 100 + below(dice, 300),
    death: { refusals: 3, spacingMs: Math.max(1_000, propagationMs) },
    settleMs: LATE_MAX_MS + STALL_MAX_MS + 1_000,
    retryMinMs: 200 + below(dice, 300),
    retryMaxMs: 5_000,
    failuresMax: 4 + below(dice, 8),
    issueAttemptsMax: 1 + below(dice, 4),
    revokesMax: 5 + below(dice, 3),
    discardsMax: 4,
    awaitMaxMs: 8_000 + below(dice, 30_000),
    removalPollMs: slots === 'grace' ? 20_000 : 500 + below(dice, 1_500),
    removalMaxMs: slots === 'grace' ? graceMs + 30_000 : 6_000 + below(dice, 10_000),
  };
}

const SLOTS = ['by-hand', 'by-hand', 'hard-cut', 'grace', 'grace'] as const;
const REMOVALS = ['soon', 'soon', 'late', 'never', 'early', 'wrong-one', 'wrong-one-early'] as const;

function drawMeans(dice: Dice, slots: Slots): Means {
  if (slots === 'grace') return { issue: 'grace', revoke: below(dice, 8) === 0 ? 'person' : 'api' };
  return { issue: 'person', revoke: slots === 'by-hand' && chance(dice, HALF) ? 'api' : 'person' };
}

export function drawPlan(dice: Dice): AssistedPlan {
  const slots = pick(dice, SLOTS);
  const means = drawMeans(dice, slots);
  const isClean = below(dice, 10) === 0;
  const isOn = (oneIn: number): boolean => !isClean && below(dice, oneIn) === 0;
  const some = (most: number): Rate => (!isClean && chance(dice, HALF) ? rate((below(dice, 1000) / 1000) * most) : 0);
  const propagationMs = 200 + below(dice, 2_000);
  const isShortGrace = slots === 'grace' && isOn(8);
  const graceMs = isShortGrace ? 3_000 + below(dice, 20_000) : 150_000 + below(dice, 100_000);
  const policy = drawPolicy(dice, slots, propagationMs, graceMs);
  const isLate = isOn(6);
  return {
    slots,
    means,
    isClean,
    hasIssuer: slots === 'grace' || means.revoke === 'api' || chance(dice, HALF),
    issuerGoesAt: isOn(8) ? below(dice, 15_000) : null,
    policy,
    propagationMs,
    lingerMs: chance(dice, HALF) ? 0 : below(dice, propagationMs),
    graceMs,
    isShortGrace,
    activationMs: isOn(3) ? below(dice, policy.death.spacingMs) : 0,
    wrongKeys: isOn(3) ? 1 + below(dice, 3) : 0,
    wrongKey: chance(dice, HALF) ? 'mistyped' : 'short-lived',
    bringMs: isLate ? policy.awaitMaxMs - 2_000 + below(dice, 6_000) : below(dice, 5_000),
    isAbsent: isOn(16),
    removal: isClean ? 'soon' : pick(dice, REMOVALS),
    removalMs: below(dice, isLate ? 3 * policy.removalMaxMs : 3_000),
    hasNoId: isOn(6),
    // A replacement can be cancelled only before the first call that may have got through.
    cancelAt: isOn(6) ? below(dice, slots === 'grace' && chance(dice, HALF) ? 2_000 : 20_000) : null,
    supersedeAt: isOn(24) ? below(dice, 20_000) : null,
    takeOverAt: isOn(6) ? below(dice, 15_000) : null,
    hasSecond: isOn(12),
    isAskedAgain: below(dice, 4) === 0,
    hasOutage: isOn(5),
    longestMs: 200 + below(dice, isClean ? 800 : 3_000),
    lost: some(0.4),
    answerLost: some(0.4),
    late: some(0.6),
    doubled: isOn(16) ? rate(0.5) : 0,
    refused: some(0.9),
    lies: some(0.5),
    unknown: some(0.25),
    flaky: some(0.1),
    blind: some(0.8),
    crash: some(0.06),
    storeDown: some(0.15),
    storeAnswerLost: some(0.1),
    unobserved: some(0.2),
    uncovered: some(0.3),
  };
}
