// Holding the traffic of a credential: who waits, in which order they go on, that nothing is held for ever, and that nobody is called back twice
// or at once. Time is a list of timers that the test lets pass.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGate, type Gate, type Passage } from './gate.ts';

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

function bench(): { gate: Gate; pass(ms: number): void; readonly pending: number } {
  let now = 0;
  let timers: Timer[] = [];
  const gate = createGate((ms, run) => {
    const timer = { at: now + ms, run };
    timers.push(timer);
    return () => {
      timers = timers.filter((one) => one !== timer);
    };
  });
  return {
    gate,
    pass(ms) {
      const until = now + ms;
      for (let steps = 0; steps < 10_000; steps++) {
        const due = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
        if (due === undefined) break;
        timers = timers.filter((one) => one !== due);
        now = due.at;
        due.run();
      }
      now = until;
    },
    get pending() {
      return timers.length;
    },
  };
}

/** Waits under these names and writes down how each wait ended. */
function waiting(
  gate: Gate,
  credentialId: string,
  names: readonly string[],
): { ended: string[]; leave: (() => void)[] } {
  const ended: string[] = [];
  const leave = names.map((name) => gate.wait(credentialId, (how: Passage) => ended.push(`${name} ${how}`)));
  return { ended, leave };
}

test('nothing is held at first, and a wait where nothing is held ends soon, never at once', () => {
  const { gate, pass } = bench();
  assert.deepEqual([gate.isAnyHeld, gate.isHeld('a')], [false, false]);
  const { ended } = waiting(gate, 'a', ['1']);
  assert.deepEqual(ended, []);
  pass(0);
  assert.deepEqual(ended, ['1 go']);
});

test('what waits goes on when it is let go, in the order in which it came, and other credentials never wait', () => {
  const { gate, pass } = bench();
  gate.hold('a', 1_000);
  assert.deepEqual([gate.isAnyHeld, gate.isHeld('a'), gate.isHeld('b')], [true, true, false]);
  const { ended } = waiting(gate, 'a', ['1', '2', '3']);
  const other = waiting(gate, 'b', ['b']);
  pass(10);
  assert.deepEqual([ended, other.ended], [[], ['b go']]);
  gate.release('b');
  assert.deepEqual(ended, []);
  gate.release('a');
  assert.deepEqual(ended, ['1 go', '2 go', '3 go']);
  assert.deepEqual([gate.isAnyHeld, gate.isHeld('a')], [false, false]);
  gate.release('a');
  pass(10_000);
  assert.equal(ended.length, 3, 'nobody is called twice');
});

test('a hold ends by itself, whatever became of whoever made it', () => {
  const bed = bench();
  bed.gate.hold('a', 1_000);
  const { ended } = waiting(bed.gate, 'a', ['1']);
  bed.pass(999);
  assert.deepEqual([ended, bed.gate.isHeld('a')], [[], true]);
  bed.pass(1);
  assert.deepEqual([ended, bed.gate.isHeld('a')], [['1 go'], false]);
  assert.equal(bed.pending, 0);
});

test('a second hold begins the time anew, and what waits already goes on waiting', () => {
  const { gate, pass } = bench();
  gate.hold('a', 1_000);
  const { ended } = waiting(gate, 'a', ['1']);
  pass(900);
  gate.hold('a', 1_000);
  pass(900);
  assert.deepEqual([ended, gate.isHeld('a')], [[], true]);
  pass(100);
  assert.deepEqual(ended, ['1 go']);
});

test('a hold that was let go leaves no timer behind that would end the next one', () => {
  const bed = bench();
  bed.gate.hold('a', 1_000);
  bed.gate.release('a');
  assert.equal(bed.pending, 0);
  bed.gate.hold('a', 5_000);
  bed.pass(1_000);
  assert.equal(bed.gate.isHeld('a'), true);
});

test('whoever leaves is not called any more, held or not', () => {
  const { gate, pass } = bench();
  gate.hold('a', 1_000);
  const { ended, leave } = waiting(gate, 'a', ['1', '2']);
  leave[0]!();
  leave[0]!();
  gate.release('a');
  assert.deepEqual(ended, ['2 go']);
  leave[1]!();
  const free = waiting(gate, 'a', ['3']);
  free.leave[0]!();
  pass(1_000);
  assert.deepEqual(free.ended, []);
});

test('so many may wait and no more; a place that becomes free is taken', () => {
  const { gate, pass } = bench();
  gate.hold('a', 1_000);
  const names = Array.from({ length: 1_024 }, (_, index) => String(index));
  const { ended, leave } = waiting(gate, 'a', names);
  const late = waiting(gate, 'a', ['late']);
  assert.deepEqual(late.ended, []);
  pass(0);
  assert.deepEqual([late.ended, ended], [['late full'], []]);
  leave[7]!();
  const next = waiting(gate, 'a', ['next']);
  pass(0);
  assert.deepEqual(next.ended, []);
  gate.release('a');
  assert.deepEqual([ended.length, next.ended], [1_023, ['next go']]);
});

test('what is called back may hold, wait and let go itself', () => {
  const { gate, pass } = bench();
  gate.hold('a', 1_000);
  const seen: string[] = [];
  gate.wait('a', () => {
    seen.push(`held ${gate.isHeld('a')}`);
    gate.hold('a', 500);
    gate.wait('a', (how) => seen.push(`again ${how}`));
  });
  gate.wait('a', () => seen.push('second'));
  gate.release('a');
  assert.deepEqual(seen, ['held false', 'second']);
  pass(500);
  assert.deepEqual(seen, ['held false', 'second', 'again go']);
});
