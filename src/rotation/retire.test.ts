// Retiring through the API, with a twin for the provider: the key that another one replaced by hand is drained, revoked and proven dead; the
// one that is lent stays.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type House, startHouse } from '../../test/support/house.ts';
import { until } from '../../test/support/workshop-checks.ts';
import { startNeonTwin } from '../../twins/neon.io.ts';
import { revealSecretText } from '../model/secret.ts';

interface Detail {
  readonly credential: { readonly id: string };
  readonly versions: readonly { readonly id: string; readonly state: string; readonly certificateId: string | null }[];
}

async function done<T>(house: House, method: string, target: string, body?: object): Promise<T> {
  const answer = await house.request(method, target, body === undefined ? {} : { body });
  assert(answer.status < 300, `${method} ${target}: ${answer.status} ${answer.text}`);
  return answer.json as T;
}

test('what a key that was brought by hand replaced is retired on request; the current version is not', async () => {
  const twin = await startNeonTwin();
  const house = await startHouse({ providers: { neon: twin.origin } });
  try {
    const { seeds, mint } = twin.control;
    const [first, second] = [mint({ kind: 'organization' }), mint({ kind: 'organization' })];
    const add = (body: object) => done<Detail>(house, 'POST', '/v1/credentials?resolve=false', body);
    const issuer = await add({
      provider: 'neon',
      name: 'issuer',
      kind: 'personal-key',
      purpose: 'manage',
      parts: { key: revealSecretText(seeds.adminKey) },
      providerKeyId: seeds.adminKeyId,
    });
    const { credential, versions } = await add({
      provider: 'neon',
      name: 'prod',
      kind: 'organization-key',
      issuer: issuer.credential.id,
      settings: { orgId: seeds.orgId },
      policy: { quietSeconds: 0 },
      parts: { key: revealSecretText(first.key) },
      providerKeyId: first.id,
    });
    const retire = (id: string) => house.request('POST', `/v1/versions/${id}/retire`);
    const old = versions[0]!.id;
    assert.equal((await retire(old)).status, 400, 'it is the current one');
    assert.equal((await retire(`ver_${'0'.repeat(32)}`)).status, 404);
    await done(house, 'POST', `/v1/credentials/${credential.id}/versions?resolve=false`, {
      parts: { key: revealSecretText(second.key) },
      providerKeyId: second.id,
    });
    const rotation = await retire(old);
    assert.equal(rotation.status, 202, rotation.text);
    assert.equal((await retire(old)).status, 409, 'it is under way');
    const { id } = rotation.json as { id: string };
    await until(async () => {
      // The journal is read from the log each time: not without a pause.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const now = await done<{ rotation: { state: { end: string | null } } }>(house, 'GET', `/v1/rotations/${id}`);
      return now.rotation.state.end === 'rotated' ? now : null;
    }, 'the end of the retirement');
    const after = await done<Detail>(house, 'GET', `/v1/credentials/${credential.id}`);
    assert.deepEqual(after.versions.map(({ state }) => state).sort(), ['current', 'revoked']);
    const dead = after.versions.find((version) => version.id === old);
    assert.equal(dead?.state, 'revoked');
    assert.notEqual(dead?.certificateId, null);
    const alive = twin.control.keys().filter((key) => key.isAlive && key.kind === 'organization');
    assert.deepEqual(
      alive.map((key) => key.id),
      [second.id],
    );
    assert.deepEqual(house.errors, []);
  } finally {
    await house.stop();
    await twin.close();
  }
});
