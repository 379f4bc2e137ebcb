// What the vault needs from the file system: whether a path leads into a directory, by whatever name (through links, other
// spellings on file systems that ignore case, or a second mount), bounded reading, flushing. Used to keep key files and
// second copies out of the data directory. Not here: what the files mean (kek.io.ts, second-copy.io.ts).
import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import path from 'node:path';

const DEPTH_MAX = 256;

/**
 * Whether the file or directory at `candidate`, which need not exist yet, is or lies inside `directory`, or is written as a
 * path inside it (a link in the directory that leads out of it counts as inside). Both may be relative.
 */
export async function isInsideDirectory(candidate: string, directory: string): Promise<boolean> {
  const written = path.resolve(candidate);
  // The name as it is written, then with the links of its directories resolved, then with its own link resolved.
  const inDirectory = path.join(await nearestRealPath(path.dirname(written)), path.basename(written));
  const names = [written, inDirectory, await nearestRealPath(written)];
  const wanted = await identity(directory);
  if (wanted === null) {
    const later = await nearestRealPath(directory);
    return names.some((name) => isBelow(name, later));
  }
  for (const name of names) if (await hasAncestor(name, wanted)) return true;
  return false;
}

/** Whether both lie on the same file system, so that losing one loses the other. Throws where either does not exist. */
export async function sharesDevice(left: string, right: string): Promise<boolean> {
  const [a, b] = await Promise.all([stat(left, { bigint: true }), stat(right, { bigint: true })]);
  return a.dev === b.dev;
}

/** Reads from the start until `into` is full or the file ends. Returns the number of bytes; never reads more. */
export async function fillFromFile(handle: FileHandle, into: Uint8Array): Promise<number> {
  let length = 0;
  while (length < into.length) {
    const { bytesRead } = await handle.read(into, length, into.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

/** Makes the names in a directory durable: after a create or a rename. */
export async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The code of a system error (`ENOENT`), or null. */
export function systemErrorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}

function isBelow(name: string, directory: string): boolean {
  const relative = path.relative(directory, name);
  return relative === '' || (relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative));
}

/** The real path of the longest part that exists, with the rest behind it. */
async function nearestRealPath(name: string): Promise<string> {
  let existing = path.resolve(name);
  const rest: string[] = [];
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    try {
      return path.join(await realpath(existing), ...rest);
    } catch {
      rest.unshift(path.basename(existing));
      existing = path.dirname(existing);
    }
  }
  throw new Error('a path of too many directories');
}

/** Whether a path, or a directory above it, is the directory with this identity: the spelling does not matter. */
async function hasAncestor(name: string, wanted: string): Promise<boolean> {
  let above = name;
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    if ((await identity(above)) === wanted) return true;
    const next = path.dirname(above);
    if (next === above) return false;
    above = next;
  }
  throw new Error('a path of too many directories');
}

/** Device and inode, or null for what does not exist. */
async function identity(name: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(name, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}
