// WebSockets in tests of the broker: a provider that is a small server of its own, callers that are the runtime's client or write bytes
// themselves, and the grants of a caller at Prefect Server or Mastodon.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { catalogueLines } from '../../src/access/catalogue.ts';
import { mastodon } from '../../src/providers/mastodon.ts';
import { prefectServer } from '../../src/providers/prefect-server.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { serveWebSocket, type TwinPeer, type TwinSocket } from '../../twins/websocket.io.ts';
import type { Given } from './plans.ts';

export interface SocketUpstream {
  readonly port: number;
  /** Each upgrade that was asked for, as its request. */
  readonly asked: IncomingMessage[];
  /** What callers said, in order. */
  readonly said: string[];
  /** Codes with which connections ended; null: without a Close. */
  readonly ended: (number | null)[];
  readonly peers: TwinPeer[];
}

/** What a test wants of an upgrade: a socket to serve, or null, where it answers by itself. */
export type Answer = (request: IncomingMessage, socket: Socket) => Partial<TwinSocket> | null;

/** A provider on loopback whose every path is a WebSocket. It ends with its test. */
export async function startSocketUpstream(t: TestContext, answer: Answer = () => ({})): Promise<SocketUpstream> {
  const [asked, said, ended, peers]: [IncomingMessage[], string[], (number | null)[], TwinPeer[]] = [[], [], [], []];
  const sockets = new Set<Socket>();
  const server = createServer((_request, response) => response.end('ok'));
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    asked.push(request);
    const served = answer(request, socket);
    if (served === null) return;
    const first = (request.headers['sec-websocket-protocol'] ?? '').split(',')[0]!.trim();
    peers.push(
      serveWebSocket(request, socket, head, {
        protocol: first === '' ? null : first,
        said(text) {
          said.push(text);
        },
        ...served,
        ended(code) {
          ended.push(code);
        },
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked, said, ended, peers };
}

function catalogueOf(provider: Provider) {
  return { id: `cat_${provider.name}`, rowVersion: 1, provider: provider.name, actions: catalogueLines(provider) };
}

/** A credential of Prefect Server in the place of Neon's, or of Mastodon. */
export function givenOf(name: 'prefect-server' | 'mastodon', upstreamPort: number, given: Given = {}): Given {
  const provider = name === 'mastodon' ? mastodon : prefectServer;
  const { places } = provider.kinds[0]!;
  const origin = `http://127.0.0.1:${upstreamPort}`;
  return {
    ...given,
    credential: { provider: name, name: 'prod', places, origin, ...given.credential },
    more: [
      ...[prefectServer, mastodon].map((one) => ({ noun: 'catalogue' as const, row: catalogueOf(one) })),
      ...(given.more ?? []),
    ],
  };
}

export interface TestCaller {
  readonly socket: WebSocket;
  readonly heard: string[];
  /** Resolves when it is open, or will never be. */
  readonly opened: Promise<boolean>;
  /** `code reason`, once it is closed. */
  readonly closed: Promise<string>;
}

/** The runtime's own client. */
export function openSocket(url: string, protocols: readonly string[] = []): TestCaller {
  const socket = new WebSocket(url, [...protocols]);
  const heard: string[] = [];
  socket.addEventListener('message', (event) => void heard.push(String(event.data)));
  socket.addEventListener('error', () => {});
  const closed = new Promise<string>((resolve) => {
    socket.addEventListener('close', (event) => resolve(`${event.code} ${event.reason}`.trim()));
  });
  const opened = new Promise<boolean>((resolve) => {
    socket.addEventListener('open', () => resolve(true));
    socket.addEventListener('close', () => resolve(false));
  });
  return { socket, heard, opened, closed };
}

export const HANDSHAKE =
  'Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

/** A frame with a mask, as clients send them. `first`: the first byte, for those that nobody should send. */
export function clientFrame(payload: string | Buffer, first = 0x81): Buffer {
  const content = Buffer.from(payload);
  const length =
    content.length < 126
      ? Buffer.from([0x80 | content.length])
      : Buffer.from([0xfe, content.length >> 8, content.length & 0xff]);
  assert(content.length < 65_536);
  const mask = Buffer.from([0x11, 0x22, 0x33, 0x44]);
  return Buffer.concat([Buffer.from([first]), length, mask, content.map((byte, i) => byte ^ mask[i % 4]!)]);
}

/** What the bytes that came back say: the status of the answer, then each Close as `code reason`. */
export function told(received: Buffer): string {
  const text = received.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const status = /^HTTP\/1\.1 ([0-9]{3})/.exec(text)?.[1] ?? 'nothing';
  const words = [status];
  for (let at = end + 4; end > 0 && status === '101' && at + 2 <= received.length; ) {
    const length = received[at + 1]!;
    assert(length < 126, 'a long frame');
    const payload = received.subarray(at + 2, at + 2 + length);
    if (received[at] === 0x88) words.push(`${payload.readUInt16BE(0)} ${payload.subarray(2).toString()}`);
    at += 2 + length;
  }
  return words.join(' ');
}

/** Writes bytes to a port; resolves with all that came back, once the other side has ended. */
export function exchangeRaw(port: number, pieces: readonly (string | Buffer)[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const received: Buffer[] = [];
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the connection stays open after ${told(Buffer.concat(received))}`));
    }, 10_000);
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(received));
    });
    for (const piece of pieces) socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
  });
}
