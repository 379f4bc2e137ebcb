// If-Match and Accept, by table.
import assert from 'node:assert/strict';
import test from 'node:test';
import { chooseType, matchProblem } from './precondition.ts';

const row = { id: 'x', rowVersion: 3 };

test('If-Match holds for the version that is there, for any, and for a list that names it', () => {
  for (const header of [undefined, '"3"', '*', '"1", "3"', '"1","2" , "3"'])
    assert.equal(matchProblem(header, row), null);
});

test('another version and a weak tag fail the precondition', () => {
  for (const header of ['"2"', '"1", "2"', 'W/"3"']) assert.equal(matchProblem(header, row)?.status, 412, header);
});

test('what is no list of tags is invalid', () => {
  for (const header of ['3', '"3', '', '"x"', '"3";', '"3" "4"', '"-3"']) {
    assert.equal(matchProblem(header, row)?.status, 400, header);
  }
});

test('a row that is not there is the handler’s to miss', () => {
  assert.equal(matchProblem('"3"', null), null);
});

test('the type is the one that the caller likes best', () => {
  const offered = ['application/json', 'text/plain'];
  const table: [string | undefined, string | null][] = [
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['text/plain', 'text/plain'],
    ['text/*', 'text/plain'],
    ['application/json;q=0.5, text/plain', 'text/plain'],
    ['text/plain;q=0.5, */*;q=0.1', 'text/plain'],
    ['text/plain; charset=utf-8', 'text/plain'],
    ['application/json;q=0', null],
    ['image/png', null],
    ['application/json;q=x', null],
    ['', null],
  ];
  for (const [accept, type] of table) assert.equal(chooseType(accept, offered), type, accept ?? 'none');
});

test('where one type is on offer, Accept does not matter', () => {
  assert.equal(chooseType('image/png', ['application/json']), 'application/json');
  assert.equal(chooseType('image/png', []), 'application/json');
});
