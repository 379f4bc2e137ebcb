// Which methods a path has, by table.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createPaths, mountPath } from './paths.ts';

const paths = createPaths([
  { method: 'GET', path: '/v1/grants' },
  { method: 'POST', path: '/v1/grants' },
  { method: 'POST', path: '/v1/grants/suggest' },
  { method: 'GET', path: '/v1/grants/{id}' },
  { method: 'POST', path: '/v1/grants/{id}/revoke' },
]);

test('a path has the methods of its routes, HEAD with GET, and OPTIONS', () => {
  assert.deepEqual(paths.allowed('/v1/grants'), ['GET', 'HEAD', 'OPTIONS', 'POST']);
  assert.deepEqual(paths.allowed('/v1/grants/x/revoke'), ['OPTIONS', 'POST']);
});

test('a literal segment wins over a parameter', () => {
  assert.deepEqual(paths.allowed('/v1/grants/suggest'), ['OPTIONS', 'POST']);
  assert.deepEqual(paths.allowed('/v1/grants/other'), ['GET', 'HEAD', 'OPTIONS']);
});

test('what is no path is null', () => {
  for (const path of ['', '/', '/v1', '/v1/grants/', '/v1/grants/x/', '/v1/grants/x/revoke/y', 'v1/grants', '*']) {
    assert.equal(paths.allowed(path), null, path);
  }
});

test('a template is mounted in the router’s own form', () => {
  assert.equal(mountPath('/v1/a/{id}/b/{index}'), '/v1/a/:id/b/:index');
});
