// IP addresses as values: strict parsing, one canonical text for each, and networks in CIDR form. Nothing here knows which
// addresses are safe to reach (special.ts) and nothing asks the network.
//
// Strict means: an IPv4 address is four decimal octets without leading zeros (RFC 6943 section 3.1.1 explains what the loose
// forms cost), an IPv6 address is RFC 4291 section 2.2 text without a zone. The canonical text of IPv6 is RFC 5952 in pure
// hexadecimal groups, which is also what WHATWG URL prints.
import { Failure } from './failure.ts';

export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
  /** Canonical text, without brackets. */
  readonly text: string;
}

export interface Network {
  readonly family: 4 | 6;
  readonly value: bigint;
  readonly prefix: number;
}

const OCTET = /^(?:0|[1-9][0-9]{0,2})$/;
const GROUP = /^[0-9a-fA-F]{1,4}$/;

function parseIpv4Value(text: string): bigint | null {
  const octets = text.split('.', 5);
  if (octets.length !== 4) return null;
  let value = 0n;
  for (const octet of octets) {
    if (!OCTET.test(octet) || Number(octet) > 255) return null;
    value = (value << 8n) | BigInt(octet);
  }
  return value;
}

/** The 16-bit groups of one side of a `::`, an IPv4 tail as its two groups; null where the text is wrong. */
function parseGroups(text: string, mayEndInIpv4: boolean): bigint[] | null {
  if (text === '') return [];
  const parts = text.split(':', 9);
  const groups: bigint[] = [];
  for (const [index, part] of parts.entries()) {
    if (GROUP.test(part)) {
      groups.push(BigInt(`0x${part}`));
    } else {
      const tail = mayEndInIpv4 && index === parts.length - 1 ? parseIpv4Value(part) : null;
      if (tail === null) return null;
      groups.push(tail >> 16n, tail & 0xffffn);
    }
  }
  return groups;
}

function parseIpv6Value(text: string): bigint | null {
  if (text.length > 45) return null;
  const sides = text.split('::', 3);
  if (sides.length > 2) return null;
  const head = parseGroups(sides[0]!, sides.length === 1);
  const tail = sides.length === 2 ? parseGroups(sides[1]!, true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (sides.length === 2 ? missing < 1 : missing !== 0) return null;
  const groups = [...head, ...new Array<bigint>(missing).fill(0n), ...tail];
  return groups.reduce((value, group) => (value << 16n) | group, 0n);
}

function formatIpv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 0xffn)).join('.');
}

/** RFC 5952 section 4: lower case, the first longest run of two or more zero groups becomes `::`. */
function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => (value >> BigInt(112 - 16 * index)) & 0xffffn);
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0n) length++;
    if (length > best.length) best = { start, length };
  }
  const text = groups.map((group) => group.toString(16));
  if (best.start < 0) return text.join(':');
  return `${text.slice(0, best.start).join(':')}::${text.slice(best.start + best.length).join(':')}`;
}

/** The address with this value. Asserts nothing: the caller keeps `value` below 2^32 or 2^128. */
export function addressOf(family: 4 | 6, value: bigint): Address {
  return { family, value, text: family === 4 ? formatIpv4(value) : formatIpv6(value) };
}

/** The address that the text spells, or null. Upper case and uncompressed IPv6 are read; compare with `.text` to insist on the canonical form. */
export function parseAddress(text: string): Address | null {
  if (text.includes(':')) {
    const value = parseIpv6Value(text);
    return value === null ? null : addressOf(6, value);
  }
  const value = parseIpv4Value(text);
  return value === null ? null : addressOf(4, value);
}

/** An IPv4-mapped IPv6 address (::ffff:0:0/96) as the IPv4 address it means on a socket; any other address as it is. */
export function unmapped(address: Address): Address {
  if (address.family === 4 || address.value >> 32n !== 0xffffn) return address;
  return addressOf(4, address.value & 0xffff_ffffn);
}

/** A network `address/prefix`, or null: wrong text, a prefix out of range, or host bits that are set. */
export function parseNetwork(text: string): Network | null {
  const slash = text.indexOf('/');
  const address = slash < 0 ? null : parseAddress(text.slice(0, slash));
  const prefixText = text.slice(slash + 1);
  if (address === null || !OCTET.test(prefixText)) return null;
  const width = address.family === 4 ? 32 : 128;
  const prefix = Number(prefixText);
  if (prefix > width) return null;
  const hostBits = BigInt(width - prefix);
  if ((address.value >> hostBits) << hostBits !== address.value) return null;
  return { family: address.family, value: address.value, prefix };
}

/** All networks of a setting. Throws `invalid` with a pointer for each that is wrong: a typing error must not become "nothing" or "everything". */
export function parseNetworks(texts: readonly string[], pointer = '/privateNetworks'): readonly Network[] {
  const networks: Network[] = [];
  const errors: { pointer: string; detail: string }[] = [];
  for (const [index, text] of texts.entries()) {
    const network = parseNetwork(text);
    if (network === null) {
      errors.push({ pointer: `${pointer}/${index}`, detail: 'not a network in CIDR form with its host bits at zero' });
    } else {
      networks.push(network);
    }
  }
  if (errors.length > 0) throw new Failure('invalid', 'a private network is not in CIDR form', { errors });
  return networks;
}

/** Whether the network holds the address. An IPv4-mapped address is looked for as IPv4. */
export function contains(network: Network, address: Address): boolean {
  const plain = unmapped(address);
  if (plain.family !== network.family) return false;
  const hostBits = BigInt((plain.family === 4 ? 32 : 128) - network.prefix);
  return plain.value >> hostBits === network.value >> hostBits;
}

/**
 * The caller's address: the socket's peer or, where that is a trusted proxy, the last address of X-Forwarded-For that is not. A claim that
 * is no address ends the search, and the peer it is. `forwardedFor`: the header's lines joined by commas, empty where there is none.
 */
export function sourceOf(peer: string, forwardedFor: string, trusted: readonly Network[]): string {
  const isTrusted = (address: Address | null) =>
    address !== null && trusted.some((network) => contains(network, address));
  if (!isTrusted(parseAddress(peer))) return peer;
  const claims = forwardedFor.split(',').map((text) => parseAddress(text.trim()));
  for (const claim of claims.reverse()) {
    if (claim === null) return peer;
    if (!isTrusted(claim)) return claim.text;
  }
  return peer;
}

/** One key for an IPv4 address, mapped or not, and one for the /64 of an IPv6 address: whoever has one of its addresses has them all. */
export function sourceKey(remote: string): string {
  const address = parseAddress(remote);
  if (address === null) return 'unknown';
  const plain = unmapped(address);
  return plain.family === 4 ? plain.text : `${(plain.value >> 64n).toString(16)}/64`;
}
