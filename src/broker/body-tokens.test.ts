// Tokens in a JSON body: whichever way one is written, it is found; and only what is the whole value of a member that every reader sees has a
// pointer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OTHER_TOKEN, TOKEN } from '../../test/support/plans.ts';
import { tokensOfBody } from './body-tokens.ts';
import { splice } from './splice.ts';

const placed = (text: string) => tokensOfBody(text).map(({ text: token, pointer }) => [token, pointer ?? null]);
const escapedToken = `\\u0063${TOKEN.slice(1)}`;

test('where a token stands, and where it only is', () => {
  const table: readonly [string, readonly (readonly [string, string | null])[]][] = [
    ['{}', []],
    ['{"a":"b"}', []],
    [`{"access_token":"${TOKEN}"}`, [[TOKEN, '/access_token']]],
    [`{"access_token":"secret-token:${TOKEN}"}`, [[TOKEN, '/access_token']]],
    [`{"a":{"b":["x",{"c/d~e":"${TOKEN}"}]}}`, [[TOKEN, '/a/b/1/c~1d~0e']]],
    [
      `{"secret":"${TOKEN}","access_token":"${OTHER_TOKEN}"}`,
      [
        [TOKEN, '/secret'],
        [OTHER_TOKEN, '/access_token'],
      ],
    ],
    [`{"a":"${escapedToken}"}`, [[TOKEN, '/a']]],
    [`"${TOKEN}"`, [[TOKEN, '']]],
    // Part of a longer text: nothing can stand in its place.
    [`{"a":"Bearer ${TOKEN}"}`, [[TOKEN, null]]],
    [`{"a":"${TOKEN} "}`, [[TOKEN, null]]],
    [`{"a":"${TOKEN},${OTHER_TOKEN}"}`, [TOKEN, OTHER_TOKEN].map((one) => [one, null])],
    // Where no reader looks for a value, or not every one the same.
    [`{"${TOKEN}":"a"}`, [[TOKEN, null]]],
    [`{"${escapedToken}":"a"}`, [[TOKEN, null]]],
    [`{"a":"${TOKEN}","a":"b"}`, [[TOKEN, null]]],
    [
      `{"a":"${TOKEN}","a":"${TOKEN}"}`,
      [
        [TOKEN, '/a'],
        [TOKEN, null],
      ],
    ],
    // What only begins like one: it is a mistake wherever it stands.
    ['{"a":"clv_x"}', [['clv_x', '/a']]],
    // A backslash before the mark is no escape of it.
    [`{"a":"\\\\u0063lv_x"}`, []],
    // No JSON: nothing is known, and it is refused as such elsewhere.
    [`{"a":"${TOKEN}"`, []],
    [`{'a':'${TOKEN}'}`, []],
    ['', []],
  ];
  for (const [text, expected] of table) assert.deepEqual(placed(text), expected, text);
});

test('every token that was put into a value is found at its pointer, in whatever tree', () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.string({ maxLength: 4 }), tie('tree'), { maxKeys: 3 }),
    ),
  }));
  const host = fc.dictionary(fc.string({ maxLength: 4 }), tree, { maxKeys: 4 });
  fc.assert(
    fc.property(host, fc.string({ maxLength: 6 }), fc.boolean(), (object, name, isEscaped) => {
      const text = JSON.stringify({ ...object, [name]: TOKEN });
      const written = isEscaped ? text.replace(TOKEN, escapedToken) : text;
      const pointer = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      assert.deepEqual(placed(written), [[TOKEN, pointer]]);
      const spliced = splice(written, pointer, '"gone"');
      assert(spliced.is === 'spliced');
      assert.deepEqual(placed(spliced.text), [], 'what stands at the pointer is what is replaced');
    }),
  );
});

test('a deep tree and a long string are no trouble', () => {
  const deep = `${'['.repeat(200_000)}"${TOKEN}"${']'.repeat(200_000)}`;
  // Deeper than any body that is edited: it has no place there.
  assert.deepEqual(placed(deep), [[TOKEN, null]]);
  const long = `{"a":"${'x\\"'.repeat(300_000)}","b":"${TOKEN}"}`;
  assert.deepEqual(placed(long), [[TOKEN, '/b']]);
});
