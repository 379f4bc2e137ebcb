// Providers of a user's own: reads every declaration of the directory that `providersDirectory` names. Responsible for what a file must be like
// before it is obeyed, for it says where keys are sent: no link out of the directory, nobody else's, bounded. All that is wrong with all files
// is found at once. Not here: what stands in a declaration (declarations.ts), what becomes of the providers (app.io.ts).
import { constants } from 'node:fs';
import { open, opendir, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { Failure } from '../model/failure.ts';
import type { Declaration } from '../providers/declaration.ts';
import type { Provider } from '../providers/provider.ts';
import { fillFromFile, systemErrorCode } from '../vault/files.io.ts';
import type { Finding } from './checks.ts';
import { DECLARATION_BYTES_MAX, readDeclaration } from './declarations.ts';
import { describePosition, type Problem } from './document.ts';
import { tamperingOf } from './exposure.ts';

export const DECLARATIONS_MAX = 256;
/** Entries of the directory that are looked at, whatever their names. */
const ENTRIES_MAX = 4_096;
const POINTER = '/providersDirectory';

export interface OwnProvider {
  /** Name of the file in the directory. */
  readonly file: string;
  readonly provider: Provider;
  readonly declaration: Declaration;
}

export interface OwnProviders {
  readonly providers: readonly OwnProvider[];
  /** What the files call their providers, those of files that are refused too as far as that can be told. */
  readonly names: readonly string[];
  /** Errors and warnings, each beginning with the name of its file. The server does not start with an error. */
  readonly findings: readonly Finding[];
}

/**
 * Reads the directory; null or absent is an empty one. `taken` are the names of the providers that the program has anyway. Does not throw
 * for what it finds.
 */
export async function readOwnProviders(
  directory: string | null | undefined,
  taken: readonly string[],
): Promise<OwnProviders> {
  const findings: Finding[] = [];
  const providers: OwnProvider[] = [];
  const names = new Map<string, string>();
  const complain = (severity: Finding['severity'], message: string, hint: string | null = null) =>
    findings.push({ severity, pointer: POINTER, message, hint });
  const files = directory === null || directory === undefined ? [] : await listFiles(directory, complain);
  for (const file of files) {
    const found = await readFile(directory!, file, { complain, isNamed: false });
    if (found === null) continue;
    const reading = readDeclaration(found);
    const name = reading.is === 'read' ? reading.provider.name : reading.name;
    if (reading.is === 'refused') {
      for (const problem of reading.problems) complain('error', `${file}: ${describeProblem(problem)}`);
    }
    if (name === null) continue;
    const other = names.get(name);
    if (taken.includes(name)) complain('error', `${file}: /name: this program has a provider ${name} of its own`);
    else if (other !== undefined) complain('error', `${file}: /name: ${other} declares a provider ${name}, too`);
    else if (reading.is === 'read') providers.push({ file, ...providerOf(reading) });
    if (other === undefined) names.set(name, file);
  }
  return { providers, names: [...names.keys()], findings };
}

function providerOf({ provider, declaration }: Omit<OwnProvider, 'file'>): Omit<OwnProvider, 'file'> {
  return { provider, declaration };
}

/** The providers of the directory. Throws `invalid` with every error of every file where there is one. */
export async function requireOwnProviders(
  directory: string | null | undefined,
  taken: readonly string[],
): Promise<readonly Provider[]> {
  const { providers, findings } = await readOwnProviders(directory, taken);
  const errors = findings.filter(({ severity }) => severity === 'error');
  if (errors.length === 0) return providers.map(({ provider }) => provider);
  throw new Failure('invalid', 'the providers of the configuration are not accepted', {
    errors: errors.map(({ pointer, message }) => ({ pointer, detail: message })),
  });
}

/** One declaration that somebody names. Throws `invalid` with everything that is wrong with it, each error with its path. */
export async function readDeclarationFile(file: string): Promise<OwnProvider> {
  const complaints: string[] = [];
  const name = path.basename(file);
  const directory = path.dirname(path.resolve(file));
  const complain: Complain = (severity, message) => {
    if (severity === 'error') complaints.push(message);
  };
  const found = await readFile(directory, name, { complain, isNamed: true });
  const refuse = (errors: readonly { pointer: string; detail: string }[]) =>
    new Failure('invalid', 'the declaration is not accepted', { errors });
  if (found === null) throw refuse(complaints.map((detail) => ({ pointer: '', detail })));
  const reading = readDeclaration(found);
  if (reading.is === 'read') return { file: name, ...providerOf(reading) };
  throw refuse(
    reading.problems.map(({ pointer, message, position }) => ({
      pointer: `${name}${pointer}`,
      detail: `${describePosition(position)}${message}`,
    })),
  );
}

function describeProblem({ pointer, message, position }: Problem): string {
  return `${describePosition(position)}${pointer === '' ? '' : `${pointer}: `}${message}`;
}

type Complain = (severity: Finding['severity'], message: string, hint?: string) => void;

/** The names of the declarations, sorted; hidden files are none. */
async function listFiles(directory: string, complain: Complain): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    const stats = await stat(directory);
    const tampering = tamperingOf({ userId: stats.uid, mode: stats.mode & 0o777 }, process.geteuid?.() ?? null);
    const message = `the directory of providers can be changed by ${tampering}, and its files say where keys are sent`;
    if (tampering === 'everybody') {
      complain('error', message, 'chmod go-w');
      return [];
    }
    if (tampering !== null) complain('warning', message);
    let entries = 0;
    for await (const { name } of await opendir(directory)) {
      entries++;
      if (/^[^.].*\.(?:yaml|yml|json)$/.test(name)) names.push(name);
      if (entries > ENTRIES_MAX || names.length > DECLARATIONS_MAX) {
        complain(
          'error',
          `the directory of providers has more than ${DECLARATIONS_MAX} files, or too much beside them`,
        );
        return [];
      }
    }
  } catch (error) {
    const code = systemErrorCode(error);
    const known = code === 'ENOENT' ? 'does not exist' : code === 'ENOTDIR' ? 'is no directory' : 'cannot be read';
    complain('error', `the directory of providers ${known}`);
    return [];
  }
  return names.sort();
}

/**
 * The text of a file; null where it is refused. It may be a link to another file of the directory, as orchestrators mount them. One that
 * somebody named is their choice, wherever it leads and whosever it is, as long as not everybody can change it.
 */
async function readFile(
  directory: string,
  name: string,
  { complain, isNamed }: { readonly complain: Complain; readonly isNamed: boolean },
): Promise<string | null> {
  const refuse = (why: string): null => {
    complain('error', `${name}: the file ${why}`);
    return null;
  };
  const content = new Uint8Array(DECLARATION_BYTES_MAX + 1);
  try {
    const [inside, real] = [await realpath(directory), await realpath(path.join(directory, name))];
    if (!isNamed && !real.startsWith(inside.endsWith(path.sep) ? inside : `${inside}${path.sep}`))
      return refuse('is a link that leads out of its directory');
    const handle = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) return refuse('is not a regular file');
      const tampering = tamperingOf({ userId: stats.uid, mode: stats.mode & 0o777 }, process.geteuid?.() ?? null);
      if (tampering === 'everybody') return refuse('may be written by everybody');
      if (tampering === 'another user' && !isNamed) return refuse('belongs to another user');
      if (tampering !== null) complain('warning', `${name}: the file can be changed by ${tampering}`, 'chmod g-w');
      const length = await fillFromFile(handle, content);
      if (length > DECLARATION_BYTES_MAX) return refuse(`is longer than ${DECLARATION_BYTES_MAX} bytes`);
      return new TextDecoder('utf-8', { fatal: true }).decode(content.subarray(0, length));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof TypeError) return refuse('is not UTF-8');
    return refuse(systemErrorCode(error) === 'ENOENT' ? 'is not there' : 'cannot be read');
  }
}
