// What belongs to a caller's connection and to no single request on it: one request at a time, answers in order, nothing more once
// its bytes are not understood, and an end that does not wait for the other side. Follows RFC 9112 sections 9.3 and 9.6.
// Not here: what a request means (listener.io.ts), parsing (node:http).
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { problemAnswer } from './problem.ts';

/** Requests that may wait on a connection for the one before them; a caller that sends more loses the connection. */
const WAITING_MAX = 128;

interface Turn {
  /** The answer to what was asked last. */
  last: ServerResponse;
  waiting: number;
  /** Nothing that comes on this connection is understood any more. */
  spoilt: boolean;
}

export interface Connections {
  /**
   * Has a request served when the one before it on its connection has been answered: more at a time are allowed only where all of
   * them are safe. One that waits is refused when what came behind it was malformed, because nobody can say then where a request begins.
   */
  take(request: IncomingMessage, response: ServerResponse, serve: () => void): void;
  /** Runs when everything that was asked before is answered; never, where the connection ends with that. */
  afterAnswers(socket: Socket, run: () => void): void;
  /** The bytes of a connection are malformed: ends it, with an answer where that can still be told from the other answers. */
  spoil(socket: Socket, status: number, reason: string): void;
  /** Whether the request was cut short by malformed bytes. */
  isCutShort(request: IncomingMessage, socket: Socket): boolean;
}

export function createConnections(): Connections {
  const turns = new WeakMap<Socket, Turn>();

  function afterAnswers(socket: Socket, run: () => void): void {
    const runIfOpen = () => {
      if (socket.writable) run();
    };
    const last = turns.get(socket)?.last;
    if (last === undefined || last.closed) runIfOpen();
    else last.once('close', runIfOpen);
  }

  function wait(turn: Turn, before: ServerResponse, socket: Socket, serve: (spoilt: boolean) => void): void {
    turn.waiting++;
    if (turn.waiting > WAITING_MAX) {
      socket.destroy();
      return;
    }
    before.once('close', () => {
      turn.waiting--;
      if (socket.writable) serve(turn.spoilt);
    });
  }

  return {
    take(request, response, serve) {
      const turn = turns.get(request.socket);
      if (turn === undefined) {
        turns.set(request.socket, { last: response, waiting: 0, spoilt: false });
        serve();
        return;
      }
      const before = turn.last;
      turn.last = response;
      if (before.closed) serve();
      else wait(turn, before, request.socket, (spoilt) => (spoilt ? endWith(response, 400, 'bad-request') : serve()));
    },
    afterAnswers,
    spoil(socket, status, reason) {
      const turn = turns.get(socket);
      if (turn === undefined) {
        endRaw(socket, status, reason);
        return;
      }
      if (turn.spoilt) return;
      turn.spoilt = true;
      const { last } = turn;
      if (last.closed || last.req.complete) afterAnswers(socket, () => endRaw(socket, status, reason));
      else if (last.writableEnded) afterAnswers(socket, () => socket.destroySoon());
      // The content of the last request is malformed, and its answer has begun or an earlier one is due: nothing can be said.
      else if (last.headersSent || last.socket === null) socket.destroy();
      else endRaw(socket, status, reason);
    },
    isCutShort(request, socket) {
      return !request.complete && (turns.get(socket)?.spoilt ?? false);
    },
  };
}

/** Answers with a problem and closes the connection after it. */
export function endWith(response: ServerResponse, status: number, reason: string): void {
  const { headers, body } = problemAnswer(status, reason, 0, '0');
  response.writeHead(status, ['connection', 'close', ...headers]);
  response.end(body);
}

/** Answers on a connection that has no request to answer, and closes it, whether or not the other side does. */
export function endRaw(socket: Socket, status: number, reason: string): void {
  const { headers, body } = problemAnswer(status, reason, 0, '0');
  let text = `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ''}\r\nconnection: close\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  socket.on('error', () => socket.destroy());
  socket.write(`${text}\r\n${body}`);
  socket.destroySoon();
}
