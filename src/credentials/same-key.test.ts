// Which version holds the bytes of a key: by its secret parts, at one provider and origin, among those that are not revoked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDesk } from '../../test/support/desk.ts';
import { credentialRow, versionRow } from '../../test/support/rows.ts';
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import { plaid } from '../providers/plaid.ts';
import type { Parts } from '../providers/provider.ts';
import type { VersionRow } from './credential.ts';
import { heldElsewhere, holderOfKey, isSameKey } from './same-key.ts';

const client = plaid.kinds.find(({ name }) => name === 'client')!;
const parts = (clientId: string, secret: string): Parts => ({
  clientId: new Secret(clientId),
  secret: new Secret(`canary-${secret}`),
});

test('two keys are the same by their secret parts alone', () => {
  assert.equal(isSameKey(client, parts('a', 'x'), parts('b', 'x')), true, 'the public part is not looked at');
  assert.equal(isSameKey(client, parts('a', 'x'), parts('a', 'y')), false);
  assert.equal(isSameKey(client, parts('a', 'x'), { key: new Secret('canary-x') }), false, 'of another form');
  assert.equal(isSameKey({ ...client, publicParts: client.parts }, parts('a', 'x'), parts('a', 'x')), false);
});

test('the holder is found at the same provider and origin, in any state but revoked, past what cannot be opened', async () => {
  const desk = memoryDesk();
  const credential = credentialRow({ id: 'crd_1', provider: 'plaid' });
  desk.furnish('credential', credential, credentialRow({ id: 'crd_2', provider: 'neon', name: 'other' }));
  const held: Record<string, Parts> = { ver_2: parts('a', 'x'), ver_3: parts('a', 'x'), ver_4: parts('a', 'x') };
  desk.furnish('version', versionRow({ id: 'ver_1', credentialId: 'crd_1' }));
  desk.furnish('version', versionRow({ id: 'ver_2', credentialId: 'crd_2' }));
  desk.furnish('version', versionRow({ id: 'ver_3', credentialId: 'crd_1', number: 2, state: 'revoked' }));
  const open = async (_credential: unknown, { id }: VersionRow) => {
    if (held[id] === undefined) throw new Failure('corrupt', 'it does not open');
    return held[id];
  };
  const find = (change: object = {}) =>
    holderOfKey(desk.rows, { credential: { ...credential, ...change }, kind: client, parts: parts('b', 'x') }, open);
  assert.deepEqual(await find(), { is: 'unknown' }, 'one could not be opened');
  for (const state of ['current', 'previous', 'revoking'] as const) {
    desk.furnish('version', versionRow({ id: 'ver_4', credentialId: 'crd_1', number: 3, state }));
    const found = await find();
    assert.ok(found.is === 'held' && found.version.id === 'ver_4', state);
    assert.match(heldElsewhere(found), /version 3: to rotate one would end the other/);
  }
  assert.deepEqual(await find({ origin: 'https://elsewhere.example' }), { is: 'free' });
  const other = await find({ provider: 'neon' });
  assert.ok(other.is === 'held' && other.version.id === 'ver_2');
});

test('while the vault is sealed nothing is said, and what is no failure of ours is not hidden', async () => {
  const desk = memoryDesk();
  const credential = credentialRow({ id: 'crd_1', provider: 'plaid' });
  desk.furnish('credential', credential);
  desk.furnish('version', versionRow({ id: 'ver_1', credentialId: 'crd_1' }));
  const rejecting = (error: Error) =>
    holderOfKey(desk.rows, { credential, kind: client, parts: parts('a', 'x') }, () => Promise.reject(error));
  await assert.rejects(rejecting(new Failure('sealed', 'sealed')), (error) => Failure.is(error, 'sealed'));
  await assert.rejects(rejecting(new TypeError('a defect')), TypeError);
});
