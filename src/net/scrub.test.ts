// The request's own key disappears from an answer in every covered form; everything else stays byte for byte.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createScrubber, SCRUBBED } from './scrub.ts';

const HEADER = { in: 'header', name: 'authorization', scheme: 'Bearer' } as const;

function scrubOf(text: string): (text: string) => string {
  return createScrubber([{ place: HEADER, text, user: null, isSecret: true, isUserSecret: false }]);
}

test('the exact key goes, wherever it stands and however often', () => {
  const scrub = scrubOf('canary-1');
  assert.equal(scrub('canary-1'), SCRUBBED);
  assert.equal(scrub('a canary-1canary-1 b'), `a ${SCRUBBED}${SCRUBBED} b`);
  assert.equal(scrub('cacanary-1canary-'), `ca${SCRUBBED}canary-`);
  assert.equal(scrub(''), '');
});

test('JSON escapes and percent-encoding go, mixed too', () => {
  const scrub = scrubOf('canary/"\\1');
  const forms = [
    'canary/"\\1',
    'canary\\/\\"\\\\1',
    'canary%2F%22%5C1',
    'canary%2f%22%5c1',
    '\\u0063anary\\u002F\\u0022\\u005c\\u0031',
  ];
  for (const form of forms) assert.equal(scrub(`<${form}>`), `<${SCRUBBED}>`, form);
  assert.equal(scrub(JSON.stringify({ key: 'canary/"\\1', other: 1 })), `{"key":"${SCRUBBED}","other":1}`);
});

test('a key that itself looks like an escape goes in its literal form', () => {
  assert.equal(scrubOf('canary%41\\u0042')('x canary%41\\u0042 y'), `x ${SCRUBBED} y`);
});

test('what stands right before the key does not hide it', () => {
  const scrub = scrubOf('nanary/1');
  for (const before of ['\\', '%', '%1', '\\u00', 'n', '\\n', '%6']) {
    for (const form of ['nanary/1', 'nanary\\/1', 'nanary%2F1']) assert.equal(scrub(before + form), before + SCRUBBED);
  }
});

test('the token of a basic credential goes', () => {
  const scrub = createScrubber([
    { place: { in: 'basic', user: 'admin' }, text: 'canary?>', user: 'admin', isSecret: true, isUserSecret: false },
  ]);
  const token = Buffer.from('admin:canary?>').toString('base64');
  assert.equal(scrub(`Basic ${token} and ${token.replaceAll('=', '%3D')}`), `Basic ${SCRUBBED} and ${SCRUBBED}`);
});

test('another key and everything that only resembles this one stays', () => {
  const scrub = scrubOf('canary-old');
  const text = '{"key":"canary-new","old":"canary-ol","x":"Canary-old","y":"canary-%6","z":"\\\\u0063"}';
  assert.equal(scrub(text), text);
});

test('no text keeps the key, and a text without it is unchanged', () => {
  const piece = fc.constantFrom('canary', '-', '%2d', '\\u002d', '1', '%31', 'c', '\\', '%', '"', 'é', 'canary-1');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (parts) => {
      const text = parts.join('');
      const scrubbed = scrubOf('canary-1')(text);
      const meant = (form: string): string => form.replaceAll(/%2d|\\u002d/g, '-').replaceAll('%31', '1');
      assert.ok(!meant(scrubbed).includes('canary-1'), text);
      if (!meant(text).includes('canary-1')) assert.equal(scrubbed, text);
    }),
    { numRuns: 3000 },
  );
});

test('a key and an answer made to be slow are searched in linear time', () => {
  const scrub = scrubOf(`${'a'.repeat(8000)}b`);
  const answer = 'a'.repeat(1_000_000);
  assert.equal(scrub(answer), answer);
});

test('every secret that was written goes, and a public part stays', () => {
  const scrub = createScrubber([
    { place: HEADER, text: 'canary-1', user: null, isSecret: true, isUserSecret: false },
    { place: HEADER, text: 'canary-2', user: null, isSecret: true, isUserSecret: false },
    { place: HEADER, text: 'client-id', user: null, isSecret: false, isUserSecret: false },
  ]);
  assert.equal(scrub('canary-1 canary-2 client-id'), `${SCRUBBED} ${SCRUBBED} client-id`);
});

test('the user of a basic credential goes where it is a secret of its own, and stays where it is none', () => {
  const written = { place: { in: 'basic', user: '{id}' }, text: 'canary-secret', user: 'canary-id' } as const;
  const secret = createScrubber([{ ...written, isSecret: true, isUserSecret: true }]);
  assert.equal(secret('canary-id canary-secret'), `${SCRUBBED} ${SCRUBBED}`);
  const open = createScrubber([{ ...written, isSecret: true, isUserSecret: false }]);
  assert.equal(open('canary-id canary-secret'), `canary-id ${SCRUBBED}`);
});

test('of a part that is user and password, the password goes alone too, and the user stays', () => {
  const place = { in: 'basic', user: null } as const;
  const scrub = createScrubber([
    { place, text: 'admin:canary-1', user: null, isSecret: true, isUserSecret: false },
    { place, text: 'admin:can', user: null, isSecret: true, isUserSecret: false },
  ]);
  assert.equal(scrub('admin, canary-1, admin:canary-1, can'), `admin, ${SCRUBBED}, ${SCRUBBED}, can`);
});
