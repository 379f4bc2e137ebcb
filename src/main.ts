// The entry point: arguments to a command, its exit code to the shell. What was compiled once is kept in the user's cache, which halves
// the time to start; where the cache cannot be written, everything works as well, only slower.
import { enableCompileCache, flushCompileCache } from 'node:module';
import os from 'node:os';
import path from 'node:path';

const cache = process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache');
enableCompileCache(path.join(cache, 'claviger'));

const [{ createProgram }, { createMachine }, { runProgram }] = await Promise.all([
  import('./cli/commands/index.io.ts'),
  import('./cli/machine.io.ts'),
  import('./cli/program.io.ts'),
]);
// A server may end without warning: what it compiled is written down while it runs.
setTimeout(flushCompileCache, 5_000).unref();
process.exitCode = await runProgram(createProgram(), process.argv.slice(2), createMachine());
