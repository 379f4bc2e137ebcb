// `claviger audit verify`, and a command of its own: reads an export, prints a report, answers with an exit code.
//
// usage: node verifier/main.io.ts DIR --key VKEYFILE [--kept CHECKPOINTFILE] [--json]
//   DIR is one log, or an export with `control` and `use`; then --key and --kept are given once for each log.
//   0 verified, 1 findings, 2 usage, or nothing there to verify.
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { parseCheckpoint } from './checkpoint.ts';
import { describeFinding, isInformation, printable } from './findings.ts';
import { parseVkey } from './note.ts';
import type { ControlFacts } from './order.ts';
import { nodePrimitives, verifyDirectory } from './verify.io.ts';
import type { Report } from './verify.ts';

export interface Output {
  /** The report. */
  out(text: string): void;
  /** Progress and what is wrong with the call. */
  err(text: string): void;
}

const USAGE = `usage: claviger audit verify DIR --key VKEYFILE [--kept CHECKPOINTFILE] [--json]
  DIR                    an exported log, or an export with the folders control and use
  --key VKEYFILE         the verifier key that you trust, once for each log
  --kept CHECKPOINTFILE  the last checkpoint that you kept, once for each log: without it nobody can tell you that the
                         log was cut off or exchanged as a whole
  --json                 the report as JSON
`;

/** Verifies what the arguments name. Returns the exit code: 0 verified, 1 findings, 2 usage or nothing to verify. */
export function runVerify(args: readonly string[], output: Output): 0 | 1 | 2 {
  const call = readCall(args);
  if (typeof call === 'string') {
    output.err(`${call}\n${USAGE}`);
    return 2;
  }
  for (const folder of call.left)
    output.err(`${folder} is there, but no --key was given for it: it was not verified\n`);
  const reports: Report[] = [];
  let control: ControlFacts | null = null;
  for (const log of call.logs) {
    const verified = verifyDirectory({
      directory: log.directory,
      vkey: log.vkey,
      kept: log.kept,
      control,
      onProgress: createProgress(log.name, output.err),
    });
    control = verified.control ?? control;
    reports.push(verified.report);
  }
  const isVerified = reports.every((report) => report.isVerified);
  if (call.isJson) output.out(`${JSON.stringify({ isVerified, logs: reports }, null, 2)}\n`);
  else for (const report of reports) output.out(renderReport(report));
  return isVerified ? 0 : 1;
}

interface LogCall {
  readonly name: string;
  readonly directory: string;
  readonly vkey: string;
  readonly kept: string | null;
}

interface Call {
  /** The control log first: the use log is held against it. */
  readonly logs: readonly LogCall[];
  /** Folders of the export for which no key was given. */
  readonly left: readonly string[];
  readonly isJson: boolean;
}

/** What the arguments ask for, or what is wrong with them. */
function readCall(args: readonly string[]): Call | string {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const [directory, ...others] = parsed.positionals;
  if (directory === undefined || others.length > 0) return 'give one directory';
  if (!isDirectory(directory)) return `${directory} is not a directory`;
  const keyFiles = parsed.values.key ?? [];
  if (keyFiles.length === 0) return 'give the key that you trust with --key';

  const keys: { name: string; vkey: string }[] = [];
  const { sha256 } = nodePrimitives();
  for (const file of keyFiles) {
    const text = readText(file);
    if (text === null) return `${file} cannot be read`;
    const vkey = text.replace(/\r?\n$/, '');
    const key = parseVkey(vkey, sha256);
    if (!key.ok) return `${file} is not a verifier key: ${key.why}`;
    keys.push({ name: key.value.name, vkey });
  }
  const kept = new Map<string, string>();
  for (const file of parsed.values.kept ?? []) {
    const text = readText(file);
    if (text === null) return `${file} cannot be read`;
    const checkpoint = parseCheckpoint(text);
    if (!checkpoint.ok) return `${file} is not a checkpoint: ${checkpoint.why}`;
    const { origin } = checkpoint.value;
    if (!keys.some((key) => key.name === origin))
      return `${file} is a checkpoint of ${printable(origin)}, and no --key is that log's`;
    kept.set(origin, text);
  }

  const folders = LOGS.filter((log) => isDirectory(path.join(directory, log)));
  const isOneLog = folders.length === 0;
  if (isOneLog && keys.length > 1) return `${directory} is one log: give one --key`;
  const logs: LogCall[] = [];
  for (const { name, vkey } of keys) {
    const log = LOGS.find((candidate) => name.endsWith(`/${candidate}`));
    if (!isOneLog && log === undefined)
      return `the key ${printable(name)} is of neither the control log nor the use log`;
    const folder = isOneLog || log === undefined ? directory : path.join(directory, log);
    if (logs.some((other) => other.directory === folder)) return 'two keys are of the same log';
    logs.push({ name, directory: folder, vkey, kept: kept.get(name) ?? null });
  }
  logs.sort((a, b) => (a.directory < b.directory ? -1 : 1));
  const left = folders.map((log) => path.join(directory, log)).filter((log) => logs.every((l) => l.directory !== log));
  return { logs, left, isJson: parsed.values.json === true };
}

/** The folders of an export, in the order in which they are verified. */
const LOGS = ['control', 'use'] as const;

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      key: { type: 'string', multiple: true },
      kept: { type: 'string', multiple: true },
      json: { type: 'boolean' },
    },
  });
}

function isDirectory(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** A log that is done within this time is not worth a line. */
const QUIET_MS = 2000;

function createProgress(name: string, err: (text: string) => void): (done: number, size: number) => void {
  let saidAt = performance.now();
  return (done, size) => {
    const now = performance.now();
    if (now - saidAt < QUIET_MS) return;
    saidAt = now;
    err(`${name}: ${number(done)} of ${number(size)} entries\n`);
  };
}

/** The report for a person: what was verified, then each finding in one line. */
export function renderReport(report: Report): string {
  const { newest, kept } = report;
  const lines = [`${report.isVerified ? 'verified' : 'NOT VERIFIED'}  ${printable(report.log)}`];
  if (newest === null) lines.push('  newest   no checkpoint that can be trusted');
  else lines.push(`  newest   size ${number(newest.size)}, root ${newest.root}`);
  lines.push(`  read     ${number(report.entriesRead)} entries, ${number(report.checkpoints)} published checkpoints`);
  if (report.times !== null) lines.push(`  time     ${time(report.times.first)} to ${time(report.times.last)}`);
  lines.push(`  kept     ${describeKept(report)}`);
  for (const finding of report.findings)
    lines.push(`  ${isInformation(finding) ? '-' : '!'} ${describeFinding(finding)}`);
  if (report.findingsDropped > 0)
    lines.push(`  ! ${number(report.findingsDropped)} or more further findings are not shown`);
  if (report.isVerified && newest !== null) {
    lines.push(`  Keep the file checkpoint (size ${number(newest.size)}) and give it with --kept the next time.`);
  }
  return `${lines.join('\n')}\n`;

  function describeKept({ kept: { size } }: Report): string {
    switch (kept.verdict) {
      case 'absent':
        return 'no checkpoint was given: a log that was cut off or exchanged as a whole cannot be told from a genuine one';
      case 'consistent':
        return `size ${number(size ?? 0)}: this log continues it`;
      case 'inconsistent':
        return `size ${number(size ?? 0)}: this log DOES NOT continue it`;
      case 'unchecked':
        return 'could not be compared with this log';
    }
  }
}

function number(value: number): string {
  return value.toLocaleString('en-GB');
}

function time(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString();
}

if (import.meta.main) {
  // Whoever reads may have heard enough (`| head`). The exit code is the verdict all the same.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: Error & { code?: string }) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
  process.exitCode = runVerify(process.argv.slice(2), {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  });
}
