// An application that knows nothing of Claviger: it sends the requests that it is told, at a steady rate, each in its turn a read or a numbered
// write, never twice. A process of its own. What it sends, and whether the answers are as they should be, others say.
// usage: caller.ts, with `{ rate, writeEvery, lines: [{ read, write }] }` as one line on standard input; it ends when its input does, or on SIGTERM.
// Prints lines of JSON: `{ seen: [[line, number or null, startedAt, milliseconds, status, what failed]], done }`; status 0: no answer.
import { createInterface } from 'node:readline';
import { Agent, request } from 'undici';
import type { Ask, Asks } from './stand.ts';

interface Orders {
  /** Requests a second, over all lines. */
  readonly rate: number;
  /** Every so many requests of a line is a write. */
  readonly writeEvery: number;
  readonly lines: readonly Asks[];
}

export type Seen = readonly [
  line: number,
  number: string | null,
  startedAt: number,
  ms: number,
  status: number,
  failure: string,
];

const PENDING_MAX = 2_000;
const ANSWER_MS = 60_000;
const dispatcher = new Agent({ headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS, connections: 256 });
let seen: Seen[] = [];
const pending = new Set<Promise<void>>();

async function send(line: number, ask: Ask, number: string | null): Promise<void> {
  const startedAt = Date.now();
  const at = performance.now();
  let status = 0;
  let failure = '';
  try {
    const body = number === null ? ask.body : (ask.body?.replace('{n}', number) ?? null);
    const answer = await request(ask.url, { method: ask.method, headers: ask.headers, body, dispatcher });
    const text = await answer.body.text();
    status = answer.statusCode;
    if (status >= 400) failure = text.slice(0, 200);
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  seen.push([line, number, startedAt, Math.round(performance.now() - at), status, failure]);
}

function tell(done: boolean): void {
  process.stdout.write(`${JSON.stringify({ seen, done })}\n`);
  seen = [];
}

function begin({ rate, writeEvery, lines }: Orders): () => void {
  const started = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - started) / 1000) * rate);
    while (sent < due && pending.size < PENDING_MAX) {
      const line = sent % lines.length;
      const turn = Math.floor(sent / lines.length);
      const { read, write } = lines[line]!;
      const isWrite = write !== null && turn % writeEvery === 0;
      const number = isWrite ? `number-${line}-${turn}` : null;
      const one: Promise<void> = send(line, isWrite ? write : read, number).finally(() => pending.delete(one));
      pending.add(one);
      sent++;
    }
  }, 5);
  const teller = setInterval(() => tell(false), 250);
  return () => {
    clearInterval(timer);
    clearInterval(teller);
  };
}

const input = createInterface({ input: process.stdin });
let end = () => {};
input.once('line', (text) => {
  end = begin(JSON.parse(text) as Orders);
});
// Whoever started it is gone.
input.once('close', () => process.exit(1));
process.on('SIGTERM', () => {
  end();
  void Promise.all(pending).then(() => {
    tell(true);
    process.exit(0);
  });
});
