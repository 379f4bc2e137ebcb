// Holds what a request brings against the schemas of its route and gathers everything that is wrong at once. Pointers of body fields are
// JSON pointers into the body; other fields begin with /path, /query or /headers.
import type { z } from 'zod';
import type { Input, Route } from '../model/route.ts';
import { escapePointer } from './body.ts';
import { type Problem, problem } from './problem.ts';

const ERRORS_MAX = 50;

export interface Given {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

export type Validated =
  | { readonly is: 'valid'; readonly input: Input<unknown, unknown, unknown> }
  | { readonly is: 'problem'; readonly problem: Problem };

type Wrong = { pointer: string; detail: string };

export function validate(route: Route, given: Given): Validated {
  const errors: Wrong[] = [];
  const params = held(route.params, given.params, '/path', errors);
  const query = held(route.query, given.query, '/query', errors);
  const body = held(route.body, given.body, '', errors);
  if (route.query === undefined && Object.keys((given.query ?? {}) as object).length > 0) {
    errors.push({ pointer: '/query', detail: 'this path takes no query' });
  }
  if (errors.length > 0) {
    const [first] = errors;
    const detail = errors.length === 1 && first !== undefined ? `${first.pointer}: ${first.detail}` : 'see errors';
    return { is: 'problem', problem: problem('invalid', detail, { errors: errors.slice(0, ERRORS_MAX) }) };
  }
  return { is: 'valid', input: { params, query, body } };
}

function held(schema: z.ZodType | undefined, value: unknown, base: string, errors: Wrong[]): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  for (const issue of result.error.issues) {
    const pointer = issue.path.reduce<string>((text, name) => `${text}/${escapePointer(String(name))}`, base);
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys)
        errors.push({ pointer: `${pointer}/${escapePointer(key)}`, detail: 'not known here' });
    } else {
      errors.push({ pointer, detail: issue.message });
    }
  }
  return undefined;
}
