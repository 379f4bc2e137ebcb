// Method overrides hidden in forms, in the spellings that frameworks read and across chunk boundaries.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPartScanner, formKind, hasOverrideParameter } from './form.ts';

test('which content types are forms', () => {
  const cases: [string, string | null][] = [
    ['application/x-www-form-urlencoded', 'urlencoded'],
    ['Application/X-WWW-Form-Urlencoded; charset=utf-8', 'urlencoded'],
    ['multipart/form-data; boundary=x', 'multipart'],
    ['application/json', null],
    ['', null],
  ];
  for (const [type, kind] of cases) assert.equal(formKind(type), kind, type);
});

test('a URL-encoded override is found in every spelling, and nothing else is', () => {
  for (const body of [
    '_method=DELETE',
    'a=1&_method=DELETE',
    'a=1;_METHOD=x',
    '%5Fmethod=x',
    '_m%65thod=PUT',
    '+_method=x',
    '_method[]=x',
  ]) {
    assert(hasOverrideParameter(body), body);
  }
  for (const body of ['', 'method=DELETE', 'a=_method', 'my_method=1', '%ZZ=1'])
    assert(!hasOverrideParameter(body), body);
});

test('a part that names an override is found wherever the chunks are cut', () => {
  const body = '--x\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--x--\r\n';
  for (let cut = 0; cut <= body.length; cut++) {
    const scan = createPartScanner();
    const seen = [body.slice(0, cut), body.slice(cut)].map((part) => scan(Buffer.from(part)));
    assert(seen.includes(true), `cut at ${cut}`);
  }
  for (const name of ['name=_method', 'name = "_METHOD"', "name*=utf-8''_method", 'name="%5Fmethod"']) {
    assert(createPartScanner()(Buffer.from(`--x\r\nContent-Disposition: form-data; ${name}\r\n\r\n`)), name);
  }
  assert(!createPartScanner()(Buffer.from('--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n')));
});
