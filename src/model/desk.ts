// What a room needs to change state: the rows as they are, a clock, randomness, and the way to write. Handed down by app.io.ts,
// so that a room's own functions stay free of any database.
import type { ControlWrite, Noun, Row, Rows } from './change.ts';
import type { Clock, Random } from './clock.ts';
import { Failure } from './failure.ts';

export interface Desk {
  /** The live rows: what is in force now. Never changed by hand. */
  readonly rows: Rows;
  readonly clock: Clock;
  readonly random: Random;
  /** Commits a write and moves the live state on before it resolves. Throws `conflict` or `unavailable`. */
  write(write: ControlWrite): Promise<{ readonly first: number; readonly size: number }>;
}

/** A live row by id, as the type its noun has. */
export function findRow<R extends Row>(rows: Rows, noun: Noun, id: string): R | null {
  return (rows.get(noun)?.get(id) as R | undefined) ?? null;
}

/** A live row that must be there. Throws `not-found`, naming the noun and not the rest. */
export function getRow<R extends Row>(rows: Rows, noun: Noun, id: string): R {
  const row = findRow<R>(rows, noun, id);
  if (row === null) throw new Failure('not-found', `there is no such ${noun}`);
  return row;
}

/** All live rows of a noun. */
export function allRows<R extends Row>(rows: Rows, noun: Noun): R[] {
  return [...(rows.get(noun)?.values() ?? [])] as R[];
}
