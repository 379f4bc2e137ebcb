// The one schema, for SQLite and PostgreSQL. Every noun has a table of the same shape: the row itself as canonical JSON, and
// beside it only what the database must know: its version (the guard), its natural key (unique while it is set), its parent
// (to find it by) and whether the running server keeps it in memory. The ledger's tables are the log itself.
import type { Noun } from '../model/change.ts';

/** One table for each noun. The room that owns the noun declares its key and parent (its tables.ts). */
export const TABLE_OF = {
  principal: 'principals',
  token: 'tokens',
  grant: 'grants',
  credential: 'credentials',
  version: 'versions',
  rotation: 'rotations',
  revocation: 'revocations',
  certificate: 'certificates',
  finding: 'findings',
  kek: 'keks',
  setting: 'settings',
  catalogue: 'catalogues',
} as const satisfies Record<Noun, string>;

export interface RowTable {
  id: string;
  row_version: number;
  /** Unique among the rows where it is not null: `space/environment/provider/name`, a token's hash, … */
  natural_key: string | null;
  parent: string | null;
  /** 1 where the running server holds the row in memory; 0 for history (ended rotations, certificates). */
  live: number;
  row: string;
}

export interface EntryTable {
  idx: number;
  entry: string;
}

export interface TileTable {
  log: 'control' | 'use';
  level: number;
  tile: number;
  hashes: Uint8Array;
}

export interface BlobTable {
  kind: string;
  id: string;
  value: Uint8Array;
}

export interface MetaTable {
  name: string;
  value: string;
}

/** The head of each log: `fence` is taken by the process that may append; `size` guards against a second one. */
export interface HeadTable {
  log: 'control' | 'use';
  size: number;
  fence: number;
  epoch: number;
}

type RowTables = { [N in Noun as (typeof TABLE_OF)[N]]: RowTable };

export interface Schema extends RowTables {
  control_entries: EntryTable;
  use_entries: EntryTable;
  ledger_tiles: TileTable;
  ledger_heads: HeadTable;
  blobs: BlobTable;
  meta: MetaTable;
}

/** How a room declares one of its nouns to the database. Pure functions of the row. */
export interface TableSpec {
  naturalKey(row: never): string | null;
  parent(row: never): string | null;
  isLive(row: never): boolean;
}

export type Tables = Readonly<Record<Noun, TableSpec>>;
