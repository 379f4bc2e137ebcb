// A credential does not part from its issuer by being redirected, nor an issuer from what it issues.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { revealSecretText } from '../../src/model/secret.ts';
import { startNeonTwin } from '../../twins/neon.io.ts';
import { startHouse } from '../support/house.ts';

test('a new origin is held against the issuer, and against what is issued', async () => {
  const [here, there] = [await startNeonTwin(), await startNeonTwin()];
  const house = await startHouse({ providers: { neon: here.origin } });
  try {
    const add = async (body: object) => {
      const { status, json, text } = await house.request('POST', '/v1/credentials?resolve=false', { body });
      assert.equal(status, 201, text);
      return (json as unknown as { credential: { id: string } }).credential.id;
    };
    const issuer = await add({ provider: 'neon', name: 'admin', kind: 'personal-key', purpose: 'manage' });
    const lent = await add({ provider: 'neon', name: 'prod', kind: 'personal-key', purpose: 'lend', issuer });
    const parts = { key: revealSecretText(here.control.mint({ kind: 'personal' }).key) };
    const move = (id: string) =>
      house.request('POST', `/v1/credentials/${id}/versions?resolve=false`, { body: { parts, origin: there.origin } });
    const moved = await move(lent);
    assert.deepEqual([moved.status, /another origin/.test(moved.text)], [400, true], moved.text);
    const parted = await move(issuer);
    assert.deepEqual([parted.status, /1 credentials/.test(parted.text)], [409, true], parted.text);
  } finally {
    await house.stop();
    await Promise.all([here.close(), there.close()]);
  }
});
