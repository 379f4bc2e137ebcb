// Reading the ledger back: every entry's proof holds against the root of any tree that has it, and searches find what is there.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import type { Database } from '../database/database.ts';
import { migrateSqlite, openSqliteDatabase } from '../database/sqlite.io.ts';
import { openSqlite, sha256 } from '../database/sqlite-commit.io.ts';
import { TABLES } from '../tables.ts';
import type { LedgerReader } from './api.ts';
import { appendLeaf, createHasher, edgeRoot, emptyEdge, verifyInclusion } from './merkle.ts';
import { createLedgerReader } from './read.io.ts';

const SIZE = 700;
const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-read-'));
const hasher = createHasher(sha256);
const text = (i: number) => `{"at":${i},"kind":"use","n":${i},"who":"prn_${i % 7}"}`;
let database: Database;
let reader: LedgerReader;

before(async () => {
  const file = path.join(directory, 'claviger.db');
  const fresh = openSqlite(file);
  migrateSqlite(fresh);
  fresh.close();
  const hooks = { tables: TABLES, cutsOf: () => [], committed: () => {}, onLost: () => {} };
  database = await openSqliteDatabase({ file, ...hooks });
  await Promise.all(
    Array.from({ length: SIZE }, (_, i) => new Promise((resolve) => database.admit(text(i), 0, resolve))),
  );
  reader = createLedgerReader(database.read);
});

after(async () => {
  await database.end();
  rmSync(directory, { recursive: true, force: true });
});

test('the proof of every entry holds, in trees that end before, at and behind a tile', async () => {
  const roots = new Map<number, Uint8Array>();
  const edge = emptyEdge();
  const encoder = new TextEncoder();
  for (let i = 0; i < SIZE; i++) {
    appendLeaf(edge, hasher.leaf(encoder.encode(text(i))), hasher, () => {});
    roots.set(i + 1, edgeRoot(edge, hasher));
  }
  for (const size of [1, 2, 255, 256, 257, 512, 513, SIZE]) {
    for (const index of [0, 1, 127, 255, 256, 300, 511, 512, size - 1]) {
      if (index >= size) continue;
      const proof = await reader.proof('use', index, size);
      const leaf = hasher.leaf(encoder.encode((await reader.entry('use', index))!.text));
      assert.ok(verifyInclusion({ index, size, leaf, root: roots.get(size)!, proof }, hasher), `${index} of ${size}`);
    }
  }
});

test('a search gives entries in either order, page after page', async () => {
  for (const order of ['asc', 'desc'] as const) {
    const found: number[] = [];
    let from: number | null = null;
    for (let pages = 0; pages < 10; pages++) {
      const page = await reader.search({ log: 'use', from, order, limit: 100, containing: [] });
      found.push(...page.entries.map(({ index }) => index));
      from = page.next;
      if (from === null) break;
    }
    const all = Array.from({ length: SIZE }, (_, i) => i);
    assert.deepEqual(found, order === 'asc' ? all : all.reverse());
  }
});

test('a search for texts gives the entries that contain all of them, exactly', async () => {
  const found = await reader.search({
    log: 'use',
    from: null,
    order: 'asc',
    limit: 1_000,
    containing: ['"who":"prn_3"', '"kind":"use"'],
  });
  assert.deepEqual(
    found.entries.map(({ index }) => index),
    Array.from({ length: SIZE }, (_, i) => i).filter((i) => i % 7 === 3),
  );
  // What LIKE would take as patterns, and another case, find nothing.
  for (const near of ['"who":"prn%', '"who":"prn-3"', '"WHO":"prn_3"']) {
    const none = await reader.search({ log: 'use', from: null, order: 'asc', limit: 10, containing: [near] });
    assert.deepEqual(none, { entries: [], next: null });
  }
});

test('a search from beyond the end begins at the end, and an empty log has nothing', async () => {
  const found = await reader.search({ log: 'use', from: 10 ** 9, order: 'desc', limit: 1, containing: [] });
  assert.equal(found.entries[0]?.index, SIZE - 1);
  const none = await reader.search({ log: 'control', from: null, order: 'desc', limit: 1, containing: [] });
  assert.deepEqual(none, { entries: [], next: null });
  assert.equal(await reader.entry('use', SIZE), null);
});
