// What `claviger grant test` says is what the broker does: the same rows, the same request, once tried as a case and once planned as a request. Tables
// of awkward requests, and random ones over random grants of several providers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { catalogueLines } from '../../src/access/catalogue.ts';
import type { Expectation } from '../../src/access/expectation.ts';
import { policyOf } from '../../src/access/policy.ts';
import type { GrantRow } from '../../src/access/principal.ts';
import { newTokenText } from '../../src/access/token.ts';
import { tryGrants } from '../../src/access/try-grants.ts';
import { compileInjection } from '../../src/broker/inject.ts';
import { plan } from '../../src/broker/plan.ts';
import type { RowImage, Rows } from '../../src/model/change.ts';
import { Secret } from '../../src/model/secret.ts';
import { cachet } from '../../src/providers/cachet.ts';
import { gitlab } from '../../src/providers/gitlab.ts';
import { neon } from '../../src/providers/neon.ts';
import { openai } from '../../src/providers/openai.ts';
import type { Provider } from '../../src/providers/provider.ts';
import {
  catalogueRow,
  credentialRow,
  grantRow,
  NOW,
  principalRow,
  rowsOf,
  seededRandom,
  tokenRow,
  versionRow,
} from '../support/rows.ts';

const TOKEN = newTokenText(seededRandom(11));
const FROM = '203.0.113.7';

function world(provider: Provider, grants: readonly Partial<GrantRow>[], more: readonly RowImage[] = []): Rows {
  return rowsOf(
    { noun: 'catalogue', row: catalogueRow({ provider: provider.name, actions: catalogueLines(provider) }) },
    { noun: 'principal', row: principalRow() },
    { noun: 'token', row: tokenRow({ hash: TOKEN }) },
    ...(more.some(({ noun }) => noun === 'credential')
      ? more
      : [{ noun: 'credential' as const, row: credentialRow({ provider: provider.name }) }, ...more]),
    { noun: 'version', row: versionRow() },
    ...grants.map((one, i): RowImage => ({ noun: 'grant', row: grantRow({ id: `gnt_${i}`, ...one }) })),
  );
}

/** `forward <action> <grant>` or the reason, as the broker decides. */
function brokered(provider: Provider, rows: Rows, request: string, at: number): string {
  const [method = '', target = ''] = request.split(' ');
  const injection = compileInjection(credentialRow().places, { key: new Secret('canary-of-a-case') });
  const said = plan(
    {
      method,
      target: `/${provider.name}/prod${target}`,
      rawHeaders: ['Host', 'broker.test', 'Authorization', `Bearer ${TOKEN}`],
      httpVersion: '1.1',
      remote: FROM,
    },
    {
      policy: policyOf(rows, 1),
      injections: new Map([['ver_1', injection]]),
      hash: (text) => text,
      anonymous: null,
      trustedProxies: [],
    },
    at,
    0,
  );
  if (said.kind === 'refuse') return said.reason;
  return `forward ${said.identity.action.name} ${said.grantId}`;
}

function tried(provider: Provider, rows: Rows, request: string, at: number): string {
  const given: Expectation = {
    as: 'billing',
    credential: `${provider.name}/prod`,
    request,
    from: FROM,
    at: new Date(at).toISOString(),
    expect: 'allow',
  };
  const { decision, reason, action, grant } = tryGrants(rows, [given], 0)[0]!;
  return decision === 'allow' ? `forward ${action} ${grant?.id}` : reason!;
}

function agree(provider: Provider, rows: Rows, request: string, at = NOW): string {
  const said = brokered(provider, rows, request, at);
  assert.equal(tried(provider, rows, request, at), said, `${provider.name} ${request}`);
  return said;
}

test('awkward requests are refused for the same reason, and what is in order is let through by the same grant', () => {
  const grants = [
    { actions: ['project.get', 'branch.*'], parameters: { project_id: ['p1'] } },
    { actions: ['*:read'], networks: ['203.0.113.0/24'], expiresAt: NOW + 10 },
    { actions: ['api-key.create'], revokedAt: NOW },
  ];
  const rows = world(neon, grants);
  const base = '/api/v2/projects';
  const table: Record<string, string> = {
    [`GET ${base}/p1`]: 'forward project.get gnt_0',
    [`GET ${base}/p2`]: 'forward project.get gnt_1',
    [`PATCH ${base}/p2/branches/b1`]: 'parameter',
    [`DELETE ${base}/p1`]: 'no-grant',
    'POST /api/v2/api_keys': 'no-grant',
    [`GET ${base}/`]: 'no-action',
    'GET /': 'no-action',
    [`GET ${base}//p1`]: 'empty-segment',
    [`GET ${base}/../users/me`]: 'dot-segment',
    [`GET ${base}/%2e%2e`]: 'encoded-dot',
    [`GET ${base}/a%2Fb`]: 'no-action',
    [`GET ${base}/a%5cb`]: 'encoded-backslash',
    [`GET ${base}\\p1`]: 'encoded-backslash',
    [`GET ${base}/%61`]: 'encoded-unreserved',
    [`GET ${base}/%zz`]: 'bad-encoding',
    [`GET ${base}/a%00`]: 'encoded-control',
    [`GET ${base}/p1;x=1`]: 'path-parameter',
    [`GET ${base}/é`]: 'target-form',
    [`GET ${base}/p1?_method=DELETE`]: 'method-override',
    [`HEAD ${base}`]: 'no-action',
  };
  for (const [request, expected] of Object.entries(table)) assert.equal(agree(neon, rows, request), expected, request);
  assert.equal(agree(neon, rows, `GET ${base}`, NOW + 10), 'grant-expired');
});

test('a parameter of the query is read as the broker reads it', () => {
  const rows = world(neon, [{ actions: ['project.list'], parameters: { org_id: ['o1'] } }]);
  const table: Record<string, string> = {
    '?org_id=o1': 'forward project.list gnt_0',
    '?limit=1&org_id=o%31': 'forward project.list gnt_0',
    '?org_id=o2': 'parameter',
    '': 'parameter',
    '?org_id=o1&org_id=o2': 'repeated-parameter',
    '?org_id[]=o1': 'repeated-parameter',
    '?org_id=%zz': 'bad-encoding',
  };
  for (const [query, expected] of Object.entries(table))
    assert.equal(agree(neon, rows, `GET /api/v2/projects${query}`), expected, query);
});

test('states of a credential and of a principal are seen the same way', () => {
  const changes: [Partial<ReturnType<typeof credentialRow>>, string][] = [
    [{ suspendedAt: NOW }, 'credential-suspended'],
    [{ retiredAt: NOW }, 'credential-retired'],
    [{ purpose: 'manage' }, 'no-grant'],
  ];
  for (const [change, expected] of changes) {
    const rows = world(neon, [{}], [{ noun: 'credential', row: credentialRow(change) }]);
    assert.equal(agree(neon, rows, 'GET /api/v2/projects'), expected);
  }
  const rows = world(neon, [{}]);
  rows.get('principal')!.set('prn_1', principalRow({ disabledAt: NOW }));
  assert.equal(agree(neon, rows, 'GET /api/v2/projects'), 'principal-disabled');
  assert.equal(agree(neon, rows, 'GET /api/v2/%2e'), 'principal-disabled', 'whoever may not ask at all learns nothing');
});

test('random requests under random grants: one judgement', () => {
  const providers = [neon, cachet, gitlab, openai];
  const value = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('p1', 'p2') },
    { weight: 1, arbitrary: fc.constantFrom('a%2Fb', '%2e', 'a+b', 'a%20b', '..', '', 'é') },
  );
  const patterns = (provider: Provider) => {
    const names = provider.actions.map(({ name }) => name);
    const resources = names.map((name) => `${name.split('.')[0]}.*`);
    return fc.oneof(fc.constantFrom('*', '*:read', '*:write', '*:delete'), fc.constantFrom(...names, ...resources));
  };
  const grant = (provider: Provider) =>
    fc.record({
      actions: fc.array(patterns(provider), { minLength: 1, maxLength: 3 }),
      parameters: fc.oneof(
        fc.constant({}),
        fc.constantFrom(...provider.actions.flatMap(namesOf)).map((name) => ({ [name]: ['p1', 'a/b', 'a b'] })),
      ),
      networks: fc.constantFrom([], [], ['203.0.113.0/24'], ['10.0.0.0/8']),
      expiresAt: fc.constantFrom(null, null, NOW, NOW + 1),
      revokedAt: fc.constantFrom(null, null, null, NOW),
    });
  const asked = (provider: Provider) =>
    fc
      .record({
        action: fc.constantFrom(...provider.actions),
        values: fc.array(value, { minLength: 6, maxLength: 6 }),
        query: fc.constantFrom('', '?', '?limit=1', '?_method=PUT', '?a=%zz'),
        own: fc.nat(3),
        method: fc.constantFrom(null, null, null, 'GET', 'DELETE', 'HEAD'),
        tail: fc.constantFrom('', '', '', '/', '/x'),
      })
      .map(({ action, values, query, own, method, tail }) => {
        let hole = 0;
        const path = action.path.replaceAll(/\{[^{}]*\}/g, () => values[hole++ % values.length]!);
        const name = action.query?.[own];
        const last = name === undefined ? query : `?${name}=p1${own === 3 ? `&${name}=p2` : ''}`;
        return `${method ?? action.method} ${path}${tail}${last}`;
      });
  const arbitrary = fc.constantFrom(...providers).chain((provider) =>
    fc.record({
      provider: fc.constant(provider),
      grants: fc.array(grant(provider), { maxLength: 3 }),
      request: asked(provider),
    }),
  );
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(arbitrary, ({ provider, grants, request }) => {
      const said = agree(provider, world(provider, grants), request);
      const key = said.split(' ')[0]!;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }),
    { numRuns: 1_500 },
  );
  for (const one of ['forward', 'no-grant', 'no-action', 'parameter', 'network', 'grant-expired'])
    assert((seen.get(one) ?? 0) > 10, `${one} was hardly seen`);
});

function namesOf({ path, query }: Provider['actions'][number]): string[] {
  return [...[...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!), ...(query ?? [])];
}
