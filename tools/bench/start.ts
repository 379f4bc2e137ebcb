// `npm run bench:start`: from the start of `node` to the first brokered answer, with a key file. The first run fills the cache of compiled
// code; the median of the others is what a restart costs.
// usage: npm run bench:start -- [--runs 7]
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Secret } from '../../src/model/secret.ts';
import { startHouse } from './house.ts';
import { median } from './measure.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '7' } } });
const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-start-'));
const upstream = http.createServer((_request, response) => response.end('{}'));
await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${(upstream.address() as net.AddressInfo).port}`;
const house = await startHouse({
  directory,
  origin,
  key: new Secret(`napi_canary${'k'.repeat(58)}`),
  hash: (text) => hash('sha256', text, 'hex'),
});
await house.app.stop();

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { authorization: `Bearer ${house.token}` };
    const request = http.get({ host: '127.0.0.1', port, path: '/neon/prod/api/v2/projects', headers }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}

async function once(): Promise<number> {
  const port = await freePort();
  const file = path.join(directory, 'claviger.yaml');
  writeFileSync(
    file,
    `dataDirectory: ./data
broker: { listen: "127.0.0.1:${port}" }
api: { listen: "127.0.0.1:${await freePort()}" }
kek: { kind: key-file, path: ./kek }
providers:
  neon: { origin: "${origin}", privateNetworks: [127.0.0.0/8], plainHttp: true }
`,
    { mode: 0o600 },
  );
  const main = path.resolve(import.meta.dirname, '../../src/main.ts');
  const started = performance.now();
  const server = spawn(process.execPath, [main, 'serve', '--config', file], {
    stdio: 'ignore',
    env: { PATH: process.env['PATH'], HOME: directory },
  });
  while (!(await answers(port))) {
    if (performance.now() - started > 30_000) throw new Error('the server did not answer');
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  const ms = performance.now() - started;
  // Time for the compiled code to be written down.
  if (times.length === 0) await new Promise((resolve) => setTimeout(resolve, 6_000));
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  await ended;
  return ms;
}

const times: number[] = [];
for (let run = 0; run <= Number(values.runs); run++) times.push(await once());
upstream.close();
rmSync(directory, { recursive: true, force: true });
const [cold, ...warm] = times;
const ms = median(warm);
process.stdout.write(
  `${ms < 1_000 ? '✔' : '✖'} from the start of node to the first brokered answer: ${ms.toFixed(0)} ms (cold ${cold!.toFixed(0)} ms; goal 1000)\n`,
);
process.exitCode = ms < 1_000 ? 0 : 1;
