// Mastodon's catalogue of actions against its documents: nothing of the API document missing, the rest exactly the pages for moderators and the
// WebSocket, the scopes as they were derived, and a mark on everything that can show a credential.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { compileCatalogue, matchAction } from '../access/action.ts';
import { mastodonActions } from './mastodon.actions.ts';
import { mastodonScopes } from './mastodon.scopes.ts';

const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');

interface Operation {
  readonly responses: Readonly<Record<string, unknown>>;
}

function read<T>(t: test.TestContext, file: string): T | null {
  const full = path.join(shared, file);
  if (existsSync(full)) return JSON.parse(readFileSync(full, 'utf8')) as T;
  t.skip(`NOT CHECKED: ${file} is not in the shared folder`);
  return null;
}

const lineOf = ({ method, path: template }: { method: string; path: string }) => `${method} ${template}`;

test('catalogue: every operation of the document is an action, with the documented scopes', (t) => {
  const derived = read<{ operations: { method: string; path: string; scopes: string[] | null }[] }>(
    t,
    'specs/derived/mastodon.scopes-by-operation.json',
  );
  if (derived === null) return;
  assert.equal(derived.operations.length, 210);
  const { includes } = mastodonScopes;
  for (const operation of derived.operations) {
    const line = lineOf(operation);
    const action = mastodonActions.find((one) => lineOf(one) === line);
    assert(action !== undefined, line);
    const documented = operation.scopes ?? [];
    if (documented.includes('profile') && documented.length > 1) {
      // One of them is enough.
      assert.deepEqual([action.scopes, action.scopesAnyOf], [[], documented], line);
      continue;
    }
    // Where `follow` is one of two, the other is enough, and `follow` includes it.
    const [narrow, follow] = documented;
    const needed = follow === 'follow' ? [narrow!] : documented;
    if (follow === 'follow') assert(includes!['follow']!.includes(narrow!), line);
    assert.deepEqual(action.scopes, needed, line);
  }
  const beyond = mastodonActions.filter((one) => !derived.operations.some((other) => lineOf(other) === lineOf(one)));
  assert.equal(beyond.length, 49);
  for (const one of beyond)
    assert(
      one.name.startsWith('admin-')
        ? /^\/api\/v[12]\/admin\//.test(one.path)
        : /^stream\.connect(?:-with-slash)?$/.test(one.name),
    );
});

test('catalogue: minting is marked exactly where an answer holds a token, an app’s secret or a code', (t) => {
  const document = read<{ paths: Record<string, Record<string, Operation>> }>(
    t,
    'specs/mastodon/mastodon.openapi.json',
  );
  if (document === null) return;
  const showing = Object.entries(document.paths).flatMap(([template, item]) =>
    Object.entries(item)
      .filter(([, { responses }]) => /schemas\/(?:Token|CredentialApplication)"/.test(JSON.stringify(responses)))
      .map(([method]) => `${method.toUpperCase()} ${template}`),
  );
  const marked = mastodonActions.filter((action) => action.mints === true).map(lineOf);
  // The code is in a redirect, which the document does not describe.
  assert.deepEqual(marked.sort(), [...showing, 'GET /oauth/authorize'].sort());
});

test('catalogue: every scope is one of the 47, and effects follow the methods but where a token is ended', () => {
  const all = new Set(mastodonScopes.all);
  assert.equal(all.size, 47);
  assert(!all.has('admin'));
  for (const included of Object.values(mastodonScopes.includes ?? {}).flat()) assert(all.has(included), included);
  const expected = { GET: 'read', DELETE: 'delete' } as Readonly<Record<string, string>>;
  for (const { name, method, effect, scopes = [], scopesAnyOf = [] } of mastodonActions) {
    for (const scope of [...scopes, ...scopesAnyOf]) assert(all.has(scope), `${name}: ${scope}`);
    assert.equal(effect, name === 'oauth-token.revoke' ? 'delete' : (expected[method] ?? 'write'), name);
  }
});

test('catalogue: streams are read, one path is a WebSocket, with and without a slash, and nothing of its query can be constrained', () => {
  const upgrades = mastodonActions.filter((action) => action.upgrade === 'websocket');
  assert.deepEqual(upgrades.map(lineOf), ['GET /api/v1/streaming', 'GET /api/v1/streaming/']);
  for (const { query, firstFrame } of upgrades) assert.deepEqual([query, firstFrame], [undefined, undefined]);
  const streams = mastodonActions.filter((action) => /^\/api\/v1\/streaming\/./.test(action.path));
  assert.equal(streams.length, 10);
  for (const stream of streams) assert.equal(stream.effect, 'read');
});

test('catalogue: where one request fits two templates, the literal wins', () => {
  const catalogue = compileCatalogue(mastodonActions);
  const nameOf = (method: string, target: string) => matchAction(catalogue, method, target)?.action.name;
  assert.equal(nameOf('GET', '/api/v1/accounts/verify_credentials'), 'own-account.get');
  assert.equal(nameOf('GET', '/api/v1/accounts/1'), 'account.get');
  assert.equal(nameOf('GET', '/api/v1/notifications/requests/merged'), 'notification-request.get-merged');
  assert.equal(nameOf('GET', '/api/v2/filters/keywords/1'), 'filter-keyword.get');
  assert.equal(nameOf('GET', '/api/v2/filters/1/keywords'), 'filter-keyword.list');
  assert.equal(nameOf('POST', '/api/v1/tags/caturday/feature'), 'tag.feature');
  assert.equal(nameOf('GET', '/api/v1/streaming'), 'stream.connect');
  assert.equal(nameOf('GET', '/api/v1/admin/unknown'), undefined);
});
