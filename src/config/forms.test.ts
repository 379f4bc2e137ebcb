// Quantities and addresses as people write them, and everything near them that is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isProxy, parseDuration, parseListen, parseSize } from './forms.ts';

test('durations become seconds', () => {
  const table = { '0s': 0, '90s': 90, '15m': 900, '24h': 86_400, '30d': 2_592_000, '99999999d': 8_639_999_913_600 };
  for (const [text, seconds] of Object.entries(table)) assert.equal(parseDuration(text), seconds, text);
});

test('what is no duration is refused, not guessed', () => {
  const wrong = [
    '',
    '90',
    's',
    '1.5h',
    '-1s',
    '+1s',
    '1 s',
    ' 1s',
    '1s ',
    '1s\n',
    '01s',
    '1S',
    '1w',
    '1ms',
    '1h30m',
    '1e3s',
  ];
  for (const text of [...wrong, '123456789s', '٣s', 'Infinitys']) assert.equal(parseDuration(text), null, text);
});

test('sizes become bytes', () => {
  const table = { '0B': 0, '512B': 512, '32KiB': 32_768, '1MiB': 1_048_576, '2GiB': 2_147_483_648 };
  for (const [text, bytes] of Object.entries(table)) assert.equal(parseSize(text), bytes, text);
});

test('what is no size is refused, not guessed', () => {
  for (const text of ['', '32', '32K', '32KB', '32kib', '1.5MiB', '1 MiB', '01B', '-1B', '1TiB', '123456789B']) {
    assert.equal(parseSize(text), null, text);
  }
});

test('every quantity within the digits is read exactly', () => {
  const quantity = fc.integer({ min: 0, max: 99_999_999 });
  fc.assert(
    fc.property(quantity, (value) => {
      assert.equal(parseDuration(`${value}m`), value * 60);
      assert.equal(parseSize(`${value}KiB`), value * 1024);
    }),
  );
});

test('a place to listen is an address in its canonical text and a port', () => {
  assert.deepEqual(parseListen('127.0.0.1:8200'), { host: '127.0.0.1', port: 8200 });
  assert.deepEqual(parseListen('0.0.0.0:65535'), { host: '0.0.0.0', port: 65_535 });
  assert.deepEqual(parseListen('[::1]:0'), { host: '::1', port: 0 });
  assert.deepEqual(parseListen('[0:0:0:0:0:0:0:1]:80'), { host: '::1', port: 80 });
  assert.deepEqual(parseListen('[2001:DB8::A]:443'), { host: '2001:db8::a', port: 443 });
});

test('names, bare ports, wrong brackets and loose addresses are no place to listen', () => {
  const wrong = [
    '8200',
    ':8200',
    '*:8200',
    'localhost:8200',
    '127.0.0.1',
    '127.0.0.1:',
    '127.0.0.1:65536',
    '127.0.0.1:080',
  ];
  const loose = [
    '127.1:80',
    '0177.0.0.1:80',
    '::1:8200',
    '[127.0.0.1]:80',
    '[::1]',
    '[::1%eth0]:80',
    '127.0.0.1:80 ',
    '[]:1',
  ];
  for (const text of [...wrong, ...loose, '', '127.0.0.1:+80', '2130706433:80'])
    assert.equal(parseListen(text), null, text);
});

test('an outbound proxy is a host and a port, never a user', () => {
  for (const text of ['http://proxy:3128', 'http://10.0.0.1:80', 'http://[fd00::1]:3128'])
    assert.ok(isProxy(text), text);
  const wrong = ['proxy:3128', 'https://proxy:3128', 'http://proxy', 'http://proxy:3128/', 'http://u:p@proxy:3128'];
  for (const text of [...wrong, 'http://proxy:0', 'http://proxy:65536', 'http://pro xy:1'])
    assert.ok(!isProxy(text), text);
});
