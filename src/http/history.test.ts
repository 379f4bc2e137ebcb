// The journal of a rotation and the uses of a credential, found in a log in memory.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Entry, LedgerReader, Search } from '../ledger/api.ts';
import type { RotationRow } from '../rotation/rotation.ts';
import { createJournal, usesOf, wasUsed } from './history.ts';

/** A reader whose searches look at a few entries only, so that callers must go on. */
function readerOf(logs: Readonly<Record<'control' | 'use', readonly object[]>>, looked = 7) {
  const entry = (log: 'control' | 'use', index: number): Entry | null => {
    const found = logs[log][index];
    return found === undefined ? null : { index, text: JSON.stringify(found) };
  };
  let searches = 0;
  const reader: LedgerReader = {
    size: async (log) => logs[log].length,
    entry: async (log, index) => entry(log, index),
    proof: () => Promise.reject(new Error('not here')),
    async search(asked: Search) {
      searches++;
      const step = asked.order === 'asc' ? 1 : -1;
      const size = logs[asked.log].length;
      let at = asked.from ?? (step > 0 ? 0 : size - 1);
      const entries: Entry[] = [];
      for (let i = 0; i < looked && at >= 0 && at < size && entries.length < asked.limit; i++, at += step) {
        const one = entry(asked.log, at)!;
        if (asked.containing.every((text) => one.text.includes(text))) entries.push(one);
      }
      return { entries, next: at >= 0 && at < size ? at : null };
    },
  };
  return {
    reader,
    get searches() {
      return searches;
    },
  };
}

const HOUR = 3_600_000;
const ID = `rot_${'a'.repeat(32)}`;

test('the journal is the images of the rotation in order, found without reading the log from its beginning', async () => {
  const other = (n: number) => ({
    at: n * HOUR,
    actor: 'prn_1',
    type: 'grant.given',
    detail: {},
    rows: [{ row: { id: 'gnt_1' } }],
  });
  const step = (n: number, type: string) => ({
    at: n * HOUR,
    actor: 'prn_1',
    type,
    detail: { n },
    rows: [{ row: { id: ID } }],
  });
  const control = Array.from({ length: 200 }, (_, n) => other(n)) as object[];
  control[150] = step(150, 'rotation.requested');
  control[163] = step(163, 'rotation.issued');
  control[180] = step(180, 'rotation.revoke-begun');
  const asked = readerOf({ control, use: [] });
  const row = { id: ID, rowVersion: 3, requestedAt: 150 * HOUR } as RotationRow;
  const steps = await createJournal(asked.reader)(row);
  assert.deepEqual(
    steps.map(({ index, type, detail }) => [index, type, detail]),
    [
      [150, 'rotation.requested', { n: 150 }],
      [163, 'rotation.issued', { n: 163 }],
      [180, 'rotation.revoke-begun', { n: 180 }],
    ],
  );
  assert.ok(asked.searches <= 6, `${asked.searches} searches`);
});

test('a journal of which not all is found ends with the log', async () => {
  const row = { id: ID, rowVersion: 9, requestedAt: 0 } as RotationRow;
  assert.deepEqual(await createJournal(readerOf({ control: [{ at: 0, rows: [] }], use: [] }).reader)(row), []);
});

test('uses are those that were admitted, of the credential and the principal, since the time, newest first', async () => {
  const use = (at: number, change: object = {}) => ({
    at,
    kind: 'use',
    credential: 'crd_1',
    principal: 'prn_1',
    action: 'project.get',
    method: 'GET',
    path: '/p',
    query: {},
    ...change,
  });
  const uses = [
    use(1),
    use(2),
    use(3, { kind: 'refused' }),
    use(4, { credential: 'crd_2' }),
    use(5, { principal: 'prn_2' }),
    ...Array.from({ length: 20 }, (_, i) => use(6 + i)),
  ];
  const { reader } = readerOf({ control: [], use: uses });
  const ask = async (principal: string | null, since: number) =>
    (await usesOf(reader, { credential: 'crd_1', principal, since })).map(({ at }) => at);
  assert.deepEqual(await ask('prn_1', 0), [...Array.from({ length: 20 }, (_, i) => 25 - i), 2, 1]);
  assert.deepEqual(await ask(null, 5), [...Array.from({ length: 20 }, (_, i) => 25 - i), 5]);
  assert.deepEqual(await ask('prn_2', 0), [5]);
});

test('whether a version was ever used is found in the log, however far back within its bounds', async () => {
  const entry = (version: string, kind: string) => ({ kind, version, credential: 'crd_1' });
  const uses = [
    entry('ver_1', 'use'),
    entry('ver_2', 'refused'),
    ...Array.from({ length: 30 }, () => entry('ver_3', 'use')),
  ];
  const { reader } = readerOf({ control: [], use: uses });
  const answers = await Promise.all(['ver_1', 'ver_2', 'ver_3', 'ver_4'].map((id) => wasUsed(reader, id)));
  assert.deepEqual(answers, [true, false, true, false]);
});
