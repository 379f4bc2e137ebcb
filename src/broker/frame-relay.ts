// One direction of an open WebSocket on its way through the broker: frames pass as they are, and where one ends is known, so that a Close of
// our own can stand between two of them. What a server sends is scrubbed of the key, over all fragments of a message, keeping every length.
// A key that is split over two messages, or that the provider encodes, passes (docs/providers say so). Follows RFC 6455 section 5.
import { type FrameHead, HEAD_BYTES_MAX, isControl, OPCODE, readFrameHead } from './frame.ts';
import { blot, createScrubber } from './scrub.ts';

export interface Relay {
  /** What may travel on of what has come. Bytes may be changed in place. Nothing after a fault, or after the last frame of a relay that stops. */
  push(chunk: Buffer): readonly Buffer[];
  /** Nothing shall follow the frame that is under way. What is given back ends a frame that waited to be scrubbed. */
  stop(): readonly Buffer[];
  /** Whether everything given out so far is whole frames. */
  readonly isBetweenFrames: boolean;
  /** Whether a Close frame has passed. */
  readonly hasClosed: boolean;
  /** Whether what came is no WebSocket. */
  readonly isFaulty: boolean;
}

/** Heads and control frames that may wait for the rest of a message. A server that sends more than that between two fragments is cut. */
const OWED_BYTES_MAX = 16_384;

/** Joins what lies side by side, so that a chunk of many small frames is written at once. */
function joined(pieces: Buffer[], piece: Buffer): void {
  const last = pieces.at(-1);
  const isNext =
    last !== undefined && last.buffer === piece.buffer && last.byteOffset + last.length === piece.byteOffset;
  if (isNext) pieces[pieces.length - 1] = Buffer.from(last.buffer, last.byteOffset, last.length + piece.length);
  else pieces.push(piece);
}

/** The order of messages: a continuation continues something, and nothing else begins before its end (section 5.4). */
function isInOrder({ opcode }: FrameHead, isInMessage: boolean): boolean {
  return isControl(opcode) || (opcode === OPCODE.continuation) === isInMessage;
}

/**
 * @param isMasked whether it comes from a client
 * @param scrub patterns to take out of the content; none for what a client sends, which nobody can see through its masks
 */
export function createRelay(isMasked: boolean, scrub: readonly Uint8Array[]): Relay {
  const scrubber = scrub.length === 0 ? null : createScrubber(scrub);
  let out: Buffer[] = [];
  // What has to stand behind content that the scrubber still holds: heads as bytes, content as a number of bytes.
  let owed: (Buffer | number)[] = [];
  let owedBytes = 0;
  let partialHead = Buffer.alloc(0);
  let current: FrameHead | null = null;
  let left = 0;
  let control: Buffer[] = [];
  let isInMessage = false;
  let isStopping = false;
  let isFaulty = false;
  let hasClosed = false;

  function literal(bytes: Buffer): void {
    if (owed.length === 0) {
      joined(out, bytes);
      return;
    }
    owed.push(bytes);
    owedBytes += bytes.length;
    if (owedBytes > OWED_BYTES_MAX) isFaulty = true;
  }

  /** Gives out scrubbed content, and what stands between its bytes. */
  function settle(clean: Buffer): void {
    let at = 0;
    let done = 0;
    for (const one of owed) {
      if (typeof one !== 'number') joined(out, one);
      else {
        const taken = Math.min(one, clean.length - at);
        if (taken > 0) joined(out, clean.subarray(at, at + taken));
        at += taken;
        if (taken < one) {
          owed[done] = one - taken;
          break;
        }
      }
      done++;
    }
    owed = owed.slice(done);
    if (owed.length === 0) owedBytes = 0;
  }

  function content(bytes: Buffer, head: FrameHead): void {
    if (isControl(head.opcode) && scrubber !== null) control.push(Buffer.from(bytes));
    else if (scrubber === null) joined(out, bytes);
    else {
      owed.push(bytes.length);
      settle(scrubber.push(bytes));
    }
  }

  function endFrame(head: FrameHead): void {
    if (isControl(head.opcode)) {
      if (head.opcode === OPCODE.close) hasClosed = true;
      if (control.length > 0) {
        const whole = Buffer.concat(control);
        control = [];
        blot(whole, scrub);
        literal(whole);
      }
    } else {
      isInMessage = !head.isFinal;
      // A message that ends with the beginning of a key has to arrive: nobody knows when the next one comes.
      if (head.isFinal && scrubber !== null) settle(scrubber.end());
    }
    current = null;
  }

  /** Reads a head that may have begun in an earlier chunk. Returns how many bytes of this one it took. */
  function beginFrame(chunk: Buffer, at: number): number {
    const before = partialHead.length;
    const bytes = before === 0 ? chunk : Buffer.concat([partialHead, chunk.subarray(at, at + HEAD_BYTES_MAX)]);
    const from = before === 0 ? at : 0;
    const read = readFrameHead(bytes, from, isMasked);
    if (read.is === 'more') {
      partialHead = Buffer.from(bytes.subarray(from));
      return chunk.length - at;
    }
    if (read.is === 'malformed' || !isInOrder(read.head, isInMessage)) {
      isFaulty = true;
      return 0;
    }
    partialHead = Buffer.alloc(0);
    current = read.head;
    left = read.head.payloadBytes;
    literal(bytes.subarray(from, from + read.head.headBytes));
    if (left === 0) endFrame(current);
    return read.head.headBytes - before;
  }

  function isOver(): boolean {
    return isFaulty || (isStopping && current === null);
  }

  function given(): readonly Buffer[] {
    const pieces = out;
    out = [];
    return pieces;
  }

  /** What is held of a message that will not go on might be most of a key: it leaves as stars. */
  function letGo(): void {
    if (scrubber !== null && owed.length > 0) settle(scrubber.end().fill(0x2a));
  }

  return {
    push(chunk) {
      let at = 0;
      while (at < chunk.length && !isOver()) {
        if (current === null) {
          at += beginFrame(chunk, at);
          continue;
        }
        const taken = Math.min(left, chunk.length - at);
        left -= taken;
        content(chunk.subarray(at, at + taken), current);
        at += taken;
        if (left === 0) endFrame(current);
      }
      if (isOver() && current === null) letGo();
      return given();
    },
    stop() {
      isStopping = true;
      if (current === null) letGo();
      return given();
    },
    get isBetweenFrames() {
      return current === null && owed.length === 0;
    },
    get hasClosed() {
      return hasClosed;
    },
    get isFaulty() {
      return isFaulty;
    },
  };
}
