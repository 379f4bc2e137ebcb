// Which addresses may be dialled. Classifies every address by the IANA special-purpose registries and decides, with the
// networks that a provider's settings name, whether it may be reached. Not here: parsing (model/address.ts), resolving names
// (resolve.io.ts).
//
// Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 with its updates), IANA IPv6 address space
// (only 2000::/3 is global unicast), RFC 6052 and RFC 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo); metadata addresses
// as the clouds document them. Whatever no line names is public in IPv4, and reserved in IPv6 unless inside 2000::/3.
import {
  type Address,
  addressOf,
  contains,
  type Network,
  parseAddress,
  parseNetwork,
  unmapped,
} from '../model/address.ts';

export type AddressClass =
  | 'public'
  | 'loopback'
  | 'private'
  | 'link-local'
  | 'metadata'
  | 'multicast'
  | 'reserved'
  | 'unspecified';

/**
 * Services that hand credentials to whoever can reach them, and the machine's own control endpoints. Refused whatever the
 * settings say. Several lie in networks that an operator may well name (link-local, shared, unique local), one is public.
 */
const METADATA = [
  '169.254.169.254', // AWS, Google Cloud, Azure, DigitalOcean, OpenStack, Hetzner, IBM, …
  '169.254.169.253', // AWS resolver
  '169.254.169.123', // AWS time
  '169.254.170.2', // AWS ECS task credentials
  '169.254.170.23', // AWS EKS pod identity
  '169.254.42.42', // Scaleway
  '169.254.0.23', // Tencent Cloud
  '169.254.10.10', // Tencent Cloud
  '100.100.100.200', // Alibaba Cloud
  '192.0.0.192', // Oracle Cloud, classic
  '168.63.129.16', // Azure wire server
  'fd00:ec2::254', // AWS
  'fd00:ec2::253', // AWS resolver
  'fd00:ec2::123', // AWS time
  'fd00:ec2::23', // AWS EKS pod identity
  'fd20:ce::254', // Google Cloud
  'fd00:42::42', // Scaleway
  'fe80::a9fe:a9fe', // OpenStack
].map((text) => parseAddress(text)!);

const TABLE: readonly (readonly [Network, AddressClass])[] = (
  [
    ['0.0.0.0/32', 'unspecified'],
    ['0.0.0.0/8', 'reserved'],
    ['10.0.0.0/8', 'private'],
    ['100.64.0.0/10', 'private'], // shared address space, RFC 6598: also what overlay networks use
    ['127.0.0.0/8', 'loopback'],
    ['169.254.0.0/16', 'link-local'],
    ['172.16.0.0/12', 'private'],
    ['192.0.0.0/24', 'reserved'],
    ['192.0.2.0/24', 'reserved'],
    ['192.31.196.0/24', 'reserved'],
    ['192.52.193.0/24', 'reserved'],
    ['192.88.99.0/24', 'reserved'],
    ['192.168.0.0/16', 'private'],
    ['192.175.48.0/24', 'reserved'],
    ['198.18.0.0/15', 'reserved'],
    ['198.51.100.0/24', 'reserved'],
    ['203.0.113.0/24', 'reserved'],
    ['224.0.0.0/4', 'multicast'],
    ['240.0.0.0/4', 'reserved'],
    ['::/128', 'unspecified'],
    ['::1/128', 'loopback'],
    ['64:ff9b:1::/48', 'private'], // local-use NAT64, RFC 8215
    ['2001::/23', 'reserved'], // Teredo, benchmarking, ORCHID and the other protocol assignments
    ['2001:db8::/32', 'reserved'],
    ['2002::/16', 'reserved'], // 6to4: the packet would leave for an IPv4 address that nobody checked
    ['2620:4f:8000::/48', 'reserved'],
    ['3fff::/20', 'reserved'],
    ['fc00::/7', 'private'],
    ['fe80::/10', 'link-local'],
    ['ff00::/8', 'multicast'],
  ] as const
).map(([text, kind]) => [parseNetwork(text)!, kind] as const);

const GLOBAL_UNICAST = parseNetwork('2000::/3')!;
const NAT64 = parseNetwork('64:ff9b::/96')!;
const NAT64_LOCAL = parseNetwork('64:ff9b:1::/48')!;
const SIX_TO_FOUR = parseNetwork('2002::/16')!;
const TEREDO = parseNetwork('2001::/32')!;

function ipv4At(value: bigint, shift: bigint): Address {
  return addressOf(4, (value >> shift) & 0xffff_ffffn);
}

/** RFC 6052 section 2.2: below a /96 the IPv4 address stands on both sides of bits 64 to 71, `highBits` of it before them. */
function nat64At(value: bigint, highBits: bigint): Address {
  const lowBits = 32n - highBits;
  const high = (value >> 64n) & ((1n << highBits) - 1n);
  const low = (value >> (24n + highBits)) & ((1n << lowBits) - 1n);
  return addressOf(4, (high << lowBits) | low);
}

/** The IPv4 addresses that a packet to this IPv6 address may end at, by the transition mechanism its prefix names. */
export function embeddedAddresses(address: Address): readonly Address[] {
  const { value } = address;
  if (address.family === 4) return [];
  if (value >> 32n === 0xffffn || contains(NAT64, address)) return [ipv4At(value, 0n)];
  if (contains(NAT64_LOCAL, address)) {
    return [ipv4At(value, 0n), nat64At(value, 16n), nat64At(value, 8n), nat64At(value, 0n)];
  }
  if (contains(SIX_TO_FOUR, address)) return [ipv4At(value, 80n)];
  if (contains(TEREDO, address)) return [ipv4At(value, 64n), ipv4At(value ^ 0xffff_ffffn, 0n)];
  if (value >> 32n === 0n && value > 1n) return [ipv4At(value, 0n)]; // IPv4-compatible, deprecated
  return [];
}

function isMetadata(address: Address): boolean {
  return METADATA.some((known) => known.family === address.family && known.value === address.value);
}

/** The one class of an address. `metadata` wins over every other, also where it hides inside an IPv6 transition address. */
export function classifyAddress(given: Address): AddressClass {
  const address = unmapped(given);
  const embedded = embeddedAddresses(address);
  if (isMetadata(address) || embedded.some(isMetadata)) return 'metadata';
  // RFC 6052 section 3.1: the well-known prefix stands for public IPv4 addresses only.
  if (contains(NAT64, address)) return classifyAddress(embedded[0]!) === 'public' ? 'public' : 'reserved';
  for (const [network, kind] of TABLE) {
    if (contains(network, address)) return kind;
  }
  return address.family === 4 || contains(GLOBAL_UNICAST, address) ? 'public' : 'reserved';
}

const NAMEABLE: ReadonlySet<AddressClass> = new Set(['public', 'loopback', 'private', 'link-local']);

/** Whether the settings' networks hold the address and it is of a kind that settings can open at all. */
export function isInside(address: Address, privateNetworks: readonly Network[]): boolean {
  return NAMEABLE.has(classifyAddress(address)) && privateNetworks.some((network) => contains(network, address));
}

/** Whether the address may be dialled: public, or inside a network that the settings name. Metadata, multicast, reserved and unspecified never. */
export function isAddressAllowed(address: Address, privateNetworks: readonly Network[]): boolean {
  return classifyAddress(address) === 'public' || isInside(address, privateNetworks);
}

export interface Reach {
  readonly privateNetworks: readonly Network[];
  /** Every address must lie inside `privateNetworks`, public ones too: plain http, and names that only a private network has. */
  readonly privateOnly: boolean;
}

export type CheckedAddresses =
  | { readonly is: 'allowed'; readonly addresses: readonly Address[] }
  /** `address` is the first that may not be dialled; null where there was none at all. */
  | { readonly is: 'refused'; readonly address: Address | null; readonly class: AddressClass | null };

/** Judges the answer of a resolver as a whole: one address that may not be dialled refuses them all, for whoever mixes them chooses. */
export function checkAddresses(addresses: readonly Address[], reach: Reach): CheckedAddresses {
  const may = reach.privateOnly ? isInside : isAddressAllowed;
  const refused = addresses.find((address) => !may(address, reach.privateNetworks));
  if (refused !== undefined) return { is: 'refused', address: refused, class: classifyAddress(refused) };
  if (addresses.length === 0) return { is: 'refused', address: null, class: null };
  return { is: 'allowed', addresses: addresses.map(unmapped) };
}
