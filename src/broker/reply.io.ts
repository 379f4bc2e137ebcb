// The broker's own answers on the wire: in the place of a provider's, or past `node:http` on a connection that has no request to answer.
// Not here: what they say (problem.ts) and whether the connection goes on after them (the caller's to say, but for the `end…` ones).
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { hasBody } from './body.io.ts';
import { ALLOWED_METHODS } from './head.ts';
import { problemAnswer } from './problem.ts';

/** Refuses a request, unless its answer has begun or its caller has gone. Content of an answer to HEAD is left out by `node:http`. */
export function answer(
  response: ServerResponse,
  refusal: { status: number; reason: string; retryAfterMs: number },
  id: string,
): void {
  if (response.headersSent || response.destroyed) return;
  const { status, headers, body } = problemAnswer(refusal.status, refusal.reason, refusal.retryAfterMs, id);
  for (let i = 0; i < headers.length; i += 2) response.setHeader(headers[i]!, headers[i + 1]!);
  response.statusCode = status;
  response.end(body);
}

/** Nothing is asked of a resource, so nobody has to say who they are. */
export function answerServerWide(request: IncomingMessage, response: ServerResponse): void {
  if (hasBody(request)) response.setHeader('connection', 'close');
  response.setHeader('allow', ALLOWED_METHODS);
  response.statusCode = 204;
  response.end();
}

/** Answers with a problem and closes the connection after it. */
export function endWith(response: ServerResponse, status: number, reason: string): void {
  const { headers, body } = problemAnswer(status, reason, 0, '0');
  response.writeHead(status, ['connection', 'close', ...headers]);
  response.end(body);
}

/** Answers on a connection past `node:http`, and closes it, whether or not the other side does. An answer to HEAD has no content. */
export function endRaw(socket: Socket, status: number, reason: string, isHead = false): void {
  const { headers, body } = problemAnswer(status, reason, 0, '0');
  let text = `HTTP/1.1 ${status} ${http.STATUS_CODES[status] ?? ''}\r\nconnection: close\r\n`;
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  socket.on('error', () => socket.destroy());
  socket.write(`${text}\r\n${isHead ? '' : body}`);
  socket.destroySoon();
}
