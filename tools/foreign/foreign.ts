// `npm run foreign`: public corpora that others wrote, against this program. Each folder's own script is run unmodified; where it
// has none, a driver here follows its README. A missed goal fails the run; a folder that is absent is said aloud and proves
// nothing. docs/foreign.md says what each corpus proves.
//
// usage: npm run foreign -- [--corpora DIRECTORY] [--only NAME,…] [--json]
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { type ForeignResult, formatResults, isMet } from './result.ts';

/** The drivers, by folder; those of one folder run one after the other. */
const DRIVERS: Readonly<Record<string, readonly string[]>> = {
  'http-raw': ['http-raw.ts'],
  'ssrf-crlf': ['ssrf-crlf.ts', 'ssrf-crlf-broker.ts'],
  tlog: ['tlog.ts'],
  wycheproof: ['wycheproof.ts'],
  robustness: ['robustness.ts'],
};

type Run = (directory: string) => Promise<ForeignResult | readonly ForeignResult[]>;

interface Report {
  readonly results: ForeignResult[];
  /** Folders, or drivers, that are not there. */
  readonly absent: string[];
  /** Folders that belong to parts of this program that do not exist yet. */
  readonly later: string[];
}

/** A driver that breaks has proven nothing either: its error becomes a failure of its own. */
async function drive(driver: string, directory: string): Promise<readonly ForeignResult[]> {
  try {
    const module = (await import(pathToFileURL(driver).href)) as { run: Run };
    const results = await module.run(directory);
    return Array.isArray(results) ? (results as readonly ForeignResult[]) : [results as ForeignResult];
  } catch (error) {
    const name = path.basename(driver, '.ts');
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return [{ name, passed: 0, failed: 1, skipped: 0, goal: 'to run at all', failures: [why] }];
  }
}

async function runAll(corpora: string, only: readonly string[] | null): Promise<Report> {
  const report: Report = { results: [], absent: [], later: [] };
  for (const [name, drivers] of Object.entries(DRIVERS)) {
    if (only !== null && !only.includes(name)) continue;
    const directory = path.join(corpora, name);
    if (!existsSync(directory)) {
      report.absent.push(`${name}: there is no folder ${directory}`);
      continue;
    }
    for (const file of drivers) {
      const driver = path.join(import.meta.dirname, file);
      if (existsSync(driver)) report.results.push(...(await drive(driver, directory)));
      else report.absent.push(`${name}: its driver tools/foreign/${file} is not there yet`);
    }
  }
  if (only === null && existsSync(corpora)) {
    const folders = readdirSync(corpora, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    report.later.push(...folders.map((entry) => entry.name).filter((name) => DRIVERS[name] === undefined));
  }
  return report;
}

function usage(problem: string): never {
  process.stderr.write(`${problem}\nusage: npm run foreign -- [--corpora DIRECTORY] [--only NAME,…] [--json]\n`);
  process.stderr.write(`names: ${Object.keys(DRIVERS).join(', ')}\n`);
  process.exit(2);
}

function readArguments(args: readonly string[]): { corpora: string; only: string[] | null; json: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: { corpora: { type: 'string' }, only: { type: 'string' }, json: { type: 'boolean', default: false } },
  });
  const only = values.only?.split(',').map((name) => name.trim()) ?? null;
  const unknown = only?.find((name) => DRIVERS[name] === undefined);
  if (unknown !== undefined) usage(`there is no driver for ${JSON.stringify(unknown)}`);
  // Where somebody names a directory, a wrong name must not look like a run in which all was well.
  if (values.corpora !== undefined && !existsSync(values.corpora)) usage(`there is no directory ${values.corpora}`);
  const standard = path.resolve(import.meta.dirname, '../../../shared/benchmarks');
  return { corpora: path.resolve(values.corpora ?? standard), only, json: values.json };
}

if (import.meta.main) {
  let options: ReturnType<typeof readArguments>;
  try {
    options = readArguments(process.argv.slice(2));
  } catch (error) {
    usage(error instanceof Error ? error.message : String(error));
  }
  const report = await runAll(options.corpora, options.only);
  const isFailed = report.results.some((result) => result.gated !== false && !isMet(result));
  if (options.json) {
    const results = report.results.map((result) => ({ ...result, met: isMet(result), gated: result.gated !== false }));
    process.stdout.write(`${JSON.stringify({ ...report, results, failed: isFailed }, null, 2)}\n`);
  } else {
    process.stdout.write(formatResults(report.results));
    if (report.later.length > 0) process.stdout.write(`no driver yet: ${report.later.join(', ')}\n`);
  }
  for (const line of report.absent) process.stderr.write(`!!! NOT RUN, NOTHING PROVEN  ${line}\n`);
  process.exitCode = isFailed ? 1 : 0;
}
