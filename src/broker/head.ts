// The head of a request, judged before anybody asks who sent it: forms that two HTTP implementations could read differently are
// refused. What Node's parser lets through and RFC 9112 does not is caught here.
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
  readonly status: 400 | 405 | 413 | 417 | 431 | 501 | 505;
  readonly reason: string;
}

const HOST = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$/;
const HEADERS_MAX = 100;
const TARGET_LENGTH_MAX = 8_192;

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** What the rest of the broker needs to know of a head that is in order. */
export interface HeadFacts {
  readonly hasBody: boolean;
  readonly userAgent: string;
  /** Headers that the Connection header names, lower case; null where it names none. */
  readonly named: ReadonlySet<string> | null;
}

export type Inspected = { readonly problem: HeadProblem } | { readonly problem: null; readonly facts: HeadFacts };

function bad(status: HeadProblem['status'], reason: string): Inspected {
  return { problem: { status, reason } };
}

/** Judges a head, in one pass over its lines: few names matter, and their lengths tell most others apart. */
export function inspectHead(head: Head): Inspected {
  if (head.httpVersion !== '1.1' && head.httpVersion !== '1.0') return bad(505, 'http-version');
  if (!METHODS.has(head.method)) return bad(head.method === 'CONNECT' || head.method === 'TRACE' ? 405 : 501, 'method');
  if (!head.target.startsWith('/')) return bad(400, 'target-form');
  if (head.target.length > TARGET_LENGTH_MAX) return bad(400, 'target-length');
  const { rawHeaders } = head;
  if (rawHeaders.length > HEADERS_MAX * 2) return bad(431, 'too-many-headers');
  let hosts = 0;
  let framings = 0;
  let hasBody = false;
  let userAgent = '';
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
        if (name.toLowerCase() !== 'content-length') break;
        framings++;
        if (!/^[0-9]{1,15}$/.test(value)) return bad(400, 'content-length');
        hasBody = !/^0+$/.test(value);
        break;
      case 17:
        if (isOverride(name)) return bad(400, 'method-override');
        if (name.toLowerCase() !== 'transfer-encoding') break;
        framings++;
        if (head.httpVersion === '1.0') return bad(400, 'transfer-encoding');
        if (value.toLowerCase() !== 'chunked') return bad(501, 'transfer-encoding');
        hasBody = true;
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
  return { problem: null, facts: { hasBody, userAgent, named } };
}

function isOverride(name: string): boolean {
  return (name.charCodeAt(0) | 32) === 0x78 && OVERRIDE_HEADERS.has(name.toLowerCase());
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
