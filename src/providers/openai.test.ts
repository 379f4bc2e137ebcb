// OpenAI at the family's conformance suite, and what is particular to it: 401 of a live key, deletion by account, lists in pages, expiry.
import assert from 'node:assert/strict';
import test from 'node:test';
import { type ProviderTwin, providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { answer } from '../../test/support/provider-answer.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { MODELS_READ, newAdminKey, newServiceAccountKey, newUserKey, openaiTwin } from '../../twins/openai.ts';
import { prng } from '../../twins/prng.ts';
import { compileCatalogue, matchAction } from '../access/action.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { openai } from './openai.ts';
import type { Kind, ListedKey } from './provider.ts';

const random = prng(7);
const PROJECT = 'proj_test1';
const SETTINGS = { projectId: PROJECT };

function openaiTwinOfSuite(): Promise<ProviderTwin> {
  return kitTwin({
    definition: openaiTwin,
    documents: [{ file: 'specs/more/openai/openai-keys.extract.openapi.json', base: '/v1' }],
    // The document knows no refusals, and no limit of keys either.
    undocumentedStatuses: [401, 404],
    issuer(kind, control) {
      const known = control.keys.all().find((key) => key.kind === 'admin-key');
      const admin = known ?? control.mint(freshKey('admin-key', 'admin'));
      return { acting: { parts: secretParts(admin), places: kind.places }, settings: SETTINGS };
    },
    byHand: (kind, control) => control.mint(freshKey(kind.name, 'by hand')),
  });
}

function freshKey(kind: string, name: string) {
  const texts: Record<string, typeof newAdminKey> = {
    'admin-key': newAdminKey,
    'service-account-key': newServiceAccountKey,
    'user-key': newUserKey,
  };
  const more: Record<string, string> = kind === 'admin-key' ? {} : { project: PROJECT };
  return { kind, name, account: 'org', parts: { key: texts[kind]!(random) }, more };
}

providerConformance(openai, openaiTwinOfSuite);

function kindOf(name: string): Kind {
  return openai.kinds.find((kind) => kind.name === name)!;
}

const admin = kindOf('admin-key');
const account = kindOf('service-account-key');
const user = kindOf('user-key');

function error(message: string, code: string | null = null): Json {
  return { error: { message, type: 'invalid_request_error', param: null, code } };
}

test('401 is death with the code invalid_api_key alone; a live key that lacks a scope is answered 401 too', () => {
  const missing = error(
    'You have insufficient permissions for this operation. Missing scopes: model.request. Check that you have …',
  );
  for (const kind of openai.kinds) {
    const read = (status: number, json: Json) => kind.probe.read(answer(status, json), { settings: SETTINGS }).is;
    assert.equal(read(401, error('Incorrect API key provided: sk-...', 'invalid_api_key')), 'dead');
    assert.equal(read(401, missing), 'alive');
    assert.equal(read(403, missing), 'alive');
    for (const code of ['account_deactivated', 'invalid_organization', 'ip_not_authorized', null])
      assert.equal(read(401, error('No.', code)), 'unknown');
    assert.equal(read(401, null), 'unknown');
    assert.equal(read(403, error('Country, region, or territory not supported')), 'unknown');
    assert.equal(read(429, error('Rate limit', 'invalid_api_key')), 'unknown');
    assert.equal(read(200, { object: 'list' }), 'unknown');
  }
});

test('at the twin, a restricted key without the right to read models is alive', async () => {
  const twin = await startTwin(openaiTwin);
  try {
    const made = twin.control.mint({ ...freshKey('user-key', 'narrow'), scopes: ['api.responses.write'] });
    const call = directCall(twin.origin);
    const probe = async () => {
      const acting = { parts: secretParts(made), places: user.places };
      return user.probe.read(await call(user.probe.request({ settings: SETTINGS }), acting), { settings: SETTINGS });
    };
    assert.partialDeepStrictEqual(await probe(), {
      is: 'alive',
      evidence: { signature: 'openai.401.missing-scopes' },
    });
    twin.control.endByHand(made.id);
    assert.equal((await probe()).is, 'dead');
    assert.notEqual(MODELS_READ, 'api.responses.write');
  } finally {
    await twin.close();
  }
});

test('a service account is deleted, and never its key; a user’s key is deleted itself', () => {
  const path = '/v1/organization/projects/proj_test1';
  const ended = account.revoke!.request({ settings: SETTINGS, providerKeyId: 'svc_acct_1' });
  assert.deepEqual([ended.method, ended.path], ['DELETE', `${path}/service_accounts/svc_acct_1`]);
  assert.equal(user.revoke!.request({ settings: SETTINGS, providerKeyId: 'key_1' }).path, `${path}/api_keys/key_1`);
  const input = { settings: SETTINGS, providerKeyId: 'key_1' };
  const refusal = user.revoke!.read(answer(400, error('Keys of a service account cannot be deleted.')), input);
  assert.partialDeepStrictEqual(refusal, { is: 'refused', final: true });
  const unchanged = { id: 'key_1', object: 'organization.project.api_key.deleted', deleted: false };
  assert.equal(user.revoke!.read(answer(200, unchanged), input).is, 'ambiguous');
});

test('keys of accounts and of users share a list, each kind sees its own, and a list of many pages is whole', async () => {
  const twin = await startTwin(openaiTwin);
  try {
    const issuer = twin.control.mint(freshKey('admin-key', 'admin'));
    const acting = { parts: secretParts(issuer), places: admin.places };
    const call = directCall(twin.origin);
    const names: string[] = [];
    for (let n = 0; n < 120; n++) names.push(twin.control.mint(freshKey('service-account-key', `label-${n}`)).name);
    const theirs = twin.control.mint(freshKey('user-key', 'a person’s'));

    async function all(kind: Kind): Promise<ListedKey[]> {
      const keys: ListedKey[] = [];
      let cursor: string | undefined;
      for (let pages = 0; pages < 10; pages++) {
        const input = { settings: SETTINGS, ...(cursor === undefined ? {} : { cursor }) };
        const said = kind.list!.read(await call(kind.list!.request(input), acting), input);
        assert(said.is === 'listed');
        keys.push(...said.keys);
        cursor = said.next;
        if (cursor === undefined) return keys;
      }
      return assert.fail('a list without an end');
    }

    assert.deepEqual((await all(account)).map((key) => key.name).sort(), names.sort());
    assert.deepEqual(
      (await all(user)).map((key) => key.providerKeyId),
      [theirs.id],
    );
    assert.equal(Object.keys(twin.control.counts()).length, 1);
  } finally {
    await twin.close();
  }
});

test('a list with a key whose account nobody can name is no list', () => {
  const key = { object: 'organization.project.api_key', id: 'key_1', name: 'n', owner: { type: 'service_account' } };
  const said = account.list!.read(answer(200, { object: 'list', data: [key], has_more: false }), {
    settings: SETTINGS,
  });
  assert.equal(said.is, 'unknown');
});

test('an answer without a key, or with an account made for nothing, leaves it open whether a key was made', () => {
  const made = {
    object: 'organization.project.service_account',
    id: 'svc_acct_1',
    name: 'l',
    role: 'none',
    api_key: null,
  };
  const input = { settings: SETTINGS, label: 'l' };
  assert.equal(account.issue!.read(answer(200, made), input).is, 'ambiguous');
  assert.equal(account.issue!.read(answer(502, null), input).is, 'ambiguous');
  assert.partialDeepStrictEqual(account.issue!.read(answer(400, error('Project is archived')), input), {
    is: 'refused',
    final: true,
  });
});

test('the answer to a new admin key says when it ends', () => {
  const made = {
    object: 'organization.admin_api_key',
    id: 'key_1',
    value: newAdminKey(random),
    expires_at: 1_800_000_000,
  };
  const said = admin.issue!.read(answer(200, made), { settings: {}, label: 'l' });
  assert.partialDeepStrictEqual(said, { is: 'issued', expiresAt: 1_800_000_000_000 });
});

test('formats: each kind takes its own keys and no other kind’s', () => {
  const keys = { 'admin-key': newAdminKey(random), 'service-account-key': newServiceAccountKey(random) };
  const all = { ...keys, 'user-key': newUserKey(random) };
  for (const kind of openai.kinds)
    for (const [name, text] of Object.entries(all))
      assert.equal(kind.format['key']!.test(text), name === kind.name, `${name} as ${kind.name}`);
});

test('a project id that could leave its segment is refused', () => {
  for (const projectId of ['', '../x', 'a/b', 'a?b'])
    assert.throws(
      () => account.list!.request({ settings: { projectId } }),
      (thrown) => Failure.is(thrown, 'invalid'),
    );
});

test('everything that mints is marked; the administration is not below api.*, nor is what mints in another spelling', () => {
  const catalogue = compileCatalogue(openai.actions);
  const found = (method: string, path: string) => matchAction(catalogue, method, path)?.action.name ?? null;
  assert.equal(found('POST', '/v1/organization/invites'), 'administration.write');
  assert.equal(found('POST', '/v1/projects/p/users/u/roles'), 'project-role.write');
  assert.equal(found('POST', '/v1/vector_stores'), 'api.create');
  assert.equal(found('POST', '/v1/organization/projects/p/service_accounts'), 'service-account.create');
  assert.equal(found('POST', '/v1/organization/projects/p/Service_Accounts'), null);
  assert.equal(found('POST', '/v1/realtime/client_secrets/'), null);
  assert.equal(found('PUT', '/v1/organization/admin_api_keys'), null);
  const minting = openai.actions.filter((action) => action.mints === true).map((action) => action.name);
  assert.deepEqual(minting, [
    'admin-key.create',
    'service-account.create',
    'service-account.update',
    'service-account-key.create',
    'realtime-client-secret.create',
    'realtime-session.create',
    'realtime-transcription-session.create',
    'chatkit-session.create',
  ]);
});
