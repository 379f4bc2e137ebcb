// A real Prefect Server and its official client, installed on first use into a virtual environment below the system's temporary directory, and that
// client as an application of a house. Where Python or the package is missing, the reason is given and the tests that need it are skipped.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { addCredential, addService, grant, issueToken } from './applications.ts';
import type { House } from './house.ts';

/** What docs/providers/prefect-server.md was measured with; newer releases of FastAPI take away an argument that this one uses. */
const PACKAGES = ['prefect==3.8.8', 'fastapi<0.151'];
const VENV = path.join(os.tmpdir(), 'claviger-prefect-3.8.8');
const PROGRAM = path.join(VENV, 'bin', 'prefect');
const PYTHON = path.join(VENV, 'bin', 'python');
/** Written last: before it is there, the rest may be half there. */
const READY = path.join(VENV, 'installed');
const LOCK = `${VENV}.lock`;
const LOOK_MS = 250;
/** With a start or two less than a test file may take. What is not installed by then is skipped. */
const INSTALL_MS = 100_000;

/** Without these nobody hears of logs on `/api/logs/out`. */
const LOGS = { PREFECT_SERVER_LOGS_STREAM_OUT_ENABLED: 'true', PREFECT_SERVER_LOGS_STREAM_PUBLISHING_ENABLED: 'true' };

/** Takes the installation for this process. False where another one that lives has it: test files run side by side. */
function takeInstallation(): boolean {
  try {
    writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    const owner = Number(existsSync(LOCK) ? readFileSync(LOCK, 'utf8') : '');
    if (owner > 0 && !isAlive(owner)) rmSync(LOCK, { force: true });
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Whether Prefect can be run; installs it where it is not there, or waits for whoever does. A text says why not. */
function preparePrefect(): string | null {
  const endsAt = performance.now() + INSTALL_MS;
  for (;;) {
    if (existsSync(READY)) return null;
    if (takeInstallation()) break;
    if (performance.now() > endsAt) return `another test was still installing ${PACKAGES[0]}`;
    sleep(LOOK_MS);
  }
  try {
    // Whoever had it before may be done by now.
    return existsSync(READY) ? null : install(endsAt);
  } finally {
    rmSync(LOCK, { force: true });
  }
}

function install(endsAt: number): string | null {
  rmSync(VENV, { recursive: true, force: true });
  process.stderr.write(`installing ${PACKAGES[0]} into ${VENV}…\n`);
  const steps: [string, string[]][] = [
    ['python3', ['-m', 'venv', VENV]],
    [path.join(VENV, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', '--no-compile', ...PACKAGES]],
  ];
  for (const [command, args] of steps) {
    const timeout = Math.max(1, Math.floor(endsAt - performance.now()));
    const done = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'ignore'], timeout });
    if (done.status !== 0) {
      rmSync(VENV, { recursive: true, force: true });
      return `${path.basename(command)} ${args[0] === '-m' ? 'cannot make a virtual environment' : `cannot install ${PACKAGES[0]}`}`;
    }
  }
  writeFileSync(READY, '');
  return null;
}

/** Whether Prefect can be run. Where it cannot, the test is skipped, and says against what it was not checked. */
export function isPrefectReady(t: TestContext, against: string): boolean {
  const missing = preparePrefect();
  if (missing === null) return true;
  process.stderr.write(`SKIPPED LOUDLY: not checked against ${against}: ${missing}\n`);
  t.skip(`NOT CHECKED: ${missing}`);
  return false;
}

/** An empty directory, which is gone after the test. */
export function prefectDirectory(t: TestContext, name: string): string {
  const directory = mkdtempSync(path.join(os.tmpdir(), `claviger-prefect-${name}-`));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** What both need: nothing of the machine's own settings, and nothing that is told to anybody. */
function environmentOf(home: string, more: Readonly<Record<string, string>>): Record<string, string> {
  const { PATH = '', TMPDIR } = process.env;
  return {
    PATH,
    ...(TMPDIR === undefined ? {} : { TMPDIR }),
    HOME: home,
    PREFECT_HOME: home,
    DO_NOT_TRACK: '1',
    PREFECT_SERVER_ANALYTICS_ENABLED: 'false',
    ...more,
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await exit;
  clearTimeout(force);
}

export interface RunningPrefect {
  readonly origin: string;
  stop(): Promise<void>;
}

async function isHealthy(origin: string): Promise<boolean> {
  return fetch(`${origin}/api/health`).then(
    (answer) => answer.status === 200,
    () => false,
  );
}

/**
 * A server with a string, or open where that is null. Resolves when it answers; rejects where that is not before `endsAt`, by the monotonic
 * clock. `hasServices`: whether it writes down what comes as events, task runs above all. `port`: a free one where none is named.
 */
export async function startPrefectServer(
  home: string,
  text: string | null,
  {
    endsAt,
    hasServices,
    port: given,
  }: { readonly endsAt: number; readonly hasServices: boolean; readonly port?: number },
): Promise<RunningPrefect> {
  const port = given ?? (await freePort());
  const args = ['server', 'start', '--host', '127.0.0.1', '--port', String(port), '--no-ui'];
  const child = spawn(PROGRAM, hasServices ? args : [...args, '--no-services'], {
    stdio: 'ignore',
    env: environmentOf(home, { ...LOGS, ...(text === null ? {} : { PREFECT_SERVER_API_AUTH_STRING: text }) }),
  });
  const running = { origin: `http://127.0.0.1:${port}`, stop: () => ended(child) };
  while (performance.now() < endsAt && child.exitCode === null) {
    if (await isHealthy(running.origin)) return running;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await running.stop();
  throw new Error(`the server did not start (exit code ${child.exitCode})`);
}

export interface PrefectClient {
  /** Everything that it has written, both streams. */
  readonly output: () => string;
  /** Writes a line to its standard input. */
  say(line: string): void;
  /** Its exit code. */
  readonly exit: Promise<number | null>;
  stop(): Promise<void>;
}

/** Runs a program with the official client, as an application is configured that uses the broker: its address, and a token as the password. */
function startPrefectClient(
  home: string,
  program: string,
  api: { readonly url: string; readonly authString: string },
): PrefectClient {
  let output = '';
  const child = spawn(PYTHON, ['-u', '-c', program], {
    stdio: 'pipe',
    cwd: home,
    env: environmentOf(home, { PREFECT_API_URL: api.url, PREFECT_API_AUTH_STRING: api.authString }),
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  return {
    output: () => output,
    say: (line) => void child.stdin.write(`${line}\n`),
    exit: new Promise((resolve) => child.once('exit', resolve)),
    stop: () => ended(child),
  };
}

/** What docs/providers/prefect-server.md says a flow's client needs, less what it subscribes to. */
export const FLOW_ACTIONS = [
  'admin.get-version',
  'csrf-token.get',
  'flow.create',
  'flow-run.create',
  'flow-run.set-state',
  'flow-run.get',
  'flow.get',
  'admin-storage.get',
  'log.create',
  'event.publish',
];

/** Gives a house the server's string as a credential, and starts a client that has a grant on it and the broker's address. */
export async function startLentClient(
  t: TestContext,
  house: House,
  lent: {
    /** Of the credential. */
    readonly name: string;
    /** The server's: `user:password`. */
    readonly authString: string;
    readonly actions: readonly string[];
    readonly home: string;
    readonly program: string;
  },
): Promise<{ readonly credential: string; readonly client: PrefectClient }> {
  const credential = await addCredential(house, {
    provider: 'prefect-server',
    name: lent.name,
    kind: 'auth-string',
    parts: { key: lent.authString },
  });
  const runner = await addService(house, 'runner');
  await grant(house, runner, credential, lent.actions);
  const token = (await issueToken(house, runner)).text;
  const url = `${house.brokerOrigin}/prefect-server/${lent.name}/api`;
  const client = startPrefectClient(lent.home, lent.program, { url, authString: `x:${token}` });
  t.after(() => client.stop());
  return { credential, client };
}
