// The catalogues of Prefect's two services against their own OpenAPI documents: nothing missing, nothing invented, nothing ambiguous, scopes as
// they are stated, and a mark on everything that can show a credential.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { loadOpenApi, type OpenApiDocument } from '../../test/support/openapi.ts';
import { type ApiSchema, resolveSchema } from '../../test/support/openapi-schema.ts';
import { compileCatalogue, matchAction } from '../access/action.ts';
import { catalogueLines } from '../access/catalogue.ts';
import { ENTRY_BYTES_MAX } from '../ledger/layout.ts';
import { prefectSocketActions } from './prefect.orchestration.actions.ts';
import { prefectCloud } from './prefect-cloud.ts';
import { prefectServer } from './prefect-server.ts';
import type { Action, Provider } from './provider.ts';

const DOCUMENTS: Readonly<Record<string, OpenApiDocument | null>> = {
  'prefect-cloud': loadOpenApi('specs/prefect/prefect-cloud.openapi.json', ''),
  'prefect-server': loadOpenApi('specs/prefect/prefect-server.openapi.json', '/api'),
};
const ABSENT = 'NOT CHECKED: Prefect’s OpenAPI documents are not in the shared folder';

const SOCKETS: ReadonlySet<string> = new Set(prefectSocketActions.map((action) => action.name));

function lineOf({ method, path: target }: Pick<Action, 'method' | 'path'>): string {
  return `${method} ${target}`;
}

function forEachDocument(
  name: string,
  count: Record<string, number>,
  check: (provider: Provider, document: OpenApiDocument) => void,
) {
  for (const provider of [prefectCloud, prefectServer])
    test(`${provider.name}: ${name}`, (t) => {
      const document = DOCUMENTS[provider.name];
      if (document === undefined || document === null) return t.skip(ABSENT);
      assert.equal(document.operations.length, count[provider.name]);
      check(provider, document);
    });
}

const COUNTS = { 'prefect-cloud': 436, 'prefect-server': 179 };

forEachDocument('the document’s operations and the actions are the same, one to one', COUNTS, (provider, document) => {
  const inDocument = provider.actions.filter((action) => !SOCKETS.has(action.name));
  assert.deepEqual(
    inDocument.map(lineOf).sort(),
    document.operations.map((operation) => `${operation.method} ${operation.path}`).sort(),
  );
  for (const action of inDocument) {
    const known = document.find(action.method, action.path)!.parameters;
    for (const name of action.query ?? [])
      assert(
        known.some((one) => one.in === 'query' && one.name === name),
        `${action.name} has no query ${name}`,
      );
  }
});

/** Every schema that a value of this one may hold, itself included. */
function* reachable(document: OpenApiDocument, schema: ApiSchema, seen = new Set<ApiSchema>()): Generator<ApiSchema> {
  const own = resolveSchema(document.root, schema);
  if (seen.has(own)) return;
  seen.add(own);
  yield own;
  const inner = [
    ...Object.values(own.properties ?? {}),
    ...(own.allOf ?? []),
    ...(own.oneOf ?? []),
    ...(own.anyOf ?? []),
  ];
  if (own.items !== undefined) inner.push(own.items);
  if (typeof own.additionalProperties === 'object') inner.push(own.additionalProperties);
  for (const one of inner) yield* reachable(document, one, seen);
}

/** Schemas that hold a credential: a key, a slug that whoever knows may send to, the data of a block. */
const SECRET_SCHEMAS = ['APIKeyCreateResponse', 'Webhook', 'WebhookRead', 'BlockDocument'];
/** Answers whose schema does not say it: links that are credentials themselves, settings, a template that is filled. */
const UNSAID = new Set([
  'sso.get-setup-url',
  'sso.get-directory-setup-url',
  'billing.create-portal-session',
  'billing.subscribe',
  'billing.manage-subscription',
  'work-pool.preview-configuration',
  'admin.get-settings',
]);
/** Blocks that the caller wrote in the same request come back with their secrets masked. */
const OWN_WORDS = ['block-document.create', 'block-document.upsert'];

forEachDocument(
  'minting or revealing is marked where a documented answer can hold a credential',
  COUNTS,
  (provider, document) => {
    const secret = new Set(
      SECRET_SCHEMAS.filter((name) => document.root.components['schemas']?.[name] !== undefined).map((name) =>
        resolveSchema<ApiSchema>(document.root, { $ref: `#/components/schemas/${name}` }),
      ),
    );
    const shows = (action: Action) =>
      [...(document.find(action.method, action.path)?.responses ?? [])].some(
        ([status, schema]) =>
          status.startsWith('2') &&
          schema !== null &&
          schema !== 'binary' &&
          [...reachable(document, schema)].some((one) => secret.has(one)),
      );
    const expected = provider.actions.filter(
      (action) =>
        !SOCKETS.has(action.name) && (UNSAID.has(action.name) || (shows(action) && !OWN_WORDS.includes(action.name))),
    );
    const names = (actions: readonly Action[]) => actions.map((action) => action.name).sort();
    assert.deepEqual(names(provider.actions.filter((action) => action.mints === true)), names(expected));
  },
);

interface Permissions {
  readonly operations: readonly {
    readonly method: string;
    readonly path: string;
    readonly workspace_scopes: readonly string[];
    readonly account_permissions: readonly string[];
  }[];
}

test('prefect-cloud: scopes are those that the document states, no more and no fewer', (t) => {
  const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');
  const file = path.join(shared, 'specs/derived/prefect-cloud.required-permissions.json');
  if (!existsSync(file)) return t.skip(`NOT CHECKED: ${file} is not there`);
  const { operations } = JSON.parse(readFileSync(file, 'utf8')) as Permissions;
  const stated = operations.map((one) => [
    `${one.method} ${one.path}`,
    [...one.workspace_scopes, ...one.account_permissions].join(' '),
  ]);
  const ours = prefectCloud.actions.flatMap((action) =>
    action.scopes === undefined ? [] : [[lineOf(action), action.scopes.join(' ')]],
  );
  assert.equal(ours.length, 299);
  assert.deepEqual(ours.sort(), stated.sort());
  const all = new Set(prefectCloud.kinds[0]!.scopes!.all);
  assert.equal(all.size, 108);
  for (const scope of prefectCloud.actions.flatMap((action) => action.scopes ?? [])) assert(all.has(scope), scope);
  assert(
    prefectServer.actions.every((action) => action.scopes === undefined),
    'a server has no scopes',
  );
});

test('effects follow the methods, but for a POST that only asks, or ends something', () => {
  const byPost = new Set<string>();
  for (const { name, method, effect } of [...prefectCloud.actions, ...prefectServer.actions]) {
    if (method === 'POST') byPost.add(`${name.split('.')[1]} ${effect}`);
    else if (method === 'GET' && SOCKETS.has(name)) assert.notEqual(effect, 'delete');
    else assert.equal(effect, { GET: 'read', DELETE: 'delete' }[method as string] ?? 'write', name);
  }
  for (const verb of ['list', 'count', 'paginate', 'filter', 'history']) assert(!byPost.has(`${verb} write`), verb);
  for (const verb of ['create', 'set-state', 'rotate', 'get-scheduled-flow-runs', 'get-runs', 'increment', 'upsert'])
    assert(byPost.has(`${verb} write`) && !byPost.has(`${verb} read`), verb);
  assert.deepEqual([...byPost].filter((one) => one.endsWith(' delete')).sort(), [
    'bulk-delete delete',
    'revoke delete',
    'terminate delete',
  ]);
});

test('the same request line of a workspace and of a server has the same name', () => {
  const workspace = '/api/accounts/{account_id}/workspaces/{workspace_id}';
  const inCloud = new Map(prefectCloud.actions.map((action) => [lineOf(action), action.name]));
  const shared = prefectServer.actions.flatMap((action) => {
    const name = inCloud.get(lineOf({ ...action, path: workspace + action.path.slice('/api'.length) }));
    return name === undefined ? [] : [[action.name, name]];
  });
  assert.equal(shared.length, 170 + prefectSocketActions.length);
  for (const [server, cloud] of shared) assert.equal(server, cloud);
});

test('WebSockets are the only actions that upgrade, as the official client opens them', () => {
  for (const provider of [prefectCloud, prefectServer]) {
    const upgrading = provider.actions.filter((action) => action.upgrade !== undefined);
    const root = provider === prefectServer ? '/api' : '/api/accounts/{account_id}/workspaces/{workspace_id}';
    assert.deepEqual(upgrading.map(lineOf).sort(), [
      `GET ${root}/events/in`,
      `GET ${root}/events/out`,
      `GET ${root}/logs/out`,
      `GET ${root}/task_runs/subscriptions/scheduled`,
      `GET ${root}/work_pools/{work_pool_name}/workers/connect`,
    ]);
    const greeted = provider.actions.filter((action) => action.firstFrame !== undefined);
    assert(greeted.every(({ upgrade, firstFrame }) => upgrade !== undefined && firstFrame?.pointer === '/token'));
    const inHandshake = upgrading.filter((action) => action.firstFrame === undefined).map((action) => action.name);
    assert.deepEqual(inHandshake, provider === prefectServer ? [] : ['event.publish']);
  }
});

test('a final slash belongs to the path, and a name that looks like a parameter is found by its literal', () => {
  const catalogue = compileCatalogue(prefectServer.actions);
  const nameOf = (method: string, target: string) => matchAction(catalogue, method, target)?.action.name;
  assert.equal(nameOf('POST', '/api/flows/'), 'flow.create');
  assert.equal(nameOf('POST', '/api/flows'), undefined);
  assert.equal(nameOf('GET', '/api/work_queues/name/status'), 'work-queue.get-by-name');
  assert.equal(nameOf('GET', '/api/work_queues/7/status'), 'work-queue.get-status');
  assert.equal(nameOf('GET', '/api/task_runs/subscriptions/scheduled'), 'task-run.subscribe-scheduled');
  assert.equal(nameOf('POST', '/api/block_documents/filter'), 'block-document.list');
  compileCatalogue(prefectCloud.actions);
});

test('a whole catalogue fits into one entry of the ledger, with room to grow', () => {
  for (const provider of [prefectCloud, prefectServer])
    assert(JSON.stringify(catalogueLines(provider)).length < ENTRY_BYTES_MAX * 0.8, provider.name);
});
