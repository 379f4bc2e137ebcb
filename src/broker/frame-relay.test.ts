// Frames on their way: whatever the chunks, they come out as they went in, the key is taken out of every message over all of its fragments, a
// whole message is never held back, and a relay that stops leaves whole frames behind.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { closeFrame, frame, isControl, OPCODE, readFrameHead } from './frame.ts';
import { createRelay, type Relay } from './frame-relay.ts';

const KEY = 'canary-aab';
const SCRUB = [Buffer.from(KEY)];
const MASK = Buffer.from([1, 2, 3, 4]);
const NOTHING = Buffer.alloc(0);

interface Sent {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly payload: Buffer;
}

function written(frames: readonly Sent[], mask: Buffer | null = null): Buffer {
  return Buffer.concat(
    frames.map(({ opcode, isFinal, payload }) => {
      const bytes = frame(opcode, payload, mask);
      if (!isFinal) bytes[0]! &= 0x7f;
      return bytes;
    }),
  );
}

/** Frames of a server's stream; throws where it is not whole frames. */
function readAll(bytes: Buffer): Sent[] {
  const frames: Sent[] = [];
  for (let at = 0; at < bytes.length; ) {
    const read = readFrameHead(bytes, at, false);
    assert(read.is === 'head', `${read.is} at ${at}`);
    const { opcode, isFinal, headBytes, payloadBytes } = read.head;
    assert(at + headBytes + payloadBytes <= bytes.length, 'the last frame is not whole');
    const payload = Buffer.from(bytes.subarray(at + headBytes, at + headBytes + payloadBytes));
    frames.push({ opcode, isFinal, payload });
    at += headBytes + payloadBytes;
  }
  return frames;
}

/** The messages of a stream, each with what stood in its fragments. */
function messagesOf(frames: readonly Sent[]): string[] {
  const messages: string[] = [];
  let parts: Buffer[] = [];
  for (const { opcode, isFinal, payload } of frames) {
    if (isControl(opcode)) continue;
    parts.push(payload);
    if (!isFinal) continue;
    messages.push(Buffer.concat(parts).toString('latin1'));
    parts = [];
  }
  return messages;
}

function pushed(relay: Relay, bytes: Buffer): Buffer {
  // As it comes from a socket: nobody else's memory.
  return Buffer.concat(relay.push(Buffer.from(bytes)));
}

/** Text in which the key and its beginnings are likely. */
const text = fc
  .array(fc.constantFrom(KEY, 'canary-aa', 'c', 'ca', 'canary-', 'aab', '-', 'x', 'canary-acanary-aab'), {
    maxLength: 6,
  })
  .map((words) => words.join(''));
const control: fc.Arbitrary<Sent> = fc.record({
  opcode: fc.constantFrom(OPCODE.ping, OPCODE.pong),
  isFinal: fc.constant(true),
  payload: text.map((one) => Buffer.from(one.slice(0, 60))),
});
/** One message in any fragments, with control frames between them. */
const message: fc.Arbitrary<Sent[]> = fc
  .tuple(text, fc.array(fc.nat(40), { maxLength: 4 }), fc.array(control, { maxLength: 4 }))
  .map(([whole, cuts, between]) => {
    const places = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b), whole.length];
    return places.slice(1).flatMap((to, i) => {
      const part: Sent = {
        opcode: i === 0 ? OPCODE.text : OPCODE.continuation,
        isFinal: i === places.length - 2,
        payload: Buffer.from(whole.slice(places[i], to)),
      };
      const aside = between[i];
      return aside === undefined || part.isFinal ? [part] : [part, aside];
    });
  });
const stream = fc
  .array(
    fc.oneof(
      message,
      control.map((one) => [one]),
    ),
    { maxLength: 6 },
  )
  .map((all) => all.flat());
const sizes = fc.array(fc.integer({ min: 1, max: 23 }), { minLength: 1, maxLength: 30 });

function* chunksOf(bytes: Buffer, every: readonly number[]): Generator<Buffer> {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = every[n % every.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

test('without a key in it a stream comes out as it went in, in every cut, and says where its frames end', () => {
  fc.assert(
    fc.property(stream, sizes, fc.boolean(), (frames, every, isMasked) => {
      const bytes = written(frames, isMasked ? MASK : null);
      const relay = createRelay(isMasked, isMasked ? [] : [Buffer.from('not-there')]);
      const out: Buffer[] = [];
      for (const chunk of chunksOf(bytes, every)) {
        out.push(pushed(relay, chunk));
        if (!isMasked && relay.isBetweenFrames) readAll(Buffer.concat(out));
      }
      assert.deepEqual(Buffer.concat(out), bytes);
      assert(relay.isBetweenFrames && !relay.isFaulty);
    }),
  );
});

test('the key is in no message, whatever its fragments and the chunks; lengths, kinds and order are kept, and nothing whole is held back', () => {
  let found = 0;
  fc.assert(
    fc.property(stream, sizes, (frames, every) => {
      const bytes = written(frames);
      const relay = createRelay(false, SCRUB);
      const out = Buffer.concat([...chunksOf(bytes, every)].map((chunk) => pushed(relay, chunk)));
      const passed = readAll(out);
      assert.deepEqual(
        passed.map(({ opcode, isFinal, payload }) => [opcode, isFinal, payload.length]),
        frames.map(({ opcode, isFinal, payload }) => [opcode, isFinal, payload.length]),
      );
      const [before, after] = [messagesOf(frames), messagesOf(passed)];
      for (const [i, one] of before.entries()) {
        if (one.includes(KEY)) found++;
        assert.equal(after[i], one.replaceAll(KEY, '*'.repeat(KEY.length)));
      }
      for (const { opcode, payload } of passed) if (isControl(opcode)) assert(!payload.includes(KEY));
    }),
    { numRuns: 400 },
  );
  assert(found > 100, `only ${found} messages held the key`);
});

test('a message that ends as a key begins arrives at once', () => {
  const relay = createRelay(false, SCRUB);
  const bytes = written([{ opcode: OPCODE.text, isFinal: true, payload: Buffer.from('ends with canary-aa') }]);
  assert.deepEqual(pushed(relay, bytes), bytes);
});

test('a relay that stops leaves whole frames behind, never more than came, and nothing of a key that had begun', () => {
  fc.assert(
    fc.property(stream, sizes, fc.nat(60), (frames, every, stopAt) => {
      const relay = createRelay(false, SCRUB);
      const out: Buffer[] = [];
      let read = 0;
      for (const chunk of chunksOf(written(frames), every)) {
        if (read++ === stopAt) out.push(...relay.stop());
        out.push(pushed(relay, chunk));
        if (read > stopAt && relay.isBetweenFrames) readAll(Buffer.concat(out));
      }
      out.push(...relay.stop());
      assert(relay.isBetweenFrames);
      const passed = readAll(Buffer.concat(out));
      assert(passed.length <= frames.length);
      const last = passed.at(-1);
      // A fragment that stays the last one ends in no half of a key, which the next one would have told.
      if (last !== undefined && !last.isFinal)
        assert(!/canary-aa$/.test(last.payload.toString()), 'most of the key is out');
      assert.equal(Buffer.concat(relay.push(frame(OPCODE.text, Buffer.from('more'), null))).length, 0);
    }),
    { numRuns: 400 },
  );
});

test('a relay that is told to stop within a frame lets that frame end', () => {
  const relay = createRelay(false, []);
  const bytes = written([
    { opcode: OPCODE.binary, isFinal: true, payload: Buffer.alloc(300, 'a') },
    { opcode: OPCODE.text, isFinal: true, payload: Buffer.from('next') },
  ]);
  const first = pushed(relay, bytes.subarray(0, 100));
  assert.deepEqual([Buffer.concat(relay.stop()).length, relay.isBetweenFrames], [0, false]);
  const rest = pushed(relay, bytes.subarray(100));
  assert.equal(relay.isBetweenFrames, true);
  assert.equal(readAll(Buffer.concat([first, rest])).length, 1);
});

test('what is no WebSocket is a fault, and nothing of it or behind it passes', () => {
  const text = (isFinal: boolean): Sent => ({ opcode: OPCODE.text, isFinal, payload: Buffer.from('a') });
  const more = (isFinal: boolean): Sent => ({ opcode: OPCODE.continuation, isFinal, payload: Buffer.from('b') });
  const table: [why: string, bytes: Buffer, passing: number][] = [
    ['a continuation of nothing', written([more(true)]), 0],
    ['a message within a message', written([text(false), text(true)]), 3],
    ['a continuation after the end', written([text(false), more(true), more(true)]), 6],
    ['a mask', frame(OPCODE.text, Buffer.from('a'), MASK), 0],
    ['a reserved bit', Buffer.from([0xc1, 0x01, 0x61]), 0],
    ['HTTP', Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), 0],
  ];
  for (const [why, bytes, passing] of table) {
    for (const every of [[1], [64]]) {
      const relay = createRelay(false, SCRUB);
      const out = Buffer.concat([...chunksOf(bytes, every)].map((chunk) => pushed(relay, chunk)));
      assert.deepEqual([relay.isFaulty, out.length], [true, passing], why);
      assert.equal(Buffer.concat(relay.push(written([text(true)]))).length, 0, why);
    }
  }
});

test('a server that says nothing but pings where the rest of a fragment is waited for is cut off', () => {
  const relay = createRelay(false, SCRUB);
  pushed(relay, written([{ opcode: OPCODE.text, isFinal: false, payload: Buffer.from('canary') }]));
  const ping = frame(OPCODE.ping, Buffer.alloc(125), null);
  let pings = 0;
  while (!relay.isFaulty && pings < 1_000) {
    relay.push(Buffer.from(ping));
    pings++;
  }
  assert(relay.isFaulty && pings < 200, `${pings} pings`);
});

test('a Close is noticed as it passes', () => {
  const relay = createRelay(false, SCRUB);
  assert.equal(relay.hasClosed, false);
  const bytes = closeFrame(1008, `Invalid token ${KEY}`, null);
  const out = pushed(relay, bytes);
  assert.deepEqual([relay.hasClosed, out.length, out.includes(KEY)], [true, bytes.length, false]);
  const fromCaller = createRelay(true, []);
  pushed(fromCaller, frame(OPCODE.close, NOTHING, MASK));
  assert.equal(fromCaller.hasClosed, true);
});
