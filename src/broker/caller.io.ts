// Who asks for a WebSocket, until it is open: spoken to in HTTP, or in frames where it got its 101 before anybody knew it, so that it could say
// who it is. Not here: what it is told (upgrades.io.ts, upgrade.io.ts).
import { createHash } from 'node:crypto';
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CLOSE, closeCodeOf, closeFrame } from './frame.ts';
import { acceptFor, type Handshake, switching } from './handshake.ts';
import { answer } from './reply.io.ts';

/** How long a caller that was told Close may take to end. */
const CLOSING_MS = 1_000;

/** One of the first three is said, once; what follows `accept` is the tunnel's. */
export interface Caller {
  refuse(
    refusal: { readonly status: number; readonly reason: string; readonly retryAfterMs: number },
    id: string,
  ): void;
  /** Passes on the provider's answer, which is no upgrade. */
  decline(status: number, headers: readonly string[], body: Buffer): void;
  /** `chosen`: the place of the subprotocol in what the caller offered; null: none. */
  accept(chosen: number | null): void;
  readonly socket: Socket;
  /** What it has sent behind its handshake, or behind its first message. */
  readonly rest: Buffer;
}

export function acceptHash(text: string): string {
  return createHash('sha1').update(text).digest('base64');
}

/** Our answer to a handshake, with one of its subprotocols or none. */
export function sayOpen(socket: Socket, handshake: Handshake, protocol: string | null): void {
  socket.write(switching(acceptFor(handshake.key, acceptHash), protocol));
}

/** A caller that waits for the answer to its handshake. */
export function callerOnHttp(
  asked: { readonly request: IncomingMessage; readonly socket: Socket; readonly handshake: Handshake },
  rest: Buffer,
): Caller {
  const { request, socket, handshake } = asked;

  /** An answer of `node:http` on a connection that it has given away; the last one there. */
  function lastResponse(): ServerResponse {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => {
      response.detachSocket(socket);
      socket.destroySoon();
    });
    return response;
  }

  return {
    refuse(refusal, id) {
      if (!socket.destroyed) answer(lastResponse(), refusal, id);
    },
    decline(status, headers, body) {
      if (socket.destroyed) return;
      const lines: string[] = [];
      for (let i = 0; i < headers.length; i += 2) {
        if (headers[i] !== 'content-length') lines.push(headers[i]!, headers[i + 1]!);
      }
      const response = lastResponse();
      response.writeHead(status, [...lines, 'content-length', String(body.length)]);
      response.end(body);
    },
    accept(chosen) {
      sayOpen(socket, handshake, chosen === null ? null : (handshake.protocols[chosen] ?? null));
    },
    socket,
    rest,
  };
}

/** A caller that has its 101 already. `code`: what it is refused with, whatever the reason; null: what fits the status. */
export function callerInFrames(socket: Socket, rest: Buffer, code: number | null): Caller {
  return {
    refuse: ({ status, reason }) => endWithClose(socket, closeFrame(code ?? closeCodeOf(status), reason, null)),
    decline: (status) => endWithClose(socket, closeFrame(CLOSE.badGateway, `upstream-${status}`, null)),
    accept() {},
    socket,
    rest,
  };
}

/** Says a last word to a caller and ends its connection, whether or not it does the same. Nothing that it sends is looked at any more. */
export function endWithClose(socket: Socket, last: Buffer | null): void {
  if (socket.destroyed) return;
  if (last === null) socket.end();
  else socket.end(last);
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), CLOSING_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}
