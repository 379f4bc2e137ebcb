// The rules of tokens: who may make one, that a rotation extends and widens nothing, and what the log keeps of the text.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { callerOf, memoryDesk } from '../../test/support/desk.ts';
import { type CredentialRow, DEFAULT_ROTATION } from '../credentials/credential.ts';
import { getRow } from '../model/desk.ts';
import { Failure, type FailureCode } from '../model/failure.ts';
import { issueToken, revokeToken, rotateToken } from './manage-tokens.ts';
import type { PrincipalRow, TokenRow } from './principal.ts';
import { permissionsOf, type RoleName } from './role.ts';
import { isWellFormedToken } from './token.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const PLAIN = { note: '', credentialId: null, networks: [], expiresInSeconds: null } as const;
const ADMIN = `prn_${'a'.repeat(32)}`;
const SERVICE = `prn_${'b'.repeat(32)}`;
const CREDENTIAL = `crd_${'c'.repeat(32)}`;

function principal(id: string, roles: readonly RoleName[]): PrincipalRow {
  const name = id.slice(-4);
  const base = { rowVersion: 1, space: 'default', kind: 'service', owner: '', note: '', managedBy: null } as const;
  return { ...base, id, name, roles, disabledAt: null, createdAt: 0 };
}

function credential(purpose: CredentialRow['purpose'], retiredAt: number | null = null): CredentialRow {
  return {
    id: CREDENTIAL,
    rowVersion: 1,
    space: 'default',
    environment: 'default',
    provider: 'neon',
    name: 'prod',
    kind: 'personal-key',
    purpose,
    issuerId: null,
    origin: 'https://example.com',
    places: [],
    settings: {},
    owner: '',
    note: '',
    policy: DEFAULT_ROTATION,
    suspendedAt: null,
    suspendReason: null,
    retiredAt,
    createdAt: 0,
    managedBy: null,
  };
}

function furnished(roles: readonly RoleName[] = ['admin']) {
  const desk = memoryDesk();
  desk.furnish('principal', principal(ADMIN, ['admin']), principal(SERVICE, []));
  return { desk, caller: callerOf(ADMIN, permissionsOf(roles)) };
}

function failsAs(code: FailureCode, text: RegExp) {
  return (error: unknown) => Failure.is(error, code) && text.test(`${error.message} ${JSON.stringify(error.errors)}`);
}

test('a token is a text of the right form, kept as its hash alone', async () => {
  const context = furnished();
  const { token, text } = await issueToken(context, SERVICE, { ...PLAIN, expiresInSeconds: 60 }, hash);
  assert.ok(isWellFormedToken(text));
  assert.equal(token.hash, hash(text));
  assert.equal(token.hint, text.slice(-4));
  assert.equal(token.expiresAt, context.desk.clock.now() + 60_000);
  assert.ok(!JSON.stringify(context.desk.writes).includes(text), 'the text reached the log');
});

test('whoever makes a token of a principal holds its every permission', async () => {
  const context = furnished(['operator']);
  await assert.rejects(issueToken(context, ADMIN, PLAIN, hash), failsAs('denied', /server:seal/));
  const made = await issueToken(context, SERVICE, PLAIN, hash);
  await rotateToken(context, made.token.id, 0, hash);

  const above = await issueToken({ ...context, caller: callerOf(ADMIN, permissionsOf(['admin'])) }, ADMIN, PLAIN, hash);
  await assert.rejects(rotateToken(context, above.token.id, 0, hash), failsAs('denied', /server:seal/));
  await assert.rejects(revokeToken(context, above.token.id), failsAs('denied', /server:seal/));
});

test('a token is bound to a credential that is lent, and to networks that are networks', async () => {
  const context = furnished();
  const bound = { ...PLAIN, credentialId: CREDENTIAL };
  await assert.rejects(issueToken(context, SERVICE, bound, hash), failsAs('invalid', /no such credential/));
  context.desk.furnish('credential', credential('manage'));
  await assert.rejects(issueToken(context, SERVICE, bound, hash), failsAs('invalid', /not lent/));
  context.desk.furnish('credential', credential('lend', 1));
  await assert.rejects(issueToken(context, SERVICE, bound, hash), failsAs('invalid', /decommissioned/));
  context.desk.furnish('credential', credential('lend'));
  assert.equal((await issueToken(context, SERVICE, bound, hash)).token.credentialId, CREDENTIAL);
  const open = { ...PLAIN, networks: ['10.0.0.1/8'] };
  await assert.rejects(issueToken(context, SERVICE, open, hash), failsAs('invalid', /networks\/0/));
});

test('a disabled principal gets no token', async () => {
  const context = furnished();
  context.desk.furnish('principal', { ...principal(SERVICE, []), disabledAt: 1 } as PrincipalRow);
  await assert.rejects(issueToken(context, SERVICE, PLAIN, hash), failsAs('conflict', /disabled/));
});

test('a principal has a bounded number of tokens', async () => {
  const context = furnished();
  for (let i = 0; i < 100; i++) await issueToken(context, SERVICE, PLAIN, hash);
  await assert.rejects(issueToken(context, SERVICE, PLAIN, hash), failsAs('conflict', /100 tokens/));
});

test('a rotation extends no expiry and widens nothing', async () => {
  const context = furnished();
  const { desk } = context;
  const narrow = { note: 'n', credentialId: null, networks: ['10.0.0.0/8'], expiresInSeconds: 600 };
  const { token } = await issueToken(context, SERVICE, narrow, hash);
  desk.advance(60_000);
  const made = await rotateToken(context, token.id, 3_600, hash);
  assert.equal(made.token.expiresAt, token.expiresAt, 'the new token outlives the old one');
  assert.deepEqual(made.token.networks, token.networks);
  assert.equal(made.token.principalId, SERVICE);
  assert.equal(made.replaces.expiresAt, token.expiresAt, 'an overlap must not extend the old one either');
  assert.equal(made.replaces.replacedBy, made.token.id);
  await assert.rejects(rotateToken(context, token.id, 60, hash), failsAs('conflict', /replaced/));
});

test('without an expiry the old token ends after the overlap', async () => {
  const context = furnished();
  const { token } = await issueToken(context, SERVICE, PLAIN, hash);
  const made = await rotateToken(context, token.id, 120, hash);
  assert.equal(made.token.expiresAt, null);
  assert.equal(made.replaces.expiresAt, context.desk.clock.now() + 120_000);
});

test('an expired token is not rotated into a good one', async () => {
  const context = furnished();
  const { token } = await issueToken(context, SERVICE, { ...PLAIN, expiresInSeconds: 60 }, hash);
  context.desk.advance(60_000);
  await assert.rejects(rotateToken(context, token.id, 60, hash), failsAs('conflict', /expired/));
});

test('the token that makes the call is not revoked, and rotated with time to hear of it', async () => {
  const context = furnished();
  const { token } = await issueToken(context, ADMIN, PLAIN, hash);
  const own = { ...context, caller: callerOf(ADMIN, permissionsOf(['admin']), token.id) };
  await assert.rejects(revokeToken(own, token.id), failsAs('conflict', /makes the call/));
  await assert.rejects(rotateToken(own, token.id, 59, hash), failsAs('invalid', /at least 60/));
  await rotateToken(own, token.id, 60, hash);
});

test('a revoked token is history', async () => {
  const context = furnished();
  const { token } = await issueToken(context, SERVICE, PLAIN, hash);
  const row = await revokeToken(context, token.id);
  assert.equal(row.revokedAt, context.desk.clock.now());
  assert.throws(() => getRow<TokenRow>(context.desk.rows, 'token', token.id), failsAs('not-found', /no such token/));
});
