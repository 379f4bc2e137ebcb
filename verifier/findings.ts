// What a verification can find, as a closed union, and how each finding is said to a person in one line. Findings name places,
// never the content of entries.

/** Where and what. Indexes count entries from 0; `to` is exclusive; sizes count entries. */
export type Finding =
  /** The bytes of `count` consecutive entries are not those that their hashes were made from. */
  | { readonly kind: 'entry-changed'; readonly index: number; readonly count: number }
  /** Entries that the log holds hashes of are not there: dropped, or cut off at the end. */
  | { readonly kind: 'entries-missing'; readonly from: number; readonly to: number }
  /** `count` entries stand before entry `index` that the log never held there. */
  | { readonly kind: 'entries-inserted'; readonly index: number; readonly count: number }
  /** Genuine entries stand in another order, from `first` to `last`. */
  | { readonly kind: 'entries-reordered'; readonly first: number; readonly last: number }
  /** A hash tile is not what the entries, the other tiles and a checkpoint agree on. */
  | { readonly kind: 'tile-changed'; readonly level: number; readonly tile: number }
  /** Entries and hashes both differ from what was signed, somewhere in this interval. */
  | { readonly kind: 'history-rewritten'; readonly afterSize: number; readonly upToSize: number }
  /** A checkpoint of this size was signed for another history than the newest one. */
  | { readonly kind: 'forked'; readonly size: number; readonly isKept: boolean }
  /** The newest checkpoint is smaller than one that is known: the reader's own, or another one of the export. */
  | { readonly kind: 'truncated'; readonly size: number; readonly knownSize: number; readonly isKept: boolean }
  /** A checkpoint or key that cannot be trusted. */
  | { readonly kind: 'signature'; readonly file: string; readonly why: string }
  /** A file that is missing, unreadable or not of its format. `index`: the first entry that could not be read. */
  | { readonly kind: 'malformed'; readonly file: string; readonly index: number | null; readonly why: string }
  /** Genuine entries contradict each other or the other log. */
  | { readonly kind: 'sequence'; readonly index: number; readonly why: string }
  /** Information: the oldest bundles of the use log were pruned; their hashes are verified all the same. */
  | { readonly kind: 'pruned'; readonly from: number; readonly to: number };

export type FindingKind = Finding['kind'];

/** The order in which findings are shown: what calls the whole log into question first. */
const ORDER: Record<FindingKind, number> = {
  signature: 0,
  forked: 1,
  truncated: 2,
  'history-rewritten': 3,
  'entry-changed': 4,
  'entries-missing': 5,
  'entries-inserted': 6,
  'entries-reordered': 7,
  'tile-changed': 8,
  malformed: 9,
  sequence: 10,
  pruned: 11,
};

// Of each kind. A log that was replaced as a whole gives millions; nobody reads more than the first ones.
const OF_A_KIND_MAX = 100;

export interface Findings {
  add(finding: Finding): void;
  list(): Finding[];
  /** Findings that were not kept. */
  dropped(): number;
}

export function createFindings(): Findings {
  const kept = new Map<FindingKind, Finding[]>();
  let dropped = 0;
  return {
    add(finding) {
      const ofKind = kept.get(finding.kind) ?? [];
      kept.set(finding.kind, ofKind);
      if (ofKind.length < OF_A_KIND_MAX) ofKind.push(finding);
      else dropped++;
    },
    list: () => [...kept.values()].flat().sort((a, b) => ORDER[a.kind] - ORDER[b.kind] || placeOf(a) - placeOf(b)),
    dropped: () => dropped,
  };
}

function placeOf(finding: Finding): number {
  if ('index' in finding) return finding.index ?? 0;
  if ('from' in finding) return finding.from;
  if ('first' in finding) return finding.first;
  if ('tile' in finding) return finding.tile;
  return 0;
}

/** Whether a finding leaves the log verified. */
export function isInformation(finding: Finding): boolean {
  return finding.kind === 'pruned';
}

/** One line: what was found, and what to do. Text that comes from files is made printable. */
export function describeFinding(finding: Finding): string {
  switch (finding.kind) {
    case 'entry-changed':
      return finding.count === 1
        ? `entry ${finding.index} was changed: it does not match its hash. Keep this export as evidence; compare the entry with another copy.`
        : `entries ${finding.index} to ${finding.index + finding.count - 1} were changed: they do not match their hashes. Keep this export as evidence; compare them with another copy.`;
    case 'entries-missing':
      return `${range(finding.from, finding.to)} missing, though the log holds ${finding.to - finding.from === 1 ? 'its hash' : 'their hashes'}. Ask for a complete export; if there is none, ${finding.to - finding.from === 1 ? 'it was' : 'they were'} dropped.`;
    case 'entries-inserted':
      return `${finding.count} ${finding.count === 1 ? 'entry was' : 'entries were'} inserted before entry ${finding.index}: the log never held them there. Do not rely on them; ask where they come from.`;
    case 'entries-reordered':
      return `genuine entries between ${finding.first} and ${finding.last} stand in another order. Ask for an untouched export; the order that was logged is that of the hash tiles.`;
    case 'tile-changed':
      return `hash tile ${finding.tile} of level ${finding.level} was changed: it contradicts the tree that the checkpoints have signed. Ask for an untouched export.`;
    case 'history-rewritten':
      return `somewhere in entries ${finding.afterSize} to ${finding.upToSize - 1}, entries and hashes were both rewritten: they no longer match what was signed. What is before them stands; for the rest find an older copy.`;
    case 'forked':
      return finding.isKept
        ? `the checkpoint that you kept (size ${finding.size}) belongs to another history than this export; both were signed. The holder of the key has shown two logs: keep both checkpoints as proof. (After a restore from a backup, compare the entry ledger.epoch-opened.)`
        : `a published checkpoint (size ${finding.size}) was signed for another history than the newest one. The holder of the key has signed two logs: keep both as proof.`;
    case 'truncated':
      return `the log ends at size ${finding.size}, but ${finding.isKept ? 'you kept a checkpoint' : 'a checkpoint was published'} of size ${finding.knownSize}: ${finding.knownSize - finding.size} entries were cut off. Ask for the rest.`;
    case 'signature':
      return `${printable(finding.file)} cannot be trusted: ${printable(finding.why)}. Check that you use the right key; if it is right, the file was forged or damaged.`;
    case 'malformed': {
      const place = finding.index === null ? '' : ` (from entry ${finding.index})`;
      return `${printable(finding.file)}${place}: ${printable(finding.why)}. Copy the export again; if it stays so, the file was damaged or removed.`;
    }
    case 'sequence':
      return `entry ${finding.index}: ${printable(finding.why)}. It was logged so: the writer is at fault or lied; examine what surrounds it.`;
    case 'pruned':
      return `${range(finding.from, finding.to)} pruned; their hashes are there and were verified. Nothing to do.`;
  }
}

function range(from: number, to: number): string {
  return to - from === 1 ? `entry ${from} is` : `entries ${from} to ${to - 1} are`;
}

/** Text from a log for a terminal: control and formatting characters as escapes, at most 300 characters. */
export function printable(text: string): string {
  const short = text.length > 300 ? `${text.slice(0, 300)}…` : text;
  return short.replace(/[\p{C}\u2028\u2029]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}
