// The documents of `apply`: YAML files with the lists principals, credentials and grants, put together, each entry with the place it
// came from, so that what the server complains about can be said with file, line and column. No message repeats a value.
import { type ConfigDocument, describePosition, type Place, readDocument } from '../config/document.ts';
import { Failure } from '../model/failure.ts';
import type { Files } from './context.ts';
import { visible } from './text.ts';

export const SECTIONS = ['principals', 'credentials', 'grants'] as const;
type Section = (typeof SECTIONS)[number];

const FILES_MAX = 200;
const FILE_BYTES_MAX = 524_288;

interface Problem {
  readonly pointer: string;
  readonly detail: string;
}

interface Origin {
  readonly file: string;
  /** The entry's pointer within its file. */
  readonly pointer: string;
  readonly places: ReadonlyMap<string, Place>;
}

export interface Documents {
  /** The body's `documents`. */
  readonly lists: Readonly<Record<Section, readonly unknown[]>>;
  /** The same failure with pointers into the files, where it points into the documents. */
  located(failure: Failure): Failure;
}

/** The files that paths name: files as they are, and the YAML files of directories, in order. */
async function filesOf(files: Files, paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const names = await files.list(path);
    if (names === null) found.push(path);
    else
      found.push(
        ...names.filter((name) => /\.ya?ml$/i.test(name)).map((name) => `${path.replace(/\/+$/, '')}/${name}`),
      );
  }
  if (found.length === 0) throw new Failure('invalid', 'there is no .yaml file in what was named');
  if (found.length > FILES_MAX) throw new Failure('invalid', `more than ${FILES_MAX} files`);
  return found;
}

/** Reads all files. Throws `invalid` with every problem in every one of them. */
export async function readDocuments(
  files: Files,
  paths: readonly string[],
  looksSecret: (text: string) => boolean,
): Promise<Documents> {
  const lists: Record<Section, unknown[]> = { principals: [], credentials: [], grants: [] };
  const origins: Record<Section, Origin[]> = { principals: [], credentials: [], grants: [] };
  const problems: Problem[] = [];
  for (const file of await filesOf(files, paths)) {
    const name = visible(file);
    const document = readText(await files.read(file, FILE_BYTES_MAX));
    if (document === null) problems.push({ pointer: name, detail: 'not UTF-8' });
    else if (document.is === 'refused') {
      for (const { pointer, message, position } of document.problems) {
        problems.push({ pointer: `${name}${pointer}`, detail: `${describePosition(position)}${message}` });
      }
    } else problems.push(...takeSections(document, name, lists, origins, looksSecret));
  }
  if (problems.length > 0) throw new Failure('invalid', 'the files are not accepted', { errors: problems });
  return { lists, located: (failure) => located(failure, origins) };
}

function readText(bytes: Uint8Array): ConfigDocument | null {
  try {
    return readDocument(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}

function takeSections(
  document: Extract<ConfigDocument, { is: 'read' }>,
  file: string,
  lists: Record<Section, unknown[]>,
  origins: Record<Section, Origin[]>,
  looksSecret: (text: string) => boolean,
): Problem[] {
  const { value, places } = document;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [{ pointer: file, detail: `expected the lists ${SECTIONS.join(', ')}` }];
  }
  const problems: Problem[] = [];
  for (const [key, list] of Object.entries(value)) {
    const section = SECTIONS.find((one) => one === key);
    const position = places.get(`/${key}`)?.key ?? null;
    if (section === undefined || !Array.isArray(list)) {
      const detail = section === undefined ? `expected one of ${SECTIONS.join(', ')}` : 'expected a list';
      problems.push({ pointer: `${file}/${section ?? ''}`, detail: `${describePosition(position)}${detail}` });
      continue;
    }
    for (const pointer of secretPointers(list, `/${key}`, looksSecret)) {
      const detail = 'this looks like a secret: bytes never stand in these files, and this one should be rotated';
      const at = places.get(pointer)?.value ?? position;
      problems.push({ pointer: `${file}${pointer}`, detail: `${describePosition(at)}${detail}` });
    }
    for (const [i, entry] of list.entries()) {
      lists[section].push(entry);
      origins[section].push({ file, pointer: `/${key}/${i}`, places });
    }
  }
  return problems;
}

/** Where text that looks like a secret stands. The reader of documents bounds how deep they are. */
function secretPointers(value: unknown, pointer: string, looksSecret: (text: string) => boolean): string[] {
  if (typeof value === 'string') return looksSecret(value) ? [pointer] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => secretPointers(child, `${pointer}/${key}`, looksSecret));
}

const IN_DOCUMENTS = /^(?:\/body)?\/documents\/(principals|credentials|grants)\/([0-9]{1,6})((?:\/.*)?)$/;

function located(failure: Failure, origins: Readonly<Record<Section, readonly Origin[]>>): Failure {
  const errors = failure.errors.map(({ pointer, detail }) => {
    const match = IN_DOCUMENTS.exec(pointer);
    const origin = match === null ? undefined : origins[match[1] as Section][Number(match[2])];
    if (match === null || origin === undefined) return { pointer, detail };
    const inside = match[3]!;
    const place = origin.places.get(`${origin.pointer}${inside}`) ?? origin.places.get(origin.pointer);
    return {
      pointer: `${origin.file}${origin.pointer}${inside}`,
      detail: `${describePosition(place?.key ?? null)}${detail}`,
    };
  });
  return new Failure(failure.code, failure.message, { cause: failure.cause, errors });
}
