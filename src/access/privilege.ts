// What a key may do at its provider against what its grants need: the difference between the provider's own scopes that it holds and those that the
// actions of its grants ask for. Pure. Where scopes are no property of the key, or of nothing, the grants alone narrow it, at the broker, and that is
// what is said. What is not known (actions without known scopes, a model that nobody has listed whole, a key whose scopes nobody wrote down) makes
// the verdict `unknown`: never fine. Not here: which scopes a new key is asked for (credentials/issuing.ts). Follows docs/permissions.md.
import type { Action, Kind, ScopeModel } from '../providers/provider.ts';
import { covers } from './authorize.ts';

/**
 * `overprivileged`: it holds a scope that means everything. `missing`: a grant needs what it lacks. `wider`: it holds more than its grants need.
 * `narrow`: exactly what they need. `broker`: no scopes to compare, the grants narrow it. `unknown`: it cannot be told.
 */
export const PRIVILEGE_VERDICTS = ['overprivileged', 'missing', 'wider', 'narrow', 'broker', 'unknown'] as const;
export type PrivilegeVerdict = (typeof PRIVILEGE_VERDICTS)[number];

/** A scope that is held for the sake of others that it includes. */
export interface BroaderScope {
  readonly scope: string;
  readonly neededOf: readonly string[];
}

export interface Privilege {
  /** Of what the provider's scopes are a property; null: this program compares none for the kind. */
  readonly of: ScopeModel['of'] | null;
  readonly verdict: PrivilegeVerdict;
  /** One sentence, for people. */
  readonly why: string;
  /** Scopes that the key has; null: not known. */
  readonly held: readonly string[] | null;
  /** Scopes that the actions of its grants need, those of them whose scopes are known. */
  readonly needed: readonly string[];
  /** Sets of scopes of which an action needs one, where no scope that is needed anyway is one of them. */
  readonly neededOneOf: readonly (readonly string[])[];
  /** Those among the held that mean everything. */
  readonly everything: readonly string[];
  /** Those among the held with which it reads stored secrets or makes other keys, itself or by what it includes. */
  readonly reveals: readonly string[];
  /** Held, and what is needed would be reached without them. */
  readonly unused: readonly string[];
  /** Held, not needed themselves, but including what is. */
  readonly broader: readonly BroaderScope[];
  /** Needed, and not among the held nor what they include. */
  readonly missing: readonly string[];
  readonly missingOneOf: readonly (readonly string[])[];
  /** Actions that its grants allow and whose scopes nobody knows: how many, and the first of them. */
  readonly unknownActions: { readonly count: number; readonly names: readonly string[] };
  /** The fewest scopes with which a new key would do for its grants; null: that cannot be told, or there are none to choose. */
  readonly suggested: readonly string[] | null;
}

export interface PrivilegeInput {
  readonly kind: Kind;
  readonly purpose: 'lend' | 'manage';
  /** Scopes that the key has, where they are known: from its settings, or from the provider's word about it. */
  readonly held: readonly string[] | null;
  /** The provider's catalogue. */
  readonly actions: readonly Action[];
  /** Action patterns of the grants in force. */
  readonly patterns: readonly string[];
}

const NAMES_MAX = 20;
/** Bounds what a declaration of scopes that include each other may cost. */
const INCLUDED_MAX = 10_000;

/** The scopes that the settings of a credential ask for, each once; null where its kind takes none or they say nothing. */
export function scopesOfSettings(kind: Kind, settings: Readonly<Record<string, string>>): readonly string[] | null {
  const text = settings['scopes'];
  if (text === undefined || (kind.scopes?.of !== 'key' && kind.scopes?.of !== 'actor')) return null;
  const scopes = [...new Set(text.split(/[\s,]+/).filter((one) => one !== ''))];
  return scopes.length === 0 ? null : scopes;
}

/** A scope and all that it includes, at any depth. */
function withIncluded(model: ScopeModel, scope: string): ReadonlySet<string> {
  const found = new Set([scope]);
  for (const one of found) {
    if (found.size > INCLUDED_MAX) break;
    const included = model.includes !== undefined && Object.hasOwn(model.includes, one) ? model.includes[one]! : [];
    for (const more of included) found.add(more);
  }
  return found;
}

/** Those that none of the others includes. Of two that include each other the first stays. */
function leastOf(model: ScopeModel, scopes: readonly string[]): string[] {
  const kept: string[] = [];
  for (const [i, scope] of scopes.entries()) {
    const isIncluded = scopes.some((other, j) => {
      if (j === i || !withIncluded(model, other).has(scope)) return false;
      return j < i || !withIncluded(model, scope).has(other);
    });
    if (!isIncluded) kept.push(scope);
  }
  return kept;
}

/** What grants need: every scope of `all`, and one of each of `oneOf`. */
interface Need {
  readonly all: readonly string[];
  readonly oneOf: readonly (readonly string[])[];
  /** Those of `oneOf` that are still open when all of `all` is there. */
  readonly open: readonly (readonly string[])[];
}

function needOf(model: ScopeModel, granted: readonly Action[]): Need {
  const all = [...new Set(granted.flatMap((action) => action.scopes ?? []))].sort();
  const reached = reachOf(model, all);
  const sets = granted.flatMap(({ scopesAnyOf = [] }) => (scopesAnyOf.length === 0 ? [] : [[...scopesAnyOf].sort()]));
  const oneOf = [...new Map(sets.map((set) => [set.join(' '), set])).values()];
  return { all, oneOf, open: oneOf.filter((set) => !set.some((one) => reached.has(one))) };
}

function reachOf(model: ScopeModel, scopes: readonly string[]): ReadonlySet<string> {
  return new Set(scopes.flatMap((scope) => [...withIncluded(model, scope)]));
}

/** Compares. Every list is sorted; never throws. */
export function privilegeOf(input: PrivilegeInput): Privilege {
  const { kind, held, actions, patterns } = input;
  const model = kind.scopes ?? null;
  if (model === null || (model.of !== 'key' && model.of !== 'actor')) {
    const why = WITHOUT_SCOPES[model?.of === 'kind' ? 'kind' : 'none'];
    return { ...NOTHING, of: model?.of ?? null, held: null, verdict: 'broker', why };
  }
  const distinct = [...new Set(patterns)];
  const granted = actions.filter((action) => distinct.some((pattern) => covers(pattern, action)));
  const unknown = granted.filter((action) => action.scopes === undefined && action.scopesAnyOf === undefined);
  const names = unknown.map(({ name }) => name).sort();
  const need = needOf(model, granted);
  const difference = held === null ? null : differenceOf(model, held, need);
  // What a key that mints needs does not show in grants: it has none.
  const isCertain = unknown.length === 0 && input.purpose === 'lend';
  const verdict = verdictOf(input, model, { difference, isCertain });
  return {
    ...NOTHING,
    ...difference,
    of: model.of,
    held: held === null ? null : [...held].sort(),
    needed: need.all,
    neededOneOf: need.open,
    unknownActions: { count: names.length, names: names.slice(0, NAMES_MAX) },
    suggested: isCertain && model.of === 'key' ? suggestedFor(model, need) : null,
    verdict,
    why: whyOf(input, model, { verdict, unknown: unknown.length }),
  };
}

const NOTHING = {
  needed: [],
  neededOneOf: [],
  everything: [],
  reveals: [],
  unused: [],
  broader: [],
  missing: [],
  missingOneOf: [],
  unknownActions: { count: 0, names: [] },
  suggested: null,
} as const;

/** The scopes that are needed, less those that others of them include; of a choice, the one that includes least. Null where nothing is needed. */
function suggestedFor(model: ScopeModel, need: Need): readonly string[] | null {
  const chosen = [...need.all];
  for (const set of need.open) {
    const reached = reachOf(model, chosen);
    if (set.some((one) => reached.has(one))) continue;
    const [narrowest] = set.toSorted((a, b) => withIncluded(model, a).size - withIncluded(model, b).size);
    chosen.push(narrowest!);
  }
  return chosen.length === 0 ? null : leastOf(model, chosen).sort();
}

type Difference = Pick<Privilege, 'everything' | 'reveals' | 'unused' | 'broader' | 'missing' | 'missingOneOf'>;

function differenceOf(model: ScopeModel, held: readonly string[], need: Need): Difference {
  const everything = held.filter((scope) => model.everything?.includes(scope) === true).sort();
  const others = held.filter((scope) => !everything.includes(scope)).sort();
  const sets = [...need.all.map((one) => [one]), ...need.oneOf];
  const kept = keptOf(model, others, sets);
  const wanted = [...new Set(sets.flat())].sort();
  const reached = reachOf(model, others);
  const isMissing = (set: readonly string[]) => everything.length === 0 && !set.some((one) => reached.has(one));
  return {
    everything,
    reveals: others.filter((scope) => model.reveals?.some((one) => withIncluded(model, scope).has(one)) === true),
    unused: others.filter((scope) => !kept.has(scope)),
    broader: [...kept]
      .filter((scope) => !wanted.includes(scope))
      .sort()
      .map((scope) => ({ scope, neededOf: wanted.filter((one) => withIncluded(model, scope).has(one)) })),
    missing: need.all.filter((one) => isMissing([one])),
    missingOneOf: need.open.filter(isMissing),
  };
}

/** The scopes that must stay for every set that is met to stay met: each that can be spared goes, the widest first. */
function keptOf(
  model: ScopeModel,
  scopes: readonly string[],
  sets: readonly (readonly string[])[],
): ReadonlySet<string> {
  const meeting = new Map<string, { readonly width: number; readonly met: readonly number[] }>();
  const meets = sets.map(() => 0);
  for (const scope of scopes) {
    const reached = withIncluded(model, scope);
    const met = sets.flatMap((set, i) => (set.some((one) => reached.has(one)) ? [i] : []));
    for (const i of met) meets[i]!++;
    meeting.set(scope, { width: reached.size, met });
  }
  const kept = new Set(scopes);
  for (const [scope, { met }] of [...meeting].sort(([, a], [, b]) => b.width - a.width)) {
    if (met.some((i) => meets[i]! < 2)) continue;
    kept.delete(scope);
    for (const i of met) meets[i]!--;
  }
  return kept;
}

/** Whether there may be scopes that nobody has listed. */
function isOpen(model: ScopeModel): boolean {
  return model.isOpen === true || model.all.length === 0;
}

function verdictOf(
  { held }: PrivilegeInput,
  model: ScopeModel,
  { difference, isCertain }: { readonly difference: Difference | null; readonly isCertain: boolean },
): PrivilegeVerdict {
  if (held === null || difference === null) return 'unknown';
  if (difference.everything.length > 0) return 'overprivileged';
  // A scope that nobody listed may include what seems to be missing.
  const isListed = held.every((scope) => model.all.includes(scope));
  if (difference.missing.length + difference.missingOneOf.length > 0) return isListed ? 'missing' : 'unknown';
  if (!isCertain || isOpen(model)) return 'unknown';
  return difference.unused.length > 0 || difference.broader.length > 0 ? 'wider' : 'narrow';
}

const WITHOUT_SCOPES = {
  none: 'no scopes of the provider are compared for keys of this kind: its grants narrow it, at the broker',
  kind: 'what a key of this kind may do is the same for all of them: its grants narrow it, at the broker',
} as const;

function whyOf(
  { purpose, held, patterns }: PrivilegeInput,
  model: ScopeModel,
  { verdict, unknown }: { readonly verdict: PrivilegeVerdict; readonly unknown: number },
): string {
  switch (verdict) {
    case 'overprivileged':
      return 'it holds a scope that means everything, which no key should have';
    case 'missing':
      return 'a grant allows what the key itself may not do: the provider will refuse it';
    case 'wider':
      return patterns.length === 0
        ? 'nothing is granted: it needs none of its scopes'
        : 'its grants need less than it holds';
    case 'narrow':
      return 'it holds what its grants need, and nothing else';
    case 'broker':
      return WITHOUT_SCOPES.none;
    case 'unknown':
      break;
  }
  if (purpose === 'manage') return 'it mints others and is never granted: what it needs does not show in grants';
  if (held === null) {
    return model.of === 'actor'
      ? 'what the account behind the key may do is not known here'
      : 'nobody wrote down which scopes the key has';
  }
  if (unknown > 0) return `which scopes ${unknown} of the granted actions need is not known`;
  return 'the provider has scopes that nobody has listed: what they include cannot be told';
}
