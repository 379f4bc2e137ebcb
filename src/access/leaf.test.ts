// The entries of the use log: canonical JSON whatever is in them, never larger than an entry may be, with every field that the
// format names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ENTRY_BYTES_MAX } from '../ledger/layout.ts';
import { canonicalJson, isStorableText, type Json } from '../model/json.ts';
import {
  bootEntry,
  outcomesEntry,
  refusalsEntry,
  refusedEntry,
  storableUserAgent,
  type UseFacts,
  useEntry,
} from './leaf.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 30 }).filter(isStorableText);
const id = fc.stringMatching(/^[a-z]{3}_[0-9a-f]{32}$/);
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary);

const facts: fc.Arbitrary<UseFacts> = fc.record({
  id: fc.stringMatching(/^[0-9a-z]+-[0-9a-z]+$/),
  at: fc.nat(),
  monoMs: fc.nat().map((n) => n / 1000),
  asOf: fc.nat(),
  ip: fc.constantFrom('', '203.0.113.7', '::ffff:127.0.0.1', 'fe80::1%eth0'),
  userAgent: text.map(storableUserAgent),
  method: fc.constantFrom('GET', 'DELETE'),
  token: id,
  principal: id,
  credential: orNull(id),
  provider: orNull(fc.constant('neon')),
  version: orNull(id),
  grant: orNull(id),
  action: orNull(fc.constantFrom('branch.create', 'api-key.list')),
  effect: orNull(fc.constantFrom('read', 'write', 'delete')),
  path: orNull(fc.constantFrom('/api/v2/projects', '/o/a%2Fb', "/a-._~!$&'()*+,=:@b")),
  query: orNull(fc.dictionary(text, text, { maxKeys: 4 })),
});

test('a use and a refusal are canonical JSON and say exactly what was given', () => {
  fc.assert(
    fc.property(facts, text, (given, reason) => {
      const { monoMs, userAgent, ...rest } = given;
      const common = { ...rest, mono: monoMs, ua: userAgent, v: 1 };
      const use = useEntry(given);
      assert.equal(use, canonicalJson(JSON.parse(use) as Json));
      assert.deepEqual(JSON.parse(use), structuredClone({ ...common, kind: 'use' }));
      const refused = refusedEntry(given, reason);
      assert.equal(refused, canonicalJson(JSON.parse(refused) as Json));
      assert.deepEqual(JSON.parse(refused), structuredClone({ ...common, kind: 'refused', reason }));
    }),
    { numRuns: 500 },
  );
});

test('the other entries are canonical JSON too', () => {
  const outcomes = [
    { index: 7, status: 200, bytesUp: 0, bytesDown: 1024, ms: 12.6 },
    { index: 8, status: -200, bytesUp: 1, bytesDown: 2, ms: 0.2 },
    { index: 9, status: -0, bytesUp: 0, bytesDown: 0, ms: 0 },
  ];
  const entry = outcomesEntry(5, outcomes);
  assert.equal(
    entry,
    canonicalJson({
      at: 5,
      kind: 'outcomes',
      of: [
        [7, 200, 0, 1024, 13],
        [8, -200, 1, 2, 0],
        [9, 0, 0, 0, 0],
      ],
      v: 1,
    }),
  );
  const refusals = refusalsEntry(6, 0, [
    ['no-token', '::1', 3],
    ['odd "reason"', 'others', 1],
  ]);
  assert.equal(refusals, canonicalJson(JSON.parse(refusals) as Json));
  assert.equal(bootEntry(7, 2), canonicalJson({ at: 7, epoch: 2, kind: 'boot', v: 1 }));
});

test('the largest use that the head’s limits allow fits an entry with room to spare', () => {
  const [path, query] = ['/a'.repeat(4_000), '\u0001'.repeat(2_700)];
  const long = 'x'.repeat(200);
  const largest: UseFacts = {
    id: long,
    at: 1e15,
    monoMs: 1e15 + 0.125,
    asOf: 1e15,
    ip: 'f'.repeat(45),
    userAgent: storableUserAgent('\u0001'.repeat(9_000)),
    method: 'OPTIONS',
    token: long,
    principal: long,
    credential: long,
    provider: long,
    version: long,
    grant: long,
    action: long,
    effect: 'delete',
    path,
    query: { a: query },
  };
  assert(Buffer.byteLength(refusedEntry(largest, long)) < ENTRY_BYTES_MAX);
});

test('a full group of outcomes, and of refusals, fits an entry', () => {
  const outcome = {
    index: 999_999_999_999,
    status: -599,
    bytesUp: 9_999_999_999_999,
    bytesDown: 9_999_999_999_999,
    ms: 2_678_400_000,
  };
  assert(Buffer.byteLength(outcomesEntry(1e13, new Array(1_000).fill(outcome))) < ENTRY_BYTES_MAX);
  const counts = Array.from({ length: 540 }, () => ['token-place-and-a-long-reason', 'f'.repeat(45), 1e9] as const);
  assert(Buffer.byteLength(refusalsEntry(1e13, 1e13, counts)) < ENTRY_BYTES_MAX);
});

test('a user agent is cut to its length and to what may be stored', () => {
  assert.equal(storableUserAgent('curl/8'), 'curl/8');
  assert.equal(storableUserAgent('xyz '.repeat(60)).length, 200);
  assert.equal(storableUserAgent('a\u0000b'), 'ab');
  fc.assert(
    fc.property(
      fc.array(fc.nat(0xffff), { maxLength: 150 }).map((codes) => String.fromCharCode(...codes)),
      fc.constantFrom('', '\ud800', '\u0000', '𝒳'),
      (given, odd) => {
        const kept = storableUserAgent(given + odd + given);
        assert(isStorableText(kept) && kept.length <= 200);
      },
    ),
  );
  assert(isStorableText(storableUserAgent(`${'xyz '.repeat(49)}xyz𝒳`)), 'a pair is not cut in two');
});

test('what could be a key is not kept of a user agent', () => {
  const browser =
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.8078.73 Safari/537.36';
  assert.equal(storableUserAgent(browser), browser);
  assert.equal(storableUserAgent('python-requests-oauthlib/2.0'), 'python-requests-oauthlib/2.0');
  assert.equal(storableUserAgent(`curl napi_canary${'0a'.repeat(12)} x`), 'curl … x');
  assert.equal(storableUserAgent('curl clv_canary1 x'), 'curl clv_… x');
});
