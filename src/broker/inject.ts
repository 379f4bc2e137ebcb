// Where a caller's token may stand in a request, and what takes its place: the key of the version, written the way its kind wants it.
// Rendered once, when a version becomes usable: deciding must not decrypt or encode anything.
import { revealSecretText, type Secret } from '../model/secret.ts';
import type { Place } from '../providers/provider.ts';

/** What is written into a request, and what is emptied first. Holds the key: lives in memory only, next to the version. */
export interface Injection {
  /** Header names (lower case) in which the caller's token may stand; all of them are emptied in every request. */
  readonly headers: ReadonlySet<string>;
  /** Those, and all others that end at the broker. */
  readonly dropped: ReadonlySet<string>;
  /** Query names that are emptied. */
  readonly queries: readonly string[];
  /** Header lines to add, name and value in turn. */
  readonly headerLines: readonly string[];
  /** Query parameter to add, already encoded, or null. */
  readonly query: string | null;
  /** JSON pointers whose value is replaced; the first one must be there or is added. */
  readonly body: { readonly pointer: string; readonly json: string } | null;
  readonly bodyPointers: readonly string[];
  /** Exact bytes that must not come back in an answer: the key, and the forms of it that JSON and its place may give it. */
  readonly scrub: readonly Uint8Array[];
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

/** Prepares a key for its places: the first is where it is written, all are emptied. */
export function compileInjection(places: readonly Place[], key: Secret): Injection {
  const text = revealSecretText(key);
  const first = places[0];
  // Whatever the kind says, a caller's Authorization never travels on: it may hold the caller's token.
  const headers = new Set(['authorization', ...places.map(headerOf).filter((name) => name !== null)]);
  const queries = places.filter((place) => place.in === 'query').map((place) => place.name);
  const bodyPointers = places.filter((place) => place.in === 'body').map((place) => place.pointer);
  const json = JSON.stringify(text);
  const escaped = json.slice(1, -1);
  const inUrl = encodeURIComponent(text);
  // As it is, in JSON with and without escaped slashes, and as it was sent in a query: a redirect may repeat that.
  const forms = [text, escaped, escaped.replaceAll('/', '\\/'), ...(first?.in === 'query' ? [inUrl] : [])];
  const scrub = [...new Set(forms)].map((form) => encoder.encode(form));
  const dropped = new Set([...headers, ...ENDS_HERE, ...ENDS_HERE.map((name) => name.replaceAll('-', '_'))]);
  const base = { headers, dropped, queries, headerLines: [] as string[], query: null, body: null, bodyPointers, scrub };
  switch (first?.in) {
    case 'header':
      return { ...base, headerLines: [first.name, first.scheme === null ? text : `${first.scheme} ${text}`] };
    case 'basic': {
      const encoded = encoder.encode(`${first.user}:${text}`).toBase64();
      return {
        ...base,
        headerLines: ['authorization', `Basic ${encoded}`],
        scrub: [...scrub, encoder.encode(encoded)],
      };
    }
    case 'query':
      return { ...base, query: `${encodeURIComponent(first.name)}=${inUrl}` };
    case 'body':
      return { ...base, body: { pointer: first.pointer, json } };
    default:
      return base;
  }
}

/** A token as it was found in a request. */
export interface FoundToken {
  readonly text: string;
  /** The header (lower case) it stood in, or the query name; both null where it stood in neither. */
  readonly header: string | null;
  readonly query: string | null;
}

const MARK = 'clv_';
/** How almost every token comes. */
const BEARER = /^Bearer (?:secret-token:)?(clv_[0-9A-Za-z]{33})$/i;
/** What begins like a token where a word may begin, and what is as long as one wherever it stands: neither may travel on. */
const TOKEN_IN_TEXT = /(?<![0-9A-Za-z_])clv_[0-9A-Za-z]+|clv_[0-9A-Za-z]{33,}/g;

function tokensIn(text: string): string[] {
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
