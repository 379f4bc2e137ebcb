// Plaid's catalogue of actions against Plaid's own OpenAPI document: nothing missing, nothing invented, names made from the paths, and a mark
// on everything that can show a credential.
import assert from 'node:assert/strict';
import test from 'node:test';
import { loadOpenApi, type OpenApiDocument } from '../../test/support/openapi.ts';
import { type ApiSchema, resolveSchema } from '../../test/support/openapi-schema.ts';
import { plaidActions, plaidProducts } from './plaid.actions.ts';

const document = loadOpenApi('specs/plaid/plaid-2020-09-14.openapi.yml', '');
const ABSENT = 'NOT CHECKED: Plaid’s OpenAPI document is not in the shared folder';

test('catalogue: the document’s operations and the actions are the same, one to one', (t) => {
  if (document === null) return t.skip(ABSENT);
  assert.equal(document.operations.length, 329);
  assert.deepEqual(
    plaidActions.map((action) => `${action.method} ${action.path}`).sort(),
    document.operations.map((operation) => `${operation.method} ${operation.path}`).sort(),
  );
  assert.deepEqual(
    [...plaidProducts],
    resolveSchema<ApiSchema>(document.root, { $ref: '#/components/schemas/Products' }).enum,
  );
});

/** Names that a path alone does not give. */
const NAMED = ['fdx-notifications.send', 'fdx-recipients.list', 'fdx-consents.get', 'fdx-recipient.get'];

test('catalogue: a name is its path', () => {
  for (const { name, path } of plaidActions) {
    if (NAMED.includes(name)) continue;
    const words = path
      .split('/')
      .slice(1)
      .filter((segment) => !/^v[0-9]+$/.test(segment));
    assert.equal(name, `${words.slice(0, -1).join('-')}.${words.at(-1)}`.replaceAll('_', '-'));
  }
});

test('catalogue: what only reads and what ends something is told by the last word', () => {
  const verbs = (effect: string) => [
    ...new Set(plaidActions.filter((action) => action.effect === effect).map((action) => action.name.split('.')[1]!)),
  ];
  assert.deepEqual(verbs('read').sort(), ['download', 'get', 'get-by-id', 'introspect', 'list', 'search', 'sync']);
  assert.deepEqual(verbs('delete').sort(), [
    'cancel',
    'remove',
    'revoke',
    'terminate',
    'unlink',
    'unregister',
    'unsubscribe',
  ]);
  assert.deepEqual(
    verbs('write').filter((verb) => /^(?:get|list|search|remove|delete|revoke)/.test(verb)),
    [],
  );
});

/** Tokens, secrets, and links that let whoever holds them read or act. */
const SHOWS =
  /(?:_token|access_tokens|_secret|secrets|(?:shareable|hosted_link|link_delivery|onboarding|download|image|video)_url)$/;

function* properties(of: OpenApiDocument, schema: ApiSchema, seen = new Set<ApiSchema>()): Generator<string> {
  const own = resolveSchema(of.root, schema);
  if (seen.has(own)) return;
  seen.add(own);
  yield* Object.keys(own.properties ?? {});
  const inner = [
    ...Object.values(own.properties ?? {}),
    ...(own.allOf ?? []),
    ...(own.oneOf ?? []),
    ...(own.anyOf ?? []),
    ...(own.items === undefined ? [] : [own.items]),
    ...(typeof own.additionalProperties === 'object' ? [own.additionalProperties] : []),
  ];
  for (const one of inner) yield* properties(of, one, seen);
}

test('catalogue: minting or revealing is marked exactly where a documented answer can hold a credential', (t) => {
  if (document === null) return t.skip(ABSENT);
  // No answer shows anything: these widen what a token or an application may read that is out already.
  const widening = [
    'credit-audit-copy-token.update',
    'processor-token-permissions.set',
    'item-application-scopes.update',
  ];
  const expected = plaidActions.filter((action) => {
    const { responses } = document.find(action.method, action.path)!;
    return [...responses].some(
      ([status, schema]) =>
        status.startsWith('2') &&
        schema !== null &&
        schema !== 'binary' &&
        [...properties(document, schema)].some((name) => SHOWS.test(name)),
    );
  });
  assert(expected.length > 40);
  assert.deepEqual(
    plaidActions
      .filter((action) => action.mints === true)
      .map((action) => action.name)
      .sort(),
    [...expected.map((action) => action.name), ...widening].sort(),
  );
});
