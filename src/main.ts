// The entry point: arguments to a command, its exit code to the shell. Nothing else.
import { createProgram } from './cli/commands/index.io.ts';
import { createMachine } from './cli/machine.io.ts';
import { runProgram } from './cli/program.io.ts';

process.exitCode = await runProgram(createProgram(), process.argv.slice(2), createMachine());
