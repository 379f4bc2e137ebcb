// The options as data, and the guess at what a misspelt key was meant to be.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { configJsonSchema, knownKeys, listOptions, suggestKey } from './options.ts';

const schema = configJsonSchema();

test('the keys that are known at a place', () => {
  assert.deepEqual(knownKeys(schema, ['broker']), ['listen', 'tls', 'terminatedBy']);
  assert.deepEqual(knownKeys(schema, ['broker', 'tls']), ['certificate', 'key']);
  assert.deepEqual(knownKeys(schema, ['kek']), ['kind', 'path', 'from']);
  assert.deepEqual(knownKeys(schema, ['providers', 'neon']), ['origin', 'privateNetworks', 'plainHttp']);
  assert.deepEqual(knownKeys(schema, ['database', 'url']), ['env', 'file', 'command']);
  for (const nowhere of [['drain'], ['nothing'], ['broker', 'tls', 'key'], ['__proto__'], ['constructor']]) {
    assert.deepEqual(knownKeys(schema, nowhere), [], nowhere.join('.'));
  }
});

test('a source of a secret is one option, and a section that may be null is one beside its parts', () => {
  const pointers = listOptions(schema).map((option) => option.pointer);
  assert.ok(pointers.includes('/database/url') && !pointers.includes('/database/url/env'));
  assert.ok(pointers.includes('/kek') && pointers.includes('/kek/path') && pointers.includes('/kek/from'));
  assert.ok(pointers.includes('/providers/*/origin') && !pointers.includes('/broker'));
  assert.equal(new Set(pointers).size, pointers.length);
});

test('a misspelt key is traced to the one that was meant', () => {
  const known = knownKeys(schema, []);
  const table = {
    dataDir: 'dataDirectory',
    data_directory: 'dataDirectory',
    datadirectory: 'dataDirectory',
    borker: 'broker',
    databse: 'database',
    kekk: 'kek',
    drainSeconds: 'drain',
    'trusted-proxies': 'trustedProxies',
    sheduler: 'scheduler',
    limit: 'limits',
  };
  for (const [key, meant] of Object.entries(table)) assert.equal(suggestKey(key, known), meant, key);
});

test('a key that is like none is traced to none', () => {
  const known = knownKeys(schema, []);
  for (const key of ['vault', 'x', '', 'listeners', 'constructor', 'q'.repeat(100_000)]) {
    assert.equal(suggestKey(key, known), null, key.slice(0, 20));
  }
});

test('one wrong letter in a name of three or more is always forgiven', () => {
  const known = knownKeys(schema, []);
  const misspelt = fc
    .constantFrom(...known)
    .chain((name) =>
      fc.nat({ max: name.length - 1 }).map((at) => ({ name, text: `${name.slice(0, at)}ж${name.slice(at + 1)}` })),
    );
  fc.assert(fc.property(misspelt, ({ name, text }) => assert.equal(suggestKey(text, known), name)));
});
