// The head of an answer on its way back: what ends at the broker, where a redirect leads, and that the key is in no value.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../model/secret.ts';
import { resolveRedirect } from '../net/redirect.ts';
import type { Action } from '../providers/provider.ts';
import { answerHead } from './answer.ts';
import { compileInjection } from './inject.ts';

const KEY = 'canary-key/1"x';
const ORIGIN = 'https://api.example.com';
const ACTION: Action = { name: 'thing.get', method: 'GET', path: '/v1/things/{id}', effect: 'read' };

function answered(raw: readonly string[], given: { status?: number; action?: Partial<Action>; mount?: string } = {}) {
  return answerHead(given.status ?? 200, raw, {
    injection: compileInjection([{ in: 'query', name: 'api_key' }], { key: new Secret(KEY) }),
    action: { ...ACTION, ...given.action },
    mount: given.mount ?? '/example/prod',
    origin: ORIGIN,
    redirect: (location) => resolveRedirect(ORIGIN, '/v1/things/1', location),
  });
}
function headersOf(raw: readonly string[], given: Parameters<typeof answered>[1] = {}): string[] {
  const head = answered(raw, given);
  assert(head.is === 'pass', head.is === 'refuse' ? head.reason : '');
  return head.headers;
}

test('names are lowered, order and repetition are kept', () => {
  const raw = ['Content-Type', 'text/plain', 'X-A', '1', 'x-a', '2', 'Content-Length', '3'];
  assert.deepEqual(headersOf(raw), ['content-type', 'text/plain', 'x-a', '1', 'x-a', '2', 'content-length', '3']);
});

test('what belongs to the connection, to the browser’s trust in this host, or to the broker itself ends here', () => {
  const names = [
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Proxy-Authenticate',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
  ];
  const trust = [
    'Set-Cookie',
    'Strict-Transport-Security',
    'Public-Key-Pins',
    'Alt-Svc',
    'Clear-Site-Data',
    'Claviger-Refused',
  ];
  for (const name of [...names, ...trust])
    assert.deepEqual(headersOf([name, 'x', 'X-Stays', '1']), ['x-stays', '1'], name);
  // The provider's own challenge is the provider's word.
  assert.deepEqual(headersOf(['WWW-Authenticate', 'Bearer']), ['www-authenticate', 'Bearer']);
});

test('headers that a Connection header names end here, whichever of several names them', () => {
  const raw = [
    'X-One',
    '1',
    'Connection',
    'keep-alive, X-One',
    'X-Two',
    '2',
    'connection',
    'x-two , X-Three',
    'X-Three',
    '3',
    'X-Four',
    '4',
  ];
  assert.deepEqual(headersOf(raw), ['x-four', '4']);
  assert.deepEqual(headersOf(['Connection', 'close', 'Connection', 'X-One', 'X-One', '1', 'Close', 'y']), [
    'close',
    'y',
  ]);
});

test('a redirect to the provider’s origin leads back through the broker', () => {
  const locations: [string, string][] = [
    ['/v1/things/2', '/example/prod/v1/things/2'],
    ['https://api.example.com/v1/things/2?a=1', '/example/prod/v1/things/2?a=1'],
    ['https://api.example.com:443/v2', '/example/prod/v2'],
    ['2', '/example/prod/v1/things/2'],
    ['?page=2', '/example/prod/v1/things/1?page=2'],
  ];
  for (const status of [301, 302, 303, 307, 308]) {
    for (const [location, expected] of locations) {
      assert.deepEqual(headersOf(['Location', location], { status }), ['location', expected], location);
    }
  }
  assert.deepEqual(headersOf(['Location', '/v1/things/2'], { status: 302, mount: '' }), ['location', '/v1/things/2']);
});

test('a redirect elsewhere is refused, unless the action lets it pass; one that cannot be understood always', () => {
  const foreign = [
    'https://evil.com/x',
    '//evil.com/x',
    'https://api.example.com.evil.com/',
    'https://api.example.com:444/',
  ];
  const invalid = [
    'http://127.0.0.1/',
    'javascript:alert(1)',
    '\\\\evil.com',
    'https://user@api.example.com/',
    '/a/../b',
    '/%2e%2e/x',
    'ftp://x/',
    '///x',
    '',
  ];
  for (const location of foreign) {
    assert.deepEqual(
      answered(['Location', location], { status: 302 }),
      { is: 'refuse', reason: 'upstream-redirect' },
      location,
    );
    const passed = headersOf(['Location', location], { status: 302, action: { foreignRedirect: 'pass' } });
    assert.deepEqual(passed, ['location', location]);
  }
  for (const location of invalid.filter((one) => one !== '')) {
    for (const action of [{}, { foreignRedirect: 'pass' as const }]) {
      assert.deepEqual(
        answered(['Location', location], { status: 307, action }),
        { is: 'refuse', reason: 'upstream-redirect' },
        location,
      );
    }
  }
});

test('every Location of a redirect is judged, and none of another answer', () => {
  const two = ['Location', '/ok', 'location', 'https://evil.com/'];
  assert.deepEqual(answered(two, { status: 302 }), { is: 'refuse', reason: 'upstream-redirect' });
  // Another answer's Location is rewritten where it is the provider's own, and left out where it leads elsewhere.
  for (const status of [200, 201, 400]) {
    assert.deepEqual(headersOf(['Location', 'https://evil.com/'], { status }), []);
    assert.deepEqual(headersOf(['Location', `${ORIGIN}/v1/a`], { status }), ['location', '/example/prod/v1/a']);
  }
  const link = `<${ORIGIN}/v1/a?page=2>; rel="next", <https://other.example/>; rel="help"`;
  assert.deepEqual(headersOf(['Link', link]), [
    'link',
    '</example/prod/v1/a?page=2>; rel="next", <https://other.example/>; rel="help"',
  ]);
});

test('the key is in no value, in none of its forms, and the value keeps its length', () => {
  const json = JSON.stringify(KEY).slice(1, -1);
  for (const form of [KEY, json, json.replaceAll('/', '\\/'), encodeURIComponent(KEY)]) {
    const [, value] = headersOf(['X-Echo', `<${form}> and <${form}>`]);
    assert.equal(value, `<${'*'.repeat(form.length)}> and <${'*'.repeat(form.length)}>`);
  }
  const location = `https://api.example.com/v1/login?api_key=${encodeURIComponent(KEY)}&next=1`;
  const [, redirected] = headersOf(['Location', location], { status: 302 });
  assert(!redirected!.includes('canary'), String(redirected));
  const [, near] = headersOf(['X-Echo', 'canary-key/1']);
  assert.equal(near, 'canary-key/1', 'a part of it is not taken for it');
});

test('a value that could start another line is refused', () => {
  for (const value of ['a\r\nX: 1', 'a\nb', 'a\rb', 'a\u0000b']) {
    assert.deepEqual(answered(['X-A', value]), { is: 'refuse', reason: 'upstream-invalid' });
  }
  // Where the line ends here anyway there is nothing to judge.
  assert.deepEqual(headersOf(['Set-Cookie', 'a\nb']), []);
  assert.deepEqual(headersOf(['X-A', 'tab\tand \u00e9']), ['x-a', 'tab\tand \u00e9']);
});
