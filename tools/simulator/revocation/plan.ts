// What goes wrong in one schedule, drawn from its seed: the provider's habits, the control key's, the person's, the faults. The limits of the model:
// a deletion spreads within the propagation time of the kind, or within twice that where no refusal is false, unless the schedule is one whose
// provider keeps no limit at all; a false refusal stands alone; faults end, and then the person does what is asked.
import { defaultRevocationPolicy } from '../../../src/revocation/order.ts';
import type { RevocationPolicy } from '../../../src/revocation/revocation.ts';
import { below, chance, type Dice, HALF, pick, type Rate, rate } from '../random.ts';

/** How long some node of the provider accepts a key that was deleted: for the kind's propagation, up to two spacings, or far beyond both. */
export type Spread = 'within' | 'twice' | 'beyond';

/** What a person does about an order that waits for them, as long as there are faults. */
export type Habit = 'resumes' | 'by-hand' | 'claims' | 'absent';

export interface RevocationPlan {
  readonly isClean: boolean;
  /** Whether the key can be revoked from here. */
  readonly hasId: boolean;
  /** Whether there is a key that can serve as control, when the faults are over. */
  readonly hasControl: boolean;
  readonly policy: RevocationPolicy;
  readonly propagationMs: number;
  readonly spread: Spread;
  /** For each node of the provider, how long after a deletion it accepts the key. */
  readonly nodesMs: readonly number[];
  /** Lost calls arrive within this time. */
  readonly lateMs: number;
  /** The provider's deletion says that it did, and does nothing, for ever: only its console works. */
  readonly isDeaf: boolean;
  readonly habit: Habit;
  readonly personMs: number;
  /** The control is refused, or is not there, between these times. */
  readonly refusedControl: Span | null;
  readonly absentControl: Span | null;
  /** The issuer is gone from here, and comes back, or never does: `until` is null then. */
  readonly absentIssuer: { readonly from: number; readonly until: number | null } | null;
  readonly outage: Span | null;
  readonly storeDown: Span | null;
  /** Another process takes over, without the first one knowing. */
  readonly takeOverAt: number | null;
  /** The provider gives the key back. */
  readonly resurrectAt: number | null;
  /** A rotation is revoking the very same key. */
  readonly rotationAt: number | null;
  /** The same version is ordered to end once more. */
  readonly secondAt: number | null;
  /** Somebody says go on, whatever the order is doing. */
  readonly resumeAt: number | null;
  readonly wallStepAt: number | null;
  readonly lost: Rate;
  readonly late: Rate;
  readonly answerLost: Rate;
  readonly refused: Rate;
  readonly lies: Rate;
  readonly unknown: Rate;
  readonly slow: Rate;
  readonly flaky: Rate;
  readonly controlFlaky: Rate;
  readonly crash: Rate;
  readonly storeFails: Rate;
  readonly storeAnswerLost: Rate;
}

export interface Span {
  readonly from: number;
  readonly until: number;
}

/** Refusals of a living key that are false, and acceptances of one that the provider gave back, are this many spacings apart. */
export const APART = 3;
export const FAULTS_END_MS = 30_000;
/** A process that was overtaken stops within this time. */
export const STALL_MAX_MS = 1_500;
/** Three readings take longer than this, and every outage as well: it never falls between two of them. */
export const OUTAGE_MIN_MS = 8_000;

const HABITS = ['resumes', 'by-hand', 'claims', 'absent'] as const;

/** Where nothing goes wrong, the policy of production is enough; else its brakes are drawn so tight that they are met. */
function drawPolicy(dice: Dice, isClean: boolean, propagationMs: number): RevocationPolicy {
  if (isClean) return defaultRevocationPolicy(propagationMs);
  return {
    ...defaultRevocationPolicy(propagationMs),
    retryMinMs: 200 + below(dice, 300),
    retryMaxMs: 700 + below(dice, 4_000),
    revokesMax: 3 + below(dice, 5),
    failuresMax: 4 + below(dice, 8),
  };
}

function drawNodes(dice: Dice, spread: Spread, propagationMs: number): readonly number[] {
  const spacingMs = Math.max(1_000, propagationMs);
  const most = spread === 'within' ? propagationMs : (spread === 'twice' ? 2 : 12) * spacingMs;
  return [0, below(dice, most), below(dice, most)];
}

function drawAbsence(span: Span | null, isForGood: boolean): RevocationPlan['absentIssuer'] {
  return span === null || !isForGood ? span : { ...span, until: null };
}

export function drawPlan(dice: Dice): RevocationPlan {
  const isClean = below(dice, 10) === 0;
  const isOn = (oneIn: number): boolean => !isClean && below(dice, oneIn) === 0;
  const some = (most: number): Rate => (!isClean && chance(dice, HALF) ? rate((below(dice, 1000) / 1000) * most) : 0);
  const at = (oneIn: number): number | null => (isOn(oneIn) ? below(dice, 15_000) : null);
  const span = (oneIn: number, leastMs: number): Span | null => {
    if (!isOn(oneIn)) return null;
    const from = below(dice, 12_000);
    return { from, until: from + leastMs + below(dice, 12_000) };
  };
  const propagationMs = 200 + below(dice, 2_000);
  const spread = isOn(16) ? 'beyond' : isOn(4) ? 'twice' : 'within';
  return {
    isClean,
    hasId: below(dice, 8) !== 0,
    hasControl: !isOn(20),
    policy: drawPolicy(dice, isClean, propagationMs),
    propagationMs,
    spread,
    nodesMs: drawNodes(dice, spread, propagationMs),
    lateMs: 500 + below(dice, 8_000),
    isDeaf: isOn(16),
    habit: isClean ? 'by-hand' : pick(dice, HABITS),
    personMs: 500 + below(dice, 8_000),
    refusedControl: span(5, 100),
    absentControl: span(8, 100),
    absentIssuer: drawAbsence(span(6, 2_000), isOn(2)),
    outage: span(5, OUTAGE_MIN_MS),
    storeDown: span(6, chance(dice, HALF) ? 100 : 12_000),
    takeOverAt: at(6),
    resurrectAt: at(6),
    rotationAt: at(8),
    secondAt: at(6),
    resumeAt: isOn(6) ? below(dice, 40_000) : null,
    wallStepAt: at(3),
    lost: some(0.4),
    late: some(0.6),
    answerLost: some(0.4),
    refused: some(0.5),
    lies: some(0.6),
    unknown: some(0.3),
    slow: some(0.3),
    flaky: spread === 'twice' ? 0 : some(0.3),
    controlFlaky: some(0.2),
    crash: some(0.06),
    storeFails: some(0.2),
    storeAnswerLost: some(0.1),
  };
}
