// Gathers what is to be written while a commit is under way, and sends it as the next one: group commit without a timer. The
// order in which things are offered is the order in which they stand in the logs.

import { ENTRY_BYTES_MAX } from '../ledger/layout.ts';
import type { Blob, ControlEvent, ControlWrite, Noun } from '../model/change.ts';
import { rowJson } from '../model/change.ts';
import { Failure } from '../model/failure.ts';
import { canonicalJson } from '../model/json.ts';
import type { ControlItem, LogHead, UseItem } from './append.ts';
import { TABLE_OF, type Tables } from './schema.ts';

/** A row as it goes into its table. `rowVersion` 1 is an insert, any other replaces its predecessor or conflicts. */
export interface RowWrite {
  readonly noun: Noun;
  readonly table: string;
  readonly id: string;
  readonly rowVersion: number;
  readonly naturalKey: string | null;
  readonly parent: string | null;
  readonly live: number;
  readonly row: string;
}

/** One control write, ready for the database. */
export interface PreparedControl {
  readonly kind: 'control';
  readonly items: readonly ControlItem[];
  readonly rows: readonly RowWrite[];
  readonly blobs: readonly Blob[];
  /** Whether the heads of both logs are wanted back, to sign a checkpoint. */
  readonly heads: boolean;
}

export interface PreparedUses {
  readonly kind: 'uses';
  readonly uses: UseItem[];
}

export type Prepared = PreparedControl | PreparedUses;

/** Items on their way to another thread: the entries of uses are one text, which is copied at once instead of one by one. */
export type Packed = PreparedControl | { readonly kind: 'packed'; readonly entries: string; readonly asOf: number[] };

/** Entries are canonical JSON, in which no line ends: a line end tells them apart. */
export function pack(items: readonly Prepared[]): Packed[] {
  return items.map((item) => {
    if (item.kind === 'control') return item;
    return {
      kind: 'packed',
      entries: item.uses.map((use) => use.entry).join('\n'),
      asOf: item.uses.map((use) => use.asOf),
    };
  });
}

export function unpack(items: readonly Packed[]): Prepared[] {
  return items.map((item) => {
    if (item.kind === 'control') return item;
    const entries = item.entries.split('\n');
    return { kind: 'uses', uses: item.asOf.map((asOf, i) => ({ entry: entries[i]!, asOf })) };
  });
}

export interface Heads {
  readonly control: LogHead;
  readonly use: LogHead;
}

export type ControlResult =
  | { readonly is: 'written'; readonly first: number; readonly size: number; readonly heads: Heads | null }
  | { readonly is: 'conflict'; readonly noun: Noun; readonly id: string; readonly why: 'version' | 'key' };

export interface UsesResult {
  readonly is: 'appended';
  /** Index of the first; the others follow. */
  readonly first: number;
  /** Positions, within the item, of uses that were refused as stale. */
  readonly stale: readonly number[];
}

/** What a commit answers: one result for each item, in order. Rejects when nothing of it was committed, or when nobody can know. */
export type Commit = (items: readonly Prepared[]) => Promise<readonly (ControlResult | UsesResult)[]>;

/** Called with the use's index, or one of the negative codes. Never throws. */
export type Admitted = (index: number) => void;
export const STALE = -1;
export const UNWRITTEN = -2;

/** More uses than this waiting for the disk, and further ones are refused (503). */
const WAITING_USES_MAX = 16_384;
/** The writer adds epoch, uses and version to a control entry. */
const ASSIGNED_BYTES_MAX = 96;

export interface Written {
  /** Index of the write's first event in the control log. */
  readonly first: number;
  /** Size of the control log after it. */
  readonly size: number;
  readonly heads: Heads | null;
}

export interface Gatherer {
  /** Commits events with their rows. Throws `conflict` where a row is not the expected one or a natural key is taken, `unavailable` where the database cannot write. */
  write(write: ControlWrite): Promise<Written>;
  /** Appends a use. `done` is called once it is durable, stale, or certainly not to be served. */
  admit(entry: string, asOf: number, done: Admitted): void;
  /** The heads of both logs after everything offered so far. */
  heads(): Promise<Heads>;
  /** Resolves when nothing is waiting or under way. */
  idle(): Promise<void>;
  /** Refuses everything from now on. */
  close(why: string): void;
}

/** Prepares a control write. Throws `invalid` for an entry that is too large or text that may not be stored. */
export function prepareControl(
  write: ControlWrite,
  tables: Tables,
  cutsOf: (event: ControlEvent) => string[],
): PreparedControl {
  const items: ControlItem[] = [];
  const rows: RowWrite[] = [];
  for (const event of write.events) {
    const head = canonicalJson({ actor: event.actor, at: event.at, detail: event.detail });
    const images = event.rows.map(({ noun, row }) => ({ noun, row: rowJson(row) }));
    const tail = canonicalJson({ rows: images, type: event.type });
    if (Buffer.byteLength(head) + Buffer.byteLength(tail) + ASSIGNED_BYTES_MAX > ENTRY_BYTES_MAX) {
      throw new Failure('invalid', 'the change is too large for one entry of the ledger (65,535 bytes)');
    }
    items.push({ head: `${head.slice(0, -1)},`, tail: `${tail.slice(1, -1)},`, cuts: cutsOf(event) });
    for (const { noun, row } of event.rows) {
      const spec = tables[noun];
      rows.push({
        noun,
        table: TABLE_OF[noun],
        id: row.id,
        rowVersion: row.rowVersion,
        naturalKey: spec.naturalKey(row as never),
        parent: spec.parent(row as never),
        live: spec.isLive(row as never) ? 1 : 0,
        row: canonicalJson(rowJson(row)),
      });
    }
  }
  return { kind: 'control', items, rows, blobs: write.blobs ?? [], heads: write.checkpoint ?? false };
}

interface Waiting {
  readonly item: Prepared;
  readonly dones: Admitted[];
  readonly settle: ((result: ControlResult | Failure) => void) | null;
}

/**
 * @param commit writes a list of items in one transaction
 * @param committed called after a control write is durable and before its promise resolves: the live snapshot follows here
 * @param schedule runs a function soon, after the present turn's other work (setImmediate)
 */
export function createGatherer(options: {
  commit: Commit;
  tables: Tables;
  cutsOf: (event: ControlEvent) => string[];
  committed: (events: readonly ControlEvent[], size: number) => void;
  schedule: (run: () => void) => void;
}): Gatherer {
  let waiting: Waiting[] = [];
  let waitingUses = 0;
  let busy = false;
  let scheduled = false;
  let closed: string | null = null;
  let idlers: (() => void)[] = [];

  function kick(): void {
    if (busy || scheduled || waiting.length === 0) return;
    scheduled = true;
    options.schedule(() => {
      scheduled = false;
      void flush();
    });
  }

  async function flush(): Promise<void> {
    if (busy || waiting.length === 0) return;
    busy = true;
    const batch = waiting;
    waiting = [];
    waitingUses = 0;
    let results: readonly (ControlResult | UsesResult)[] | null = null;
    let failure: Failure | null = null;
    try {
      // The writer may be gone: what still waits would wait for ever.
      if (closed !== null) throw new Failure('unavailable', closed);
      results = await options.commit(batch.map((entry) => entry.item));
    } catch (cause) {
      failure = Failure.is(cause) ? cause : new Failure('unavailable', 'the database cannot write', { cause });
    }
    busy = false;
    settleAll(batch, results, failure);
    if (waiting.length > 0) void flush();
    else {
      const resolved = idlers;
      idlers = [];
      for (const resolve of resolved) resolve();
    }
  }

  function settleAll(
    batch: readonly Waiting[],
    results: readonly (ControlResult | UsesResult)[] | null,
    failure: Failure | null,
  ): void {
    for (const [i, entry] of batch.entries()) {
      const result = results?.[i];
      if (entry.settle !== null) {
        if (result === undefined || result.is === 'appended')
          entry.settle(failure ?? new Failure('unavailable', 'no answer'));
        else entry.settle(result);
        continue;
      }
      if (result === undefined || result.is !== 'appended') {
        for (const done of entry.dones) done(UNWRITTEN);
        continue;
      }
      const stale = result.stale.length > 0 ? new Set(result.stale) : null;
      for (const [position, done] of entry.dones.entries()) {
        done(stale?.has(position) ? STALE : result.first + position);
      }
    }
  }

  function offerControl(item: PreparedControl): Promise<ControlResult> {
    if (closed !== null) return Promise.reject(new Failure('unavailable', closed));
    return new Promise((resolve, reject) => {
      waiting.push({
        item,
        dones: [],
        settle: (result) => (result instanceof Failure ? reject(result) : resolve(result)),
      });
      kick();
    });
  }

  return {
    async write(write) {
      const prepared = prepareControl(write, options.tables, options.cutsOf);
      const result = await offerControl(prepared);
      if (result.is === 'conflict') {
        const why = result.why === 'key' ? 'the name is taken' : 'it was changed meanwhile';
        throw new Failure('conflict', `${result.noun} ${result.id}: ${why}`);
      }
      options.committed(write.events, result.size);
      return { first: result.first, size: result.size, heads: result.heads };
    },
    admit(entry, asOf, done) {
      if (closed !== null || waitingUses >= WAITING_USES_MAX) {
        done(UNWRITTEN);
        return;
      }
      waitingUses++;
      const last = waiting[waiting.length - 1];
      if (last !== undefined && last.item.kind === 'uses') {
        last.item.uses.push({ entry, asOf });
        last.dones.push(done);
      } else {
        waiting.push({ item: { kind: 'uses', uses: [{ entry, asOf }] }, dones: [done], settle: null });
      }
      kick();
    },
    async heads() {
      const result = await offerControl({ kind: 'control', items: [], rows: [], blobs: [], heads: true });
      if (result.is === 'conflict' || result.heads === null)
        throw new Failure('unavailable', 'the ledger has no heads');
      return result.heads;
    },
    idle() {
      if (!busy && waiting.length === 0) return Promise.resolve();
      return new Promise((resolve) => idlers.push(resolve));
    },
    close(why) {
      closed = why;
    },
  };
}
