// The shell around the protocol, as a generator: journal the intent, act, journal the outcome. It asks for everything that
// touches the world and gets the answers back, so that the very same code runs in production (rotator.io.ts answers with a
// database and a provider) and in the simulator (which answers with faults, a million times a minute).
import type { Instant } from '../model/instant.ts';
import { decide, evolve, type OverlapEffect, type OverlapEvent, type OverlapState, voidOnRead } from './overlap.ts';
import type { OverlapPolicy } from './policy.ts';

export type Ask =
  /** Write the row and its journal entry in one fenced transaction; with `issued` also the new version and its envelope. */
  | {
      readonly ask: 'journal';
      readonly before: OverlapState;
      readonly after: OverlapState;
      readonly event: OverlapEvent;
    }
  /** Perform an effect. The answer is its event; one that cannot be told is the event that claims least. */
  | { readonly ask: 'act'; readonly effect: OverlapEffect }
  /** Come back after so many milliseconds, or sooner with a command of the operator's as `event`. */
  | { readonly ask: 'wait'; readonly ms: number };

export interface Answer {
  readonly now: Instant;
  /** For `act`: what happened. For `wait`: a command, if one came. */
  readonly event: OverlapEvent | null;
  /** For `journal`: `done`; `conflict`, when the row is no longer the one we know (fence lost, or our own write whose answer
   *  was lost): read it again; `failed`: nothing is known, try again. */
  readonly journal: 'done' | 'conflict' | 'failed' | null;
}

export type DriveEnd = 'finished' | 'reload';

/** How often the outcome of an act is offered to a failing database before the run is left to be resumed from its row. */
const JOURNAL_TRIES = 12;

/**
 * Drives a rotation until it is finished, or until its row must be read again (`reload`).
 * Abandoning the generator at any yield is a crash: what was not journaled did not happen, except out there.
 */
export function* drive(start: OverlapState, policy: OverlapPolicy, from: Instant): Generator<Ask, DriveEnd, Answer> {
  let state = start;
  let now = from;
  // What comes before the next decision: a command that was given while an outcome was still being written, for one.
  let command: OverlapEvent | null = voidOnRead(start);
  for (;;) {
    const next = decide(state, now, policy);
    if (next.kind === 'finished') return 'finished';
    let event: OverlapEvent;
    if (command !== null) {
      event = command;
      command = null;
    } else if (next.kind === 'wait') {
      const woken: Answer = yield { ask: 'wait', ms: next.ms };
      now = woken.now;
      if (woken.event === null) continue;
      event = woken.event;
    } else if (next.kind === 'note') {
      event = next.event;
    } else {
      if (next.journalFirst) {
        const begun = evolve(state, { on: 'begun' }, now, policy);
        const written: Answer = yield { ask: 'journal', before: state, after: begun, event: { on: 'begun' } };
        now = written.now;
        if (written.journal !== 'done') return 'reload';
        state = begun;
      }
      const acted: Answer = yield { ask: 'act', effect: next.effect };
      now = acted.now;
      if (acted.event === null) return 'reload';
      event = acted.event;
    }
    const after = evolve(state, event, now, policy);
    if (isMaterial(state, after)) {
      let written: Answer = yield { ask: 'journal', before: state, after, event };
      for (let tries = 1; written.journal === 'failed' && tries < JOURNAL_TRIES; tries++) {
        const woken: Answer = yield {
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

/** Whether two states differ in nothing but a pause or an in-memory counter: then the row need not be written. */
function isMaterial(before: OverlapState, after: OverlapState): boolean {
  if (before === after) return false;
  return (
    before.step !== after.step ||
    before.intent !== after.intent ||
    before.attempt !== after.attempt ||
    before.fresh !== after.fresh ||
    before.promoted !== after.promoted ||
    before.undoing !== after.undoing ||
    before.target !== after.target ||
    before.death !== after.death ||
    before.revokes !== after.revokes ||
    before.discards !== after.discards ||
    before.orphans !== after.orphans ||
    before.overdue !== after.overdue ||
    before.end !== after.end
  );
}
