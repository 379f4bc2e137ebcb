// `npm run demo`: the main job, in under a minute, on loopback. A Neon twin stands for the provider; everything else is the real thing:
// the server, the command line, the provider's official client, which knows nothing of Claviger. `--provider NAME` shows another world and
// `--all` all of them side by side (worlds.ts).
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { revealSecretText } from '../../src/model/secret.ts';
import { startNeonTwin } from '../../twins/neon.io.ts';
import { type StandName, standName } from '../world/stand-index.ts';

const { values } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    provider: { type: 'string', default: 'neon' },
    all: { type: 'boolean', default: false },
  },
});
const SIDE_BY_SIDE: readonly StandName[] = ['neon', 'prefect-cloud', 'prefect-server', 'mastodon', 'plaid', 'cachet'];
const isTerminal = process.stdout.isTTY;
const bold = (text: string) => (isTerminal ? `\u001b[1m${text}\u001b[0m` : text);
const dim = (text: string) => (isTerminal ? `\u001b[2m${text}\u001b[0m` : text);
const say = (text = '') => process.stdout.write(`${text}\n`);

if (values.all || values.provider !== 'neon') {
  const names = values.all ? SIDE_BY_SIDE : [standName(values.provider)];
  const { demonstrate } = await import('./worlds.ts');
  const holds = await demonstrate(names, { say, bold }).catch((error: unknown) => {
    say(`\nThe demo stopped: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  });
  process.exit(holds ? 0 : 1);
}

const started = performance.now();
const home = mkdtempSync(path.join(os.tmpdir(), 'claviger-demo-'));
const main = path.resolve(import.meta.dirname, '../../src/main.ts');
const children: ChildProcess[] = [];

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The twin lives in this process: nothing may block it. */
function run(args: readonly string[], live: boolean): Promise<Ran> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: home,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const lines = (stream: NodeJS.ReadableStream) => createInterface({ input: stream });
  lines(child.stdout).on('line', (line) => {
    stdout += `${line}\n`;
    if (live) say(`  ${line}`);
  });
  lines(child.stderr).on('line', (line) => {
    stderr += `${line}\n`;
    if (live) say(`  ${line}`);
  });
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, stdout, stderr })));
}

/** Runs one command as a person would, and shows it. */
async function claviger(...args: string[]): Promise<void> {
  say(`${dim('$')} ${bold(`claviger ${args.map(quoted).join(' ')}`)}`);
  const { status } = await run(args, true);
  if (status !== 0) throw new Error(`claviger ${args[0]} ended with ${status}`);
  say();
}

/** Asks quietly, for what the demo itself needs to know. */
async function ask<T>(...args: string[]): Promise<T> {
  const { status, stdout, stderr } = await run([...args, '--json'], false);
  if (status !== 0) throw new Error(`claviger ${args.join(' ')}: ${stdout}${stderr}`);
  return JSON.parse(stdout) as T;
}

function environment(): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: home,
    CLAVIGER_CONFIG: path.join(home, 'claviger.yaml'),
    NO_COLOR: '1',
    COLUMNS: '110',
  };
}

function quoted(text: string): string {
  return /^[\w./:@=-]+$/.test(text) ? text : `"${text}"`;
}

function step(text: string): void {
  say(`${bold(`── ${text}`)} ${dim(`(${((performance.now() - started) / 1000).toFixed(0)} s)`)}\n`);
}

const twin = await startNeonTwin({ seed: 5 });
const { seeds } = twin.control;
const leaked = twin.control.mint({ kind: 'organization', orgId: seeds.orgId, name: 'shop' });
const port = () => 20_000 + Math.floor(Math.random() * 20_000);
const brokerPort = port();
writeFileSync(
  path.join(home, 'claviger.yaml'),
  `dataDirectory: ./data
broker: { listen: "127.0.0.1:${brokerPort}" }
api: { listen: "127.0.0.1:${port()}" }
kek: { kind: key-file, path: ./key-encryption.key }
providers:
  neon: { origin: "${twin.origin}", privateNetworks: [127.0.0.0/8], plainHttp: true }
`,
  { mode: 0o600 },
);
writeFileSync(path.join(home, '.env'), `NEON_API_KEY=${revealSecretText(leaked.key)}\nPORT=3000\n`, { mode: 0o600 });
writeFileSync(path.join(home, 'admin.key'), revealSecretText(seeds.adminKey), { mode: 0o600 });

async function serve(): Promise<ChildProcess> {
  const server = spawn(process.execPath, [main, 'serve'], {
    cwd: home,
    env: environment(),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(server);
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: server.stderr! }).on('line', (line) => {
      appendFileSync(path.join(home, 'server.log'), `${line}\n`);
      if (line.includes('server.started')) resolve();
    });
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}, see ${home}/server.log`)));
  });
  return server;
}

interface ClientLine {
  readonly pid: number;
  readonly answered: number;
  readonly failed: number;
  readonly lastFailure: string;
}

/** The application: the official client in a process of its own. */
function startClient(token: string): { child: ChildProcess; seen: () => ClientLine } {
  const child = spawn(process.execPath, [path.resolve(import.meta.dirname, '../world/client.ts'), '--rate', '40'], {
    env: { PATH: process.env['PATH'], NEON_BASE_URL: `http://127.0.0.1:${brokerPort}`, NEON_API_KEY: token },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let last: ClientLine = { pid: child.pid ?? 0, answered: 0, failed: 0, lastFailure: '' };
  createInterface({ input: child.stdout! }).on('line', (line) => {
    last = JSON.parse(line) as ClientLine;
  });
  return { child, seen: () => last };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exited;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const status = (id: string) => (twin.control.keys().find((key) => key.id === id)?.isAlive ? 'accepted' : 'refused');

try {
  step('an installation: a data directory, a key-encryption key, an admin');
  await claviger('init', '--yes');
  const server = await serve();

  step('the key that mints keys is stored apart, and never lent');
  await claviger(
    'credential',
    'add',
    'neon-admin',
    '--provider',
    'neon',
    '--kind',
    'personal-key',
    '--purpose',
    'manage',
    '--from-file',
    'admin.key',
  );

  step('the application’s key moves from its .env into Claviger; a token takes its place');
  await claviger('principal', 'add', 'shop', '--kind', 'service');
  const imported = await ask<{ env: string[]; credential: { id: string } }>(
    ...['credential', 'import', 'shop', '--from-env-file', '.env', '--name', 'NEON_API_KEY', '--provider', 'neon'],
    ...['--kind', 'organization-key', '--issuer', 'neon-admin', '--set', `orgId=${seeds.orgId}`, '--quiet-for', '2s'],
    ...['--replace-with-token', 'shop', '--action', '*:read', '--action', 'branch.*'],
  );
  await claviger('credential', 'show', 'shop');
  const token = imported.env.find((line) => line.startsWith('NEON_API_KEY='))!.slice('NEON_API_KEY='.length);
  const client = startClient(token);
  say(`  the application runs (process ${client.child.pid}), unchanged but for two lines of its .env\n`);
  await pause(2_500);

  step('what it was given, and what it uses');
  await claviger('grant', 'suggest', 'shop', '--since', '1h');
  const [wide] = (await ask<{ items: { id: string }[] }>('grant', 'list', '--credential', 'shop')).items;
  await claviger('grant', 'add', 'shop', 'shop', '--action', 'project.list', '--note', 'what it was seen to use');
  await claviger('grant', 'revoke', wide!.id);

  step('rotation under load: nobody notices');
  const before = client.seen();
  await claviger('rotate', 'shop');
  await pause(1_200);
  const after = client.seen();
  say(
    `  the application: ${after.answered - before.answered} requests meanwhile, ${after.failed} failed, still process ${after.pid}`,
  );
  say(`  the old key at the provider: ${status(leaked.id)}\n`);

  step('compromise: revoked first, proven dead');
  await claviger('revoke', 'shop', '--reason', 'compromised', '--yes');
  await pause(1_200);
  say(`  the application is refused by the broker: ${client.seen().lastFailure}\n`);
  const certificates = (await ask<{ items: { id: string }[] }>('certificate', 'list', '--credential', 'shop')).items;
  await claviger('certificate', 'show', certificates[0]!.id);

  step('offline: the ledger is verified, and every use is decided again');
  await ended(client.child);
  await ended(server);
  await claviger('audit', 'verify');
  await claviger('audit', 'replay');

  const seen = client.seen();
  const alive = twin.control.keys().filter((key) => key.isAlive && key.kind === 'organization').length;
  say(bold('What happened'));
  say(
    `  One key left a .env file. It was lent ${seen.answered} times without being shown, narrowed to one action, rotated`,
  );
  say(
    `  without a failed request, revoked, and proven dead: ${certificates.length} certificates, ${alive} organization keys alive at the provider.`,
  );
  say(
    `  ${((performance.now() - started) / 1000).toFixed(0)} seconds. Everything was in ${home}${values.keep ? '' : ', which is gone now'}.`,
  );
} catch (error) {
  say(`\nThe demo stopped: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  for (const child of children) await ended(child);
  await twin.close();
  if (!values.keep && process.exitCode !== 1) rmSync(home, { recursive: true, force: true });
}
