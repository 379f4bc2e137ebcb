// The Wycheproof vectors, through the one function that calls the cipher. What the vault does not use is left out by the
// adapter, and shows as skipped; what it does use must not have a gap.
import path from 'node:path';
import { judgeKinds } from './kinds.ts';
import type { ForeignResult } from './result.ts';
import { runScript } from './runner.ts';

const USED = ['aes_gcm_test', 'hkdf_sha256_test'];

export async function run(directory: string): Promise<ForeignResult[]> {
  const adapter = path.join(import.meta.dirname, 'wycheproof.adapter.ts');
  const printed = await runScript(path.join(directory, 'wycheproof_run.mjs'), [directory, '--impl', adapter]);
  const rule = {
    name: 'wycheproof',
    goal: 'no wrong answer',
    maySkip: (kind: string) => !USED.some((used) => kind.startsWith(used)),
    mustRun: USED,
  };
  return [judgeKinds(printed, rule)];
}
