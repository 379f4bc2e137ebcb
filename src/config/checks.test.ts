// Each rule of a configuration, with what it lets pass and what it names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProviderSettings } from '../providers/provider.ts';
import { type Finding, judgeConfig, type ProgramFile, type Surroundings, type TlsFacts } from './checks.ts';
import type { Config, ListenerConfig } from './config.ts';
import { accepted } from './test-support.io.ts';

const DAY_MS = 24 * 3_600_000;
const NOW = 1_790_000_000_000;
const USER = 1000;

const DEFAULTS = accepted('').config;
/** A machine on which nothing is to be said about the defaults. */
const WELL: Surroundings = {
  now: NOW,
  userId: USER,
  configFile: { userId: USER, mode: 0o644 },
  dataDirectory: { is: 'directory', ownership: { userId: USER, mode: 0o700 } },
  tls: { broker: null, api: null },
  kekProblem: null,
  databaseProblem: null,
  secondCopy: { isDirectory: true, isInsideData: false, sharesDevice: false },
  programs: new Map(),
};

function judge(config: Partial<Config>, surroundings: Partial<Surroundings> = {}): readonly Finding[] {
  return judgeConfig({ ...DEFAULTS, ...config }, { ...WELL, ...surroundings }, ['neon', 'plaid']);
}

/** Each finding as `severity pointer message`, which must begin as is expected. */
function assertFindings(found: readonly Finding[], expected: readonly string[]): void {
  const texts = found.map(({ severity, pointer, message }) => `${severity} ${pointer} ${message}`);
  assert.equal(texts.length, expected.length, texts.join('\n'));
  for (const [index, start] of expected.entries()) assert.ok(texts[index]!.startsWith(start), texts.join('\n'));
}

function listener(host: string, port: number, rest: Partial<ListenerConfig> = {}): ListenerConfig {
  return { host, port, tls: null, terminatedBy: null, ...rest };
}

test('about the defaults on a machine that is well there is nothing to say', () => {
  assertFindings(judge({}), []);
});

test('a listener off loopback needs TLS, or the name of what terminates it', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
    assertFindings(judge({ broker: listener(host, 1) }), []);
  }
  for (const host of [
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '192.0.2.1',
    'fd00::1',
    '2001:4860::1',
    '::ffff:10.0.0.1',
    'localhost',
  ]) {
    assertFindings(judge({ broker: listener(host, 1) }), ['error /broker/listen a listener off loopback without TLS']);
    assertFindings(judge({ api: listener(host, 1) }), ['error /api/listen a listener off loopback without TLS']);
    const tls = { certificate: '/c', key: '/k' };
    assertFindings(judge({ broker: listener(host, 1, { tls }) }), []);
    const terminated = { broker: listener(host, 1, { terminatedBy: 'the ingress' }) };
    assertFindings(judge({ ...terminated, trustedProxies: ['10.0.0.0/8'] }), []);
    assertFindings(judge(terminated), [
      'warning /broker/terminatedBy TLS is terminated in front, but no proxy is trusted',
    ]);
  }
});

test('the API and the broker never listen at the same place', () => {
  const tls = { tls: { certificate: '/c', key: '/k' } };
  function isRefused(broker: string, api: string, port = 8200): boolean {
    const found = judge({ broker: listener(broker, port, tls), api: listener(api, port, tls) });
    return found.some(({ pointer, severity }) => pointer === '/api/listen' && severity === 'error');
  }
  const same = [
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    ['127.0.0.1', '::'],
    ['::', '::1'],
    ['::', '0.0.0.0'],
  ] as const;
  for (const [a, b] of [...same, ['::ffff:127.0.0.1', '127.0.0.1'], ['::ffff:0.0.0.0', '10.0.0.1']] as const) {
    assert.ok(isRefused(a, b) && isRefused(b, a), `${a} ${b}`);
    assert.ok(!isRefused(a, b, 0), 'any free port is never the same');
  }
  for (const [a, b] of [
    ['127.0.0.1', '127.0.0.2'],
    ['127.0.0.1', '::1'],
    ['0.0.0.0', '::1'],
  ] as const) {
    assert.ok(!isRefused(a, b) && !isRefused(b, a), `${a} ${b}`);
  }
});

test('the data directory is there, ours, and closed to everybody else', () => {
  const table: readonly (readonly [Surroundings['dataDirectory'], ...string[]])[] = [
    [{ is: 'absent' }, 'error /dataDirectory the data directory does not exist'],
    [{ is: 'not-a-directory' }, 'error /dataDirectory the data directory is not a directory'],
    [{ is: 'unreadable' }, 'error /dataDirectory the data directory cannot be looked into'],
    [{ is: 'directory', ownership: { userId: USER, mode: 0o750 } }, 'error /dataDirectory the data directory is open'],
    [{ is: 'directory', ownership: { userId: USER, mode: 0o701 } }, 'error /dataDirectory the data directory is open'],
    [
      { is: 'directory', ownership: { userId: USER, mode: 0o500 } },
      'error /dataDirectory the data directory is not fully',
    ],
    [
      { is: 'directory', ownership: { userId: 0, mode: 0o700 } },
      'error /dataDirectory the data directory belongs to another',
    ],
    [
      { is: 'directory', ownership: { userId: 1, mode: 0o777 } },
      'error /dataDirectory the data directory belongs',
      'error /dataDirectory the data directory is open',
    ],
  ];
  for (const [dataDirectory, ...expected] of table) assertFindings(judge({}, { dataDirectory }), expected);
  const anybody = { dataDirectory: { is: 'directory', ownership: { userId: 0, mode: 0o777 } }, userId: null } as const;
  assertFindings(judge({}, anybody), []);
});

test('a configuration that others can change is an error or a warning', () => {
  const file = (userId: number, mode: number) => judge({}, { configFile: { userId, mode } });
  assertFindings(file(USER, 0o646), ['error  the configuration file can be changed by everybody']);
  assertFindings(file(USER, 0o664), ['warning  the configuration file can be changed by its group']);
  assertFindings(file(1001, 0o600), ['warning  the configuration file can be changed by another user']);
  assertFindings(judge({}, { configFile: null }), []);
});

test('TLS files are readable, closed, of one pair, and valid for a while', () => {
  const ownership = { userId: USER, mode: 0o600 };
  const well: TlsFacts = {
    certificate: { is: 'read', ownership },
    key: { is: 'read', ownership },
    isPair: true,
    validity: { from: NOW - DAY_MS, until: NOW + 90 * DAY_MS },
  };
  const table: readonly (readonly [Partial<TlsFacts>, ...string[]])[] = [
    [{}],
    [
      { certificate: { is: 'unreadable' }, isPair: null, validity: null },
      'error /api/tls/certificate the certificate cannot be read',
    ],
    [
      { certificate: { is: 'unusable' }, isPair: null, validity: null },
      'error /api/tls/certificate the file holds no certificate',
    ],
    [{ key: { is: 'unreadable' }, isPair: null }, 'error /api/tls/key the private key cannot be read'],
    [{ key: { is: 'unusable' }, isPair: null }, 'error /api/tls/key the file holds no private key'],
    [{ key: { is: 'read', ownership: { userId: USER, mode: 0o644 } } }, 'error /api/tls/key the private key is open'],
    [{ key: { is: 'read', ownership: { userId: 0, mode: 0o640 } } }],
    [{ certificate: { is: 'read', ownership: { userId: 7, mode: 0o644 } } }],
    [{ isPair: false }, 'error /api/tls/key the private key is not that of the certificate'],
    [{ validity: { from: 0, until: NOW - 1 } }, 'warning /api/tls/certificate the certificate has expired'],
    [
      { validity: { from: NOW + 1, until: NOW + 90 * DAY_MS } },
      'warning /api/tls/certificate the certificate is not valid yet',
    ],
    [{ validity: { from: 0, until: NOW + 13 * DAY_MS } }, 'warning /api/tls/certificate the certificate expires'],
    [{ validity: { from: 0, until: NOW + 14 * DAY_MS } }],
  ];
  for (const [change, ...expected] of table) {
    assertFindings(judge({}, { tls: { broker: null, api: { ...well, ...change } } }), expected);
  }
});

test('what the vault says about the key file stands at the option that names it', () => {
  const kekProblem = 'lies inside the data directory';
  assertFindings(judge({ kek: { kind: 'key-file', path: '/k' } }, { kekProblem }), ['error /kek/path lies inside']);
  const passphrase = { kek: { kind: 'passphrase', from: { file: '/k' } } } as const;
  assertFindings(judge(passphrase, { kekProblem }), ['error /kek/from lies inside']);
  assertFindings(judge({}, { databaseProblem: 'not set' }), ['error /database/url not set']);
});

test('a second copy exists, outside the data directory, on other hardware', () => {
  const well = { isDirectory: true, isInsideData: false, sharesDevice: false };
  const table: readonly (readonly [Surroundings['secondCopy'], ...string[]])[] = [
    [null, 'warning /secondCopy no second copy'],
    [{ ...well, isDirectory: false }, 'error /secondCopy/directory the directory of second copies does not exist'],
    [
      { ...well, isInsideData: true, sharesDevice: true },
      'error /secondCopy/directory the directory of second copies lies inside',
    ],
    [{ ...well, sharesDevice: true }, 'warning /secondCopy/directory second copies lie on the same file system'],
  ];
  for (const [secondCopy, ...expected] of table) assertFindings(judge({}, { secondCopy }), expected);
});

test('a provider is known, its networks are networks, and its origin may be reached', () => {
  const well: ProviderSettings = { origin: 'https://api.example.com', privateNetworks: [], plainHttp: false };
  const at = '/providers/neon';
  const table: readonly (readonly [Partial<ProviderSettings>, ...string[]])[] = [
    [{}],
    [{ origin: 'https://api.example.com/' }, `error ${at}/origin the origin holds more than`],
    [{ origin: 'https://canary@api.example.com' }, `error ${at}/origin the origin holds a user`],
    [{ origin: 'ftp://api.example.com' }, `error ${at}/origin the origin begins neither`],
    [{ origin: 'https://api.example.com:443' }, `error ${at}/origin the port of the origin`],
    [{ origin: 'https://API.example.com' }, `error ${at}/origin the origin has a host name that is not`],
    [{ origin: 'https://2130706433' }, `error ${at}/origin the origin has a host that is neither`],
    [
      { origin: 'https://169.254.169.254', privateNetworks: ['169.254.0.0/16'] },
      `error ${at}/origin the origin is an address outside`,
    ],
    [{ origin: 'https://metadata.google.internal' }, `error ${at}/origin the origin is the name of a metadata`],
    [{ origin: 'https://localhost' }, `error ${at}/origin the origin is a name that is never`],
    [{ origin: 'https://neon.internal' }, `error ${at}/origin the origin is a name of a private network`],
    [{ origin: 'https://neon.internal', privateNetworks: ['10.0.0.0/8'] }],
    [{ origin: 'http://neon.internal', privateNetworks: ['10.0.0.0/8'] }, `error ${at}/origin http: needs plainHttp`],
    [{ origin: 'http://neon.internal', plainHttp: true }, `error ${at}/origin http: needs plainHttp`],
    [{ origin: 'http://neon.internal', plainHttp: true, privateNetworks: ['10.0.0.0/8'] }],
    [{ privateNetworks: ['10.0.0.0/8', '10.0.0.1/8'] }, `error ${at}/privateNetworks/1 not a network`],
    [{ privateNetworks: ['10.0.0.0'], origin: 'x' }, `error ${at}/privateNetworks/0 not a network`],
    [{ privateNetworks: ['::/0'] }, `error ${at}/privateNetworks/0 a network of all addresses`],
  ];
  for (const [change, ...expected] of table) {
    const found = judge({ providers: { neon: { ...well, ...change } } });
    assertFindings(found, expected);
    assert.ok(!JSON.stringify(found).includes('canary'));
  }
  const [unknown] = judge({ providers: { noen: well } });
  assert.deepEqual(
    [unknown?.severity, unknown?.pointer, unknown?.hint],
    ['error', '/providers/noen', 'did you mean neon?'],
  );
});

test('trusted proxies are networks, and not everybody', () => {
  const found = judge({
    trustedProxies: ['10.0.0.0/8', 'fd00::/8', '10.0.0.1', 'proxy', '10.1.0.0/8', '0.0.0.0/0', '::/0'],
  });
  assertFindings(found, [
    'error /trustedProxies/2 not a network',
    'error /trustedProxies/3 not a network',
    'error /trustedProxies/4 not a network',
    'error /trustedProxies/5 a network of all addresses',
    'error /trustedProxies/6 a network of all addresses',
  ]);
});

test('everything is found at once, errors first', () => {
  const found = judge(
    { broker: listener('0.0.0.0', 1), trustedProxies: ['x'] },
    { secondCopy: null, dataDirectory: { is: 'absent' } },
  );
  assertFindings(found, [
    'error /dataDirectory',
    'error /broker/listen',
    'error /trustedProxies/0',
    'warning /secondCopy',
  ]);
});

test('a program is there, can be executed, and is not anybody’s to change', () => {
  const at = '/programs/0/replace';
  const table: [ProgramFile, string | null][] = [
    [{ is: 'executable', ownership: { userId: 0, mode: 0o755 } }, null],
    [{ is: 'executable', ownership: { userId: USER, mode: 0o700 } }, null],
    [
      { is: 'executable', ownership: { userId: 0, mode: 0o757 } },
      `warning ${at} the program can be changed by everybody`,
    ],
    [
      { is: 'executable', ownership: { userId: 0, mode: 0o775 } },
      `warning ${at} the program can be changed by its group`,
    ],
    [
      { is: 'executable', ownership: { userId: 7, mode: 0o755 } },
      `warning ${at} the program can be changed by another user`,
    ],
    [{ is: 'absent' }, `error ${at} the program does not exist`],
    [{ is: 'not-a-file' }, `error ${at} the program is not a regular file`],
    [{ is: 'not-executable' }, `error ${at} the program cannot be executed`],
  ];
  for (const [file, expected] of table)
    assertFindings(judge({}, { programs: new Map([[at, file]]) }), expected === null ? [] : [expected]);
});

test('a program whose credential has a provider that nobody knows is told so', () => {
  const program = { replace: null, issue: ['/a'], revoke: null, timeoutMs: 30_000 };
  assertFindings(judge({ programs: [{ credential: 'prod/neon/a', ...program }] }), []);
  const found = judge({ programs: [{ credential: 'prod/noen/a', ...program }] });
  assertFindings(found, ['warning /programs/0/credential a program for a credential that cannot exist']);
  assert.match(found[0]!.hint!, /neon/);
});
