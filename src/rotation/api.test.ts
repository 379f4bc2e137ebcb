// Who may ask for a rotation: making a key of an issuer needs what adding one would.
import assert from 'node:assert/strict';
import test from 'node:test';
import { callerOf, memoryDesk } from '../../test/support/desk.ts';
import { credentialRow } from '../../test/support/rows.ts';
import { permissionsOf, type RoleName } from '../access/role.ts';
import { Failure } from '../model/failure.ts';
import type { Context } from '../model/route.ts';
import { demandMinting, rotationRoutes } from './api.ts';
import type { RotationRow } from './rotation.ts';
import type { RotationRequest } from './rotator.ts';

const ID = `crd_${'a'.repeat(32)}`;

function contextOf(role: RoleName, purpose: 'lend' | 'manage'): Context {
  const desk = memoryDesk();
  desk.furnish('credential', credentialRow({ id: ID, purpose }));
  return { desk, caller: callerOf('prn_1', permissionsOf([role])), type: 'application/json' };
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
  const rotator = {
    request: async (request: RotationRequest) => {
      asked.push(request);
      return row;
    },
    retire: () => Promise.reject(new Error('not asked')),
    cancel: () => Promise.reject(new Error('not asked')),
    supersede: () => Promise.reject(new Error('not asked')),
    resume: () => Promise.reject(new Error('not asked')),
  };
  const records = { page: () => Promise.reject(new Error('none')), find: () => Promise.resolve(null) };
  const routes = rotationRoutes({ rotator, records, journal: () => Promise.resolve([]) });
  const post = routes.find(({ method }) => method === 'POST')!;
  const input = (reason: string) => ({ params: {}, query: {}, body: { credential: ID, reason } });
  const refused = async () => post.handler(contextOf('responder', 'manage'), input('superseded'));
  await assert.rejects(refused, (error) => Failure.is(error, 'denied'));
  await post.handler(contextOf('responder', 'lend'), input('compromised'));
  await post.handler(contextOf('operator', 'manage'), input('superseded'));
  assert.deepEqual(
    asked.map(({ trigger, reason, actor }) => [trigger, reason, actor]),
    [
      ['compromise', 'compromised', 'prn_1'],
      ['operator', 'superseded', 'prn_1'],
    ],
  );
});

test('a version is retired by whoever asks for it, and the rotation that ends it is the answer', async () => {
  const asked: string[][] = [];
  const fail = () => Promise.reject(new Error('not asked'));
  const rotator = {
    request: fail,
    retire: async (versionId: string, actor: string) => {
      asked.push([versionId, actor]);
      return { id: 'rot_1', rowVersion: 1 } as RotationRow;
    },
    cancel: fail,
    supersede: fail,
    resume: fail,
  };
  const records = { page: fail, find: () => Promise.resolve(null) };
  const routes = rotationRoutes({ rotator, records, journal: () => Promise.resolve([]) });
  const retire = routes.find(({ path }) => path === '/v1/versions/{id}/retire')!;
  assert.deepEqual([retire.method, retire.permission, retire.matches], ['POST', 'credential:revoke', 'version']);
  const id = `ver_${'b'.repeat(32)}`;
  const answer = await retire.handler(contextOf('responder', 'lend'), { params: { id }, query: {}, body: undefined });
  assert.deepEqual(asked, [[id, 'prn_1']]);
  assert.deepEqual([answer.status, answer.body], [202, { id: 'rot_1', rowVersion: 1 }]);
});
