// The head of a request, judged before anybody asks who sent it: forms that two HTTP implementations could read differently are
// refused. What Node's parser lets through and RFC 9112 does not is caught here. Follows RFC 9110, RFC 9112 and, for hosts,
// RFC 3986 section 3.2.2. Not here: what a path means (access/action.ts).
import { OVERRIDE_HEADERS } from '../access/action.ts';

/** A request's head as it was received. */
export interface Head {
  readonly method: string;
  /** Request target, raw. */
  readonly target: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly httpVersion: string;
  /** Address of the peer's socket. */
  readonly remote: string;
}

export interface HeadProblem {
  readonly status: 400 | 405 | 413 | 414 | 417 | 431 | 501 | 505;
  readonly reason: string;
}

/** A registered name of unreserved characters, sub-delimiters and escapes, or an address in brackets; then a port, maybe empty. */
const HOST = /^(?:(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}){1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?$/;
/** Scheme, user information, host with port, and what is asked for there. */
const ABSOLUTE = /^https?:\/\/(?:[^/?#@\\]*@)?([^/?#@\\]+)([/?][^#]*)?$/i;
const HEADERS_MAX = 100;
const TARGET_LENGTH_MAX = 8_192;

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What the broker serves, for an Allow header. */
export const ALLOWED_METHODS: string = [...METHODS].join(', ');

/** What the rest of the broker needs to know of a head that is in order. */
export interface HeadFacts {
  readonly hasBody: boolean;
  readonly userAgent: string;
  readonly contentType: string;
  /** Headers that end here, lower case: those that Connection names, and lookalikes of framing fields. Null: none. */
  readonly named: ReadonlySet<string> | null;
}

export type Inspected = { readonly problem: HeadProblem } | { readonly problem: null; readonly facts: HeadFacts };

function bad(status: HeadProblem['status'], reason: string): Inspected {
  return { problem: { status, reason } };
}

/**
 * A target in absolute form as the path and query that it asks for, every other one as it is. A server must accept that form, and
 * must not look at Host then (RFC 9112 section 3.2.2). Its authority goes unused, as Host does: where a request goes is the
 * credential's to say, so two names that disagree cannot send it anywhere else. A malformed one stays, to be refused.
 */
export function originForm(method: string, target: string): string {
  if (target.startsWith('/')) return target;
  const parts = ABSOLUTE.exec(target);
  if (parts === null || !HOST.test(parts[1]!)) return target;
  const rest = parts[2] ?? '';
  // Section 3.2.4: OPTIONS of an authority alone is about the server as a whole.
  if (rest === '') return method === 'OPTIONS' ? '*' : '/';
  return rest.startsWith('?') ? `/${rest}` : rest;
}

/** Whether a request is about the server and none of its resources: `OPTIONS *` (RFC 9110 section 9.3.7). */
export function isServerWide(head: Pick<Head, 'method' | 'target'>): boolean {
  return head.target === '*' && head.method === 'OPTIONS';
}

/** Judges a head whose target is in origin form, in one pass over its lines: few names matter, and their lengths tell most others apart. */
export function inspectHead(head: Head): Inspected {
  if (head.httpVersion !== '1.1' && head.httpVersion !== '1.0') return bad(505, 'http-version');
  // Methods that nobody knows have ended at the parser: what comes here is recognised, and no provider's action has it.
  if (!METHODS.has(head.method)) return bad(405, 'method');
  if (!head.target.startsWith('/') && !isServerWide(head)) return bad(400, 'target-form');
  if (head.target.length > TARGET_LENGTH_MAX) return bad(414, 'target-length');
  const { rawHeaders } = head;
  if (rawHeaders.length > HEADERS_MAX * 2) return bad(431, 'too-many-headers');
  let hosts = 0;
  let framings = 0;
  let hasBody = false;
  let userAgent = '';
  let contentType = '';
  let named: Set<string> | null = null;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    const value = rawHeaders[i + 1]!;
    switch (name.length) {
      case 4:
        if (name.toLowerCase() !== 'host') break;
        hosts++;
        if (!HOST.test(value)) return bad(400, 'host');
        break;
      case 10: {
        const lower = name.toLowerCase();
        if (lower === 'user-agent') userAgent = value;
        else if (lower === 'connection') named = namedBy(value, named);
        break;
      }
      case 14:
        if (isOverride(name)) return bad(400, 'method-override');
        if (name.toLowerCase() !== 'content-length') {
          if (FRAMING_LOOKALIKE.test(name)) named = withName(name, named);
          break;
        }
        framings++;
        if (!/^[0-9]{1,15}$/.test(value)) return bad(400, 'content-length');
        hasBody = !/^0+$/.test(value);
        break;
      case 17:
        if (isOverride(name)) return bad(400, 'method-override');
        if (name.toLowerCase() !== 'transfer-encoding') {
          if (FRAMING_LOOKALIKE.test(name)) named = withName(name, named);
          break;
        }
        framings++;
        if (head.httpVersion === '1.0') return bad(400, 'transfer-encoding');
        if (value.toLowerCase() !== 'chunked') return bad(501, 'transfer-encoding');
        hasBody = true;
        break;
      case 12:
        if (name.toLowerCase() === 'content-type') contentType = value;
        break;
      case 13:
      case 22:
        if (isOverride(name)) return bad(400, 'method-override');
        break;
      default:
        break;
    }
  }
  if (hosts > 1 || (hosts === 0 && head.httpVersion === '1.1')) return bad(400, 'host');
  if (framings > 1) return bad(400, 'framing');
  return { problem: null, facts: { hasBody, userAgent, contentType, named } };
}

/** `Transfer_Encoding` is no framing to us, but gateways that make variables of field names (RFC 3875 section 4.1.18) read one. */
const FRAMING_LOOKALIKE = /^(?:content[^a-z0-9]length|transfer[^a-z0-9]encoding)$/i;

function withName(name: string, before: Set<string> | null): Set<string> {
  return (before ?? new Set<string>()).add(name.toLowerCase());
}

/** In whatever spelling: the same gateways read `X_HTTP_Method_Override` as the header with dashes. */
function isOverride(name: string): boolean {
  return (name.charCodeAt(0) | 32) === 0x78 && OVERRIDE_HEADERS.has(name.toLowerCase().replace(/[^a-z0-9]/g, '-'));
}

/** What a Connection header names ends here. Content-Length cannot be named away: it frames the message. */
function namedBy(value: string, before: Set<string> | null): Set<string> | null {
  if (value === 'keep-alive' || value === 'close') return before;
  const names = before ?? new Set<string>();
  for (const text of value.toLowerCase().split(',')) {
    const name = text.trim();
    if (name !== 'content-length' && name !== 'keep-alive' && name !== 'close') names.add(name);
  }
  return names.size === 0 ? null : names;
}

/** What delimits, routes, authenticates or conditions a request must be known before its content (RFC 9110 section 6.5.1). */
const NEVER_IN_TRAILERS: ReadonlySet<string> = new Set([
  'transfer-encoding',
  'content-length',
  'trailer',
  'te',
  'host',
  'connection',
  'keep-alive',
  'proxy-connection',
  'upgrade',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'authorization',
  'proxy-authorization',
  'www-authenticate',
  'proxy-authenticate',
  'cookie',
  'set-cookie',
  'cache-control',
  'pragma',
  'expect',
  'max-forwards',
  'range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
]);

/**
 * Whether a trailer section holds a field that would make another request of this one for whoever merges trailers into the
 * headers. All other trailers are only left behind: none ever travels on.
 */
export function hasForbiddenTrailer(rawTrailers: readonly string[]): boolean {
  for (let i = 0; i < rawTrailers.length; i += 2) {
    const name = rawTrailers[i]!.toLowerCase();
    if (NEVER_IN_TRAILERS.has(name.replaceAll('_', '-')) || isOverride(name)) return true;
  }
  return false;
}
