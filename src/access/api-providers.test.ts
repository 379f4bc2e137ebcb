// What is told of a provider's addresses: the part that all its paths begin with.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { neon } from '../providers/neon.ts';
import { sharedPrefix } from './api-providers.ts';

test('the prefix is whole segments that all paths share, short of any parameter and of a path’s last segment', () => {
  const table: [string[], string][] = [
    [[], ''],
    [['/api/v2/projects'], '/api/v2'],
    [['/api/v2/projects', '/api/v2/users/me'], '/api/v2'],
    [['/api/v2/projects', '/api/v22/users'], '/api'],
    [['/v1/{project}/a', '/v1/{project}/b'], '/v1'],
    [['/accounts/get', '/accounts/balance/get'], '/accounts'],
    [['/item/get', '/accounts/get'], ''],
    [['/projects', '/projects/{id}'], ''],
  ];
  for (const [paths, prefix] of table) assert.equal(sharedPrefix(paths), prefix, paths.join());
  assert.equal(sharedPrefix(neon.actions.map((action) => action.path)), '/api/v2');
});
