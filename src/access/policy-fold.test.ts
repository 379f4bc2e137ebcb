// The policy as a fold: whether it is built from all rows at once, as a server does that starts, or moved on event by event, as a running
// one and the replay do, it is the same policy and decides the same.
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
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import {
  applyEvent,
  type ControlEvent,
  emptyRows,
  type Noun,
  nextImage,
  type Row,
  type RowImage,
} from '../model/change.ts';
import { allRows } from '../model/desk.ts';
import type { CatalogueRow } from './catalogue.ts';
import { advancePolicy, decideUse, type Policy, policyOf } from './policy.ts';
import type { GrantRow, PrincipalRow, TokenRow } from './principal.ts';
import { ACTIONS, attempt, catalogueWith, LINES } from './test-support.ts';

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
    mounts: sorted(policy.credentialsByMount).map(([key, one]) => [
      key,
      one.row.id,
      policy.credentials.get(one.row.id) === one,
    ]),
    versions: sorted(policy.versions),
    grants: sorted(policy.grants).map(([id, grant]) => [id, grant.row, grant.networks, grant.parameters, grant.limit]),
    pairs: sorted(policy.pairs).map(([principal, pairs]) => [
      principal,
      sorted(pairs).map(([key, pair]) => [key, pair.grants.map((grant) => grant.row.id)]),
    ]),
    catalogues: sorted(policy.catalogues).map(([name, one]) => [name, one.row, [...one.actions.values()]]),
  };
}

/** What a policy says to everybody about everything. */
function verdicts(policy: Policy): string[] {
  const said: string[] = [];
  for (const token of [...policy.tokens.values()].sort((a, b) => (a.row.id < b.row.id ? -1 : 1))) {
    for (const credential of [...policy.credentials.values()].sort((a, b) => (a.row.id < b.row.id ? -1 : 1))) {
      for (const one of ACTIONS) {
        const decision = decideUse(
          policy,
          { token, credential, action: one },
          attempt({ parameters: { project_id: 'p1' } }),
        );
        said.push(
          `${token.row.id} ${credential.row.id} ${one.name}: ${decision.allowed ? decision.grant.row.id : decision.reason}`,
        );
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
        if (known === undefined) put('catalogue', catalogueWith({ actions: lines }));
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
  const at = (name: string) => policy.credentialsByMount.get(`/${a.provider}/${name}`)?.row.id;
  advancePolicy(policy, [controlEvent([{ noun: 'credential', row: nextImage<CredentialRow>(a, { name: 'c' }) }])], 3);
  assert.deepEqual([at('a'), at('b'), at('c')], [undefined, 'crd_b', 'crd_a']);
  advancePolicy(policy, [controlEvent([{ noun: 'credential', row: nextImage<CredentialRow>(b, { name: 'a' }) }])], 4);
  assert.deepEqual([at('a'), at('b'), at('c')], ['crd_b', undefined, 'crd_a']);
});
