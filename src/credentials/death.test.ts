// Proof of death: the table of a bracketed probe, and what any sequence of verdicts may add up to.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Instant } from '../model/instant.ts';
import { type DeathEvidence, isProvenDead, NO_EVIDENCE, nextProbeMs, verdict, weigh } from './death.ts';

const READINGS = ['alive', 'dead', 'unknown'] as const;
const POLICY = { refusals: 3, spacingMs: 1000 };

function at(mono: number, boot = 1): Instant {
  return { boot, mono };
}

test('an acceptance is an acceptance, whatever the controls say', () => {
  for (const before of READINGS) {
    for (const after of READINGS) assert.equal(verdict({ before, target: 'alive', after }), 'alive');
  }
});

test('a refusal counts only between two acceptances of the control', () => {
  for (const before of READINGS) {
    for (const after of READINGS) {
      const isControlled = before === 'alive' && after === 'alive';
      assert.equal(
        verdict({ before, target: 'dead', after }),
        isControlled ? 'dead' : 'unknown',
        `${before}, ${after}`,
      );
    }
  }
});

test('a reading that cannot be told is unknown, whatever the controls say', () => {
  for (const before of READINGS) {
    for (const after of READINGS) assert.equal(verdict({ before, target: 'unknown', after }), 'unknown');
  }
});

test('refusals count one by one, at least the spacing apart', () => {
  let evidence = weigh(NO_EVIDENCE, 'dead', at(0), POLICY);
  assert.equal(evidence.refusals, 1);
  assert.equal(weigh(evidence, 'dead', at(999), POLICY), evidence);
  evidence = weigh(evidence, 'dead', at(1000), POLICY);
  assert.deepEqual(evidence, { refusals: 2, lastRefusal: at(1000) });
  assert.equal(isProvenDead(evidence, POLICY), false);
  evidence = weigh(evidence, 'dead', at(2000), POLICY);
  assert.equal(isProvenDead(evidence, POLICY), true);
});

test('an acceptance discards what was gathered, an unknown reading changes nothing', () => {
  const evidence: DeathEvidence = { refusals: 2, lastRefusal: at(1000) };
  assert.equal(weigh(evidence, 'unknown', at(5000), POLICY), evidence);
  assert.equal(weigh(evidence, 'alive', at(5000), POLICY), NO_EVIDENCE);
});

test('the next probe waits for the spacing, and in another boot for all of it', () => {
  assert.equal(nextProbeMs(NO_EVIDENCE, at(5), POLICY), 0);
  const evidence: DeathEvidence = { refusals: 1, lastRefusal: at(10_000) };
  assert.equal(nextProbeMs(evidence, at(10_400), POLICY), 600);
  assert.equal(nextProbeMs(evidence, at(11_000), POLICY), 0);
  assert.equal(nextProbeMs(evidence, at(50_000), POLICY), 0);
  assert.equal(nextProbeMs(evidence, at(0, 2), POLICY), 1000);
  assert.equal(nextProbeMs(evidence, at(400, 2), POLICY), 600);
});

test('a proof is a run of refusals without an acceptance, each the spacing after the one before', () => {
  const step = fc.record({ afterMs: fc.integer({ min: 0, max: 1500 }), seen: fc.constantFrom(...READINGS) });
  const policies = fc.record({
    refusals: fc.integer({ min: 1, max: 5 }),
    spacingMs: fc.integer({ min: 1, max: 2000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), policies, (steps, policy) => {
      let evidence = NO_EVIDENCE;
      let now = 0;
      // The reference: times of the refusals that count, since the last acceptance.
      let counted: number[] = [];
      for (const { afterMs, seen } of steps) {
        now += afterMs;
        evidence = weigh(evidence, seen, at(now), policy);
        if (seen === 'alive') counted = [];
        const last = counted.at(-1);
        if (seen === 'dead' && (last === undefined || now - last >= policy.spacingMs)) counted.push(now);
        assert.equal(evidence.refusals, counted.length);
        assert.equal(isProvenDead(evidence, policy), counted.length >= policy.refusals);
      }
    }),
  );
});
