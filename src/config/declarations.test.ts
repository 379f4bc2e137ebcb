// What is told about a declaration: every error with its pointer and its place, and never a value of the file.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DECLARATION_BYTES_MAX, readDeclaration } from './declarations.ts';

interface Change {
  readonly top?: string;
  readonly kind?: string;
  readonly probe?: string;
}

/** A small declaration with something more in it. */
function text({ top = '', kind = '', probe = '' }: Change = {}): string {
  return [
    'name: acme',
    'title: Acme',
    'origin: https://api.acme.example',
    'console: https://acme.example/keys',
    ...(top === '' ? [] : [top]),
    'kinds:',
    '  - name: token',
    '    title: Token',
    '    places: [{ in: header, name: Authorization, scheme: Bearer }]',
    '    rotation: assisted',
    '    byHand: { url: "https://acme.example/keys", issue: [make it], revoke: null }',
    ...(kind === '' ? [] : [`    ${kind}`]),
    '    probe:',
    '      request: { method: GET, path: /me }',
    '      answers:',
    '        - { status: 200, name: me, as: alive }',
    ...(probe === '' ? [] : [`        ${probe}`]),
    '',
  ].join('\n');
}

function refused(source: string): readonly string[] {
  const reading = readDeclaration(source);
  assert.ok(reading.is === 'refused', source);
  assert.ok(reading.problems.length > 0);
  return reading.problems.map(({ pointer, message, position }) => `${pointer} ${position?.line ?? '-'} ${message}`);
}

test('a declaration becomes a provider, from YAML and from JSON, with a key that names its schema', () => {
  const reading = readDeclaration(text());
  assert.ok(reading.is === 'read', JSON.stringify(reading));
  assert.deepEqual([reading.provider.name, reading.provider.kinds[0]?.name], ['acme', 'token']);
  const json = JSON.stringify({ $schema: './provider.schema.json', ...reading.declaration }, null, '\t');
  const again = readDeclaration(json);
  assert.ok(again.is === 'read', JSON.stringify(again));
  assert.deepEqual(again.declaration, reading.declaration);
});

test('unknown keys, wrong forms and missing keys are told at once, each with its line, and what was meant', () => {
  const found = refused(text({ top: 'orign: x', kind: 'activeMx: 3', probe: '- { status: 401, name: no, as: gone }' }));
  assert.equal(found.length, 3, found.join('\n'));
  assert.match(found[0]!, /^\/orign 5 unknown key; did you mean origin\?$/);
  assert.match(found[1]!, /^\/kinds\/0\/activeMx 12 unknown key; did you mean activeMax\?$/);
  assert.match(found[2]!, /^\/kinds\/0\/probe\/answers\/1\/as 17 /);
  assert.match(refused('name: acme')[0]!, /^\/title 1 missing; /);
});

const CONTRADICTIONS: readonly (readonly [Change, RegExp])[] = [
  [{ probe: '- { status: 401, name: no, as: dead }' }, /^\/kinds\/0\/probe\/answers\/1 15 dead by its status alone/],
  [{ kind: 'issuers: [nobody]' }, /^\/kinds\/0\/issuers 11 there is no kind nobody$/],
  [{ kind: 'origin: https://user@acme.example/path' }, /^\/kinds\/0\/origin 11 an origin is/],
  [
    {
      kind: 'revoke: { request: { method: DELETE, path: "/keys/{id}" }, answers: [{ status: 204, name: d, as: accepted }] }',
    },
    /^\/kinds\/0\/revoke\/request\/path 11 nothing fills \{id\} in this request$/,
  ],
  [
    {
      kind: 'identity: { request: { method: POST, path: /me, secrets: [{ of: acting, in: cookie }] }, answers: [{ status: 200, name: d, as: known, account: /a }] }',
    },
    /^\/kinds\/0\/identity\/request\/secrets\/0 11 not a place/,
  ],
  [
    {
      top: 'actions: [{ name: a.b, method: GET, path: /a, effect: read }, { name: a.b, method: GET, path: /b, effect: read }]',
    },
    /^\/actions\/1\/name 5 another action has this name$/,
  ],
  [
    {
      top: 'actions: [{ name: a.b, method: GET, path: "/{x}", effect: read }, { name: a.c, method: GET, path: "/{y}", effect: read }]',
    },
    /^\/actions\/1\/path 5 another action has this method and path$/,
  ],
  [
    { top: 'actions: [{ name: a.b, method: GET, path: "/{rest*}/b", effect: read }]' },
    /^\/actions\/0\/path 5 what takes all that is left stands at the end$/,
  ],
];

test('what a schema cannot say is told like the rest', () => {
  for (const [change, expected] of CONTRADICTIONS) {
    const found = refused(text(change));
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0]!, expected);
  }
});

test('a rest beside a parameter is another request: both may be named', () => {
  const top =
    'actions: [{ name: a.b, method: GET, path: "/{x}", effect: read }, { name: a.c, method: GET, path: "/{rest*}", effect: read }]';
  assert.equal(readDeclaration(text({ top })).is, 'read');
});

test('no message repeats what stands in the file, and hostile text is only refused', () => {
  const secret = 'canary-0123456789';
  const sources = [
    text().replace('https://api.acme.example', secret),
    text({ top: `${secret}: ${secret}` }),
    text({ kind: `parts: { key: { format: ${secret} } }` }),
    text({ probe: `- ${secret}` }),
    secret,
    `[${secret}]`,
    'a: &a [1]\nb: *a',
    `{"name":"acme","name":"acme"}`,
    `${'['.repeat(100)}`,
    '\u0000',
    'x'.repeat(DECLARATION_BYTES_MAX + 1),
  ];
  for (const source of sources) {
    const found = refused(source).filter((one) => !one.startsWith(`/${secret} `));
    assert.ok(!found.join('\n').includes('canary'), found.join('\n'));
  }
});

test('a file with more problems than anybody reads says how many more', () => {
  const found = refused(text({ top: Array.from({ length: 80 }, (_, i) => `unknown${i}: 1`).join('\n') }));
  assert.equal(found.length, 51);
  assert.match(found.at(-1)!, /and 30 more problems$/);
});
