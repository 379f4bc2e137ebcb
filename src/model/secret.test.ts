// A secret refuses to be printed, in every way that JavaScript has to print; only the one door opens it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { format, inspect } from 'node:util';
import { revealSecret, revealSecretText, Secret } from './secret.ts';

const TEXT = 'canary-of-a-secret';

test('no way of turning it into text shows a byte of it', () => {
  const secret = new Secret(TEXT);
  const holder = { secret, list: [secret], map: new Map([['a', secret]]) };
  const error = new Error('failed', { cause: secret });
  const shown = [
    String(secret),
    `${secret as unknown as string}`,
    secret.toString(),
    JSON.stringify(secret),
    JSON.stringify(holder),
    inspect(secret),
    inspect(holder, { depth: 9, showHidden: true, getters: true }),
    inspect(secret, { customInspect: false, showHidden: true }),
    inspect(error, { depth: 9 }),
    format('%s %o %O %j', secret, secret, secret, secret),
    ''.concat(secret as unknown as string),
    JSON.stringify({ ...secret }),
    JSON.stringify(Object.entries(secret)),
    String(Object.getOwnPropertyNames(secret)),
    JSON.stringify(structuredClone({ ...secret })),
    [secret].join(),
    encodeURIComponent(secret as unknown as string),
  ];
  const bytes = [...Buffer.from(TEXT)].join(',');
  for (const text of shown) {
    assert(!text.includes('canary'), text);
    assert(
      !text.includes(bytes) && !text.includes(Buffer.from(TEXT).toString('hex')) && !text.includes('63, 61'),
      text,
    );
  }
  assert.equal(JSON.stringify({ secret }), '{"secret":"[secret]"}');
});

test('it keeps a copy of its own: neither the giver’s changes nor its wiping reach the other', () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const secret = new Secret(bytes);
  bytes.fill(9);
  assert.deepEqual([...revealSecret(secret)], [1, 2, 3]);
  const text = new Secret(TEXT);
  text.wipe();
  assert.deepEqual([...revealSecret(text)], new Array(TEXT.length).fill(0));
  assert.equal(text.length, TEXT.length);
});

test('equality is by bytes, whatever they are', () => {
  assert(new Secret('a').equals(new Secret(Uint8Array.of(97))));
  assert(new Secret('').equals(new Secret('')));
  for (const [one, two] of [
    ['a', 'b'],
    ['a', 'ab'],
    ['', 'a'],
    ['ab', 'aB'],
    ['é', 'e\u0301'],
  ] as const) {
    assert(!new Secret(one).equals(new Secret(two)), `${one} ${two}`);
    assert(!new Secret(two).equals(new Secret(one)), `${two} ${one}`);
  }
});

test('text goes in and out as UTF-8', () => {
  for (const text of ['', 'plain', 'é😀', 'a\u0000b']) assert.equal(revealSecretText(new Secret(text)), text);
  assert.equal(new Secret('é').length, 2);
});
