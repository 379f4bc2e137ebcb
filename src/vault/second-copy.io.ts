// Second copies: one file for each envelope, `<directory>/<version id>.envelope`, ciphertext only, in a directory that should
// lie on other hardware than the data. Responsible for writing them so that a crash leaves the old file or the new one.
// Not here: whether a version must have a copy before its predecessor is revoked (rotation/), what may replace what
// (second-copy.ts). One process writes: the database's fence sees to that.
import { constants } from 'node:fs';
import { type FileHandle, open, opendir, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { assert, Failure } from '../model/failure.ts';
import { ENVELOPE_BYTES_MAX } from './envelope.ts';
import { fillFromFile, flushDirectory, isInsideDirectory, sharesDevice, systemErrorCode } from './files.io.ts';
import { type CopyState, compareCopy, copyFileName, versionOfFileName } from './second-copy.ts';

export interface SecondCopy {
  /**
   * Writes the envelope of a version; on return it is on stable storage. Says what it found: `absent` and `rewrapped` were
   * written, `same` needed nothing. Throws `conflict` where the copy holds something else, `unavailable` where it cannot be
   * written. A crash leaves the old file or the new one, and perhaps a hidden temporary file that the next write reuses.
   */
  write(versionId: string, bytes: Uint8Array): Promise<CopyState>;
  /** The copy, or null where there is none. Throws `unavailable`; `corrupt` where it is no plain file or too long. */
  read(versionId: string): Promise<Uint8Array | null>;
  /** How the copy stands to this envelope: `same` and `rewrapped` are a second copy, nothing else is. */
  compare(versionId: string, bytes: Uint8Array): Promise<CopyState>;
  /** Versions that have a copy, in no order, at most `limit`. */
  list(limit: number): Promise<{ readonly versionIds: readonly string[]; readonly isWhole: boolean }>;
}

/**
 * Opens a directory of second copies. It must exist: were it made here, a mount that failed would be replaced in silence by
 * a directory beside the data. Throws `unavailable` where it is missing, `invalid` where it lies inside the data directory.
 */
export async function openSecondCopy(input: {
  readonly directory: string;
  readonly dataDirectory: string;
}): Promise<
  SecondCopy & { /** Same file system as the data: no second failure domain. */ readonly sharesDevice: boolean }
> {
  const directory = path.resolve(input.directory);
  const isDirectory = await stat(directory).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isDirectory) {
    throw new Failure('unavailable', 'the directory of second copies is missing', { cause: new Error(directory) });
  }
  if (await isInsideDirectory(directory, input.dataDirectory)) {
    throw new Failure('invalid', 'the directory of second copies lies inside the data directory');
  }
  const isShared = await sharesDevice(directory, input.dataDirectory).catch(() => false);
  const writing = new Set<string>();

  async function read(versionId: string): Promise<Uint8Array | null> {
    const name = path.join(directory, fileName(versionId));
    return wrapped('read', async () => {
      let handle: FileHandle;
      try {
        handle = await open(name, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      } catch (error) {
        if (systemErrorCode(error) === 'ENOENT') return null;
        throw error;
      }
      try {
        const stats = await handle.stat();
        if (!stats.isFile() || stats.size > ENVELOPE_BYTES_MAX) {
          throw new Failure('corrupt', 'a second copy is not a plain file of an envelope');
        }
        const bytes = new Uint8Array(stats.size);
        return bytes.subarray(0, await fillFromFile(handle, bytes));
      } finally {
        await handle.close();
      }
    });
  }

  async function write(versionId: string, bytes: Uint8Array): Promise<CopyState> {
    const name = fileName(versionId);
    if (writing.has(versionId)) throw new Failure('conflict', 'the second copy of this version is being written');
    writing.add(versionId);
    try {
      const found = compareCopy(await read(versionId), bytes);
      if (found === 'different' || found === 'unreadable') {
        throw new Failure('conflict', `the second copy of ${versionId} holds something else`);
      }
      await wrapped('written', async () => {
        // `same` may be what a crash left between rename and flush: only the flush is repeated.
        if (found !== 'same')
          await replaceFile(path.join(directory, `.${name}.tmp`), path.join(directory, name), bytes);
        await flushDirectory(directory);
      });
      return found;
    } finally {
      writing.delete(versionId);
    }
  }

  return {
    sharesDevice: isShared,
    read,
    write,
    async compare(versionId, bytes) {
      return compareCopy(await read(versionId), bytes);
    },
    list(limit) {
      return wrapped('listed', async () => {
        const versionIds: string[] = [];
        for await (const entry of await opendir(directory)) {
          const versionId = versionOfFileName(entry.name);
          if (versionId === null) continue;
          if (versionIds.length === limit) return { versionIds, isWhole: false };
          versionIds.push(versionId);
        }
        return { versionIds, isWhole: true };
      });
    },
  };
}

function fileName(versionId: string): string {
  const name = copyFileName(versionId);
  assert(name !== null, 'a second copy is named after a version');
  return name;
}

async function replaceFile(temporary: string, final: string, bytes: Uint8Array): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  const handle = await open(temporary, flags, 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, final);
}

async function wrapped<T>(verb: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (Failure.is(error)) throw error;
    throw new Failure('unavailable', `a second copy could not be ${verb}`, { cause: error });
  }
}
