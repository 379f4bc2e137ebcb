// Tokens: their form, the checksum that tells a typing error from a real one, and the two spellings in which they may come.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { seededRandom } from '../../test/support/rows.ts';
import { bareToken, isWellFormedToken, newTokenText, TOKEN_LENGTH } from './token.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const tokens = fc.integer().map((seed) => newTokenText(seededRandom(seed)));

test('a new token has its length, its prefix, and the CRC-32 that the runtime computes too', () => {
  fc.assert(
    fc.property(tokens, (token) => {
      assert.match(token, /^clv_[0-9A-Za-z]{33}$/);
      assert.equal(token.length, TOKEN_LENGTH);
      assert(isWellFormedToken(token));
      const check = [...token.slice(-6)].reduce(
        (sum, character) => sum * 62n + BigInt(ALPHABET.indexOf(character)),
        0n,
      );
      assert.equal(check, BigInt(crc32(token.slice(0, -6))));
    }),
  );
});

test('all 160 bits are in the token: every bit of the randomness changes it', () => {
  const bytes = new Uint8Array(20).fill(0xa5);
  const of = (from: Uint8Array) => newTokenText({ bytes: (length) => from.slice(0, length) });
  const seen = new Set([of(bytes)]);
  for (let bit = 0; bit < 160; bit++) {
    const changed = Uint8Array.from(bytes);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    seen.add(of(changed));
  }
  assert.equal(seen.size, 161);
  for (const edge of [0, 255]) assert(isWellFormedToken(of(new Uint8Array(20).fill(edge))));
});

test('one wrong character, or two neighbours exchanged, is noticed', () => {
  const place = fc.integer({ min: 4, max: TOKEN_LENGTH - 1 });
  fc.assert(
    fc.property(tokens, place, fc.constantFrom(...ALPHABET), (token, at, character) => {
      const typo = token.slice(0, at) + character + token.slice(at + 1);
      assert.equal(isWellFormedToken(typo), typo === token);
      const next = at + 1;
      if (next >= TOKEN_LENGTH) return;
      const swapped = token.slice(0, at) + token[next] + token[at] + token.slice(next + 1);
      assert.equal(isWellFormedToken(swapped), swapped === token);
    }),
    { numRuns: 2_000 },
  );
});

test('what is not exactly a token is none', () => {
  const token = newTokenText(seededRandom(7));
  const others = [
    '',
    'clv_',
    token.slice(4),
    token.slice(0, -1),
    `${token}0`,
    `${token}\n`,
    ` ${token}`,
    `${token} `,
    token.toUpperCase(),
  ];
  for (const text of [...others, token.replace('clv_', 'CLV_'), token.replace('clv_', 'clv-'), `Bearer ${token}`]) {
    assert(!isWellFormedToken(text), JSON.stringify(text.length));
  }
});

test('the spelling of RFC 8959 is the same token; anything else before it is not', () => {
  const token = newTokenText(seededRandom(8));
  assert.equal(bareToken(`secret-token:${token}`), token);
  assert.equal(bareToken(token), token);
  assert(isWellFormedToken(`secret-token:${token}`));
  for (const prefix of ['secret-token', 'Secret-Token:', 'secret-token:secret-token:', 'secret-token: ']) {
    assert(!isWellFormedToken(prefix + token), prefix);
  }
});
