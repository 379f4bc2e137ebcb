// How state changes. A control event carries the new images of the rows that it changes; folding the images of all events in
// order gives the tables. Because the tables are written from the same images (database/), "the folded control log equals
// the tables" holds by construction and is tested all the same. No image ever holds a secret or its ciphertext.
//
//   event = { v, at, actor, type, rows: [{ noun, row }], detail }
//
// `row.rowVersion` starts at 1 and grows by one with each image of the same id: the database refuses an image whose
// predecessor is not there, which is the guard against two writers and the If-Match of the API in one.
import type { UtcMs } from './clock.ts';
import type { Json, JsonObject } from './json.ts';

/** The kinds of rows. One table each; the table is declared by the room that owns the noun (its tables.ts). */
export const NOUNS = [
  'principal',
  'token',
  'grant',
  'credential',
  'version',
  'rotation',
  'revocation',
  'certificate',
  'finding',
  'kek',
  'setting',
  'catalogue',
] as const;
export type Noun = (typeof NOUNS)[number];

/** What every row has. The other columns belong to the room that owns the noun. */
export interface Row {
  readonly id: string;
  readonly rowVersion: number;
}

export interface RowImage<R extends Row = Row> {
  readonly noun: Noun;
  readonly row: R;
}

/** Who acted: a principal's id, or `system:<part>` for what Claviger does by itself. */
export type Actor = string;

export interface ControlEvent {
  readonly v: 1;
  readonly at: UtcMs;
  readonly actor: Actor;
  /** `noun.verbed`, past tense: `version.promoted`. */
  readonly type: string;
  readonly rows: readonly RowImage[];
  /** What the rows do not say: reasons, evidence, ids of requests. Never a secret. */
  readonly detail: JsonObject;
}

/** A control write: its events commit together or not at all, with the secret-bearing records that belong to them. */
export interface ControlWrite {
  readonly events: readonly ControlEvent[];
  /** Ciphertext and other bytes that the log must not hold, written in the same commit. */
  readonly blobs?: readonly Blob[];
  /** Flush a signed checkpoint that contains these events before the write is acknowledged: the step after it cannot be undone. */
  readonly checkpoint?: boolean;
}

/** A record beside the rows: an envelope, a wrapped key. `value: null` deletes it. */
export interface Blob {
  readonly kind: 'envelope' | 'wrap' | 'idempotency';
  readonly id: string;
  readonly value: Uint8Array | null;
}

/** All rows by noun and id: what a fold of the control log gives, and what the live snapshot is made from. */
export type Rows = Map<Noun, Map<string, Row>>;

export function emptyRows(): Rows {
  return new Map(NOUNS.map((noun) => [noun, new Map<string, Row>()]));
}

/** Applies one event in place. Returns a complaint where an image does not follow the row that is there, else null. */
export function applyEvent(rows: Rows, event: ControlEvent): string | null {
  for (const { noun, row } of event.rows) {
    const table = rows.get(noun);
    if (table === undefined) return `unknown noun ${noun}`;
    const before = table.get(row.id)?.rowVersion ?? 0;
    if (row.rowVersion !== before + 1) {
      return `${noun} ${row.id}: image ${row.rowVersion} does not follow row version ${before}`;
    }
    table.set(row.id, row);
  }
  return null;
}

/** The next image of a row: the fields that change, and the version that follows. */
export function nextImage<R extends Row>(row: R, change: Partial<Omit<R, 'id' | 'rowVersion'>>): R {
  return { ...row, ...change, rowVersion: row.rowVersion + 1 };
}

/** A row as JSON, for canonical comparison. */
export function rowJson(row: Row): JsonObject {
  return row as unknown as { [key: string]: Json };
}
