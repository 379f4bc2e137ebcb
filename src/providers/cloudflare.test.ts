// Cloudflare at the family's conformance suite, checked against the types of Cloudflare's own client, and what is particular to it: policies
// that are settings, tokens that are set aside, and which 401 is a death.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { type ProviderTwin, providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { type Observation, observedTwin } from '../../test/support/observed-twin.ts';
import type { Exchange } from '../../test/support/openapi.ts';
import { answer } from '../../test/support/provider-answer.ts';
import { cloudflareTwin, newCloudflareToken } from '../../twins/cloudflare.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { prng } from '../../twins/prng.ts';
import { compileCatalogue, matchAction } from '../access/action.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { cloudflare } from './cloudflare.ts';
import type { Kind } from './provider.ts';

const ACCOUNT = '0123456789abcdef0123456789abcdef';
const ZONE = 'com.cloudflare.api.account.zone.22b1de5f1c0e4b3ea97bb1e963b06a43';
const POLICY = {
  effect: 'allow',
  permission_groups: [{ id: 'c8fed203ed3043cba015a93ad1616f1f' }],
  resources: { [ZONE]: '*' },
};
const policies = JSON.stringify([POLICY]);
const SETTINGS = { accountId: ACCOUNT, policies };
const random = prng(7);

function freshKey(name: string, kind = 'user-admin-token') {
  const isOfAccount = kind.startsWith('account');
  const parts = { key: newCloudflareToken(random, isOfAccount ? 'cfat' : 'cfut') };
  return { kind, name, account: isOfAccount ? ACCOUNT : 'user', parts };
}

// Cloudflare's OpenAPI document is too large to keep: its own client has the same types.

const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');
const CLIENT = 'specs/more/cloudflare';

type Members = Map<string, { readonly type: string; readonly isOptional: boolean }>;

function interfaceOf(source: string, name: string): Members {
  const body = new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source)?.[1];
  assert(body !== undefined, `${name} is not in the client`);
  const members: Members = new Map();
  for (const [, member, optional, type] of body.matchAll(/^ {2}(\w+)(\?)?: (.+);$/gm))
    members.set(member!, { type: type!, isOptional: optional !== undefined });
  assert(members.size > 0, `${name} has no members`);
  return members;
}

function fits(type: string, value: Json): boolean {
  const literals = [...type.matchAll(/'([^']*)'/g)].map((match) => match[1]!);
  if (literals.length > 0) return literals.some((literal) => literal === value);
  if (type === 'string' || type === 'Shared.TokenValue') return typeof value === 'string';
  if (type === 'number') return typeof value === 'number';
  if (type.startsWith('Array<')) return Array.isArray(value);
  return type.includes('null') || (typeof value === 'object' && value !== null);
}

function against(members: Members, json: Json | undefined, at: string, without: readonly string[] = []): string[] {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return [`${at} is no object`];
  const problems: string[] = [];
  for (const [name, value] of Object.entries(json)) {
    const known = members.get(name);
    if (known === undefined || without.includes(name)) problems.push(`${at}/${name} is not in the client`);
    else if (!fits(known.type, value)) problems.push(`${at}/${name} is no ${known.type}`);
  }
  for (const [name, { isOptional }] of members)
    if (!isOptional && !without.includes(name) && !Object.hasOwn(json, name)) problems.push(`${at}/${name} is missing`);
  return problems;
}

function checkByClient(): Observation['check'] {
  const read = (name: string) => readFileSync(path.join(shared, CLIENT, name), 'utf8');
  if (!existsSync(path.join(shared, CLIENT, 'shared.ts'))) return null;
  const common = read('shared.ts');
  const policy = interfaceOf(common, 'TokenPolicy');
  const listed = interfaceOf(common, 'Token');
  const info = interfaceOf(common, 'ResponseInfo');
  const member = (json: Json | undefined, name: string) => (json as Readonly<Record<string, Json>> | null)?.[name];
  const many = (json: Json | undefined): readonly Json[] => (Array.isArray(json) ? json : [null]);
  return ({ method, path: target, requestBody, status, responseBody }: Exchange) => {
    const url = new URL(target, 'http://document');
    const at = `${method} ${url.pathname} ${status}`;
    if (status === 429 || status >= 500) return [];
    if (typeof member(responseBody, 'success') !== 'boolean') return [`${at} has no envelope`];
    if (status >= 400) return many(member(responseBody, 'errors')).flatMap((error) => against(info, error, at));
    const owner = /^\/client\/v4\/(accounts|user)(?:\/[0-9a-f]{32})?\/tokens(?:\/\w+)?$/.exec(url.pathname)?.[1];
    if (owner === undefined) return [`${at}: the client has no such call`];
    const source = read(owner === 'user' ? 'user-tokens.ts' : 'account-tokens.ts');
    const result = member(responseBody, 'result');
    if (url.pathname.endsWith('/verify')) return against(interfaceOf(source, 'TokenVerifyResponse'), result, at);
    if (method === 'DELETE') return against(new Map([['id', { type: 'string', isOptional: false }]]), result, at);
    const queries = [...url.searchParams.keys()].filter((name) => !['page', 'per_page'].includes(name));
    if (method === 'GET') return [...queries, ...many(result).flatMap((token) => against(listed, token, at))];
    const asked = interfaceOf(source, 'TokenCreateParams');
    return [
      ...queries,
      ...against(asked, requestBody, `${at} request`, ['account_id']),
      ...many(member(requestBody, 'policies')).flatMap((one) => against(policy, one, `${at} request policy`, ['id'])),
      ...against(interfaceOf(source, 'TokenCreateResponse'), result, at),
      ...many(member(result, 'policies')).flatMap((one) => against(policy, one, `${at} policy`)),
    ];
  };
}

async function makeTwin(): Promise<ProviderTwin> {
  const twin = await kitTwin({
    definition: cloudflareTwin,
    documents: [],
    issuer(kind, control) {
      const [known] = control.keys.all();
      const admin = known ?? control.mint(freshKey('admin'));
      const settings = Object.fromEntries(
        Object.entries(SETTINGS).filter(([name]) => kind.settings[name] !== undefined),
      );
      return { acting: { parts: secretParts(admin), places: kind.places }, settings };
    },
    byHand: (kind, control) => control.mint(freshKey('by hand', kind.name)),
  });
  return observedTwin(twin, {
    check: checkByClient(),
    documentAbsent: `NOT CHECKED: ${CLIENT} not in the shared folder`,
    omitted: [],
  });
}

providerConformance(cloudflare, makeTwin);

const [ofAccount, ofUser] = cloudflare.kinds as [Kind, Kind];
const isInvalid = (error: unknown) => Failure.is(error, 'invalid');

test('a death is 401 with code 1000 alone; who is set aside is neither alive nor dead', () => {
  const read = (status: number, json: Json) => ofAccount.probe.read(answer(status, json), { settings: SETTINGS }).is;
  const refusal = (code: number) => ({
    success: false,
    errors: [{ code, message: 'Invalid API Token' }],
    result: null,
  });
  const verified = (status: string) => ({ success: true, errors: [], result: { id: 'a', status } });
  assert.equal(read(401, refusal(1000)), 'dead');
  assert.equal(read(401, refusal(10_000)), 'unknown', 'an authentication error of another kind');
  assert.equal(read(401, null), 'unknown');
  assert.equal(read(400, refusal(6003)), 'unknown', 'a header that was not understood');
  assert.equal(read(403, refusal(9109)), 'unknown', 'an address that the token may not be used from');
  for (const status of [400, 403, 404, 429, 500, 521])
    assert.equal(read(status, refusal(1000)), 'unknown', String(status));
  assert.equal(read(200, verified('active')), 'alive');
  // Both come back by a change of the token.
  assert.equal(read(200, verified('disabled')), 'unknown');
  assert.equal(read(200, verified('expired')), 'unknown');
  assert.equal(read(200, { success: true, result: null }), 'unknown');
});

test('policies and condition go into every request as they are in the settings, and nothing else does', () => {
  const condition = { request_ip: { in: ['192.0.2.0/24'] } };
  const pasted = JSON.stringify([
    { ...POLICY, id: 'f', permission_groups: [{ id: 'ab', name: 'DNS Write', meta: {} }] },
  ]);
  const settings = { ...SETTINGS, policies: pasted, condition: JSON.stringify(condition) };
  const request = ofAccount.issue!.request({
    settings,
    label: 'clv/1',
    expiresAt: Date.parse('2026-12-24T18:30:00.5Z'),
  });
  assert.equal(request.path, `/client/v4/accounts/${ACCOUNT}/tokens`);
  assert.deepEqual(request.json, {
    name: 'clv/1',
    expires_on: '2026-12-24T18:30:00Z',
    policies: [{ ...POLICY, permission_groups: [{ id: 'ab' }] }],
    condition,
  });
  assert.equal(ofUser.issue!.request({ settings: { policies }, label: 'l' }).path, '/client/v4/user/tokens');
});

test('policies that are none are refused before anything is sent', () => {
  const request = (more: Record<string, string>) =>
    ofAccount.issue!.request({ settings: { ...SETTINGS, ...more }, label: 'l' });
  const wrong: Json[] = [
    [],
    {},
    'all',
    [{ ...POLICY, effect: 'permit' }],
    [{ ...POLICY, permission_groups: [] }],
    [{ ...POLICY, permission_groups: ['c8fe'] }],
    [{ ...POLICY, resources: {} }],
    [POLICY, null],
  ];
  for (const one of wrong)
    assert.throws(() => request({ policies: JSON.stringify(one) }), isInvalid, JSON.stringify(one));
  assert.throws(() => request({ policies: 'not json' }), isInvalid);
  assert.throws(() => request({ condition: '[]' }), isInvalid);
  assert.throws(() => request({ accountId: '../user' }), isInvalid);
});

test('a token that may do more, or lives longer, than was asked for is not the one that was asked for', () => {
  const made = { id: 'a'.repeat(32), value: newCloudflareToken(random, 'cfat'), policies: [{ ...POLICY, id: 'p' }] };
  const expiresAt = Date.parse('2026-12-24T18:30:00Z');
  const read = (result: Json, more: Record<string, string> = {}, end?: number) => {
    const input = { settings: { ...SETTINGS, ...more }, label: 'l', ...(end === undefined ? {} : { expiresAt: end }) };
    return ofAccount.issue!.read(answer(200, { success: true, errors: [], result }), input);
  };
  assert.equal(read(made).is, 'issued');
  assert.equal(read({ ...made, expires_on: '2026-12-24T18:30:00Z' }, {}, expiresAt).is, 'issued');
  const other = 'f7f0eda5697f475c90846e879bab8666';
  const wider: Json[] = [
    { ...made, policies: [{ ...POLICY, permission_groups: [...POLICY.permission_groups, { id: other }] }] },
    { ...made, policies: [{ ...POLICY, resources: { ...POLICY.resources, 'com.cloudflare.api.account.*': '*' } }] },
    { ...made, policies: 'all' },
    { ...made, policies: undefined as unknown as Json },
  ];
  for (const one of wider) {
    const outcome = read(one);
    assert(outcome.is === 'ambiguous', JSON.stringify(one));
    assert.equal(outcome.evidence.signature, 'cloudflare.200.other-than-asked');
  }
  const deny = { ...POLICY, effect: 'deny' };
  assert.equal(read(made, { policies: JSON.stringify([POLICY, deny]) }).is, 'ambiguous', 'a denial was dropped');
  assert.equal(read(made, { condition: '{"request_ip":{"in":["192.0.2.1"]}}' }).is, 'ambiguous', 'a condition was');
  assert.equal(read(made, {}, expiresAt).is, 'ambiguous', 'an end was');
  assert.equal(read({ ...made, expires_on: '2027-01-01T00:00:00Z' }, {}, expiresAt).is, 'ambiguous', 'a later end');
  assert.equal(read({ ...made, value: null }).is, 'ambiguous', 'a token whose bytes nobody has');
});

test('a list of many pages is read to its end, with what each token may do, and disabled ones are in it', async () => {
  const twin = await startTwin(cloudflareTwin);
  try {
    const acting = { parts: secretParts(twin.control.mint(freshKey('admin'))), places: ofAccount.places };
    const call = directCall(twin.origin);
    for (let i = 0; i < 101; i++) {
      const made = twin.control.mint({
        ...freshKey(`token ${i}`, 'account-token'),
        more: { policies: [{ ...POLICY, id: 'p' }] },
      });
      if (i === 60) twin.control.state.disabled.add(made.id);
    }
    const keys = [];
    let cursor: string | undefined;
    for (let page = 0; page < 5; page++) {
      const input = cursor === undefined ? { settings: SETTINGS } : { settings: SETTINGS, cursor };
      const listed = ofAccount.list!.read(await call(ofAccount.list!.request(input), acting), input);
      assert(listed.is === 'listed');
      keys.push(...listed.keys);
      cursor = listed.next;
      if (cursor === undefined) break;
    }
    assert.equal(cursor, undefined);
    assert.equal(new Set(keys.map((key) => key.name)).size, 101);
    assert(keys.every((key) => key.scope === `allow c8fed203ed3043cba015a93ad1616f1f ${ZONE}="*"`));
  } finally {
    await twin.close();
  }
});

test('a token is known at its owner’s address alone', async () => {
  const twin = await startTwin(cloudflareTwin);
  try {
    const call = directCall(twin.origin);
    const own = { parts: secretParts(twin.control.mint(freshKey('t', 'account-token'))), places: ofAccount.places };
    const at = async (kind: Kind) =>
      kind.probe.read(await call(kind.probe.request({ settings: SETTINGS }), own), { settings: SETTINGS }).is;
    assert.equal(await at(ofAccount), 'alive');
    assert.equal(await at(ofUser), 'dead', 'as an import under the wrong kind would see it');
    const request = ofAccount.identity!.request({ settings: SETTINGS });
    const identity = ofAccount.identity!.read(await call(request, own), { settings: SETTINGS });
    assert(identity.is === 'known');
    assert.equal(identity.account, ACCOUNT);
    assert.equal(identity.providerKeyId, twin.control.keys.all()[0]!.id);
  } finally {
    await twin.close();
  }
});

test('the two kinds look different, and nothing is rolled', () => {
  const account = newCloudflareToken(random, 'cfat');
  assert.match(account, ofAccount.format['key']!);
  assert.doesNotMatch(account, ofUser.format['key']!);
  assert.match('a'.repeat(40), ofUser.format['key']!);
  for (const kind of cloudflare.kinds) assert.equal(kind.replace, undefined);
});

test('what mints or reveals is reached by its own name alone', () => {
  const catalogue = compileCatalogue(cloudflare.actions);
  const named = (method: string, target: string) => matchAction(catalogue, method, target)?.action.name ?? null;
  assert.equal(named('GET', `/client/v4/accounts/${ACCOUNT}/tokens/verify`), 'account-token.verify');
  assert.equal(named('PUT', '/client/v4/user/tokens/a/value'), 'user-token.roll');
  assert.equal(named('PUT', '/client/v4/user/tokens/a/Value'), null);
  assert.equal(named('POST', `/client/v4/accounts/${ACCOUNT}/tokens/`), null);
  assert.equal(named('GET', `/client/v4/accounts/${ACCOUNT}/cfd_tunnel/t/token`), 'tunnel.get-token');
  assert.equal(named('PATCH', '/client/v4/zones/z/dns_records/r'), 'dns-record.update');
  assert.equal(named('GET', '/client/v4/zones/z/settings/ssl'), 'api.read');
});
