// What of YAML is accepted, and that no text, however hostile, does more than be refused.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { DOCUMENT_CHARACTERS_MAX } from './document.ts';
import { assertProblems, problems, read } from './test-support.io.ts';

const EXAMPLE = readFileSync(path.resolve(import.meta.dirname, '../../claviger.example.yaml'), 'utf8');

test('syntax: what is more than data is refused with its place', () => {
  const table: readonly (readonly [string, ...string[]])[] = [
    ['drain: &a 1s', '/drain 1:11 anchors and aliases'],
    ['drain: &a 1s\ncheckpointEvery: *a', '/drain 1:11 anchors', '/checkpointEvery 2:18 anchors and aliases'],
    ['&k drain: 1s', '/drain 1:4 anchors and aliases'],
    ['drain: !!str 1s', '/drain 1:14 tags are not accepted'],
    ['drain: !secret 1s', ' 1:8 tags are not accepted'],
    ['!!str drain: 1s', '/drain 1:7 tags are not accepted'],
    ['%YAML 1.1\n---\ndrain: 1s', ' 1:1 directives are not accepted'],
    ['%FOO\n---\ndrain: 1s', ' 1:1 directives are not accepted'],
    ['drain: 1s\ndrain: 2s', '/drain 2:1 this key stands here twice'],
    ['drain: 1s\n"drain": 2s', '/drain 2:1 this key stands here twice'],
    ['drain: 1s\n---\ndrain: 2s', ' 2:1 there is more than one document'],
    ['? [a]\n: 1', ' 1:3 a key must be plain text'],
    ['broker:\n\tlisten: x', ' 2:1 a tab as indentation'],
    ['drain: 1s: 2s', ' 1:8 a second colon on the line'],
    ['drain: "\\q"', ' 1:9 a wrong escape'],
    ['drain: "1s', ' 1:11 a closing quote'],
    ['drain: [1', ' 1:10 wrong indentation, or a bracket'],
    ['trustedProxies: [a: 1]', '/trustedProxies/0 1:18 expected a network'],
    ['dataDirectory: "\\0"', '/dataDirectory 1:16 text with U+0000'],
    ['dataDirectory: "\\ud800"', '/dataDirectory 1:16 text with U+0000 or half'],
  ];
  for (const [text, ...expected] of table) assertProblems(text, expected);
});

test('documents that would grow, or are large or deep, are refused at little cost', () => {
  const laughs = ['a: &a [x, x, x, x, x, x, x, x, x]'];
  for (const [above, name] of [...'abcdefgh'].entries()) {
    const next = String.fromCharCode(98 + above);
    laughs.push(`${next}: &${next} [${Array(9).fill(`*${name}`).join(', ')}]`);
  }
  assert.match(problems(laughs.join('\n'))[0]!.message, /anchors and aliases/);
  assert.match(problems(' '.repeat(DOCUMENT_CHARACTERS_MAX + 1))[0]!.message, /longer than/);
  assert.match(problems(`drain: ${'['.repeat(30)}${']'.repeat(30)}`)[0]!.message, /too deeply/);
  for (const piece of ['[', '{a: ', '- ', '? ', '!', '&a ', '"\\x', 'a: |\n', '[a,', '*']) {
    const found = problems(piece.repeat(5_000));
    assert.ok(found.length <= 50, piece);
  }
});

test('broken text never crashes the reader', () => {
  const special = fc.constantFrom(
    '\t',
    '\n',
    ' ',
    ':',
    ': ',
    '- ',
    '? ',
    '&a',
    '*a',
    '!',
    '|',
    '>',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    '#',
    '%',
    '@',
    '`',
    ',',
    '\0',
    '\ufeff',
    '\ud800',
    '---',
    '...',
    '<<: ',
    '\r',
    '\u2028',
  );
  const splice = fc.record({
    at: fc.nat({ max: EXAMPLE.length }),
    remove: fc.nat({ max: 5 }),
    insert: fc.array(special, { maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(splice, { minLength: 1, maxLength: 4 }), (splices) => {
      let text = EXAMPLE;
      for (const { at, remove, insert } of splices)
        text = text.slice(0, at) + insert.join('') + text.slice(at + remove);
      assert.ok(['read', 'refused'].includes(read(text).is));
    }),
    { numRuns: 40 },
  );
  const anyCharacter = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
  const soup = fc.array(fc.oneof(special, anyCharacter), { maxLength: 30 });
  fc.assert(
    fc.property(soup, (pieces) => assert.ok(['read', 'refused'].includes(read(pieces.join('')).is))),
    { numRuns: 1_000 },
  );
});
