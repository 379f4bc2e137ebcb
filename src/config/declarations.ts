// From the text of a declaration file to a provider, or to everything that is wrong with it, each with its JSON pointer and its place in the
// text. What the form of a declaration is stands in providers/declaration.ts; here are its words for people, its JSON Schema, and the rules
// that a member of the registry is held to by its tests and that a file of a user's has nobody else to hold it to.
// Not here: finding and opening files (providers.io.ts). Follows docs/providers/declared.md.
import { z } from 'zod';
import { SLUG } from '../model/id.ts';
import type { Json, JsonObject } from '../model/json.ts';
import {
  type Declaration,
  type DeclaredKind,
  type DeclaredRequest,
  declarationSchema,
  type FrozenDeclaration,
  placeSchema,
} from '../providers/declaration.ts';
import { declared, parseDeclaration } from '../providers/declared.ts';
import type { Provider } from '../providers/provider.ts';
import { type Place, type Problem, readDocument } from './document.ts';
import { describeIssue, positionOf, problemsOf } from './problems.ts';

/** Characters of one file: no more than its bytes. */
export const DECLARATION_BYTES_MAX = 1_048_576;
/** More problems of one file than anybody reads. */
const PROBLEMS_MAX = 50;

export type DeclarationReading =
  | { readonly is: 'read'; readonly declaration: Declaration; readonly provider: Provider }
  /** `name`: what the file calls its provider, where that can be told. */
  | { readonly is: 'refused'; readonly name: string | null; readonly problems: readonly Problem[] };

let made: JsonObject | null = null;

/** The JSON Schema of a declaration (draft 2020-12): what docs/provider.schema.json publishes. */
export function declarationJsonSchema(): JsonObject {
  made ??= makeJsonSchema();
  return made;
}

function makeJsonSchema(): JsonObject {
  const schema = JSON.parse(JSON.stringify(z.toJSONSchema(declarationSchema, { io: 'input' }))) as JsonObject;
  const { $schema, ...rest } = schema;
  const $comment = 'Generated from src/providers/declaration.ts; a test compares them.';
  // An editor is told of this schema by a key that no declaration has otherwise; it is taken out before the declaration is read.
  const properties = { $schema: { type: 'string' }, ...(rest['properties'] as JsonObject) };
  return { $schema: $schema ?? null, $comment, title: 'Declaration of a provider', ...rest, properties };
}

/** Reads a declaration whole: YAML, or JSON, which is YAML. Never throws, whatever the text. */
export function readDeclaration(text: string): DeclarationReading {
  const document = readDocument(text, DECLARATION_BYTES_MAX);
  if (document.is === 'refused') return { is: 'refused', name: null, problems: document.problems };
  const { places } = document;
  const value = withoutSchemaKey(document.value);
  const name = nameOf(value);
  const parsed = declarationSchema.safeParse(value, { error: describe });
  if (!parsed.success) {
    const problems = problemsOf(parsed.error.issues, { value, places, schema: declarationJsonSchema() });
    return { is: 'refused', name, problems: bounded(problems) };
  }
  const problems = [...contradictions(value), ...remarks(parsed.data)].map((one) => placed(one, places));
  if (problems.length > 0) return { is: 'refused', name, problems: bounded(problems) };
  return { is: 'read', declaration: parsed.data, provider: declared(parsed.data as FrozenDeclaration) };
}

type Complaint = readonly [pointer: string, message: string];

function placed([pointer, message]: Complaint, places: ReadonlyMap<string, Place>): Problem {
  return { pointer, message, position: positionOf(pointer, places) };
}

function bounded(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= PROBLEMS_MAX) return problems;
  const more = { pointer: '', message: `and ${problems.length - PROBLEMS_MAX} more problems`, position: null };
  return [...problems.slice(0, PROBLEMS_MAX), more];
}

function withoutSchemaKey(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== '$schema'));
}

function nameOf(value: unknown): string | null {
  const name = typeof value === 'object' && value !== null && 'name' in value ? value.name : null;
  return typeof name === 'string' && SLUG.test(name) ? name : null;
}

/** Words for what is wrong, where the schema has none of its own. None repeats what stands in the file. */
function describe(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'invalid_key') return 'this name cannot stand here';
  if (issue.code === 'invalid_union') return 'not one of the forms that are known here';
  if (issue.code !== 'invalid_format') return describeIssue(issue);
  if (issue.format === 'url') return 'expected an address such as https://api.example.com';
  if (issue.format === 'starts_with') return `expected text that begins with ${String(issue['prefix'])}`;
  return typeof issue['pattern'] === 'string' ? `expected text of the form ${issue['pattern']}` : describeIssue(issue);
}

/** What the members' own reading finds beyond the schema. */
function contradictions(value: unknown): Complaint[] {
  try {
    parseDeclaration(value);
    return [];
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const lines = error.message.split('\n').slice(1);
    return lines.map((line) => {
      const match = /^((?:\/[^:/\s]*)+): (.*)$/.exec(line);
      return [match?.[1] ?? '', match?.[2] ?? line];
    });
  }
}

/** What no schema and no reading finds, but the conformance suite of the registry's members. */
function remarks(declaration: Declaration): Complaint[] {
  return [
    ...(SLUG.test(declaration.name) ? [] : [['/name', 'a name does not end with a dash'] as const]),
    ...originRemarks('/origin', declaration.origin),
    ...declaration.kinds.flatMap((kind, at) => kindRemarks(`/kinds/${at}`, kind)),
    ...actionRemarks(declaration),
  ];
}

function originRemarks(pointer: string, origin: string | undefined): Complaint[] {
  if (origin === undefined || new URL(origin).origin === origin) return [];
  return [[pointer, 'an origin is https://host or https://host:port, without user, path or final slash']];
}

const NEW_KEY = [
  'label',
  'scopes',
  'scopesText',
  'expiresAt',
  'expiresDate',
  'expiresUnix',
  'lifetimeSeconds',
] as const;

/** The names in braces that each request may use, beside the kind's settings. */
const NAMES = {
  issue: NEW_KEY,
  replace: [...NEW_KEY, 'providerKeyId', 'grace'],
  list: ['cursor'],
  revoke: ['providerKeyId'],
  probe: [],
  preflight: [],
  identity: [],
} as const satisfies Readonly<Record<string, readonly string[]>>;
export const OPERATIONS = Object.keys(NAMES) as readonly (keyof typeof NAMES)[];

function kindRemarks(here: string, kind: DeclaredKind): Complaint[] {
  const complaints: Complaint[] = originRemarks(`${here}/origin`, kind.origin);
  for (const [n, place] of kind.places.entries()) {
    const part = place.in === 'basic' ? /^\{(.*)\}$/.exec(place.user ?? '')?.[1] : undefined;
    if (part !== undefined && !Object.hasOwn(kind.parts, part))
      complaints.push([`${here}/places/${n}/user`, 'the kind has no such part']);
  }
  for (const scope of kind.scopes?.everything ?? []) {
    if (!kind.scopes!.all.includes(scope)) complaints.push([`${here}/scopes/everything`, 'a scope that `all` lacks']);
  }
  for (const operation of OPERATIONS) {
    const request = kind[operation]?.request;
    if (request === undefined) continue;
    const known = new Set<string>([...NAMES[operation], ...Object.keys(kind.settings)]);
    complaints.push(...requestRemarks(`${here}/${operation}/request`, { request, known, kind }));
  }
  return complaints;
}

function requestRemarks(
  here: string,
  of: { readonly request: DeclaredRequest; readonly known: ReadonlySet<string>; readonly kind: DeclaredKind },
): Complaint[] {
  const { request, known, kind } = of;
  const complaints: Complaint[] = [];
  for (const key of ['path', 'page', 'json', 'form'] as const) {
    // A name that nothing fills would leave its member out in silence, or fail at the moment when the key is needed.
    const unknown = [...namesIn(request[key] as Json | undefined)].filter((one) => !known.has(one));
    for (const one of unknown) complaints.push([`${here}/${key}`, `nothing fills {${one}} in this request`]);
  }
  for (const [n, secret] of (request.secrets ?? []).entries()) {
    const { of: whose, ...place } = secret;
    const parsed = placeSchema.safeParse(place);
    if (!parsed.success) complaints.push([`${here}/secrets/${n}`, 'not a place: see `places` of the kind']);
    else if (whose === 'target' && !Object.hasOwn(kind.parts, parsed.data.part ?? 'key'))
      complaints.push([`${here}/secrets/${n}`, 'the kind has no such part']);
  }
  return complaints;
}

/** The names in braces of a template. */
function namesIn(template: Json | undefined): Set<string> {
  const names = [...(JSON.stringify(template) ?? '').matchAll(/\{([A-Za-z][A-Za-z0-9]*)\}/g)];
  return new Set(names.map((match) => match[1]!));
}

const SEGMENT = /^(?:\{[A-Za-z_]+\*?\}|[A-Za-z0-9._~:@-]+)$/;

function actionRemarks({ actions = [] }: Declaration): Complaint[] {
  const complaints: Complaint[] = [];
  const names = new Set<string>();
  const lines = new Set<string>();
  for (const [n, action] of actions.entries()) {
    const here = `/actions/${n}`;
    if (names.has(action.name)) complaints.push([`${here}/name`, 'another action has this name']);
    names.add(action.name);
    const line = `${action.method} ${action.path.replaceAll(/\{[^}*]*(\*?)\}/g, '{$1}')}`;
    if (lines.has(line)) complaints.push([`${here}/path`, 'another action has this method and path']);
    lines.add(line);
    const segments = action.path
      .replace(/(?<=.)\/$/, '')
      .split('/')
      .slice(1);
    if (action.path !== '/' && !segments.every((segment) => SEGMENT.test(segment)))
      complaints.push([`${here}/path`, 'a path is made of plain segments, and a parameter is one whole segment']);
    if (segments.some((segment, at) => segment.endsWith('*}') && at < segments.length - 1))
      complaints.push([`${here}/path`, 'what takes all that is left stands at the end']);
  }
  return complaints;
}
