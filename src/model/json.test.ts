// Canonical JSON (RFC 8785) against JSON.parse and against the order of UTF-16 code units; what may not be stored is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from './failure.ts';
import { canonicalJson, isStorableText, type Json } from './json.ts';

// A key of one backslash must not come up: once V8 14.6 (Node 26.10) has parsed an object with such a key, its JSON.parse takes other
// keys of one escaped character for it.
const storable = fc
  .string({ unit: 'grapheme', maxLength: 8 })
  .filter((text) => isStorableText(text) && text !== '\\' && text !== '__proto__');
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      storable,
    ),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(storable, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  ),
}));

/** Keys of every object in the text, in the order in which they stand. */
function keysOf(json: Json, keys: string[][] = []): string[][] {
  if (Array.isArray(json)) for (const item of json) keysOf(item as Json, keys);
  else if (typeof json === 'object' && json !== null) {
    keys.push(Object.keys(json));
    for (const member of Object.values(json)) keysOf(member, keys);
  }
  return keys;
}

test('the text says the value, has no white space outside strings, and is its own canonical form', () => {
  fc.assert(
    fc.property(value, (given) => {
      const text = canonicalJson(given);
      const parsed = JSON.parse(text) as Json;
      assert.deepEqual(parsed, JSON.parse(JSON.stringify(given)));
      assert.equal(canonicalJson(parsed), text);
      assert.equal(JSON.stringify(JSON.parse(text)).length, text.length);
    }),
    { numRuns: 1_000 },
  );
});

test('the order of keys in memory does not matter; in the text they stand by UTF-16 code units', () => {
  fc.assert(
    fc.property(fc.uniqueArray(storable, { maxLength: 8 }), (names) => {
      const forward = canonicalJson(Object.fromEntries(names.map((name, i) => [name, i])));
      const pairs = names.map((name, i) => [name, i] as const).reverse();
      assert.equal(canonicalJson(Object.fromEntries(pairs)), forward);
      for (const keys of keysOf(JSON.parse(forward) as Json)) {
        // Integer-like keys come first in a JavaScript object, whatever the text says.
        const texts = keys.filter((key) => !/^(?:0|[1-9][0-9]*)$/.test(key));
        const isSorted = texts.every((key, i) => i === 0 || texts[i - 1]! < key);
        assert(isSorted, forward);
      }
    }),
  );
  // U+1F600 is D83D DE00 in UTF-16 and comes before U+FB33, although its code point is larger.
  assert.equal(
    canonicalJson({ '\ufb33': 1, '\u{1f600}': 2, '\u20ac': 3, '1': 4, '\r': 5 }),
    '{"\\r":5,"1":4,"\u20ac":3,"\u{1f600}":2,"\ufb33":1}',
  );
});

test('numbers are written as RFC 8785 writes them', () => {
  const table: [number, string][] = [
    [0, '0'],
    [-0, '0'],
    [1, '1'],
    [-1.5, '-1.5'],
    [1e21, '1e+21'],
    [1e20, '100000000000000000000'],
    [1e-7, '1e-7'],
    [0.000001, '0.000001'],
    [Number('333333333.33333329'), '333333333.3333333'],
    [5e-324, '5e-324'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [Number('9007199254740993'), '9007199254740992'],
  ];
  for (const [number, text] of table) assert.equal(canonicalJson(number), text);
  for (const number of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.throws(
      () => canonicalJson([number]),
      (error) => Failure.is(error, 'invalid'),
    );
  }
});

test('strings have the shortest escapes, and only those that they need', () => {
  assert.equal(
    canonicalJson('\u0001\b\t\n\f\r\u001f"\\/\u007f\u2028é😀'),
    '"\\u0001\\b\\t\\n\\f\\r\\u001f\\"\\\\/\u007f\u2028é😀"',
  );
});

test('U+0000 and lone surrogates are refused as values and as keys, at any depth; pairs are welcome', () => {
  for (const text of ['\u0000', 'a\u0000b', '\ud800', 'a\udc00', '\ude00\ud83d', '\ud83d\ud83d\ude00']) {
    assert(!isStorableText(text));
    for (const json of [text, [[text]], { a: { b: text } }, { [text]: 1 }]) {
      assert.throws(
        () => canonicalJson(json),
        (error) => Failure.is(error, 'invalid') && !String(error).includes(text),
      );
    }
  }
  for (const text of ['', '\u{1f600}', '\u0001', '\ufeff', '\uffff', '\u202e']) assert(isStorableText(text));
});

test('a member that is undefined is as absent as in JSON.stringify', () => {
  assert.equal(canonicalJson({ b: 1, a: undefined } as unknown as Json), '{"b":1}');
});
