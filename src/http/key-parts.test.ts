// A key of several parts through the API: brought whole, sealed, shown without them; and where the keys of a provider may go that has a
// host for managing them. The house checks every answer against what the OpenAPI document says of it.
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { type House, startHouse } from '../../test/support/house.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { getRow } from '../model/desk.ts';
import { twilio } from '../providers/twilio.ts';
import { createKinds } from './keys.io.ts';

let house: House;

before(async () => {
  house = await startHouse();
});

after(async () => {
  assert.deepEqual(house.errors, []);
  await house.stop();
});

const CLIENT = { provider: 'plaid', kind: 'client' };
const PARTS = { clientId: '0123456789abcdef01234567', secret: 'canary'.repeat(5) };

function pointersOf(json: unknown): string[] {
  return (json as { errors: { pointer: string }[] }).errors.map(({ pointer }) => pointer);
}

test('a key of two parts is brought with both, and both again with its next version', async () => {
  const query = '?resolve=false';
  const body = { ...CLIENT, name: 'bank', parts: PARTS };
  const made = await house.request('POST', `/v1/credentials${query}`, { body });
  assert.equal(made.status, 201, made.text);
  const { credential, versions } = made.json as {
    credential: { id: string; places: object[] };
    versions: { id: string }[];
  };
  assert.deepEqual(credential.places[0], { in: 'header', name: 'PLAID-CLIENT-ID', scheme: null, part: 'clientId' });
  const next = { parts: { ...PARTS, secret: 'canary2'.repeat(5) } };
  const put = await house.request('POST', `/v1/credentials/${credential.id}/versions${query}`, { body: next });
  assert.equal(put.status, 201, put.text);
  const shown = await house.request('GET', `/v1/credentials/${credential.id}`);
  for (const answer of [made, put, shown]) assert(!answer.text.includes('canary'));
  const { rows, ring } = house.app;
  const row = getRow<CredentialRow>(rows, 'credential', credential.id);
  const opened = await ring.open(row, getRow<VersionRow>(rows, 'version', versions[0]!.id));
  assert.deepEqual(Object.keys(opened).sort(), ['clientId', 'secret']);
});

test('parts that are unknown, missing or of another form are each named, and nothing is stored', async () => {
  const wrong: [object, string[]][] = [
    [{ secret: PARTS.secret }, ['/parts/clientId']],
    [{ key: PARTS.secret }, ['/parts/key', '/parts/clientId', '/parts/secret']],
    [{ ...PARTS, clientId: PARTS.secret }, ['/parts/clientId']],
    [{}, ['/parts/clientId', '/parts/secret']],
  ];
  for (const [parts, pointers] of wrong) {
    const answer = await house.request('POST', '/v1/credentials', { body: { ...CLIENT, name: 'wrong', parts } });
    assert.equal(answer.status, 400);
    assert.deepEqual(pointersOf(answer.json), pointers);
    assert(!answer.text.includes('canary'));
  }
  const list = await house.request('GET', '/v1/credentials');
  assert(!list.text.includes('"wrong"'));
});

test('a kind with a host of its own goes there, unless something else is configured or asked for', () => {
  const providers = new Map([['twilio', twilio]]);
  const plain = createKinds({ providers, config: { ...house.config, providers: {} } });
  assert.equal(plain.originFor('twilio', null, 'main-key'), 'https://iam.twilio.com');
  assert.equal(plain.originFor('twilio', null, 'api-key'), 'https://api.twilio.com');
  const settings = { origin: 'https://api.dublin.ie1.twilio.com', privateNetworks: [], plainHttp: false };
  const configured = createKinds({ providers, config: { ...house.config, providers: { twilio: settings } } });
  assert.equal(configured.originFor('twilio', null, 'main-key'), 'https://api.dublin.ie1.twilio.com');
  assert.equal(configured.originFor('twilio', 'https://iam.twilio.com', 'main-key'), 'https://iam.twilio.com');
  for (const kinds of [plain, configured]) {
    assert.equal(kinds.ownOrigin('twilio', 'main-key'), 'https://iam.twilio.com');
    assert.equal(kinds.ownOrigin('twilio', 'api-key'), 'https://api.twilio.com');
    assert.equal(kinds.ownOrigin('nobody', 'api-key'), null);
  }
});
