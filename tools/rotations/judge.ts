// What a caller saw, held against when keys changed and against what the provider carried out. Pure. Times are UTC milliseconds of one machine.
import type { Seen } from '../world/caller.ts';

/** When the traffic of a line was held, or its key was dead before the next one was there. */
export interface Span {
  readonly line: number;
  readonly from: number;
  readonly to: number;
  readonly is: 'hold' | 'cut';
}

export interface Verdict {
  readonly requests: number;
  readonly failed: number;
  readonly cut: number;
  /** Requests in flight around a hold; all of them where nothing was held. */
  readonly around: number;
  readonly p99Ms: number;
  readonly longestMs: number;
  readonly writes: number;
  readonly lost: number;
  readonly doubled: number;
  readonly problems: readonly string[];
}

/** The smallest of these numbers that is at least as large as so much of them; 0 of none. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function isIn({ line, from, to }: Span, [of, , startedAt, ms]: Seen): boolean {
  return line === of && startedAt <= to && startedAt + ms >= from;
}

/** Complaints of one kind that are spelt out. */
const SPELT_OUT = 3;

export function judge(seen: readonly Seen[], spans: readonly Span[], carried: ReadonlyMap<string, number>): Verdict {
  const holds = spans.filter((span) => span.is === 'hold');
  const cuts = spans.filter((span) => span.is === 'cut');
  const failures: Seen[] = [];
  const around: number[] = [];
  const problems: string[] = [];
  const answered = new Map<string, boolean>();
  let cut = 0;
  for (const one of seen) {
    const [line, number, startedAt, ms, status, failure] = one;
    const isAnswered = status >= 200 && status < 300;
    if (number !== null) answered.set(number, isAnswered);
    if (holds.length === 0 || holds.some((span) => isIn(span, one))) around.push(ms);
    if (isAnswered) continue;
    if (cuts.some((span) => isIn(span, one))) {
      cut++;
      continue;
    }
    failures.push(one);
    if (failures.length <= SPELT_OUT)
      problems.push(`line ${line}: ${status} ${failure} (${new Date(startedAt).toISOString()}, ${ms} ms)`);
  }
  const lost: string[] = [];
  const doubled: string[] = [];
  for (const [number, isAnswered] of answered) {
    const count = carried.get(number) ?? 0;
    if (isAnswered && count === 0) lost.push(number);
    if (count > 1) doubled.push(number);
  }
  const unasked = [...carried.keys()].filter((number) => !answered.has(number));
  if (failures.length > SPELT_OUT) problems.push(`${failures.length} requests failed`);
  for (const [what, numbers] of [
    ['answered and not carried out', lost],
    ['carried out more than once', doubled],
    ['carried out and never sent', unasked],
  ] as const)
    if (numbers.length > 0)
      problems.push(`${numbers.length} writes ${what}: ${numbers.slice(0, SPELT_OUT).join(', ')}`);
  return {
    requests: seen.length,
    failed: failures.length,
    cut,
    around: around.length,
    p99Ms: quantile(around, 0.99),
    longestMs: quantile(around, 1),
    writes: [...answered.values()].filter((isAnswered) => isAnswered).length,
    lost: lost.length,
    doubled: doubled.length,
    problems,
  };
}
