// `npm run torture`: kill -9 at random moments of a server under load that rotates, suspends and revokes; restored backups in between; then
// the proof that nothing was lost. docs/torture.md says what is claimed and what is not.
// usage: npm run torture -- [--kills 300] [--restores 50] [--seed S] [--lanes 4] [--house SEED] [--json]
import { mkdtempSync, rmSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { StoryPlan, StoryTold } from './story.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '300' },
    restores: { type: 'string', default: '50' },
    seed: { type: 'string' },
    lanes: { type: 'string', default: '4' },
    house: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

/** Kills in one house: more houses are more ends, each with all checks. */
const KILLS_A_HOUSE = 25;
/** One in so many houses has no second copies; the fourth is the first, so that a short run has one. */
const UNPROTECTED_EVERY = 6;
const UNPROTECTED_FIRST = 3;

const say = (text: string) => process.stderr.write(`${text}\n`);
const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
const kills = Number(values.kills);
const restores = Number(values.restores);
const lanes = Number(values.lanes);
const started = performance.now();

// What is compiled here need not be compiled at each of the starts, which never end well enough to write it down themselves.
const cache = mkdtempSync(path.join(os.tmpdir(), 'claviger-torture-cache-'));
process.env['NODE_COMPILE_CACHE'] = cache;
enableCompileCache(cache);
const { tell } = await import('./story.ts');
await import('../../src/serve.io.ts');
flushCompileCache();

function plans(): StoryPlan[] {
  const houses = Math.max(Math.min(lanes, kills), Math.ceil(kills / KILLS_A_HOUSE));
  const share = (all: number, house: number) =>
    Math.round((all * (house + 1)) / houses) - Math.round((all * house) / houses);
  return Array.from({ length: houses }, (_, house) => ({
    seed: seed * 1_000 + house,
    kills: share(kills, house),
    restores: share(restores, house),
    isProtected: house % UNPROTECTED_EVERY !== UNPROTECTED_FIRST,
    say,
  })).filter((plan) => values.house === undefined || plan.seed === Number(values.house));
}

const told: StoryTold[] = [];
const waiting = plans();
async function lane(): Promise<void> {
  for (let plan = waiting.shift(); plan !== undefined; plan = waiting.shift()) {
    const story = await tell(plan);
    const bad = story.checks.filter((one) => one.problems.length > 0);
    for (const one of bad) say(`house ${plan.seed} FAILED: ${one.name}\n  ${one.problems.slice(0, 5).join('\n  ')}`);
    if (bad.length > 0) say(`house ${plan.seed} is kept in ${story.directory}`);
    say(`house ${plan.seed}: done, ${JSON.stringify(story.counts)}`);
    told.push(story);
  }
}

say(`seed ${seed}: ${kills} kills and ${restores} restores in ${waiting.length} houses, ${lanes} at a time`);
await Promise.all(Array.from({ length: lanes }, lane));
rmSync(cache, { recursive: true, force: true });

const checks = told.flatMap((story) => story.checks);
const failed = checks.filter((one) => one.problems.length > 0).length;
const counts: Record<string, number> = {};
for (const story of told) {
  for (const [name, count] of Object.entries(story.counts)) counts[name] = (counts[name] ?? 0) + count;
}
const seconds = Math.round((performance.now() - started) / 1000);
if (values.json) process.stdout.write(`${JSON.stringify({ seed, seconds, counts, houses: told }, null, 2)}\n`);
else process.stdout.write(`${JSON.stringify({ seed, seconds, ...counts })}\n`);
if (failed > 0)
  say(`again: npm run torture -- --kills ${kills} --restores ${restores} --lanes ${lanes} --seed ${seed}`);
process.stdout.write(`${checks.length - failed} checks passed, ${failed} failed\n`);
process.exitCode = failed === 0 && checks.length > 0 ? 0 : 1;
