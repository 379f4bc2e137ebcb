// The broker's port: node:http in, one plan for each request, then either a refusal or an exchange. Decides nothing itself.
import { randomUUID } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import { storableUserAgent, type UseFacts } from '../access/leaf.ts';
import type { LiveCredential } from '../access/policy.ts';
import { contains, parseAddress } from '../model/address.ts';
import { editedJson, expectsContinue, hasBody, plainForm, refusedUnread, withLength } from './body.io.ts';
import { asksForWebSocket, createConnections, LOOKS, type Turn } from './connection.io.ts';
import { type Body, Exchange, type ExchangeContext } from './exchange.io.ts';
import { formKind } from './form.ts';
import { type Head, hasForbiddenTrailer, inspectHead, isServerWide, originForm } from './head.ts';
import { type Forward, type Identity, plan, type Refusal, type Snapshot } from './plan.ts';
import { answer, answerServerWide, endRaw, endWith } from './reply.io.ts';

export interface BrokerOptions extends Omit<ExchangeContext, 'ended' | 'again'> {
  /** The state to decide on, as it is now. */
  readonly snapshot: () => Snapshot;
  readonly dispatcherFor: (credential: LiveCredential) => Dispatcher;
  /** TLS certificate and key, or null where something in front terminates it (or the listener is on loopback). */
  readonly tls: https.ServerOptions | null;
  readonly limits: BrokerLimits;
}

export interface BrokerLimits {
  readonly headerBytesMax: number;
  readonly headersTimeoutMs: number;
  /** For receiving a whole request; uploads that stream longer are cut. */
  readonly requestTimeoutMs: number;
  /** A JSON body that must be edited. */
  readonly editedBodyBytesMax: number;
  readonly connectionsMax: number;
  /** Connections of one source on which no request was admitted yet. One more is closed at once. */
  readonly newcomersMax: number;
  /**
   * How long a caller may take nothing of an answer that waits for it; then the connection is cut, after a quarter more at the latest. What
   * it takes shows in steps of the system's buffers: much less than a minute would cut slow readers.
   */
  readonly clientSilenceMs: number;
}

export const DEFAULT_LIMITS: BrokerLimits = {
  headerBytesMax: 32_768,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 3_600_000,
  editedBodyBytesMax: 1_048_576,
  connectionsMax: 10_000,
  newcomersMax: 256,
  clientSilenceMs: 60_000,
};

export interface Broker {
  readonly server: http.Server | https.Server;
  /** Refuses new requests, waits for the open ones up to the given time, then cuts them. */
  drain(timeoutMs: number): Promise<void>;
}

export function createBroker(options: BrokerOptions): Broker {
  const { guardian, limits } = options;
  let stopping = false;
  let inFlight = 0;
  let drained: (() => void) | null = null;
  const context: ExchangeContext = {
    ...options,
    ended: () => {
      inFlight--;
      if (inFlight === 0) drained?.();
    },
    again,
  };
  const connections = createConnections({
    newcomersMax: limits.newcomersMax,
    stranger: (reason, source) => guardian.stranger(reason, source),
    isProxy(remote) {
      const { trustedProxies } = options.snapshot();
      const address = trustedProxies.length === 0 ? null : parseAddress(remote);
      return address !== null && trustedProxies.some((network) => contains(network, address));
    },
  });
  const looking = setInterval(() => connections.look(), limits.clientSilenceMs / LOOKS);
  looking.unref();

  function handle(request: IncomingMessage, response: ServerResponse, turn: Turn): void {
    const at = options.now();
    const mono = monoNow();
    const id = randomUUID();
    if (stopping) {
      response.setHeader('connection', 'close');
      answer(response, { status: 503, reason: 'stopping', retryAfterMs: 1000 }, id);
      return;
    }
    const head = headOf(request);
    if (isServerWide(head) && inspectHead(head).problem === null) {
      answerServerWide(request, response);
      return;
    }
    const snapshot = options.snapshot();
    const made = plan(head, snapshot, at, mono);
    if (made.kind === 'refuse') {
      refuse(made, request, response, { id, at, mono, asOf: snapshot.policy.asOf });
      return;
    }
    const facts = factsOf(made, request, { id, at, mono, asOf: snapshot.policy.asOf });
    if (asksForWebSocket(request)) {
      // No action of today's catalogues allows one.
      refuse({ ...refusalOf(made), status: 403, reason: 'upgrade-refused' }, request, response, facts);
      return;
    }
    if (!turn.isAdmitted) connections.admit(turn);
    const needsEditing = made.injection.bodyPointers.length > 0;
    const { hasBody } = made.facts;
    const form = hasBody ? formKind(made.facts.contentType) : null;
    if (hasBody && (needsEditing || form === 'urlencoded')) {
      void beginWhole(made, facts, request, response, needsEditing);
    } else if (form === 'multipart') begin(made, facts, request, response, { kind: 'parts' });
    else if (hasBody && request.headers['transfer-encoding'] !== undefined) {
      // By then the parser has read all that came with the head: what is malformed there never reaches the provider.
      setImmediate(() => beginChunked(made, facts, request, response));
    } else begin(made, facts, request, response, hasBody ? STREAM : NONE);
  }

  function beginChunked(made: Forward, facts: UseFacts, request: IncomingMessage, response: ServerResponse): void {
    if (response.closed || connections.isCutShort(request, request.socket)) return;
    if (request.complete && hasForbiddenTrailer(request.rawTrailers)) {
      refuse({ ...refusalOf(made), status: 400, reason: 'trailer' }, request, response, facts);
    } else begin(made, facts, request, response, STREAM);
  }

  function again(request: IncomingMessage): { plan: Forward; facts: UseFacts } | null {
    const snapshot = options.snapshot();
    const when = { id: randomUUID(), at: options.now(), mono: monoNow(), asOf: snapshot.policy.asOf };
    const made = plan(headOf(request), snapshot, when.at, when.mono);
    return made.kind === 'forward' ? { plan: made, facts: factsOf(made, request, when) } : null;
  }

  /** Monotonic milliseconds in whole microseconds: as they go into the log. */
  function monoNow(): number {
    return Math.round(options.mono() * 1000) / 1000;
  }

  function begin(made: Forward, facts: UseFacts, request: IncomingMessage, response: ServerResponse, body: Body): void {
    let dispatcher: Dispatcher;
    try {
      dispatcher = options.dispatcherFor(made.identity.credential);
    } catch {
      refuse({ ...refusalOf(made), status: 502, reason: 'upstream-unreachable' }, request, response, facts);
      return;
    }
    inFlight++;
    const exchange = new Exchange(context, { plan: made, facts, request, response, dispatcher, body });
    if (body.kind === 'stream' || body.kind === 'parts') {
      watchContent(exchange, request, response);
      if (expectsContinue(request)) response.writeContinue();
    }
    exchange.start();
  }

  /** Must come before the exchange starts: its own reader of the content would send the end of it on. */
  function watchContent(exchange: Exchange, request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    request.once('end', () => {
      if (!hasForbiddenTrailer(request.rawTrailers)) return;
      if (response.socket !== null && !response.headersSent) endRaw(socket, 400, 'trailer', request.method === 'HEAD');
      exchange.abort('trailer');
    });
    // Answered before all of it was sent: what is left of this request is not to be taken for the next one (RFC 9112 section 9.3).
    response.once('close', () => {
      if (!request.complete) socket.destroySoon();
    });
  }

  /** Waits for a body that must be whole, holding the version meanwhile: it counts as in flight, and access that ends ends it. */
  async function beginWhole(
    made: Forward,
    facts: UseFacts,
    request: IncomingMessage,
    response: ServerResponse,
    isEdited: boolean,
  ): Promise<void> {
    const bytesMax = limits.editedBodyBytesMax;
    const unread = refusedUnread(request, isEdited, bytesMax);
    if (unread !== null) {
      refuse({ ...refusalOf(made), status: unread.status, reason: unread.reason }, request, response, facts);
      return;
    }
    const { token, credential } = made.identity;
    const held = {
      versionId: made.versionId,
      credentialId: credential.row.id,
      grantId: made.grantId,
      principalId: token.row.principalId,
      tokenId: token.row.id,
      endsAt: made.endsAt,
      cut: () => request.destroy(),
    };
    const release = options.live.open(held, options.mono(), facts.at);
    try {
      if (expectsContinue(request)) response.writeContinue();
      const prepared = await (isEdited ? editedJson(request, made.injection, bytesMax) : plainForm(request, bytesMax));
      if (prepared.is === 'gone') return;
      if (prepared.is === 'refused') {
        refuse({ ...refusalOf(made), status: prepared.status, reason: prepared.reason }, request, response, facts);
        return;
      }
      const headers = withLength(made.headers, prepared.bytes.length);
      begin({ ...made, headers }, facts, request, response, { kind: 'bytes', bytes: prepared.bytes });
    } finally {
      release(options.mono(), options.now());
    }
  }

  function refuse(
    refusal: Refusal,
    request: IncomingMessage,
    response: ServerResponse,
    when: { id: string; at: number; mono?: number; monoMs?: number; asOf: number },
  ): void {
    const release = () => {
      // What the caller still sends is not read: such a connection ends with the answer.
      if (hasBody(request)) response.setHeader('connection', 'close');
      answer(response, refusal, when.id);
    };
    if (refusal.identity === null) {
      guardian.stranger(refusal.reason, refusal.ip);
      release();
      return;
    }
    const now = { id: when.id, at: when.at, mono: when.mono ?? when.monoMs ?? 0, asOf: when.asOf };
    const facts = factsFor(refusal.identity, refusal.ip, request, now, request.headers['user-agent'] ?? '', null);
    guardian.refused(facts, refusal.reason, release);
  }

  let offering: IncomingMessage | null = null;
  const serverOptions: http.ServerOptions = {
    maxHeaderSize: limits.headerBytesMax,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: 65_000,
    connectionsCheckingInterval: 1_000,
    // Judged with the rest of the head, and answered as everything else is.
    requireHostHeader: false,
    // Offers of other protocols may be ignored (RFC 9110 section 7.8). One that is not (asksForWebSocket) is judged as a request like any
    // other: in its turn, with its content, on a connection that node:http still reads.
    shouldUpgradeCallback(request) {
      offering = request;
      return false;
    },
    insecureHTTPParser: false,
    noDelay: true,
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    // Of what came with such a request and stands behind it the parser loses a part: the rest must not be taken for the next request.
    if (request === offering) response.shouldKeepAlive = false;
    connections.take(request, response, (turn) => handle(request, response, turn));
  };
  const server =
    options.tls === null
      ? http.createServer(serverOptions, onRequest)
      : https.createServer(
          { ...serverOptions, ...options.tls, minVersion: 'TLSv1.2', handshakeTimeout: 10_000 },
          onRequest,
        );
  // One more than the head allows, so that too many are seen and not cut off silently.
  server.maxHeadersCount = 128;
  server.maxConnections = limits.connectionsMax;
  // A caller that has said all it had to say is still told the answer. That it went away altogether shows when it is written to.
  Object.assign(server, { httpAllowHalfOpen: true });
  // Under TLS not before the handshake: who closes during that has nothing to hear.
  server.on('secureConnection', (socket: Socket) => {
    socket.allowHalfOpen = true;
  });
  server.on('connection', (socket: Socket) => connections.arrive(socket));
  // Decided first: `100 Continue` is said where the content is wanted, and a refusal stands in its place.
  server.on('checkContinue', onRequest);
  server.on('connect', ({ socket }: IncomingMessage) => {
    guardian.stranger('connect', socket.remoteAddress ?? '');
    socket.on('error', () => socket.destroy());
    connections.afterAnswers(socket, () => endRaw(socket, 405, 'method'));
  });
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    guardian.stranger('expectation', request.socket.remoteAddress ?? '');
    connections.take(request, response, () => endWith(response, 417, 'expectation'));
  });
  server.on('clientError', (error: Error & { code?: string }, socket: Socket) => {
    if (socket.destroyed || !socket.writable) return;
    // What comes after a request that asked to close is not looked at (RFC 9112 section 9.6).
    if (error.code === 'HPE_CLOSED_CONNECTION') return;
    const [status, reason] = CLIENT_ERRORS[error.code ?? ''] ?? [400, 'bad-request'];
    guardian.stranger(reason, socket.remoteAddress ?? '');
    connections.spoil(socket, status, reason);
  });

  return {
    server,
    async drain(timeoutMs) {
      stopping = true;
      server.close();
      server.closeIdleConnections();
      if (inFlight > 0) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, timeoutMs);
          drained = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      server.closeAllConnections();
      clearInterval(looking);
    },
  };
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'headers-too-large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'request-timeout'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'chunk-extensions'],
};

function headOf(request: IncomingMessage): Head {
  const method = request.method ?? '';
  return {
    method,
    target: originForm(method, request.url ?? ''),
    rawHeaders: request.rawHeaders,
    httpVersion: request.httpVersion,
    remote: request.socket.remoteAddress ?? '',
  };
}

const STREAM = { kind: 'stream' } as const;
const NONE = { kind: 'none' } as const;

function refusalOf(made: Forward): Omit<Refusal, 'status' | 'reason'> {
  return { kind: 'refuse', identity: made.identity, ip: made.ip, retryAfterMs: 0 };
}

interface When {
  readonly id: string;
  readonly at: number;
  readonly mono: number;
  readonly asOf: number;
}

function factsOf(made: Forward, request: IncomingMessage, when: When): UseFacts {
  return factsFor(made.identity, made.ip, request, when, made.facts.userAgent, made.versionId);
}

function factsFor(
  identity: Identity,
  ip: string,
  request: IncomingMessage,
  when: When,
  userAgent: string,
  version: string | null,
): UseFacts {
  const { token, credential, action } = identity;
  return {
    id: when.id,
    at: when.at,
    monoMs: when.mono,
    asOf: when.asOf,
    ip,
    userAgent: storableUserAgent(userAgent),
    method: request.method ?? '',
    token: token.row.id,
    principal: token.row.principalId,
    credential: credential?.row.id ?? null,
    provider: credential?.row.provider ?? null,
    version,
    grant: identity.grantId,
    action: action?.name ?? null,
    effect: action?.effect ?? null,
    path: identity.path,
    query: identity.query,
  };
}
