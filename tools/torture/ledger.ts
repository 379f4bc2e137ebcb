// The ledger of a stopped installation as an outsider takes it: exported, verified with the public key and the last checkpoint that was
// kept, and replayed.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createReplay, type ReplayReport } from '../../src/access/replay.ts';
import { logSource, openForReading } from '../../src/database/reading.io.ts';
import { exportLog } from '../../src/ledger/export.io.ts';
import { LOGS, type Log } from '../../src/ledger/layout.ts';
import { verifyDirectory } from '../../verifier/verify.io.ts';
import { type Check, check } from './checks.ts';

export interface LedgerInput {
  readonly databaseFile: string;
  readonly dataDirectory: string;
  /** An empty directory for the export. */
  readonly to: string;
  /** The last checkpoints that were kept of this epoch; null where none was. */
  readonly kept: Readonly<Record<Log, string | null>>;
}

/** Exports both logs up to their newest checkpoints and verifies them. */
export async function checkLedger(input: LedgerInput): Promise<Check> {
  const problems: string[] = [];
  const ledgerDirectory = path.join(input.dataDirectory, 'ledger');
  const { read, close } = await openForReading({ kind: 'sqlite', file: input.databaseFile });
  try {
    let control: ReturnType<typeof verifyDirectory>['control'] = null;
    for (const log of LOGS) {
      const source = await logSource(read, log);
      const exported = await exportLog({ log, source, ledgerDirectory, to: input.to });
      if (exported === null) {
        problems.push(`the ${log} log has no checkpoint`);
        continue;
      }
      if (exported.size !== source.size) problems.push(`the ${log} log was closed without a checkpoint`);
      const vkey = readFileSync(path.join(ledgerDirectory, log, 'vkey'), 'utf8').trim();
      const directory = path.join(input.to, log);
      const verified = verifyDirectory({ directory, vkey, kept: input.kept[log], control });
      control = verified.control ?? control;
      if (!verified.report.isVerified) {
        problems.push(`the ${log} log is not verified: ${JSON.stringify(verified.report.findings.slice(0, 3))}`);
      }
    }
  } finally {
    await close();
  }
  return check('the ledger verifies', problems);
}

/** Decides every use of a log again. */
export function replay(controls: readonly string[], uses: readonly string[]): ReplayReport {
  const replaying = createReplay(controls);
  for (const use of uses) replaying.use(use);
  return replaying.report();
}

export function checkReplay(report: ReplayReport): Check {
  const problems = report.findings.map(({ index, kind, why }) => `use ${index}: ${kind}, ${why}`);
  return check('every use is decided again', report.more > 0 ? [...problems, `${report.more} more`] : problems);
}
