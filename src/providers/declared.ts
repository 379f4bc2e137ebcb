// A provider by declaration, made into a member of the family: the same operations as those that are written in code, compiled from data.
// Rules are tried in their order and the first that applies speaks; what none of them recognises claims the least that it can.
// Not here: the form of a declaration (declaration.ts).
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { Secret } from '../model/secret.ts';
import {
  type Declaration,
  type DeclaredKind,
  declarationSchema,
  type FrozenDeclaration,
  type IssueRule,
} from './declaration.ts';
import { at, foreignText, headerOf, holds, idAt, namesAt, retryAfterMs, ruleFor, timeAt } from './declared-answers.ts';
import { issueValues, requestOf } from './declared-requests.ts';
import type {
  Action,
  Evidence,
  IdentityOutcome,
  IssueInput,
  IssueOutcome,
  Kind,
  ListedKey,
  ListInput,
  ListOutcome,
  Liveness,
  Operation,
  Place,
  Provider,
  ProviderAnswer,
  RevokeInput,
  RevokeOutcome,
} from './provider.ts';

/** What a new part must at least be: fit for a header. One of a form that nobody foresaw must not be lost for its form. */
const HEADER_SAFE = /^[\x21-\x7e]{6,4096}$/;

/** Checks a declaration and makes it a provider. Throws Failure `invalid` that names every error with its path. */
export function declared(input: FrozenDeclaration): Provider {
  return compile(parseDeclaration(input));
}

/** The same for data of unknown origin: a file of a user's. */
export function parseDeclaration(input: unknown): Declaration {
  const parsed = declarationSchema.safeParse(input);
  if (!parsed.success) {
    const errors = parsed.error.issues.map((issue) => `/${issue.path.join('/')}: ${issue.message}`);
    throw new Failure('invalid', `the declaration of a provider is not right:\n${errors.join('\n')}`);
  }
  const problems = contradictions(parsed.data);
  if (problems.length > 0)
    throw new Failure('invalid', `the declaration of a provider contradicts itself:\n${problems.join('\n')}`);
  return parsed.data;
}

/** What a schema cannot say. */
function contradictions(declaration: Declaration): string[] {
  const problems: string[] = [];
  const names = new Set(declaration.kinds.map((kind) => kind.name));
  if (names.size < declaration.kinds.length) problems.push('/kinds: two kinds have one name');
  for (const [at, kind] of declaration.kinds.entries()) {
    const here = `/kinds/${at}`;
    for (const issuer of kind.issuers)
      if (!names.has(issuer)) problems.push(`${here}/issuers: there is no kind ${issuer}`);
    for (const place of kind.places) {
      const part = place.part ?? 'key';
      if (!Object.hasOwn(kind.parts, part)) problems.push(`${here}/places: the kind has no part ${part}`);
    }
    if (kind.rotation === 'overlap' && (kind.issue === undefined || kind.revoke === undefined))
      problems.push(`${here}/rotation: overlap needs issue and revoke`);
    if ((kind.rotation === 'swap' || kind.rotation === 'grace') && kind.replace === undefined)
      problems.push(`${here}/rotation: ${kind.rotation} needs replace`);
    if (kind.rotation === 'grace' && kind.graceMaxSeconds === undefined)
      problems.push(`${here}/rotation: grace needs graceMaxSeconds`);
    if (kind.rotation === 'assisted' && kind.byHand === undefined)
      problems.push(`${here}/rotation: assisted needs byHand, or nobody knows what to do`);
    for (const [n, answer] of kind.probe.answers.entries()) {
      const statuses = [answer.status].flat();
      const isVague = answer.when === undefined;
      if (answer.as === 'dead' && statuses.some((one) => one === 429 || one >= 500 || one < 300))
        problems.push(`${here}/probe/answers/${n}: a status that proves nothing is called dead`);
      if (answer.as === 'dead' && isVague)
        problems.push(
          `${here}/probe/answers/${n}: dead by its status alone; a proxy in between answers the same: name the body`,
        );
    }
  }
  return problems;
}

function compile(declaration: Declaration): Provider {
  const { name, title, origin, console } = declaration;
  return {
    name,
    title,
    origin,
    console,
    kinds: declaration.kinds.map((kind) => compileKind(declaration, kind)),
    actions: (declaration.actions as readonly Action[] | undefined) ?? EVERYTHING,
  };
}

/** The catalogue of a provider whose operations nobody has named. */
const EVERYTHING: readonly Action[] = [
  { name: 'api.read', method: 'GET', path: '/{rest*}', effect: 'read' },
  { name: 'api.head', method: 'HEAD', path: '/{rest*}', effect: 'read' },
  { name: 'api.create', method: 'POST', path: '/{rest*}', effect: 'write' },
  { name: 'api.replace', method: 'PUT', path: '/{rest*}', effect: 'write' },
  { name: 'api.change', method: 'PATCH', path: '/{rest*}', effect: 'write' },
  { name: 'api.delete', method: 'DELETE', path: '/{rest*}', effect: 'delete' },
];

function compileKind(declaration: Declaration, kind: DeclaredKind): Kind {
  const parts = Object.keys(kind.parts);
  const publicParts = parts.filter((part) => kind.parts[part]!.public);
  const says = evidenceOf(declaration);
  return {
    name: kind.name,
    title: kind.title,
    ...(kind.origin === undefined ? {} : { origin: kind.origin }),
    parts,
    ...(publicParts.length === 0 ? {} : { publicParts }),
    format: Object.fromEntries(parts.map((part) => [part, new RegExp(kind.parts[part]!.format, 'u')])),
    places: kind.places as readonly Place[],
    rotation: kind.rotation,
    activeMax: kind.activeMax,
    propagationMs: kind.propagationSeconds * 1000,
    settings: Object.fromEntries(
      Object.entries(kind.settings).map(([key, { required, about }]) => [key, { required, about }]),
    ),
    issuers: kind.issuers,
    issue: kind.issue === undefined ? null : issueOf(kind, kind.issue, says),
    list: kind.list === undefined ? null : listOf(kind, kind.list, says),
    revoke: kind.revoke === undefined ? null : revokeOf(kind, kind.revoke, says),
    probe: probeOf(kind, says),
    ...(kind.replace === undefined ? {} : { replace: issueOf(kind, kind.replace, says) }),
    ...(kind.identity === undefined ? {} : { identity: identityOf(kind, kind.identity, says) }),
    ...(kind.asks === undefined ? {} : { asks: kind.asks }),
    ...(kind.graceMaxSeconds === undefined ? {} : { graceMaxSeconds: kind.graceMaxSeconds }),
    ...(namesEnd(kind) ? { canExpire: true } : {}),
    ...(kind.scopes === undefined ? {} : { scopes: kind.scopes as NonNullable<Kind['scopes']> }),
    ...(kind.byHand === undefined ? {} : { byHand: kind.byHand }),
  };
}

/** Whether a new key's end has a place in the request for it: an end without one would be forgotten in silence. */
function namesEnd({ issue, replace }: DeclaredKind): boolean {
  return JSON.stringify([issue?.request, replace?.request]).includes('{expires');
}

type Says = (answer: ProviderAnswer, signature: string) => Evidence;

function evidenceOf(declaration: Declaration): Says {
  return (answer, signature) => {
    const candidates = declaration.requestIds.map((header) => headerOf(answer, header.toLowerCase()));
    // Only what looks like an id is kept: evidence is published, and a request id is the peer's text.
    const requestId = candidates.find((one) => one !== null && /^[A-Za-z0-9._:-]{1,60}$/.test(one)) ?? null;
    return { status: answer.status, signature: `${declaration.name}.${answer.status}.${signature}`, requestId };
  };
}

/** Statuses at which nothing was made, when they are the provider's own word: its body is JSON, as all its bodies are. */
function certainRefusal(answer: ProviderAnswer): { final: boolean } | null {
  if (answer.status === 429) return { final: false };
  if (answer.json === null) return null;
  if (answer.status === 401 || answer.status === 403) return { final: false };
  return [400, 402, 404, 405, 409, 410, 415, 422].includes(answer.status) ? { final: true } : null;
}

function issueOf<In extends IssueInput>(
  kind: DeclaredKind,
  operation: NonNullable<DeclaredKind['issue']>,
  says: Says,
): Operation<In, IssueOutcome> {
  const wantsScopes = kind.scopes?.of === 'key' && JSON.stringify(operation.request).includes('{scopes');
  return {
    request(input) {
      // Asked for without scopes, a provider may give all there are.
      if (wantsScopes && input.scopes === undefined)
        throw new Failure('invalid', 'a key of this kind is asked for with its scopes, and they are not known');
      return requestOf(kind, operation.request, issueValues(input));
    },
    read(answer): IssueOutcome {
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
      return issuedOf(rule, answer, evidence);
    },
  };
}

function issuedOf(
  rule: Extract<IssueRule, { as: 'issued' }>,
  answer: ProviderAnswer,
  evidence: Evidence,
): IssueOutcome {
  const parts: Record<string, Secret> = {};
  for (const [part, pointer] of Object.entries(rule.parts)) {
    const value = at(answer.json, pointer);
    if (typeof value !== 'string' || !HEADER_SAFE.test(value)) return { is: 'ambiguous', evidence };
    parts[part] = new Secret(value);
  }
  const providerKeyId = idAt(answer.json, rule.id);
  // A key was made, and which one nobody could say when it is to end: as uncertain as no answer.
  if (providerKeyId === null) return { is: 'ambiguous', evidence };
  const scopes = namesAt(answer.json, rule.scopes);
  return {
    is: 'issued',
    parts,
    providerKeyId,
    ...(scopes === null ? {} : { scopes }),
    ...(rule.expiresAt === undefined ? {} : { expiresAt: timeAt(answer.json, rule.expiresAt) }),
    evidence,
  };
}

function listOf(
  kind: DeclaredKind,
  operation: NonNullable<DeclaredKind['list']>,
  says: Says,
): Operation<ListInput, ListOutcome> {
  const hasNumbers = operation.answers.some(
    (one) => one.as === 'listed' && one.next !== undefined && 'size' in one.next,
  );
  return {
    request(input) {
      // Pages by number: the first is asked for by its number too, so that its size is asked for.
      const cursor = input.cursor ?? (hasNumbers ? '1' : undefined);
      return requestOf(kind, operation.request, { ...input.settings, cursor });
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
      for (const member of members) {
        if (rule.skip !== undefined && holds(rule.skip, member, '')) continue;
        const providerKeyId = idAt(member, rule.id);
        // A list with a member that cannot be told from the others is no list to delete by.
        if (providerKeyId === null) return { is: 'unknown', evidence, retryAfterMs: null };
        keys.push({
          providerKeyId,
          name: foreignText(at(member, rule.keyName)) ?? '',
          createdAt: timeAt(member, rule.createdAt),
          lastUsedAt: timeAt(member, rule.lastUsedAt),
          lastUsedFrom: rule.lastUsedFrom === undefined ? null : foreignText(at(member, rule.lastUsedFrom)),
          scope: rule.scope === undefined ? null : foreignText(scopeText(at(member, rule.scope))),
        });
      }
      const next = nextOf(rule.next, answer.json, members.length, input.cursor);
      return next === undefined ? { is: 'listed', keys } : { is: 'listed', keys, next };
    },
  };
}

function scopeText(value: Json | undefined): Json | undefined {
  return Array.isArray(value) ? value.map(String).sort().join(' ') : value;
}

type Next = Extract<NonNullable<DeclaredKind['list']>['answers'][number], { as: 'listed' }>['next'];

function nextOf(next: Next, json: Json, count: number, cursor: string | undefined): string | undefined {
  if (next === undefined) return undefined;
  if ('size' in next) return count < next.size ? undefined : String(Number(cursor ?? '1') + 1);
  if (next.more !== undefined && at(json, next.more) !== true) return undefined;
  const value = at(json, next.cursor);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function revokeOf(
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

function probeOf(kind: DeclaredKind, says: Says): Kind['probe'] {
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

function identityOf(
  kind: DeclaredKind,
  operation: NonNullable<DeclaredKind['identity']>,
  says: Says,
): NonNullable<Kind['identity']> {
  return {
    request: ({ settings }) => requestOf(kind, operation.request, settings),
    read(answer): IdentityOutcome {
      const rule = ruleFor(operation.answers, answer);
      const evidence = says(answer, rule?.name ?? 'other');
      const account = rule === null ? null : idAt(answer.json, rule.account);
      if (rule === null || account === null) return { is: 'unknown', evidence };
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
