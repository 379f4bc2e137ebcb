// The first message of a client whose WebSocket nobody has authorised yet: gathered within a limit, over fragments, with pings answered on the
// way (the official client of Prefect pings before it says who it is). Whatever else comes ends the connection with the code that RFC 6455
// has for it. Not here: what the message says (first-frame.ts), how long it may take (greeting.io.ts).
import { CLOSE, closeFrame, type FrameHead, frame, isControl, masked, OPCODE, readFrameHead } from './frame.ts';

/** What has come so far. `replies`: frames for the client, in order. */
export type FirstMessage = { readonly replies: readonly Buffer[] } & (
  | { readonly is: 'more' }
  /** `rest`: the client's bytes behind the message. */
  | { readonly is: 'message'; readonly text: string; readonly rest: Buffer }
  | { readonly is: 'refused'; readonly code: number; readonly reason: string }
  /** The client ended it itself; its Close is answered. */
  | { readonly is: 'closed' }
);

export interface FirstMessageReader {
  push(chunk: Buffer): FirstMessage;
}

/** `bytesMax`: everything up to the message's end, with heads and control frames. */
export function readFirstMessage(bytesMax: number): FirstMessageReader {
  let waiting: Buffer = Buffer.alloc(0);
  let readBytes = 0;
  let isInMessage = false;
  const parts: Buffer[] = [];

  function refused(replies: readonly Buffer[], code: number, reason: string): FirstMessage {
    return { is: 'refused', code, reason, replies };
  }

  function message(rest: Buffer, replies: readonly Buffer[]): FirstMessage {
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts));
      return { is: 'message', text, rest, replies };
    } catch {
      return refused(replies, CLOSE.notText, 'not-utf-8');
    }
  }

  /** Null: it may come. */
  function problemOf(head: FrameHead): readonly [code: number, reason: string] | null {
    if (readBytes + head.headBytes + head.payloadBytes > bytesMax) return [CLOSE.tooBig, 'first-frame-too-large'];
    if (isControl(head.opcode)) return null;
    if (head.opcode === OPCODE.binary && !isInMessage) return [CLOSE.unsupported, 'first-frame-binary'];
    return (head.opcode === OPCODE.continuation) === isInMessage ? null : [CLOSE.protocol, 'malformed-frame'];
  }

  return {
    push(chunk) {
      waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
      const replies: Buffer[] = [];
      for (;;) {
        const read = readFrameHead(waiting, 0, true);
        if (read.is === 'malformed') return refused(replies, CLOSE.protocol, 'malformed-frame');
        if (read.is === 'more') return { is: 'more', replies };
        const { head } = read;
        const problem = problemOf(head);
        if (problem !== null) return refused(replies, ...problem);
        const size = head.headBytes + head.payloadBytes;
        if (waiting.length < size) return { is: 'more', replies };
        const payload = masked(waiting.subarray(head.headBytes, size), head.mask!);
        waiting = waiting.subarray(size);
        readBytes += size;
        if (head.opcode === OPCODE.ping) replies.push(frame(OPCODE.pong, payload, null));
        else if (head.opcode === OPCODE.close)
          return { is: 'closed', replies: [...replies, closeFrame(1000, '', null)] };
        else if (head.opcode !== OPCODE.pong) {
          parts.push(payload);
          isInMessage = !head.isFinal;
          if (head.isFinal) return message(waiting, replies);
        }
      }
    },
  };
}
