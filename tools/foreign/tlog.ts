// The transparency-log corpus, once for the code that writes the ledger and once for the verifier: they share none. Not here: proofs of
// subtrees, which RFC 9162 does not have and neither side implements.
import path from 'node:path';
import { judgeKinds } from './kinds.ts';
import type { ForeignResult } from './result.ts';
import { runScript } from './runner.ts';

const SIDES = ['writer', 'verifier'] as const;
const MUST_RUN = ['merkle inclusion', 'merkle consistency', 'rfc6962 roots', 'signed notes', 'checkpoints'];

export async function run(directory: string): Promise<ForeignResult[]> {
  const results: ForeignResult[] = [];
  for (const side of SIDES) {
    const adapter = path.join(import.meta.dirname, `tlog-${side}.adapter.ts`);
    const printed = await runScript(path.join(directory, 'tlog_run.mjs'), [directory, '--impl', adapter]);
    const rule = {
      name: `tlog (${side})`,
      goal: 'all but the subtree kinds, none left out',
      maySkip: (kind: string) => kind.startsWith('merkle subtree'),
      mustRun: MUST_RUN,
    };
    results.push(judgeKinds(printed, rule));
  }
  return results;
}
