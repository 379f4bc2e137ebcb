// Where the bytes of a secret come from: standard input, a file, a name in a `.env` file, or a prompt that shows nothing. Never
// from an argument, which would stand in the history of the shell and in the list of processes.
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import { decodePassphrase } from '../vault/kek.ts';
import type { Input, OptionSpec } from './command.ts';
import type { Context } from './context.ts';
import { trimmed } from './disclose.ts';
import { DOTENV_BYTES_MAX, dotenvNames, dotenvValue } from './dotenv.ts';
import { visible } from './text.ts';

export const SECRET_BYTES_MAX = 16_384;

/** The options by which a command is given the parts of a secret. */
export const SECRET_OPTIONS: readonly OptionSpec[] = [
  { flags: '--from-stdin', about: 'read the secret from standard input' },
  {
    flags: '--from-file <path...>',
    about: 'read the secret from a file; `part=path` where the kind has several parts',
  },
  { flags: '--from-env-file <path>', about: 'read the secret from a .env file, by the names that --name gives' },
  { flags: '--name <name...>', about: 'name in the .env file; `part=NAME` where the kind has several parts' },
];

/** Whether a source was named, so that a command where the secret may be left out knows that it was not. */
export function namesSecret(input: Input): boolean {
  return input.isOn('fromStdin') || input.list('fromFile').length > 0 || input.text('fromEnvFile') !== null;
}

/** The parts of a kind, each as a secret. Asks on the terminal for what no option names. */
export async function readParts(
  context: Context,
  input: Input,
  parts: readonly string[],
): Promise<Readonly<Record<string, Secret>>> {
  const sources = ['fromStdin', 'fromFile', 'fromEnvFile'].filter((key) =>
    key === 'fromStdin' ? input.isOn(key) : key === 'fromFile' ? input.list(key).length > 0 : input.text(key) !== null,
  );
  if (sources.length > 1) throw new Failure('invalid', 'give one of --from-stdin, --from-file and --from-env-file');
  if (input.list('name').length > 0 && sources[0] !== 'fromEnvFile') {
    throw new Failure('invalid', '--name goes with --from-env-file');
  }
  switch (sources[0]) {
    case 'fromStdin':
      if (parts.length > 1) throw new Failure('invalid', 'standard input gives one part; this kind has several');
      return { [parts[0]!]: nonEmpty(trimmed(new Secret(await context.machine.stdin.read(SECRET_BYTES_MAX)))) };
    case 'fromFile':
      return byPart(parts, input.list('fromFile'), '--from-file', async (path) =>
        nonEmpty(trimmed(new Secret(await context.machine.files.read(path, SECRET_BYTES_MAX)))),
      );
    case 'fromEnvFile':
      return fromEnvFile(context, input, parts);
    default:
      return fromPrompt(context, parts);
  }
}

async function fromEnvFile(context: Context, input: Input, parts: readonly string[]) {
  const path = input.required('fromEnvFile');
  const bytes = await context.machine.files.readUnlinked(path, DOTENV_BYTES_MAX);
  const text = decodeUtf8(bytes);
  if (input.list('name').length === 0) {
    const names = dotenvNames(text).slice(0, 20).map(visible).join(', ');
    throw new Failure(
      'invalid',
      `--name says which of the file's names it is: ${names === '' ? 'it has none' : names}`,
    );
  }
  return byPart(parts, input.list('name'), '--name', (name) => Promise.resolve(dotenvValue(text, name)));
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Failure('invalid', 'the file is not UTF-8');
  }
}

async function fromPrompt(context: Context, parts: readonly string[]): Promise<Record<string, Secret>> {
  if (!context.machine.stdin.isTty) {
    throw new Failure('invalid', 'where does the secret come from? give --from-stdin, --from-file or --from-env-file');
  }
  const read: Record<string, Secret> = {};
  for (const part of parts) {
    const question = parts.length === 1 ? 'The secret (not shown): ' : `${visible(part)} (not shown): `;
    read[part] = nonEmpty(trimmed(await context.machine.askHidden(question)));
  }
  return read;
}

async function byPart(
  parts: readonly string[],
  given: readonly string[],
  flag: string,
  read: (text: string) => Promise<Secret>,
): Promise<Record<string, Secret>> {
  const texts = new Map<string, string>();
  for (const item of given) {
    const at = item.indexOf('=');
    const part = at < 0 ? null : item.slice(0, at);
    // A path may hold an equals sign: only a part's name before it makes it a pair.
    const isPair = part !== null && parts.includes(part);
    const key = isPair ? part : parts.length === 1 ? parts[0]! : null;
    if (key === null || texts.has(key))
      throw new Failure('invalid', `${flag} is given once for each of: ${parts.join(', ')}`);
    texts.set(key, isPair ? item.slice(at + 1) : item);
  }
  const missing = parts.filter((part) => !texts.has(part));
  if (missing.length > 0) throw new Failure('invalid', `${flag} is missing for: ${missing.join(', ')}`);
  const secrets: Record<string, Secret> = {};
  for (const [part, text] of texts) secrets[part] = await read(text);
  return secrets;
}

function nonEmpty(secret: Secret): Secret {
  if (secret.length === 0) throw new Failure('invalid', 'the secret is empty');
  return secret;
}

/** The key-encryption key or passphrase that an operator brings, in the form that the API takes. */
export const KEK_OPTIONS: readonly OptionSpec[] = [
  { flags: '--key-file <path>', about: 'key file of mode 0600 on this machine' },
  { flags: '--passphrase-file <path>', about: 'file of mode 0600 that holds the passphrase' },
  { flags: '--from-stdin', about: 'read the passphrase from standard input' },
];

/** A passphrase: from its file, from standard input, or asked for; twice where it is new. */
export async function readPassphrase(context: Context, input: Input, isNew: boolean): Promise<Secret> {
  const file = input.text('passphraseFile');
  if (file !== null && input.isOn('fromStdin')) {
    throw new Failure('invalid', 'give one of --passphrase-file and --from-stdin');
  }
  if (file !== null) return context.machine.files.readPrivate(file, SECRET_BYTES_MAX);
  if (input.isOn('fromStdin')) return decodePassphrase(await context.machine.stdin.read(SECRET_BYTES_MAX));
  if (!context.machine.stdin.isTty) {
    throw new Failure('invalid', 'where does the passphrase come from? give --passphrase-file or --from-stdin');
  }
  const passphrase = nonEmpty(await context.machine.askHidden('Passphrase (not shown): '));
  if (isNew && !passphrase.equals(await context.machine.askHidden('Again: '))) {
    throw new Failure('invalid', 'the two passphrases differ');
  }
  return passphrase;
}
