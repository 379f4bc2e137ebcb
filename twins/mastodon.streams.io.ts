// The streams of a twin of Mastodon: one WebSocket for all of them, with the token in a header, as a subprotocol or in the query, and
// server-sent events. Order of the places, words of refusal and the echo of the subprotocol are Mastodon's streaming server's, from memory and
// never compared with a live one. Every stream hears everything.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type KitStreams, type RunningTwin, startTwin } from './kit.io.ts';
import { isAlive, type KitControl } from './kit.ts';
import { type MastodonState, mastodonTwin } from './mastodon.ts';
import { offersOf, refuseUpgrade, serveWebSocket, type TwinPeer } from './websocket.io.ts';

export interface MastodonStreams {
  /** Tells every open stream of something. */
  publish(event: string, payload: string): void;
  /** How many are open: WebSockets and streams of events. */
  open(): readonly [sockets: number, events: number];
}

const EVENTS = /^\/api\/v1\/streaming\/(?:user|public|direct|list|hashtag)(?:\/[a-z]+)?$/;

/** The text that the request shows as its token, wherever it stands. */
function tokenOf(request: IncomingMessage): string {
  const { authorization } = request.headers;
  if (authorization !== undefined) return authorization.replace(/^Bearer /, '');
  const query = new URL(request.url ?? '/', 'http://twin').searchParams.get('access_token');
  return query ?? offersOf(request)[0] ?? '';
}

export async function startMastodonTwin(): Promise<RunningTwin<MastodonState> & { streams: MastodonStreams }> {
  const peers = new Set<TwinPeer>();
  const listeners = new Set<ServerResponse>();

  /** Why a token does not pass; null where it does. */
  function refusalOf(request: IncomingMessage, { keys }: KitControl<MastodonState>): string | null {
    const text = tokenOf(request);
    if (text === '') return 'Missing access token';
    const key = keys.byText(text);
    if (key === null || key.kind === 'app' || !isAlive(key, Date.now())) return 'Invalid access token';
    key.lastUsedAt = Date.now();
    key.acceptedCount++;
    return null;
  }

  function streamsOf(control: KitControl<MastodonState>): KitStreams {
    return {
      takes(request, response) {
        if (!EVENTS.test((request.url ?? '').split('?')[0]!)) return false;
        const refusal = refusalOf(request, control);
        if (refusal !== null) {
          response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify({ error: refusal }));
          return true;
        }
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'private, no-store' });
        response.write(':)\n');
        listeners.add(response);
        response.on('close', () => listeners.delete(response));
        return true;
      },
      upgrade(request: IncomingMessage, socket: Socket, head: Buffer) {
        const path = (request.url ?? '').split('?')[0]!;
        const refusal = /^\/api\/v1\/streaming\/?$/.test(path) ? refusalOf(request, control) : 'Not found';
        if (refusal !== null) {
          refuseUpgrade(socket, refusal === 'Not found' ? 404 : 401, JSON.stringify({ error: refusal }));
          return;
        }
        const peer = serveWebSocket(request, socket, head, {
          protocol: offersOf(request)[0] ?? null,
          said() {},
          ended: () => void peers.delete(peer),
        });
        peers.add(peer);
      },
    };
  }

  const twin = await startTwin(mastodonTwin('mastodon'), {}, streamsOf);
  const streams: MastodonStreams = {
    publish(event, payload) {
      for (const peer of peers) peer.send(JSON.stringify({ stream: ['user'], event, payload }));
      for (const response of listeners) response.write(`event: ${event}\ndata: ${payload}\n\n`);
    },
    open: () => [peers.size, listeners.size],
  };
  return { ...twin, streams };
}
