// The one error class. Programmer errors assert; expected outcomes are values; everything else is a Failure.
// `message` is safe to show to the caller: it never holds a secret, a path of this machine or another tenant's data.
// Detail for operators goes into `cause`. Wrap once, where meaning is added; never log and throw.

export const FAILURE_STATUS = {
  invalid: 400,
  unauthenticated: 401,
  denied: 403,
  'not-found': 404,
  conflict: 409,
  'rate-limited': 429,
  'upstream-rejected': 502,
  'upstream-unavailable': 502,
  'upstream-ambiguous': 504,
  sealed: 503,
  unavailable: 503,
  corrupt: 500,
} as const;

export type FailureCode = keyof typeof FAILURE_STATUS;

export interface FailureDetails {
  cause?: unknown;
  /** One entry for each field that is wrong, with its JSON pointer, so that all errors show at once. */
  errors?: readonly { pointer: string; detail: string }[];
  /** Seconds after which a retry makes sense, for `rate-limited` and `unavailable`. */
  retryAfterSeconds?: number;
}

export class Failure extends Error {
  readonly code: FailureCode;
  readonly errors: readonly { pointer: string; detail: string }[];
  readonly retryAfterSeconds: number | null;

  constructor(code: FailureCode, message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'Failure';
    this.code = code;
    this.errors = details.errors ?? [];
    this.retryAfterSeconds = details.retryAfterSeconds ?? null;
  }

  /** Whether an unknown thrown value is a Failure, optionally of one code. */
  static is(value: unknown, code?: FailureCode): value is Failure {
    return value instanceof Failure && (code === undefined || value.code === code);
  }
}

/** Asserts what only a programmer can break. Throws a plain Error, which ends as a 500 and a bug report. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${message}`);
}
