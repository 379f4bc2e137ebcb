// The frames of RFC 6455, as far as a broker needs them: the head of a frame read strictly (section 5.2), and the few frames that it makes
// itself. No extension is ever negotiated, so the reserved bits are zero. Not here: where frames begin in a stream (frame-relay.ts), what a
// message says (first-message.ts, first-frame.ts).

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Close codes that the broker says: RFC 6455 section 7.4.1, and the registry of WebSocket close codes for 1012 to 1014. */
export const CLOSE = {
  protocol: 1002,
  unsupported: 1003,
  notText: 1007,
  policy: 1008,
  tooBig: 1009,
  /** The client is to connect again: the key was rotated, or the server stops. */
  restart: 1012,
  later: 1013,
  badGateway: 1014,
} as const;

export interface FrameHead {
  readonly isFinal: boolean;
  readonly opcode: number;
  /** The four bytes of a client's mask; null in a server's frame. */
  readonly mask: Uint8Array | null;
  readonly payloadBytes: number;
  /** Of the head itself: 2 to 14. */
  readonly headBytes: number;
}

export type HeadRead =
  | { readonly is: 'head'; readonly head: FrameHead }
  | { readonly is: 'more' }
  | { readonly is: 'malformed' };

const MORE: HeadRead = { is: 'more' };
const MALFORMED: HeadRead = { is: 'malformed' };
export const HEAD_BYTES_MAX = 14;
const CONTROL_BYTES_MAX = 125;
const KNOWN: ReadonlySet<number> = new Set(Object.values(OPCODE));

export function isControl(opcode: number): boolean {
  return opcode >= 8;
}

/**
 * Reads the head of a frame that begins at `from`. Malformed: reserved bits or opcodes, a control frame in pieces or with more than 125 bytes, a
 * length that is not written the shortest way or is beyond 2^53, a mask where none belongs or none where one does.
 */
export function readFrameHead(bytes: Uint8Array, from: number, isMasked: boolean): HeadRead {
  const size = bytes.length - from;
  if (size < 2) return MORE;
  const [first, second] = [bytes[from]!, bytes[from + 1]!];
  const opcode = first & 0x0f;
  const isFinal = (first & 0x80) !== 0;
  const short = second & 0x7f;
  const hasMask = (second & 0x80) !== 0;
  if ((first & 0x70) !== 0 || !KNOWN.has(opcode) || hasMask !== isMasked) return MALFORMED;
  if (isControl(opcode) && (!isFinal || short > CONTROL_BYTES_MAX)) return MALFORMED;
  const lengthBytes = short === 127 ? 8 : short === 126 ? 2 : 0;
  const headBytes = 2 + lengthBytes + (isMasked ? 4 : 0);
  if (size < headBytes) return MORE;
  const view = new DataView(bytes.buffer, bytes.byteOffset + from, headBytes);
  let payloadBytes = short;
  if (lengthBytes === 2) payloadBytes = view.getUint16(2);
  else if (lengthBytes === 8) {
    const high = view.getUint32(2);
    if (high > 0x1f_ffff) return MALFORMED;
    payloadBytes = high * 0x1_0000_0000 + view.getUint32(6);
  }
  if ((lengthBytes === 2 && payloadBytes <= CONTROL_BYTES_MAX) || (lengthBytes === 8 && payloadBytes <= 0xffff)) {
    return MALFORMED;
  }
  const mask = isMasked ? bytes.slice(from + headBytes - 4, from + headBytes) : null;
  return { is: 'head', head: { isFinal, opcode, mask, payloadBytes, headBytes } };
}

/** Masks, or unmasks: it is the same. Always a copy. */
export function masked(payload: Uint8Array, mask: Uint8Array): Buffer {
  const copy = Buffer.from(payload);
  for (let i = 0; i < copy.length; i++) copy[i] = copy[i]! ^ mask[i & 3]!;
  return copy;
}

/** One whole frame. `mask`: four random bytes, for frames to a server; null, for those to a client. */
export function frame(opcode: number, payload: Uint8Array, mask: Uint8Array | null): Buffer {
  const { length } = payload;
  const lengthBytes = length > 0xffff ? 8 : length > CONTROL_BYTES_MAX ? 2 : 0;
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = 0x80 | opcode;
  head[1] = (mask === null ? 0 : 0x80) | (lengthBytes === 8 ? 127 : lengthBytes === 2 ? 126 : length);
  if (lengthBytes === 2) head.writeUInt16BE(length, 2);
  else if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return mask === null ? Buffer.concat([head, payload]) : Buffer.concat([head, mask, masked(payload, mask)]);
}

/** A Close frame with a code and a reason: a word of ours, plain ASCII of at most 123 characters. */
export function closeFrame(code: number, reason: string, mask: Uint8Array | null): Buffer {
  const payload = Buffer.alloc(2 + reason.length);
  payload.writeUInt16BE(code);
  payload.write(reason, 2, 'latin1');
  return frame(OPCODE.close, payload, mask);
}

/** The close code for what would be an HTTP status: the caller's fault, a time to wait, or the provider's side. */
export function closeCodeOf(status: number): number {
  if (status === 413) return CLOSE.tooBig;
  if (status === 429 || status === 503) return CLOSE.later;
  return status >= 500 ? CLOSE.badGateway : CLOSE.policy;
}
