// The content of requests: whether there is any, whether it waits to be asked for (RFC 9110 section 10.1.1), and the bodies that must be
// read whole before they are sent on, bounded: a JSON body whose credential places are edited, a URL-encoded form that could ask for
// another method. Everything else streams (exchange.io.ts).
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { hasOverrideParameter } from './form.ts';
import { hasForbiddenTrailer } from './head.ts';
import type { Injection } from './inject.ts';
import { splice } from './splice.ts';

export interface RefusedBody {
  readonly is: 'refused';
  readonly status: number;
  readonly reason: string;
}

export type Prepared =
  | { readonly is: 'body'; readonly bytes: Buffer }
  | RefusedBody
  /** The caller went away. */
  | { readonly is: 'gone' };

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/** Whether the caller waits for `100 Continue`. Any other expectation has been refused before, and HTTP/1.0 knows none. */
export function expectsContinue(request: IncomingMessage): boolean {
  return request.headers.expect !== undefined && request.httpVersion === '1.1';
}

/** Header lines to send, for content of this many bytes. */
export function withLength(headers: readonly string[], bytes: number): string[] {
  const lines: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== 'content-length') lines.push(headers[i]!, headers[i + 1]!);
  }
  lines.push('content-length', String(bytes));
  return lines;
}

function refused(status: number, reason: string): RefusedBody {
  return { is: 'refused', status, reason };
}

/**
 * What is wrong with a body before any of it is read, so that a caller who asks first need not send it; null: it may come. Must be asked
 * before the readers below: they do not ask again. `isEdited`: whether it is for `editedJson`.
 */
export function refusedUnread(request: IncomingMessage, isEdited: boolean, bytesMax: number): RefusedBody | null {
  const { headers } = request;
  if (isEdited && !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(headers['content-type'] ?? '')) {
    return refused(415, 'body-type');
  }
  if (headers['content-encoding'] !== undefined) return refused(415, 'body-encoding');
  return Number(headers['content-length'] ?? 0) > bytesMax ? refused(413, 'body-too-large') : null;
}

async function readWhole(request: IncomingMessage, bytesMax: number): Promise<Prepared> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > bytesMax) return refused(413, 'body-too-large');
      chunks.push(chunk);
    }
  } catch {
    return { is: 'gone' };
  }
  return hasForbiddenTrailer(request.rawTrailers)
    ? refused(400, 'trailer')
    : { is: 'body', bytes: Buffer.concat(chunks) };
}

export interface JsonText {
  readonly is: 'text';
  readonly text: string;
}

/** A JSON body as the text that it is. Whether it is JSON shows when it is edited. */
export async function readJson(
  request: IncomingMessage,
  bytesMax: number,
): Promise<JsonText | RefusedBody | { readonly is: 'gone' }> {
  const whole = await readWhole(request, bytesMax);
  if (whole.is !== 'body') return whole;
  // Decoding would replace what is not UTF-8 (RFC 8259 section 8.1): another request would be sent than the one that came.
  return isUtf8(whole.bytes) ? { is: 'text', text: whole.bytes.toString('utf8') } : refused(400, 'body-not-json');
}

/** A JSON text with the keys in their places and the other credential places emptied. */
export function editedJson(before: string, { bodies, bodyPointers }: Injection): JsonText | RefusedBody {
  let text = before;
  for (const pointer of bodyPointers) {
    const json = bodies.get(pointer);
    const spliced = splice(text, pointer, json ?? '""');
    if (spliced.is !== 'spliced') return refused(400, spliced.is);
    // A pointer that is only emptied is not added where it was not there.
    if (spliced.before !== null || json !== undefined) text = spliced.text;
  }
  return { is: 'text', text };
}

/** Whether a caller whom the head does not name may stand in the body: a small one of JSON, that comes without being asked for. */
export function mayNameCaller(request: IncomingMessage, bytesMax: number): boolean {
  return hasBody(request) && !expectsContinue(request) && refusedUnread(request, true, bytesMax) === null;
}

/** What the promise resolves with, or null where that takes longer. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(resolve, ms, null);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A URL-encoded form, unchanged; refused where it asks for another method. */
export async function plainForm(request: IncomingMessage, bytesMax: number): Promise<Prepared> {
  const whole = await readWhole(request, bytesMax);
  if (whole.is !== 'body') return whole;
  return hasOverrideParameter(whole.bytes.toString('latin1')) ? refused(400, 'method-override') : whole;
}
