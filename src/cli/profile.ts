// Which server a call speaks to and with which token: flags, then the environment, then the configuration of this machine. A token
// that lies beside a configuration goes to the listeners of that configuration and nowhere else: an address from a flag never
// receives a token that nobody named. Pure; reading files is done by who calls (program.io.ts).
import type { ListenerConfig } from '../config/config.ts';
import { parseAddress } from '../model/address.ts';
import { Failure } from '../model/failure.ts';

export interface ProfileInput {
  readonly flags: { readonly api: string | null; readonly tokenFile: string | null; readonly caFile: string | null };
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Where the token comes from: its text is read, and checked, later. */
export type TokenSource =
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'environment'; readonly name: string }
  /** The file beside the configuration. */
  | { readonly from: 'configuration' };

export interface Profile {
  /** Origin of the control API, or null: that of the configuration. */
  readonly origin: string | null;
  readonly token: TokenSource;
  readonly caFile: string | null;
}

export const TOKEN_VARIABLE = 'CLAVIGER_TOKEN';

/** What flags and environment say. Throws `invalid` for an address that is refused, and where a token would go astray. */
export function resolveProfile(input: ProfileInput): Profile {
  const { flags, env } = input;
  const set = (name: string): string | null => env[name] || null;
  const address = flags.api ?? set('CLAVIGER_API');
  const origin = address === null ? null : apiOrigin(address);
  const token = tokenSource(flags.tokenFile, set);
  if (origin !== null && token.from === 'configuration') {
    throw new Failure('unauthenticated', 'an address was given, but no token for it', {
      errors: [
        { pointer: '--token-file', detail: 'or CLAVIGER_TOKEN_FILE or CLAVIGER_TOKEN: the token for this address' },
      ],
    });
  }
  return { origin, token, caFile: flags.caFile ?? set('CLAVIGER_CA_FILE') };
}

function tokenSource(flag: string | null, set: (name: string) => string | null): TokenSource {
  if (flag !== null) return { from: 'file', path: flag };
  if (set(TOKEN_VARIABLE) !== null) return { from: 'environment', name: TOKEN_VARIABLE };
  const file = set('CLAVIGER_TOKEN_FILE');
  return file === null ? { from: 'configuration' } : { from: 'file', path: file };
}

/** The origin of an address. Throws `invalid` where it has a user, a path or a query, or would send the token in clear over a network. */
export function apiOrigin(address: string): string {
  const refuse = (why: string) => new Failure('invalid', `the address of the control API ${why}`);
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw refuse('is no URL: https://host:port');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse('begins with https:// or http://');
  if (url.username !== '' || url.password !== '') throw refuse('holds a user or a password');
  if (!/^\/(?:v1\/?)?$/.test(url.pathname) || url.search !== '' || url.hash !== '')
    throw refuse('has no path and no query');
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw refuse('is plain HTTP to another machine: the token would travel in clear');
  }
  return url.origin;
}

function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost') return true;
  const address = parseAddress(hostname.replace(/^\[|\]$/g, ''));
  if (address === null) return false;
  return address.family === 4 ? address.value >> 24n === 127n : address.value === 1n;
}

/** The origin under which a listener of this machine is reached from this machine. Null where its port is not known. */
export function listenerOrigin(listener: ListenerConfig): string | null {
  if (listener.port === 0) return null;
  const scheme = listener.tls === null ? 'http' : 'https';
  const host = listener.host === '0.0.0.0' ? '127.0.0.1' : listener.host === '::' ? '::1' : listener.host;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${listener.port}`;
}

/** The file beside a configuration in which `init` leaves the first admin's token: `claviger.token` for `claviger.yaml`. */
export function tokenFileBeside(configFile: string): string {
  return `${configFile.replace(/\.(?:ya?ml|json)$/i, '')}.token`;
}
