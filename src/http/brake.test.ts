// The brake on failed authentications: per source, bounded, and recovering.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createBrake } from './brake.ts';

const limits = { burst: 3, everySeconds: 10, sourcesMax: 100 };

test('a burst is answered plainly, then each further failure says how long to wait', () => {
  const brake = createBrake(limits);
  assert.deepEqual(
    [0, 0, 0, 0].map(() => brake.failed('192.0.2.1', 0)),
    [0, 0, 0, 10_000],
  );
  assert.equal(brake.failed('192.0.2.1', 4_000), 6_000);
  assert.equal(brake.failed('192.0.2.1', 10_000), 0);
});

test('one source does not hold up another', () => {
  const brake = createBrake(limits);
  for (let i = 0; i < 10; i++) brake.failed('192.0.2.1', 0);
  assert.equal(brake.failed('192.0.2.2', 0), 0);
});

test('the addresses of one /64 are one source, and a mapped IPv4 address is that address', () => {
  const brake = createBrake(limits);
  for (let i = 0; i < 3; i++) brake.failed(`2001:db8::${i + 1}`, 0);
  assert.ok(brake.failed('2001:db8::ffff', 0) > 0);
  assert.equal(brake.failed('2001:db8:0:1::1', 0), 0);
  for (let i = 0; i < 3; i++) brake.failed('192.0.2.1', 0);
  assert.ok(brake.failed('::ffff:192.0.2.1', 0) > 0);
});

test('memory is bounded: who failed longest ago is forgotten first', () => {
  const brake = createBrake(limits);
  for (let i = 0; i < 3; i++) brake.failed('198.51.100.1', 0);
  for (let i = 0; i < 250; i++) {
    brake.failed(`192.0.2.${i}`, 0);
    if (i % 50 === 0) brake.failed('198.51.100.1', 0);
  }
  assert.equal(brake.sources, 100);
  assert.ok(brake.failed('198.51.100.1', 0) > 0, 'a source that keeps failing is remembered');
});
