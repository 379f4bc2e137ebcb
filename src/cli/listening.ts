// Why a server could not listen, in words: which listener, where, and what to do. Not here: listening (serve.io.ts and http/server.io.ts
// of the house, which say it with the system's own error as the cause).
import type { Config, ListenerConfig } from '../config/config.ts';
import { Failure } from '../model/failure.ts';

const REASONS: Readonly<Record<string, readonly [why: string, what: string]>> = {
  EADDRINUSE: [
    'the address is in use',
    'end what listens there (another Claviger server?), or name another port in {option}',
  ],
  EADDRNOTAVAIL: ['this machine has no such address', 'name an address of this machine in {option}'],
  EACCES: [
    'it is not allowed',
    'ports below 1024 need a privilege: name a higher one in {option}, or give the service CAP_NET_BIND_SERVICE',
  ],
};

/** How the Failure of the API's listener is told from the broker's: it points at its option. */
export const API_LISTEN = '/api/listen';

/** A Failure `unavailable` that a person can act on; null where the error is not about listening. */
export function listenFailure(error: unknown, config: Pick<Config, 'broker' | 'api'>): Failure | null {
  if (!Failure.is(error, 'unavailable')) return null;
  const { cause } = error;
  if (!(cause instanceof Error) || !('syscall' in cause) || cause.syscall !== 'listen') return null;
  const isApi = error.errors.some(({ pointer }) => pointer === API_LISTEN);
  const [title, option, listener] = isApi
    ? (['control API', 'api.listen', config.api] as const)
    : (['broker', 'broker.listen', config.broker] as const);
  const code = 'code' in cause ? String(cause.code) : 'unknown';
  const [why, what] = REASONS[code] ?? [`the system says ${code}`, 'look at {option}'];
  return new Failure('unavailable', `the ${title} cannot listen on ${addressText(listener)}: ${why}`, {
    cause,
    errors: [{ pointer: isApi ? API_LISTEN : '/broker/listen', detail: what.replace('{option}', option) }],
  });
}

function addressText({ host, port }: ListenerConfig): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}
