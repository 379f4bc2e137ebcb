// One commit on SQLite: everything that has gathered, in one transaction on one connection. Runs inside the writer's thread
// (sqlite-writer.io.ts) and, for tools that need no thread, in the caller's.
import { hash } from 'node:crypto';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { createHasher } from '../ledger/merkle.ts';
import { Failure } from '../model/failure.ts';
import {
  appendUses,
  appendWrite,
  concludeCommit,
  type Ended,
  emptyWriterState,
  nothingEnded,
  takeGathered,
  type WriterState,
} from './append.ts';
import { loadEdge } from './edge.ts';
import type { ControlResult, Prepared, PreparedControl, UsesResult } from './gather.ts';
import type { HeadTable } from './schema.ts';
import { DELETE_BLOB, MOVE_HEAD, PUT_BLOB, PUT_CONTROL, PUT_TILE, PUT_USE, rowStatement } from './statements.ts';

/** SHA-256 of bytes, or of text in UTF-8. By way of one-byte text: of the forms that node:crypto offers it costs half of the others. */
export function sha256(data: Uint8Array | string): Uint8Array {
  return Buffer.from(hash('sha256', data, 'latin1'), 'latin1');
}

/** Opens the database file with the settings that durability rests on: WAL, a flush for every commit, foreign locks waited for. */
export function openSqlite(file: string, options: { readOnly?: boolean } = {}): DatabaseSync {
  const database = new DatabaseSync(file, { readOnly: options.readOnly ?? false, timeout: 5_000 });
  if (!options.readOnly) {
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    // What a large transaction left in the WAL is given back; the log itself wraps at about 4 MB.
    database.exec('PRAGMA journal_size_limit = 67108864');
  }
  return database;
}

function loadState(database: DatabaseSync, ended: Ended): WriterState {
  const heads = database.prepare('SELECT log, size, fence, epoch FROM ledger_heads').all() as unknown as HeadTable[];
  const state = emptyWriterState(createHasher(sha256, sha256), heads[0]?.epoch ?? 0, ended);
  const tile = database.prepare('SELECT hashes FROM ledger_tiles WHERE log = ? AND level = ? AND tile = ?');
  for (const head of heads) {
    const last = database
      .prepare(`SELECT entry FROM ${head.log}_entries WHERE idx >= ? ORDER BY idx`)
      .all(head.size - (head.size % 256)) as unknown as { entry: string }[];
    const readTile = (level: number, index: number) =>
      (tile.get(head.log, level, index) as { hashes: Uint8Array } | undefined)?.hashes ?? null;
    state.edges[head.log] = loadEdge(
      head.size,
      readTile,
      last.map((row) => row.entry),
      state.hasher,
    );
  }
  return state;
}

/** A function that commits lists of items, holding the writer's state between them. */
export function createSqliteCommit(
  database: DatabaseSync,
  fence: number,
): (items: readonly Prepared[]) => (ControlResult | UsesResult)[] {
  let state: WriterState | null = null;
  const ended = nothingEnded();
  const statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  const [begin, end] = [database.prepare('BEGIN IMMEDIATE'), database.prepare('COMMIT')];
  const put = { use: database.prepare(PUT_USE), control: database.prepare(PUT_CONTROL) };

  function run(sql: string, parameters: readonly (string | number | null | Uint8Array)[]): number {
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      statements.set(sql, statement);
    }
    return Number(statement.run(...(parameters as SQLInputValue[])).changes);
  }

  function writeControl(item: PreparedControl, current: WriterState): ControlResult {
    run('SAVEPOINT one', []);
    for (const row of item.rows) {
      const conflict = tryRow(row);
      if (conflict !== null) {
        run('ROLLBACK TO one', []);
        run('RELEASE one', []);
        return { is: 'conflict', noun: row.noun, id: row.id, why: conflict };
      }
    }
    for (const blob of item.blobs) {
      if (blob.value === null) run(DELETE_BLOB, [blob.kind, blob.id]);
      else run(PUT_BLOB, [blob.kind, blob.id, blob.value]);
    }
    run('RELEASE one', []);
    return appendWrite(current, item);
  }

  function tryRow(row: PreparedControl['rows'][number]): 'version' | 'key' | null {
    const { sql, parameters } = rowStatement(row);
    try {
      return run(sql, parameters) === 1 ? null : 'version';
    } catch (error) {
      const message = error instanceof Error ? error.message : '';
      if (message.includes('UNIQUE constraint failed')) return message.includes('natural_key') ? 'key' : 'version';
      throw error;
    }
  }

  function commit(items: readonly Prepared[], current: WriterState): (ControlResult | UsesResult)[] {
    const before = { control: current.edges.control.size, use: current.edges.use.size };
    const results: (ControlResult | UsesResult)[] = [];
    for (const item of items) {
      results.push(item.kind === 'control' ? writeControl(item, current) : appendUses(current, item));
    }
    const gathered = takeGathered(current);
    for (const { log, index, entry } of gathered.entries) put[log].run(index, entry);
    for (const { log, level, tile, hashes } of gathered.tiles) run(PUT_TILE, [log, level, tile, hashes]);
    for (const log of ['control', 'use'] as const) {
      if (current.edges[log].size === before[log]) continue;
      if (run(MOVE_HEAD, [current.edges[log].size, log, fence, before[log]]) !== 1) {
        throw new Failure('conflict', 'another server has taken this database over');
      }
    }
    return results;
  }

  return (items) => {
    state ??= loadState(database, ended);
    const current = state;
    begin.run();
    let results: (ControlResult | UsesResult)[];
    try {
      results = commit(items, current);
      end.run();
    } catch (error) {
      // The state in memory ran ahead of what is stored: it is loaded again before the next commit.
      state = null;
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
    return concludeCommit(current, ended, items, results);
  };
}
