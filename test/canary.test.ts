// The canary: every secret of this installation is known here, and whatever leaves it is searched for them: what commands print, the
// server's log, answers and errors of API and broker, database and write-ahead log, ledger, export, backup, second copies, the crash
// report. As they are, and as base64, hexadecimal, percent-encoded, escaped for JSON, in UTF-16. The exceptions are named: a new token is
// shown this once, where it was asked for.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { SIGNING_KEY_BLOB, signingKeyContext } from '../src/app.io.ts';
import { revealSecret, revealSecretText, Secret } from '../src/model/secret.ts';
import { type RunningNeonTwin, startNeonTwin } from '../twins/neon.io.ts';

const MARK = 'canary';
const root = path.resolve(import.meta.dirname, '..');

/** Every form in which a text may hide: a search for all of them finds it wherever it begins. */
function formsOf(secret: Buffer): Map<string, Buffer> {
  const forms = new Map<string, Buffer>([['as it is', secret]]);
  for (const shift of [0, 1, 2]) {
    // Characters that hold bits of what stands before or behind are left out.
    const encoded = Buffer.concat([Buffer.alloc(shift), secret])
      .toString('base64')
      .replace(/=+$/, '');
    const from = Math.ceil((shift * 8) / 6);
    const to = Math.floor(((shift + secret.length) * 8) / 6);
    forms.set(`as base64, shifted by ${shift}`, Buffer.from(encoded.slice(from, to)));
    const url = Buffer.from(encoded.slice(from, to).replaceAll('+', '-').replaceAll('/', '_'));
    forms.set(`as base64url, shifted by ${shift}`, url);
  }
  const hex = secret.toString('hex');
  forms.set('as hexadecimal', Buffer.from(hex));
  forms.set('as upper-case hexadecimal', Buffer.from(hex.toUpperCase()));
  const bytes = [...secret].map((byte) => byte.toString(16).padStart(2, '0'));
  forms.set('percent-encoded', Buffer.from(bytes.map((byte) => `%${byte}`).join('')));
  forms.set('escaped for JSON', Buffer.from(bytes.map((byte) => `\\u00${byte}`).join('')));
  forms.set('as a list of numbers', Buffer.from([...secret].join(',')));
  forms.set('in UTF-16', Buffer.from(secret.toString('latin1'), 'utf16le'));
  return forms;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

interface Wanted {
  readonly name: string;
  readonly forms: Map<string, Buffer>;
}

function wanted(name: string, secret: Buffer | string): Wanted {
  return { name, forms: formsOf(Buffer.from(secret)) };
}

/** What was found, as `name, how, where` with what stands around it, the secret itself left out. */
function search(where: string, bytes: Buffer, secrets: readonly Wanted[]): string[] {
  const found: string[] = [];
  for (const { name, forms } of secrets) {
    for (const [how, form] of forms) {
      const at = bytes.indexOf(form);
      if (at < 0) continue;
      const around = bytes
        .subarray(Math.max(0, at - 80), at)
        .toString('latin1')
        .replace(/[^\x20-\x7e]/g, '.');
      found.push(`${name}, ${how}, in ${where} at ${at}, behind: ${around}`);
    }
  }
  return found;
}

test('the search finds each form, wherever it begins', () => {
  const secret = Buffer.from('a canary in a mine');
  const secrets = [wanted('secret', secret), wanted('marker', MARK)];
  const hidden = [
    (before: string) => `${before}${secret}`,
    (before: string) => Buffer.from(`${before}${secret} and more`).toString('base64'),
    (before: string) => Buffer.from(`${before}${secret} and more`).toString('base64url'),
    (before: string) => Buffer.from(`${before}${secret}`).toString('hex'),
    (before: string) => before + [...secret].map((byte) => `%${byte.toString(16)}`).join(''),
    (before: string) => before + [...secret].map((byte) => `\\u00${byte.toString(16)}`).join(''),
  ];
  for (const [n, hide] of hidden.entries()) {
    for (const before of ['', 'x', 'xy', 'xyz']) {
      const names = search('here', Buffer.from(hide(before)), secrets).map((line) => line.split(',')[0]);
      assert.ok(names.includes('secret') && names.includes('marker'), `form ${n} behind ${before.length} characters`);
    }
  }
  assert.deepEqual(search('here', Buffer.from('a cana ry in a mine'), secrets), []);
});

describe('nothing that leaves an installation holds a secret', () => {
  const home = mkdtempSync(path.join(os.tmpdir(), 'claviger-birdcage-'));
  const inputs = path.join(home, 'inputs');
  const installation = path.join(home, 'installation');
  const collected = new Map<string, Buffer[]>();
  const secrets: Wanted[] = [wanted('a marked secret', MARK)];
  let twin: RunningNeonTwin;
  let server: ChildProcess | null = null;
  let broker = '';
  let api = '';
  let adminToken = '';
  let serverOut: Buffer[] = [];

  const passphrase = 'canary passphrase: a bird in a mine';
  const environment = (): NodeJS.ProcessEnv => ({
    PATH: process.env['PATH'],
    HOME: home,
    XDG_CACHE_HOME: path.join(root, 'node_modules', '.cache'),
    CLAVIGER_CONFIG: path.join(installation, 'claviger.yaml'),
    TEST_PASSPHRASE: passphrase,
  });

  function collect(group: string, bytes: Buffer | string): void {
    const list = collected.get(group) ?? [];
    list.push(Buffer.from(bytes));
    collected.set(group, list);
  }

  /** Runs a command; what it prints is collected, unless it is the showing of a token. */
  async function run(
    args: readonly string[],
    options: { input?: string; shows?: boolean; fails?: boolean } = {},
  ): Promise<string> {
    const child = spawn(process.execPath, [path.join(root, 'src/main.ts'), ...args], {
      cwd: installation,
      env: environment(),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.end(options.input ?? '');
    const status = await new Promise((resolve) => child.once('close', resolve));
    const text = Buffer.concat(out).toString();
    collect('commands', Buffer.concat(err));
    if (options.shows !== true) collect('commands', text);
    const isFailed = status !== 0;
    assert.equal(isFailed, options.fails === true, `${args.join(' ')}: ${text}${Buffer.concat(err)}`);
    return text;
  }

  async function start(nodeOptions: readonly string[] = []): Promise<void> {
    const child = spawn(process.execPath, [...nodeOptions, path.join(root, 'src/main.ts'), 'serve'], {
      cwd: installation,
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    server = child;
    serverOut = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        serverOut.push(chunk);
        collect('server', chunk);
      });
    }
    await new Promise<void>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}: ${Buffer.concat(serverOut)}`)));
      child.stderr.on('data', () => {
        const line = /^.*"event":"server\.started".*$/m.exec(Buffer.concat(serverOut).toString())?.[0];
        if (line === undefined) return;
        const started = JSON.parse(line) as { broker: string; api: string };
        broker = started.broker;
        api = started.api;
        resolve();
      });
    });
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const child = server;
    server = null;
    if (child === null || child.exitCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }

  async function ask(
    method: string,
    target: string,
    options: { body?: unknown; token?: string; shows?: boolean } = {},
  ) {
    const answer = await fetch(api + target, {
      method,
      headers: { authorization: `Bearer ${options.token ?? adminToken}`, 'content-type': 'application/json' },
      body:
        options.body === undefined
          ? null
          : typeof options.body === 'string'
            ? options.body
            : JSON.stringify(options.body),
    });
    const text = await answer.text();
    if (options.shows !== true) collect('API', `${[...answer.headers].join('\n')}\n${text}`);
    return { status: answer.status, text };
  }

  /** A request to the broker as it stands, with headers that fetch would not send. */
  function send(method: string, target: string, headers: Record<string, string>, body = ''): Promise<number> {
    return new Promise((resolve, reject) => {
      const request = http.request(broker + target, { method, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [Buffer.from(response.rawHeaders.join('\n'))];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          collect('broker', Buffer.concat(chunks));
          resolve(response.statusCode ?? 0);
        });
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  function files(directory: string): string[] {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .map((name) => path.join(directory, name))
      .filter((name) => statSync(name).isFile());
  }

  function collectFiles(group: string, directory: string, except: readonly string[] = []): number {
    const names = files(directory).filter((name) => !except.includes(path.basename(name)));
    for (const name of names) collect(group, Buffer.concat([Buffer.from(`${name}\n`), readFileSync(name)]));
    return names.length;
  }

  before(async () => {
    for (const directory of [inputs, installation, path.join(home, 'copies'), path.join(home, 'crash')]) {
      mkdirSync(directory, { mode: 0o700 });
    }
    twin = await startNeonTwin();
    const { seeds } = twin.control;
    const file = (name: string, text: string) => {
      const named = path.join(inputs, name);
      writeFileSync(named, text, { mode: 0o600 });
      return named;
    };
    const adminKey = file('admin.key', revealSecretText(seeds.adminKey));
    const first = twin.control.mint({ kind: 'organization' });
    writeFileSync(
      path.join(installation, 'claviger.yaml'),
      `dataDirectory: ./data
broker: { listen: "127.0.0.1:${await freePort()}" }
api: { listen: "127.0.0.1:${await freePort()}" }
kek: { kind: passphrase, from: { env: TEST_PASSPHRASE } }
secondCopy: { directory: ${path.join(home, 'copies')} }
log: { level: debug }
providers:
  neon: { origin: "${twin.origin}", privateNetworks: [127.0.0.0/8], plainHttp: true }
`,
      { mode: 0o600 },
    );
    await run(['init', '--yes'], { shows: true });
    await start([
      '--report-uncaught-exception',
      `--report-directory=${path.join(home, 'crash')}`,
      '--import',
      crashOnSignal,
    ]);
    adminToken = readFileSync(tokenFile(), 'utf8').trim();
    secrets.push(wanted('the admin’s token', adminToken));

    // The ordinary life: keys come in, are lent, rotated, revoked.
    await run([
      'credential',
      'add',
      'issuer',
      '--provider',
      'neon',
      '--kind',
      'personal-key',
      '--purpose',
      'manage',
      '--from-file',
      adminKey,
    ]);
    await run(
      [
        'credential',
        'add',
        'shop',
        '--provider',
        'neon',
        '--kind',
        'organization-key',
        '--issuer',
        'issuer',
        '--set',
        `orgId=${seeds.orgId}`,
        '--quiet-for',
        '0s',
        '--from-stdin',
      ],
      { input: revealSecretText(first.key) },
    );
    await run(['principal', 'add', 'caller', '--kind', 'service']);
    await run(['grant', 'add', 'caller', 'shop', '--action', '*']);
    const shown = await run(['token', 'issue', 'caller', '--json'], { shows: true });
    const token = String(/clv_[0-9A-Za-z]{33}/.exec(shown)?.[0]);
    secrets.push(wanted('a caller’s token', token));
    const bearer = { authorization: `Bearer ${token}` };
    assert.equal(await send('GET', `/neon/shop/api/v2/projects/${seeds.projectId}`, bearer), 200);
    await run(['rotate', 'shop']);
    for (const what of [['list'], ['show', 'shop']]) await run(['credential', ...what]);
    await run(['inventory', 'run']);

    // Requests that are refused, or that hold a key or a token where none belongs.
    const key = revealSecretText(first.key);
    const refused: readonly (readonly [string, string, Record<string, string>, string?])[] = [
      ['GET', '/neon/shop/api/v2/projects', {}],
      ['GET', '/neon/shop/api/v2/projects', { authorization: `Bearer ${key}` }],
      [
        'GET',
        '/neon/shop/api/v2/projects',
        { authorization: `Basic ${Buffer.from(`user:${key}`).toString('base64')}` },
      ],
      ['GET', `/neon/shop/api/v2/projects?api_key=${key}`, {}],
      ['GET', `/neon/shop/api/v2/projects?token=${token}`, {}],
      ['GET', `/neon/shop/api/v2/projects?api_key=${key}`, bearer],
      ['GET', `/neon/shop/${key}`, bearer],
      ['GET', `/neon/${key}/api/v2/projects`, bearer],
      ['GET', `/${key}`, bearer],
      ['GET', `/neon/shop/api/v2/projects/%2e%2e/${key}`, bearer],
      ['GET', '/neon/shop/api/v2/projects', { ...bearer, cookie: `key=${key}` }],
      ['GET', '/neon/shop/api/v2/projects', { ...bearer, 'x-api-key': token }],
      ['GET', '/neon/shop/api/v2/projects', { ...bearer, 'x-key': key }],
      ['GET', '/neon/shop/api/v2/projects', { authorization: `Bearer ${token}x` }],
      ['GET', '/neon/shop/api/v2/projects', { ...bearer, host: `${key}.example` }],
      [
        'POST',
        '/neon/shop/api/v2/projects',
        { ...bearer, 'content-type': 'application/json' },
        `{"project":{"name":"${key}"}}`,
      ],
      ['POST', '/neon/shop/api/v2/nothing', { ...bearer, 'content-type': 'application/json' }, `{"key":"${key}"}`],
      [`K${key.slice(0, 10).toUpperCase()}`, '/neon/shop/', bearer],
    ];
    for (const [method, target, headers, body] of refused) await send(method, target, headers, body).catch(() => {});

    // What a person types wrong.
    await run(
      [
        'credential',
        'add',
        'wrong',
        '--provider',
        'neon',
        '--kind',
        'organization-key',
        '--set',
        `orgId=${seeds.orgId}`,
        '--from-stdin',
      ],
      {
        input: `napi_canary but not of the form\n`,
        fails: true,
      },
    );
    await run(
      [
        'credential',
        'add',
        'dead',
        '--provider',
        'neon',
        '--kind',
        'organization-key',
        '--set',
        `orgId=${seeds.orgId}`,
        '--from-stdin',
      ],
      {
        input: key,
        fails: true,
      },
    );
    await ask('POST', '/v1/credentials', { body: `{"parts": {"key": "${key}"` });
    await ask('POST', '/v1/credentials', {
      body: { provider: 'neon', name: 'x', kind: 'organization-key', parts: { key: [key] } },
    });
    await ask('POST', '/v1/credentials', {
      body: { provider: 'neon', name: 'x', kind: 'organization-key', parts: { [key]: 'x' }, [key]: 1 },
    });
    await ask('POST', '/v1/credentials', {
      body: { provider: 'neon', name: key, kind: key, settings: { orgId: key } },
    });
    await ask('GET', '/v1/whoami', { token: key });
    await ask('GET', '/v1/whoami', { token: `${adminToken}x` });
    await ask('GET', `/v1/credentials/${key}`);
    await ask('GET', `/v1/${key}?${key}=${key}`);

    // Sealed, with the wrong passphrase, and with the right one.
    await run(['seal', '--yes']);
    assert.equal(await send('GET', '/neon/shop/api/v2/projects', bearer), 503);
    await run(['unseal', '--from-stdin'], { input: 'the wrong canary\n', fails: true });
    await run(['unseal', '--from-stdin'], { input: passphrase });
    const next = `${passphrase}, and another`;
    await run(['kek', 'rotate', '--from-stdin'], { input: next });
    await run(['kek', 'rotate', '--from-stdin'], { input: passphrase });

    // What can be read.
    for (const target of [
      'status',
      'whoami',
      'principals',
      'credentials',
      'grants',
      'rotations',
      'revocations',
      'certificates',
      'inventory',
      'keks',
      'providers',
      'audit/control?limit=200',
      'audit/use?limit=200',
      'audit/checkpoints',
    ]) {
      const { status } = await ask('GET', `/v1/${target}`);
      assert.equal(status, 200, target);
    }
    await ask('GET', '/openapi.json');
    for (const args of [['doctor', '--all'], ['status'], ['audit', 'tail', 'control'], ['audit', 'tail', 'use']]) {
      await run(args).catch(() => {});
    }

    // The end of a key, and of the server.
    await run(['revoke', 'shop', '--reason', 'compromised', '--yes']);
    await run(['backup', path.join(home, 'backup')]);
    collectFiles('database', path.join(installation, 'data'));
    await breakDatabase(key);
    await crash();
    await start();
    await end('SIGTERM');
    await run(['audit', 'export', path.join(home, 'export')]);
    await run(['audit', 'verify']);
    await run(['audit', 'replay']);
    await run(['restore', path.join(home, 'backup'), '--replace', '--yes']);
    collectFiles('database', path.join(installation, 'data'));
    collectFiles('export', path.join(home, 'export'));
    collect('backup', readFileSync(path.join(home, 'backup')));
    collectFiles('second copies', path.join(home, 'copies'));
    collectFiles('crash report', path.join(home, 'crash'));
    collectFiles('configuration', installation, [path.basename(tokenFile())]);
    secrets.push(wanted('the ledger’s signing key', await signingKey()));
  });

  after(async () => {
    await end('SIGKILL');
    await twin.close();
    rmSync(home, { recursive: true, force: true });
  });

  const crashOnSignal = `data:text/javascript,process.on('SIGUSR2',()=>{throw new Error('injected')})`;

  function tokenFile(): string {
    return files(installation).find((name) => /token$/.test(name)) ?? 'there is no token file';
  }

  /** An internal error of the API while a key is on its way in, and one while rows are read. */
  async function breakDatabase(key: string): Promise<void> {
    const database = new DatabaseSync(path.join(installation, 'data', 'claviger.db'), { timeout: 5_000 });
    database.exec('ALTER TABLE credentials RENAME TO away');
    database.exec('ALTER TABLE rotations RENAME TO away_too');
    const body = {
      provider: 'neon',
      name: 'late',
      kind: 'organization-key',
      settings: { orgId: twin.control.seeds.orgId },
      parts: { key },
    };
    const { status } = await ask('POST', '/v1/credentials?resolve=false', { body });
    assert.ok(status >= 500, `${status}`);
    assert.ok((await ask('GET', '/v1/rotations')).status >= 500);
    database.exec('ALTER TABLE away RENAME TO credentials');
    database.exec('ALTER TABLE away_too RENAME TO rotations');
    database.close();
  }

  async function crash(): Promise<void> {
    const child = server!;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGUSR2');
    await exited;
    server = null;
    assert.match(Buffer.concat(serverOut).toString(), /injected/);
    assert.ok(files(path.join(home, 'crash')).length > 0, 'there is no crash report');
  }

  /** Opened as the server opens it: the only way to know it. */
  async function signingKey(): Promise<Buffer> {
    const { createApp } = await import('../src/app.io.ts');
    const { unseal } = await import('../src/unseal.io.ts');
    const { houseConfig } = await import('./support/house.ts');
    const config = { ...houseConfig(installation, {}), dataDirectory: path.join(installation, 'data') };
    const app = await createApp({ config, onLost: () => {} }, () => Promise.reject(new Error('none')));
    await unseal(app, { kind: 'passphrase', passphrase: new Secret(passphrase) });
    const row = await app.database.read
      .selectFrom('blobs')
      .select('value')
      .where('id', '=', SIGNING_KEY_BLOB)
      .executeTakeFirst();
    const parts = app.vault.openParts(signingKeyContext(app.instance), row!.value);
    // The private half stands at the end of the PKCS #8 form; what is before it is the same for every key.
    const secret = Buffer.from(revealSecret(parts['key']!)).subarray(-32);
    const copy = Buffer.from(secret);
    await app.stop();
    return copy;
  }

  test('what was searched holds something, and the search works on it', () => {
    for (const group of [
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
    ]) {
      const size = (collected.get(group) ?? []).reduce((sum, bytes) => sum + bytes.length, 0);
      assert.ok(size > 500, `${group}: ${size} bytes`);
    }
    const input = readFileSync(path.join(inputs, 'admin.key'));
    assert.notDeepEqual(search('input', input, secrets), []);
    assert.equal(secrets.length, 4);
  });

  for (const group of [
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
  ]) {
    test(group, () => {
      const found = (collected.get(group) ?? []).flatMap((bytes, n) => search(`${group} ${n}`, bytes, secrets));
      assert.deepEqual(found, []);
    });
  }
});
