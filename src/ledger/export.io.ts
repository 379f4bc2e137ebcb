// Writes a log into a directory in the layout of docs/formats/ledger.md, so that anybody can verify it without this program. Going on
// where an earlier export stopped: full tiles and bundles that are there stay as they are. The checkpoint is written last, so that a
// reader never sees one whose tiles are missing. Not here: verifying (verifier/), storage (the LogSource that is handed in).
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { Failure } from '../model/failure.ts';
import { readCheckpoint, writeDurably } from './checkpoints.io.ts';
import { countExportFiles, type ExportFile, exportFiles } from './export.ts';
import { entryBundle, type Log } from './layout.ts';
import { createHasher, TILE_WIDTH } from './merkle.ts';
import { parseCheckpoint } from './note.ts';
import { type LogSource, rootAt, tileHashes } from './source.ts';

const hasher = createHasher((data) => createHash('sha256').update(data).digest());
const encoder = new TextEncoder();

export interface ExportInput {
  readonly log: Log;
  readonly source: LogSource;
  /** The ledger's directory of the installation: published checkpoints and the verifier key. */
  readonly ledgerDirectory: string;
  /** The directory to write into; the log gets a folder in it. */
  readonly to: string;
  readonly onProgress?: (done: number, files: number) => void;
}

export interface Exported {
  /** Size of the newest checkpoint: what was exported. */
  readonly size: number;
  readonly written: number;
  /** Bundles whose entries were pruned: their hashes are there, they are not. */
  readonly pruned: number;
  readonly checkpoints: number;
}

/**
 * Exports a log up to its newest published checkpoint. Returns null where none was published yet. Throws `corrupt` where the
 * stored log does not have the root that was signed, `conflict` where the directory holds another log.
 */
export async function exportLog(input: ExportInput): Promise<Exported | null> {
  const { log, source, ledgerDirectory } = input;
  const note = readCheckpoint(ledgerDirectory, log);
  if (note === null) return null;
  const checkpoint = parseCheckpoint(note);
  if (checkpoint.size > source.size)
    throw new Failure('corrupt', `the ${log} log is shorter than its newest checkpoint`);
  const root = await rootAt(source, checkpoint.size, hasher);
  if (!Buffer.from(root).equals(Buffer.from(checkpoint.root))) {
    throw new Failure('corrupt', `the ${log} log does not have the root of its newest checkpoint`);
  }
  const folder = path.join(input.to, log);
  takeFolder(folder, readFileSync(path.join(ledgerDirectory, log, 'vkey'), 'utf8'), log);
  let written = 0;
  let pruned = 0;
  let done = 0;
  const files = countExportFiles(checkpoint.size);
  for (const file of exportFiles(checkpoint.size)) {
    const result = await writeExportFile(folder, file, source);
    if (result === 'written') written++;
    if (result === 'pruned') pruned++;
    done++;
    if (done % 256 === 0 || done === files) input.onProgress?.(done, files);
  }
  const checkpoints = copyCheckpoints(path.join(ledgerDirectory, log), folder, checkpoint.size);
  writeDurably(path.join(folder, 'checkpoint'), note);
  return { size: checkpoint.size, written, pruned, checkpoints };
}

/** The folder of a log, empty or holding an earlier export of the same log. */
function takeFolder(folder: string, vkey: string, log: Log): void {
  const known = path.join(folder, 'vkey');
  if (existsSync(known)) {
    if (readFileSync(known, 'utf8') !== vkey) throw new Failure('conflict', `the directory holds another ${log} log`);
    return;
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (readdirSync(folder).length > 0) throw new Failure('conflict', `the folder ${log} is not empty, and is no export`);
  writeDurably(known, vkey);
}

async function writeExportFile(
  folder: string,
  file: ExportFile,
  source: LogSource,
): Promise<'written' | 'there' | 'pruned'> {
  const name = path.join(folder, file.path);
  if (isThere(name, file)) return 'there';
  let bytes: Uint8Array;
  if (file.level === 'entries') {
    const from = file.tile * TILE_WIDTH;
    const entries = await source.entries(from, from + file.width);
    if (entries.length < file.width) return 'pruned';
    bytes = entryBundle(entries.map((entry) => encoder.encode(entry)));
  } else {
    bytes = await tileHashes(source, { level: file.level, tile: file.tile, width: file.width }, hasher);
  }
  mkdirSync(path.dirname(name), { recursive: true, mode: 0o700 });
  writeFileSync(`${name}.tmp`, bytes, { mode: 0o600 });
  renameSync(`${name}.tmp`, name);
  // The partial versions of a tile that is full now say nothing that it does not say.
  if (file.isFinal) rmSync(`${name}.p`, { recursive: true, force: true });
  return 'written';
}

function isThere(name: string, file: ExportFile): boolean {
  const stats = statSync(name, { throwIfNoEntry: false });
  if (stats?.isFile() !== true) return false;
  return file.level === 'entries' ? stats.size > 0 : stats.size === file.width * 32;
}

/** Copies the published checkpoints up to a size that are not there yet. */
function copyCheckpoints(from: string, to: string, size: number): number {
  const published = path.join(from, 'checkpoints');
  const names = existsSync(published) ? readdirSync(published) : [];
  const wanted = names.filter((name) => /^(?:0|[1-9][0-9]{0,15})$/.test(name) && Number(name) <= size);
  const folder = path.join(to, 'checkpoints');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of wanted) {
    const target = path.join(folder, name);
    if (existsSync(target)) continue;
    copyFileSync(path.join(published, name), `${target}.tmp`);
    renameSync(`${target}.tmp`, target);
  }
  return wanted.length;
}
