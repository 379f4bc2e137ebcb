// The rules of grants: held against the catalogue, never on an issuer, minting only by those who may mint.
import assert from 'node:assert/strict';
import test from 'node:test';
import { callerOf, memoryDesk } from '../../test/support/desk.ts';
import { type CredentialRow, DEFAULT_ROTATION } from '../credentials/credential.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import { neon } from '../providers/neon.ts';
import { giveGrant, type NewGrant, parametersOf, revokeGrant } from './manage-grants.ts';
import type { PrincipalRow } from './principal.ts';

const PRINCIPAL = `prn_${'a'.repeat(32)}`;
const CREDENTIAL = `crd_${'b'.repeat(32)}`;
const actionsOf = (provider: string) => (provider === 'neon' ? neon.actions : []);

function furnished(change: Partial<CredentialRow> = {}, permissions = ['grant:write']) {
  const desk = memoryDesk();
  const shared = { rowVersion: 1, space: 'default', owner: '', note: '', createdAt: 0, managedBy: null } as const;
  const principal: PrincipalRow = { ...shared, id: PRINCIPAL, name: 's', kind: 'service', roles: [], disabledAt: null };
  const credential: CredentialRow = {
    ...shared,
    id: CREDENTIAL,
    environment: 'default',
    provider: 'neon',
    name: 'prod',
    kind: 'organization-key',
    purpose: 'lend',
    issuerId: null,
    origin: 'https://example.com',
    places: [],
    settings: {},
    policy: DEFAULT_ROTATION,
    suspendedAt: null,
    suspendReason: null,
    retiredAt: null,
    ...change,
  };
  desk.furnish('principal', principal);
  desk.furnish('credential', credential);
  return { desk, caller: callerOf(`prn_${'f'.repeat(32)}`, permissions) };
}

function terms(change: Partial<NewGrant> = {}): NewGrant {
  return {
    principalId: PRINCIPAL,
    credentialId: CREDENTIAL,
    actions: ['project.get'],
    parameters: {},
    networks: [],
    rate: null,
    expiresInSeconds: null,
    note: '',
    ...change,
  };
}

function pointsAt(code: FailureCode, ...pointers: string[]) {
  return (error: unknown) => {
    assert.ok(Failure.is(error, code), String(error));
    assert.deepEqual(
      error.errors.map(({ pointer }) => pointer),
      pointers,
    );
    return true;
  };
}

test('gives a grant with an expiry counted from now', async () => {
  const context = furnished();
  const row = await giveGrant(context, terms({ expiresInSeconds: 60 }), actionsOf);
  assert.equal(row.expiresAt, context.desk.clock.now() + 60_000);
  assert.equal(context.desk.events[0]?.type, 'grant.given');
});

test('a name or pattern that means nothing is an error at its place', async () => {
  const context = furnished();
  const given = terms({ actions: ['project.get', 'projcet.get', 'nothing.*', 'project', '*:read'] });
  await assert.rejects(
    giveGrant(context, given, actionsOf),
    pointsAt('invalid', '/actions/1', '/actions/2', '/actions/3'),
  );
});

test('a parameter that no covered action has is an error', async () => {
  const context = furnished();
  const wrong = terms({ parameters: { project_id: ['p'], branch_id: ['b'] } });
  await assert.rejects(giveGrant(context, wrong, actionsOf), pointsAt('invalid', '/parameters/branch_id'));
  await giveGrant(context, terms({ parameters: { project_id: ['p'] } }), actionsOf);
});

test('networks are networks', async () => {
  const context = furnished();
  await assert.rejects(
    giveGrant(context, terms({ networks: ['10.0.0.1/8'] }), actionsOf),
    pointsAt('invalid', '/networks/0'),
  );
});

test('an issuer and what is decommissioned are not granted', async () => {
  for (const change of [{ purpose: 'manage' as const }, { retiredAt: 1 }]) {
    await assert.rejects(giveGrant(furnished(change), terms(), actionsOf), pointsAt('invalid', '/credential'));
  }
});

test('granting an action that mints keys needs the permission to add them', async () => {
  const minting = neon.actions.find((action) => action.mints === true);
  assert.ok(minting !== undefined);
  const given = terms({ actions: [minting.name] });
  await assert.rejects(giveGrant(furnished(), given, actionsOf), (error) => Failure.is(error, 'denied'));
  await giveGrant(furnished({}, ['grant:write', 'credential:write']), given, actionsOf);
});

test('no pattern smuggles a minting action past that rule', async () => {
  await giveGrant(furnished(), terms({ actions: ['*', '*:write', 'api-key.*'] }), actionsOf);
});

test('a pair has a bounded number of grants', async () => {
  const context = furnished();
  for (let i = 0; i < 100; i++) await giveGrant(context, terms(), actionsOf);
  await assert.rejects(giveGrant(context, terms(), actionsOf), (error) => Failure.is(error, 'conflict'));
});

test('a revoked grant is history', async () => {
  const context = furnished();
  const { id } = await giveGrant(context, terms(), actionsOf);
  assert.notEqual((await revokeGrant(context, id)).revokedAt, null);
  await assert.rejects(revokeGrant(context, id), (error) => Failure.is(error, 'not-found'));
});

test('the parameters of an action are those of its path and the query that its catalogue names', () => {
  const action = neon.actions.find(({ name }) => name === 'branch-consumption.list');
  assert.ok(action !== undefined);
  assert.deepEqual(parametersOf(action), ['org_id', 'project_ids', 'branch_ids']);
});
