// For tests alone: the genuine log that forged ones begin as, ways to change it, and what the verifier finds in it.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { Finding } from '../findings.ts';
import { verifyLog } from '../verify.io.ts';
import type { Report } from '../verify.ts';
import {
  type MadeLog,
  makeFolder,
  makeKey,
  plainControlEntries,
  signCheckpoint,
  writeIn,
  writeLog,
} from './made-log.io.ts';

export const SIZE = 700;
export const KEPT = 512;
export const CHECKPOINTS: readonly number[] = [0, 1, 100, 256, 300, KEPT, 600];

// Made once for all tests of a file and copied for each.
let template: MadeLog | null = null;

/** A control log of 700 entries with checkpoints along the way. */
export function genuine(t: TestContext): MadeLog {
  if (template === null) {
    const made = mkdtempSync(path.join(tmpdir(), 'claviger-verifier-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    template = writeGenuine(made, plainControlEntries(SIZE), 'claviger/test/control');
  }
  const folder = makeFolder(t);
  cpSync(template.folder, folder, { recursive: true });
  return { ...template, folder };
}

/** A log of these entries under a key of its own. */
export function genuineOf(
  t: TestContext,
  entries: readonly Buffer[] = plainControlEntries(SIZE),
  name = 'claviger/test/control',
): MadeLog {
  return writeGenuine(makeFolder(t), entries, name);
}

function writeGenuine(folder: string, entries: readonly Buffer[], name: string): MadeLog {
  const sizes = CHECKPOINTS.filter((size) => size < entries.length);
  return writeLog({ folder, key: makeKey(name), entries }, sizes);
}

/** The checkpoint that a reader of this log kept. */
export function keptOf(log: MadeLog, size = KEPT): string {
  return signCheckpoint(log.key, log.entries.slice(0, size));
}

export function verify(log: MadeLog, kept: string | null = keptOf(log)): Report {
  return verifyLog({ directory: log.folder, vkey: log.key.vkey, kept });
}

/** The findings without the name of the log, which every one must carry. */
export function found(log: MadeLog, kept?: string | null): Finding[] {
  const report = verify(log, kept);
  assert.equal(
    report.isVerified,
    report.findings.every((finding) => finding.kind === 'pruned'),
  );
  return report.findings.map(({ log: name, ...finding }) => {
    assert.equal(name, log.key.name);
    return finding as Finding;
  });
}

/** An entry that reads well and was never logged. */
export function forgedEntry(number: number): Buffer {
  return plainControlEntries(number + 1, 'forged')[number]!;
}

export function withChange(entries: readonly Buffer[], ...indexes: number[]): Buffer[] {
  return entries.map((entry, i) => (indexes.includes(i) ? forgedEntry(i) : entry));
}

/** Changes one bit of a file. */
export function flip(log: MadeLog, file: string, at: number): void {
  const bytes = readFileSync(path.join(log.folder, file));
  bytes[at] = bytes[at]! ^ 1;
  writeIn(log.folder, file, bytes);
}
