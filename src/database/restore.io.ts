// Restoring a backup. A working copy is prepared beside the data: checked, migrated, its epoch raised by one and the first entry of
// the new epoch written, which names the last checkpoint that was known. Only then it takes the database's place, in one step:
// a rename on SQLite, one transaction on PostgreSQL. What was there before is kept under another name.
//
// What a restore cannot do is make providers forget: keys that were rotated since are told apart by the recovery that the server
// runs before it brokers (credentials/recovery.ts). It is asked for here, by the row `recovery` of the settings.
import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { LOGS, type Log, originOf } from '../ledger/layout.ts';
import { type KnownCheckpoint, knownCheckpoint, newestCheckpoints, setAsideCheckpoints } from '../ledger/superseded.io.ts';
import type { ControlEvent } from '../model/change.ts';
import { nextImage } from '../model/change.ts';
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import { newId } from '../model/id.ts';
import type { Json, JsonObject } from '../model/json.ts';
import type { SettingRow } from '../model/setting.ts';
import { type BackupManifest, MANIFEST_TABLE } from './backup.ts';
import { checkBackup, flush, tablesOf } from './backup.io.ts';
import { META_TABLE, MIGRATIONS, SCHEMA_VERSION } from './migrations.ts';
import type { Store } from './reading.io.ts';
import type { Tables } from './schema.ts';
import { migrateSqlite, openSqliteDatabase, sqliteSchemaVersion } from './sqlite.io.ts';
import { openSqlite } from './sqlite-commit.io.ts';

/** Name of the setting that says a recovery is due: `{ epoch, state: 'due' | 'done' }`. The server sets it to done. */
export const RECOVERY_SETTING = 'recovery';

export interface RestoreInput {
  readonly file: string;
  readonly store: Store;
  /** Holds the working copy, and the ledger's checkpoints below `ledger`. */
  readonly dataDirectory: string;
  /** Whether a database that is there may be put aside. */
  readonly replace: boolean;
  readonly now: UtcMs;
  readonly tables: Tables;
  readonly cutsOf: (event: ControlEvent) => string[];
  readonly onProgress?: (what: string) => void;
}

export interface Restored {
  readonly manifest: BackupManifest;
  readonly epoch: number;
  /** The last checkpoint of each log that was known anywhere: what was written after the backup and is gone shows here. */
  readonly lastKnown: Readonly<Record<Log, KnownCheckpoint | null>>;
  /** Where the database is now that was there before; null where there was none. */
  readonly setAside: string | null;
  readonly checkpointsSetAside: number;
}

/**
 * Restores a backup. Throws `conflict` where a server is running or a database is there and may not be replaced, `corrupt` where the
 * backup is, `invalid` where it is of a newer program. A crash leaves the old database or the new one; then it is run again.
 */
export async function restoreBackup(input: RestoreInput): Promise<Restored> {
  const manifest = await checkBackup(input.file);
  if (manifest.schema > SCHEMA_VERSION) {
    throw new Failure('invalid', 'the backup was made by a newer program: install that one');
  }
  mkdirSync(input.dataDirectory, { recursive: true, mode: 0o700 });
  const lock = holdDataDirectory(input.dataDirectory);
  const work = path.join(input.dataDirectory, 'claviger.db.restoring');
  try {
    await refuseOccupied(input);
    removeFile(work);
    input.onProgress?.('preparing');
    copyFileSync(input.file, work);
    const lastKnown = lastCheckpoints(manifest, input.dataDirectory);
    const epoch = await prepare(work, { ...input, manifest, lastKnown });
    input.onProgress?.('putting it into place');
    const setAside =
      input.store.kind === 'sqlite'
        ? exchangeFile(work, input.store.file, epoch)
        : await fillPostgresql(work, input.store.url, epoch);
    const sizes = { control: manifest.logs.control.size, use: manifest.logs.use.size };
    const checkpointsSetAside = setAsideCheckpoints(path.join(input.dataDirectory, 'ledger'), { sizes, epoch });
    return { manifest, epoch, lastKnown, setAside, checkpointsSetAside };
  } finally {
    removeFile(work);
    lock.close();
  }
}

/** The lock that a server holds on a data directory. Throws `conflict` where one runs. */
export function holdDataDirectory(dataDirectory: string): DatabaseSync {
  const lock = new DatabaseSync(path.join(dataDirectory, 'claviger.db.lock'), { timeout: 0 });
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE');
    lock.exec('PRAGMA journal_mode = DELETE');
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    lock.close();
    throw new Failure('conflict', 'a server is using this data directory: stop it first', { cause });
  }
}

function removeFile(file: string): void {
  for (const end of ['', '-wal', '-shm', '-journal', '.lock', '.lock-journal']) rmSync(`${file}${end}`, { force: true });
}

const OCCUPIED = 'there is a database already: --replace puts it aside';

async function refuseOccupied(input: RestoreInput): Promise<void> {
  if (input.replace) return;
  if (input.store.kind === 'sqlite') {
    if (existsSync(input.store.file)) throw new Failure('conflict', OCCUPIED);
    return;
  }
  await withPostgresql(input.store.url, async (client) => {
    if ((await occupied(client)).length > 0) throw new Failure('conflict', OCCUPIED);
  });
}

function lastCheckpoints(manifest: BackupManifest, dataDirectory: string): Record<Log, KnownCheckpoint | null> {
  const onDisk = newestCheckpoints(path.join(dataDirectory, 'ledger'));
  const newest = (log: Log) => {
    const origin = originOf(manifest.instance, log);
    const found = [knownCheckpoint(onDisk[log], origin), knownCheckpoint(manifest.logs[log].checkpoint, origin)];
    return found.filter((one) => one !== null).sort((a, b) => b.size - a.size)[0] ?? null;
  };
  return { control: newest('control'), use: newest('use') };
}

interface Preparation extends RestoreInput {
  readonly manifest: BackupManifest;
  readonly lastKnown: Readonly<Record<Log, KnownCheckpoint | null>>;
}

/** Makes the working copy a database of this program in a new epoch. Returns the epoch. */
async function prepare(work: string, input: Preparation): Promise<number> {
  const database = openSqlite(work);
  try {
    database.exec(`DROP TABLE ${MANIFEST_TABLE}`);
    migrateSqlite(database);
    database.exec('UPDATE ledger_heads SET epoch = epoch + 1');
  } finally {
    database.close();
  }
  const opened = await openSqliteDatabase({
    file: work,
    tables: input.tables,
    cutsOf: input.cutsOf,
    committed: () => {},
    onLost: () => {},
  });
  try {
    const { epoch } = opened;
    const before = await opened.read
      .selectFrom('settings')
      .select('row')
      .where('natural_key', '=', RECOVERY_SETTING)
      .executeTakeFirst();
    const value: Json = { epoch, state: 'due' };
    const row: SettingRow =
      before === undefined
        ? { id: newId('setting', input.now, machineRandom), rowVersion: 1, name: RECOVERY_SETTING, value }
        : nextImage(JSON.parse(before.row) as SettingRow, { value });
    await opened.write({
      events: [
        {
          v: 1,
          at: input.now,
          actor: 'system:restore',
          type: 'ledger.epoch-opened',
          rows: [{ noun: 'setting', row }],
          detail: detailOf(input),
        },
      ],
    });
    return epoch;
  } finally {
    await opened.end();
  }
}

const machineRandom = { bytes: (length: number) => new Uint8Array(randomBytes(length)) };

/** What the first entry of the epoch says: which backup, and the last that was known of each log. */
function detailOf({ manifest, lastKnown }: Preparation): JsonObject {
  const logs = (log: Log): JsonObject => ({ root: manifest.logs[log].root, size: manifest.logs[log].size });
  const known = (log: Log): Json => {
    const checkpoint = lastKnown[log];
    return checkpoint === null ? null : { note: checkpoint.note, root: checkpoint.root, size: checkpoint.size };
  };
  return {
    backup: { control: logs('control'), epoch: manifest.epoch, takenAt: manifest.takenAt, use: logs('use') },
    lastCheckpoint: { control: known('control'), use: known('use') },
  };
}

function exchangeFile(work: string, file: string, epoch: number): string | null {
  const directory = path.dirname(file);
  flush(work);
  const aside = existsSync(file) ? `${file}.before-epoch-${epoch}` : null;
  if (aside !== null) {
    // Its own log goes with it: without it the last commits would be missing there.
    for (const end of ['-wal', '-shm', '']) {
      if (existsSync(`${file}${end}`)) renameSync(`${file}${end}`, `${freeName(aside)}${end}`);
    }
  }
  renameSync(work, file);
  flush(directory);
  return aside;
}
