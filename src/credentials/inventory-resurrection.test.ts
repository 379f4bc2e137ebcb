// Which keys the inventory asks about: those of dead versions that are listed, or that an open alarm is about, and no others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDesk } from '../../test/support/desk.ts';
import { credentialRow, versionRow } from '../../test/support/rows.ts';
import type { ListedKey } from '../providers/provider.ts';
import type { FindingRow } from './finding.ts';
import { revokedKeys, SUSPECTS_MAX, suspectsOf } from './inventory-resurrection.ts';

const MANAGED_AT = 'https://manage.example';
const origins = new Set([credentialRow().origin, MANAGED_AT]);
const HERE = { provider: 'neon', origins, issuerId: 'crd_i', dependants: new Set(['crd_1']) };

function listed(...ids: string[]): ListedKey[] {
  return ids.map((providerKeyId) => ({
    providerKeyId,
    name: `name of ${providerKeyId}`,
    createdAt: null,
    lastUsedAt: 7,
    lastUsedFrom: null,
    scope: null,
  }));
}

function alarm(id: string, providerKeyId: string, more: Partial<FindingRow> = {}): FindingRow {
  return {
    id,
    rowVersion: 1,
    issuerId: 'crd_i',
    providerKeyId,
    kind: 'resurrected',
    name: '',
    state: 'open',
    firstSeenAt: 1,
    closedAt: null,
    lastUsedAt: null,
    ...more,
  };
}

test('only keys of versions that are called revoked, here, and held by no other version', () => {
  const { rows, furnish } = memoryDesk();
  furnish('credential', credentialRow({ id: 'crd_1' }), credentialRow({ id: 'crd_far', name: 'f', provider: 'other' }));
  furnish('credential', credentialRow({ id: 'crd_moved', name: 'm', origin: 'https://elsewhere.example' }));
  const dead = (id: string, providerKeyId: string | null, credentialId = 'crd_1') =>
    versionRow({ id, credentialId, providerKeyId, state: 'revoked' });
  furnish('version', dead('ver_a', 'a'), dead('ver_b', 'b'), dead('ver_n', null));
  furnish('version', dead('ver_f', 'f', 'crd_far'), dead('ver_m', 'm', 'crd_moved'), dead('ver_x', 'x', 'crd_gone'));
  furnish('version', versionRow({ id: 'ver_c', credentialId: 'crd_1', providerKeyId: 'c', state: 'previous' }));
  furnish('credential', credentialRow({ id: 'crd_manage', name: 'manage', origin: MANAGED_AT }));
  furnish('version', dead('ver_d', 'd', 'crd_manage'), dead('ver_e', 'e'));
  furnish('version', versionRow({ id: 'ver_e2', credentialId: 'crd_manage', providerKeyId: 'e', state: 'current' }));
  furnish('version', versionRow({ id: 'ver_b2', credentialId: 'crd_1', providerKeyId: 'b', state: 'current' }));
  assert.deepEqual(
    [...revokedKeys(rows, HERE)].map(([id, { version }]) => [id, version.id]),
    [
      ['a', 'ver_a'],
      ['d', 'ver_d'],
    ],
  );
  const suspects = suspectsOf(rows, listed('a', 'b', 'c', 'f', 'm', 'x', 'unknown'), HERE);
  assert.deepEqual(
    suspects.map(({ providerKeyId, name, lastUsedAt, version }) => [providerKeyId, name, lastUsedAt, version.id]),
    [['a', 'name of a', 7, 'ver_a']],
  );
});

test('an alarm is asked about again although its key is not listed: in the list of its own issuer and credential', () => {
  const { rows, furnish } = memoryDesk();
  furnish('credential', credentialRow({ id: 'crd_1' }), credentialRow({ id: 'crd_2', name: 'two' }));
  const dead = (id: string, providerKeyId: string, credentialId: string) =>
    versionRow({ id, credentialId, providerKeyId, state: 'revoked' });
  furnish('version', dead('ver_a', 'a', 'crd_1'), dead('ver_b', 'b', 'crd_1'), dead('ver_c', 'c', 'crd_2'));
  furnish('finding', alarm('fnd_1', 'a'), alarm('fnd_2', 'b', { issuerId: 'crd_other' }), alarm('fnd_3', 'c'));
  furnish('finding', alarm('fnd_4', 'stranger'), alarm('fnd_5', 'b', { kind: 'unregistered' }));
  assert.deepEqual(
    suspectsOf(rows, [], HERE).map(({ providerKeyId, name }) => [providerKeyId, name]),
    [['a', '']],
  );
});

test('one look asks about no more keys than its brake allows', () => {
  const { rows, furnish } = memoryDesk();
  furnish('credential', credentialRow({ id: 'crd_1' }));
  const ids = Array.from({ length: SUSPECTS_MAX + 5 }, (_, n) => `k${n}`);
  for (const id of ids) {
    furnish('version', versionRow({ id: `ver_${id}`, credentialId: 'crd_1', providerKeyId: id, state: 'revoked' }));
  }
  assert.equal(suspectsOf(rows, listed(...ids), HERE).length, SUSPECTS_MAX);
});
