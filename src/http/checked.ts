// Holds an answer against what its route documents. Used by tests and by the API's fuzzing, where a mismatch is an error; a caller of a
// running server gets the answer as it is.
import { canonicalJson, type Json } from '../model/json.ts';
import type { Answer, Route } from '../model/route.ts';

/** What is wrong with an answer, or null. */
export function checkedAnswer(route: Route, answer: Answer): string | null {
  const shape = route.answers[answer.status];
  const name = `${route.method} ${route.path}`;
  if (shape === undefined) return `${name}: status ${answer.status} is not documented`;
  if (typeof answer.body === 'string') return null;
  const given = JSON.parse(JSON.stringify(answer.body)) as Json;
  const parsed = shape.schema.safeParse(given);
  if (!parsed.success) {
    const fields = parsed.error.issues.map((issue) => `/${issue.path.map(String).join('/')}: ${issue.message}`);
    return `${name}: the answer is not as documented: ${fields.join('; ')}`;
  }
  // A schema drops the members that it does not name.
  return canonicalJson(parsed.data as Json) === canonicalJson(given)
    ? null
    : `${name}: the answer has undocumented members`;
}
