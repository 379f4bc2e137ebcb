// Which server, which token: the order of flags, environment and configuration, and that no token goes astray.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../model/failure.ts';
import { apiOrigin, listenerOrigin, resolveProfile, tokenFileBeside } from './profile.ts';

const NO_FLAGS = { api: null, tokenFile: null, caFile: null };

test('a flag goes before the environment, and that before the configuration', () => {
  const env = { CLAVIGER_API: 'https://env.example', CLAVIGER_TOKEN_FILE: '/env.token', CLAVIGER_CA_FILE: '/env.pem' };
  assert.deepEqual(resolveProfile({ flags: NO_FLAGS, env }), {
    origin: 'https://env.example',
    token: { from: 'file', path: '/env.token' },
    caFile: '/env.pem',
  });
  const flags = { api: 'https://flag.example:8443/v1', tokenFile: '/flag.token', caFile: '/flag.pem' };
  assert.deepEqual(resolveProfile({ flags, env }), {
    origin: 'https://flag.example:8443',
    token: { from: 'file', path: '/flag.token' },
    caFile: '/flag.pem',
  });
  const withText = resolveProfile({ flags: NO_FLAGS, env: { ...env, CLAVIGER_TOKEN: 'x' } });
  assert.deepEqual(withText.token, { from: 'environment', name: 'CLAVIGER_TOKEN' });
  assert.deepEqual(resolveProfile({ flags: NO_FLAGS, env: { CLAVIGER_API: '' } }), {
    origin: null,
    token: { from: 'configuration' },
    caFile: null,
  });
});

test('the token beside a configuration never goes to an address that was given otherwise', () => {
  for (const input of [
    { flags: { ...NO_FLAGS, api: 'https://elsewhere.example' }, env: {} },
    { flags: NO_FLAGS, env: { CLAVIGER_API: 'https://elsewhere.example' } },
  ]) {
    assert.throws(
      () => resolveProfile(input),
      (error) => Failure.is(error, 'unauthenticated'),
    );
  }
});

test('addresses: what is refused, and loopback alone may be plain', () => {
  const accepted: [string, string][] = [
    ['https://keys.example', 'https://keys.example'],
    ['http://127.0.0.1:8201/', 'http://127.0.0.1:8201'],
    ['http://localhost:8201/v1', 'http://localhost:8201'],
    ['http://[::1]:8201', 'http://[::1]:8201'],
  ];
  for (const [address, origin] of accepted) assert.equal(apiOrigin(address), origin);
  const refused = [
    'http://keys.example',
    'http://10.0.0.1:8201',
    'http://127.0.0.1.example:8201',
    'http://[::2]:8201',
    'https://user:canary@keys.example',
    'https://keys.example/other',
    'https://keys.example/?a=b',
    'ftp://keys.example',
    'keys.example',
    '',
  ];
  for (const address of refused) {
    assert.throws(
      () => apiOrigin(address),
      (error) => Failure.is(error, 'invalid') && !error.message.includes('canary'),
      address,
    );
  }
});

test('a listener as it is reached from its own machine', () => {
  const listener = { host: '127.0.0.1', port: 8201, tls: null, terminatedBy: null };
  const tls = { certificate: 'c', key: 'k' };
  assert.equal(listenerOrigin(listener), 'http://127.0.0.1:8201');
  assert.equal(listenerOrigin({ ...listener, host: '0.0.0.0', tls }), 'https://127.0.0.1:8201');
  assert.equal(listenerOrigin({ ...listener, host: '::', tls }), 'https://[::1]:8201');
  assert.equal(listenerOrigin({ ...listener, host: '::1' }), 'http://[::1]:8201');
  assert.equal(listenerOrigin({ ...listener, port: 0 }), null);
});

test('the token file lies beside the configuration and has its name', () => {
  assert.equal(tokenFileBeside('/etc/claviger/claviger.yaml'), '/etc/claviger/claviger.token');
  assert.equal(tokenFileBeside('/etc/claviger/prod.yml'), '/etc/claviger/prod.token');
  assert.equal(tokenFileBeside('/etc/claviger/odd'), '/etc/claviger/odd.token');
});
