// One admitted request on its way through: dispatched to the provider, streamed both ways with back-pressure, held back until
// its record is durable, scrubbed, counted in flight, and cut when access ends. Whole bodies are never buffered, except a JSON body
// that must be edited, which is bounded.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { Guardian } from '../access/guardian.io.ts';
import type { UseFacts } from '../access/leaf.ts';
import type { Live, OpenUse } from '../credentials/live.ts';
import { STALE, UNWRITTEN } from '../database/gather.ts';
import { answerHead, type Redirect } from './answer.ts';
import { createPartScanner } from './form.ts';
import type { Forward } from './plan.ts';
import { problemAnswer } from './problem.ts';
import { createScrubber, type Scrubber } from './scrub.ts';

/** An answer that is waiting for its record holds at most this much; then the provider is asked to pause. */
const HELD_BYTES_MAX = 65_536;

export interface ExchangeContext {
  readonly guardian: Guardian;
  readonly live: Live;
  readonly now: () => number;
  readonly mono: () => number;
  readonly redirect: (origin: string, path: string, location: string) => Redirect;
  /** The broker's own origin, as this request's caller names it. */
  readonly home: (request: IncomingMessage) => string;
  readonly headersTimeoutMs: number;
  readonly bodyTimeoutMs: number;
  /** Told when an exchange has ended, however it ended. */
  readonly ended: () => void;
  /** Decides a request again on the policy in force now; null where it is refused. */
  readonly again: (request: IncomingMessage) => { readonly plan: Forward; readonly facts: UseFacts } | null;
}

/** How often a use whose grant was changed under it is decided again. */
const AGAIN_MAX = 3;

export type Body =
  | { readonly kind: 'none' }
  | { readonly kind: 'stream' }
  /** A multipart form: streamed, and watched for a part that asks for another method. */
  | { readonly kind: 'parts' }
  | { readonly kind: 'bytes'; readonly bytes: Buffer };

type Phase = 'waiting' | 'flowing' | 'ended';

export class Exchange implements OpenUse, Dispatcher.DispatchHandler {
  readonly versionId: string;
  readonly credentialId: string;
  grantId: string;
  readonly principalId: string;
  readonly tokenId: string;
  endsAt: number;
  readonly #context: ExchangeContext;
  #plan: Forward;
  #facts: UseFacts;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #dispatcher: Dispatcher;
  readonly #body: Body;
  readonly #close: (mono: number, at: number) => void;
  readonly #startedMs: number;
  #controller: Dispatcher.DispatchController | null = null;
  #phase: Phase = 'waiting';
  #index = UNWRITTEN;
  #durable = false;
  #status = 0;
  #headers: string[] | null = null;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #upstreamEnded = false;
  #scrubber: Scrubber | null = null;
  #bytesUp = 0;
  #bytesDown = 0;
  #dispatches = 0;
  #decided = 1;

  constructor(
    context: ExchangeContext,
    parts: {
      plan: Forward;
      facts: UseFacts;
      request: IncomingMessage;
      response: ServerResponse;
      dispatcher: Dispatcher;
      body: Body;
    },
  ) {
    this.#context = context;
    this.#plan = parts.plan;
    this.#facts = parts.facts;
    this.#request = parts.request;
    this.#response = parts.response;
    this.#dispatcher = parts.dispatcher;
    this.#body = parts.body;
    this.versionId = parts.plan.versionId;
    this.credentialId = parts.plan.identity.credential.row.id;
    this.grantId = parts.plan.grantId;
    this.principalId = parts.plan.identity.token.row.principalId;
    this.tokenId = parts.plan.identity.token.row.id;
    this.endsAt = parts.plan.endsAt;
    this.#startedMs = context.mono();
    this.#close = context.live.open(this, this.#startedMs, parts.facts.at);
  }

  /** Records and sends: a read is sent beside its record, a write or delete after it. */
  start(): void {
    this.#response.on('close', () => this.#clientGone());
    const beside = this.#plan.identity.action.effect === 'read';
    this.#record(beside);
    if (beside) this.#dispatch();
  }

  #record(sent: boolean): void {
    this.#context.guardian.admitted(this.#facts, (index) => this.#recorded(index, sent));
  }

  /**
   * Whether the request is still allowed as it was sent, now that something it rested on has ended: a grant that was narrowed or replaced
   * must not fail what the one beside it allows. Rests on the new decision from then on.
   */
  #isStillAllowed(): boolean {
    if (this.#decided++ >= AGAIN_MAX) return false;
    const again = this.#context.again(this.#request);
    if (again === null || again.plan.versionId !== this.versionId || again.plan.target !== this.#plan.target)
      return false;
    this.#plan = { ...again.plan, headers: this.#plan.headers };
    this.#facts = again.facts;
    this.grantId = again.plan.grantId;
    this.endsAt = again.plan.endsAt;
    return true;
  }

  /** Where nobody can say that it is allowed, it is not: what must end must not stand in the way of the others. */
  #isSurelyAllowed(): boolean {
    try {
      return this.#isStillAllowed();
    } catch {
      return false;
    }
  }

  #recorded(index: number, sent: boolean): void {
    this.#index = index;
    if (this.#phase === 'ended') {
      this.#outcome();
      return;
    }
    if (index < 0) {
      if (index !== STALE) this.#refuse(503, 'record-unwritable');
      else if (this.#isStillAllowed()) this.#record(sent);
      else this.#refuse(403, 'stale');
      return;
    }
    this.#durable = true;
    if (!sent) this.#dispatch();
    else this.#release();
  }

  #dispatch(): void {
    this.#dispatches++;
    const options: Dispatcher.DispatchOptions = {
      path: this.#plan.target,
      method: this.#facts.method as Dispatcher.HttpMethod,
      headers: this.#plan.headers as string[],
      body: this.#upstreamBody(),
      headersTimeout: this.#context.headersTimeoutMs,
      bodyTimeout: this.#context.bodyTimeoutMs,
    };
    try {
      this.#dispatcher.dispatch(options, this);
    } catch {
      this.#refuse(502, 'upstream-unreachable');
    }
  }

  #upstreamBody(): IncomingMessage | Readable | Buffer | null {
    switch (this.#body.kind) {
      case 'none':
        return null;
      case 'stream':
        return this.#request;
      case 'parts':
        return Readable.from(this.#watched(), { objectMode: false });
      case 'bytes':
        return this.#body.bytes;
    }
  }

  async *#watched(): AsyncGenerator<Buffer> {
    const scan = createPartScanner();
    for await (const chunk of this.#request as AsyncIterable<Buffer>) {
      if (scan(chunk)) {
        this.#refuse(400, 'method-override');
        return;
      }
      yield chunk;
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#phase === 'ended') controller.abort(new Error('ended'));
  }

  onBodySent(chunk: Buffer): void {
    this.#bytesUp += chunk.length;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200 || this.#phase === 'ended') return;
    this.#status = status;
    const head = answerHead(status, rawHeadersOf(controller), {
      injection: this.#plan.injection,
      action: this.#plan.identity.action,
      mount: this.#plan.mount,
      home: () => this.#context.home(this.#request),
      origin: this.#plan.identity.credential.row.origin,
      redirect: (location) =>
        this.#context.redirect(this.#plan.identity.credential.row.origin, this.#plan.identity.path, location),
    });
    if (head.is === 'refuse') {
      this.#refuse(502, head.reason);
      return;
    }
    this.#headers = head.headers;
    this.#scrubber = createScrubber(this.#plan.injection.scrub);
    this.#release();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#phase === 'ended') return;
    const clean = this.#scrubber!.push(chunk);
    if (clean.length > 0) this.#write(controller, clean);
  }

  #write(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#phase === 'waiting') {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes >= HELD_BYTES_MAX) controller.pause();
      return;
    }
    this.#bytesDown += chunk.length;
    if (!this.#response.write(chunk)) {
      controller.pause();
      this.#response.once('drain', () => controller.resume());
    }
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#phase === 'ended') return;
    const rest = this.#scrubber!.end();
    if (rest.length > 0) this.#write(controller, rest);
    this.#upstreamEnded = true;
    if (this.#phase === 'flowing') this.#finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (this.#phase === 'ended') return;
    if (this.#headers !== null) {
      // The answer had begun: all that can be said is that it broke.
      this.#status = -this.#status;
      if (this.#phase === 'flowing') {
        this.#end();
        this.#response.destroy();
      } else this.#refuse(502, 'upstream-ambiguous');
      return;
    }
    const code = error.code ?? '';
    // A kept-alive connection may be closed by the provider just as it is used. Reading again changes nothing.
    if (this.#dispatches === 1 && this.#plan.identity.action.effect === 'read' && this.#body.kind === 'none') {
      if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET') {
        this.#dispatch();
        return;
      }
    }
    this.#refuse(...failureOf(error));
  }

  /** Lets the answer flow once its head is here and its record is durable. */
  #release(): void {
    if (this.#phase !== 'waiting' || !this.#durable || this.#headers === null) return;
    this.#phase = 'flowing';
    this.#response.writeHead(this.#status, this.#headers);
    const held = this.#held;
    this.#held = [];
    this.#bytesDown += this.#heldBytes;
    for (const chunk of held) this.#response.write(chunk);
    if (this.#upstreamEnded) this.#finish();
    else if (this.#heldBytes >= HELD_BYTES_MAX) this.#controller!.resume();
  }

  #finish(): void {
    this.#response.end();
    this.#end();
  }

  #refuse(status: number, reason: string): void {
    if (this.#phase === 'ended') return;
    const begun = this.#phase === 'flowing';
    this.#end();
    this.#controller?.abort(new Error(reason));
    if (begun) {
      this.#response.destroy();
      return;
    }
    const answer = problemAnswer(status, reason, 0, this.#facts.id);
    // What the caller still sends is not read: the connection ends with this answer.
    const closing = this.#body.kind === 'stream' || this.#body.kind === 'parts' ? ['connection', 'close'] : [];
    this.#response.writeHead(answer.status, [...answer.headers, ...closing]);
    this.#response.end(answer.body);
  }

  cut(why: string): void {
    if (this.#phase === 'ended' || this.#isSurelyAllowed()) return;
    this.abort(why);
  }

  /** Ends it whatever is allowed. */
  abort(why: string): void {
    if (this.#phase === 'ended') return;
    if (this.#phase === 'flowing') {
      this.#status = -this.#status;
      this.#end();
      this.#controller?.abort(new Error(why));
      this.#response.destroy();
    } else this.#refuse(403, 'access-ended');
  }

  #clientGone(): void {
    if (this.#phase === 'ended') return;
    this.#status = -this.#status;
    this.#end();
    this.#controller?.abort(new Error('the client went away'));
  }

  #end(): void {
    this.#phase = 'ended';
    this.#close(this.#context.mono(), this.#context.now());
    if (this.#index >= 0) this.#outcome();
    this.#context.ended();
  }

  #outcome(): void {
    if (this.#index < 0) return;
    this.#context.guardian.outcome({
      index: this.#index,
      status: this.#status,
      bytesUp: this.#bytesUp,
      bytesDown: this.#bytesDown,
      ms: this.#context.mono() - this.#startedMs,
    });
  }
}

/** Errors that come before any byte of the request is on the wire. */
const NEVER_SENT: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** What a caller is told where a request to the provider failed before its answer began: status and reason. */
export function failureOf(error: Error & { code?: string }): readonly [status: number, reason: string] {
  const code = error.code ?? '';
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') return [504, 'upstream-timeout'];
  if (NEVER_SENT.has(code) || error.name === 'Failure') return [502, 'upstream-unreachable'];
  if (error.name === 'HTTPParserError' || code === 'UND_ERR_HEADERS_OVERFLOW') return [502, 'upstream-invalid'];
  return [502, 'upstream-ambiguous'];
}

/** The header lines of an answer, name and value in turn. */
export function rawHeadersOf(controller: Dispatcher.DispatchController): string[] {
  const raw = controller.rawHeaders;
  // Filled one by one: an array that `map` made has another shape than its readers were compiled for, each time anew.
  const lines: string[] = [];
  if (!Array.isArray(raw)) return lines;
  for (let i = 0; i < raw.length; i++) {
    const part = raw[i] as string | Buffer;
    lines.push(typeof part === 'string' ? part : part.toString('latin1'));
  }
  return lines;
}
