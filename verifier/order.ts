// Whether genuine entries follow from one another (docs/formats/ledger.md): epochs and row images of the control log, uses and
// their outcomes in the use log, and across both that nothing was admitted after a revocation. It needs JSON.parse and nothing
// else; whether a policy allowed a use is the business of the replay. Entries are given in order, each once.
import { checkFields, type FieldList, type Fields, isCount, isFields, parseEntry } from './fields.ts';

/** `why`: what is wrong with the entry, for a person. */
export type Complain = (index: number, why: string) => void;

export interface Order {
  entry(index: number, bytes: Uint8Array): void;
  /** Times of the first and of the last entry, UTC milliseconds; null before the first. */
  times(): { readonly first: number; readonly last: number } | null;
}

/** What the control log says about the uses. Grows with it; ask when it has been read. */
export interface ControlFacts {
  /** Entries of the control log. */
  size(): number;
  /** The size of the use log when entry `index` was committed; null where that entry is not known. */
  usesAt(index: number): number | null;
  /**
   * The entry that forbids a use at `use` which was decided as of `asOf`: it cuts the row's access, the decision did not know
   * of it, and the use was recorded behind it. Null where there is none.
   */
  cutBefore(row: { noun: string; id: string }, when: { asOf: number; use: number }): number | null;
}

export interface ControlOrder extends Order {
  readonly facts: ControlFacts;
}

/** Entries that cut access: for each row, in the order of the log. `uses` never decreases along the list. */
interface Cuts {
  readonly entries: number[];
  readonly uses: number[];
  /** The entry that a bound of `uses` comes from: a later one where a restored backup made the use log smaller. */
  readonly by: number[];
}

/** Memory: a number for each row that ever was, one for each entry, and the cuts. */
export function createControlOrder(complain: Complain): ControlOrder {
  const rowVersions = new Map<string, number>();
  const cuts = new Map<string, Cuts>();
  const usesAt: number[] = [];
  const times = createTimes();
  let size = 0;
  let epoch = 0;
  let uses = 0;

  function checkEpoch(index: number, entry: Fields): void {
    const opens = entry['type'] === 'ledger.epoch-opened';
    const next = entry['epoch'] as number;
    const isFirst = index === 0;
    if (next < epoch) complain(index, `epoch ${next} follows epoch ${epoch}`);
    else if (next > epoch + 1) complain(index, `epoch ${next} follows epoch ${epoch}: one is missing`);
    else if (next === epoch + 1 && !opens) complain(index, `epoch ${next} begins without ledger.epoch-opened`);
    else if (next === epoch && opens && !isFirst) complain(index, `epoch ${next} is opened a second time`);
    // A restored backup may have put the use log back; within an epoch it only grows.
    const nextUses = entry['uses'] as number;
    if (nextUses < uses && next <= epoch) complain(index, `the use log shrank from ${uses} to ${nextUses}`);
    epoch = Math.max(epoch, next);
    uses = nextUses;
  }

  function checkRow(index: number, image: unknown): void {
    if (!isFields(image) || typeof image['noun'] !== 'string' || !isFields(image['row'])) {
      complain(index, 'a row image is not of the form {noun, row}');
      return;
    }
    const { noun, row } = image;
    const { id, rowVersion } = row as Fields;
    if (typeof id !== 'string' || !isCount(rowVersion)) {
      complain(index, `a row image of ${noun} has no id or no row version`);
      return;
    }
    const key = `${noun} ${id}`;
    const before = rowVersions.get(key) ?? 0;
    if (rowVersion !== before + 1) complain(index, `${key}: image ${rowVersion} does not follow row version ${before}`);
    rowVersions.set(key, rowVersion);
    if (isCut(noun as string, row as Fields)) addCut(key, index);
  }

  function addCut(key: string, index: number): void {
    const list = cuts.get(key) ?? { entries: [], uses: [], by: [] };
    cuts.set(key, list);
    for (let i = list.uses.length - 1; i >= 0 && list.uses[i]! > uses; i--) {
      list.uses[i] = uses;
      list.by[i] = index;
    }
    list.entries.push(index);
    list.uses.push(uses);
    list.by.push(index);
  }

  return {
    entry(index, bytes) {
      size = index + 1;
      const entry = parseEntry(bytes);
      const why = entry === null ? 'it is not a JSON object' : checkControlShape(entry);
      if (entry === null || why !== null) {
        complain(index, why ?? '');
        return;
      }
      times.add(entry['at'] as number);
      checkEpoch(index, entry);
      usesAt[index] = uses;
      for (const image of entry['rows'] as unknown[]) checkRow(index, image);
    },
    times: times.get,
    facts: {
      size: () => size,
      usesAt: (index) => usesAt[index] ?? null,
      cutBefore({ noun, id }, { asOf, use }) {
        const list = cuts.get(`${noun} ${id}`);
        if (list === undefined) return null;
        const unknown = firstAtLeast(list.entries, asOf);
        return unknown < list.entries.length && list.uses[unknown]! <= use ? list.by[unknown]! : null;
      },
    },
  };
}

const CONTROL_FIELDS: FieldList = [
  ['actor', 'text'],
  ['at', 'count'],
  ['detail', 'anything'],
  ['epoch', 'count'],
  ['rows', 'anything'],
  ['type', 'text'],
  ['uses', 'count'],
];

function checkControlShape(entry: Fields): string | null {
  if (entry['v'] !== 1) return 'its version is not 1';
  const why = checkFields(entry, CONTROL_FIELDS);
  if (why !== null) return why;
  if (!Array.isArray(entry['rows'])) return 'the field rows is not a list';
  return isFields(entry['detail']) ? null : 'the field detail is not an object';
}

/** Whether a row in this state admits nothing. */
function isCut(noun: string, row: Fields): boolean {
  switch (noun) {
    case 'credential':
      return isSet(row['suspendedAt']) || isSet(row['retiredAt']) || row['state'] === 'revoked';
    case 'token':
    case 'grant':
      return isSet(row['revokedAt']);
    case 'principal':
      return isSet(row['disabledAt']);
    case 'version':
      return row['state'] === 'revoking' || row['state'] === 'revoked';
    default:
      return false;
  }
}

function isSet(value: unknown): boolean {
  return value !== null && value !== undefined;
}

/** The position of the first value that is at least `least`, in an ascending list. */
function firstAtLeast(list: readonly number[], least: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (list[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** First and last time of the entries that were added. */
export function createTimes(): { add(at: number): void; get: Order['times'] } {
  let times: { first: number; last: number } | null = null;
  return {
    add(at) {
      times = { first: times?.first ?? at, last: at };
    },
    get: () => times,
  };
}
