// Completion for bash, zsh and fish, made from the commands' data: commands, options, and values where they are few. It asks no
// server, so that pressing the tabulator never waits and never needs a token.
import { type Command, GLOBAL_OPTIONS, type OptionSpec, optionShape } from './command.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Word {
  readonly word: string;
  readonly about: string;
}

/** Commands and groups at the first position, verbs of a group at the second. */
function firstWords(commands: readonly Command[], groups: Readonly<Record<string, string>>): Word[] {
  const words = new Map<string, string>();
  for (const command of commands) {
    const [first = '', second] = command.name.split(' ');
    if (!words.has(first)) words.set(first, second === undefined ? command.about : (groups[first] ?? ''));
  }
  return [...words].map(([word, about]) => ({ word, about }));
}

function verbsOf(commands: readonly Command[], group: string): Word[] {
  return commands
    .filter((command) => command.name.startsWith(`${group} `))
    .map((command) => ({ word: command.name.slice(group.length + 1), about: command.about }));
}

function groupsOf(commands: readonly Command[]): string[] {
  return [...new Set(commands.filter((one) => one.name.includes(' ')).map((one) => one.name.split(' ')[0]!))];
}

const HELP: OptionSpec = { flags: '--help', about: 'print the help' };

function optionsOf(command: Command): OptionSpec[] {
  return [...(command.options ?? []), ...GLOBAL_OPTIONS, HELP];
}

/** Text between single quotes of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function bash(commands: readonly Command[], groups: Readonly<Record<string, string>>): string {
  const names = (words: readonly Word[]) => words.map(({ word }) => word).join(' ');
  const lines = [
    '# claviger completion for bash: eval "$(claviger completion bash)"',
    '_claviger() {',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shell, not a template
    '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" first="" second="" one',
    '  local i',
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shell, not a template
    '    one="${COMP_WORDS[i]}"',
    '    case "$one" in',
    `      ${GLOBAL_OPTIONS.filter((option) => optionShape(option).takesValue)
      .map((option) => optionShape(option).long)
      .join('|')}) ((i++)) ;;`,
    '      -*) ;;',
    '      *) if [[ -z "$first" ]]; then first="$one"; elif [[ -z "$second" ]]; then second="$one"; fi ;;',
    '    esac',
    '  done',
    '  COMPREPLY=()',
    '  local words=""',
    '  case "$first" in',
    `    "") words=${quoted(names(firstWords(commands, groups)))} ;;`,
    ...groupsOf(commands).map(
      (group) => `    ${group}) [[ -z "$second" ]] && words=${quoted(names(verbsOf(commands, group)))} ;;`,
    ),
    '  esac',
    '  local options="" choices=""',
    '  case "$first $second" in',
    ...commands.map((command) => {
      const pattern = command.name.includes(' ') ? quoted(command.name) : `${quoted(command.name)}\\ *`;
      const flags = optionsOf(command).map((option) => optionShape(option).long);
      const choices = optionsOf(command)
        .filter((option) => option.choices !== undefined)
        .map((option) => `${optionShape(option).long}) choices=${quoted(option.choices!.join(' '))} ;;`);
      const argument = command.arguments?.find((one) => one.choices !== undefined);
      const values = argument === undefined ? '' : ` words=${quoted(argument.choices!.join(' '))};`;
      const cases = choices.length === 0 ? '' : ` case "$before" in ${choices.join(' ')} esac;`;
      return `    ${pattern}) options=${quoted(flags.join(' '))};${values}${cases} ;;`;
    }),
    `    *) options=${quoted([...GLOBAL_OPTIONS, HELP].map((option) => optionShape(option).long).join(' '))} ;;`,
    '  esac',
    '  if [[ -n "$choices" ]]; then COMPREPLY=($(compgen -W "$choices" -- "$word"))',
    '  elif [[ "$word" == -* ]]; then COMPREPLY=($(compgen -W "$options" -- "$word"))',
    '  elif [[ -n "$words" ]]; then COMPREPLY=($(compgen -W "$words" -- "$word"))',
    '  else COMPREPLY=($(compgen -f -- "$word"))',
    '  fi',
    '}',
    'complete -o filenames -F _claviger claviger',
  ];
  return `${lines.join('\n')}\n`;
}

function zsh(commands: readonly Command[], groups: Readonly<Record<string, string>>): string {
  const described = (words: readonly Word[]) =>
    words.map(({ word, about }) => quoted(`${word}:${about.replaceAll(':', '\\:')}`)).join(' ');
  const option = (spec: OptionSpec) => {
    const { long, takesValue, isRepeated } = optionShape(spec);
    const about = spec.about.replaceAll(/[[\]:]/g, (character) => `\\${character}`);
    const value = takesValue ? `:value:${spec.choices === undefined ? '_files' : `(${spec.choices.join(' ')})`}` : '';
    return quoted(`${isRepeated ? '*' : ''}${long}[${about}]${value}`);
  };
  const body = (command: Command) => {
    const argument = command.arguments?.find((one) => one.choices !== undefined);
    const rest = argument === undefined ? `'*:file:_files'` : quoted(`*:value:(${argument.choices!.join(' ')})`);
    return `_arguments -s ${optionsOf(command).map(option).join(' ')} ${rest}`;
  };
  const verbs = groupsOf(commands).flatMap((group) => [
    `    ${group})`,
    '      if (( CURRENT == 2 )); then',
    `        _values_of=(${described(verbsOf(commands, group))}); _describe 'command' _values_of`,
    '      else',
    '        shift words; (( CURRENT-- ))',
    '        case "$words[1]" in',
    ...commands
      .filter((command) => command.name.startsWith(`${group} `))
      .map((command) => `          ${command.name.slice(group.length + 1)}) ${body(command)} ;;`),
    '        esac',
    '      fi ;;',
  ]);
  const lines = [
    '#compdef claviger',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: shell, not a template
    '# claviger completion for zsh: claviger completion zsh > "${fpath[1]}/_claviger"',
    '_claviger() {',
    '  local -a _values_of',
    '  if (( CURRENT == 2 )); then',
    `    _values_of=(${described(firstWords(commands, groups))}); _describe 'command' _values_of; return`,
    '  fi',
    '  shift words; (( CURRENT-- ))',
    '  case "$words[1]" in',
    ...verbs,
    ...commands
      .filter((command) => !command.name.includes(' '))
      .map((command) => `    ${command.name}) ${body(command)} ;;`),
    '  esac',
    '}',
    'compdef _claviger claviger 2>/dev/null || _claviger "$@"',
  ];
  return `${lines.join('\n')}\n`;
}

function fish(commands: readonly Command[], groups: Readonly<Record<string, string>>): string {
  const fishQuoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const about = (text: string) => `-d ${fishQuoted(text)}`;
  const allGroups = groupsOf(commands);
  const option = (condition: string, spec: OptionSpec) => {
    const { long, takesValue } = optionShape(spec);
    const values = spec.choices === undefined ? '' : ` -f -a ${fishQuoted(spec.choices.join(' '))}`;
    return `complete -c claviger${condition} -l ${long.slice(2)}${takesValue ? ` -r${values}` : ''} ${about(spec.about)}`;
  };
  const lines = ['# claviger completion for fish: claviger completion fish > ~/.config/fish/completions/claviger.fish'];
  for (const { word, about: text } of firstWords(commands, groups)) {
    lines.push(`complete -c claviger -f -n __fish_use_subcommand -a ${word} ${about(text)}`);
  }
  for (const group of allGroups) {
    const verbs = verbsOf(commands, group);
    const seen = verbs.map(({ word }) => word).join(' ');
    for (const { word, about: text } of verbs) {
      const condition = `__fish_seen_subcommand_from ${group}; and not __fish_seen_subcommand_from ${seen}`;
      lines.push(`complete -c claviger -f -n ${fishQuoted(condition)} -a ${word} ${about(text)}`);
    }
  }
  for (const command of commands) {
    const condition = command.name
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ');
    for (const spec of command.options ?? []) lines.push(option(` -n ${fishQuoted(condition)}`, spec));
    const argument = command.arguments?.find((one) => one.choices !== undefined);
    if (argument !== undefined) {
      lines.push(`complete -c claviger -f -n ${fishQuoted(condition)} -a ${fishQuoted(argument.choices!.join(' '))}`);
    }
  }
  for (const spec of [...GLOBAL_OPTIONS, HELP]) lines.push(option('', spec));
  return `${lines.join('\n')}\n`;
}

/** The script for a shell. */
export function completionScript(
  shell: Shell,
  commands: readonly Command[],
  groups: Readonly<Record<string, string>>,
): string {
  if (shell === 'bash') return bash(commands, groups);
  return shell === 'zsh' ? zsh(commands, groups) : fish(commands, groups);
}
