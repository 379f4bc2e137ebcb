// From text to the configuration in force: defaults, forms, overrides, and where each value came from.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepted, problems } from './test-support.io.ts';

test('without a file, or with an empty one, the defaults hold: loopback, SQLite beside the file, sealed', () => {
  for (const text of [null, '', '\n', '# nothing\n', '---\n', '{}', 'null', '\ufeff']) {
    const { config, sources } = accepted(text);
    assert.equal(config.dataDirectory, '/etc/claviger/claviger-data');
    assert.deepEqual(config.broker, { host: '127.0.0.1', port: 8200, tls: null, terminatedBy: null });
    assert.deepEqual(config.api, { host: '127.0.0.1', port: 8201, tls: null, terminatedBy: null });
    assert.deepEqual(config.database, { kind: 'sqlite' });
    assert.equal(config.kek, null);
    assert.equal(config.secondCopy, null);
    assert.equal(config.drainSeconds, 30);
    assert.ok(sources.every(({ source }) => source.from === 'default'));
  }
});

test('quantities become numbers, paths become absolute, sources of secrets keep their kind', () => {
  const { config } = accepted(`
broker: { listen: "[0:0::1]:9000", tls: { certificate: tls/crt, key: /k } }
database: { kind: postgresql, url: { command: [./bin/url, ./as-it-is] } }
kek: { kind: passphrase, from: { file: ../kek } }
limits: { header: 16KiB, upstreamSilence: 2h }
checkpointEvery: 5m
`);
  assert.deepEqual(config.broker.tls, { certificate: '/etc/claviger/tls/crt', key: '/k' });
  assert.equal(config.broker.host, '::1');
  assert.deepEqual(config.database, {
    kind: 'postgresql',
    url: { command: ['/etc/claviger/bin/url', './as-it-is'] },
  });
  assert.deepEqual(config.kek, { kind: 'passphrase', from: { file: '/etc/kek' } });
  assert.equal(config.limits.headerBytes, 16_384);
  assert.equal(config.limits.upstreamSilenceSeconds, 7_200);
  assert.equal(config.limits.editedBodyBytes, 1_048_576);
  assert.equal(config.checkpointSeconds, 300);
  const bare = accepted('kek: { kind: passphrase, from: { command: [pass, show] } }').config.kek;
  assert.deepEqual(bare, { kind: 'passphrase', from: { command: ['pass', 'show'] } });
});

test('a configuration is frozen throughout', () => {
  const { config } = accepted('providers: { neon: { origin: https://a.example.com, privateNetworks: [10.0.0.0/8] } }');
  for (const part of [
    config,
    config.broker,
    config.limits,
    config.providers['neon'],
    config.providers['neon']!.privateNetworks,
  ]) {
    assert.ok(Object.isFrozen(part));
  }
});

test('every value says where it came from, and is shown as it was written', () => {
  const { sources, config } = accepted('drain: 2m\n\nbroker:\n  listen: 127.0.0.1:1\n', {
    CLAVIGER_DATA_DIRECTORY: 'here',
  });
  const of = (pointer: string) => sources.find((option) => option.pointer === pointer);
  assert.deepEqual(of('/drain'), { pointer: '/drain', value: '"2m"', source: { from: 'file', line: 1, column: 1 } });
  assert.deepEqual(of('/broker/listen')?.source, { from: 'file', line: 4, column: 3 });
  assert.deepEqual(of('/api/listen')?.source, { from: 'default' });
  assert.deepEqual(of('/dataDirectory')?.source, { from: 'environment', name: 'CLAVIGER_DATA_DIRECTORY' });
  assert.equal(config.dataDirectory, '/work/here');
});

test('arguments of a command are not shown', () => {
  const { sources } = accepted('kek: { kind: passphrase, from: { command: [get, canary-argument] } }');
  assert.ok(!JSON.stringify(sources).includes('canary'));
  assert.equal(sources.find(({ pointer }) => pointer === '/kek/from/command')?.value, '["get", …]');
});

test('programs are whole: what is not there is null, the time is in milliseconds, their arguments are not shown', () => {
  const { config, sources } = accepted(
    'programs:\n  - credential: prod/prefect-server/main\n    replace: [/bin/set, canary-argument]\n    timeout: 2m\n',
  );
  const [program] = config.programs ?? [];
  assert.deepEqual(program, {
    credential: 'prod/prefect-server/main',
    replace: ['/bin/set', 'canary-argument'],
    issue: null,
    revoke: null,
    timeoutMs: 120_000,
  });
  assert.deepEqual(accepted('programs: [{ credential: a/b/c, issue: [/x] }]').config.programs?.[0]?.timeoutMs, 30_000);
  const shown = sources.filter(({ pointer }) => pointer.startsWith('/programs'));
  assert.deepEqual(
    shown.map(({ pointer, value, source }) => [pointer, value, source.from]),
    [
      ['/programs/0/credential', '"prod/prefect-server/main"', 'file'],
      ['/programs/0/replace', '["/bin/set", …]', 'file'],
      ['/programs/0/issue', 'null', 'default'],
      ['/programs/0/revoke', 'null', 'default'],
      ['/programs/0/timeout', '"2m"', 'file'],
    ],
  );
});

test('an override that is empty counts as not set, one that is no path is refused', () => {
  assert.equal(accepted('', { CLAVIGER_DATA_DIRECTORY: '' }).config.dataDirectory, '/etc/claviger/claviger-data');
  const [problem] = problems('', { CLAVIGER_DATA_DIRECTORY: '~/data' });
  assert.equal(problem?.pointer, '/dataDirectory');
  assert.match(problem!.message, /CLAVIGER_DATA_DIRECTORY/);
});
