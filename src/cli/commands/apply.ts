// Policy as code: principals, credentials (without their bytes) and grants from version-controlled files. The difference is always
// shown first; nothing is ever deleted, and what other hands made is left alone (DESIGN section 9). The server decides each change.
import { Failure } from '../../model/failure.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { type Documents, readDocuments } from '../documents.ts';
import { jsonText, visible } from '../text.ts';

export interface Change {
  readonly op: 'add' | 'change' | 'none';
  readonly noun: string;
  readonly name: string;
  /** By field; `from` is null for what is new. */
  readonly diff: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;
}

interface Applied {
  readonly changes: readonly Change[];
  /** What apply manages and no document names: left as it is. */
  readonly unmentioned: readonly { readonly noun: string; readonly name: string }[];
  readonly applied: boolean;
}

const SIGNS = { add: ['+', 'green'], change: ['~', 'yellow'], none: ['=', 'dim'] } as const;

/** The difference as lines: what is added and changed, field by field; what stays is only counted. */
export function renderChanges(context: Context, plan: Applied): string {
  const { paint } = context.view;
  const lines: string[] = [];
  for (const change of plan.changes) {
    if (change.op === 'none') continue;
    const [sign, ink] = SIGNS[change.op];
    lines.push(paint(ink, `${sign} ${visible(change.noun)} ${visible(change.name)}`));
    for (const [field, { from, to }] of Object.entries(change.diff)) {
      if (change.op === 'add' && isEmpty(to)) continue;
      const before = change.op === 'add' ? '' : `${shown(from)} → `;
      lines.push(`    ${visible(field)}: ${before}${shown(to)}`);
    }
  }
  for (const { noun, name } of plan.unmentioned) {
    lines.push(paint('dim', `? ${visible(noun)} ${visible(name)} was applied before and is in no file: left as it is`));
  }
  const count = (op: Change['op']) => plan.changes.filter((change) => change.op === op).length;
  lines.push(`${count('add')} to add, ${count('change')} to change, ${count('none')} as they are.`);
  return lines.join('\n');
}

function shown(value: unknown): string {
  return visible(typeof value === 'string' && value !== '' ? value : jsonText(value ?? null, 0));
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === '' || value === undefined) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

export function applyCommands(looksSecret: (text: string) => boolean): readonly Command[] {
  async function send(context: Context, documents: Documents, dryRun: boolean): Promise<Applied> {
    const api = await context.api();
    try {
      return await api.post<Applied>('/v1/apply', { dryRun, documents: documents.lists });
    } catch (error) {
      throw Failure.is(error) ? documents.located(error) : error;
    }
  }

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
      const documents = await readDocuments(context.machine.files, input.allArguments(), looksSecret);
      const plan = await send(context, documents, true);
      const isSame = plan.changes.every((change) => change.op === 'none');
      const difference = renderChanges(context, plan);
      if (input.isOn('dryRun') || isSame) {
        return { data: plan, text: difference, brief: '', exit: input.isOn('exitCode') && !isSame ? 1 : 0 };
      }
      if (!context.isJson && !context.isQuiet) context.emit(difference, plan);
      if (!(await context.confirm('Apply this?', input.isOn('yes')))) {
        return { data: plan, text: 'Nothing was done.', brief: '' };
      }
      const done = await send(context, documents, false);
      return { data: done, text: 'Applied.', brief: '' };
    },
  };
  return [apply];
}
