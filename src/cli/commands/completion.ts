// Prints the completion scripts, and the reference of all commands as Markdown.
import type { Command } from '../command.ts';
import { completionScript, SHELLS, type Shell } from '../completion.ts';
import { renderReference } from '../reference.ts';

/** @param all every command, these two included; asked for when one of them runs */
export function completionCommands(
  all: () => readonly Command[],
  groups: Readonly<Record<string, string>>,
): readonly Command[] {
  const completion: Command = {
    name: 'completion',
    about: 'print the completion script for a shell',
    arguments: [{ name: '<shell>', about: 'bash, zsh or fish', choices: SHELLS }],
    examples: [
      { line: 'eval "$(claviger completion bash)"', about: 'in ~/.bashrc' },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: shell, not a template
      { line: 'claviger completion zsh > "${fpath[1]}/_claviger"', about: 'once, for zsh' },
      { line: 'claviger completion fish > ~/.config/fish/completions/claviger.fish', about: 'once, for fish' },
    ],
    run(_context, input) {
      const script = completionScript(input.argument(0) as Shell, all(), groups);
      return Promise.resolve({ data: { script }, text: script.trimEnd() });
    },
  };
  const reference: Command = {
    name: 'reference',
    about: 'print the reference of all commands as Markdown',
    examples: [{ line: 'claviger reference > commands.md', about: 'the second half of docs/cli.md' }],
    run() {
      const text = renderReference(all(), groups);
      return Promise.resolve({ data: { markdown: text }, text: text.trimEnd() });
    },
  };
  return [completion, reference];
}
