// The catalogue in the log reads back as it was written, line by line, and fits one entry.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { controlEvent, NOW, seededRandom } from '../../test/support/rows.ts';
import { prepareControl } from '../database/gather.ts';
import { applyEvent, type ControlWrite, emptyRows } from '../model/change.ts';
import type { Desk } from '../model/desk.ts';
import { allRows } from '../model/desk.ts';
import { Failure } from '../model/failure.ts';
import { neon } from '../providers/neon.ts';
import type { Action, Provider } from '../providers/provider.ts';
import { TABLES } from '../tables.ts';
import { type CatalogueRow, catalogueLines, formatAction, parseAction } from './catalogue.ts';
import { syncCatalogues } from './catalogues.ts';

const name = fc.stringMatching(/^[a-z0-9-]{1,12}$/);
const parameter = fc.stringMatching(/^[a-z_]{1,10}$/);
const some = fc.uniqueArray(parameter, { minLength: 1, maxLength: 4 });
const actions: fc.Arbitrary<Action> = fc
  .record({
    resource: name,
    verb: name,
    method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'),
    effect: fc.constantFrom('read', 'write', 'delete'),
    path: fc.array(
      fc.oneof(
        name,
        parameter.map((text) => `{${text}}`),
      ),
      { minLength: 1, maxLength: 6 },
    ),
    more: fc.record(
      {
        query: some,
        slashes: some,
        mints: fc.constant(true as const),
        foreignRedirect: fc.constant('pass' as const),
        upgrade: fc.constant('websocket' as const),
        firstFrame: fc.constant({ pointer: '/token', subprotocol: 'prefect' }),
      },
      { requiredKeys: [] },
    ),
  })
  .map(({ resource, verb, path, method, effect, more }) => ({
    name: `${resource}.${verb}`,
    method: method as Action['method'],
    effect: effect as Action['effect'],
    path: `/${path.join('/')}`,
    ...more,
  }));

test('any action reads back as it was written', () => {
  fc.assert(fc.property(actions, (action) => assert.deepEqual(parseAction(formatAction(action)), action)));
  for (const action of neon.actions) assert.deepEqual(parseAction(formatAction(action)), action);
});

test('what says the same is written the same: empty lists and false flags leave no trace', () => {
  const action: Action = { name: 'a.b', method: 'GET', path: '/a', effect: 'read' };
  assert.equal(formatAction({ ...action, query: [], slashes: [], mints: false }), formatAction(action));
});

test('a line that this program did not write is refused', () => {
  for (const line of [
    '',
    'a.b',
    'a.b read',
    'a.b read GET',
    'a.b mint GET /a',
    'a.b READ GET /a',
    ' a.b read GET /a',
  ]) {
    assert.throws(
      () => parseAction(line),
      (error) => Failure.is(error, 'corrupt'),
      line,
    );
  }
});

test('the largest catalogue fits one entry of the ledger', () => {
  const row: CatalogueRow = { id: 'cat_1', rowVersion: 1, provider: neon.name, actions: catalogueLines(neon) };
  prepareControl({ events: [controlEvent([{ noun: 'catalogue', row }])] }, TABLES, () => []);
});

test('a catalogue is written when it is new or has changed, and not again', async () => {
  const rows = emptyRows();
  const written: string[] = [];
  const desk: Desk = {
    rows,
    clock: { now: () => NOW, monotonic: () => 0 },
    random: seededRandom(1),
    write(write: ControlWrite) {
      for (const event of write.events) {
        assert.equal(applyEvent(rows, event), null);
        written.push(event.type);
      }
      return Promise.resolve({ first: 0, size: written.length });
    },
  };
  await syncCatalogues(desk, [neon]);
  await syncCatalogues(desk, [neon]);
  assert.deepEqual(written, ['catalogue.loaded']);
  const narrower: Provider = { ...neon, actions: neon.actions.slice(1) };
  await syncCatalogues(desk, [narrower]);
  await syncCatalogues(desk, [narrower]);
  const [row] = allRows<CatalogueRow>(rows, 'catalogue');
  assert.deepEqual([written.length, row?.rowVersion, row?.actions.length], [2, 2, neon.actions.length - 1]);
  assert.equal(allRows(rows, 'catalogue').length, 1);
});
