// Which keys may be held outside: the one that a credential came with, for lending, where the provider's list does not tell.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialRow, versionRow } from '../../test/support/rows.ts';
import * as registry from '../providers/index.ts';
import type { Provider } from '../providers/provider.ts';
import { mayBeHeldOutside, unseen } from './adoption.ts';

test('the key that a credential came with may be held outside, unless the provider’s list says who uses it', () => {
  const lent = credentialRow({ purpose: 'lend', issuerId: 'crd_issuer' });
  const first = versionRow({ number: 1, label: null });
  const blind = {};
  const seeing = { showsLastUse: true };
  assert.equal(mayBeHeldOutside(lent, first, blind), true);
  assert.equal(mayBeHeldOutside(lent, first, seeing), false, 'the drain waits for whoever uses it');
  assert.equal(mayBeHeldOutside({ ...lent, issuerId: null }, first, seeing), true, 'nobody can read the list');
  assert.equal(
    mayBeHeldOutside({ ...lent, purpose: 'manage' }, first, blind),
    false,
    'it never goes through the broker',
  );
  assert.equal(mayBeHeldOutside(lent, { ...first, number: 2 }, blind), false, 'brought for the broker alone');
  assert.equal(mayBeHeldOutside(lent, { ...first, label: 'claviger/x' }, blind), false, 'made here');
});

test('the kinds whose lists say when a key was last used are those whose documents say so', () => {
  const seeing = (Object.values(registry) as Provider[]).flatMap(({ name, kinds }) =>
    kinds.filter((kind) => kind.showsLastUse === true).map((kind) => `${name} ${kind.name}`),
  );
  assert.ok(
    ['neon organization-key', 'gitlab project-token'].every((kind) => seeing.includes(kind)),
    seeing.join(', '),
  );
  for (const kind of ['sendgrid api-key', 'prefect-cloud service-account-key', 'plaid access-token'])
    assert.ok(!seeing.includes(kind), kind);
});

test('the reason says what is not known, and what it would come to', () => {
  assert.match(unseen('SendGrid'), /SendGrid does not say .* would be refused/);
});
