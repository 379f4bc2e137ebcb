// The whole decision for one use, against its rules: what can be wrong, in which order it is told, and which grant is used. That it is
// the same however the policy came into memory: policy-fold.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  controlEvent,
  credentialRow,
  grantRow,
  NOW,
  principalRow,
  rowsOf,
  tokenRow,
  versionRow,
} from '../../test/support/rows.ts';
import type { CredentialRow, VersionRow, VersionState } from '../credentials/credential.ts';
import { parseAddress } from '../model/address.ts';
import { nextImage } from '../model/change.ts';
import type { Action } from '../providers/provider.ts';
import type { Attempt, Decision } from './authorize.ts';
import { formatAction } from './catalogue.ts';
import { advancePolicy, decideUse, grantsFor, type Policy, policyOf, tokenProblem } from './policy.ts';
import type { GrantRow, PrincipalRow, TokenRow } from './principal.ts';
import { attempt, catalogueWith, GET, LIST } from './test-support.ts';

/** A policy in which tok_1 of prn_1 may use crd_1 by gnt_1, changed as given. */
function policyWith(given: {
  token?: Partial<TokenRow>;
  principal?: Partial<PrincipalRow>;
  credential?: Partial<CredentialRow>;
  version?: Partial<VersionRow>;
  grants?: readonly Partial<GrantRow>[];
}): Policy {
  const rows = rowsOf(
    { noun: 'catalogue', row: catalogueWith() },
    { noun: 'principal', row: principalRow(given.principal) },
    { noun: 'token', row: tokenRow(given.token) },
    { noun: 'credential', row: credentialRow(given.credential) },
    { noun: 'version', row: versionRow(given.version) },
    ...(given.grants ?? [{}]).map((one, i) => ({ noun: 'grant' as const, row: grantRow({ id: `gnt_${i}`, ...one }) })),
  );
  return policyOf(rows, 6);
}

function decide(policy: Policy, given: Partial<Attempt> = {}, asked: Action = GET): string {
  const [token, credential] = [policy.tokens.get('tok_1')!, policy.credentials.get('crd_1')!];
  return verdict(decideUse(policy, { token, credential, action: asked }, attempt(given)));
}
function verdict(decision: Decision): string {
  return decision.allowed ? `allowed by ${decision.grant.row.id}` : decision.reason;
}

test('the whole decision: each thing that can be wrong has its reason, and the caller is told the first of them', () => {
  const table: [string, Parameters<typeof policyWith>[0], string][] = [
    ['nothing is wrong', {}, 'allowed by gnt_0'],
    ['no grant', { grants: [] }, 'no-grant'],
    ['a grant on another action', { grants: [{ actions: ['branch.update'] }] }, 'no-grant'],
    ['a grant of another principal', { grants: [{ principalId: 'prn_2' }] }, 'no-grant'],
    ['a grant on another credential', { grants: [{ credentialId: 'crd_2' }] }, 'no-grant'],
    ['a revoked grant', { grants: [{ revokedAt: NOW }] }, 'no-grant'],
    ['an expired grant', { grants: [{ expiresAt: NOW }] }, 'grant-expired'],
    ['a revoked token', { token: { revokedAt: NOW } }, 'token-revoked'],
    ['an expired token', { token: { expiresAt: NOW } }, 'token-expired'],
    ['a token that has a millisecond left', { token: { expiresAt: NOW + 1 } }, 'allowed by gnt_0'],
    ['a token from elsewhere', { token: { networks: ['192.0.2.0/24'] } }, 'token-network'],
    ['a token from here', { token: { networks: ['10.0.0.0/24'] } }, 'allowed by gnt_0'],
    ['a disabled principal', { principal: { disabledAt: NOW } }, 'principal-disabled'],
    ['a token without its principal', { token: { principalId: 'prn_9' } }, 'principal-disabled'],
    ['a token bound to this credential', { token: { credentialId: 'crd_1' } }, 'allowed by gnt_0'],
    ['a token bound to another one', { token: { credentialId: 'crd_2' } }, 'wrong-credential'],
    ['a credential that mints', { credential: { purpose: 'manage' } }, 'no-grant'],
    ['a suspended credential', { credential: { suspendedAt: NOW } }, 'credential-suspended'],
    ['a retired credential', { credential: { retiredAt: NOW } }, 'credential-retired'],
    ['a credential without a current version', { version: { state: 'previous' } }, 'no-current-version'],
    [
      'a suspended credential, to whom nothing is granted',
      { credential: { suspendedAt: NOW }, grants: [] },
      'no-grant',
    ],
    [
      'a retired credential, to whom it was granted',
      { credential: { retiredAt: NOW }, grants: [{ revokedAt: 1 }] },
      'no-grant',
    ],
    ['no version, to whom nothing is granted', { version: { state: 'revoked' }, grants: [] }, 'no-grant'],
    ['a token that is expired and revoked', { token: { revokedAt: NOW, expiresAt: NOW } }, 'token-revoked'],
  ];
  for (const [about, given, expected] of table) assert.equal(decide(policyWith(given)), expected, about);
});

test('only the current version is lent, in none of the other states', () => {
  const expected: Record<VersionState, string> = {
    pending: 'no-current-version',
    current: 'allowed by gnt_0',
    previous: 'no-current-version',
    revoking: 'no-current-version',
    revoked: 'no-current-version',
  };
  for (const [state, said] of Object.entries(expected)) {
    assert.equal(decide(policyWith({ version: { state: state as VersionState } })), said, state);
  }
});

test('a refusal for the sake of the credential spends no rate limit', () => {
  const rate = { requests: 1, perSeconds: 1_000, burst: 2 };
  for (const credential of [{ suspendedAt: NOW }, { retiredAt: NOW }]) {
    const policy = policyWith({ grants: [{ rate }], credential });
    const refused = [0, 1, 2, 3].map((monoMs) => decide(policy, { monoMs }));
    assert.equal(new Set(refused).size, 1, 'the reason stays the same, however often is asked');
    const event = controlEvent([{ noun: 'credential', row: { ...credentialRow(), rowVersion: 2 } }]);
    advancePolicy(policy, [event], 7);
    const after = [4, 5, 6].map((monoMs) => decide(policy, { monoMs }));
    assert.deepEqual(after, ['allowed by gnt_0', 'allowed by gnt_0', 'rate-limited']);
  }
});

test('grants are tried in the order of their ids, however they came into memory', () => {
  const rate = { requests: 1, perSeconds: 1_000, burst: 1 };
  const ids = ['gnt_a', 'gnt_b', 'gnt_c', 'gnt_d'];
  fc.assert(
    fc.property(fc.shuffledSubarray(ids, { minLength: 4 }), fc.nat(4), (order, cut) => {
      const events = order.map((id) => controlEvent([{ noun: 'grant', row: grantRow({ id, rate }) }]));
      const policy = policyWith({ grants: [] });
      for (const event of events.slice(0, cut)) advancePolicy(policy, [event], 7);
      advancePolicy(policy, events.slice(cut), 8);
      const seen = ids.map(() => decide(policy));
      assert.deepEqual(
        seen,
        ids.map((id) => `allowed by ${id}`),
      );
    }),
  );
});

test('a change of a grant takes its place and keeps what it has spent; a new action is looked up afresh', () => {
  const policy = policyWith({
    grants: [{ actions: ['project.get'], rate: { requests: 1, perSeconds: 1_000, burst: 1 } }],
  });
  assert.equal(decide(policy, {}, LIST), 'no-grant');
  assert.equal(decide(policy), 'allowed by gnt_0');
  const before = policy.grants.get('gnt_0')!.row;
  const wider = nextImage<GrantRow>(before, { actions: ['project.get', 'branch.list'] });
  advancePolicy(policy, [controlEvent([{ noun: 'grant', row: wider }])], 7);
  assert.equal(grantsFor(policy, 'prn_1', 'crd_1', LIST).length, 1);
  assert.equal(decide(policy, { monoMs: 1 }, LIST), 'rate-limited');
  const revoked = nextImage<GrantRow>(wider, { revokedAt: NOW });
  advancePolicy(policy, [controlEvent([{ noun: 'grant', row: revoked }])], 8);
  assert.equal(decide(policy, { monoMs: 1e9 }), 'no-grant');
});

test('a change of the catalogue changes what a pattern covers', () => {
  const policy = policyWith({ grants: [{ actions: ['*'] }] });
  assert.equal(decide(policy), 'allowed by gnt_0');
  const marked = { ...GET, mints: true };
  const lines = [marked, LIST].map(formatAction);
  advancePolicy(
    policy,
    [controlEvent([{ noun: 'catalogue', row: catalogueWith({ rowVersion: 2, actions: lines }) }])],
    7,
  );
  const live = policy.credentials.get('crd_1')!.catalogue!;
  assert.deepEqual([...live.actions.keys()], ['project.get', 'branch.list']);
  assert.equal(decide(policy, {}, live.actions.get('project.get')!), 'no-grant', 'it mints now: no wildcard covers it');
});

test('a token is judged by itself: every problem has its reason, in a fixed order', () => {
  const problem = (
    token: Partial<TokenRow>,
    principal: Partial<PrincipalRow> = {},
    address: string | null = '10.0.0.1',
  ) => {
    const policy = policyWith({ token, principal });
    return tokenProblem(policy.tokens.get('tok_1')!, NOW, { address: address === null ? null : parseAddress(address) });
  };
  assert.equal(problem({}), null);
  assert.equal(problem({ networks: ['10.0.0.0/8'] }, {}, null), 'token-network', 'an unknown address is nowhere');
  assert.equal(problem({ networks: ['10.0.0.0/8'] }, {}, '::ffff:10.0.0.9'), null);
  const all = { revokedAt: 1, expiresAt: 1, networks: ['192.0.2.0/24'] };
  assert.equal(problem(all, { disabledAt: 1 }), 'token-revoked');
  assert.equal(problem({ ...all, revokedAt: null }, { disabledAt: 1 }), 'token-expired');
  assert.equal(problem({ networks: all.networks }, { disabledAt: 1 }), 'token-network');
  assert.equal(problem({}, { disabledAt: 1 }), 'principal-disabled');
});
