// What a corpus comes to: the one shape that every driver gives back, and how it reads as a table. Not here: how a case is judged.

export interface ForeignResult {
  readonly name: string;
  readonly passed: number;
  /** Wrong answers, and cases that were left out although the goal allows no gap. */
  readonly failed: number;
  /** Cases that have no verdict, or that test what this program does not have. */
  readonly skipped: number;
  readonly goal: string;
  /** One line for each failure. */
  readonly failures: readonly string[];
  /** False: reported for the reader, missing the goal fails nothing. */
  readonly gated?: boolean;
}

/** A corpus of which nothing passed has proven nothing. */
export function isMet(result: ForeignResult): boolean {
  return result.failed === 0 && result.passed > 0;
}

const COLUMNS = ['corpus', 'passed', 'failed', 'skipped', 'goal'] as const;
const FAILURES_SHOWN_MAX = 20;

/** A table with a head, one line for each result; failures follow, so many of each that a terminal still shows the rest. */
export function formatResults(results: readonly ForeignResult[]): string {
  const rows = results.map((result) => [
    result.name,
    String(result.passed),
    String(result.failed),
    String(result.skipped),
    `${result.goal}: ${isMet(result) ? 'met' : result.gated === false ? 'not met, no gate' : 'NOT MET'}`,
  ]);
  const widths = COLUMNS.map((column, i) => Math.max(column.length, ...rows.map((row) => row[i]!.length)));
  const lines = [[...COLUMNS], ...rows].map((row) =>
    row
      .map((cell, i) => (i > 0 && i < 4 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
  for (const result of results) {
    const shown = result.failures.slice(0, FAILURES_SHOWN_MAX);
    const rest = result.failures.length - shown.length;
    lines.push(...shown.map((failure) => `✖ ${result.name}: ${failure}`));
    if (rest > 0) lines.push(`✖ ${result.name}: and ${rest} more`);
  }
  return `${lines.join('\n')}\n`;
}
