// An application that knows nothing of Claviger: the provider's official client with a base URL and a key from its environment, asking
// at a steady rate. A process of its own, so that "the application was not touched" can be seen.
// usage: NEON_BASE_URL=… NEON_API_KEY=… client.ts [--rate N]   several of each, separated by spaces, for several credentials
// Prints one line of JSON for each second, and a last one with `done` on SIGTERM.
import { parseArgs } from 'node:util';
import { createApiClient } from '@neondatabase/api-client';

const { values } = parseArgs({ options: { rate: { type: 'string', default: '40' }, org: { type: 'string' } } });
const urls = (process.env['NEON_BASE_URL'] ?? '').split(' ');
const keys = (process.env['NEON_API_KEY'] ?? '').split(' ');
const clients = keys.map((apiKey, i) => createApiClient({ apiKey, baseURL: `${urls[i] ?? urls[0]}/api/v2` }));

const started = performance.now();
let sent = 0;
let answered = 0;
let failed = 0;
let lastFailure = '';
let slowestMs = 0;
const latencies: number[] = [];
const pending = new Set<Promise<void>>();

async function ask(n: number): Promise<void> {
  const client = clients[n % clients.length]!;
  const at = performance.now();
  try {
    const answer = await client.listProjects({ limit: (n % 10) + 1 });
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    answered++;
  } catch (error) {
    failed++;
    const { response, message } = error as { response?: { status: number; data?: { type?: string } }; message: string };
    lastFailure = response === undefined ? message : `${response.status} ${response.data?.type ?? ''}`.trim();
  }
  const ms = performance.now() - at;
  latencies.push(ms);
  slowestMs = Math.max(slowestMs, ms);
}

const timer = setInterval(() => {
  const due = Math.floor(((performance.now() - started) / 1000) * Number(values.rate));
  while (sent < due && pending.size < 200) {
    const one = ask(sent++).finally(() => pending.delete(one));
    pending.add(one);
  }
}, 5);

function p99Ms(): number {
  const sorted = [...latencies].sort((a, b) => a - b);
  return Math.round(sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)] ?? 0);
}

function line(done: boolean): void {
  const seconds = (performance.now() - started) / 1000;
  const counted = { pid: process.pid, seconds, answered, failed, lastFailure };
  // Counted whole, and once: at the end.
  const row = { ...counted, p99Ms: done ? p99Ms() : 0, slowestMs: Math.round(slowestMs), done };
  process.stdout.write(`${JSON.stringify(row)}\n`);
}
const reporter = setInterval(() => line(false), 1000);

process.on('SIGTERM', () => {
  clearInterval(timer);
  clearInterval(reporter);
  void Promise.all(pending).then(() => {
    line(true);
    process.exit(0);
  });
});
