// What a grant lets through, for every provider: each operation of its own document × each grant that says something else, decided by the
// broker's own `plan` and held against an oracle that knows neither the catalogue's tree nor the patterns' grammar. The grants: one for each
// action by its name, one for each resource, one for each effect, and everything. What no action covers is refused whatever is granted, and is
// counted; what mints or reveals is never let through by a wildcard. R39: a key can do what it should, and nothing else.
//
// The oracle: an operation is the action whose method and path are written the same, names of parameters aside; else the one whose template it
// fits, segment by segment. What a grant allows is told by the declared name, effect and mark alone.
import assert from 'node:assert/strict';
import test from 'node:test';
import { catalogueLines } from '../../src/access/catalogue.ts';
import { policyOf } from '../../src/access/policy.ts';
import type { GrantRow } from '../../src/access/principal.ts';
import { newTokenText } from '../../src/access/token.ts';
import { compileInjection } from '../../src/broker/inject.ts';
import { plan, type Snapshot } from '../../src/broker/plan.ts';
import type { RowImage } from '../../src/model/change.ts';
import { Secret } from '../../src/model/secret.ts';
import * as registry from '../../src/providers/index.ts';
import type { Action, Provider } from '../../src/providers/provider.ts';
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
import {
  absent,
  DOCUMENTS,
  type DocumentedOperation,
  type DocumentSet,
  operationsOf,
} from './permissions-documents.ts';

// The oracle.

/** A path without the names of its parameters. */
function bare(template: string): string {
  return template.replaceAll(/\{[^{}]*\}/g, '{}');
}

function lineOf({ method, path }: { readonly method: string; readonly path: string }): string {
  return `${method} ${bare(path)}`;
}

/** How a path fits a template, the better the smaller: by each segment a literal, a parameter, all that is left. Null: it does not. */
function fit(template: string, path: string): string | null {
  const parts = template.split('/');
  const segments = path.split('/');
  let rank = '';
  for (const [i, part] of parts.entries()) {
    if (part.endsWith('*}')) return segments.length > i ? `${rank}2` : null;
    if (segments[i] === undefined || (!part.startsWith('{') && part !== segments[i])) return null;
    rank += part.startsWith('{') ? '1' : '0';
  }
  return segments.length === parts.length ? rank : null;
}

/** Whether a path lies at or below one that mints, in whatever case. */
function isNearMinting(actions: readonly Action[], path: string): boolean {
  return actions
    .filter((action) => action.mints === true)
    .some(({ path: template }) => fit(`${template.toLowerCase()}/{x*}`, `${path.toLowerCase()}/end`) !== null);
}

/** The action that an operation is. */
function actionOf(actions: readonly Action[], row: DocumentedOperation): Action | null {
  const same = actions.find((action) => lineOf(action) === lineOf(row));
  if (same !== undefined) return same;
  const path = filled(row.path);
  const [best] = actions
    .filter((action) => action.method === row.method)
    .flatMap((action) => {
      const rank = fit(action.path, path);
      return rank === null ? [] : [{ action, rank }];
    })
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  if (best === undefined) return null;
  return best.action.path.endsWith('*}') && isNearMinting(actions, path) ? null : best.action;
}

interface Column {
  readonly about: string;
  readonly actions: readonly string[];
  readonly allows: (action: Action) => boolean;
}

/** The grants of a matrix. */
function columnsOf(actions: readonly Action[]): Column[] {
  const resources = [...new Set(actions.map((action) => action.name.slice(0, action.name.indexOf('.'))))];
  const mints = (action: Action) => action.mints === true;
  return [
    ...actions.map(({ name }) => ({ about: name, actions: [name], allows: (one: Action) => one.name === name })),
    ...resources.map((resource) => ({
      about: `${resource}.*`,
      actions: [`${resource}.*`],
      allows: (one: Action) => one.name.startsWith(`${resource}.`) && !mints(one),
    })),
    ...(['read', 'write', 'delete'] as const).map((effect) => ({
      about: `*:${effect}`,
      actions: [`*:${effect}`],
      allows: (one: Action) => one.effect === effect && !mints(one),
    })),
    { about: '*', actions: ['*'], allows: (one) => !mints(one) },
  ];
}

// What is asked: the broker's own judgement, a caller for each grant.

const MOUNT = '/subject/key';
/** Deeper than any path of any catalogue, so that nothing more exact takes it. */
const REST = Array.from({ length: 12 }, (_, i) => `zz-${i}`).join('/');

/** The template with values that are no word of any API. */
function filled(template: string): string {
  let index = 0;
  return template.replaceAll(/\{[^{}]*\}/g, (hole) => (hole.endsWith('*}') ? REST : `zz-${index++}`));
}

interface Bench {
  readonly snapshot: Snapshot;
  /** Token by the index of the grant. */
  readonly tokens: readonly string[];
}

function benchOf(provider: Provider, grants: readonly Partial<GrantRow>[]): Bench {
  const random = seededRandom(7);
  const tokens = grants.map(() => newTokenText(random));
  const id = (prefix: string, i: number) => `${prefix}_${String(i).padStart(4, '0')}`;
  const credential = credentialRow({ provider: 'subject', name: 'key' });
  const images: RowImage[] = [
    { noun: 'catalogue', row: catalogueRow({ provider: 'subject', actions: catalogueLines(provider) }) },
    { noun: 'credential', row: credential },
    { noun: 'version', row: versionRow() },
    ...grants.flatMap((grant, i): RowImage[] => [
      { noun: 'principal', row: principalRow({ id: id('prn', i), name: id('caller', i) }) },
      { noun: 'token', row: tokenRow({ id: id('tok', i), principalId: id('prn', i), hash: tokens[i]! }) },
      { noun: 'grant', row: grantRow({ ...grant, id: id('gnt', i), principalId: id('prn', i) }) },
    ]),
  ];
  const policy = policyOf(rowsOf(...images), 1);
  const injection = compileInjection(credential.places, { key: new Secret('canary-of-a-matrix') });
  return {
    snapshot: {
      policy,
      injections: new Map([['ver_1', injection]]),
      // Tokens are looked up by their own text: hashing a million of them would test nothing.
      hash: (text) => text,
      anonymous: null,
      trustedProxies: [],
    },
    tokens,
  };
}

/** `forward <action>` or `<status> <reason>`. */
function answered(bench: Bench, grant: number, method: string, target: string): string {
  const head = {
    method,
    target: MOUNT + target,
    rawHeaders: ['Host', 'broker.test', 'Authorization', `Bearer ${bench.tokens[grant]!}`],
    httpVersion: '1.1',
    remote: '203.0.113.7',
  };
  const said = plan(head, bench.snapshot, NOW, 0);
  if (said.kind === 'refuse') return `${said.status} ${said.reason}`;
  return said.target === target ? `forward ${said.identity.action.name}` : `forward to ${said.target}`;
}

const SHOWN_MAX = 20;

/** Gathers what differs; a matrix that is wrong is wrong in thousands of places. */
function createFindings() {
  const shown: string[] = [];
  let count = 0;
  return {
    hold(got: string, expected: string, about: () => string): void {
      if (got === expected) return;
      count++;
      if (shown.length < SHOWN_MAX) shown.push(`${about()}: ${got} instead of ${expected}`);
    },
    assertNone(): void {
      assert.deepEqual(shown, [], `${count} decisions are wrong`);
    },
  };
}

interface Counts {
  readonly rows: number;
  readonly uncovered: readonly string[];
  readonly minting: number;
  readonly grants: number;
  readonly decisions: number;
  readonly allowed: number;
}

function holdMatrix(provider: Provider, rows: readonly DocumentedOperation[]): Counts {
  const columns = columnsOf(provider.actions);
  const bench = benchOf(provider, columns);
  assert.equal(
    new Set(provider.actions.map(lineOf)).size,
    provider.actions.length,
    'two actions are the same operation',
  );
  const findings = createFindings();
  const uncovered: string[] = [];
  let [minting, allowed] = [0, 0];
  for (const row of rows) {
    const action = actionOf(provider.actions, row);
    if (action === null) uncovered.push(`${row.method} ${row.path}`);
    else if (action.mints === true) minting++;
    const target = filled(row.path);
    for (const [i, column] of columns.entries()) {
      const isAllowed = action !== null && column.allows(action);
      if (isAllowed) allowed++;
      const refusal = action === null ? '403 no-action' : '403 no-grant';
      findings.hold(
        answered(bench, i, row.method, target),
        isAllowed ? `forward ${action.name}` : refusal,
        () => `${row.method} ${row.path} under ${column.about}`,
      );
    }
  }
  findings.assertNone();
  return {
    rows: rows.length,
    uncovered,
    minting,
    grants: columns.length,
    decisions: rows.length * columns.length,
    allowed,
  };
}

/** Each action under a grant that holds it to one value of a parameter: that value passes, any other and none at all are refused. */
function holdParameters(provider: Provider): number {
  const cases = provider.actions.flatMap((action) => {
    const inPath = [...action.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!);
    const [first] = inPath;
    return [
      ...(first === undefined ? [] : [{ action, name: first, isInPath: true }]),
      ...(action.query ?? []).map((name) => ({ action, name, isInPath: false })),
    ];
  });
  const bench = benchOf(
    provider,
    cases.map(({ action, name }) => ({ actions: [action.name], parameters: { [name]: ['zz-right'] } })),
  );
  const findings = createFindings();
  for (const [i, { action, name, isInPath }] of cases.entries()) {
    const target = (value: string) =>
      isInPath
        ? filled(action.path.replace(`{${name}}`, value))
        : `${filled(action.path)}?${encodeURIComponent(name)}=${value}`;
    const about = () => `${action.name} with ${name}`;
    findings.hold(answered(bench, i, action.method, target('zz-right')), `forward ${action.name}`, about);
    findings.hold(answered(bench, i, action.method, target('zz-wrong')), '403 parameter', about);
    if (!isInPath) findings.hold(answered(bench, i, action.method, filled(action.path)), '403 parameter', about);
  }
  findings.assertNone();
  return cases.length;
}

/** What a path that mints may be taken for: no wildcard reaches it through an action that takes all that is left. */
function holdMinting(provider: Provider): void {
  const bench = benchOf(provider, [{ actions: ['*', '*:read', '*:write', '*:delete'] }]);
  const rests = new Set(
    provider.actions.filter(({ path }) => path.endsWith('*}')).map(({ name }) => `forward ${name}`),
  );
  for (const action of provider.actions.filter((one) => one.mints === true)) {
    const path = filled(action.path);
    assert.equal(answered(bench, 0, action.method, path), '403 no-grant', action.name);
    for (const near of [`${path}/`, `${path}.json`, `${path}/zz`, path.toUpperCase()]) {
      const said = answered(bench, 0, action.method, near);
      assert(!rests.has(said), `${action.method} ${near}: ${said}`);
    }
  }
}

function report(t: test.TestContext, counts: Counts, constrained: number): void {
  const { rows, uncovered, minting, grants, decisions, allowed } = counts;
  t.diagnostic(
    `${rows} operations, ${uncovered.length} that no action covers, ${minting} that mint or reveal; ${grants} grants; ` +
      `${decisions} decisions, ${allowed} allowed; ${constrained} parameters`,
  );
  if (uncovered.length === 0) return;
  const [first, left] = [uncovered.slice(0, SHOWN_MAX).join(', '), uncovered.length - SHOWN_MAX];
  t.diagnostic(`refused whatever is granted: ${first}${left > 0 ? `, and ${left} more` : ''}`);
}

/** The actions that no operation of the documents is: rows all the same, as the catalogue has them. */
function ownRows(provider: Provider, documented: readonly DocumentedOperation[]): readonly DocumentedOperation[] {
  const lines = new Set(documented.map(lineOf));
  return provider.actions.filter((action) => !lines.has(lineOf(action)));
}

function matrix(t: test.TestContext, provider: Provider, set: DocumentSet | null): void {
  const documented = set === null ? [] : operationsOf(set);
  const rows = [...(documented ?? []), ...ownRows(provider, documented ?? [])];
  const counts = holdMatrix(provider, rows);
  assert(counts.allowed > 0 && counts.allowed < counts.decisions, 'something is allowed, and not everything');
  if (set?.isWhole === true) assert.deepEqual(counts.uncovered, [], 'the catalogue misses operations');
  holdMinting(provider);
  report(t, counts, holdParameters(provider));
  if (set !== null && documented === null) t.skip(absent(set));
}

for (const provider of Object.values(registry)) {
  const sets = DOCUMENTS.filter((set) => set.provider === provider.name);
  for (const set of sets) {
    test(`${provider.name}: every operation of ${set.of} × every grant, allowed or refused exactly`, (t) => {
      matrix(t, provider, set);
    });
  }
  if (sets.length > 0) continue;
  test(`${provider.name}: no machine-readable document, so every action of its own catalogue × every grant, allowed or refused exactly`, (t) => {
    matrix(t, provider, null);
  });
}

test('documents are named for providers that there are', () => {
  const names = new Set(Object.values(registry).map((provider) => provider.name));
  for (const { provider } of DOCUMENTS) assert(names.has(provider), provider);
});
