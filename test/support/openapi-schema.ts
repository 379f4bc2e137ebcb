// The schemas of OpenAPI 3.0 documents: how they resolve, how they become JSON Schema for a validator, which properties of a value they
// do not mention, and the smallest value that fits one. Documents themselves are openapi.ts.
import type { Json } from '../../src/model/json.ts';

/** The part of an OpenAPI 3.0 schema object that is used here. */
export interface ApiSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly Json[];
  readonly nullable?: boolean;
  readonly minimum?: number;
  readonly minLength?: number;
  readonly minItems?: number;
  readonly items?: ApiSchema;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, ApiSchema>>;
  readonly additionalProperties?: boolean | ApiSchema;
  readonly allOf?: readonly ApiSchema[];
  readonly oneOf?: readonly ApiSchema[];
  readonly anyOf?: readonly ApiSchema[];
  readonly 'x-sensitive'?: readonly string[];
}

export interface SchemaRoot {
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const REF_DEPTH_MAX = 20;

/** Follows `$ref` inside the document. Throws where it leads nowhere or round in a circle. */
export function resolveSchema<T extends { readonly $ref?: string }>(root: SchemaRoot, start: T): T {
  let node = start;
  for (let depth = 0; depth < REF_DEPTH_MAX; depth++) {
    if (node.$ref === undefined) return node;
    let target: unknown = root;
    for (const step of node.$ref.replace(/^#\//, '').split('/')) target = (target as Record<string, unknown>)[step];
    if (target === undefined) throw new Error(`${node.$ref} leads nowhere`);
    node = target as T;
  }
  throw new Error(`${start.$ref} leads round in a circle`);
}

/** Keywords that say nothing about validity, or that are translated below. */
const DROPPED = new Set(['nullable', 'discriminator', 'example', 'examples', 'xml', 'externalDocs', 'deprecated']);

interface Discriminator {
  readonly propertyName: string;
  readonly mapping?: Readonly<Record<string, string>>;
}

/** `discriminator` with a mapping decides which member of `oneOf` counts: the named one, and no other. */
function byDiscriminator({ propertyName, mapping = {} }: Discriminator): object[] {
  return Object.entries(mapping).map(([value, ref]) => ({
    if: { required: [propertyName], properties: { [propertyName]: { const: value } } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema, not a promise
    then: { $ref: `openapi${ref}` },
  }));
}

type Level = 'schema' | 'map' | 'map-of-maps';

/** An OpenAPI 3.0 schema as JSON Schema for ajv. `level` says whether the node is a schema, or holds schemas by name. */
export function toJsonSchema(node: unknown, level: Level): unknown {
  if (Array.isArray(node)) return node.map((item) => toJsonSchema(item, level));
  if (typeof node !== 'object' || node === null) return node;
  const source = node as Record<string, unknown>;
  if (level !== 'schema') {
    const inner = level === 'map' ? 'schema' : 'map';
    return Object.fromEntries(Object.entries(source).map(([name, value]) => [name, toJsonSchema(value, inner)]));
  }
  const discriminator = source['discriminator'] as Discriminator | undefined;
  const schema: Record<string, unknown> = {};
  for (const [keyword, value] of Object.entries(source)) {
    if (DROPPED.has(keyword) || keyword.startsWith('x-')) continue;
    if (keyword === '$ref') schema['$ref'] = `openapi${String(value)}`;
    else if (keyword === 'properties') schema['properties'] = toJsonSchema(value, 'map');
    else if (keyword === 'enum' || keyword === 'default' || keyword === 'required') schema[keyword] = value;
    else if (keyword === 'oneOf' && discriminator?.mapping !== undefined) {
      const { propertyName, mapping } = discriminator;
      schema['required'] = [propertyName];
      schema['properties'] = { [propertyName]: { enum: Object.keys(mapping) } };
      schema['allOf'] = byDiscriminator(discriminator);
    } else schema[keyword] = toJsonSchema(value, 'schema');
  }
  return source['nullable'] === true ? { anyOf: [{ type: 'null' }, schema] } : schema;
}

/** All schemas that a value at this place has to answer to: through references and combinations. */
function members(root: SchemaRoot, schema: ApiSchema): ApiSchema[] {
  const own = resolveSchema(root, schema);
  const combined = [...(own.allOf ?? []), ...(own.oneOf ?? []), ...(own.anyOf ?? [])];
  return [own, ...combined.flatMap((one) => members(root, one))];
}

function isRecord(value: Json): value is Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Properties of a value that the document does not mention: valid by its letter, and a sign of a mistake on our side. */
export function undocumented(root: SchemaRoot, schema: ApiSchema, value: Json, at: string): string[] {
  const all = members(root, schema);
  if (Array.isArray(value)) {
    const items = all.find((one) => one.items !== undefined)?.items;
    if (items === undefined) return [];
    return value.flatMap((item: Json, i) => undocumented(root, items, item, `${at}/${i}`));
  }
  if (!isRecord(value)) return [];
  const problems: string[] = [];
  const discriminators = all.flatMap((one) => {
    const discriminator = (one as { discriminator?: Discriminator }).discriminator;
    return discriminator === undefined ? [] : [discriminator.propertyName];
  });
  for (const [name, inner] of Object.entries(value)) {
    const property = all.find((one) => one.properties?.[name] !== undefined)?.properties?.[name];
    const rest = all.find((one) => one.additionalProperties !== undefined)?.additionalProperties;
    if (property !== undefined) problems.push(...undocumented(root, property, inner, `${at}/${name}`));
    else if (typeof rest === 'object') problems.push(...undocumented(root, rest, inner, `${at}/${name}`));
    else if (rest !== true && !discriminators.includes(name)) problems.push(`${at}/${name} is not documented`);
  }
  return problems;
}

const TEXT_BY_FORMAT: Readonly<Record<string, string>> = {
  uuid: '00000000-0000-4000-8000-000000000000',
  'date-time': '2026-01-01T00:00:00Z',
  email: 'person@example.com',
  uri: 'https://example.com/',
};

/** The smallest value that fits a schema: required properties only. `known` gives values by property name. */
export function sample(root: SchemaRoot, schema: ApiSchema, known: Readonly<Record<string, Json>>): Json {
  const all = members(root, schema);
  const first = <K extends keyof ApiSchema>(keyword: K) => all.find((one) => one[keyword] !== undefined)?.[keyword];
  const values = first('enum');
  if (values !== undefined) return values[0] ?? null;
  const discriminator = (resolveSchema(root, schema) as { discriminator?: Discriminator }).discriminator;
  if (discriminator?.mapping !== undefined) {
    const [name, ref] = Object.entries(discriminator.mapping)[0]!;
    return { ...(sample(root, { $ref: ref }, known) as object), [discriminator.propertyName]: name };
  }
  switch (first('type')) {
    case 'array': {
      const item = sample(root, first('items') ?? {}, known);
      return Array.from({ length: Math.max(first('minItems') ?? 0, 1) }, () => item);
    }
    case 'integer':
    case 'number':
      return Math.max(first('minimum') ?? 0, 1);
    case 'boolean':
      return false;
    case 'string':
      return TEXT_BY_FORMAT[first('format') ?? ''] ?? 'text';
    default: {
      const value: Record<string, Json> = {};
      for (const name of all.flatMap((one) => one.required ?? [])) {
        const property = all.find((one) => one.properties?.[name] !== undefined)?.properties?.[name] ?? {};
        value[name] = known[name] ?? sample(root, property, known);
      }
      return value;
    }
  }
}
