// What a probe says, on record: the refusal of a key beside the acceptances of a known-live one, before and after it.
import type { UtcMs } from '../model/clock.ts';
import type { Liveness } from '../providers/provider.ts';

/** One bracketed probe that counted: the refusal beside its controls. */
export interface RefusalRecord {
  readonly at: UtcMs;
  readonly control: { readonly versionId: string; readonly before: ReadingRecord; readonly after: ReadingRecord };
  readonly target: ReadingRecord;
}

export interface ReadingRecord {
  readonly at: UtcMs;
  readonly is: 'alive' | 'dead' | 'unknown';
  readonly status: number | null;
  readonly signature: string;
  readonly requestId: string | null;
}

/** A liveness as it goes on record. */
export function readingOf(liveness: Liveness, at: UtcMs): ReadingRecord {
  const { status, signature, requestId } = liveness.evidence;
  return { at, is: liveness.is, status, signature, requestId };
}
