// The beginning: a configuration where there is none, the key-encryption key, the database, the first admin with its token. Asks on a
// terminal what no option says. Not here: what is written into the database (init.io.ts of the house).
import { accessSync, chmodSync, constants, existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Config } from '../../config/config.ts';
import { readSecretSource } from '../../config/secret-source.io.ts';
import { Failure } from '../../model/failure.ts';
import { SLUG } from '../../model/id.ts';
import { Secret } from '../../model/secret.ts';
import type { Input, Outcome } from '../command.ts';
import { loadConfiguration } from '../configuration.io.ts';
import type { Context } from '../context.ts';
import { showOnce } from '../disclose.ts';
import { tokenFileBeside } from '../profile.ts';
import { readPassphrase } from '../secret-input.ts';
import { visible } from '../text.ts';

const DEFAULT_FILE = 'claviger.yaml';

/** What the new configuration says; paths as they are written into it. */
interface Choices {
  readonly dataDirectory: string;
  readonly kek:
    | { readonly kind: 'key-file'; readonly path: string }
    | { readonly kind: 'passphrase'; readonly file: string | null };
  readonly secondCopy: string | null;
  readonly databaseEnv: string | null;
  readonly apiListen: string | null;
  readonly brokerListen: string | null;
}

/** The text of a minimal configuration. Values stand in double quotes, which YAML reads as JSON does. */
export function configText(choices: Choices): string {
  const value = (text: string) => JSON.stringify(text);
  const lines = [
    '# The configuration of this server. Every option with its default: claviger.example.yaml.',
    `dataDirectory: ${value(choices.dataDirectory)}`,
  ];
  if (choices.brokerListen !== null) lines.push('broker:', `  listen: ${value(choices.brokerListen)}`);
  if (choices.apiListen !== null) lines.push('api:', `  listen: ${value(choices.apiListen)}`);
  if (choices.databaseEnv !== null) {
    lines.push('database:', '  kind: postgresql', `  url: { env: ${value(choices.databaseEnv)} }`);
  }
  if (choices.kek.kind === 'key-file') lines.push('kek:', '  kind: key-file', `  path: ${value(choices.kek.path)}`);
  else if (choices.kek.file !== null) {
    lines.push('kek:', '  kind: passphrase', `  from: { file: ${value(choices.kek.file)} }`);
  } else lines.push('# The server starts sealed: `claviger unseal` asks for the passphrase.', 'kek: null');
  if (choices.secondCopy !== null) lines.push('secondCopy:', `  directory: ${value(choices.secondCopy)}`);
  return `${lines.join('\n')}\n`;
}

/** As it is written in a file in `directory`: relative where it lies below, so that the folder may move. */
export function writtenPath(directory: string, name: string): string {
  const relative = path.relative(directory, path.resolve(name));
  if (relative === '') return '.';
  return relative.startsWith('..') || path.isAbsolute(relative) ? path.resolve(name) : `./${relative}`;
}

async function choose(context: Context, input: Input, directory: string): Promise<Choices> {
  const isAsking = context.machine.stdin.isTty && !input.isOn('yes');
  const answer = async (key: string, question: string, usual: string): Promise<string> => {
    const given = input.text(key);
    if (given !== null) return given;
    if (!isAsking) return usual;
    return (await context.machine.ask(`${question} [${usual}] `)).trim() || usual;
  };
  const beside = (name: string) => path.relative(process.cwd(), path.join(directory, name)) || name;
  const dataDirectory = await answer('dataDirectory', 'Data directory', beside('claviger-data'));
  const usualKind = input.text('passphraseFile') === null ? 'key-file' : 'passphrase';
  const kind = await answer('kek', 'Key-encryption key: key-file or passphrase', usualKind);
  if (kind !== 'key-file' && kind !== 'passphrase') throw new Failure('invalid', '--kek takes key-file or passphrase');
  const written = (name: string | null) => (name === null ? null : writtenPath(directory, name));
  const kek: Choices['kek'] =
    kind === 'key-file'
      ? {
          kind,
          path: written(await answer('kekFile', 'Key file, outside the data directory', beside('claviger.kek'))) ?? '',
        }
      : { kind, file: written(input.text('passphraseFile')) };
  return {
    dataDirectory: writtenPath(directory, dataDirectory),
    kek,
    secondCopy: written(input.text('secondCopy')),
    databaseEnv: input.text('postgresqlUrlEnv'),
    apiListen: input.text('apiListen'),
    brokerListen: input.text('brokerListen'),
  };
}

const SETTING_OPTIONS = [
  'dataDirectory',
  'kek',
  'kekFile',
  'passphraseFile',
  'secondCopy',
  'postgresqlUrlEnv',
  'apiListen',
  'brokerListen',
];

/** The configuration, written now where there is none. */
async function configure(context: Context, input: Input): Promise<{ config: Config; file: string; isNew: boolean }> {
  const file = (await context.configFile()) ?? path.resolve(DEFAULT_FILE);
  const isNew = !existsSync(file);
  if (isNew) {
    const directory = path.dirname(file);
    const text = configText(await choose(context, input, directory));
    mkdirSync(directory, { recursive: true });
    writeFileSync(file, text, { flag: 'wx', mode: 0o644 });
    chmodSync(file, 0o644);
    context.note(`Wrote ${file}`);
  } else if (SETTING_OPTIONS.some((key) => key !== 'passphraseFile' && input.text(key) !== null)) {
    throw new Failure('invalid', 'there is a configuration already: say it there, and leave these options out', {
      errors: [{ pointer: file, detail: 'is used as it is' }],
    });
  }
  try {
    const { config } = await loadConfiguration(file, context.machine.env);
    return { config, file, isNew };
  } catch (error) {
    if (isNew) rmSync(file);
    throw error;
  }
}

/**
 * The directory of second copies must be there and fit before anything is made: a rotation waits for it, and would find out too late. Throws
 * `invalid` with what to do.
 */
async function demandSecondCopy({ secondCopy, dataDirectory }: Config, isNew: boolean): Promise<void> {
  if (secondCopy === null) return;
  const { directory } = secondCopy;
  const refuse = (detail: string, cause?: unknown) =>
    new Failure('invalid', 'the directory of second copies cannot be used', {
      cause,
      errors: [{ pointer: isNew ? '--second-copy' : '/secondCopy/directory', detail: `${directory} ${detail}` }],
    });
  const found = statSync(directory, { throwIfNoEntry: false });
  // Never made here: where a mount failed, it would be a directory beside the data.
  if (found === undefined) throw refuse('does not exist: mount it, or make it by hand with mode 0700');
  if (!found.isDirectory()) throw refuse('is not a directory');
  const { isInsideDirectory } = await import('../../vault/files.io.ts');
  if (await isInsideDirectory(directory, dataDirectory)) {
    throw refuse('lies inside the data directory: it is lost with it');
  }
  const userId = process.getuid?.() ?? null;
  if (userId !== null && found.uid !== userId && found.uid !== 0) throw refuse('belongs to another user');
  if (userId !== null && (found.mode & 0o077) !== 0) throw refuse('is open to others than its owner: mode 0700');
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw refuse('cannot be written to by this user', cause);
  }
}

/** The key-encryption key: from its file, which is made where it is not there, or a passphrase. */
async function kekOf(context: Context, input: Input, config: Config) {
  const { kek, dataDirectory } = config;
  if (kek?.kind === 'key-file') {
    const { generateKeyFile, readKeyFile } = await import('../../vault/kek.io.ts');
    if (existsSync(kek.path))
      return { kind: 'key-file' as const, key: await readKeyFile({ path: kek.path, dataDirectory }) };
    const { machineRandom } = await import('../../vault/cipher.io.ts');
    mkdirSync(path.dirname(kek.path), { recursive: true, mode: 0o700 });
    const key = await generateKeyFile({ path: kek.path, dataDirectory, random: machineRandom });
    context.note(`Made the key file ${kek.path}: keep a copy where the data is not. Without it nothing can be opened.`);
    return { kind: 'key-file' as const, key };
  }
  const passphrase =
    kek === null
      ? await readPassphrase(context, input, true)
      : await readSecretSource(kek.from, { environment: context.machine.env });
  return { kind: 'passphrase' as const, passphrase };
}

export async function runInit(context: Context, input: Input): Promise<Outcome> {
  const admin = input.text('admin') ?? 'admin';
  if (!SLUG.test(admin)) throw new Failure('invalid', '--admin takes lower-case letters, digits and dashes');
  const { config, file, isNew } = await configure(context, input);
  try {
    return await begin(context, input, { config, file, admin, isNew });
  } catch (error) {
    // So that the same call can be made again: what was written is this call's own. A key file stays; keys are never deleted.
    if (isNew) rmSync(file, { force: true });
    throw error;
  }
}

async function begin(
  context: Context,
  input: Input,
  { config, file, admin, isNew }: { config: Config; file: string; admin: string; isNew: boolean },
): Promise<Outcome> {
  const tokenFile = tokenFileBeside(file);
  if (existsSync(tokenFile)) {
    throw new Failure('conflict', 'there is a token file of an installation already', {
      errors: [{ pointer: tokenFile, detail: 'is already there' }],
    });
  }
  await demandSecondCopy(config, isNew);
  const kek = await kekOf(context, input, config);
  const { initialise } = await import('../../init.io.ts');
  const databaseUrl =
    config.database.kind === 'postgresql'
      ? showOnce(await readSecretSource(config.database.url, { environment: context.machine.env }))
      : null;
  const made = await initialise({ config, kek, admin, databaseUrl });
  const token = new Secret(made.token);
  const isKept = await keep(context, tokenFile, token);
  const text = [
    `Initialised instance ${made.instance} in ${visible(config.dataDirectory)}.`,
    isKept
      ? `The token of ${admin} is in ${visible(tokenFile)} (mode 0600).`
      : `The token file could not be written. The token of ${admin} is shown this once:\n${showOnce(token)}`,
    '',
    'Next:',
    '  claviger doctor                    look over the installation',
    '  claviger serve                     start the server',
    ...(config.kek === null ? ['  claviger unseal                    bring the passphrase'] : []),
    '  claviger provider list             what keys it can look after',
    '  claviger credential import …       take over the first key',
  ];
  const data = {
    instance: made.instance,
    principal: made.principalId,
    config: file,
    tokenFile: isKept ? tokenFile : null,
  };
  return { data: isKept ? data : { ...data, token: showOnce(token) }, text: text.join('\n'), brief: made.instance };
}

/** Everything is written by now: a token that finds no file is shown, for it could not be had again. */
async function keep(context: Context, file: string, token: Secret): Promise<boolean> {
  try {
    await context.machine.files.writePrivate(file, new Secret(`${showOnce(token)}\n`));
    return true;
  } catch (error) {
    if (!Failure.is(error)) throw error;
    return false;
  }
}

export async function runGenerate(context: Context, input: Input): Promise<Outcome> {
  const { generateKeyFile } = await import('../../vault/kek.io.ts');
  const { machineRandom } = await import('../../vault/cipher.io.ts');
  const name = path.resolve(input.argument(0));
  const isConfigured = (await context.configFile()) !== null;
  // Without a configuration here there is no data directory to keep it out of: any place that is not this one will do.
  const dataDirectory = isConfigured
    ? (await context.config()).config.dataDirectory
    : path.join(path.dirname(name), 'no-such-directory');
  (await generateKeyFile({ path: name, dataDirectory, random: machineRandom })).wipe();
  context.note('Keep a copy of it where the data is not.');
  return { data: { file: name }, text: `Made ${visible(name)}.`, brief: visible(name) };
}
