// Request heads: what two HTTP implementations could read differently is refused, what a person may send passes, and no target is taken
// for another. Tables of both kinds, and properties over all of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Head, hasForbiddenTrailer, type Inspected, inspectHead, isServerWide, originForm } from './head.ts';

function headOf(change: Partial<Head>): Head {
  const rawHeaders = ['Host', 'api.example'];
  return { method: 'GET', target: '/v1/x', rawHeaders, httpVersion: '1.1', remote: '127.0.0.1', ...change };
}

function withHeaders(...lines: string[]): Inspected {
  return inspectHead(headOf({ rawHeaders: ['Host', 'api.example', ...lines] }));
}

const verdict = (inspected: Inspected) =>
  inspected.problem === null ? 'passes' : `${inspected.problem.status} ${inspected.problem.reason}`;

const hosts: [string, string][] = [
  ['api.example', 'passes'],
  ['api.example:8080', 'passes'],
  ['api.example:', 'passes'],
  ['127.0.0.1:80', 'passes'],
  ['[::1]:8080', 'passes'],
  ['0.0.0.0=5000', 'passes'],
  ["a.b-c_d~e!f$g&h'i(j)k*l+m,n;o=p", 'passes'],
  ['ex%41mple', 'passes'],
  ['', '400 host'],
  ['###', '400 host'],
  ['a b', '400 host'],
  ['a/b', '400 host'],
  ['a?b', '400 host'],
  ['user@host', '400 host'],
  ['a\\b', '400 host'],
  ['a%4', '400 host'],
  ['a:b', '400 host'],
  ['a:123456', '400 host'],
  ['[::1', '400 host'],
  ['[zz]', '400 host'],
  ['caf\u00e9', '400 host'],
];
for (const [host, expected] of hosts) {
  test(`Host ${JSON.stringify(host)}: ${expected}`, () => {
    assert.equal(verdict(inspectHead(headOf({ rawHeaders: ['Host', host] }))), expected);
  });
}

test('an HTTP/1.1 request has one Host, an HTTP/1.0 request at most one', () => {
  assert.equal(verdict(inspectHead(headOf({ rawHeaders: [] }))), '400 host');
  assert.equal(verdict(inspectHead(headOf({ rawHeaders: [], httpVersion: '1.0' }))), 'passes');
  const two = ['Host', 'a', 'HOST', 'a'];
  assert.equal(verdict(inspectHead(headOf({ rawHeaders: two }))), '400 host');
  assert.equal(verdict(inspectHead(headOf({ rawHeaders: two, httpVersion: '1.0' }))), '400 host');
});

test('versions other than 1.0 and 1.1 are not spoken', () => {
  for (const httpVersion of ['0.9', '1.2', '2.0', '3.0']) {
    assert.equal(verdict(inspectHead(headOf({ httpVersion }))), '505 http-version');
  }
});

test('a method that no action has is known but not allowed', () => {
  for (const method of ['TRACE', 'CONNECT', 'PURGE', 'SEARCH', 'QUERY', 'PROPFIND', 'M-SEARCH']) {
    assert.equal(verdict(inspectHead(headOf({ method }))), '405 method');
  }
});

test('the asterisk is a target of OPTIONS alone', () => {
  assert.equal(verdict(inspectHead(headOf({ method: 'OPTIONS', target: '*' }))), 'passes');
  assert.equal(isServerWide({ method: 'OPTIONS', target: '*' }), true);
  for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) {
    assert.equal(verdict(inspectHead(headOf({ method, target: '*' }))), '400 target-form');
    assert.equal(isServerWide({ method, target: '*' }), false);
  }
});

const targets: [string, string, string][] = [
  ['GET', '/v1/x?y=1', '/v1/x?y=1'],
  ['GET', '//v1/x', '//v1/x'],
  ['GET', 'http://api.example/v1/x?y=1', '/v1/x?y=1'],
  ['GET', 'HTTPS://api.example:8443/v1/x', '/v1/x'],
  ['GET', 'http://user:pass@api.example:8080/v1/x', '/v1/x'],
  ['GET', 'http://[::1]:80/v1/x', '/v1/x'],
  ['GET', 'http://api.example', '/'],
  ['GET', 'http://api.example?hail=all', '/?hail=all'],
  ['OPTIONS', 'http://api.example', '*'],
  ['OPTIONS', 'http://api.example/', '/'],
  ['GET', 'http://api.example//v1/x', '//v1/x'],
  ['GET', 'http:///v1/x', 'http:///v1/x'],
  ['GET', 'http://user@/v1/x', 'http://user@/v1/x'],
  ['GET', 'http://a b/v1/x', 'http://a b/v1/x'],
  ['GET', 'http://api.example\\@other/v1/x', 'http://api.example\\@other/v1/x'],
  ['GET', 'http://a@b@c/v1/x', 'http://a@b@c/v1/x'],
  ['GET', 'http://api.example/v1/x#fragment', 'http://api.example/v1/x#fragment'],
  ['GET', 'ftp://api.example/v1/x', 'ftp://api.example/v1/x'],
  ['GET', 'file:///etc/passwd', 'file:///etc/passwd'],
  ['GET', 'api.example:443', 'api.example:443'],
  ['GET', '*', '*'],
];
for (const [method, target, expected] of targets) {
  test(`${method} ${target} asks for ${expected}`, () => {
    assert.equal(originForm(method, target), expected);
  });
}

test('a target that is no path after that is refused, a long one too', () => {
  assert.equal(verdict(inspectHead(headOf({ target: 'ftp://api.example/v1/x' }))), '400 target-form');
  assert.equal(verdict(inspectHead(headOf({ target: '' }))), '400 target-form');
  assert.equal(verdict(inspectHead(headOf({ target: `/${'a'.repeat(8_191)}` }))), 'passes');
  assert.equal(verdict(inspectHead(headOf({ target: `/${'a'.repeat(8_192)}` }))), '414 target-length');
});

test('one framing, read in one way', () => {
  assert.equal(verdict(withHeaders('Content-Length', '12')), 'passes');
  assert.equal(verdict(withHeaders('Transfer-Encoding', 'Chunked')), 'passes');
  assert.equal(verdict(withHeaders('Content-Length', '12', 'Transfer-Encoding', 'chunked')), '400 framing');
  assert.equal(verdict(withHeaders('Content-Length', '12', 'content-length', '12')), '400 framing');
  for (const length of ['', '+1', '-1', '0x10', '1 2', '1,1', '1e3', '12a', '1'.repeat(16)]) {
    assert.equal(verdict(withHeaders('Content-Length', length)), '400 content-length');
  }
  for (const coding of ['', 'identity', 'gzip, chunked', 'chunked, chunked', 'xchunked', '"chunked"']) {
    assert.equal(verdict(withHeaders('Transfer-Encoding', coding)), '501 transfer-encoding');
  }
  const old = ['Transfer-Encoding', 'chunked'];
  assert.equal(verdict(inspectHead(headOf({ rawHeaders: old, httpVersion: '1.0' }))), '400 transfer-encoding');
});

test('lookalikes of framing fields end at the broker and frame nothing', () => {
  for (const name of ['Transfer_Encoding', 'TRANSFER.ENCODING', 'content_length', 'Content~Length']) {
    const inspected = withHeaders(name, 'chunked');
    assert.ok(inspected.problem === null);
    assert.equal(inspected.facts.hasBody, false);
    assert.ok(inspected.facts.named?.has(name.toLowerCase()));
  }
  const inspected = withHeaders('Content-Type', 'a/b', 'Content-Length', '3', 'Content-Encodings', 'x');
  assert.ok(inspected.problem === null);
  assert.equal(inspected.facts.named, null);
});

test('a method override is found in every spelling that a gateway would read as one', () => {
  for (const name of ['X-HTTP-Method-Override', 'X_HTTP_Method_Override', 'x-http_method', 'X.Original.URL']) {
    assert.equal(verdict(withHeaders(name, 'DELETE')), '400 method-override');
  }
});

test('what Connection names ends here, but a length cannot be named away', () => {
  const inspected = withHeaders('Connection', 'X-One, close, Content-Length', 'connection', 'x-two');
  assert.ok(inspected.problem === null);
  assert.deepEqual([...inspected.facts.named!].sort(), ['x-one', 'x-two']);
});

test('trailers may say nothing that must be known before the content', () => {
  for (const name of [
    'Host',
    'content-length',
    'Transfer-Encoding',
    'AUTHORIZATION',
    'Transfer_Encoding',
    'Range',
    'Cookie',
  ]) {
    assert.equal(hasForbiddenTrailer(['ETag', '"a"', name, 'x']), true);
  }
  for (const name of ['Vary', 'ETag', 'Digest', 'Server-Timing', 'Content-Type', 'X-Checksum']) {
    assert.equal(hasForbiddenTrailer([name, 'x']), false);
  }
  assert.equal(hasForbiddenTrailer([]), false);
});

test('whatever the target, its origin form is itself, a path, or the asterisk', () => {
  fc.assert(
    fc.property(fc.constantFrom('GET', 'OPTIONS'), fc.oneof(fc.string(), fc.webUrl()), (method, target) => {
      const form = originForm(method, target);
      assert.ok(form === target || form.startsWith('/') || form === '*');
      assert.equal(originForm(method, form), form);
    }),
  );
});
