// What goes wrong around a server, one thing at a time: the provider unplugged, slow, dying within an answer; callers that go away; the disk
// full, the database locked, gone; the clock set back. Each time: a clear error, a record, nothing lost, no crash, and service again when
// the fault is over. And how soon the end of access reaches what is open.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Config } from '../../src/config/config.ts';
import { openSqlite } from '../../src/database/sqlite-commit.io.ts';
import { initialise } from '../../src/init.io.ts';
import { Failure } from '../../src/model/failure.ts';
import { Secret } from '../../src/model/secret.ts';
import { type Serving, serve } from '../../src/serve.io.ts';
import { machineRandom } from '../../src/vault/cipher.io.ts';
import { generateKeyFile } from '../../src/vault/kek.io.ts';
import { replay } from '../../tools/torture/ledger.ts';
import { houseConfig } from '../support/house.ts';
import { startPostgresql } from '../support/postgresql.ts';

const KEY = `napi_canary${'k'.repeat(58)}`;
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Looks until it is so, or fails with what was waited for. */
async function until(what: string, isSo: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > end) assert.fail(`it never came to pass: ${what}`);
    await pause(10);
  }
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** The provider: answers as the test says. */
interface Upstream {
  readonly origin: string;
  readonly server: http.Server;
  handler: Handler;
  /** Requests that arrived, as `METHOD path`. */
  readonly arrived: string[];
  unplug(): Promise<void>;
  plug(): Promise<void>;
}

const fine: Handler = (request, response) => {
  request.resume();
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"fine":true}'));
};

async function startUpstream(): Promise<Upstream> {
  const arrived: string[] = [];
  const server = http.createServer((request, response) => {
    assert.equal(request.headers.authorization, `Bearer ${KEY}`);
    arrived.push(`${request.method} ${request.url}`);
    response.on('error', () => {});
    upstream.handler(request, response);
  });
  const listen = (port: number) =>
    new Promise<number>((resolve) => {
      server.listen(port, '127.0.0.1', () => resolve((server.address() as net.AddressInfo).port));
    });
  const port = await listen(0);
  const upstream: Upstream = {
    origin: `http://127.0.0.1:${port}`,
    server,
    handler: fine,
    arrived,
    unplug: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    plug: async () => void (await listen(port)),
  };
  return upstream;
}

interface Answer {
  readonly status: number;
  readonly code: string | null;
  readonly text: string;
  /** Whether the answer came to its proper end. */
  readonly isWhole: boolean;
}

interface FaultHouse {
  readonly serving: Serving;
  readonly upstream: Upstream;
  readonly config: Config;
  readonly reports: string[];
  readonly lost: string[];
  readonly ids: { readonly credential: string; readonly principal: string; readonly grant: string };
  readonly tokenId: string;
  /** Sends through the broker. */
  send(method: string, name: string, body?: string): Promise<Answer>;
  open(method: string, name: string): http.ClientRequest;
  api(method: string, target: string, body?: object): Promise<{ status: number; json: Record<string, unknown> }>;
  /** Entries of the use log, once all of them are written. */
  uses(): Promise<Record<string, unknown>[]>;
  /** The only use of a path, with its outcome's status once that is written. */
  recordOf(name: string): Promise<{ kind: string; reason: unknown; status: number | null }>;
  stop(): Promise<void>;
}

interface FaultHouseOptions {
  readonly parent?: string;
  readonly databaseUrl?: string;
  readonly policy?: object;
}

async function openFaultHouse(options: FaultHouseOptions = {}): Promise<FaultHouse> {
  const upstream = await startUpstream();
  const directory = mkdtempSync(path.join(options.parent ?? os.tmpdir(), 'claviger-faults-'));
  const outside = mkdtempSync(path.join(os.tmpdir(), 'claviger-faults-key-'));
  const kekPath = path.join(outside, 'kek');
  const base = houseConfig(directory, { providers: { neon: upstream.origin } });
  const config: Config = {
    ...base,
    kek: { kind: 'key-file', path: kekPath },
    database: options.databaseUrl === undefined ? base.database : { kind: 'postgresql', url: { env: 'URL' } },
    limits: { ...base.limits, upstreamHeadersSeconds: 0.6, upstreamSilenceSeconds: 0.6 },
    drainSeconds: 0.2,
  };
  const key = await generateKeyFile({ path: kekPath, dataDirectory: config.dataDirectory, random: machineRandom });
  const databaseUrl = options.databaseUrl ?? null;
  const made = await initialise({ config, kek: { kind: 'key-file', key }, admin: 'admin', databaseUrl });
  const reports: string[] = [];
  const lost: string[] = [];
  const serving = await serve({
    config,
    kek: { kind: 'key-file', path: kekPath },
    readSecret: () =>
      databaseUrl === null
        ? Promise.reject(new Failure('invalid', 'no secret is configured'))
        : Promise.resolve(new Secret(databaseUrl)),
    report: (message, fields) => reports.push(`${message} ${JSON.stringify(fields)}`),
    onLost: (why) => lost.push(why),
  });

  async function api(method: string, target: string, body?: object) {
    const headers = { authorization: `Bearer ${made.token}`, 'content-type': 'application/json' };
    const init = { method, headers, body: body === undefined ? null : JSON.stringify(body) };
    const answer = await fetch(serving.apiOrigin + target, init);
    return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
  }

  async function make(target: string, body: object): Promise<Record<string, unknown>> {
    const { status, json } = await api('POST', target, body);
    assert.equal(status, 201, JSON.stringify(json));
    return json;
  }

  const added = await make('/v1/credentials?resolve=false', {
    provider: 'neon',
    name: 'prod',
    kind: 'organization-key',
    settings: { orgId: 'org-faults' },
    parts: { key: KEY },
    providerKeyId: '1',
    policy: options.policy ?? {},
  });
  const credential = (added['credential'] as { id: string }).id;
  const principal = String((await make('/v1/principals', { name: 'caller', kind: 'service' }))['id']);
  const grant = String((await make('/v1/grants', { principal, credential, actions: ['project.*'] }))['id']);
  const issued = await make(`/v1/principals/${principal}/tokens`, {});
  const token = String(issued['text']);

  function open(method: string, name: string): http.ClientRequest {
    const request = http.request(`${serving.brokerOrigin}/neon/prod/api/v2/projects/${name}`, {
      method,
      agent: false,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    });
    return request;
  }

  async function uses(): Promise<Record<string, unknown>[]> {
    // The admissions first: an outcome is packed once its admission is written.
    await serving.app.database.idle();
    serving.app.guardian.flush();
    await serving.app.database.idle();
    const rows = await serving.app.database.read.selectFrom('use_entries').select('entry').orderBy('idx').execute();
    return rows.map((row) => JSON.parse(row.entry) as Record<string, unknown>);
  }

  return {
    serving,
    upstream,
    config,
    reports,
    lost,
    ids: { credential, principal, grant },
    tokenId: (issued['token'] as { id: string }).id,
    open,
    api,
    uses,
    send(method, name, body) {
      const request = open(method, name);
      request.end(body);
      return answerOf(request);
    },
    async recordOf(name) {
      const entries = await uses();
      const mine = entries.flatMap((entry, index) =>
        String(entry['path']).endsWith(`/${name}`) ? [{ entry, index }] : [],
      );
      assert.equal(mine.length, 1, `${name} stands ${mine.length} times in the log`);
      const { entry, index } = mine[0]!;
      const outcomes = entries.flatMap((one) => (one['kind'] === 'outcomes' ? (one['of'] as number[][]) : []));
      const status = outcomes.find((outcome) => outcome[0] === index)?.[1] ?? null;
      return { kind: String(entry['kind']), reason: entry['reason'], status };
    },
    async stop() {
      await serving.stop();
      await upstream.unplug();
      rmSync(directory, { recursive: true, force: true });
      rmSync(outside, { recursive: true, force: true });
    },
  };
}

function answerOf(request: http.ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', () => {});
      response.on('close', () => {
        const code = response.headers['claviger-refused'];
        resolve({
          status: response.statusCode ?? 0,
          code: typeof code === 'string' ? code : null,
          text,
          isWhole: response.complete,
        });
      });
    });
  });
}

/** The broker refuses in its own name, in the form that says so. */
function assertProblem(answer: Answer, status: number, code: string): void {
  assert.deepEqual({ status: answer.status, code: answer.code }, { status, code }, answer.text);
  const problem = JSON.parse(answer.text) as Record<string, unknown>;
  assert.equal(problem['type'], `urn:claviger:problem:${code}`);
  assert.equal(problem['status'], status);
  assert.ok(!answer.text.includes('canary'));
}

describe('the provider', () => {
  let house: FaultHouse;
  before(async () => {
    house = await openFaultHouse();
  });
  after(() => house.stop());

  test('unplugged: 502, on record, and served again when it is back', async () => {
    await house.upstream.unplug();
    for (const method of ['GET', 'DELETE']) {
      const name = `unplugged-${method.toLowerCase()}`;
      assertProblem(await house.send(method, name), 502, 'upstream-unreachable');
      assert.deepEqual(await house.recordOf(name), { kind: 'use', reason: undefined, status: 0 });
    }
    await house.upstream.plug();
    assert.equal((await house.send('GET', 'plugged')).status, 200);
    assert.equal((await house.recordOf('plugged')).status, 200);
  });

  test('silent: 504 in time, on record, and the request is not sent again', async () => {
    house.upstream.handler = (request) => request.resume();
    for (const method of ['GET', 'PATCH']) {
      const name = `silent-${method.toLowerCase()}`;
      const started = performance.now();
      assertProblem(await house.send(method, name, method === 'PATCH' ? '{}' : undefined), 504, 'upstream-timeout');
      assert.ok(performance.now() - started < 4_000);
      assert.equal((await house.recordOf(name)).status, 0);
      assert.equal(house.upstream.arrived.filter((line) => line.endsWith(name)).length, 1);
    }
    house.upstream.handler = fine;
  });

  test('slow, but not silent: the answer comes whole', async () => {
    house.upstream.handler = (_request, response) => {
      response.writeHead(200);
      let left = 6;
      const timer = setInterval(() => {
        if (--left > 0) response.write('drop ');
        else {
          clearInterval(timer);
          response.end('end');
        }
      }, 200);
    };
    const answer = await house.send('GET', 'drip');
    assert.deepEqual(answer, { status: 200, code: null, text: 'drop drop drop drop drop end', isWhole: true });
    house.upstream.handler = fine;
  });

  const dying: readonly [string, Handler][] = [
    [
      'with a length',
      (_request, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('x'.repeat(100));
        setTimeout(() => response.destroy(), 50);
      },
    ],
    [
      'in chunks',
      (_request, response) => {
        response.writeHead(200);
        response.write('x'.repeat(100));
        setTimeout(() => response.destroy(), 50);
      },
    ],
    [
      'silent after its first bytes',
      (_request, response) => {
        response.writeHead(200);
        response.write('x'.repeat(100));
      },
    ],
  ];
  for (const [index, [how, handler]] of dying.entries()) {
    test(`dying within its answer, ${how}: the caller sees that it broke, and so does the record`, async () => {
      house.upstream.handler = handler;
      const answer = await house.send('GET', `dying-${index}`);
      assert.deepEqual({ status: answer.status, isWhole: answer.isWhole }, { status: 200, isWhole: false });
      const { kind, status } = await house.recordOf(`dying-${index}`);
      assert.deepEqual({ kind, status }, { kind: 'use', status: -200 });
      house.upstream.handler = fine;
      assert.equal((await house.send('GET', `after-dying-${index}`)).status, 200);
    });
  }

  test('cut before it answers: a write is ambiguous and sent once, a read is tried once more', async () => {
    house.upstream.handler = (request) => request.socket.destroy();
    assertProblem(await house.send('DELETE', 'cut-write'), 502, 'upstream-ambiguous');
    assertProblem(await house.send('GET', 'cut-read'), 502, 'upstream-ambiguous');
    const times = (name: string) => house.upstream.arrived.filter((line) => line.endsWith(name)).length;
    assert.deepEqual([times('cut-write'), times('cut-read')], [1, 2]);
    assert.equal((await house.recordOf('cut-write')).status, 0);
    assert.equal((await house.recordOf('cut-read')).status, 0);
    house.upstream.handler = fine;
  });

  test('talking nonsense: 502, on record', async () => {
    house.upstream.handler = (request) => void request.socket.end('HTTP/1.1 two hundred\r\n\r\n');
    assertProblem(await house.send('DELETE', 'nonsense'), 502, 'upstream-invalid');
    assert.equal((await house.recordOf('nonsense')).status, 0);
    house.upstream.handler = fine;
  });

  test('answering before it has read all: its answer arrives', async () => {
    house.upstream.handler = (_request, response) => response.writeHead(413, { connection: 'close' }).end('too much');
    const request = house.open('PATCH', 'early');
    const answered = answerOf(request);
    request.write('x'.repeat(65_536));
    const answer = await answered;
    request.destroy();
    assert.deepEqual(
      { status: answer.status, code: answer.code, text: answer.text },
      { status: 413, code: null, text: 'too much' },
    );
    assert.equal((await house.recordOf('early')).status, 413);
    house.upstream.handler = fine;
  });

  test('a caller that goes away: the provider is let go, nothing stays open, and it is on record', async () => {
    let closed = 0;
    house.upstream.handler = (request, response) => {
      request.resume();
      response.on('close', () => closed++);
      if (request.method !== 'GET') return;
      response.writeHead(200);
      response.write('first');
    };
    const download = house.open('GET', 'gone-down');
    download.on('error', () => {});
    download.end();
    await new Promise((resolve) => download.on('response', (response) => response.once('data', resolve)));
    download.destroy();
    const upload = house.open('PATCH', 'gone-up');
    upload.on('error', () => {});
    upload.write('{"project":');
    await until('the upload arrives', () => house.upstream.arrived.some((line) => line.endsWith('gone-up')));
    upload.destroy();
    const early = house.open('DELETE', 'gone-early');
    early.on('error', () => {});
    early.end();
    early.on('socket', (socket) => socket.on('connect', () => setImmediate(() => early.destroy())));
    await until('both connections to the provider end', () => closed >= 2);
    await until('nothing is open', () => house.serving.app.live.openUses === 0);
    assert.equal((await house.recordOf('gone-down')).status, -200);
    assert.equal((await house.recordOf('gone-up')).status, 0);
    house.upstream.handler = fine;
    assert.equal((await house.send('GET', 'after-gone')).status, 200);
  });

  test('through all of it: no internal error, nothing lost, and every use is decided again', async () => {
    assert.deepEqual(house.reports, []);
    assert.deepEqual(house.lost, []);
    const { read } = house.serving.app.database;
    const controls = await read.selectFrom('control_entries').select('entry').orderBy('idx').execute();
    const uses = await read.selectFrom('use_entries').select('entry').orderBy('idx').execute();
    const report = replay(
      controls.map((row) => row.entry),
      uses.map((row) => row.entry),
    );
    assert.ok(report.uses > 10);
    assert.deepEqual(report.findings, []);
  });
});

/** Milliseconds within which the end of access must have reached what is open. */
const CUT_MAX_MS = 1_000;

describe('the end of access reaches what is open', () => {
  type Ending = (house: FaultHouse) => Promise<unknown>;
  const endings: readonly [string, Ending][] = [
    ['suspension', ({ api, ids }) => api('POST', `/v1/credentials/${ids.credential}/suspend`, { reason: 'test' })],
    [
      'revocation',
      ({ api, ids }) =>
        api('POST', '/v1/revocations', { credential: ids.credential, reason: 'compromised', order: 'revoke-first' }),
    ],
    ['revoked grant', ({ api, ids }) => api('POST', `/v1/grants/${ids.grant}/revoke`, {})],
    ['revoked token', ({ api, tokenId }) => api('POST', `/v1/tokens/${tokenId}/revoke`, {})],
    ['disabled principal', ({ api, ids }) => api('POST', `/v1/principals/${ids.principal}/disable`, {})],
  ];

  /** Streams without end, in both directions. */
  const endless: Handler = (request, response) => {
    request.resume();
    if (request.method !== 'GET') return;
    response.writeHead(200);
    const timer = setInterval(() => response.write('drop'), 50);
    response.on('close', () => clearInterval(timer));
  };

  async function openStreams(house: FaultHouse): Promise<{ ended: Promise<number>; isOpen: () => boolean }> {
    house.upstream.handler = endless;
    const download = house.open('GET', 'download');
    download.end();
    const upload = house.open('PATCH', 'upload');
    upload.write('{"project":');
    const timer = setInterval(() => upload.write(' '), 50);
    upload.on('error', () => {});
    let open = 2;
    const endOf = (request: http.ClientRequest) =>
      new Promise<void>((resolve) => {
        request.on('error', () => resolve());
        request.on('close', () => resolve());
        request.on('response', (response) => {
          response.on('error', () => {});
          response.on('close', resolve).resume();
        });
      }).then(() => open--);
    const ended = Promise.all([endOf(download), endOf(upload)]).then(() => {
      clearInterval(timer);
      return performance.now();
    });
    await until(
      'both streams are open',
      () => house.upstream.arrived.length === 2 && house.serving.app.live.openUses === 2,
    );
    await pause(100);
    return { ended, isOpen: () => open === 2 };
  }

  async function measured(t: TestContext, house: FaultHouse, act: () => Promise<number>): Promise<void> {
    const streams = await openStreams(house);
    assert.ok(streams.isOpen());
    const from = await act();
    const ms = (await streams.ended) - from;
    t.diagnostic(`cut ${Math.round(ms)} ms after access ended`);
    assert.ok(ms < CUT_MAX_MS, `it took ${ms} ms`);
    await until('the provider is let go', () => house.serving.app.live.openUses === 0, CUT_MAX_MS);
    assert.equal((await house.recordOf('download')).status, -200);
    assert.equal((await house.recordOf('upload')).kind, 'use');
  }

  for (const [name, end] of endings) {
    test(`${name}: a download and an upload are cut within the second`, async (t) => {
      const house = await openFaultHouse();
      await measured(t, house, async () => {
        const from = performance.now();
        await end(house);
        return from;
      });
      assert.notEqual((await house.send('GET', 'afterwards')).status, 200);
      await house.stop();
    });
  }

  test('expired grant: a download and an upload are cut within the second', async (t) => {
    const house = await openFaultHouse();
    await house.api('POST', `/v1/grants/${house.ids.grant}/revoke`, {});
    const { principal, credential } = house.ids;
    const given = await house.api('POST', '/v1/grants', {
      principal,
      credential,
      actions: ['project.*'],
      expiresInSeconds: 2,
    });
    const expiresAt = Date.parse(String(given.json['expiresAt']));
    await measured(t, house, async () => {
      await pause(expiresAt - Date.now());
      return performance.now();
    });
    assertProblem(await house.send('GET', 'afterwards'), 403, 'grant-expired');
    await house.stop();
  });
});

describe('the database', () => {
  /** What holds while it cannot write, and when it can again. */
  async function unwritable(house: FaultHouse, name: string, end: () => Promise<void> | void): Promise<void> {
    const arrived = house.upstream.arrived.length;
    const { credential } = house.ids;
    const [write, read, change] = await Promise.all([
      house.send('DELETE', `${name}-write`),
      house.send('GET', `${name}-read`),
      house.api('POST', `/v1/credentials/${credential}/suspend`, { reason: 'test' }),
    ]);
    assertProblem(write, 503, 'record-unwritable');
    assertProblem(read, 503, 'record-unwritable');
    assert.equal(change.status, 503, JSON.stringify(change.json));
    assert.deepEqual(
      house.upstream.arrived.slice(arrived).filter((line) => !line.startsWith('GET ')),
      [],
      'a write was sent without its record',
    );
    await end();
    await until('it is served again', async () => (await house.send('GET', `${name}-again`)).status === 200, 10_000);
    const entries = await house.uses();
    assert.deepEqual(
      entries.filter((entry) => /-(?:read|write)$/.test(String(entry['path']))),
      [],
    );
    const shown = await house.api('GET', `/v1/credentials/${credential}`);
    assert.equal((shown.json['credential'] as { suspendedAt: unknown }).suspendedAt, null);
    assert.deepEqual(house.lost, []);
    // What failed has left nothing behind: the log is one, and its writer goes on with it.
    assert.equal((await house.api('POST', `/v1/credentials/${credential}/suspend`, { reason: 'test' })).status, 200);
    assertProblem(await house.send('GET', `${name}-suspended`), 403, 'credential-suspended');
  }

  test('disk full: nothing is served without its record, and all is well when there is room again', async (t) => {
    const mount = mkdtempSync(path.join(os.tmpdir(), 'claviger-full-'));
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'none', mount], { stdio: 'ignore' });
    if (mounted.status !== 0) {
      t.diagnostic('no file system could be mounted here: see the next test');
      rmSync(mount, { recursive: true });
      return;
    }
    try {
      const house = await openFaultHouse({ parent: mount });
      assert.equal((await house.send('GET', 'before')).status, 200);
      const filler = path.join(mount, 'filler');
      // What is left in the last pages of the file may still take some records.
      await until('the disk is full', async () => {
        spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1k'], { stdio: 'ignore' });
        return (await house.send('GET', `filling-${performance.now().toFixed(0)}`)).status === 503;
      });
      await unwritable(house, 'full', () => rmSync(filler));
      await house.stop();
    } finally {
      execFileSync('umount', ['--lazy', mount]);
      rmSync(mount, { recursive: true });
    }
  });

  test('files that may not grow: nothing is served without its record, and all is well when they may again', async (t) => {
    const limit = (bytes: string) =>
      spawnSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`], { stdio: 'ignore' }).status === 0;
    if (!limit('unlimited')) {
      t.diagnostic('prlimit is not there');
      return;
    }
    const house = await openFaultHouse();
    assert.equal((await house.send('GET', 'before')).status, 200);
    const log = path.join(house.config.dataDirectory, 'claviger.db-wal');
    try {
      assert.ok(limit(String(statSync(log).size)));
      await unwritable(house, 'limited', () => void limit('unlimited'));
    } finally {
      limit('unlimited');
    }
    await house.stop();
  });

  test('locked by somebody else for longer than is waited: 503, and service again', async () => {
    const house = await openFaultHouse();
    const other = openSqlite(path.join(house.config.dataDirectory, 'claviger.db'));
    other.exec('BEGIN IMMEDIATE');
    await unwritable(house, 'locked', () => {
      other.exec('ROLLBACK');
      other.close();
    });
    await house.stop();
  });

  test('deleted under the server: it says so and serves no more', async () => {
    const house = await openFaultHouse();
    for (const end of ['', '-wal', '-shm']) rmSync(path.join(house.config.dataDirectory, `claviger.db${end}`));
    await pause(1_500);
    const answer = await house.send('DELETE', 'deleted-write');
    await house.stop();
    assertProblem(answer, 503, 'record-unwritable');
  });

  test('PostgreSQL gone: nothing is served without its record, and the server says that it is lost', async (t) => {
    const postgresql = await startPostgresql();
    if (postgresql === null) return t.skip('no PostgreSQL');
    const house = await openFaultHouse({ databaseUrl: await postgresql.createDatabase() });
    assert.equal((await house.send('GET', 'before')).status, 200);
    await postgresql.stop();
    const arrived = house.upstream.arrived.length;
    assertProblem(await house.send('DELETE', 'gone-write'), 503, 'record-unwritable');
    assertProblem(await house.send('GET', 'gone-read'), 503, 'record-unwritable');
    assert.ok(house.upstream.arrived.slice(arrived).every((line) => line.startsWith('GET ')));
    await until('the server knows', () => house.lost.length > 0);
    assert.equal((await fetch(`${house.serving.apiOrigin}/readyz`)).status, 503);
    await house.upstream.unplug();
    await house.serving.stop().catch(() => {});
  });
});

test('a connection in the middle of its head, or of nothing, holds nothing up', async () => {
  const house = await openFaultHouse();
  const { port } = new URL(house.serving.brokerOrigin);
  const idle = net.connect(Number(port), '127.0.0.1');
  const half = net.connect(Number(port), '127.0.0.1');
  half.write('GET /neon/prod/api/v2/projects/half HTTP/1.1\r\nhost: x\r\n');
  for (const socket of [idle, half]) socket.on('error', () => {});
  assert.equal((await house.send('GET', 'beside')).status, 200);
  await house.stop();
  idle.destroy();
  half.destroy();
});
