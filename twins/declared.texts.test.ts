// Texts of a form: every pattern of every declaration can be drawn from, and what is drawn has the form.
import assert from 'node:assert/strict';
import test from 'node:test';
import { declarationOf } from '../src/providers/declared.ts';
import * as registry from '../src/providers/index.ts';
import { textOfForm } from './declared.texts.ts';
import { prng } from './prng.ts';

test('literals, classes, groups, and how often each stands', () => {
  const random = prng(1);
  const rows: readonly (readonly [pattern: string, text: RegExp])[] = [
    ['^abc$', /^abc$/],
    ['^a\\.b\\|c$', /^a\.b\|c$/],
    ['^re_[A-Za-z0-9]{20}$', /^re_canary[A-Za-z0-9]{14}$/],
    ['^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}$', /^[0-9a-f]{8}-.{4}-.{4}-.{4}$/],
    ['^(?:live|test)_x?y*z+$', /^live_z$/],
    ['^[\\x21-\\x39\\x3b-\\x7e]{1,256}:[\\x21-\\x7e]{3}$', /^canary[^:]{26}:.{3}$/],
    ['^sk-(?!admin-)[a-z-]{6,12}$', /^sk-canary[a-z]{6}$/],
    ['^.*already exists.*$', /^already exists$/],
    ['^[[\\]]{2}$', /^[[\]]{2}$/],
  ];
  for (const [pattern, text] of rows) assert.match(textOfForm(pattern, random), text, pattern);
  assert.throws(() => textOfForm('^(?=b)a$', random), /say how it looks/);
});

test('what is drawn has the form, for every part, setting and answer that a member declares', () => {
  const random = prng(2);
  let seen = 0;
  for (const provider of Object.values(registry)) {
    for (const kind of declarationOf(provider)?.kinds ?? []) {
      const forms = [...Object.values(kind.parts), ...Object.values(kind.settings)].map((one) => one.format);
      for (const form of forms) {
        if (form === undefined) continue;
        assert.match(textOfForm(form, random), new RegExp(form, 'u'), `${provider.name} ${kind.name}`);
        seen++;
      }
    }
  }
  assert(seen > 50);
});
