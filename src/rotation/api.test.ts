// Who may ask for a rotation: making a key of an issuer needs what adding one would.
import assert from 'node:assert/strict';
import test from 'node:test';
import { callerOf, memoryDesk } from '../../test/support/desk.ts';
import { credentialRow, versionRow } from '../../test/support/rows.ts';
import { permissionsOf, type RoleName } from '../access/role.ts';
import type { Noun, Row } from '../model/change.ts';
import { Failure } from '../model/failure.ts';
import type { Context, Route } from '../model/route.ts';
import { Secret } from '../model/secret.ts';
import { cachet } from '../providers/cachet.ts';
import { demandMinting, rotationRoutes } from './api.ts';
import { beginOverlap } from './overlap.ts';
import { defaultOverlapPolicy } from './policy.ts';
import type { OverlapRotation, RotationRow } from './rotation.ts';
import type { RotationRequest, Rotator } from './rotator.ts';

const ID = `crd_${'a'.repeat(32)}`;

function contextOf(role: RoleName, purpose: 'lend' | 'manage'): Context {
  const desk = memoryDesk();
  desk.furnish('credential', credentialRow({ id: ID, purpose }));
  return { desk, caller: callerOf('prn_1', permissionsOf([role])), type: 'application/json' };
}

/** The routes over an engine that may be asked for these things alone, and over these rotations. */
function routesOf(engine: Partial<Rotator>, rows: readonly RotationRow[] = [], doubt: string | null = null): Route[] {
  const fail = () => Promise.reject(new Error('not asked'));
  const rotator = { request: fail, retire: fail, bring: fail, cancel: fail, supersede: fail, resume: fail, ...engine };
  const find = <R extends Row>(_noun: Noun, id: string) =>
    Promise.resolve((rows.find((row) => row.id === id) ?? null) as R | null);
  return rotationRoutes({
    rotator,
    records: { page: fail, find },
    kinds: {
      kindNamed: () => ({ ...cachet.kinds[0]!, issuers: ['admin'] }),
      originFor: () => cachet.origin,
      ownOrigin: () => null,
    },
    journal: () => Promise.resolve([]),
    doubtOf: () => Promise.resolve(doubt),
    kindOf: ({ kind }) => (kind === cachet.kinds[0]!.name ? { provider: cachet, kind: cachet.kinds[0]! } : null),
  });
}

function routeAt(routes: readonly Route[], method: string, path: string): Route {
  return routes.find((one) => one.method === method && one.path === path) ?? assert.fail(`no ${method} ${path}`);
}

test('every permission that minting the key would need is needed to rotate it', () => {
  const allowed = (role: RoleName, purpose: 'lend' | 'manage') => {
    try {
      demandMinting(contextOf(role, purpose), credentialRow({ purpose }));
      return true;
    } catch (error) {
      assert.ok(Failure.is(error, 'denied'));
      return false;
    }
  };
  const table: [RoleName, boolean, boolean][] = [
    ['viewer', false, false],
    ['auditor', false, false],
    ['responder', true, false],
    ['operator', true, true],
    ['admin', true, true],
  ];
  for (const [role, lend, manage] of table) {
    assert.deepEqual([allowed(role, 'lend'), allowed(role, 'manage')], [lend, manage], role);
  }
});

test('the engine is asked only where that holds, and told who asked and why', async () => {
  const asked: RotationRequest[] = [];
  const row = { id: 'rot_1', rowVersion: 1 } as RotationRow;
  const routes = routesOf({
    request: async (request: RotationRequest) => {
      asked.push(request);
      return row;
    },
  });
  const post = routes.find(({ method }) => method === 'POST')!;
  const input = (reason: string, byHand = false) => ({
    params: {},
    query: {},
    body: { credential: ID, reason, byHand },
  });
  const refused = async () => post.handler(contextOf('responder', 'manage'), input('superseded'));
  await assert.rejects(refused, (error) => Failure.is(error, 'denied'));
  await post.handler(contextOf('responder', 'lend'), input('compromised'));
  await post.handler(contextOf('operator', 'manage'), input('superseded', true));
  assert.deepEqual(
    asked.map(({ trigger, reason, actor, byHand }) => [trigger, reason, actor, byHand]),
    [
      ['compromise', 'compromised', 'prn_1', false],
      ['operator', 'superseded', 'prn_1', true],
    ],
  );
});

test('where somebody may hold the key outside it is rotated only when that is accepted, or when the key is compromised', async () => {
  const asked: RotationRequest[] = [];
  const request = async (one: RotationRequest) => {
    asked.push(one);
    return { id: 'rot_1', rowVersion: 1 } as RotationRow;
  };
  const post = routesOf({ request }, [], 'nobody knows').find(({ method }) => method === 'POST')!;
  const ask = async (reason: string, unseen: boolean) =>
    post.handler(contextOf('operator', 'lend'), {
      params: {},
      query: {},
      body: { credential: ID, reason, byHand: false, unseen },
    });
  await assert.rejects(ask('superseded', false), (error) => {
    assert.ok(Failure.is(error, 'conflict'));
    assert.deepEqual([error.message, error.errors[0]?.pointer], ['nobody knows', '/unseen']);
    return true;
  });
  assert.deepEqual(asked, []);
  await ask('superseded', true);
  await ask('compromised', false);
  assert.equal(asked.length, 2);
});

const ROTATION_ID = `rot_${'c'.repeat(32)}`;

function awaiting(given: Partial<OverlapRotation> = {}): OverlapRotation {
  const old = { versionId: 'ver_old', providerKeyId: '17' };
  return {
    id: ROTATION_ID,
    rowVersion: 1,
    credentialId: ID,
    trigger: 'operator',
    reason: 'superseded',
    requestedAt: Date.UTC(2026, 10, 21),
    requestedBy: 'prn_1',
    endedAt: null,
    settings: {},
    state: beginOverlap(old, { boot: 1, mono: 0 }, { issue: 'person', revoke: 'person' }),
    policy: defaultOverlapPolicy(1_000),
    refusals: [],
    revokeCalledAt: null,
    lastProblem: null,
    ...given,
  };
}

test('a rotation is shown with what a person must do now, and with nothing where its kind is unknown', async () => {
  const show = routeAt(routesOf({}, [awaiting()]), 'GET', '/v1/rotations/{id}');
  const ask = async (kind: string) => {
    const context = contextOf('viewer', 'lend');
    const desk = memoryDesk();
    desk.furnish(
      'credential',
      credentialRow({ id: ID, provider: 'cachet', kind, origin: 'https://status.example.org' }),
    );
    desk.furnish('rotation', awaiting());
    desk.furnish('version', versionRow({ id: 'ver_old', credentialId: ID }));
    const answer = await show.handler(
      { ...context, desk },
      { params: { id: ROTATION_ID }, query: {}, body: undefined },
    );
    show.answers[200]!.schema.parse(answer.body);
    return (answer.body as { todo: { url: string; steps: string[]; until: string } | null }).todo;
  };
  const todo = await ask('token');
  assert.deepEqual(
    [todo?.url, todo?.steps, todo?.until],
    ['https://status.example.org/dashboard', cachet.kinds[0]!.byHand!.issue, '2026-11-28T00:00:00.000Z'],
  );
  assert.equal(await ask('no-such-kind'), null);
});

test('what is left of a lost rotation is to be done until another one runs or another key is current', async () => {
  const lost = { ...awaiting(), endedAt: 1, state: { ...awaiting().state, protocol: 'swap/1', end: 'lost' } };
  const row = lost as unknown as RotationRow;
  const show = routeAt(routesOf({}, [row]), 'GET', '/v1/rotations/{id}');
  const isOpen = async (...more: [Noun, Row][]) => {
    const desk = memoryDesk();
    desk.furnish('credential', credentialRow({ id: ID, kind: 'token' }));
    for (const [noun, one] of more) desk.furnish(noun, one);
    const context = { ...contextOf('viewer', 'lend'), desk };
    const answer = await show.handler(context, { params: { id: ROTATION_ID }, query: {}, body: undefined });
    return (answer.body as { todo: object | null }).todo !== null;
  };
  const current = (id: string, credentialId = ID) => versionRow({ id, credentialId });
  assert.equal(await isOpen(), true);
  assert.equal(await isOpen(['version', current('ver_old')], ['version', current('ver_other', 'crd_other')]), true);
  assert.equal(await isOpen(['version', current('ver_other')]), false);
  assert.equal(await isOpen(['rotation', awaiting({ id: `rot_${'d'.repeat(32)}` })]), false);
});

test('a key is brought by whoever may bring a version, closed, and the rotation is the answer', async () => {
  const brought: [string, string, readonly string[]][] = [];
  const routes = routesOf(
    {
      bring: async (id, parts, actor) => {
        brought.push([id, actor, Object.keys(parts)]);
        return awaiting({ rowVersion: 2 });
      },
    },
    [awaiting()],
  );
  const bring = routeAt(routes, 'POST', '/v1/rotations/{id}/key');
  assert.deepEqual([bring.permission, bring.matches, bring.effect], ['credential:write', 'rotation', 'outside']);
  const body = bring.body!.parse({ parts: { key: 'canary' } }) as { parts: { key: Secret } };
  assert.ok(body.parts.key instanceof Secret);
  assert.ok(!bring.body!.safeParse({ parts: { key: '' } }).success);
  assert.ok(!bring.body!.safeParse({ key: 'canary' }).success);
  const input = (id: string) => ({ params: { id }, query: {}, body });
  const writer = { ...contextOf('operator', 'lend'), caller: callerOf('prn_1', ['credential:write']) };
  const refused = async () => bring.handler(writer, input(ROTATION_ID));
  await assert.rejects(refused, (error) => Failure.is(error, 'denied') && /credential:rotate/.test(error.message));
  const absent = async () => bring.handler(contextOf('operator', 'lend'), input(`rot_${'e'.repeat(32)}`));
  await assert.rejects(absent, (error) => Failure.is(error, 'not-found'));
  const answer = await bring.handler(contextOf('operator', 'lend'), input(ROTATION_ID));
  assert.deepEqual([answer.status, answer.etag, brought], [202, 2, [[ROTATION_ID, 'prn_1', ['key']]]]);
});

test('a key may be named another issuer, which must be one that ends keys of this kind', async () => {
  const named: (string | undefined)[] = [];
  const routes = routesOf(
    {
      bring: async (_id, _parts, _actor, known) => {
        named.push(known?.issuerId);
        return awaiting({ rowVersion: 2 });
      },
    },
    [awaiting()],
  );
  const bring = routeAt(routes, 'POST', '/v1/rotations/{id}/key');
  const issuer = `crd_${'f'.repeat(32)}`;
  const ask = async (kind: string) => {
    const desk = memoryDesk();
    desk.furnish('credential', credentialRow({ id: ID }));
    desk.furnish('credential', credentialRow({ id: issuer, purpose: 'manage', kind }));
    const context = { ...contextOf('operator', 'lend'), desk };
    const body = bring.body!.parse({ parts: { key: 'canary' }, issuer });
    return bring.handler(context, { params: { id: ROTATION_ID }, query: {}, body });
  };
  await assert.rejects(
    ask('other'),
    (error) => Failure.is(error, 'invalid') && /do not mint/.test(JSON.stringify(error.errors)),
  );
  await ask('admin');
  assert.deepEqual(named, [issuer]);
});

test('a rotation is undone where that is possible, and ended where it stands only where that is said', async () => {
  const asked: string[] = [];
  const end = (how: string) => async (_id: string, reason: string) => {
    asked.push(`${how} ${reason}`);
    return awaiting();
  };
  const routes = routesOf({ cancel: end('cancel'), supersede: end('supersede') }, [awaiting()]);
  const cancel = routeAt(routes, 'POST', '/v1/rotations/{id}/cancel');
  for (const given of [{ reason: 'a' }, { reason: 'b', abandon: false }, { reason: 'c', abandon: true }]) {
    const body = cancel.body!.parse(given);
    await cancel.handler(contextOf('operator', 'lend'), { params: { id: ROTATION_ID }, query: {}, body });
  }
  assert.deepEqual(asked, ['cancel a', 'cancel b', 'supersede c']);
});

test('a version is retired by whoever asks for it, and the rotation that ends it is the answer', async () => {
  const asked: string[][] = [];
  const routes = routesOf({
    retire: async (versionId: string, actor: string) => {
      asked.push([versionId, actor]);
      return { id: 'rot_1', rowVersion: 1 } as RotationRow;
    },
  });
  const retire = routes.find(({ path }) => path === '/v1/versions/{id}/retire')!;
  assert.deepEqual([retire.method, retire.permission, retire.matches], ['POST', 'credential:revoke', 'version']);
  const id = `ver_${'b'.repeat(32)}`;
  const answer = await retire.handler(contextOf('responder', 'lend'), { params: { id }, query: {}, body: undefined });
  assert.deepEqual(asked, [[id, 'prn_1']]);
  assert.deepEqual([answer.status, answer.body], [202, { id: 'rot_1', rowVersion: 1 }]);
});
