// The one door records: in order, at once for uses, packed for outcomes and strangers, and nothing is lost that the writer refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNWRITTEN } from '../database/gather.ts';
import { createGuardian } from './guardian.io.ts';
import type { UseFacts } from './leaf.ts';

interface Offered {
  readonly entry: Record<string, unknown> & { kind: string };
  readonly asOf: number;
}

/** A guardian over a writer that can be told to refuse. */
function setUp() {
  const offered: Offered[] = [];
  const writer = { isRefusing: false, asOf: 5, now: 1_790_000_000_000 };
  const guardian = createGuardian({
    admit(entry, asOf, done) {
      if (writer.isRefusing) return done(UNWRITTEN);
      offered.push({ entry: JSON.parse(entry), asOf });
      done(offered.length - 1);
    },
    now: () => writer.now,
    epoch: 3,
    asOf: () => writer.asOf,
  });
  const ofKind = (kind: string) => offered.map(({ entry }) => entry).filter((entry) => entry.kind === kind);
  return { guardian, offered, writer, ofKind };
}

const facts = {
  id: 'b-1',
  at: 1,
  monoMs: 2,
  asOf: 4,
  token: 'tok_1',
  principal: 'prn_1',
  method: 'GET',
  ip: '::1',
  userAgent: '',
};
const use: UseFacts = {
  ...facts,
  credential: null,
  provider: null,
  version: null,
  grant: null,
  action: null,
  effect: null,
  path: null,
  query: null,
};
const outcome = (index: number) => ({ index, status: 200, bytesUp: 0, bytesDown: 0, ms: 1 });

test('the first thing on record is the start, with its epoch', () => {
  const { guardian, offered } = setUp();
  assert.deepEqual(offered, [{ entry: { at: 1_790_000_000_000, epoch: 3, kind: 'boot', v: 1 }, asOf: 5 }]);
  guardian.stop();
});

test('a use and a refusal are recorded at once, on the state that they were decided on, and their caller is told the index', () => {
  const { guardian, offered } = setUp();
  const told: number[] = [];
  guardian.admitted(use, (index) => told.push(index));
  guardian.refused(use, 'no-grant', (index) => told.push(index));
  assert.deepEqual(told, [1, 2]);
  assert.deepEqual(
    offered.slice(1).map(({ entry, asOf }) => [entry.kind, entry['reason'] ?? null, asOf]),
    [
      ['use', null, 4],
      ['refused', 'no-grant', 4],
    ],
  );
  guardian.stop();
});

test('a use that cannot be recorded is told so', () => {
  const { guardian, writer } = setUp();
  writer.isRefusing = true;
  const told: number[] = [];
  guardian.admitted(use, (index) => told.push(index));
  assert.deepEqual(told, [UNWRITTEN]);
  guardian.stop();
});

test('outcomes are packed: at most a thousand in one entry, written when there are so many, the rest on request', () => {
  const { guardian, ofKind } = setUp();
  for (let i = 0; i < 2_500; i++) guardian.outcome(outcome(i));
  assert.deepEqual(
    ofKind('outcomes').map((entry) => (entry['of'] as unknown[]).length),
    [1_000, 1_000],
  );
  guardian.flush();
  const all = ofKind('outcomes').flatMap((entry) => (entry['of'] as number[][]).map(([index]) => index));
  assert.deepEqual(
    all,
    Array.from({ length: 2_500 }, (_, i) => i),
  );
  guardian.flush();
  assert.equal(ofKind('outcomes').length, 3, 'nothing is written where there is nothing');
  guardian.stop();
});

test('outcomes that the writer refuses are kept and written later, each once', () => {
  const { guardian, ofKind, writer } = setUp();
  writer.isRefusing = true;
  for (let i = 0; i < 2_300; i++) guardian.outcome(outcome(i));
  guardian.flush();
  assert.equal(ofKind('outcomes').length, 0);
  writer.isRefusing = false;
  guardian.stop();
  const all = ofKind('outcomes').flatMap((entry) => (entry['of'] as number[][]).map(([index]) => index!));
  assert.deepEqual(
    all.sort((a, b) => a - b),
    Array.from({ length: 2_300 }, (_, i) => i),
  );
});

test('outcomes that wait are bounded while nothing can be written', () => {
  const { guardian, ofKind, writer } = setUp();
  writer.isRefusing = true;
  for (let i = 0; i < 13; i++) {
    for (let j = 0; j < 10_000; j++) guardian.outcome(outcome(i * 10_000 + j));
    guardian.flush();
  }
  writer.isRefusing = false;
  guardian.flush();
  const count = ofKind('outcomes').reduce((sum, entry) => sum + (entry['of'] as unknown[]).length, 0);
  assert(count >= 100_000 && count <= 111_000, `${count} were kept`);
  guardian.stop();
});

test('strangers are counted by reason and source, one entry for a minute, and counted on where it could not be written', () => {
  const { guardian, ofKind, writer } = setUp();
  for (const source of ['10.0.0.1', '10.0.0.2', '10.0.0.1']) guardian.stranger('no-token', source);
  guardian.stranger('unknown-token', '10.0.0.1');
  writer.isRefusing = true;
  guardian.flush();
  guardian.stranger('no-token', '10.0.0.1');
  writer.isRefusing = false;
  guardian.flush();
  const [entry] = ofKind('refusals');
  const sorted = (entry!['of'] as unknown[]).map((row) => JSON.stringify(row)).sort();
  assert.deepEqual(sorted, [
    '["no-token","10.0.0.1",3]',
    '["no-token","10.0.0.2",1]',
    '["unknown-token","10.0.0.1",1]',
  ]);
  assert.equal(entry!['minute'], Math.floor(writer.now / 60_000) * 60_000);
  guardian.flush();
  assert.equal(ofKind('refusals').length, 1);
  guardian.stop();
});

test('a flood of strangers from everywhere stays one small entry, and every refusal is counted', () => {
  const { guardian, ofKind } = setUp();
  const reasons = ['no-token', 'unknown-token', 'host'];
  for (let i = 0; i < 30_000; i++) guardian.stranger(reasons[i % 3]!, `10.0.${i >> 8}.${i & 255}`);
  guardian.stop();
  const rows = ofKind('refusals').flatMap((entry) => entry['of'] as [string, string, number][]);
  assert(rows.length <= 500 + reasons.length, `${rows.length} rows`);
  assert.equal(
    rows.reduce((sum, [, , count]) => sum + count, 0),
    30_000,
  );
  assert.deepEqual(
    rows
      .filter(([, source]) => source === 'others')
      .map(([reason]) => reason)
      .sort(),
    [...reasons].sort(),
  );
});
