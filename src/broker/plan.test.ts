// The broker's whole judgement: who may come, where a request leads, what it may do, and what exactly is sent on. Tables for identities,
// a generated matrix of every operation against random grants, and properties of what leaves the house.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  controlEvent,
  credentialRow,
  grantRow,
  NOW,
  principalRow,
  seededRandom,
  tokenRow,
  versionRow,
} from '../../test/support/rows.ts';
import { catalogueLines } from '../access/catalogue.ts';
import { type Policy, policyOf } from '../access/policy.ts';
import type { GrantRow, PrincipalRow, TokenRow } from '../access/principal.ts';
import { newTokenText } from '../access/token.ts';
import type { CredentialRow, VersionRow } from '../credentials/credential.ts';
import { parseNetworks } from '../model/address.ts';
import { applyEvent, emptyRows, type RowImage } from '../model/change.ts';
import { Secret } from '../model/secret.ts';
import { neonActions } from '../providers/neon.actions.ts';
import { neon } from '../providers/neon.ts';
import type { Action, Place } from '../providers/provider.ts';
import type { Head } from './head.ts';
import { compileInjection } from './inject.ts';
import { type Forward, type Plan, plan, type Snapshot } from './plan.ts';

const KEY = 'canary-provider-key';
const TOKEN = newTokenText(seededRandom(1));
const OTHER_TOKEN = newTokenText(seededRandom(2));
const UNKNOWN_TOKEN = newTokenText(seededRandom(3));
const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const GET_PROJECT = '/api/v2/projects/p1';

interface Given {
  readonly token?: Partial<TokenRow>;
  readonly principal?: Partial<PrincipalRow>;
  readonly credential?: Partial<CredentialRow>;
  readonly version?: Partial<VersionRow> | null;
  readonly grants?: readonly Partial<GrantRow>[];
  readonly more?: readonly RowImage[];
  readonly isSealed?: boolean;
  readonly trustedProxies?: readonly string[];
}

function snapshotWith(given: Given = {}): Snapshot {
  const credential = credentialRow(given.credential);
  const images: RowImage[] = [
    {
      noun: 'catalogue',
      row: { id: 'cat_1', rowVersion: 1, provider: 'neon', actions: catalogueLines(neon) } as never,
    },
    { noun: 'principal', row: principalRow(given.principal) },
    { noun: 'token', row: tokenRow({ hash: hash(TOKEN), ...given.token }) },
    { noun: 'credential', row: credential },
    ...(given.version === null ? [] : [{ noun: 'version' as const, row: versionRow(given.version) }]),
    ...(given.grants ?? [{}]).map((one, i) => ({ noun: 'grant' as const, row: grantRow({ id: `gnt_${i}`, ...one }) })),
    ...(given.more ?? []),
  ];
  const rows = emptyRows();
  assert.equal(applyEvent(rows, controlEvent(images)), null);
  const policy: Policy = policyOf(rows, 9);
  const injection = compileInjection(credential.places, new Secret(KEY));
  return {
    policy,
    injections: new Map(given.isSealed === true ? [] : [...policy.versions.keys()].map((id) => [id, injection])),
    hash,
    anonymous: null,
    trustedProxies: parseNetworks(given.trustedProxies ?? []),
  };
}

interface Asked {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly string[];
  readonly remote?: string;
  readonly token?: string | null;
  readonly at?: number;
  readonly monoMs?: number;
}

function headOf(asked: Asked = {}): Head {
  const token = asked.token === undefined ? TOKEN : asked.token;
  const authorization = token === null ? [] : ['Authorization', `Bearer ${token}`];
  return {
    method: asked.method ?? 'GET',
    target: asked.target ?? `/neon/prod${GET_PROJECT}`,
    rawHeaders: ['Host', 'broker.test', ...authorization, ...(asked.headers ?? [])],
    httpVersion: '1.1',
    remote: asked.remote ?? '203.0.113.7',
  };
}
function planned(snapshot: Snapshot, asked: Asked = {}): Plan {
  return plan(headOf(asked), snapshot, asked.at ?? NOW, asked.monoMs ?? 0);
}
function said(one: Plan): string {
  return one.kind === 'forward' ? 'forward' : `${one.status} ${one.reason}`;
}
function forwarded(snapshot: Snapshot, asked: Asked = {}): Forward {
  const one = planned(snapshot, asked);
  assert(one.kind === 'forward', said(one));
  return one;
}
/** Values of a header that is sent on. */
function sent(one: Forward, name: string): string[] {
  return one.headers.filter((_, i) => i % 2 === 1 && one.headers[i - 1]!.toLowerCase() === name);
}

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

// What is sent on.

test('what belongs to this connection, and every claim about who came before, ends here; the rest travels in order', () => {
  const dropped = [
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Proxy-Authorization',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'Accept-Encoding',
    'Range',
    'If-Range',
    'Cookie',
    'Forwarded',
    'X-Forwarded-For',
    'X-Forwarded-Host',
    'X-Forwarded-Proto',
    'X-Forwarded-Port',
    'X-Real-IP',
    'Via',
  ];
  const headers = dropped.flatMap((name) => [name, 'x']).concat('X-One', '1', 'Content-Type', 'a/b', 'x-one', '2');
  const one = forwarded(snapshotWith(), { headers });
  assert.deepEqual(one.headers, [
    'x-one',
    '1',
    'content-type',
    'a/b',
    'x-one',
    '2',
    'accept-encoding',
    'identity',
    'authorization',
    `Bearer ${KEY}`,
  ]);
});

test('a header that any Connection line names ends here, but not the length of the body', () => {
  const headers = [
    'Connection',
    'X-A, Content-Length',
    'X-A',
    '1',
    'X-B',
    '2',
    'connection',
    'close ,x-b',
    'Content-Length',
    '3',
    'X-C',
    '4',
  ];
  const one = forwarded(snapshotWith(), { headers });
  assert.deepEqual(one.headers.slice(0, 4), ['content-length', '3', 'x-c', '4']);
  assert.deepEqual(sent(one, 'x-a').concat(sent(one, 'x-b')), []);
  const named = forwarded(snapshotWith(), { headers: ['Connection', 'authorization, accept-encoding'] });
  assert.deepEqual([sent(named, 'authorization'), sent(named, 'accept-encoding')], [[`Bearer ${KEY}`], ['identity']]);
});

const ALL_PLACES: readonly Place[] = [
  { in: 'query', name: 'api_key' },
  { in: 'header', name: 'X-Api-Key', scheme: null },
  { in: 'basic', user: 'api' },
];

test('every place where the kind has its key is emptied, in whatever spelling, and the key stands in the first one alone', () => {
  const snapshot = snapshotWith({ credential: { places: ALL_PLACES } });
  const veiled = [
    'api_key=x',
    '%61pi_key=x',
    'API_KEY=x',
    'api_key[]=x',
    'api.key=x',
    'api_key',
    'api%5Fkey=x',
    '+api_key=x',
    'a;api_key=x',
    'api_key=x;a',
  ];
  const query = `a=1&${veiled.join('&')}&b=2`;
  const one = forwarded(snapshot, {
    target: `/neon/prod${GET_PROJECT}?${query}`,
    headers: ['X-API-KEY', 'theirs', 'x-api-key', 'again'],
  });
  assert.equal(one.target, `${GET_PROJECT}?a=1&b=2&api_key=${KEY}`);
  assert.deepEqual([sent(one, 'x-api-key'), sent(one, 'authorization')], [[], []]);
  const bare = forwarded(snapshot, { target: `/neon/prod${GET_PROJECT}` });
  assert.equal(bare.target, `${GET_PROJECT}?api_key=${KEY}`);
});

test('the caller’s token may stand in any place of the kind, and only there', () => {
  const snapshot = snapshotWith({ credential: { places: ALL_PLACES } });
  const accepted: Asked[] = [
    { headers: [] },
    { token: null, headers: ['X-Api-Key', TOKEN] },
    { token: null, target: `/neon/prod${GET_PROJECT}?api_key=${TOKEN}` },
    { token: null, headers: ['Authorization', `Basic ${Buffer.from(`api:${TOKEN}`).toString('base64')}`] },
  ];
  for (const asked of accepted) {
    const one = forwarded(snapshot, asked);
    assert.equal(one.target, `${GET_PROJECT}?api_key=${KEY}`);
    assert.deepEqual(one.headers, ['accept-encoding', 'identity']);
  }
  for (const asked of [
    { token: null, headers: ['X-Other', TOKEN] },
    { token: null, target: `/neon/prod${GET_PROJECT}?other=${TOKEN}` },
  ]) {
    assert.equal(said(planned(snapshot, asked)), '400 token-place');
  }
});

test('nothing of the caller’s token is in what is sent on, wherever it stood and whatever stood around it', () => {
  const snapshots = [snapshotWith(), snapshotWith({ credential: { places: ALL_PLACES } })];
  const glue = fc.stringMatching(/^[!-$&-~]{0,4}$/);
  const carried = fc.tuple(glue, fc.constantFrom(TOKEN, `secret-token:${TOKEN}`), glue).map((parts) => parts.join(''));
  const encoded = carried.map((text) => Buffer.from(text).toString('base64'));
  const value = fc.oneof(
    carried,
    encoded.map((text) => `Basic ${text}`),
    carried.map((text) => `Bearer ${text}`),
    { weight: 6, arbitrary: glue },
  );
  const name = fc.constantFrom(
    'Authorization',
    'X-Api-Key',
    'X-Other',
    'Cookie',
    'Referer',
    'Proxy-Authorization',
    'User-Agent',
    'X-Forwarded-For',
  );
  const query = fc.oneof(
    carried,
    carried.map((text) => `api_key=${text}`),
    carried.map((text) => `x=1&${text}=2`),
    { weight: 3, arbitrary: fc.constant('') },
  );
  const last = fc.oneof({ weight: 3, arbitrary: fc.constant('p1') }, carried);
  let seen = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value), { maxLength: 3 }),
      query,
      last,
      fc.boolean(),
      fc.constantFrom(0, 1),
      (lines, asked, id, isSent, which) => {
        const one = planned(snapshots[which]!, {
          token: isSent ? TOKEN : null,
          headers: lines.flat(),
          target: `/neon/prod/api/v2/projects/${id}?${asked}`,
        });
        if (one.kind === 'refuse') return;
        seen++;
        const all = JSON.stringify([one.target, one.headers, one.injection.query, one.injection.headerLines]);
        assert(!all.includes(TOKEN), all);
        for (const text of all.matchAll(/[A-Za-z0-9+/]{20,}/g)) {
          assert(!Buffer.from(text[0], 'base64').toString('latin1').includes(TOKEN), 'the token travels on in base64');
        }
      },
    ),
    { numRuns: 4_000 },
  );
  assert(seen > 200, `only ${seen} requests were sent on: the property says little`);
});

test('access ends with the token or the grant, whichever is first', () => {
  const ends = (token: number | null, grant: number | null) =>
    forwarded(snapshotWith({ token: { expiresAt: token }, grants: [{ expiresAt: grant }] })).endsAt;
  assert.equal(ends(null, null), Number.POSITIVE_INFINITY);
  assert.equal(ends(NOW + 5, null), NOW + 5);
  assert.equal(ends(null, NOW + 6), NOW + 6);
  assert.equal(ends(NOW + 9, NOW + 6), NOW + 6);
});

test('X-Forwarded-For is believed from trusted proxies only, and read from its end', () => {
  const trustedProxies = ['10.0.0.0/8', 'fd00::/8'];
  const ip = (remote: string, claims: readonly string[], trusted: readonly string[] = trustedProxies) =>
    planned(snapshotWith({ trustedProxies: trusted }), {
      remote,
      headers: claims.flatMap((claim) => ['X-Forwarded-For', claim]),
    }).ip;
  const table: [string, string[], string][] = [
    ['203.0.113.7', ['198.51.100.1'], '203.0.113.7'],
    ['10.0.0.1', [], '10.0.0.1'],
    ['10.0.0.1', ['198.51.100.1'], '198.51.100.1'],
    ['::ffff:10.0.0.1', ['198.51.100.1'], '198.51.100.1'],
    ['10.0.0.1', ['198.51.100.1, 203.0.113.9'], '203.0.113.9'],
    ['10.0.0.1', ['198.51.100.1, 203.0.113.9, 10.9.9.9'], '203.0.113.9'],
    ['10.0.0.1', ['198.51.100.1', '203.0.113.9'], '203.0.113.9'],
    ['10.0.0.1', ['198.51.100.1 ,fd00::1,10.2.2.2'], '198.51.100.1'],
    ['10.0.0.1', ['10.3.3.3, 10.2.2.2'], '10.0.0.1'],
    ['10.0.0.1', ['198.51.100.1, nonsense'], '10.0.0.1'],
    ['10.0.0.1', ['nonsense, 198.51.100.1'], '198.51.100.1'],
    ['10.0.0.1', ['198.51.100.1:443'], '10.0.0.1'],
    ['10.0.0.1', [''], '10.0.0.1'],
    ['10.0.0.1', ['2001:DB8::0001'], '2001:db8::1'],
  ];
  for (const [remote, claims, expected] of table) assert.equal(ip(remote, claims), expected, `${remote} ${claims}`);
  assert.equal(ip('10.0.0.1', ['198.51.100.1'], []), '10.0.0.1');
  const bound = snapshotWith({ trustedProxies, token: { networks: ['198.51.100.0/24'] } });
  assert.equal(said(planned(bound, { remote: '10.0.0.1', headers: ['X-Forwarded-For', '198.51.100.9'] })), 'forward');
  assert.equal(
    said(planned(bound, { remote: '203.0.113.7', headers: ['X-Forwarded-For', '198.51.100.9'] })),
    '401 token-network',
  );
});

test('what was matched before is matched again, and not after the catalogue has changed', () => {
  const snapshot = snapshotWith();
  for (let i = 0; i < 3; i++) assert.equal(forwarded(snapshot).identity.action.name, 'project.get');
  for (let i = 0; i < 5_000; i++) planned(snapshot, { target: `/neon/prod/api/v2/projects/p${i}` });
  const { recent } = snapshot.policy.catalogues.get('neon')!;
  assert(recent.size <= 4_096, `${recent.size} paths are remembered`);
  planned(snapshot, { target: `/neon/prod/api/v2/projects/${'p'.repeat(400)}` });
  assert(![...recent.keys()].some((key) => key.length > 300), 'a long path is not remembered');
});
