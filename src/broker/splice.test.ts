// Splicing against JSON.parse: what is spliced parses to what setting the value would give, what JSON.parse refuses is refused, and
// every byte beside the value stays as it was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { splice } from './splice.ts';

type Tree = null | boolean | number | string | Tree[] | { [key: string]: Tree };

function pointerOf(path: readonly string[]): string {
  return path.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** A copy with `value` at the path: an existing value replaced, or a missing last member of an object added. Null where it leads nowhere. */
function withValue(tree: Tree, path: readonly string[], value: Tree): { tree: Tree } | null {
  const [first, ...rest] = path;
  if (first === undefined) return { tree: value };
  if (Array.isArray(tree)) {
    const index = tree.findIndex((_, i) => String(i) === first);
    const inner = index < 0 ? null : withValue(tree[index]!, rest, value);
    return inner === null ? null : { tree: tree.map((item, i) => (i === index ? inner.tree : item)) };
  }
  if (typeof tree !== 'object' || tree === null) return null;
  const isThere = Object.hasOwn(tree, first);
  if (!isThere && rest.length > 0) return null;
  const inner = isThere ? withValue(tree[first]!, rest, value) : { tree: value };
  return inner === null ? null : { tree: { ...tree, [first]: inner.tree } };
}

// `__proto__` as a key would be a setter to the reference, not a member. And a key of one backslash must not come up: once V8 14.6
// (Node 26.10) has parsed an object with such a key, its JSON.parse takes other keys of one escaped character for it.
const key = fc.oneof(
  fc.constantFrom('a', 'b', '', '~', '/', '0', '1', 'a/b', '"', '\\\\', 'é', '\u0001'),
  fc.string({ maxLength: 3 }),
);
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string(),
    ),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(
      key.filter((text) => text !== '__proto__' && text !== '\\'),
      tie('tree'),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
}));

/** The tree as JSON with white space and escapes that another writer might have chosen. */
function written(value: Tree, random: () => number): string {
  const space = () => ['', '', ' ', '\n', '\t ', '\r\n'][Math.floor(random() * 6)]!;
  const text = (one: string) =>
    random() < 0.5
      ? JSON.stringify(one)
      : `"${[...one]
          .map((c) =>
            c
              .split('')
              .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
              .join(''),
          )
          .join('')}"`;
  const inner = (one: Tree): string => {
    if (typeof one === 'string') return text(one);
    if (Array.isArray(one)) return `[${space()}${one.map(inner).join(`${space()},${space()}`)}${space()}]`;
    if (typeof one === 'object' && one !== null) {
      const members = Object.entries(one).map(([name, member]) => `${text(name)}${space()}:${space()}${inner(member)}`);
      return `{${space()}${members.join(`${space()},${space()}`)}${space()}}`;
    }
    return JSON.stringify(one);
  };
  return space() + inner(value) + space();
}

test('what is spliced parses to the tree with the value set, wherever the pointer leads', () => {
  const path = fc.array(key, { maxLength: 4 });
  let hits = 0;
  fc.assert(
    fc.property(
      tree,
      path,
      tree,
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (body, at, value, stream) => {
        const text = written(body, () => stream.next().value as number);
        const expected = withValue(body, at, value);
        const spliced = splice(text, pointerOf(at), JSON.stringify(value));
        if (expected === null) {
          assert.deepEqual(spliced, { is: 'body-pointer' });
          return;
        }
        hits++;
        assert(spliced.is === 'spliced', spliced.is);
        assert.deepEqual(JSON.parse(spliced.text), JSON.parse(JSON.stringify(expected.tree)));
      },
    ),
    { numRuns: 3_000 },
  );
  assert(hits > 300, `only ${hits} pointers led anywhere`);
});

test('a path of the tree itself: the value before is given back, and all else is byte for byte the same', () => {
  fc.assert(
    fc.property(
      tree,
      fc.nat(),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (body, pick, stream) => {
        const paths: string[][] = [[]];
        const walk = (one: Tree, at: string[]): void => {
          if (typeof one !== 'object' || one === null) return;
          for (const [name, inner] of Object.entries(one)) {
            paths.push([...at, name]);
            walk(inner, [...at, name]);
          }
        };
        walk(body, []);
        const path = paths[pick % paths.length]!;
        const before = path.reduce<Tree>((one, name) => (one as { [name: string]: Tree })[name]!, body);
        const text = written(body, () => stream.next().value as number);
        const spliced = splice(text, pointerOf(path), '"NEW"');
        assert(spliced.is === 'spliced' && spliced.before !== null);
        assert.deepEqual(JSON.parse(spliced.before), JSON.parse(JSON.stringify(before)));
        const at = spliced.text.indexOf('"NEW"');
        const back = spliced.text.slice(0, at) + spliced.before + spliced.text.slice(at + 5);
        assert.equal(back.length, text.length);
        // Where the text itself holds "NEW" the first one need not be ours.
        if (!text.includes('"NEW"')) assert.equal(back, text);
      },
    ),
    { numRuns: 1_000 },
  );
});

test('numbers that a parser would round, key order and white space survive', () => {
  const text =
    '{ "amount": 12345678901234567890.12345678901234567890, "z":1e400,\n "access_token" : "old" , "a":-0.0 }';
  const spliced = splice(text, '/access_token', '"new"');
  assert(spliced.is === 'spliced');
  assert.equal(spliced.text, text.replace('"old"', '"new"'));
  assert.equal(spliced.before, '"old"');
});

test('a missing last member is added, a missing parent is not', () => {
  const spliced = (text: string, pointer: string) => splice(text, pointer, '1');
  assert.deepEqual(spliced('{}', '/a'), { is: 'spliced', text: '{"a":1}', before: null });
  assert.deepEqual(spliced('{ }', '/a'), { is: 'spliced', text: '{"a":1 }', before: null });
  assert.deepEqual(spliced('{"b":2}', '/a'), { is: 'spliced', text: '{"a":1,"b":2}', before: null });
  assert.deepEqual(spliced('{"b":{}}', '/b/"'), { is: 'spliced', text: '{"b":{"\\"":1}}', before: null });
  for (const [text, pointer] of [
    ['{}', '/a/b'],
    ['[]', '/0'],
    ['[]', '/-'],
    ['[1]', '/1'],
    ['[1]', '/01'],
    ['1', '/a'],
    ['{"a":1}', '/a/b'],
  ] as const) {
    assert.deepEqual(spliced(text, pointer), { is: 'body-pointer' }, `${text} ${pointer}`);
  }
});

test('a pointer that is none replaces nothing', () => {
  for (const pointer of ['a', 'access_token', 'a/b', '#/a']) {
    assert.deepEqual(splice('{"a":1}', pointer, '2'), { is: 'body-pointer' }, pointer);
  }
});

test('a key that comes twice in an object on the path is refused, in whatever spelling and at whatever depth', () => {
  const refused = [
    ['{"a":1,"a":2}', '/a'],
    ['{"a":1,"\\u0061":2}', '/a'],
    ['{"\\u0061":1,"a":2}', '/a'],
    ['{"x":{"a":1},"x":{"a":2}}', '/x/a'],
    ['{"x":{"a":1,"a":2}}', '/x/a'],
    ['{"x":{"a":1},"\\u0078":0}', '/x/a'],
    ['{"x":[{"a":1,"a":2}]}', '/x/0/a'],
    ['{"b":1,"b":2,"a":3}', '/a'],
    ['{"":1,"":2}', '/'],
    ['{"a/b":1,"a\\/b":2}', '/a~1b'],
  ] as const;
  for (const [text, pointer] of refused)
    assert.deepEqual(splice(text, pointer, '9'), { is: 'body-duplicate-key' }, text);
  // Beside the path it is the provider's business.
  for (const [text, pointer] of [
    ['{"y":{"a":1,"a":2},"a":3}', '/a'],
    ['[{"a":1,"a":2},{"a":3}]', '/1/a'],
  ] as const) {
    assert.equal(splice(text, pointer, '9').is, 'spliced', text);
  }
});

test('exactly what JSON.parse refuses is refused', () => {
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"',
    '\\',
    '1',
    '-',
    '01',
    '.5',
    '1.',
    '1e5',
    'true',
    'null',
    'nul',
    ' ',
    '\n',
    '\u00a0',
    '\ufeff',
    '//',
    "'a'",
    'NaN',
  );
  const texts = fc.oneof(
    fc.array(piece, { maxLength: 8 }).map((parts) => parts.join('')),
    fc.array(fc.nat(0x17f), { maxLength: 10 }).map((codes) => String.fromCharCode(...codes)),
  );
  fc.assert(
    fc.property(texts, (text) => {
      let isJson = true;
      try {
        JSON.parse(text);
      } catch {
        isJson = false;
      }
      assert.equal(splice(text, '/none/of/it', '1').is !== 'body-not-json', isJson, JSON.stringify(text));
    }),
    { numRuns: 4_000 },
  );
  for (const text of [
    '',
    ' ',
    '{"a":1,}',
    '[1,]',
    '{"a" 1}',
    '{a:1}',
    '{"a":1}}',
    '1 2',
    '"\u0001"',
    '"\\x41"',
    '"\\u00g0"',
    '+1',
    '0x1',
    '\ufeff{}',
  ]) {
    assert.deepEqual(splice(text, '/a', '1'), { is: 'body-not-json' }, JSON.stringify(text));
  }
});

test('nesting is bounded, and a body of the largest size that may be edited is no trouble', () => {
  const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  assert.equal(splice(`{"x":${nested(60)},"a":1}`, '/a', '2').is, 'spliced');
  for (const depth of [66, 1_000, 300_000]) {
    assert.deepEqual(splice(`{"x":${nested(depth)},"a":1}`, '/a', '2'), { is: 'body-not-json' });
  }
  const megabytes = 16 * 1_048_576;
  for (const filler of ['x', '\\n', '\\u0041', 'é']) {
    const text = `{"x":"${filler.repeat(megabytes / filler.length)}","a":1}`;
    assert.equal(splice(text, '/a', '2').is, 'spliced', filler);
  }
  const many = `[${new Array(500_000).fill('{"k":1}').join(',')}]`;
  const spliced = splice(`{"x":${many},"a":"old"}`, '/a', '"new"');
  assert(spliced.is === 'spliced' && spliced.before === '"old"');
});
