// The handshake of a WebSocket on both of its sides (RFC 6455 section 4): what a client asks for, what is asked of the provider, how its answer
// is checked, and what the client is told. A key of its own goes to the provider, and no extension is offered or accepted, because frames are
// read here. Not here: who may open one (plan.ts, upgrade.ts).
import type { Action } from '../providers/provider.ts';
import type { Head } from './head.ts';
import type { Injection } from './inject.ts';

/** What a client asks for, in order as RFC 6455 wants it. */
export interface Handshake {
  readonly key: string;
  /** The subprotocols that it offers, in its order. One of them may be its token. */
  readonly protocols: readonly string[];
}

export type ReadHandshake =
  | { readonly is: 'handshake'; readonly handshake: Handshake }
  | { readonly is: 'malformed' }
  /** Of another version than 13, the only one there is. */
  | { readonly is: 'version' };

const VERSION = '13';
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
const PROTOCOL = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,512}$/;
const PROTOCOLS_MAX = 16;
/** RFC 6455 section 1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Gives the base64 of the SHA-1 of a text. */
export type AcceptHash = (text: string) => string;

export function acceptFor(key: string, hash: AcceptHash): string {
  return hash(key + ACCEPT_SUFFIX);
}

/** Values of the headers of this name, in order. */
function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]!.toLowerCase() === name) values.push(rawHeaders[i + 1]!);
  }
  return values;
}

function listOf(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(',')).map((one) => one.trim());
}

/** Reads a request that has asked for a WebSocket. One with content, or that expects something first, is malformed. */
export function readHandshake(head: Head): ReadHandshake {
  const { rawHeaders } = head;
  const of = (name: string) => valuesOf(rawHeaders, name);
  const [version, ...versions] = of('sec-websocket-version');
  const [key, ...keys] = of('sec-websocket-key');
  const lines = of('sec-websocket-protocol');
  const protocols = lines.length === 0 ? [] : listOf(lines);
  const isPlainGet =
    head.method === 'GET' &&
    head.httpVersion === '1.1' &&
    of('transfer-encoding').length === 0 &&
    of('expect').length === 0 &&
    of('content-length').every((value) => /^0+$/.test(value));
  const isAsked =
    of('upgrade').join(',').trim().toLowerCase() === 'websocket' &&
    listOf(of('connection')).some((one) => one.toLowerCase() === 'upgrade');
  const isKeyed = key !== undefined && keys.length === 0 && KEY.test(key);
  const areProtocols =
    protocols.length <= PROTOCOLS_MAX &&
    new Set(protocols).size === protocols.length &&
    protocols.every((one) => PROTOCOL.test(one));
  if (!isPlainGet || !isAsked || !isKeyed || !areProtocols || version === undefined || versions.length > 0) {
    return { is: 'malformed' };
  }
  return version === VERSION ? { is: 'handshake', handshake: { key, protocols } } : { is: 'version' };
}

/** Why a request that asked for a WebSocket is answered in HTTP. */
export function handshakeProblem(action: Action, head: Head): { readonly status: number; readonly reason: string } {
  if (action.upgrade === undefined) return { status: 403, reason: 'upgrade-refused' };
  const { is } = readHandshake(head);
  if (is === 'version') return { status: 426, reason: 'websocket-version' };
  // In order, but behind a request that was not answered yet: nothing can be said then of what comes behind it.
  return is === 'malformed' ? { status: 400, reason: 'handshake' } : { status: 403, reason: 'upgrade-refused' };
}

/** Header of a kind whose key may be offered as a subprotocol, as browsers must. */
export const PROTOCOL_HEADER = 'sec-websocket-protocol';

/** What the provider is offered, in order; null where that cannot be: the token is a part of a name, or the key cannot be one. */
export function offeredProtocols(
  protocols: readonly string[],
  token: string | null,
  injection: Pick<Injection, 'headers' | 'bare'>,
): string[] | null {
  if (token === null || !protocols.some((one) => one.includes(token))) return [...protocols];
  const { bare } = injection;
  if (!injection.headers.has(PROTOCOL_HEADER) || bare === null || !PROTOCOL.test(bare)) return null;
  const offered = protocols.map((one) => (one === token ? bare : one));
  return offered.some((one) => one.includes(token)) ? null : offered;
}

/** The header lines of our own handshake with the provider; Connection and Upgrade are left to the connection. */
export function handshakeLines(headers: readonly string[], key: string, offered: readonly string[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    // Whatever else the client said of its handshake was meant for us; content there is none.
    if (!name.startsWith('sec-websocket-') && name !== 'content-length') lines.push(headers[i]!, headers[i + 1]!);
  }
  lines.push('sec-websocket-version', VERSION, 'sec-websocket-key', key);
  if (offered.length > 0) lines.push(PROTOCOL_HEADER, offered.join(', '));
  return lines;
}

/** What the provider answered to our handshake; invalid where it is no answer to it, or names what was not offered. */
export function readAnswer(
  raw: readonly string[],
  asked: { readonly accept: string; readonly offered: readonly string[] },
): { readonly is: 'open'; readonly protocol: string | null } | { readonly is: 'invalid' } {
  const of = (name: string) => valuesOf(raw, name);
  const [protocol, ...protocols] = of(PROTOCOL_HEADER);
  const isOurs =
    of('upgrade').join(',').trim().toLowerCase() === 'websocket' &&
    of('sec-websocket-accept').join(',').trim() === asked.accept &&
    of('sec-websocket-extensions').length === 0;
  const isOffered = protocol === undefined || (protocols.length === 0 && asked.offered.includes(protocol.trim()));
  return isOurs && isOffered ? { is: 'open', protocol: protocol?.trim() ?? null } : { is: 'invalid' };
}

/** The whole head of our 101. `protocol` is one that the client offered, or null. */
export function switching(accept: string, protocol: string | null): string {
  const chosen = protocol === null ? '' : `${PROTOCOL_HEADER}: ${protocol}\r\n`;
  return `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\n${chosen}\r\n`;
}
