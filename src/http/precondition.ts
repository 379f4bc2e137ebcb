// The conditional headers: If-Match against the version of a row, and Accept among the media types of a route.
// Follows RFC 9110 sections 12.5.1 and 13.1.1; a weak tag never matches.
import type { Row } from '../model/change.ts';
import { type Problem, problem } from './problem.ts';

export const IF_MATCH = /^(?:\*|(?:W\/)?"[0-9]{1,15}"(?: *, *(?:W\/)?"[0-9]{1,15}")*)$/;
export const IDEMPOTENCY_KEY = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/;

export function etagOf(rowVersion: number): string {
  return `"${rowVersion}"`;
}

/** What is wrong with If-Match, given the row as it is; null where nothing is. A row that is missing is left to the handler. */
export function matchProblem(ifMatch: string | undefined, row: Row | null): Problem | null {
  if (ifMatch === undefined) return null;
  if (!IF_MATCH.test(ifMatch)) {
    const errors = [{ pointer: '/headers/if-match', detail: 'not a list of entity tags' }];
    return problem('invalid', 'If-Match holds row versions in quotes: "3"', { errors });
  }
  if (row === null || ifMatch === '*') return null;
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  return tags.includes(etagOf(row.rowVersion)) ? null : preconditionFailed();
}

export function preconditionFailed(): Problem {
  return problem('precondition-failed', 'the row is no longer the version that If-Match names: read it again');
}

const RANGES_MAX = 20;

/** The offered type that the caller likes best, the first among equals; null where none is accepted. */
export function chooseType(accept: string | undefined, offered: readonly string[]): string | null {
  const first = offered[0] ?? 'application/json';
  if (accept === undefined || offered.length < 2) return first;
  const ranges = accept.split(',', RANGES_MAX).map((text) => {
    const [range = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
    const q = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = q === undefined ? 1 : Number(q.slice(2));
    return { range, quality: Number.isFinite(quality) ? quality : 0 };
  });
  let best: { type: string; quality: number } | null = null;
  for (const type of offered) {
    const quality = qualityOf(type, ranges);
    if (quality > (best?.quality ?? 0)) best = { type, quality };
  }
  return best?.type ?? null;
}

/** The quality of the most specific range that fits. */
function qualityOf(type: string, ranges: readonly { range: string; quality: number }[]): number {
  for (const form of [type, `${type.split('/')[0]}/*`, '*/*']) {
    const fit = ranges.find(({ range }) => range === form);
    if (fit !== undefined) return fit.quality;
  }
  return 0;
}
