// Roles: who may do what, as a table that a reader can check against the words that describe them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPermitted, PERMISSIONS, permissionsOf, ROLE_NAMES, ROLES } from './role.ts';

test('every permission is a noun and a verb, and the admin has them all', () => {
  for (const permission of PERMISSIONS) assert.match(permission, /^[a-z]+:[a-z]+$/);
  assert.equal(new Set(PERMISSIONS).size, PERMISSIONS.length);
  assert.deepEqual([...permissionsOf(['admin'])].sort(), [...PERMISSIONS].sort());
  for (const name of ROLE_NAMES) {
    assert.equal(new Set(ROLES[name]).size, ROLES[name].length, `${name} names nothing twice`);
    for (const permission of ROLES[name]) assert(PERMISSIONS.includes(permission), `${name}: ${permission}`);
  }
});

test('viewer and auditor change nothing; only the auditor of the two reads who used what', () => {
  for (const name of ['viewer', 'auditor'] as const) {
    for (const permission of ROLES[name]) assert.match(permission, /:read$/, name);
  }
  assert(isPermitted(['auditor'], 'audit:read'));
  assert(!isPermitted(['viewer'], 'audit:read'));
});

test('what gives or ends access, or touches the keys of the house, is in few hands', () => {
  const holders = (permission: (typeof PERMISSIONS)[number]) =>
    ROLE_NAMES.filter((name) => isPermitted([name], permission));
  assert.deepEqual(holders('grant:write'), ['operator', 'admin']);
  assert.deepEqual(holders('token:write'), ['operator', 'admin']);
  assert.deepEqual(holders('principal:write'), ['operator', 'admin']);
  assert.deepEqual(holders('credential:write'), ['operator', 'admin']);
  assert.deepEqual(holders('credential:revoke'), ['responder', 'admin']);
  assert.deepEqual(holders('server:seal'), ['responder', 'admin']);
  assert.deepEqual(holders('kek:rotate'), ['admin']);
  assert.deepEqual(holders('audit:read'), ['auditor', 'responder', 'admin']);
});

test('no role is no permission; several roles give what any of them gives, and no more', () => {
  for (const permission of PERMISSIONS) assert(!isPermitted([], permission), permission);
  assert.equal(permissionsOf([]).size, 0);
  const both = permissionsOf(['viewer', 'responder']);
  for (const permission of PERMISSIONS) {
    assert.equal(both.has(permission), isPermitted(['viewer'], permission) || isPermitted(['responder'], permission));
    assert.equal(both.has(permission), isPermitted(['viewer', 'responder'], permission));
  }
});
