// What a backup is: one SQLite file with the tables as they were at one moment, whichever database they came from, and a manifest
// that says what must be in it. Its secrets are ciphertext only, as in the database. Pure: the manifest and its reading.
// Mechanics: backup.io.ts, restore.io.ts.
import { z } from 'zod';
import type { Log } from '../ledger/layout.ts';
import { Failure } from '../model/failure.ts';

export const BACKUP_FORMAT = 'claviger-backup/1';

/** The table that only backups have. */
export const MANIFEST_TABLE = 'backup_manifest';

const LogManifest = z.strictObject({
  size: z.int().min(0),
  /** Root over the first `size` entries, hex. */
  root: z.string().regex(/^[0-9a-f]{64}$/),
  /** The newest checkpoint that was published before the backup: a signed note, or null. */
  checkpoint: z.string().max(65_536).nullable(),
});

const Manifest = z.strictObject({
  format: z.literal(BACKUP_FORMAT),
  /** Version of the program that made it. */
  program: z.string().max(64),
  schema: z.int().min(1),
  dialect: z.enum(['sqlite', 'postgresql']),
  instance: z.string().regex(/^[0-9a-f]{8}$/),
  /** UTC milliseconds. */
  takenAt: z.int().min(0),
  epoch: z.int().min(0),
  logs: z.strictObject({ control: LogManifest, use: LogManifest }),
  /** Number of rows in each table. */
  tables: z.record(z.string().regex(/^[a-z_]{1,63}$/), z.int().min(0)),
});
export type BackupManifest = z.infer<typeof Manifest>;

/** Reads a manifest. Throws `corrupt` for anything else. */
export function parseManifest(text: string): BackupManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Failure('corrupt', 'the backup’s manifest cannot be read');
  }
  const parsed = Manifest.safeParse(value);
  if (!parsed.success) throw new Failure('corrupt', 'the backup’s manifest is not one of this form');
  return parsed.data;
}

/** The published checkpoints that a backup carries along; they are not in the database. */
export type Checkpoints = Readonly<Record<Log, string | null>>;
