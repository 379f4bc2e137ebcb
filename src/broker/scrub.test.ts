// Scrubbing a stream: however it is cut into chunks, what comes out is what scrubbing the whole would give, byte for byte as long.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Secret } from '../model/secret.ts';
import type { Place } from '../providers/provider.ts';
import { compileInjection } from './inject.ts';
import { blot, createScrubber } from './scrub.ts';

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Whole-buffer replacement, the slow way: each pattern in turn, from the left, without overlaps. */
function scrubbed(text: string, patterns: readonly string[]): string {
  return patterns.reduce((clean, pattern) => clean.replaceAll(pattern, '*'.repeat(pattern.length)), text);
}

/** Runs a text through a scrubber in the given pieces; also checks that nothing is held that need not be. */
function streamed(text: string, cuts: readonly number[], patterns: readonly string[]): { text: string; found: number } {
  const whole = Buffer.from(text, 'latin1');
  const scrubber = createScrubber(patterns.map((pattern) => Buffer.from(pattern, 'latin1')));
  const places = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b);
  let out = '';
  let from = 0;
  for (const to of [...places, whole.length]) {
    out += scrubber.push(Buffer.from(whole.subarray(from, to))).toString('latin1');
    from = to;
    const longest = Math.max(0, ...patterns.map((pattern) => pattern.length - 1));
    assert(to - out.length <= longest, 'more is held back than a beginning of the longest pattern');
  }
  return { text: out + scrubber.end().toString('latin1'), found: scrubber.found };
}

const cuts = fc.array(fc.nat(), { maxLength: 30 });

test('one pattern over a small alphabet, with all its overlaps with itself, in random chunks', () => {
  const letters = (minLength: number, maxLength: number) =>
    fc.array(fc.constantFrom('a', 'b'), { minLength, maxLength }).map((all) => all.join(''));
  fc.assert(
    fc.property(letters(1, 6), letters(0, 60), cuts, (pattern, text, at) => {
      const seen = streamed(text, at, [pattern]);
      assert.equal(seen.text, scrubbed(text, [pattern]));
      assert.equal(seen.text.length, text.length);
      assert.equal(seen.found, text.split(pattern).length - 1);
    }),
    { numRuns: 5_000 },
  );
});

test('a key in all the forms that are known, planted in random bytes, in random chunks', () => {
  const key = fc
    .array(fc.constantFrom(...'abAB01"\\/+=%é', 'canary'), { minLength: 6, maxLength: 20 })
    .map((parts) => `canary${parts.join('')}`);
  const places: Place[] = [
    { in: 'header', name: 'authorization', scheme: 'Bearer' },
    { in: 'basic', user: 'api' },
    { in: 'query', name: 'api_key' },
    { in: 'body', pointer: '/key' },
  ];
  fc.assert(
    fc.property(
      key,
      fc.constantFrom(...places),
      fc.array(fc.oneof(fc.nat(6), fc.string({ maxLength: 9 })), { maxLength: 12 }),
      cuts,
      (text, place, parts, at) => {
        const patterns = compileInjection([place], { key: new Secret(text) }).scrub.map((one) =>
          Buffer.from(one).toString('latin1'),
        );
        const stream = parts
          .map((part) => (typeof part === 'number' ? patterns[part % patterns.length]! : part))
          .join('');
        const clean = Buffer.from(stream, 'latin1').toString('latin1');
        const seen = streamed(clean, at, patterns);
        for (const pattern of patterns) assert(!seen.text.includes(pattern), 'a form of the key came through');
        assert.equal(seen.text, scrubbed(clean, patterns));
        assert.equal(seen.text.length, clean.length);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('byte by byte, the pattern never shows', () => {
  const text = 'xx canary-canary-key canary-ke canary-key';
  const every = Array.from({ length: text.length }, (_, i) => i);
  assert.equal(streamed(text, every, ['canary-key']).text, 'xx canary-********** canary-ke **********');
});

test('what is held back at the end is given out, and nothing twice', () => {
  const scrubber = createScrubber([bytes('canary-key')]);
  assert.equal(scrubber.push(Buffer.from('abc canary-')).toString(), 'abc ');
  assert.equal(scrubber.end().toString(), 'canary-');
  assert.equal(scrubber.end().length, 0);
  assert.equal(scrubber.push(Buffer.from('key')).toString(), 'key');
  assert.equal(scrubber.found, 0);
});

test('without patterns, and with empty ones, everything passes', () => {
  for (const patterns of [[], [new Uint8Array(0)]]) {
    const scrubber = createScrubber(patterns);
    assert.equal(scrubber.push(Buffer.from('abc')).toString(), 'abc');
    assert.equal(scrubber.end().length, 0);
    assert.equal(blot(Buffer.from('abc'), patterns), 0);
  }
});

test('of patterns that overlap each other none shows whole', () => {
  for (const patterns of [
    ['abcd', 'cdef'],
    ['cdef', 'abcd'],
  ]) {
    for (let cut = 0; cut <= 8; cut++) {
      const { text } = streamed('x-abcdef-y', [cut], patterns);
      assert(!patterns.some((pattern) => text.includes(pattern)), `${patterns} at ${cut}: ${text}`);
      assert.equal(text.length, 10);
    }
  }
});
