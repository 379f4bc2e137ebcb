// Neon's catalogue of actions against Neon's own OpenAPI document: nothing missing, nothing invented, nothing ambiguous, and a mark on
// everything that can show a credential.
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type ApiParameter,
  NEON_DOCUMENT_ABSENT,
  neonDocument,
  type OpenApiDocument,
} from '../../test/support/openapi.ts';
import { type ApiSchema, resolveSchema } from '../../test/support/openapi-schema.ts';
import { neonActions } from './neon.actions.ts';

/** Every schema that a value of this one may hold, itself included. */
function* reachable(document: OpenApiDocument, schema: ApiSchema, seen = new Set<ApiSchema>()): Generator<ApiSchema> {
  const own = resolveSchema(document.root, schema);
  if (seen.has(own)) return;
  seen.add(own);
  yield own;
  const inner = [...Object.values(own.properties ?? {}), ...(own.allOf ?? []), ...(own.oneOf ?? [])];
  if (own.items !== undefined) inner.push(own.items);
  for (const one of inner) yield* reachable(document, one, seen);
}

const SECRET_PROPERTIES = [
  'key',
  'password',
  'connection_uri',
  'secret_server_key',
  'api_token',
  's3_secret_access_key',
];

/** Whether a documented answer has room for a credential. `key` is also an object's name in a bucket: only where marked sensitive. */
function showsSecret(document: OpenApiDocument, schema: ApiSchema): boolean {
  for (const one of reachable(document, schema)) {
    if (one['x-sensitive']?.some((name) => SECRET_PROPERTIES.includes(name))) return true;
    if (one.properties?.['client_secret'] !== undefined) return true;
  }
  return schema === resolveSchema(document.root, { $ref: '#/components/schemas/ConnectionURIResponse' });
}

test('catalogue: the document’s operations and the actions are the same, one to one', (t) => {
  const document = neonDocument();
  if (document === null) return t.skip(NEON_DOCUMENT_ABSENT);
  assert.equal(document.operations.length, 163);
  assert.deepEqual(
    neonActions.map((action) => `${action.method} ${action.path}`).sort(),
    document.operations.map((operation) => `${operation.method} ${operation.path}`).sort(),
  );
  for (const action of neonActions) {
    const parameters: readonly ApiParameter[] = document.find(action.method, action.path)?.parameters ?? [];
    for (const name of action.query ?? []) {
      assert(
        parameters.some((one) => one.in === 'query' && one.name === name),
        `${action.name} has no query ${name}`,
      );
    }
    const withSlash = parameters
      .filter((one) => one.in === 'path' && one.name === 'object_key')
      .map(({ name }) => name);
    assert.deepEqual(action.slashes ?? [], withSlash, action.name);
  }
});

test('catalogue: effects follow the methods', () => {
  const expected = { GET: 'read', DELETE: 'delete' } as Record<string, string>;
  for (const action of neonActions) assert.equal(action.effect, expected[action.method] ?? 'write', action.name);
});

test('catalogue: minting or revealing is marked exactly where a documented answer can hold a credential', (t) => {
  const document = neonDocument();
  if (document === null) return t.skip(NEON_DOCUMENT_ABSENT);
  // Answers whose schema does not say it: a signed URL, a claim link and a claim URL are bearer credentials themselves.
  const unsaid = ['bucket-object.presign', 'project-transfer-request.create', 'neon-auth-provider-project.transfer'];
  const expected = neonActions.filter((action) => {
    const { responses } = document.find(action.method, action.path)!;
    return [...responses].some(
      ([status, schema]) =>
        status.startsWith('2') &&
        schema !== null &&
        schema !== 'binary' &&
        showsSecret(document, resolveSchema(document.root, schema)),
    );
  });
  const names = [...expected.map((action) => action.name), ...unsaid].sort();
  assert.deepEqual(
    neonActions
      .filter((action) => action.mints === true)
      .map((action) => action.name)
      .sort(),
    names,
  );
});

test('catalogue: two templates that fit the same path are told apart by their first literal', () => {
  const overlaps: string[] = [];
  for (const [i, one] of neonActions.entries()) {
    for (const two of neonActions.slice(i + 1)) {
      const [a, b] = [one.path.split('/'), two.path.split('/')];
      if (one.method !== two.method || a.length !== b.length) continue;
      const isParameter = (segment: string | undefined) => segment?.startsWith('{') === true;
      if (!a.every((segment, at) => segment === b[at] || isParameter(segment) || isParameter(b[at]))) continue;
      const decides = a.some((segment, at) => isParameter(segment) !== isParameter(b[at]));
      assert(decides, `${one.name} and ${two.name} cannot be told apart`);
      overlaps.push([one.name, two.name].sort().join(' '));
    }
  }
  assert.deepEqual(overlaps.sort(), ['branch.count branch.get', 'project.get project.list-shared']);
});
