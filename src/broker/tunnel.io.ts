// An open WebSocket between a caller and a provider: frames both ways with back-pressure, each direction followed so that it can be ended with
// a Close between two frames, and the provider's side scrubbed. Not here: who may open one (upgrades.io.ts), what is recorded (upgrade.io.ts).
import type { Socket } from 'node:net';
import { CLOSE, closeFrame } from './frame.ts';
import { createRelay, type Relay } from './frame-relay.ts';

/** How long a side may take to end after we have said Close, or when the other one is gone; then it is cut. */
const CLOSING_MS = 1_000;
/** The same where the other side has only said that nothing more comes. */
const ENDING_MS = 5_000;

export interface TunnelOptions {
  readonly caller: Socket;
  readonly provider: Socket;
  /** Bytes that must not reach the caller. */
  readonly scrub: readonly Uint8Array[];
  /** What the provider gets before anything of the caller's. */
  readonly greeting: Buffer | null;
  /** Bytes that the caller has sent already. */
  readonly rest: Buffer;
  /** Four random bytes. */
  readonly mask: () => Uint8Array;
  /** Told once, when neither side is open any more. `isWhole`: a Close was said before. */
  readonly ended: (isWhole: boolean) => void;
}

export interface Tunnel {
  /** Says Close to both sides, as soon as the frames under way have ended, and ends. Doing it again does nothing. */
  close(code: number, reason: string): void;
  /** Ends it at once: nothing more passes either way. The caller is told why, where that can be told at once too. `ended` is called now. */
  cut(code: number, reason: string): void;
  /** Bytes passed on so far. */
  readonly bytesUp: number;
  readonly bytesDown: number;
}

interface Side {
  readonly from: Socket;
  readonly to: Socket;
  readonly relay: Relay;
  readonly isUp: boolean;
  bytes: number;
  /** What is said at the end of the frame under way; null: nothing, so far. */
  last: Buffer | null;
  /** Nothing is written to `to` any more. */
  isOver: boolean;
}

export function openTunnel(options: TunnelOptions): Tunnel {
  const { caller, provider, mask } = options;
  const up = sideOf({ from: caller, to: provider, isUp: true }, []);
  const down = sideOf({ from: provider, to: caller, isUp: false }, options.scrub);
  let isClosing = false;
  let isBroken = false;
  let isEnded = false;
  let open = 2;
  let deadline: NodeJS.Timeout | null = null;

  function endWithin(ms: number): void {
    if (deadline !== null) clearTimeout(deadline);
    deadline = setTimeout(() => {
      caller.destroy();
      provider.destroy();
    }, ms);
    deadline.unref();
  }

  function ended(isWhole: boolean): void {
    if (isEnded) return;
    isEnded = true;
    options.ended(isWhole);
  }

  function write(side: Side, pieces: readonly Buffer[]): void {
    if (side.isOver || side.to.destroyed || side.to.writableEnded) return;
    let isFull = false;
    for (const piece of pieces) {
      side.bytes += piece.length;
      isFull = !side.to.write(piece);
    }
    if (!isFull) return;
    side.from.pause();
    side.to.once('drain', () => side.from.resume());
  }

  /** Says the last word of a side where its frame has ended; then that side is half closed. */
  function finish(side: Side): void {
    if (side.last === null || side.isOver || !side.relay.isBetweenFrames) return;
    if (!side.to.destroyed && !side.to.writableEnded) side.to.end(side.last);
    side.isOver = true;
  }

  function take(side: Side, chunk: Buffer): void {
    if (isEnded || side.isOver) return;
    write(side, side.relay.push(chunk));
    if (side.relay.isFaulty) {
      // Nobody knows where its next frame begins: nothing of it can be passed on.
      if (side.isUp) fail(CLOSE.protocol, 'malformed-frame');
      else fail(CLOSE.badGateway, 'upstream-invalid');
    } else finish(side);
  }

  function say(side: Side, code: number, reason: string): void {
    side.last ??= closeFrame(code, reason, side.isUp ? mask() : null);
    write(side, side.relay.stop());
    finish(side);
  }

  function close(code: number, reason: string): void {
    if (isClosing || isEnded) return;
    isClosing = true;
    say(down, code, reason);
    say(up, code, reason);
    endWithin(CLOSING_MS);
  }

  function fail(code: number, reason: string): void {
    if (isBroken) return;
    isBroken = true;
    provider.destroy();
    say(down, code, reason);
    if (!down.isOver) caller.destroy();
    endWithin(CLOSING_MS);
  }

  function begin(side: Side): void {
    const { from, to } = side;
    function over(): void {
      if (!to.destroyed && !to.writableEnded) to.end();
      side.isOver = true;
      if (!isClosing && !isBroken && !isEnded) endWithin(ENDING_MS);
    }
    function closed(): void {
      over();
      open--;
      if (open > 0) {
        endWithin(CLOSING_MS);
        return;
      }
      if (deadline !== null) clearTimeout(deadline);
      ended(!isBroken && (isClosing || up.relay.hasClosed || down.relay.hasClosed));
    }
    from.on('error', () => from.destroy());
    from.on('data', (chunk: Buffer) => take(side, chunk));
    from.on('end', over);
    // A socket that nobody reads says all the same that it has ended: who did while the other side was still being asked does not say it again.
    if (from.readableEnded) process.nextTick(over);
    if (from.closed) process.nextTick(closed);
    else from.once('close', closed);
  }

  begin(up);
  begin(down);
  provider.resume();
  caller.resume();
  if (options.greeting !== null) write(up, [options.greeting]);
  if (options.rest.length > 0) take(up, options.rest);

  return {
    close,
    cut(code, reason) {
      if (isEnded) return;
      provider.destroy();
      // A caller that has not taken what was sent before would have to take that first.
      const isFree = caller.writableLength === 0;
      if (isFree) say(down, code, reason);
      if (!isFree || !down.isOver) caller.destroy();
      endWithin(CLOSING_MS);
      ended(false);
    },
    get bytesUp() {
      return up.bytes;
    },
    get bytesDown() {
      return down.bytes;
    },
  };
}

function sideOf(ends: Pick<Side, 'from' | 'to' | 'isUp'>, scrub: readonly Uint8Array[]): Side {
  return { ...ends, relay: createRelay(ends.isUp, scrub), bytes: 0, last: null, isOver: false };
}
