// Reads `.env` files: names and values, and nothing else. Values are never expanded: `$NAME` and `$(command)` are what they say, so
// that a file from somebody else can neither read the environment nor run anything. Follows what docker compose and Node's
// own parser agree on, without their expansion. Not here: where the file is read from (secret-input.ts).
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';

export const DOTENV_BYTES_MAX = 262_144;
const VALUE_LENGTH_MAX = 16_384;

const NAME = /^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]{0,127})[ \t]*=[ \t]*/;

/**
 * The value of a name in the text of a `.env` file. Throws `not-found` where the name is not there, `invalid` where a line cannot be
 * read, where the name stands twice with two values, or where its value is empty. No message holds a value.
 *
 *   NAME=value # comment    trimmed; a comment begins at ` #`
 *   NAME='value'            as it is, over several lines if need be
 *   NAME="a\nb"             with \n \r \t \" \\ \$ as escapes, over several lines if need be
 */
export function dotenvValue(text: string, name: string): Secret {
  const found = parseDotenv(text).filter((entry) => entry.name === name);
  const [first] = found;
  if (first === undefined) throw new Failure('not-found', `the file has no ${name}`);
  if (found.some((entry) => entry.value !== first.value)) {
    throw new Failure('invalid', `the file names ${name} more than once, with different values`);
  }
  if (first.value === '') throw new Failure('invalid', `${name} is empty in this file`);
  if (first.value.length > VALUE_LENGTH_MAX) throw new Failure('invalid', `${name} is too long to be a secret`);
  return new Secret(first.value);
}

/** The names in the file, in order, each once: to say what there is. */
export function dotenvNames(text: string): readonly string[] {
  return [...new Set(parseDotenv(text).map((entry) => entry.name))];
}

interface Entry {
  readonly name: string;
  readonly value: string;
}

function parseDotenv(text: string): Entry[] {
  const entries: Entry[] = [];
  let rest = text.replace(/^\ufeff/, '').replaceAll(/\r\n?/g, '\n');
  for (let line = 1; rest !== ''; ) {
    const end = lineEnd(rest);
    const here = rest.slice(0, end);
    if (/^[ \t]*(?:#.*)?$/.test(here)) {
      rest = rest.slice(end + 1);
      line++;
      continue;
    }
    const indent = /^[ \t]*/.exec(rest)![0].length;
    const match = NAME.exec(rest.slice(indent, end));
    if (match === null) throw new Failure('invalid', `line ${line} of the file is not NAME=value`);
    const at = indent + match[0].length;
    const quote = rest[at];
    const read = quote === '"' || quote === "'" || quote === '`' ? quoted(rest, at, line) : bare(rest.slice(at, end));
    entries.push({ name: match[1]!, value: read.value });
    const consumed = rest.slice(0, Math.max(end, at + read.length));
    const next = lineEnd(rest.slice(consumed.length)) + consumed.length;
    line += rest.slice(0, next + 1).split('\n').length - 1;
    rest = rest.slice(next + 1);
  }
  return entries;
}

function lineEnd(text: string): number {
  const end = text.indexOf('\n');
  return end < 0 ? text.length : end;
}

function bare(text: string): { value: string; length: number } {
  return { value: text.replace(/(?:^|[ \t])#.*$/, '').trim(), length: text.length };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$' };

function quoted(text: string, at: number, line: number): { value: string; length: number } {
  const quote = text[at]!;
  let value = '';
  for (let i = at + 1; i < text.length; i++) {
    const character = text[i]!;
    if (character === quote) {
      const after = text.slice(i + 1, i + 1 + lineEnd(text.slice(i + 1)));
      if (!/^[ \t]*(?:#.*)?$/.test(after)) {
        throw new Failure('invalid', `line ${line} of the file goes on after the closing quote`);
      }
      return { value, length: i + 1 - at };
    }
    const escaped = quote === '"' && character === '\\' ? ESCAPES[text[i + 1] ?? ''] : undefined;
    if (escaped === undefined) value += character;
    else {
      value += escaped;
      i++;
    }
  }
  throw new Failure('invalid', `line ${line} of the file has a quote that is never closed`);
}
