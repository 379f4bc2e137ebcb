// The rate limit against a bucket that is filled by hand, in whole numbers: the same requests are let through, and the wait that is
// promised is the wait that is needed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { limitOf, spend } from './limit.ts';

/** A bucket of `burst` requests that fills by `requests` in `perSeconds`. Counted in parts, so that nothing is rounded. */
function bucket(rate: { requests: number; perSeconds: number; burst: number }) {
  // One request is this many parts; each millisecond brings `rate.requests` parts.
  const one = BigInt(rate.perSeconds) * 1000n;
  const full = one * BigInt(Math.max(1, rate.burst));
  let level = full;
  let last = 0n;
  return (nowMs: number): boolean => {
    const now = BigInt(nowMs);
    const filled = level + (now - last) * BigInt(rate.requests);
    level = filled > full ? full : filled;
    last = now;
    if (level < one) return false;
    level -= one;
    return true;
  };
}

const gaps = fc.array(fc.oneof(fc.constant(0), fc.nat(40), fc.nat(2_000)), { minLength: 1, maxLength: 60 });

test('for random arrivals the limit lets through exactly what a bucket lets through', () => {
  // Rates whose interval is a whole number of milliseconds, so that the number that is kept is exact too.
  const rate = fc.record({
    requests: fc.constantFrom(1, 2, 4, 5, 10, 25, 100),
    perSeconds: fc.constantFrom(1, 2, 10, 60),
    burst: fc.integer({ min: 0, max: 8 }),
  });
  fc.assert(
    fc.property(rate, gaps, (one, waits) => {
      const limit = limitOf(one);
      const reference = bucket(one);
      let arrivalMs = Number.NEGATIVE_INFINITY;
      let now = 0;
      for (const wait of waits) {
        now += wait;
        const spent = spend(limit, arrivalMs, now);
        assert.equal(spent.allowed, reference(now), `at ${now}`);
        if (!spent.allowed) assert.equal(spent.arrivalMs, arrivalMs, 'a refusal spends nothing');
        arrivalMs = spent.arrivalMs;
      }
    }),
    { numRuns: 500 },
  );
});

test('the wait that is promised is enough, and a millisecond less is not', () => {
  const rate = { requests: 4, perSeconds: 1, burst: 3 };
  fc.assert(
    fc.property(gaps, (waits) => {
      const limit = limitOf(rate);
      let arrivalMs = Number.NEGATIVE_INFINITY;
      let now = 0;
      for (const wait of waits) {
        now += wait;
        const spent = spend(limit, arrivalMs, now);
        assert.equal(spent.retryAfterMs > 0, !spent.allowed);
        if (!spent.allowed) {
          assert.equal(spend(limit, arrivalMs, now + spent.retryAfterMs).allowed, true);
          assert.equal(spend(limit, arrivalMs, now + spent.retryAfterMs - 1).allowed, false);
        }
        arrivalMs = spent.arrivalMs;
      }
    }),
  );
});

test('over any window no more passes than the burst and what the rate brings, whatever the rate', () => {
  const rate = fc.record({
    requests: fc.integer({ min: 1, max: 997 }),
    perSeconds: fc.integer({ min: 1, max: 86_400 }),
    burst: fc.integer({ min: 0, max: 50 }),
  });
  fc.assert(
    fc.property(rate, gaps, (one, waits) => {
      const limit = limitOf(one);
      const passed: number[] = [];
      let arrivalMs = Number.NEGATIVE_INFINITY;
      let now = 0;
      for (const wait of waits) {
        now += wait;
        const spent = spend(limit, arrivalMs, now);
        if (spent.allowed) passed.push(now);
        arrivalMs = spent.arrivalMs;
      }
      for (const [i, from] of passed.entries()) {
        for (const [j, to] of passed.entries()) {
          if (j < i) continue;
          const most = Math.max(1, one.burst) + ((to - from) * one.requests) / (one.perSeconds * 1000);
          assert(j - i + 1 <= most + 1e-6, `${j - i + 1} in ${to - from} ms`);
        }
      }
    }),
  );
});

test('a burst of nothing still lets one request at a time pass', () => {
  const limit = limitOf({ requests: 1, perSeconds: 1, burst: 0 });
  const first = spend(limit, Number.NEGATIVE_INFINITY, 0);
  assert.deepEqual(first, { arrivalMs: 1000, allowed: true, retryAfterMs: 0 });
  assert.deepEqual(spend(limit, first.arrivalMs, 999), { arrivalMs: 1000, allowed: false, retryAfterMs: 1 });
  assert.equal(spend(limit, first.arrivalMs, 1000).allowed, true);
});
