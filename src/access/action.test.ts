// Matching requests to actions: every operation of a real catalogue matches itself and nothing else, and nothing is accepted
// that a normaliser would change, because a provider that normalises would then judge another request than we did.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { neonActions } from '../providers/neon.actions.ts';
import type { Action } from '../providers/provider.ts';
import { compileCatalogue, matchAction, pathProblem, readQuery, type TargetProblem } from './action.ts';

const neon = compileCatalogue(neonActions);

function action(method: Action['method'], path: string, given: Partial<Action> = {}): Action {
  return { name: `${method.toLowerCase()}.${path}`, method, path, effect: 'read', ...given };
}

/** A path of an action: each parameter replaced by a value. */
function filled(template: string, value: (name: string, index: number) => string): string {
  let index = 0;
  return template.replace(/\{(\w+)\}/g, (_, name: string) => value(name, index++));
}

/** How an action ranks among those that fit a path: where they differ, a literal comes before a parameter. */
function rank(one: Action): string {
  return one.path
    .split('/')
    .map((part) => (part.startsWith('{') ? '1' : '0'))
    .join('');
}

/** The actions that a path could mean, the one that is meant first, by comparing segments one by one: the reference for the trie. */
function matchingByHand(actions: readonly Action[], method: string, path: string): Action[] {
  const segments = path.split('/');
  return actions
    .filter((one) => {
      const parts = one.path.split('/');
      if (one.method !== method || parts.length !== segments.length) return false;
      return parts.every((part, i) => (part.startsWith('{') ? segments[i] !== '' : part === segments[i]));
    })
    .sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

test('every operation of the catalogue matches itself, with its parameters, and under no other method', () => {
  for (const one of neonActions) {
    const path = filled(one.path, (name, index) => `v${index}-${name}`);
    assert.equal(pathProblem(path), null, path);
    const match = matchAction(neon, one.method, path);
    assert.equal(match?.action.name, one.name, path);
    const names = [...one.path.matchAll(/\{(\w+)\}/g)].map((found) => found[1]!);
    assert.deepEqual(match?.parameters, Object.fromEntries(names.map((name, i) => [name, `v${i}-${name}`])));
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'] as const) {
      const [expected] = matchingByHand(neonActions, method, path);
      assert.equal(matchAction(neon, method, path)?.action.name, expected?.name, `${method} ${path}`);
    }
  }
});

test('random paths over the words of the catalogue match what a comparison by hand allows, the literal first', () => {
  const words = [...new Set(neonActions.flatMap((one) => one.path.split('/').slice(1)))];
  const word = fc.constantFrom(...words.map((text) => (text.startsWith('{') ? 'some-id' : text)));
  const near = fc.record({
    one: fc.constantFrom(...neonActions),
    at: fc.nat(12),
    change: fc.constantFrom('keep', 'drop', 'double', 'swap'),
    word,
  });
  fc.assert(
    fc.property(near, ({ one, at, change, word: other }) => {
      const segments = filled(one.path, () => 'some-id')
        .split('/')
        .slice(1);
      const index = at % segments.length;
      if (change === 'drop') segments.splice(index, 1);
      if (change === 'double') segments.splice(index, 0, segments[index]!);
      if (change === 'swap') segments[index] = other;
      const path = `/${segments.join('/')}`;
      const [expected] = matchingByHand(neonActions, one.method, path);
      assert.equal(matchAction(neon, one.method, path)?.action.name, expected?.name, path);
    }),
    { numRuns: 3_000 },
  );
});

test('where the literal leads nowhere the parameter is tried, and no value of the dead end is left over', () => {
  const catalogue = compileCatalogue([
    action('GET', '/a/{x}/lit/{y}/end'),
    action('GET', '/a/fixed/{z}/{w}/other'),
    action('GET', '/a/{x}/lit'),
  ]);
  assert.deepEqual(matchAction(catalogue, 'GET', '/a/fixed/lit/2/end')?.parameters, { x: 'fixed', y: '2' });
  assert.deepEqual(matchAction(catalogue, 'GET', '/a/fixed/lit/2/other')?.parameters, { z: 'lit', w: '2' });
  assert.deepEqual(matchAction(catalogue, 'GET', '/a/fixed/lit')?.parameters, { x: 'fixed' });
});

test('a slash at the end is another path: it matches where the catalogue has it, and a parameter is never empty', () => {
  const catalogue = compileCatalogue([action('GET', '/flows/'), action('GET', '/flow'), action('GET', '/f/{id}')]);
  const name = (path: string) => matchAction(catalogue, 'GET', path)?.action.path ?? null;
  for (const path of ['/flows', '/flow/', '/f/1/', '/f/', '/f', '/']) assert.equal(name(path), null, path);
  assert.deepEqual(['/flows/', '/flow', '/f/1'].map(name), ['/flows/', '/flow', '/f/{id}']);
});

test('a catalogue in which two actions are the same request is refused', () => {
  assert.throws(() => compileCatalogue([action('GET', '/a/{x}'), action('GET', '/a/{y}')]), /two actions/);
  compileCatalogue([action('GET', '/a/{x}'), action('POST', '/a/{y}')]);
});

test('no constrainable query parameter of a catalogue shares its name with a path parameter: one would hide the other', () => {
  for (const one of neonActions) {
    for (const name of one.query ?? []) assert(!one.path.includes(`{${name}}`), `${one.name} ${name}`);
  }
});

test('an encoded slash is taken only where this very action declares it for this parameter', () => {
  const catalogue = compileCatalogue([
    action('GET', '/o/{key}', { slashes: ['key'] }),
    action('DELETE', '/o/{key}'),
    action('GET', '/o/{key}/tags/{tag}', { slashes: ['key'] }),
  ]);
  for (const slash of ['%2f', '%2F']) {
    const path = `/o/a${slash}b`;
    assert.equal(pathProblem(path), null);
    assert.deepEqual(matchAction(catalogue, 'GET', path)?.parameters, { key: 'a/b' });
    assert.equal(matchAction(catalogue, 'DELETE', path), null, 'another action at the same place does not declare it');
    assert.deepEqual(matchAction(catalogue, 'GET', `${path}/tags/t`)?.parameters, { key: 'a/b', tag: 't' });
    assert.equal(matchAction(catalogue, 'GET', `/o/a/tags/t${slash}u`), null);
  }
  assert.equal(matchAction(neon, 'GET', '/api/v2/projects/a%2Fb'), null);
  assert.equal(matchAction(neon, 'GET', '/api/v2/projects%2Fshared'), null, 'no slash is made out of an encoded one');
});

test('parameters are decoded where that is unambiguous, and refused where the bytes are no text', () => {
  const catalogue = compileCatalogue([action('GET', '/p/{x}')]);
  const value = (text: string) => matchAction(catalogue, 'GET', `/p/${text}`)?.parameters['x'] ?? null;
  const decoded: Record<string, string> = { 'a%20b': 'a b', 'a+b': 'a+b', '%C3%A9': 'é', '%c3%a9': 'é', '%3A': ':' };
  for (const [text, expected] of Object.entries(decoded)) assert.equal(value(text), expected, text);
  // Over-long forms of `.`, `/` and NUL, a surrogate, a lone continuation, a cut sequence, beyond Unicode.
  for (const text of ['%c0%ae', '%c0%af', '%e0%80%af', '%c0%80', '%ed%a0%80', '%80', '%c3', '%f5%80%80%80']) {
    assert.equal(value(text), null, text);
  }
});

const REFUSED: readonly (readonly [string, TargetProblem])[] = [
  ['', 'target-form'],
  ['api', 'target-form'],
  ['*', 'target-form'],
  ['http://host/a', 'target-form'],
  ['/a b', 'target-form'],
  ['/a\tb', 'target-form'],
  ['/a\n', 'target-form'],
  ['/a\r\nb', 'target-form'],
  ['/a\u0000', 'target-form'],
  ['/a\u007f', 'target-form'],
  ['/é', 'target-form'],
  ['/a\u2044b', 'target-form'],
  ['/\uff0e\uff0e/b', 'target-form'],
  ['/a#b', 'target-form'],
  ['/a?b', 'target-form'],
  ['/a"b', 'target-form'],
  ['/a<b', 'target-form'],
  ['/a>b', 'target-form'],
  ['/a`b', 'target-form'],
  ['/a{b', 'target-form'],
  ['/a}b', 'target-form'],
  ['/a^b', 'target-form'],
  ['/a|b', 'target-form'],
  ['/a[b', 'target-form'],
  ['/a]b', 'target-form'],
  ['//', 'empty-segment'],
  ['//a', 'empty-segment'],
  ['/a//b', 'empty-segment'],
  ['/a//', 'empty-segment'],
  ['/a/%20//', 'empty-segment'],
  ['/.', 'dot-segment'],
  ['/..', 'dot-segment'],
  ['/./a', 'dot-segment'],
  ['/a/../b', 'dot-segment'],
  ['/a/..', 'dot-segment'],
  ['/a%20b/../c', 'dot-segment'],
  ['/%2e/a', 'encoded-dot'],
  ['/%2E%2e/a', 'encoded-dot'],
  ['/.%2e/a', 'encoded-dot'],
  ['/a%2eb', 'encoded-dot'],
  ['/a\\b', 'encoded-backslash'],
  ['/a\\..\\b', 'encoded-backslash'],
  ['/a%5cb', 'encoded-backslash'],
  ['/a%5C..%5Cb', 'encoded-backslash'],
  ['/a%00', 'encoded-control'],
  ['/a%0d%0aHost:%20x', 'encoded-control'],
  ['/a%1f', 'encoded-control'],
  ['/a%7F', 'encoded-control'],
  ['/a;b=c', 'path-parameter'],
  ['/a/..;/b', 'path-parameter'],
  ['/;/a', 'path-parameter'],
  ['/%61', 'encoded-unreserved'],
  ['/%41', 'encoded-unreserved'],
  ['/%30', 'encoded-unreserved'],
  ['/%7e', 'encoded-unreserved'],
  ['/%2D', 'encoded-unreserved'],
  ['/%5f', 'encoded-unreserved'],
  ['/%252e', 'bad-encoding'],
  ['/%25', 'bad-encoding'],
  ['/%', 'bad-encoding'],
  ['/%2', 'bad-encoding'],
  ['/%zz', 'bad-encoding'],
  ['/%u002e', 'bad-encoding'],
  ['/% 2e', 'target-form'],
];

test('what would need normalising, or could be read in two ways, is refused with its reason', () => {
  for (const [path, problem] of REFUSED) assert.equal(pathProblem(path), problem, JSON.stringify(path));
});

test('what needs no normalising is accepted', () => {
  const accepted = [
    '/',
    '/a',
    '/a/b',
    "/a-._~!$&'()*+,=:@b",
    '/...',
    '/a..b',
    '/.a',
    '/a.',
    '/..a',
    '/a%20b',
    '/a%2Fb',
  ];
  for (const path of [...accepted, '/%3A', '/%40', '/%C3%A9', '/%22', '/%3Ca%3E'])
    assert.equal(pathProblem(path), null, path);
});

/** RFC 3986 section 6.2.2 without scheme and host: dot segments, escapes of unreserved characters, case of escapes. */
function normalised(path: string): string {
  const unescaped = path.replace(/%([0-9A-Fa-f]{2})/g, (encoded, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : encoded.toUpperCase();
  });
  const kept: string[] = [];
  const segments = unescaped.split('/').slice(1);
  for (const [i, segment] of segments.entries()) {
    if (segment === '..') kept.pop();
    if (segment !== '.' && segment !== '..') kept.push(segment);
    else if (i === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}`;
}
const upper = (path: string) => path.replace(/%[0-9a-f]{2}/gi, (encoded) => encoded.toUpperCase());

test('no accepted path changes under WHATWG URL or a normaliser of RFC 3986, but for the case of its escapes', () => {
  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('/', '.', '..', '%2e', '%2F', '%5c', ';', '\\', '//', '%', '%25', '%00') },
    { weight: 3, arbitrary: fc.integer({ min: 0x20, max: 0x7f }).map((code) => String.fromCharCode(code)) },
    { weight: 2, arbitrary: fc.nat(255).map((code) => `%${code.toString(16).padStart(2, '0')}`) },
    { weight: 1, arbitrary: fc.nat(0xffff).map((code) => String.fromCharCode(code)) },
  );
  let accepted = 0;
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const path = `/${pieces.join('')}`;
      if (pathProblem(path) !== null) return;
      accepted++;
      assert.equal(new URL(`https://host.test${path}`).pathname, path);
      assert.equal(new URL(path, 'https://host.test/base/').href, `https://host.test${path}`);
      assert.equal(normalised(path), upper(path));
    }),
    { numRuns: 20_000 },
  );
  assert(accepted > 500, `only ${accepted} paths were accepted: the property says little`);
});

test('a wanted query parameter is read decoded; one that is absent is absent', () => {
  const wanted = ['a', 'org_id'];
  assert.deepEqual(readQuery('', wanted), { values: {}, problem: null });
  assert.deepEqual(readQuery('a=1&b=2', wanted), { values: { a: '1' }, problem: null });
  assert.deepEqual(readQuery('a=x%20y+z', wanted), { values: { a: 'x y z' }, problem: null });
  assert.deepEqual(readQuery('a', wanted), { values: { a: '' }, problem: null });
  assert.deepEqual(readQuery('a=1=2', wanted), { values: { a: '1=2' }, problem: null });
  assert.deepEqual(readQuery('b=1&b=2&b[]=3', wanted), { values: {}, problem: null }, 'nobody constrains b');
  assert.deepEqual(readQuery('aa=1&xa=2', wanted), { values: {}, problem: null });
  assert.deepEqual(readQuery('&&a=1&', wanted), { values: { a: '1' }, problem: null });
});

test('a wanted parameter that comes twice, or in a spelling that only some providers read as it, is refused', () => {
  const twice = ['a=1&a=2', 'a=1&a=1', 'a=1&%61=2', '%61=1&a=2', 'a=1&a[]=2', 'a=1&A=2', 'A=2', 'a=1&a', 'a&a'];
  // Arrays and objects of many frameworks.
  const arrays = ['a[]=1', 'a[0]=1', 'a%5B%5D=1', 'a[b]=1', 'a.b=1', 'a[=1', 'a[][]=1', 'a=1&a%5b0%5d=2'];
  // White space and NUL around the name; what stands behind a `;` is a parameter to some and a value to others.
  const veiled = [
    '+a=1',
    'a+=1',
    '%20a=1',
    'a%09=1',
    'a%00=1',
    'a%00b=1',
    'a=1;b=2',
    'b=1;a=2',
    'a;b',
    'b;a=2',
    'a=1&b=2;a=3',
  ];
  for (const query of [...twice, ...arrays, ...veiled]) {
    const { problem, values } = readQuery(query, ['a']);
    assert.notEqual(problem, null, query);
    assert.deepEqual(values, {}, query);
  }
  // A provider in PHP reads these names as org_id.
  for (const name of ['org.id', 'org%20id', 'org+id', 'org[id', 'org_id[]', 'ORG_ID', 'org%00', 'org.id[]']) {
    const isIt = name !== 'org%00';
    assert.equal(readQuery(`org_id=1&${name}=2`, ['org_id']).problem !== null, isIt, name);
    assert.equal(readQuery(`${name}=2`, ['org_id']).problem !== null, isIt, name);
  }
});

test('a parameter whose own name has a dot is read by that name, and in no other spelling', () => {
  const wanted = ['account.id', 'account.name'];
  assert.deepEqual(readQuery('account.id=a&page=2', wanted), { values: { 'account.id': 'a' }, problem: null });
  const both = { 'account.id': 'a', 'account.name': 'n' };
  assert.deepEqual(readQuery('account.name=n&account.id=a', wanted), { values: both, problem: null });
  assert.deepEqual(readQuery('account%2Eid=a', wanted).values, { 'account.id': 'a' }, 'an escape says the same name');
  for (const name of ['ACCOUNT.ID', 'account_id', 'account.id[]', '+account.id', 'account.id%00', 'account.id']) {
    assert.equal(readQuery(`account.id=a&${name}=b`, wanted).problem, 'repeated-parameter', name);
  }
  assert.deepEqual(readQuery('account=b&accountid=c', wanted), { values: {}, problem: null });
});

test('`;` in a query that no grant constrains is left alone', () => {
  assert.deepEqual(readQuery('q=1;2', ['a']), { values: {}, problem: null });
  assert.deepEqual(readQuery('q=1;2&a=3', ['a']), { values: { a: '3' }, problem: null });
});

test('a method override in the query is refused in every spelling, whether anything is wanted or not', () => {
  const spellings = [
    '_method',
    '_METHOD',
    '_Method',
    '%5fmethod',
    '_m%65thod',
    '_method[]',
    '_method[x]',
    '_method%00',
    '_method%00x',
  ];
  const veiled = ['+_method', '_method+', '.method', '+.method', '%20method', '[method', '_method.x', '_method%20'];
  for (const name of [...spellings, ...veiled]) {
    // A leading space is cut by everybody, so that `%20method` is `method`.
    const expected = name === '%20method' ? null : 'method-override';
    for (const query of [`${name}=DELETE`, name, `x=1&${name}=PUT`, `x=1;${name}=PUT`]) {
      assert.equal(readQuery(query, []).problem, expected, query);
      assert.equal(readQuery(query, ['a']).problem, expected, query);
    }
  }
  for (const query of ['method=1', 'x_method=1', '_methods=1', 'a=_method', '__method=1']) {
    assert.equal(readQuery(query, []).problem, null, query);
  }
});

test('a query of other characters, broken escapes, or a wanted value that may not be recorded is refused', () => {
  for (const query of ['a=é', 'a=1 2', 'a=1#b', 'a=\u0000', 'a=\u007f'])
    assert.equal(readQuery(query, []).problem, 'target-form');
  for (const query of ['%=1', '%zz=1', '%ff=1', '%c0%ae=1']) assert.equal(readQuery(query, []).problem, 'bad-encoding');
  for (const query of ['a=%', 'a=%ff', 'a=%c0%80', 'a=%ed%a0%80'])
    assert.equal(readQuery(query, ['a']).problem, 'bad-encoding');
  assert.equal(readQuery('b=%', ['a']).problem, null, 'what is not read is not judged');
  assert.equal(
    readQuery('a=x%00y', ['a']).problem,
    'encoded-control',
    'U+0000 may not be stored, so it could not be recorded',
  );
});

test('a last parameter may take all that is left, and whatever is more exact comes before it', () => {
  const everything = compileCatalogue([
    action('GET', '/v1/{rest*}'),
    action('GET', '/v1/keys'),
    action('GET', '/v1/keys/{id}'),
    action('POST', '/{rest*}'),
    action('POST', '/v1/keys', { mints: true }),
  ]);
  const named = (method: string, path: string) => matchAction(everything, method, path)?.action.path ?? null;
  assert.equal(named('GET', '/v1/keys'), '/v1/keys');
  assert.equal(named('GET', '/v1/keys/7'), '/v1/keys/{id}');
  assert.deepEqual(matchAction(everything, 'GET', '/v1/zones/7/uses')?.parameters, { rest: 'zones/7/uses' });
  assert.equal(named('GET', '/v1/a'), '/v1/{rest*}');
  assert.equal(named('GET', '/v2/a'), null);
  assert.equal(named('POST', '/v1/other'), '/{rest*}');
  assert.equal(named('GET', '/v1/a%2fb'), null, 'an encoded slash needs its own word here too');
});

test('no parameter that takes all that is left leads to what a provider might take for a path that mints', () => {
  const everything = compileCatalogue([
    action('POST', '/{rest*}'),
    action('GET', '/{rest*}'),
    action('POST', '/v1/orgs/{org}/keys', { mints: true }),
  ]);
  assert.equal(matchAction(everything, 'POST', '/v1/orgs/a/keys')?.action.mints, true);
  for (const path of ['/v1/orgs/a/keys/', '/V1/orgs/a/KEYS', '/v1/orgs/a/keys.json', '/v1/orgs/a/keys/1']) {
    assert.equal(matchAction(everything, 'POST', path), null, path);
    assert.equal(matchAction(everything, 'GET', path), null, path);
  }
  assert.notEqual(matchAction(everything, 'POST', '/v1/orgs/a/keyset'), null);
});
