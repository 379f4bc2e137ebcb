// The folded control log beside the tables: every image in order gives every row of every noun, history included, and what the database
// keeps beside a row follows from the row. Reads a database that nobody writes to.
import type { Kysely } from 'kysely';
import { type Schema, TABLE_OF } from '../../src/database/schema.ts';
import {
  applyEvent,
  type ControlEvent,
  emptyRows,
  NOUNS,
  type Row,
  type Rows,
  rowJson,
} from '../../src/model/change.ts';
import { canonicalJson } from '../../src/model/json.ts';
import { TABLES } from '../../src/tables.ts';

export interface Folded {
  readonly rows: Rows;
  readonly events: readonly ControlEvent[];
  /** Where an image does not follow its row, and where a table says something else. */
  readonly problems: readonly string[];
  /** Rows compared. */
  readonly compared: number;
}

/** Folds the control log of a database and compares it with all of its tables. */
export async function foldAndCompare(read: Kysely<Schema>): Promise<Folded> {
  const entries = await read.selectFrom('control_entries').select(['idx', 'entry']).orderBy('idx').execute();
  const rows = emptyRows();
  const events: ControlEvent[] = [];
  const problems: string[] = [];
  for (const { idx, entry } of entries) {
    if (idx !== events.length) problems.push(`control entry ${events.length} is missing`);
    const event = JSON.parse(entry) as ControlEvent;
    events.push(event);
    const complaint = applyEvent(rows, event);
    if (complaint !== null) problems.push(`control entry ${idx}: ${complaint}`);
  }
  let compared = 0;
  for (const noun of NOUNS) {
    const folded = new Map(rows.get(noun));
    const table = await read.selectFrom(TABLE_OF[noun]).selectAll().execute();
    for (const stored of table) {
      compared++;
      const row = folded.get(stored.id);
      folded.delete(stored.id);
      if (row === undefined) problems.push(`${noun} ${stored.id} is in its table and not in the log`);
      else problems.push(...differences(noun, row, stored));
    }
    for (const id of folded.keys()) problems.push(`${noun} ${id} is in the log and not in its table`);
  }
  return { rows, events, problems, compared };
}

function differences(noun: (typeof NOUNS)[number], row: Row, stored: Schema[(typeof TABLE_OF)[typeof noun]]): string[] {
  const spec = TABLES[noun];
  const expected = {
    row: canonicalJson(rowJson(row)),
    row_version: row.rowVersion,
    natural_key: spec.naturalKey(row as never),
    parent: spec.parent(row as never),
    live: spec.isLive(row as never) ? 1 : 0,
  };
  return (Object.keys(expected) as (keyof typeof expected)[])
    .filter((column) => expected[column] !== stored[column])
    .map((column) => `${noun} ${row.id}: the column ${column} is not what the log says`);
}
