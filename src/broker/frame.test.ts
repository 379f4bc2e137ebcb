// Heads of frames: the examples of RFC 6455 section 5.7, what is written reads back, and everything that is not written the one right way is
// malformed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { closeCodeOf, closeFrame, type FrameHead, frame, masked, OPCODE, readFrameHead } from './frame.ts';

const bytesOf = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');

function headOf(bytes: Uint8Array, isMasked: boolean): FrameHead {
  const read = readFrameHead(bytes, 0, isMasked);
  assert(read.is === 'head', read.is);
  return read.head;
}

test('the examples of the RFC', () => {
  assert.deepEqual(frame(OPCODE.text, Buffer.from('Hello'), null), bytesOf('8105 48656c6c6f'));
  const mask = bytesOf('37fa213d');
  assert.deepEqual(frame(OPCODE.text, Buffer.from('Hello'), mask), bytesOf('8185 37fa213d 7f9f4d5158'));
  assert.deepEqual(frame(OPCODE.ping, Buffer.from('Hello'), null), bytesOf('8905 48656c6c6f'));
  assert.deepEqual(frame(OPCODE.binary, Buffer.alloc(256), null).subarray(0, 4), bytesOf('827e0100'));
  assert.deepEqual(frame(OPCODE.binary, Buffer.alloc(65_536), null).subarray(0, 10), bytesOf('827f0000000000010000'));
  assert.equal(headOf(bytesOf('0103 48656c'), false).isFinal, false);
  assert.deepEqual(headOf(bytesOf('8002 6c6f'), false), {
    isFinal: true,
    opcode: OPCODE.continuation,
    mask: null,
    payloadBytes: 2,
    headBytes: 2,
  });
});

test('what is written reads back, with a mask and without, and one byte less than its head is not enough', () => {
  const opcode = fc.constantFrom(OPCODE.continuation, OPCODE.text, OPCODE.binary);
  const size = fc.oneof(fc.nat(200), fc.constantFrom(125, 126, 127, 65_535, 65_536, 65_537));
  const mask = fc.option(fc.uint8Array({ minLength: 4, maxLength: 4 }));
  fc.assert(
    fc.property(opcode, size, mask, fc.nat(9), (kind, payloadBytes, key, before) => {
      const payload = Buffer.alloc(payloadBytes, 'x');
      const bytes = frame(kind, payload, key);
      const shifted = Buffer.concat([Buffer.alloc(before), bytes]);
      const read = readFrameHead(shifted, before, key !== null);
      assert(read.is === 'head');
      const { head } = read;
      assert.deepEqual([head.opcode, head.isFinal, head.payloadBytes], [kind, true, payloadBytes]);
      const content = bytes.subarray(head.headBytes);
      assert.deepEqual(head.mask === null ? content : masked(content, head.mask), payload);
      for (let n = 0; n < head.headBytes; n++) {
        assert.equal(readFrameHead(bytes.subarray(0, n), 0, key !== null).is, 'more');
      }
    }),
  );
});

test('whatever is not written the one right way is malformed', () => {
  const forServer = ['0105', '8105', '8200', '8805'];
  const forClient = ['8185 37fa213d', '8880 00000000'];
  const table: [why: string, hex: string, isMasked: boolean][] = [
    ['a reserved bit', 'c105', false],
    ['another', 'a105', false],
    ['the third', '9105', false],
    ['a reserved opcode', '8305', false],
    ['a reserved control opcode', '8b00', false],
    ['a ping in pieces', '0905', false],
    ['a Close of 126 bytes', '887e007e', false],
    ['125 in two bytes', '827e007d', false],
    ['65,535 in eight bytes', '827f000000000000ffff', false],
    ['the highest bit of a length', '827f8000000000000000', false],
    ['a length that no number holds', '827f0020000000000000', false],
    ...forServer.map((hex) => ['no mask from a client', hex, true] as [string, string, boolean]),
    ...forClient.map((hex) => ['a mask from a server', hex, false] as [string, string, boolean]),
  ];
  for (const [why, hex, isMasked] of table) assert.equal(readFrameHead(bytesOf(hex), 0, isMasked).is, 'malformed', why);
  assert.equal(headOf(bytesOf('827f001fffffffffffff'), false).payloadBytes, Number.MAX_SAFE_INTEGER);
});

test('a Close says its code and why', () => {
  assert.deepEqual(
    closeFrame(1012, 'key-rotated', null),
    Buffer.concat([bytesOf('880d03f4'), Buffer.from('key-rotated')]),
  );
  assert.deepEqual(closeFrame(1000, '', null), bytesOf('880203e8'));
  const codes = [400, 401, 403, 413, 429, 502, 503, 504].map(closeCodeOf);
  assert.deepEqual(codes, [1008, 1008, 1008, 1009, 1013, 1014, 1013, 1014]);
});
