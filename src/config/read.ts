// From the text of the configuration file to the configuration in force: syntax, shape, defaults, the few overrides from the
// environment, quantities as numbers, paths as absolute paths, frozen. Says for every option where its value came from.
// Not here: reading files (load.io.ts), rules that need the machine (checks.ts).
import { z } from 'zod';
import { canonicalJson, type Json } from '../model/json.ts';
import type { Config, DatabaseConfig, KekConfig, ListenerConfig, SecretSource } from './config.ts';
import { type Place, type Problem, pointerSegment, readDocument } from './document.ts';
import { parseDuration, parseListen, parseSize } from './forms.ts';
import { configJsonSchema } from './options.ts';
import { describeIssue, problemsOf } from './problems.ts';
import { ConfigFile, type SecretSourceText } from './schema.ts';

/** The environment variable that overrides `dataDirectory`. Empty counts as not set. */
export const DATA_DIRECTORY_VARIABLE = 'CLAVIGER_DATA_DIRECTORY';

export type ValueSource =
  | { readonly from: 'default' }
  | { readonly from: 'file'; readonly line: number; readonly column: number }
  | { readonly from: 'environment'; readonly name: string };

/** One option as it is in force, for people. */
export interface EffectiveOption {
  /** JSON pointer in the file's own vocabulary. */
  readonly pointer: string;
  /** As it would be written in the file, as JSON. Arguments of commands are left out. */
  readonly value: string;
  readonly source: ValueSource;
}

export interface ConfigInput {
  /** The text of the file, or null where there is none. */
  readonly text: string | null;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Makes a path absolute: from the directory of the file, or from the working directory for what the environment says. */
  readonly absolute: (path: string, from: 'file' | 'environment') => string;
}

export type ConfigReading =
  | {
      readonly is: 'read';
      readonly config: Config;
      readonly sources: readonly EffectiveOption[];
      readonly places: ReadonlyMap<string, Place>;
    }
  | { readonly is: 'refused'; readonly problems: readonly Problem[] };

/** Reads a configuration whole, or gives all its problems at once. Never throws, whatever the text. */
export function readConfig(input: ConfigInput): ConfigReading {
  const document = readDocument(input.text ?? '');
  if (document.is === 'refused') return document;
  const { value, places } = document;
  const parsed = ConfigFile.safeParse(value, { error: describeIssue });
  const override = input.environment[DATA_DIRECTORY_VARIABLE] ?? '';
  const overridden = z
    .object({ dataDirectory: ConfigFile.shape.dataDirectory })
    .safeParse(override === '' ? {} : { dataDirectory: override });
  const problems: Problem[] = [];
  if (!parsed.success) {
    problems.push(...problemsOf(parsed.error.issues, { value, places, schema: configJsonSchema() }));
  }
  if (!overridden.success) {
    const message = `${DATA_DIRECTORY_VARIABLE}: expected the path of a directory`;
    problems.push({ pointer: '/dataDirectory', message, position: null });
  }
  if (!parsed.success || !overridden.success) return { is: 'refused', problems };
  const isOverridden = override !== '';
  const file = isOverridden ? { ...parsed.data, dataDirectory: override } : parsed.data;
  const dataDirectory = input.absolute(file.dataDirectory, isOverridden ? 'environment' : 'file');
  const config = toConfig(file, dataDirectory, (path) => input.absolute(path, 'file'));
  return deepFreeze({ is: 'read', config, sources: listSources(file, places, isOverridden), places });
}

function toConfig(file: ConfigFile, dataDirectory: string, absolute: (path: string) => string): Config {
  const { limits, scheduler, kek, database, secondCopy } = file;

  function listener({ listen, tls, terminatedBy }: ConfigFile['broker']): ListenerConfig {
    const { host, port } = parseListen(listen)!;
    const files = tls === null ? null : { certificate: absolute(tls.certificate), key: absolute(tls.key) };
    return { host, port, tls: files, terminatedBy };
  }

  function secret({ env, file: path, command }: SecretSourceText): SecretSource {
    if (env !== undefined) return { env };
    if (path !== undefined) return { file: absolute(path) };
    const [program, ...rest] = command!;
    // A bare name is looked for in PATH; anything else is a path, and means the same wherever the server was started.
    return { command: [program!.includes('/') ? absolute(program!) : program!, ...rest] };
  }

  function databaseConfig(): DatabaseConfig {
    return database.kind === 'sqlite' ? { kind: 'sqlite' } : { kind: 'postgresql', url: secret(database.url) };
  }

  function kekConfig(): KekConfig | null {
    if (kek === null) return null;
    if (kek.kind === 'key-file') return { kind: 'key-file', path: absolute(kek.path) };
    return { kind: 'passphrase', from: secret(kek.from) };
  }

  return {
    dataDirectory,
    broker: listener(file.broker),
    api: listener(file.api),
    database: databaseConfig(),
    kek: kekConfig(),
    secondCopy: secondCopy === null ? null : { directory: absolute(secondCopy.directory) },
    providers: file.providers,
    providersDirectory: file.providersDirectory === null ? null : absolute(file.providersDirectory),
    programs: file.programs.map(({ timeout, ...program }) => ({
      ...program,
      timeoutMs: parseDuration(timeout)! * 1000,
    })),
    trustedProxies: file.trustedProxies,
    outboundProxy: file.outboundProxy,
    limits: {
      headerBytes: parseSize(limits.header)!,
      editedBodyBytes: parseSize(limits.editedBody)!,
      connections: limits.connections,
      upstreamHeadersSeconds: parseDuration(limits.upstreamHeaders)!,
      upstreamSilenceSeconds: parseDuration(limits.upstreamSilence)!,
    },
    drainSeconds: parseDuration(file.drain)!,
    scheduler: {
      everySeconds: parseDuration(scheduler.every)!,
      rotationsAtOnce: scheduler.rotationsAtOnce,
      inventorySeconds: parseDuration(scheduler.inventoryEvery)!,
      orphansMax: scheduler.orphansMax,
    },
    checkpointSeconds: parseDuration(file.checkpointEvery)!,
    log: file.log,
  };
}

/** Every value of the file with its defaults, down to those that are no sections, and where each came from. */
function listSources(
  file: ConfigFile,
  places: ReadonlyMap<string, Place>,
  isOverridden: boolean,
): readonly EffectiveOption[] {
  const options: EffectiveOption[] = [];
  function descend(value: Json, pointer: string): void {
    const isSection = typeof value === 'object' && value !== null && (!Array.isArray(value) || isListOfSections(value));
    if (isSection && Object.keys(value).length > 0) {
      for (const [key, child] of Object.entries(value)) descend(child, `${pointer}/${pointerSegment(key)}`);
      return;
    }
    const place = places.get(pointer);
    const source: ValueSource =
      isOverridden && pointer === '/dataDirectory'
        ? { from: 'environment', name: DATA_DIRECTORY_VARIABLE }
        : place === undefined
          ? { from: 'default' }
          : { from: 'file', ...place.key };
    options.push({ pointer, value: shownValue(value, pointer), source });
  }
  descend(file as unknown as Json, '');
  return options;
}

function isListOfSections(list: readonly Json[]): boolean {
  return list.some((item) => typeof item === 'object' && item !== null && !Array.isArray(item));
}

/** Where a program stands with its arguments. */
const COMMAND = /\/command$|^\/programs\/[0-9]+\/(?!credential$|timeout$)/;

/** Arguments of a command may hold what they should not; its program says enough. */
function shownValue(value: Json, pointer: string): string {
  if (!COMMAND.test(pointer) || !Array.isArray(value) || value.length < 2) return canonicalJson(value);
  return `[${canonicalJson(value[0])}, …]`;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || value instanceof Map) return value;
  Object.freeze(value);
  for (const child of Object.values(value)) deepFreeze(child);
  return value;
}
