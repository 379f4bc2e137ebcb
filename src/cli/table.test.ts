// Tables and fields: aligned, cut where the terminal is narrow, and safe with what other people wrote.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPaint, wantsColour } from './paint.ts';
import { renderFields, renderTable } from './table.ts';
import { widthOf } from './text.ts';
import { createView } from './view.ts';
import { relative, when } from './when.ts';

const COLUMNS = [{ title: 'name', least: 4 }, { title: 'id' }, { title: 'note', least: 4 }];

test('columns are aligned by what is seen, not by how many characters there are', () => {
  const rows = [
    ['鍵 one', '1', 'e\u0301'],
    ['b', '22', ''],
  ];
  assert.deepEqual(renderTable(COLUMNS, rows, { columns: null }), [
    'NAME    ID  NOTE',
    '鍵 one  1   e\u0301',
    'b       22',
  ]);
});

test('where the terminal is narrow, columns that may shrink are cut; the others never', () => {
  const rows = [['a-very-long-name-of-a-credential', 'crd_0198c1', 'a note that goes on and on']];
  const lines = renderTable(COLUMNS, rows, { columns: 40 });
  for (const line of lines) assert(widthOf(line) <= 40, line);
  assert(lines[1]!.includes('crd_0198c1'));
  assert(lines[1]!.includes('…'));
  const tooNarrow = renderTable(COLUMNS, rows, { columns: 5 });
  assert(tooNarrow[1]!.includes('crd_0198c1'), 'an id is never cut');
});

test('a name from a provider cannot leave its cell', () => {
  const hostile = ['\u001b[1A\u001b[2Kok', 'x\nadmin  prn_forged', '\u202elive'];
  const lines = renderTable(COLUMNS, [hostile], { columns: null });
  assert.equal(lines.length, 2);
  assert.doesNotMatch(lines.join(''), /[\u0000-\u001f\u202e]/);
  const fields = renderFields([
    ['name', hostile[0]!],
    ['absent', null],
    ['lines', 'a\nb'],
  ]);
  assert.deepEqual(fields, ['name   \\u{1b}[1A\\u{1b}[2Kok', 'lines  a', '       b']);
});

test('whatever the cells, there is one line for each row, and none wider than the terminal when all may shrink', () => {
  const cell = fc.string({ unit: 'grapheme', maxLength: 60 });
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 5 }), fc.integer({ min: 12, max: 80 }), (rows, columns) => {
      const lines = renderTable(
        [
          { title: 'a', least: 4 },
          { title: 'b', least: 4 },
        ],
        rows,
        { columns },
      );
      assert.equal(lines.length, rows.length + 1);
      for (const line of lines) assert(widthOf(line) <= columns, JSON.stringify(line));
    }),
  );
});

test('colours: only on a terminal, never with NO_COLOR, --no-color or a dumb terminal', () => {
  const on = { isTty: true, isForbidden: false, env: {} };
  assert.equal(wantsColour(on), true);
  assert.equal(wantsColour({ ...on, env: { NO_COLOR: '' } }), true, 'an empty NO_COLOR says nothing');
  for (const off of [{ isTty: false }, { isForbidden: true }, { env: { NO_COLOR: '1' } }, { env: { TERM: 'dumb' } }]) {
    assert.equal(wantsColour({ ...on, ...off }), false);
  }
});

test('a state is coloured only where a cell is that word; colouring moves nothing', () => {
  const options = { columns: null, now: () => 0 };
  const rows = [['live', 'live from here', 'x']];
  const plain = createView({ ...options, paint: createPaint(false) }).table(COLUMNS, rows, '');
  const coloured = createView({ ...options, paint: createPaint(true) }).table(COLUMNS, rows, '');
  assert.equal(coloured.replaceAll(/\u001b\[\d+m/g, ''), plain);
  assert.match(coloured, /\u001b\[32mlive/);
  assert.doesNotMatch(coloured, /\u001b\[\d+mlive from here/);
  assert.equal(createView({ ...options, paint: createPaint(false) }).table(COLUMNS, [], 'nothing'), 'nothing');
});

test('times are absolute, with the distance beside them', () => {
  const now = Date.parse('2026-09-21T12:00:00Z');
  assert.equal(when('2026-09-18T12:00:00.000Z', now), '2026-09-18 12:00:00Z (3 d ago)');
  assert.equal(when('2026-09-21T14:00:00Z', now), '2026-09-21 14:00:00Z (in 2 h)');
  assert.equal(when(null, now), '–');
  assert.equal(when('not a time', now), 'not a time');
  const cases: [number, string][] = [
    [0, 'just now'],
    [-999, 'just now'],
    [-59_000, '59 s ago'],
    [-90_000, '1 min ago'],
    [86_400_000 * 45, 'in 1 mo'],
    [-86_400_000 * 800, '2 y ago'],
  ];
  for (const [distance, text] of cases) assert.equal(relative(now + distance, now), text);
});
