// What the benchmarks measure with: pinned child processes, CPU time from /proc, wrk for throughput, hey for a fixed rate, and the disk's
// flush time, which stands beside every figure that waits for a disk.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export function hasCommand(name: string): boolean {
  return spawnSync('which', [name], { stdio: 'ignore' }).status === 0;
}

/** Starts a command on one core. Resolves with its first line of output where `firstLine`, else once it runs. */
export function startPinned(
  core: number,
  command: string,
  args: readonly string[],
  firstLine: boolean,
): Promise<{ child: ChildProcess; line: string }> {
  const pinned = hasCommand('taskset') ? ['taskset', '-c', String(core), command, ...args] : [command, ...args];
  const child = spawn(pinned[0]!, pinned.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`${command} ended with ${code}`)));
    if (!firstLine) resolve({ child, line: '' });
    let text = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const end = text.indexOf('\n');
      if (end >= 0) resolve({ child, line: text.slice(0, end) });
    });
  });
}

export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exited;
}

const TICKS_PER_SECOND = 100;

/** CPU seconds of a process with all its threads, and its resident memory in MB. Linux only. */
export function usageOf(pid: number): { cpuSeconds: number; rssMb: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const rss = /VmRSS:\s+(\d+) kB/.exec(status);
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    rssMb: Number(rss?.[1] ?? 0) / 1024,
  };
}

export interface LoadResult {
  readonly requests: number;
  readonly perSecond: number;
  readonly errors: number;
}

/** A closed loop with wrk, on one core. */
export function wrk(core: number, url: string, header: string, connections: number, seconds: number): LoadResult {
  const args = ['-c', String(core), 'wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '-H', header, url];
  const result = spawnSync('taskset', args, { encoding: 'utf8' });
  const requests = Number(/(\d+) requests in/.exec(result.stdout)?.[1] ?? 0);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(result.stdout)?.[1] ?? 0);
  const bad = Number(/Non-2xx or 3xx responses: (\d+)/.exec(result.stdout)?.[1] ?? 0);
  const socket = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(result.stdout);
  const errors = bad + (socket === null ? 0 : socket.slice(1).reduce((sum, text) => sum + Number(text), 0));
  return { requests, perSecond, errors };
}

/** A fixed rate with hey, on one core. Milliseconds. */
export function fixedRate(
  core: number,
  url: string,
  header: string,
  rate: number,
  seconds: number,
): { p50Ms: number; p99Ms: number; perSecond: number } {
  const workers = 32;
  const args = [
    '-c',
    String(core),
    'hey',
    '-z',
    `${seconds}s`,
    '-c',
    String(workers),
    '-q',
    String(rate / workers),
    '-H',
    header,
    url,
  ];
  const { stdout } = spawnSync('taskset', args, { encoding: 'utf8' });
  const at = (percent: number) =>
    Number(new RegExp(`${percent}%+ in ([\\d.]+) secs`).exec(stdout)?.[1] ?? Number.NaN) * 1000;
  return { p50Ms: at(50), p99Ms: at(99), perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? 0) };
}

/** What one flush of 400 bytes costs here, in microseconds. */
export function flushMicroseconds(directory: string): { p50: number; p99: number } {
  const file = path.join(directory, 'flush-probe');
  const handle = openSync(file, 'w');
  const block = Buffer.alloc(400, 0x61);
  const times: number[] = [];
  for (let i = 0; i < 400; i++) {
    const started = performance.now();
    writeSync(handle, block);
    fsyncSync(handle);
    times.push((performance.now() - started) * 1000);
  }
  closeSync(handle);
  rmSync(file);
  times.sort((a, b) => a - b);
  return { p50: Math.round(times[200]!), p99: Math.round(times[396]!) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function machineLine(): string {
  return `${os.cpus().length} × ${os.cpus()[0]?.model ?? 'unknown'}, ${os.release()}, Node ${process.versions.node}`;
}
