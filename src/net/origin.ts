// The origin of an upstream: what an operator may configure, judged on the raw text before any URL parser has touched it.
// Exactly `https://host` or `https://host:port`, and `http:` only towards a private network that the settings name.
// Not here: what the name resolves to (resolve.io.ts asks at every new connection), redirects (redirect.ts).
// Follows DESIGN section 9 and docs/adr/0009-outbound.md.

import { type Address, parseNetworks } from '../model/address.ts';
import type { ProviderSettings } from '../providers/provider.ts';
import { isInside, type Reach } from './address.ts';
import { type HostRefusal, judgeHost } from './host.ts';

export interface Origin {
  /** Canonical text, equal to what was given. */
  readonly text: string;
  readonly scheme: 'https' | 'http';
  /** A DNS name, or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
  /** The address where the host is a literal, else null. */
  readonly address: Address | null;
  /** Where connections may go. */
  readonly reach: Reach;
}

export type OriginRefusal =
  | HostRefusal
  /** Not `https://`, and not `http://` either. */
  | 'scheme'
  /** White space, control characters, backslashes or anything beyond printable ASCII. */
  | 'characters'
  | 'userinfo'
  /** Something stands behind the authority, be it one slash. */
  | 'path'
  /** Not a number from 1 to 65535, or the scheme's own port spelt out. */
  | 'port'
  /** `http:` without `plainHttp` and a private network, or to a host outside it. */
  | 'plain-http'
  /** An IP address outside `privateNetworks`: a public service has a name, and a certificate for it. */
  | 'address'
  /** A name that only a private network has, where the settings name none. */
  | 'private-name';

export type OriginVerdict =
  | { readonly is: 'origin'; readonly origin: Origin }
  | { readonly is: 'refused'; readonly reason: OriginRefusal };

/** The settings that an origin is judged by. */
export type OriginSettings = Pick<ProviderSettings, 'privateNetworks' | 'plainHttp'>;

const AUTHORITY = /^(\[[^\]]*\]|[^:]*)(?::([^:]*))?$/;
const PORT = /^[1-9][0-9]{0,4}$/;
const DEFAULT_PORT = { https: 443, http: 80 } as const;

function refused(reason: OriginRefusal): OriginVerdict {
  return { is: 'refused', reason };
}

/**
 * Judges the text of an upstream origin. The result says why it was refused, in a closed set of reasons; the text itself
 * comes back unchanged or not at all. Throws `invalid` where the settings' networks are not in CIDR form.
 */
export function validateOrigin(text: string, settings: OriginSettings): OriginVerdict {
  const privateNetworks = parseNetworks(settings.privateNetworks);
  if (!/^[!-~]+$/.test(text) || text.includes('\\')) return refused('characters');
  const scheme = text.startsWith('https://') ? 'https' : text.startsWith('http://') ? 'http' : null;
  if (scheme === null) return refused('scheme');
  const authority = text.slice(scheme.length + 3);
  if (authority.includes('@')) return refused('userinfo');
  if (/[/?#]/.test(authority)) return refused('path');
  const match = AUTHORITY.exec(authority);
  if (match === null) return refused('address-form');
  const portText = match[2];
  const port = portText === undefined ? DEFAULT_PORT[scheme] : Number(portText);
  if (portText !== undefined && (!PORT.test(portText) || port > 65535 || port === DEFAULT_PORT[scheme])) {
    return refused('port');
  }
  const host = judgeHost(match[1]!);
  if (host.is === 'refused') return host;
  const isPlain = scheme === 'http';
  if (isPlain && !(settings.plainHttp && privateNetworks.length > 0)) return refused('plain-http');
  if (host.is === 'address' && !isInside(host.address, privateNetworks)) return refused('address');
  const isPrivateName = host.is === 'name' && host.scope === 'private';
  if (isPrivateName && privateNetworks.length === 0) return refused('private-name');
  // A second opinion: whatever reads this text as a URL must see the same bytes.
  if (!URL.canParse(text) || new URL(text).origin !== text) return refused('name-form');
  return {
    is: 'origin',
    origin: {
      text,
      scheme,
      host: host.is === 'name' ? host.name : host.address.text,
      port,
      address: host.is === 'address' ? host.address : null,
      reach: { privateNetworks, privateOnly: isPlain || isPrivateName || host.is === 'address' },
    },
  };
}
