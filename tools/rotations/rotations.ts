// `npm run rotations`: many rotations of each nature under constant load through the broker, on twins, an installation for each nature. Prints one
// line for each, and ends with 1 where something does not hold: a failed request, a write that was lost or carried out twice, an old key that
// lives or has no certificate.
// usage: npm run rotations -- [--nature overlap|grace|swap|ours|assisted|all] [--count 100] [--credentials 10] [--rate N] [--json]
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { NATURES, type Nature } from '../world/stand.ts';
import { runOverlap } from './overlap.ts';
import { ROUNDS, runNature, SIDE_BY_SIDE } from './run.ts';
import { lineOf, type Summary } from './summary.ts';

const { values } = parseArgs({
  options: {
    nature: { type: 'string', default: 'overlap' },
    count: { type: 'string', default: '100' },
    /** Side by side, for overlap; the others have as many as there are rotations, or a fifth of that. */
    credentials: { type: 'string', default: '10' },
    rate: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const QUIET_SECONDS = 1;
/** Requests a second. A pause is measured by what meets it, so that there is more of it where there are pauses. */
const RATES: Readonly<Record<Nature, number>> = { overlap: 60, grace: 60, swap: 100, ours: 100, assisted: 60 };

function whole(text: string, about: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${about} is a whole number from 1 on`);
  return value;
}

const LONGEST_FIRST: readonly Nature[] = ['assisted', 'ours', 'swap', 'grace', 'overlap'];
const AT_ONCE = 2;
const START_MS = 5_000;
/** Where there are few, all are side by side, at so much of their rates. */
const SHORT_SHARE = 0.5;

const say = (text: string) => process.stderr.write(`${text}\n`);
const count = whole(values.count, 'count');
const isShort = count <= SIDE_BY_SIDE;

async function run(nature: Nature): Promise<Summary> {
  const rate = values.rate === undefined ? RATES[nature] : whole(values.rate, 'rate');
  const common = { count, rate, quietSeconds: QUIET_SECONDS, say };
  if (nature === 'overlap') {
    return runOverlap({ ...common, credentials: whole(values.credentials, 'credentials') });
  }
  return runNature({ ...common, nature });
}

const children = new Set<ChildProcess>();

/** One nature in a process of its own, so that the pauses of one are not the work of another. */
function runApart(nature: Nature): Promise<Summary> {
  const credentials = String(Math.max(whole(values.credentials, 'credentials'), Math.ceil(count / ROUNDS)));
  const args = ['--nature', nature, '--count', String(count), '--credentials', credentials, '--json'];
  const given = values.rate ?? (isShort ? String(RATES[nature] * SHORT_SHARE) : null);
  const rate = given === null ? [] : ['--rate', given];
  const child = spawn(process.execPath, [import.meta.filename, ...args, ...rate], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  let summary: Summary | null = null;
  createInterface({ input: child.stdout }).on('line', (text) => {
    summary = JSON.parse(text) as Summary;
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code) => {
      children.delete(child);
      if (summary === null) reject(new Error(`the run of ${nature} ended with ${code}, and without a word`));
      else resolve(summary);
    });
  });
}

/** A few at once, begun one after the other: on a small machine a start would be a pause of the others. */
async function runAll(): Promise<readonly Summary[]> {
  const done = new Map<Nature, Summary>();
  const queue = [...LONGEST_FIRST];
  const workers = Array.from({ length: isShort ? queue.length : AT_ONCE }, async (_, n) => {
    await new Promise((resolve) => setTimeout(resolve, n * START_MS));
    for (let nature = queue.shift(); nature !== undefined; nature = queue.shift())
      done.set(nature, await runApart(nature));
  });
  await Promise.all(workers);
  return NATURES.flatMap((nature) => done.get(nature) ?? []);
}

// Each child ends what it started, and itself; alone, a run does that by itself.
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    for (const child of children) child.kill(signal);
  });

const wanted = values.nature === 'all' ? NATURES : NATURES.filter((nature) => nature === values.nature);
if (wanted.length === 0) throw new Error(`nature is one of ${NATURES.join(', ')}, all`);
const summaries = values.nature === 'all' ? await runAll() : [await run(wanted[0]!)];
for (const summary of summaries) {
  if (values.json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    continue;
  }
  process.stdout.write(`${lineOf(summary)}\n`);
  for (const problem of summary.problems) process.stdout.write(`    ${problem}\n`);
}
process.exitCode = summaries.every(({ problems }) => problems.length === 0) ? 0 : 1;
