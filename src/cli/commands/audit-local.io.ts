// The ledger beside the server: exporting it, verifying an export with the independent verifier, deciding every use again. The
// database is only read, the server may run meanwhile. Not here: following it through the API (audit.ts).
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SCHEMA_VERSION } from '../../database/migrations.ts';
import { logSource } from '../../database/reading.io.ts';
import { type Exported, exportLog } from '../../ledger/export.io.ts';
import { LOGS, type Log } from '../../ledger/layout.ts';
import { Failure } from '../../model/failure.ts';
import type { Input, Outcome } from '../command.ts';
import type { Context } from '../context.ts';
import { type Installation, openInstallation, withReading } from '../installation.io.ts';
import { visible, visibleBlock } from '../text.ts';

/** Exports both logs. Throws `conflict` where nothing was published yet. */
async function exportBoth(
  context: Context,
  installation: Installation,
  to: string,
): Promise<Record<Log, Exported | null>> {
  const { store, ledgerDirectory } = installation;
  return withReading(store, SCHEMA_VERSION, async ({ read }) => {
    const done: Record<Log, Exported | null> = { control: null, use: null };
    // The use log first: every entry of the control log then stands beside at least the uses that it was written after.
    for (const log of [...LOGS].reverse()) {
      const source = await logSource(read, log);
      done[log] = await exportLog({
        log,
        source,
        ledgerDirectory,
        to,
        onProgress: (files, all) => context.progress(`export: ${log}, ${files} of ${all} files`),
      });
    }
    context.progressDone();
    if (done.control === null && done.use === null) {
      throw new Failure('conflict', 'no checkpoint was published yet: the server does that while it is unsealed');
    }
    return done;
  });
}

export async function runExport(context: Context, input: Input): Promise<Outcome> {
  const to = path.resolve(input.argument(0));
  const done = await exportBoth(context, await openInstallation(context), to);
  const text = context.view.fields([
    ['exported', to],
    ...LOGS.map((log) => [`${log} log`, exportedText(done[log])] as const),
  ]);
  return { data: { directory: to, ...done }, text, brief: visible(to) };
}

function exportedText(exported: Exported | null): string {
  if (exported === null) return 'no checkpoint was published yet';
  const { size, written, pruned, checkpoints } = exported;
  const missing = pruned === 0 ? '' : `, ${pruned} bundles are pruned`;
  return `${size} entries, ${written} files written${missing}, ${checkpoints} checkpoints`;
}

export async function runVerify(context: Context, input: Input): Promise<Outcome> {
  const given = input.optionalArgument(0);
  const keys = [...input.list('key')];
  if (given !== null) {
    if (keys.length === 0) keys.push(...(await ownKeys(context)));
    return verifyDirectory(context, path.resolve(given), keys, input);
  }
  const installation = await openInstallation(context);
  const temporary = mkdtempSync(path.join(tmpdir(), 'claviger-verify-'));
  try {
    const done = await exportBoth(context, installation, temporary);
    if (keys.length === 0) {
      for (const log of LOGS) {
        if (done[log] !== null) keys.push(path.join(installation.ledgerDirectory, log, 'vkey'));
      }
    }
    return await verifyDirectory(context, temporary, keys, input);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** The keys that this installation keeps. An export's own key proves nothing about the export. */
async function ownKeys(context: Context): Promise<string[]> {
  if ((await context.configFile()) === null) {
    throw new Failure('invalid', 'which key do you trust? give it with --key, once for each log');
  }
  const { ledgerDirectory } = await openInstallation(context);
  const files = LOGS.map((log) => path.join(ledgerDirectory, log, 'vkey')).filter((file) => existsSync(file));
  if (files.length === 0) throw new Failure('invalid', 'this installation has no verifier key yet: give --key');
  return files;
}

async function verifyDirectory(
  context: Context,
  directory: string,
  keys: readonly string[],
  input: Input,
): Promise<Outcome> {
  const { runVerify: verifyExport } = await import('../../../verifier/main.io.ts');
  const said = { out: '', err: '' };
  const args = [
    directory,
    ...keys.flatMap((file) => ['--key', file]),
    ...input.list('kept').flatMap((file) => ['--kept', file]),
  ];
  const output = {
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
      if (!text.startsWith('usage')) context.progress(visible(text.trimEnd()));
    },
  };
  const exit = verifyExport(context.isJson ? [...args, '--json'] : args, output);
  context.progressDone();
  if (exit === 2) throw new Failure('invalid', said.err.split('\n')[0] ?? 'nothing was verified');
  const data: unknown = context.isJson ? JSON.parse(said.out) : undefined;
  return { data, text: visibleBlock(said.out.trimEnd()), brief: exit === 0 ? 'verified' : 'not verified', exit };
}

/** Entries read at a time. */
const CHUNK = 4_096;

export async function runReplay(context: Context): Promise<Outcome> {
  const { createReplay } = await import('../../access/replay.ts');
  const { store } = await openInstallation(context);
  const report = await withReading(store, SCHEMA_VERSION, async ({ read }) => {
    // The size of the use log first: whatever those uses rest on then stands in the part of the control log that is read.
    const uses = await logSource(read, 'use');
    const control = await logSource(read, 'control');
    const controls: string[] = [];
    for (let at = 0; at < control.size; at += CHUNK) {
      controls.push(...(await control.entries(at, Math.min(at + CHUNK, control.size))));
    }
    const first = await read.selectFrom('use_entries').select('idx').orderBy('idx').limit(1).executeTakeFirst();
    const from = first?.idx ?? uses.size;
    const again = createReplay(controls, from);
    for (let at = from; at < uses.size; at += CHUNK) {
      for (const entry of await uses.entries(at, Math.min(at + CHUNK, uses.size))) again.use(entry);
      context.progress(`replay: ${Math.min(at + CHUNK, uses.size)} of ${uses.size} entries`);
    }
    context.progressDone();
    return again.report();
  });
  const count = report.findings.length + report.more;
  const text = [
    context.view.fields([
      ['uses', `${report.uses} decided again, ${count === 0 ? 'none' : count} with findings`],
      ['refused', String(report.refused)],
      ['policy', `${report.controls} entries of the control log`],
    ]),
    ...report.findings.map((finding) => `! use ${finding.index}: ${finding.kind}: ${visible(finding.why)}`),
    ...(report.more > 0 ? [`! and ${report.more} more`] : []),
  ];
  return { data: report, text: text.join('\n'), brief: String(count), exit: count === 0 ? 0 : 1 };
}
