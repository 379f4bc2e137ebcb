// Parsing and printing of addresses and networks (model/address.ts, which everything here rests on): tables of both kinds, and
// agreement with the runtime's own parsers.
import assert from 'node:assert/strict';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressOf, contains, parseAddress, parseNetwork, parseNetworks, sourceOf, unmapped } from './address.ts';
import { Failure } from './failure.ts';

test('canonical texts are read and printed unchanged', () => {
  const texts = ['0.0.0.0', '1.2.3.4', '255.255.255.255', '::', '::1', '1::', 'fd00:ec2::254', '2001:db8:0:1:1:1:1:1'];
  for (const text of [...texts, '2001:0:0:1::1', '::ffff:7f00:1', '64:ff9b::a9fe:a9fe', 'fe80::1:0:0:1']) {
    assert.equal(parseAddress(text)?.text, text, text);
  }
});

test('other spellings of IPv6 are read and printed in canonical form', () => {
  const spellings = {
    '0000::1': '::1',
    '0:0:0:0:0:ffff:127.0.0.1': '::ffff:7f00:1',
    '::FFFF:169.254.169.254': '::ffff:a9fe:a9fe',
    '2001:DB8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
    '1:2:3:4:5:6:7::': '1:2:3:4:5:6:7:0',
  };
  for (const [given, canonical] of Object.entries(spellings)) assert.equal(parseAddress(given)?.text, canonical);
});

test('what is not an address in strict form is refused', () => {
  const dotted = [
    '',
    '1',
    '127.1',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '0177.0.0.1',
    '0x7f.0.0.1',
    '256.1.1.1',
    '1.2.3.4 ',
  ];
  const others = ['0x7f000001', '3232235777', '1.2.3.-4', '１.2.3.4', '1..2.3', ' 1.2.3.4', '1.2.3.4\n'];
  const six = [':', ':::', '1:::2', '::1::2', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '::12345', '::g', 'fe80::1%eth0'];
  const mixed = ['[::1]', '::1.2.3', '::01.2.3.4', '1.2.3.4::', '::1.2.3.4:5', '1:2:3:4:5:6:7::8', '0::0::'];
  for (const text of [...dotted, ...others, ...six, ...mixed]) assert.equal(parseAddress(text), null, text);
});

test('every IPv4 value survives printing and parsing, and the runtime reads the text too', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 0xffff_ffffn), (value) => {
      const address = addressOf(4, value);
      assert.equal(parseAddress(address.text)?.value, value);
      assert.ok(isIPv4(address.text));
    }),
  );
});

test('every IPv6 value survives printing and parsing, and is printed as WHATWG URL prints it', () => {
  const group = fc.oneof(fc.constant(0n), fc.bigInt(0n, 0xffffn));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const address = addressOf(
        6,
        groups.reduce((value, part) => (value << 16n) | part, 0n),
      );
      assert.equal(parseAddress(address.text)?.value, address.value);
      assert.ok(isIPv6(address.text));
      assert.equal(new URL(`https://[${address.text}]`).hostname, `[${address.text}]`);
    }),
  );
});

test('no text is read that the runtime calls no address', () => {
  const characters = fc.constantFrom('0', '1', '9', 'a', 'F', 'x', ':', '::', '.', '%', '[', ' ', '255', '00');
  fc.assert(
    fc.property(fc.array(characters, { maxLength: 12 }), (parts) => {
      const text = parts.join('');
      const address = parseAddress(text);
      if (address !== null) assert.ok(address.family === 4 ? isIPv4(text) : isIPv6(text), text);
    }),
    { numRuns: 2000 },
  );
});

test('a mapped address is unmapped, any other stays', () => {
  assert.equal(unmapped(parseAddress('::ffff:10.0.0.1')!).text, '10.0.0.1');
  for (const text of ['::10.0.0.1', '::1', '64:ff9b::a00:1', '10.0.0.1']) {
    assert.equal(unmapped(parseAddress(text)!).value, parseAddress(text)!.value);
  }
});

test('a network has its host bits at zero and a prefix in range', () => {
  for (const text of ['10.0.0.0/8', '0.0.0.0/0', '192.0.0.192/32', 'fd00::/8', '::/0', '::1/128']) {
    assert.notEqual(parseNetwork(text), null, text);
  }
  const wrong = [
    '10.0.0.1/8',
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0.0/',
    '10/8',
    '/8',
    'fd00::1/8',
    '::/129',
  ];
  for (const text of [...wrong, '10.0.0.0/8/8', '10.0.0.0/-1', '10.0.0.0/ 8', ''])
    assert.equal(parseNetwork(text), null, text);
});

test('a setting with wrong networks is refused as a whole, each with its pointer', () => {
  assert.throws(
    () => parseNetworks(['10.0.0.0/8', '10.0.0.1/8', 'all']),
    (error) =>
      Failure.is(error, 'invalid') &&
      error.errors.map((one) => one.pointer).join() === '/privateNetworks/1,/privateNetworks/2',
  );
});

test('membership agrees with the block list of the runtime', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 0xffff_ffffn), fc.bigInt(0n, 0xffff_ffffn), fc.nat(32), (inside, other, prefix) => {
      const hostBits = BigInt(32 - prefix);
      const base = addressOf(4, (inside >> hostBits) << hostBits);
      const network = parseNetwork(`${base.text}/${prefix}`)!;
      const list = new BlockList();
      list.addSubnet(base.text, prefix, 'ipv4');
      for (const value of [inside, other]) {
        const address = addressOf(4, value);
        assert.equal(contains(network, address), list.check(address.text, 'ipv4'));
        assert.equal(contains(network, addressOf(6, (0xffffn << 32n) | value)), list.check(address.text, 'ipv4'));
      }
    }),
  );
});

test('the peer is the source, unless it is trusted and says otherwise', () => {
  const trusted = parseNetworks(['10.0.0.0/8', '::1/128']);
  const table: [string, string, string][] = [
    ['192.0.2.1', '203.0.113.9', '192.0.2.1'],
    ['10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['10.0.0.1', '1.1.1.1, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
    ['10.0.0.1', '1.1.1.1, nonsense, 10.0.0.2', '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', '10.0.0.2, 10.0.0.3', '10.0.0.1'],
    ['::1', '2001:db8::1', '2001:db8::1'],
  ];
  for (const [peer, claims, source] of table)
    assert.equal(sourceOf(peer, claims, trusted), source, `${peer} ${claims}`);
  assert.equal(sourceOf('10.0.0.1', '203.0.113.9', []), '10.0.0.1');
});
