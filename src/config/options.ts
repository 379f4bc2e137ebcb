// What can be configured, as data: the JSON Schema that docs/claviger.schema.json publishes, the list of all options, and which
// option a misspelt key was meant to be. Everything is read from the one schema in schema.ts.
import { z } from 'zod';
import type { Json, JsonObject } from '../model/json.ts';
import { ConfigFile, SECRET_SOURCE } from './schema.ts';

export interface Option {
  /** JSON pointer in the file; `*` stands for a name that the operator chooses, `-` for each entry of a list. */
  readonly pointer: string;
  /** What is written there: `duration, 1s to 1h`. */
  readonly form: string;
  /** Undefined where there is none, since the option must be given when its section is. */
  readonly default: Json | undefined;
  readonly about: string;
}

/** Levels below the root that are followed: more than the schema has. */
const DEPTH_MAX = 12;

let made: JsonObject | null = null;

/** The JSON Schema of the file (draft 2020-12), with descriptions and defaults. Made once: it is needed where a key is misspelt. */
export function configJsonSchema(): JsonObject {
  made ??= makeJsonSchema();
  return made;
}

function makeJsonSchema(): JsonObject {
  const schema = JSON.parse(JSON.stringify(z.toJSONSchema(ConfigFile, { io: 'input' }))) as JsonObject;
  const { $schema, ...rest } = schema;
  return { $schema: $schema ?? null, $comment: 'Generated from src/config/schema.ts; a test compares them.', ...rest };
}

/** All options in the order of the schema, sections included where they may be null. */
export function listOptions(schema: JsonObject): readonly Option[] {
  const options = new Map<string, Option>();
  collect(schema, '', options, 0);
  return [...options.values()];
}

/** The keys that the schema knows at a place, as names: empty where the place is no mapping of fixed keys. */
export function knownKeys(schema: JsonObject, path: readonly string[]): readonly string[] {
  let nodes = variants(schema);
  for (const segment of path.slice(0, DEPTH_MAX)) {
    nodes = nodes.flatMap((node) => {
      const member = asObject(asObject(node['properties'])?.[segment]) ?? asObject(node['additionalProperties']);
      const next = member ?? (/^[0-9]+$/.test(segment) ? asObject(node['items']) : null);
      return next === null ? [] : variants(next);
    });
  }
  return [...new Set(nodes.flatMap((node) => Object.keys(asObject(node['properties']) ?? {})))];
}

/** The known key that a misspelt one is close to, or null: one letter in three may be wrong, and a unit may be too much. */
export function suggestKey(key: string, known: readonly string[]): string | null {
  const wanted = plain(key);
  if (wanted.length > 64) return null;
  let best: { readonly key: string; readonly distance: number } | null = null;
  for (const candidate of known) {
    const name = plain(candidate);
    const isExtended =
      Math.min(name.length, wanted.length) >= 4 && (wanted.startsWith(name) || name.startsWith(wanted));
    // One letter is nearer than a longer or a shorter name: `providersDirectry` is not `providers`.
    const distance = Math.min(editDistance(wanted, name), isExtended ? 1.5 : Number.POSITIVE_INFINITY);
    const isClose = isExtended || distance <= Math.max(1, Math.floor(name.length / 3));
    if (isClose && (best === null || distance < best.distance)) best = { key: candidate, distance };
  }
  return best?.key ?? null;
}

function plain(key: string): string {
  return key.toLowerCase().replaceAll(/[-_]/g, '');
}

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
function editDistance(left: string, right: string): number {
  let before: number[] = [];
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const isSame = left[i - 1] === right[j - 1];
      let least = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (isSame ? 0 : 1));
      const isSwap = i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1];
      if (isSwap) least = Math.min(least, before[j - 2]! + 1);
      next.push(least);
    }
    before = row;
    row = next;
  }
  return row[right.length]!;
}

function asObject(value: Json | undefined): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

function asObjects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.map((item: Json) => asObject(item)).filter((item) => item !== null) : [];
}

/** The alternatives of a node, down to those that have none. */
function variants(node: JsonObject, depth = 0): readonly JsonObject[] {
  const alternatives = [...asObjects(node['oneOf']), ...asObjects(node['anyOf'])];
  if (alternatives.length === 0 || depth > DEPTH_MAX) return [node];
  return alternatives.flatMap((alternative) => variants(alternative, depth + 1));
}

function collect(node: JsonObject, pointer: string, into: Map<string, Option>, depth: number): void {
  if (depth > DEPTH_MAX) return;
  const all = variants(node);
  const mappings = all.filter((variant) => variant['type'] === 'object' && variant['title'] !== SECRET_SOURCE);
  const isSection = mappings.length === all.length && !('default' in node && all.length > 1);
  if (pointer !== '' && (!isSection || mappings.some((mapping) => !('properties' in mapping)))) {
    add(node, all, pointer, into);
  }
  for (const mapping of mappings) {
    for (const [key, value] of Object.entries(asObject(mapping['properties']) ?? {})) {
      collect(asObject(value)!, `${pointer}/${key}`, into, depth + 1);
    }
    const entry = asObject(mapping['additionalProperties']);
    if (entry !== null) collect(entry, `${pointer}/*`, into, depth + 1);
  }
  for (const list of all) {
    const entry = asObject(list['items']);
    if (entry !== null && 'properties' in entry) collect(entry, `${pointer}/-`, into, depth + 1);
  }
}

function add(node: JsonObject, all: readonly JsonObject[], pointer: string, into: Map<string, Option>): void {
  const form = [...new Set(all.map(formOf))].join(' or ');
  const before = into.get(pointer);
  const forms = before === undefined || before.form === form ? form : `${before.form} or ${form}`;
  const about = typeof node['description'] === 'string' ? node['description'] : '';
  into.set(pointer, { pointer, form: forms, default: node['default'], about: before?.about || about });
}

function formOf(node: JsonObject): string {
  if (typeof node['title'] === 'string') return node['title'];
  if (node['const'] !== undefined) return `\`${node['const']}\``;
  if (Array.isArray(node['enum'])) return node['enum'].map((value: Json) => `\`${value}\``).join(', ');
  if (node['type'] === 'integer') return `number, ${node['minimum']} to ${node['maximum']}`;
  if (node['type'] === 'array') return 'list';
  if (node['type'] === 'object') return 'section';
  if (node['type'] === 'boolean') return '`true`, `false`';
  return node['type'] === 'string' ? 'text' : `${node['type']}`;
}
