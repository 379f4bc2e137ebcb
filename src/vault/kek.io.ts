// Where a key-encryption key comes from: a key file, or a passphrase through Argon2id. Responsible for what such a file must
// be like (outside the data directory, readable by its owner alone, one name) and for making a new one. Not here: what the
// bytes must be like, rows and check values (kek.ts). A key beside the data that it locks would be in every backup of it.
import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Random } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import { revealSecret, Secret } from '../model/secret.ts';
import { argon2id } from './cipher.io.ts';
import { KEY_BYTES } from './cipher.ts';
import { fillFromFile, flushDirectory, isInsideDirectory, systemErrorCode } from './files.io.ts';
import {
  type Argon2idParams,
  argon2idProblem,
  decodeKeyFile,
  decodePassphrase,
  type KekRow,
  kekRowProblem,
} from './kek.ts';

/** A file that holds a secret, and the directory that it must not lie in. */
export interface SecretFile {
  readonly path: string;
  readonly dataDirectory: string;
}

/** Where the key of a row comes from at this start. A passphrase from elsewhere than a file arrives as a Secret. */
export type KekSource =
  | { readonly kind: 'key-file'; readonly path: string }
  | { readonly kind: 'passphrase-file'; readonly path: string }
  | { readonly kind: 'passphrase'; readonly passphrase: Secret };

const SECRET_FILE_BYTES_MAX = 4096;

/**
 * The key of a row, 32 bytes. Throws `invalid` where the row is out of bounds, where the source is of another kind than the
 * row, or where the file is refused. Whether it is the right key shows against the check value, in `vault.unseal`.
 */
export async function loadKek(input: {
  readonly row: KekRow;
  readonly source: KekSource;
  readonly dataDirectory: string;
}): Promise<Secret> {
  const { row, source, dataDirectory } = input;
  const problem = kekRowProblem(row);
  if (problem !== null) throw new Failure('invalid', `key-encryption key ${row.id}: ${problem}`);
  if (row.params === null) {
    if (source.kind === 'key-file') return readKeyFile({ path: source.path, dataDirectory });
    throw new Failure('invalid', `key-encryption key ${row.id} comes from a key file, not from a passphrase`);
  }
  if (source.kind === 'key-file') {
    throw new Failure('invalid', `key-encryption key ${row.id} comes from a passphrase, not from a key file`);
  }
  if (source.kind === 'passphrase') return deriveKek(source.passphrase, row.params);
  const passphrase = await readPassphraseFile({ path: source.path, dataDirectory });
  try {
    return await deriveKek(passphrase, row.params);
  } finally {
    passphrase.wipe();
  }
}

/** The key that follows from a passphrase. Throws `invalid` for parameters out of bounds, before any work is done. */
export async function deriveKek(passphrase: Secret, params: Argon2idParams): Promise<Secret> {
  const problem = argon2idProblem(params);
  if (problem !== null) throw new Failure('invalid', `passphrase: ${problem}`);
  const { memoryKib, passes, lanes } = params;
  const salt = Uint8Array.fromHex(params.salt);
  const bytes = await argon2id({ passphrase: revealSecret(passphrase), salt, memoryKib, passes, lanes });
  const key = new Secret(bytes);
  bytes.fill(0);
  return key;
}

/** The 32 bytes of a key file. Throws `invalid` where the file or its content is refused, `unavailable` where it cannot be read. */
export function readKeyFile(file: SecretFile): Promise<Secret> {
  return readSecretFile(file, decodeKeyFile);
}

/** A passphrase, without one line end behind it. Throws as `readKeyFile`. */
export function readPassphraseFile(file: SecretFile): Promise<Secret> {
  return readSecretFile(file, decodePassphrase);
}

/**
 * Writes a new key in base64 into a new file of mode 0600, flushed with its directory, and gives the key as it is read back.
 * Throws `invalid` for a place inside the data directory, `conflict` where the name is taken: a key is never overwritten.
 * A crash on the way may leave a file that is cut short; it is refused when it is read, and may be removed.
 */
export async function generateKeyFile(file: SecretFile & { readonly random: Random }): Promise<Secret> {
  await refuseInside(file);
  const bytes = file.random.bytes(KEY_BYTES);
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const handle = await open(file.path, flags, 0o600);
    try {
      await handle.chmod(0o600);
      await handle.writeFile(`${bytes.toBase64()}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await flushDirectory(path.dirname(file.path));
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST')
      throw new Failure('conflict', 'the key file is already there', { cause: error });
    throw new Failure('unavailable', 'the key file could not be written', { cause: error });
  } finally {
    bytes.fill(0);
  }
  return readKeyFile(file);
}

async function readSecretFile(file: SecretFile, decode: (content: Uint8Array) => Secret): Promise<Secret> {
  await refuseInside(file);
  const content = new Uint8Array(SECRET_FILE_BYTES_MAX + 1);
  try {
    const handle = await openReal(file.path);
    try {
      await refuseExposed(handle, file.path);
      const length = await fillFromFile(handle, content);
      if (length > SECRET_FILE_BYTES_MAX) throw refused(file.path, 'is too long');
      return decode(content.subarray(0, length));
    } finally {
      await handle.close();
    }
  } finally {
    content.fill(0);
  }
}

/** Opened by its real path and not through a link, so that what was checked is what is read. Never waits on a pipe. */
async function openReal(name: string): Promise<FileHandle> {
  try {
    return await open(await realpath(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw new Failure('unavailable', 'the file of a key-encryption key cannot be opened', { cause: error });
  }
}

async function refuseInside(file: SecretFile): Promise<void> {
  if (await isInsideDirectory(file.path, file.dataDirectory)) {
    throw refused(file.path, 'lies inside the data directory, and so in every copy of it');
  }
}

async function refuseExposed(handle: FileHandle, name: string): Promise<void> {
  const stats = await handle.stat();
  if (!stats.isFile()) throw refused(name, 'is not a regular file');
  if ((stats.mode & 0o077) !== 0) throw refused(name, 'is open to others than its owner: mode 0600 is demanded');
  const user = process.geteuid?.() ?? stats.uid;
  if (stats.uid !== user && stats.uid !== 0) throw refused(name, 'belongs to another user');
  // A hard link has no direction: the other name may lie inside the data directory.
  if (stats.nlink !== 1) throw refused(name, 'has a second name (a hard link)');
}

/** The message may be shown to anybody; the path is for operators, in the cause. */
function refused(name: string, why: string): Failure {
  return new Failure('invalid', `the file of a key-encryption key ${why}`, { cause: new Error(`refused: ${name}`) });
}
