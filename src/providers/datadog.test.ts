// Datadog at the family's conformance suite, and what is particular to it: 403 as death, two keys in a request, scopes that must be the ones
// asked for, pages that begin with 0.
import assert from 'node:assert/strict';
import test from 'node:test';
import { providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { answer } from '../../test/support/provider-answer.ts';
import { datadogTwin, newApiKey, newApplicationKey } from '../../twins/datadog.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { prng } from '../../twins/prng.ts';
import { compileCatalogue, matchAction } from '../access/action.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { datadog } from './datadog.ts';
import type { Kind, ListedKey } from './provider.ts';

const random = prng(7);
const SETTINGS = { serviceAccountId: '00000000-0000-1234-0000-000000000000' };

function freshPair(name: string) {
  const parts = { apiKey: newApiKey(random), appKey: newApplicationKey(random) };
  return { kind: 'key-pair', name, account: 'org', parts };
}

function kindOf(name: string): Kind {
  return datadog.kinds.find((kind) => kind.name === name)!;
}

const apiKey = kindOf('api-key');
const accountKey = kindOf('service-account-key');
const pair = kindOf('key-pair');

providerConformance(datadog, () =>
  kitTwin({
    definition: datadogTwin,
    documents: [
      { file: 'specs/more/datadog/datadog-v1-validate.extract.openapi.json', base: '' },
      { file: 'specs/more/datadog/datadog-v2-keys.extract.openapi.json', base: '' },
    ],
    // The document names a limit in its lists, and no answer to it.
    issuer(_kind, control) {
      const known = control.keys.all().find((key) => key.kind === 'key-pair');
      return {
        acting: { parts: secretParts(known ?? control.mint(freshPair('admin'))), places: pair.places },
        settings: SETTINGS,
      };
    },
    byHand: (_kind, control) => control.mint(freshPair('by hand')),
  }),
);

const isInvalid = (thrown: unknown) => Failure.is(thrown, 'invalid');

test('403 is death where Datadog says Forbidden in its own form, and nowhere else', () => {
  for (const kind of datadog.kinds) {
    const read = (status: number, json: Json) => kind.probe.read(answer(status, json), { settings: SETTINGS }).is;
    assert.equal(read(403, { errors: ['Forbidden'] }), 'dead');
    // As version 1 writes it.
    const legacy = { status: 'error', code: 403, errors: ['Forbidden'], statuspage: 'http://status.datadoghq.com' };
    assert.equal(read(403, legacy), 'dead');
    assert.equal(read(403, null), 'unknown', 'a page of a firewall is 403 too');
    assert.equal(read(403, { errors: ['Failed permission authorization checks'] }), 'unknown');
    assert.equal(read(403, { errors: 'Forbidden' }), 'unknown');
    assert.equal(read(404, { errors: ['Not found'] }), 'unknown');
    assert.equal(read(429, { errors: ['Forbidden'] }), 'unknown');
    assert.equal(read(200, { valid: false, status: 'no' }), 'unknown');
    assert.equal(read(401, { errors: ['Unauthorized'] }), kind === apiKey ? 'unknown' : 'dead');
  }
});

test('an application key is probed beside the issuer’s API key: a dead API key makes both look dead', async () => {
  const twin = await startTwin(datadogTwin);
  try {
    const call = directCall(twin.origin);
    const issuer = twin.control.mint(freshPair('issuer'));
    const more = { account: SETTINGS.serviceAccountId };
    const parts = { appKey: newApplicationKey(random) };
    const made = twin.control.mint({ kind: 'service-account-key', name: 'a', account: 'org', parts, more });
    const acting = { parts: secretParts(issuer), places: pair.places };
    const input = { settings: SETTINGS };
    const probed = async () =>
      accountKey.probe.read(await call(accountKey.probe.request(input), acting, secretParts(made)), input).is;
    const control = async () => pair.probe.read(await call(pair.probe.request(input), acting), input).is;
    assert.deepEqual([await probed(), await control()], ['alive', 'alive']);
    twin.control.endByHand(issuer.id);
    // Which of the two keys it was, nobody can say: so a verdict needs a control that shares the API key.
    assert.deepEqual([await probed(), await control()], ['dead', 'dead']);
  } finally {
    await twin.close();
  }
});

test('a service account’s key is never asked for without scopes, and one with other scopes is not the one asked for', () => {
  const issue = accountKey.issue!;
  for (const scopes of [undefined, []]) {
    const input = { settings: SETTINGS, label: 'l', ...(scopes === undefined ? {} : { scopes }) };
    assert.throws(() => issue.request(input), isInvalid);
  }
  const input = { settings: SETTINGS, label: 'l', scopes: ['dashboards_read', 'monitors_read'] };
  assert.deepEqual(issue.request(input).json, {
    data: { type: 'application_keys', attributes: { name: 'l', scopes: ['dashboards_read', 'monitors_read'] } },
  });
  const read = (scopes: Json) => {
    const attributes = { key: newApplicationKey(random), name: 'l', scopes };
    return issue.read(answer(201, { data: { id: 'k1', type: 'application_keys', attributes } }), input);
  };
  assert.equal(read(['monitors_read', 'dashboards_read']).is, 'issued');
  for (const other of [null, [], ['dashboards_read'], ['dashboards_read', 'org_management']]) {
    assert.partialDeepStrictEqual(read(other), {
      is: 'ambiguous',
      evidence: { signature: 'datadog.201.other-scopes' },
    });
  }
});

test('lists begin with page 0 and end with the first page that is not full', async () => {
  assert.match(apiKey.list!.request({ settings: {} }).path, /[?&]page\[number\]=0$/);
  assert.match(apiKey.list!.request({ settings: {}, cursor: '3' }).path, /[?&]page\[number\]=3$/);
  const twin = await startTwin(datadogTwin);
  try {
    const call = directCall(twin.origin);
    const acting = { parts: secretParts(twin.control.mint(freshPair('issuer'))), places: pair.places };
    for (const count of [200, 230]) {
      const made = twin.control.keys.all().filter((key) => key.kind === 'api-key').length;
      for (let n = made; n < count; n++) {
        const parts = { key: newApiKey(random) };
        twin.control.mint({ kind: 'api-key', name: `key-${n}`, account: 'org', parts });
      }
      const keys: ListedKey[] = [];
      let cursor: string | undefined;
      for (let pages = 0; pages < 10; pages++) {
        const input = { settings: {}, ...(cursor === undefined ? {} : { cursor }) };
        const said = apiKey.list!.read(await call(apiKey.list!.request(input), acting), input);
        assert(said.is === 'listed');
        keys.push(...said.keys);
        cursor = said.next;
        if (cursor === undefined) break;
      }
      assert.equal(new Set(keys.map((key) => key.providerKeyId)).size, count);
      assert.equal(keys.length, count);
    }
  } finally {
    await twin.close();
  }
});

test('listed keys carry what narrows them and when they were last used', () => {
  const attributes = { name: 'l', created_at: '2026-11-23T10:00:00.000Z', last_used_at: '2026-12-20T10:00:00.000Z' };
  const data = [
    { id: 'k1', type: 'application_keys', attributes: { ...attributes, last4: 'wxyz', scopes: ['b', 'a'] } },
  ];
  assert.deepEqual(accountKey.list!.read(answer(200, { data }), { settings: SETTINGS }), {
    is: 'listed',
    keys: [
      {
        providerKeyId: 'k1',
        name: 'l',
        createdAt: Date.parse('2026-11-23T10:00:00Z'),
        lastUsedAt: Date.parse('2026-12-20T10:00:00Z'),
        lastUsedFrom: null,
        scope: 'a b',
        hint: 'wxyz',
      },
    ],
  });
});

test('formats: application keys of today and of before, whole and nothing more', () => {
  const format = accountKey.format['appKey']!;
  for (const key of [`ddapp_${'aZ'.repeat(17)}`, '0f'.repeat(20)]) assert.match(key, format);
  for (const key of [`ddapp_${'a'.repeat(33)}`, '0f'.repeat(16), 'g'.repeat(40)]) assert.doesNotMatch(key, format);
  assert.match('0f'.repeat(16), apiKey.format['key']!);
  assert.doesNotMatch('0f'.repeat(20), apiKey.format['key']!);
});

test('whatever shows a key is marked, also where it only reads', () => {
  const catalogue = compileCatalogue(datadog.actions);
  const found = (method: string, path: string) => matchAction(catalogue, method, path)?.action ?? null;
  for (const path of ['/api/v2/api_keys/k', '/api/v1/api_key', '/api/v2/current_user/application_keys/k'])
    assert.equal(found('GET', path)?.mints, true, path);
  assert.equal(found('GET', '/api/v2/api_keys')?.mints, undefined);
  assert.equal(found('GET', '/api/v2/service_accounts/s/application_keys/k')?.mints, undefined, 'it shows no key');
  assert.equal(found('POST', '/api/v2/service_accounts/s/application_keys')?.mints, true);
  assert.equal(found('POST', '/api/v2/service_accounts/s/application_keys/'), null);
  assert.equal(found('GET', '/api/v1/API_KEY'), null);
  assert.equal(found('PUT', '/api/v1/slo/s')?.name, 'api.replace');
  for (const { name, scopes } of datadog.actions)
    for (const scope of scopes ?? []) assert(accountKey.scopes!.all.includes(scope), `${name}: ${scope}`);
});
