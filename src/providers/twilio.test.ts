// Twilio at the family's conformance suite, and what is particular to it: two parts in Basic, forms, policies, pages behind addresses, and a
// refusal that live keys hear too.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { type ProviderTwin, providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { type DocumentSource, openApiDocument } from '../../test/support/openapi.ts';
import { answer } from '../../test/support/provider-answer.ts';
import { startTwin } from '../../twins/kit.io.ts';
import type { KitKey } from '../../twins/kit.ts';
import { prng } from '../../twins/prng.ts';
import { MESSAGES_READ, newSecret, newSid, twilioTwin } from '../../twins/twilio.ts';
import { compileCatalogue, matchAction } from '../access/action.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import type { Kind, ListedKey } from './provider.ts';
import { twilio } from './twilio.ts';

const random = prng(7);
const ACCOUNT = `AC${'0123456789abcdef'.repeat(2)}`;
const MESSAGES = `/2010-04-01/Accounts/${ACCOUNT}/Messages.json`;
const NUMBERS = `/2010-04-01/Accounts/${ACCOUNT}/AvailablePhoneNumbers.json`;
const SETTINGS = { accountSid: ACCOUNT, probePath: MESSAGES };
const DOCUMENT = 'specs/more/twilio/iam-v1-keys.extract.openapi.json';

function freshKey(kind: string, name: string, scopes: readonly string[] = []) {
  const sid = kind === 'auth-token' ? ACCOUNT : newSid(random, 'SK');
  return { kind, name, account: ACCOUNT, scopes, parts: { sid, secret: newSecret(random) } };
}

/** What Twilio's schemas leave out: refusals, forms (which have a test of their own below), and what its examples alone show of a policy. */
const UNDOCUMENTED =
  / (?:401|404): status \d+ is not documented$|: request body is not documented$|: response \/policy\/allow is not documented$/;

async function twilioTwinOfSuite(): Promise<ProviderTwin> {
  const twin = await kitTwin({
    definition: twilioTwin,
    documents: [{ file: DOCUMENT, base: '' }],
    // The API of use is another document, which is not stored.
    undocumented: [`GET ${NUMBERS}`, `GET ${MESSAGES}`],
    issuer(_kind, control) {
      const known = control.keys.all().find((key) => key.kind === 'main-key');
      const main = known ?? control.mint(freshKey('main-key', 'admin'));
      return { acting: { parts: secretParts(main), places: kindOf('main-key').places }, settings: SETTINGS };
    },
    byHand: (kind, control) => control.mint(freshKey(kind.name, 'by hand')),
  });
  return { ...twin, problems: () => twin.problems()?.filter((one) => !UNDOCUMENTED.test(one)) ?? null };
}

function kindOf(name: string): Kind {
  return twilio.kinds.find((kind) => kind.name === name)!;
}

/** The suite asks for the first scope that a kind names; this one names none, since nobody knows them all. */
const named = { ...kindOf('restricted-key'), scopes: { of: 'key', all: [MESSAGES_READ] } } as const;
providerConformance(
  { ...twilio, kinds: twilio.kinds.map((kind) => (kind.name === named.name ? named : kind)) },
  twilioTwinOfSuite,
);

const standard = kindOf('api-key');
const restricted = kindOf('restricted-key');
const main = kindOf('main-key');

function error(status: number, code: number, message = 'Authenticate'): Json {
  return { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status };
}

const isInvalid = (thrown: unknown) => Failure.is(thrown, 'invalid');

test('401 with the code 20003 is death; the same code with another status is not, nor is another code', () => {
  for (const kind of twilio.kinds) {
    const read = (status: number, json: Json) => kind.probe.read(answer(status, json), { settings: SETTINGS }).is;
    assert.equal(read(401, error(401, 20003)), 'dead');
    assert.equal(read(401, error(401, 20003, 'Authentication Error - invalid username')), 'dead');
    // What a live key of an account hears that must prove its identity first.
    assert.equal(read(403, error(403, 20003, 'Primary compliance profile is not approved')), 'unknown');
    assert.equal(read(401, error(401, 70051)), 'unknown');
    assert.equal(read(401, { code: '20003' }), 'unknown');
    assert.equal(read(401, null), 'unknown');
    assert.equal(read(403, error(403, 20403)), 'unknown');
    assert.equal(read(429, error(429, 20429)), 'unknown');
    assert.equal(read(200, {}), 'unknown');
  }
});

test('no key is probed where Twilio refuses it although it lives', async () => {
  const twin = await startTwin(twilioTwin);
  try {
    const call = directCall(twin.origin);
    const probe = async (kind: Kind, key: KitKey, settings = SETTINGS) =>
      kind.probe.read(await call(kind.probe.request({ settings }), { parts: secretParts(key), places: kind.places }), {
        settings,
      }).is;
    const made = twin.control.mint(freshKey('api-key', 'a'));
    assert.equal(await probe(standard, made), 'alive');
    assert.equal(await probe(main, made), 'dead', 'a standard key taken for a main key would look dead');
    const narrow = twin.control.mint(freshKey('restricted-key', 'b', ['/twilio/voice/calls/create']));
    assert.equal(await probe(restricted, narrow), 'unknown', 'its policy does not allow the path: it says nothing');
    const right = twin.control.mint(freshKey('restricted-key', 'c', [MESSAGES_READ]));
    assert.equal(await probe(restricted, right), 'alive');
    twin.control.endByHand(right.id);
    assert.equal(await probe(restricted, right), 'dead');
  } finally {
    await twin.close();
  }
});

test('a restricted key is never asked for without its policy, and one with another policy is not the one asked for', () => {
  const issue = restricted.issue!;
  assert.throws(() => issue.request({ settings: SETTINGS, label: 'l' }), isInvalid);
  const input = { settings: SETTINGS, label: 'l', scopes: [MESSAGES_READ] };
  assert.deepEqual(issue.request(input).form, {
    AccountSid: ACCOUNT,
    FriendlyName: 'l',
    KeyType: 'restricted',
    Policy: '{"allow":["/twilio/messaging/messages/read"]}',
  });
  const read = (policy: Json) =>
    issue.read(answer(201, { sid: newSid(random, 'SK'), secret: newSecret(random), policy }), input);
  assert.equal(read({ allow: [MESSAGES_READ] }).is, 'issued');
  for (const other of [null, { allow: [] }, { allow: [MESSAGES_READ, '/twilio/messaging/messages/update'] }])
    assert.partialDeepStrictEqual(read(other), { is: 'ambiguous', evidence: { signature: 'twilio.201.other-scopes' } });
});

test('a standard key is made with a form that names account and label, and nothing else', () => {
  const request = standard.issue!.request({ settings: { accountSid: ACCOUNT }, label: 'clv/a/b/c/1' });
  assert.deepEqual(request.form, { AccountSid: ACCOUNT, FriendlyName: 'clv/a/b/c/1' });
  assert.equal(request.json, undefined);
  const made = { sid: newSid(random, 'SK'), friendly_name: 'l', policy: null };
  const input = { settings: SETTINGS, label: 'l' };
  assert.equal(standard.issue!.read(answer(201, made), input).is, 'ambiguous', 'a SID without its secret');
});

test('a list of many pages is whole; one that goes on nowhere is no list', async () => {
  const twin = await startTwin(twilioTwin);
  try {
    const call = directCall(twin.origin);
    const issuer = twin.control.mint(freshKey('main-key', 'admin'));
    const acting = { parts: secretParts(issuer), places: main.places };
    const names = Array.from({ length: 230 }, (_, n) => twin.control.mint(freshKey('api-key', `key-${n}`)).name);
    const keys: ListedKey[] = [];
    let cursor: string | undefined;
    for (let pages = 0; pages < 10; pages++) {
      const input = { settings: SETTINGS, ...(cursor === undefined ? {} : { cursor }) };
      const said = standard.list!.read(await call(standard.list!.request(input), acting), input);
      assert(said.is === 'listed');
      keys.push(...said.keys);
      cursor = said.next;
      if (cursor === undefined) break;
    }
    assert.deepEqual(keys.map((key) => key.name).sort(), ['admin', ...names].sort());
  } finally {
    await twin.close();
  }
  for (const next_page_url of ['https://iam.twilio.com/v1/Keys?Page=1', 'nowhere']) {
    const said = standard.list!.read(answer(200, { keys: [], meta: { next_page_url } }), { settings: SETTINGS });
    assert.partialDeepStrictEqual(said, { is: 'unknown', evidence: { signature: 'twilio.200.no-page-token' } });
  }
  const last = standard.list!.read(answer(200, { keys: [], meta: { next_page_url: null } }), { settings: SETTINGS });
  assert.deepEqual(last, { is: 'listed', keys: [] });
});

test('times are read in the form that Twilio writes', () => {
  const keys = [{ sid: newSid(random, 'SK'), friendly_name: 'foo', date_created: 'Mon, 13 Jun 2016 22:50:08 +0000' }];
  const said = standard.list!.read(answer(200, { keys, meta: {} }), { settings: SETTINGS });
  assert(said.is === 'listed');
  assert.equal(said.keys[0]?.createdAt, Date.parse('2016-06-13T22:50:08Z'));
});

test('the forms are as Twilio’s document wants them', async (t) => {
  const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../shared');
  const file = path.join(shared, DOCUMENT);
  if (!existsSync(file)) {
    t.diagnostic(`NOT CHECKED: ${DOCUMENT} not in the shared folder`);
    return;
  }
  // The checker reads bodies of JSON; the members of these forms are text in the document too.
  const source = readFileSync(file, 'utf8').replaceAll('application/x-www-form-urlencoded', 'application/json');
  const document = openApiDocument(JSON.parse(source) as DocumentSource, '');
  const problems: string[] = [];
  const twin = await startTwin(twilioTwin, {
    onExchange: (exchange) => problems.push(...document.validateExchange(exchange)),
  });
  try {
    const call = directCall(twin.origin);
    const acting = { parts: secretParts(twin.control.mint(freshKey('auth-token', 'a'))), places: main.places };
    for (const kind of [standard, restricted]) {
      const input = { settings: SETTINGS, label: 'x'.repeat(64), scopes: [MESSAGES_READ] };
      const made = kind.issue!.read(await call(kind.issue!.request(input), acting), input);
      assert.equal(made.is, 'issued');
    }
    const policy = 'response /policy/allow is not documented';
    assert.deepEqual(
      problems.filter((one) => !one.endsWith(policy)),
      [],
    );
    assert.equal(Object.values(twin.control.counts()).join(), '2');
  } finally {
    await twin.close();
  }
});

test('settings that could lead elsewhere are refused', () => {
  for (const accountSid of ['', 'AC1', '../x', `${ACCOUNT}/Keys`])
    assert.throws(() => standard.list!.request({ settings: { accountSid } }), isInvalid);
  for (const probePath of ['/v1/Keys', `${MESSAGES}?x=1`, '/2010-04-01/Accounts/x/Messages.json', `${MESSAGES}/..`])
    assert.throws(() => restricted.probe.request({ settings: { ...SETTINGS, probePath } }), isInvalid);
  assert.throws(() => restricted.probe.request({ settings: { accountSid: ACCOUNT } }), isInvalid);
  assert.equal(restricted.probe.request({ settings: SETTINGS }).path, `${MESSAGES}?PageSize=1`);
});

test('keys are managed at another host than they are used at', () => {
  assert.equal(twilio.origin, 'https://api.twilio.com');
  for (const name of ['main-key', 'auth-token']) assert.equal(kindOf(name).origin, 'https://iam.twilio.com');
  for (const kind of [standard, restricted]) assert.equal(kind.origin, undefined);
});

test('what shows the Auth Token is marked, its children are not, and no rest leads below an account', () => {
  const catalogue = compileCatalogue(twilio.actions);
  const found = (method: string, target: string) => matchAction(catalogue, method, target)?.action ?? null;
  const account = `/2010-04-01/Accounts/${ACCOUNT}`;
  for (const target of [`${account}.json`, '/2010-04-01/Accounts.json'])
    assert.equal(found('GET', target)?.mints, true);
  for (const target of [`${account}/Keys.json`, `${account}/SigningKeys.json`, `${account}/Tokens.json`, '/v1/Keys'])
    assert.equal(found('POST', target)?.mints, true, target);
  assert.equal(found('POST', `${account}/Messages.json`)?.name, 'message.create');
  assert.equal(found('GET', `${account}/Messages/SM1.json`)?.name, 'message.get');
  assert.equal(found('GET', `${account}/Recordings/RE1.mp3`)?.name, 'recording.get');
  assert.equal(found('GET', `${account}/Usage/Records/Daily.json`)?.name, 'usage-record-daily.list');
  assert.equal(found('GET', `${account}/Balance.json`)?.name, 'balance.get');
  assert.equal(found('GET', `${account}/Unnamed.json`), null);
  assert.equal(found('GET', '/2010-04-01/accounts.json'), null);
  assert.equal(found('POST', '/v2/Services/VA1/Verifications')?.name, 'api.create');
  assert.equal(found('POST', '/v1/keys'), null);
});
