// The words for what is wrong in the configuration file. From the issues of the schema to problems with a JSON pointer, a line
// and a column, one for each unknown key, with what it was probably meant to be. No message repeats a value: it may be a secret.
// Not here: the rules themselves (schema.ts) and syntax (document.ts).
import type { z } from 'zod';
import type { JsonObject } from '../model/json.ts';
import { isNameLike, type Place, type Position, type Problem, pointerSegment } from './document.ts';
import { knownKeys, suggestKey } from './options.ts';

const EXPECTED: Readonly<Record<string, string>> = {
  object: 'a section of keys and values',
  record: 'a section of keys and values',
  string: 'text',
  array: 'a list',
  boolean: 'true or false',
};

/** Stands for the message of unknown keys until each gets its own; schemas with a message of their own keep it. */
const UNKNOWN_KEYS = 'unknown keys';

/** Words for an issue whose schema has none of its own. Given to the parse, in the place of the library's texts. */
export function describeIssue(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${EXPECTED[issue.expected] ?? issue.expected}${found(issue.input)}`;
    case 'invalid_value':
      return `expected one of ${issue.values.map(String).join(', ')}`;
    case 'too_big':
      return `expected at most ${issue.maximum} ${issue.origin === 'array' ? 'entries' : 'characters'}`;
    case 'too_small':
      return `expected at least ${issue.minimum} ${issue.origin === 'array' ? 'entry' : 'character'}`;
    case 'invalid_key':
      return 'expected a name of lower-case letters, digits and dashes';
    case 'unrecognized_keys':
      return UNKNOWN_KEYS;
    default:
      return 'not what is expected here';
  }
}

/** All problems of a value, from the top of the file down. The same problem at the same place is named once. */
export function problemsOf(
  issues: readonly z.core.$ZodIssue[],
  input: { readonly value: unknown; readonly places: ReadonlyMap<string, Place>; readonly schema: JsonObject },
): readonly Problem[] {
  const problems = new Map<string, Problem>();
  for (const issue of issues) {
    const path = issue.path.map(String);
    for (const problem of problemsOfIssue(issue, path, input)) {
      const key = JSON.stringify(problem);
      if (!problems.has(key)) problems.set(key, problem);
    }
  }
  return [...problems.values()].sort(
    ({ position: a }, { position: b }) => (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0),
  );
}

function problemsOfIssue(
  issue: z.core.$ZodIssue,
  path: readonly string[],
  input: { readonly value: unknown; readonly places: ReadonlyMap<string, Place>; readonly schema: JsonObject },
): readonly Problem[] {
  const { value, places, schema } = input;
  if (issue.code === 'unrecognized_keys' && issue.message === UNKNOWN_KEYS) {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => {
      const at = [...path, key];
      const meant = suggestKey(key, known);
      const hint = meant === null ? `known here: ${known.join(', ')}` : `did you mean ${meant}?`;
      return { pointer: pointerOf(at), message: `unknown key; ${hint}`, position: placeOf(at, places)?.key ?? null };
    });
  }
  const isMissing = isMissingAt(value, path);
  const place = placeOf(path, places);
  const isAboutKey = isMissing || issue.code === 'invalid_key';
  return [
    {
      pointer: pointerOf(path),
      message: isMissing ? `missing; ${issue.message}` : issue.message,
      position: (isAboutKey ? place?.key : place?.value) ?? null,
    },
  ];
}

/** The pointer as far as every segment looks like a name. What does not may be a value that went astray. */
function pointerOf(path: readonly string[]): string {
  const wild = path.findIndex((segment) => !isNameLike(segment));
  const shown = wild < 0 ? path : path.slice(0, wild);
  return shown.map((segment) => `/${pointerSegment(segment)}`).join('');
}

/** Where the option stands, or the nearest section around it that does. */
function placeOf(path: readonly string[], places: ReadonlyMap<string, Place>): Place | null {
  for (let length = path.length; length >= 0; length--) {
    const pointer = path.slice(0, length).map((segment) => `/${pointerSegment(segment)}`);
    const place = places.get(pointer.join(''));
    if (place !== undefined) return place;
  }
  return null;
}

/** The position of the option that a pointer names, or of the nearest section around it; null where there is no file. */
export function positionOf(pointer: string, places: ReadonlyMap<string, Place>): Position | null {
  const path = pointer.split('/').slice(1);
  return (
    placeOf(
      path.map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~')),
      places,
    )?.key ?? null
  );
}

function isMissingAt(value: unknown, path: readonly string[]): boolean {
  let at = value;
  for (const segment of path) {
    if (typeof at !== 'object' || at === null) return false;
    if (!Object.hasOwn(at, segment)) return true;
    at = (at as Record<string, unknown>)[segment];
  }
  return false;
}

function found(value: unknown): string {
  if (value === undefined) return '';
  if (value === null) return ', found nothing: give it a value or remove the key';
  if (Array.isArray(value)) return ', found a list';
  if (typeof value === 'object') return ', found a section';
  return typeof value === 'string' ? ', found text' : `, found a ${typeof value}`;
}
