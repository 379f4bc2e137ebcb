// Bodies: what is not JSON, and what is JSON and may not be stored, are told apart.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { isStorableText } from '../model/json.ts';
import { escapePointer, parseBody } from './body.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

function problemOf(text: string | Uint8Array) {
  const parsed = parseBody(typeof text === 'string' ? bytes(text) : text);
  assert.equal(parsed.is, 'problem');
  return parsed.is === 'problem' ? parsed.problem : null;
}

test('JSON in UTF-8 is taken as it is', () => {
  for (const text of ['null', '"\u{1f511}\u2028"', '{"a":[1,2,{"b":null}]}', ' [] ', '{"a":1,"a":2}']) {
    assert.deepEqual(parseBody(bytes(text)), { is: 'json', value: JSON.parse(text) });
  }
});

test('what is not JSON is malformed', () => {
  const cases = ['', '{', "{'a':1}", '[1,]', 'NaN', '\ufeff{}', '"\u0009"', '01', '[1]x', '['.repeat(100_000)];
  for (const text of cases) assert.equal(problemOf(text)?.code, 'malformed-json', JSON.stringify(text.slice(0, 20)));
  for (const raw of [[0xff], [0x22, 0xed, 0xa0, 0x80, 0x22], [0x22, 0xc0, 0x80, 0x22]]) {
    assert.equal(problemOf(Uint8Array.from(raw))?.code, 'malformed-json');
  }
});

test('text that may not be stored is invalid, with its place', () => {
  assert.deepEqual(problemOf('{"a":{"b/c":["x","\\u0000"]}}')?.errors, [
    { pointer: '/a/b~1c/1', detail: 'text holds U+0000 or a lone surrogate' },
  ]);
  assert.equal(problemOf('"\\ud800"')?.code, 'invalid');
  assert.equal(problemOf('{"\\udc00":1}')?.code, 'invalid');
});

test('a member called __proto__ is refused in any spelling', () => {
  for (const text of ['{"__proto__":{}}', '{"a":{"\\u005f_proto__":1}}', '[{"__proto__":null}]']) {
    assert.equal(problemOf(text)?.code, 'invalid');
  }
});

test('nesting is bounded, whatever its depth', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  assert.equal(parseBody(bytes(nested(32))).is, 'json');
  assert.equal(problemOf(nested(33))?.code, 'invalid');
  assert.equal(problemOf(nested(100_000))?.code, 'invalid');
});

test('errors are bounded in number', () => {
  const many = JSON.stringify(Array.from({ length: 1_000 }, () => '\u0000'));
  assert.ok((problemOf(many)?.errors.length ?? 0) <= 50);
});

test('any JSON value is taken exactly if all its text may be stored', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (value) => {
      const text = JSON.stringify(value);
      const isStorable = everyText(JSON.parse(text), isStorableText);
      const parsed = parseBody(bytes(text));
      if (isStorable) assert.deepEqual(parsed, { is: 'json', value: JSON.parse(text) });
      else assert.equal(parsed.is, 'problem');
    }),
  );
});

function everyText(value: unknown, holds: (text: string) => boolean): boolean {
  if (typeof value === 'string') return holds(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(
    ([name, member]) => name !== '__proto__' && holds(name) && everyText(member, holds),
  );
}

test('a pointer holds the name escaped and cut', () => {
  assert.equal(escapePointer('a/b~c'), 'a~1b~0c');
  assert.equal(escapePointer('x'.repeat(500)).length, 100);
});
