// Which owners and modes keep a file to itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exposureOf, tamperingOf } from './exposure.ts';

const SERVER = 1000;
const ROOT = 0;
const OTHER = 1001;

test('a secret of our own user is for that user alone', () => {
  for (const mode of [0o600, 0o400, 0o700, 0]) assert.equal(exposureOf({ userId: SERVER, mode }, SERVER), null);
  for (const mode of [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o666]) {
    assert.match(exposureOf({ userId: SERVER, mode }, SERVER) ?? '', /mode 0600/, mode.toString(8));
  }
});

test('a secret of root may be read by its group, and no more', () => {
  for (const mode of [0o600, 0o640, 0o440]) assert.equal(exposureOf({ userId: ROOT, mode }, SERVER), null);
  for (const mode of [0o660, 0o650, 0o644, 0o642, 0o641]) {
    assert.match(exposureOf({ userId: ROOT, mode }, SERVER) ?? '', /mode 0640/, mode.toString(8));
  }
});

test('for root itself its own files count as those of its user', () => {
  assert.match(exposureOf({ userId: ROOT, mode: 0o640 }, ROOT) ?? '', /mode 0600/);
});

test('a secret of another user is refused, whatever its mode', () => {
  assert.match(exposureOf({ userId: OTHER, mode: 0o600 }, SERVER) ?? '', /another user/);
});

test('a file that the server obeys may be changed by its user and root alone', () => {
  for (const userId of [SERVER, ROOT]) assert.equal(tamperingOf({ userId, mode: 0o644 }, SERVER), null);
  assert.equal(tamperingOf({ userId: SERVER, mode: 0o646 }, SERVER), 'everybody');
  assert.equal(tamperingOf({ userId: OTHER, mode: 0o646 }, SERVER), 'everybody');
  assert.equal(tamperingOf({ userId: OTHER, mode: 0o600 }, SERVER), 'another user');
  assert.equal(tamperingOf({ userId: SERVER, mode: 0o664 }, SERVER), 'its group');
});

test('where the system has no users, owners and modes say nothing', () => {
  assert.equal(exposureOf({ userId: 0, mode: 0o777 }, null), null);
  assert.equal(tamperingOf({ userId: 0, mode: 0o777 }, null), null);
});
