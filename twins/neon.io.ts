// Serves the Neon twin over HTTP on 127.0.0.1 and carries out what its replies say: delays, cut connections, answers. Beside it, below
// /__twin/ and guarded by a token, the same control that tests in this process have, for a process of its own.
// usage: node twins/neon.io.ts [--port N] [--seed N]     prints one line of JSON: {"origin":…,"controlToken":…}
//
//   GET    /__twin/seeds               ids, and the seeded keys in clear
//   GET    /__twin/keys | /counters | /faults
//   POST   /__twin/keys                {"kind":"organization"} makes a key and shows it
//   PUT    /__twin/faults/<name>       {"probability":0.1,"count":3,"ms":500,"on":["auth"]}   every field optional
//   DELETE /__twin/faults[/<name>]     ends one fault, or all
//   PUT    /__twin/latency             {"ms":20,"jitterMs":10}
//   DELETE /__twin/counters            starts counting anew
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import type { Json } from '../src/model/json.ts';
import { revealSecretText } from '../src/model/secret.ts';
import { type Fault, isFaultName } from './faults.ts';
import type { KeyKind } from './neon.keys.ts';
import { createNeonTwin, type Latency, type NeonTwinControl, type TwinReply } from './neon.ts';

/** A request and the answer it was given, as an observer in the same process sees them. Cut connections are not shown. */
export interface TwinExchange {
  readonly method: string;
  readonly path: string;
  readonly requestBody: Json | undefined;
  readonly status: number;
  /** undefined for bytes. */
  readonly responseBody: Json | undefined;
}

export interface NeonTwinOptions {
  readonly seed?: number;
  readonly port?: number;
  /** Wall clock of the twin; the machine's by default. */
  readonly clock?: { now(): number };
  readonly controlToken?: string;
  readonly onExchange?: (exchange: TwinExchange) => void;
}

export interface RunningNeonTwin {
  readonly origin: string;
  readonly port: number;
  readonly control: NeonTwinControl;
  readonly controlToken: string;
  /** Ends the listener and every open connection. */
  close(): Promise<void>;
}

const BODY_MAX = 1_048_576;
const CONTROL = '/__twin/';

/** The body as text; null where it is larger than the twin takes. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > BODY_MAX) return null;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function jsonOf(text: string): Json | undefined {
  if (text === '') return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function send(response: ServerResponse, reply: TwinReply): void {
  if (reply.body instanceof Uint8Array) {
    response.writeHead(reply.status, { ...reply.headers, 'content-type': 'application/octet-stream' });
    response.end(reply.body);
  } else if (reply.body === null) {
    response.writeHead(reply.status, reply.headers).end();
  } else {
    const text = JSON.stringify(reply.body);
    const length = Buffer.byteLength(text);
    const type = 'application/json; charset=utf-8';
    response.writeHead(reply.status, { ...reply.headers, 'content-type': type, 'content-length': length }).end(text);
  }
}

function deliver(response: ServerResponse, reply: TwinReply): void {
  if (reply.isCut) response.destroy();
  else if (!response.destroyed) send(response, reply);
}

function seedsJson(control: NeonTwinControl): Json {
  const { adminKey, memberKey, ...ids } = control.seeds;
  return { ...ids, adminKey: revealSecretText(adminKey), memberKey: revealSecretText(memberKey) };
}

/** Carries out a control request; null where there is no such thing. */
function controlled(control: NeonTwinControl, method: string, what: string, body: Json | undefined): Json | null {
  const [subject = '', name = ''] = what.split('/');
  const given = (body ?? {}) as Record<string, Json>;
  const asJson = (value: unknown) => JSON.parse(JSON.stringify(value)) as Json;
  switch (`${method} ${subject}`) {
    case 'GET seeds':
      return seedsJson(control);
    case 'GET keys':
      return asJson(control.keys());
    case 'GET counters':
      return asJson(control.counters());
    case 'GET faults':
      return asJson(control.faults());
    case 'DELETE counters':
      control.resetCounters();
      return {};
    case 'POST keys': {
      const { id, key } = control.mint(given as unknown as { kind: KeyKind });
      return { id, key: revealSecretText(key) };
    }
    case 'PUT latency':
      control.latency({ ms: 0, jitterMs: 0, ...(given as unknown as Partial<Latency>) });
      return {};
    case 'PUT faults':
      if (!isFaultName(name)) return null;
      control.fault(name, given as unknown as Partial<Fault>);
      return {};
    case 'DELETE faults':
      if (name === '') control.clearFaults();
      else if (isFaultName(name)) control.clearFaults(name);
      else return null;
      return {};
    default:
      return null;
  }
}

/** Starts a twin. Rejects where the port is taken. */
export async function startNeonTwin(options: NeonTwinOptions = {}): Promise<RunningNeonTwin> {
  const clock = options.clock ?? { now: () => Date.now() };
  const controlToken = options.controlToken ?? randomUUID();
  const twin = createNeonTwin({ seed: options.seed ?? 1, clock });

  function controlReply(request: IncomingMessage, target: string, body: Json | undefined): TwinReply {
    const plain = { headers: {}, delayMs: 0, isCut: false };
    if (request.headers['x-twin-token'] !== controlToken) return { ...plain, status: 401, body: null };
    const done = controlled(twin.control, request.method ?? '', target.slice(CONTROL.length), body);
    return done === null ? { ...plain, status: 404, body: null } : { ...plain, status: 200, body: done };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? 'GET';
    const target = request.url ?? '/';
    const hasBody = method !== 'GET' && method !== 'HEAD';
    const text = hasBody ? await bodyOf(request) : '';
    if (text === null) {
      response.writeHead(413, { connection: 'close' }).end();
      return;
    }
    const body = jsonOf(text);
    if (target.startsWith(CONTROL)) {
      send(response, controlReply(request, target, body));
      return;
    }
    const requestId = request.headers['x-request-id'];
    const reply = twin.handle(
      {
        method,
        target,
        authorization: request.headers.authorization ?? null,
        requestId: typeof requestId === 'string' ? requestId : null,
        remoteAddress: request.socket.remoteAddress ?? '',
        body,
      },
      clock.now(),
    );
    if (!reply.isCut && options.onExchange !== undefined) {
      const responseBody = reply.body instanceof Uint8Array ? undefined : reply.body;
      options.onExchange({ method, path: target, requestBody: body, status: reply.status, responseBody });
    }
    if (reply.delayMs > 0) setTimeout(deliver, reply.delayMs, response, reply).unref();
    else deliver(response, reply);
  }

  const server: Server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;

  async function close(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  return { origin: `http://127.0.0.1:${port}`, port, control: twin.control, controlToken, close };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '0' }, seed: { type: 'string', default: '1' } },
  });
  const token = process.env['CLAVIGER_TWIN_TOKEN'];
  const running = await startNeonTwin({
    port: Number(values.port),
    seed: Number(values.seed),
    ...(token === undefined ? {} : { controlToken: token }),
  });
  process.stdout.write(`${JSON.stringify({ origin: running.origin, controlToken: running.controlToken })}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => running.close());
}
