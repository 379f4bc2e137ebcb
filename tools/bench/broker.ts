// `npm run bench:broker`: the broker beside nginx and a plain forwarder, in one run: requests a second and CPU a request in a closed loop,
// p50 and p99 at a fixed rate, with the durable record and without it. The proxy has core 0, upstream and load share core 1.
// usage: npm run bench:broker -- [--seconds 6] [--rounds 3] [--rate 4000] [--soak MINUTES] [--json]
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  fixedRate,
  flushMicroseconds,
  hasCommand,
  machineLine,
  median,
  startPinned,
  stop,
  usageOf,
  wrk,
} from './measure.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '4000' },
    soak: { type: 'string', default: '0' },
    connections: { type: 'string', default: '32' },
    json: { type: 'boolean', default: false },
  },
});
const say = (text: string) => process.stderr.write(`${text}\n`);
const missing = ['nginx', 'wrk', 'taskset'].filter((name) => !hasCommand(name));
if (missing.length > 0) {
  say(`SKIPPED LOUDLY: ${missing.join(', ')} not installed (Debian: apt-get install nginx wrk hey util-linux)`);
  process.exit(0);
}

const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-bench-'));
const KEY = `napi_canary${'k'.repeat(58)}`;

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function nginxConfig(name: string, http: string): string {
  const at = (file: string) => path.join(directory, `${name}-${file}`);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${at(kind)};`)
    .join(' ');
  const text =
    `daemon off; master_process off; worker_processes 1; pid ${at('pid')}; error_log /dev/null crit; events { worker_connections 2048; }\n` +
    `http { access_log off; ${temp} keepalive_requests 1000000000; ${http} }\n`;
  writeFileSync(at('conf'), text);
  return at('conf');
}

const upstreamPort = await freePort();
const body = JSON.stringify({ projects: [], pad: 'x'.repeat(998) });
const upstream = await startPinned(
  1,
  'nginx',
  [
    '-e',
    '/dev/null',
    '-c',
    nginxConfig(
      'upstream',
      `server { listen 127.0.0.1:${upstreamPort}; default_type application/json; location / { if ($http_authorization != "Bearer ${KEY}") { return 401; } return 200 '${body}'; } }`,
    ),
  ],
  false,
);
const nginxPort = await freePort();
const children: ChildProcess[] = [upstream.child];
const peers: { name: string; pid: number; url: string; header: string }[] = [];

async function addPeers(): Promise<void> {
  const proxy = await startPinned(
    0,
    'nginx',
    [
      '-e',
      '/dev/null',
      '-c',
      nginxConfig(
        'proxy',
        `upstream up { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 1000000000; } ` +
          `server { listen 127.0.0.1:${nginxPort}; location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Authorization "Bearer ${KEY}"; } }`,
      ),
    ],
    false,
  );
  children.push(proxy.child);
  peers.push({
    name: 'nginx',
    pid: proxy.child.pid!,
    url: `http://127.0.0.1:${nginxPort}/api/v2/projects?limit=10`,
    header: 'x-a: b',
  });
  const script = (file: string) => path.join(import.meta.dirname, file);
  const forwarder = await startPinned(
    0,
    process.execPath,
    [script('forwarder.ts'), String(upstreamPort), `Bearer ${KEY}`],
    true,
  );
  children.push(forwarder.child);
  peers.push({
    name: 'forwarder',
    pid: forwarder.child.pid!,
    url: `http://127.0.0.1:${forwarder.line}/api/v2/projects?limit=10`,
    header: 'x-a: b',
  });
  // As in the program itself, compiled code is taken from a cache; the first start fills it.
  process.env['NODE_COMPILE_CACHE'] ??= path.join(os.homedir(), '.cache', 'claviger');
  const first = [script('broker-server.ts'), String(upstreamPort), mkdtempSync(path.join(directory, 'first-')), KEY];
  await stop((await startPinned(0, process.execPath, first, true)).child);
  for (const name of ['claviger', 'claviger-no-record']) {
    const home = mkdtempSync(path.join(directory, `${name}-`));
    const extra = name === 'claviger' ? [] : ['--no-record'];
    const args = [script('broker-server.ts'), String(upstreamPort), home, KEY, ...extra];
    const started = await startPinned(0, process.execPath, [...process.execArgv, ...args], true);
    children.push(started.child);
    const [port, token] = started.line.split(' ');
    peers.push({
      name,
      pid: started.child.pid!,
      url: `http://127.0.0.1:${port}/neon/prod/api/v2/projects?limit=10`,
      header: `Authorization: Bearer ${token}`,
    });
  }
}

interface Row {
  name: string;
  perSecond: number;
  cpuMicroseconds: number;
  errors: number;
  p50Ms: number;
  p99Ms: number;
  rssMb: number;
}

function measure(): Row[] {
  const seconds = Number(values.seconds);
  const rounds = new Map<string, { perSecond: number[]; cpu: number[]; errors: number }>();
  for (const peer of peers) {
    rounds.set(peer.name, { perSecond: [], cpu: [], errors: 0 });
    wrk(1, peer.url, peer.header, Number(values.connections), 2);
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const peer of peers) {
      const before = usageOf(peer.pid).cpuSeconds;
      const result = wrk(1, peer.url, peer.header, Number(values.connections), seconds);
      const used = usageOf(peer.pid).cpuSeconds - before;
      const row = rounds.get(peer.name)!;
      row.perSecond.push(result.perSecond);
      row.cpu.push((used / result.requests) * 1e6);
      row.errors += result.errors;
      say(`  round ${round + 1} ${peer.name.padEnd(20)} ${result.perSecond.toFixed(0).padStart(7)}/s`);
    }
  }
  return peers.map((peer) => {
    const row = rounds.get(peer.name)!;
    const rate = hasCommand('hey')
      ? fixedRate(1, peer.url, peer.header, Number(values.rate), 8)
      : { p50Ms: Number.NaN, p99Ms: Number.NaN };
    return {
      name: peer.name,
      perSecond: median(row.perSecond),
      cpuMicroseconds: median(row.cpu),
      errors: row.errors,
      p50Ms: rate.p50Ms,
      p99Ms: rate.p99Ms,
      rssMb: usageOf(peer.pid).rssMb,
    };
  });
}

try {
  await addPeers();
  const flush = flushMicroseconds(directory);
  say(machineLine());
  say(`flush of 400 bytes: p50 ${flush.p50} µs, p99 ${flush.p99} µs`);
  const rows = measure();
  const of = (name: string) => rows.find((row) => row.name === name)!;
  const ratio = (name: string, peer: string) => of(name).perSecond / of(peer).perSecond;
  const goals = [
    { goal: 'with record, of the forwarder', at: ratio('claviger', 'forwarder'), least: 0.65 },
    { goal: 'with record, of nginx', at: ratio('claviger', 'nginx'), least: 0.27 },
    { goal: 'without record, of the forwarder', at: ratio('claviger-no-record', 'forwarder'), least: 0.9 },
    { goal: 'without record, of nginx', at: ratio('claviger-no-record', 'nginx'), least: 0.37 },
  ];
  let soakRssMb = Number.NaN;
  if (Number(values.soak) > 0) {
    const peer = peers.find((one) => one.name === 'claviger')!;
    say(`soak: ${values.soak} minutes`);
    wrk(1, peer.url, peer.header, Number(values.connections), Number(values.soak) * 60);
    soakRssMb = usageOf(peer.pid).rssMb;
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ flush, rows, goals, soakRssMb })}\n`);
  else {
    process.stdout.write('\n                         req/s   CPU µs/req   p50 ms   p99 ms   RSS MB  errors\n');
    for (const row of rows) {
      process.stdout.write(
        `${row.name.padEnd(20)} ${row.perSecond.toFixed(0).padStart(9)} ${row.cpuMicroseconds.toFixed(1).padStart(12)} ${row.p50Ms.toFixed(2).padStart(8)} ${row.p99Ms.toFixed(2).padStart(8)} ${row.rssMb.toFixed(0).padStart(8)} ${String(row.errors).padStart(7)}\n`,
      );
    }
    process.stdout.write('\n');
    for (const { goal, at, least } of goals) {
      process.stdout.write(`${at >= least ? '✔' : '✖'} ${goal.padEnd(34)} ${at.toFixed(2)} (goal ${least})\n`);
    }
    if (!Number.isNaN(soakRssMb))
      process.stdout.write(`resident after ${values.soak} min of load: ${soakRssMb.toFixed(0)} MB (goal 200)\n`);
  }
  process.exitCode = rows.some((row) => row.errors > 0) || goals.some(({ at, least }) => at < least) ? 1 : 0;
} finally {
  for (const child of children.reverse()) await stop(child);
  rmSync(directory, { recursive: true, force: true });
}
