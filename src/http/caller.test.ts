// Who calls: tokens of every state.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { policyOf } from '../access/policy.ts';
import type { PrincipalRow, TokenRow } from '../access/principal.ts';
import { newTokenText } from '../access/token.ts';
import { emptyRows } from '../model/change.ts';
import { identify } from './caller.ts';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

function world(token: Partial<TokenRow> = {}, principal: Partial<PrincipalRow> = {}) {
  let seed = 1;
  const text = newTokenText({ bytes: (length) => Uint8Array.from({ length }, () => seed++) });
  const rows = emptyRows();
  const person: PrincipalRow = {
    id: 'prn_1',
    rowVersion: 1,
    space: 'default',
    name: 'p',
    kind: 'person',
    roles: ['viewer'],
    owner: '',
    note: '',
    disabledAt: null,
    createdAt: 0,
    managedBy: null,
    ...principal,
  };
  const row: TokenRow = {
    id: 'tok_1',
    rowVersion: 1,
    principalId: 'prn_1',
    hash: hash(text),
    hint: '',
    note: '',
    credentialId: null,
    networks: [],
    createdAt: 0,
    expiresAt: null,
    revokedAt: null,
    replacedBy: null,
    ...token,
  };
  rows.get('principal')!.set(person.id, person);
  rows.get('token')!.set(row.id, row);
  const facts = { policy: policyOf(rows, 0), hash, at: 1_000, source: '192.0.2.1' };
  return { text, facts };
}

function reasonOf(authorization: string | undefined, facts: ReturnType<typeof world>['facts']): string {
  const identified = identify(authorization, facts);
  return identified.is === 'stranger' ? identified.reason : 'caller';
}

test('a valid token is its principal with its permissions', () => {
  const { text, facts } = world();
  for (const form of [`Bearer ${text}`, `bearer ${text}`, `Bearer  ${text} `, `Bearer secret-token:${text}`]) {
    const identified = identify(form, facts);
    assert.ok(identified.is === 'caller', form);
    assert.deepEqual([identified.caller.principalId, identified.caller.tokenId], ['prn_1', 'tok_1']);
    assert.ok(identified.caller.permissions.has('credential:read'));
    assert.ok(!identified.caller.permissions.has('credential:write'));
  }
});

test('whatever is not one well-formed bearer token is a stranger', () => {
  const { text, facts } = world();
  const forms = ['', text, `Basic ${text}`, `Bearer ${text}x`, `Bearer ${text} ${text}`, `Bearer ${text.slice(0, -1)}`];
  for (const form of forms) assert.equal(reasonOf(form, facts), 'malformed-token', form);
  assert.equal(reasonOf(undefined, facts), 'no-token');
  const other = newTokenText({ bytes: (length) => new Uint8Array(length).fill(9) });
  assert.equal(reasonOf(`Bearer ${other}`, facts), 'unknown-token');
});

test('a token that may not be used is a stranger’s, and why is said', () => {
  const table: [Partial<TokenRow>, Partial<PrincipalRow>, string][] = [
    [{ revokedAt: 1 }, {}, 'token-revoked'],
    [{ expiresAt: 1_000 }, {}, 'token-expired'],
    [{ networks: ['10.0.0.0/8'] }, {}, 'token-network'],
    [{}, { disabledAt: 1 }, 'principal-disabled'],
    [{ principalId: 'prn_none' }, {}, 'principal-disabled'],
  ];
  for (const [token, principal, reason] of table) {
    const { text, facts } = world(token, principal);
    assert.equal(reasonOf(`Bearer ${text}`, facts), reason);
  }
  const { text, facts } = world({ networks: ['192.0.2.0/24'] });
  assert.equal(reasonOf(`Bearer ${text}`, facts), 'caller');
  assert.equal(reasonOf(`Bearer ${text}`, { ...facts, source: 'nonsense' }), 'token-network');
});

test('a token that is bound to a credential opens nothing here', () => {
  const { text, facts } = world({ credentialId: 'crd_1' }, { roles: ['admin'] });
  const identified = identify(`Bearer ${text}`, facts);
  assert.ok(identified.is === 'caller');
  assert.equal(identified.caller.permissions.size, 0);
});
