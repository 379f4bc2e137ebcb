// What a database is to the rest of the house: one writer (gather.ts), reads through Kysely, and the fence that this process
// holds. Two members: SQLite (sqlite.io.ts) and PostgreSQL (postgresql.io.ts), one conformance suite (test/conformance/database.ts).
import type { Kysely } from 'kysely';
import type { Log } from '../ledger/layout.ts';
import type { ControlEvent } from '../model/change.ts';
import type { Gatherer } from './gather.ts';
import type { HeadTable, Schema, Tables } from './schema.ts';

export interface Database extends Gatherer {
  readonly dialect: 'sqlite' | 'postgresql';
  /** Reads only. Rows as they were after some recent commit. */
  readonly read: Kysely<Schema>;
  /** Grows with every start on this database: the boot number of Instants, and what a late writer no longer holds. */
  readonly fence: number;
  readonly epoch: number;
  /** Sizes of the logs when this process opened them. */
  readonly startSizes: Readonly<Record<Log, number>>;
  /** Ends after what was accepted is written. */
  end(): Promise<void>;
}

/** Told when the process can no longer write: its fence was taken, its writer died. It must stop serving. */
export type OnLost = (why: string) => void;

/** What each member is opened with, beside where it is. */
export interface ServingOptions {
  readonly tables: Tables;
  readonly cutsOf: (event: ControlEvent) => string[];
  readonly committed: (events: readonly ControlEvent[], size: number) => void;
  readonly onLost: OnLost;
}

/** @param heads of both logs, once this process has taken its fence */
export function startOf(heads: readonly HeadTable[]): Pick<Database, 'fence' | 'epoch' | 'startSizes'> {
  const [first] = heads;
  const sizeOf = (log: Log): number => heads.find((head) => head.log === log)!.size;
  return { fence: first!.fence, epoch: first!.epoch, startSizes: { control: sizeOf('control'), use: sizeOf('use') } };
}
