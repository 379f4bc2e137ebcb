// Requests for a WebSocket on the broker's port: each is judged as any request, either by its handshake or, where the provider's client says
// who it is only in its first message, behind a 101 that tells nothing. What is refused is recorded and told like any refusal.
// Not here: the decision (plan.ts, first-frame.ts), an open connection (upgrade.io.ts).
import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Dispatcher } from 'undici';
import type { LiveCredential } from '../access/policy.ts';
import type { Gate } from '../credentials/gate.ts';
import type { FirstFrame } from '../providers/provider.ts';
import { type Caller, callerInFrames, callerOnHttp, endWithClose, sayOpen } from './caller.io.ts';
import type { Connections, Turn } from './connection.io.ts';
import { factsFor, factsOf, type When } from './facts.io.ts';
import { awaitedFrame, prepareUpgrade, type Said, tokenOfFrame } from './first-frame.ts';
import { CLOSE, closeFrame, frame, OPCODE } from './frame.ts';
import { awaitGreeting, type Greeted } from './greeting.io.ts';
import { type Handshake, readHandshake } from './handshake.ts';
import type { Head } from './head.ts';
import { type FoundToken, findTokens } from './inject.ts';
import type { UpgradeLimits } from './limits.ts';
import { ipOf, type Plan, plan, type Refusal, type Snapshot } from './plan.ts';
import { type Admitted, Upgrade, type UpgradeContext } from './upgrade.io.ts';

/** What a caller is told whom the waiting room has no place for. */
const FULL_RETRY_MS = 2_000;
/** How long a caller's connection may be silent before the system asks whether it is still there. */
const KEEP_ALIVE_PROBE_MS = 30_000;
const NOTHING = Buffer.alloc(0);

export interface UpgradesOptions {
  /** `ended` is told once for each that has begun. */
  readonly context: UpgradeContext;
  readonly begun: () => void;
  /** Where a credential's traffic waits while its key is replaced. */
  readonly gate: Gate;
  readonly connections: Connections;
  readonly limits: UpgradeLimits;
  readonly dispatcherFor: (credential: LiveCredential) => Dispatcher;
  readonly headOf: (request: IncomingMessage) => Head;
  /** The state to decide on and the time that it is, for the request of this id. */
  readonly moment: (id: string) => { readonly snapshot: Snapshot; readonly when: When };
}

export interface Upgrades {
  /** Whether a request is a handshake in order, on a connection that owes no answer: all others are answered as requests. */
  wants(request: IncomingMessage): boolean;
  /** Takes over a connection that `node:http` has given away; `bytes` came behind the handshake. */
  take(request: IncomingMessage, socket: Socket, bytes: Buffer): void;
  /** Asks everything that is open to end. */
  stop(): void;
  /** Ends what is left. */
  destroy(): void;
}

/** A handshake on its connection. */
interface Asked {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly turn: Turn;
  readonly head: Head;
  readonly handshake: Handshake;
}

export function createUpgrades(options: UpgradesOptions): Upgrades {
  const { context, connections, limits, moment } = options;
  const { guardian } = context;
  const sockets = new Set<Socket>();
  /** Those that have not said yet who they are, with what calls the wait off. */
  const greeting = new Map<Socket, () => void>();
  const opened = new Set<Upgrade>();
  const openByToken = new Map<string, number>();

  function refuse(refusal: Refusal, asked: Asked, caller: Caller, when: When): void {
    const tell = () => caller.refuse(refusal, when.id);
    if (refusal.identity === null) {
      guardian.stranger(refusal.reason, refusal.ip);
      tell();
      return;
    }
    const { request } = asked;
    const facts = factsFor(refusal.identity, refusal.ip, request, when, request.headers['user-agent'] ?? '', null);
    guardian.refused(facts, refusal.reason, tell);
  }

  /** Refuses a caller whose first message says nothing that could be judged. A token in its handshake still says who it is. */
  function refuseUnheard(asked: Asked, caller: Caller, reason: string): void {
    const { snapshot, when } = moment(randomUUID());
    const [found] = tokensOf(asked.head);
    const token = found === undefined ? undefined : snapshot.policy.tokensByHash.get(snapshot.hash(found.text));
    const nothing = { credential: null, action: null, path: null, query: null, grantId: null };
    const identity = token === undefined ? null : { token, ...nothing };
    refuse({ ...refusalOf(identity, ipOf(asked.head, snapshot)), status: 401, reason }, asked, caller, when);
  }

  /** Opens the WebSocket towards a caller that nobody knows yet, and lets it say who it is. */
  function greet(asked: Asked, rule: FirstFrame, bytes: Buffer): void {
    const { socket, handshake } = asked;
    function greeted(said: Greeted): void {
      greeting.delete(socket);
      if (said.is === 'gone') endWithClose(socket, null);
      else if (said.is === 'refused') refuseUnheard(asked, callerInFrames(socket, NOTHING, said.code), said.reason);
      else hear(asked, rule, said);
    }
    sayOpen(socket, handshake, rule.subprotocol);
    const waits = { timeoutMs: limits.firstFrameTimeoutMs, bytesMax: limits.firstFrameBytesMax };
    let callOff = () => {};
    greeting.set(socket, () => callOff());
    callOff = awaitGreeting(socket, bytes, waits, greeted);
  }

  function hear(
    asked: Asked,
    rule: FirstFrame,
    { text, rest }: { readonly text: string; readonly rest: Buffer },
  ): void {
    const caller = callerInFrames(asked.socket, rest, null);
    const found = tokenOfFrame(text, rule);
    if (found.is === 'refused') refuseUnheard(asked, caller, found.reason);
    else if (tokensOf(asked.head).some((other) => other.text !== found.token))
      refuseUnheard(asked, caller, 'two-tokens');
    else judge(asked, caller, { rule, text, token: found.token });
  }

  /** Decides at once, or when its credential's key has been replaced: what is decided before that allows the wait, and spends nothing. */
  function judge(asked: Asked, caller: Caller, said: Said | null): void {
    const { gate } = options;
    if (!gate.isAnyHeld) {
      open(asked, caller, said);
      return;
    }
    const { snapshot, when } = moment(randomUUID());
    const made = planOf(asked.head, said, snapshot, when, false);
    if (made.kind === 'refuse' || !gate.isHeld(made.identity.credential.row.id)) {
      open(asked, caller, said);
      return;
    }
    const { socket } = asked;
    const leave = gate.wait(made.identity.credential.row.id, (how) => {
      socket.off('close', leave);
      if (socket.destroyed) return;
      if (how === 'go') judge(asked, caller, said);
      else {
        const full = { status: 503, reason: 'held', retryAfterMs: FULL_RETRY_MS };
        refuse({ ...refusalOf(made.identity, made.ip), ...full }, asked, caller, moment(when.id).when);
      }
    });
    socket.once('close', leave);
  }

  function open(asked: Asked, caller: Caller, said: Said | null): void {
    const { request, head, handshake, turn } = asked;
    const { snapshot, when } = moment(randomUUID());
    const made = planOf(head, said, snapshot, when);
    if (made.kind === 'refuse') {
      refuse(made, asked, caller, when);
      return;
    }
    const tokenId = made.identity.token.row.id;
    const mine = openByToken.get(tokenId) ?? 0;
    const no = (status: number, reason: string) =>
      refuse({ ...refusalOf(made.identity, made.ip), status, reason }, asked, caller, when);
    const ready = prepareUpgrade(made, handshake, tokensOf(head)[0]?.text ?? null, said);
    if (ready.is === 'refused') {
      no(ready.status, ready.reason);
      return;
    }
    if (mine >= limits.upgradesPerTokenMax) {
      no(429, 'too-many-upgrades');
      return;
    }
    let dispatcher: Dispatcher;
    try {
      dispatcher = options.dispatcherFor(made.identity.credential);
    } catch {
      no(502, 'upstream-unreachable');
      return;
    }
    if (!turn.isAdmitted) connections.admit(turn);
    function ended(): void {
      opened.delete(upgrade);
      const left = openByToken.get(tokenId)! - 1;
      if (left === 0) openByToken.delete(tokenId);
      else openByToken.set(tokenId, left);
      context.ended();
    }
    const upgrade = new Upgrade(
      { ...context, ended },
      {
        plan: made,
        facts: factsOf(made, request, when),
        caller,
        dispatcher,
        offered: ready.offered,
        greeting: ready.greeting === null ? null : frame(OPCODE.text, Buffer.from(ready.greeting), randomBytes(4)),
        judge: () => judgeAgain(request, head, said),
      },
    );
    openByToken.set(tokenId, mine + 1);
    opened.add(upgrade);
    options.begun();
    upgrade.start();
  }

  function judgeAgain(request: IncomingMessage, head: Head, said: Said | null): Admitted | null {
    const { snapshot, when } = moment(randomUUID());
    const made = planOf(head, said, snapshot, when);
    return made.kind === 'forward' ? { plan: made, facts: factsOf(made, request, when) } : null;
  }

  return {
    wants(request) {
      return connections.isFree(request.socket) && readHandshake(options.headOf(request)).is === 'handshake';
    },
    take(request, socket, bytes) {
      socket.on('error', () => socket.destroy());
      socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
      // What node:http had set for the time between requests.
      socket.setTimeout(0);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      const turn = connections.takeOver(socket);
      const head = options.headOf(request);
      const read = readHandshake(head);
      if (read.is !== 'handshake') {
        socket.destroy();
        return;
      }
      const { handshake } = read;
      const asked: Asked = { request, socket, turn, head, handshake };
      const { snapshot, when } = moment('');
      const rule = awaitedFrame(head, handshake, snapshot, { at: when.at, monoMs: when.mono });
      if (rule === null) judge(asked, callerOnHttp(asked, bytes), null);
      else greet(asked, rule, bytes);
    },
    stop() {
      for (const [socket, callOff] of greeting) {
        callOff();
        endWithClose(socket, closeFrame(CLOSE.restart, 'stopping', null));
      }
      greeting.clear();
      for (const upgrade of [...opened]) upgrade.stop();
    },
    destroy() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function tokensOf(head: Head): FoundToken[] {
  const mark = head.target.indexOf('?');
  if (mark < 0) return findTokens(head.rawHeaders, '', head.target);
  return findTokens(head.rawHeaders, head.target.slice(mark + 1), head.target.slice(0, mark));
}

function planOf(head: Head, said: Said | null, snapshot: Snapshot, when: When, spends = true): Plan {
  if (said === null) return plan(head, snapshot, when.at, when.mono, [], spends);
  const inFrame: FoundToken = { text: said.token, header: null, query: null, inFrame: true };
  return plan(head, snapshot, when.at, when.mono, [inFrame], spends);
}

function refusalOf(identity: Refusal['identity'], ip: string): Omit<Refusal, 'status' | 'reason'> {
  return { kind: 'refuse', identity, ip, retryAfterMs: 0 };
}
