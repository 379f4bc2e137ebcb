// Compares the entries that are there with the hashes that should be there, where the two differ: which entries were changed,
// dropped, added or moved. Both sides are sequences of leaf hashes that arrive in pieces; what is pending is bounded.
// It does not judge which side is right: that is verdict.ts.
//
// While both heads are equal they are consumed. At a difference the nearest place is searched where the two agree again; what
// lies between is one segment. At the end the segments explain each other: a hash that was taken away here and appears there
// was moved.
import { HASH_BYTES } from './merkle.ts';

/** A place where the sides differ: `expected` hashes (from the tiles) stand where `found` ones (of the entries) are. */
export interface Segment {
  /** Index in the log of the first expected hash. */
  readonly index: number;
  readonly expected: readonly string[];
  readonly found: readonly string[];
}

/** Consecutive entries that differ from their hashes, where there were too many differences to explain them. */
export interface ChangedRun {
  readonly index: number;
  count: number;
}

export interface Alignment {
  /** Whether both sides have been consumed to the same index: then equal pieces may be passed over with `skip`. */
  isLevel(): boolean;
  skip(count: number): void;
  /** Whether entries were fed that have not met their hashes yet. */
  isFoundPending(): boolean;
  /** Concatenated leaf hashes, any number of each. */
  feed(found: Uint8Array, expected: Uint8Array): void;
  /** Ends what is pending and goes on at `index`: where entries are missing altogether, or at the end. */
  restart(index: number): void;
  segments(): readonly Segment[];
  changedRuns(): readonly ChangedRun[];
}

// An entry, or a run of up to this many entries, that was dropped or added is recognised as such.
const WINDOW = 8192;
// Within this distance the nearest agreement is searched exactly; beyond it, the first one.
const NEAR = 32;
// One side may run ahead of the other by this much, where bundles hold more or fewer entries than they should.
const PENDING_MAX = 4 * WINDOW;
// Hashes kept in segments (about 100 bytes each). Beyond, differences are only counted.
const HASHES_MAX = 65_536;
const RUNS_MAX = 1000;

export function createAlignment(): Alignment {
  let index = 0;
  let found: string[] = [];
  let expected: string[] = [];
  let foundHead = 0;
  let expectedHead = 0;
  let hashesKept = 0;
  const segments: Segment[] = [];
  const runs: ChangedRun[] = [];

  function advance(isFinal: boolean): void {
    for (;;) {
      while (
        foundHead < found.length &&
        expectedHead < expected.length &&
        found[foundHead] === expected[expectedHead]
      ) {
        foundHead++;
        expectedHead++;
        index++;
      }
      const foundLeft = found.length - foundHead;
      const expectedLeft = expected.length - expectedHead;
      if (foundLeft === 0 && expectedLeft === 0) break;
      const isWaiting = Math.min(foundLeft, expectedLeft) < WINDOW && Math.max(foundLeft, expectedLeft) < PENDING_MAX;
      if (isWaiting && !isFinal) break;
      const [foundSkip, expectedSkip] = agreement(
        found.slice(foundHead, foundHead + WINDOW),
        expected.slice(expectedHead, expectedHead + WINDOW),
      );
      record(found.slice(foundHead, foundHead + foundSkip), expected.slice(expectedHead, expectedHead + expectedSkip));
      foundHead += foundSkip;
      expectedHead += expectedSkip;
      index += expectedSkip;
    }
    found = found.slice(foundHead);
    expected = expected.slice(expectedHead);
    foundHead = 0;
    expectedHead = 0;
  }

  function record(foundPart: string[], expectedPart: string[]): void {
    const kept = foundPart.length + expectedPart.length;
    if (hashesKept + kept <= HASHES_MAX) {
      hashesKept += kept;
      segments.push({ index, expected: expectedPart, found: foundPart });
      return;
    }
    const last = runs.at(-1);
    if (last !== undefined && last.index + last.count === index) last.count += expectedPart.length;
    else if (runs.length < RUNS_MAX && expectedPart.length > 0) runs.push({ index, count: expectedPart.length });
  }

  return {
    isLevel: () => found.length === 0 && expected.length === 0,
    isFoundPending: () => found.length > 0,
    skip(count) {
      index += count;
    },
    feed(foundHashes, expectedHashes) {
      pushHashes(found, foundHashes);
      pushHashes(expected, expectedHashes);
      advance(false);
    },
    restart(next) {
      advance(true);
      index = next;
    },
    segments: () => segments,
    changedRuns: () => runs,
  };
}

/** How many of each side to pass over so that the next two agree; all of both where they do not agree within the window. */
function agreement(found: readonly string[], expected: readonly string[]): [number, number] {
  for (let distance = 1; distance <= NEAR; distance++) {
    // From the middle outwards: among equally near agreements, a change in place is the simplest explanation.
    for (const foundSkip of fromMiddle(distance)) {
      const expectedSkip = distance - foundSkip;
      if (foundSkip < found.length && expectedSkip < expected.length && found[foundSkip] === expected[expectedSkip]) {
        return [foundSkip, expectedSkip];
      }
    }
  }
  const positions = new Map<string, number>();
  for (let i = expected.length - 1; i >= 0; i--) positions.set(expected[i]!, i);
  let best: [number, number] = [found.length, expected.length];
  for (let i = 0; i < found.length && i < best[0] + best[1]; i++) {
    const position = positions.get(found[i]!);
    if (position !== undefined && i + position < best[0] + best[1]) best = [i, position];
  }
  return best;
}

function* fromMiddle(distance: number): Generator<number> {
  const middle = Math.floor(distance / 2);
  for (let offset = 0; offset <= middle + 1; offset++) {
    if (middle - offset >= 0) yield middle - offset;
    if (offset > 0 && middle + offset <= distance) yield middle + offset;
  }
}

// A hash as a string of 32 code units: a key for maps, and compared by value.
function pushHashes(to: string[], hashes: Uint8Array): void {
  for (let i = 0; i < hashes.length; i += HASH_BYTES) {
    to.push(String.fromCharCode(...hashes.subarray(i, i + HASH_BYTES)));
  }
}
