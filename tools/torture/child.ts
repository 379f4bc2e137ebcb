// The processes under torture, from their start to their end: a server, and a restore.
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import type { RestoreMoment } from './moments.ts';

export interface Origins {
  readonly broker: string;
  readonly api: string;
}

export interface Child {
  readonly exited: Promise<void>;
  /** How it ended: an exit code, or the signal. */
  ending(): string | null;
  kill(): void;
  /** The last lines that it wrote to stderr. */
  lastWords(): string;
}

export interface ServerChild extends Child {
  /** Resolves when it serves; null where it ended before. */
  readonly ready: Promise<Origins | null>;
  /** Asks it to stop, and kills it where that takes too long. Returns how it ended. */
  stop(): Promise<string>;
}

export interface RestoreChild extends Child {
  /** Resolves at that moment, or when it has ended. */
  reached(moment: RestoreMoment): Promise<void>;
}

const STOP_MAX_MS = 20_000;
const WORDS_MAX = 8_192;

function start(program: string, given: readonly string[]): { process: ChildProcess; child: Child } {
  const started = spawn(process.execPath, [path.join(import.meta.dirname, program), ...given], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let words = '';
  let ending: string | null = null;
  started.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-WORDS_MAX);
  });
  const exited = new Promise<void>((resolve) => {
    started.once('exit', (code, signal) => {
      ending = signal ?? String(code);
      resolve();
    });
  });
  const child: Child = {
    exited,
    ending: () => ending,
    kill: () => void started.kill('SIGKILL'),
    lastWords: () => words,
  };
  return { process: started, child };
}

export function startServer(directory: string, seed: number, options: readonly string[] = []): ServerChild {
  const { process: started, child } = start('server.ts', [directory, String(seed), ...options]);
  const ready = new Promise<Origins | null>((resolve) => {
    started.once('message', (message: { ready: Origins }) => resolve(message.ready));
    void child.exited.then(() => resolve(null));
  });
  return {
    ...child,
    ready,
    async stop() {
      started.kill('SIGTERM');
      const timer = setTimeout(child.kill, STOP_MAX_MS);
      await child.exited;
      clearTimeout(timer);
      return child.ending() ?? 'unknown';
    },
  };
}

export function startRestore(directory: string, backup: string): RestoreChild {
  const { process: started, child } = start('restore.ts', [directory, backup]);
  return {
    ...child,
    reached: ({ step, ms }) =>
      new Promise((resolve) => {
        started.on('message', (message: { step: string }) => {
          if (message.step === step) setTimeout(resolve, ms);
        });
        void child.exited.then(resolve);
      }),
  };
}
