// Which hosts an upstream may have, judged on the text as it was written. Every name or number that would need normalising
// first is refused: 0x7f000001, 0177.0.0.1, 3232235777, ⓔⓧⓐⓜⓟⓛⓔ and EXAMPLE.com mean different things to different parsers.
// Not here: what a name resolves to (address.ts judges that, at every new connection).
//
// Sources: RFC 1123 section 2.1 and RFC 5891 section 4.2.3.1 (labels), RFC 6761 and the IANA registry of special-use domain
// names, ICANN's reservation of .internal (2024), RFC 6762 (.local), RFC 8375 (home.arpa).
import { type Address, parseAddress } from '../model/address.ts';

export type HostVerdict =
  /** `scope: private` is a name that only a private network can have: it may resolve to the settings' networks alone. */
  | { readonly is: 'name'; readonly name: string; readonly scope: 'public' | 'private' }
  | { readonly is: 'address'; readonly address: Address }
  | { readonly is: 'refused'; readonly reason: HostRefusal };

export type HostRefusal = 'address-form' | 'name-form' | 'metadata-name' | 'special-use-name';

/** Names of metadata services, with everything below them. Some answer with public addresses. */
const METADATA_NAMES = [
  'metadata',
  'instance-data',
  'rancher-metadata',
  'metadata.google.internal',
  'metadata.goog',
  'metadata.azure.internal',
  'metadata.packet.net',
  'metadata.platformequinix.com',
  'metadata.tencentyun.com',
  'instance-data.ec2.internal',
];

/** Never an upstream: they mean this machine, nothing at all, or another naming system. */
const NEVER = [
  'localhost',
  'localdomain',
  'ip6-localhost',
  'ip6-loopback',
  'broadcasthost',
  'invalid',
  'example',
  'onion',
  'alt',
  'arpa',
];

/** Names that exist only inside a private network. */
const PRIVATE_USE = ['local', 'internal', 'home.arpa', 'lan', 'home', 'corp', 'intranet', 'private', 'test'];

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** What the WHATWG URL standard reads as a number at the end of a host, which makes the whole host an IPv4 address. */
const NUMBER = /^(?:[0-9]+|0x[0-9a-f]*)$/;

function isAtOrBelow(name: string, suffix: string): boolean {
  return name === suffix || name.endsWith(`.${suffix}`);
}

function judgeLiteral(text: string, family: 4 | 6): HostVerdict {
  const address = parseAddress(text);
  if (address === null || address.family !== family || address.text !== text) {
    return { is: 'refused', reason: 'address-form' };
  }
  return { is: 'address', address };
}

/** Judges a host as it stands in an origin: a DNS name, an IPv4 address, or an IPv6 address in brackets, each in its canonical form. */
export function judgeHost(text: string): HostVerdict {
  if (text.startsWith('[')) {
    return text.endsWith(']') ? judgeLiteral(text.slice(1, -1), 6) : { is: 'refused', reason: 'address-form' };
  }
  const labels = text.split('.', 128);
  if (NUMBER.test(labels.at(-1)!)) return judgeLiteral(text, 4);
  // A dash in the third and fourth place is the mark of an encoding; xn-- is the only one that exists.
  const isWellFormed = labels.every(
    (label) => LABEL.test(label) && (label.slice(2, 4) !== '--' || label.startsWith('xn')),
  );
  if (text.length > 253 || !isWellFormed) return { is: 'refused', reason: 'name-form' };
  if (METADATA_NAMES.some((name) => isAtOrBelow(text, name))) return { is: 'refused', reason: 'metadata-name' };
  const isPrivateUse = labels.length === 1 || PRIVATE_USE.some((name) => isAtOrBelow(text, name));
  if (NEVER.some((name) => isAtOrBelow(text, name)) && !isAtOrBelow(text, 'home.arpa')) {
    return { is: 'refused', reason: 'special-use-name' };
  }
  return { is: 'name', name: text, scope: isPrivateUse ? 'private' : 'public' };
}
