// A server process under torture, from its start to its end.
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';

export interface Origins {
  readonly broker: string;
  readonly api: string;
}

export interface Child {
  /** Resolves when it serves; null where it ended before. */
  readonly ready: Promise<Origins | null>;
  readonly exited: Promise<void>;
  /** How it ended: an exit code, or the signal. */
  ending(): string | null;
  kill(): void;
  /** Asks it to stop, and kills it where that takes too long. Returns how it ended. */
  stop(): Promise<string>;
  /** The last lines that it wrote to stderr. */
  lastWords(): string;
}

const STOP_MAX_MS = 20_000;
const WORDS_MAX = 8_192;
const server = path.join(import.meta.dirname, 'server.ts');

export function startServer(directory: string, seed: number, options: readonly string[] = []): Child {
  const child: ChildProcess = spawn(process.execPath, [server, directory, String(seed), ...options], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let words = '';
  let ending: string | null = null;
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-WORDS_MAX);
  });
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      ending = signal ?? String(code);
      resolve();
    });
  });
  const ready = new Promise<Origins | null>((resolve) => {
    child.once('message', (message: { ready: Origins }) => resolve(message.ready));
    void exited.then(() => resolve(null));
  });
  return {
    ready,
    exited,
    ending: () => ending,
    kill: () => void child.kill('SIGKILL'),
    async stop() {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MAX_MS);
      await exited;
      clearTimeout(timer);
      return ending ?? 'unknown';
    },
    lastWords: () => words,
  };
}
