// Every class of error with its path, line and column; unknown keys anywhere; no message repeats a value.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { isNameLike } from './document.ts';
import { configJsonSchema, listOptions } from './options.ts';
import { accepted, assertProblems, problems, read, SECTIONS, sectionOf, wholeValue } from './test-support.io.ts';

test('shape: each kind of error has its path, line and column', () => {
  const table: readonly (readonly [string, ...string[]])[] = [
    ['brokr: {}', '/brokr 1:1 unknown key; did you mean broker?'],
    ['log:\n  levle: info', '/log/levle 2:3 unknown key; did you mean level?'],
    ['log: { colour: true }', '/log/colour 1:8 unknown key; known here: level'],
    [
      'broker: { tls: { cert: a, key: b } }',
      '/broker/tls/certificate 1:11 missing',
      '/broker/tls/cert 1:18 unknown key; did',
    ],
    ['- a', ' 1:1 expected a section of keys and values, found a list'],
    ['just text', ' 1:1 expected a section of keys and values, found text'],
    ['broker:', '/broker 1:8 expected a section of keys and values, found nothing'],
    ['limits: 5', '/limits 1:9 expected a section of keys and values, found a number'],
    ['drain: 30', '/drain 1:8 expected a duration with its unit'],
    ['drain: 30 s', '/drain 1:8 expected a duration with its unit'],
    ['drain: 2h', '/drain 1:8 expected 0s to 1h'],
    ['limits: { header: 32kB }', '/limits/header 1:19 expected a size with its unit'],
    ['limits: { header: 1GiB }', '/limits/header 1:19 expected 8KiB to 256KiB'],
    ['limits: { connections: 0 }', '/limits/connections 1:24 expected a whole number from 1'],
    ['limits: { connections: 1.5 }', '/limits/connections 1:24 expected a whole number from 1'],
    ['limits: { connections: .inf }', '/limits/connections 1:24 expected a whole number from 1'],
    ['limits: { connections: .nan }', '/limits/connections 1:24 expected a whole number from 1'],
    ['limits: { connections: "5" }', '/limits/connections 1:24 expected a whole number from 1'],
    ['broker: { listen: 8200 }', '/broker/listen 1:19 expected an IP address and a port'],
    ['broker: { listen: localhost:8200 }', '/broker/listen 1:19 expected an IP address and a port'],
    ['broker: { listen: 300.0.0.1:8200 }', '/broker/listen 1:19 expected an IP address and a port'],
    ['log: { level: loud }', '/log/level 1:15 expected one of debug, info, warn, error'],
    ['dataDirectory: 5', '/dataDirectory 1:16 expected the path'],
    ['dataDirectory: ""', '/dataDirectory 1:16 expected the path'],
    ['dataDirectory: ~/x', '/dataDirectory 1:16 expected the path of a file or a directory (~'],
    ['dataDirectory: "a\\nb"', '/dataDirectory 1:16 expected the path'],
    ['database: sqlite', '/database 1:11 expected { kind: sqlite }'],
    ['database: { kind: mysql }', '/database/kind 1:19 expected { kind: sqlite }'],
    ['database: {}', '/database/kind 1:1 missing; expected { kind: sqlite }'],
    ['database: { kind: sqlite, url: x }', '/database/url 1:27 unknown key'],
    ['database: { kind: postgresql }', '/database/url 1:1 missing; a secret is never written here'],
    ['kek: ./kek', '/kek 1:6 expected { kind: key-file, path: … }'],
    ['kek: { kind: key-file, path: x, from: { env: A } }', '/kek/from 1:33 unknown key'],
    ['kek: { kind: passphrase, from: { env: A, file: b } }', '/kek/from 1:32 a secret is never written here'],
    ['kek: { kind: passphrase, from: {} }', '/kek/from 1:32 a secret is never written here'],
    ['kek: { kind: passphrase, from: { command: [] } }', '/kek/from/command 1:43 expected at least 1 entry'],
    ['kek: { kind: passphrase, from: { command: pass show } }', '/kek/from/command 1:43 expected a list, found text'],
    ['kek: { kind: passphrase, from: { env: "A B" } }', '/kek/from/env 1:39 expected the name of an environment'],
    ['providers: { Neon: { origin: https://a.example.com } }', '/providers/Neon 1:14 expected a name of lower-case'],
    ['providers: { neon: {} }', '/providers/neon/origin 1:14 missing'],
    ['providers: { neon: { origin: https://u:p@a.example.com } }', '/providers/neon/origin 1:30 expected an origin'],
    ['providers: { neon: { origin: ftp://a } }', '/providers/neon/origin 1:30 expected an origin'],
    ['trustedProxies: 10.0.0.0/8', '/trustedProxies 1:17 expected a list, found text'],
    ['trustedProxies: [5]', '/trustedProxies/0 1:18 expected a network'],
    ['outboundProxy: http://u:p@h:1', '/outboundProxy 1:16 expected http://host:port, without a user'],
    ['outboundProxy: http://h:70000', '/outboundProxy 1:16 expected a port'],
    ['secondCopy: /mnt', '/secondCopy 1:13 expected a section of keys and values, found text'],
    ['programs: [{ credential: prod/neon/a }]', '/programs/0 1:12 expected at least one of replace, issue, revoke'],
    [
      'programs: [{ credential: neon/a, revoke: [bin/a] }]',
      '/programs/0/credential 1:26 expected the name of a credential as environment/provider/name',
      '/programs/0/revoke/0 1:43 expected an absolute path as the program',
    ],
    ['programs: [{ revoke: [/a] }]', '/programs/0/credential 1:12 missing; expected the name of a credential'],
    ['programs: [{ credential: a/b/c, issue: /bin/a }]', '/programs/0/issue 1:40 expected a list, found text'],
    ['programs: [{ credential: a/b/c, issue: [] }]', '/programs/0/issue 1:40 expected at least 1 entry'],
    [
      'programs: [{ credential: a/b/c, issue: [/a], isue: [/a] }]',
      '/programs/0/isue 1:46 unknown key; did you mean issue',
    ],
    ['programs: [{ credential: a/b/c, issue: [/a], timeout: 11m }]', '/programs/0/timeout 1:55 expected 1s to 10m'],
    ['programs: [{ credential: a/b/c, issue: [/a], timeout: 0s }]', '/programs/0/timeout 1:55 expected 1s to 10m'],
    [
      'programs: [{ credential: a/b/c, issue: [/a] }, { credential: a/b/c, revoke: [/a] }]',
      '/programs/1/credential 1:62 this credential has programs above',
    ],
    ['__proto__: {}', ' 1:1 this cannot be the name'],
    ['providers: { __proto__: { origin: x } }', '/providers 1:14 this cannot be the name'],
    ['constructor: {}', '/constructor 1:1 unknown key'],
    ['<<: { drain: 1s }', ' 1:1 unknown key'],
    ['"a b/c": 1', ' 1:1 unknown key'],
  ];
  for (const [text, ...expected] of table) assertProblems(text, expected);
});

test('all problems are found at once, from the top down, each once', () => {
  assertProblems('drain: 5\nkek: x\nlog: { level: y, z: 1 }\nbroker:\n  listen: q\n', [
    '/drain 1:8',
    '/kek 2:6',
    '/log/level 3:15',
    '/log/z 3:18',
    '/broker/listen 5:11',
  ]);
});

test('a random unknown key is refused wherever it stands, by the loader and by the JSON Schema', () => {
  const known = new Set(listOptions(configJsonSchema()).flatMap(({ pointer }) => pointer.split('/')));
  const isValid = new Ajv2020().compile(configJsonSchema());
  accepted(JSON.stringify(wholeValue()));
  const key = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.stringMatching(/^[a-zA-Z]{1,12}$/),
    fc.constantFrom('toString', 'valueOf', '__proto__'),
  );
  fc.assert(
    fc.property(fc.constantFrom(...SECTIONS), key, fc.jsonValue({ maxDepth: 1 }), (section, name, value) => {
      fc.pre(!known.has(name));
      const whole = wholeValue();
      Object.defineProperty(sectionOf(whole, section), name, { value, enumerable: true });
      const found = problems(JSON.stringify(whole));
      const shown = isNameLike(name) && name !== '__proto__' ? `${section}/${name}` : section;
      assert.ok(
        found.some(({ pointer }) => pointer === shown),
        JSON.stringify(found),
      );
      if (name !== '__proto__') assert.ok(!isValid(whole));
    }),
    { numRuns: 200 },
  );
});

test('what the loader accepts, the JSON Schema accepts too', () => {
  const isValid = new Ajv2020().compile(configJsonSchema());
  const text = fc.constantFrom(
    'x',
    './a',
    '10.0.0.0/8',
    '1s',
    '5m',
    '1h',
    '2d',
    '32KiB',
    '1MiB',
    '127.0.0.1:1',
    '[::1]:2',
    'sqlite',
    'info',
    'http://h:1',
  );
  const leaf = fc.oneof(
    text,
    fc.integer({ min: 0, max: 10 }),
    fc.boolean(),
    fc.constant(null),
    fc.array(text, { maxLength: 2 }),
  );
  const pointers = listOptions(configJsonSchema()).filter(({ pointer }) => !pointer.includes('*'));
  const changes = fc.array(fc.tuple(fc.constantFrom(...pointers.map(({ pointer }) => pointer)), leaf), {
    maxLength: 3,
  });
  let acceptedCount = 0;
  fc.assert(
    fc.property(changes, (all) => {
      const whole = wholeValue();
      for (const [pointer, value] of all) {
        const at = pointer.lastIndexOf('/');
        const section = sectionOf(whole, pointer.slice(0, at).replace('-', '0')) as Record<string, unknown> | null;
        if (typeof section === 'object' && section !== null) section[pointer.slice(at + 1)] = value;
      }
      if (read(JSON.stringify(whole)).is === 'refused') return;
      acceptedCount++;
      assert.ok(isValid(whole), JSON.stringify(whole));
    }),
    { numRuns: 300 },
  );
  assert.ok(acceptedCount > 50);
});

test('no problem ever repeats what was written: it may be a secret in the wrong place', () => {
  const canary = 'postgres://canary:canary@db/x';
  const texts = listOptions(configJsonSchema()).flatMap(({ pointer }) =>
    [canary, [canary], { [canary]: null }, { [canary]: canary }, { env: canary }, { kind: canary }, 7].map((value) => {
      const whole = wholeValue();
      if (pointer === '/kek/path') whole['kek'] = { kind: 'key-file' };
      const named = pointer.replace('*', 'neon').replace('-', '0');
      const at = named.lastIndexOf('/');
      sectionOf(whole, named.slice(0, at))[named.slice(at + 1)] = value;
      return JSON.stringify(whole);
    }),
  );
  const broken = [
    'url: "canary',
    'url: canary: canary',
    'a: !canary x',
    '%CANARY canary\n---\n',
    '*canary',
    '@canary',
    '- canary\nx',
  ];
  let refusedCount = 0;
  for (const text of [...texts, ...broken, `providers: { "${canary}": {} }`]) {
    const reading = read(text);
    if (reading.is === 'read') continue;
    refusedCount++;
    assert.ok(!/canary/i.test(JSON.stringify(reading.problems)), `${text}\n${JSON.stringify(reading.problems)}`);
  }
  assert.ok(refusedCount > 200);
});

test('a secret in the place of its source is told so', () => {
  for (const place of ['database: { kind: postgresql, url: canary }', 'kek: { kind: passphrase, from: canary }']) {
    assert.match(problems(place)[0]!.message, /^a secret is never written here, only where it comes from/);
  }
  const [problem] = problems('database: { kind: postgresql, url: { canary } }');
  assert.deepEqual([problem?.pointer, problem?.position], ['/database/url', { line: 1, column: 36 }]);
});
