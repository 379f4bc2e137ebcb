// Runs the operator's programs for a credential. Without a shell, in `/`, with four variables of the environment; what is secret goes through
// standard input alone. Bounded in time and in what is read; nothing that a program answers is logged.
// Not here: what its end means and what of its words may be shown (program.ts), when it is run (rotation/).
import { type ChildProcess, spawn } from 'node:child_process';
import type { CredentialRow } from '../credentials/credential.ts';
import { NO_PROGRAMS, type Programs } from '../credentials/programs.ts';
import type { JsonObject } from '../model/json.ts';
import type { Evidence, Kind, Parts } from '../providers/provider.ts';
import {
  credentialNameOf,
  type Ending,
  inputOf,
  keysIn,
  type Order,
  type ProgramSettings,
  readIssued,
  saidBy,
  signatureOf,
  verdictOf,
  type Words,
} from './program.ts';

export interface ProgramsOptions {
  readonly programs: readonly ProgramSettings[];
  /** Throws where this program knows no such kind. */
  readonly kindOf: (credential: CredentialRow) => { readonly kind: Kind };
  /** Of which a program is given PATH, HOME, LANG and TZ. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly report: (message: string, fields: JsonObject) => void;
}

const VARIABLES = ['PATH', 'HOME', 'LANG', 'TZ'] as const;
const ANSWER_BYTES_MAX = 65_536;
const WORDS_BYTES_MAX = 8_192;
/** Between the request to end and the end without a request. */
const KILL_AFTER_MS = 2_000;
/** How long the output of a program that has ended is waited for: what it left running may hold it open. */
const CLOSING_MS = 1_000;

/**
 * The programs of each credential. None of the returned functions throws: what cannot be told is `ambiguous`. A process that is killed
 * leaves its program running; the next one does not know of it, and asks the provider what is in force.
 */
export function createPrograms(options: ProgramsOptions): (credential: CredentialRow) => Programs {
  const byCredential = new Map(options.programs.map((one) => [one.credential, one]));
  const environment = Object.fromEntries(
    VARIABLES.flatMap((name) => (options.environment[name] === undefined ? [] : [[name, options.environment[name]]])),
  ) as Readonly<Record<string, string>>;

  return function programsFor(credential) {
    const name = credentialNameOf(credential);
    const settings = byCredential.get(name);
    if (settings === undefined) return NO_PROGRAMS;
    const { replace, issue, revoke, timeoutMs } = settings;

    async function run(command: readonly string[], order: Order): Promise<Ended> {
      const isAnswering = order.do === 'issue';
      const input = inputOf(name, order);
      try {
        return await runProgram(command, { input, isAnswering, timeoutMs, environment });
      } finally {
        input.fill(0);
      }
    }

    /** Says what went wrong. The words of a program that may have made a key are not shown: nobody knows which of them is the key. */
    function complain(order: Order, ended: Ended, signature: string): void {
      const outcome = verdictOf(ended.ending);
      const isOpen = order.do === 'issue' && outcome !== 'not-done';
      const said = isOpen ? '' : saidBy(ended.words, keysIn(order));
      options.report('program.failed', { credential: name, do: order.do, outcome, ended: signature, said });
    }

    async function ask(command: readonly string[], order: Order): Promise<Ended> {
      const ended = await run(command, order);
      if (verdictOf(ended.ending) !== 'done') complain(order, ended, signatureOf(ended.ending));
      return ended;
    }

    return {
      replaceMaxMs: replace === null ? 0 : timeoutMs + KILL_AFTER_MS + 2 * CLOSING_MS,
      replace:
        replace === null
          ? null
          : async (parts: Parts, old: Parts) => verdictOf((await ask(replace, { do: 'replace', parts, old })).ending),
      issue:
        issue === null
          ? null
          : async (label) => {
              const order: Order = { do: 'issue', label };
              const ended = await ask(issue, order);
              const verdict = verdictOf(ended.ending);
              const evidence = evidenceOf(ended.ending);
              if (verdict === 'not-done') return { is: 'refused', final: false, quotaFull: false, evidence };
              if (verdict === 'ambiguous') return { is: 'ambiguous', evidence };
              const issued = readIssued(ended.answer, options.kindOf(credential).kind);
              ended.answer.fill(0);
              if (issued !== null) return issued;
              const signature = 'program.unreadable-answer';
              complain(order, ended, signature);
              return { is: 'ambiguous', evidence: { ...evidence, signature } };
            },
      revoke:
        revoke === null
          ? null
          : async (providerKeyId, parts) => {
              const id = providerKeyId === '' ? null : providerKeyId;
              const { ending } = await ask(revoke, { do: 'revoke', providerKeyId: id, parts });
              const evidence = evidenceOf(ending);
              const verdict = verdictOf(ending);
              if (verdict === 'done') return { is: 'accepted', evidence };
              if (verdict === 'not-done') return { is: 'refused', final: false, evidence };
              return { is: 'ambiguous', evidence, retryAfterMs: null };
            },
    };
  };
}

function evidenceOf(ending: Ending): Evidence {
  return { status: null, signature: signatureOf(ending), requestId: null };
}

interface Ended {
  readonly ending: Ending;
  /** Empty where it was not asked for. */
  readonly answer: Uint8Array;
  readonly words: Words;
}

interface Running {
  readonly input: Uint8Array;
  readonly isAnswering: boolean;
  readonly timeoutMs: number;
  readonly environment: Readonly<Record<string, string>>;
}

const NOTHING: Words = { bytes: new Uint8Array(), isCut: false };

/** Runs one program to its end. It leads a process group, so that what it started ends with it where it is ended. */
function runProgram(command: readonly string[], running: Running): Promise<Ended> {
  const [program = '', ...args] = command;
  const { input, isAnswering, timeoutMs, environment } = running;
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = spawn(program, args, {
        cwd: '/',
        env: environment,
        stdio: ['pipe', isAnswering ? 'pipe' : 'ignore', 'pipe'],
        detached: true,
        windowsHide: true,
      });
    } catch {
      resolve({ ending: { is: 'not-started' }, answer: new Uint8Array(), words: NOTHING });
      return;
    }
    const answer = gather(child, 'stdout', ANSWER_BYTES_MAX, () => stop({ is: 'too-much' }));
    const words = gather(child, 'stderr', WORDS_BYTES_MAX, () => {});
    let ending: Ending | null = null;
    let closing: NodeJS.Timeout | null = null;
    const overdue = setTimeout(() => stop({ is: 'overdue' }), timeoutMs);
    let killing: NodeJS.Timeout | null = null;

    function stop(why: Ending): void {
      if (ending !== null) return;
      ending = why;
      signalGroup(child, 'SIGTERM');
      killing = setTimeout(() => {
        signalGroup(child, 'SIGKILL');
        closing ??= setTimeout(settle, CLOSING_MS);
      }, KILL_AFTER_MS);
    }

    function settle(): void {
      for (const timer of [overdue, killing, closing]) if (timer !== null) clearTimeout(timer);
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
      resolve({ ending: ending ?? { is: 'not-started' }, answer: answer.whole(), words: words.all() });
    }

    child.on('error', () => {
      if (child.pid === undefined) settle();
    });
    child.on('exit', (status, signal) => {
      if (ending === null) {
        ending = status === null ? { is: 'signalled', signal: signal ?? 'unknown' } : { is: 'exited', status };
      } else {
        // It was told to end, and has: what it started ends with it.
        signalGroup(child, 'SIGKILL');
      }
      clearTimeout(overdue);
      closing ??= setTimeout(settle, CLOSING_MS);
    });
    child.on('close', settle);
    // Whoever does not read its input says with its status what it did.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** Collects the beginning of a stream; the rest is read and dropped, so that nobody waits for it to be. */
function gather(child: ChildProcess, name: 'stdout' | 'stderr', bytesMax: number, onTooMuch: () => void) {
  const chunks: Buffer[] = [];
  let length = 0;
  let isCut = false;
  child[name]?.on('error', () => {});
  child[name]?.on('data', (chunk: Buffer) => {
    if (isCut) return;
    const left = bytesMax - length;
    const kept = Buffer.from(chunk.subarray(0, left));
    if (name === 'stdout') chunk.fill(0);
    chunks.push(kept);
    length += kept.length;
    if (chunk.length <= left) return;
    isCut = true;
    onTooMuch();
  });
  return {
    all: (): Words => ({ bytes: Buffer.concat(chunks), isCut }),
    /** As bytes of its own; the pieces are wiped. */
    whole(): Uint8Array {
      const joined = Buffer.concat(chunks);
      const bytes = Uint8Array.from(joined);
      for (const part of [joined, ...chunks]) part.fill(0);
      return bytes;
    },
  };
}

/** Where the group is gone already there is nothing to do. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}
