// One admitted WebSocket, from its record to its end: recorded first, then asked of the provider, then a tunnel that stays counted in flight;
// cut when its access ends, and asked to end when its version retires. What the provider answers instead of an upgrade is passed on, bounded.
// Not here: who may open one and how its caller is spoken to (upgrades.io.ts), how bytes pass (tunnel.io.ts).
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import type { UseFacts } from '../access/leaf.ts';
import type { OpenUse } from '../credentials/live.ts';
import { STALE, UNWRITTEN } from '../database/gather.ts';
import { answerHead } from './answer.ts';
import { acceptHash, type Caller } from './caller.io.ts';
import { type ExchangeContext, failureOf, rawHeadersOf } from './exchange.io.ts';
import { CLOSE } from './frame.ts';
import { acceptFor, handshakeLines, readAnswer } from './handshake.ts';
import type { Forward } from './plan.ts';
import { blot } from './scrub.ts';
import { openTunnel, type Tunnel } from './tunnel.io.ts';

/** An answer that is no upgrade is held whole: it is an error page, or nothing that this client asked for. */
const DECLINED_BYTES_MAX = 65_536;
/** How often a use whose grant was changed under it is decided again. */
const AGAIN_MAX = 3;

export type UpgradeContext = Pick<
  ExchangeContext,
  'guardian' | 'live' | 'now' | 'mono' | 'redirect' | 'headersTimeoutMs' | 'bodyTimeoutMs' | 'ended'
>;

/** Whatever a WebSocket rests on; the same again whenever it is judged anew. */
export interface Admitted {
  readonly plan: Forward;
  readonly facts: UseFacts;
}

export interface UpgradeParts extends Admitted {
  readonly caller: Caller;
  readonly dispatcher: Dispatcher;
  /** Subprotocols for the provider; the key may be one of them. */
  readonly offered: readonly string[];
  /** The provider's first frame, with the key in it; null: the handshake holds the key. */
  readonly greeting: Buffer | null;
  /** Decides again on the policy in force now; null where it is refused. */
  readonly judge: () => Admitted | null;
}

export class Upgrade implements OpenUse, Dispatcher.DispatchHandler {
  readonly versionId: string;
  readonly credentialId: string;
  grantId: string;
  readonly principalId: string;
  readonly tokenId: string;
  endsAt: number;
  readonly #context: UpgradeContext;
  readonly #parts: UpgradeParts;
  #facts: UseFacts;
  readonly #close: (mono: number, at: number) => void;
  readonly #startedMs: number;
  readonly #key = randomBytes(16).toString('base64');
  #controller: Dispatcher.DispatchController | null = null;
  #tunnel: Tunnel | null = null;
  #index = UNWRITTEN;
  #status = 0;
  #declined: { readonly headers: readonly string[]; readonly chunks: Buffer[]; bytes: number } | null = null;
  #decided = 1;
  #isRetired = false;
  #isEnded = false;

  constructor(context: UpgradeContext, parts: UpgradeParts) {
    const { plan, facts } = parts;
    this.#context = context;
    this.#parts = parts;
    this.#facts = facts;
    this.versionId = plan.versionId;
    this.credentialId = plan.identity.credential.row.id;
    this.grantId = plan.grantId;
    this.principalId = plan.identity.token.row.principalId;
    this.tokenId = plan.identity.token.row.id;
    this.endsAt = plan.endsAt;
    this.#startedMs = context.mono();
    this.#close = context.live.open(this, this.#startedMs, facts.at);
  }

  /** Records it; nothing is sent before that is durable, since nobody can say what will be done over it. */
  start(): void {
    this.#parts.caller.socket.once('close', () => {
      if (this.#tunnel === null) this.#end(new Error('the client went away'));
    });
    this.#record();
  }

  #record(): void {
    this.#context.guardian.admitted(this.#facts, (index) => this.#recorded(index));
  }

  #recorded(index: number): void {
    this.#index = index;
    if (this.#isEnded) this.#outcome();
    else if (index >= 0) this.#dispatch();
    else if (index !== STALE) this.#refuse(503, 'record-unwritable');
    else if (this.#isStillAllowed()) this.#record();
    else this.#refuse(403, 'stale');
  }

  /** Whether it is still allowed as it was asked for, now that something it rested on has ended. Rests on the new decision from then on. */
  #isStillAllowed(): boolean {
    if (this.#decided++ >= AGAIN_MAX) return false;
    const again = this.#parts.judge();
    if (again === null || again.plan.versionId !== this.versionId || again.plan.target !== this.#parts.plan.target)
      return false;
    this.#facts = again.facts;
    this.grantId = again.plan.grantId;
    this.endsAt = again.plan.endsAt;
    return true;
  }

  #dispatch(): void {
    const { plan, offered, dispatcher } = this.#parts;
    try {
      dispatcher.dispatch(
        {
          path: plan.target,
          method: 'GET',
          headers: handshakeLines(plan.headers, this.#key, offered),
          upgrade: 'websocket',
          headersTimeout: this.#context.headersTimeoutMs,
          bodyTimeout: this.#context.bodyTimeoutMs,
        },
        this,
      );
    } catch {
      this.#refuse(502, 'upstream-unreachable');
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isEnded) controller.abort(new Error('ended'));
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    _status: number,
    _headers: unknown,
    stream: NodeJS.ReadWriteStream,
  ): void {
    const provider = stream as Socket;
    const { plan, caller, offered, greeting } = this.#parts;
    provider.on('error', () => provider.destroy());
    const accept = acceptFor(this.#key, acceptHash);
    const answer = readAnswer(rawHeadersOf(controller), { accept, offered });
    if (this.#isEnded || answer.is === 'invalid') {
      provider.destroy();
      this.#refuse(502, 'upstream-invalid');
      return;
    }
    this.#status = 101;
    caller.accept(answer.protocol === null ? null : offered.indexOf(answer.protocol));
    this.#tunnel = openTunnel({
      caller: caller.socket,
      provider,
      scrub: plan.injection.scrub,
      greeting,
      rest: caller.rest,
      mask: () => randomBytes(4),
      ended: (isWhole) => {
        if (!isWhole) this.#status = -101;
        this.#end(null);
      },
    });
    if (this.#isRetired) this.retire();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200 || this.#isEnded) return;
    this.#status = status;
    const { plan } = this.#parts;
    const { action, credential, path } = plan.identity;
    // A client that followed it would ask for its WebSocket elsewhere; none does.
    const head = answerHead(status, rawHeadersOf(controller), {
      injection: plan.injection,
      action,
      mount: plan.mount,
      origin: credential.row.origin,
      redirect: (location) => this.#context.redirect(credential.row.origin, path, location),
    });
    if (status >= 300 && status < 400) this.#refuse(502, 'upstream-redirect');
    else if (head.is === 'refuse') this.#refuse(502, head.reason);
    else this.#declined = { headers: head.headers, chunks: [], bytes: 0 };
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const declined = this.#declined;
    if (this.#isEnded || declined === null) return;
    declined.bytes += chunk.length;
    if (declined.bytes > DECLINED_BYTES_MAX) this.#refuse(502, 'upstream-invalid');
    else declined.chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#isEnded || this.#declined === null) return;
    const body = Buffer.concat(this.#declined.chunks);
    blot(body, this.#parts.plan.injection.scrub);
    this.#parts.caller.decline(this.#status, this.#declined.headers, body);
    this.#end(null);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (this.#tunnel === null) this.#refuse(...failureOf(error));
  }

  #refuse(status: number, reason: string): void {
    if (this.#isEnded) return;
    this.#parts.caller.refuse({ status, reason, retryAfterMs: 0 }, this.#facts.id);
    this.#end(new Error(reason));
  }

  retire(): void {
    this.#isRetired = true;
    this.#tunnel?.close(CLOSE.restart, 'key-rotated');
  }

  /** The server stops: what is open is asked to end. */
  stop(): void {
    if (this.#tunnel === null) this.#refuse(503, 'stopping');
    else this.#tunnel.close(CLOSE.restart, 'stopping');
  }

  cut(): void {
    if (this.#isEnded || this.#isStillAllowed()) return;
    if (this.#tunnel === null) this.#refuse(403, 'access-ended');
    else this.#tunnel.cut(CLOSE.policy, 'access-ended');
  }

  /** `why`: what is under way at the provider is broken off. */
  #end(why: Error | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (why !== null) this.#controller?.abort(why);
    this.#close(this.#context.mono(), this.#context.now());
    this.#outcome();
    this.#context.ended();
  }

  #outcome(): void {
    if (this.#index < 0) return;
    this.#context.guardian.outcome({
      index: this.#index,
      status: this.#status,
      bytesUp: this.#tunnel?.bytesUp ?? 0,
      bytesDown: this.#tunnel?.bytesDown ?? this.#declined?.bytes ?? 0,
      ms: this.#context.mono() - this.#startedMs,
    });
  }
}
