// Policy as code: principals, credentials (without their bytes) and grants from version-controlled files. The difference is always
// shown first; nothing is ever deleted, and what other hands made is left alone (DESIGN section 9). The server decides each change.
import { describePosition, readDocument } from '../../config/document.ts';
import { Failure } from '../../model/failure.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { jsonText, visible } from '../text.ts';

const SECTIONS = ['principals', 'credentials', 'grants'] as const;
const FILES_MAX = 200;
const FILE_BYTES_MAX = 524_288;

export interface Change {
  readonly op: 'add' | 'change' | 'none';
  readonly noun: string;
  readonly name: string;
  /** What becomes different: a text, or old and new of each field. */
  readonly diff?: unknown;
}

interface Applied {
  readonly changes: readonly Change[];
  readonly applied: boolean;
}

type Documents = Record<(typeof SECTIONS)[number], unknown[]>;

/** The files that the arguments name: files as they are, and the YAML files of directories. */
async function filesOf(context: Context, paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const names = await context.machine.files.list(path);
    if (names === null) files.push(path);
    else
      files.push(
        ...names.filter((name) => /\.ya?ml$/i.test(name)).map((name) => `${path.replace(/\/+$/, '')}/${name}`),
      );
  }
  if (files.length === 0) throw new Failure('invalid', 'there is no .yaml file in what was named');
  if (files.length > FILES_MAX) throw new Failure('invalid', `more than ${FILES_MAX} files`);
  return files;
}

/** Reads one file into the documents. Complains with file, line and pointer; no message repeats a value. */
async function readInto(
  context: Context,
  file: string,
  documents: Documents,
  looksSecret: (text: string) => boolean,
): Promise<{ pointer: string; detail: string }[]> {
  const bytes = await context.machine.files.read(file, FILE_BYTES_MAX);
  const name = visible(file);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return [{ pointer: name, detail: 'not UTF-8' }];
  }
  const document = readDocument(text);
  if (document.is === 'refused') {
    return document.problems.map(({ pointer, message, position }) => ({
      pointer: `${name}${pointer}`,
      detail: `${describePosition(position)}${message}`,
    }));
  }
  const { value: sections } = document;
  if (typeof sections !== 'object' || sections === null || Array.isArray(sections)) {
    return [{ pointer: name, detail: `expected the lists ${SECTIONS.join(', ')}` }];
  }
  const problems: { pointer: string; detail: string }[] = [];
  for (const [key, value] of Object.entries(sections)) {
    const section = SECTIONS.find((one) => one === key);
    const place = document.places.get(`/${key}`)?.key ?? null;
    if (section === undefined || !Array.isArray(value)) {
      const detail = section === undefined ? `expected one of ${SECTIONS.join(', ')}` : 'expected a list';
      problems.push({ pointer: `${name}/${section ?? ''}`, detail: `${describePosition(place)}${detail}` });
      continue;
    }
    for (const pointer of secretPointers(value, `/${key}`, looksSecret)) {
      const at = document.places.get(pointer)?.value ?? place;
      const detail = 'this looks like a secret: bytes never stand in these files, and this one should be rotated';
      problems.push({ pointer: `${name}${pointer}`, detail: `${describePosition(at)}${detail}` });
    }
    documents[section].push(...value);
  }
  return problems;
}

/** Where text that looks like a secret stands. The reader of documents bounds how deep they are. */
function secretPointers(value: unknown, pointer: string, looksSecret: (text: string) => boolean): string[] {
  if (typeof value === 'string') return looksSecret(value) ? [pointer] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => secretPointers(child, `${pointer}/${key}`, looksSecret));
}

const SIGNS = { add: ['+', 'green'], change: ['~', 'yellow'], none: ['=', 'dim'] } as const;

/** The difference as lines: what is added and changed, field by field; what stays is only counted. */
export function renderChanges(context: Context, changes: readonly Change[]): string {
  const { paint } = context.view;
  const lines: string[] = [];
  for (const change of changes) {
    if (change.op === 'none') continue;
    const [sign, ink] = SIGNS[change.op];
    lines.push(paint(ink, `${sign} ${visible(change.noun)} ${visible(change.name)}`));
    lines.push(...diffLines(change.diff).map((line) => `    ${line}`));
  }
  const count = (op: Change['op']) => changes.filter((change) => change.op === op).length;
  lines.push(`${count('add')} to add, ${count('change')} to change, ${count('none')} as they are.`);
  return lines.join('\n');
}

function diffLines(diff: unknown): string[] {
  if (typeof diff === 'string')
    return diff
      .split('\n')
      .filter((line) => line !== '')
      .map(visible);
  if (typeof diff !== 'object' || diff === null) return [];
  const short = (value: unknown) => visible(typeof value === 'string' ? value : jsonText(value ?? null, 0));
  return Object.entries(diff).map(([field, value]: [string, unknown]) => {
    const pair = Array.isArray(value) ? value : (value as { from?: unknown; to?: unknown } | null);
    if (Array.isArray(pair) && pair.length === 2) return `${visible(field)}: ${short(pair[0])} → ${short(pair[1])}`;
    if (typeof pair === 'object' && pair !== null && 'to' in pair) {
      return `${visible(field)}: ${'from' in pair ? `${short(pair.from)} → ` : ''}${short(pair.to)}`;
    }
    return `${visible(field)}: ${short(value)}`;
  });
}

export function applyCommands(looksSecret: (text: string) => boolean): readonly Command[] {
  const apply: Command = {
    name: 'apply',
    about: 'bring principals, credentials and grants to what version-controlled files say',
    more:
      'The difference is shown first and asked about. Nothing is deleted, nothing is revoked, and rows that other hands made are ' +
      'left alone. Doing it twice changes nothing. The files hold the lists `principals`, `credentials` (without bytes) and `grants`.',
    arguments: [{ name: '<path...>', about: 'files, or directories with .yaml files' }],
    options: [
      { flags: '--dry-run', about: 'show the difference and change nothing' },
      { flags: '--exit-code', about: 'with --dry-run: exit code 1 where there is a difference' },
      { flags: '--yes', about: 'do not ask' },
    ],
    examples: [
      { line: 'claviger apply policy/ --dry-run --exit-code', about: 'in the pipeline of a pull request' },
      { line: 'claviger apply policy/ --yes', about: 'after the merge' },
    ],
    async run(context, input) {
      const documents: Documents = { principals: [], credentials: [], grants: [] };
      const problems: { pointer: string; detail: string }[] = [];
      for (const file of await filesOf(context, input.allArguments())) {
        problems.push(...(await readInto(context, file, documents, looksSecret)));
      }
      if (problems.length > 0) throw new Failure('invalid', 'the files are not accepted', { errors: problems });
      const api = await context.api();
      const plan = await api.post<Applied>('/v1/apply', { dryRun: true, documents });
      const isSame = plan.changes.every((change) => change.op === 'none');
      const difference = renderChanges(context, plan.changes);
      if (input.isOn('dryRun') || isSame) {
        return { data: plan, text: difference, brief: '', exit: input.isOn('exitCode') && !isSame ? 1 : 0 };
      }
      if (!context.isJson && !context.isQuiet) context.emit(difference, plan);
      if (!(await context.confirm('Apply this?', input.isOn('yes')))) {
        return { data: plan, text: 'Nothing was done.', brief: '' };
      }
      const done = await api.post<Applied>('/v1/apply', { dryRun: false, documents });
      return {
        data: done,
        text: done.applied ? 'Applied.' : 'Nothing was applied.',
        brief: '',
        exit: done.applied ? 0 : 1,
      };
    },
  };
  return [apply];
}
