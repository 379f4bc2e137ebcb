// A whole server before a provider that misbehaves as a test says: a plain HTTP server on loopback, with one credential, one caller and
// short patience. For the journeys that break things.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import type { Config } from '../../src/config/config.ts';
import { initialise } from '../../src/init.io.ts';
import { Failure } from '../../src/model/failure.ts';
import { Secret } from '../../src/model/secret.ts';
import { type Serving, serve } from '../../src/serve.io.ts';
import { machineRandom } from '../../src/vault/cipher.io.ts';
import { generateKeyFile } from '../../src/vault/kek.io.ts';
import { houseConfig } from '../support/house.ts';

export const KEY = `napi_canary${'k'.repeat(58)}`;
export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Looks until it is so, or fails with what was waited for. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>, withinMs = 5_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > end) assert.fail(`it never came to pass: ${what}`);
    await pause(10);
  }
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** The provider: answers as the test says. */
export interface Upstream {
  readonly origin: string;
  readonly server: http.Server;
  handler: Handler;
  /** Requests that arrived, as `METHOD path`. */
  readonly arrived: string[];
  unplug(): Promise<void>;
  plug(): Promise<void>;
}

export const fine: Handler = (request, response) => {
  request.resume();
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{"fine":true}'));
};

export async function startUpstream(): Promise<Upstream> {
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

export interface Answer {
  readonly status: number;
  readonly code: string | null;
  readonly text: string;
  /** Whether the answer came to its proper end. */
  readonly isWhole: boolean;
}

export interface FaultHouse {
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

export interface FaultHouseOptions {
  readonly parent?: string;
  readonly databaseUrl?: string;
  readonly policy?: object;
}

export async function openFaultHouse(options: FaultHouseOptions = {}): Promise<FaultHouse> {
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

  const house: FaultHouse = {
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
      if (!houses.delete(house)) return;
      await serving.stop().catch(() => {});
      await upstream.unplug();
      rmSync(directory, { recursive: true, force: true });
      rmSync(outside, { recursive: true, force: true });
    },
  };
  houses.add(house);
  return house;
}

/** Those that a failed test left open. */
const houses = new Set<FaultHouse>();
after(async () => {
  for (const house of houses) await house.stop();
});

export function answerOf(request: http.ClientRequest): Promise<Answer> {
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
export function assertProblem(answer: Answer, status: number, code: string): void {
  assert.deepEqual({ status: answer.status, code: answer.code }, { status, code }, answer.text);
  const problem = JSON.parse(answer.text) as Record<string, unknown>;
  assert.equal(problem['type'], `urn:claviger:problem:${code}`);
  assert.equal(problem['status'], status);
  assert.ok(!answer.text.includes('canary'));
}
