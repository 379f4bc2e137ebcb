// What was started, ended in the opposite order: when the work is done, when it fails, and when somebody presses Ctrl-C.

export interface Closing {
  add(close: () => Promise<void>): void;
  /** Ends everything, once. */
  close(): Promise<void>;
}

const INTERRUPTED = 130;

export function createClosing(): Closing {
  const closers: (() => Promise<void>)[] = [];
  const signals = ['SIGINT', 'SIGTERM'] as const;

  async function close(): Promise<void> {
    for (const signal of signals) process.off(signal, interrupt);
    for (const one of closers.splice(0).reverse()) await one();
  }

  function interrupt(): void {
    void close().finally(() => process.exit(INTERRUPTED));
  }

  for (const signal of signals) process.once(signal, interrupt);
  return { add: (one) => void closers.push(one), close };
}
