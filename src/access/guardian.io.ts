// The one door: decide and record, or refuse. Nobody reaches a key's bytes around it. The decision is made from memory, at once; the
// record is handed to the writer in the order of decisions, and the caller is told when it is durable. Outcomes follow,
// packed; strangers' refusals are counted and written once a minute.
import { UNWRITTEN } from '../database/gather.ts';
import type { UtcMs } from '../model/clock.ts';
import {
  bootEntry,
  type Outcome,
  outcomesEntry,
  refusalsEntry,
  refusedEntry,
  type UseFacts,
  useEntry,
} from './leaf.ts';

/** `done` is told the index of the use, or STALE, or UNWRITTEN. */
export type Admit = (entry: string, asOf: number, done: (index: number) => void) => void;

export interface Guardian {
  /** Records an admitted use. Its answer may be released when `done` hears an index of 0 or more. */
  admitted(facts: UseFacts, done: (index: number) => void): void;
  /** Records the refusal of a known caller. */
  refused(facts: UseFacts, reason: string, done: (index: number) => void): void;
  /** Counts the refusal of somebody unknown. */
  stranger(reason: string, source: string): void;
  /** Records what became of a use; written soon, with others. */
  outcome(outcome: Outcome): void;
  /** Writes what has gathered; resolves when it was offered to the writer. */
  flush(): void;
  stop(): void;
}

/** As many outcomes as fit one entry with room to spare (an entry holds 65,535 bytes). */
const OUTCOMES_MAX = 1_000;
const OUTCOMES_EVERY_MS = 250;
const REFUSALS_EVERY_MS = 60_000;
/** Distinct reason-source pairs that are told apart within a minute; further sources are counted as `others`. */
const SOURCES_MAX = 500;
/** Outcomes that wait while the database cannot write. Beyond, further ones are lost: their uses stay `unknown`. */
const OUTCOMES_WAITING_MAX = 100_000;

export function createGuardian(options: {
  admit: Admit;
  now: () => UtcMs;
  epoch: number;
  asOf: () => number;
}): Guardian {
  let outcomes: Outcome[] = [];
  let strangers = new Map<string, [string, string, number]>();
  const { admit, now } = options;

  function offerOutcomes(group: Outcome[]): void {
    admit(outcomesEntry(now(), group), options.asOf(), (index) => {
      if (index === UNWRITTEN && outcomes.length < OUTCOMES_WAITING_MAX) outcomes = [...group, ...outcomes];
    });
  }

  function flushOutcomes(): void {
    // Taken first: an offer that fails at once puts its group back.
    const waiting = outcomes;
    outcomes = [];
    for (let i = 0; i < waiting.length; i += OUTCOMES_MAX) offerOutcomes(waiting.slice(i, i + OUTCOMES_MAX));
  }

  function flushStrangers(): void {
    if (strangers.size === 0) return;
    const counts = [...strangers.values()];
    strangers = new Map();
    const minute = Math.floor(now() / REFUSALS_EVERY_MS) * REFUSALS_EVERY_MS;
    admit(refusalsEntry(now(), minute, counts), options.asOf(), (index) => {
      if (index !== UNWRITTEN) return;
      for (const [reason, source, count] of counts) add(reason, source, count);
    });
  }

  function add(reason: string, source: string, count: number): void {
    const key = `${reason} ${source}`;
    const row = strangers.get(key);
    if (row !== undefined) row[2] += count;
    else if (strangers.size < SOURCES_MAX) strangers.set(key, [reason, source, count]);
    else if (source !== 'others') add(reason, 'others', count);
    else strangers.set(key, [reason, source, count]);
  }

  admit(bootEntry(now(), options.epoch), options.asOf(), () => {});
  const timers = [setInterval(flushOutcomes, OUTCOMES_EVERY_MS), setInterval(flushStrangers, REFUSALS_EVERY_MS)];
  for (const timer of timers) timer.unref();

  return {
    admitted(facts, done) {
      admit(useEntry(facts), facts.asOf, done);
    },
    refused(facts, reason, done) {
      admit(refusedEntry(facts, reason), facts.asOf, done);
    },
    stranger(reason, source) {
      add(reason, source, 1);
    },
    outcome(outcome) {
      outcomes.push(outcome);
      // Equal, not more: what was put back because nothing can be written is offered again by the timer, not by every use.
      if (outcomes.length === OUTCOMES_MAX) flushOutcomes();
    },
    flush() {
      flushOutcomes();
      flushStrangers();
    },
    stop() {
      for (const timer of timers) clearInterval(timer);
      flushOutcomes();
      flushStrangers();
    },
  };
}
