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

/** What is wrong with the head, or null. */
export function headProblem(head: Head): HeadProblem | null {
  if (head.httpVersion !== '1.1' && head.httpVersion !== '1.0') return { status: 505, reason: 'http-version' };
  if (!METHODS.has(head.method))
    return { status: head.method === 'CONNECT' || head.method === 'TRACE' ? 405 : 501, reason: 'method' };
  if (!head.target.startsWith('/')) return { status: 400, reason: 'target-form' };
  if (head.target.length > TARGET_LENGTH_MAX) return { status: 400, reason: 'target-length' };
  const { rawHeaders } = head;
  if (rawHeaders.length > HEADERS_MAX * 2) return { status: 431, reason: 'too-many-headers' };
  let hosts = 0;
  let framings = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if ((name.charCodeAt(0) | 32) === 0x78 && name.length >= 13 && OVERRIDE_HEADERS.has(name.toLowerCase())) {
      return { status: 400, reason: 'method-override' };
    }
    // Few names matter, and their lengths tell most others apart.
    switch (name.length) {
      case 4:
        if (name.toLowerCase() === 'host') {
          hosts++;
          if (!HOST.test(rawHeaders[i + 1]!)) return { status: 400, reason: 'host' };
        }
        break;
      case 14:
        if (name.toLowerCase() === 'content-length') {
          framings++;
          if (!/^[0-9]{1,15}$/.test(rawHeaders[i + 1]!)) return { status: 400, reason: 'content-length' };
        }
        break;
      case 17:
        if (name.toLowerCase() === 'transfer-encoding') {
          framings++;
          if (head.httpVersion === '1.0') return { status: 400, reason: 'transfer-encoding' };
          if (rawHeaders[i + 1]!.toLowerCase() !== 'chunked') return { status: 501, reason: 'transfer-encoding' };
        }
        break;
      default:
        break;
    }
  }
  if (hosts > 1 || (hosts === 0 && head.httpVersion === '1.1')) return { status: 400, reason: 'host' };
  if (framings > 1) return { status: 400, reason: 'framing' };
  return null;
}
