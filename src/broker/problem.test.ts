// The broker's own answers: RFC 9457, machine-readable, impossible to mistake for the provider's, and silent about what exists.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemAnswer } from './problem.ts';

function headerOf(headers: readonly string[], name: string): string | null {
  const at = headers.findIndex((text, i) => i % 2 === 0 && text === name);
  return at < 0 ? null : headers[at + 1]!;
}

test('a refusal is a problem document of our own type, not to be stored, and marked as the broker’s', () => {
  const { status, headers, body } = problemAnswer(403, 'no-grant', 0, '3-1f');
  assert.equal(status, 403);
  assert.deepEqual(JSON.parse(body), {
    type: 'urn:claviger:problem:no-grant',
    title: 'No grant allows this.',
    status: 403,
    code: 'no-grant',
    instance: 'urn:claviger:request:3-1f',
  });
  assert.equal(headerOf(headers, 'content-type'), 'application/problem+json');
  assert.equal(headerOf(headers, 'cache-control'), 'no-store');
  assert.equal(headerOf(headers, 'claviger-refused'), 'no-grant');
  assert.equal(headerOf(headers, 'retry-after'), null);
});

test('the length is counted in bytes', () => {
  const { headers, body } = problemAnswer(400, 'token-place', 0, '1');
  const title = problemAnswer(401, 'no-token', 0, '1');
  for (const one of [{ headers, body }, title])
    assert.equal(headerOf(one.headers, 'content-length'), String(Buffer.byteLength(one.body)));
  assert(Buffer.byteLength(title.body) > title.body.length, 'this title has characters of more than one byte');
});

test('a wait is told in whole seconds, never less than the time that is left', () => {
  const seconds = (ms: number) => headerOf(problemAnswer(429, 'rate-limited', ms, '1').headers, 'retry-after');
  assert.deepEqual([0, 0.2, 1, 1_000, 1_001, 59_999.5].map(seconds), [null, '1', '1', '1', '2', '60']);
});

test('401 says how to authenticate, 405 what is allowed, others neither', () => {
  assert.equal(headerOf(problemAnswer(401, 'no-token', 0, '1').headers, 'www-authenticate'), 'Bearer realm="claviger"');
  assert.match(headerOf(problemAnswer(405, 'method', 0, '1').headers, 'allow') ?? '', /GET.*DELETE/);
  const { headers } = problemAnswer(403, 'parameter', 0, '1');
  assert.deepEqual([headerOf(headers, 'www-authenticate'), headerOf(headers, 'allow')], [null, null]);
});

test('a reason that has no title still gives a document, and nothing in it can leave its header', () => {
  const { headers, body } = problemAnswer(400, 'x"\r\ny: z', 0, '1');
  assert.equal(headerOf(headers, 'claviger-refused'), 'xyz');
  assert.equal((JSON.parse(body) as { code: string }).code, 'xyz');
});
