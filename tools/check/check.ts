// `npm test`: format and lint, types, then every test. Prints one closing line and fails if any part failed.
// usage: npm test [-- PATTERN…]   with patterns, only the test files whose path contains one of them
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';

const root = path.resolve(import.meta.dirname, '../..');
const patterns = process.argv.slice(2);

function step(name: string, command: string, args: string[]): boolean {
  const started = performance.now();
  const result = spawnSync(path.join(root, 'node_modules', '.bin', command), args, { cwd: root, stdio: 'inherit' });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${result.status === 0 ? '✔' : '✖'} ${name} (${seconds} s)\n`);
  return result.status === 0;
}

const checks = patterns.length > 0 ? [] : [step('format and lint', 'biome', ['ci', '.']), step('types', 'tsc', [])];

const files = globSync(
  ['src/**/*.test.ts', 'verifier/**/*.test.ts', 'twins/**/*.test.ts', 'tools/**/*.test.ts', 'test/**/*.test.ts'],
  {
    cwd: root,
  },
)
  .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
  .sort()
  .map((file) => path.join(root, file));

let passed = 0;
let failed = checks.filter((ok) => !ok).length;
let skipped = 0;
// A test that leaves something open must not hold up all the others.
const ends = pathToFileURL(path.join(import.meta.dirname, 'ends.ts')).href;
const stream = run({ files, concurrency: 2, timeout: 180_000, execArgv: ['--import', ends] });
stream.on('test:pass', (event) => {
  if (event.details.type === 'suite') return;
  if (event.skip !== undefined) skipped++;
  else passed++;
});
stream.on('test:fail', (event) => {
  if (event.details.type === 'suite') return;
  if (event.todo !== undefined) skipped++;
  else failed++;
});
stream.compose(new spec()).pipe(process.stdout);
stream.on('end', () => {
  setImmediate(() => {
    process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
    process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
  });
});
