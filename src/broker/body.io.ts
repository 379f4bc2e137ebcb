// Bodies that must be read whole before they are sent on, bounded: a JSON body whose credential places are edited, a URL-encoded form that
// could ask for another method. Everything else streams (exchange.io.ts).
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { hasOverrideParameter } from './form.ts';
import { hasForbiddenTrailer } from './head.ts';
import type { Injection } from './inject.ts';
import { splice } from './splice.ts';

export type Prepared =
  | { readonly is: 'body'; readonly bytes: Buffer }
  | { readonly is: 'refused'; readonly status: number; readonly reason: string }
  /** The caller went away. */
  | { readonly is: 'gone' };

function refused(status: number, reason: string): Prepared {
  return { is: 'refused', status, reason };
}

async function readWhole(request: IncomingMessage, bytesMax: number): Promise<Prepared> {
  if (request.headers['content-encoding'] !== undefined) return refused(415, 'body-encoding');
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

/** A JSON body with the key in its place and the other credential places emptied. */
export async function editedJson(request: IncomingMessage, injection: Injection, bytesMax: number): Promise<Prepared> {
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) {
    return refused(415, 'body-type');
  }
  const whole = await readWhole(request, bytesMax);
  if (whole.is !== 'body') return whole;
  // Decoding would replace what is not UTF-8 (RFC 8259 section 8.1): another request would be sent than the one that came.
  if (!isUtf8(whole.bytes)) return refused(400, 'body-not-json');
  const { body, bodyPointers } = injection;
  let text = whole.bytes.toString('utf8');
  for (const pointer of bodyPointers) {
    const spliced = splice(text, pointer, body !== null && body.pointer === pointer ? body.json : '""');
    if (spliced.is !== 'spliced') return refused(400, spliced.is);
    // A pointer that is only emptied is not added where it was not there.
    if (spliced.before !== null || body?.pointer === pointer) text = spliced.text;
  }
  return { is: 'body', bytes: Buffer.from(text) };
}

/** A URL-encoded form, unchanged; refused where it asks for another method. */
export async function plainForm(request: IncomingMessage, bytesMax: number): Promise<Prepared> {
  const whole = await readWhole(request, bytesMax);
  if (whole.is !== 'body') return whole;
  return hasOverrideParameter(whole.bytes.toString('latin1')) ? refused(400, 'method-override') : whole;
}
