// What the drivers have in common that judge the cases of a corpus themselves: how its files are read, how verdicts are counted, and how one driver
// runs alone. Not here: corpora that bring a script of their own (runner.ts), and the whole run (foreign.ts).
import { readFileSync } from 'node:fs';
import { type ForeignResult, isMet } from './result.ts';

/** The cases of a file, one JSON value a line. */
export function readLines<T = Record<string, unknown>>(file: string): T[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as T);
}

export function textOf(record: Record<string, unknown>, field: string): string {
  const value = record[field];
  if (typeof value !== 'string') throw new Error(`a line of the corpus has no text ${field}`);
  return value;
}

export interface Verdicts {
  /** A case, with all that is wrong with it; nothing: it passes. */
  record(id: string, wrong: readonly string[]): void;
  result(name: string, goal: string): ForeignResult;
}

export function countVerdicts(): Verdicts {
  const failures: string[] = [];
  let passed = 0;
  let failed = 0;
  return {
    record(id, wrong) {
      if (wrong.length === 0) passed++;
      else failed++;
      failures.push(...wrong.map((one) => `${id}: ${one}`));
    },
    result: (name, goal) => ({ name, passed, failed, skipped: 0, goal, failures }),
  };
}

/** Runs a driver on the directory that the command line names, prints what it came to, and sets the exit code. */
export async function runAlone(driver: string, run: (directory: string) => Promise<ForeignResult>): Promise<void> {
  const [directory] = process.argv.slice(2);
  if (directory === undefined) {
    process.stderr.write(`usage: ${driver} DIRECTORY\n`);
    process.exit(2);
  }
  const result = await run(directory);
  for (const failure of result.failures) process.stdout.write(`✖ ${failure}\n`);
  process.stdout.write(
    `${result.name}: ${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped (goal: ${result.goal})\n`,
  );
  process.exitCode = isMet(result) ? 0 : 1;
}
