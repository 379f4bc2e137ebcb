// Whether genuine entries follow from one another: each contradiction in the control log, in the use log and between both.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ControlFacts, createControlOrder } from './order.ts';
import { jsonEntry, plainControlEntries, useEntry } from './testing/made-log.io.ts';
import { createUseOrder } from './use-order.ts';

type Complaint = [index: number, why: string];

function control(entries: readonly Uint8Array[]): { complaints: Complaint[]; facts: ControlFacts } {
  const complaints: Complaint[] = [];
  const order = createControlOrder((index, why) => complaints.push([index, why]));
  for (const [index, entry] of entries.entries()) order.entry(index, entry);
  return { complaints, facts: order.facts };
}

function uses(entries: readonly Uint8Array[], facts: ControlFacts | null = null, prunedTo = 0): Complaint[] {
  const complaints: Complaint[] = [];
  const order = createUseOrder(facts, (index, why) => complaints.push([index, why]));
  order.pruned(prunedTo);
  for (const [i, entry] of entries.entries()) order.entry(prunedTo + i, entry);
  return complaints;
}

function entry(fields: Record<string, unknown>): Buffer {
  return jsonEntry({
    actor: 'prn_1',
    at: 1,
    detail: {},
    epoch: 0,
    rows: [],
    type: 'test.noted',
    uses: 0,
    v: 1,
    ...fields,
  });
}

function image(noun: string, id: string, rowVersion: number, fields: Record<string, unknown> = {}) {
  return { noun, row: { id, rowVersion, ...fields } };
}

test('row images that follow one another are in order', () => {
  const { complaints, facts } = control([
    entry({ type: 'ledger.epoch-opened', rows: [image('grant', 'gnt_1', 1), image('token', 'gnt_1', 1)] }),
    entry({ rows: [image('grant', 'gnt_1', 2), image('grant', 'gnt_2', 1)], uses: 3 }),
    entry({ rows: [image('grant', 'gnt_1', 3), image('grant', 'gnt_1', 4)], uses: 3 }),
    entry({ type: 'ledger.epoch-opened', epoch: 1, uses: 2 }),
    entry({ epoch: 1, uses: 2 }),
  ]);
  assert.deepEqual(complaints, []);
  assert.deepEqual([facts.size(), facts.usesAt(1), facts.usesAt(4), facts.usesAt(5)], [5, 3, 2, null]);
});

test('a row image that was left out or given twice is named', () => {
  const follows = (second: number) =>
    control([entry({ rows: [image('grant', 'gnt_1', 1)] }), entry({ rows: [image('grant', 'gnt_1', second)] })])
      .complaints;
  assert.deepEqual(follows(2), []);
  assert.deepEqual(follows(3), [[1, 'grant gnt_1: image 3 does not follow row version 1']]);
  assert.deepEqual(follows(1), [[1, 'grant gnt_1: image 1 does not follow row version 1']]);
  assert.deepEqual(control([entry({ rows: [image('grant', 'gnt_1', 2)] })]).complaints, [
    [0, 'grant gnt_1: image 2 does not follow row version 0'],
  ]);
});

test('epochs grow by one, each opened once', () => {
  const epochs = (...list: [number, string?][]) =>
    control(list.map(([epoch, type]) => entry({ epoch, type: type ?? 'test.noted' }))).complaints;
  const opened = 'ledger.epoch-opened';
  assert.deepEqual(epochs([0, opened], [0], [1, opened], [1], [2, opened]), []);
  assert.deepEqual(epochs([0], [1]), [[1, 'epoch 1 begins without ledger.epoch-opened']]);
  assert.deepEqual(epochs([0], [1, opened], [0]), [[2, 'epoch 0 follows epoch 1']]);
  assert.deepEqual(epochs([0], [2, opened]), [[1, 'epoch 2 follows epoch 0: one is missing']]);
  assert.deepEqual(epochs([0], [0, opened]), [[1, 'epoch 0 is opened a second time']]);
});

test('the size of the use log shrinks only where an epoch opens', () => {
  const why = 'the use log shrank from 5 to 4';
  assert.deepEqual(control([entry({ uses: 5 }), entry({ uses: 4 })]).complaints, [[1, why]]);
  assert.deepEqual(
    control([entry({ uses: 5 }), entry({ uses: 4, epoch: 1, type: 'ledger.epoch-opened' })]).complaints,
    [],
  );
});

test('entries that are not of the control log’s form are named', () => {
  const malformed: [Buffer, string][] = [
    [Buffer.from('{'), 'it is not a JSON object'],
    [Buffer.from('[]'), 'it is not a JSON object'],
    [Buffer.from([0x22, 0xff, 0x22]), 'it is not a JSON object'],
    [entry({ v: 2 }), 'its version is not 1'],
    [entry({ at: 1.5 }), 'the field at is not a whole number'],
    [entry({ at: -1 }), 'the field at is not a whole number'],
    [entry({ actor: null }), 'the field actor is not text'],
    [entry({ type: undefined }), 'the field type is missing'],
    [entry({ rows: {} }), 'the field rows is not a list'],
    [entry({ detail: [] }), 'the field detail is not an object'],
    [entry({ rows: [1] }), 'a row image is not of the form {noun, row}'],
    [entry({ rows: [{ noun: 'grant', row: { rowVersion: 1 } }] }), 'a row image of grant has no id or no row version'],
  ];
  for (const [bytes, why] of malformed) {
    assert.deepEqual(control([...plainControlEntries(1), bytes]).complaints, [[1, why]]);
  }
});

test('uses, refusals and outcomes that follow one another are in order', () => {
  const { facts } = control(plainControlEntries(4));
  const entries = [
    jsonEntry({ at: 1, epoch: 0, kind: 'boot', v: 1 }),
    useEntry(1, { asOf: 4 }),
    useEntry(2, { asOf: 3, path: null, ua: null, token: null }),
    useEntry(3, { kind: 'refused', reason: 'denied', grant: null, credential: null, version: null }),
    jsonEntry({ at: 5, kind: 'outcomes', of: [[2, 200, 0, 512, 31]], v: 1 }),
    jsonEntry({ at: 6, kind: 'refusals', minute: 1, of: [['unauthenticated', '192.0.2.7', 12]], v: 1 }),
    jsonEntry({ at: 7, kind: 'outcomes', of: [[1, 0, 0, 0, 0]], v: 1 }),
  ];
  assert.deepEqual(uses(entries, facts), []);
});

test('an outcome names an earlier use, once', () => {
  const outcome = (...of: unknown[]) => jsonEntry({ at: 9, kind: 'outcomes', of, v: 1 });
  const after = (...entries: Buffer[]) =>
    uses([useEntry(0, {}), useEntry(1, { kind: 'refused', reason: 'stale' }), ...entries]);
  const one = (use: number) => [use, 200, 1, 1, 1];
  assert.deepEqual(after(outcome(one(0))), []);
  assert.deepEqual(after(outcome(one(0)), outcome(one(0))), [[3, 'entry 0 has a second outcome']]);
  assert.deepEqual(after(outcome(one(0), one(0))), [[2, 'entry 0 has a second outcome']]);
  assert.deepEqual(after(outcome(one(1))), [[2, 'an outcome names entry 1, which is not a use']]);
  assert.deepEqual(after(outcome(one(2))), [[2, 'an outcome names entry 2, which is not an earlier one']]);
  assert.deepEqual(after(outcome(one(2 ** 40))), [
    [2, `an outcome names entry ${2 ** 40}, which is not an earlier one`],
  ]);
  assert.deepEqual(after(outcome([0, 200])), [[2, 'an outcome is not a list of five numbers']]);
  assert.deepEqual(after(outcome([0, 200, -1, 0, 0])), [[2, 'an outcome holds something that is not a whole number']]);
  assert.deepEqual(after(outcome([0, -200, 0, 0, 0])), []);
  assert.deepEqual(after(outcome(one(9), one(0)), outcome(one(0))).length, 2, 'outcomes behind a wrong one count');
});

test('an outcome may name a use that was pruned, once', () => {
  const outcome = jsonEntry({ at: 9, kind: 'outcomes', of: [[7, 200, 1, 1, 1]], v: 1 });
  assert.deepEqual(uses([outcome], null, 256), []);
  assert.deepEqual(uses([outcome, outcome], null, 256), [[257, 'entry 7 has a second outcome']]);
  assert.deepEqual(uses([useEntry(0, {}), outcome], null, 7), [], 'the first entry that was not pruned');
});

test('entries that are not of the use log’s form are named', () => {
  const malformed: [Buffer, string][] = [
    [Buffer.from('null'), 'it is not a JSON object'],
    [useEntry(0, { v: 2 }), 'its version is not 1'],
    [useEntry(0, { at: 'now' }), 'the field at is not a whole number'],
    [useEntry(0, { kind: 'used' }), 'its kind is not known'],
    [useEntry(0, { kind: 1 }), 'its kind is not known'],
    [useEntry(0, { asOf: -1 }), 'the field asOf is not a whole number'],
    [useEntry(0, { grant: null }), 'the field grant is not text'],
    [useEntry(0, { query: undefined }), 'the field query is missing'],
    [useEntry(0, { path: 3 }), 'the field path is neither text nor null'],
    [useEntry(0, { kind: 'refused' }), 'the field reason is missing'],
    [jsonEntry({ at: 1, kind: 'outcomes', of: {}, v: 1 }), 'the field of is not a list'],
    [
      jsonEntry({ at: 1, kind: 'refusals', minute: 1, of: [['x', 1, 1]], v: 1 }),
      'a refusal is not a list of reason, source and count',
    ],
    [jsonEntry({ at: 1, kind: 'boot', v: 1 }), 'the field epoch is missing'],
  ];
  for (const [bytes, why] of malformed) assert.deepEqual(uses([bytes]), [[0, why]]);
});

test('a decision rests on control entries that were there', () => {
  const { facts } = control([...plainControlEntries(2), entry({ uses: 2 })]);
  const at = (index: number, asOf: number) =>
    uses([...Array.from({ length: index }, (_, i) => useEntry(i, {})), useEntry(index, { asOf })], facts);
  assert.deepEqual(at(2, 3), []);
  assert.deepEqual(at(2, 4), [[2, 'it rests on control size 4, but the control log has 3 entries']]);
  assert.deepEqual(at(1, 3), [
    [1, 'it rests on control entry 2, which was written when the use log already had 2 entries'],
  ]);
});

const CUTS: readonly [noun: string, id: string, row: Record<string, unknown>][] = [
  ['credential', 'crd_1', { suspendedAt: 5 }],
  ['credential', 'crd_1', { retiredAt: 5 }],
  ['credential', 'crd_1', { suspendedAt: null, state: 'revoked' }],
  ['token', 'tok_1', { revokedAt: 5 }],
  ['grant', 'gnt_1', { revokedAt: 5 }],
  ['principal', 'prn_1', { disabledAt: 5 }],
  ['version', 'ver_1', { state: 'revoking' }],
  ['version', 'ver_1', { state: 'revoked' }],
];

test('a use after a revocation is named, whatever was revoked', () => {
  for (const [noun, id, row] of CUTS) {
    const { facts, complaints } = control([
      entry({ rows: [image(noun, id, 1, { state: 'current', suspendedAt: null, revokedAt: null, disabledAt: null })] }),
      entry({ rows: [image(noun, id, 2, row)], uses: 2 }),
    ]);
    assert.deepEqual(complaints, []);
    const logged = (asOf: number, kind = 'use') =>
      uses([useEntry(0, {}), useEntry(1, { asOf: 1 }), useEntry(2, { asOf, kind, reason: 'stale' })], facts);
    const why = `a use after a revocation: control entry 1 had cut ${noun} ${id}, the decision was as of control size 1`;
    assert.deepEqual(logged(1), [[2, why]]);
    assert.deepEqual(logged(1, 'refused'), [], 'it was recorded as refused');
    assert.deepEqual(logged(2), [], 'the decision knew of the cut: the replay judges it');
    assert.deepEqual(uses([useEntry(0, {}), useEntry(1, { asOf: 1 })], facts), [], 'before the cut');
    const other = useEntry(2, { asOf: 1, [noun]: 'other' });
    assert.deepEqual(uses([useEntry(0, {}), useEntry(1, {}), other], facts).length, 0, 'another row');
  }
});

test('a cut that was lifted and made again is found each time', () => {
  const states = [null, 5, null, 6];
  const { facts } = control(
    states.map((suspendedAt, i) => entry({ rows: [image('credential', 'crd_1', i + 1, { suspendedAt })], uses: i })),
  );
  const cut = (asOf: number, use: number) => facts.cutBefore({ noun: 'credential', id: 'crd_1' }, { asOf, use });
  assert.deepEqual([cut(1, 0), cut(1, 1), cut(2, 2), cut(3, 2), cut(3, 3), cut(4, 9)], [null, 1, null, null, 3, null]);
});

test('a cut from before a restored backup does not hide one from after it', () => {
  const { facts } = control([
    entry({ rows: [image('grant', 'gnt_1', 1, { revokedAt: 1 })], uses: 100 }),
    entry({ type: 'ledger.epoch-opened', epoch: 1, uses: 80 }),
    entry({ epoch: 1, rows: [image('grant', 'gnt_1', 2, { revokedAt: 1 })], uses: 82 }),
  ]);
  const cut = (use: number) => facts.cutBefore({ noun: 'grant', id: 'gnt_1' }, { asOf: 0, use });
  assert.deepEqual([cut(81), cut(85), cut(100)], [null, 2, 2]);
});
