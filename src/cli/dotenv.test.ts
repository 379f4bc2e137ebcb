// The .env parser: what each form of a line means, and that nothing is ever expanded or shown.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../model/failure.ts';
import { revealSecretText } from '../model/secret.ts';
import { dotenvNames, dotenvValue } from './dotenv.ts';

test('each form of a line', () => {
  const cases: [string, string][] = [
    ['KEY=canary-1', 'canary-1'],
    ['KEY = canary-1 ', 'canary-1'],
    ['export KEY=canary-1', 'canary-1'],
    ['  KEY=canary-1', 'canary-1'],
    ['\ufeffKEY=canary-1', 'canary-1'],
    ['A=1\r\nKEY=canary-1\r\n', 'canary-1'],
    ['KEY=canary-1 # the real one', 'canary-1'],
    ['KEY=canary#1', 'canary#1'],
    ["KEY='canary # 1'", 'canary # 1'],
    ["KEY='canary\\n1'", 'canary\\n1'],
    ['KEY="canary # 1" # why', 'canary # 1'],
    ['KEY="canary\\n\\t\\"\\\\1"', 'canary\n\t"\\1'],
    ['KEY="canary\\q1"', 'canary\\q1'],
    ['KEY="canary-1\nsecond line"\nB=2', 'canary-1\nsecond line'],
    ['KEY=`canary "1"`', 'canary "1"'],
    ['KEY=canary=1==', 'canary=1=='],
    ['# KEY=old\n\nKEY=canary-1', 'canary-1'],
    ['KEY=canary-1\nKEY=canary-1', 'canary-1'],
    ['KEY="canary-1" \nB=x', 'canary-1'],
  ];
  for (const [text, value] of cases)
    assert.equal(revealSecretText(dotenvValue(text, 'KEY')), value, JSON.stringify(text));
});

test('nothing is expanded: neither variables nor commands', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: what stands in the file
  for (const value of ['canary-$HOME', 'canary-${HOME}', 'canary-$(id)', 'canary-`id`']) {
    assert.equal(revealSecretText(dotenvValue(`KEY=${value}`, 'KEY')), value);
    assert.equal(revealSecretText(dotenvValue(`KEY="${value}"`, 'KEY')), value);
  }
  assert.equal(revealSecretText(dotenvValue('KEY="canary-\\$HOME"', 'KEY')), 'canary-$HOME');
});

test('what is refused, with the line and never with a value', () => {
  const cases: [string, RegExp][] = [
    ['A=1', /has no KEY/],
    ['KEY=', /empty/],
    ["KEY=''", /empty/],
    ['KEY=canary-1\nKEY=canary-2', /more than once/],
    ['KEY="canary-1', /line 1 .* never closed/],
    ["A=1\n\nKEY='canary-1\nB=2", /line 3 .* never closed/],
    ['KEY="canary-1"x', /line 1 .* after the closing quote/],
    ['A=1\ncanary-1', /line 2 .* not NAME=value/],
    ['1KEY=canary-1', /line 1 .* not NAME=value/],
    [`KEY=${'canary'.repeat(4000)}`, /too long/],
  ];
  for (const [text, why] of cases) {
    assert.throws(
      () => dotenvValue(text, 'KEY'),
      (error) => Failure.is(error) && why.test(error.message) && !error.message.includes('canary'),
      text.slice(0, 40),
    );
  }
});

test('the names in a file, each once, whatever their values', () => {
  assert.deepEqual(dotenvNames('# c\nA=1\nB="x\nC=inside"\nexport D=2\nA=3\n'), ['A', 'B', 'D']);
});
