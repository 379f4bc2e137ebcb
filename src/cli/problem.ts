// From an answer that is no success to a Failure: RFC 9457 problems as the control API writes them, and whatever something in
// between may answer. Not here: hints and printing (report.ts).
import { FAILURE_STATUS, Failure, type FailureCode } from '../model/failure.ts';

const TEXT_MAX = 500;
const ERRORS_MAX = 100;

function codeOf(status: number, code: unknown): FailureCode {
  if (typeof code === 'string' && Object.hasOwn(FAILURE_STATUS, code)) return code as FailureCode;
  if (status === 412 || status === 409) return 'conflict';
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'denied';
  if (status === 404) return 'not-found';
  if (status === 429) return 'rate-limited';
  if (status === 503) return 'unavailable';
  return status >= 400 && status < 500 ? 'invalid' : 'upstream-rejected';
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value.slice(0, TEXT_MAX) : null;
}

function errorsOf(value: unknown): { pointer: string; detail: string }[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, ERRORS_MAX).flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { pointer, detail } = entry as { pointer?: unknown; detail?: unknown };
    return [{ pointer: textOf(pointer) ?? '', detail: textOf(detail) ?? 'not accepted' }];
  });
}

/** Whole seconds of a Retry-After header, or null. A date is not read: our server sends seconds. */
function retryAfterOf(value: string | null): number | null {
  return value !== null && /^[0-9]{1,9}$/.test(value) ? Number(value) : null;
}

/** The failure that an answer means. `json` is null where the body was none. */
export function failureOf(answer: {
  readonly status: number;
  readonly json: unknown;
  readonly retryAfter: string | null;
}): Failure {
  const { status, json } = answer;
  const problem = typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
  const isProblem = typeof problem['type'] === 'string' || typeof problem['code'] === 'string';
  const code = codeOf(status, problem['code']);
  const fallback = isProblem
    ? `the server answered ${status}`
    : `the server answered ${status}, but not as a Claviger server does: is this the address of the control API?`;
  const message = textOf(problem['detail']) ?? (isProblem ? textOf(problem['title']) : null) ?? fallback;
  const retryAfterSeconds = retryAfterOf(answer.retryAfter);
  return new Failure(code, message, {
    errors: errorsOf(problem['errors']),
    ...(retryAfterSeconds === null ? {} : { retryAfterSeconds }),
  });
}
