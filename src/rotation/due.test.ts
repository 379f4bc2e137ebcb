// What is due: each check in its order, and the day itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { credentialRow, NOW, versionRow } from '../../test/support/rows.ts';
import { type CredentialRow, DEFAULT_ROTATION, type VersionRow } from '../credentials/credential.ts';
import { dueFor } from './due.ts';

const DAY_MS = 86_400_000;
const policy = { ...DEFAULT_ROTATION, everyDays: 30 };

function due(credential: Partial<CredentialRow>, version: Partial<VersionRow> | null, now = NOW + 31 * DAY_MS) {
  return dueFor(
    credentialRow({ policy, issuerId: 'crd_i', ...credential }),
    version === null ? null : versionRow(version),
    { issuer: true, providerKeyId: true },
    now,
  );
}

test('a version is due when its days are over, to the millisecond', () => {
  const at = NOW + 30 * DAY_MS;
  assert.deepEqual(due({}, {}, at - 1), { due: false, why: 'not-yet', at });
  assert.deepEqual(due({}, {}, at), { due: true, why: 'age' });
  assert.deepEqual(due({}, {}, at + 1), { due: true, why: 'age' });
});

test('the days count from when it was promoted; from when it was stored where it never was', () => {
  const later = NOW + 20 * DAY_MS;
  assert.deepEqual(due({}, { promotedAt: later }, NOW + 31 * DAY_MS), {
    due: false,
    why: 'not-yet',
    at: later + 30 * DAY_MS,
  });
  assert.deepEqual(due({}, { promotedAt: null, createdAt: NOW }, NOW + 30 * DAY_MS), { due: true, why: 'age' });
});

test('what keeps a credential from being rotated is named, the first that applies', () => {
  const unscheduled = { policy: DEFAULT_ROTATION };
  const table: [Partial<CredentialRow>, Partial<VersionRow> | null, string][] = [
    [unscheduled, {}, 'not-scheduled'],
    [{ retiredAt: 1 }, {}, 'retired'],
    [{ suspendedAt: 1 }, {}, 'suspended'],
    [{}, null, 'no-current-version'],
    [{ issuerId: null }, {}, 'no-issuer'],
    [{}, { providerKeyId: null }, 'unidentified'],
    [{ ...unscheduled, retiredAt: 1, suspendedAt: 1, issuerId: null }, null, 'not-scheduled'],
    [{ retiredAt: 1, suspendedAt: 1, issuerId: null }, null, 'retired'],
    [{ suspendedAt: 1, issuerId: null }, null, 'suspended'],
    [{ issuerId: null }, null, 'no-current-version'],
    [{ issuerId: null }, { providerKeyId: null }, 'no-issuer'],
  ];
  for (const [credential, version, why] of table) {
    const answer = due(credential, version);
    assert.deepEqual(answer, { due: false, why, at: null });
  }
});

test('what is due stays due, and when it will be is when it is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3_650 }), fc.nat(4_000), (everyDays, days) => {
      const own = { policy: { ...policy, everyDays } };
      const now = NOW + days * DAY_MS;
      const answer = due(own, {}, now);
      assert.equal(answer.due, days >= everyDays);
      if (answer.due) assert(due(own, {}, now + DAY_MS).due);
      else assert(due(own, {}, answer.at!).due && !due(own, {}, answer.at! - 1).due);
    }),
  );
});
