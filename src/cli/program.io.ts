// From arguments to a command and its exit code: the parser is made from the commands' data, the call is checked for secrets before
// anything looks at it, and what comes out is printed in one of three forms. The only place that knows the parsing library.
import { Argument, CommanderError, Option, Command as Parser } from 'commander';
import { Failure } from '../model/failure.ts';
import { type Command, createInput, GLOBAL_OPTIONS, type OptionSpec, type Outcome, optionShape } from './command.ts';
import type { Context, Machine } from './context.ts';
import { EXIT, EXIT_MEANING, type Exit } from './exit.ts';
import { findSecret } from './lookalike.ts';
import { createPaint, wantsColour } from './paint.ts';
import { renderReport, reportJson, reportOf } from './report.ts';
import { type Globals, openSession } from './session.io.ts';
import { jsonText } from './text.ts';
import { VERSION } from './version.ts';

export interface Program {
  readonly commands: readonly Command[];
  /** What a group is about, for the help: `credential` and its like. */
  readonly groups: Readonly<Record<string, string>>;
  readonly looksSecret: (text: string) => boolean;
  /** Whether a text is `part=value` of a public part. */
  readonly isPublicPart: (text: string) => boolean;
}

/** Runs one call and resolves with its exit code. Never throws. */
export async function runProgram(program: Program, argv: readonly string[], machine: Machine): Promise<Exit> {
  const isJson = argv.includes('--json');
  try {
    refuseSecrets(program, argv);
    const found = parse(program, argv, machine);
    if (found === null) return EXIT.ok;
    return await run(found, machine);
  } catch (error) {
    return fail(error, machine, { isJson, isPlain: argv.includes('--no-color') });
  }
}

function fail(error: unknown, machine: Machine, how: { isJson: boolean; isPlain: boolean }): Exit {
  const report = reportOf(error);
  const { stderr, env } = machine;
  const paint = createPaint(wantsColour({ isTty: stderr.isTty, isForbidden: how.isPlain, env }));
  stderr.write(how.isJson ? reportJson(report) : renderReport(report, paint));
  if (env['CLAVIGER_DEBUG'] === '1' && error instanceof Error) stderr.write(`${error.stack ?? ''}\n`);
  return report.exit;
}

function refuseSecrets(program: Program, argv: readonly string[]): void {
  if (findSecret(argv, program.looksSecret, program.isPublicPart) < 0) return;
  throw new Failure('invalid', 'an argument looks like a secret; it is not used, and not repeated here', {
    errors: [
      {
        pointer: '',
        detail: 'secrets come from --from-stdin, --from-file, --from-env-file, a file of mode 0600 or a prompt',
      },
      { pointer: '', detail: 'it stands in the history of your shell now, and others could see it: rotate it' },
    ],
  });
}

interface Found {
  readonly command: Command;
  readonly given: (string | readonly string[] | undefined)[];
  readonly options: Readonly<Record<string, unknown>>;
}

/** The command that is meant, or null where help or the version was printed. Throws `invalid` for a wrong call. */
function parse(program: Program, argv: readonly string[], machine: Machine): Found | null {
  const found: Found[] = [];
  const parser = buildParser(program, machine, (one) => found.push(one));
  try {
    parser.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed' || error.code === 'commander.version') return null;
    if (error.code === 'commander.help') {
      if (error.exitCode === 0) return null;
      throw new Failure('invalid', 'which command? its help is above');
    }
    throw usageFailure(error);
  }
  return found[0] ?? null;
}

/** The parser's own messages repeat what was typed: only names of options and commands are kept. */
function usageFailure(error: CommanderError): Failure {
  const flag = /'(--?[A-Za-z][A-Za-z0-9-]*)(?:[ =][^']*)?'/.exec(error.message)?.[1];
  const name = /'([a-z][a-z-]{0,30})'/.exec(error.message)?.[1];
  const choices = /Allowed choices are ([^.]*)\./.exec(error.message)?.[1];
  const meant = /Did you mean ([a-z-]+)\?/.exec(error.message)?.[1];
  const suggestion = meant === undefined ? '' : `; did you mean ${meant}?`;
  const texts: Readonly<Record<string, string>> = {
    'commander.unknownOption': `there is no option ${flag ?? 'like this'}${suggestion}`,
    'commander.unknownCommand': `there is no command ${name ?? 'like this'}${suggestion}`,
    'commander.excessArguments': `too many arguments${name === undefined ? '' : ` for ${name}`}`,
    'commander.optionMissingArgument': `${flag ?? 'an option'} needs a value`,
    'commander.missingArgument': `an argument is missing: ${name ?? 'see --help'}`,
    'commander.invalidArgument': `${flag ?? 'an argument'} takes one of: ${choices ?? 'see --help'}`,
  };
  const isSecretive = /^--(?:key|secret|token|password|passphrase|value)$/.test(flag ?? '');
  const detail = 'secrets are never arguments: --from-stdin, --from-file, --from-env-file, or a prompt';
  return new Failure('invalid', texts[error.code] ?? 'the call is wrong: see --help', {
    errors: isSecretive && error.code === 'commander.unknownOption' ? [{ pointer: flag ?? '', detail }] : [],
  });
}

function buildParser(program: Program, machine: Machine, onFound: (found: Found) => void): Parser {
  const root = new Parser('claviger');
  root
    .description(
      'Keeps, lends, rotates and revokes the API keys that you depend on, and proves that the old ones are dead.',
    )
    .version(VERSION, '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => machine.stdout.write(text),
      writeErr: (text) => machine.stderr.write(text),
      outputError: () => {},
      getOutHelpWidth: () => machine.stdout.columns ?? 100,
      getErrHelpWidth: () => machine.stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', () => exitHelp());
  for (const option of GLOBAL_OPTIONS) root.addOption(optionOf(option));
  const groups = new Map<string, Parser>();
  for (const command of program.commands) {
    const words = command.name.split(' ');
    let parent = root;
    if (words.length > 1) {
      const group = words[0]!;
      parent =
        groups.get(group) ??
        root
          .command(group)
          .description(program.groups[group] ?? '')
          .helpOption('--help', 'print this help');
      groups.set(group, parent);
    }
    addCommand(parent, command, onFound);
  }
  return root;
}

function addCommand(parent: Parser, command: Command, onFound: (found: Found) => void): void {
  const parser = parent
    .command(command.name.split(' ').at(-1)!)
    .description(command.about)
    .helpOption('--help', 'print this help');
  for (const argument of command.arguments ?? []) {
    const made = new Argument(argument.name, argument.about);
    parser.addArgument(argument.choices === undefined ? made : made.choices(argument.choices));
  }
  for (const option of command.options ?? []) parser.addOption(optionOf(option));
  parser.addHelpText('after', () => commandHelp(command));
  parser.action((...all: unknown[]) => {
    const given = all.slice(0, command.arguments?.length ?? 0) as Found['given'];
    onFound({ command, given, options: parser.optsWithGlobals() });
  });
}

/** A repeated option takes one value at a time, so that what follows is not swallowed. */
function optionOf(spec: OptionSpec): Option {
  const { isRepeated } = optionShape(spec);
  const option = new Option(spec.flags.replace('...>', '>'), spec.about);
  if (spec.choices !== undefined) option.choices(spec.choices);
  if (isRepeated) {
    const { choices } = spec;
    const one = option.parseArg;
    option.argParser((value: string, before: unknown) => {
      if (choices !== undefined) one?.(value, undefined as never);
      return [...(Array.isArray(before) ? before : []), value];
    });
  }
  return option;
}

export function commandHelp(command: Command): string {
  const more = command.more === undefined ? '' : `\n${command.more}\n`;
  const examples = command.examples.map(({ line, about }) => `  # ${about}\n  ${line}`).join('\n');
  return `${more}\nExamples:\n${examples}\n\nThe options of every command: claviger --help`;
}

function exitHelp(): string {
  const lines = Object.entries(EXIT_MEANING).map(([code, meaning]) => `  ${code}  ${meaning}`);
  return `\nExit codes:\n${lines.join('\n')}`;
}

async function run(found: Found, machine: Machine): Promise<Exit> {
  const { command, given, options } = found;
  const text = (key: string) => (typeof options[key] === 'string' ? options[key] : null);
  const globals: Globals = {
    config: text('config'),
    api: text('api'),
    tokenFile: text('tokenFile'),
    caFile: text('caFile'),
    isJson: options['json'] === true,
    isQuiet: options['quiet'] === true,
    isPlain: options['color'] === false,
  };
  const session = openSession(machine, globals);
  try {
    const outcome = await command.run(session.context, createInput(given, options));
    session.context.progressDone();
    print(outcome, session.context);
    return outcome.exit ?? EXIT.ok;
  } catch (error) {
    session.context.progressDone();
    return fail(error, machine, globals);
  } finally {
    await session.end();
  }
}

function print(outcome: Outcome, context: Context): void {
  const { stdout } = context.machine;
  if (context.isJson) {
    if (outcome.data !== undefined) stdout.write(`${jsonText(outcome.data)}\n`);
    return;
  }
  const text = context.isQuiet ? (outcome.brief ?? outcome.text) : outcome.text;
  if (text !== '') stdout.write(`${text}\n`);
}
