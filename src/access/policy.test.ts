// The policy as a fold: whether it is built from all rows at once, as a server does that starts, or moved on event by event, as a running
// one and the replay do, it is the same policy and decides the same. And the whole decision, against its rules.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  controlEvent,
  credentialRow,
  grantRow,
  NOW,
  principalRow,
  tokenRow,
  versionRow,
} from '../../test/support/rows.ts';
import { type CredentialRow, credentialKey, type VersionRow, type VersionState } from '../credentials/credential.ts';
import { parseAddress } from '../model/address.ts';
import {
  applyEvent,
  type ControlEvent,
  emptyRows,
  type Noun,
  nextImage,
  type Row,
  type RowImage,
  type Rows,
} from '../model/change.ts';
import { allRows } from '../model/desk.ts';
import { neonActions } from '../providers/neon.actions.ts';
import type { Action } from '../providers/provider.ts';
import type { Attempt, Decision } from './authorize.ts';
import { type CatalogueRow, formatAction } from './catalogue.ts';
import { advancePolicy, decideUse, grantsFor, type Policy, policyOf, tokenProblem } from './policy.ts';
import type { GrantRow, PrincipalRow, TokenRow } from './principal.ts';

function action(name: string): Action {
  return neonActions.find((one) => one.name === name)!;
}
const [GET, LIST, UPDATE, MINT] = ['project.get', 'branch.list', 'branch.update', 'branch.create'].map(action) as [
  Action,
  Action,
  Action,
  Action,
];
const LINES = [GET, LIST, UPDATE, MINT].map(formatAction);

function catalogueRow(given: Partial<CatalogueRow> = {}): CatalogueRow {
  return { id: 'cat_neon', rowVersion: 1, provider: 'neon', actions: LINES, ...given };
}

function rowsOf(...images: readonly RowImage[]): Rows {
  const rows = emptyRows();
  assert.equal(applyEvent(rows, controlEvent(images)), null);
  return rows;
}

/** A policy in which tok_1 of prn_1 may use crd_1 by gnt_1, changed as given. */
function policyWith(given: {
  token?: Partial<TokenRow>;
  principal?: Partial<PrincipalRow>;
  credential?: Partial<CredentialRow>;
  version?: Partial<VersionRow>;
  grants?: readonly Partial<GrantRow>[];
}): Policy {
  const rows = rowsOf(
    { noun: 'catalogue', row: catalogueRow() },
    { noun: 'principal', row: principalRow(given.principal) },
    { noun: 'token', row: tokenRow(given.token) },
    { noun: 'credential', row: credentialRow(given.credential) },
    { noun: 'version', row: versionRow(given.version) },
    ...(given.grants ?? [{}]).map((one, i) => ({ noun: 'grant' as const, row: grantRow({ id: `gnt_${i}`, ...one }) })),
  );
  return policyOf(rows, 6);
}

function attempt(given: Partial<Attempt> = {}): Attempt {
  return { parameters: {}, address: parseAddress('10.0.0.1'), at: NOW, monoMs: 0, ...given };
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
    [controlEvent([{ noun: 'catalogue', row: catalogueRow({ rowVersion: 2, actions: lines }) }])],
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

// The fold.

/** A policy as plain values that can be compared; what was spent and what was matched lately is not part of it. */
function plain(policy: Policy): unknown {
  const sorted = <T>(entries: Iterable<readonly [string, T]>) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    asOf: policy.asOf,
    principals: sorted(policy.principals),
    tokens: sorted(policy.tokens).map(([id, token]) => [id, token.row, token.networks, token.principal]),
    hashes: sorted(policy.tokensByHash).map(([hash, token]) => [
      hash,
      token.row.id,
      policy.tokens.get(token.row.id) === token,
    ]),
    credentials: sorted(policy.credentials).map(([id, one]) => [id, one.row, one.current, one.catalogue?.row ?? null]),
    keys: sorted(policy.credentialsByKey).map(([key, one]) => [
      key,
      one.row.id,
      policy.credentials.get(one.row.id) === one,
    ]),
    versions: sorted(policy.versions),
    grants: sorted(policy.grants).map(([id, grant]) => [id, grant.row, grant.networks, grant.parameters, grant.limit]),
    pairs: sorted(policy.pairs).map(([key, pair]) => [key, pair.grants.map((grant) => grant.row.id)]),
    catalogues: sorted(policy.catalogues).map(([name, one]) => [name, one.row, [...one.actions.values()]]),
  };
}

/** What a policy says to everybody about everything. */
function verdicts(policy: Policy): string[] {
  const said: string[] = [];
  for (const token of [...policy.tokens.values()].sort((a, b) => (a.row.id < b.row.id ? -1 : 1))) {
    for (const credential of [...policy.credentials.values()].sort((a, b) => (a.row.id < b.row.id ? -1 : 1))) {
      for (const one of [GET, LIST, UPDATE, MINT]) {
        const decision = decideUse(
          policy,
          { token, credential, action: one },
          attempt({ parameters: { project_id: 'p1' } }),
        );
        said.push(`${token.row.id} ${credential.row.id} ${one.name}: ${verdict(decision)}`);
      }
    }
  }
  return said;
}

const step = fc.record({
  kind: fc.constantFrom(
    'principal',
    'disable',
    'token',
    'token-end',
    'token-next',
    'credential',
    'rename',
    'suspend',
    'retire',
    'issue',
    'promote',
    'demote',
    'revoke',
    'grant',
    'grant-change',
    'grant-end',
    'catalogue',
    'whole',
  ),
  pick: fc.nat(1_000),
  other: fc.nat(1_000),
  flip: fc.boolean(),
});

/** Events that could really be written, one for each step that fits what is there. */
function eventsFrom(steps: readonly { kind: string; pick: number; other: number; flip: boolean }[]): ControlEvent[] {
  const rows = emptyRows();
  const events: ControlEvent[] = [];
  let count = 0;
  const id = (prefix: string, salt: number) => `${prefix}_${(salt * 7_919 + 13) % 1_000}_${++count}`;
  const all = <R extends Row>(noun: Noun) => allRows<R>(rows, noun);
  const one = <R extends Row>(noun: Noun, pick: number): R | undefined =>
    all<R>(noun)[pick % Math.max(1, all(noun).length)];
  for (const { kind, pick, other, flip } of steps) {
    const images: RowImage[] = [];
    const put = <R extends Row>(noun: Noun, row: R | undefined) => row !== undefined && images.push({ noun, row });
    const change = <R extends Row>(noun: Noun, row: R | undefined, what: Partial<Omit<R, 'id' | 'rowVersion'>>) =>
      put(noun, row === undefined ? undefined : nextImage<R>(row, what));
    const version = one<VersionRow>('version', pick);
    const current = all<VersionRow>('version').find(
      (v) => v.credentialId === version?.credentialId && v.state === 'current',
    );
    const [principal, credential] = [one<PrincipalRow>('principal', other), one<CredentialRow>('credential', pick)];
    switch (kind) {
      case 'principal':
        put('principal', principalRow({ id: id('prn', pick) }));
        break;
      case 'disable':
        change<PrincipalRow>('principal', principal, { disabledAt: flip ? NOW : null });
        break;
      case 'token': {
        const made = id('tok', pick);
        const bound = flip ? (credential?.id ?? null) : null;
        put(
          'token',
          tokenRow({ id: made, hash: `hash-${made}`, principalId: principal?.id ?? 'prn_none', credentialId: bound }),
        );
        break;
      }
      case 'token-end':
        change<TokenRow>('token', one<TokenRow>('token', pick), flip ? { revokedAt: NOW } : { expiresAt: NOW });
        break;
      case 'token-next': {
        const [old, made] = [one<TokenRow>('token', pick), id('tok', other)];
        if (old === undefined) break;
        put('token', { ...old, id: made, rowVersion: 1, hash: `hash-${made}`, expiresAt: null });
        change<TokenRow>('token', old, { replacedBy: made, expiresAt: NOW + other });
        break;
      }
      case 'credential': {
        const made = id('crd', pick);
        put('credential', credentialRow({ id: made, name: made, purpose: other % 5 === 0 ? 'manage' : 'lend' }));
        break;
      }
      case 'rename': {
        // Sometimes to a name that another credential has just given up.
        const names = ['red', 'blue', 'green'].filter(
          (name) => !all<CredentialRow>('credential').some((c) => c.name === name),
        );
        change<CredentialRow>('credential', credential, {
          name: names[other % Math.max(1, names.length)] ?? credential?.name ?? '',
        });
        break;
      }
      case 'suspend':
        change<CredentialRow>('credential', credential, { suspendedAt: flip ? NOW : null });
        break;
      case 'retire':
        change<CredentialRow>('credential', credential, { retiredAt: NOW });
        break;
      case 'issue':
        if (credential !== undefined)
          put('version', versionRow({ id: id('ver', pick), credentialId: credential.id, state: 'pending' }));
        break;
      case 'promote':
        if (version === undefined || version.state === 'current' || version.state === 'revoked') break;
        change<VersionRow>('version', version, { state: 'current' });
        if (current !== undefined) change<VersionRow>('version', current, { state: 'previous' });
        break;
      case 'demote':
        change<VersionRow>('version', current, { state: 'previous' });
        break;
      case 'revoke':
        change<VersionRow>('version', version, { state: flip ? 'revoking' : 'revoked' });
        break;
      case 'grant':
        put(
          'grant',
          grantRow({
            id: id('gnt', pick),
            principalId: principal?.id ?? 'prn_none',
            credentialId: credential?.id ?? 'crd_none',
            actions: [['*'], ['project.*'], ['*:read'], ['branch.create'], ['branch.update', '*.list']][pick % 5]!,
            parameters: flip ? { project_id: other % 2 === 0 ? ['p1'] : ['p2'] } : {},
          }),
        );
        break;
      case 'grant-change':
        change<GrantRow>('grant', one<GrantRow>('grant', pick), {
          actions: flip ? ['*'] : ['project.get'],
          networks: other % 3 === 0 ? ['10.0.0.0/8'] : [],
        });
        break;
      case 'grant-end':
        change<GrantRow>('grant', one<GrantRow>('grant', pick), flip ? { revokedAt: NOW } : { expiresAt: NOW });
        break;
      case 'catalogue': {
        const lines = LINES.slice(0, 1 + (pick % LINES.length)).map((line, i) =>
          flip && i === 0 ? `${line} mints` : line,
        );
        const known = one<CatalogueRow>('catalogue', 0);
        if (known === undefined) put('catalogue', catalogueRow({ actions: lines }));
        else change<CatalogueRow>('catalogue', known, { actions: lines });
        break;
      }
      case 'whole': {
        // Everything that belongs together in one event, as `apply` and an import write it.
        const [prn, crd] = [id('prn', pick), id('crd', pick)];
        put('version', versionRow({ id: id('ver', pick), credentialId: crd }));
        put('grant', grantRow({ id: id('gnt', pick), principalId: prn, credentialId: crd }));
        const tok = id('tok', pick);
        put('token', tokenRow({ id: tok, hash: `hash-${tok}`, principalId: prn, credentialId: flip ? crd : null }));
        put('principal', principalRow({ id: prn }));
        put('credential', credentialRow({ id: crd, name: crd }));
        break;
      }
      default:
        throw new Error(kind);
    }
    if (flip) images.reverse();
    if (images.length === 0) continue;
    const event = controlEvent(images);
    assert.equal(applyEvent(rows, event), null, `the generator made an event that cannot be written: ${kind}`);
    events.push(event);
  }
  return events;
}

test('a policy of all rows equals a policy of some rows that was moved on by the events after them', () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 5, maxLength: 60 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (steps, part) => {
        const events = eventsFrom(steps);
        const cut = Math.floor(part * events.length);
        const rows = emptyRows();
        for (const event of events.slice(0, cut)) applyEvent(rows, event);
        const moved = policyOf(rows, cut);
        for (const [i, event] of events.slice(cut).entries()) {
          applyEvent(rows, event);
          advancePolicy(moved, [event], cut + i + 1);
          assert.equal(moved.asOf, cut + i + 1);
        }
        const whole = policyOf(rows, events.length);
        assert.deepEqual(plain(moved), plain(whole));
        assert.deepEqual(verdicts(moved), verdicts(whole));
      },
    ),
    { numRuns: 600 },
  );
});

test('the order in which rows are loaded does not matter', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const [rows, backwards] = [emptyRows(), emptyRows()];
      for (const event of eventsFrom(steps)) applyEvent(rows, event);
      for (const [noun, table] of rows) for (const [id, row] of [...table].reverse()) backwards.get(noun)!.set(id, row);
      assert.deepEqual(plain(policyOf(backwards, 1)), plain(policyOf(rows, 1)));
      assert.deepEqual(verdicts(policyOf(backwards, 1)), verdicts(policyOf(rows, 1)));
    }),
    { numRuns: 200 },
  );
});

test('a name that was given up leads to the credential that took it, and nowhere before that', () => {
  const [a, b] = [credentialRow({ id: 'crd_a', name: 'a' }), credentialRow({ id: 'crd_b', name: 'b' })];
  const policy = policyOf(rowsOf({ noun: 'credential', row: a }, { noun: 'credential', row: b }), 2);
  const at = (name: string) => policy.credentialsByKey.get(credentialKey({ ...a, name }))?.row.id;
  advancePolicy(policy, [controlEvent([{ noun: 'credential', row: nextImage<CredentialRow>(a, { name: 'c' }) }])], 3);
  assert.deepEqual([at('a'), at('b'), at('c')], [undefined, 'crd_b', 'crd_a']);
  advancePolicy(policy, [controlEvent([{ noun: 'credential', row: nextImage<CredentialRow>(b, { name: 'a' }) }])], 4);
  assert.deepEqual([at('a'), at('b'), at('c')], ['crd_b', undefined, 'crd_a']);
});
