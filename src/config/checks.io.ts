// Looks at the machine for the rules of a configuration: the data directory, key files, certificates, second copies. Changes
// nothing, opens no socket and runs no command; every secret that it reads to see whether it can be read is wiped at once.
// Not here: the judgement (checks.ts), the rules of key files (vault/kek.io.ts).
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';
import type { UtcMs } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { Secret } from '../model/secret.ts';
import { WORKS } from '../targets/program.ts';
import { fillFromFile, isInsideDirectory, sharesDevice, systemErrorCode } from '../vault/files.io.ts';
import { readKeyFile, readPassphraseFile } from '../vault/kek.io.ts';
import { PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN } from '../vault/kek.ts';
import {
  type Finding,
  judgeConfig,
  type ProgramFile,
  type Surroundings,
  type TlsFacts,
  type TlsFile,
} from './checks.ts';
import type { Config, ListenerConfig } from './config.ts';
import type { LoadedConfig } from './load.io.ts';
import { readSecretSource } from './secret-source.io.ts';

export interface CheckOptions {
  /** Names of the providers that this program knows. */
  readonly providers: readonly string[];
  /** UTC milliseconds. */
  readonly now: UtcMs;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const PEM_BYTES_MAX = 1_048_576;

/** Everything that is wrong or doubtful about a configuration on this machine, errors first. Does not throw for what it finds. */
export async function checkConfig(
  loaded: Pick<LoadedConfig, 'config' | 'fileOwnership'>,
  options: CheckOptions,
): Promise<readonly Finding[]> {
  return judgeConfig(loaded.config, await observe(loaded, options), options.providers);
}

async function observe(
  { config, fileOwnership }: Pick<LoadedConfig, 'config' | 'fileOwnership'>,
  { now, environment = process.env }: CheckOptions,
): Promise<Surroundings> {
  return {
    now,
    userId: process.geteuid?.() ?? null,
    configFile: fileOwnership,
    dataDirectory: await observeDataDirectory(config.dataDirectory),
    tls: { broker: await observeTls(config.broker), api: await observeTls(config.api) },
    kekProblem: await kekProblem(config, environment),
    databaseProblem: await databaseProblem(config, environment),
    secondCopy: await observeSecondCopy(config),
    programs: await observePrograms(config),
  };
}

async function observePrograms({ programs = [] }: Config): Promise<Surroundings['programs']> {
  const found = new Map<string, ProgramFile>();
  for (const [index, program] of programs.entries()) {
    for (const work of WORKS) {
      const name = program[work]?.[0];
      if (name !== undefined) found.set(`/programs/${index}/${work}`, await observeProgram(name));
    }
  }
  return found;
}

async function observeProgram(name: string): Promise<ProgramFile> {
  try {
    const stats = await stat(name);
    if (!stats.isFile()) return { is: 'not-a-file' };
    const ownership = { userId: stats.uid, mode: stats.mode & 0o777 };
    return await access(name, constants.X_OK).then(
      () => ({ is: 'executable' as const, ownership }),
      () => ({ is: 'not-executable' as const }),
    );
  } catch {
    return { is: 'absent' };
  }
}

async function observeDataDirectory(name: string): Promise<Surroundings['dataDirectory']> {
  try {
    const stats = await stat(name);
    if (!stats.isDirectory()) return { is: 'not-a-directory' };
    return { is: 'directory', ownership: { userId: stats.uid, mode: stats.mode & 0o777 } };
  } catch (error) {
    return { is: systemErrorCode(error) === 'ENOENT' ? 'absent' : 'unreadable' };
  }
}

async function observeSecondCopy({ secondCopy, dataDirectory }: Config): Promise<Surroundings['secondCopy']> {
  if (secondCopy === null) return null;
  const { directory } = secondCopy;
  return {
    isDirectory: await stat(directory).then(
      (stats) => stats.isDirectory(),
      () => false,
    ),
    isInsideData: await isInsideDirectory(directory, dataDirectory).catch(() => true),
    sharesDevice: await sharesDevice(directory, dataDirectory).catch(() => false),
  };
}

/** Reads what can be read without running anything: a command may ask a person, or count its calls. */
async function kekProblem(
  { kek, dataDirectory }: Config,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | null> {
  if (kek === null) return null;
  if (kek.kind === 'key-file') return problemOf(() => readKeyFile({ path: kek.path, dataDirectory }));
  const { from } = kek;
  if ('command' in from) return null;
  if ('file' in from) return problemOf(() => readPassphraseFile({ path: from.file, dataDirectory }));
  return problemOf(async () => {
    const passphrase = await readSecretSource(from, { environment });
    if (passphrase.length < PASSPHRASE_BYTES_MIN || passphrase.length > PASSPHRASE_BYTES_MAX) {
      passphrase.wipe();
      throw new Failure('invalid', `a passphrase has ${PASSPHRASE_BYTES_MIN} to ${PASSPHRASE_BYTES_MAX} bytes`);
    }
    return passphrase;
  });
}

async function databaseProblem(
  { database }: Config,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | null> {
  if (database.kind === 'sqlite' || 'command' in database.url) return null;
  const { url } = database;
  return problemOf(() => readSecretSource(url, { environment }));
}

/** Why a secret cannot be had, in words that are safe to show, or null. What was read is forgotten. */
async function problemOf(read: () => Promise<Secret>): Promise<string | null> {
  try {
    (await read()).wipe();
    return null;
  } catch (error) {
    return Failure.is(error) ? error.message : 'it cannot be looked at';
  }
}

async function observeTls({ tls }: ListenerConfig): Promise<TlsFacts | null> {
  if (tls === null) return null;
  const [certificateFile, keyFile] = [await readPem(tls.certificate), await readPem(tls.key)];
  const certificate = parse(certificateFile.content, (pem) => new X509Certificate(pem));
  const key = parse(keyFile.content, (pem) => createPrivateKey(pem));
  keyFile.content?.fill(0);
  return {
    certificate: certificateFile.file.is === 'read' && certificate === null ? { is: 'unusable' } : certificateFile.file,
    key: keyFile.file.is === 'read' && key === null ? { is: 'unusable' } : keyFile.file,
    isPair: certificate === null || key === null ? null : certificate.checkPrivateKey(key),
    validity:
      certificate === null
        ? null
        : { from: certificate.validFromDate.getTime(), until: certificate.validToDate.getTime() },
  };
}

async function readPem(name: string): Promise<{ readonly file: TlsFile; readonly content: Buffer | null }> {
  try {
    const handle = await open(name, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      const ownership = { userId: stats.uid, mode: stats.mode & 0o777 };
      if (!stats.isFile() || stats.size > PEM_BYTES_MAX) return { file: { is: 'unusable' }, content: null };
      const bytes = Buffer.alloc(PEM_BYTES_MAX);
      const content = bytes.subarray(0, await fillFromFile(handle, bytes));
      return { file: { is: 'read', ownership }, content };
    } finally {
      await handle.close();
    }
  } catch {
    return { file: { is: 'unreadable' }, content: null };
  }
}

/** PEM and nothing else: the library would take a certificate in DER too, which a TLS server does not. */
function parse<T>(content: Buffer | null, read: (pem: Buffer) => T): T | null {
  if (content === null || !content.includes('-----BEGIN ')) return null;
  try {
    return read(content);
  } catch {
    return null;
  }
}
