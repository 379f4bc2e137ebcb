// Serves a twin made of the kit over HTTP on 127.0.0.1, and carries out what its answers say: delays, cut connections, bodies.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Json } from '../src/model/json.ts';
import { createTwin, type KitAnswer, type KitControl, type KitDefinition } from './kit.ts';

/** A request and the answer it was given, as an observer in the same process sees them. Cut connections are not shown. */
export interface KitExchange {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly requestBody: Json | undefined;
  readonly status: number;
  readonly responseBody: Json | undefined;
}

export interface RunningTwin<State> {
  readonly origin: string;
  readonly port: number;
  readonly control: KitControl<State>;
  /** Ends the listener and every open connection. */
  close(): Promise<void>;
}

export interface KitOptions {
  readonly seed?: number;
  readonly port?: number;
  /** Wall clock of the twin; the machine's by default. */
  readonly clock?: { now(): number };
  readonly onExchange?: (exchange: KitExchange) => void;
}

/** What is not one request and one answer: WebSockets, and answers that go on. */
export interface KitStreams {
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void;
  /** Answers a request by itself, and says so; false: the twin answers it. */
  takes(request: IncomingMessage, response: ServerResponse): boolean;
}

const BODY_MAX = 1_048_576;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    length += (chunk as Buffer).length;
    if (length > BODY_MAX) throw new Error('the body is too long');
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string, type: string): Json | undefined {
  if (text === '') return null;
  if (type.startsWith('application/x-www-form-urlencoded')) return Object.fromEntries(new URLSearchParams(text));
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function deliver(response: ServerResponse, answer: KitAnswer): void {
  if (answer.isCut === true) {
    response.destroy();
    return;
  }
  if (response.destroyed) return;
  const { status, body, headers = {} } = answer;
  if (body === null) {
    response.writeHead(status, headers).end();
    return;
  }
  const isText = typeof body === 'string' && headers['content-type'] !== undefined;
  const text = isText ? body : JSON.stringify(body);
  const type = isText ? {} : { 'content-type': 'application/json' };
  response.writeHead(status, { ...type, ...headers, 'content-length': Buffer.byteLength(text) }).end(text);
}

/** Starts a twin. Rejects where the port is taken. */
export async function startTwin<State>(
  definition: KitDefinition<State>,
  options: KitOptions = {},
  streamsOf: (control: KitControl<State>) => KitStreams | null = () => null,
): Promise<RunningTwin<State>> {
  const clock = options.clock ?? { now: () => Date.now() };
  const twin = createTwin(definition, { seed: options.seed ?? 1, clock });
  const streams = streamsOf(twin.control);

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = request.url ?? '/';
    const mark = target.indexOf('?');
    const body = parsed(await bodyOf(request), request.headers['content-type'] ?? '');
    const headers = Object.entries(request.headers).map(([name, value]) => [name, [value].flat().join(', ')]);
    const method = request.method ?? 'GET';
    const answer = twin.handle(
      {
        method,
        path: mark < 0 ? target : target.slice(0, mark),
        query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
        headers: Object.fromEntries(headers),
        body,
        remoteAddress: request.socket.remoteAddress ?? '',
      },
      clock.now(),
    );
    if (answer.isCut !== true) {
      const { status, body: responseBody } = answer;
      options.onExchange?.({ method, path: target, requestBody: body, status, responseBody });
    }
    if ((answer.delayMs ?? 0) > 0) setTimeout(deliver, answer.delayMs, response, answer).unref();
    else deliver(response, answer);
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    if (streams?.takes(request, response) === true) return;
    serve(request, response).catch(() => response.destroy());
  });
  const upgraded = new Set<Socket>();
  if (streams !== null) {
    server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      upgraded.add(socket);
      socket.on('close', () => upgraded.delete(socket));
      streams.upgrade(request, socket, head);
    });
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    control: twin.control,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
      await closed;
    },
  };
}
