// The one writer's arithmetic: given what has gathered, which entries and tiles are appended, and which uses are stale. Pure but for
// its own in-memory state, which is thrown away and loaded again when a commit fails (all but the memory of what has ended). SQLite's worker and PostgreSQL's
// connection drive the same code.
//
// A use is stale when a control entry that cuts its access (a revocation, a suspension, an expiry set to now) was appended at or after
// the size of the control log that the use was decided on. It is then written as `refused`, reason `stale`: the ledger shows
// nothing admitted after a revocation, because this is the place where order is made.
import type { Log } from '../ledger/layout.ts';
import { appendLeaf, type Edge, edgeRoot, emptyEdge, type Hasher, type TileChange } from '../ledger/merkle.ts';
import { canonicalJson, type Json } from '../model/json.ts';
import type { ControlResult, Heads, Prepared, PreparedControl, PreparedUses, UsesResult } from './gather.ts';

/** A control event as the writer needs it: its canonical text in two parts, around the fields that the writer assigns. */
export interface ControlItem {
  /** `{"actor":…,"at":…,"detail":…,` */
  readonly head: string;
  /** `"rows":…,"type":…,` */
  readonly tail: string;
  /** Ids of credentials, versions, grants, principals and tokens whose use ends with this event. */
  readonly cuts: readonly string[];
}

export interface Appended {
  readonly log: Log;
  readonly index: number;
  readonly entry: string;
}

/** Which access has ended since this process started. */
export interface Ended {
  /** Index of the control entry that last cut each id. */
  readonly cuts: Map<string, number>;
  lastCut: number;
}

export function nothingEnded(): Ended {
  return { cuts: new Map(), lastCut: -1 };
}

/** Remembers what the events of a committed write have ended; `first` is the index of the first of them. */
export function rememberCuts(ended: Ended, items: readonly ControlItem[], first: number): void {
  for (const [i, item] of items.entries()) {
    for (const id of item.cuts) {
      ended.cuts.set(id, first + i);
      ended.lastCut = first + i;
    }
  }
}

export interface WriterState extends Ended {
  epoch: number;
  readonly edges: Record<Log, Edge>;
  readonly hasher: Hasher;
  /** What this transaction appends; taken by the caller with `takeGathered`. */
  entries: Appended[];
  tiles: (TileChange & { log: Log })[];
}

/**
 * @param ended what committed writes have ended: it is nowhere else, and a use that was decided before may come long after, because its
 * body had to come in first
 */
export function emptyWriterState(hasher: Hasher, epoch: number, ended: Ended = nothingEnded()): WriterState {
  const edges = { control: emptyEdge(), use: emptyEdge() };
  return { epoch, edges, cuts: new Map(ended.cuts), lastCut: ended.lastCut, hasher, entries: [], tiles: [] };
}

function append(state: WriterState, log: Log, entry: string): number {
  const edge = state.edges[log];
  const index = edge.size;
  appendLeaf(edge, state.hasher.leafOf(entry), state.hasher, (tile) => {
    state.tiles.push({ ...tile, log });
  });
  state.entries.push({ log, index, entry });
  return index;
}

/** Appends a control event and remembers what it cuts. Returns its index. */
export function appendControl(state: WriterState, item: ControlItem): number {
  const entry = `${item.head}"epoch":${state.epoch},${item.tail}"uses":${state.edges.use.size},"v":1}`;
  const index = append(state, 'control', entry);
  rememberCuts(state, [item], index);
  return index;
}

/** A use that was decided on the first `asOf` control entries. */
export interface UseItem {
  readonly entry: string;
  readonly asOf: number;
}

/** Appends a use, or its refusal where it is stale. Returns the index; `stale` says which it was. */
export function appendUse(state: WriterState, use: UseItem): { index: number; stale: boolean } {
  if (use.asOf > state.lastCut) return { index: append(state, 'use', use.entry), stale: false };
  const leaf = JSON.parse(use.entry) as Record<string, Json>;
  const stale = ['credential', 'version', 'grant', 'principal', 'token'].some((field) => {
    const id = leaf[field];
    return typeof id === 'string' && (state.cuts.get(id) ?? -1) >= use.asOf;
  });
  if (!stale || leaf['kind'] !== 'use') return { index: append(state, 'use', use.entry), stale: false };
  const refused = canonicalJson({ ...leaf, kind: 'refused', reason: 'stale' });
  return { index: append(state, 'use', refused), stale: true };
}

/** Appends the events of a write whose rows are in place. */
export function appendWrite(state: WriterState, { items }: PreparedControl): ControlResult {
  const first = state.edges.control.size;
  for (const item of items) appendControl(state, item);
  return { is: 'written', first, size: state.edges.control.size, heads: null };
}

export function appendUses(state: WriterState, { uses }: PreparedUses): UsesResult {
  const first = state.edges.use.size;
  const stale: number[] = [];
  for (const [position, use] of uses.entries()) {
    if (appendUse(state, use).stale) stale.push(position);
  }
  return { is: 'appended', first, stale };
}

/** What has gathered for this transaction; the lists start afresh. */
export function takeGathered(state: WriterState): { entries: Appended[]; tiles: (TileChange & { log: Log })[] } {
  const gathered = { entries: state.entries, tiles: state.tiles };
  state.entries = [];
  state.tiles = [];
  return gathered;
}

export interface LogHead {
  readonly size: number;
  readonly root: Uint8Array;
}

export function headOf(state: WriterState, log: Log): LogHead {
  return { size: state.edges[log].size, root: edgeRoot(state.edges[log], state.hasher) };
}

/**
 * What is left to do when a commit is durable: `ended` learns what its writes have ended, and whoever wants the heads gets them. Returns the
 * results, one for each item.
 */
export function concludeCommit(
  state: WriterState,
  ended: Ended,
  items: readonly Prepared[],
  results: (ControlResult | UsesResult)[],
): (ControlResult | UsesResult)[] {
  for (const [i, item] of items.entries()) {
    const result = results[i]!;
    if (item.kind === 'control' && result.is === 'written') rememberCuts(ended, item.items, result.first);
  }
  if (!items.some((item) => item.kind === 'control' && item.heads)) return results;
  const heads: Heads = { control: headOf(state, 'control'), use: headOf(state, 'use') };
  return results.map((result, i) => {
    const item = items[i]!;
    return result.is === 'written' && item.kind === 'control' && item.heads ? { ...result, heads } : result;
  });
}
