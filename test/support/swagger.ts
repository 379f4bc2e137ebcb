// A Swagger 2.0 document as OpenAPI 3.0, so far as documents are checked here: where bodies, parameters and schemas stand differs, what
// they say does not. Follows the specification of both (https://spec.openapis.org/oas/v2.0.html, v3.0.4). Not here: forms, files, security.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type DocumentSource, type OpenApiDocument, openApiDocument } from './openapi.ts';

type Node = Readonly<Record<string, unknown>>;

interface SwaggerParameter extends Node {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: Node;
}

interface SwaggerOperation extends Node {
  readonly parameters?: readonly SwaggerParameter[];
  readonly responses: Readonly<Record<string, Node>>;
}

interface Swagger extends Node {
  readonly basePath?: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, SwaggerOperation>>>>;
  readonly definitions: Readonly<Record<string, Node>>;
  readonly responses?: Readonly<Record<string, Node>>;
}

const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');

/** Loads a Swagger document of the shared folder, its base path in front of every path; null where it is absent. */
export function loadSwagger(file: string): OpenApiDocument | null {
  const full = path.join(shared, file);
  if (!existsSync(full)) return null;
  const source = JSON.parse(readFileSync(full, 'utf8')) as Swagger;
  return openApiDocument(toOpenApi(source), source.basePath ?? '');
}

function moved(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(moved);
  if (typeof node !== 'object' || node === null) return node;
  const members = Object.entries(node).map(([name, value]) => [
    name,
    name === '$ref' ? String(value).replace('#/definitions/', '#/components/schemas/') : moved(value),
  ]);
  return Object.fromEntries(members);
}

function content(schema: Node): Node {
  return { 'application/json': { schema: moved(schema) } };
}

function operation(source: SwaggerOperation, document: Swagger): Node {
  const parameters = source.parameters ?? [];
  const body = parameters.find((one) => one.in === 'body');
  const responses = Object.entries(source.responses).map(([status, given]) => {
    const name = String(given['$ref'] ?? '').replace('#/responses/', '');
    const response = given['$ref'] === undefined ? given : document.responses?.[name];
    if (response === undefined) throw new Error(`${name} leads nowhere`);
    const schema = response['schema'] as Node | undefined;
    return [status, schema === undefined ? {} : { content: content(schema) }];
  });
  return {
    operationId: source['operationId'],
    parameters: parameters
      .filter((one) => one.in !== 'body')
      .map(({ name, in: place, required = false, ...schema }) => ({ name, in: place, required, schema })),
    ...(body?.schema === undefined
      ? {}
      : { requestBody: { required: body.required === true, content: content(body.schema) } }),
    responses: Object.fromEntries(responses),
  };
}

function toOpenApi(source: Swagger): DocumentSource {
  const paths = Object.entries(source.paths).map(([template, item]) => [
    template,
    Object.fromEntries(Object.entries(item).map(([method, one]) => [method, operation(one, source)])),
  ]);
  return {
    paths: Object.fromEntries(paths),
    components: { schemas: moved(source.definitions) },
  } as unknown as DocumentSource;
}
