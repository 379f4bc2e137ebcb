// The first message of a caller nobody knows: found in every cut, with pings answered on the way, and each way of not sending one has its code.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FirstMessage, readFirstMessage } from './first-message.ts';
import { closeFrame, frame, OPCODE } from './frame.ts';

const MASK = Buffer.from([9, 8, 7, 6]);
const masked = (opcode: number, payload: string | Buffer) => frame(opcode, Buffer.from(payload), MASK);
function part(bytes: Buffer): Buffer {
  bytes[0]! &= 0x7f;
  return bytes;
}

/** Everything pushed at once or in pieces, up to the first word that is not `more`. */
function heard(bytes: Buffer, bytesMax = 8_192, every = bytes.length): FirstMessage {
  const reader = readFirstMessage(bytesMax);
  const replies: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += every) {
    const said = reader.push(bytes.subarray(at, at + every));
    replies.push(...said.replies);
    // What had not come yet stands behind the message in the stream.
    if (said.is === 'message')
      return { ...said, replies, rest: Buffer.concat([said.rest, bytes.subarray(at + every)]) };
    if (said.is !== 'more') return { ...said, replies };
  }
  return { is: 'more', replies };
}

test('a message is found in every cut, whole or in fragments, and what stands behind it is kept', () => {
  const words = fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(words, fc.integer({ min: 1, max: 40 }), fc.boolean(), (parts, every, hasPings) => {
      const frames = parts.flatMap((text, i) => {
        const isLast = i === parts.length - 1;
        const bytes = masked(i === 0 ? OPCODE.text : OPCODE.continuation, text.toWellFormed());
        const one = isLast ? bytes : part(bytes);
        return hasPings ? [masked(OPCODE.ping, `${i}`), masked(OPCODE.pong, 'unasked'), one] : [one];
      });
      const behind = masked(OPCODE.binary, 'next');
      const said = heard(Buffer.concat([...frames, behind]), 8_192, every);
      assert(said.is === 'message');
      assert.equal(said.text, parts.map((text) => text.toWellFormed()).join(''));
      assert.deepEqual(said.rest, behind);
      const pongs = hasPings ? parts.map((_, i) => frame(OPCODE.pong, Buffer.from(`${i}`), null)) : [];
      assert.deepEqual(said.replies, pongs);
    }),
  );
});

test('what is no first message is told what it is', () => {
  const big = Buffer.alloc(4_000, 'a');
  const cases: [why: string, bytes: Buffer, code: number, reason: string][] = [
    ['no mask', frame(OPCODE.text, Buffer.from('a'), null), 1002, 'malformed-frame'],
    ['a compressed one', Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002, 'malformed-frame'],
    ['a continuation of nothing', masked(OPCODE.continuation, 'a'), 1002, 'malformed-frame'],
    [
      'two beginnings',
      Buffer.concat([part(masked(OPCODE.text, 'a')), masked(OPCODE.text, 'b')]),
      1002,
      'malformed-frame',
    ],
    ['binary', masked(OPCODE.binary, 'a'), 1003, 'first-frame-binary'],
    [
      'binary within text',
      Buffer.concat([part(masked(OPCODE.text, 'a')), masked(OPCODE.binary, 'b')]),
      1002,
      'malformed-frame',
    ],
    ['no text', masked(OPCODE.text, Buffer.from([0xff, 0xfe])), 1007, 'not-utf-8'],
    [
      'too large, as it says itself',
      masked(OPCODE.text, Buffer.alloc(8_190)).subarray(0, 8),
      1009,
      'first-frame-too-large',
    ],
    [
      'too large, together',
      Buffer.concat([
        part(masked(OPCODE.text, big)),
        part(masked(OPCODE.continuation, big)),
        masked(OPCODE.continuation, big),
      ]),
      1009,
      'first-frame-too-large',
    ],
  ];
  for (const [why, bytes, code, reason] of cases) {
    for (const every of [1, 7, bytes.length]) {
      const said = heard(bytes, 8_192, every);
      assert(said.is === 'refused', `${why}: ${said.is}`);
      assert.deepEqual([said.code, said.reason], [code, reason], why);
    }
  }
});

test('the limit is for everything up to the end of the message, pings with it, and what fits passes', () => {
  const fits = masked(OPCODE.text, Buffer.alloc(50, 'a'));
  assert.equal(heard(fits, fits.length).is, 'message');
  assert.equal(heard(fits, fits.length - 1).is, 'refused');
  const pings = Buffer.concat(Array.from({ length: 200 }, () => masked(OPCODE.ping, 'x'.repeat(100))));
  const said = heard(pings, 8_192);
  assert(said.is === 'refused' && said.reason === 'first-frame-too-large');
  assert(said.replies.length < 80, `${said.replies.length} pings were answered`);
});

test('a caller that closes is answered', () => {
  const said = heard(Buffer.concat([masked(OPCODE.ping, ''), masked(OPCODE.close, Buffer.from([0x03, 0xe8]))]));
  assert.deepEqual(said, {
    is: 'closed',
    replies: [frame(OPCODE.pong, Buffer.alloc(0), null), closeFrame(1000, '', null)],
  });
});
