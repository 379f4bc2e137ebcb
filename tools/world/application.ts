// The application of a load, as a process of its own (caller.ts), and what it has seen so far. What it asks says each credential's stand.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Seen } from './caller.ts';
import type { Lent } from './furnish.ts';

/** One write in so many requests. */
const WRITE_EVERY = 3;

export interface Application {
  readonly seen: readonly Seen[];
  readonly hasEnded: boolean;
  /** Lets open requests end. Rejects where it had ended by itself. */
  stop(): Promise<void>;
}

/** Starts it; each credential is one line of what it sees. */
export function startApplication(lent: readonly Lent[], rate: number): Application {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'caller.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const seen: Seen[] = [];
  let isDone = false;
  let hasEnded = false;
  const exited = new Promise<void>((resolve) =>
    child.once('close', () => {
      hasEnded = true;
      resolve();
    }),
  );
  createInterface({ input: child.stdout }).on('line', (text) => {
    const told = JSON.parse(text) as { seen: Seen[]; done: boolean };
    seen.push(...told.seen);
    isDone ||= told.done;
  });
  const lines = lent.map(({ stand, door }) => stand.asks(door));
  child.stdin.write(`${JSON.stringify({ rate, writeEvery: WRITE_EVERY, lines })}\n`);
  return {
    seen,
    get hasEnded() {
      return hasEnded;
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
      if (!isDone) throw new Error('the application did not live through');
    },
  };
}
