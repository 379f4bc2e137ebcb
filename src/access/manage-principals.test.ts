// The rules of principals: the privilege ceiling, the last admin, names, and that a change that changes nothing writes nothing.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { callerOf, type MemoryDesk, memoryDesk } from '../../test/support/desk.ts';
import { allRows, getRow } from '../model/desk.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import { createTurns } from '../model/route.ts';
import { addPrincipal, changePrincipal, disablePrincipal, enablePrincipal } from './manage-principals.ts';
import type { PrincipalRow } from './principal.ts';
import { permissionsOf, ROLE_NAMES, type RoleName } from './role.ts';

const NEW = { name: 'ci', kind: 'service', roles: [], owner: '', note: '' } as const;

function admin(desk: MemoryDesk, name = 'admin', roles: readonly RoleName[] = ['admin']): PrincipalRow {
  const row: PrincipalRow = {
    id: `prn_${name.padStart(32, '0')}`,
    rowVersion: 1,
    space: 'default',
    name,
    kind: 'person',
    roles,
    owner: '',
    note: '',
    disabledAt: null,
    createdAt: 0,
    managedBy: null,
  };
  desk.furnish('principal', row);
  return row;
}

function acting(desk: MemoryDesk, principal: PrincipalRow) {
  return { desk, caller: callerOf(principal.id, permissionsOf(principal.roles)) };
}

function failsAs(code: FailureCode, text: RegExp) {
  return (error: unknown) => Failure.is(error, code) && text.test(error.message);
}

test('adds a principal with one event of the caller', async () => {
  const desk = memoryDesk();
  const context = acting(desk, admin(desk));
  const row = await addPrincipal(context, { ...NEW, roles: ['viewer', 'viewer'] });
  assert.deepEqual(row.roles, ['viewer']);
  assert.equal(desk.events.length, 1);
  const [event] = desk.events;
  assert.equal(event?.type, 'principal.added');
  assert.equal(event?.actor, context.caller.principalId);
  assert.deepEqual(event?.detail, { token: 'tok_none' });
});

test('a taken name is a conflict with its pointer', async () => {
  const desk = memoryDesk();
  const context = acting(desk, admin(desk));
  await addPrincipal(context, NEW);
  await assert.rejects(addPrincipal(context, NEW), (error) => {
    assert.ok(Failure.is(error, 'conflict'));
    assert.deepEqual(error.errors, [{ pointer: '/name', detail: 'the name is taken' }]);
    return true;
  });
});

test('an operator makes no admin, changes none and disables none', async () => {
  const desk = memoryDesk();
  const above = admin(desk);
  admin(desk, 'second');
  const context = acting(desk, admin(desk, 'operator', ['operator']));
  const refused = failsAs('denied', /audit:read/);
  await assert.rejects(addPrincipal(context, { ...NEW, roles: ['admin'] }), refused);
  await assert.rejects(addPrincipal(context, { ...NEW, roles: ['auditor'] }), refused);
  await assert.rejects(changePrincipal(context, above.id, { note: 'mine' }), refused);
  await assert.rejects(changePrincipal(context, above.id, { roles: [] }), refused);
  await assert.rejects(disablePrincipal(context, above.id), refused);
  assert.equal(desk.writes.length, 0);
});

test('the last admin is neither demoted nor disabled', async () => {
  const desk = memoryDesk();
  const only = admin(desk);
  const other = admin(desk, 'other');
  const context = acting(desk, other);
  await disablePrincipal(context, only.id);
  await enablePrincipal(context, only.id);
  await changePrincipal(context, only.id, { roles: ['viewer'] });
  const alone = failsAs('conflict', /last admin/);
  const twin = acting(desk, { ...other, id: `prn_${'9'.repeat(32)}` });
  await assert.rejects(disablePrincipal(twin, other.id), alone);
  await assert.rejects(changePrincipal(twin, other.id, { roles: ['operator'] }), alone);
});

test('nobody takes their own rights away', async () => {
  const desk = memoryDesk();
  const me = admin(desk);
  admin(desk, 'other');
  const context = acting(desk, me);
  await assert.rejects(disablePrincipal(context, me.id), failsAs('conflict', /themselves/));
  await assert.rejects(changePrincipal(context, me.id, { roles: ['operator'] }), failsAs('conflict', /own rights/));
  const widened = await changePrincipal(context, me.id, { roles: ['admin', 'viewer'] });
  assert.deepEqual(widened.roles, ['admin', 'viewer']);
});

test('what changes nothing writes nothing', async () => {
  const desk = memoryDesk();
  const me = admin(desk);
  const context = acting(desk, me);
  assert.equal(await changePrincipal(context, me.id, { name: me.name, note: me.note }), me);
  assert.equal(await enablePrincipal(context, me.id), me);
  assert.equal(desk.writes.length, 0);
});

type Step = {
  readonly by: number;
  readonly on: number;
  readonly act: 'disable' | 'enable' | 'change';
  readonly roles: RoleName[];
};

test('whatever callers do, and however their calls meet: an admin remains, and nobody gives what they lack', async () => {
  const roles = fc.uniqueArray(fc.constantFrom(...ROLE_NAMES), { maxLength: 2 });
  const step: fc.Arbitrary<Step> = fc.record({
    by: fc.nat(3),
    on: fc.nat(3),
    act: fc.constantFrom('disable', 'enable', 'change'),
    roles,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 12 }),
      fc.array(roles, { minLength: 3, maxLength: 3 }),
      async (steps, given) => {
        const desk = memoryDesk();
        const people = [admin(desk), ...given.map((own, i) => admin(desk, `p${i}`, own))];
        const inTurn = createTurns();
        const before = () => new Map(allRows<PrincipalRow>(desk.rows, 'principal').map((row) => [row.id, row]));
        await Promise.all(
          steps.map(({ by, on, act, roles: wanted }) =>
            inTurn(async () => {
              const caller = getRow<PrincipalRow>(desk.rows, 'principal', people[by]!.id);
              if (caller.disabledAt !== null) return;
              const held = permissionsOf(caller.roles);
              const known = before();
              const id = people[on]!.id;
              const context = acting(desk, caller);
              const call =
                act === 'change'
                  ? changePrincipal(context, id, { roles: wanted })
                  : (act === 'disable' ? disablePrincipal : enablePrincipal)(context, id);
              await call.catch((error: unknown) => assert.ok(Failure.is(error), String(error)));
              const after = getRow<PrincipalRow>(desk.rows, 'principal', id);
              if (after === known.get(id)) return;
              for (const permission of [...permissionsOf(known.get(id)!.roles), ...permissionsOf(after.roles)]) {
                assert.ok(held.has(permission), `a caller without ${permission} changed who has it`);
              }
            }),
          ),
        );
        const admins = allRows<PrincipalRow>(desk.rows, 'principal').filter(
          (row) => row.disabledAt === null && row.roles.includes('admin'),
        );
        assert.ok(admins.length > 0, 'no admin remains');
      },
    ),
    { numRuns: 300 },
  );
});
