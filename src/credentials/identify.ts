// Which key of the provider's list is this one? Where a provider shows no id beside a key, its `last_used_at` gives it away: list, use the
// key, list again; the one entry that moved is ours. Repeated, because others use their keys too, until one entry has moved each time
// and no other has; else the version stays unidentified, and a person revokes it. A wrong id would end somebody else's key.
import type { ListedKey, ListOutcome } from '../providers/provider.ts';

export interface IdentifyTools {
  /** The provider's list; null where it could not be asked. */
  list(): Promise<ListOutcome | null>;
  /** Uses the key once. False where it was certainly not accepted or nobody can tell. */
  use(): Promise<boolean>;
  wait(ms: number): Promise<void>;
}

export interface IdentifyFacts {
  /** Ids that other versions hold: never ours. */
  readonly held: ReadonlySet<string>;
  /** Whether the list is asked for with the key itself: then it moves at each listing, and no interval is without a use of it. */
  readonly isOwnList: boolean;
}

export interface Identified {
  readonly providerKeyId: string | null;
  /** How it was found, or why it was not. */
  readonly why: string;
  readonly rounds: number;
}

const ROUNDS_MAX = 10;
/**
 * Rounds in a row that must agree. Each with a control interval lets a foreign key through with a chance of at most a quarter, and
 * only at a provider that shows our own uses late. Without control intervals it takes one more.
 */
const AGREEING = 4;
const AGREEING_ALONE = 5;
/** Rounds in which nothing moved: a provider that does not show each use at once tells nothing. */
const SILENT_MAX = 1;
/** Providers whose times are whole seconds show no second use within one. */
const COARSE_MS = 1_100;
const FINE_MS = 20;

/** Finds the provider's id of a key, within a bounded number of calls. Never guesses. */
export async function identifyKey(tools: IdentifyTools, facts: IdentifyFacts): Promise<Identified> {
  const needed = facts.isOwnList ? AGREEING_ALONE : AGREEING;
  let candidates: ReadonlySet<string> | null = null;
  let agreed = 0;
  let silent = 0;
  for (let rounds = 1; rounds <= ROUNDS_MAX; rounds++) {
    const found = await lookOnce(tools, facts);
    if (typeof found === 'string') return { providerKeyId: null, why: found, rounds };
    if (found.moved.size === 0) {
      if (++silent > SILENT_MAX) {
        return { providerKeyId: null, why: 'the provider’s list does not show each use of this key', rounds };
      }
      candidates = null;
      agreed = 0;
    } else {
      const before: ReadonlySet<string> = candidates ?? found.moved;
      candidates = new Set([...found.moved].filter((id) => before.has(id)));
      agreed++;
      const [only, ...others] = [...candidates];
      if (only === undefined) return { providerKeyId: null, why: 'no entry moved with every use of the key', rounds };
      if (others.length === 0 && agreed >= needed) {
        return { providerKeyId: only, why: `its last use moved with each of ${agreed} uses, and no other did`, rounds };
      }
    }
    await tools.wait(found.isCoarse ? COARSE_MS : FINE_MS);
  }
  const why = `${candidates?.size ?? 0} keys were used each time: try again when there is less traffic`;
  return { providerKeyId: null, why, rounds: ROUNDS_MAX };
}

interface Look {
  readonly moved: ReadonlySet<string>;
  readonly isCoarse: boolean;
}

/** One round: the ids that moved while the key was used, and did not while it was not. A text says why there is no telling. */
async function lookOnce(tools: IdentifyTools, facts: IdentifyFacts): Promise<Look | string> {
  const noise = new Set<string>();
  let before = keysOf(await tools.list());
  if (typeof before === 'string') return before;
  const isCoarse = before.every((key) => (key.lastUsedAt ?? 0) % 1_000 === 0);
  await tools.wait(isCoarse ? COARSE_MS : FINE_MS);
  if (!facts.isOwnList) {
    const idle = keysOf(await tools.list());
    if (typeof idle === 'string') return idle;
    for (const id of movedBetween(before, idle)) noise.add(id);
    before = idle;
  }
  if (!(await tools.use())) return 'the provider did not accept the key';
  const after = keysOf(await tools.list());
  if (typeof after === 'string') return after;
  const moved = movedBetween(before, after).filter((id) => !noise.has(id) && !facts.held.has(id));
  return { moved: new Set(moved), isCoarse };
}

function keysOf(outcome: ListOutcome | null): readonly ListedKey[] | string {
  if (outcome === null) return 'the provider could not be reached';
  if (outcome.is === 'listed') return outcome.keys;
  return `the provider’s list was ${outcome.is === 'refused' ? 'refused' : 'not understood'} (${outcome.evidence.signature})`;
}

function movedBetween(before: readonly ListedKey[], after: readonly ListedKey[]): string[] {
  const times = new Map(before.map((key) => [key.providerKeyId, key.lastUsedAt ?? Number.NEGATIVE_INFINITY]));
  return after
    .filter((key) => key.lastUsedAt !== null && key.lastUsedAt > (times.get(key.providerKeyId) ?? key.lastUsedAt))
    .map((key) => key.providerKeyId);
}
