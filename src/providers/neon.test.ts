// Neon at the family's conformance suite, and what is particular to it: each signature, scopes of new keys, ids, Retry-After. The
// catalogue of actions is neon.actions.test.ts.
import assert from 'node:assert/strict';
import test from 'node:test';
import { type ProviderTwin, providerConformance } from '../../test/conformance/provider.ts';
import { directCall } from '../../test/support/direct-call.ts';
import { NEON_DOCUMENT_ABSENT, neonDocument } from '../../test/support/openapi.ts';
import { answer } from '../../test/support/provider-answer.ts';
import { twinFaults } from '../../test/support/twin-faults.ts';
import { startNeonTwin } from '../../twins/neon.io.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { revealSecretText } from '../model/secret.ts';
import { neon } from './neon.ts';
import type { Kind } from './provider.ts';

async function neonTwin(): Promise<ProviderTwin> {
  const problems: string[] = [];
  const document = neonDocument();
  const twin = await startNeonTwin({
    onExchange: (exchange) => problems.push(...(document?.validateExchange(exchange) ?? [])),
  });
  const { seeds } = twin.control;
  const settings = { orgId: seeds.orgId, projectId: seeds.projectId };
  return {
    call: directCall(twin.origin),
    issuer: (kind) => ({ acting: { parts: { key: seeds.adminKey }, places: kind.places }, settings }),
    // Neon replaces nothing in place, so that a grace that is ignored changes nothing.
    ...twinFaults(twin.control),
    isAlive: (id) => twin.control.keys().some((key) => key.id === id && key.isAlive),
    problems: () => (document === null ? null : problems),
    documentAbsent: NEON_DOCUMENT_ABSENT,
    close: twin.close,
  };
}

providerConformance(neon, neonTwin);

function kindOf(name: string): Kind {
  return neon.kinds.find((kind) => kind.name === name)!;
}

const personal = kindOf('personal-key');
const organization = kindOf('organization-key');
const project = kindOf('project-key');
const ORG = { orgId: 'org-quiet-1' };
const SCOPED = { ...ORG, projectId: 'project-1' };

function error(message: string, code = ''): Json {
  return { request_id: 'r', code, message };
}

const DOES_NOT_PASS = 'supplied credentials do not pass authentication';
const OUTSIDE = 'not allowed to perform actions outside the project this key is scoped to; subject_project_id:"p"';

test('liveness: each signature gives its verdict, everything else is unknown', () => {
  const table: [status: number, body: Json, is: string][] = [
    [200, { account_id: 'a', auth_method: 'api_key_user' }, 'alive'],
    [200, { account_id: 'a', auth_method: 'api_key_org', auth_data: 'x' }, 'alive'],
    [200, { account_id: 'a', auth_method: 'session_cookie' }, 'unknown'],
    [200, { auth_method: 'api_key_org' }, 'unknown'],
    [200, null, 'unknown'],
    [204, null, 'unknown'],
    [302, null, 'unknown'],
    [403, error('no'), 'alive'],
    [403, null, 'unknown'],
    [404, error('not allowed for organization API keys'), 'alive'],
    [404, error(OUTSIDE), 'alive'],
    [404, error('this route does not exist'), 'unknown'],
    [404, null, 'unknown'],
    [400, error('org_id is required, you can find it on your organization settings page'), 'alive'],
    [400, error('bad request'), 'unknown'],
    [401, error(DOES_NOT_PASS), 'dead'],
    [401, { code: '', message: DOES_NOT_PASS }, 'dead'],
    [401, error(DOES_NOT_PASS, 'OTHER'), 'unknown'],
    [401, error(`${DOES_NOT_PASS}.`), 'unknown'],
    [401, { message: DOES_NOT_PASS }, 'unknown'],
    [401, null, 'unknown'],
    [407, error(DOES_NOT_PASS), 'unknown'],
    [429, error('slow down'), 'unknown'],
    [500, error(DOES_NOT_PASS), 'unknown'],
    [503, null, 'unknown'],
  ];
  for (const [status, body, is] of table) {
    assert.equal(
      personal.probe.read(answer(status, body), { settings: {} }).is,
      is,
      `${status} ${JSON.stringify(body)}`,
    );
  }
});

test('issue: certain refusals are told from doubt', () => {
  const table: [status: number, body: Json, is: string, final: boolean | null, quotaFull: boolean | null][] = [
    [400, error('key_name is required'), 'refused', true, false],
    [403, error('no'), 'refused', true, false],
    [404, error('not allowed for organization API keys'), 'refused', true, false],
    [422, error('no'), 'refused', true, false],
    [422, error('too many', 'API_KEYS_LIMIT_EXCEEDED'), 'refused', false, true],
    [401, error(DOES_NOT_PASS), 'refused', false, false],
    [401, error('something else'), 'ambiguous', null, null],
    [423, error('locked'), 'refused', false, false],
    [429, null, 'refused', false, false],
    [503, null, 'refused', false, false],
    [403, null, 'ambiguous', null, null],
    [408, error('timeout'), 'ambiguous', null, null],
    [409, error('conflict'), 'ambiguous', null, null],
    [500, error('internal'), 'ambiguous', null, null],
    [502, null, 'ambiguous', null, null],
    [504, null, 'ambiguous', null, null],
    [302, null, 'ambiguous', null, null],
  ];
  for (const [status, body, is, final, quotaFull] of table) {
    const outcome = personal.issue!.read(answer(status, body), { settings: {}, label: 'l' });
    const seen = outcome.is === 'refused' ? [outcome.final, outcome.quotaFull] : [null, null];
    assert.deepEqual([outcome.is, ...seen], [is, final, quotaFull], `${status} ${JSON.stringify(body)}`);
  }
});

test('issue: an answer that is not exactly a key of the scope asked for is ambiguous', () => {
  const key = `napi_canary${'x'.repeat(58)}`;
  const good = { id: 7, key, name: 'l', created_at: '2026-11-21T00:00:00Z', created_by: 'u' };
  const issue = (kind: Kind, settings: Record<string, string>, body: Json) =>
    kind.issue!.read(answer(200, body), { settings, label: 'l' });

  const outcome = issue(personal, {}, good);
  assert(outcome.is === 'issued');
  assert.equal(outcome.providerKeyId, '7');
  assert.equal(revealSecretText(outcome.parts['key']!), key);
  // A form that this file does not know is still a key: losing it would leave an orphan that lives.
  assert.equal(issue(personal, {}, { ...good, key: 'canary_in_a_new_form' }).is, 'issued');

  assert.equal(issue(organization, ORG, good).is, 'issued');
  assert.equal(issue(organization, ORG, { ...good, project_id: 'project-1' }).is, 'ambiguous');
  assert.equal(issue(project, SCOPED, { ...good, project_id: 'project-1' }).is, 'issued');
  assert.equal(issue(project, SCOPED, { ...good, project_id: 'project-2' }).is, 'ambiguous');
  assert.equal(issue(project, SCOPED, good).is, 'ambiguous');

  const malformed: Json[] = [
    null,
    [good],
    'text',
    { ...good, id: 2 ** 53 },
    { ...good, id: '7' },
    { ...good, id: 0 },
    { ...good, key: '' },
    { ...good, key: `canary with spaces ${key}` },
    { ...good, key: `${key}\r\nx: y` },
    { id: 7 },
  ];
  for (const body of malformed) assert.equal(issue(personal, {}, body).is, 'ambiguous');
});

test('revoke: only the right key, confirmed as revoked, is accepted', () => {
  const revoke = (status: number, body: Json, headers = {}) =>
    personal.revoke!.read(answer(status, body, headers), { settings: {}, providerKeyId: '7' });
  assert.equal(revoke(200, { id: 7, revoked: true }).is, 'accepted');
  assert.equal(revoke(200, { id: 7, revoked: false }).is, 'ambiguous');
  assert.equal(revoke(200, { id: 8, revoked: true }).is, 'ambiguous');
  assert.equal(revoke(200, null).is, 'ambiguous');
  assert.equal(revoke(404, error('api key not found')).is, 'absent');
  assert.equal(revoke(404, null).is, 'ambiguous');
  assert.deepEqual(
    [revoke(404, error('not allowed for organization API keys')), revoke(401, error(DOES_NOT_PASS))].map((outcome) =>
      outcome.is === 'refused' ? outcome.final : outcome.is,
    ),
    [true, false],
  );
  const doubt = revoke(500, null, { 'Retry-After': '2' });
  assert(doubt.is === 'ambiguous');
  assert.equal(doubt.retryAfterMs, 2000);
});

test('list: last use and scope are read; one unreadable entry spoils the list', () => {
  const item = {
    id: 1,
    name: 'a\u0000b\ud800',
    created_at: '2026-11-01T10:00:00Z',
    created_by: {},
    last_used_at: '2026-11-20T21:10:11Z',
    last_used_from_addr: '192.0.2.255,192.0.2.7',
    project_id: 'project-1',
  };
  const list = (body: Json) => organization.list!.read(answer(200, body), { settings: ORG });
  const unused = { id: 2, name: 'b', created_at: 'when?', last_used_at: null, last_used_from_addr: '' };
  const outcome = list([item, unused]);
  assert(outcome.is === 'listed');
  assert.deepEqual(outcome.keys, [
    {
      providerKeyId: '1',
      name: 'a\uFFFDb\uFFFD',
      createdAt: Date.UTC(2026, 10, 1, 10),
      lastUsedAt: Date.UTC(2026, 10, 20, 21, 10, 11),
      lastUsedFrom: '192.0.2.255,192.0.2.7',
      scope: 'project:project-1',
    },
    {
      providerKeyId: '2',
      name: 'b',
      createdAt: null,
      lastUsedAt: null,
      lastUsedFrom: null,
      scope: 'organization:org-quiet-1',
    },
  ]);
  for (const body of [null, {}, [item, null], [{ ...item, id: 2 ** 60 }], [{ id: 1 }]] as Json[]) {
    assert.equal(list(body).is, 'unknown');
  }
  assert.equal(organization.list!.read(answer(404, error(OUTSIDE)), { settings: ORG }).is, 'refused');
  assert.equal(organization.list!.read(answer(404, null), { settings: ORG }).is, 'unknown');
});

test('Retry-After: seconds, a date beside the answer’s own date, bounds, and nothing else', () => {
  const wait = (headers: Record<string, string>) => {
    const verdict = personal.probe.read(answer(429, null, headers), { settings: {} });
    return verdict.is === 'unknown' ? verdict.retryAfterMs : verdict.is;
  };
  const date = 'Sat, 21 Nov 2026 10:00:00 GMT';
  assert.equal(wait({ 'retry-after': '7' }), 7000);
  assert.equal(wait({ 'Retry-After': ' 7 ' }), 7000);
  assert.equal(wait({ 'retry-after': 'Sat, 21 Nov 2026 10:00:30 GMT', date }), 30_000);
  assert.equal(wait({ 'retry-after': 'Sat, 21 Nov 2026 09:00:00 GMT', date }), 0);
  assert.equal(wait({ 'retry-after': 'Sat, 21 Nov 2026 10:00:30 GMT' }), null);
  assert.equal(wait({ 'retry-after': '999999' }), 3_600_000);
  for (const value of ['-1', '1.5', 'soon', '']) assert.equal(wait({ 'retry-after': value, date }), null);
  assert.equal(wait({}), null);
});

test('evidence: the request id is taken from header or body, and nothing that could be a key', () => {
  const id = (headers: Record<string, string>, body: Json) =>
    personal.probe.read(answer(403, body, headers), { settings: {} }).evidence.requestId;
  assert.equal(id({ 'x-neon-ret-request-id': 'abc-1', 'x-request-id': 'other' }, error('no')), 'abc-1');
  assert.equal(id({ 'x-request-id': 'other' }, error('no')), 'other');
  assert.equal(id({}, error('no')), 'r');
  assert.equal(id({ 'x-neon-ret-request-id': `napi_canary${'x'.repeat(58)}` }, { code: '', message: '' }), null);
  assert.equal(id({ 'x-neon-ret-request-id': 'two words' }, null), null);
});

test('requests: paths by kind, labels and ids within Neon’s bounds', () => {
  assert.equal(personal.list!.request({ settings: {} }).path, '/api/v2/api_keys');
  const scoped = project.issue!.request({ settings: SCOPED, label: 'l' });
  assert.equal(scoped.path, '/api/v2/organizations/org-quiet-1/api_keys');
  assert.deepEqual(scoped.json, { key_name: 'l', project_id: 'project-1' });
  const revoke = organization.revoke!.request({ settings: ORG, providerKeyId: '165434' });
  assert.equal(revoke.path, '/api/v2/organizations/org-quiet-1/api_keys/165434');
  assert.equal(revoke.method, 'DELETE');

  const isInvalid = (thrown: unknown) => Failure.is(thrown, 'invalid');
  personal.issue!.request({ settings: {}, label: 'x'.repeat(64) });
  assert.throws(() => personal.issue!.request({ settings: {}, label: 'x'.repeat(65) }), isInvalid);
  assert.throws(() => personal.issue!.request({ settings: {}, label: '' }), isInvalid);
  assert.throws(() => organization.list!.request({ settings: {} }), isInvalid);
  for (const orgId of ['..', 'a/b', 'A', '', 'a'.repeat(61)]) {
    assert.throws(() => organization.list!.request({ settings: { orgId } }), isInvalid);
  }
  for (const providerKeyId of ['../1', '1/2', '0', '-1', '1e3', '', '1'.repeat(20)]) {
    assert.throws(() => personal.revoke!.request({ settings: {}, providerKeyId }), isInvalid);
  }
});

test('formats: keys of today and of before the prefix, whole and nothing more', () => {
  const format = personal.format['key']!;
  for (const key of [`napi_${'aZ09'.repeat(16)}`, 'a0'.repeat(32), 'a'.repeat(66)]) assert.match(key, format);
  for (const key of [
    `napi_${'a'.repeat(63)}`,
    `napi_${'a'.repeat(65)}`,
    'A'.repeat(64),
    'a'.repeat(67),
    'a'.repeat(63),
  ]) {
    assert.doesNotMatch(key, format);
  }
  assert.doesNotMatch(`${'a'.repeat(64)}\n`, format);
});
