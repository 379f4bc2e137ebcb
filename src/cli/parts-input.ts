// Where the parts of a key come from: standard input, files, names in a `.env` file, or prompts; a public part may stand in an argument
// too. A secret never does: it would stand in the history of the shell and in the list of processes. What no option names is asked for on
// the terminal. Not here: whether a part has the form of its kind, which the server says.
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import type { Input, OptionSpec } from './command.ts';
import type { Context } from './context.ts';
import { trimmed } from './disclose.ts';
import { DOTENV_BYTES_MAX, dotenvNames, dotenvValue } from './dotenv.ts';
import { nonEmpty, SECRET_BYTES_MAX } from './secret-input.ts';
import { visible } from './text.ts';

/** The parts of a kind, in order, and which of them are no secrets. */
export interface PartNames {
  readonly parts: readonly string[];
  readonly publicParts?: readonly string[];
}

/** The options by which a command is given the parts of a key. */
export const PART_OPTIONS: readonly OptionSpec[] = [
  { flags: '--from-stdin', about: 'read the secret from standard input' },
  {
    flags: '--from-file <path...>',
    about: 'read the secret from a file; `part=path` for a part by its name',
  },
  { flags: '--from-env-file <path>', about: 'read the secret from a .env file, by the names that --name gives' },
  { flags: '--name <name...>', about: 'name of the secret in the .env file; `part=NAME` for a part by its name' },
  {
    flags: '--part <part=source...>',
    about: 'a part by its name: `part=@path`, `part=-` for standard input; where it is no secret, its text',
  },
];

type Source =
  | { readonly from: 'stdin' }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'env'; readonly name: string }
  | { readonly from: 'argument'; readonly text: string };

/** Whether a source was named, so that a command where the key may be left out knows that it was not. */
export function namesParts(input: Input): boolean {
  return (
    input.isOn('fromStdin') || ['fromFile', 'part'].some((key) => input.list(key).length > 0) || fromEnvFile(input)
  );
}

function fromEnvFile(input: Input): boolean {
  return input.text('fromEnvFile') !== null;
}

/** The names in the `.env` file that the options give, by part. Throws `invalid` as `readParts` does. */
export function envNames(kind: PartNames, input: Input): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const [part, source] of sourcesOf(kind, input)) if (source.from === 'env') names.set(part, source.name);
  return names;
}

/**
 * The parts of a kind, each closed, public ones too. Throws `invalid` for a part that is unknown, named twice, empty, or named by no
 * option where there is no terminal to ask at. No message holds what was given for a part.
 */
export async function readParts(
  context: Context,
  input: Input,
  kind: PartNames,
): Promise<Readonly<Record<string, Secret>>> {
  const sources = sourcesOf(kind, input);
  const file = fromEnvFile(input) ? await readEnvFile(context, input) : '';
  const missing = kind.parts.filter((part) => !sources.has(part));
  const isStdinTaken = [...sources.values()].some(({ from }) => from === 'stdin');
  if (missing.length > 0 && (isStdinTaken || !context.machine.stdin.isTty)) throw nowhere(kind, missing);
  const read: Record<string, Secret> = {};
  for (const part of kind.parts) {
    const source = sources.get(part);
    read[part] = source === undefined ? await asked(context, kind, part) : await readFrom(context, source, file);
  }
  return read;
}

function nowhere(kind: PartNames, missing: readonly string[]): Failure {
  if (missing.length < kind.parts.length) {
    return new Failure(
      'invalid',
      `a source is missing for: ${missing.map(visible).join(', ')}; --part gives one by its name`,
    );
  }
  return new Failure('invalid', 'where does the secret come from? give --from-stdin, --from-file or --from-env-file');
}

/** Whether a part is no secret. */
export function isPublic(kind: PartNames, part: string): boolean {
  return kind.publicParts?.includes(part) === true;
}

/** The part that is meant where none is named: the only one, or the only secret one. */
function unnamedPart(kind: PartNames): string | null {
  const secret = kind.parts.length === 1 ? kind.parts : kind.parts.filter((part) => !isPublic(kind, part));
  return secret.length === 1 ? secret[0]! : null;
}

/** Which part comes from where, as the options say. */
function sourcesOf(kind: PartNames, input: Input): ReadonlyMap<string, Source> {
  const bulk = [input.isOn('fromStdin'), input.list('fromFile').length > 0, fromEnvFile(input)];
  if (bulk.filter(Boolean).length > 1) {
    throw new Failure('invalid', 'give one of --from-stdin, --from-file and --from-env-file');
  }
  if (input.list('name').length > 0 && !fromEnvFile(input)) {
    throw new Failure('invalid', '--name goes with --from-env-file');
  }
  const sources = new Map<string, Source>();
  const put = (flag: string, part: string | null, source: Source) => {
    if (part === null || sources.has(part)) {
      const names = kind.parts.map(visible).join(', ');
      throw new Failure('invalid', `${flag} is given once for each of: ${names}; say which one it is`);
    }
    sources.set(part, source);
  };
  if (input.isOn('fromStdin')) put('--from-stdin', unnamedPart(kind), { from: 'stdin' });
  for (const [part, path] of pairs(kind, input.list('fromFile'))) put('--from-file', part, { from: 'file', path });
  for (const [part, name] of pairs(kind, input.list('name'))) put('--name', part, { from: 'env', name });
  for (const given of input.list('part')) put('--part', ...namedSource(kind, given));
  if ([...sources.values()].filter(({ from }) => from === 'stdin').length > 1) {
    throw new Failure('invalid', 'standard input gives one part');
  }
  return sources;
}

/** `part=text`, or the text alone for the part that is meant where none is named. */
function pairs(kind: PartNames, given: readonly string[]): (readonly [string | null, string])[] {
  return given.map((item) => {
    const at = item.indexOf('=');
    const part = at < 0 ? null : item.slice(0, at);
    // A path may hold an equals sign: only a part's name before it makes it a pair.
    if (part !== null && kind.parts.includes(part)) return [part, item.slice(at + 1)];
    return [unnamedPart(kind), item];
  });
}

/** A part by its name. What stands there is not repeated: it may be a secret after all. */
function namedSource(kind: PartNames, given: string): [string, Source] {
  const at = Math.max(given.indexOf('='), 0);
  const [part, text] = [given.slice(0, at), given.slice(at + 1)];
  if (kind.parts.includes(part)) {
    if (text === '-') return [part, { from: 'stdin' }];
    if (text.startsWith('@')) return [part, { from: 'file', path: text.slice(1) }];
    if (isPublic(kind, part)) return [part, { from: 'argument', text }];
  }
  const forms = kind.parts.map((name) => `${visible(name)}=${isPublic(kind, name) ? 'text' : '@path'}`).join(', ');
  throw new Failure('invalid', '--part takes the name of a part, and of a secret one no more than where it is', {
    errors: [
      { pointer: '--part', detail: `as ${forms}; a dash in the place of @path is standard input` },
      { pointer: '--part', detail: 'a secret that stood there is in the history of your shell now: rotate it' },
    ],
  });
}

async function readEnvFile(context: Context, input: Input): Promise<string> {
  const bytes = await context.machine.files.readUnlinked(input.required('fromEnvFile'), DOTENV_BYTES_MAX);
  const text = decodeUtf8(bytes);
  if (input.list('name').length > 0) return text;
  const names = dotenvNames(text).slice(0, 20).map(visible).join(', ');
  throw new Failure('invalid', `--name says which of the file's names it is: ${names === '' ? 'it has none' : names}`);
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Failure('invalid', 'the file is not UTF-8');
  }
}

async function readFrom({ machine }: Context, source: Source, envFile: string): Promise<Secret> {
  switch (source.from) {
    case 'stdin':
      return nonEmpty(trimmed(new Secret(await machine.stdin.read(SECRET_BYTES_MAX))));
    case 'file':
      return nonEmpty(trimmed(new Secret(await machine.files.read(source.path, SECRET_BYTES_MAX))));
    case 'env':
      return dotenvValue(envFile, source.name);
    case 'argument':
      return nonEmpty(trimmed(new Secret(source.text)));
  }
}

async function asked({ machine }: Context, kind: PartNames, part: string): Promise<Secret> {
  if (isPublic(kind, part)) return nonEmpty(trimmed(new Secret(await machine.ask(`${visible(part)}: `))));
  const question = kind.parts.length === 1 ? 'The secret (not shown): ' : `${visible(part)} (not shown): `;
  return nonEmpty(trimmed(await machine.askHidden(question)));
}
