// Plants mutants: copies the files under test and the simulator into a fresh directory, patches the copy, and hunts in a worker until
// an invariant breaks. The product itself holds no hook for any of this.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { ProtocolName } from './hunt.ts';
import type { Mutant } from './mutant.ts';
import type { Violation } from './world.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const FOLDERS = ['src/model', 'src/credentials', 'src/rotation', 'src/revocation', 'tools/simulator'] as const;
/** A worker that has not answered by then hangs in a schedule: the mutant is caught, by being endless. */
const PATIENCE_MS = 300_000;

export interface Catch {
  readonly mutant: Mutant;
  /** Null: it survived. */
  readonly violation: Violation | null;
  readonly schedules: number;
  readonly seed: number | null;
}

/** Applies the edits of a mutant to one file's text. Throws where an edit does not occur exactly once. */
export function patch(mutant: Mutant, file: string, text: string): string {
  let patched = text;
  for (const edit of mutant.edits) {
    if (edit.file !== file) continue;
    const at = patched.indexOf(edit.from);
    if (at < 0 || patched.indexOf(edit.from, at + 1) >= 0) {
      throw new Error(`mutant "${mutant.name}": its patch of ${file} does not apply exactly once:\n${edit.from}`);
    }
    patched = patched.slice(0, at) + edit.to + patched.slice(at + edit.from.length);
  }
  return patched;
}

/** Hunts one mutant through at most `schedules` schedules. */
export async function hunted(mutant: Mutant, options: { base: number; schedules: number }): Promise<Catch> {
  const copy = mkdtempSync(path.join(tmpdir(), 'claviger-mutant-'));
  try {
    for (const folder of FOLDERS) {
      const isWanted = (source: string): boolean => !source.endsWith('.test.ts') && !source.endsWith('.io.ts');
      cpSync(path.join(ROOT, folder), path.join(copy, folder), { recursive: true, filter: isWanted });
    }
    writeFileSync(path.join(copy, 'package.json'), '{ "type": "module" }\n');
    for (const file of new Set(mutant.edits.map((edit) => edit.file))) {
      const target = path.join(copy, file);
      writeFileSync(target, patch(mutant, file, readFileSync(target, 'utf8')));
    }
    return { mutant, ...(await huntIn(copy, { ...options, protocol: mutant.protocol ?? 'overlap' })) };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

type Found = Omit<Catch, 'mutant'>;

const WORKER = `
import { parentPort, workerData } from 'node:worker_threads';
const { hunt } = await import(workerData.hunt);
const { base, schedules: most, protocol } = workerData;
const { schedules, found } = hunt({ base, schedules: most, protocol, onProgress: null });
parentPort.postMessage({ schedules, violation: found?.violation ?? null, seed: found?.seed ?? null });
`;

function huntIn(copy: string, options: { base: number; schedules: number; protocol: ProtocolName }): Promise<Found> {
  const hunt = pathToFileURL(path.join(copy, 'tools/simulator/hunt.ts')).href;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(WORKER)}`), {
    workerData: { hunt, ...options },
    stderr: false,
  });
  return new Promise<Found>((resolve, reject) => {
    const timer = setTimeout(() => {
      const violation: Violation = { invariant: 'endless', detail: 'a schedule does not return', at: 0 };
      resolve({ violation, schedules: 0, seed: null });
    }, PATIENCE_MS);
    worker.once('message', (found: Found) => resolve(found));
    worker.once('error', reject);
    worker.once('exit', () => clearTimeout(timer));
  }).finally(() => worker.terminate());
}
