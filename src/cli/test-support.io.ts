// For tests alone: a machine whose streams are kept and whose prompts are answered from a list, a server that records what it is
// sent and answers from a table, and a call of the whole program with both.
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { newTokenText } from '../access/token.ts';
import { Secret } from '../model/secret.ts';
import { machineRandom } from '../vault/cipher.io.ts';
import { createProgram } from './commands/index.io.ts';
import type { Machine } from './context.ts';
import { createMachine } from './machine.io.ts';
import { runProgram } from './program.io.ts';

/** A well-formed token that no server knows. */
export const TOKEN = newTokenText(machineRandom);

export interface Said {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

export interface CallOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Answers to prompts, in order: then there is a terminal to ask at. */
  readonly answers?: readonly string[];
  /** Columns of the terminal that is written to; null: none. */
  readonly columns?: number | null;
  readonly now?: number;
  /** Waits as long as the program says: for what really takes its time. */
  readonly isPatient?: boolean;
}

/** One for all calls: it listens to the streams of this process. */
const realMachine = createMachine();

export const NOW = Date.parse('2026-09-21T14:13:20Z');

/** The machine of the tests: the real one, but for its streams, its clock and its patience. */
export function testMachine(options: CallOptions): { machine: Machine; said: { out: string; err: string } } {
  const said = { out: '', err: '' };
  const answers = [...(options.answers ?? [])];
  const columns = options.columns ?? null;
  const stream = (name: 'out' | 'err') => ({
    isTty: columns !== null,
    columns,
    write: (text: string) => {
      said[name] += text;
    },
  });
  const next = (question: string) => {
    said.err += question;
    const answer = answers.shift();
    if (answer === undefined) throw new Error(`nobody answers: ${question}`);
    return answer;
  };
  const machine: Machine = {
    ...realMachine,
    env: options.env ?? {},
    stdin: {
      isTty: options.answers !== undefined,
      read: (bytesMax) => Promise.resolve(Buffer.from(options.stdin ?? '').subarray(0, bytesMax)),
    },
    stdout: stream('out'),
    stderr: stream('err'),
    now: () => options.now ?? NOW,
    sleep: options.isPatient === true ? realMachine.sleep : () => new Promise((resolve) => setImmediate(resolve)),
    ask: (question) => Promise.resolve(next(question)),
    askHidden: (question) => Promise.resolve(new Secret(next(question))),
  };
  return { machine, said };
}

/** Runs the program with these arguments. */
export async function call(args: readonly string[], options: CallOptions = {}): Promise<Said> {
  const { machine, said } = testMachine(options);
  const exit = await runProgram(createProgram(), args, machine);
  return { exit, ...said };
}

export interface Recorded {
  readonly method: string;
  /** Path with its query. */
  readonly target: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: unknown;
}

export type Answer = {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly json?: unknown;
  readonly text?: string;
};
/** By method and path, without the query: `GET /v1/status`. A function may look at the request. */
export type Answers = Record<string, Answer | ((request: Recorded) => Answer)>;

export interface RecordingServer {
  readonly origin: string;
  readonly requests: Recorded[];
  /** Environment of a call that speaks to this server. */
  readonly env: Readonly<Record<string, string>>;
}

/** A server on loopback that ends with the test. What no answer is given for is a 404. */
export async function recordingServer(t: TestContext, answers: Answers): Promise<RecordingServer> {
  const requests: Recorded[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const { method = '', url = '', headers } = request;
      const recorded = { method, target: url, headers, body: text === '' ? undefined : JSON.parse(text) };
      requests.push(recorded);
      const given = answers[`${method} ${url.split('?')[0]}`];
      const answer = typeof given === 'function' ? given(recorded) : given;
      const {
        status = 200,
        headers: more = {},
        json,
        text: plain,
      } = answer ?? problem(404, 'not-found', 'there is no such thing');
      const type = status >= 400 ? 'application/problem+json' : 'application/json';
      response.writeHead(status, { 'content-type': plain === undefined ? type : 'text/plain', ...more });
      response.end(plain ?? JSON.stringify(json ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { origin, requests, env: { CLAVIGER_API: origin, CLAVIGER_TOKEN: TOKEN } };
}

/** A problem as the control API writes it. */
export function problem(status: number, code: string, detail: string, more: Record<string, unknown> = {}): Answer {
  return { status, json: { type: `urn:claviger:problem:${code}`, title: code, status, code, detail, ...more } };
}

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'claviger-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
