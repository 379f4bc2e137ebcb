// From the totals of a corpus' script, kind by kind, to one result: every wrong answer is a failure, and so is every gap that the
// goal does not allow. Pure, so that the rule itself is tested.
import type { ForeignResult } from './result.ts';
import { brokenRun, type KindTotals, type Printed, readKinds } from './runner.ts';

export interface KindRule {
  readonly name: string;
  readonly goal: string;
  /** Whether cases of this kind may be left out. */
  readonly maySkip: (kind: string) => boolean;
  /** Kinds that must have been run, each at least once; their beginnings. */
  readonly mustRun: readonly string[];
}

export function judgeKinds(printed: Printed, rule: KindRule): ForeignResult {
  const kinds = readKinds(printed.stdout);
  const sum = (of: (kind: KindTotals) => number) => kinds.reduce((total, kind) => total + of(kind), 0);
  const failures = kinds.filter((kind) => kind.wrong > 0).map((kind) => `${kind.kind}: ${kind.wrong} wrong answers`);
  const gaps = kinds.filter((kind) => kind.skipped > 0 && !rule.maySkip(kind.kind));
  failures.push(...gaps.map((kind) => `${kind.kind}: ${kind.skipped} left out`));
  const absent = rule.mustRun.filter((start) => !kinds.some((kind) => kind.kind.startsWith(start) && kind.ok > 0));
  failures.push(...absent.map((start) => `${start}: nothing passed`));
  const isBroken = kinds.length === 0 || (printed.code !== 0 && printed.code !== 1);
  if (isBroken) failures.push(brokenRun(printed));
  const gapped = gaps.reduce((total, kind) => total + kind.skipped, 0);
  return {
    name: rule.name,
    passed: sum((kind) => kind.ok),
    failed: sum((kind) => kind.wrong) + gapped + absent.length + (isBroken ? 1 : 0),
    skipped: sum((kind) => kind.skipped) - gapped,
    goal: rule.goal,
    failures,
  };
}
