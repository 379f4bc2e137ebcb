// What is found in the ledger for other rooms' routes and for the scheduler: the journal of a rotation, the uses of a credential, whether there were any. Bounded searches over entries that
// have no index; pure but for the reader that is passed in.
import type { ObservedUse } from '../access/suggest.ts';
import type { LedgerReader } from '../ledger/api.ts';
import type { UtcMs } from '../model/clock.ts';
import type { JournalEntry } from '../rotation/api.ts';
import type { RotationRow } from '../rotation/rotation.ts';

/** A clock may have been set back while entries were written: the search begins this much earlier. */
const CLOCK_STEP_MS = 3_600_000;
const JOURNAL_MAX = 1_000;
const SEARCHES_MAX = 20;
const PAGE = 200;

/** The control entries that hold an image of a rotation, oldest first. */
export function createJournal(reader: LedgerReader): (row: RotationRow) => Promise<JournalEntry[]> {
  return async (row) => {
    const wanted = Math.min(row.rowVersion, JOURNAL_MAX);
    const steps: JournalEntry[] = [];
    let from: number | null = await firstAt(reader, row.requestedAt - CLOCK_STEP_MS);
    for (let i = 0; i < SEARCHES_MAX && from !== null && steps.length < wanted; i++) {
      const found = await reader.search({
        log: 'control',
        from,
        order: 'asc',
        limit: Math.min(PAGE, wanted - steps.length),
        containing: [`"id":"${row.id}"`],
      });
      for (const { index, text } of found.entries) {
        const { at, actor, type, detail } = JSON.parse(text) as JournalEntry;
        steps.push({ index, at, actor, type, detail });
      }
      from = found.next;
    }
    return steps;
  };
}

/** The index of about the first control entry at or after a time: by halving, as if entries stood in the order of their times. */
async function firstAt(reader: LedgerReader, at: UtcMs): Promise<number> {
  let low = 0;
  let high = await reader.size('control');
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const entry = await reader.entry('control', middle);
    const isBefore = entry !== null && (JSON.parse(entry.text) as { at: number }).at < at;
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether a version was ever used, by the newest 200,000 entries of the log. */
export async function wasUsed(reader: LedgerReader, versionId: string): Promise<boolean> {
  const containing = [`"version":"${versionId}"`, '"kind":"use"'];
  const lowest = (await reader.size('use')) - USES_LOOKED_AT_MAX;
  let from: number | null = null;
  for (let i = 0; i < SEARCHES_MAX; i++) {
    const found = await reader.search({ log: 'use', from, order: 'desc', limit: 1, containing });
    if (found.entries.length > 0) return true;
    if (found.next === null || found.next < lowest) return false;
    from = found.next;
  }
  return false;
}

/** Admitted uses of a credential since a time, newest first; at most the newest 200,000 entries of the log are looked at. */
export async function usesOf(
  reader: LedgerReader,
  asked: { readonly credential: string; readonly principal: string | null; readonly since: UtcMs },
): Promise<ObservedUse[]> {
  const containing = [`"credential":"${asked.credential}"`, '"kind":"use"'];
  if (asked.principal !== null) containing.push(`"principal":"${asked.principal}"`);
  const uses: ObservedUse[] = [];
  const lowest = (await reader.size('use')) - USES_LOOKED_AT_MAX;
  let from: number | null = null;
  for (let i = 0; i < SEARCHES_MAX; i++) {
    const found = await reader.search({ log: 'use', from, order: 'desc', limit: USES_LOOKED_AT_MAX, containing });
    for (const { index, text } of found.entries) {
      const use = JSON.parse(text) as ObservedUse & { principal: string };
      if (use.at < asked.since || index < lowest) return uses;
      const { at, principal, action, method, path, query } = use;
      uses.push({ at, principalId: principal, action, method, path, query });
    }
    if (found.next === null || found.next < lowest) return uses;
    from = found.next;
  }
  return uses;
}

const USES_LOOKED_AT_MAX = 200_000;
