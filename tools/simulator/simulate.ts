// The rotation simulator's command.
// usage: npm run sim -- [--protocol NAME] [--schedules N] [--seed S] [--json]   runs N schedules (100000) of a protocol (overlap) from base seed S
//        npm run sim -- [--protocol NAME] --replay SEED                          prints one schedule's whole journal and its world
//        npm run sim -- --mutants [--only TEXT] [--schedules N] plants every mutant; each must be caught within N (200000)
// Exit code 1 where an invariant broke, or a mutant survived. docs/simulator.md explains both.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { hunt, PROTOCOLS, type ProtocolName } from './hunt.ts';
import { MUTANTS } from './mutants.ts';
import { type Catch, hunted } from './mutate.io.ts';

const { values: flags } = parseArgs({
  options: {
    schedules: { type: 'string' },
    protocol: { type: 'string', default: 'overlap' },
    seed: { type: 'string', default: '1' },
    replay: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});

if (!Object.hasOwn(PROTOCOLS, flags.protocol)) throw new Error(`--protocol takes ${Object.keys(PROTOCOLS).join(', ')}`);
const protocol = flags.protocol as ProtocolName;

function wholeNumber(text: string, name: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`--${name} takes a whole number`);
  return number;
}

function simulate(schedules: number, base: number): number {
  const started = performance.now();
  const onProgress = (done: number): void => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${schedules}`);
  };
  const result = hunt({ protocol, base, schedules, onProgress });
  if (process.stderr.isTTY) process.stderr.write('\r');
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage();
  const cpuSeconds = (user + system) / 1_000_000;
  const found = result.found;
  if (flags.json) {
    process.stdout.write(
      `${JSON.stringify({ ...result, tally: Object.fromEntries(result.tally), seconds, cpuSeconds })}\n`,
    );
    return found === null ? 0 : 1;
  }
  const perSecond = Math.round(result.schedules / seconds);
  for (const [what, times] of [...result.tally].sort())
    process.stdout.write(`${String(times).padStart(10)}  ${what}\n`);
  process.stdout.write(
    `${result.schedules} schedules from seed ${base} in ${seconds.toFixed(1)} s (${perSecond} a second, ${cpuSeconds.toFixed(1)} s of CPU), ` +
      `${result.entries} journal entries, digest ${result.digest.toString(16).padStart(8, '0')}\n`,
  );
  if (found === null) {
    process.stdout.write('no invariant was broken\n');
    return 0;
  }
  process.stdout.write(`seed ${found.seed} breaks "${found.violation?.invariant}": ${found.violation?.detail}\n`);
  process.stdout.write(`replay it with: npm run sim -- --protocol ${protocol} --replay ${found.seed}\n`);
  return 1;
}

function replay(seed: number): number {
  const log: string[] = [];
  const outcome = PROTOCOLS[protocol](seed, log, new Map());
  const digest = outcome.digest.toString(16).padStart(8, '0');
  process.stdout.write(`${log.join('\n')}\nseed ${seed}: ${outcome.entries} entries, digest ${digest}\n`);
  if (outcome.violation === null) return 0;
  process.stdout.write(`"${outcome.violation.invariant}" is broken: ${outcome.violation.detail}\n`);
  return 1;
}

async function mutants(schedules: number, base: number): Promise<number> {
  const wanted = MUTANTS.filter((mutant) => mutant.name.includes(flags.only));
  const caught: Catch[] = [];
  const queue = [...wanted];
  const hunter = async (): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const found = await hunted(mutant, { base, schedules });
      caught.push(found);
      if (!flags.json) process.stdout.write(`${line(found)}\n`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, hunter));
  const survivors = caught.filter((found) => found.violation === null);
  if (flags.json) process.stdout.write(`${JSON.stringify(caught)}\n`);
  else process.stdout.write(`${caught.length - survivors.length} of ${caught.length} mutants caught\n`);
  return survivors.length === 0 ? 0 : 1;
}

function line({ mutant, violation, schedules, seed }: Catch): string {
  const by = violation === null ? 'SURVIVES' : violation.invariant;
  const cost = violation === null ? `${schedules}` : `${schedules}, seed ${seed}`;
  return `${by.padEnd(18)} ${mutant.where.padEnd(8)} ${mutant.name} (${cost})`;
}

const base = wholeNumber(flags.seed, 'seed');
if (flags.replay !== undefined) process.exitCode = replay(wholeNumber(flags.replay, 'replay'));
else if (flags.mutants) process.exitCode = await mutants(wholeNumber(flags.schedules ?? '200000', 'schedules'), base);
else process.exitCode = simulate(wholeNumber(flags.schedules ?? '100000', 'schedules'), base);
