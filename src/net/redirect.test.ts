// Where a Location leads, by table: the same origin in every honest spelling, foreign origins, and what may not be named.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { resolveRedirect } from './redirect.ts';

const ORIGIN = 'https://api.example.com';
const BASE = '/api/v2/keys?limit=1';

function verdictOf(location: string): string {
  const redirect = resolveRedirect(ORIGIN, BASE, location);
  return redirect.is === 'same'
    ? redirect.path
    : redirect.is === 'foreign'
      ? `foreign ${redirect.origin}`
      : redirect.is;
}

test('redirects to the same origin give a path', () => {
  const expected = {
    'https://api.example.com': '/',
    'https://api.example.com/x?y=1': '/x?y=1',
    'https://api.example.com:443/x': '/x',
    'https://api.example.com?y': '/?y',
    '//api.example.com/x': '/x',
    '/x/y%2Fz?q=%0d%0a#part': '/x/y%2Fz?q=%0d%0a',
    '': '/api/v2/keys?limit=1',
    '#part': '/api/v2/keys?limit=1',
    '?page=2': '/api/v2/keys?page=2',
    other: '/api/v2/other',
    './other?x=..': '/api/v2/other?x=..',
    '../v3/keys': '/api/v3/keys',
    '..': '/api/',
    '.': '/api/v2/',
  };
  for (const [location, path] of Object.entries(expected)) assert.equal(verdictOf(location), path, location);
});

test('redirects to another public https origin are foreign', () => {
  const expected = {
    'https://evil.example.net/x': 'https://evil.example.net',
    'https://api.example.com:8443/': 'https://api.example.com:8443',
    '//evil.example.net': 'https://evil.example.net',
    'https://api.example.com.evil.net/': 'https://api.example.com.evil.net',
  };
  for (const [location, origin] of Object.entries(expected))
    assert.equal(verdictOf(location), `foreign ${origin}`, location);
});

test('everything else is invalid', () => {
  const spellings = [
    'HTTPS://api.example.com/',
    'https://API.example.com/',
    'https://api.example.com./',
    'https:/x',
    'https:x',
  ];
  const smuggled = [
    'https://u@api.example.com/',
    'https://api.example.com@evil.net/',
    'https://api.example.com:443:443/',
  ];
  const slashes = [
    '///evil.net',
    '/\\evil.net',
    '\\\\evil.net',
    'https:\\\\evil.net',
    '/a\\b',
    'https://api.example.com\\@evil.net',
  ];
  const paths = [
    '//api.example.com//evil.net',
    '/a//b',
    '/a/../b',
    '/%2e%2e/b',
    '/.',
    '/a%5cb',
    '/a%00',
    '/a%0d%0ax',
    '/a%',
    '/a%zz',
  ];
  const climbing = ['../../../x', '../../../..', '/../x', '%2e/..', 'a/.%2E/b/..', '%2e%2e', 'a//..', 'a//b/../..'];
  const characters = ['/a b', '/a\r\nSet-Cookie: x', '/a\tb', '/é', '/a"b', '/a<b>', 'http://api.example.com\u0000/'];
  const schemes = [
    'http://api.example.com/',
    'ftp://a.com',
    'javascript:alert(1)',
    'data:,x',
    'gopher://127.0.0.1/',
    'file:///etc',
  ];
  const hosts = [
    'http://127.0.0.1/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://localhost/',
    'https://0x7f.1/',
    'https://metadata/',
  ];
  for (const group of [spellings, smuggled, slashes, paths, climbing, characters, schemes, hosts]) {
    for (const location of group) assert.equal(verdictOf(location), 'invalid', JSON.stringify(location));
  }
  assert.equal(verdictOf(`/${'a'.repeat(9000)}`), 'invalid');
});

test('an origin with a port is the same only with that port', () => {
  const at = (location: string): string => resolveRedirect('https://a.example.com:8443', '/', location).is;
  assert.equal(at('https://a.example.com:8443/x'), 'same');
  assert.equal(at('https://a.example.com/x'), 'foreign');
  assert.equal(at('https://a.example.com:8443:443/x'), 'invalid');
});

test('a path that is called the same is what a browser would request from the same origin', () => {
  const piece = fc.constantFrom(
    '/',
    '//',
    '..',
    '.',
    'a',
    '?',
    '#',
    '%2e',
    '%2f',
    '\\',
    ':',
    '@',
    'https:',
    'evil.net',
    ' ',
    '\t',
    'é',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (parts) => {
      const location = parts.join('');
      const redirect = resolveRedirect(ORIGIN, BASE, location);
      if (redirect.is !== 'same') return;
      const url = new URL(location, ORIGIN + BASE);
      url.hash = '';
      assert.equal(new URL(ORIGIN + redirect.path).href, url.href, location);
      assert.ok(/^\/(?!\/)/.test(redirect.path));
    }),
    { numRuns: 5000 },
  );
});
