// Anthropic at the family's conformance suite, and what is particular to it: archiving is final and switching off is not, lists hold
// archived keys, and the twin has the shapes of the library.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { answer } from '../../test/support/provider-answer.ts';
import { anthropicTwin, newAdminKey, newApiKey } from '../../twins/anthropic.ts';
import { type KitExchange, startTwin } from '../../twins/kit.io.ts';
import { type KitKey, member } from '../../twins/kit.ts';
import { prng } from '../../twins/prng.ts';
import { compileCatalogue, matchAction } from '../access/action.ts';
import type { Json } from '../model/json.ts';
import { anthropic } from './anthropic.ts';
import type { Kind, ListedKey, ProviderRequest } from './provider.ts';

const random = prng(7);

function freshKey(kind: string, name: string) {
  const text = kind === 'admin-key' ? newAdminKey(random) : newApiKey(random);
  return { kind, name, account: 'org', parts: { key: text } };
}

providerConformance(anthropic, () =>
  kitTwin({
    definition: anthropicTwin,
    // None is public; the shapes are held against the library below.
    documents: [],
    issuer(kind, control) {
      const known = control.keys.all().find((key) => key.kind === 'admin-key');
      const admin = known ?? control.mint(freshKey('admin-key', 'admin'));
      return { acting: { parts: secretParts(admin), places: kind.places }, settings: {} };
    },
    byHand: (kind, control) => control.mint(freshKey(kind.name, 'by hand')),
  }),
);

function kindOf(name: string): Kind {
  return anthropic.kinds.find((kind) => kind.name === name)!;
}

const apiKey = kindOf('api-key');
const adminKey = kindOf('admin-key');

function error(type: string, message = 'm'): Json {
  return { type: 'error', error: { type, message }, request_id: 'req_1' };
}

/** A twin with one admin key; `ask` sends as that key, `probe` as any. */
async function withTwin(run: (bench: Bench) => Promise<void>): Promise<void> {
  const exchanges: KitExchange[] = [];
  const twin = await startTwin(anthropicTwin, { onExchange: (exchange) => exchanges.push(exchange) });
  const call = directCall(twin.origin);
  const admin = twin.control.mint(freshKey('admin-key', 'admin'));
  const acting = (key: KitKey) => ({ parts: secretParts(key), places: apiKey.places });
  try {
    await run({
      exchanges,
      mint: (name) => twin.control.mint(freshKey('api-key', name)),
      ask: (request) => call(request, acting(admin)),
      async probe(key) {
        const said = await call(apiKey.probe.request({ settings: {} }), acting(key));
        return apiKey.probe.read(said, { settings: {} }).is;
      },
      async list() {
        const keys: ListedKey[] = [];
        let cursor: string | undefined;
        for (let pages = 0; pages < 10; pages++) {
          const input = { settings: {}, ...(cursor === undefined ? {} : { cursor }) };
          const said = apiKey.list!.read(await call(apiKey.list!.request(input), acting(admin)), input);
          assert(said.is === 'listed');
          keys.push(...said.keys);
          cursor = said.next;
          if (cursor === undefined) return keys;
        }
        return assert.fail('a list without an end');
      },
    });
  } finally {
    await twin.close();
  }
}

interface Bench {
  readonly exchanges: readonly KitExchange[];
  mint(name: string): KitKey;
  ask(request: ProviderRequest): Promise<Parameters<NonNullable<Kind['revoke']>['read']>[0]>;
  probe(key: KitKey): Promise<string>;
  list(): Promise<ListedKey[]>;
}

function setStatus(key: KitKey, status: string): ProviderRequest {
  return { method: 'POST', path: `/v1/organizations/api_keys/${key.id}`, json: { status } };
}

test('revoking archives: what is switched off comes back with one request, what is archived does not', async () => {
  await withTwin(async ({ mint, ask, probe, list }) => {
    const [off, gone] = [mint('off'), mint('gone')];
    await ask(setStatus(off, 'inactive'));
    assert.equal(await probe(off), 'dead');
    assert.deepEqual(
      (await list()).map((key) => key.name).sort(),
      ['gone', 'off'],
      'it may come back, so it is listed',
    );
    await ask(setStatus(off, 'active'));
    assert.equal(await probe(off), 'alive');

    const input = { settings: {}, providerKeyId: gone.id };
    const request = apiKey.revoke!.request(input);
    assert.deepEqual(request.json, { status: 'archived' });
    assert.equal(apiKey.revoke!.read(await ask(request), input).is, 'accepted');
    assert.equal(await probe(gone), 'dead');
    assert.equal((await ask(setStatus(gone, 'active'))).status, 400);
    assert.equal(await probe(gone), 'dead');
    assert.deepEqual(
      (await list()).map((key) => key.name),
      ['off'],
    );
  });
});

test('an answer that does not say archived is no end, and only Anthropic’s own 404 is absence', () => {
  const read = (status: number, json: Json) =>
    apiKey.revoke!.read(answer(status, json), { settings: {}, providerKeyId: 'apikey_1' }).is;
  assert.equal(read(200, { id: 'apikey_1', status: 'inactive' }), 'ambiguous');
  assert.equal(read(200, { id: 'apikey_1', status: 'active' }), 'ambiguous');
  assert.equal(read(404, error('not_found_error')), 'absent');
  assert.equal(read(404, { message: 'no route' }), 'ambiguous');
  assert.equal(read(403, error('permission_error')), 'refused');
  assert.equal(read(500, error('api_error')), 'ambiguous');
});

test('a list of many pages is whole, and names workspaces', async () => {
  await withTwin(async ({ mint, list }) => {
    const names = Array.from({ length: 230 }, (_, n) => mint(`key-${n}`).name);
    const keys = await list();
    assert.deepEqual(keys.map((key) => key.name).sort(), names.sort());
    assert.equal(keys[0]?.scope, 'wrkspc_default');
    assert.equal(keys[0]?.lastUsedAt, null, 'Anthropic does not say');
  });
});

test('401 is death by the type of its error alone; a permission that is missing says nothing', () => {
  for (const kind of [apiKey, adminKey]) {
    const read = (status: number, json: Json) => kind.probe.read(answer(status, json), { settings: {} }).is;
    for (const message of ['invalid x-api-key', 'another wording'])
      assert.equal(read(401, error('authentication_error', message)), 'dead');
    assert.equal(read(401, error('permission_error')), 'unknown');
    assert.equal(read(401, { error: { type: 'authentication_error' } }), 'unknown', 'not in Anthropic’s form');
    assert.equal(read(401, null), 'unknown');
    for (const [status, type] of [
      [403, 'permission_error'],
      [400, 'invalid_request_error'],
      [429, 'rate_limit_error'],
      [529, 'overloaded_error'],
    ] as const)
      assert.equal(read(status, error(type)), 'unknown');
  }
});

test('every request of ours says which version of the API it speaks', () => {
  const requests = [
    apiKey.list!.request({ settings: {} }),
    apiKey.revoke!.request({ settings: {}, providerKeyId: 'apikey_1' }),
    apiKey.probe.request({ settings: {} }),
    adminKey.probe.request({ settings: {} }),
    adminKey.identity!.request({ settings: {} }),
  ];
  for (const { headers } of requests) assert.deepEqual(headers, { 'anthropic-version': '2026-10-21' });
});

test('the twin has the members that the library names, and the requests have no others', async (t) => {
  const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');
  const file = path.join(shared, 'specs/more/anthropic/api-keys.ts');
  if (!existsSync(file)) {
    t.diagnostic('NOT CHECKED: specs/more/anthropic/api-keys.ts not in the shared folder');
    return;
  }
  const source = readFileSync(file, 'utf8');
  const membersOf = (name: string) => {
    const body = new RegExp(`^export interface ${name} [^{]*\\{\\n([\\s\\S]*?)^\\}`, 'm').exec(source)![1]!;
    return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map((found) => found[1]!).sort();
  };
  await withTwin(async ({ exchanges, mint, ask, list }) => {
    const key = mint('a');
    await list();
    await ask(apiKey.revoke!.request({ settings: {}, providerKeyId: key.id }));
    const [listed, updated] = exchanges;
    const [one] = member(listed!.responseBody, 'data') as Json[];
    for (const shown of [one!, updated!.responseBody])
      assert.deepEqual(Object.keys(shown as object).sort(), membersOf('APIKey'));
    assert(membersOf('APIKey').length > 8);
    const sent = Object.keys(updated!.requestBody as object);
    assert(sent.length > 0 && sent.every((name) => membersOf('APIKeyUpdateParams').includes(name)));
  });
});

test('what mints or reveals is marked, and the administration is not below api.*', () => {
  const catalogue = compileCatalogue(anthropic.actions);
  const found = (method: string, target: string) => matchAction(catalogue, method, target)?.action ?? null;
  for (const target of [
    '/v1/organizations/api_keys/apikey_1',
    '/v1/organizations/federation_rules',
    '/v1/organizations/webhooks/w/regenerate_signing_secret',
    '/v1/tunnels/t/reveal_token',
    '/v1/oauth/token',
  ])
    assert.equal(found('POST', target)?.mints, true, target);
  assert.equal(found('POST', '/v1/organizations/invites')?.name, 'administration.write');
  assert.equal(found('POST', '/v1/sessions')?.name, 'api.create');
  assert.equal(found('POST', '/v1/oauth/token/'), null);
});
