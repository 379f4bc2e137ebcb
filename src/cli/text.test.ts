// Text on a terminal: nothing that others wrote may move the cursor, and nothing is wider than it says.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cut, jsonText, pad, visible, visibleBlock, widthOf } from './text.ts';

const OBEYED = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c\ufeff]|\p{Cs}/u;

test('what a terminal would obey, or nobody could see, is spelt out', () => {
  const cases: [string, string][] = [
    ['prod', 'prod'],
    ['\u001b[2J\u001b]0;owned\u0007', '\\u{1b}[2J\\u{1b}]0;owned\\u{7}'],
    ['\u009b31m', '\\u{9b}31m'],
    ['a\r\nb\tc', 'a\\u{d}\\u{a}b\\u{9}c'],
    ['abc\u202egnp.exe', 'abc\\u{202e}gnp.exe'],
    ['pay\u200bpal', 'pay\\u{200b}pal'],
    ['a\u200db', 'a\\u{200d}b'],
    ['\ud800', '\\u{d800}'],
    ['tag\u{e0041}', 'tag\\u{e0041}'],
    ['Zoë 鍵 🗝️ 👩‍💻', 'Zoë 鍵 🗝️ 👩‍💻'],
  ];
  for (const [text, expected] of cases) assert.equal(visible(text), expected);
  assert.equal(visibleBlock('a\n\u001bb'), 'a\n\\u{1b}b');
});

test('whatever the text, visible text holds nothing that a terminal obeys', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(visible(text), OBEYED);
    }),
  );
});

test('widths: wide characters and emoji take two columns, combining marks none', () => {
  const cases: [string, number][] = [
    ['', 0],
    ['abc', 3],
    ['鍵', 2],
    ['ｆｕｌｌ', 8],
    ['e\u0301', 1],
    ['🗝️', 2],
    ['👩‍💻', 2],
    ['🇨🇭', 2],
    ['한글', 4],
    ['…', 1],
  ];
  for (const [text, width] of cases) assert.equal(widthOf(text), width, text);
});

test('cutting never goes over the width, never splits a character, and says that it cut', () => {
  assert.equal(cut('abcdef', 4), 'abc…');
  assert.equal(cut('鍵鍵鍵', 4), '鍵…');
  assert.equal(cut('👩‍💻👩‍💻', 3), '👩‍💻…');
  assert.equal(cut('abc', 3), 'abc');
  assert.equal(cut('abc', 0), '');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(20), (raw, columns) => {
      const text = visible(raw);
      const short = cut(text, columns);
      assert(widthOf(short) <= columns);
      if (widthOf(text) <= columns) assert.equal(short, text);
      assert.equal(widthOf(pad(short, columns)), columns);
    }),
  );
});

test('JSON for a terminal says the same as JSON', () => {
  const hostile = { name: '\u009b2J\u202e\u2028"\\\n\u001b' };
  assert.doesNotMatch(jsonText(hostile, 0), OBEYED);
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
      const both = { value, text };
      assert.deepEqual(JSON.parse(jsonText(both)), JSON.parse(JSON.stringify(both)));
      assert.doesNotMatch(jsonText(both).replaceAll('\n', ''), OBEYED);
    }),
  );
});
