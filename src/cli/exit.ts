// The exit codes of the program, and which one a failure ends with. docs/cli.md holds the same table; a test compares them.
// Not here: what is printed (report.ts).
import { Failure, type FailureCode } from '../model/failure.ts';

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  denied: 3,
  conflict: 4,
  unreachable: 5,
  unavailable: 6,
} as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** What each code means, for the documentation and for `claviger --help`. */
export const EXIT_MEANING: Readonly<Record<Exit, string>> = {
  0: 'done; for checks: nothing was found',
  1: 'it failed, or a check has findings',
  2: 'the call is wrong: an unknown command or option, a value that is refused',
  3: 'not authenticated, or not permitted',
  4: 'conflict: it was changed meanwhile, the name is taken, or it is not in the state for this',
  5: 'the server cannot be reached',
  6: 'the server is sealed, stopping or too busy, or what is needed cannot be reached: try again later',
};

const EXIT_OF: Readonly<Record<FailureCode, Exit>> = {
  invalid: EXIT.usage,
  unauthenticated: EXIT.denied,
  denied: EXIT.denied,
  'not-found': EXIT.failed,
  conflict: EXIT.conflict,
  'rate-limited': EXIT.unavailable,
  'upstream-rejected': EXIT.failed,
  'upstream-unavailable': EXIT.failed,
  'upstream-ambiguous': EXIT.failed,
  sealed: EXIT.unavailable,
  unavailable: EXIT.unavailable,
  corrupt: EXIT.failed,
};

/** What happened to a request that got no answer from the server itself. The provider's own troubles are not this. */
interface Unreached {
  readonly unreached: true;
  readonly cause: unknown;
}

/** The failure for a server that cannot be reached. `mayHaveActed`: the request was sent, so it may have been carried out. */
export function unreachable(message: string, options: { cause: unknown; mayHaveActed: boolean }): Failure {
  const cause: Unreached = { unreached: true, cause: options.cause };
  return new Failure(options.mayHaveActed ? 'upstream-ambiguous' : 'upstream-unavailable', message, { cause });
}

export function isUnreachable(failure: Failure): boolean {
  return typeof failure.cause === 'object' && failure.cause !== null && 'unreached' in failure.cause;
}

/** The exit code for whatever was thrown. */
export function exitOf(error: unknown): Exit {
  if (!Failure.is(error)) return EXIT.failed;
  return isUnreachable(error) ? EXIT.unreachable : EXIT_OF[error.code];
}
