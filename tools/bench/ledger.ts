// `npm run bench:ledger`: the writer with many rows present. Events a second in groups, commit p99 at a fixed rate, point reads, inclusion
// proofs, and a replay of every use. Prints the disk's flush time beside the figures.
// usage: npm run bench:ledger -- [--rows 10000000] [--seconds 10] [--rate 4000] [--json] [--keep DIR]

import { hash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type UseFacts, useEntry } from '../../src/access/leaf.ts';
import { createReplay } from '../../src/access/replay.ts';
import { openSqlite, sha256 } from '../../src/database/sqlite-commit.io.ts';
import {
  createHasher,
  foldHashes,
  inclusionRanges,
  nodesOf,
  rangeRoot,
  tileSpan,
  verifyInclusion,
} from '../../src/ledger/merkle.ts';
import { Secret } from '../../src/model/secret.ts';
import { startHouse } from './house.ts';
import { flushMicroseconds, machineLine } from './measure.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string', default: '10000000' },
    seconds: { type: 'string', default: '10' },
    rate: { type: 'string', default: '4000' },
    keep: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const say = (text: string) => process.stderr.write(`${text}\n`);
const directory = values.keep ?? mkdtempSync(path.join(os.tmpdir(), 'claviger-ledger-'));
const rows = Number(values.rows);
const house = await startHouse({
  directory,
  origin: 'http://127.0.0.1:9',
  key: new Secret(`napi_canary${'k'.repeat(58)}`),
  hash: (text) => hash('sha256', text, 'hex'),
});
const { app } = house;
const { policy } = app;
const credential = [...policy.credentials.values()][0]!;
const token = [...policy.tokens.values()].find((one) => one.principal?.kind === 'service')!;
const grant = [...policy.grants.values()].find((one) => one.row.actions[0] === '*:read')!;

function entry(n: number): string {
  const facts: UseFacts = {
    id: `1-${n.toString(36)}`,
    at: 1_790_000_000_000 + n,
    monoMs: n,
    asOf: policy.asOf,
    ip: '127.0.0.1',
    userAgent: 'bench/1',
    method: 'GET',
    token: token.row.id,
    principal: token.row.principalId,
    credential: credential.row.id,
    provider: 'neon',
    version: credential.current!.id,
    grant: grant.row.id,
    action: 'project.get',
    effect: 'read',
    path: `/api/v2/projects/project-${n % 1000}`,
    query: {},
  };
  return useEntry(facts);
}

/** Offers uses with a bounded number outstanding, until `count` are durable. Resolves with the seconds it took. */
function fill(from: number, count: number): Promise<number> {
  const started = performance.now();
  let offered = 0;
  let done = 0;
  return new Promise((resolve, reject) => {
    const more = () => {
      while (offered < count && offered - done < 8_000) {
        app.database.admit(entry(from + offered++), policy.asOf, (index) => {
          if (index < 0) reject(new Error(`the writer refused: ${index}`));
          done++;
          if (done === count) resolve((performance.now() - started) / 1000);
          else if (offered - done < 4_000) more();
        });
      }
    };
    more();
  });
}

/** Offers uses at a steady rate and measures each one's way to the disk. */
function steady(from: number, rate: number, seconds: number): Promise<{ p50Ms: number; p99Ms: number }> {
  const times: number[] = [];
  const total = rate * seconds;
  const started = performance.now();
  let offered = 0;
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - started) / 1000) * rate));
      while (offered < due) {
        const at = performance.now();
        app.database.admit(entry(from + offered++), policy.asOf, () => {
          times.push(performance.now() - at);
          if (times.length < total) return;
          clearInterval(timer);
          times.sort((a, b) => a - b);
          resolve({ p50Ms: times[total >> 1]!, p99Ms: times[Math.floor(total * 0.99)]! });
        });
      }
    }, 1);
  });
}

say(machineLine());
const flush = flushMicroseconds(directory);
say(`flush of 400 bytes: p50 ${flush.p50} µs, p99 ${flush.p99} µs`);
let filled = 0;
while (filled < rows) {
  const count = Math.min(500_000, rows - filled);
  const seconds = await fill(filled, count);
  filled += count;
  say(`  ${filled.toLocaleString('en')} rows, ${(count / seconds).toFixed(0)}/s`);
}
const burst = 200_000;
const burstPerSecond = burst / (await fill(filled, burst));
filled += burst;
const commit = await steady(filled, Number(values.rate), Number(values.seconds));
filled += Number(values.rate) * Number(values.seconds);

const reader = openSqlite(path.join(directory, 'data', 'claviger.db'), { readOnly: true });
const point = reader.prepare('SELECT entry FROM use_entries WHERE idx = ?');
const tile = reader.prepare("SELECT hashes FROM ledger_tiles WHERE log = 'use' AND level = ? AND tile = ?");
const heads = await app.database.heads();
const { size } = heads.use;
const timed = (times: number, run: (i: number) => void) => {
  const all: number[] = [];
  for (let i = 0; i < times; i++) {
    const at = performance.now();
    run(Math.floor((i * 2_654_435_761) % size));
    all.push(performance.now() - at);
  }
  all.sort((a, b) => a - b);
  return { p50Ms: all[times >> 1]!, p99Ms: all[Math.floor(times * 0.99)]! };
};
const reads = timed(2_000, (i) => void point.get(i));
const hasher = createHasher(sha256);
const last = reader.prepare('SELECT entry FROM use_entries WHERE idx >= ? ORDER BY idx').all(size - (size % 256)) as {
  entry: string;
}[];
const tail = Buffer.concat(last.map((row) => hasher.leaf(Buffer.from(row.entry))));
const prove = (index: number) =>
  inclusionRanges(index, size).map((range) =>
    rangeRoot(
      nodesOf(range).map((node) => {
        const span = tileSpan(node);
        const isTail = span.level === 0 && span.tile === Math.floor(size / 256);
        const hashes = isTail ? tail : (tile.get(span.level, span.tile) as { hashes: Uint8Array }).hashes;
        return foldHashes(hashes, span.first, span.count, hasher);
      }),
      hasher,
    ),
  );
const proofs = timed(200, (i) => void prove(i));
const sample = Math.floor(size / 3);
const leaf = hasher.leaf(Buffer.from((point.get(sample) as { entry: string }).entry));
const proven = verifyInclusion({ index: sample, size, leaf, root: heads.use.root, proof: prove(sample) }, hasher);

const controls = (reader.prepare('SELECT entry FROM control_entries ORDER BY idx').all() as { entry: string }[]).map(
  (row) => row.entry,
);
const replayStarted = performance.now();
const replay = createReplay(controls);
for (const row of reader.prepare('SELECT entry FROM use_entries ORDER BY idx').iterate())
  replay.use((row as { entry: string }).entry);
const replaySeconds = (performance.now() - replayStarted) / 1000;
const report = replay.report();
reader.close();
await app.stop();
if (values.keep === undefined) rmSync(directory, { recursive: true, force: true });

const perTenMillion = (replaySeconds / report.uses) * 10_000_000;
const goals = [
  { goal: 'events a second through the writer', at: burstPerSecond, met: burstPerSecond >= 20_000, want: '≥ 20,000' },
  { goal: `commit p99 at ${values.rate}/s, ms`, at: commit.p99Ms, met: commit.p99Ms < 3, want: '< 3' },
  { goal: 'point read p50, ms', at: reads.p50Ms, met: reads.p50Ms < 1, want: '< 1' },
  { goal: 'inclusion proof p99, ms', at: proofs.p99Ms, met: proofs.p99Ms < 5 && proven, want: '< 5, verified' },
  {
    goal: 'replay of 10 million uses, s',
    at: perTenMillion,
    met: perTenMillion < 60 && report.findings.length === 0,
    want: '< 60',
  },
];
if (values.json)
  process.stdout.write(
    `${JSON.stringify({ flush, rows: size, goals, commit, reads, proofs, replaySeconds, uses: report.uses })}\n`,
  );
else {
  process.stdout.write(
    `\n${size.toLocaleString('en')} uses present; replayed ${report.uses.toLocaleString('en')} in ${replaySeconds.toFixed(1)} s, ${report.findings.length} findings\n`,
  );
  for (const { goal, at, met, want } of goals) {
    process.stdout.write(
      `${met ? '✔' : '✖'} ${goal.padEnd(36)} ${at.toFixed(at < 100 ? 2 : 0).padStart(9)} (goal ${want})\n`,
    );
  }
}
process.exitCode = goals.every(({ met }) => met) ? 0 : 1;
