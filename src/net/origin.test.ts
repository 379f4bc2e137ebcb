// Which origins an operator may configure: judged on the raw text, so that no two parsers can disagree about it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../model/failure.ts';
import { type OriginSettings, validateOrigin } from './origin.ts';

const PUBLIC: OriginSettings = { privateNetworks: [], plainHttp: false };
const PRIVATE: OriginSettings = { privateNetworks: ['10.0.0.0/8', '127.0.0.0/8', 'fd00::/8'], plainHttp: true };

function reasonOf(text: string, settings: OriginSettings): string {
  const verdict = validateOrigin(text, settings);
  return verdict.is === 'refused' ? verdict.reason : verdict.is;
}

test('public https names are origins', () => {
  for (const text of ['https://api.example.com', 'https://xn--bcher-kva.example.org:8443', 'https://a.b-c.d1.io:1']) {
    const verdict = validateOrigin(text, PUBLIC);
    assert.equal(verdict.is === 'origin' && verdict.origin.text, text);
    assert.equal(verdict.is === 'origin' && verdict.origin.reach.privateOnly, false);
  }
  const verdict = validateOrigin('https://api.example.com', PUBLIC);
  assert.ok(verdict.is === 'origin');
  assert.deepEqual([verdict.origin.host, verdict.origin.port, verdict.origin.address], ['api.example.com', 443, null]);
});

const REFUSED: Readonly<Record<string, readonly string[]>> = {
  characters: [
    '',
    ' https://a.com',
    'https://a.com\n',
    'https://a.com\\',
    'https://ⓔⓧ.com',
    'https://a\u0000.com',
    'https://a\tb.com',
  ],
  scheme: [
    'HTTPS://a.com',
    'ftp://a.com',
    'a.com',
    '//a.com',
    'https:a.com',
    'https:/a.com',
    'file:///etc',
    'wss://a.com',
  ],
  userinfo: ['https://u@a.com', 'https://u:p@a.com', 'https://a.com:80@127.0.0.1'],
  path: ['https://a.com/', 'https://a.com?x', 'https://a.com#', 'https://a.com/b', 'https:///a.com'],
  port: [
    'https://a.com:',
    'https://a.com:443',
    'https://a.com:0',
    'https://a.com:065',
    'https://a.com:65536',
    'https://a.com:8x',
  ],
  'address-form': [
    'https://0x7f000001',
    'https://0177.0.0.1',
    'https://3232235777',
    'https://127.1',
    'https://1.2.3.4.5',
  ]
    .concat([
      'https://0',
      'https://a.0x1',
      'https://256.1.1.1',
      'https://[::1',
      'https://[0::1]',
      'https://[::FFFF:1.2.3.4]',
    ])
    .concat([
      'https://[::ffff:1.2.3.4]',
      'https://[fe80::1%eth0]',
      'https://a:b:c',
      'https://[1.2.3.4]',
      'https://q177.0.0.1',
    ]),
  'name-form': [
    'https://',
    'https://A.com',
    'https://a..com',
    'https://a.com.',
    'https://.com',
    'https://-a.com',
    'https://a-.com',
  ].concat([
    'https://a_b.com',
    'https://a%2eb.com',
    'https://xn--.com',
    'https://ab--c.com',
    `https://${'a'.repeat(64)}.com`,
  ]),
  'metadata-name': [
    'https://metadata.google.internal',
    'https://metadata.packet.net',
    'https://a.metadata.tencentyun.com',
  ],
  'special-use-name': [
    'https://localhost',
    'https://a.localhost',
    'https://x.invalid',
    'https://1.0.0.127.in-addr.arpa',
  ],
  'private-name': [
    'https://prefect',
    'https://a.local',
    'https://a.internal',
    'https://a.svc.cluster.local',
    'https://a.home.arpa',
  ],
  address: [
    'https://1.1.1.1',
    'https://127.0.0.1',
    'https://[::1]',
    'https://169.254.169.254',
    'https://[2606:4700::1]',
  ],
  'plain-http': ['http://api.example.com', 'http://127.0.0.1', 'http://a.local'],
};

for (const [reason, texts] of Object.entries(REFUSED)) {
  test(`refused for its ${reason}`, () => {
    for (const text of texts) assert.equal(reasonOf(text, PUBLIC), reason, JSON.stringify(text));
  });
}

test('private networks open private names, addresses inside them and plain http, towards private addresses only', () => {
  const texts = [
    'http://prefect:4200',
    'http://a.local',
    'https://a.internal',
    'https://10.0.0.1',
    'http://[fd00::1]:8080',
  ];
  for (const text of [...texts, 'http://api.example.com', 'http://127.0.0.1:4200']) {
    const verdict = validateOrigin(text, PRIVATE);
    assert.ok(verdict.is === 'origin', `${text}: ${verdict.is === 'refused' ? verdict.reason : ''}`);
    assert.equal(verdict.origin.reach.privateOnly, true, text);
  }
  const named = validateOrigin('https://api.example.com', PRIVATE);
  assert.equal(named.is === 'origin' && named.origin.reach.privateOnly, false);
});

test('private networks open nothing beside them, and metadata never', () => {
  const expected = {
    'http://1.1.1.1': 'address',
    'https://192.168.1.1': 'address',
    'http://169.254.169.254': 'address',
    'http://[fd00:ec2::254]': 'address',
    'http://0.0.0.0': 'address',
    'http://metadata': 'metadata-name',
    'http://instance-data': 'metadata-name',
    'http://metadata.google.internal': 'metadata-name',
    'http://localhost:22': 'special-use-name',
    'http://ip6-localhost': 'special-use-name',
    'http://127.0.0.1:80': 'port',
  };
  for (const [text, reason] of Object.entries(expected)) assert.equal(reasonOf(text, PRIVATE), reason, text);
  assert.equal(reasonOf('http://a.com', { privateNetworks: [], plainHttp: true }), 'plain-http');
  assert.equal(reasonOf('http://10.0.0.1', { privateNetworks: ['10.0.0.0/8'], plainHttp: false }), 'plain-http');
});

test('a network that is not in CIDR form is a failure, not an empty list', () => {
  assert.throws(
    () => validateOrigin('https://a.com', { privateNetworks: ['10.0.0.1/8'], plainHttp: false }),
    (error) => Failure.is(error, 'invalid'),
  );
});

test('whatever is accepted is read by a URL parser as exactly the same host, port and scheme', () => {
  const piece = fc.constantFrom(
    'a',
    'com',
    '.',
    '-',
    'xn--',
    '1',
    '0x1',
    '127',
    ':',
    '80',
    '[',
    ']',
    '::',
    '@',
    '/',
    '%2e',
    '_',
    'A',
  );
  const scheme = fc.constantFrom('https://', 'http://');
  const text = fc
    .tuple(scheme, fc.array(piece, { minLength: 1, maxLength: 8 }))
    .map(([first, rest]) => first + rest.join(''));
  fc.assert(
    fc.property(text, (given) => {
      const verdict = validateOrigin(given, PRIVATE);
      if (verdict.is === 'refused') return;
      const url = new URL(given);
      assert.equal(url.origin, given);
      assert.equal(url.hostname.replace(/^\[|\]$/g, ''), verdict.origin.host);
      assert.equal(`${url.protocol}`, `${verdict.origin.scheme}:`);
      assert.equal(url.username + url.password + url.search + url.hash, '');
    }),
    { numRuns: 5000 },
  );
});
