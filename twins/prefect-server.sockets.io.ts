// The WebSockets of a twin of Prefect Server: the greeting as a server of 3.8.8 asks for it (read in its source, measured at it), what clients
// publish is kept and passed on to who subscribed, and a worker is welcomed. Filters are taken and not looked into, there are no logs, and a worker
// is told no more than that it may begin. docs/providers/prefect-server.md says what was measured at a real one.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Json } from '../src/model/json.ts';
import { type KitStreams, type RunningTwin, startTwin } from './kit.io.ts';
import { isAlive, type KitControl, member } from './kit.ts';
import { type PrefectServerState, prefectServerTwin } from './prefect-server.ts';
import { offersOf, refuseUpgrade, serveWebSocket, type TwinPeer } from './websocket.io.ts';

export interface PrefectSockets {
  /** How many are open and have said who they are, by path. */
  open(): Readonly<Record<string, number>>;
  /** Closes all, as a restart of the server does. */
  cutAll(): void;
}

/** What one path does with a message behind the greeting. */
type Session = (message: Json, peer: TwinPeer) => void;

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

export async function startPrefectServerTwin(): Promise<RunningTwin<PrefectServerState> & { sockets: PrefectSockets }> {
  const subscribers = new Set<TwinPeer>();
  const peers = new Map<TwinPeer, string>();

  function sessionOf(path: string, control: KitControl<PrefectServerState>): Session | null {
    if (path === '/api/events/in')
      return (message) => {
        control.state.events.push(message);
        for (const peer of subscribers) peer.send(JSON.stringify({ type: 'event', event: message }));
      };
    if (path === '/api/events/out' || path === '/api/logs/out')
      return (message, peer) => {
        if (member(message, 'type') !== 'filter') peer.close(1002, "Expected 'filter' message");
        else if (path === '/api/events/out') {
          for (const event of control.state.events) peer.send(JSON.stringify({ type: 'event', event }));
          subscribers.add(peer);
        }
      };
    if (/^\/api\/work_pools\/[^/]+\/workers\/connect$/.test(path))
      return (message, peer) => {
        if (member(message, 'type') === 'worker.hello.v1') peer.send('{"type":"worker.ready.v1"}');
        else peer.close(1008, 'protocol_error');
      };
    return null;
  }

  /** Why the first message does not pass; null where it does. */
  function refusalOf(message: Json | undefined, { keys }: KitControl<PrefectServerState>): string | null {
    if (member(message, 'type') !== 'auth') return "Expected 'auth' message";
    const token = member(message, 'token');
    if (typeof token !== 'string' || token === '') return 'Auth required but no token provided';
    const key = keys.byText(token);
    if (key === null || !isAlive(key, Date.now())) return 'Invalid token';
    key.lastUsedAt = Date.now();
    key.acceptedCount++;
    return null;
  }

  function streamsOf(control: KitControl<PrefectServerState>): KitStreams {
    return {
      takes: () => false,
      upgrade(request: IncomingMessage, socket: Socket, head: Buffer) {
        const path = (request.url ?? '').split('?')[0]!;
        const session = sessionOf(path, control);
        // Both are told in HTTP, before there is a WebSocket.
        if (session === null || !offersOf(request).includes('prefect')) {
          refuseUpgrade(socket, 403, '');
          return;
        }
        let isKnown = false;
        const peer = serveWebSocket(request, socket, head, {
          protocol: 'prefect',
          said(text, own) {
            const message = parsed(text);
            if (isKnown) {
              if (message === undefined) own.close(1011, '');
              else session(message, own);
              return;
            }
            const refusal = refusalOf(message, control);
            if (refusal !== null) {
              own.close(1008, refusal);
              return;
            }
            isKnown = true;
            peers.set(own, path);
            own.send('{"type":"auth_success"}');
          },
          ended() {
            peers.delete(peer);
            subscribers.delete(peer);
          },
        });
      },
    };
  }

  const twin = await startTwin(prefectServerTwin(), {}, streamsOf);
  const sockets: PrefectSockets = {
    open() {
      const paths = [...peers.values()];
      return Object.fromEntries(paths.map((path) => [path, paths.filter((one) => one === path).length]));
    },
    cutAll() {
      for (const peer of peers.keys()) peer.socket.destroy();
    },
  };
  return { ...twin, sockets };
}
