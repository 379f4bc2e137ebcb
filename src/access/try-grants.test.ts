// Cases against grants: what is allowed and what is refused and why, that trying spends nothing, and that names which lead nowhere are said with their
// place. That the decisions are the broker's is shown in test/conformance/permission-cases.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  catalogueRow,
  credentialRow,
  grantRow,
  NOW,
  principalRow,
  rowsOf,
  tokenRow,
  versionRow,
} from '../../test/support/rows.ts';
import type { RowImage, Rows } from '../model/change.ts';
import { toRfc3339 } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import { neon } from '../providers/neon.ts';
import { catalogueLines } from './catalogue.ts';
import { type Expectation, expectationSchema } from './expectation.ts';
import { policyOf } from './policy.ts';
import type { GrantRow } from './principal.ts';
import { tryGrants } from './try-grants.ts';

const BASE: readonly RowImage[] = [
  { noun: 'catalogue', row: catalogueRow({ actions: catalogueLines(neon) }) },
  { noun: 'principal', row: principalRow() },
  { noun: 'principal', row: principalRow({ id: 'prn_2', name: 'gone', disabledAt: NOW }) },
  { noun: 'token', row: tokenRow() },
  { noun: 'credential', row: credentialRow() },
  { noun: 'credential', row: credentialRow({ id: 'crd_2', environment: 'staging' }) },
  { noun: 'credential', row: credentialRow({ id: 'crd_3', name: 'empty' }) },
  { noun: 'credential', row: credentialRow({ id: 'crd_4', name: 'off', suspendedAt: NOW }) },
  { noun: 'version', row: versionRow() },
  { noun: 'version', row: versionRow({ id: 'ver_2', credentialId: 'crd_2' }) },
  { noun: 'version', row: versionRow({ id: 'ver_4', credentialId: 'crd_4' }) },
];

function grants(...given: readonly Partial<GrantRow>[]): RowImage[] {
  return given.map((one, i) => ({ noun: 'grant', row: grantRow({ id: `gnt_${i + 1}`, ...one }) }));
}

function verdict(rows: Rows, given: Record<string, unknown>) {
  const one = expectationSchema.parse({ as: 'billing', credential: 'neon/prod', expect: 'deny', ...given });
  return tryGrants(rows, [one], NOW)[0]!;
}

const PROJECT = 'GET /api/v2/projects/p1';

test('a request or an action, from somewhere, at some time: what is decided, why, and by which grant', () => {
  const rows = rowsOf(
    ...BASE,
    ...grants(
      { actions: ['project.get'], parameters: { project_id: ['p1'] }, networks: ['10.0.0.0/8'] },
      { actions: ['branch.*'], expiresAt: NOW + 1_000, note: 'for a day', managedBy: 'apply' },
      { actions: ['*'], credentialId: 'crd_2' },
      { actions: ['*'], credentialId: 'crd_3' },
      { actions: ['*'], credentialId: 'crd_4' },
      { actions: ['*'], principalId: 'prn_2' },
    ),
  );
  const table: [Record<string, unknown>, string][] = [
    [{ request: PROJECT, from: '10.1.2.3' }, 'allow project.get gnt_1'],
    [{ action: 'project.get', parameters: { project_id: 'p1' }, from: '10.1.2.3' }, 'allow project.get gnt_1'],
    [{ request: PROJECT, from: '11.1.2.3' }, 'deny network project.get gnt_1'],
    [{ request: PROJECT }, 'deny network project.get gnt_1'],
    [{ request: 'GET /api/v2/projects/p2', from: '10.1.2.3' }, 'deny parameter project.get gnt_1'],
    [{ action: 'project.get', from: '10.1.2.3' }, 'deny parameter project.get gnt_1'],
    [{ request: 'DELETE /api/v2/projects/p1', from: '10.1.2.3' }, 'deny no-grant project.delete none'],
    [{ request: 'GET /api/v2/projects/p1/branches' }, 'allow branch.list gnt_2'],
    [
      { request: 'GET /api/v2/projects/p1/branches', at: toRfc3339(NOW + 1_000) },
      'deny grant-expired branch.list gnt_2',
    ],
    [{ request: 'GET /api/v2/projects/p1/branches', at: toRfc3339(NOW + 999) }, 'allow branch.list gnt_2'],
    [{ request: 'GET /api/v2/nothing' }, 'deny no-action none none'],
    [{ request: 'HEAD /api/v2/projects' }, 'deny no-action none none'],
    [{ request: 'GET /api/v2/projects/%2e%2e' }, 'deny encoded-dot none none'],
    [{ request: `${PROJECT}?_method=DELETE` }, 'deny method-override project.get none'],
    [{ request: PROJECT, credential: 'neon/prod@default', from: '10.1.2.3' }, 'allow project.get gnt_1'],
    [{ request: PROJECT, credential: 'neon/prod@staging' }, 'allow project.get gnt_3'],
    [{ request: PROJECT, credential: 'neon/empty' }, 'deny no-current-version project.get none'],
    [{ request: PROJECT, credential: 'neon/off' }, 'deny credential-suspended project.get none'],
    [{ request: PROJECT, as: 'gone' }, 'deny principal-disabled none none'],
    [{ action: 'project.get', as: 'gone' }, 'deny principal-disabled project.get none'],
  ];
  for (const [given, expected] of table) {
    const { decision, reason, action, grant } = verdict(rows, given);
    const said = [decision, ...(reason === null ? [] : [reason]), action ?? 'none', grant?.id ?? 'none'].join(' ');
    assert.equal(said, expected, JSON.stringify(given));
  }
  const { grant } = verdict(rows, { request: 'GET /api/v2/projects/p1/branches' });
  assert.deepEqual(grant, { id: 'gnt_2', actions: ['branch.*'], note: 'for a day', managedBy: 'apply' });
});

test('a case holds where the decision is the expected one, and the reason too where one is expected', () => {
  const rows = rowsOf(...BASE, ...grants({ actions: ['project.get'] }));
  const holds = (given: Record<string, unknown>) => verdict(rows, given).holds;
  assert(holds({ request: PROJECT, expect: 'allow' }));
  assert(!holds({ request: PROJECT, expect: 'deny' }));
  const other = { request: 'DELETE /api/v2/projects/p1' };
  assert(holds({ ...other, expect: 'deny' }) && holds({ ...other, expect: 'deny', why: 'no-grant' }));
  assert(!holds({ ...other, expect: 'deny', why: 'parameter' }) && !holds({ ...other, expect: 'allow' }));
});

test('a stranger to a credential learns nothing about its provider’s actions', () => {
  const rows = rowsOf(...BASE);
  for (const request of [PROJECT, 'GET /api/v2/nothing', `${PROJECT}?_method=DELETE`]) {
    const { reason, grant } = verdict(rows, { request });
    assert.deepEqual([reason, grant], ['no-grant', null], request);
  }
});

test('trying spends nothing: of a rate of one a day, any number of cases in one call and in many', () => {
  const rate = { requests: 1, perSeconds: 86_400, burst: 1 };
  const rows = rowsOf(...BASE, ...grants({ actions: ['*'], rate }));
  const before = JSON.stringify([...rows.get('grant')!.values()]);
  const live = policyOf(rows, 1);
  const one = expectationSchema.parse({ as: 'billing', credential: 'neon/prod', request: PROJECT, expect: 'allow' });
  const many = Array.from({ length: 50 }, (): Expectation => one);
  for (let i = 0; i < 3; i++) assert(tryGrants(rows, many, NOW).every(({ holds }) => holds));
  assert.equal(JSON.stringify([...rows.get('grant')!.values()]), before);
  assert.equal(live.grants.get('gnt_1')!.arrivalMs, Number.NEGATIVE_INFINITY);
});

test('names that lead nowhere are all said, each with its place', () => {
  const rows = rowsOf(...BASE, ...grants({}));
  const cases = [
    { as: 'nobody', credential: 'neon/prod', request: PROJECT },
    { as: 'billing', credential: 'neon/other', request: PROJECT },
    { as: 'billing', credential: 'neon/prod@prod', request: PROJECT },
    { as: 'billing', credential: 'neon/prod', request: PROJECT },
    { as: 'billing', credential: 'neon/prod', action: 'project.fly' },
    { as: 'billing', credential: 'neon/prod', action: 'project.get', parameters: { branch_id: 'b' } },
  ].map((given) => expectationSchema.parse({ ...given, expect: 'deny' }));
  assert.throws(
    () => tryGrants(rows, cases, NOW),
    (error) => {
      assert(Failure.is(error, 'invalid'));
      assert.deepEqual(
        error.errors.map(({ pointer }) => pointer),
        [
          '/cases/0/as',
          '/cases/1/credential',
          '/cases/2/credential',
          '/cases/4/action',
          '/cases/5/parameters/branch_id',
        ],
      );
      return true;
    },
  );
});

test('the form of a case: one question, an answer, and a reason only for a refusal', () => {
  const good = { as: 'billing', credential: 'neon/prod', request: PROJECT, expect: 'deny' };
  const pathsOf = (given: object) =>
    expectationSchema.safeParse(given).error?.issues.map(({ path }) => path.join('/')) ?? [];
  assert.deepEqual(pathsOf(good), []);
  const { request: _, ...bare } = good;
  const wrong: [object, string[]][] = [
    [bare, ['request']],
    [{ ...good, action: 'a.b' }, ['action']],
    [{ ...good, parameters: {} }, ['parameters']],
    [{ ...bare, action: 'project', expect: 'deny' }, ['action']],
    [{ ...good, expect: 'allow', why: 'no-grant' }, ['why']],
    [{ ...good, why: 'because' }, ['why']],
    [{ ...good, why: 'rate-limited' }, ['why']],
    [{ ...good, from: '10.0.0.0/8' }, ['from']],
    [{ ...good, at: '2026-11-21' }, ['at']],
    [{ ...good, request: 'get /a' }, ['request']],
    [{ ...good, request: 'GET a' }, ['request']],
    [{ ...good, request: 'GET /a b' }, ['request']],
    [{ ...good, request: 'TRACE /a' }, ['request']],
    [{ ...good, request: `GET /${'a'.repeat(8_192)}` }, ['request']],
    [{ ...good, credential: 'prod/neon/billing' }, ['credential']],
    [{ ...good, credential: 'neon' }, ['credential']],
  ];
  for (const [given, paths] of wrong) assert.deepEqual(pathsOf(given), paths, JSON.stringify(given).slice(0, 200));
});
