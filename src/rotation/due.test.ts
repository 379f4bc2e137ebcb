// What is due: each check in its order, and the day itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { credentialRow, NOW, versionRow } from '../../test/support/rows.ts';
import { type CredentialRow, DEFAULT_ROTATION, type VersionRow } from '../credentials/credential.ts';
import { dueFor, mayTryAgain } from './due.ts';

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

test('a key that its provider ends is due before that, also where nothing else is scheduled', () => {
  const hours = (count: number) => count * 3_600_000;
  const unscheduled = { policy: DEFAULT_ROTATION };
  const ends = (expiresAt: number) => ({ createdAt: NOW, expiresAt });
  const table: [string, number, number][] = [
    ['90 days: two weeks before', 90 * DAY_MS, 76 * DAY_MS],
    ['8 days: a quarter of its life before', 8 * DAY_MS, 6 * DAY_MS],
    ['2 hours: an hour before', hours(2), hours(1)],
    ['10 minutes: half of it before, or it would never rest', 600_000, 300_000],
    ['a second: five minutes after it was made, not sooner', 1_000, 300_000],
    ['an end before its beginning: an hour after it was made', -DAY_MS, hours(1)],
  ];
  for (const [name, life, dueAfter] of table) {
    const at = NOW + dueAfter;
    assert.deepEqual(due(unscheduled, ends(NOW + life), at - 1), { due: false, why: 'not-yet', at }, name);
    assert.deepEqual(due(unscheduled, ends(NOW + life), at), { due: true, why: 'expiry' }, name);
  }
  const both = ends(NOW + 90 * DAY_MS);
  assert.deepEqual(due({}, both, NOW + 30 * DAY_MS), { due: true, why: 'age' }, 'whatever comes first');
  assert.deepEqual(due({ ...unscheduled, suspendedAt: 1 }, both), { due: false, why: 'suspended', at: null });
});

test('what was tried in vain is tried again after an hour, then less and less often, once a day at the least', () => {
  const hour = 3_600_000;
  assert(mayTryAgain(null, NOW));
  const waits: number[] = [];
  for (let count = 1; count <= 12; count++) {
    const tries = { count, lastAt: NOW };
    const wait = [1, 2, 4, 8, 16, 24].find((hours) => mayTryAgain(tries, NOW + hours * hour))!;
    assert(!mayTryAgain(tries, NOW + wait * hour - 1));
    waits.push(wait);
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 24, 24, 24, 24, 24, 24, 24]);
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
