// The corpus of raw HTTP requests, against the real broker. Its script is caller and upstream at once, and judges what comes back
// and what is forwarded. Every request reaches the upstream on a connection of its own: the script begins a new record with
// each case and would not see what arrives on a connection that it knew before.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readLines } from './corpus.ts';
import { openBroker } from './open-broker.ts';
import type { ForeignResult } from './result.ts';
import { brokenRun, type Printed, runScript } from './runner.ts';

/** How long the script waits for silence; its own default is 60, which a busy machine can miss. */
const IDLE_MS = 100;

function linesOf(file: string): Record<string, unknown>[] {
  return existsSync(file) ? readLines(file) : [];
}

/** The script must listen on a port that the broker knows beforehand. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Reads the script's own totals, which must account for every case of the file; each failure is named from its record. */
export function judgeRaw(printed: Printed, cases: number, verdicts: readonly Record<string, unknown>[]): ForeignResult {
  const total = /^TOTAL pass (\d+) fail (\d+) of (\d+) scored \((\d+) cases\)$/m.exec(printed.stdout);
  const [passed, failed, scored, seen] = (total ?? []).slice(1).map(Number);
  const failures = verdicts
    .filter((verdict) => verdict['pass'] === false)
    .map((verdict) => `${verdict['id']} ${verdict['name']}: expected ${verdict['expect']}, ${verdict['why']}`);
  const goal = 'all smuggling and all parse cases';
  if (passed === undefined || failed === undefined || scored === undefined || printed.code !== 0) {
    failures.push(brokenRun(printed));
    return { name: 'http-raw', passed: 0, failed: failures.length, skipped: 0, goal, failures };
  }
  const unseen = cases - (seen ?? 0);
  if (unseen !== 0) failures.push(`${unseen} cases of the file were not run`);
  return { name: 'http-raw', passed, failed: failed + Math.abs(unseen), skipped: (seen ?? 0) - scored, goal, failures };
}

export async function run(directory: string): Promise<ForeignResult[]> {
  const upstreamPort = await freePort();
  const broker = await openBroker({ upstreamPort });
  const scratch = mkdtempSync(path.join(tmpdir(), 'claviger-foreign-'));
  const cases = path.join(directory, 'cases.jsonl');
  const out = path.join(scratch, 'verdicts.jsonl');
  try {
    const printed = await runScript(path.join(directory, 'http_raw_run.mjs'), [
      cases,
      ...['--broker', `127.0.0.1:${broker.port}`, '--upstream-port', String(upstreamPort)],
      ...['--host', 'api.example', '--path', '/v1/x', '--idle', String(IDLE_MS), '--out', out],
    ]);
    return [judgeRaw(printed, linesOf(cases).length, linesOf(out))];
  } finally {
    await broker.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}
