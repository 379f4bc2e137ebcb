// A provider by declaration, made into a member of the family: the same operations as those that are written in code, compiled from data, and
// what a declaration may not say although its form allows it.
// Not here: the form of a declaration (declaration.ts), what its operations do (declared-issuing.ts, declared-operations.ts).
import { Failure } from '../model/failure.ts';
import {
  type Declaration,
  type DeclaredCondition,
  type DeclaredKind,
  declarationSchema,
  type FrozenDeclaration,
} from './declaration.ts';
import { requestIdOf } from './declared-answers.ts';
import { issueOf, type Says } from './declared-issuing.ts';
import { identityOf, listOf, preflightOf, probeOf, revokeOf } from './declared-operations.ts';
import { namesEnd } from './declared-requests.ts';
import type { Action, Kind, Place, Provider } from './provider.ts';

/** What each member was made of. Nothing else is known of a provider than what it does. */
const sources = new WeakMap<Provider, Declaration>();

/** Checks a declaration and makes it a provider. Throws Failure `invalid` that names every error with its path. */
export function declared(input: FrozenDeclaration): Provider {
  const declaration = parseDeclaration(input);
  const provider = compile(declaration);
  sources.set(provider, declaration);
  return provider;
}

/** The declaration that a provider is the whole of; null for one in code, or one to which code was added. */
export function declarationOf(provider: Provider): Declaration | null {
  return sources.get(provider) ?? null;
}

/** Checks data of unknown origin: a file of a user's. Throws as `declared` does. */
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
    problems.push(...settingProblems(here, kind), ...probeProblems(here, kind), ...preflightProblems(here, kind));
  }
  return problems;
}

function settingProblems(here: string, kind: DeclaredKind): string[] {
  return Object.entries(kind.settings).flatMap(([key, { default: value, format, number }]) => {
    const isWrong =
      value !== undefined &&
      ((format !== undefined && !new RegExp(format, 'u').test(value)) || (number && !/^-?[0-9]{1,15}$/.test(value)));
    return isWrong ? [`${here}/settings/${key}/default: it does not have the form of the setting`] : [];
  });
}

/** What can be said of a key by its status alone, and what cannot be said by any body. */
function probeProblems(here: string, kind: DeclaredKind): string[] {
  const problems: string[] = [];
  for (const [n, answer] of kind.probe.answers.entries()) {
    if (answer.as !== 'dead') continue;
    const statuses = [answer.status].flat();
    const at = `${here}/probe/answers/${n}`;
    if (statuses.some((one) => one < 200 || one === 429 || one >= 500))
      problems.push(`${at}: a status that proves nothing is called dead`);
    if (answer.when === undefined)
      problems.push(`${at}: dead by its status alone; a proxy in between answers the same: name the body`);
    // Some providers refuse a key with status 200. Then every answer has it, and only what stands in the body tells.
    else if (statuses.some((one) => one < 300) && !namesText(answer.when))
      problems.push(`${at}: dead at a status of success; name a value, a pattern or a text that only a refusal holds`);
  }
  return problems;
}

/** Whether a condition names something that must be there, beyond its type. */
function namesText({ json = {}, contains }: DeclaredCondition): boolean {
  const isNamed = (wanted: unknown) =>
    typeof wanted === 'string' ||
    typeof wanted === 'number' ||
    (typeof wanted === 'object' && wanted !== null && ('oneOf' in wanted || 'matches' in wanted));
  return contains !== undefined || Object.values(json).some(isNamed);
}

function preflightProblems(here: string, { preflight }: DeclaredKind): string[] {
  if (preflight === undefined) return [];
  const sound = preflight.answers.filter((answer) => answer.as === 'sound');
  const problems: string[] = [];
  if (preflight.request.secrets !== undefined)
    problems.push(`${here}/preflight/request/secrets: no key goes along with it`);
  if (sound.length === 0) problems.push(`${here}/preflight: no answer is sound, so that every probe would be unknown`);
  if (sound.some((answer) => answer.when === undefined))
    problems.push(`${here}/preflight: sound by its status alone; a proxy in between answers the same: name the body`);
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
      Object.entries(kind.settings).map(([key, { required, about, default: value }]) => [
        key,
        value === undefined ? { required, about } : { required: false, about, default: value },
      ]),
    ),
    issuers: kind.issuers,
    issue: kind.issue === undefined ? null : issueOf(kind, kind.issue, says),
    list: kind.list === undefined ? null : listOf(kind, kind.list, says),
    ...(kind.list?.answers.some((answer) => answer.as === 'listed' && answer.lastUsedAt !== undefined)
      ? { showsLastUse: true }
      : {}),
    revoke: kind.revoke === undefined ? null : revokeOf(kind, kind.revoke, says),
    probe: probeOf(kind, says),
    ...(kind.preflight === undefined ? {} : { preflight: preflightOf(kind, kind.preflight, says) }),
    ...(kind.replace === undefined ? {} : { replace: issueOf(kind, kind.replace, says) }),
    ...(kind.identity === undefined ? {} : { identity: identityOf(kind, kind.identity, says) }),
    ...(kind.rights === undefined ? {} : { rights: kind.rights.map((one) => identityOf(kind, one, says)) }),
    ...(kind.asks === undefined ? {} : { asks: kind.asks }),
    ...(kind.graceMaxSeconds === undefined ? {} : { graceMaxSeconds: kind.graceMaxSeconds }),
    ...(namesEnd(kind.issue?.request) || namesEnd(kind.replace?.request) ? { canExpire: true } : {}),
    ...(kind.scopes === undefined ? {} : { scopes: kind.scopes as NonNullable<Kind['scopes']> }),
    ...(kind.byHand === undefined ? {} : { byHand: kind.byHand }),
  };
}

function evidenceOf({ name, requestIds, requestIdsInBody }: Declaration): Says {
  const where = { headers: requestIds.map((header) => header.toLowerCase()), pointers: requestIdsInBody };
  return (answer, signature) => ({
    status: answer.status,
    signature: `${name}.${answer.status}.${signature}`,
    requestId: requestIdOf(answer, where),
  });
}
