// What one schedule draws from its seed before it begins: the provider's habits, the policies, the fault families that are on
// and how strong each is. Families, not single faults, are drawn: a schedule with everything on hides one fault behind
// another, a schedule with one strong family goes deep. docs/simulator.md is the fault model in words.
import { defaultOverlapPolicy, type OverlapPolicy, overlapPolicyFor } from '../../src/rotation/policy.ts';
import { below, type Dice, pick, type Rate, rate } from './random.ts';

export const FAMILIES = [
  'network',
  'crash',
  'store',
  'probes',
  'outage',
  'arrival',
  'revocation',
  'rotators',
  'clock',
  'issuer',
  'quota',
  'edits',
  'restore',
  'kills',
  'commands',
  'lists',
] as const;
export type Family = (typeof FAMILIES)[number];

/** Things that strike between two steps, and the family that each belongs to. */
const STRIKES_OF: Readonly<Record<Family, readonly Strike[]>> = {
  network: [],
  crash: ['away'],
  store: ['store-down', 'away'],
  probes: [],
  outage: ['outage'],
  arrival: [],
  revocation: ['flap'],
  rotators: ['takeover', 'second-drive', 'takeover'],
  clock: ['clock-step'],
  issuer: ['issuer-refused', 'issuer-rotating'],
  quota: ['quota-full'],
  edits: ['edit', 'upgrade'],
  restore: ['snapshot', 'restore'],
  kills: ['fresh-killed', 'old-killed', 'away'],
  commands: ['cancel', 'cancel-row'],
  lists: ['look'],
};

export type Strike =
  | 'outage'
  | 'issuer-refused'
  | 'issuer-rotating'
  | 'store-down'
  | 'quota-full'
  | 'flap'
  | 'fresh-killed'
  | 'old-killed'
  | 'takeover'
  | 'second-drive'
  | 'clock-step'
  | 'edit'
  | 'upgrade'
  | 'snapshot'
  | 'restore'
  | 'cancel'
  | 'cancel-row'
  | 'look'
  | 'away';

/** Probabilities of the faults that belong to one step. */
export interface Rates {
  strike: Rate;
  crash: Rate;
  stall: Rate;
  requestLost: Rate;
  answerLost: Rate;
  duplicated: Rate;
  late: Rate;
  storeFailed: Rate;
  storeAnswerLost: Rate;
  probeUnknown: Rate;
  probeFlaky: Rate;
  deadOnArrival: Rate;
  deleteLies: Rate;
  deleteSlow: Rate;
  deleteFlaps: Rate;
  listFails: Rate;
  listLags: Rate;
  coverFails: Rate;
  unobserved: Rate;
}

export interface Plan {
  /** No fault of any kind: such a run must never block, abort or try twice. */
  readonly isClean: boolean;
  readonly policy: OverlapPolicy;
  /** What an edit in mid-run puts in force: sound by itself, unsound when mixed with the pinned one. */
  readonly editedPolicy: OverlapPolicy;
  readonly propagationMs: number;
  /** Within this time of its making, a key may be accepted by one node of the provider and refused by another. */
  readonly activationMs: number;
  /** A key that was dead on arrival may be accepted within this time: not long enough for two acceptances that count. */
  readonly takenBackMaxMs: number;
  readonly listLagMs: number;
  /** A flap is shorter than the span of the refusals that make a proof, under either policy. */
  readonly flapMaxMs: number;
  /** The smaller spacing of the refusals that count. */
  readonly spacingMinMs: number;
  /** The exception: refusals that outlast a proof. The inventory must raise the alarm afterwards. */
  readonly hasLongFlap: boolean;
  readonly credentials: 1 | 2;
  readonly canList: boolean;
  readonly hasUniqueNames: boolean;
  /** Keys that fit into the account besides those that are there at the start. */
  readonly quotaLeft: number;
  /** The quota stays full for ever: the run must end blocked. */
  readonly quotaNeverFrees: boolean;
  readonly hasSecondCopies: boolean;
  readonly control: 'issuer' | 'other';
  readonly persons: number;
  /** A key on the account that another issuer of ours mints. */
  readonly hasForeign: boolean;
  /** A copy of this installation mints on the same account with our label parts: only the brake protects its keys. */
  readonly hasClone: boolean;
  readonly orphansMax: number;
  /** 0: nobody uses the credential; 1: short requests; 2: streams, some longer than drainMax. */
  readonly traffic: 0 | 1 | 2;
  /** Faults end after this many asks. */
  readonly faultAsks: number;
  readonly rates: Rates;
  readonly strikes: readonly Strike[];
}

const QUIET_MS = [200, 1000, 3000] as const;
const SPACING_MS = [200, 1000] as const;
const PROPAGATION_MS = [0, 500, 2000, 5000] as const;
const PERSONS = [0, 0, 1, 3] as const;
const SETTLE_MS = [500, 3000, 10_000] as const;
const STRENGTHS = [0.02, 0.06, 0.15, 0.35] as const;

function drawPolicy(dice: Dice, propagationMs: number): OverlapPolicy {
  const usual = defaultOverlapPolicy(propagationMs);
  const style = below(dice, 48);
  if (style === 0) return usual;
  if (style < 8) return overlapPolicyFor({ propagationMs }, { quietSeconds: 2, drainMaxSeconds: null });
  const refusals = 3 + below(dice, 2);
  const quietMs = pick(dice, QUIET_MS);
  const retryMinMs = 50 << below(dice, 5);
  return {
    quietMs,
    drainPollMs: Math.max(500, quietMs >> 1),
    drainMaxMs: below(dice, 4) === 0 ? 4 * quietMs : usual.drainMaxMs,
    verifyAlive: 2 + below(dice, 2),
    verifyDead: 2 + below(dice, 3),
    verifySpacingMs: pick(dice, SPACING_MS),
    death: { refusals, spacingMs: propagationMs + pick(dice, SPACING_MS) },
    settleMs: pick(dice, SETTLE_MS),
    retryMinMs,
    retryMaxMs: retryMinMs * (1 << (2 + below(dice, 8))),
    failuresMax: 3 + below(dice, 10),
    issueAttemptsMax: 1 + below(dice, 6),
    revokesMax: 1 + below(dice, 6),
    discardsMax: 1 + below(dice, 8),
    awaitMaxMs: usual.awaitMaxMs,
    removalPollMs: usual.removalPollMs,
    removalMaxMs: usual.removalMaxMs,
  };
}

/** The default policy drains for a minute, looking every second. */
function isUsual(policy: OverlapPolicy): boolean {
  return policy.quietMs >= 60_000;
}

function spanMs(policy: OverlapPolicy): number {
  return (policy.death.refusals - 1) * policy.death.spacingMs;
}

function activationSpanMs(policy: OverlapPolicy): number {
  return (policy.verifyAlive - 1) * policy.verifySpacingMs;
}

function noFaults(): Rates {
  return {
    strike: 0,
    crash: 0,
    stall: 0,
    requestLost: 0,
    answerLost: 0,
    duplicated: 0,
    late: 0,
    storeFailed: 0,
    storeAnswerLost: 0,
    probeUnknown: 0,
    probeFlaky: 0,
    deadOnArrival: 0,
    deleteLies: 0,
    deleteSlow: 0,
    deleteFlaps: 0,
    listFails: 0,
    listLags: 0,
    coverFails: 0,
    unobserved: 0,
  };
}

/** When the faults are over. */
export const NO_FAULTS: Readonly<Rates> = noFaults();

/** Which families are on: none in an eighth of the schedules, one or two strong ones in a third, else each with a chance. */
function drawFamilies(dice: Dice): number {
  const style = below(dice, 24);
  if (style < 3) return 0;
  if (style < 11) return (1 << below(dice, FAMILIES.length)) | (1 << below(dice, FAMILIES.length));
  let set = 0;
  for (let i = 0; i < FAMILIES.length; i++) if (below(dice, 3) === 0) set |= 1 << i;
  return set;
}

function turnOn(rates: Rates, family: Family, p: number): void {
  switch (family) {
    case 'network':
      rates.requestLost = rate(p / 2);
      rates.answerLost = rate(p);
      rates.duplicated = rate(p);
      rates.late = rate(p);
      break;
    case 'crash':
      rates.crash = rate(p / 2);
      break;
    case 'store':
      rates.storeFailed = rate(p);
      rates.storeAnswerLost = rate(p);
      break;
    case 'probes':
      rates.probeUnknown = rate(p * 2);
      rates.probeFlaky = rate(p);
      break;
    case 'arrival':
      rates.deadOnArrival = rate(p * 2);
      break;
    case 'revocation':
      rates.deleteLies = rate(p * 2);
      rates.deleteSlow = rate(0.5);
      rates.deleteFlaps = rate(0.5);
      break;
    case 'restore':
      // What a restore makes dangerous are deletions that are still under way.
      rates.late = Math.max(rates.late, rate(p));
      rates.deleteSlow = rate(0.5);
      break;
    case 'rotators':
      rates.stall = rate(p);
      break;
    case 'lists':
      rates.listFails = rate(p);
      rates.listLags = rate(p * 2);
      rates.coverFails = rate(p);
      rates.unobserved = rate(p);
      break;
    default:
      break;
  }
}

export function drawPlan(dice: Dice): Plan {
  const propagationMs = pick(dice, PROPAGATION_MS);
  const policy = drawPolicy(dice, propagationMs);
  const families = drawFamilies(dice);
  const isClean = families === 0;
  const rates = noFaults();
  const strikes: Strike[] = [];
  for (let i = 0; i < FAMILIES.length; i++) {
    if ((families & (1 << i)) === 0) continue;
    const family = FAMILIES[i]!;
    turnOn(rates, family, pick(dice, STRENGTHS));
    for (const strike of STRIKES_OF[family]) strikes.push(strike);
  }
  if (strikes.length > 0) rates.strike = rate(pick(dice, STRENGTHS));
  const isOn = (family: Family): boolean => (families & (1 << FAMILIES.indexOf(family))) !== 0;
  const edited = isOn('edits') ? drawPolicy(dice, propagationMs) : policy;
  const flapMaxMs = Math.min(spanMs(policy), spanMs(edited)) - 1;
  const spacingMinMs = Math.min(policy.death.spacingMs, edited.death.spacingMs);
  const activationMaxMs = Math.min(activationSpanMs(policy), activationSpanMs(edited), spacingMinMs - 1);
  const hasLongFlap = isOn('revocation') && below(dice, 16) === 0;
  return {
    isClean,
    policy,
    editedPolicy: edited,
    propagationMs,
    activationMs: isOn('arrival') ? below(dice, activationMaxMs + 1) : 0,
    takenBackMaxMs: Math.min(policy.verifySpacingMs, edited.verifySpacingMs),
    listLagMs: below(dice, 2) * 400,
    flapMaxMs,
    spacingMinMs,
    hasLongFlap,
    credentials: below(dice, 8) === 0 ? 2 : 1,
    canList: below(dice, 16) !== 0,
    hasUniqueNames: below(dice, 4) === 0,
    quotaLeft: isOn('quota') ? 1 + below(dice, 2) : 1000,
    quotaNeverFrees: isOn('quota') && below(dice, 16) === 0,
    hasSecondCopies: isOn('restore') || below(dice, 8) !== 0,
    control: below(dice, 4) === 0 && !isOn('kills') && !isOn('restore') ? 'other' : 'issuer',
    persons: pick(dice, PERSONS),
    hasForeign: below(dice, 4) === 0,
    hasClone: below(dice, 64) === 0,
    orphansMax: 4 + below(dice, 4),
    traffic: below(dice, 3) as 0 | 1 | 2,
    // A policy that polls often must not outlast the faults while it drains.
    faultAsks: isClean ? 0 : 8 + below(dice, 80) + (isUsual(policy) ? 2 * below(dice, 70) : 0),
    rates,
    strikes,
  };
}
