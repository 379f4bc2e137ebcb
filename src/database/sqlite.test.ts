// The conformance suite on SQLite, and what only SQLite has: the lock file and the schema check.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { databaseConformance } from '../../test/conformance/database.ts';
import { Failure } from '../model/failure.ts';
import { migrateSqlite, openSqliteDatabase } from './sqlite.io.ts';
import { openSqlite } from './sqlite-commit.io.ts';

const directories: string[] = [];
function freshFile(): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-sqlite-'));
  directories.push(directory);
  return path.join(directory, 'claviger.db');
}
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

databaseConformance('sqlite', () => {
  const file = freshFile();
  const database = openSqlite(file);
  migrateSqlite(database);
  database.close();
  return Promise.resolve((options) => openSqliteDatabase({ file, ...options }));
});

test('sqlite: a database without the schema is refused with what to do', async () => {
  const file = freshFile();
  openSqlite(file).close();
  const options = { tables: {} as never, cutsOf: () => [], committed: () => {}, onLost: () => {} };
  await assert.rejects(
    openSqliteDatabase({ file, ...options }),
    (error) => Failure.is(error, 'invalid') && error.message.includes('claviger migrate'),
  );
});
