// An installation whose every output is collected: made and served by the real command line in processes of their own, before a Neon twin.
// What leaves it is kept in groups, to be searched. Not here: what is done with it, and what is searched for (canary.test.ts).
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { type RunningNeonTwin, startNeonTwin } from '../twins/neon.io.ts';

const root = path.resolve(import.meta.dirname, '..');
const PASSPHRASE_VARIABLE = 'TEST_PASSPHRASE';

/** Where outputs are sorted to. */
export const GROUPS = [
  'commands',
  'server',
  'API',
  'broker',
  'database',
  'export',
  'backup',
  'second copies',
  'crash report',
  'configuration',
] as const;
export type Group = (typeof GROUPS)[number];

export interface Birdcage {
  readonly twin: RunningNeonTwin;
  /** Secrets lie here on their way in: not searched. */
  readonly inputs: string;
  /** Configuration and data. */
  readonly installation: string;
  readonly home: string;
  collected(group: Group): readonly Buffer[];
  collect(group: Group, bytes: Buffer | string): void;
  /** Collects every file below a directory. */
  collectFiles(group: Group, directory: string, isWanted?: (name: string) => boolean): void;
  /** Runs a command and returns what it prints, which is collected, unless it shows a token. */
  run(args: readonly string[], options?: { input?: string; shows?: boolean; fails?: boolean }): Promise<string>;
  start(nodeOptions?: readonly string[]): Promise<void>;
  end(signal: NodeJS.Signals): Promise<void>;
  /** What the server printed since its start. */
  serverOutput(): string;
  tokenFile(): string;
  /** A call of the API, with the admin's token where no other is given. */
  ask(method: string, target: string, options?: { body?: unknown; token?: string }): Promise<number>;
  /** A request to the broker as it stands. Rejects where no answer comes. */
  send(method: string, target: string, headers: Readonly<Record<string, string>>, body?: string): Promise<number>;
  dispose(): Promise<void>;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(directory, name))
    .filter((name) => statSync(name).isFile());
}

/** An installation with a configuration, not initialised yet. The passphrase of its key-encryption key is in the environment. */
export async function openBirdcage(passphrase: string): Promise<Birdcage> {
  const home = mkdtempSync(path.join(os.tmpdir(), 'claviger-birdcage-'));
  const inside = (name: string) => path.join(home, name);
  const [inputs, installation] = [inside('inputs'), inside('installation')];
  for (const name of ['inputs', 'installation', 'copies', 'crash']) mkdirSync(inside(name), { mode: 0o700 });
  const twin = await startNeonTwin();
  const [broker, api] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  writeFileSync(
    path.join(installation, 'claviger.yaml'),
    `dataDirectory: ./data
broker: { listen: "${broker}" }
api: { listen: "${api}" }
kek: { kind: passphrase, from: { env: ${PASSPHRASE_VARIABLE} } }
secondCopy: { directory: ${inside('copies')} }
log: { level: debug }
providers:
  neon: { origin: "${twin.origin}", privateNetworks: [127.0.0.0/8], plainHttp: true }
`,
    { mode: 0o600 },
  );
  const groups = new Map<Group, Buffer[]>(GROUPS.map((group) => [group, []]));
  let server: ChildProcess | null = null;
  let output = '';

  const environment: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: home,
    XDG_CACHE_HOME: path.join(root, 'node_modules', '.cache'),
    CLAVIGER_CONFIG: path.join(installation, 'claviger.yaml'),
    [PASSPHRASE_VARIABLE]: passphrase,
  };
  const launch = (args: readonly string[]) =>
    spawn(process.execPath, args, { cwd: installation, env: environment, stdio: ['pipe', 'pipe', 'pipe'] });
  const program = path.join(root, 'src/main.ts');

  function collect(group: Group, bytes: Buffer | string): void {
    groups.get(group)!.push(Buffer.from(bytes));
  }

  function tokenFile(): string {
    return filesOf(installation).find((name) => name.endsWith('token')) ?? 'there is no token file';
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const child = server;
    server = null;
    if (child === null || child.exitCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }

  return {
    twin,
    inputs,
    installation,
    home,
    collected: (group) => groups.get(group)!,
    collect,
    tokenFile,
    end,
    serverOutput: () => output,
    collectFiles(group, directory, isWanted = () => true) {
      for (const name of filesOf(directory).filter(isWanted)) {
        collect(group, Buffer.concat([Buffer.from(`${name}\n`), readFileSync(name)]));
      }
    },
    async run(args, options = {}) {
      const child = launch([program, ...args]);
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
      child.stdin.end(options.input ?? '');
      const status = await new Promise((resolve) => child.once('close', resolve));
      const text = Buffer.concat(out).toString();
      collect('commands', Buffer.concat(err));
      if (options.shows !== true) collect('commands', text);
      const isAsExpected = (status !== 0) === (options.fails === true);
      assert.ok(isAsExpected, `claviger ${args.join(' ')} ended with ${status}: ${text}${Buffer.concat(err)}`);
      return text;
    },
    async start(nodeOptions = []) {
      const child = launch([...nodeOptions, program, 'serve']);
      server = child;
      output = '';
      await new Promise<void>((resolve, reject) => {
        child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${output}`)));
        for (const stream of [child.stdout, child.stderr]) {
          stream.on('data', (chunk: Buffer) => {
            output += chunk.toString();
            collect('server', chunk);
            if (output.includes('"event":"server.started"')) resolve();
          });
        }
      });
    },
    async ask(method, target, options = {}) {
      const token = options.token ?? readFileSync(tokenFile(), 'utf8').trim();
      const { body } = options;
      const answer = await fetch(`http://${api}${target}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      });
      collect('API', `${[...answer.headers].join('\n')}\n${await answer.text()}`);
      return answer.status;
    },
    send: (method, target, headers, body = '') =>
      new Promise((resolve, reject) => {
        const request = http.request(`http://${broker}${target}`, { method, headers, agent: false }, (response) => {
          collect('broker', response.rawHeaders.join('\n'));
          response.on('data', (chunk: Buffer) => collect('broker', chunk));
          response.on('end', () => resolve(response.statusCode ?? 0));
        });
        request.on('error', reject);
        request.end(body);
      }),
    async dispose() {
      await end('SIGKILL');
      await twin.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
