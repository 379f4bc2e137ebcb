// The shell around a protocol, as a generator: journal the intent, act, journal the outcome. It asks for everything that
// touches the world and gets the answers back, so that the very same code runs in production (which answers with a database
// and a provider) and in the simulator (which answers with faults, a million times a minute).
import type { Instant } from '../model/instant.ts';

export type Decision<Effect, Event> =
  | { readonly kind: 'act'; readonly effect: Effect; readonly journalFirst: boolean }
  /** Nothing to do outside: the event is the step. */
  | { readonly kind: 'note'; readonly event: Event }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'finished' };

/** A protocol: pure, total functions over a state that is written down after each material change. */
export interface Protocol<State, Effect, Event, Policy> {
  decide(state: State, now: Instant, policy: Policy): Decision<Effect, Event>;
  evolve(state: State, event: Event | { readonly on: 'begun' }, now: Instant, policy: Policy): State;
  /** Whether two states differ in something that must survive a crash; a pause or a counter of this process need not. */
  isMaterial(before: State, after: State): boolean;
  /** What is void when a row is read anew, after a crash or a write that failed for good; null where nothing is. */
  voidOnRead(state: State): Event | null;
}

export type Ask<State, Effect, Event> =
  /** Write the row and its journal entry in one fenced transaction, with whatever the event brought. */
  | {
      readonly ask: 'journal';
      readonly before: State;
      readonly after: State;
      readonly event: Event | { readonly on: 'begun' };
    }
  /** Perform an effect. The answer is its event; one that cannot be told is the event that claims least. */
  | { readonly ask: 'act'; readonly effect: Effect }
  /** Come back after so many milliseconds, or sooner with a command of the operator's as `event`. */
  | { readonly ask: 'wait'; readonly ms: number };

export interface Answer<Event> {
  readonly now: Instant;
  /** For `act`: what happened. For `wait`: a command, if one came. */
  readonly event: Event | null;
  /** For `journal`: `done`; `conflict`, when the row is no longer the one we know (fence lost, or our own write whose answer
   *  was lost): read it again; `failed`: nothing is known, try again. */
  readonly journal: 'done' | 'conflict' | 'failed' | null;
}

export type DriveEnd = 'finished' | 'reload';

/** How a failing database is tried again with what cannot be had twice. */
export interface Retries {
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
}

/** How often the outcome of an act is offered to a failing database before the run is left to be resumed from its row. */
const JOURNAL_TRIES = 12;

/**
 * Drives a protocol until it is finished, or until its row must be read again (`reload`).
 * Abandoning the generator at any yield is a crash: what was not journaled did not happen, except out there.
 */
export function* driveProtocol<State, Effect, Event, Policy extends Retries>(
  protocol: Protocol<State, Effect, Event, Policy>,
  start: State,
  policy: Policy,
  from: Instant,
): Generator<Ask<State, Effect, Event>, DriveEnd, Answer<Event>> {
  let state = start;
  let now = from;
  // What comes before the next decision: a command that was given while an outcome was still being written, for one.
  let command: Event | null = protocol.voidOnRead(start);
  for (;;) {
    const next = protocol.decide(state, now, policy);
    if (next.kind === 'finished') return 'finished';
    let event: Event;
    if (command !== null) {
      event = command;
      command = null;
    } else if (next.kind === 'wait') {
      const woken: Answer<Event> = yield { ask: 'wait', ms: next.ms };
      now = woken.now;
      if (woken.event === null) continue;
      event = woken.event;
    } else if (next.kind === 'note') {
      event = next.event;
    } else {
      if (next.journalFirst) {
        const begun = protocol.evolve(state, { on: 'begun' }, now, policy);
        const written: Answer<Event> = yield { ask: 'journal', before: state, after: begun, event: { on: 'begun' } };
        now = written.now;
        if (written.journal !== 'done') return 'reload';
        state = begun;
      }
      const acted: Answer<Event> = yield { ask: 'act', effect: next.effect };
      now = acted.now;
      if (acted.event === null) return 'reload';
      event = acted.event;
    }
    const after = protocol.evolve(state, event, now, policy);
    if (protocol.isMaterial(state, after)) {
      let written: Answer<Event> = yield { ask: 'journal', before: state, after, event };
      for (let tries = 1; written.journal === 'failed' && tries < JOURNAL_TRIES; tries++) {
        const woken: Answer<Event> = yield {
          ask: 'wait',
          ms: Math.min(policy.retryMaxMs, policy.retryMinMs * 2 ** Math.min(tries, 10)),
        };
        command ??= woken.event;
        written = yield { ask: 'journal', before: state, after, event };
      }
      now = written.now;
      if (written.journal !== 'done') return 'reload';
    }
    state = after;
  }
}
