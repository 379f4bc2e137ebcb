// Checks exchanges against a provider's own OpenAPI 3.0 document, so that neither a twin nor Claviger's requests can drift from what the
// provider publishes. The documents are not ours to ship: they lie in ../shared beside the checkout (CLAVIGER_SHARED names another
// folder). Where one is absent, loading gives null and the caller says aloud that it skips.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import type { Json } from '../../src/model/json.ts';
import { type ApiSchema, resolveSchema, type SchemaRoot, toJsonSchema, undocumented } from './openapi-schema.ts';

/** One request and its answer. Bodies: null where there was none; undefined where there was one that is not JSON. */
export interface Exchange {
  readonly method: string;
  /** Path and query as sent, the API's base path included. */
  readonly path: string;
  readonly requestBody: Json | undefined;
  readonly status: number;
  readonly responseBody: Json | undefined;
}

interface Media {
  readonly content?: Readonly<Record<string, { readonly schema?: ApiSchema }>>;
  readonly required?: boolean;
  readonly $ref?: string;
}

export interface ApiParameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header' | 'cookie';
  readonly required?: boolean;
  readonly schema?: ApiSchema;
  readonly $ref?: string;
}

interface OperationSource {
  readonly operationId?: string;
  readonly parameters?: readonly ApiParameter[];
  readonly requestBody?: Media;
  readonly responses: Readonly<Record<string, Media>>;
}

export interface DocumentSource extends SchemaRoot {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationSource | readonly ApiParameter[]>>>>;
}

export interface ApiOperation {
  readonly id: string;
  readonly method: string;
  /** Template with the base path in front. */
  readonly path: string;
  readonly parameters: readonly ApiParameter[];
  readonly requestSchema: ApiSchema | null;
  readonly isBodyRequired: boolean;
  /** Status or `default` to the schema of its JSON body; null for an answer without one. */
  readonly responses: ReadonlyMap<string, ApiSchema | 'binary' | null>;
}

export interface OpenApiDocument {
  readonly root: SchemaRoot;
  readonly operations: readonly ApiOperation[];
  /** The operation a request line belongs to; literal segments win over parameters. */
  find(method: string, pathname: string): ApiOperation | null;
  /** What is wrong with an exchange, each with its place; empty where nothing is. */
  validateExchange(exchange: Exchange): string[];
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'] as const;
const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');

function schemaOf(media: Media | undefined): ApiSchema | 'binary' | null {
  const content = media?.content ?? {};
  const json = content['application/json'];
  if (json?.schema !== undefined) return json.schema;
  return Object.keys(content).length > 0 ? 'binary' : null;
}

function operationsOf(document: DocumentSource, base: string): ApiOperation[] {
  const operations: ApiOperation[] = [];
  for (const [template, item] of Object.entries(document.paths)) {
    const common = (item['parameters'] ?? []) as readonly ApiParameter[];
    for (const method of METHODS) {
      const source = item[method] as OperationSource | undefined;
      if (source === undefined) continue;
      const body = source.requestBody === undefined ? undefined : resolveSchema(document, source.requestBody);
      const request = schemaOf(body);
      operations.push({
        id: source.operationId ?? `${method} ${template}`,
        method: method.toUpperCase(),
        path: base + template,
        parameters: [...common, ...(source.parameters ?? [])].map((one) => resolveSchema(document, one)),
        requestSchema: request === 'binary' ? null : request,
        isBodyRequired: body?.required === true && request !== 'binary',
        responses: new Map(
          Object.entries(source.responses).map(([status, media]) => [status, schemaOf(resolveSchema(document, media))]),
        ),
      });
    }
  }
  return operations;
}

/** A template's fit: the more literal segments from the left, the smaller. Null where it does not fit. */
function fit(template: string, segments: readonly string[]): string | null {
  const parts = template.split('/');
  if (parts.length !== segments.length) return null;
  let rank = '';
  for (const [i, part] of parts.entries()) {
    if (part.startsWith('{')) {
      if (segments[i] === '') return null;
      rank += '1';
    } else if (part === segments[i]) rank += '0';
    else return null;
  }
  return rank;
}

function queryValue(schema: ApiSchema, values: readonly string[]): Json {
  if (schema.type === 'array') return values.flatMap((value) => value.split(','));
  const value = values[0]!;
  if ((schema.type === 'integer' || schema.type === 'number') && value.trim() !== '') return Number(value);
  if (schema.type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}

/** A document ready to check against; `base` is put before every path. */
export function openApiDocument(document: DocumentSource, base: string): OpenApiDocument {
  const operations = operationsOf(document, base);
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true, logger: false });
  addFormats.default(ajv);
  for (const name of ['int', 'uint64']) {
    const isSigned = name === 'int';
    ajv.addFormat(name, { type: 'number', validate: (n) => Number.isInteger(n) && (isSigned || n >= 0) });
  }
  ajv.addSchema({ $id: 'openapi', components: toJsonSchema(document.components, 'map-of-maps') as object });
  const compiled = new Map<ApiSchema, ValidateFunction>();

  function check(schema: ApiSchema, value: Json, at: string): string[] {
    let validate = compiled.get(schema);
    if (validate === undefined) {
      validate = ajv.compile(toJsonSchema(schema, 'schema') as object);
      compiled.set(schema, validate);
    }
    if (validate(value)) return [];
    return (validate.errors ?? []).map((error) => `${at}${error.instancePath} ${error.message}`);
  }

  function find(method: string, pathname: string): ApiOperation | null {
    const segments = pathname.split('/');
    let best: { operation: ApiOperation; rank: string } | null = null;
    for (const operation of operations) {
      if (operation.method !== method) continue;
      const rank = fit(operation.path, segments);
      if (rank !== null && (best === null || rank < best.rank)) best = { operation, rank };
    }
    return best?.operation ?? null;
  }

  function checkParameters(operation: ApiOperation, pathname: string, query: URLSearchParams): string[] {
    const problems: string[] = [];
    const segments = pathname.split('/');
    const template = operation.path.split('/');
    for (const parameter of operation.parameters) {
      const schema = resolveSchema(document, parameter.schema ?? {});
      const at = `${parameter.in} ${parameter.name}`;
      if (parameter.in === 'path') {
        const raw = decodeURIComponent(segments[template.indexOf(`{${parameter.name}}`)] ?? '');
        problems.push(...check(schema, queryValue(schema, [raw]), at));
      } else if (parameter.in === 'query') {
        const values = query.getAll(parameter.name);
        if (values.length > 0) problems.push(...check(schema, queryValue(schema, values), at));
        else if (parameter.required === true) problems.push(`${at} is missing`);
      }
    }
    const known = new Set(operation.parameters.filter((one) => one.in === 'query').map((one) => one.name));
    for (const name of query.keys()) if (!known.has(name)) problems.push(`query ${name} is not documented`);
    return problems;
  }

  function validateExchange(exchange: Exchange): string[] {
    const url = new URL(exchange.path, 'http://document');
    const operation = find(exchange.method, url.pathname);
    const line = `${exchange.method} ${url.pathname}`;
    if (operation === null) return [`${line}: no such operation`];
    const problems = checkParameters(operation, url.pathname, url.searchParams);

    if (exchange.requestBody === null || exchange.requestBody === undefined) {
      if (operation.isBodyRequired && exchange.requestBody === null) problems.push('request body is missing');
    } else if (operation.requestSchema === null) {
      problems.push('request body is not documented');
    } else {
      problems.push(...check(operation.requestSchema, exchange.requestBody, 'request '));
      problems.push(...undocumented(document, operation.requestSchema, exchange.requestBody, 'request '));
    }

    const named = operation.responses.get(String(exchange.status));
    const isError = exchange.status >= 400;
    const schema = named === undefined && isError ? operation.responses.get('default') : named;
    if (schema === undefined) problems.push(`status ${exchange.status} is not documented`);
    else if (schema === null) {
      if (exchange.responseBody !== null) problems.push('response body is not documented');
    } else if (schema !== 'binary') {
      const body = exchange.responseBody ?? null;
      problems.push(...check(schema, body, 'response '), ...undocumented(document, schema, body, 'response '));
    }
    return problems.map((problem) => `${line} ${exchange.status}: ${problem}`);
  }

  return { root: document, operations, find, validateExchange };
}

/** Loads a document of the shared folder; null where it is absent. `base` is put before every path. */
export function loadOpenApi(file: string, base: string): OpenApiDocument | null {
  const known = loaded.get(`${base} ${file}`);
  if (known !== undefined) return known;
  const document = readOpenApi(file, base);
  loaded.set(`${base} ${file}`, document);
  return document;
}

/** Documents are large, and never change while a process runs. */
const loaded = new Map<string, OpenApiDocument | null>();

function readOpenApi(file: string, base: string): OpenApiDocument | null {
  const full = path.join(shared, file);
  if (!existsSync(full)) return null;
  return openApiDocument(parse(readFileSync(full, 'utf8')) as DocumentSource, base);
}

const NEON_FILE = 'specs/neon/neon-api-v2.openapi.yaml';
/** What a test says when it skips. */
export const NEON_DOCUMENT_ABSENT = `NOT CHECKED: Neon's OpenAPI document is not at ${path.join(shared, NEON_FILE)}`;
let neon: OpenApiDocument | null | undefined;

/** Neon's document, read once for the process; null where it is absent. */
export function neonDocument(): OpenApiDocument | null {
  neon ??= loadOpenApi(NEON_FILE, '/api/v2');
  return neon;
}
