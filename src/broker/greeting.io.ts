// The wait for the first message of a WebSocket that was opened so that its caller can say who it is: bounded in time and bytes, for nobody is
// known yet. Not here: what is in the message (first-message.ts, first-frame.ts), what becomes of it (upgrades.io.ts).
import type { Socket } from 'node:net';
import { readFirstMessage } from './first-message.ts';
import { CLOSE } from './frame.ts';

export type Greeted =
  | { readonly is: 'message'; readonly text: string; readonly rest: Buffer }
  | { readonly is: 'refused'; readonly code: number; readonly reason: string }
  /** It closed, or went away. */
  | { readonly is: 'gone' };

/** Reads up to the first message, and then nothing more until somebody listens. `done` is told once, unless the wait is called off by what is returned. */
export function awaitGreeting(
  socket: Socket,
  head: Buffer,
  limits: { readonly timeoutMs: number; readonly bytesMax: number },
  done: (greeted: Greeted) => void,
): () => void {
  const reader = readFirstMessage(limits.bytesMax);
  const timer = setTimeout(
    () => end({ is: 'refused', code: CLOSE.policy, reason: 'first-frame-late' }),
    limits.timeoutMs,
  );
  timer.unref();

  function stop(): void {
    clearTimeout(timer);
    socket.off('data', take).off('end', gone).off('close', gone);
    socket.pause();
  }
  function end(greeted: Greeted): void {
    stop();
    done(greeted);
  }
  function gone(): void {
    end({ is: 'gone' });
  }
  function take(chunk: Buffer): void {
    const read = reader.push(chunk);
    for (const reply of read.replies) socket.write(reply);
    if (read.is === 'closed') gone();
    else if (read.is !== 'more') end(read);
  }

  socket.on('data', take).on('end', gone).on('close', gone);
  if (head.length > 0) take(head);
  return stop;
}
