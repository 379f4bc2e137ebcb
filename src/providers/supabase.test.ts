// Supabase at the family's conformance suite, checked against its OpenAPI document, and what is particular to it: names, roles, keys that
// come back masked, and the 401s that are no deaths.
import assert from 'node:assert/strict';
import test from 'node:test';
import { type ProviderTwin, providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { byDocuments, observedTwin } from '../../test/support/observed-twin.ts';
import { loadOpenApi } from '../../test/support/openapi.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { prng } from '../../twins/prng.ts';
import { newPersonalToken, newSecretKey, supabaseTwin } from '../../twins/supabase.ts';
import { compileCatalogue, matchAction } from '../access/action.ts';
import type { Json } from '../model/json.ts';
import type { ProviderAnswer } from './provider.ts';
import { supabase } from './supabase.ts';

const DOCUMENT = 'specs/more/supabase/management-keys.extract.openapi.json';
const REF = 'abcdefghijklmnopqrst';
const SETTINGS = { ref: REF, role: 'service_role' };
const random = prng(7);

function freshKey(name: string) {
  return { kind: 'personal-token', name, account: 'a', parts: { key: newPersonalToken(random) } };
}

async function makeTwin(): Promise<ProviderTwin> {
  const twin = await kitTwin({
    definition: supabaseTwin,
    documents: [],
    issuer(kind, control) {
      const [known] = control.keys.all();
      const person = known ?? control.mint(freshKey('person'));
      const places = supabase.kinds.find((one) => one.name === 'personal-token')!.places;
      const settings = kind.name === 'secret-key' ? SETTINGS : {};
      return { acting: { parts: secretParts(person), places }, settings };
    },
    byHand: (_kind, control) => control.mint(freshKey('by hand')),
  });
  return observedTwin(twin, {
    check: byDocuments([loadOpenApi(DOCUMENT, '')]),
    documentAbsent: `NOT CHECKED: ${DOCUMENT} not in the shared folder`,
    omitted: [
      // The services of a project are not of the Management API.
      /^GET \/auth\/v1\/settings: no document knows it$/,
      // The document names statuses of errors, and no bodies.
      / 401: response body is not documented$/,
      // It does not say what the deletion of a key that is gone answers.
      /^DELETE \S+ 404: status 404 is not documented$/,
      // What stands before the API, or breaks.
      / (?:429|5\d\d): (?:status \d+|response body) is not documented$/,
    ],
  });
}

providerConformance(supabase, makeTwin);

const kind = supabase.kinds[0]!;
const answer = (status: number, json: Json): ProviderAnswer => ({
  status,
  headers: {},
  json,
  text: json === null ? '' : JSON.stringify(json),
});

test('a project’s gateway has one word for a death, and several that sound like it', () => {
  const read = (status: number, json: Json) => kind.probe.read(answer(status, json), { settings: SETTINGS }).is;
  assert.equal(read(200, { external: {}, disable_signup: false }), 'alive');
  assert.equal(read(401, { message: 'Unregistered API key', hint: 'Double check …' }), 'dead');
  // A typing error, or the key of another project: alive there.
  assert.equal(read(401, { message: 'Invalid API key', hint: 'Double check …' }), 'unknown');
  assert.equal(read(401, { message: 'Forbidden use of secret API key in browser' }), 'unknown');
  assert.equal(read(401, { message: 'No API key found in request' }), 'unknown');
  assert.equal(read(401, null), 'unknown');
  for (const status of [403, 404, 429, 500, 540]) {
    assert.equal(read(status, { message: 'Unregistered API key' }), 'unknown', String(status));
  }
});

test('a personal token is dead by the Management API’s own 401 alone, and alive where it may not list projects', () => {
  const { probe } = supabase.kinds[1]!;
  const read = (status: number, json: Json) => probe.read(answer(status, json), { settings: {} }).is;
  assert.equal(read(200, []), 'alive');
  assert.equal(read(200, {}), 'unknown');
  assert.equal(read(401, { message: 'Unauthorized' }), 'dead');
  // What is no personal token at all.
  assert.equal(read(401, { message: 'JWT could not be decoded' }), 'unknown');
  assert.equal(read(401, null), 'unknown');
  assert.equal(read(403, { message: 'Your account does not have the necessary privileges' }), 'alive');
  assert.equal(read(403, null), 'unknown');
});

test('a key is asked for with its name, its role and in clear; the list never asks for secrets', () => {
  const request = kind.issue!.request({ settings: SETTINGS, label: 'clv/0a/1' });
  assert.equal(request.path, `/v1/projects/${REF}/api-keys?reveal=true`);
  assert.deepEqual(request.json, {
    type: 'secret',
    name: 'claviger_clv__0a__1',
    secret_jwt_template: { role: 'service_role' },
  });
  assert.equal(kind.list!.request({ settings: SETTINGS }).path, `/v1/projects/${REF}/api-keys?reveal=false`);
});

test('a masked key, a publishable one and one of another role are not what was asked for', () => {
  const input = { settings: SETTINGS, label: 'l' };
  const made = {
    id: '7',
    name: 'claviger_l',
    type: 'secret',
    api_key: newSecretKey(random),
    secret_jwt_template: { role: 'service_role' },
  };
  const read = (json: Json) => kind.issue!.read(answer(201, json), input);
  assert.equal(read(made).is, 'issued');
  assert.equal(read({ ...made, api_key: 'sb_secret_abcde··········' }).is, 'ambiguous');
  assert.equal(read({ ...made, api_key: 'sb_secret_abcde*************' }).is, 'ambiguous');
  assert.equal(read({ ...made, api_key: null }).is, 'ambiguous');
  assert.equal(read({ ...made, type: 'publishable' }).is, 'ambiguous');
  const other = read({ ...made, secret_jwt_template: { role: 'postgres' } });
  assert(other.is === 'ambiguous');
  assert.equal(other.evidence.signature, 'supabase.201.other-than-asked');
  assert.equal(read({ ...made, secret_jwt_template: null }).is, 'ambiguous');
  assert.equal(kind.issue!.read(answer(409, { message: 'exists' }), input).is, 'ambiguous');
});

test('keys of the project that are none of this kind are passed over, and a person’s names stay', () => {
  const entry = { name: 'ci_secret_key', id: '1', type: 'secret', secret_jwt_template: { role: 'reporting' } };
  const read = (json: Json) => kind.list!.read(answer(200, json), { settings: SETTINGS });
  const listed = read([{ name: 'anon', id: null, type: 'legacy' }, { name: 'default', type: 'publishable' }, entry]);
  assert(listed.is === 'listed');
  assert.deepEqual(
    listed.keys.map(({ providerKeyId, name, scope }) => [providerKeyId, name, scope]),
    [['1', 'ci_secret_key', 'reporting']],
  );
  // One that says no kind, or has no id, may be the orphan that is looked for.
  assert.equal(read([{ name: 'x', type: 'secret', id: null }]).is, 'unknown');
  assert.equal(read([{ name: 'x' }]).is, 'unknown');
});

test('a key that Supabase gave another role is found by its label and removed', async () => {
  const twin = await startTwin(supabaseTwin);
  try {
    const person = twin.control.mint(freshKey('person'));
    const acting = { parts: secretParts(person), places: supabase.kinds[1]!.places };
    const call = directCall(twin.origin);
    const input = { settings: SETTINGS, label: 'clv/other/role/1' };
    twin.control.state.otherRole = 'postgres';
    assert.equal(kind.issue!.read(await call(kind.issue!.request(input), acting), input).is, 'ambiguous');
    const listed = kind.list!.read(await call(kind.list!.request(input), acting), input);
    assert(listed.is === 'listed');
    const orphan = listed.keys.find((key) => key.name === input.label);
    const target = { settings: SETTINGS, providerKeyId: orphan!.providerKeyId };
    assert.equal(kind.revoke!.read(await call(kind.revoke!.request(target), acting), target).is, 'accepted');
    assert.equal(twin.control.isAlive(target.providerKeyId), false);
  } finally {
    await twin.close();
  }
});

test('what mints or reveals is reached by its own name alone', () => {
  const catalogue = compileCatalogue(supabase.actions);
  const named = (method: string, path: string) => matchAction(catalogue, method, path)?.action.name ?? null;
  assert.equal(named('GET', `/v1/projects/${REF}/api-keys`), 'api-key.list');
  assert.equal(named('GET', `/v1/projects/${REF}/API-Keys`), null);
  assert.equal(named('GET', `/v1/projects/${REF}/api-keys/legacy`), 'legacy-api-key.get');
  assert.equal(named('GET', `/v1/projects/${REF}/network-bans`), 'api.read');
  assert.equal(named('POST', '/storage/v1/object/reports/2026/a.pdf'), 'object.create');
  // A bucket cannot be called `sign`: to Supabase this would be a signed address.
  assert.equal(named('POST', '/storage/v1/object/sign/reports/2026/a.pdf'), null);
  assert.equal(named('POST', '/storage/v1/object/sign/reports'), 'object.sign-many');
  assert.equal(named('POST', '/storage/v1/object/upload/sign/reports/a.pdf'), 'object.sign-upload');
  assert.equal(named('POST', '/auth/v1/otp'), null);
  assert.equal(named('GET', '/rest/v1/orders'), 'row.list');
});
