// What a program's end means, what its answer must be, and that none of its words gives a key away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { revealSecretText, Secret } from '../model/secret.ts';
import { prefectServer } from '../providers/prefect-server.ts';
import {
  CREDENTIAL_NAME,
  doubtsAbout,
  type Ending,
  inputOf,
  keysIn,
  type Order,
  type ProgramSettings,
  readIssued,
  saidBy,
  signatureOf,
  verdictOf,
} from './program.ts';

const kind = prefectServer.kinds[0]!;
const encoded = (text: string) => new TextEncoder().encode(text);
const said = (text: string, keys: readonly string[], isCut = false) =>
  saidBy(
    { bytes: encoded(text), isCut },
    keys.map((key) => new Secret(key)),
  );

test('only a success is done, only a word of the program’s or no start at all is not done; the rest may have been', () => {
  const table: [Ending, string, string][] = [
    [{ is: 'exited', status: 0 }, 'done', 'program.exit.0'],
    [{ is: 'exited', status: 75 }, 'not-done', 'program.exit.75'],
    [{ is: 'not-started' }, 'not-done', 'program.not-started'],
    [{ is: 'exited', status: 1 }, 'ambiguous', 'program.exit.1'],
    [{ is: 'exited', status: 127 }, 'ambiguous', 'program.exit.127'],
    [{ is: 'signalled', signal: 'SIGSEGV' }, 'ambiguous', 'program.signal.SIGSEGV'],
    [{ is: 'overdue' }, 'ambiguous', 'program.overdue'],
    [{ is: 'too-much' }, 'ambiguous', 'program.too-much'],
  ];
  for (const [ending, verdict, signature] of table) {
    assert.deepEqual([verdictOf(ending), signatureOf(ending)], [verdict, signature]);
  }
});

test('what a program is asked: one JSON object on one line, whatever stands in the keys', () => {
  const parts = { key: new Secret('admin:canary "\n\\ ü') };
  const old = { key: new Secret('admin:canary-old') };
  const table: [Order, object][] = [
    [
      { do: 'replace', parts, old },
      { do: 'replace', parts: { key: 'admin:canary "\n\\ ü' }, old: { key: 'admin:canary-old' } },
    ],
    [
      { do: 'issue', label: 'clv/1/2/3/1' },
      { do: 'issue', label: 'clv/1/2/3/1' },
    ],
    [
      { do: 'revoke', providerKeyId: null, parts: old },
      { do: 'revoke', providerKeyId: null, parts: { key: 'admin:canary-old' } },
    ],
  ];
  for (const [order, expected] of table) {
    const line = new TextDecoder().decode(inputOf('prod/prefect-server/main', order));
    assert.equal(line.indexOf('\n'), line.length - 1);
    assert.deepEqual(JSON.parse(line), { credential: 'prod/prefect-server/main', ...expected });
  }
  assert.deepEqual(
    table.map(([order]) => keysIn(order).map((key) => revealSecretText(key))),
    [['admin:canary "\n\\ ü', 'admin:canary-old'], [], ['admin:canary-old']],
  );
});

test('a key that a program made: its parts, its id as text or number, its end; anything else is no answer', () => {
  const read = (answer: unknown) =>
    readIssued(encoded(typeof answer === 'string' ? answer : JSON.stringify(answer)), kind);
  const parts = { key: 'admin:canary-new-string' };
  const whole = read({
    parts,
    providerKeyId: 17,
    expiresAt: '2026-12-24T12:00:00+01:00',
    note: 'unknown members pass',
  });
  assert.deepEqual(whole && { ...whole, parts: revealSecretText(whole.parts['key']!) }, {
    is: 'issued',
    parts: 'admin:canary-new-string',
    providerKeyId: '17',
    expiresAt: Date.parse('2026-12-24T11:00:00Z'),
    evidence: { status: null, signature: 'program.issued', requestId: null },
  });
  const bare = read({ parts });
  assert.deepEqual([bare?.providerKeyId, bare?.expiresAt], ['', null]);
  assert.deepEqual(read({ parts, providerKeyId: null, expiresAt: null })?.providerKeyId, '');
  const wrong: unknown[] = [
    '',
    'canary',
    '[]',
    'null',
    {},
    { parts: {} },
    { parts: 'canary' },
    { parts: { key: '' } },
    { parts: { key: 'not-of-the-form' } },
    { parts: { token: 'admin:canary-new-string' } },
    { parts: { ...parts, more: 'canary' } },
    { parts, providerKeyId: 'x'.repeat(201) },
    { parts, providerKeyId: 1.5 },
    { parts, expiresAt: 'tomorrow' },
    { parts, expiresAt: 1_790_000_000_000 },
  ];
  for (const answer of wrong) assert.equal(read(answer), null, JSON.stringify(answer));
  assert.equal(readIssued(Uint8Array.of(0xff, 0xfe), kind), null);
});

test('words are one short line, in which nothing moves a cursor', () => {
  assert.equal(said('  unit\n\tnot  found\u001b[2J\u202e\r\n', []), 'unit not found [2J');
  assert.equal(said('x'.repeat(1_000), []).length, 301);
  assert.equal(saidBy({ bytes: Uint8Array.of(0xff, 0x41), isCut: false }, []), '\ufffdA');
  assert.equal(said('', ['canary']), '');
});

test('no key is left in the words: as it is, escaped, as a basic credential, or the password alone', () => {
  const key = 'admin:canary/"pass" word';
  const spellings = [
    key,
    JSON.stringify({ key }),
    encodeURIComponent(key),
    encoded(key).toBase64(),
    'canary/"pass" word',
    `${key}${key}`,
  ];
  for (const spelling of spellings) {
    const text = said(`set ${spelling} now`, [key]);
    assert.match(text, /^set .*\[scrubbed\].* now$/, spelling);
    assert.ok(!text.includes('canary') && !text.includes(encoded(key).toBase64()), text);
  }
  assert.equal(said('a word of five letters', ['canary', 'words']), '', 'beside a part that any word may be');
});

test('where the words were cut, no beginning of a key is left at their end', () => {
  const key = `canary${'k'.repeat(60)}`;
  assert.equal(said(`${'x'.repeat(400)}${key.slice(0, 30)}`, [key], true), `${'x'.repeat(34)}`);
  assert.equal(said(key.slice(0, 30), [key], true), '');
});

test('whatever stands around them, keys never come through whole', () => {
  const text = fc.string({ unit: 'grapheme-ascii', maxLength: 40 });
  const key = fc.stringMatching(/^[!-9;-~]{6,20}$/);
  fc.assert(
    fc.property(text, key, key, text, fc.boolean(), (before, one, other, after, isCut) => {
      const shown = said(`${before}${one} ${other}${after}`, [one, other], isCut);
      for (const each of [one, other]) assert.ok(!shown.replaceAll('[scrubbed]', '').includes(each), shown);
    }),
  );
});

test('the name of a credential has its three parts', () => {
  for (const name of ['prod/neon/a', 'default/prefect-server/main-2']) assert.match(name, CREDENTIAL_NAME);
  for (const name of ['neon/a', 'a/b/c/d', 'A/b/c', 'a//c', '/a/b/c', 'a/b/c\n', '-a/b/c', 'a/b/c/'])
    assert.doesNotMatch(name, CREDENTIAL_NAME);
});

test('a program that nothing will ever run is a doubt', () => {
  const program = (credential: string, replace: readonly string[] | null): ProgramSettings => ({
    credential,
    replace,
    issue: ['/i'],
    revoke: null,
    timeoutMs: 1,
  });
  const { made: _, ...notMade } = kind;
  const kinds = { 'a/b/made': kind, 'a/b/other': notMade } as Record<string, typeof notMade>;
  const doubts = doubtsAbout(
    [program('a/b/made', ['/r']), program('a/b/other', ['/r']), program('a/b/other', null), program('a/b/none', null)],
    (name) => kinds[name] ?? null,
  );
  assert.deepEqual(
    doubts.map(({ pointer, message }) => `${pointer} ${message}`),
    [
      '/programs/1/replace never run: the value of a Basic auth string is not ours to make',
      '/programs/3/credential a program for a credential that does not exist',
    ],
  );
});
