// Prefect Server at the family's conformance suite, and what is particular to it: one string, ended by a restart, and a server without one,
// at which nothing can be proved. A real server is asked in test/journeys/prefect-server.test.ts; the catalogue is in prefect.actions.test.ts.
import assert from 'node:assert/strict';
import test from 'node:test';
import { type ProviderTwin, providerConformance } from '../../test/conformance/provider.ts';
import { kitTwin } from '../../test/support/kit-twin.ts';
import { answer } from '../../test/support/provider-answer.ts';
import {
  newAuthString,
  type PrefectServerOptions,
  type PrefectServerState,
  prefectServerTwin,
  restartWith,
} from '../../twins/prefect-server.ts';
import { prng } from '../../twins/prng.ts';
import type { Json } from '../model/json.ts';
import { Secret } from '../model/secret.ts';
import { prefectServer } from './prefect-server.ts';
import type { ProviderRequest } from './provider.ts';

const random = prng(13);
const kind = prefectServer.kinds[0]!;
const UNAUTHORIZED = { exception_message: 'Unauthorized' };

function serverTwin(options: PrefectServerOptions = {}): Promise<ProviderTwin> {
  return kitTwin<PrefectServerState>({
    definition: prefectServerTwin(options),
    documents: [{ file: 'specs/prefect/prefect-server.openapi.json', base: '/api' }],
    // The document leaves out what is refused.
    undocumentedStatuses: [401, 404],
    issuer: () => ({ acting: { parts: {}, places: kind.places }, settings: {} }),
    byHand: (_, control) => restartWith(control, newAuthString(random)),
  });
}

// The suite holds that a path has no final slash; Prefect's collections have one, and mean it: without it they answer with a redirect.
const withoutFinalSlash = prefectServer.actions.map((action) => ({ ...action, path: action.path.replace(/\/$/, '') }));
providerConformance({ ...prefectServer, actions: withoutFinalSlash }, () => serverTwin(), {
  unsound: () => serverTwin({ isOpen: true }),
});

function read(status: number, json: Json): string {
  return kind.probe.read(answer(status, json), { settings: {} }).is;
}

test('liveness: dead is one exact body, and everything that proves nothing is unknown', () => {
  const table: [status: number, body: Json, is: string][] = [
    [200, '3.8.8', 'alive'],
    [200, null, 'unknown'],
    // What /api/health says, to everybody.
    [200, true, 'unknown'],
    [200, { message: 'OK' }, 'unknown'],
    [401, UNAUTHORIZED, 'dead'],
    [401, { exception_message: 'unauthorized' }, 'unknown'],
    [401, { detail: 'Unauthorized' }, 'unknown'],
    [401, null, 'unknown'],
    [403, { exception_message: 'Missing CSRF token.' }, 'unknown'],
    [403, UNAUTHORIZED, 'unknown'],
    [404, { detail: 'Not Found' }, 'unknown'],
    [307, null, 'unknown'],
    [429, null, 'unknown'],
    // What a server answers whose string holds a character beyond ASCII.
    [500, { exception_message: 'Internal Server Error' }, 'unknown'],
    [500, UNAUTHORIZED, 'unknown'],
    [502, null, 'unknown'],
  ];
  for (const [status, body, is] of table) assert.equal(read(status, body), is, `${status} ${JSON.stringify(body)}`);
});

async function statusOf(twin: ProviderTwin, request: ProviderRequest, text: string, places = kind.places) {
  return (await twin.call(request, { parts: { key: new Secret(text) }, places })).status;
}

test('the paths that answer everybody are not the probe, and a scheme that is spelt otherwise does not pass', async (t) => {
  const twin = await serverTwin();
  t.after(twin.close);
  const { parts } = twin.byHand!.issue(kind);
  const probe = kind.probe.request({ settings: {} });
  const keyless = (target: string) =>
    twin.call({ method: 'GET', path: target, secrets: [] }, { parts: {}, places: [] });
  assert.equal((await keyless('/api/health')).status, 200);
  assert.equal((await keyless('/api/ready')).status, 200);
  assert.deepEqual((await keyless(probe.path)).json, UNAUTHORIZED);

  const wrong = newAuthString(random);
  assert.equal(await statusOf(twin, probe, wrong), 401);
  const encoded = new TextEncoder().encode(wrong).toBase64();
  for (const scheme of ['basic', 'BASIC', 'Bearer'])
    assert.equal(await statusOf(twin, probe, encoded, [{ in: 'header', name: 'Authorization', scheme }]), 401);
  assert.equal((await twin.call(probe, { parts, places: kind.places })).status, 200);
});

test('soundness: only the server’s own refusal of a request without a string lets a probe count', () => {
  const table: [status: number, body: Json, is: string][] = [
    [401, UNAUTHORIZED, 'sound'],
    // Of somebody in between, who asks for a string of its own.
    [401, null, 'unknown'],
    [401, { detail: 'Unauthorized' }, 'unknown'],
    [200, '3.8.8', 'unsound'],
    [200, { message: 'OK' }, 'unknown'],
    [404, { detail: 'Not Found' }, 'unknown'],
    [429, null, 'unknown'],
    [500, UNAUTHORIZED, 'unknown'],
  ];
  const preflight = kind.preflight!;
  for (const [status, body, is] of table)
    assert.equal(preflight.read(answer(status, body), { settings: {} }).is, is, `${status} ${JSON.stringify(body)}`);
});

test('at an open server any string is accepted: only a request without one tells, or the settings', async (t) => {
  const twin = await serverTwin({ isOpen: true });
  t.after(twin.close);
  const probe = kind.probe.request({ settings: {} });
  const said = await twin.call(probe, { parts: { key: new Secret(newAuthString(random)) }, places: kind.places });
  // This is the trap: the answer to the probe alone cannot tell.
  assert.equal(kind.probe.read(said, { settings: {} }).is, 'alive');
  const preflight = kind.preflight!;
  const open = await twin.call(preflight.request({ settings: {} }), { parts: {}, places: [] });
  assert.equal(preflight.read(open, { settings: {} }).is, 'unsound');
  const settings = await twin.call(
    { method: 'GET', path: '/api/admin/settings', secrets: [] },
    { parts: {}, places: [] },
  );
  assert.deepEqual(settings.json, { server: { api: { auth_string: null } } });
  assert.deepEqual(twin.problems() ?? [], []);
});

test('format: user and password of printable ASCII, whole, and long enough to be scrubbed', () => {
  const format = kind.format['key']!;
  for (const text of ['admin:canary', 'a:bcde', 'a:b:c:d', 'admin:with a space', 'user@host:canary"quote"'])
    assert.match(text, format);
  for (const text of [
    'admin',
    'admin:',
    ':canary',
    'a:bcd',
    'admin:canäry',
    'a b:canary',
    'admin:canary ',
    'admin:canary\n',
  ])
    assert.doesNotMatch(text, format);
});

test('nobody can make or end a string by API: a person is told how, and the restart ends the old one', () => {
  assert.deepEqual([kind.issue, kind.list, kind.revoke, kind.rotation], [null, null, null, 'assisted']);
  assert(kind.byHand!.issue.some((step) => step.includes('PREFECT_SERVER_API_AUTH_STRING')));
  assert.equal(kind.byHand!.revoke, null);
});
