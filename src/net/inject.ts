// Writes keys into their places in one of our own requests and turns it into what goes onto the wire. Pure and strict: nothing
// that could end a header line, start a second one or leave the path is passed on; it is refused before a socket exists.
// Not here: requests of callers, whose bodies are spliced and never parsed (the broker's), and answers (scrub.ts).
// RFC 9110 section 5.5 (field values), RFC 7617 (basic), RFC 3986 (path and query), RFC 6901 (JSON pointer).
import { Failure } from '../model/failure.ts';
import type { Json, JsonObject } from '../model/json.ts';
import { revealSecretText, type Secret } from '../model/secret.ts';
import type { Acting, FormPlace, Parts, Place, ProviderRequest } from '../providers/provider.ts';
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

/** Where a part may stand in a request of our own. */
type AnyPlace = Place | FormPlace;

/** A part in the place where it is written. */
export interface Written {
  readonly place: AnyPlace;
  readonly text: string;
  /** The user of a basic credential; null where the text is `user:password` itself, and everywhere else. */
  readonly user: string | null;
  readonly isSecret: boolean;
  /** Whether the user is a part that is a secret of its own. */
  readonly isUserSecret: boolean;
}

/** `user:key` in base64, as RFC 7617 writes it. */
export function basicToken({ user, text }: Pick<Written, 'user' | 'text'>): string {
  return new TextEncoder().encode(user === null ? text : `${user}:${text}`).toBase64();
}

const PART_IN_USER = /^\{([A-Za-z][A-Za-z0-9_]*)\}$/;

function partOf(parts: Parts, name: string | undefined): Secret {
  const names = Object.keys(parts);
  const wanted = name ?? (Object.hasOwn(parts, 'key') || names.length !== 1 ? 'key' : names[0]!);
  const part = Object.hasOwn(parts, wanted) ? parts[wanted] : undefined;
  if (part === undefined) throw invalid('the key lacks a part that belongs into the request');
  return part;
}

/** The part that is the user of a basic credential; null where its user is a plain text, or it has none. */
function userPartOf(place: AnyPlace): string | null {
  if (place.in !== 'basic' || place.user === null) return null;
  return PART_IN_USER.exec(place.user)?.[1] ?? null;
}

function userOf(place: AnyPlace, parts: Parts): string | null {
  if (place.in !== 'basic' || place.user === null) return null;
  const named = userPartOf(place);
  const user = named === null ? place.user : keyText(partOf(parts, named));
  if (user.includes(':')) throw invalid('the user of a basic credential holds a colon');
  return user;
}

/** Which secrets stand where: as the request says, else each part of the acting key in the first of its places. */
export function placed(request: ProviderRequest, acting: Acting, target: Parts | undefined): Written[] {
  const write = (place: AnyPlace, parts: Parts): Written => {
    // Which parts of the key that a request is about are public, nobody says here: all of it is taken for secret.
    const publicParts = parts === acting.parts ? (acting.publicParts ?? []) : [];
    const userPart = userPartOf(place);
    return {
      place,
      text: keyText(partOf(parts, place.part)),
      user: userOf(place, parts),
      isSecret: !publicParts.includes(place.part ?? 'key'),
      isUserSecret: userPart !== null && !publicParts.includes(userPart),
    };
  };
  if (request.secrets !== undefined) {
    return request.secrets.map((place) => {
      if (place.of === 'target' && target === undefined) throw invalid('the request is about a key that is not given');
      return write(place, place.of === 'target' ? target! : acting.parts);
    });
  }
  const firsts = acting.places.filter(
    (place, at) => acting.places.findIndex((other) => (other.part ?? 'key') === (place.part ?? 'key')) === at,
  );
  if (firsts.length === 0) throw invalid('the key has no place in the request');
  return firsts.map((place) => write(place, acting.parts));
}

function headerOf({ place, text, user }: Written): readonly [string, string] | null {
  if (place.in === 'header')
    return [place.name.toLowerCase(), place.scheme === null ? text : `${place.scheme} ${text}`];
  return place.in === 'basic' ? ['authorization', `Basic ${basicToken({ user, text })}`] : null;
}

function headersOf(request: ProviderRequest, written: readonly Written[]): string[] {
  const given = Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const);
  const all = [...given, ...written.map(headerOf).filter((line) => line !== null)];
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
  const hasJson = request.json !== undefined || written.some(({ place }) => place.in === 'body');
  const hasForm = request.form !== undefined || written.some(({ place }) => place.in === 'form');
  if (hasJson && hasForm) throw invalid('the request has a form and a JSON body');
  if (hasJson && !seen.has('content-type')) headers.push('content-type', 'application/json');
  if (hasForm && !seen.has('content-type')) headers.push('content-type', 'application/x-www-form-urlencoded');
  return headers;
}

function pathOf(request: ProviderRequest, written: readonly Written[]): string {
  if (!isPlainTarget(request.path)) throw invalid('the path is not in its plain, percent-encoded form');
  let { path } = request;
  for (const { place, text } of written) {
    if (place.in !== 'query') continue;
    const mark = path.indexOf('?');
    const query = mark < 0 ? '' : path.slice(mark + 1);
    const joint = mark < 0 ? '?' : query === '' || query.endsWith('&') ? '' : '&';
    path = `${path}${joint}${encodeURIComponent(place.name)}=${encodeURIComponent(text)}`;
  }
  return path;
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
function isTaken(request: ProviderRequest, place: AnyPlace): boolean {
  if (place.in === 'query') {
    const mark = request.path.indexOf('?');
    return mark >= 0 && new URLSearchParams(request.path.slice(mark + 1)).has(place.name);
  }
  if (place.in === 'body') {
    const value = valueAt(request.json, pointerTokens(place.pointer));
    return value !== undefined && value !== null && value !== '';
  }
  if (place.in === 'form') {
    const { form = {} } = request;
    return Object.hasOwn(form, place.name) && form[place.name] !== '';
  }
  const name = place.in === 'basic' ? 'authorization' : place.name.toLowerCase();
  return Object.keys(request.headers ?? {}).some((given) => given.toLowerCase() === name);
}

function bodyOf(request: ProviderRequest, written: readonly Written[]): string | null {
  const inBody = written.filter(({ place }) => place.in === 'body');
  const inForm = written.flatMap(({ place, text }) => (place.in === 'form' ? [[place.name, text] as const] : []));
  const hasForm = request.form !== undefined || inForm.length > 0;
  const hasBody = request.json !== undefined || hasForm || inBody.length > 0;
  if (request.method === 'GET' && hasBody) throw invalid('a GET request has no body');
  if (hasForm) return formOf(request.form ?? {}, inForm);
  if (!hasBody) return null;
  const json = inBody.reduce<Json>(
    (body, { place, text }) => (place.in === 'body' ? insertAt(body, pointerTokens(place.pointer), text) : body),
    request.json ?? {},
  );
  return JSON.stringify(json);
}

/** The fields of a form, the secret ones behind the others. */
function formOf(form: Readonly<Record<string, string>>, inForm: readonly (readonly [string, string])[]): string {
  const secret = new Set(inForm.map(([name]) => name));
  const plain = Object.entries(form).filter(([name]) => !secret.has(name));
  return new URLSearchParams([...plain, ...inForm].map(([name, text]) => [name, text])).toString();
}

/**
 * The request with its secrets written into their places. Whatever place a key might stand in must be empty in the request as it was
 * built. Throws `invalid`, with a message that never quotes what was refused, where a header, the path or the key could be
 * read as more than one value, where a place is taken or written twice, or where a part is missing.
 */
export function injectSecrets(request: ProviderRequest, acting: Acting, target?: Parts): WireRequest {
  const written = placed(request, acting, target);
  const places: readonly AnyPlace[] = request.secrets ?? acting.places;
  if (places.some((place) => isTaken(request, place))) throw invalid('the request holds a value where the key belongs');
  const spots = written.map(({ place }) => spotOf(place));
  if (new Set(spots).size < spots.length) throw invalid('two secrets have the same place in the request');
  return {
    method: request.method,
    path: pathOf(request, written),
    headers: headersOf(request, written),
    body: bodyOf(request, written),
  };
}

function spotOf(place: AnyPlace): string {
  if (place.in === 'body') return `body ${place.pointer}`;
  if (place.in === 'form') return `form ${place.name}`;
  if (place.in === 'query') return `query ${place.name}`;
  return `header ${place.in === 'basic' ? 'authorization' : place.name.toLowerCase()}`;
}
