// Trying grants and looking at a credential over HTTP: who may, what is answered, and that a trial leaves no trace: no entry in either log, no rate
// spent. And what a credential's key may do against what its grants need, as rows change.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type House, startHouse } from '../../test/support/house.ts';
import type { Verdict } from './expectation.ts';
import type { Privilege } from './privilege.ts';

let house: House;
before(async () => {
  house = await startHouse({ providers: { neon: 'http://127.0.0.1:9', gitlab: 'http://127.0.0.1:9' } });
});
after(async () => {
  assert.deepEqual(house.errors, []);
  await house.stop();
});

async function made<T>(target: string, body: object): Promise<T> {
  const answer = await house.request('POST', target, { body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json as T;
}

async function callerWith(name: string, roles: readonly string[]): Promise<{ id: string; token: string }> {
  const { id } = await made<{ id: string }>('/v1/principals', { name, kind: 'person', roles });
  const { text } = await made<{ text: string }>(`/v1/principals/${id}/tokens`, {});
  return { id, token: text };
}

async function tried(cases: readonly object[], token?: string) {
  const options = token === undefined ? { body: { cases } } : { body: { cases }, token };
  const answer = await house.request('POST', '/v1/grants/test', options);
  return { ...answer, items: (answer.json as { items?: readonly Verdict[] } | undefined)?.items ?? [] };
}

const REQUEST = { as: 'web', credential: 'neon/prod', request: 'GET /api/v2/projects', expect: 'allow' };

test('whoever may see grants may try them; a trial is recorded nowhere and spends nothing', async () => {
  const { id: principal } = await made<{ id: string }>('/v1/principals', { name: 'web', kind: 'service' });
  const { credential } = await made<{ credential: { id: string } }>('/v1/credentials', {
    provider: 'neon',
    name: 'prod',
    kind: 'organization-key',
    settings: { orgId: 'org-1' },
    parts: { key: `napi_${'canary0123456789'.repeat(4)}` },
  });
  const rate = { requests: 1, perSeconds: 86_400, burst: 1 };
  const grant = await made<{ id: string }>('/v1/grants', {
    principal,
    credential: credential.id,
    actions: ['project.*'],
    rate,
  });
  const viewer = await callerWith('looker', ['viewer']);
  const nobody = await callerWith('nobody', []);

  const before = await house.app.database.heads();
  const many = Array.from({ length: 20 }, () => REQUEST);
  for (const token of [house.adminToken, viewer.token]) {
    const { status, items, json } = await tried(
      [...many, { ...REQUEST, request: 'GET /api/v2/projects/p1' }, { ...REQUEST, expect: 'deny' }],
      token,
    );
    assert.equal(status, 200);
    assert(items.slice(0, 21).every(({ decision, holds }) => decision === 'allow' && holds));
    assert.deepEqual([items[21]!.holds, (json as { failed: number }).failed], [false, 1]);
    assert.equal(items[0]!.grant?.id, grant.id);
  }
  const refused = await tried(many, nobody.token);
  assert.equal(refused.status, 403);
  const after = await house.app.database.heads();
  assert.deepEqual([after.use.size, after.control.size], [before.use.size, before.control.size]);
  assert.equal(house.app.policy.grants.get(grant.id)!.arrivalMs, Number.NEGATIVE_INFINITY);
});

test('a revoked grant and a suspended credential show in the next trial', async () => {
  const { items: grants } = (await house.request('GET', '/v1/grants')).json as {
    items: { id: string; credentialId: string }[];
  };
  const { id, credentialId } = grants[0]!;
  await house.request('POST', `/v1/credentials/${credentialId}/suspend`, { body: { reason: 'a look' } });
  assert.equal((await tried([REQUEST])).items[0]!.reason, 'credential-suspended');
  await house.request('POST', `/v1/credentials/${credentialId}/resume`);
  assert.equal((await tried([REQUEST])).items[0]!.reason, null);
  await house.request('POST', `/v1/grants/${id}/revoke`);
  assert.equal((await tried([REQUEST])).items[0]!.reason, 'no-grant');
});

test('what is wrong with cases is said with its place, and there are no more than a thousand of them', async () => {
  const unknown = await tried([REQUEST, { ...REQUEST, as: 'who' }, { ...REQUEST, credential: 'neon/none' }]);
  assert.equal(unknown.status, 400);
  const { errors } = unknown.json as { errors: { pointer: string }[] };
  assert.deepEqual(
    errors.map(({ pointer }) => pointer),
    ['/cases/1/as', '/cases/2/credential'],
  );
  assert.equal((await tried([{ ...REQUEST, why: 'no-grant' }])).status, 400);
  assert.equal((await tried([])).status, 400);
  assert.equal((await tried(Array.from({ length: 1_001 }, () => REQUEST))).status, 400);
  assert.equal((await tried(Array.from({ length: 1_000 }, () => REQUEST))).status, 200);
});

async function privilegeOf(credentialId: string): Promise<Privilege> {
  const { status, text, json } = await house.request('GET', `/v1/credentials/${credentialId}`);
  assert.equal(status, 200, text);
  return (json as { privilege: Privilege }).privilege;
}

test('a credential shows what its key may do against what its grants need, and the grants alone where there are no scopes', async () => {
  const { credential: key } = await made<{ credential: { id: string } }>('/v1/credentials', {
    provider: 'sendgrid',
    name: 'mail',
    kind: 'api-key',
    settings: { scopes: 'mail.send api_keys.read' },
  });
  const bare = await privilegeOf(key.id);
  assert.deepEqual(
    [bare.verdict, bare.held, bare.unused],
    ['unknown', ['api_keys.read', 'mail.send'], ['api_keys.read', 'mail.send']],
  );
  const { id: principal } = await made<{ id: string }>('/v1/principals', { name: 'mailer', kind: 'service' });
  const { id: grant } = await made<{ id: string }>('/v1/grants', {
    principal,
    credential: key.id,
    actions: ['mail.send'],
  });
  const granted = await privilegeOf(key.id);
  assert.deepEqual(
    [granted.needed, granted.unused, granted.suggested],
    [['mail.send'], ['api_keys.read'], ['mail.send']],
  );
  await house.request('POST', `/v1/principals/${principal}/disable`);
  assert.deepEqual((await privilegeOf(key.id)).needed, [], 'a disabled principal needs nothing');
  await house.request('POST', `/v1/principals/${principal}/enable`);
  await house.request('POST', `/v1/grants/${grant}/revoke`);
  assert.deepEqual((await privilegeOf(key.id)).needed, []);

  const { items } = (await house.request('GET', '/v1/credentials')).json as {
    items: { id: string; provider: string }[];
  };
  const neon = await privilegeOf(items.find(({ provider }) => provider === 'neon')!.id);
  assert.equal(neon.verdict, 'broker');
  assert.match(neon.why, /its grants narrow it/);
});
