// Writes a key into its place in one of our own requests and turns it into what goes onto the wire. Pure and strict: nothing
// that could end a header line, start a second one or leave the path is passed on; it is refused before a socket exists.
// Not here: requests of callers, whose bodies are spliced and never parsed (the broker's), and answers (scrub.ts).
// RFC 9110 section 5.5 (field values), RFC 7617 (basic), RFC 3986 (path and query), RFC 6901 (JSON pointer).
import { Failure } from '../model/failure.ts';
import type { Json, JsonObject } from '../model/json.ts';
import { revealSecretText, type Secret } from '../model/secret.ts';
import type { Place, ProviderRequest } from '../providers/provider.ts';
import { isPlainTarget } from './target.ts';

/** What is sent. Holds the key: must not be logged, kept or put into an error. */
export interface WireRequest {
  readonly method: ProviderRequest['method'];
  readonly path: string;
  /** Names and values in turn, names in lower case. */
  readonly headers: readonly string[];
  readonly body: string | null;
}

/** Shorter keys could not be scrubbed from an answer without destroying it, and are not keys. */
export const KEY_BYTES_MIN = 6;
export const KEY_BYTES_MAX = 8192;
const HEADERS_MAX = 64;
const HEADER_VALUE_LENGTH_MAX = 8192;
const POINTER_DEPTH_MAX = 16;

const TOKEN = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const VALUE = /^(?:[!-~](?:[ \t!-~]*[!-~])?)?$/;

/** Headers that `net` writes itself, or that would change where a message ends, where it goes or how it is encoded. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy-connection',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'range',
  'accept-encoding',
  'user-agent',
]);

function invalid(message: string): Failure {
  return new Failure('invalid', message);
}

/** The key as text. Refuses lengths out of bounds and whatever is not printable ASCII: no provider issues such keys, and their encodings could not be scrubbed. */
export function keyText(key: Secret): string {
  if (key.length < KEY_BYTES_MIN || key.length > KEY_BYTES_MAX) {
    throw invalid('the key is too short or too long to be sent');
  }
  const text = revealSecretText(key);
  if (text.length !== key.length || !/^[ -~]+$/.test(text)) {
    throw invalid('the key holds characters other than printable ASCII');
  }
  return text;
}

/** `user:key` in base64, as RFC 7617 writes it. */
export function basicToken(user: string, key: string): string {
  return new TextEncoder().encode(`${user}:${key}`).toBase64();
}

function headerOf(place: Place, key: string): readonly [string, string] | null {
  if (place.in === 'header') return [place.name.toLowerCase(), place.scheme === null ? key : `${place.scheme} ${key}`];
  if (place.in !== 'basic') return null;
  if (place.user.includes(':')) throw invalid('the user of a basic credential holds a colon');
  return ['authorization', `Basic ${basicToken(place.user, key)}`];
}

function headersOf(request: ProviderRequest, place: Place, key: string): string[] {
  const given = Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const);
  const own = headerOf(place, key);
  const all = own === null ? given : [...given, own];
  if (all.length > HEADERS_MAX) throw invalid('the request has too many headers');
  const seen = new Set<string>();
  for (const [name, value] of all) {
    if (!TOKEN.test(name)) throw invalid('a header name holds characters that it must not hold');
    if (OWN_HEADERS.has(name)) throw invalid(`the header ${name} is not the caller's to set`);
    if (seen.has(name)) throw invalid(`the header ${name} stands twice`);
    seen.add(name);
    if (value.length > HEADER_VALUE_LENGTH_MAX || !VALUE.test(value)) {
      throw invalid(`the value of the header ${name} holds characters that it must not hold`);
    }
  }
  const headers = all.flat();
  if (!seen.has('accept')) headers.push('accept', 'application/json');
  const hasBody = request.json !== undefined || place.in === 'body';
  if (hasBody && !seen.has('content-type')) headers.push('content-type', 'application/json');
  return headers;
}

function pathOf(request: ProviderRequest, place: Place, key: string): string {
  if (!isPlainTarget(request.path)) throw invalid('the path is not in its plain, percent-encoded form');
  if (place.in !== 'query') return request.path;
  const mark = request.path.indexOf('?');
  const query = mark < 0 ? '' : request.path.slice(mark + 1);
  const joint = mark < 0 ? '?' : query === '' || query.endsWith('&') ? '' : '&';
  return `${request.path}${joint}${encodeURIComponent(place.name)}=${encodeURIComponent(key)}`;
}

function pointerTokens(pointer: string): readonly string[] {
  const tokens = pointer.split('/', POINTER_DEPTH_MAX + 2);
  if (tokens.length < 2 || tokens.length > POINTER_DEPTH_MAX + 1 || tokens[0] !== '' || tokens.includes('__proto__')) {
    throw invalid('the place of the key is not a JSON pointer');
  }
  return tokens.slice(1).map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function objectOf(json: Json | undefined): JsonObject | null {
  return json === null || typeof json !== 'object' || Array.isArray(json) ? null : (json as JsonObject);
}

/** What stands at the pointer; undefined where nothing does. */
function valueAt(json: Json | undefined, tokens: readonly string[]): Json | undefined {
  return tokens.reduce<Json | undefined>((value, token) => {
    const object = objectOf(value);
    return object !== null && Object.hasOwn(object, token) ? object[token] : undefined;
  }, json);
}

/** A copy with the text at the pointer. What leads there must be objects that are there. */
function insertAt(json: Json | undefined, tokens: readonly string[], text: string): Json {
  const [token, ...rest] = tokens;
  if (token === undefined) return text;
  const object = objectOf(json);
  if (object === null) throw invalid('the body has no object where the key belongs');
  return { ...object, [token]: insertAt(Object.hasOwn(object, token) ? object[token] : undefined, rest, text) };
}

/** Whether the request as built already holds something where a key may stand. */
function isTaken(request: ProviderRequest, place: Place): boolean {
  if (place.in === 'query') {
    const mark = request.path.indexOf('?');
    return mark >= 0 && new URLSearchParams(request.path.slice(mark + 1)).has(place.name);
  }
  if (place.in === 'body') {
    const value = valueAt(request.json, pointerTokens(place.pointer));
    return value !== undefined && value !== null && value !== '';
  }
  const name = place.in === 'basic' ? 'authorization' : place.name.toLowerCase();
  return Object.keys(request.headers ?? {}).some((given) => given.toLowerCase() === name);
}

function bodyOf(request: ProviderRequest, place: Place, key: string): string | null {
  if (request.method === 'GET' && (request.json !== undefined || place.in === 'body')) {
    throw invalid('a GET request has no body');
  }
  if (place.in !== 'body') return request.json === undefined ? null : JSON.stringify(request.json);
  return JSON.stringify(insertAt(request.json ?? {}, pointerTokens(place.pointer), key));
}

/**
 * The request with the key in the first of the places. The others are where the kind's key may stand elsewhere; none of them may
 * be taken. Throws `invalid`, with a message that never quotes what was refused, where a header, the path or the key could be
 * read as more than one value, or where a place is taken.
 */
export function injectKey(request: ProviderRequest, key: Secret, places: readonly Place[]): WireRequest {
  const place = places[0];
  if (place === undefined) throw invalid('the key has no place in the request');
  if (places.some((other) => isTaken(request, other))) throw invalid('the request holds a value where the key belongs');
  const text = keyText(key);
  return {
    method: request.method,
    path: pathOf(request, place, text),
    headers: headersOf(request, place, text),
    body: bodyOf(request, place, text),
  };
}
