// The documents of Mastodon and GoToSocial as twins are checked against them: the operations that are served, and what those need, corrected
// where they contradict the provider's own pages. The originals are not ours to ship, and one of them is Swagger 2.0: what is checked is
// written to a folder for temporary files, and goes with the process.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';

interface Tree {
  [name: string]: Tree | unknown;
}

const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');
let folder: string | null = null;

function temporary(): string {
  if (folder === null) {
    const made = mkdtempSync(path.join(tmpdir(), 'claviger-documents-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  return folder;
}

function at(tree: unknown, ...names: readonly string[]): Tree {
  return names.reduce<unknown>((node, name) => (node as Tree)[name], tree) as Tree;
}

/** Only these operations, and the schemas that they lead to. */
function extract(paths: Tree, schemas: Tree, lines: readonly string[]): Tree {
  const kept: Record<string, Record<string, unknown>> = {};
  for (const line of lines) {
    const [method = '', template = ''] = line.split(' ');
    kept[template] = { ...kept[template], [method.toLowerCase()]: at(paths, template, method.toLowerCase()) };
  }
  const reached = new Map<string, unknown>();
  const follow = (node: unknown): void => {
    for (const [, name] of JSON.stringify(node).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (reached.has(name!)) continue;
      reached.set(name!, schemas[name!]);
      follow(schemas[name!]);
    }
  };
  follow(kept);
  return { paths: kept, components: { schemas: Object.fromEntries(reached) } };
}

/** The answer of `POST /oauth/revoke`: the pages show it, the documents give it no body. */
const EMPTY_OBJECT = { 'application/json': { schema: { type: 'object', additionalProperties: false } } };

function correctedMastodon(source: Tree): Tree {
  const token = at(source, 'paths', '/oauth/token', 'post', 'requestBody', 'content', 'application/json', 'schema');
  // A code is asked for where there is one: `client_credentials` has none.
  token['required'] = ['client_id', 'client_secret', 'grant_type'];
  at(source, 'paths', '/oauth/revoke', 'post', 'responses', '200')['content'] = EMPTY_OBJECT;
  return extract(at(source, 'paths'), at(source, 'components', 'schemas'), [
    'POST /api/v1/apps',
    'GET /api/v1/apps/verify_credentials',
    'GET /api/v1/accounts/verify_credentials',
    'GET /api/v1/accounts/{id}/statuses',
    'POST /api/v1/statuses',
    'POST /oauth/token',
    'POST /oauth/revoke',
  ]);
}

/** Swagger 2.0, so far as these few operations go: fields of a form are the members of a body, schemas stand elsewhere. */
function correctedGotosocial(source: Tree): Tree {
  const lines = [
    'POST /api/v1/apps',
    'GET /api/v1/accounts/verify_credentials',
    'GET /nodeinfo/{schema_version}',
    'POST /oauth/revoke',
  ];
  const moved = JSON.parse(JSON.stringify(source).replaceAll('#/definitions/', '#/components/schemas/')) as Tree;
  for (const line of lines) {
    const [method = '', template = ''] = line.split(' ');
    const operation = at(moved, 'paths', template, method.toLowerCase());
    const parameters = (operation['parameters'] ?? []) as {
      name: string;
      in: string;
      required?: boolean;
      type: string;
    }[];
    const fields = parameters.filter((one) => one.in === 'formData');
    operation['parameters'] = parameters
      .filter((one) => one.in !== 'formData')
      .map(({ type, ...parameter }) => ({ ...parameter, schema: { type } }));
    if (fields.length > 0) {
      const properties = Object.fromEntries(fields.map(({ name, type }) => [name, { type }]));
      const required = fields.filter((one) => one.required === true).map((one) => one.name);
      const schema = { type: 'object', properties, required };
      operation['requestBody'] = { required: true, content: { 'application/json': { schema } } };
    }
    for (const response of Object.values(at(operation, 'responses')) as Tree[]) {
      const { schema } = response;
      // Its errors are described in words alone: all have the one form.
      const content = { 'application/json': { schema: schema ?? ERROR } };
      response['content'] = content;
      delete response['schema'];
    }
  }
  at(moved, 'paths', '/oauth/revoke', 'post', 'responses', '200')['content'] = EMPTY_OBJECT;
  return extract(at(moved, 'paths'), at(moved, 'definitions'), lines);
}

const ERROR = {
  type: 'object',
  properties: { error: { type: 'string' }, error_description: { type: 'string' } },
  required: ['error'],
};

const ORIGINALS = {
  mastodon: { file: 'specs/mastodon/mastodon.openapi.json', correct: correctedMastodon },
  gotosocial: { file: 'specs/gotosocial/gotosocial.swagger.yaml', correct: correctedGotosocial },
} as const;

const written = new Map<string, string>();

/** The corrected document's file, from the shared folder as `loadOpenApi` wants it; the original's where that is absent. */
export function mastodonDocument(dialect: keyof typeof ORIGINALS): string {
  const { file, correct } = ORIGINALS[dialect];
  const full = path.join(shared, file);
  if (!existsSync(full)) return file;
  let corrected = written.get(dialect);
  if (corrected === undefined) {
    const text = readFileSync(full, 'utf8');
    const source = (file.endsWith('.json') ? JSON.parse(text) : parse(text)) as Tree;
    const name = path.join(temporary(), `${dialect}.json`);
    writeFileSync(name, JSON.stringify(correct(source)));
    corrected = path.relative(shared, name);
    written.set(dialect, corrected);
  }
  return corrected;
}
