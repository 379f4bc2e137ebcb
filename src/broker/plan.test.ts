// The broker's judgement: who may come, where a request leads and what it may do. Tables for identities, and a generated matrix of every
// operation against random grants. What is sent on: forward.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Asked,
  forwarded,
  GET_PROJECT,
  type Given,
  OTHER_TOKEN,
  planned,
  said,
  snapshotWith,
  TOKEN,
  UNKNOWN_TOKEN,
} from '../../test/support/plans.ts';
import { credentialRow, grantRow, NOW, versionRow } from '../../test/support/rows.ts';
import type { RowImage } from '../model/change.ts';
import { neonActions } from '../providers/neon.actions.ts';
import type { Action } from '../providers/provider.ts';

// Who.

test('identities: everything that can be wrong with a caller, and how it is told', () => {
  const basic = (text: string) => ['Authorization', `Basic ${Buffer.from(text).toString('base64')}`];
  const table: [string, Given, Asked, string][] = [
    ['a valid token', {}, {}, 'forward'],
    ['no token', {}, { token: null }, '401 no-token'],
    ['somebody else’s kind of token', {}, { token: 'napi_canary' }, '401 no-token'],
    ['an unknown token', {}, { token: UNKNOWN_TOKEN }, '401 unknown-token'],
    [
      'a wrong checksum',
      {},
      { token: `${TOKEN.slice(0, -1)}${TOKEN.endsWith('0') ? '1' : '0'}` },
      '401 malformed-token',
    ],
    ['a cut token', {}, { token: TOKEN.slice(0, -2) }, '401 malformed-token'],
    ['a lengthened token', {}, { token: `${TOKEN}0` }, '401 malformed-token'],
    ['a token in other case', {}, { token: `clv_${TOKEN.slice(4).toLowerCase()}` }, '401 malformed-token'],
    ['RFC 8959', {}, { token: `secret-token:${TOKEN}` }, 'forward'],
    ['basic, as the user', {}, { token: null, headers: basic(`${TOKEN}:`) }, 'forward'],
    ['basic, as the password', {}, { token: null, headers: basic(`any:${TOKEN}`) }, 'forward'],
    ['basic, as both', {}, { token: null, headers: basic(`${TOKEN}:${TOKEN}`) }, 'forward'],
    ['the same token where this provider’s key never stands', {}, { headers: ['X-Api-Key', TOKEN] }, '400 token-place'],
    ['two different tokens', {}, { headers: ['X-Api-Key', OTHER_TOKEN] }, '400 two-tokens'],
    ['two Authorization lines', {}, { headers: ['Authorization', `Bearer ${OTHER_TOKEN}`] }, '400 two-tokens'],
    ['a second one in the query', {}, { target: `/neon/prod${GET_PROJECT}?key=${OTHER_TOKEN}` }, '400 two-tokens'],
    ['a second one in the path', {}, { target: `/neon/prod/api/v2/projects/${OTHER_TOKEN}` }, '400 two-tokens'],
    [
      'in a header that is no place of this kind',
      {},
      { token: null, headers: ['X-Api-Key', TOKEN] },
      '400 token-place',
    ],
    [
      'in a query that is no place of this kind',
      {},
      { token: null, target: `/neon/prod${GET_PROJECT}?key=${TOKEN}` },
      '400 token-place',
    ],
    ['in the path', {}, { token: null, target: `/neon/prod/api/v2/projects/${TOKEN}` }, '400 token-place'],
    ['a revoked token', { token: { revokedAt: NOW } }, {}, '401 token-revoked'],
    ['an expired token', { token: { expiresAt: NOW } }, {}, '401 token-expired'],
    ['a token in its last millisecond', { token: { expiresAt: NOW } }, { at: NOW - 1 }, 'forward'],
    ['a token from another network', { token: { networks: ['10.0.0.0/8'] } }, {}, '401 token-network'],
    ['a token from its network', { token: { networks: ['203.0.113.0/24'] } }, {}, 'forward'],
    [
      '… over a mapped address',
      { token: { networks: ['203.0.113.0/24'] } },
      { remote: '::ffff:203.0.113.7' },
      'forward',
    ],
    [
      'an address that is none',
      { token: { networks: ['0.0.0.0/0', '::/0'] } },
      { remote: 'fe80::1%eth0' },
      '401 token-network',
    ],
    ['a disabled principal', { principal: { disabledAt: NOW } }, {}, '401 principal-disabled'],
    ['a principal that is not there', { token: { principalId: 'prn_9' } }, {}, '401 principal-disabled'],
    ['no grant', { grants: [] }, {}, '403 no-grant'],
    ['a grant from another network', { grants: [{ networks: ['10.0.0.0/8'] }] }, {}, '403 network'],
    ['an expired grant', { grants: [{ expiresAt: NOW }] }, {}, '403 grant-expired'],
    [
      'a parameter that the grant does not allow',
      { grants: [{ parameters: { project_id: ['p2'] } }] },
      {},
      '403 parameter',
    ],
    ['a suspended credential', { credential: { suspendedAt: NOW } }, {}, '403 credential-suspended'],
    ['… to whom nothing is granted', { credential: { suspendedAt: NOW }, grants: [] }, {}, '403 no-grant'],
    ['a retired credential', { credential: { retiredAt: NOW } }, {}, '403 credential-retired'],
    ['no version', { version: null }, {}, '403 no-current-version'],
    ['a version under revocation', { version: { state: 'revoking' } }, {}, '403 no-current-version'],
    ['a credential that mints', { credential: { purpose: 'manage' } }, {}, '403 no-grant'],
    ['sealed', { isSealed: true }, {}, '503 sealed'],
  ];
  for (const [about, given, asked, expected] of table)
    assert.equal(said(planned(snapshotWith(given), asked)), expected, about);
});

test('a stranger’s refusal names nobody; a known caller’s says who, and what as far as it was understood', () => {
  for (const asked of [
    { token: null },
    { token: UNKNOWN_TOKEN },
    { headers: ['X-Api-Key', OTHER_TOKEN] },
    { headers: ['Host', 'again'] },
  ]) {
    const one = planned(snapshotWith(), asked);
    assert(one.kind === 'refuse' && one.identity === null);
  }
  const known = planned(snapshotWith({ grants: [{ actions: ['branch.list'] }] }));
  assert(known.kind === 'refuse' && known.identity !== null);
  assert.equal(known.identity.token.row.id, 'tok_1');
  assert.equal(known.identity.credential?.row.id, 'crd_1');
  assert.equal(known.identity.action?.name, 'project.get');
  assert.equal(known.identity.path, GET_PROJECT);
  // A path that was not understood is nowhere on record.
  for (const target of [
    '/neon/prod/api/v2/%2e%2e',
    '/neon/prod/nowhere',
    '/neon/prod/api/v2/projects?_method=PUT',
    '/secret/path',
  ]) {
    const one = planned(snapshotWith(), { target });
    assert(one.kind === 'refuse' && one.identity?.path === null, target);
  }
});

test('an ended token learns nothing about what exists, not even that its path is wrong', () => {
  const snapshot = snapshotWith({ token: { revokedAt: NOW } });
  for (const target of ['/neon/prod/x', '/no/such/thing', '/neon/prod/%2e%2e/x', '//', `/neon/prod${GET_PROJECT}`]) {
    assert.equal(said(planned(snapshot, { target })), '401 token-revoked', target);
  }
});

test('nobody without a live grant can tell a credential, an action or a suspension from what does not exist', () => {
  const states: Given[] = [{ grants: [] }, { grants: [{ revokedAt: NOW }] }, { grants: [{ principalId: 'prn_2' }] }];
  for (const given of states) {
    for (const credential of [{}, { suspendedAt: NOW }, { retiredAt: NOW }]) {
      const snapshot = snapshotWith({ ...given, credential });
      const targets = [
        `/neon/prod${GET_PROJECT}`,
        '/neon/prod/no/such/action',
        // Whatever is wrong with a query would tell that the path before it exists.
        `/neon/prod${GET_PROJECT}?_method=x`,
        '/neon/none/x',
        '/none/prod/x',
        '/neon/prod@none/x',
        '/neon',
        '/',
      ];
      for (const target of targets) assert.equal(said(planned(snapshot, { target })), '403 no-grant', target);
    }
  }
  assert.equal(said(planned(snapshotWith(), { target: '/neon/prod/no/such/action' })), '403 no-action');
});

// Where.

test('an unbound token names the credential by its first two segments, with the environment where it is not the default', () => {
  const staging = credentialRow({ id: 'crd_2', environment: 'staging' });
  const more: RowImage[] = [
    { noun: 'credential', row: staging },
    { noun: 'version', row: versionRow({ id: 'ver_2', credentialId: 'crd_2' }) },
    { noun: 'grant', row: grantRow({ id: 'gnt_s', credentialId: 'crd_2' }) },
  ];
  const snapshot = snapshotWith({ more });
  const to = (mount: string) => {
    const one = planned(snapshot, { target: `${mount}${GET_PROJECT}` });
    if (one.kind === 'refuse') return said(one);
    assert.deepEqual([one.mount, one.target], [mount, GET_PROJECT]);
    return one.identity.credential.row.id;
  };
  const expected = {
    '/neon/prod': 'crd_1',
    '/neon/prod@default': 'crd_1',
    '/neon/prod@staging': 'crd_2',
    '/neon/prod@': '403 no-grant',
    '/neon/prod@other': '403 no-grant',
    '/neon/Prod': '403 no-grant',
    '/Neon/prod': '403 no-grant',
    '/neon/prod@staging@x': '403 no-grant',
    '/neon': '403 no-grant',
    '': '403 no-grant',
    '/neon/prod%40staging': '403 no-grant',
  };
  for (const [mount, id] of Object.entries(expected)) assert.equal(to(mount), id, mount);
});

test('a bound token has the provider’s own paths at the root, and nothing else', () => {
  const more: RowImage[] = [{ noun: 'credential', row: credentialRow({ id: 'crd_2', name: 'other' }) }];
  const snapshot = snapshotWith({ token: { credentialId: 'crd_1' }, more });
  const one = forwarded(snapshot, { target: `${GET_PROJECT}?a=1` });
  assert.deepEqual([one.mount, one.target, one.identity.path], ['', `${GET_PROJECT}?a=1`, GET_PROJECT]);
  for (const target of [`/neon/prod${GET_PROJECT}`, `/neon/other${GET_PROJECT}`, '/']) {
    assert.equal(said(planned(snapshot, { target })), '403 no-action', target);
  }
  const elsewhere = snapshotWith({ token: { credentialId: 'crd_9' } });
  assert.equal(said(planned(elsewhere, { target: GET_PROJECT })), '403 no-grant');
});

// What.

test('the tricks with paths and queries end here', () => {
  const snapshot = snapshotWith({ grants: [{ actions: ['*'] }] });
  const table: Record<string, string> = {
    '/neon/prod/api/v2/projects/%2e%2e/users/me': '400 encoded-dot',
    '/neon/prod/api/v2/projects/../users/me': '400 dot-segment',
    '/neon/prod/api/v2//users/me': '400 empty-segment',
    '//neon/prod/api/v2/users/me': '400 empty-segment',
    // A path that ends with a slash is another path, and this catalogue has none.
    '/neon/prod/api/v2/users/me/': '403 no-action',
    '/neon/prod/': '403 no-action',
    '/neon/prod/api/v2/projects/p1;x=1': '400 path-parameter',
    '/neon/prod/api/v2\\users': '400 encoded-backslash',
    '/neon/prod/api/v2/%75sers/me': '400 encoded-unreserved',
    '/neon/prod/api/v2/users%00': '400 encoded-control',
    '/neon/prod/api/v2/projects/a%2Fb': '403 no-action',
    '/neon/prod/api/v2/projects/%c0%ae': '403 no-action',
    '/neon/prod/API/v2/users/me': '403 no-action',
    '/neon/prod/api/v2/users/me?_method=DELETE': '400 method-override',
    '/neon/prod/api/v2/users/me?%5Fmethod=DELETE': '400 method-override',
    '/neon/prod/api/v2/users/me#x': '400 target-form',
    'http://broker.test/neon/prod/api/v2/users/me': '400 target-form',
    '*': '400 target-form',
    '/neon/prod/api/v2/projects?org_id=a&org_id=b': '400 repeated-parameter',
    '/neon/prod/api/v2/projects?org_id[]=a': '400 repeated-parameter',
    '/neon/prod/api/v2/projects?org_id=a;x': '400 repeated-parameter',
    '/neon/prod/api/v2/projects?org_id=%00': '400 encoded-control',
    '/neon/prod/api/v2/users/me': 'forward',
    '/neon/prod/api/v2/projects?org_id=a&x[]=1&x[]=2': 'forward',
  };
  for (const [target, expected] of Object.entries(table))
    assert.equal(said(planned(snapshot, { target })), expected, target);
  for (const name of [
    'X-HTTP-Method-Override',
    'x-http-method',
    'X-Method-Override',
    'X-Original-Method',
    'X-Original-URL',
    'X-Rewrite-URL',
  ]) {
    assert.equal(said(planned(snapshot, { headers: [name, 'DELETE'] })), '400 method-override', name);
  }
});

test('a constraint on a query parameter is judged on the value that the provider will read', () => {
  const snapshot = snapshotWith({ grants: [{ actions: ['project.list'], parameters: { org_id: ['org-1'] } }] });
  const list = (query: string) => said(planned(snapshot, { target: `/neon/prod/api/v2/projects${query}` }));
  const table: Record<string, string> = {
    '?org_id=org-1': 'forward',
    '?org_id=org%2D1': 'forward',
    '?x=1&org_id=org-1': 'forward',
    '': '403 parameter',
    '?org_id=': '403 parameter',
    '?org_id=org-2': '403 parameter',
    '?ORG_ID=org-1': '400 repeated-parameter',
    '?org_id=org-1&org.id=org-2': '400 repeated-parameter',
    '?org_id=org-1;org-2': '400 repeated-parameter',
    '?org_id=org-1%20': '403 parameter',
    '?orgid=org-1': '403 parameter',
  };
  for (const [query, expected] of Object.entries(table)) assert.equal(list(query), expected, query);
});

test('the rate limit is a 429 that says when to come again', () => {
  const snapshot = snapshotWith({ grants: [{ rate: { requests: 2, perSeconds: 1, burst: 1 } }] });
  assert.equal(said(planned(snapshot, { monoMs: 1_000 })), 'forward');
  const refused = planned(snapshot, { monoMs: 1_100 });
  assert(
    refused.kind === 'refuse' &&
      refused.status === 429 &&
      refused.retryAfterMs === 400 &&
      refused.identity?.grantId === 'gnt_0',
  );
  assert.equal(said(planned(snapshot, { monoMs: 1_500 })), 'forward');
});

/** Every text that covers an action. */
function patternsFor(action: Action): string[] {
  if (action.mints === true) return [action.name];
  const [resource, verb] = action.name.split('.');
  const names = [action.name, `${resource}.*`, `*.${verb}`, '*.*', '*'];
  return [...names, ...names.map((name) => `${name}:${action.effect}`)];
}

test('every operation of the catalogue against random grants: allowed exactly where a grant covers it and fits its parameters', () => {
  const names = neonActions.map((action) => action.name);
  const resources = [...new Set(names.map((name) => name.split('.')[0]!))];
  const verbs = [...new Set(names.map((name) => name.split('.')[1]!))];
  const pattern = fc.oneof(
    fc.constantFrom(...names),
    fc.constantFrom(...resources).map((resource) => `${resource}.*`),
    fc.constantFrom(...verbs).map((verb) => `*.${verb}`),
    fc
      .tuple(
        fc.constantFrom('*', ...resources.map((resource) => `${resource}.*`)),
        fc.constantFrom('read', 'write', 'delete'),
      )
      .map((parts) => parts.join(':')),
    { weight: 1, arbitrary: fc.constant('*') },
  );
  const grant = fc.record({
    actions: fc.array(pattern, { minLength: 1, maxLength: 4 }),
    parameters: fc.dictionary(fc.constantFrom('project_id', 'branch_id', 'org_id'), fc.subarray(['p1', 'p2']), {
      maxKeys: 1,
    }),
    revokedAt: fc.constantFrom(null, null, NOW),
    expiresAt: fc.constantFrom(null, null, NOW),
  });
  let allowed = 0;
  fc.assert(
    fc.property(fc.array(grant, { maxLength: 4 }), fc.constantFrom('p1', 'p3'), (grants, value) => {
      const snapshot = snapshotWith({ grants });
      for (const action of neonActions) {
        const path = action.path.replace(/\{\w+\}/g, value);
        const parameters = Object.fromEntries(
          [...action.path.matchAll(/\{(\w+)\}/g)].map((match) => [match[1]!, value]),
        );
        const mayDo = grants.some(
          (one) =>
            one.revokedAt === null &&
            one.expiresAt === null &&
            one.actions.some((text) => patternsFor(action).includes(text)) &&
            Object.entries(one.parameters).every(([name, values]) => values.includes(parameters[name] ?? '')),
        );
        const seen = planned(snapshot, { method: action.method, target: `/neon/prod${path}` });
        assert.equal(seen.kind === 'forward', mayDo, `${action.name}: ${said(seen)}`);
        if (seen.kind === 'forward') {
          allowed++;
          assert.equal(seen.identity.action.name, action.name);
          assert.equal(seen.target, path);
        } else assert.equal(seen.status, 403);
      }
    }),
    { numRuns: 120 },
  );
  assert(allowed > 1_000, `only ${allowed} were allowed`);
});
