// The next value of a kind that we make: what is kept, what is new, that no letter is favoured, and that it has the kind's form.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../../test/support/rows.ts';
import type { Random } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { neon } from '../providers/neon.ts';
import { prefectServer } from '../providers/prefect-server.ts';
import type { Kind, Parts } from '../providers/provider.ts';
import { invent } from './inventing.ts';

const kind = prefectServer.kinds[0]!;

function next(old: string, random: Random = seededRandom(1)): string {
  return revealSecretText(invent(kind, { key: new Secret(old) }, random)['key']!);
}

test('the user stays, forty letters and digits follow, and the kind’s form is kept', () => {
  const table: [string, string][] = [
    ['admin:canary-old', 'admin:'],
    ['a.b-c_d:canary:with:colons', 'a.b-c_d:'],
    ['admin:canary with spaces', 'admin:'],
  ];
  for (const [old, kept] of table) {
    const text = next(old);
    assert.ok(text.startsWith(kept) && /^[A-Za-z0-9]{40}$/.test(text.slice(kept.length)), 'its form');
    assert.match(text, kind.format['key']!);
  }
});

test('whatever the old value, the new one is of the kind, and another', () => {
  const old = fc.stringMatching(/^[!-9;-~]{1,20}:[!-~]{4,40}$/);
  fc.assert(
    fc.property(old, fc.integer(), (text, seed) => {
      const fresh = next(text, seededRandom(seed));
      assert.match(fresh, kind.format['key']!);
      assert.ok(fresh !== text && fresh.slice(0, fresh.indexOf(':')) === text.slice(0, text.indexOf(':')));
    }),
  );
});

test('every letter is as likely as every other: bytes beyond the last whole round are drawn again', () => {
  const single: Kind = { ...kind, made: { part: 'key', keeps: /^[^:]+:/, letters: 1 } };
  let drawn = 0;
  const everyByte: Random = { bytes: (length) => Uint8Array.from({ length }, () => drawn++) };
  const counts = new Map<string, number>();
  while (drawn < 248) {
    const text = revealSecretText(invent(single, { key: new Secret('admin:canary') }, everyByte)['key']!);
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  assert.deepEqual([counts.size, new Set(counts.values())], [62, new Set([4])]);
  drawn = 248;
  invent(single, { key: new Secret('admin:canary') }, everyByte);
  assert.equal(drawn, 257, 'the last eight were drawn again');
});

test('a random source that gives what cannot be used is asked again', () => {
  let calls = 0;
  const late: Random = { bytes: (length) => new Uint8Array(length).fill(calls++ < 3 ? 255 : 0) };
  assert.equal(next('admin:canary', late), `admin:${'A'.repeat(40)}`);
  assert.equal(calls, 4);
});

test('parts that are not made stay as they are', () => {
  const beside = { ...kind, parts: ['key', 'host'], made: kind.made! };
  const host = new Secret('canary-host');
  const made: Parts = invent(beside, { key: new Secret('admin:canary'), host }, seededRandom(1));
  assert.equal(made['host'], host);
});

test('what is not ours to make, or has not the form that one is made from, is refused without its text', () => {
  const key = new Secret('canary-without-a-colon');
  const refused = (run: () => unknown) =>
    assert.throws(run, (error) => Failure.is(error, 'invalid') && !error.message.includes('canary'));
  refused(() => invent(neon.kinds[0]!, { key }, seededRandom(1)));
  refused(() => invent(kind, { key }, seededRandom(1)));
  refused(() => invent(kind, {}, seededRandom(1)));
});
