// The reference of all commands as Markdown, made from their data: the second half of docs/cli.md, which a test compares with this.
import { type Command, GLOBAL_OPTIONS, type OptionSpec } from './command.ts';

function table(heads: readonly [string, string], rows: readonly (readonly [string, string])[]): string[] {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  return [
    `| ${heads[0]} | ${heads[1]} |`,
    '|---|---|',
    ...rows.map(([left, right]) => `| \`${cell(left)}\` | ${cell(right)} |`),
  ];
}

function choices(spec: { readonly about: string; readonly choices?: readonly string[] }): string {
  return spec.choices === undefined
    ? spec.about
    : `${spec.about} (${spec.choices.map((one) => `\`${one}\``).join(', ')})`;
}

function optionRows(options: readonly OptionSpec[]): (readonly [string, string])[] {
  return options.map((option) => [option.flags, choices(option)]);
}

function commandLines(command: Command): string[] {
  const usage = ['claviger', command.name, ...(command.arguments ?? []).map((argument) => argument.name)];
  const lines = [`### claviger ${command.name}`, '', `\`${usage.join(' ')}\``, '', `${sentence(command.about)}`, ''];
  if (command.more !== undefined) lines.push(command.more, '');
  const rows = [
    ...(command.arguments ?? []).map((argument) => [argument.name, choices(argument)] as const),
    ...optionRows(command.options ?? []),
  ];
  if (rows.length > 0) lines.push(...table(['argument or option', 'meaning'], rows), '');
  lines.push('```sh', ...command.examples.flatMap(({ line, about }) => [`# ${about}`, line]), '```', '');
  return lines;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** The reference, from its first heading on. */
export function renderReference(commands: readonly Command[], groups: Readonly<Record<string, string>>): string {
  const lines = ['## Options of every command', '', ...table(['option', 'meaning'], optionRows(GLOBAL_OPTIONS)), ''];
  const single = commands.filter((command) => !command.name.includes(' '));
  lines.push('## Commands without a group', '', ...single.flatMap(commandLines));
  for (const [group, about] of Object.entries(groups)) {
    const members = commands.filter((command) => command.name.startsWith(`${group} `));
    lines.push(`## ${group}`, '', sentence(about), '', ...members.flatMap(commandLines));
  }
  return `${lines.join('\n').trimEnd()}\n`;
}
