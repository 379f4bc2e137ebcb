// What a command is given to act with: the machine it runs on, the API, the configuration, and how to speak. All of it comes in
// as functions, so that commands hold no I/O of their own. Made by program.io.ts.
import type { Config } from '../config/config.ts';
import type { UtcMs } from '../model/clock.ts';
import type { Secret } from '../model/secret.ts';
import type { Api } from './api.ts';
import type { View } from './view.ts';

/** What the commands may do with the machine. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: {
    readonly isTty: boolean;
    /** Everything up to the end. Throws `invalid` beyond `bytesMax`. */
    read(bytesMax: number): Promise<Uint8Array>;
  };
  readonly stdout: Stream;
  readonly stderr: Stream;
  now(): UtcMs;
  randomBytes(length: number): Uint8Array;
  sleep(ms: number): Promise<void>;
  /** Asks on the terminal and shows what is typed. */
  ask(question: string): Promise<string>;
  /** Asks on the terminal and shows nothing of what is typed. */
  askHidden(question: string): Promise<Secret>;
  readonly files: Files;
}

export interface Stream {
  readonly isTty: boolean;
  /** Columns of the terminal; null where it is none. */
  readonly columns: number | null;
  write(text: string): void;
}

export interface Files {
  /** A plain file of at most `bytesMax`. Throws `not-found`, `invalid` where it is no plain file or too long. */
  read(path: string, bytesMax: number): Promise<Uint8Array>;
  /** As `read`, but never through a link, neither the file nor a directory on the way from where the program runs. */
  readUnlinked(path: string, bytesMax: number): Promise<Uint8Array>;
  /** A file that only its owner may read. Throws `invalid` where others may. */
  readPrivate(path: string, bytesMax: number): Promise<Secret>;
  /** A new file of mode 0600, flushed. Throws `conflict` where the name is taken. */
  writePrivate(path: string, content: Secret): Promise<void>;
  /** The names of the files in a directory, sorted, or null where the path is no directory. */
  list(path: string): Promise<readonly string[] | null>;
  exists(path: string): Promise<boolean>;
}

/** The configuration and where it was found. */
export interface LoadedConfig {
  readonly config: Config;
  /** Absolute path; null where there is no file and everything is its default. */
  readonly file: string | null;
}

export interface Context {
  readonly machine: Machine;
  readonly view: View;
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  /** Progress and hints, for people, on standard error. Nothing with `--quiet` or `--json`. */
  note(line: string): void;
  /** A line of a result that arrives bit by bit (a log that is followed). With `--json`, one JSON value for each. */
  emit(text: string, data: unknown): void;
  /** Something that moves: replaces its last state on a terminal; elsewhere each new state is a line. */
  progress(text: string): void;
  /** Ends the moving line. */
  progressDone(): void;
  /** The control API, with the token of this profile. Throws `unauthenticated` where no token is found. */
  api(): Promise<Api>;
  /** The configuration file of this call. Throws `invalid` with everything that is wrong in it. */
  config(): Promise<LoadedConfig>;
  /** The file that `--config` and the environment name, or the usual one where it is there; null: none. */
  configFile(): Promise<string | null>;
  /** Asks for a yes on a terminal; elsewhere, without `--yes`, throws `invalid`. */
  confirm(question: string, isAgreed: boolean): Promise<boolean>;
}
