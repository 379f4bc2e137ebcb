// The control API's listener: mounts routes on Fastify and does for each request what no route does itself: who calls, may they, is the
// input right, was it asked before, what the answer looks like on the wire. Everything it needs is passed in; it decides nothing
// about the domain. Follows RFC 9110, RFC 9457 and DESIGN section 9 (docs/api.md for callers).
import type { IncomingMessage, Server } from 'node:http';
import type https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { Policy } from '../access/policy.ts';
import { PERMISSIONS, type Permission } from '../access/role.ts';
import { type Network, sourceOf } from '../model/address.ts';
import type { Desk } from '../model/desk.ts';
import { assert, Failure } from '../model/failure.ts';
import type { Answer, Caller, Route } from '../model/route.ts';
import { BODY_BYTES_MAX, parseBody } from './body.ts';
import type { Brake } from './brake.ts';
import { identify } from './caller.ts';
import { checkedAnswer } from './checked.ts';
import type { Idempotency } from './idempotency.ts';
import { fastifySchema, markOptionalBodies, PUBLIC } from './openapi.ts';
import { createPaths, mountPath } from './paths.ts';
import { etagOf } from './precondition.ts';
import { type Problem, problem, problemBody, problemOf } from './problem.ts';
import { fastifyProblem, parserProblem } from './refusals.ts';
import { type Asked, perform } from './request.ts';

export interface ApiLimits {
  readonly connectionsMax: number;
  readonly headerBytesMax: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
}
export const DEFAULT_API_LIMITS: ApiLimits = {
  connectionsMax: 1_000,
  headerBytesMax: 16_384,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
};

export interface ApiOptions {
  readonly routes: readonly Route[];
  readonly desk: Desk;
  readonly policy: Policy;
  readonly idempotency: Idempotency;
  /** SHA-256 as hex. */
  readonly hash: (text: string) => string;
  readonly trustedProxies: readonly Network[];
  /** Counts a failed authentication in the ledger. */
  readonly stranger: (reason: string, source: string) => void;
  /** Program version, for the OpenAPI document. */
  readonly version: string;
  /** Distinguishes the ids of this process's requests: its fence number. */
  readonly boot: number;
  readonly tls: https.ServerOptions | null;
  readonly limits: ApiLimits;
  /** Told of every internal error. Operators' log; never sees a body. */
  readonly report: (
    error: unknown,
    about: { readonly method: string; readonly path: string; readonly request: string },
  ) => void;
  readonly brake: Brake;
  /** Tests: an answer that its schema does not describe becomes an internal error. */
  readonly checkAnswers?: boolean;
}

export interface ApiServer {
  /** Starts to listen and resolves with the origin. Port 0 takes a free one. Throws `unavailable`, pointing at `/api/listen`. */
  listen(host: string, port: number): Promise<string>;
  /** For a certificate that is replaced while it runs. */
  readonly server: Server;
  /** The OpenAPI document. */
  readonly document: object;
  /** Refuses new requests, waits for the open ones up to the given time, then cuts them. */
  drain(timeoutMs: number): Promise<void>;
}

/** What is known of a request besides what Fastify knows. */
interface Known {
  readonly id: string;
  caller: Caller | null;
}

const METHODS_OF_A_SERVER = 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT';

export async function createApiServer(options: ApiOptions): Promise<ApiServer> {
  const { brake, limits } = options;
  const paths = createPaths(options.routes);
  const known = new WeakMap<FastifyRequest, Known>();
  const routeAt = new Map(options.routes.map((route) => [`${route.method} ${mountPath(route.path)}`, route]));
  let stopping = false;
  let open = 0;
  let count = 0;
  let emptied: (() => void) | null = null;

  const common = {
    logger: false as const,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: 65_000,
    return503OnClosing: false,
    forceCloseConnections: false,
    exposeHeadRoutes: true,
    routerOptions: { maxParamLength: 128 },
    http: { maxHeaderSize: limits.headerBytesMax, headersTimeout: limits.headersTimeoutMs, requireHostHeader: true },
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      refuse(fastifyProblem(error) ?? problem('malformed-request'), request, reply);
    },
    clientErrorHandler,
  };
  const app = (
    options.tls === null
      ? Fastify(common)
      : Fastify({ ...common, https: { ...options.tls, ...common.http, minVersion: 'TLSv1.2' } })
  ) as FastifyInstance;
  app.server.maxConnections = limits.connectionsMax;

  function clientErrorHandler(error: Error & { code?: string }, socket: Duplex): void {
    if (socket.destroyed || !socket.writable) return;
    const found = parserProblem(error);
    const body = JSON.stringify(problemBody(found, '0'));
    socket.on('error', () => socket.destroy());
    socket.end(
      `HTTP/1.1 ${found.status} ${found.code}\r\nconnection: close\r\ncontent-type: application/problem+json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }

  function knownOf(request: FastifyRequest): Known {
    let found = known.get(request);
    if (found === undefined) {
      found = { id: `${options.boot.toString(36)}-a${(++count).toString(36)}`, caller: null };
      known.set(request, found);
    }
    return found;
  }

  function refuse(found: Problem, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    // What the caller still sends is not read: such a connection ends with the answer.
    if (hasBody(request.raw) && request.body === undefined) reply.header('connection', 'close');
    return reply
      .code(found.status)
      .headers({ 'cache-control': 'no-store', ...found.headers })
      .type('application/problem+json')
      .serializer(JSON.stringify)
      .send(problemBody(found, knownOf(request).id));
  }

  function refuseStranger(
    identified: { reason: string; detail: string },
    request: FastifyRequest,
    reply: FastifyReply,
  ) {
    const source = addressOf(request);
    options.stranger(`api-${identified.reason}`, source);
    const waitMs = brake.failed(source, options.desk.clock.monotonic());
    if (waitMs === 0) return refuse(problem('unauthenticated', identified.detail), request, reply);
    const headers = { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))) };
    const detail = 'too many failed authentications from this address; a valid token is served all the same';
    return refuse(problem('rate-limited', detail, { headers }), request, reply);
  }

  function addressOf(request: FastifyRequest): string {
    const forwarded = request.raw.headers['x-forwarded-for'];
    const claims = Array.isArray(forwarded) ? forwarded.join(',') : (forwarded ?? '');
    return sourceOf(request.raw.socket.remoteAddress ?? '', claims, options.trustedProxies);
  }

  function routeOf(request: FastifyRequest): Route | null {
    const method = request.routeOptions.method;
    const methods = Array.isArray(method) ? method : [method];
    const name = methods.includes('HEAD') ? 'GET' : methods[0];
    return routeAt.get(`${name} ${request.routeOptions.url}`) ?? null;
  }

  /** A path or method that is not there; OPTIONS. */
  function answerUnrouted(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const path = (request.raw.url ?? '').split('?', 1)[0]!;
    const allowed = path === '*' ? METHODS_OF_A_SERVER : paths.allowed(path)?.join(', ');
    if (allowed === undefined) return refuse(problem('no-such-path'), request, reply);
    const method = request.raw.method ?? '';
    if (method === 'OPTIONS') return reply.code(204).headers({ allow: allowed, 'content-length': '0' }).send();
    if (allowed.split(', ').includes(method)) return refuse(problem('not-found'), request, reply);
    return refuse(problem('method-not-allowed', '', { headers: { allow: allowed } }), request, reply);
  }

  app.addHook('onRequest', async (request, reply) => {
    open++;
    reply.raw.once('close', () => {
      open--;
      if (open === 0) emptied?.();
    });
    reply.headers({ 'claviger-request': knownOf(request).id, 'x-content-type-options': 'nosniff' });
    if (stopping) return refuse(problem('stopping', '', { headers: { 'retry-after': '5' } }), request, reply);
    const route = routeOf(request);
    if (route === null) return answerUnrouted(request, reply);
    if (route.permission === PUBLIC) return;
    const identified = identify(request.raw.headers.authorization, {
      policy: options.policy,
      hash: options.hash,
      at: options.desk.clock.now(),
      source: addressOf(request),
    });
    if (identified.is === 'stranger') return refuseStranger(identified, request, reply);
    knownOf(request).caller = identified.caller;
    if (route.permission !== null && !identified.caller.permissions.has(route.permission)) {
      return refuse(problem('denied', `this needs the permission ${route.permission}`), request, reply);
    }
    return;
  });

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes, done) => {
    done(null, bytes.length === 0 ? undefined : parseBody(bytes as Buffer));
  });
  app.setErrorHandler((error, request, reply) => {
    const found = fastifyProblem(error) ?? problemOf(error);
    if (found.status === 500) reportError(error, request);
    return refuse(found, request, reply);
  });
  app.setNotFoundHandler((request, reply) => answerUnrouted(request, reply));
  app.setValidatorCompiler(() => (value) => ({ value }));
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));

  function reportError(error: unknown, request: FastifyRequest): void {
    const path = request.routeOptions.url ?? 'unrouted';
    options.report(error, { method: request.method, path, request: knownOf(request).id });
  }

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Claviger control API',
        description: 'Keys that a team depends on: stored, lent, narrowed, rotated, revoked, proven dead.',
        version: options.version,
      },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'clv_…' } } },
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });

  for (const route of options.routes) {
    const isKnown = route.permission === null || route.permission === PUBLIC;
    assert(isKnown || PERMISSIONS.includes(route.permission as Permission), `permission ${route.permission}`);
    app.route({
      method: route.method,
      url: mountPath(route.path),
      schema: fastifySchema(route),
      handler: (request, reply) => serve(route, request, reply),
    });
  }

  async function serve(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { id, caller } = knownOf(request);
    const { headers } = request.raw;
    const asked: Asked = {
      route,
      caller,
      params: request.params,
      query: request.query,
      body: request.body as Asked['body'],
      ifMatch: headers['if-match'],
      idempotencyKey: headers['idempotency-key'] as string | undefined,
      accept: headers.accept,
      target: request.raw.url ?? '',
    };
    const performed = await perform(asked, options);
    if (performed.is === 'problem') {
      if (performed.error !== undefined && performed.problem.status === 500) reportError(performed.error, request);
      return refuse(performed.problem, request, reply);
    }
    const wrong = options.checkAnswers === true ? checkedAnswer(route, performed.answer) : null;
    if (wrong !== null) {
      options.report(new Error(wrong), { method: request.method, path: route.path, request: id });
      return refuse(problem('internal'), request, reply);
    }
    return send(performed.answer, performed.type, reply);
  }

  await app.ready();
  const document = app.swagger();
  markOptionalBodies(document, options.routes);

  return {
    server: app.server,
    document,
    async listen(host, port) {
      await app.listen({ host, port }).catch((cause: unknown) => {
        const errors = [{ pointer: '/api/listen', detail: 'cannot be listened on' }];
        throw new Failure('unavailable', 'the API’s address cannot be listened on', { cause, errors });
      });
      const { port: taken } = app.server.address() as AddressInfo;
      return `${options.tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${taken}`;
    },
    async drain(timeoutMs) {
      stopping = true;
      app.server.close();
      app.server.closeIdleConnections();
      if (open > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, timeoutMs);
          emptied = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

function send(answer: Answer, type: string, reply: FastifyReply): FastifyReply {
  const headers = answer.etag === undefined ? {} : { etag: etagOf(answer.etag) };
  const isText = typeof answer.body === 'string';
  const sent = reply.code(answer.status).headers({ 'cache-control': 'no-store', ...headers });
  return sent.type(isText ? `${type}; charset=utf-8` : type).send(answer.body);
}

function hasBody(request: IncomingMessage): boolean {
  const { headers } = request;
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}
