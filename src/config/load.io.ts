// Finds and reads the configuration file. The file that is named wins, then CLAVIGER_CONFIG, then claviger.yaml in the working
// directory; with none of them the defaults hold. Responsible for what a file must be like before it is obeyed, for it may name
// commands. Not here: what stands in it (read.ts), rules that need the rest of the machine (checks.io.ts).
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { Failure } from '../model/failure.ts';
import { fillFromFile, systemErrorCode } from '../vault/files.io.ts';
import type { Config } from './config.ts';
import { DOCUMENT_CHARACTERS_MAX, describePosition, type Position, type Problem } from './document.ts';
import { type Ownership, tamperingOf } from './exposure.ts';
import { positionOf } from './problems.ts';
import { type EffectiveOption, readConfig } from './read.ts';

/** The environment variable that names the file. Empty counts as not set. */
export const CONFIG_VARIABLE = 'CLAVIGER_CONFIG';
export const DEFAULT_FILE = 'claviger.yaml';

export interface LoadedConfig {
  /** Frozen, with its paths absolute. */
  readonly config: Config;
  /** Every option in force, where its value came from, and how it would be written in the file. */
  readonly sources: readonly EffectiveOption[];
  /** Absolute path of the file; null where there is none. */
  readonly file: string | null;
  readonly fileOwnership: Ownership | null;
  /** Line and column of the option that a JSON pointer names, or of the nearest section around it; null without a file. */
  positionOf(pointer: string): Position | null;
}

export interface LoadOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory?: string;
}

/** UTF-8 takes at most four bytes a character. */
const FILE_BYTES_MAX = 4 * DOCUMENT_CHARACTERS_MAX;

/**
 * Loads the configuration whole. `file` is what the command line names, or null. Relative paths in the file are relative to its
 * own directory, those of the environment and of the defaults without a file to the working directory. Throws `unavailable`
 * where the file cannot be read, `invalid` with every problem (pointer, line, column) where it is not accepted.
 */
export async function loadConfig(file: string | null, options: LoadOptions = {}): Promise<LoadedConfig> {
  const environment = options.environment ?? process.env;
  const workingDirectory = options.workingDirectory ?? process.cwd();
  const named = file ?? (environment[CONFIG_VARIABLE] || null);
  const candidate = path.resolve(workingDirectory, named ?? DEFAULT_FILE);
  const found = await readConfigFile(candidate, named === null);
  const fileDirectory = found === null ? workingDirectory : path.dirname(candidate);
  const reading = readConfig({
    text: found?.text ?? null,
    environment,
    absolute: (name, from) => path.resolve(from === 'file' ? fileDirectory : workingDirectory, name),
  });
  if (reading.is === 'refused') throw problemsFailure(reading.problems);
  const { config, sources, places } = reading;
  return Object.freeze({
    config,
    sources,
    file: found === null ? null : candidate,
    fileOwnership: found?.ownership ?? null,
    positionOf: (pointer: string) => (found === null ? null : positionOf(pointer, places)),
  });
}

/** One Failure for all problems, each with its place in the text of the detail. */
function problemsFailure(problems: readonly Problem[]): Failure {
  const errors = problems.map(({ pointer, message, position }) => ({
    pointer,
    detail: `${describePosition(position)}${message}`,
  }));
  const count = errors.length === 1 ? 'one problem' : `${errors.length} problems`;
  return new Failure('invalid', `the configuration is not accepted: ${count}`, { errors });
}

/** The text of the file; null where it is the one that nobody named, and does not exist. */
async function readConfigFile(
  name: string,
  isDefault: boolean,
): Promise<{ readonly text: string; readonly ownership: Ownership } | null> {
  const content = new Uint8Array(FILE_BYTES_MAX + 1);
  try {
    const handle = await open(name, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      const ownership = { userId: stats.uid, mode: stats.mode & 0o777 };
      if (!stats.isFile()) throw refused('is not a regular file');
      // A file that was named is the operator's choice, as long as not everybody can change it; checks.ts warns about the rest.
      // One that merely lies in the working directory could be anybody's, and a configuration can name commands.
      const tampering = tamperingOf(ownership, process.geteuid?.() ?? null);
      if (tampering === 'everybody') throw refused('may be written by everybody');
      if (tampering === 'another user' && isDefault) throw refused('belongs to another user and was not named');
      const length = await fillFromFile(handle, content);
      if (length > FILE_BYTES_MAX) throw refused(`is longer than ${FILE_BYTES_MAX} bytes`);
      return { text: decode(content.subarray(0, length)), ownership };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (Failure.is(error)) throw error;
    if (isDefault && systemErrorCode(error) === 'ENOENT') return null;
    throw new Failure('unavailable', 'the configuration file cannot be read', { cause: error });
  }
}

function decode(content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    throw refused('is not UTF-8');
  }
}

function refused(why: string): Failure {
  return new Failure('invalid', `the configuration file ${why}`);
}
