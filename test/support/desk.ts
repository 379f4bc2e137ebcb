// A desk over rows in memory, for tests of rules that need no database: the same images, the same guards on row versions and natural keys,
// and what is history leaves the live rows.
import {
  applyEvent,
  type ControlEvent,
  type ControlWrite,
  emptyRows,
  type Noun,
  type Row,
} from '../../src/model/change.ts';
import type { Clock, Random } from '../../src/model/clock.ts';
import type { Desk } from '../../src/model/desk.ts';
import { Failure } from '../../src/model/failure.ts';
import type { Caller } from '../../src/model/route.ts';
import { TABLES } from '../../src/tables.ts';

export interface MemoryDesk extends Desk {
  readonly writes: readonly ControlWrite[];
  readonly events: readonly ControlEvent[];
  /** Puts rows there without an event. */
  furnish(noun: Noun, ...rows: readonly Row[]): void;
  /** Moves the clock on. */
  advance(ms: number): void;
}

export function memoryDesk(start = Date.UTC(2026, 10, 21)): MemoryDesk {
  let now = start;
  let counter = 0;
  const clock: Clock = { now: () => now, monotonic: () => now - start };
  const random: Random = {
    bytes(length) {
      counter++;
      return Uint8Array.from({ length }, (_, i) => (counter * 31 + i * 7 + (counter >> 8)) & 0xff);
    },
  };
  /** Everything that was ever written: the tables. The live rows are a part of it. */
  const tables = emptyRows();
  const rows = emptyRows();
  const writes: ControlWrite[] = [];

  function settle(noun: Noun, row: Row): void {
    tables.get(noun)!.set(row.id, row);
    if (TABLES[noun].isLive(row as never)) rows.get(noun)!.set(row.id, row);
    else rows.get(noun)!.delete(row.id);
  }

  function demandFreeKeys(noun: Noun, row: Row): void {
    const key = TABLES[noun].naturalKey(row as never);
    if (key === null) return;
    for (const other of tables.get(noun)!.values()) {
      if (other.id !== row.id && TABLES[noun].naturalKey(other as never) === key) {
        throw new Failure('conflict', `${noun} ${row.id}: the name is taken`);
      }
    }
  }

  return {
    rows,
    clock,
    random,
    writes,
    get events() {
      return writes.flatMap((write) => [...write.events]);
    },
    async write(write) {
      // A commit takes its time: others act meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
      // Decided on a copy, as a transaction is.
      const copy = new Map([...tables].map(([noun, table]) => [noun, new Map(table)]));
      for (const event of write.events) {
        const complaint = applyEvent(copy, event);
        if (complaint !== null) throw new Failure('conflict', `${complaint}: it was changed meanwhile`);
        for (const { noun, row } of event.rows) demandFreeKeys(noun, row);
      }
      for (const { noun, row } of write.events.flatMap((event) => event.rows)) settle(noun, row);
      writes.push(write);
      return { first: 0, size: writes.length };
    },
    furnish(noun, ...given) {
      for (const row of given) settle(noun, row);
    },
    advance(ms) {
      now += ms;
    },
  };
}

/** A caller with these permissions. */
export function callerOf(principalId: string, permissions: Iterable<string>, tokenId = 'tok_none'): Caller {
  return { principalId, tokenId, permissions: new Set(permissions) };
}
