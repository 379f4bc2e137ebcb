// Reads a secret from where the configuration says it is: an environment variable, a file, or what a command prints. Bounded in
// size and time. Nothing that was read or given as an argument ever stands in an error: the configuration names the source, and
// whoever calls this knows which option it was. Not here: key files and passphrase files of the vault (vault/kek.io.ts).
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import { fillFromFile, systemErrorCode } from '../vault/files.io.ts';
import type { SecretSource } from './config.ts';
import { exposureOf } from './exposure.ts';

export const SECRET_BYTES_MAX = 16_384;
export const COMMAND_DEADLINE_MS = 15_000;

export interface SecretSourceOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Longest time that a command may take, until its output is closed, milliseconds. */
  readonly deadlineMs?: number;
}

/**
 * The secret, never empty and at most 16 KiB. One line end behind it is dropped where it comes from a file or a command. Throws
 * `invalid` where the source says something that cannot be used, `unavailable` where it cannot be asked now.
 */
export async function readSecretSource(source: SecretSource, options: SecretSourceOptions = {}): Promise<Secret> {
  if ('env' in source) return fromEnvironment(source.env, options.environment ?? process.env);
  if ('file' in source) return fromFile(source.file);
  return fromCommand(source.command, options.deadlineMs ?? COMMAND_DEADLINE_MS);
}

function fromEnvironment(name: string, environment: Readonly<Record<string, string | undefined>>): Secret {
  const value = (Object.hasOwn(environment, name) ? environment[name] : null) ?? '';
  if (value === '') throw new Failure('unavailable', 'the environment variable of a secret is not set');
  if (Buffer.byteLength(value) > SECRET_BYTES_MAX) throw tooLong('environment variable');
  return new Secret(value);
}

/** Opened by its real path: orchestrators mount secrets as links. Never waits on a pipe. */
async function fromFile(name: string): Promise<Secret> {
  const content = new Uint8Array(SECRET_BYTES_MAX + 3);
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await open(await realpath(name), flags);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new Failure('invalid', 'the file of a secret is not a regular file');
      const exposure = exposureOf({ userId: stats.uid, mode: stats.mode & 0o777 }, process.geteuid?.() ?? null);
      if (exposure !== null) throw new Failure('invalid', `the file of a secret ${exposure}`);
      return secretOf(content.subarray(0, await fillFromFile(handle, content)), 'file');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (Failure.is(error)) throw error;
    // A path in an error would show a secret that was written in the place of one.
    throw new Failure('unavailable', 'the file of a secret cannot be read', { cause: bareError(error) });
  } finally {
    content.fill(0);
  }
}

/** Without a shell, without input, its errors unseen. It leads a process group, so that the deadline ends what it started too. */
function fromCommand(command: readonly string[], deadlineMs: number): Promise<Secret> {
  return new Promise((resolve, reject) => {
    const [program, ...args] = command;
    const chunks: Buffer[] = [];
    let length = 0;
    let failure: Failure | null = null;
    let child: ChildProcess;
    try {
      child = spawn(program ?? '', args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true, windowsHide: true });
    } catch (error) {
      reject(new Failure('invalid', 'the command of a secret cannot be run', { cause: bareError(error) }));
      return;
    }
    const timer = setTimeout(() => stop('the command of a secret took too long'), deadlineMs);

    function stop(message: string): void {
      failure ??= new Failure('unavailable', message);
      endGroup(child);
      child.stdout?.destroy();
    }

    child.stdout?.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > SECRET_BYTES_MAX + 2) stop('the command of a secret prints too much');
    });
    child.on('error', (error) => {
      failure ??= new Failure('unavailable', 'the command of a secret cannot be run', { cause: bareError(error) });
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      const output = Buffer.concat(chunks);
      try {
        if (failure !== null) throw failure;
        if (status !== 0) {
          const cause = new Error(signal === null ? `exit status ${status}` : `ended by ${signal}`);
          throw new Failure('unavailable', 'the command of a secret failed', { cause });
        }
        resolve(secretOf(output, 'command'));
      } catch (error) {
        reject(error);
      } finally {
        for (const bytes of [...chunks, output]) bytes.fill(0);
      }
    });
  });
}

/** Ends the command and what it started. Where the group is gone already there is nothing to do. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}

/** Without one line end behind it. */
function secretOf(content: Uint8Array, what: 'file' | 'command'): Secret {
  let end = content.length;
  if (content[end - 1] === 0x0a) end -= content[end - 2] === 0x0d ? 2 : 1;
  if (end === 0) throw new Failure('invalid', `the ${what} of a secret gives nothing`);
  if (end > SECRET_BYTES_MAX) throw tooLong(what);
  return new Secret(content.subarray(0, end));
}

function tooLong(what: string): Failure {
  return new Failure('invalid', `the ${what} of a secret gives more than ${SECRET_BYTES_MAX} bytes`);
}

/** An error of the system without the paths and arguments that it repeats. */
function bareError(error: unknown): Error {
  const code = systemErrorCode(error);
  return new Error(typeof code === 'string' ? code : 'unknown');
}
