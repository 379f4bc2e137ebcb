// The one error class: what is public is public, what is a cause stays a cause.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as assertThat, FAILURE_STATUS, Failure, type FailureCode } from './failure.ts';

test('every code has a status that a caller understands', () => {
  for (const [code, status] of Object.entries(FAILURE_STATUS)) {
    assert(status >= 400 && status <= 599, code);
    const failure = new Failure(code as FailureCode, 'text');
    assert.deepEqual([failure.code, failure.message, failure.name], [code, 'text', 'Failure']);
  }
});

test('details default to nothing, and a cause is kept apart from the message', () => {
  const plain = new Failure('conflict', 'it was changed');
  assert.deepEqual(
    [plain.errors, plain.retryAfterSeconds, plain.cause, Object.hasOwn(plain, 'cause')],
    [[], null, undefined, false],
  );
  const cause = new Error('canary detail');
  const errors = [{ pointer: '/name', detail: 'too long' }];
  const full = new Failure('invalid', 'the name', { cause, errors, retryAfterSeconds: 3 });
  assert.deepEqual([full.errors, full.retryAfterSeconds, full.cause], [errors, 3, cause]);
  assert(!full.message.includes('canary') && !String(full).includes('canary'));
});

test('what was thrown is told apart by class and code', () => {
  const failure = new Failure('denied', 'no');
  assert(Failure.is(failure) && Failure.is(failure, 'denied'));
  assert(!Failure.is(failure, 'invalid'));
  for (const other of [new Error('denied'), { code: 'denied' }, 'denied', null, undefined]) assert(!Failure.is(other));
});

test('a broken assertion is a plain error: a bug, and not an answer', () => {
  assertThat(true, 'fine');
  for (const wrong of [false, 0, '', null, undefined]) {
    assert.throws(
      () => assertThat(wrong, 'what should be'),
      (error) => error instanceof Error && !Failure.is(error) && /what should be/.test(error.message),
    );
  }
});
