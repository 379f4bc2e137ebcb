// The broker's port: node:http in, one plan for each request, then either a refusal or an exchange. Decides nothing itself.
import { randomUUID } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import type { UseFacts } from '../access/leaf.ts';
import type { LiveCredential } from '../access/policy.ts';
import type { Gate } from '../credentials/gate.ts';
import { contains, parseAddress } from '../model/address.ts';

import { expectsContinue, hasBody, mayNameCaller } from './body.io.ts';
import { tokensOfBody } from './body-tokens.ts';
import { accompany, type Judged, refuseUses } from './companion.io.ts';
import { asksForWebSocket, createConnections, LOOKS, type Turn } from './connection.io.ts';
import { createDeciding } from './deciding.io.ts';
import { type Body, Exchange, type ExchangeContext } from './exchange.io.ts';
import { factsFor, factsOf, type When } from './facts.io.ts';
import { formKind } from './form.ts';
import { handshakeProblem } from './handshake.ts';
import { headOf, keepRemote, remoteOf } from './head.io.ts';
import { hasForbiddenTrailer, inspectHead, isServerWide } from './head.ts';
import type { FoundToken } from './inject.ts';
import type { BrokerLimits } from './limits.ts';
import { type Forward, type Plan, plan, type Refusal, type Snapshot } from './plan.ts';
import { answer, answerServerWide, endRaw, endWith } from './reply.io.ts';
import { createUpgrades } from './upgrades.io.ts';
import { type Asking, createWhole, type Made } from './whole.io.ts';

export interface BrokerOptions extends Omit<ExchangeContext, 'ended' | 'again' | 'home'> {
  /** The state to decide on, as it is now. */
  readonly snapshot: () => Snapshot;
  readonly dispatcherFor: (credential: LiveCredential) => Dispatcher;
  /** Where the traffic of a credential waits while its key is replaced. */
  readonly gate: Gate;
  /** TLS certificate and key, or null where something in front terminates it (or the listener is on loopback). */
  readonly tls: https.ServerOptions | null;
  readonly limits: BrokerLimits;
}

export { type BrokerLimits, DEFAULT_LIMITS } from './limits.ts';

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
    home,
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
  const deciding = createDeciding({
    gate: options.gate,
    moment: thisMoment,
    plan: planNow,
    refuse: (refusal, { request, response }, when) => refuse(refusal, request, response, when),
  });
  const whole = createWhole({
    ...options,
    moment: thisMoment,
    plan: planNow,
    isLastNow: () => !options.gate.isAnyHeld,
    decide: (asking, id) => deciding.now(asking, id, []),
    waits(judged, asking, text, then) {
      const credentialId = judged.along?.companion.identity.credential.row.id ?? null;
      if (credentialId === null || !deciding.isHeld(credentialId)) return false;
      const id = judged.facts.id;
      const inBody = tokensOfBody(text);
      deciding.wait(judged.plan, asking, { id, credentialId, inBody, isLast: false, then });
      return true;
    },
    begin: beginWith,
    refuse: (refusal, { request, response }, when) => refuse(refusal, request, response, when),
    answer: (refusal, { request, response }, id) => endWithRefusal(refusal, request, response, id),
  });
  const upgrades = createUpgrades({
    ...options,
    context,
    begun: () => void inFlight++,
    connections,
    headOf,
    moment: thisMoment,
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
    const isLast = deciding.isLastAtHead(request);
    const made = plan(head, snapshot, at, mono, [], isLast);
    if (made.kind === 'refuse') {
      const mayFollow = made.reason === 'no-token' && mayNameCaller(request, limits.strangerBodyBytesMax);
      if (mayFollow) void handleUnnamed(made, { request, response }, turn);
      else refuse(made, request, response, { id, at, mono, asOf: snapshot.policy.asOf });
      return;
    }
    const facts = factsOf(made, request, { id, at, mono, asOf: snapshot.policy.asOf });
    proceed({ plan: made, facts }, { request, response }, turn, { read: null, isLast });
  }

  function planNow(
    request: IncomingMessage,
    inBody: readonly FoundToken[],
    { snapshot, when }: { snapshot: Snapshot; when: When },
    spends = true,
  ): Plan {
    return plan(headOf(request), snapshot, when.at, when.mono, inBody, spends);
  }

  /** The head names nobody: the token may stand in a JSON body, whatever the path, so that nothing is learnt from being asked for it. */
  async function handleUnnamed(stranger: Refusal, asking: Asking, turn: Turn): Promise<void> {
    const { request, response } = asking;
    const called = await whole.whoCalls(stranger, asking);
    if (called === null || connections.isCutShort(request, request.socket)) return;
    const { made, when, text, isLast } = called;
    if (made.kind === 'refuse') refuse(made, request, response, when);
    else proceed({ plan: made, facts: factsOf(made, request, when) }, asking, turn, { read: text, isLast });
  }

  /** Sends an admitted request on. `read`: its JSON body, where that is here already; `isLast`: this decision is the one that counts. */
  function proceed(decided: Made, asking: Asking, turn: Turn, how: { read: string | null; isLast: boolean }): void {
    const { request, response } = asking;
    const { read } = how;
    const credentialId = decided.plan.identity.credential.row.id;
    if (deciding.isHeld(credentialId)) {
      const isLast = read !== null || !hasBody(request);
      const inBody = read === null ? [] : tokensOfBody(read);
      const then = (anew: Made) => proceed(anew, asking, turn, { read, isLast });
      deciding.wait(decided.plan, asking, { id: decided.facts.id, credentialId, inBody, isLast, then });
      return;
    }
    const { plan: made, facts } = decided;
    if (asksForWebSocket(request)) {
      // One that could be opened does not come here.
      const problem = handshakeProblem(made.identity.action, headOf(request));
      refuse({ ...refusalOf(made), ...problem }, request, response, facts);
      return;
    }
    if (!turn.isAdmitted) connections.admit(turn);
    const needsEditing = made.injection.bodyPointers.length > 0;
    const hasContent = made.facts.hasBody;
    const form = hasContent ? formKind(made.facts.contentType) : null;
    if (read !== null) {
      const last = how.isLast ? decided : deciding.now(asking, facts.id, tokensOfBody(read));
      if (last !== null) whole.edit(last, asking, read);
    } else if (hasContent && (needsEditing || form === 'urlencoded')) void whole.begin(decided, asking, needsEditing);
    else {
      const last = how.isLast ? decided : deciding.now(asking, facts.id, []);
      if (last !== null) stream(last, asking, form === 'multipart');
    }
  }

  function stream({ plan: made, facts }: Made, { request, response }: Asking, isForm: boolean): void {
    if (made.facts.hasBody) keepRemote(request);
    if (isForm) begin(made, facts, request, response, { kind: 'parts' });
    else if (made.facts.hasBody && request.headers['transfer-encoding'] !== undefined) {
      // By then the parser has read all that came with the head: what is malformed there never reaches the provider.
      setImmediate(() => beginChunked(made, facts, request, response));
    } else begin(made, facts, request, response, made.facts.hasBody ? STREAM : NONE);
  }

  function beginChunked(made: Forward, facts: UseFacts, request: IncomingMessage, response: ServerResponse): void {
    if (response.closed || connections.isCutShort(request, request.socket)) return;
    if (request.complete && hasForbiddenTrailer(request.rawTrailers)) {
      refuse({ ...refusalOf(made), status: 400, reason: 'trailer' }, request, response, facts);
    } else begin(made, facts, request, response, STREAM);
  }

  /** By the Host that was asked, over TLS where it ends here, or where a trusted proxy says that it ended there. */
  function home(request: IncomingMessage): string {
    const { headers } = request;
    const { trustedProxies } = options.snapshot();
    const peer = trustedProxies.length === 0 ? null : parseAddress(remoteOf(request));
    const isProxied = peer !== null && trustedProxies.some((network) => contains(network, peer));
    const isTls = options.tls !== null || (isProxied && headers['x-forwarded-proto'] === 'https');
    return `${isTls ? 'https' : 'http'}://${headers.host ?? ''}`;
  }

  function again(request: IncomingMessage): { plan: Forward; facts: UseFacts } | null {
    const { snapshot, when } = thisMoment(randomUUID());
    const made = plan(headOf(request), snapshot, when.at, when.mono);
    return made.kind === 'forward' ? { plan: made, facts: factsOf(made, request, when) } : null;
  }

  function thisMoment(id: string): { snapshot: Snapshot; when: When } {
    const snapshot = options.snapshot();
    return { snapshot, when: { id, at: options.now(), mono: monoNow(), asOf: snapshot.policy.asOf } };
  }

  /** Monotonic milliseconds in whole microseconds: as they go into the log. */
  function monoNow(): number {
    return Math.round(options.mono() * 1000) / 1000;
  }

  function begin(made: Forward, facts: UseFacts, request: IncomingMessage, response: ServerResponse, body: Body): void {
    beginWith({ plan: made, facts, along: null }, { request, response }, body, null);
  }

  /** `judgeAgain`: of a request that was judged with its body. */
  function beginWith(
    judged: Judged,
    asking: Asking,
    body: Body,
    judgeAgain: ((request: IncomingMessage) => Judged | null) | null,
  ): void {
    let dispatcher: Dispatcher;
    try {
      dispatcher = options.dispatcherFor(judged.plan.identity.credential);
    } catch {
      whole.refuse(refuseUses(judged, 502, 'upstream-unreachable'), asking);
      return;
    }
    inFlight++;
    const { request, response } = asking;
    const read = judgeAgain === null ? null : accompany(context, judged, judgeAgain);
    const plan = read?.plan ?? judged.plan;
    const parts = { plan, facts: judged.facts, request, response, dispatcher, body };
    const exchange = new Exchange(read?.context ?? context, parts);
    read?.bind(exchange);
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

  /** What the caller still sends is not read: such a connection ends with the answer. */
  function endWithRefusal(refusal: Refusal, request: IncomingMessage, response: ServerResponse, id: string): void {
    if (hasBody(request)) response.setHeader('connection', 'close');
    answer(response, refusal, id);
  }

  function refuse(
    refusal: Refusal,
    request: IncomingMessage,
    response: ServerResponse,
    when: { id: string; at: number; mono?: number; monoMs?: number; asOf: number },
  ): void {
    const release = () => endWithRefusal(refusal, request, response, when.id);
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
    // Offers of other protocols may be ignored (RFC 9110 section 7.8). A WebSocket whose handshake is in order leaves node:http here; one that
    // is not (asksForWebSocket) is judged as a request like any other: in its turn, with its content, on a connection that is still read.
    shouldUpgradeCallback(request) {
      offering = request;
      return !stopping && upgrades.wants(request);
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
  server.on('upgrade', (request: IncomingMessage, socket: Socket, bytes: Buffer) =>
    upgrades.take(request, socket, bytes),
  );
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
      upgrades.stop();
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
      upgrades.destroy();
      clearInterval(looking);
    },
  };
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'headers-too-large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'request-timeout'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'chunk-extensions'],
};

const STREAM = { kind: 'stream' } as const;
const NONE = { kind: 'none' } as const;

function refusalOf(made: Forward): Omit<Refusal, 'status' | 'reason'> {
  return { kind: 'refuse', identity: made.identity, ip: made.ip, retryAfterMs: 0 };
}
