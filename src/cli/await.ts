// Follows something that takes its time: asks the API until it has ended and shows each change once. Bounded by time; leaving off
// does not stop what runs on the server.
import { Failure } from '../model/failure.ts';
import type { Context } from './context.ts';
import { isUnreachable } from './exit.ts';

const POLL_MS = 500;
/** Polls that may fail in a row: a server that restarts is back within this time. */
const FAILURES_MAX = 60;

/**
 * Polls until `isOver`. Resolves with the last state, ended or not: `seconds` have passed. A server that cannot be reached for
 * half a minute ends it with that failure.
 */
export async function follow<T>(
  context: Context,
  options: {
    readonly read: () => Promise<T>;
    readonly isOver: (state: T) => boolean;
    readonly show: (state: T) => string;
    readonly seconds: number;
  },
): Promise<T> {
  const { read, isOver, show, seconds } = options;
  let shown = '';
  let failures = 0;
  let state = await read();
  for (let polls = 0; ; polls++) {
    const text = show(state);
    if (text !== shown) context.progress(text);
    shown = text;
    if (isOver(state) || polls * POLL_MS >= seconds * 1000) break;
    await context.machine.sleep(POLL_MS);
    try {
      state = await read();
      failures = 0;
    } catch (error) {
      const mayPass = Failure.is(error) && (isUnreachable(error) || error.code === 'unavailable');
      if (!mayPass || ++failures > FAILURES_MAX) throw error;
    }
  }
  context.progressDone();
  return state;
}
