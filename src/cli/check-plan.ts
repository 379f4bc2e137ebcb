// What `claviger provider check` says without sending anything: for each kind the requests that would be sent, with names in braces where
// values will stand, where the key stands in them, how answers are read, and what is missing before Claviger can rotate it by itself.
// Pure. Not here: sending (check-live.ts).
import type { UtcMs } from '../model/clock.ts';
import type { Declaration, DeclaredKind } from '../providers/declaration.ts';
import type {
  FormPlace,
  Kind,
  Operation,
  Place,
  Provider,
  ProviderRequest,
  SecretPlace,
} from '../providers/provider.ts';
import { visible } from './text.ts';
import type { View } from './view.ts';

export const OPERATIONS = [
  'issue',
  'replace',
  'list',
  'revoke',
  'preflight',
  'probe',
  'identity',
  'rights',
  'log',
] as const;
export type OperationName = (typeof OPERATIONS)[number];
/** Asked with the key itself, unless its kind says that the issuer asks. */
const OF_THE_KEY: ReadonlySet<OperationName> = new Set(['probe', 'identity', 'rights']);

export interface PlannedRequest {
  readonly operation: OperationName;
  /** `POST /v1/keys`; null where the kind does not build its request from what is given, and `why` says what it wants. */
  readonly line: string | null;
  readonly why: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON or form fields; null without a body. */
  readonly body: unknown;
  /** `header Authorization: Bearer ⟨key⟩`: never a key. */
  readonly secrets: readonly string[];
  /** `401 invalid-key: dead where /error is "invalid_key"`; null where the answers are read by code. */
  readonly answers: readonly string[] | null;
}

export interface KindPlan {
  readonly kind: string;
  readonly rotation: string;
  readonly issuers: readonly string[];
  readonly requests: readonly PlannedRequest[];
  /** What stands between this kind and a rotation that needs nobody. */
  readonly missing: readonly string[];
  /** Whether its declared mode asks for what is missing: a kind that is rotated by hand may lack everything. */
  readonly isFinding: boolean;
}

/** The plan of a kind. `declaration`: what the provider was compiled from, where that is at hand. */
export function planKind(
  provider: Provider,
  kind: Kind,
  how: {
    readonly settings: Readonly<Record<string, string>>;
    readonly declaration: Declaration | null;
    /** Up to when a log would be read. */
    readonly now: UtcMs;
  },
): KindPlan {
  const declaredKind = how.declaration?.kinds.find((one) => one.name === kind.name) ?? null;
  const requests = OPERATIONS.flatMap((operation) => {
    // A log is read by code alone.
    const declared = operation === 'log' ? [] : allOf(declaredKind?.[operation]);
    return allOf<Operation<never, unknown>>(kind[operation]).map((one, at) =>
      planRequest(provider, kind, { ...how, operation, one, declared: declared[at] ?? null }),
    );
  });
  const missing = missingOf(kind, declaredKind);
  const isFinding = kind.rotation !== 'assisted' && missing.length > 0;
  return { kind: kind.name, rotation: kind.rotation, issuers: kind.issuers, requests, missing, isFinding };
}

/** One, several or none, as a list. */
function allOf<T>(operation: T | readonly T[] | null | undefined): readonly T[] {
  if (operation === null || operation === undefined) return [];
  return Array.isArray(operation) ? operation : [operation as T];
}

interface RequestOptions {
  readonly operation: OperationName;
  readonly one: Operation<never, unknown>;
  readonly settings: Readonly<Record<string, string>>;
  readonly now: UtcMs;
  /** Null where it was not made from a declaration. */
  readonly declared: { readonly request: unknown; readonly answers: readonly object[] } | null;
}

function planRequest(provider: Provider, kind: Kind, options: RequestOptions): PlannedRequest {
  const { operation, declared } = options;
  const answers =
    declared === null ? null : (declared.answers as Parameters<typeof describeAnswer>[0][]).map(describeAnswer);
  const bare = { operation, headers: {}, body: null, secrets: [], answers };
  // The templates themselves say more than what is made of them.
  const request = declared === null ? built(kind, options) : (declared.request as ProviderRequest & { page?: string });
  if (typeof request === 'string') return { ...bare, line: null, why: request };
  const page = 'page' in request && request.page !== undefined ? ` (next page: ${String(request.page)})` : '';
  return {
    ...bare,
    line: `${request.method} ${withBraces(request.path)}${page}`,
    why: null,
    headers: request.headers ?? {},
    body: request.json ?? request.form ?? null,
    secrets: secretsOf(provider, kind, { operation, request }),
  };
}

/** A request as its kind builds it from names in braces; the reason where it wants real values. */
function built(kind: Kind, { one, settings, now }: RequestOptions): ProviderRequest | string {
  const names = Object.entries(kind.settings).filter(
    ([name, { required }]) => required || settings[name] !== undefined,
  );
  const input = {
    settings: { ...Object.fromEntries(names.map(([name]) => [name, `{${name}}`])), ...settings },
    label: '{label}',
    scopes: settings['scopes']?.split(/[\s,]+/) ?? ['{scopes}'],
    providerKeyId: '{providerKeyId}',
    since: now - (kind.logWindowMs ?? 0),
    until: now,
  };
  try {
    return one.request(input as never);
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    return `it is built from real settings only, give them with --set (${why})`;
  }
}

function withBraces(path: string): string {
  return path.replaceAll(/%7B([A-Za-z]+)%7D/gi, '{$1}');
}

function secretsOf(
  provider: Provider,
  kind: Kind,
  { operation, request }: { readonly operation: OperationName; readonly request: ProviderRequest },
): string[] {
  if (operation === 'preflight') return [];
  if (request.secrets !== undefined)
    return request.secrets.map((place) => `${describePlace(place)} of the ${whose(place)}`);
  const isOwn = OF_THE_KEY.has(operation) && kind.asks !== 'issuer';
  if (isOwn) return firstPlaces(kind.places).map((place) => `${describePlace(place)} of the key itself`);
  const issuer = provider.kinds.find((one) => one.name === kind.issuers[0]);
  return firstPlaces((issuer ?? kind).places).map((place) => `${describePlace(place)} of the issuer`);
}

function whose(place: SecretPlace): string {
  return place.of === 'target' ? 'key that it is about' : 'key that asks';
}

/** Each part stands in the first of its own places. */
function firstPlaces(places: readonly Place[]): readonly Place[] {
  const part = (place: Place) => place.part ?? 'key';
  return places.filter((place, at) => places.findIndex((other) => part(other) === part(place)) === at);
}

export function describePlace(place: Place | FormPlace): string {
  const part = `⟨${place.part ?? 'key'}⟩`;
  switch (place.in) {
    case 'header':
      return `header ${place.name}: ${place.scheme === null ? '' : `${place.scheme} `}${part}`;
    case 'basic':
      return `basic ${place.user === null ? part : `${place.user}:${part}`}`;
    case 'query':
      return `query ${place.name}=${part}`;
    case 'body':
      return `body ${place.pointer}: ${part}`;
    case 'form':
      return `form ${place.name}=${part}`;
  }
}

interface AnyAnswer {
  readonly status: number | readonly number[];
  readonly name: string;
  readonly as: string;
  readonly when?: { readonly json?: object | undefined; readonly contains?: string | undefined } | undefined;
}

function describeAnswer(answer: AnyAnswer): string {
  const conditions = Object.entries(answer.when?.json ?? {}).map(([pointer, wanted]) => {
    return `${pointer} ${describeWanted(wanted)}`;
  });
  if (answer.when?.contains !== undefined) conditions.push(`it contains ${JSON.stringify(answer.when.contains)}`);
  const where = conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
  return `${[answer.status].flat().join(', ')} ${answer.name}: ${answer.as}${where}`;
}

function describeWanted(wanted: unknown): string {
  if (typeof wanted !== 'object' || wanted === null) return `is ${JSON.stringify(wanted)}`;
  const [[how, value] = ['is', null]] = Object.entries(wanted);
  const words: Readonly<Record<string, string>> = { oneOf: 'is one of', noneOf: 'is none of', matches: 'matches' };
  if (how === 'exists') return value === true ? 'is there' : 'is not there';
  return how === 'is' ? `is of type ${String(value)}` : `${words[how] ?? how} ${JSON.stringify(value)}`;
}

function missingOf(kind: Kind, declaredKind: DeclaredKind | null): string[] {
  const missing: string[] = [];
  const makes = kind.issue !== null || kind.replace !== undefined;
  if (!makes) missing.push('issue (or replace): no key can be made by API');
  if (kind.revoke === null && kind.rotation === 'overlap') missing.push('revoke: no key can be ended by API');
  if (kind.revoke === null && kind.rotation === 'assisted') missing.push('revoke: a person ends the old key');
  if (makes && kind.issuers.length === 0) missing.push('issuers: no kind of key may make this one');
  if (kind.issue !== null && kind.list === null)
    missing.push('list: a key whose creation was lost cannot be found again');
  if (makes && kind.rotation === 'assisted') missing.push('rotation: it is `assisted`, a person does it');
  if (declaredKind === null) return missing;
  const lacks = (operation: Exclude<OperationName, 'rights' | 'log'>, as: string) => {
    const answers = declaredKind[operation]?.answers as readonly AnyAnswer[] | undefined;
    return answers !== undefined && !answers.some((answer) => answer.as === as);
  };
  if (lacks('probe', 'alive')) missing.push('probe: no answer means that the key is alive');
  if (lacks('probe', 'dead'))
    missing.push('probe: no answer means that the key is dead, so that no death is ever proven');
  if (lacks('issue', 'issued')) missing.push('issue: no answer means that a key was made');
  if (lacks('replace', 'issued')) missing.push('replace: no answer means that a key was made');
  if (lacks('list', 'listed')) missing.push('list: no answer is a list');
  if (lacks('revoke', 'accepted')) missing.push('revoke: no answer means that it was accepted');
  return missing;
}

/** The plans for people. */
export function renderPlans(plans: readonly KindPlan[], view: View): string {
  return plans.map((plan) => renderPlan(plan, view)).join('\n\n');
}

function renderPlan(plan: KindPlan, view: View): string {
  const issuers = plan.issuers.length === 0 ? 'nobody' : plan.issuers.join(', ');
  const lines = [view.heading(plan.kind), `  rotation ${plan.rotation}, issued by ${visible(issuers)}`];
  for (const request of plan.requests) {
    lines.push(`  ${view.paint('bold', request.operation)}: ${visible(request.line ?? request.why ?? '')}`);
    const details = [
      ...Object.entries(request.headers).map(([name, value]) => `header ${name}: ${value}`),
      ...(request.body === null ? [] : [`body ${JSON.stringify(request.body)}`]),
      ...request.secrets,
    ];
    lines.push(...details.map((detail) => `    ${visible(detail)}`));
    const answers = request.answers ?? (request.line === null ? [] : ['answers are read by code']);
    lines.push(...answers.map((answer) => `    → ${visible(answer)}`));
  }
  if (plan.missing.length === 0) lines.push(`  ${view.paint('green', '✓')} nothing is missing for automatic rotation`);
  else if (!plan.isFinding) lines.push('  not rotated by itself:');
  else lines.push(`  ${view.paint('red', '✗')} missing for automatic rotation:`);
  lines.push(...plan.missing.map((one) => `    ${visible(one)}`));
  return lines.join('\n');
}
