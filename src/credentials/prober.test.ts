// Probing: one reading, and the bracket that a verdict rests on. Every combination of what control and target may say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialRow, NOW, versionRow } from '../../test/support/rows.ts';
import { Failure } from '../model/failure.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { neon } from '../providers/neon.ts';
import type { Call, Kind, Liveness, ProviderAnswer } from '../providers/provider.ts';
import { createProber, type Prober, type ProberOptions } from './prober.ts';

type Said = 'alive' | 'dead' | 'unknown';
const ANSWER: ProviderAnswer = { status: 299, headers: {}, json: null, text: '' };

const target = { credential: credentialRow(), version: versionRow({ id: 'ver_target' }) };
const control = { credential: credentialRow({ id: 'crd_c' }), version: versionRow({ id: 'ver_control' }) };

/** A prober over a provider that says what it is told to, reading after reading; `asked` names the keys that were asked about. */
function proberThatHears(
  script: readonly Said[],
  given: Partial<ProberOptions> = {},
): { prober: Prober; asked: string[] } {
  const asked: string[] = [];
  let next = 0;
  const kind: Kind = {
    ...neon.kinds[0]!,
    probe: {
      request: () => ({ method: 'GET', path: '/probe' }),
      read(): Liveness {
        const is = script[next++] ?? 'unknown';
        const evidence = { status: 200 + next, signature: `said.${is}`, requestId: `r${next}` };
        return is === 'unknown' ? { is, evidence, retryAfterMs: null } : { is, evidence };
      },
    },
  };
  let at = NOW;
  const prober = createProber({
    now: () => at++,
    kindOf: () => ({ kind }),
    issuerOf: () => null,
    callFor:
      (): Call =>
      (_, { parts }) => {
        asked.push(revealSecretText(parts['key']!));
        return Promise.resolve(ANSWER);
      },
    open: (_, version) => Promise.resolve({ key: new Secret(`canary ${version.id}`) }),
    ...given,
  });
  return { prober, asked };
}
const keyOf = (one: { version: { id: string } }) => `canary ${one.version.id}`;

test('death needs a refusal between two acceptances; an acceptance is life; everything else is unknown', async () => {
  const all: Said[] = ['alive', 'dead', 'unknown'];
  for (const before of all) {
    for (const seen of all) {
      for (const after of all) {
        const { prober, asked } = proberThatHears([before, seen, after]);
        const bracketed = await prober.bracket(target, control);
        const isDead = before === 'alive' && seen === 'dead' && after === 'alive';
        const expected = seen === 'alive' ? 'alive' : isDead ? 'dead' : 'unknown';
        assert.equal(bracketed.verdict, expected, `${before} ${seen} ${after}`);
        assert.equal(bracketed.record !== null, isDead, `${before} ${seen} ${after}`);
        const keys = [keyOf(control), keyOf(target), ...(seen === 'dead' ? [keyOf(control)] : [])];
        assert.deepEqual(asked, keys, 'the control is asked before and after, and not without need');
      }
    }
  }
});

test('without a control nothing is ever called dead', async () => {
  for (const seen of ['alive', 'dead', 'unknown'] as const) {
    const { prober, asked } = proberThatHears([seen]);
    const bracketed = await prober.bracket(target, null);
    assert.equal(bracketed.verdict, seen === 'alive' ? 'alive' : 'unknown');
    assert.equal(bracketed.record, null);
    assert.deepEqual(asked, [keyOf(target)]);
  }
});

test('a refusal on record says when and what was read, of the control too', async () => {
  const { prober } = proberThatHears(['alive', 'dead', 'alive']);
  const { record } = await prober.bracket(target, control);
  assert.deepEqual(record, {
    at: NOW + 1,
    target: { at: NOW + 1, is: 'dead', status: 202, signature: 'said.dead', requestId: 'r2' },
    control: {
      versionId: 'ver_control',
      before: { at: NOW, is: 'alive', status: 201, signature: 'said.alive', requestId: 'r1' },
      after: { at: NOW + 2, is: 'alive', status: 203, signature: 'said.alive', requestId: 'r3' },
    },
  });
});

test('what cannot be asked is unknown, whatever went wrong, and the error’s text goes nowhere', async () => {
  const failing: [string, Partial<ProberOptions>][] = [
    [
      'transport.upstream-unavailable',
      { callFor: () => () => Promise.reject(new Failure('upstream-unavailable', 'canary')) },
    ],
    [
      'transport.upstream-ambiguous',
      { callFor: () => () => Promise.reject(new Failure('upstream-ambiguous', 'canary')) },
    ],
    ['transport.sealed', { open: () => Promise.reject(new Failure('sealed', 'canary')) }],
    ['transport.corrupt', { open: () => Promise.resolve({}) }],
    ['transport.error', { callFor: () => () => Promise.reject(new Error('canary')) }],
    [
      'transport.error',
      {
        callFor: () => {
          throw new Error('canary');
        },
      },
    ],
  ];
  for (const [signature, given] of failing) {
    const { prober } = proberThatHears(['dead', 'dead', 'dead'], given);
    const reading = await prober.read(target);
    assert.deepEqual(reading, { at: NOW, is: 'unknown', status: null, signature, requestId: null });
    assert.equal((await prober.bracket(target, control)).verdict, 'unknown');
  }
});

test('a key of several parts is asked about with the part that is called key', async () => {
  const parts = { id: new Secret('canary id'), key: new Secret('canary key') };
  const { prober, asked } = proberThatHears(['alive'], { open: () => Promise.resolve(parts) });
  await prober.read(target);
  assert.deepEqual(asked, ['canary key']);
});
