// Where a caller's token may stand in a request, and what takes its place: the parts of the version, written the way its kind wants them.
// Rendered once, when a version becomes usable: deciding must not decrypt or encode anything.
import { Failure } from '../model/failure.ts';
import { revealSecretText } from '../model/secret.ts';
import type { Parts, Place } from '../providers/provider.ts';

/** What is written into a request, and what is emptied first. Holds the keys: lives in memory only, next to the version. */
export interface Injection {
  /** Header names (lower case) in which the caller's token may stand; all of them are emptied in every request. */
  readonly headers: ReadonlySet<string>;
  /** Those, and all others that end at the broker. */
  readonly dropped: ReadonlySet<string>;
  /** Query names that are emptied. */
  readonly queries: readonly string[];
  /** Header lines to add, name and value in turn. */
  readonly headerLines: readonly string[];
  /** Query parameters to add, already encoded, or null. */
  readonly query: string | null;
  /** JSON text by the pointer where it is written. */
  readonly bodies: ReadonlyMap<string, string>;
  /** All pointers where the caller's token or another key may stand; what nothing is written to is emptied. */
  readonly bodyPointers: readonly string[];
  /** Exact bytes that must not come back in an answer: the key, and the forms of it that JSON and its place may give it. */
  readonly scrub: readonly Uint8Array[];
  /** The key as it is, for a WebSocket's first message or subprotocol; null where several parts make it. */
  readonly bare: string | null;
}

const encoder = new TextEncoder();

/** RFC 9110 section 7.6.1, and what never travels: forwarding claims, cookies, ranges and codings that scrubbing could not see through. */
const ENDS_HERE: readonly string[] = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'expect',
  'accept-encoding',
  'range',
  'if-range',
  'cookie',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-server',
  'x-real-ip',
  'via',
];

function headerOf(place: Place): string | null {
  if (place.in === 'header') return place.name.toLowerCase();
  return place.in === 'basic' ? 'authorization' : null;
}

/** The forms in which a part must not come back: as it is, and in JSON with and without escaped slashes. */
function formsOf(text: string): string[] {
  const escaped = JSON.stringify(text).slice(1, -1);
  return [text, escaped, escaped.replaceAll('/', '\\/')];
}

/** A shorter one would take half of each answer with it. */
const PASSWORD_LENGTH_MIN = 6;
const PART_IN_USER = /^\{([A-Za-z][A-Za-z0-9_]*)\}$/;

/**
 * Prepares the parts of a key for their places: each is written into the first of its own, all are emptied. Throws `corrupt` where a
 * part is missing.
 */
export function compileInjection(
  places: readonly Place[],
  parts: Parts,
  publicParts: readonly string[] = [],
): Injection {
  const names = Object.keys(parts);
  const only = names.length === 1 ? names[0]! : 'key';
  const nameOf = (place: Place) => place.part ?? (Object.hasOwn(parts, 'key') ? 'key' : only);
  const textOf = (name: string) => {
    const part = Object.hasOwn(parts, name) ? parts[name] : undefined;
    if (part === undefined) throw new Failure('corrupt', 'a version lacks a part that belongs into a request');
    return revealSecretText(part);
  };
  // Whatever the kind says, a caller's Authorization never travels on: it may hold the caller's token.
  const headers = new Set(['authorization', ...places.map(headerOf).filter((name) => name !== null)]);
  const queries = places.filter((place) => place.in === 'query').map((place) => place.name);
  const bodyPointers = places.filter((place) => place.in === 'body').map((place) => place.pointer);
  const dropped = new Set([...headers, ...ENDS_HERE, ...ENDS_HERE.map((name) => name.replaceAll('-', '_'))]);
  const headerLines: string[] = [];
  const query: string[] = [];
  const bodies = new Map<string, string>();
  const scrub = new Set<string>();
  const scrubPart = (name: string, text: string) => {
    if (!publicParts.includes(name)) for (const form of formsOf(text)) scrub.add(form);
  };
  const written = new Set<string>();
  for (const place of places) {
    const name = nameOf(place);
    if (written.has(name)) continue;
    written.add(name);
    const text = textOf(name);
    const isSecret = !publicParts.includes(name);
    scrubPart(name, text);
    switch (place.in) {
      case 'header':
        headerLines.push(place.name, place.scheme === null ? text : `${place.scheme} ${text}`);
        break;
      case 'basic': {
        const named = PART_IN_USER.exec(place.user ?? '');
        const user = named === null ? place.user : textOf(named[1]!);
        // Written here and perhaps nowhere else: a secret is one wherever it stands.
        if (named !== null) scrubPart(named[1]!, textOf(named[1]!));
        // The part is `user:password` itself: the password alone gives as much away.
        const password = user === null ? text.slice(text.indexOf(':') + 1) : '';
        if (password.length >= PASSWORD_LENGTH_MIN) scrubPart(name, password);
        const encoded = encoder.encode(user === null ? text : `${user}:${text}`).toBase64();
        headerLines.push('authorization', `Basic ${encoded}`);
        scrub.add(encoded);
        break;
      }
      case 'query':
        query.push(`${encodeURIComponent(place.name)}=${encodeURIComponent(text)}`);
        // As it was sent: a redirect may repeat that.
        if (isSecret) scrub.add(encodeURIComponent(text));
        break;
      case 'body':
        bodies.set(place.pointer, JSON.stringify(text));
        break;
    }
  }
  return {
    headers,
    dropped,
    queries,
    headerLines,
    query: query.length === 0 ? null : query.join('&'),
    bodies,
    bodyPointers,
    scrub: [...scrub].map((form) => encoder.encode(form)),
    bare: names.length === 1 ? textOf(only) : null,
  };
}

/** A token as it was found in a request. */
export interface FoundToken {
  readonly text: string;
  /** The header (lower case) it stood in, or the query name; both null where it stood in neither. */
  readonly header: string | null;
  readonly query: string | null;
  /** The pointer of the JSON body whose whole value it is; absent everywhere else (body-tokens.ts). */
  readonly pointer?: string;
  /** It is in the first message of a WebSocket, where the action has its key. */
  readonly inFrame?: true;
}

export const MARK = 'clv_';
/** How almost every token comes. */
const BEARER = /^Bearer (?:secret-token:)?(clv_[0-9A-Za-z]{33})$/i;
/** What begins like a token where a word may begin, and what is as long as one wherever it stands: neither may travel on. */
const TOKEN_IN_TEXT = /(?<![0-9A-Za-z_])clv_[0-9A-Za-z]+|clv_[0-9A-Za-z]{33,}/g;

/** The tokens in a text, whole or not. */
export function tokensIn(text: string): string[] {
  const bearer = BEARER.exec(text);
  if (bearer !== null) return [bearer[1]!];
  return text.match(TOKEN_IN_TEXT) ?? [];
}

/**
 * Finds the tokens of a request in its headers, its query and its path. More than one, wherever they stand, is the caller's error; so is
 * one in the path or in the name of a parameter, where no provider has its key.
 */
export function findTokens(rawHeaders: readonly string[], query: string, path: string): FoundToken[] {
  const found: FoundToken[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1]!;
    if (value.includes(MARK)) {
      const header = rawHeaders[i]!.toLowerCase();
      for (const text of tokensIn(value)) found.push({ text, header, query: null });
    } else if (value.length > 6 && (value.charCodeAt(0) | 32) === 98 && /^basic /i.test(value)) {
      const header = rawHeaders[i]!.toLowerCase();
      const decoded = Buffer.from(value.slice(6).trim(), 'base64').toString('latin1');
      for (const text of tokensIn(decoded)) found.push({ text, header, query: null });
    }
  }
  if (query.includes(MARK)) {
    for (const pair of query.split('&')) {
      const equals = pair.indexOf('=');
      const name = equals < 0 ? pair : pair.slice(0, equals);
      // Whatever stands before it, escaped or not, is no part of the token.
      for (const text of tokensIn(pair.replaceAll(/%[0-9a-f]{2}/gi, ' '))) {
        found.push({ text, header: null, query: name.includes(MARK) ? null : name });
      }
    }
  }
  if (path.includes(MARK)) {
    for (const text of tokensIn(path)) found.push({ text, header: null, query: null });
  }
  return found;
}
