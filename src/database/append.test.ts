// The writer's arithmetic against a list: which uses are stale, what stands in the logs, and the tiles and roots of a naive tree.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { controlEvent } from '../../test/support/rows.ts';
import { createHasher, TILE_WIDTH } from '../ledger/merkle.ts';
import type { ControlEvent } from '../model/change.ts';
import { canonicalJson, type Json } from '../model/json.ts';
import { TABLES } from '../tables.ts';
import { appendControl, appendUse, emptyWriterState, headOf, takeGathered, type WriterState } from './append.ts';
import { type ControlResult, type Prepared, prepareControl, type UsesResult } from './gather.ts';
import { migrateSqlite } from './sqlite.io.ts';
import { createSqliteCommit } from './sqlite-commit.io.ts';

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest();
const fresh = (epoch = 0): WriterState => emptyWriterState(createHasher(sha256), epoch);

const CONTROL = { head: '{"actor":"a","at":1,"detail":{},', tail: '"rows":[],"type":"t",', cuts: [] as string[] };
const cutting = (...cuts: string[]) => ({ ...CONTROL, cuts });
const useOf = (fields: Record<string, Json>) => canonicalJson({ at: 1, kind: 'use', v: 1, ...fields });

/** RFC 6962 section 2.1, as it is written there. */
function naiveRoot(entries: readonly string[]): Uint8Array {
  if (entries.length === 0) return sha256(new Uint8Array(0));
  if (entries.length === 1) return sha256(Buffer.concat([Buffer.of(0), Buffer.from(entries[0]!)]));
  let k = 1;
  while (k * 2 < entries.length) k *= 2;
  return sha256(Buffer.concat([Buffer.of(1), naiveRoot(entries.slice(0, k)), naiveRoot(entries.slice(k))]));
}

test('a control entry is canonical JSON with the epoch and the number of uses before it', () => {
  const state = fresh(3);
  appendUse(state, { entry: useOf({}), asOf: 0 });
  appendUse(state, { entry: useOf({}), asOf: 0 });
  assert.equal(appendControl(state, CONTROL), 0);
  const { entries } = takeGathered(state);
  const control = entries.find((entry) => entry.log === 'control')!.entry;
  const expected = { actor: 'a', at: 1, detail: {}, epoch: 3, rows: [], type: 't', uses: 2, v: 1 };
  assert.equal(control, canonicalJson(expected));
});

test('a use decided before a cut of what it touches, and written after it, is refused as stale: whichever of the five it is', () => {
  for (const field of ['credential', 'version', 'grant', 'principal', 'token']) {
    const state = fresh();
    appendControl(state, CONTROL);
    appendControl(state, cutting('x'));
    const use = { entry: useOf({ [field]: 'x', id: 'u' }), asOf: 1 };
    assert.deepEqual(appendUse(state, use), { index: 0, stale: true }, field);
    assert.deepEqual(appendUse(state, { ...use, asOf: 0 }), { index: 1, stale: true });
    assert.deepEqual(
      appendUse(state, { ...use, asOf: 2 }),
      { index: 2, stale: false },
      'decided on the state with the cut',
    );
    assert.deepEqual(appendUse(state, { entry: useOf({ [field]: 'y' }), asOf: 1 }), { index: 3, stale: false });
    const written = takeGathered(state)
      .entries.filter(({ log }) => log === 'use')
      .map(({ entry }) => entry);
    assert.equal(written[0], canonicalJson({ at: 1, [field]: 'x', id: 'u', kind: 'refused', reason: 'stale', v: 1 }));
    assert.equal(written[2], use.entry);
  }
});

test('the same id in another field, or in a list, is no reason', () => {
  const state = fresh();
  appendControl(state, cutting('x'));
  for (const fields of [{ id: 'x' }, { path: '/x' }, { provider: 'x' }, { token: ['x'] }, { token: null }] as Record<
    string,
    Json
  >[]) {
    assert.equal(appendUse(state, { entry: useOf(fields), asOf: 0 }).stale, false);
  }
});

test('only uses become stale: refusals, outcomes and starts are written as they are', () => {
  const state = fresh();
  appendControl(state, cutting('x'));
  for (const kind of ['refused', 'outcomes', 'refusals', 'boot']) {
    const entry = canonicalJson({ kind, token: 'x', reason: 'no-grant' });
    assert.equal(appendUse(state, { entry, asOf: 0 }).stale, false, kind);
    assert.equal(takeGathered(state).entries.at(-1)?.entry, entry);
  }
});

test('random writes: staleness is that of a list, and both trees have the roots of a naive one', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd');
  const step = fc.oneof(
    fc.record({ cuts: fc.subarray(['a', 'b', 'c', 'd'], { maxLength: 2 }) }),
    fc.record({ token: id, grant: id, age: fc.nat(4) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const state = fresh();
      const logs = { control: [] as string[], use: [] as string[] };
      const cuts: string[][] = [];
      for (const one of steps) {
        if ('cuts' in one) {
          appendControl(state, cutting(...one.cuts));
          cuts.push(one.cuts);
        } else {
          const asOf = Math.max(0, cuts.length - one.age);
          const isStale = cuts.slice(asOf).some((ended) => ended.includes(one.token) || ended.includes(one.grant));
          assert.equal(appendUse(state, { entry: useOf({ token: one.token, grant: one.grant }), asOf }).stale, isStale);
        }
        for (const { log, index, entry } of takeGathered(state).entries) {
          assert.equal(index, logs[log].length);
          logs[log].push(entry);
        }
      }
      for (const log of ['control', 'use'] as const) {
        const { size, root } = headOf(state, log);
        assert.equal(size, logs[log].length);
        assert.deepEqual(Buffer.from(root), Buffer.from(naiveRoot(logs[log])));
      }
    }),
  );
});

test('what has gathered is taken once; a full tile of leaves comes with the entry that fills it', () => {
  const state = fresh();
  for (let i = 0; i < TILE_WIDTH - 1; i++) appendUse(state, { entry: useOf({ i }), asOf: 0 });
  const first = takeGathered(state);
  assert.deepEqual([first.entries.length, first.tiles.length], [TILE_WIDTH - 1, 0]);
  appendUse(state, { entry: useOf({ i: 255 }), asOf: 0 });
  const second = takeGathered(state);
  assert.equal(second.entries.length, 1);
  assert.deepEqual(second.tiles.map(({ log, level, tile, width }) => [log, level, tile, width]).sort(), [
    ['use', 0, 0, 256],
    ['use', 1, 0, 1],
  ]);
  assert.deepEqual(takeGathered(state), { entries: [], tiles: [] });
});

// On a database.

function open() {
  const database = new DatabaseSync(':memory:');
  migrateSqlite(database);
  return { database, commit: createSqliteCommit(database, 0) };
}
function control(event: ControlEvent, cuts: string[] = []): Prepared {
  return prepareControl({ events: [event] }, TABLES, () => cuts);
}
const uses = (...items: { entry: string; asOf: number }[]): Prepared => ({ kind: 'uses', uses: items });
const setting = (id: string, rowVersion = 1) =>
  controlEvent([{ noun: 'setting', row: { id, rowVersion, name: id, value: 1 } as never }]);

test('a commit that failed does not make the writer forget which access has ended', () => {
  const { database, commit } = open();
  commit([control(setting('a'))]);
  commit([control(setting('b'), ['gnt_x'])]);
  database.exec('ALTER TABLE blobs RENAME TO blobs_away');
  const failing = prepareControl(
    { events: [setting('c')], blobs: [{ kind: 'wrap', id: 'x', value: null }] },
    TABLES,
    () => ['gnt_y'],
  );
  assert.throws(() => commit([failing]));
  database.exec('ALTER TABLE blobs_away RENAME TO blobs');
  // Decided while a body was still coming in, before the grant was revoked; written long after.
  const [result] = commit([
    uses({ entry: useOf({ grant: 'gnt_x' }), asOf: 1 }, { entry: useOf({ grant: 'gnt_y' }), asOf: 1 }),
  ]);
  assert.deepEqual(
    result,
    { is: 'appended', first: 0, stale: [0] } satisfies UsesResult,
    'what was rolled back has ended nothing',
  );
  const row = database.prepare('SELECT entry FROM use_entries WHERE idx = 0').get() as { entry: string };
  assert.equal((JSON.parse(row.entry) as { reason: string }).reason, 'stale');
});

test('a commit that failed leaves nothing behind, and the next one goes on where the last good one ended', () => {
  const { database, commit } = open();
  commit([control(setting('a')), uses({ entry: useOf({ n: 1 }), asOf: 0 })]);
  database.exec('ALTER TABLE use_entries RENAME TO away');
  assert.throws(() => commit([control(setting('b')), uses({ entry: useOf({ n: 2 }), asOf: 0 })]));
  database.exec('ALTER TABLE away RENAME TO use_entries');
  const results = commit([control(setting('b')), uses({ entry: useOf({ n: 3 }), asOf: 0 })]);
  assert.deepEqual(results as readonly (ControlResult | UsesResult)[], [
    { is: 'written', first: 1, size: 2, heads: null },
    { is: 'appended', first: 1, stale: [] },
  ]);
  const entries = database.prepare('SELECT idx, entry FROM use_entries ORDER BY idx').all() as {
    idx: number;
    entry: string;
  }[];
  assert.deepEqual(
    entries.map(({ idx, entry }) => [idx, (JSON.parse(entry) as { n: number }).n]),
    [
      [0, 1],
      [1, 3],
    ],
  );
});
