// What a command is: data, from which the parser, the help, the completion and docs/cli.md are made, and one function that runs it.
// Not here: how arguments are parsed (program.io.ts), what a command is given to act with (context.ts).
import { parseDuration } from '../config/forms.ts';
import { Failure } from '../model/failure.ts';
import type { Context } from './context.ts';
import type { Exit } from './exit.ts';

export interface ArgumentSpec {
  /** `<credential>` is required, `[log]` is not, `<file...>` takes several. */
  readonly name: string;
  readonly about: string;
  /** The values that are accepted, where they are few. */
  readonly choices?: readonly string[];
}

export interface OptionSpec {
  /** `--note <text>`; a plain `--yes` is a switch; `--set <key=value...>` may be given several times. */
  readonly flags: string;
  readonly about: string;
  readonly choices?: readonly string[];
}

export interface Example {
  readonly line: string;
  readonly about: string;
}

/** What a command answers. Exactly one of the three forms is printed. */
export interface Outcome {
  /** For `--json`. */
  readonly data: unknown;
  /** For people. Made of visible text: see view.ts. */
  readonly text: string;
  /** For `--quiet`: only what a script would want, an id for each line. Absent: the same as `text`. */
  readonly brief?: string;
  readonly exit?: Exit;
}

export interface Command {
  /** `credential add`: group and verb, or one word. */
  readonly name: string;
  readonly about: string;
  /** What it does beyond one line, for the help and the documentation. */
  readonly more?: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  readonly examples: readonly Example[];
  run(context: Context, input: Input): Promise<Outcome>;
}

/** The options that every command knows. */
export const GLOBAL_OPTIONS: readonly OptionSpec[] = [
  { flags: '--config <file>', about: 'configuration of the server (CLAVIGER_CONFIG; else ./claviger.yaml)' },
  { flags: '--api <url>', about: 'address of the control API (CLAVIGER_API; else the listener of the configuration)' },
  {
    flags: '--token-file <file>',
    about:
      'file of mode 0600 that holds the token (CLAVIGER_TOKEN, CLAVIGER_TOKEN_FILE; else beside the configuration)',
  },
  { flags: '--ca-file <file>', about: 'certificates in PEM that the API is trusted by (CLAVIGER_CA_FILE)' },
  { flags: '--json', about: 'print the result as JSON' },
  { flags: '--quiet', about: 'print ids and results only, no progress and no hints' },
  { flags: '--no-color', about: 'no colours (NO_COLOR does the same)' },
];

/** Name and form of an option, from its flags. */
export function optionShape(option: OptionSpec): {
  readonly long: string;
  /** The key under which its value arrives: `tokenFile`, and `color` for `--no-color`. */
  readonly key: string;
  readonly takesValue: boolean;
  readonly isRepeated: boolean;
} {
  const [long = '', value = ''] = option.flags.split(' ');
  const key = long.replace(/^--(?:no-)?/, '').replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return { long, key, takesValue: value !== '', isRepeated: value.endsWith('...>') };
}

/** Arguments and options as they were given, read by name. Every reader throws `invalid` and names the option, never its value. */
export interface Input {
  argument(index: number): string;
  optionalArgument(index: number): string | null;
  allArguments(): readonly string[];
  text(key: string): string | null;
  required(key: string): string;
  list(key: string): readonly string[];
  isOn(key: string): boolean;
  /** Whether `--no-…` was given; the key is without the `no`. */
  isOff(key: string): boolean;
  count(key: string, bounds: { readonly min: number; readonly max: number }): number | null;
  /** Whole seconds of `90s`, `15m`, `24h`, `30d`. */
  seconds(key: string): number | null;
  /** `key=value`, several times. */
  pairs(key: string): Readonly<Record<string, string>>;
}

export function createInput(
  given: readonly (string | readonly string[] | undefined)[],
  options: Readonly<Record<string, unknown>>,
): Input {
  const flat = given.flatMap((value) => (value === undefined ? [] : value));
  const flag = (key: string) => `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const wrong = (key: string, why: string) => new Failure('invalid', `${flag(key)} ${why}`);
  const text = (key: string): string | null => {
    const value = options[key];
    return typeof value === 'string' ? value : null;
  };
  const list = (key: string): readonly string[] => {
    const value = options[key];
    return Array.isArray(value) ? value.map(String) : [];
  };
  return {
    argument: (index) => flat[index] ?? '',
    optionalArgument: (index) => flat[index] ?? null,
    allArguments: () => flat,
    text,
    required(key) {
      const value = text(key);
      if (value === null) throw wrong(key, 'is needed here');
      return value;
    },
    list,
    isOn: (key) => options[key] === true,
    isOff: (key) => options[key] === false,
    count(key, { min, max }) {
      const value = text(key);
      if (value === null) return null;
      const number = /^(?:0|[1-9][0-9]{0,14})$/.test(value) ? Number(value) : Number.NaN;
      if (!(number >= min && number <= max)) throw wrong(key, `takes a whole number from ${min} to ${max}`);
      return number;
    },
    seconds(key) {
      const value = text(key);
      if (value === null) return null;
      const seconds = parseDuration(value);
      if (seconds === null) throw wrong(key, 'takes a duration with its unit: 90s, 15m, 24h or 30d');
      return seconds;
    },
    pairs(key) {
      const pairs: Record<string, string> = {};
      for (const item of list(key)) {
        const at = item.indexOf('=');
        if (at < 1) throw wrong(key, 'takes name=value');
        const name = item.slice(0, at);
        if (Object.hasOwn(pairs, name)) throw wrong(key, 'names the same thing twice');
        pairs[name] = item.slice(at + 1);
      }
      return pairs;
    },
  };
}
