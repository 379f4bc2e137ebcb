// The writer's statements, in the form of SQLite (`?`); PostgreSQL numbers them. Few, fixed and known by heart: the writer
// runs them prepared, thousands a second, so they are written out instead of being built.
import type { RowWrite } from './gather.ts';

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly (string | number | null | Uint8Array)[];
}

/** The statement that writes a row; it must change exactly one row, else the write conflicts. */
export function rowStatement(write: RowWrite): Statement {
  if (write.rowVersion === 1) {
    return {
      sql: `INSERT INTO ${write.table} (id, row_version, natural_key, parent, live, row) VALUES (?, 1, ?, ?, ?, ?)`,
      parameters: [write.id, write.naturalKey, write.parent, write.live, write.row],
    };
  }
  return {
    sql: `UPDATE ${write.table} SET row_version = ?, natural_key = ?, parent = ?, live = ?, row = ? WHERE id = ? AND row_version = ?`,
    parameters: [
      write.rowVersion,
      write.naturalKey,
      write.parent,
      write.live,
      write.row,
      write.id,
      write.rowVersion - 1,
    ],
  };
}

export const PUT_BLOB =
  'INSERT INTO blobs (kind, id, value) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value';
export const DELETE_BLOB = 'DELETE FROM blobs WHERE kind = ? AND id = ?';
export const PUT_TILE =
  'INSERT INTO ledger_tiles (log, level, tile, hashes) VALUES (?, ?, ?, ?) ON CONFLICT (log, level, tile) DO UPDATE SET hashes = excluded.hashes';
export const PUT_CONTROL = 'INSERT INTO control_entries (idx, entry) VALUES (?, ?)';
export const PUT_USE = 'INSERT INTO use_entries (idx, entry) VALUES (?, ?)';
/** Moves a log's head; changes no row where the fence was taken or somebody else has appended. */
export const MOVE_HEAD = 'UPDATE ledger_heads SET size = ? WHERE log = ? AND fence = ? AND size = ?';

/** `?` to `$1`, `$2`, … There is no question mark in any literal of ours. */
export function numbered(sql: string): string {
  let n = 0;
  return sql.replaceAll('?', () => `$${++n}`);
}
