// Opens one connection to an upstream: resolve, check, dial exactly the checked address, TLS for the name. With an outbound
// proxy the way there is a CONNECT to the checked address, so that the proxy has no name left to resolve differently.
// Not here: HTTP to the upstream and pooling (dial.io.ts).
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, getCACertificates } from 'node:tls';
import type { Address } from '../model/address.ts';
import { Failure } from '../model/failure.ts';
import { revealSecretText, type Secret } from '../model/secret.ts';
import type { Origin } from './origin.ts';
import { type Guard, withDeadline } from './resolve.io.ts';
import { bareCause } from './upstream-failure.ts';

/** An HTTP proxy that every outbound connection goes through. Its own address is the operator's choice and not checked. */
export interface OutboundProxy {
  readonly host: string;
  readonly port: number;
  /** The whole value of `Proxy-Authorization`, or null. */
  readonly authorization: Secret | null;
}

export interface SocketOptions {
  readonly guard: Guard;
  /** Longest time for everything from the name to a finished TLS handshake, milliseconds. */
  readonly connectTimeoutMs?: number;
  /** More certificate authorities (PEM) beside those that the runtime trusts, for private instances. */
  readonly extraCaPem?: string | null;
  readonly proxy?: OutboundProxy | null;
}

/** Opens a connection; rejects with Failure `upstream-unavailable`. No byte of a request has been sent then. */
export type OpenSocket = (origin: Origin) => Promise<Socket>;

const ADDRESSES_TRIED_MAX = 4;
const CONNECT_ANSWER_BYTES_MAX = 8192;
const KEEP_ALIVE_PROBE_MS = 30_000;

function ignore(): void {}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** Resolves on `event`; rejects when the socket fails, ends or closes first. */
function until(socket: Socket, event: 'connect' | 'secureConnect' | 'readable'): Promise<void> {
  if (socket.destroyed) return Promise.reject(coded('ECLOSED'));
  return new Promise((resolve, reject) => {
    function forget(): void {
      socket.off(event, onEvent).off('error', onError).off('end', onEnd).off('close', onEnd);
    }
    function onEvent(): void {
      forget();
      resolve();
    }
    function onError(error: Error): void {
      forget();
      reject(error);
    }
    function onEnd(): void {
      onError(coded('ECLOSED'));
    }
    socket.on(event, onEvent).on('error', onError).on('end', onEnd).on('close', onEnd);
  });
}

/** Asks the proxy for a tunnel to `target` and reads its answer to the last byte. Bytes behind the answer are refused: no server speaks first here. */
async function openTunnel(socket: Socket, target: string, authorization: string | null): Promise<void> {
  const line = authorization === null ? '' : `Proxy-Authorization: ${authorization}\r\n`;
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${line}\r\n`, 'latin1');
  let answer = '';
  while (!answer.includes('\r\n\r\n')) {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) await until(socket, 'readable');
    else answer += chunk.toString('latin1');
    if (answer.length > CONNECT_ANSWER_BYTES_MAX) throw coded('PROXY_ANSWER_TOO_LONG');
  }
  if (!/^HTTP\/1\.[01] 200(?: [^\r\n]*)?\r\n/.test(answer)) throw coded('PROXY_REFUSED');
  if (answer.indexOf('\r\n\r\n') !== answer.length - 4) throw coded('PROXY_SPOKE_ON');
}

/** A function that opens checked connections. Throws at once where the extra certificates or the proxy's authorization cannot be used. */
export function createOpenSocket(options: SocketOptions): OpenSocket {
  const { guard, connectTimeoutMs = 5000, extraCaPem = null, proxy = null } = options;
  const authorization = proxy?.authorization ?? null;
  if (authorization !== null && !/^[!-~][ -~]*$/.test(revealSecretText(authorization))) {
    throw new Failure('invalid', 'the authorization for the outbound proxy cannot stand in a header');
  }
  // Made once: parsing the certificates of every authority costs more than a handshake.
  const secureContext = createSecureContext({
    minVersion: 'TLSv1.2',
    ...(extraCaPem === null ? {} : { ca: [...getCACertificates('default'), extraCaPem] }),
  });

  async function openOne(origin: Origin, address: Address, opened: Socket[]): Promise<Socket> {
    function keep(socket: Socket): Socket {
      // Whoever gets the socket next listens only from then on; an error in between must not end the process.
      socket.on('error', ignore);
      opened.push(socket);
      return socket;
    }
    const way = proxy ?? { host: address.text, port: origin.port };
    const plain = keep(connectTcp({ host: way.host, port: way.port, noDelay: true }));
    plain.setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
    await until(plain, 'connect');
    if (proxy !== null) {
      const literal = address.family === 6 ? `[${address.text}]` : address.text;
      const value = authorization === null ? null : revealSecretText(authorization);
      await openTunnel(plain, `${literal}:${origin.port}`, value);
    }
    if (origin.scheme === 'http') return plain;
    const secure = keep(
      connectTls({
        socket: plain,
        secureContext,
        host: origin.host,
        // RFC 6066 section 3: an address is no server name; the certificate is checked against `host` then.
        servername: origin.address === null ? origin.host : '',
        ALPNProtocols: ['http/1.1'],
        rejectUnauthorized: true,
      }),
    );
    await until(secure, 'secureConnect');
    return secure;
  }

  async function openWithin(origin: Origin, address: Address, budgetMs: number): Promise<Socket> {
    const opened: Socket[] = [];
    const timer = setTimeout(() => {
      for (const socket of opened) socket.destroy(coded('ETIMEDOUT'));
    }, budgetMs);
    try {
      return await openOne(origin, address, opened);
    } catch (error) {
      for (const socket of opened) socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  return async function openSocket(origin: Origin): Promise<Socket> {
    const startedAt = performance.now();
    const checked = await withDeadline(guard(origin), connectTimeoutMs);
    const addresses = checked.slice(0, ADDRESSES_TRIED_MAX);
    let last = 'no time was left';
    for (const [index, address] of addresses.entries()) {
      const leftMs = connectTimeoutMs - (performance.now() - startedAt);
      if (leftMs <= 0) break;
      try {
        return await openWithin(origin, address, leftMs / (addresses.length - index));
      } catch (error) {
        last = `${address.text}: ${bareCause(error).message}`;
      }
    }
    const cause = new Error(`${origin.host} at ${last}`);
    throw new Failure('upstream-unavailable', 'the upstream could not be reached', { cause });
  };
}
