// Whether the entries of the use log follow from one another and from the control log (docs/formats/ledger.md): their shape,
// outcomes that name an earlier use once, decisions that rest on control entries which were there, and no use admitted after
// what it rested on was cut. Entries are given in order, each once.
import { checkFields, type FieldList, type Fields, isCount, parseEntry } from './fields.ts';
import { type Complain, type ControlFacts, createTimes, type Order } from './order.ts';

export interface UseOrder extends Order {
  /** The entries before `to` were pruned: outcomes may name them. */
  pruned(to: number): void;
}

/** `control` is null where the control log was not given: what needs it is not checked. Memory: two bits for each entry. */
export function createUseOrder(control: ControlFacts | null, complain: Complain): UseOrder {
  const uses = createBits();
  const answered = createBits();
  const times = createTimes();
  let prunedTo = 0;

  function checkDecision(index: number, entry: Fields): string | null {
    const asOf = entry['asOf'] as number;
    if (control === null) return null;
    if (asOf > control.size())
      return `it rests on control size ${asOf}, but the control log has ${control.size()} entries`;
    const usesThen = asOf === 0 ? 0 : control.usesAt(asOf - 1);
    if (usesThen !== null && usesThen > index) {
      return `it rests on control entry ${asOf - 1}, which was written when the use log already had ${usesThen} entries`;
    }
    if (entry['kind'] !== 'use') return null;
    for (const noun of CUT_NOUNS) {
      const id = entry[noun];
      if (typeof id !== 'string') continue;
      const cut = control.cutBefore({ noun, id }, { asOf, use: index });
      if (cut !== null) {
        return `a use after a revocation: control entry ${cut} had cut ${noun} ${id}, the decision was as of control size ${asOf}`;
      }
    }
    return null;
  }

  function checkOutcome(index: number, outcome: unknown): string | null {
    if (!Array.isArray(outcome) || outcome.length !== 5) return 'an outcome is not a list of five numbers';
    const [use, status, ...amounts] = outcome as unknown[];
    // The writer may mark a status with a sign; nothing here rests on it.
    if (!isCount(use) || !Number.isSafeInteger(status) || !amounts.every(isCount)) {
      return 'an outcome holds something that is not a whole number';
    }
    if (use >= index) return `an outcome names entry ${use}, which is not an earlier one`;
    if (use >= prunedTo && !uses.has(use)) return `an outcome names entry ${use}, which is not a use`;
    if (answered.has(use)) return `entry ${use} has a second outcome`;
    answered.set(use);
    return null;
  }

  function check(index: number, entry: Fields): string | null {
    if (entry['v'] !== 1) return 'its version is not 1';
    if (!isCount(entry['at'])) return 'the field at is not a whole number';
    times.add(entry['at']);
    const { kind, of } = entry;
    const fields = typeof kind === 'string' ? FIELDS.get(kind) : undefined;
    if (fields === undefined) return 'its kind is not known';
    const why = checkFields(entry, fields);
    if (why !== null) return why;
    if (kind === 'use') uses.set(index);
    if (kind === 'use' || kind === 'refused') return checkDecision(index, entry);
    if (kind === 'boot') return null;
    if (!Array.isArray(of)) return 'the field of is not a list';
    if (kind === 'refusals') return of.every(isRefusal) ? null : 'a refusal is not a list of reason, source and count';
    // Every outcome is looked at, so that those behind a wrong one are not taken for unknown.
    let first: string | null = null;
    for (const outcome of of) {
      const wrong = checkOutcome(index, outcome);
      first ??= wrong;
    }
    return first;
  }

  return {
    entry(index, bytes) {
      const entry = parseEntry(bytes);
      const why = entry === null ? 'it is not a JSON object' : check(index, entry);
      if (why !== null) complain(index, why);
    },
    pruned(to) {
      prunedTo = to;
    },
    times: times.get,
  };
}

/** The rows that a use rests on: the field of the entry has the name of the noun. */
const CUT_NOUNS = ['credential', 'grant', 'principal', 'token', 'version'] as const;

// What an admission cannot do without.
const ADMITTED = ['action', 'credential', 'grant', 'id', 'principal'] as const;
const DECIDED = ['effect', 'ip', 'method', 'path', 'token', 'ua', 'version'] as const;

const FIELDS: ReadonlyMap<string, FieldList> = new Map<string, FieldList>([
  ['use', decision('text')],
  ['refused', [...decision('text-or-null'), ['reason', 'text']]],
  ['outcomes', [['of', 'anything']]],
  [
    'refusals',
    [
      ['minute', 'count'],
      ['of', 'anything'],
    ],
  ],
  ['boot', [['epoch', 'count']]],
]);

function decision(admitted: 'text' | 'text-or-null'): FieldList {
  return [
    ['asOf', 'count'],
    ['query', 'anything'],
    ...ADMITTED.map((name) => [name, admitted] as const),
    ...DECIDED.map((name) => [name, 'text-or-null'] as const),
  ];
}

function isRefusal(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 3) return false;
  return typeof value[0] === 'string' && typeof value[1] === 'string' && isCount(value[2]);
}

/** A growing set of indexes. */
function createBits(): { has(index: number): boolean; set(index: number): void } {
  let bytes = new Uint8Array(1024);
  return {
    has: (index) => ((bytes[Math.floor(index / 8)] ?? 0) & (1 << (index % 8))) !== 0,
    set(index) {
      const at = Math.floor(index / 8);
      if (at >= bytes.length) {
        const larger = new Uint8Array(Math.max(at + 1, bytes.length * 2));
        larger.set(bytes);
        bytes = larger;
      }
      bytes[at] = bytes[at]! | (1 << (index % 8));
    },
  };
}
