// What is noted of a key by its provider's word: only what is new, never an id that another version holds, and no heap of names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { versionRow } from '../../test/support/rows.ts';
import { type Inspection, inspected, notedScopes } from './inspecting.ts';

const SILENT: Inspection = { account: null, providerKeyId: null, scopes: null, why: 'silence' };
const free = () => true;

test('scopes are noted sorted and once each; what cannot be names of scopes is not noted', () => {
  assert.deepEqual(notedScopes(['b', 'a', 'b']), ['a', 'b']);
  assert.deepEqual(notedScopes([]), []);
  for (const bad of ['', 'a\u0000', 'a\nb', '\u001b[31m', '\ud800', '\u202e'])
    assert.equal(notedScopes(['a', bad]), null);
  assert.deepEqual(notedScopes(['Full Access', 'öffentlich']), ['Full Access', 'öffentlich']);
  assert.equal(notedScopes(['x'.repeat(201)]), null);
  assert.equal(notedScopes(Array.from({ length: 513 }, (_, n) => `s${n}`)), null);
  assert.equal(notedScopes(Array.from({ length: 512 }, (_, n) => `s${n}`))?.length, 512);
});

test('what the provider does not say stays as it was', () => {
  const version = versionRow({ holds: { scopes: ['a'], at: 1 }, expiresAt: 9, providerKeyId: '17' });
  assert.equal(inspected(version, SILENT, 2, free), null);
  assert.equal(inspected(version, { ...SILENT, scopes: ['a'], expiresAt: 9, providerKeyId: '17' }, 2, free), null);
  assert.deepEqual(inspected(version, { ...SILENT, scopes: [] }, 2, free), { holds: { scopes: [], at: 2 } });
  assert.deepEqual(inspected(version, { ...SILENT, expiresAt: null }, 2, free), { expiresAt: null });
});

test('an id is noted where there was none, and never one that is held already', () => {
  const unnamed = versionRow({ providerKeyId: null });
  const says = { ...SILENT, providerKeyId: '18' };
  assert.deepEqual(inspected(unnamed, says, 2, free), { providerKeyId: '18' });
  assert.equal(
    inspected(unnamed, says, 2, (id) => id !== '18'),
    null,
  );
  assert.equal(inspected(unnamed, { ...SILENT, providerKeyId: '' }, 2, free), null);
  assert.equal(inspected(versionRow({ providerKeyId: '17' }), says, 2, free), null, 'an id does not change');
});

test('noted twice, the second time changes nothing', () => {
  const said = fc.record({
    account: fc.constant(null),
    providerKeyId: fc.option(fc.string()),
    scopes: fc.option(fc.array(fc.string({ minLength: 1 })).map((all) => notedScopes(all)!)),
    expiresAt: fc.option(fc.nat()),
    why: fc.constant(null),
  });
  fc.assert(
    fc.property(said, (seen) => {
      const version = versionRow({ providerKeyId: null });
      const change = inspected(version, seen, 5, free);
      assert.equal(inspected({ ...version, ...change }, seen, 6, free), null);
    }),
  );
});
