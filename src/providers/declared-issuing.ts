// Making keys by declaration: what is asked for, and whether the key in the answer is the one that was asked for. A key that may do more, or
// lives longer, is not: its making is as uncertain as one without an answer, so that it is found by its label and removed.
// Not here: the other operations (declared-operations.ts).
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import type { DeclaredKind, IssueRule } from './declaration.ts';
import { at, idAt, namesAt, ruleFor, timeAt } from './declared-answers.ts';
import { demandEnd, filledText, issueValues, requestOf } from './declared-requests.ts';
import type { Evidence, IssueInput, IssueOutcome, Operation, ProviderAnswer } from './provider.ts';

/** Evidence of an answer, under the name of what was seen in it. */
export type Says = (answer: ProviderAnswer, signature: string) => Evidence;

/** What a new part must at least be: fit for a header. One of a form that nobody foresaw must not be lost for its form. */
const HEADER_SAFE = /^[\x21-\x7e]{6,4096}$/;

/** Statuses at which nothing was made, when they are the provider's own word: its body is JSON, as all its bodies are. */
export function certainRefusal(answer: ProviderAnswer): { final: boolean } | null {
  if (answer.status === 429) return { final: false };
  if (answer.json === null) return null;
  if (answer.status === 401 || answer.status === 403) return { final: false };
  return [400, 402, 404, 405, 409, 410, 415, 422].includes(answer.status) ? { final: true } : null;
}

/** `issue` or `replace`. Its request throws `invalid` where scopes or an end are asked for that it cannot ask for. */
export function issueOf<In extends IssueInput>(
  kind: DeclaredKind,
  operation: NonNullable<DeclaredKind['issue']>,
  says: Says,
): Operation<In, IssueOutcome> {
  const wantsScopes = kind.scopes?.of === 'key' && JSON.stringify(operation.request).includes('{scopes');
  return {
    request(input) {
      // Asked for without scopes, or with none of them, a provider may give all there are.
      if (wantsScopes && (input.scopes ?? []).length === 0)
        throw new Failure('invalid', 'a key of this kind is asked for with its scopes, and they are not known');
      demandEnd(operation.request, input);
      return requestOf(kind, operation.request, issueValues(input));
    },
    read(answer, input): IssueOutcome {
      const rule = ruleFor(operation.answers, answer);
      if (rule === null) {
        const refusal = certainRefusal(answer);
        const evidence = says(answer, 'other');
        if (refusal === null) return { is: 'ambiguous', evidence };
        return { is: 'refused', ...refusal, quotaFull: false, evidence };
      }
      const evidence = says(answer, rule.name);
      if (rule.as === 'refused') return { is: 'refused', final: rule.final, quotaFull: rule.quotaFull, evidence };
      if (rule.as === 'ambiguous') return { is: 'ambiguous', evidence };
      const difference = differenceOf(kind, { rule, answer, input });
      if (difference !== null) return { is: 'ambiguous', evidence: says(answer, difference) };
      return issuedOf(rule, answer, evidence);
    },
  };
}

type IssuedRule = Extract<IssueRule, { as: 'issued' }>;

/** In what the key that was made is not the one that was asked for; null where nothing says so. */
function differenceOf(
  kind: DeclaredKind,
  made: { readonly rule: IssuedRule; readonly answer: ProviderAnswer; readonly input: IssueInput },
): string | null {
  const { rule, answer, input } = made;
  const { scopes } = rule;
  if (typeof scopes === 'object' && !isAsAsked(input.scopes, namesAt(answer.json, scopes.at), scopes.must))
    return 'other-scopes';
  if (rule.expiresAt !== undefined && input.expiresAt !== undefined) {
    const ends = timeAt(answer.json, rule.expiresAt);
    if (ends === null || ends > input.expiresAt) return 'other-end';
  }
  for (const [pointer, template] of Object.entries(rule.asAsked ?? {})) {
    const wanted = filledText(kind, template, issueValues(input));
    if (wanted === undefined || at(answer.json, pointer) !== wanted) return 'other-than-asked';
  }
  return null;
}

function isAsAsked(
  asked: readonly string[] | undefined,
  given: readonly string[] | null,
  must: 'equal' | 'no-wider',
): boolean {
  if (asked === undefined || given === null || !given.every((scope) => asked.includes(scope))) return false;
  return must === 'no-wider' || asked.every((scope) => given.includes(scope));
}

function issuedOf(rule: IssuedRule, answer: ProviderAnswer, evidence: Evidence): IssueOutcome {
  const parts: Record<string, Secret> = {};
  for (const [part, pointer] of Object.entries(rule.parts)) {
    const value = at(answer.json, pointer);
    if (typeof value !== 'string' || !HEADER_SAFE.test(value)) return { is: 'ambiguous', evidence };
    parts[part] = new Secret(value);
  }
  const providerKeyId = idAt(answer.json, rule.id);
  // A key was made, and which one nobody could say when it is to end: as uncertain as no answer.
  if (providerKeyId === null) return { is: 'ambiguous', evidence };
  const scopes = namesAt(answer.json, typeof rule.scopes === 'object' ? rule.scopes.at : rule.scopes);
  return {
    is: 'issued',
    parts,
    providerKeyId,
    ...(scopes === null ? {} : { scopes }),
    ...(rule.expiresAt === undefined ? {} : { expiresAt: timeAt(answer.json, rule.expiresAt) }),
    evidence,
  };
}
