// Scopes and lifetime of a key that is asked for: from the settings of its credential, and never more than they say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../model/failure.ts';
import { neon } from '../providers/neon.ts';
import type { Kind } from '../providers/provider.ts';
import { issuing, overprivileged, sharedSettings } from './issuing.ts';

const scoped: Kind = {
  ...neon.kinds[1]!,
  canExpire: true,
  scopes: { of: 'key', all: ['read', 'write', '*'], everything: ['*'] },
};
const isInvalid = (error: unknown) => Failure.is(error, 'invalid');

test('scopes are needed where keys are minted with them, and may be told where a person makes the keys', () => {
  assert.deepEqual(Object.keys(sharedSettings(scoped)), ['lifetimeDays', 'scopes']);
  assert.deepEqual(Object.keys(sharedSettings(neon.kinds[1]!)), [], 'Neon’s keys have neither scopes nor an end');
  const { scopes, ...rest } = sharedSettings({ ...scoped, issue: null });
  assert.deepEqual([scopes?.required, rest], [false, {}]);
  assert.equal(sharedSettings(scoped)['scopes']?.required, true);
});

test('what is asked for is what the settings say, each scope once', () => {
  const settings = { orgId: 'o', scopes: 'read, write read', lifetimeDays: '30' };
  const asked = issuing(scoped, settings, 1_000);
  assert.deepEqual([asked.scopes, asked.expiresAt], [['read', 'write'], 1_000 + 30 * 86_400_000]);
  assert.deepEqual(issuing(neon.kinds[1]!, { orgId: 'o' }, 1_000), { settings: { orgId: 'o' } });
});

test('a scope that there is not, none at all, and a lifetime that is no number of days are refused', () => {
  for (const settings of [{ scopes: 'read admin' }, { scopes: ' , ' }, { scopes: 'read', lifetimeDays: '0' }]) {
    assert.throws(() => issuing(scoped, settings, 0), isInvalid);
  }
  for (const lifetimeDays of ['1.5', '-1', '4000', 'soon', ''])
    assert.throws(() => issuing(scoped, { scopes: 'read', lifetimeDays }, 0), isInvalid);
});

test('where not all scopes are known, one that nobody listed is taken as it is', () => {
  const open: Kind = { ...scoped, scopes: { of: 'key', all: ['read'], isOpen: true } };
  assert.deepEqual(issuing(open, { scopes: 'read new' }, 0).scopes, ['read', 'new']);
});

test('a scope that means everything is pointed out', () => {
  assert.deepEqual(overprivileged(scoped, { scopes: 'read *' }), ['*']);
  assert.deepEqual(overprivileged(scoped, { scopes: 'read' }), []);
});
