// The shell around the protocol: in which order it asks, and what it makes of each kind of answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, type Ask, type DriveEnd, driveProtocol } from '../credentials/drive.ts';
import { beginOverlap, evolve, OVERLAP, type OverlapEffect, type OverlapEvent, type OverlapState } from './overlap.ts';
import { defaultOverlapPolicy, type OverlapPolicy } from './policy.ts';
import { CANCELLED, FRESH, OLD } from './test-support.ts';

const POLICY: OverlapPolicy = { ...defaultOverlapPolicy(0), quietMs: 2000 };
const START = beginOverlap(OLD, { boot: 1, mono: 0 });

/** A driver under test: answers its asks and keeps what it asked. */
function begin(state: OverlapState = START) {
  const steps = driveProtocol(OVERLAP, state, POLICY, { boot: 1, mono: 0 });
  let mono = 0;
  let step = steps.next();
  const asked: string[] = [];
  const note = (): void => {
    if (!step.done) asked.push(nameOf(step.value));
  };
  note();
  return {
    asked,
    get ask(): Ask<OverlapState, OverlapEffect, OverlapEvent> {
      assert.ok(!step.done, 'it has ended');
      return step.value;
    },
    get end(): DriveEnd | null {
      return step.done ? step.value : null;
    },
    /** Answers the ask in hand, after so many milliseconds. */
    answer(said: Partial<Answer<OverlapEvent>>, afterMs = 1): void {
      assert.ok(!step.done, 'it has ended');
      mono += afterMs;
      step = steps.next({ now: { boot: 1, mono }, event: null, journal: null, ...said });
      note();
    },
  };
}
type Driver = ReturnType<typeof begin>;

function nameOf(ask: Ask<OverlapState, OverlapEffect, OverlapEvent>): string {
  if (ask.ask === 'journal') return `journal ${ask.event.on}`;
  return ask.ask === 'act' ? `act ${ask.effect.do}` : 'wait';
}

/** Answers as a world in which all goes well. */
function answerWell(driver: Driver): void {
  const ask = driver.ask;
  if (ask.ask === 'journal') driver.answer({ journal: 'done' });
  else if (ask.ask === 'wait') driver.answer({}, ask.ms);
  else driver.answer({ event: outcomeOf(ask.effect.do, driver) });
}

function outcomeOf(effect: string, driver: Driver): OverlapEvent {
  const isRevoked = driver.asked.includes('act revoke');
  switch (effect) {
    case 'issue':
      return { on: 'issued', ...FRESH };
    case 'probe':
      return { on: 'probed', verdict: isRevoked ? 'dead' : 'alive' };
    case 'observe':
      return { on: 'observed', known: true, inFlight: 0, idleMs: 2000 };
    case 'cover':
      return { on: 'covered', by: 'copy' };
    case 'revoke':
      return { on: 'revoke-called' };
    default:
      return { on: 'listed', orphans: [] };
  }
}

/** Drives until it asks for this, and not further. */
function driveTo(driver: Driver, name: string): void {
  for (let steps = 0; nameOf(driver.ask) !== name; steps++) {
    assert.ok(steps < 100, `it never asks for ${name}`);
    answerWell(driver);
  }
}

test('a rotation in which all goes well asks for these things, in this order', () => {
  const driver = begin();
  while (driver.end === null) answerWell(driver);
  assert.equal(driver.end, 'finished');
  assert.deepEqual(driver.asked, [
    ...['journal begun', 'act issue', 'journal issued'],
    ...['act probe', 'wait', 'act probe', 'journal probed', 'journal promoted'],
    ...['act observe', 'journal observed', 'act cover', 'journal covered', 'act probe', 'journal probed'],
    ...['journal begun', 'act revoke', 'journal revoke-called'],
    ...['act probe', 'journal probed', 'wait', 'act probe', 'journal probed', 'wait', 'act probe', 'journal probed'],
    ...['act list', 'journal listed'],
  ]);
});

test('each journal entry begins where the one before ended', () => {
  const driver = begin();
  let row = START;
  while (driver.end === null) {
    const ask = driver.ask;
    if (ask.ask === 'journal') {
      assert.deepEqual({ ...ask.before, alive: 0, dead: 0, failures: 0, pause: null }, { ...row, pause: null });
      row = { ...ask.after, alive: 0, dead: 0, failures: 0 };
    }
    answerWell(driver);
  }
  assert.equal(row.end, 'rotated');
});

test('no call is made whose intent could not be written', () => {
  for (const journal of ['failed', 'conflict'] as const) {
    const driver = begin();
    driver.answer({ journal });
    assert.equal(driver.end, 'reload');
    assert.deepEqual(driver.asked, ['journal begun']);
  }
});

test('an outcome is offered to a failing store again, longer apart each time, and then the row is read anew', () => {
  const driver = begin();
  driveTo(driver, 'journal issued');
  const waits: number[] = [];
  let offers = 0;
  while (driver.end === null) {
    const ask = driver.ask;
    if (ask.ask === 'wait') {
      waits.push(ask.ms);
      driver.answer({}, ask.ms);
    } else {
      assert.equal(nameOf(ask), 'journal issued');
      offers++;
      driver.answer({ journal: 'failed' });
    }
  }
  assert.equal(driver.end, 'reload');
  assert.equal(offers, 12);
  assert.deepEqual(waits.slice(0, 4), [2000, 4000, 8000, 16_000]);
  assert.ok(waits.every((ms) => ms <= POLICY.retryMaxMs));
});

test('an outcome that the store takes at last is not lost', () => {
  const driver = begin();
  driveTo(driver, 'journal issued');
  driver.answer({ journal: 'failed' });
  driver.answer({});
  driver.answer({ journal: 'done' });
  assert.equal(nameOf(driver.ask), 'act probe');
});

test('a conflict means that the row is read again', () => {
  const driver = begin();
  driveTo(driver, 'journal issued');
  driver.answer({ journal: 'conflict' });
  assert.equal(driver.end, 'reload');
});

test('an act without any answer leaves the run to be resumed from its row', () => {
  const driver = begin();
  driveTo(driver, 'act issue');
  driver.answer({ event: null });
  assert.equal(driver.end, 'reload');
});

test('what differs only in a pause or a counter is not written', () => {
  const driver = begin();
  driveTo(driver, 'act observe');
  const before = driver.asked.length;
  for (let polls = 0; polls < 5; polls++) {
    driver.answer({ event: { on: 'observed', known: true, inFlight: 1, idleMs: 0 } });
    driver.answer({}, 1000);
  }
  const asked = driver.asked.slice(before);
  assert.deepEqual(new Set(asked), new Set(['wait', 'act observe']));
});

test('a command is taken in any wait', () => {
  const driver = begin();
  driveTo(driver, 'wait');
  driver.answer({ event: CANCELLED });
  const ask = driver.ask;
  assert.ok(ask.ask === 'journal' && ask.event === CANCELLED && ask.after.undoing === CANCELLED.reason);
});

test('a command that comes while an outcome is being written comes right after it', () => {
  const driver = begin();
  driveTo(driver, 'journal issued');
  driver.answer({ journal: 'failed' });
  driver.answer({ event: CANCELLED });
  assert.equal(nameOf(driver.ask), 'journal issued');
  driver.answer({ journal: 'failed' });
  driver.answer({ event: { on: 'cancelled', reason: 'a later one' } });
  driver.answer({ journal: 'done' });
  const ask = driver.ask;
  assert.ok(ask.ask === 'journal' && ask.event === CANCELLED && ask.before.fresh?.versionId === FRESH.versionId);
});

test('a row that is read with evidence of a death gathers it anew, and says so', () => {
  const driver = begin();
  driveTo(driver, 'act revoke');
  driveTo(driver, 'wait');
  const state = stateOf(driver);
  assert.equal(state.death.refusals, 1);
  const again = begin(state);
  const ask = again.ask;
  assert.ok(ask.ask === 'journal' && ask.event.on === 'lapsed' && ask.after.death.refusals === 0);
});

/** The state that a driver has come to: what its asks so far make of the start. */
function stateOf(driver: Driver): OverlapState {
  let state = START;
  const replay = begin();
  for (let index = 0; index < driver.asked.length - 1; index++) {
    const ask = replay.ask;
    if (ask.ask === 'journal') state = ask.after;
    answerWell(replay);
  }
  return state;
}

test('an ended rotation asks for nothing', () => {
  const ended = evolve(START, { on: 'superseded', reason: 'a backup was restored' }, { boot: 1, mono: 0 }, POLICY);
  assert.equal(begin(ended).end, 'finished');
});
