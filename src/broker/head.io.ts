// A request's head as the judges of head.ts take it, also after its content has been handed on.
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type Head, originForm } from './head.ts';

/** Whose connection it is, of requests whose content was handed on: whoever sends that on may take the socket from them. */
const remotes = new WeakMap<IncomingMessage, string>();

/** To be called before the content is handed on. */
export function keepRemote(request: IncomingMessage): void {
  remotes.set(request, remoteOf(request));
}

export function remoteOf(request: IncomingMessage): string {
  const socket = request.socket as Socket | null;
  return socket?.remoteAddress ?? remotes.get(request) ?? '';
}

export function headOf(request: IncomingMessage): Head {
  const method = request.method ?? '';
  return {
    method,
    target: originForm(method, request.url ?? ''),
    rawHeaders: request.rawHeaders,
    httpVersion: request.httpVersion,
    remote: remoteOf(request),
  };
}
