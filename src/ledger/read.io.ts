// Reads the ledger from the database: entries in either direction with what they mention, and inclusion proofs against a checkpoint. It
// writes nothing and holds nothing. Entries have no index but their number, so a search looks at a bounded stretch of the log at a time.
import { createHash } from 'node:crypto';
import type { Kysely } from 'kysely';
import { Failure } from '../model/failure.ts';
import type { Entry, Found, LedgerReader, Search } from './api.ts';
import type { Log } from './layout.ts';
import {
  createHasher,
  foldHashes,
  inclusionRanges,
  type Node,
  nodesOf,
  rangeRoot,
  TILE_WIDTH,
  tileSpan,
} from './merkle.ts';

/** The tables of the ledger, as this room needs them. The database room owns the schema. */
interface LedgerTables {
  control_entries: { idx: number; entry: string };
  use_entries: { idx: number; entry: string };
  ledger_tiles: { log: 'control' | 'use'; level: number; tile: number; hashes: Uint8Array };
  ledger_heads: { log: 'control' | 'use'; size: number; fence: number; epoch: number };
}

/** Entries that one search looks at, and how many of them at once: in between, others get their turn. */
const LOOKED_AT_MAX = 50_000;
const CHUNK = 2_000;

export function createLedgerReader<T extends LedgerTables>(database: Kysely<T>): LedgerReader {
  const read = database as unknown as Kysely<LedgerTables>;
  const hasher = createHasher((data) => createHash('sha256').update(data).digest());

  async function size(log: Log): Promise<number> {
    const head = await read.selectFrom('ledger_heads').select('size').where('log', '=', log).executeTakeFirst();
    return head?.size ?? 0;
  }

  async function chunk(search: Search, low: number, high: number): Promise<Entry[]> {
    let query = read
      .selectFrom(`${search.log}_entries`)
      .select(['idx', 'entry'])
      .where('idx', '>=', low)
      .where('idx', '<', high)
      .orderBy('idx', search.order);
    for (const text of search.containing) query = query.where('entry', 'like', `%${text}%`);
    const rows = await query.execute();
    // LIKE reads `_` as any character, and SQLite's takes letters of either case.
    return rows
      .filter(({ entry }) => search.containing.every((text) => entry.includes(text)))
      .map(({ idx, entry }) => ({ index: idx, text: entry }));
  }

  async function search(asked: Search): Promise<Found> {
    const end = await size(asked.log);
    const isUp = asked.order === 'asc';
    let at = Math.min(asked.from ?? (isUp ? 0 : end - 1), end - 1);
    const entries: Entry[] = [];
    for (let looked = 0; looked < LOOKED_AT_MAX && at >= 0 && at < end; looked += CHUNK) {
      const low = isUp ? at : Math.max(0, at - CHUNK + 1);
      const high = isUp ? Math.min(end, at + CHUNK) : at + 1;
      entries.push(...(await chunk(asked, low, high)));
      if (entries.length > asked.limit) {
        const next = entries[asked.limit]!.index;
        return { entries: entries.slice(0, asked.limit), next };
      }
      at = isUp ? high : low - 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { entries, next: at >= 0 && at < end ? at : null };
  }

  async function entry(log: Log, index: number): Promise<Entry | null> {
    const row = await read.selectFrom(`${log}_entries`).select('entry').where('idx', '=', index).executeTakeFirst();
    return row === undefined ? null : { index, text: row.entry };
  }

  /** The hashes of a tile: as stored, or, where level 0 is not full yet, from its entries. */
  async function tileHashes(log: Log, level: number, tile: number): Promise<Uint8Array> {
    const stored = await read
      .selectFrom('ledger_tiles')
      .select('hashes')
      .where('log', '=', log)
      .where('level', '=', level)
      .where('tile', '=', tile)
      .executeTakeFirst();
    if (stored !== undefined) return stored.hashes;
    if (level > 0) throw new Failure('corrupt', `the ledger lacks tile ${level}/${tile}`);
    const rows = await read
      .selectFrom(`${log}_entries`)
      .select('entry')
      .where('idx', '>=', tile * TILE_WIDTH)
      .where('idx', '<', (tile + 1) * TILE_WIDTH)
      .orderBy('idx')
      .execute();
    const hashes = new Uint8Array(rows.length * 32);
    for (const [i, row] of rows.entries()) hashes.set(hasher.leafOf(row.entry), i * 32);
    return hashes;
  }

  return {
    size,
    search,
    entry,
    async proof(log, index, treeSize) {
      const tiles = new Map<string, Promise<Uint8Array>>();
      async function nodeHash(node: Node): Promise<Uint8Array> {
        const span = tileSpan(node);
        const key = `${span.level}/${span.tile}`;
        const reading = tiles.get(key) ?? tileHashes(log, span.level, span.tile);
        tiles.set(key, reading);
        const hashes = await reading;
        if (hashes.length < (span.first + span.count) * 32)
          throw new Failure('corrupt', 'a tile of the ledger is too narrow');
        return foldHashes(hashes, span.first, span.count, hasher);
      }
      const proof: Uint8Array[] = [];
      for (const range of inclusionRanges(index, treeSize)) {
        proof.push(rangeRoot(await Promise.all(nodesOf(range).map(nodeHash)), hasher));
      }
      return proof;
    },
  };
}
