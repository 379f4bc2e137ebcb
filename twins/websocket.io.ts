// The server's side of a WebSocket for twins and tests: text messages, Close, Ping, over a connection that node:http has given away. A codec of
// its own, so that the product's is not checked against itself. Small on purpose: no extensions, messages of one megabyte.
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

const MESSAGE_BYTES_MAX = 1_048_576;

export interface TwinPeer {
  send(text: string): void;
  /** Bytes as they are: what a server could do wrong. */
  raw(bytes: Buffer): void;
  close(code: number, reason: string): void;
  readonly socket: Socket;
}

export interface TwinSocket {
  /** The subprotocol that is chosen; null: none. */
  readonly protocol: string | null;
  /** More lines of the answer's head, each with its end. */
  readonly lines?: string;
  opened?(peer: TwinPeer): void;
  said(text: string, peer: TwinPeer): void;
  /** `code` of the client's Close; null: it went away without one. Told once. */
  ended?(code: number | null): void;
}

/** Subprotocols that a client offers, in order. */
export function offersOf(request: IncomingMessage): string[] {
  const text = request.headers['sec-websocket-protocol'] ?? '';
  return text === '' ? [] : text.split(',').map((one) => one.trim());
}

/** Refuses an upgrade as an HTTP server does: an answer, and the end. */
export function refuseUpgrade(socket: Socket, status: number, body: string, lines = ''): void {
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n${lines}\r\n${body}`,
  );
}

function serverFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([0x80 | opcode, length]), payload]);
  const head = Buffer.alloc(length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = length < 65_536 ? 126 : 127;
  if (length < 65_536) head.writeUInt16BE(length, 2);
  else head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

interface ClientFrame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly payload: Buffer;
  readonly size: number;
}

/** The first whole frame; null where there is none yet. Throws for one without a mask: a client must have one. */
function firstFrame(bytes: Buffer): ClientFrame | null {
  if (bytes.length < 2) return null;
  const short = bytes[1]! & 0x7f;
  const at = short === 126 ? 4 : short === 127 ? 10 : 2;
  if ((bytes[1]! & 0x80) === 0 || (bytes[0]! & 0x70) !== 0) throw new Error('no frame of a client');
  if (bytes.length < at + 4) return null;
  const length = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (length > MESSAGE_BYTES_MAX) throw new Error('a frame is too long');
  const size = at + 4 + length;
  if (bytes.length < size) return null;
  const mask = bytes.subarray(at, at + 4);
  const payload = Buffer.from(bytes.subarray(at + 4, size)).map((byte, i) => byte ^ mask[i % 4]!);
  return { opcode: bytes[0]! & 0x0f, isFinal: (bytes[0]! & 0x80) !== 0, payload: Buffer.from(payload), size };
}

/** Answers the handshake and serves the connection until it ends. */
export function serveWebSocket(request: IncomingMessage, socket: Socket, head: Buffer, served: TwinSocket): TwinPeer {
  const key = request.headers['sec-websocket-key'] ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const chosen = served.protocol === null ? '' : `Sec-WebSocket-Protocol: ${served.protocol}\r\n`;
  let bytes = Buffer.alloc(0);
  let message: Buffer[] = [];
  let hasEnded = false;
  const peer: TwinPeer = {
    send: (text) => void socket.write(serverFrame(1, Buffer.from(text))),
    raw: (given) => void socket.write(given),
    close(code, reason) {
      const payload = Buffer.alloc(2);
      payload.writeUInt16BE(code);
      socket.end(serverFrame(8, Buffer.concat([payload, Buffer.from(reason)])));
    },
    socket,
  };

  function end(code: number | null): void {
    if (hasEnded) return;
    hasEnded = true;
    served.ended?.(code);
  }

  function take(frame: ClientFrame): void {
    if (frame.opcode === 9) socket.write(serverFrame(10, frame.payload));
    else if (frame.opcode === 8) {
      end(frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0));
      socket.end(serverFrame(8, frame.payload));
    } else if (frame.opcode < 8) {
      message.push(frame.payload);
      if (!frame.isFinal) return;
      const text = Buffer.concat(message).toString('utf8');
      message = [];
      served.said(text, peer);
    }
  }

  function read(chunk: Buffer): void {
    bytes = Buffer.concat([bytes, chunk]);
    try {
      for (let frame = firstFrame(bytes); frame !== null && socket.writable; frame = firstFrame(bytes)) {
        bytes = bytes.subarray(frame.size);
        take(frame);
      }
    } catch {
      socket.destroy();
    }
  }

  socket.on('error', () => socket.destroy());
  // A connection of node:http stays half open otherwise.
  socket.on('end', () => socket.end());
  socket.on('close', () => end(null));
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${chosen}${served.lines ?? ''}\r\n`,
  );
  served.opened?.(peer);
  socket.on('data', read);
  if (head.length > 0) read(head);
  return peer;
}
