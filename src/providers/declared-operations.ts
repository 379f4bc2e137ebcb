// Listing, ending and asking about keys by declaration. Rules are tried in their order; what none of them recognises claims the least.
// Not here: making keys (declared-issuing.ts), the form of a declaration (declaration.ts).
import type { Json } from '../model/json.ts';
import type { DeclaredKind } from './declaration.ts';
import { at, foreignText, hintAt, holds, idAt, namesAt, retryAfterMs, ruleFor, timeAt } from './declared-answers.ts';
import { certainRefusal, type Says } from './declared-issuing.ts';
import { requestOf } from './declared-requests.ts';
import type {
  IdentityOutcome,
  Kind,
  ListedKey,
  ListInput,
  ListOutcome,
  Liveness,
  Operation,
  RevokeInput,
  RevokeOutcome,
  Soundness,
} from './provider.ts';

export function listOf(
  kind: DeclaredKind,
  operation: NonNullable<DeclaredKind['list']>,
  says: Says,
): Operation<ListInput, ListOutcome> {
  const first = firstPageOf(operation);
  return {
    request(input) {
      // Pages by number: the first is asked for by its number too, so that its size is asked for.
      return requestOf(kind, operation.request, { ...input.settings, cursor: input.cursor ?? first });
    },
    read(answer, input): ListOutcome {
      const rule = ruleFor(operation.answers, answer);
      if (rule === null) {
        const evidence = says(answer, 'other');
        if (answer.json !== null && (answer.status === 401 || answer.status === 403))
          return { is: 'refused', evidence };
        return { is: 'unknown', evidence, retryAfterMs: retryAfterMs(answer) };
      }
      const evidence = says(answer, rule.name);
      if (rule.as === 'refused') return { is: 'refused', evidence };
      const members = at(answer.json, rule.keys);
      if (!Array.isArray(members)) return { is: 'unknown', evidence, retryAfterMs: null };
      const keys: ListedKey[] = [];
      let lastId: string | null = null;
      for (const member of members) {
        lastId = idAt(member, rule.id);
        if (rule.skip !== undefined && holds(rule.skip, member, '')) continue;
        const providerKeyId = lastId;
        // A list with a member that cannot be told from the others is no list to delete by.
        if (providerKeyId === null) return { is: 'unknown', evidence, retryAfterMs: null };
        keys.push({
          providerKeyId,
          name: foreignText(at(member, rule.keyName)) ?? '',
          createdAt: timeAt(member, rule.createdAt),
          lastUsedAt: timeAt(member, rule.lastUsedAt),
          lastUsedFrom: rule.lastUsedFrom === undefined ? null : foreignText(at(member, rule.lastUsedFrom)),
          scope: rule.scope === undefined ? null : foreignText(scopeText(at(member, rule.scope))),
          ...(rule.hint === undefined ? {} : { hint: hintAt(member, rule.hint) }),
          ...(rule.expiresAt === undefined ? {} : { expiresAt: timeAt(member, rule.expiresAt) }),
        });
      }
      const next = nextOf(rule.next, { json: answer.json, count: members.length, lastId, cursor: input.cursor });
      // There is more, and nobody can say where: a list that is not whole is no list to delete by.
      if (next === null) return { is: 'unknown', evidence, retryAfterMs: null };
      return next === undefined ? { is: 'listed', keys } : { is: 'listed', keys, next };
    },
  };
}

/** The number of the first page; undefined where pages have no numbers. */
function firstPageOf(operation: NonNullable<DeclaredKind['list']>): string | undefined {
  const [first] = operation.answers.flatMap((one) =>
    one.as === 'listed' && one.next !== undefined && 'size' in one.next ? [String(one.next.first)] : [],
  );
  return first;
}

function scopeText(value: Json | undefined): Json | undefined {
  return Array.isArray(value) ? value.map(String).sort().join(' ') : value;
}

type Next = Extract<NonNullable<DeclaredKind['list']>['answers'][number], { as: 'listed' }>['next'];

interface PageSeen {
  readonly json: Json;
  readonly count: number;
  readonly lastId: string | null;
  readonly cursor: string | undefined;
}

/** Where the next page begins; undefined where this is the last, null where there is one that cannot be asked for. */
function nextOf(next: Next, { json, count, lastId, cursor }: PageSeen): string | undefined | null {
  if (next === undefined) return undefined;
  if ('size' in next) return count < next.size ? undefined : String(Number(cursor ?? next.first) + 1);
  if (next.more !== undefined && at(json, next.more) !== true) return undefined;
  if ('by' in next) return lastId;
  const value = at(json, next.cursor);
  if (typeof value === 'string' && value !== '') return value;
  return next.more === undefined ? undefined : null;
}

export function revokeOf(
  kind: DeclaredKind,
  operation: NonNullable<DeclaredKind['revoke']>,
  says: Says,
): Operation<RevokeInput, RevokeOutcome> {
  return {
    request: ({ settings, providerKeyId }) => requestOf(kind, operation.request, { ...settings, providerKeyId }),
    read(answer): RevokeOutcome {
      const rule = ruleFor(operation.answers, answer);
      if (rule === null) {
        const refusal = certainRefusal(answer);
        const evidence = says(answer, 'other');
        // That it is not there is said by a rule, or not at all.
        if (refusal !== null && answer.status !== 429 && answer.status !== 404)
          return { is: 'refused', ...refusal, evidence };
        return { is: 'ambiguous', evidence, retryAfterMs: retryAfterMs(answer) };
      }
      const evidence = says(answer, rule.name);
      if (rule.as === 'refused') return { is: 'refused', final: rule.final, evidence };
      if (rule.as === 'ambiguous') return { is: 'ambiguous', evidence, retryAfterMs: retryAfterMs(answer) };
      return { is: rule.as, evidence };
    },
  };
}

export function probeOf(kind: DeclaredKind, says: Says): Kind['probe'] {
  return {
    request: ({ settings }) => requestOf(kind, kind.probe.request, settings),
    read(answer): Liveness {
      const rule = ruleFor(kind.probe.answers, answer);
      const evidence = says(answer, rule?.name ?? 'other');
      if (rule === null || rule.as === 'unknown')
        return { is: 'unknown', evidence, retryAfterMs: retryAfterMs(answer) };
      return { is: rule.as, evidence };
    },
  };
}

export function identityOf(
  kind: DeclaredKind,
  operation: NonNullable<DeclaredKind['identity']>,
  says: Says,
): NonNullable<Kind['identity']> {
  return {
    request: ({ settings }) => requestOf(kind, operation.request, settings),
    read(answer): IdentityOutcome {
      const rule = ruleFor(operation.answers, answer);
      const evidence = says(answer, rule?.name ?? 'other');
      if (rule === null) return { is: 'unknown', evidence };
      // Where a rule says that the account stands there, and it does not, the answer is not what the rule takes it for.
      const account = rule.account === undefined ? null : idAt(answer.json, rule.account);
      if (rule.account !== undefined && account === null) return { is: 'unknown', evidence };
      const id = rule.id === undefined ? null : idAt(answer.json, rule.id);
      const scopes = namesAt(answer.json, rule.scopes);
      return {
        is: 'known',
        account,
        ...(id === null ? {} : { providerKeyId: id }),
        ...(scopes === null ? {} : { scopes }),
        ...(rule.expiresAt === undefined ? {} : { expiresAt: timeAt(answer.json, rule.expiresAt) }),
        evidence,
      };
    },
  };
}

export function preflightOf(
  kind: DeclaredKind,
  operation: NonNullable<DeclaredKind['preflight']>,
  says: Says,
): NonNullable<Kind['preflight']> {
  return {
    request: ({ settings }) => ({ ...requestOf(kind, operation.request, settings), secrets: [] }),
    read(answer): Soundness {
      const rule = ruleFor(operation.answers, answer);
      const evidence = says(answer, rule?.name ?? 'other');
      if (rule === null || rule.as === 'unknown')
        return { is: 'unknown', evidence, retryAfterMs: retryAfterMs(answer) };
      return { is: rule.as, evidence };
    },
  };
}
