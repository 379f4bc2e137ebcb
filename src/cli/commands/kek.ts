// Key-encryption keys: which one is in force, and moving to a new one.
import type { Command } from '../command.ts';
import type { Kek } from '../rows.ts';
import { KEK_OPTIONS } from '../secret-input.ts';
import { kekBody } from './server.ts';

const list: Command = {
  name: 'kek list',
  about: 'the key-encryption keys',
  examples: [{ line: 'claviger kek list', about: 'which one is in force, and since when' }],
  async run(context) {
    const api = await context.api();
    const items = await api.whole<Kek>('/v1/keks');
    const text = context.view.table(
      [
        { title: 'version' },
        { title: 'role' },
        { title: 'kind' },
        { title: 'state' },
        { title: 'made', least: 20 },
        { title: 'id' },
      ],
      items.map((row) => [
        String(row.version),
        row.role,
        row.kind,
        row.retiredAt === null ? 'live' : 'retired',
        context.view.when(row.createdAt),
        row.id,
      ]),
      'There are no key-encryption keys.',
    );
    return { data: { items }, text, brief: items.map((row) => row.id).join('\n') };
  },
};

interface KekReport {
  readonly kek: Kek;
  readonly isComplete: boolean;
  readonly rewrapped: number;
  readonly retired: readonly string[];
  readonly failed: number;
  readonly failures: readonly { readonly id: string; readonly code: string }[];
}

const rotate: Command = {
  name: 'kek rotate',
  about: 'wrap every data key anew under a new key-encryption key; payloads stay as they are',
  more:
    'Change the configuration to the new key afterwards, and keep the old one for as long as backups from before are kept. ' +
    'A new key file is made with `claviger kek generate`.',
  options: [
    ...KEK_OPTIONS,
    { flags: '--server-key-file <path>', about: 'key file that the server reads on its own machine' },
  ],
  examples: [
    { line: 'claviger kek rotate --key-file claviger-2.kek', about: 'with the key file of `claviger kek generate`' },
    { line: 'claviger kek rotate', about: 'asks for the new passphrase, twice' },
  ],
  async run(context, input) {
    const api = await context.api();
    const path = input.text('serverKeyFile');
    const body = path === null ? await kekBody(context, input, true) : { keyFilePath: path };
    const report = await api.post<KekReport>('/v1/keks/rotate', body);
    context.note('Change `kek` in the configuration before the server starts again.');
    const text = context.view.fields([
      ['in force', `version ${report.kek.version}, ${report.kek.kind} (${report.kek.id})`],
      ['wrapped anew', String(report.rewrapped)],
      ['retired', report.retired.join('\n') || 'none'],
      ['failed', report.failed === 0 ? 'none' : report.failures.map(({ id, code }) => `${id}: ${code}`).join('\n')],
    ]);
    const more = report.isComplete ? '' : '\nIt is not complete: run it again with the same key.';
    return { data: report, text: `${text}${more}`, brief: report.kek.id, exit: report.isComplete ? 0 : 1 };
  },
};

export const kekCommands: readonly Command[] = [list, rotate];
