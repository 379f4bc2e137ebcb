// Grafana at the family's conformance suite, checked against its Swagger document, and what is particular to it: which 401 is a death, names
// that are taken, lifetimes in seconds.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { type ProviderTwin, providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { kitTwin, secretParts } from '../../test/support/kit-twin.ts';
import { byDocuments, observedTwin } from '../../test/support/observed-twin.ts';
import { answer } from '../../test/support/provider-answer.ts';
import { loadSwagger } from '../../test/support/swagger.ts';
import { grafanaTwin, newGrafanaKey } from '../../twins/grafana.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { prng } from '../../twins/prng.ts';
import { compileCatalogue, matchAction } from '../access/action.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { grafana, hasRightChecksum } from './grafana.ts';

const DOCUMENT = 'specs/more/grafana/serviceaccounts.extract.swagger.json';
const random = prng(7);
const SETTINGS = { serviceAccountId: '7' };

function freshKey(name: string) {
  return { kind: 'admin-token', name, account: '8', parts: { key: newGrafanaKey(random) } };
}

async function makeTwin(): Promise<ProviderTwin> {
  const twin = await kitTwin({
    definition: grafanaTwin,
    documents: [],
    issuer(kind, control) {
      // The suite gives two keys one label where it asks whose they are; that names are taken has a test of its own below.
      control.state.areNamesUnique = false;
      const [known] = control.keys.all();
      const admin = known ?? control.mint(freshKey('admin'));
      return { acting: { parts: secretParts(admin), places: kind.places }, settings: SETTINGS };
    },
    byHand: (kind, control) => control.mint({ ...freshKey('by hand'), kind: kind.name }),
  });
  return observedTwin(twin, {
    check: byDocuments([loadSwagger(DOCUMENT)]),
    documentAbsent: `NOT CHECKED: ${DOCUMENT} not in the shared folder`,
    omitted: [
      // Grafana's errors have these three members, its document has only the message.
      /response \/(?:messageId|statusCode|traceID) is not documented$/,
      // What stands before Grafana, or breaks.
      / (?:429|5\d\d): status \d+ is not documented$/,
    ],
  });
}

providerConformance(grafana, makeTwin);

const kind = grafana.kinds[0]!;
test('401 is death in the three words that Grafana has for a token; a refusal that names none proves nothing', () => {
  const read = (status: number, json: Json) => kind.probe.read(answer(status, json), { settings: SETTINGS }).is;
  assert.equal(read(401, { message: 'Invalid API key', messageId: 'api-key.invalid' }), 'dead');
  assert.equal(read(401, { message: 'Expired API key' }), 'dead');
  assert.equal(read(401, { message: 'Revoked API key' }), 'dead');
  assert.equal(read(401, { message: 'Unauthorized' }), 'unknown');
  assert.equal(read(401, null), 'unknown');
  assert.equal(read(403, { message: 'Endpoint only available for users' }), 'alive');
  for (const status of [403, 404, 429, 500, 502, 503]) assert.equal(read(status, null), 'unknown', String(status));
  assert.equal(read(404, { message: 'Invalid API key' }), 'unknown');
  assert.equal(read(200, {}), 'unknown');
});

test('a token of that name may be one whose creation was lost: taken names are ambiguous, not refused', () => {
  const input = { settings: SETTINGS, label: 'l' };
  const read = (status: number, json: Json) => kind.issue!.read(answer(status, json), input);
  const taken = 'service account token with given name already exists in the organization';
  assert.equal(read(400, { message: taken }).is, 'ambiguous');
  assert.equal(read(409, { message: taken }).is, 'ambiguous');
  const refused = read(400, { message: 'invalid SecondsToLive value' });
  assert(refused.is === 'refused' && refused.final);
  assert.equal(read(200, { id: 1, name: 'l' }).is, 'ambiguous', 'a token whose bytes nobody has');
  assert.equal(read(502, null).is, 'ambiguous');
});

test('a lost creation that is repeated under its name is found in the list', async () => {
  const twin = await startTwin(grafanaTwin);
  try {
    const acting = { parts: secretParts(twin.control.mint(freshKey('admin'))), places: kind.places };
    const call = directCall(twin.origin);
    const input = { settings: SETTINGS, label: 'clv/lost' };
    const issue = async () => kind.issue!.read(await call(kind.issue!.request(input), acting), input).is;
    twin.control.fault('create-lost', { ms: 1 });
    await assert.rejects(issue(), (error) => Failure.is(error, 'upstream-ambiguous'));
    twin.control.clearFaults();
    assert.equal(await issue(), 'ambiguous');
    const listed = kind.list!.read(await call(kind.list!.request(input), acting), input);
    assert(listed.is === 'listed');
    assert.deepEqual(
      listed.keys.map((key) => key.name),
      ['clv/lost'],
    );
  } finally {
    await twin.close();
  }
});

test('404 is absence where the token is named, not where its account is', () => {
  const input = { settings: SETTINGS, providerKeyId: '1' };
  const read = (status: number, json: Json) => kind.revoke!.read(answer(status, json), input).is;
  assert.equal(read(404, { message: 'service account token not found' }), 'absent');
  assert.equal(read(404, { message: 'service account not found' }), 'ambiguous');
  assert.equal(read(404, null), 'ambiguous');
});

test('a lifetime is a number of seconds: of the settings, or until a minute before the end that is asked for', () => {
  const request = (settings: Record<string, string>) => kind.issue!.request({ settings, label: 'l' });
  assert.deepEqual(request(SETTINGS).json, { name: 'l' });
  assert.deepEqual(request({ ...SETTINGS, secondsToLive: '7776000' }).json, { name: 'l', secondsToLive: 7_776_000 });
  const isInvalid = (error: unknown) => Failure.is(error, 'invalid');
  assert.throws(() => request({ ...SETTINGS, secondsToLive: '0' }), isInvalid);
  assert.throws(() => request({ serviceAccountId: '../1' }), isInvalid);
  const asked = { settings: { ...SETTINGS, secondsToLive: '5' }, label: 'l', expiresAt: 1_800_000_000_000 };
  const askedAt = asked.expiresAt - 7_776_000_500;
  assert.deepEqual(kind.issue!.request({ ...asked, askedAt }).json, { name: 'l', secondsToLive: 7_775_940 });
  assert.throws(() => kind.issue!.request(asked), isInvalid, 'nobody knows how far away that is');
  assert.throws(() => kind.issue!.request({ ...asked, askedAt: asked.expiresAt - 60_999 }), isInvalid, 'too near');
  assert.equal(kind.canExpire, true);
});

test('a token that Grafana ended because it was published is not listed as one that lives', async () => {
  const twin = await startTwin(grafanaTwin);
  try {
    const admin = twin.control.mint(freshKey('admin'));
    const own = { ...freshKey('found by the scanner'), account: '7' };
    twin.control.mint({ ...own, more: { isRevoked: true } });
    twin.control.mint({ ...own, name: 'in use', parts: { key: newGrafanaKey(random) } });
    const response = await fetch(`${twin.origin}/api/serviceaccounts/7/tokens`, {
      headers: { authorization: `Bearer ${admin.parts['key']}` },
    });
    const listed = kind.list!.read(answer(response.status, (await response.json()) as Json), { settings: SETTINGS });
    assert(listed.is === 'listed');
    assert.deepEqual(
      listed.keys.map((key) => key.name),
      ['in use'],
    );
  } finally {
    await twin.close();
  }
});

test('what mints or reveals is reached by its own name alone', () => {
  const catalogue = compileCatalogue(grafana.actions);
  const named = (method: string, path: string) => matchAction(catalogue, method, path)?.action.name ?? null;
  assert.equal(named('POST', '/api/serviceaccounts/7/tokens'), 'service-account-token.create');
  assert.equal(named('POST', '/api/serviceaccounts/7/Tokens'), null);
  assert.equal(named('POST', '/api/auth/keys/'), null);
  assert.equal(named('GET', '/api/v1/provisioning/contact-points/export'), 'contact-point.export');
  assert.equal(named('GET', '/api/v1/provisioning/contact-points'), 'api.read');
  assert.equal(named('GET', '/api/dashboards/uid/a/public-dashboards'), 'public-dashboard.get');
  assert.equal(named('GET', '/apis/dashboard.grafana.app/v1/namespaces/default/dashboards'), null);
  const minting = grafana.actions.filter((action) => action.mints === true).map((action) => action.name);
  assert.deepEqual(minting, [
    'service-account-token.create',
    'api-key.create',
    'public-dashboard.get',
    'public-dashboard.create',
    'public-dashboard.update',
    'snapshot.create',
    'contact-point.export',
  ]);
});

test('a token ends with the lifetime that it was asked for, and the list says when', async () => {
  let now = 1_790_000_000_000;
  const twin = await startTwin(grafanaTwin, { clock: { now: () => now } });
  try {
    const acting = { parts: secretParts(twin.control.mint(freshKey('admin'))), places: kind.places };
    const call = directCall(twin.origin);
    const expiresAt = now + 3_600_000;
    const input = { settings: SETTINGS, label: 'l', expiresAt, askedAt: now };
    const issued = kind.issue!.read(await call(kind.issue!.request(input), acting), input);
    assert(issued.is === 'issued');
    const listed = kind.list!.read(await call(kind.list!.request(input), acting), input);
    assert(listed.is === 'listed');
    assert.deepEqual(
      listed.keys.map((key) => key.expiresAt),
      [expiresAt - 60_000],
    );
    const probe = async () => {
      const said = await call(kind.probe.request(input), { parts: issued.parts, places: kind.places });
      return kind.probe.read(said, input).is;
    };
    assert.equal(await probe(), 'alive');
    now = expiresAt - 60_000;
    assert.equal(await probe(), 'dead');
  } finally {
    await twin.close();
  }
});

test('the checksum is the CRC-32 of all that stands before it, least byte first', () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const token = newGrafanaKey(prng(seed));
      assert(hasRightChecksum(token) && kind.check!['key']!(token));
      const [last] = token.slice(-1);
      assert(!hasRightChecksum(token.slice(0, -1) + (last === '0' ? '1' : '0')));
      assert(!hasRightChecksum(token.replace('glsa_c', 'glsa_d')));
    }),
  );
  for (const text of ['', 'glsa_', `glsa_${'a'.repeat(32)}_0000000`, `${newGrafanaKey(prng(1))} `])
    assert(!hasRightChecksum(text));
});
