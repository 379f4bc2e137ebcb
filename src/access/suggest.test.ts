// Right-sizing: what is proposed would have served every use, and nothing smaller of its form would.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { emptyRows } from '../model/change.ts';
import { neon } from '../providers/neon.ts';
import { authorize, compileGrant, covers } from './authorize.ts';
import { catalogueLines } from './catalogue.ts';
import { policyOf } from './policy.ts';
import { type ObservedUse, suggest, VALUES_MAX } from './suggest.ts';

const rows = emptyRows();
rows
  .get('catalogue')!
  .set('cat', { id: 'cat', rowVersion: 1, provider: 'neon', actions: catalogueLines(neon) } as never);
const catalogue = policyOf(rows, 0).catalogues.get('neon')!;

function use(action: string, parameters: Record<string, string>, change: Partial<ObservedUse> = {}): ObservedUse {
  const found = catalogue.actions.get(action)!;
  const path = found.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => parameters[name] ?? 'x');
  const query = Object.fromEntries(Object.entries(parameters).filter(([name]) => found.query?.includes(name)));
  return { at: 1, principalId: 'prn_a', action, method: found.method, path, query, ...change };
}

test('names each action once, and the values of a parameter that every use gave', () => {
  const uses = [
    use('branch.create', { project_id: 'p1' }),
    use('branch.create', { project_id: 'p2' }),
    use('project.get', { project_id: 'p1' }),
  ];
  assert.deepEqual(suggest(uses, catalogue), [
    {
      principal: 'prn_a',
      actions: ['branch.create', 'project.get'],
      parameters: { project_id: ['p1', 'p2'] },
      uses: 3,
      wouldDeny: 0,
    },
  ]);
});

test('a parameter that one of the actions lacks is left open', () => {
  const [made] = suggest([use('branch.create', { project_id: 'p1' }), use('region.list', {})], catalogue);
  assert.deepEqual(made?.parameters, {});
});

test('more different values than a narrowing has leave the parameter open', () => {
  const uses = (n: number) => Array.from({ length: n }, (_, i) => use('project.get', { project_id: `p${i}` }));
  assert.equal(suggest(uses(VALUES_MAX), catalogue)[0]?.parameters['project_id']?.length, VALUES_MAX);
  assert.deepEqual(suggest(uses(VALUES_MAX + 1), catalogue)[0]?.parameters, {});
});

test('each principal has its own proposal', () => {
  const uses = [use('region.list', {}), use('region.list', {}, { principalId: 'prn_b' })];
  assert.deepEqual(
    suggest(uses, catalogue).map(({ principal, uses: n }) => [principal, n]),
    [
      ['prn_a', 1],
      ['prn_b', 1],
    ],
  );
});

test('without uses nothing is proposed, and without a catalogue no constraint', () => {
  assert.deepEqual(suggest([], catalogue), []);
  const [made] = suggest([use('project.get', { project_id: 'p1' })], null);
  assert.deepEqual(made, { principal: 'prn_a', actions: ['project.get'], parameters: {}, uses: 1, wouldDeny: 0 });
});

test('an action that mints is proposed by its full name and replayed like any other', () => {
  const minting = neon.actions.find((action) => action.mints === true)!;
  const [made] = suggest([use(minting.name, {})], catalogue);
  assert.deepEqual(made?.actions, [minting.name]);
  assert.equal(made?.wouldDeny, 0);
});

test('a name of an object’s own members is no parameter', () => {
  const [made] = suggest([use('region.list', {}, { query: { constructor: 'x' } }), use('region.list', {})], catalogue);
  assert.deepEqual(made?.parameters, {});
  assert.equal(made?.wouldDeny, 0);
});

test('the proposal serves every use, and neither an action nor a value can be taken from it', () => {
  const names = ['project.get', 'branch.create', 'branch.get', 'region.list', 'endpoint.get'];
  const value = fc.constantFrom('a', 'b', 'c', 'a%20b');
  const one = fc.record({
    action: fc.constantFrom(...names),
    project_id: value,
    branch_id: value,
    endpoint_id: value,
    org_id: fc.option(fc.constantFrom('o1', 'o2'), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(one, { minLength: 1, maxLength: 30 }), (given) => {
      const uses = given.map(({ action, ...parameters }) => {
        const defined = Object.entries(parameters).filter(([, text]) => text !== undefined) as [string, string][];
        return use(action, Object.fromEntries(defined));
      });
      const [made] = suggest(uses, catalogue);
      assert.ok(made !== undefined);
      assert.equal(made.wouldDeny, 0);
      for (const action of made.actions) assert.ok(uses.some((one) => one.action === action));
      for (const [name, values] of Object.entries(made.parameters)) {
        for (const taken of values) {
          const left: Record<string, readonly string[]> = {
            ...made.parameters,
            [name]: values.filter((text) => text !== taken),
          };
          assert.ok(deniesOne(uses, made.actions, left), `${name}=${taken} serves nothing`);
        }
      }
    }),
    { numRuns: 200 },
  );
});

/** Decides each use again with the real functions, from the paths as they are in the log. */
function deniesOne(
  uses: readonly ObservedUse[],
  actions: readonly string[],
  parameters: Record<string, readonly string[]>,
) {
  const base = { id: '', rowVersion: 1, principalId: '', credentialId: '', networks: [], rate: null };
  const more = { expiresAt: null, revokedAt: null, createdAt: 0, note: '', managedBy: null };
  const grant = compileGrant({ ...base, ...more, actions, parameters });
  return uses.some((one) => {
    const action = catalogue.actions.get(one.action)!;
    const pattern = new RegExp(`^${action.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
    const inPath = Object.entries(pattern.exec(one.path ?? '')?.groups ?? {});
    const given = {
      ...one.query,
      ...Object.fromEntries(inPath.map(([name, text]) => [name, decodeURIComponent(text)])),
    };
    const allowed = authorize([grant], { parameters: given, address: null, at: 1, monoMs: 0 }).allowed;
    return !allowed || !actions.some((name) => covers(name, action));
  });
}
