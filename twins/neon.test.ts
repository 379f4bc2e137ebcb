// The Neon twin: who may do what with which key, what each fault does, that a seed repeats, and that it can be steered from another
// process. Its shapes against Neon's document, operation by operation, are neon.catalogue.test.ts.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import type { Json } from '../src/model/json.ts';
import { revealSecretText, type Secret } from '../src/model/secret.ts';
import { type RunningNeonTwin, startNeonTwin } from './neon.io.ts';
import { createNeonTwin, type NeonTwin, type TwinReply } from './neon.ts';

const START = Date.UTC(2026, 10, 21, 9);

interface Bench {
  readonly twin: NeonTwin;
  readonly clock: { at: number };
  send(line: string, key: Secret, body?: Json): TwinReply;
}

/** A twin without a socket, on a clock that a test moves. */
function bench(seed = 1): Bench {
  const clock = { at: START };
  const twin = createNeonTwin({ seed, clock: { now: () => clock.at } });
  const send = (line: string, key: Secret, body: Json = null): TwinReply => {
    const [method = '', below = ''] = line.split(' ');
    const request = { method, target: `/api/v2${below}`, requestId: null, remoteAddress: '192.0.2.7', body };
    return twin.handle({ ...request, authorization: `Bearer ${revealSecretText(key)}` }, clock.at);
  };
  return { twin, clock, send };
}

function created(reply: TwinReply): { id: number; key: string } {
  assert.equal(reply.status, 200);
  return reply.body as unknown as { id: number; key: string };
}

function messageOf(reply: TwinReply): string {
  return String((reply.body as Record<string, Json>)['message']);
}

test('the permission matrix of the key kinds', () => {
  // The same seed gives the same ids and keys, so that each request can meet a twin that nobody has changed yet.
  const fresh = () => {
    const { twin, send } = bench();
    const { seeds, mint } = twin.control;
    const organization = mint({ kind: 'organization' });
    const callers = [seeds.adminKey, seeds.memberKey, organization.key, mint({ kind: 'project' }).key] as const;
    return { seeds, send, callers, keyId: organization.id };
  };
  const { seeds, keyId } = fresh();
  const org = `/organizations/${seeds.orgId}`;
  const own = `/projects/${seeds.projectId}`;
  const sibling = `/projects/${seeds.siblingProjectId}`;
  const keyName = { key_name: 'a key' };
  const table: [line: string, body: Json, admin: number, member: number, organization: number, project: number][] = [
    ['GET /auth', null, 200, 200, 200, 200],
    ['GET /users/me/organizations', null, 200, 200, 200, 200],
    ['GET /users/me', null, 200, 200, 404, 404],
    ['GET /regions', null, 200, 200, 404, 404],
    ['GET /api_keys', null, 200, 200, 404, 404],
    ['POST /api_keys', keyName, 200, 200, 404, 404],
    [`DELETE /api_keys/${seeds.adminKeyId}`, null, 200, 404, 404, 404],
    [`GET ${org}/api_keys`, null, 200, 403, 200, 404],
    [`POST ${org}/api_keys`, keyName, 200, 403, 404, 404],
    [`DELETE ${org}/api_keys/${keyId}`, null, 200, 403, 200, 404],
    [`GET ${org}`, null, 200, 200, 200, 404],
    [`GET /organizations/${seeds.otherOrgId}`, null, 404, 404, 404, 404],
    [`POST ${org}/invitations`, { invitations: [] }, 200, 403, 404, 404],
    ['GET /projects', null, 400, 400, 200, 404],
    [`GET /projects?org_id=${seeds.orgId}`, null, 200, 200, 200, 404],
    [`POST /projects`, { project: { org_id: seeds.orgId } }, 201, 201, 201, 404],
    [`POST /projects`, { project: {} }, 400, 400, 201, 404],
    [`GET ${own}`, null, 200, 200, 200, 200],
    [`GET ${own}/branches`, null, 200, 200, 200, 200],
    [`POST ${own}/branches`, {}, 201, 201, 201, 201],
    [`DELETE ${own}`, null, 200, 403, 200, 403],
    [`GET ${sibling}`, null, 200, 200, 200, 404],
    [`DELETE ${sibling}`, null, 200, 403, 200, 404],
    [`GET /projects/${seeds.otherProjectId}`, null, 404, 404, 404, 404],
    ['GET /nowhere', null, 404, 404, 404, 404],
  ];
  for (const [line, body, ...expected] of table) {
    const seen = expected.map((_, caller) => {
      const { send, callers } = fresh();
      return send(line, callers[caller]!, body).status;
    });
    assert.deepEqual(seen, expected, line);
  }
});

test('refusals of live keys say what Neon says', () => {
  const { twin, send } = bench();
  const { seeds, mint } = twin.control;
  assert.match(messageOf(send('GET /projects', seeds.adminKey)), /^org_id is required/);
  const organization = mint({ kind: 'organization' }).key;
  assert.equal(messageOf(send('GET /users/me', organization)), 'not allowed for organization API keys');
  const outside = messageOf(send(`GET /projects/${seeds.siblingProjectId}`, mint({ kind: 'project' }).key));
  assert.match(outside, new RegExp(`outside the project .*subject_project_id:"${seeds.projectId}"$`));
});

test('a key is counted, dated and found by its marker; a revoked one is refused and no longer listed', () => {
  const { twin, clock, send } = bench();
  const { seeds } = twin.control;
  const { id, key } = created(send('POST /api_keys', seeds.adminKey, { key_name: 'one' }));
  assert.match(key, /^napi_canary[A-Za-z0-9]{58}$/);
  const report = () => twin.control.keys().find((one) => one.id === String(id))!;
  const use = () => twin.handle(request('GET', '/api/v2/auth', key), clock.at).status;

  clock.at += 1000;
  assert.equal(use(), 200);
  assert.deepEqual([report().acceptedCount, report().lastAcceptedAt, report().diedAt], [1, START + 1000, null]);
  const listed = () => send('GET /api_keys', seeds.adminKey).body as Record<string, Json>[];
  assert.equal(listed().find((one) => one['id'] === id)?.['last_used_from_addr'], '192.0.2.9');

  clock.at += 1000;
  assert.equal(send(`DELETE /api_keys/${id}`, seeds.adminKey).status, 200);
  assert.equal(use(), 401);
  assert.deepEqual([report().isAlive, report().diedAt, report().refusedCount], [false, START + 2000, 1]);
  assert(!listed().some((one) => one['id'] === id));
  assert.equal(send(`DELETE /api_keys/${id}`, seeds.adminKey).status, 404);
  assert.equal(twin.control.counters().byStatus['401'], 1);
  assert.equal(twin.control.counters().byRoute['GET /api/v2/auth'], 2);
});

function request(method: string, target: string, key: string) {
  const authorization = `Bearer ${key}`;
  return { method, target, authorization, requestId: 'given', remoteAddress: '192.0.2.9', body: null };
}

test('a project key stops working when its project leaves the organization or is deleted', () => {
  const { twin, send } = bench();
  const { seeds, mint } = twin.control;
  const leaving = mint({ kind: 'project' }).key;
  const deleted = mint({ kind: 'project', projectId: seeds.siblingProjectId }).key;
  const move = { destination_org_id: seeds.otherOrgId, project_ids: [seeds.projectId] };
  const transfer = () => send(`POST /organizations/${seeds.orgId}/projects/transfer`, seeds.adminKey, move).status;
  assert.equal(transfer(), 404);
  assert.equal(send('GET /auth', leaving).status, 200);
  twin.control.join({ userId: seeds.adminUserId, orgId: seeds.otherOrgId, role: 'admin' });
  assert.equal(transfer(), 200);
  assert.equal(send('GET /auth', leaving).status, 401);
  assert.equal(send(`DELETE /projects/${seeds.siblingProjectId}`, seeds.adminKey).status, 200);
  assert.equal(send('GET /auth', deleted).status, 401);
});

test('an admin who leaves the organization cannot manage its keys any more; the key itself lives', () => {
  const { twin, send } = bench();
  const { seeds, join, mint } = twin.control;
  join({ userId: seeds.memberUserId, orgId: seeds.orgId, role: 'admin' });
  const org = `/organizations/${seeds.orgId}`;
  const members = (send(`GET ${org}/members`, seeds.memberKey).body as Record<string, Json>)['members'] as {
    member: { id: string; user_id: string };
  }[];
  const admin = members.find(({ member }) => member.user_id === seeds.adminUserId)!;
  assert.equal(send(`DELETE ${org}/members/${admin.member.id}`, mint({ kind: 'organization' }).key).status, 404);
  assert.equal(send(`DELETE ${org}/members/${admin.member.id}`, seeds.memberKey).status, 200);
  assert.equal(send(`POST ${org}/api_keys`, seeds.adminKey, { key_name: 'k' }).status, 404);
  assert.equal(send('GET /auth', seeds.adminKey).status, 200);
});

test('faults: revocation that is late, ignored, or comes and goes', () => {
  const { twin, clock, send } = bench();
  const { seeds, fault, clearFaults } = twin.control;
  const make = () => created(send('POST /api_keys', seeds.adminKey, { key_name: 'k' }));
  const use = (key: string) => twin.handle(request('GET', '/api/v2/auth', key), clock.at).status;

  fault('revoke-late', { ms: 500 });
  const late = make();
  assert.equal(send(`DELETE /api_keys/${late.id}`, seeds.adminKey).status, 200);
  clock.at += 499;
  assert.equal(use(late.key), 200);
  clock.at += 1;
  assert.equal(use(late.key), 401);
  clearFaults('revoke-late');

  fault('revoke-ignored', { count: 1 });
  const kept = make();
  assert.equal((send(`DELETE /api_keys/${kept.id}`, seeds.adminKey).body as Record<string, Json>)['revoked'], true);
  assert.equal(use(kept.key), 200);
  assert.equal(send(`DELETE /api_keys/${kept.id}`, seeds.adminKey).status, 200);
  assert.equal(use(kept.key), 401);

  fault('revoked-key-flaps', { probability: 0.5, ms: 1000 });
  const seen = new Set(Array.from({ length: 50 }, () => use(kept.key)));
  assert.deepEqual(seen, new Set([200, 401]));
  clock.at += 1000;
  assert.deepEqual(new Set(Array.from({ length: 50 }, () => use(kept.key))), new Set([401]));
});

test('faults: creation that is lost, slow, late, refused or stillborn', () => {
  const { twin, clock, send } = bench();
  const { seeds, fault, clearFaults, keys } = twin.control;
  const create = (name: string) => send('POST /api_keys', seeds.adminKey, { key_name: name });
  const named = (name: string) => keys().filter((one) => one.name === name);

  fault('create-lost', { ms: 30, count: 1 });
  const lost = create('lost');
  assert.deepEqual([lost.isCut, lost.delayMs, named('lost').length], [true, 30, 1]);

  fault('create-slow', { ms: 40, count: 1 });
  const slow = create('slow');
  assert.deepEqual([slow.isCut, slow.delayMs, slow.status], [false, 40, 200]);

  fault('create-arrives-later', { ms: 60, count: 1 });
  assert.equal(create('later').isCut, true);
  assert.equal(named('later').length, 0);
  clock.at += 60;
  assert.deepEqual(
    named('later').map((one) => one.createdAt),
    [clock.at],
  );

  fault('quota-full');
  assert.deepEqual([create('none').status, named('none').length], [422, 0]);
  clearFaults();

  fault('dead-on-arrival', { count: 1 });
  const stillborn = created(create('stillborn'));
  assert.equal(twin.handle(request('GET', '/api/v2/auth', stillborn.key), clock.at).status, 401);
  assert.equal(named('stillborn')[0]?.diedAt, clock.at);

  fault('create-propagates-late', { ms: 50, count: 1 });
  const slowly = created(create('slowly'));
  const statusNow = () => twin.handle(request('GET', '/api/v2/auth', slowly.key), clock.at).status;
  clock.at += 49;
  assert.deepEqual([statusNow(), named('slowly').length], [401, 1]);
  clock.at += 1;
  assert.equal(statusNow(), 200);
});

test('faults: the service ails, before the effect or after it', () => {
  const { twin, send } = bench();
  const { seeds, fault, clearFaults, keys } = twin.control;
  const create = (name: string) => send('POST /api_keys', seeds.adminKey, { key_name: name });
  const count = (name: string) => keys().filter((one) => one.name === name).length;

  const table = [
    ['server-error', { status: 503 }, 503, false, 0],
    ['server-error-after', { status: 502 }, 502, false, 1],
    ['cut-before', {}, 0, true, 0],
    ['cut-after', {}, 200, true, 1],
    ['outage-401', {}, 401, false, 0],
    ['good-key-refused', {}, 401, false, 0],
    ['rate-limited', {}, 429, false, 0],
  ] as const;
  for (const [name, options, status, isCut, made] of table) {
    fault(name, options);
    const reply = create(name);
    assert.deepEqual([reply.status, reply.isCut, count(name)], [status, isCut, made], name);
    clearFaults();
    assert.equal(create(`after ${name}`).status, 200);
  }
  fault('rate-limited', { retryAfter: '3', on: ['auth'] });
  assert.equal(send('GET /auth', seeds.adminKey).headers['retry-after'], '3');
  assert.equal(send('GET /users/me', seeds.adminKey).status, 200);
});

test('faults: a list that lags shows what was, not what is', () => {
  const { twin, clock, send } = bench();
  const { seeds, fault } = twin.control;
  const listed = () => (send('GET /api_keys', seeds.adminKey).body as Record<string, Json>[]).map((one) => one['name']);
  clock.at += 1000;
  created(send('POST /api_keys', seeds.adminKey, { key_name: 'new' }));
  fault('list-lags', { ms: 500 });
  assert(!listed().includes('new'));
  clock.at += 500;
  assert(listed().includes('new'));
});

test('the same seed and the same requests give the same replies; another seed does not', () => {
  const story = (seed: number) => {
    const { twin, send } = bench(seed);
    twin.control.fault('good-key-refused', { probability: 0.3 });
    twin.control.latency({ ms: 5, jitterMs: 10 });
    const replies = Array.from({ length: 40 }, () =>
      send('POST /api_keys', twin.control.seeds.adminKey, { key_name: 'k' }),
    );
    return JSON.stringify(replies);
  };
  assert.equal(story(7), story(7));
  assert.notEqual(story(7), story(8));
});

test('faults do not change the keys that a seed gives', () => {
  const keyOf = (hasFaults: boolean) => {
    const { twin, send } = bench(7);
    if (hasFaults) twin.control.fault('create-slow', { probability: 0.5 });
    return created(send('POST /api_keys', twin.control.seeds.adminKey, { key_name: 'k' })).key;
  };
  assert.equal(keyOf(true), keyOf(false));
});

async function withTwin(run: (twin: RunningNeonTwin) => Promise<void>): Promise<void> {
  const twin = await startNeonTwin();
  try {
    await run(twin);
  } finally {
    await twin.close();
  }
}

test('over HTTP: the control needs its token, and does what the one in the process does', () =>
  withTwin(async ({ origin, control, controlToken }) => {
    const headers = { 'x-twin-token': controlToken };
    const steer = (method: string, what: string, body?: object) =>
      fetch(`${origin}/__twin/${what}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
    assert.equal((await fetch(`${origin}/__twin/keys`)).status, 401);
    assert.equal((await fetch(`${origin}/__twin/keys`, { headers: { 'x-twin-token': 'wrong' } })).status, 401);
    assert.equal((await steer('PUT', 'faults/no-such-fault', {})).status, 404);
    assert.equal((await steer('PUT', 'faults/outage-401', { count: 1 })).status, 200);
    assert.deepEqual(Object.keys(control.faults()), ['outage-401']);

    const made = (await (await steer('POST', 'keys', { kind: 'organization' })).json()) as { id: string; key: string };
    const use = () => fetch(`${origin}/api/v2/auth`, { headers: { authorization: `Bearer ${made.key}` } });
    assert.equal((await use()).status, 401);
    const second = await use();
    assert.equal(second.status, 200);
    assert.match(second.headers.get('x-neon-ret-request-id') ?? '', /^[0-9a-f-]{36}$/);
    const reports = (await (await steer('GET', 'keys')).json()) as { id: string; acceptedCount: number }[];
    assert.equal(reports.find((one) => one.id === made.id)?.acceptedCount, 1);
    assert(!JSON.stringify(reports).includes('canary'));
    assert.equal((await steer('DELETE', 'faults')).status, 200);
    assert.deepEqual(control.faults(), {});
  }));

test('over HTTP: a body that is no JSON is refused, one that is too large is not read', () =>
  withTwin(async ({ origin, control }) => {
    const headers = { authorization: `Bearer ${revealSecretText(control.seeds.adminKey)}` };
    const post = (body: string) => fetch(`${origin}/api/v2/api_keys`, { method: 'POST', headers, body });
    assert.equal((await post('{"key_name":')).status, 400);
    assert.equal((await post(JSON.stringify({ key_name: 'x'.repeat(65) }))).status, 400);
    assert.equal((await post('x'.repeat(1_048_577))).status, 413);
    assert.equal((await post(JSON.stringify({ key_name: 'x' }))).status, 200);
  }));

test('as a process of its own it says where it is and ends when asked', async () => {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'neon.io.ts'), '--seed', '5'], {
    env: { ...process.env, CLAVIGER_TWIN_TOKEN: 'control-token' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { origin } = JSON.parse(line) as { origin: string };
    const seeds = await fetch(`${origin}/__twin/seeds`, { headers: { 'x-twin-token': 'control-token' } });
    assert.match(((await seeds.json()) as { adminKey: string }).adminKey, /^napi_canary/);
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
  }
});
