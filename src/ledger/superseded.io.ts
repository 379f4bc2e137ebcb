// What becomes of published checkpoints when a backup is restored: those beyond the backup belong to a history that is gone from
// here. They are moved aside, never deleted: somebody may hold one and ask. Not here: publishing (checkpoints.io.ts).
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { readCheckpoint } from './checkpoints.io.ts';
import { LOGS, type Log } from './layout.ts';
import { parseCheckpoint } from './note.ts';

export interface KnownCheckpoint {
  readonly size: number;
  /** Base64, as in the checkpoint. */
  readonly root: string;
  /** The signed note itself. */
  readonly note: string;
}

/** The checkpoint that a note holds, without checking its signature; null where it is none of this instance's log. */
export function knownCheckpoint(note: string | null, origin: string): KnownCheckpoint | null {
  if (note === null) return null;
  try {
    const checkpoint = parseCheckpoint(note);
    if (checkpoint.origin !== origin) return null;
    return { size: checkpoint.size, root: Buffer.from(checkpoint.root).toString('base64'), note };
  } catch {
    return null;
  }
}

/** The newest checkpoint of each log that the directory holds. */
export function newestCheckpoints(directory: string): Record<Log, string | null> {
  return { control: readCheckpoint(directory, 'control'), use: readCheckpoint(directory, 'use') };
}

/**
 * Moves the checkpoints beyond `sizes` to `superseded/<epoch>/` within each log's folder, the newest one with them, whatever its size:
 * the next one is published by the server. Repeating it after a crash goes on where it stopped.
 */
export function setAsideCheckpoints(
  directory: string,
  options: { readonly sizes: Readonly<Record<Log, number>>; readonly epoch: number },
): number {
  let moved = 0;
  for (const log of LOGS) {
    const folder = path.join(directory, log);
    const aside = path.join(folder, 'superseded', String(options.epoch));
    const move = (from: string, name: string) => {
      mkdirSync(aside, { recursive: true, mode: 0o700 });
      renameSync(from, path.join(aside, name));
      moved++;
    };
    const published = path.join(folder, 'checkpoints');
    for (const name of existsSync(published) ? readdirSync(published) : []) {
      if (/^[0-9]{1,16}$/.test(name) && Number(name) > options.sizes[log]) move(path.join(published, name), name);
    }
    if (existsSync(path.join(folder, 'checkpoint'))) move(path.join(folder, 'checkpoint'), 'checkpoint');
  }
  return moved;
}
