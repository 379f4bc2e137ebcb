// Decides what the evidence of a scan means. The largest checkpoint that any of the trees agrees with settles who is right
// below it: a Merkle root commits to every leaf. What disagrees with that tree was changed; a checkpoint that disagrees with it
// belongs to another history; beyond it, entries and hashes were both rewritten.
import type { Segment } from './alignment.ts';
import { explainSegments, joinNeighbours } from './explain.ts';
import type { Finding } from './findings.ts';
import type { Evidence } from './scan.ts';
import { TILE_WIDTH } from './tiles.ts';
import { type Dispute, type JudgedAnchor, SOURCES, type Source } from './trees.ts';

export type KeptVerdict = 'absent' | 'consistent' | 'inconsistent' | 'unchecked';

export interface Verdict {
  readonly findings: readonly Finding[];
  readonly kept: KeptVerdict;
}

export function judgeEvidence(evidence: Evidence, options: { size: number; keptSize: number | null }): Verdict {
  const { source, upTo } = authority(evidence.anchors);
  const findings: Finding[] = [];

  const settled = new Set<number>();
  const rewritten = new Set<number>();
  for (const dispute of evidence.disputes) {
    if (source === null || dispute.tile * TILE_WIDTH >= upTo) continue;
    const judgement = judgeTile(dispute, source, options.size);
    if (judgement === null) continue;
    settled.add(dispute.tile);
    if (judgement === 'tile-changed') findings.push({ kind: 'tile-changed', level: 0, tile: dispute.tile });
    else rewritten.add(dispute.tile);
  }
  findings.push(...rewrittenTiles(rewritten));

  const isUnknowable = (size: number) => size % TILE_WIDTH !== 0 && rewritten.has(Math.floor(size / TILE_WIDTH));
  const disagreeing = evidence.anchors.filter((anchor) => !agrees(anchor, source) && !isUnknowable(anchor.size));
  for (const { size, isKept } of disagreeing) if (size <= upTo) findings.push({ kind: 'forked', size, isKept });
  const beyond = disagreeing.filter((anchor) => anchor.size > upTo);
  if (beyond.length > 0) {
    const upToSize = beyond.reduce((least, anchor) => Math.min(least, anchor.size), Number.POSITIVE_INFINITY);
    findings.push({ kind: 'history-rewritten', afterSize: Math.max(0, upTo), upToSize });
  } else {
    for (const { level, tile } of evidence.differences[treeOf(source)]) {
      findings.push({ kind: 'tile-changed', level, tile });
    }
  }

  const entries = explainSegments(withoutSurplus(evidence, options.size), (tile) => settled.has(tile));
  for (const [from, to] of evidence.missing) entries.push({ kind: 'entries-missing', from, to });
  for (const run of evidence.changedRuns) {
    if (!settled.has(Math.floor(run.index / TILE_WIDTH))) entries.push({ kind: 'entry-changed', ...run });
  }
  findings.push(...joinNeighbours(entries));
  if (evidence.pruned !== null) findings.push({ kind: 'pruned', from: evidence.pruned[0], to: evidence.pruned[1] });

  return { findings, kept: judgeKept(evidence.anchors, source, options.keptSize) };
}

/** The largest size at which a signed root was reached (-1 for none), and the source that reached it. */
function authority(anchors: readonly JudgedAnchor[]): { source: Source | null; upTo: number } {
  let largest: JudgedAnchor | null = null;
  for (const anchor of anchors) {
    if (anchor.matches.size > 0 && anchor.size > (largest?.size ?? -1)) largest = anchor;
  }
  const source = SOURCES.find((candidate) => largest?.matches.has(candidate)) ?? null;
  return { source, upTo: largest?.size ?? -1 };
}

function agrees(anchor: JudgedAnchor, source: Source | null): boolean {
  if (source === null) return false;
  if (anchor.matches.has(source)) return true;
  // The two differ in a partial tile only, and which tile is partial differs between checkpoints.
  return source.startsWith('above') && (anchor.matches.has('above') || anchor.matches.has('aboveEntries'));
}

function treeOf(source: Source | null): 'tiles' | 'above' | 'entries' {
  if (source === null) return 'tiles';
  return source === 'aboveEntries' ? 'above' : source;
}

/** What is wrong with a level-0 tile in dispute; null where the tile is right (and its entries, if any, are wrong). */
function judgeTile(dispute: Dispute, source: Source, size: number): 'tile-changed' | 'rewritten' | null {
  if (source === 'tiles') return null;
  if (source === 'entries') return dispute.isTileAsEntries ? null : 'tile-changed';
  const isPartial = (dispute.tile + 1) * TILE_WIDTH > size;
  if (isPartial) return source === 'aboveEntries' ? 'tile-changed' : null;
  if (dispute.isTileAsAbove) return null;
  return dispute.isEntriesAsAbove ? 'tile-changed' : 'rewritten';
}

function rewrittenTiles(tiles: ReadonlySet<number>): Finding[] {
  const intervals: { afterSize: number; upToSize: number }[] = [];
  for (const tile of [...tiles].sort((a, b) => a - b)) {
    const last = intervals.at(-1);
    const from = tile * TILE_WIDTH;
    if (last?.upToSize === from) last.upToSize = from + TILE_WIDTH;
    else intervals.push({ afterSize: from, upToSize: from + TILE_WIDTH });
  }
  return intervals.map((interval) => ({ kind: 'history-rewritten', ...interval }));
}

/** Entries behind the verified size are no finding where the last bundle was written for a larger tree. */
function withoutSurplus({ segments, surplus }: Evidence, size: number): readonly Segment[] {
  const last = segments.at(-1);
  if (last === undefined || last.index + last.expected.length !== size) return segments;
  const extra = Math.min(surplus, Math.max(0, last.found.length - last.expected.length));
  if (extra === 0) return segments;
  const found = last.found.slice(0, last.found.length - extra);
  const rest = segments.slice(0, -1);
  return found.length === 0 && last.expected.length === 0 ? rest : [...rest, { ...last, found }];
}

function judgeKept(anchors: readonly JudgedAnchor[], source: Source | null, keptSize: number | null): KeptVerdict {
  if (keptSize === null) return 'absent';
  const kept = anchors.find((anchor) => anchor.isKept);
  if (kept === undefined) return 'unchecked';
  return agrees(kept, source) ? 'consistent' : 'inconsistent';
}
