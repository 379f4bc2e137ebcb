// Programs of the operator's, named in the configuration, that do for one credential what its provider's API cannot: put a value of ours into
// force, make a key, end one. What they did is known only as far as they say; the rest is `ambiguous`. Running them is targets/program.io.ts.
import type { IssueOutcome, Parts, RevokeOutcome } from '../providers/provider.ts';

export interface Programs {
  /** Puts a value of ours into force in the place of the old one. `not-done`: certainly nothing was changed. */
  readonly replace: ((fresh: Parts, old: Parts) => Promise<'done' | 'not-done' | 'ambiguous'>) | null;
  /** Longest time that `replace` may take, milliseconds: so long the traffic is held for it. */
  readonly replaceMaxMs: number;
  readonly issue: ((label: string) => Promise<IssueOutcome>) | null;
  readonly revoke: ((providerKeyId: string, target: Parts) => Promise<RevokeOutcome>) | null;
}

export const NO_PROGRAMS: Programs = { replace: null, replaceMaxMs: 0, issue: null, revoke: null };
