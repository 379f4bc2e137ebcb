// Sure at the family's conformance suite, and what is particular to it: a limit that proves a key alive and one that proves nothing, two
// scopes, and a document whose operations are the catalogue's.
import assert from 'node:assert/strict';
import test from 'node:test';
import { providerConformance } from '../../test/conformance/provider.ts';
import { declaredTwinOf } from '../../test/support/declared-twin.ts';
import { loadOpenApi } from '../../test/support/openapi.ts';
import { answer } from '../../test/support/provider-answer.ts';
import { compileCatalogue, matchAction } from '../access/action.ts';
import type { Json } from '../model/json.ts';
import { sureActions } from './sure.actions.ts';
import { sure } from './sure.ts';

const FILE = 'specs/sure/sure-api.openapi.yaml';
const kind = sure.kinds[0]!;

providerConformance(sure, declaredTwinOf(sure));

test('each answer is read by its words: what stands before the application has others', () => {
  const usage = { api_key: { name: 'n', scopes: ['read'], last_used_at: null, created_at: '2026-11-21T09:00:00Z' } };
  const missing = 'Access token or API key is invalid, expired, or missing';
  const rows: readonly (readonly [number, Json, string])[] = [
    [200, usage, 'alive'],
    [200, { authentication_method: 'oauth' }, 'unknown'],
    [403, { error: 'insufficient_scope', message: "This action requires the 'read' scope" }, 'alive'],
    [403, { error: 'Request blocked.' }, 'unknown'],
    [429, { error: 'rate_limit_exceeded', message: 'm', details: {} }, 'alive'],
    [429, { error: 'Rate limit exceeded. Try again later.' }, 'unknown'],
    [401, { error: 'unauthorized', message: missing }, 'dead'],
    // The key of a user who was shut out: it may be let in again.
    [401, { error: 'unauthorized', message: 'Account has been deactivated' }, 'unknown'],
    [401, { error: 'unauthorized' }, 'unknown'],
    [403, { error: 'unauthorized', message: missing }, 'unknown'],
    [404, { error: 'record_not_found' }, 'unknown'],
    [500, { error: 'unauthorized', message: missing }, 'unknown'],
  ];
  for (const [status, json, expected] of rows)
    assert.equal(kind.probe.read(answer(status, json), { settings: {} }).is, expected, JSON.stringify(json));
  const identity = kind.identity!.read(answer(200, usage), { settings: {} });
  assert(identity.is === 'known');
  assert.deepEqual([identity.account, identity.scopes], [null, ['read']], 'what it may do, and not whose it is');
  assert.equal(kind.identity!.read(answer(429, { error: 'rate_limit_exceeded' }), { settings: {} }).is, 'unknown');
});

test('catalogue: the document’s operations and the actions are the same, but for what it leaves out', (t) => {
  const document = loadOpenApi(FILE, '');
  if (document === null) return t.skip(`NOT CHECKED: ${FILE} is not in the shared folder`);
  const beyond = ['GET /api/v1/usage', 'GET /api/v1/{rest*}'];
  assert.deepEqual(
    sureActions
      .map((action) => `${action.method} ${action.path}`)
      .filter((line) => !beyond.includes(line))
      .sort(),
    document.operations.map((operation) => `${operation.method} ${operation.path}`).sort(),
  );
});

test('catalogue: reading asks for one scope and writing for the other; signing in mints', () => {
  const catalogue = compileCatalogue(sureActions);
  const named = (method: string, path: string) => matchAction(catalogue, method, path)?.action;
  assert.deepEqual(named('GET', '/api/v1/transactions/7')?.scopes, ['read']);
  assert.deepEqual(named('POST', '/api/v1/transactions')?.scopes, ['read_write']);
  assert.equal(named('GET', '/api/v1/syncs/latest')?.name, 'sync.get-latest');
  assert.equal(named('POST', '/api/v1/auth/login')?.mints, true);
  assert.equal(named('POST', '/api/v1/anything'), undefined, 'a later version’s writes have no name here');
  assert.equal(named('GET', '/api/v1/cash_flows')?.name, 'api.read');
  for (const action of sureActions) for (const scope of action.scopes ?? []) assert(kind.scopes!.all.includes(scope));
});

test('format: 64 hexadecimal digits, whole', () => {
  assert.match('0f'.repeat(32), kind.format['key']!);
  for (const text of ['0f'.repeat(31), '0F'.repeat(32), `${'0f'.repeat(32)}0`, 'demo_monitoring_key_1'])
    assert.doesNotMatch(text, kind.format['key']!);
});
