// What is typed at a hidden prompt: keys in, bytes out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NOTHING_TYPED, TYPED_BYTES_MAX, type Typed, type } from './line-edit.ts';

function typed(...chunks: string[]): Typed {
  let state: Typed = { ...NOTHING_TYPED, bytes: [] };
  for (const chunk of chunks) {
    state = type(state, Buffer.from(chunk, 'utf8'));
    if (state.is !== 'more') break;
  }
  return state;
}

const text = (state: Typed) => Buffer.from(state.bytes).toString();

test('each key does what people expect of it', () => {
  const cases: [string[], string, Typed['is']][] = [
    [['canary\r'], 'canary', 'done'],
    [['can', 'ary', '\n'], 'canary', 'done'],
    [['canaryx\u007f\r'], 'canary', 'done'],
    [['canaryx\b\r'], 'canary', 'done'],
    [['cané\u007fary\r'], 'canary', 'done'],
    [['x🗝\u007f\r'], 'x', 'done'],
    [['\u007f\u007fcanary\r'], 'canary', 'done'],
    [['wrong\u0015canary\r'], 'canary', 'done'],
    [['ca\u001b[Dna\u001bOAry\u001b[200~\r'], 'canary', 'done'],
    [['canary\u0004'], 'canary', 'done'],
    [['\u0004'], '', 'cancelled'],
    [['canary\u0003'], '', 'cancelled'],
    [['can\u0000a\try\r'], 'canary', 'done'],
    [['canary'], 'canary', 'more'],
  ];
  for (const [chunks, expected, is] of cases) {
    const state = typed(...chunks);
    assert.deepEqual([text(state), state.is], [expected, is], JSON.stringify(chunks));
  }
});

test('what is pasted beyond the first line waits for the next question', () => {
  const state = typed('first-canary\nsecond-canary\n');
  assert.equal(text(state), 'first-canary');
  assert.equal(Buffer.from(state.rest).toString(), 'second-canary\n');
});

test('input without an end is bounded', () => {
  assert.equal(typed('x'.repeat(TYPED_BYTES_MAX * 2)).bytes.length, TYPED_BYTES_MAX);
});
