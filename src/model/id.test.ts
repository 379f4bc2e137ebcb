// Identifiers: UUIDv7 behind a prefix, in order of time, and nothing else passes for one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../test/support/rows.ts';
import { ID_PREFIXES, type IdKind, isId, newId, SLUG } from './id.ts';

const KINDS = Object.keys(ID_PREFIXES) as IdKind[];

test('every kind has a prefix of its own, of three letters', () => {
  const prefixes = Object.values(ID_PREFIXES);
  assert.equal(new Set(prefixes).size, prefixes.length);
  for (const prefix of prefixes) assert.match(prefix, /^[a-z]{3}$/);
});

test('an id is a UUIDv7: time, version and variant where RFC 9562 puts them', () => {
  const time = fc.integer({ min: 0, max: 2 ** 48 - 1 });
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), time, fc.integer(), (kind, now, seed) => {
      const id = newId(kind, now, seededRandom(seed));
      assert(isId(kind, id), id);
      const hex = id.slice(4);
      assert.equal(Number.parseInt(hex.slice(0, 12), 16), now);
      assert.equal(hex[12], '7');
      assert('89ab'.includes(hex[16]!));
    }),
  );
});

test('an id made later sorts later, byte by byte', () => {
  fc.assert(
    fc.property(
      fc.nat(2 ** 31),
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer(),
      fc.integer(),
      (now, wait, one, two) => {
        const [first, second] = [
          newId('version', now, seededRandom(one)),
          newId('version', now + wait, seededRandom(two)),
        ];
        assert(first < second, `${first} ${second}`);
      },
    ),
  );
});

test('an id of one kind is none of another, and what is nearly an id is none', () => {
  const id = newId('credential', 1, seededRandom(1));
  for (const kind of KINDS) assert.equal(isId(kind, id), kind === 'credential', kind);
  const others = [
    '',
    'crd_',
    id.slice(0, -1),
    `${id}0`,
    `${id}\n`,
    id.toUpperCase(),
    id.replace('_', '-'),
    ` ${id}`,
    id.replace(/.$/, 'g'),
  ];
  for (const text of others) assert(!isId('credential', text), JSON.stringify(text));
});

test('names that people choose', () => {
  for (const name of ['a', 'a-b', '0', 'prod-eu-1', 'a'.repeat(63), 'x--y']) assert.match(name, SLUG);
  for (const name of ['', '-a', 'a-', 'A', 'a_b', 'a.b', 'a b', 'a/b', 'a@b', 'é', 'a'.repeat(64), 'a\n', '\na'])
    assert.doesNotMatch(name, SLUG);
});
