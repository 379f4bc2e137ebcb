// The bytes that an envelope is bound to: different contexts never have the same ones, and they are those that the file documents.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../model/failure.ts';
import {
  CONTEXT_TEXT_BYTES_MAX,
  contextBytes,
  type EnvelopeContext,
  type InjectionPlace,
  PLACES_MAX,
} from './context.ts';
import { testContext } from './test-support.ts';

// Few letters and short texts, so that neighbouring fields often could be confused if their lengths were not written.
const word = fc.string({ unit: fc.constantFrom('a', 'b', '/', '\u00e9'), minLength: 1, maxLength: 3 });
const place: fc.Arbitrary<InjectionPlace> = fc.oneof(
  fc.record({ in: fc.constant('header' as const), name: word, scheme: fc.option(fc.oneof(word, fc.constant(''))) }),
  fc.record({ in: fc.constant('basic' as const), user: word }),
  fc.record({ in: fc.constant('query' as const), name: word }),
  fc.record({ in: fc.constant('body' as const), pointer: word }),
);
const context: fc.Arbitrary<EnvelopeContext> = fc.record({
  space: word,
  environment: word,
  credential: word,
  version: word,
  purpose: word,
  destination: fc.record({ origin: word, places: fc.array(place, { maxLength: 3 }) }),
});
const names = fc.array(word, { minLength: 1, maxLength: 3 });

test('two contexts have the same bytes only if they are the same', () => {
  fc.assert(
    fc.property(
      context,
      word,
      names,
      context,
      word,
      names,
      (left, leftPart, leftNames, right, rightPart, rightNames) => {
        const isSame = JSON.stringify([left, leftPart, leftNames]) === JSON.stringify([right, rightPart, rightNames]);
        const leftBytes = contextBytes(left, leftPart, leftNames).toHex();
        return isSame === (leftBytes === contextBytes(right, rightPart, rightNames).toHex());
      },
    ),
    { numRuns: 500 },
  );
});

test('text that moves across a border between fields makes another context', () => {
  const base = testContext();
  fc.assert(
    fc.property(word, word, word, (a, b, c) => {
      const left = contextBytes({ ...base, space: a + b, environment: c }, 'key', ['key']);
      const right = contextBytes({ ...base, space: a, environment: b + c }, 'key', ['key']);
      return left.toHex() !== right.toHex();
    }),
  );
});

test('the bytes are those that the file header documents', () => {
  const text = (value: string) =>
    `${Buffer.byteLength(value).toString(16).padStart(8, '0')}${Buffer.from(value).toString('hex')}`;
  const places: InjectionPlace[] = [
    { in: 'header', name: 'Authorization', scheme: 'Bearer' },
    { in: 'header', name: 'X-Key', scheme: null },
    { in: 'basic', user: 'api' },
    { in: 'query', name: 'key' },
    { in: 'body', pointer: '/secret' },
  ];
  const bytes = contextBytes(testContext({ destination: { origin: 'https://h', places } }), 'id', ['id', 'key']);
  const expected = [
    ...['claviger/envelope/v1', 'default', 'production', testContext().credential, testContext().version, 'id'].map(
      text,
    ),
    '00000002',
    ...['id', 'key', 'use', 'https://h'].map(text),
    '00000005',
    ...[text('header'), text('Authorization'), '01', text('Bearer')],
    ...[text('header'), text('X-Key'), '00'],
    ...[text('basic'), text('api'), text('query'), text('key'), text('body'), text('/secret')],
  ];
  assert.equal(bytes.toHex(), expected.join(''));
});

test('what has no unambiguous form is refused', () => {
  const long = 'x'.repeat(CONTEXT_TEXT_BYTES_MAX + 1);
  const places = Array.from({ length: PLACES_MAX + 1 }, () => ({ in: 'query' as const, name: 'key' }));
  const refused: Partial<EnvelopeContext>[] = [
    { space: '' },
    { space: long },
    { credential: '\ud800' },
    { purpose: 'u\u0000se' },
    { destination: { origin: '', places: [] } },
    { destination: { origin: 'https://h', places } },
    { destination: { origin: 'https://h', places: [{ in: 'header', name: '', scheme: null }] } },
  ];
  for (const change of refused) {
    assert.throws(
      () => contextBytes(testContext(change), 'key', ['key']),
      (error) => Failure.is(error, 'invalid'),
    );
  }
  assert.ok(contextBytes(testContext({ space: long.slice(1) }), 'key', ['key']));
});
