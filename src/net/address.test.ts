// The guard's rules: every class by table, every public IPv4 address against a naive list of ranges, metadata under any settings.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressOf, parseAddress, parseNetworks } from '../model/address.ts';
import { type AddressClass, checkAddresses, classifyAddress, embeddedAddresses, isAddressAllowed } from './address.ts';

const EXAMPLES: Record<AddressClass, readonly string[]> = {
  public: [
    '1.1.1.1',
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.0.1.0',
    '198.20.0.0',
  ].concat([
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450::1',
    '::ffff:8.8.8.8',
    '64:ff9b::8.8.8.8',
    '2620:4f:8001::1',
  ]),
  loopback: ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1'],
  private: [
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '100.127.255.255',
    'fd12::1',
    'fc00::1',
  ].concat(['::ffff:192.168.0.1', '64:ff9b:1::1']),
  'link-local': ['169.254.1.1', 'fe80::1', 'febf::1'],
  metadata: ['169.254.169.254', '169.254.170.2', '100.100.100.200', '192.0.0.192', '168.63.129.16', 'fd00:ec2::254']
    .concat([
      'fd20:ce::254',
      '::ffff:169.254.169.254',
      '64:ff9b::169.254.169.254',
      '2002:a9fe:a9fe::1',
      '::169.254.169.254',
    ])
    .concat(['2001:0:a9fe:a9fe::1', '2001:0:1:2:0:0:5601:5601', '64:ff9b:1::a9fe:a9fe', '64:ff9b:1:a9fe:a9:fe00::'])
    .concat(['64:ff9b:1:a9:fe:a9fe::', '64:ff9b:1:0:a9:fea9:fe00:0']),
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
  reserved: [
    '0.0.0.1',
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '240.0.0.1',
  ]
    .concat([
      '255.255.255.255',
      '192.88.99.1',
      '2001:db8::1',
      '3fff::1',
      '100::1',
      '2002:808:808::1',
      '2001:0:808:808::1',
    ])
    .concat([
      '64:ff9b::10.0.0.1',
      '64:ff9b::127.0.0.1',
      '::8.8.8.8',
      '4000::1',
      'fec0::1',
      '5f00::1',
      '::ffff:0:8.8.8.8',
    ]),
  unspecified: ['0.0.0.0', '::', '::ffff:0.0.0.0'],
};

for (const [kind, texts] of Object.entries(EXAMPLES)) {
  test(`addresses that are ${kind}`, () => {
    for (const text of texts) assert.equal(classifyAddress(parseAddress(text)!), kind, text);
  });
}

test('the IPv4 addresses inside transition addresses are found', () => {
  const found = (text: string): string[] => embeddedAddresses(parseAddress(text)!).map((address) => address.text);
  assert.deepEqual(found('64:ff9b::1.2.3.4'), ['1.2.3.4']);
  assert.deepEqual(found('2002:102:304::'), ['1.2.3.4']);
  // RFC 4380 section 4: server 65.54.227.120, client 192.0.2.45.
  assert.deepEqual(found('2001:0:4136:e378:8000:63bf:3fff:fdd2'), ['65.54.227.120', '192.0.2.45']);
  // RFC 6052 section 2.4, with the local-use prefix at /48 and /64.
  assert.ok(found('64:ff9b:1:c000:2:2100::').includes('192.0.2.33'));
  assert.ok(found('64:ff9b:1:0:c0:2:2100:0').includes('192.0.2.33'));
  assert.deepEqual(found('2606:4700::1'), []);
});

/** First and last address of everything special in IPv4, written out once more and differently than in the table. */
const SPECIAL_RANGES = [
  ['0.0.0.0', '0.255.255.255'],
  ['10.0.0.0', '10.255.255.255'],
  ['100.64.0.0', '100.127.255.255'],
  ['127.0.0.0', '127.255.255.255'],
  ['168.63.129.16', '168.63.129.16'],
  ['169.254.0.0', '169.254.255.255'],
  ['172.16.0.0', '172.31.255.255'],
  ['192.0.0.0', '192.0.0.255'],
  ['192.0.2.0', '192.0.2.255'],
  ['192.31.196.0', '192.31.196.255'],
  ['192.52.193.0', '192.52.193.255'],
  ['192.88.99.0', '192.88.99.255'],
  ['192.168.0.0', '192.168.255.255'],
  ['192.175.48.0', '192.175.48.255'],
  ['198.18.0.0', '198.19.255.255'],
  ['198.51.100.0', '198.51.100.255'],
  ['203.0.113.0', '203.0.113.255'],
  ['224.0.0.0', '255.255.255.255'],
] as const;

function numberOf(text: string): number {
  return text.split('.').reduce((value, octet) => value * 256 + Number(octet), 0);
}

function isSpecial(value: number): boolean {
  return SPECIAL_RANGES.some(([first, last]) => numberOf(first) <= value && value <= numberOf(last));
}

test('without private networks an IPv4 address is allowed exactly where no special range holds it', () => {
  const edges = SPECIAL_RANGES.flatMap(([first, last]) => [
    numberOf(first) - 1,
    numberOf(first),
    numberOf(last),
    numberOf(last) + 1,
  ]);
  const near = fc.constantFrom(...edges.filter((value) => value >= 0 && value <= 0xffff_ffff));
  fc.assert(
    fc.property(fc.oneof(near, fc.nat(0xffff_ffff)), (value) => {
      const address = addressOf(4, BigInt(value));
      assert.equal(isAddressAllowed(address, []), !isSpecial(value), address.text);
      assert.equal(isAddressAllowed(addressOf(6, (0xffffn << 32n) | BigInt(value)), []), !isSpecial(value));
    }),
    { numRuns: 5000 },
  );
});

test('metadata, multicast, reserved and unspecified addresses stay refused when the settings open everything', () => {
  const everything = parseNetworks(['0.0.0.0/0', '::/0']);
  for (const kind of ['metadata', 'multicast', 'reserved', 'unspecified'] as const) {
    for (const text of EXAMPLES[kind]) assert.equal(isAddressAllowed(parseAddress(text)!, everything), false, text);
  }
  for (const kind of ['public', 'loopback', 'private', 'link-local'] as const) {
    for (const text of EXAMPLES[kind]) assert.equal(isAddressAllowed(parseAddress(text)!, everything), true, text);
  }
});

test('a private network opens itself and nothing beside it', () => {
  const networks = parseNetworks(['10.1.0.0/16', 'fd12:3456::/32']);
  for (const text of ['10.1.0.1', '::ffff:10.1.255.255', 'fd12:3456::1']) {
    assert.equal(isAddressAllowed(parseAddress(text)!, networks), true, text);
  }
  for (const text of ['10.2.0.1', '127.0.0.1', 'fd12:3457::1', '64:ff9b::10.1.0.1', '2002:a01:1::']) {
    assert.equal(isAddressAllowed(parseAddress(text)!, networks), false, text);
  }
});

test('one forbidden address refuses the whole answer, wherever it stands', () => {
  const reach = { privateNetworks: [], privateOnly: false };
  const fine = ['93.184.216.34', '2606:4700::1'].map((text) => parseAddress(text)!);
  const bad = parseAddress('10.0.0.1')!;
  assert.equal(checkAddresses(fine, reach).is, 'allowed');
  for (const mixed of [[bad, ...fine], [...fine, bad], [bad]]) {
    assert.deepEqual(checkAddresses(mixed, reach), { is: 'refused', address: bad, class: 'private' });
  }
  assert.deepEqual(checkAddresses([], reach), { is: 'refused', address: null, class: null });
});

test('where only private addresses may be dialled, a public one is refused', () => {
  const reach = { privateNetworks: parseNetworks(['10.0.0.0/8']), privateOnly: true };
  assert.equal(checkAddresses([parseAddress('10.0.0.1')!], reach).is, 'allowed');
  assert.equal(checkAddresses([parseAddress('10.0.0.1')!, parseAddress('8.8.8.8')!], reach).is, 'refused');
});

test('what passes is dialled as IPv4 where it was mapped', () => {
  const reach = { privateNetworks: [], privateOnly: false };
  const checked = checkAddresses([parseAddress('::ffff:8.8.8.8')!], reach);
  assert.equal(checked.is === 'allowed' && checked.addresses[0]?.text, '8.8.8.8');
});
