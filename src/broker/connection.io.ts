// What belongs to a caller's connection and to no single request on it: one request at a time, answers in order, nothing more once
// its bytes are not understood, an end that does not wait for the other side, and how many of them and how long they may keep us
// waiting. Follows RFC 9112 sections 9.3 and 9.6.
// Not here: what a request means (listener.io.ts), what is answered (reply.io.ts), parsing (node:http).
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { sourceKey } from '../model/address.ts';
import { createNewcomers } from './newcomers.ts';
import { endRaw, endWith } from './reply.io.ts';

/** Requests that may wait on a connection for the one before them; a caller that sends more loses the connection. */
const WAITING_MAX = 128;

/** Looks at a connection between which its caller may take nothing of what waits for it: `look` runs this often in the silence allowed. */
export const LOOKS = 4;

/** Looks after which a caller that has ended its side gets no answer any more that has not begun. */
const HALF_LOOKS = 2;

/** What is known of a connection that has had a request. */
export interface Turn {
  readonly socket: Socket;
  /** The answer to what was asked last; null once the connection speaks another protocol. */
  last: ServerResponse | null;
  waiting: number;
  /** Nothing that comes on this connection is understood any more. */
  spoilt: boolean;
  /** Whether a request was admitted: such a connection is no newcomer. */
  isAdmitted: boolean;
  /** Bytes that had been taken at the last look at which some still waited; -1: none has waited yet. */
  taken: number;
  /** Looks in a row since at which nothing more was taken. */
  silentLooks: number;
  /** Looks at which its caller had ended its side and nothing was answered yet. */
  halfLooks: number;
  /** Position in the list of those that are open. */
  at: number;
}

export interface ConnectionsOptions {
  /** Connections that one source may have open on which no request was admitted yet. */
  readonly newcomersMax: number;
  /** Whether an address is a trusted proxy's. Its connections carry everybody's requests: it is no source, and counts its own. */
  readonly isProxy: (remote: string) => boolean;
  /** Counts somebody unknown who was refused. */
  readonly stranger: (reason: string, source: string) => void;
}

export interface Connections {
  /** Takes note of a connection that was made; closes it at once where its source has too many newcomers. */
  arrive(socket: Socket): void;
  /**
   * Has a request served when the one before it on its connection has been answered: more at a time are allowed only where all of
   * them are safe. One that waits is refused when what came behind it was malformed, because nobody can say then where a request begins.
   */
  take(request: IncomingMessage, response: ServerResponse, serve: (turn: Turn) => void): void;
  /** Whether everything that was asked on a connection is answered, and what came was understood. */
  isFree(socket: Socket): boolean;
  /** A connection speaks another protocol from now on: nothing is asked there any more, and it is looked at like the others. */
  takeOver(socket: Socket): Turn;
  /** A request of this connection was admitted. Once for each connection. */
  admit(turn: Turn): void;
  /** Runs when everything that was asked before is answered; never, where the connection ends with that. */
  afterAnswers(socket: Socket, run: () => void): void;
  /** The bytes of a connection are malformed: ends it, with an answer where that can still be told from the other answers. */
  spoil(socket: Socket, status: number, reason: string): void;
  /** Whether the request was cut short by malformed bytes. */
  isCutShort(request: IncomingMessage, socket: Socket): boolean;
  /** Cuts every connection whose caller has taken nothing of its answer at the last LOOKS looks. To be called at regular times. */
  look(): void;
}

export function createConnections(options: ConnectionsOptions): Connections {
  const turns = new WeakMap<Socket, Turn>();
  // Those of `turns` that are open. A list for the reason that credentials/live.ts gives.
  const open: Turn[] = [];
  const newcomers = createNewcomers(options.newcomersMax);

  function begin(socket: Socket, last: ServerResponse | null): Turn {
    const isAdmitted = false;
    const turn: Turn = {
      socket,
      last,
      waiting: 0,
      spoilt: false,
      isAdmitted,
      taken: -1,
      silentLooks: 0,
      halfLooks: 0,
      at: open.length,
    };
    turns.set(socket, turn);
    open.push(turn);
    socket.once('close', () => {
      const other = open.pop()!;
      if (other === turn) return;
      open[turn.at] = other;
      other.at = turn.at;
    });
    return turn;
  }

  function afterAnswers(socket: Socket, run: () => void): void {
    const runIfOpen = () => {
      if (socket.writable) run();
    };
    const last = turns.get(socket)?.last ?? null;
    if (last === null || last.closed) runIfOpen();
    else last.once('close', runIfOpen);
  }

  function wait(turn: Turn, before: ServerResponse, serve: () => void): void {
    turn.waiting++;
    if (turn.waiting > WAITING_MAX) {
      turn.socket.destroy();
      return;
    }
    before.once('close', () => {
      turn.waiting--;
      if (turn.socket.writable) serve();
    });
  }

  return {
    arrive(socket) {
      const remote = socket.remoteAddress ?? '';
      if (options.isProxy(remote)) return;
      const source = newcomers.arrive(sourceKey(remote));
      if (source === null) {
        options.stranger('connections', remote);
        socket.destroy();
        return;
      }
      socket.once('close', () => newcomers.leave(source));
    },
    take(request, response, serve) {
      const turn = turns.get(request.socket);
      if (turn === undefined) {
        serve(begin(request.socket, response));
        return;
      }
      const before = turn.last;
      turn.last = response;
      if (before === null || before.closed) serve(turn);
      else wait(turn, before, () => (turn.spoilt ? endWith(response, 400, 'bad-request') : serve(turn)));
    },
    isFree(socket) {
      const turn = turns.get(socket);
      return turn === undefined || (!turn.spoilt && turn.waiting === 0 && turn.last?.closed === true);
    },
    takeOver(socket) {
      const turn = turns.get(socket) ?? begin(socket, null);
      turn.last = null;
      return turn;
    },
    admit(turn) {
      turn.isAdmitted = true;
      const { socket } = turn;
      const remote = socket.remoteAddress ?? '';
      if (socket.destroyed || options.isProxy(remote)) return;
      const source = newcomers.admit(sourceKey(remote));
      if (source !== null) socket.once('close', () => newcomers.dismiss(source));
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
      if (last === null) socket.destroy();
      else if (last.closed || last.req.complete) afterAnswers(socket, () => endRaw(socket, status, reason));
      else if (last.writableEnded) afterAnswers(socket, () => socket.destroySoon());
      // The content of the last request is malformed, and its answer has begun or an earlier one is due: nothing can be said.
      else if (last.headersSent || last.socket === null) socket.destroy();
      else endRaw(socket, status, reason, last.req.method === 'HEAD');
    },
    isCutShort(request, socket) {
      return !request.complete && (turns.get(socket)?.spoilt ?? false);
    },
    look() {
      for (const turn of open) {
        const { socket } = turn;
        // Who sends no more may still listen, or may be gone: nobody can tell. Such a request is answered soon, or not at all, so that it
        // does not stay in flight for as long as a provider may take.
        const isOwed = turn.last !== null && !turn.last.headersSent;
        if (socket.readableEnded && isOwed && ++turn.halfLooks >= HALF_LOOKS) {
          socket.destroy();
          continue;
        }
        if (socket.writableLength === 0) {
          turn.silentLooks = 0;
          continue;
        }
        // It grows with each piece that the system has taken whole. That is seen in steps: of 64 KiB or two, and where the system's own
        // buffers are full, of what it frees at once (2 MiB measured on loopback). A caller so slow that a step takes longer than all
        // the looks together is cut as well: who takes a byte now and then could stay for ever.
        const taken = socket.bytesWritten - socket.writableLength;
        if (taken === turn.taken) turn.silentLooks++;
        else turn.silentLooks = 0;
        turn.taken = taken;
        if (turn.silentLooks >= LOOKS) socket.destroy();
      }
    },
  };
}

/** Whether the caller wants the connection for another protocol: not a mere offer, such as those of h2c and TLS, which clients make unasked. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  if (headers.upgrade === undefined) return false;
  const isNamed = /(?:^|,)\s*upgrade\s*(?:,|$)/i.test(headers.connection ?? '');
  return isNamed && headers.upgrade.trim().toLowerCase() === 'websocket';
}
