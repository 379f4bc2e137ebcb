// Turns whatever went wrong on the way to an upstream into a Failure that says one thing for certain: whether the request may
// have arrived. The libraries' own errors are never passed on as causes: they may hold the answer's bytes, the request's path
// or a certificate. Only their name and code survive.
import { Failure } from '../model/failure.ts';

const NAME = /^[A-Za-z]{1,64}$/;
const CODE = /^[A-Z0-9_]{1,64}$/;

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** A cause that holds nothing but the error's name and code, for operators. */
export function bareCause(error: unknown): Error {
  const name = property(error, 'name');
  const code = property(error, 'code');
  const words = [
    typeof name === 'string' && NAME.test(name) ? name : 'Error',
    typeof code === 'string' && CODE.test(code) ? code : 'without a code',
  ];
  return new Error(words.join(' '));
}

/**
 * The Failure for an error of a request. `mayHaveBeenSent` is whether its first byte may have been written: then it is
 * `upstream-ambiguous`, whatever the error says, else `upstream-unavailable`. A Failure from before the first byte stays as it is.
 */
export function upstreamFailure(error: unknown, mayHaveBeenSent: boolean): Failure {
  if (mayHaveBeenSent) {
    return new Failure(
      'upstream-ambiguous',
      'the connection to the upstream failed after the request may have been sent',
      {
        cause: Failure.is(error) ? error : bareCause(error),
      },
    );
  }
  if (Failure.is(error)) return error;
  return new Failure('upstream-unavailable', 'the upstream could not be reached', { cause: bareCause(error) });
}
