// What is wrong, as RFC 9457 problem details. The types are `urn:claviger:problem:<code>`; the codes are those of Failure and the
// few that only HTTP knows. Nothing of an internal cause reaches a caller.
import { z } from 'zod';
import { FAILURE_STATUS, Failure, type FailureCode } from '../model/failure.ts';

export type ProblemCode =
  | Exclude<FailureCode, 'corrupt'>
  | 'malformed-json'
  | 'malformed-request'
  | 'no-such-path'
  | 'method-not-allowed'
  | 'not-acceptable'
  | 'precondition-failed'
  | 'too-large'
  | 'unsupported-media-type'
  | 'headers-too-large'
  | 'request-timeout'
  | 'stopping'
  | 'internal';

export interface Problem {
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
  readonly headers: Readonly<Record<string, string>>;
}

const TITLES: Readonly<Record<ProblemCode, string>> = {
  invalid: 'The input is not valid.',
  unauthenticated: 'Authentication failed.',
  denied: 'The caller may not do this.',
  'not-found': 'There is no such thing.',
  conflict: 'The present state does not allow this.',
  'rate-limited': 'Too many requests.',
  'upstream-rejected': 'The provider refused.',
  'upstream-unavailable': 'The provider could not be reached.',
  'upstream-ambiguous': 'The provider did not answer; the request may have taken effect.',
  sealed: 'Claviger is sealed: its keys are not in memory.',
  unavailable: 'This cannot be done right now.',
  'malformed-json': 'The body is not JSON.',
  'malformed-request': 'The request is malformed.',
  'no-such-path': 'There is no such path.',
  'method-not-allowed': 'The path does not have this method.',
  'not-acceptable': 'None of the accepted media types is on offer.',
  'precondition-failed': 'The row was changed meanwhile.',
  'too-large': 'The body is too large.',
  'unsupported-media-type': 'The body must be application/json.',
  'headers-too-large': 'The headers are too large.',
  'request-timeout': 'The request did not come in time.',
  stopping: 'The server is stopping.',
  internal: 'An internal error. It is on record.',
};

const STATUS: Readonly<Partial<Record<ProblemCode, number>>> = {
  'malformed-json': 400,
  'malformed-request': 400,
  'no-such-path': 404,
  'method-not-allowed': 405,
  'not-acceptable': 406,
  'precondition-failed': 412,
  'too-large': 413,
  'unsupported-media-type': 415,
  'headers-too-large': 431,
  'request-timeout': 408,
  stopping: 503,
  internal: 500,
};

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    instance: z.string(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });

export function problem(
  code: ProblemCode,
  detail = '',
  more: { errors?: Problem['errors']; headers?: Readonly<Record<string, string>> } = {},
): Problem {
  const status = STATUS[code] ?? FAILURE_STATUS[code as FailureCode];
  const headers = code === 'unauthenticated' ? { 'www-authenticate': 'Bearer realm="claviger"' } : {};
  return { status, code, detail, errors: more.errors ?? [], headers: { ...headers, ...more.headers } };
}

/** The problem that a thrown value is. Whatever is no Failure, and what is corrupt, is an internal error without detail. */
export function problemOf(error: unknown): Problem {
  if (!Failure.is(error) || error.code === 'corrupt') return problem('internal');
  const wait = error.retryAfterSeconds ?? (error.code === 'unavailable' ? 1 : null);
  return problem(error.code, error.message, {
    errors: error.errors,
    headers: wait === null ? {} : { 'retry-after': String(Math.max(1, Math.ceil(wait))) },
  });
}

export function problemBody(found: Problem, requestId: string): object {
  return {
    type: `urn:claviger:problem:${found.code}`,
    title: TITLES[found.code],
    status: found.status,
    code: found.code,
    detail: found.detail,
    instance: `urn:claviger:request:${requestId}`,
    errors: found.errors,
  };
}
