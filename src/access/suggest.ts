// Right-sizing: the smallest grant that would have served the uses on record, proposed with its replay. Folds the admitted uses of a
// principal on a credential into the set of their actions and, where few different values of a parameter were seen on every one of
// them, into constraints; then decides every use again under the proposal, with the same authorize that the broker calls. Pure.
import type { UtcMs } from '../model/clock.ts';
import { matchAction } from './action.ts';
import { authorize, compileGrant, covers } from './authorize.ts';
import type { LiveCatalogue } from './policy.ts';
import type { GrantRow } from './principal.ts';

/** What is read of the leaf of a use. */
export interface ObservedUse {
  readonly at: UtcMs;
  readonly principalId: string;
  readonly action: string;
  readonly method: string;
  readonly path: string | null;
  readonly query: Readonly<Record<string, string>> | null;
}

export interface Suggestion {
  readonly principal: string;
  readonly actions: readonly string[];
  readonly parameters: Readonly<Record<string, readonly string[]>>;
  readonly uses: number;
  /** Uses on record that the proposal would have denied: 0, or the proposal is wrong. */
  readonly wouldDeny: number;
}

/** More different values than this are not a narrowing: the parameter is left open. */
export const VALUES_MAX = 8;

/** One suggestion for each principal, by its id. */
export function suggest(uses: readonly ObservedUse[], catalogue: LiveCatalogue | null): Suggestion[] {
  const byPrincipal = new Map<string, ObservedUse[]>();
  for (const use of uses) {
    const own = byPrincipal.get(use.principalId);
    if (own === undefined) byPrincipal.set(use.principalId, [use]);
    else own.push(use);
  }
  return [...byPrincipal]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([principal, own]) => suggestFor(principal, own, catalogue));
}

function suggestFor(principal: string, uses: readonly ObservedUse[], catalogue: LiveCatalogue | null): Suggestion {
  const given = uses.map((use) => parametersOf(use, catalogue));
  const actions = [...new Set(uses.map((use) => use.action))].sort();
  const parameters: Record<string, readonly string[]> = {};
  for (const name of Object.keys(given[0] ?? {}).sort()) {
    const values = valuesOf(name, given);
    if (values !== null) parameters[name] = values;
  }
  const grant = compileGrant({ ...EMPTY, principalId: principal, actions, parameters });
  let wouldDeny = 0;
  for (const [i, use] of uses.entries()) {
    // A name that the catalogue no longer has is covered by itself alone.
    const action = catalogue?.actions.get(use.action) ?? { name: use.action, effect: 'write' as const };
    const isCovered = grant.row.actions.some((pattern) => covers(pattern, action));
    const attempt = { parameters: given[i]!, address: null, at: use.at, monoMs: 0 };
    if (!isCovered || !authorize([grant], attempt).allowed) wouldDeny++;
  }
  return { principal, actions, parameters, uses: uses.length, wouldDeny };
}

/** The values of a parameter, where every use gave one and they are few; else null. */
function valuesOf(name: string, given: readonly Readonly<Record<string, string>>[]): readonly string[] | null {
  const values = new Set<string>();
  for (const parameters of given) {
    const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (value === undefined) return null;
    values.add(value);
    if (values.size > VALUES_MAX) return null;
  }
  return [...values].sort();
}

/** What the use gave, as the decision saw it: path parameters by the catalogue, and the query's that were recorded. */
function parametersOf(use: ObservedUse, catalogue: LiveCatalogue | null): Readonly<Record<string, string>> {
  const match = use.path === null || catalogue === null ? null : matchAction(catalogue.compiled, use.method, use.path);
  const inPath = match !== null && match.action.name === use.action ? match.parameters : {};
  return { ...use.query, ...inPath };
}

const EMPTY: GrantRow = {
  id: '',
  rowVersion: 1,
  principalId: '',
  credentialId: '',
  actions: [],
  parameters: {},
  networks: [],
  rate: null,
  expiresAt: null,
  revokedAt: null,
  createdAt: 0,
  note: '',
  managedBy: null,
};
