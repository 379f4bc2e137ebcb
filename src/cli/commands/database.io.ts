// The database beside the server: bringing its schema up to date, taking backups, restoring them. Mechanics: database/backup.io.ts and
// restore.io.ts. These commands need no token: whoever may read the data directory may do this.
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { takeBackup } from '../../database/backup.io.ts';
import { holdStore } from '../../database/hold.io.ts';
import { SCHEMA_VERSION } from '../../database/migrations.ts';
import { openForReading } from '../../database/reading.io.ts';
import { restoreBackup } from '../../database/restore.io.ts';
import { newestCheckpoints } from '../../ledger/superseded.io.ts';
import { Failure } from '../../model/failure.ts';
import type { Input, Outcome } from '../command.ts';
import type { Context } from '../context.ts';
import { type Installation, openInstallation } from '../installation.io.ts';
import { visible } from '../text.ts';
import { VERSION } from '../version.ts';

/** `2026-09-21T141320Z`: fit for a file's name, and in order. */
function stamp(now: number): string {
  return new Date(now).toISOString().slice(0, 19).replaceAll(':', '').concat('Z');
}

function backupTo(context: Context, installation: Installation, to: string) {
  return takeBackup({
    store: installation.store,
    to,
    program: VERSION,
    now: context.machine.now(),
    checkpoints: newestCheckpoints(installation.ledgerDirectory),
    onProgress: (what) => context.progress(`backup: ${what}`),
  });
}

export async function runBackup(context: Context, input: Input): Promise<Outcome> {
  const installation = await openInstallation(context);
  const to = path.resolve(input.argument(0));
  const manifest = await backupTo(context, installation, to);
  context.progressDone();
  const text = context.view.fields([
    ['backup', to],
    ['instance', manifest.instance],
    ['schema', String(manifest.schema)],
    ['epoch', String(manifest.epoch)],
    ['control log', `${manifest.logs.control.size} entries, root ${manifest.logs.control.root}`],
    ['use log', `${manifest.logs.use.size} entries, root ${manifest.logs.use.root}`],
    ['checked', 'yes'],
  ]);
  return { data: { file: to, manifest }, text, brief: visible(to) };
}

export async function runRestore(context: Context, input: Input): Promise<Outcome> {
  const installation = await openInstallation(context);
  const { config, store } = installation;
  const question = 'Everything since the backup is gone from here then. Restore it?';
  if (!(await context.confirm(question, input.isOn('yes')))) {
    return { data: { restored: false }, text: 'Nothing was done.', brief: '' };
  }
  const { TABLES } = await import('../../tables.ts');
  const { cutsOf } = await import('../../access/cuts.ts');
  const restored = await restoreBackup({
    file: path.resolve(input.argument(0)),
    store,
    dataDirectory: config.dataDirectory,
    replace: input.isOn('replace'),
    now: context.machine.now(),
    tables: TABLES,
    cutsOf,
    onProgress: (what) => context.progress(`restore: ${what}`),
  });
  context.progressDone();
  const { manifest, lastKnown } = restored;
  const gone = (log: 'control' | 'use') => {
    const known = lastKnown[log]?.size ?? 0;
    const lost = known - manifest.logs[log].size;
    return lost > 0 ? `${lost} published entries are not in the backup` : 'nothing that was published is missing';
  };
  const copies =
    config.secondCopy === null ? null : await countCopies(config.secondCopy.directory, config.dataDirectory);
  const text = context.view.fields([
    ['restored', `the backup of ${context.view.when(new Date(manifest.takenAt).toISOString())}`],
    ['epoch', String(restored.epoch)],
    ['control log', gone('control')],
    ['use log', gone('use')],
    ['put aside', restored.setAside],
    ['second copies', copies === null ? 'none are configured: keys rotated since may be lost' : `${copies} versions`],
  ]);
  context.note('Start the server: it looks at every provider before it brokers.');
  return { data: { ...restored, secondCopies: copies }, text, brief: String(restored.epoch) };
}

/** How many versions have a second copy, from which the server's recovery takes what the backup does not know. */
async function countCopies(directory: string, dataDirectory: string): Promise<number | null> {
  const { openSecondCopy } = await import('../../vault/second-copy.io.ts');
  try {
    const copies = await openSecondCopy({ directory, dataDirectory });
    return (await copies.list(1_000_000)).versionIds.length;
  } catch (error) {
    if (!Failure.is(error)) throw error;
    return null;
  }
}

export async function runMigrate(context: Context, input: Input): Promise<Outcome> {
  const installation = await openInstallation(context);
  const { config, store } = installation;
  const { schema: before, close } = await openForReading(store);
  await close();
  if (before === SCHEMA_VERSION) {
    return { data: { schema: before, ran: [] }, text: `The schema is up to date: ${before}.`, brief: String(before) };
  }
  if (before > SCHEMA_VERSION)
    throw new Failure('invalid', 'the database is newer than this program: install a newer one');
  if (before === 0) throw new Failure('invalid', 'the database was not initialised: run `claviger init`');
  const hold = await holdStore(store, config.dataDirectory);
  try {
    const to = path.resolve(input.text('backup') ?? usualBackup(config.dataDirectory, before, context.machine.now()));
    await backupTo(context, installation, to);
    context.progressDone();
    const ran = await runMigrations(installation);
    const text = `Migrated from schema ${before} to ${SCHEMA_VERSION}. The backup of before: ${visible(to)}`;
    return { data: { schema: SCHEMA_VERSION, from: before, ran, backup: to }, text, brief: String(SCHEMA_VERSION) };
  } finally {
    await hold.release();
  }
}

function usualBackup(dataDirectory: string, schema: number, now: number): string {
  const directory = path.join(dataDirectory, 'backups');
  if (!existsSync(directory)) mkdirSync(directory, { mode: 0o700 });
  return path.join(directory, `before-migration-of-schema-${schema}-${stamp(now)}.backup`);
}

async function runMigrations({ store }: Installation): Promise<number[]> {
  if (store.kind === 'postgresql') {
    const { migratePostgresql } = await import('../../database/postgresql.io.ts');
    return migratePostgresql(store.url);
  }
  const { openSqlite } = await import('../../database/sqlite-commit.io.ts');
  const { migrateSqlite } = await import('../../database/sqlite.io.ts');
  const database = openSqlite(store.file);
  try {
    return migrateSqlite(database);
  } finally {
    database.close();
  }
}
