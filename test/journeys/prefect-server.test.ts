// Claviger's probe against a real Prefect Server, which its twin only stands in for: what each answer is read as, how a string is changed by
// a restart, and what a server without a string answers. Installed on first use into a virtual environment below the system's temporary
// directory; where Python or the package is missing, the test is skipped and says so.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { Secret } from '../../src/model/secret.ts';
import { prefectServer } from '../../src/providers/prefect-server.ts';
import type { Call, Place } from '../../src/providers/provider.ts';
import { directCall } from '../support/direct-call.ts';

/** What docs/providers/prefect-server.md was measured with; newer releases of FastAPI take away an argument that this one uses. */
const PACKAGES = ['prefect==3.8.8', 'fastapi<0.151'];
const VENV = path.join(os.tmpdir(), 'claviger-prefect-3.8.8');
const PROGRAM = path.join(VENV, 'bin', 'prefect');
/** Together less than a test file may take. What is not installed by then is skipped, what has not started fails. */
const INSTALL_MS = 100_000;
const STARTS_MS = 70_000;

const kind = prefectServer.kinds[0]!;
const PROBE = kind.probe.request({ settings: {} });

/** Whether Prefect can be run; installs it where it is not there. A text says why not. */
function prepare(): string | null {
  if (existsSync(PROGRAM)) return null;
  process.stderr.write(`installing ${PACKAGES[0]} into ${VENV}…\n`);
  const steps: [string, string[]][] = [
    ['python3', ['-m', 'venv', VENV]],
    [path.join(VENV, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', '--no-compile', ...PACKAGES]],
  ];
  const endsAt = performance.now() + INSTALL_MS;
  for (const [command, args] of steps) {
    const timeout = Math.max(1, Math.floor(endsAt - performance.now()));
    const done = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'ignore'], timeout });
    if (done.status !== 0) {
      rmSync(VENV, { recursive: true, force: true });
      return `${path.basename(command)} ${args[0] === '-m' ? 'cannot make a virtual environment' : `cannot install ${PACKAGES[0]}`}`;
    }
  }
  return null;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Running {
  readonly call: Call;
  stop(): Promise<void>;
}

/** A server with a string, or open. Resolves when it answers; rejects where that is not before `endsAt`. */
async function startServer(home: string, text: string | null, endsAt: number): Promise<Running> {
  const port = await freePort();
  const { PATH = '', TMPDIR } = process.env;
  const args = ['server', 'start', '--host', '127.0.0.1', '--port', String(port), '--no-ui', '--no-services'];
  const child = spawn(PROGRAM, args, {
    stdio: 'ignore',
    env: {
      PATH,
      ...(TMPDIR === undefined ? {} : { TMPDIR }),
      HOME: home,
      PREFECT_HOME: home,
      DO_NOT_TRACK: '1',
      PREFECT_SERVER_ANALYTICS_ENABLED: 'false',
      ...(text === null ? {} : { PREFECT_SERVER_API_AUTH_STRING: text }),
    },
  });
  const running = { call: directCall(`http://127.0.0.1:${port}`), stop: () => ended(child) };
  while (performance.now() < endsAt && child.exitCode === null) {
    if ((await statusWithout(running.call, '/api/health')) === 200) return running;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await running.stop();
  throw new Error(`the server did not start (exit code ${child.exitCode})`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await exit;
  clearTimeout(force);
}

/** The status of a request without a key; null where nobody listens. */
async function statusWithout(call: Call, target: string): Promise<number | null> {
  return call({ method: 'GET', path: target, secrets: [] }, { parts: {}, places: [] }).then(
    (answer) => answer.status,
    () => null,
  );
}

async function livenessOf(call: Call, text: string, places: readonly Place[] = kind.places) {
  const { is, evidence } = kind.probe.read(await call(PROBE, { parts: { key: new Secret(text) }, places }), {
    settings: {},
  });
  return `${is} ${evidence.signature}`;
}

async function isAsking(call: Call): Promise<boolean | null> {
  const answer = await call({ method: 'GET', path: '/api/admin/settings', secrets: [] }, { parts: {}, places: [] });
  if (answer.status === 401) return true;
  const settings = answer.json as { server?: { api?: { auth_string?: string | null } } };
  return settings.server?.api?.auth_string === null ? false : null;
}

const ALIVE = 'alive prefect-server.200.version';
const DEAD = 'dead prefect-server.401.unauthorized';

test('a real Prefect Server: each answer to the probe, a string changed by a restart, a server without one', async (t) => {
  const missing = prepare();
  if (missing !== null) {
    process.stderr.write(`NOT CHECKED against a real Prefect Server: ${missing}\n`);
    return t.skip(`NOT CHECKED: ${missing}`);
  }
  const home = mkdtempSync(path.join(os.tmpdir(), 'claviger-prefect-home-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const [first, second] = ['admin:canary-first string: with a colon', 'admin:canary-second'];
  assert.match(first, kind.format['key']!);

  const endsAt = performance.now() + STARTS_MS;

  const before = await startServer(home, first, endsAt);
  try {
    const { call } = before;
    assert.equal(await livenessOf(call, first), ALIVE);
    assert.equal(await livenessOf(call, second), DEAD);
    const encoded = new TextEncoder().encode(first).toBase64();
    for (const scheme of ['Bearer', 'basic'])
      assert.equal(await livenessOf(call, encoded, [{ in: 'header', name: 'Authorization', scheme }]), DEAD, scheme);
    assert.equal(await statusWithout(call, PROBE.path), 401);
    for (const target of ['/api/health', '/api/ready']) assert.equal(await statusWithout(call, target), 200, target);
    assert.equal(await isAsking(call), true);
    // The settings say that there is a string, and not which.
    const settings = await call(
      { method: 'GET', path: '/api/admin/settings' },
      { parts: { key: new Secret(first) }, places: kind.places },
    );
    assert(settings.status === 200 && !settings.text.includes('canary'));
    const bare = await call(
      { method: 'POST', path: '/api/flows', json: { name: 'f' } },
      { parts: { key: new Secret(first) }, places: kind.places },
    );
    assert.equal(bare.status, 307);
    assert.match(bare.headers['location'] ?? '', /\/api\/flows\/$/);
  } finally {
    await before.stop();
  }

  const after = await startServer(home, second, endsAt);
  try {
    assert.equal(await livenessOf(after.call, first), DEAD);
    assert.equal(await livenessOf(after.call, second), ALIVE);
  } finally {
    await after.stop();
  }

  const open = await startServer(home, null, endsAt);
  try {
    // Whatever is sent is accepted, so nothing is proved; a request without a string gives the server away.
    assert.equal(await livenessOf(open.call, first), ALIVE);
    assert.equal(await statusWithout(open.call, PROBE.path), 200);
    assert.equal(await isAsking(open.call), false);
  } finally {
    await open.stop();
  }
});
