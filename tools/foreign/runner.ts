// Runs a script that belongs to a corpus, unmodified, under this Node, and reads what it printed. Some of these scripts always exit
// with 0, so that nothing is concluded from the exit code alone.
import { spawn } from 'node:child_process';

const OUTPUT_LENGTH_MAX = 4_000_000;
const RUNS_WITHIN_MS = 900_000;

export interface Printed {
  readonly stdout: string;
  readonly stderr: string;
  /** Null: ended by a signal. */
  readonly code: number | null;
}

/** Rejects only where the script cannot be started. */
export function runScript(script: string, args: readonly string[]): Promise<Printed> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: RUNS_WITHIN_MS,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-OUTPUT_LENGTH_MAX);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-OUTPUT_LENGTH_MAX);
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ stdout, stderr, code }));
  });
}

export interface KindTotals {
  readonly kind: string;
  readonly ok: number;
  readonly wrong: number;
  readonly skipped: number;
}

/** The lines `kind   ok 1 wrong 0 skipped 2`, which two of the scripts print. */
export function readKinds(stdout: string): KindTotals[] {
  return [...stdout.matchAll(/^(\S.*?) +ok (\d+) wrong (\d+) skipped (\d+)/gm)].map((match) => ({
    kind: match[1]!,
    ok: Number(match[2]),
    wrong: Number(match[3]),
    skipped: Number(match[4]),
  }));
}

/** What to say where a script printed nothing that can be read. */
export function brokenRun(printed: Printed): string {
  const said = printed.stderr.trim().split('\n').slice(-3).join(' / ');
  return `the corpus' script ended with ${printed.code ?? 'a signal'} and no totals${said === '' ? '' : `: ${said}`}`;
}
