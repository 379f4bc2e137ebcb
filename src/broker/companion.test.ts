// The second decision: what a handle in a body stands for, and everything that can be wrong with one. The first credential has its key in a
// header and places in the body; the second one's stands at `/access_token`.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  forwarded,
  type Given,
  hash,
  OTHER_TOKEN,
  snapshotWith,
  TOKEN,
  UNKNOWN_TOKEN,
} from '../../test/support/plans.ts';
import { credentialRow, grantRow, NOW, principalRow, tokenRow, versionRow } from '../../test/support/rows.ts';
import type { GrantRow, TokenRow } from '../access/principal.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import type { RowImage } from '../model/change.ts';
import { Secret } from '../model/secret.ts';
import { tokensOfBody } from './body-tokens.ts';
import { planCompanion } from './companion.ts';
import { compileInjection } from './inject.ts';

const SECOND_KEY = 'canary-second-key';
const FIRST_PLACES = [
  { in: 'header', name: 'authorization', scheme: 'Bearer' },
  { in: 'body', pointer: '/secret' },
] as const;
const SECOND_PLACES = [{ in: 'body', pointer: '/access_token' }] as const;

interface Second {
  readonly token?: Partial<TokenRow>;
  readonly credential?: Partial<CredentialRow>;
  readonly version?: Partial<VersionRow> | null;
  readonly grants?: readonly Partial<GrantRow>[];
  readonly isSealed?: boolean;
  readonly first?: Given;
}

function setting(second: Second = {}) {
  const grants = second.grants ?? [{}];
  const more: RowImage[] = [
    { noun: 'principal', row: principalRow({ id: 'prn_2', name: 'other' }) },
    {
      noun: 'credential',
      row: credentialRow({ id: 'crd_2', name: 'second', places: SECOND_PLACES, ...second.credential }),
    },
    ...(second.version === null
      ? []
      : [{ noun: 'version' as const, row: versionRow({ id: 'ver_2', credentialId: 'crd_2', ...second.version }) }]),
    ...grants.map((one, i) => ({
      noun: 'grant' as const,
      row: grantRow({ id: `gnt_s${i}`, credentialId: 'crd_2', ...one }),
    })),
    { noun: 'token', row: tokenRow({ id: 'tok_2', hash: hash(OTHER_TOKEN), credentialId: 'crd_2', ...second.token }) },
  ];
  const injection = compileInjection(SECOND_PLACES, { key: new Secret(SECOND_KEY) });
  const given = { credential: { places: FIRST_PLACES }, injections: { ver_2: injection }, more, ...second.first };
  const snapshot = snapshotWith(given);
  const made = forwarded(snapshot);
  // The first plan was made before the keys went.
  const now = second.isSealed === true ? { ...snapshot, injections: new Map() } : snapshot;
  return (body: unknown, when: { at?: number; monoMs?: number } = {}) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return planCompanion(made, tokensOfBody(text), now, { at: when.at ?? NOW, monoMs: when.monoMs ?? 0 });
  };
}

const HANDLE = { access_token: OTHER_TOKEN };

function said(one: ReturnType<ReturnType<typeof setting>>): string {
  return one.kind === 'refuse' ? `${one.status} ${one.reason}` : one.kind;
}

test('a body without a token, or with the caller’s own in its place, is one use', () => {
  const plan = setting();
  for (const body of [{}, { access_token: 'access-canary' }, { secret: TOKEN }, { secret: 'x', a: [] }])
    assert.equal(plan(body).kind, 'alone', JSON.stringify(body));
});

test('a handle at its credential’s place is a second use, of its own token, version and grant', () => {
  const one = setting()({ secret: TOKEN, ...HANDLE });
  assert(one.kind === 'along');
  const { identity, versionId, grantId, injection, endsAt } = one.companion;
  assert.deepEqual(
    [identity.token.row.id, identity.credential.row.id, identity.action.name, versionId, grantId, endsAt],
    ['tok_2', 'crd_2', 'project.get', 'ver_2', 'gnt_s0', Number.POSITIVE_INFINITY],
  );
  assert.equal(identity.path, '/api/v2/projects/p1');
  assert.deepEqual([...injection.bodies], [['/access_token', JSON.stringify(SECOND_KEY)]]);
  const ending = setting({ token: { expiresAt: NOW + 5 }, grants: [{ expiresAt: NOW + 9 }] })(HANDLE);
  assert(ending.kind === 'along');
  assert.equal(ending.companion.endsAt, NOW + 5);
});

test('everything that can be wrong with a handle, and how it is told', () => {
  const table: readonly [string, Second, unknown, string][] = [
    ['nobody’s', {}, { access_token: UNKNOWN_TOKEN }, '403 unknown-token'],
    ['not one at all', {}, { access_token: 'clv_x' }, '403 unknown-token'],
    ['another principal’s', { token: { principalId: 'prn_2' } }, HANDLE, '403 unknown-token'],
    ['bound to nothing', { token: { credentialId: null } }, HANDLE, '400 token-place'],
    ['bound to what is not there', { token: { credentialId: 'crd_9' } }, HANDLE, '400 token-place'],
    ['revoked', { token: { revokedAt: NOW } }, HANDLE, '403 token-revoked'],
    ['expired', { token: { expiresAt: NOW } }, HANDLE, '403 token-expired'],
    ['from another network', { token: { networks: ['10.0.0.0/8'] } }, HANDLE, '403 token-network'],
    ['bound to the first credential', { token: { credentialId: 'crd_1' } }, HANDLE, '400 token-place'],
    ['no grant', { grants: [] }, HANDLE, '403 no-grant'],
    ['another’s grant', { grants: [{ principalId: 'prn_2' }] }, HANDLE, '403 no-grant'],
    ['a grant for something else', { grants: [{ actions: ['branch.list'] }] }, HANDLE, '403 no-grant'],
    ['a revoked grant', { grants: [{ revokedAt: NOW }] }, HANDLE, '403 no-grant'],
    ['an expired grant', { grants: [{ expiresAt: NOW }] }, HANDLE, '403 grant-expired'],
    ['a grant for other parameters', { grants: [{ parameters: { project_id: ['p2'] } }] }, HANDLE, '403 parameter'],
    ['a grant for these parameters', { grants: [{ parameters: { project_id: ['p1'] } }] }, HANDLE, 'along'],
    ['a grant from elsewhere', { grants: [{ networks: ['10.0.0.0/8'] }] }, HANDLE, '403 network'],
    ['suspended', { credential: { suspendedAt: NOW } }, HANDLE, '403 credential-suspended'],
    ['… and no grant', { credential: { suspendedAt: NOW }, grants: [] }, HANDLE, '403 no-grant'],
    ['retired', { credential: { retiredAt: NOW } }, HANDLE, '403 credential-retired'],
    ['no version', { version: null }, HANDLE, '403 no-current-version'],
    ['a version under revocation', { version: { state: 'revoking' } }, HANDLE, '403 no-current-version'],
    ['a credential that mints', { credential: { purpose: 'manage' } }, HANDLE, '403 no-grant'],
    ['sealed', { isSealed: true }, HANDLE, '503 sealed'],
    ['another provider', { credential: { provider: 'plaid' } }, HANDLE, '400 token-place'],
    ['another origin', { credential: { origin: 'https://other.example' } }, HANDLE, '400 token-place'],
    [
      'a key that would stand in a header too',
      { credential: { places: [...SECOND_PLACES, { in: 'header', name: 'x-key', scheme: null }] } },
      HANDLE,
      '400 token-place',
    ],
    ['at another pointer', {}, { token: OTHER_TOKEN }, '400 token-place'],
    ['deeper', {}, { a: HANDLE }, '400 token-place'],
    ['at the first credential’s pointer', {}, { secret: OTHER_TOKEN }, '400 token-place'],
    ['twice', {}, { ...HANDLE, also: OTHER_TOKEN }, '400 token-place'],
    [
      'twice under one name',
      {},
      `{"access_token":"${OTHER_TOKEN}","access_token":"${OTHER_TOKEN}"}`,
      '400 token-place',
    ],
    ['hidden behind a second member', {}, `{"access_token":"${OTHER_TOKEN}","access_token":"x"}`, '400 token-place'],
    ['in a list', {}, { access_token: [OTHER_TOKEN] }, '400 token-place'],
    ['in a longer text', {}, { access_token: `Bearer ${OTHER_TOKEN}` }, '400 token-place'],
    ['in a key', {}, { [OTHER_TOKEN]: 1 }, '400 token-place'],
    ['two of them', {}, { ...HANDLE, other: UNKNOWN_TOKEN }, '400 two-tokens'],
    ['the caller’s own in its place', {}, { access_token: TOKEN }, '400 token-place'],
    ['the caller’s own elsewhere', {}, { ...HANDLE, note: TOKEN }, '400 token-place'],
  ];
  for (const [about, second, body, expected] of table) assert.equal(said(setting(second)(body)), expected, about);
});

test('a refusal names the second use as far as it is known, and never what the caller has no token of', () => {
  const nameless = [setting()({ access_token: UNKNOWN_TOKEN }), setting({ token: { principalId: 'prn_2' } })(HANDLE)];
  for (const one of nameless) assert(one.kind === 'refuse' && one.identity === null);
  const ended = setting({ token: { revokedAt: NOW } })(HANDLE);
  assert(ended.kind === 'refuse' && ended.identity?.token.row.id === 'tok_2');
  // Refused before the policy was asked: without an action a replay does not ask it either.
  assert.deepEqual([ended.identity.credential, ended.identity.action, ended.identity.path], [null, null, null]);
  const denied = setting({ grants: [{ expiresAt: NOW }] })(HANDLE);
  assert(denied.kind === 'refuse' && denied.identity !== null);
  assert.deepEqual(
    [denied.identity.credential?.row.id, denied.identity.action?.name, denied.identity.grantId],
    ['crd_2', 'project.get', 'gnt_s0'],
  );
});

test('the second grant’s rate is spent by what is decided, and by nothing that is refused before', () => {
  const plan = setting({ grants: [{ rate: { requests: 1, perSeconds: 1, burst: 1 } }] });
  assert.equal(said(plan({ access_token: UNKNOWN_TOKEN })), '403 unknown-token');
  assert.equal(said(plan({ token: OTHER_TOKEN })), '400 token-place');
  assert.equal(said(plan(HANDLE)), 'along');
  const refused = plan(HANDLE, { monoMs: 400 });
  assert(refused.kind === 'refuse' && refused.status === 429 && refused.reason === 'rate-limited');
  assert.equal(refused.retryAfterMs, 600);
  assert.equal(said(plan(HANDLE, { monoMs: 1_000 })), 'along');
});

test('what ended while the body came in is judged as it is then', () => {
  const plan = setting({ token: { expiresAt: NOW + 10 } });
  assert.equal(said(plan(HANDLE, { at: NOW + 9 })), 'along');
  assert.equal(said(plan(HANDLE, { at: NOW + 10 })), '403 token-expired');
});
