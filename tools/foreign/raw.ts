// Raw bytes on both sides of a broker: a caller that writes exactly what it is told, and an upstream that records exactly what
// arrives. No HTTP library is between a test and the wire. Not here: judging what was seen.
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

const ENDS_WITHIN_MS = 10_000;

export interface RawCaller {
  write(bytes: string): void;
  /** Resolves when this has come back. */
  heard(part: string): Promise<void>;
  /** Everything that came back, as latin1, once the other side has closed. Rejects where it does not. */
  readonly closed: Promise<string>;
  destroy(): void;
}

export function openRaw(port: number): RawCaller {
  const socket = connect(port, '127.0.0.1');
  let received = '';
  let watchers: { part: string; resolve: () => void }[] = [];
  const closed = new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`the connection stays open after ${JSON.stringify(received.slice(0, 200))}`));
    }, ENDS_WITHIN_MS);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      for (const watcher of watchers) if (received.includes(watcher.part)) watcher.resolve();
      watchers = watchers.filter((watcher) => !received.includes(watcher.part));
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(received);
    });
  });
  return {
    write: (bytes) => void socket.write(bytes, 'latin1'),
    heard: (part) =>
      new Promise((resolve) => {
        if (received.includes(part)) resolve();
        else watchers.push({ part, resolve });
      }),
    closed,
    destroy: () => socket.destroy(),
  };
}

/** Writes in one piece, and resolves with what came back when the other side has closed. */
export function talk(port: number, bytes: string): Promise<string> {
  const caller = openRaw(port);
  caller.write(bytes);
  return caller.closed;
}

/** The status of each answer in a stream of answers. */
export function statusesOf(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 ([0-9]{3}) [^\r\n]*\r\n/g)].map((match) => Number(match[1]));
}

export interface RawUpstream {
  readonly port: number;
  /** What each connection brought so far, as latin1, in the order in which they were opened. */
  readonly received: string[];
  /** Resolves with the text of the connection on which this part has arrived. */
  seen(part: string): Promise<string>;
  close(): Promise<void>;
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/**
 * An upstream on loopback. `answer` is called with all that a connection has brought, whenever more arrives; what it returns is
 * written back, null is silence.
 */
export async function startUpstream(
  answer: (received: string) => string | null | Promise<string | null>,
): Promise<RawUpstream> {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  let watchers: { part: string; resolve: (text: string) => void }[] = [];
  const server = createServer((socket) => {
    const index = received.push('') - 1;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      const text = received[index]! + chunk.toString('latin1');
      received[index] = text;
      for (const watcher of watchers) if (text.includes(watcher.part)) watcher.resolve(text);
      watchers = watchers.filter((watcher) => !text.includes(watcher.part));
      void Promise.resolve(answer(text)).then((reply) => {
        if (reply !== null && socket.writable) socket.write(reply, 'latin1');
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received,
    seen(part) {
      const there = received.find((text) => text.includes(part));
      if (there !== undefined) return Promise.resolve(there);
      return new Promise((resolve) => watchers.push({ part, resolve }));
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Whether a request without chunks has arrived whole. */
export function isWhole(received: string): boolean {
  const end = received.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = Number(/\r\ncontent-length: ([0-9]+)/i.exec(received.slice(0, end))?.[1] ?? 0);
  return received.length >= end + 4 + length;
}
