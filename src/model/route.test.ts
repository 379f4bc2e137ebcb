// What every room's routes share: rows as answers, pages, cursors, turns.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import type { Row } from './change.ts';
import { Failure } from './failure.ts';
import { createTurns, cursorOf, ID_CURSOR, PAGE_MEMBERS, pageOf, queryInteger, readCursor, rowView } from './route.ts';

test('times become RFC 3339 wherever they stand, other numbers stay, and what is left out is gone', () => {
  const row = {
    id: 'x',
    rowVersion: 3,
    createdAt: 0,
    endedAt: null,
    hash: 'secret',
    refusals: [{ at: 1_000, count: 2, control: { before: { at: 2_000 } } }],
    settings: { createdAt: 5 },
    statement: { at: 5 },
  };
  assert.deepEqual(rowView(row, ['hash']), {
    id: 'x',
    rowVersion: 3,
    createdAt: '1970-01-01T00:00:00.000Z',
    endedAt: null,
    refusals: [{ at: '1970-01-01T00:00:01.000Z', count: 2, control: { before: { at: '1970-01-01T00:00:02.000Z' } } }],
    settings: { createdAt: 5 },
    statement: { at: 5 },
  });
});

test('a time beyond what a date holds is null and not an error', () => {
  assert.deepEqual(rowView({ lastUsedAt: 9e15 }), { lastUsedAt: null });
});

const id = (n: number) => `prn_${n.toString(16).padStart(32, '0')}`;

test('pages put together are all rows, once each and in order, whatever is added meanwhile', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(500), { maxLength: 60 }),
      fc.uniqueArray(fc.nat(500), { maxLength: 10 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom('asc' as const, 'desc' as const),
      (numbers, later, limit, order) => {
        const rows: Row[] = numbers.map((n) => ({ id: id(n), rowVersion: 1 }));
        const seen: string[] = [];
        let cursor: string | null = null;
        for (let pages = 0; pages < 100; pages++) {
          const page: ReturnType<typeof pageOf<Row>> = pageOf(rows, { limit, cursor, order }, () => true);
          assert.ok(page.items.length <= limit);
          seen.push(...page.items.map((row) => row.id));
          cursor = page.next;
          if (cursor === null) break;
          const added = later.pop();
          if (added !== undefined && !numbers.includes(added)) rows.push({ id: id(added), rowVersion: 1 });
        }
        assert.equal(cursor, null);
        assert.deepEqual(
          seen,
          [...new Set(seen)].sort((a, b) => (order === 'asc' ? 1 : -1) * (a < b ? -1 : 1)),
        );
        for (const n of numbers) assert.ok(seen.includes(id(n)));
      },
    ),
  );
});

test('a filter is applied before the limit', () => {
  const rows: Row[] = Array.from({ length: 10 }, (_, n) => ({ id: id(n), rowVersion: n }));
  const page = pageOf(rows, { limit: 3, cursor: null, order: 'asc' }, (row) => row.rowVersion % 2 === 0);
  assert.deepEqual(
    page.items.map(({ rowVersion }) => rowVersion),
    [0, 2, 4],
  );
});

test('a cursor that was not given out is invalid, and nothing else', () => {
  assert.equal(readCursor(cursorOf(id(7)), ID_CURSOR), id(7));
  for (const cursor of ['', 'A', '____', cursorOf('7'), cursorOf('prn_0 OR 1=1'), 'é']) {
    assert.throws(
      () => readCursor(cursor, ID_CURSOR),
      (error) => Failure.is(error, 'invalid'),
    );
  }
});

test('a number in a query is digits and nothing else', () => {
  const schema = queryInteger(0, 200);
  assert.equal(schema.parse('0'), 0);
  assert.equal(schema.parse('200'), 200);
  for (const text of ['', '201', '-1', '1.0', '1e2', '0x10', ' 1', '1 ', '+1', '01', '١', '9'.repeat(30)]) {
    assert.equal(schema.safeParse(text).success, false, text);
  }
});

test('a page has a default and a maximum', () => {
  const query = z.strictObject(PAGE_MEMBERS);
  assert.deepEqual(query.parse({}), { limit: 50, cursor: null });
  assert.equal(query.safeParse({ limit: '201' }).success, false);
  assert.equal(query.safeParse({ limit: '0' }).success, false);
});

test('turns come one after the other, also after one that fails', async () => {
  const inTurn = createTurns();
  const order: string[] = [];
  const run = (name: string, fails = false) =>
    inTurn(async () => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`${name} ends`);
      if (fails) throw new Error(name);
    });
  const ends = await Promise.allSettled([run('a'), run('b', true), run('c')]);
  assert.deepEqual(order, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
});
