// Turns the segments of an alignment into findings: what was moved, changed, dropped or added. A hash that is expected in one
// segment and found in another was moved; segments that share moved hashes are one reordering.
import type { Segment } from './alignment.ts';
import type { Finding } from './findings.ts';
import { TILE_WIDTH } from './tiles.ts';

/** Findings for the segments, in no particular order. `isSettled`: the tile was judged otherwise, its segments are left out. */
export function explainSegments(segments: readonly Segment[], isSettled: (tile: number) => boolean): Finding[] {
  const open = segments.flatMap(splitAtTiles).filter((segment) => !isSettled(Math.floor(segment.index / TILE_WIDTH)));
  const moves = findMoves(open);
  const findings: Finding[] = reorderings(open, moves);
  for (const [number, segment] of open.entries()) {
    findings.push(...leftOver(segment, moves.expected[number]!, moves.found[number]!));
  }
  return findings;
}

/** Segments in which as many were found as expected are differences in place: one for each tile, so that tiles are judged apart. */
function splitAtTiles(segment: Segment): Segment[] {
  if (segment.expected.length !== segment.found.length) return [segment];
  const parts: Segment[] = [];
  let from = 0;
  while (from < segment.expected.length) {
    const index = segment.index + from;
    const to = Math.min(segment.expected.length, from + TILE_WIDTH - (index % TILE_WIDTH));
    parts.push({ index, expected: segment.expected.slice(from, to), found: segment.found.slice(from, to) });
    from = to;
  }
  return parts;
}

interface Moves {
  /** For each segment, the offsets of expected and of found hashes that were moved. */
  readonly expected: Set<number>[];
  readonly found: Set<number>[];
  /** Pairs of segment numbers between which a hash moved. */
  readonly links: [number, number][];
}

function findMoves(segments: readonly Segment[]): Moves {
  const places = new Map<string, [number, number][]>();
  for (const [number, segment] of segments.entries()) {
    for (const [offset, hash] of segment.expected.entries()) {
      const list = places.get(hash);
      if (list === undefined) places.set(hash, [[number, offset]]);
      else list.push([number, offset]);
    }
  }
  const moves: Moves = {
    expected: segments.map(() => new Set()),
    found: segments.map(() => new Set()),
    links: [],
  };
  for (const [number, segment] of segments.entries()) {
    for (const [offset, hash] of segment.found.entries()) {
      const origin = places.get(hash)?.shift();
      if (origin === undefined) continue;
      moves.expected[origin[0]]!.add(origin[1]);
      moves.found[number]!.add(offset);
      moves.links.push([origin[0], number]);
    }
  }
  return moves;
}

/** One finding for each group of segments that exchanged entries. */
function reorderings(segments: readonly Segment[], moves: Moves): Finding[] {
  const group = segments.map((_, number) => number);
  function rootOf(number: number): number {
    let root = number;
    while (group[root] !== root) root = group[root]!;
    group[number] = root;
    return root;
  }
  for (const [a, b] of moves.links) group[Math.max(rootOf(a), rootOf(b))] = Math.min(rootOf(a), rootOf(b));

  const spans = new Map<number, { first: number; last: number }>();
  for (const [number, segment] of segments.entries()) {
    if (moves.expected[number]!.size === 0 && moves.found[number]!.size === 0) continue;
    const offsets = [...moves.expected[number]!];
    const first = segment.index + (offsets.length > 0 && moves.found[number]!.size === 0 ? Math.min(...offsets) : 0);
    const last = segment.index + Math.max(0, ...offsets);
    const span = spans.get(rootOf(number));
    if (span === undefined) spans.set(rootOf(number), { first, last });
    else {
      span.first = Math.min(span.first, first);
      span.last = Math.max(span.last, last);
    }
  }
  return [...spans.values()].map((span) => ({ kind: 'entries-reordered', ...span }));
}

/** What is neither moved here nor from here: pairs are changes in place, the rest was dropped or added. */
function leftOver(segment: Segment, movedAway: Set<number>, movedHere: Set<number>): Finding[] {
  const gone = segment.expected.map((_, offset) => offset).filter((offset) => !movedAway.has(offset));
  const added = segment.found.length - movedHere.size;
  const changed = gone.slice(0, added);
  const missing = gone.slice(added);
  const findings: Finding[] = [
    ...runs(changed).map(
      ([from, to]): Finding => ({ kind: 'entry-changed', index: segment.index + from, count: to - from }),
    ),
    ...runs(missing).map(
      ([from, to]): Finding => ({ kind: 'entries-missing', from: segment.index + from, to: segment.index + to }),
    ),
  ];
  if (added > gone.length) {
    const index = segment.index + segment.expected.length;
    findings.push({ kind: 'entries-inserted', index, count: added - gone.length });
  }
  return findings;
}

/** Ascending offsets as half-open runs. */
function runs(offsets: readonly number[]): [number, number][] {
  const result: [number, number][] = [];
  for (const offset of offsets) {
    const last = result.at(-1);
    if (last !== undefined && last[1] === offset) last[1] = offset + 1;
    else result.push([offset, offset + 1]);
  }
  return result;
}

/** Joins neighbouring intervals of missing and of changed entries. */
export function joinNeighbours(findings: readonly Finding[]): Finding[] {
  const others: Finding[] = [];
  const missing: { from: number; to: number }[] = [];
  const changed: { from: number; to: number }[] = [];
  for (const finding of findings) {
    if (finding.kind === 'entries-missing') missing.push({ from: finding.from, to: finding.to });
    else if (finding.kind === 'entry-changed') changed.push({ from: finding.index, to: finding.index + finding.count });
    else others.push(finding);
  }
  return [
    ...others,
    ...joined(missing).map((interval): Finding => ({ kind: 'entries-missing', ...interval })),
    ...joined(changed).map(({ from, to }): Finding => ({ kind: 'entry-changed', index: from, count: to - from })),
  ];
}

function joined(intervals: { from: number; to: number }[]): { from: number; to: number }[] {
  const result: { from: number; to: number }[] = [];
  for (const interval of intervals.sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last !== undefined && interval.from <= last.to) last.to = Math.max(last.to, interval.to);
    else result.push({ ...interval });
  }
  return result;
}
