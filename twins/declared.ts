// A twin made out of a declaration: it takes a key where the declaration says that it stands, keeps keys, ends them, goes wrong as all twins do,
// and answers what the declaration expects. So it shows that the declaration holds together: that the key arrives, that each answer it names is
// read as it says and not swallowed by a rule before it, that faults prove nothing. It shows nothing at all about the service: where the
// declaration is mistaken, so is the twin. Whoever has a document of the service, or its words, writes a twin of its own.
//
// Not here: replacing in place, preflights, and operations that name where secrets stand; for those this refuses to be made.
import type { Json, JsonObject } from '../src/model/json.ts';
import type { Declaration, DeclaredKind, DeclaredRequest, DeclaredTime } from '../src/providers/declaration.ts';
import { at, ruleFor } from '../src/providers/declared-answers.ts';
import { answerFor, withValue } from './declared.bodies.ts';
import { shows } from './declared.places.ts';
import { textOfForm } from './declared.texts.ts';
import type { KitAnswer, KitContext, KitDefinition, KitKey, KitRequest, KitRoute } from './kit.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

export interface DeclaredTwinOptions {
  /** Parts as the service makes them, where a format does not say enough. */
  readonly newParts?: (kind: string, random: Prng) => Readonly<Record<string, string>>;
}

type Context = KitContext<null>;
type Rule = Parameters<typeof answerFor>[0];

/** New parts of a kind, of its form. Throws where nobody said how parts look whose form cannot be drawn from. */
export function newDeclaredParts(
  kind: DeclaredKind,
  random: Prng,
  { newParts }: DeclaredTwinOptions = {},
): Readonly<Record<string, string>> {
  const given = newParts?.(kind.name, random) ?? {};
  const made = Object.entries(kind.parts).map(
    ([part, { format }]) => [part, given[part] ?? textOfForm(format, random)] as const,
  );
  return Object.fromEntries(made);
}

function first<R extends { readonly as: string }>(rules: readonly R[] | undefined, as: R['as']): R | null {
  return rules?.find((rule) => rule.as === as) ?? null;
}

/** The answer that a rule is for. Throws where the declaration would read it by another rule. */
function said<R extends Rule>(rules: readonly R[], rule: R, body?: Json): KitAnswer {
  const answer = answerFor(rule, body);
  const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
  const seen = { status: answer.status, headers: {}, json: answer.headers === undefined ? answer.body : null, text };
  if (ruleFor(rules, seen) !== rule) throw new Error(`the rule ${rule.name} is swallowed by one before it`);
  return answer;
}

/** What stands at the ends of a request's body as it is declared, each with its pointer. */
function leavesOf({ json, form }: DeclaredRequest): readonly (readonly [pointer: string, value: unknown])[] {
  const found: [string, unknown][] = [];
  const walk = (node: unknown, pointer: string): void => {
    if (typeof node !== 'object' || node === null) found.push([pointer, node]);
    else
      for (const [key, inner] of Object.entries(node))
        walk(inner, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  };
  walk(json ?? form, '');
  return found;
}

/** What a request was asked for: by name in braces, the value that stands where the template has that name alone. */
function askedIn(template: DeclaredRequest, request: KitRequest): Readonly<Record<string, Json>> {
  const found: Record<string, Json> = {};
  for (const [pointer, leaf] of leavesOf(template)) {
    const name = typeof leaf === 'string' ? /^\{(\w+)\}$/.exec(leaf)?.[1] : undefined;
    const value = name === undefined ? undefined : at(request.body, pointer);
    if (name !== undefined && value !== undefined) found[name] = value;
  }
  return found;
}

/** Whether a request has what the template says in plain words: by that two kinds are told apart that are made at one address. */
function isOfTemplate(template: DeclaredRequest, request: KitRequest): boolean {
  return leavesOf(template).every(([pointer, leaf]) => {
    const isNamed = leaf === undefined || (typeof leaf === 'string' && leaf.includes('{'));
    return isNamed || at(request.body, pointer) === leaf;
  });
}

function timeOf(ms: number, { in: form }: DeclaredTime): Json {
  if (form === 'rfc3339') return new Date(ms).toISOString();
  return form === 'unix' ? Math.floor(ms / 1000) : ms;
}

/** The end that was asked for, in whichever of the forms. */
function endIn(asked: Readonly<Record<string, Json>>, now: number): number | null {
  const { expiresAt, expiresDate, expiresUnix, lifetimeSeconds } = asked;
  const text = expiresAt ?? expiresDate;
  if (typeof text === 'string') return Date.parse(text);
  if (typeof expiresUnix === 'number') return expiresUnix * 1000;
  return typeof lifetimeSeconds === 'number' ? now + lifetimeSeconds * 1000 : null;
}

function scopesIn({ scopes, scopesText }: Readonly<Record<string, Json>>): readonly string[] {
  if (Array.isArray(scopes)) return scopes.map(String);
  return typeof scopesText === 'string' ? scopesText.split(' ') : [];
}

/** Where an object of several values is put together, pointer by pointer. */
function composed(entries: readonly (readonly [string | undefined, Json | undefined])[], base: Json = {}): Json {
  return entries.reduce<Json>(
    (body, [pointer, value]) => (pointer === undefined || value === undefined ? body : withValue(body, pointer, value)),
    base,
  );
}

function issue(kind: DeclaredKind, context: Context, options: DeclaredTwinOptions): KitAnswer {
  const { answers, request } = kind.issue!;
  const rule = first(answers, 'issued');
  if (rule?.as !== 'issued') throw new Error(`${kind.name} has no answer to a creation`);
  const asked = askedIn(request, context.request);
  const wanted = {
    kind: kind.name,
    name: String(asked['label'] ?? ''),
    account: context.key!.account,
    scopes: scopesIn(asked),
    expiresAt: endIn(asked, context.now),
    parts: newDeclaredParts(kind, context.random, options),
  };
  return context.create(wanted, (made) => {
    const { scopes } = rule;
    const ends =
      rule.expiresAt !== undefined && made.expiresAt !== null ? timeOf(made.expiresAt, rule.expiresAt) : undefined;
    const parts = Object.entries(rule.parts).map(([part, pointer]) => [pointer, made.parts[part]] as const);
    const told = Object.entries(rule.asAsked ?? {}).map(
      ([pointer, template]) => [pointer, asked[template.slice(1, -1)]] as const,
    );
    const body = composed([
      ...parts,
      [rule.id, made.id],
      [typeof scopes === 'object' ? scopes.at : scopes, [...made.scopes]],
      [rule.expiresAt?.at, ends],
      ...told,
    ]);
    return said(answers, rule, body);
  });
}

/** `kinds`: all whose keys are listed at this address. */
function list(kind: DeclaredKind, { request, listed, now }: Context, kinds: readonly string[]): KitAnswer {
  const { answers, request: template } = kind.list!;
  const rule = first(answers, 'listed');
  if (rule?.as !== 'listed') throw new Error(`${kind.name} has no answer to a list`);
  const members = listed((key) => kinds.includes(key.kind) && (key.expiresAt === null || now < key.expiresAt)).map(
    (key) =>
      composed([
        [rule.id, key.id],
        [rule.keyName, key.name],
        [rule.createdAt?.at, rule.createdAt && timeOf(key.createdAt, rule.createdAt)],
        [
          rule.lastUsedAt?.at,
          rule.lastUsedAt && key.lastUsedAt !== null ? timeOf(key.lastUsedAt, rule.lastUsedAt) : undefined,
        ],
        [rule.scope, key.scopes.length === 0 ? undefined : [...key.scopes]],
        [rule.hint, `...${Object.values(key.parts)[0]!.slice(-4)}`],
        [
          rule.expiresAt?.at,
          rule.expiresAt && key.expiresAt !== null ? timeOf(key.expiresAt, rule.expiresAt) : undefined,
        ],
      ]),
  );
  const { next } = rule;
  const size = next !== undefined && 'size' in next ? next.size : members.length;
  const parameter = /^([^=]+)=\{cursor\}$/.exec(template.page ?? '')?.[1] ?? '';
  const page =
    next !== undefined && 'size' in next ? Number(request.query.get(parameter) ?? next.first) - next.first : 0;
  const shown = members.slice(page * size, (page + 1) * size);
  // With a cursor all of it is one page, and `more` says so.
  const more = next !== undefined && 'more' in next ? next.more : undefined;
  const body =
    rule.keys === ''
      ? shown
      : composed([
          [rule.keys, shown],
          [more, false],
        ]);
  return said(answers, rule, body);
}

function revoke(kind: DeclaredKind, { request, params, keys, end, key }: Context): KitAnswer {
  const { answers, request: template } = kind.revoke!;
  const id = params['providerKeyId'] ?? String(askedIn(template, request)['providerKeyId'] ?? '');
  const found = keys.byId(id);
  if (found !== null && found.revokedAt === null && found.account === key!.account)
    return end(found, said(answers, first(answers, 'accepted')!));
  const absent = first(answers, 'absent');
  return absent === null ? { status: 404, body: { message: 'not found' } } : said(answers, absent);
}

function identity(kind: DeclaredKind, { key }: Context): KitAnswer {
  const { answers } = kind.identity!;
  const [rule] = answers;
  return said(
    answers,
    rule!,
    composed([
      [rule!.account, key!.account],
      [rule!.id, key!.id],
      [rule!.scopes, [...key!.scopes]],
    ]),
  );
}

/** A probe and an identity are often one request: then the answer is what both of them expect. */
function together(one: KitAnswer, other: KitAnswer): KitAnswer {
  const isObject = (body: Json): body is JsonObject =>
    typeof body === 'object' && body !== null && !Array.isArray(body);
  if (!isObject(one.body) || !isObject(other.body)) return one;
  return { ...one, body: merged(one.body, other.body) };
}

function merged(one: JsonObject, other: JsonObject): JsonObject {
  const members = Object.entries(other).map(([name, value]) => {
    const before = one[name];
    const isNested = [before, value].every((each) => typeof each === 'object' && each !== null && !Array.isArray(each));
    return [name, isNested ? merged(before as JsonObject, value as JsonObject) : value] as const;
  });
  return { ...one, ...Object.fromEntries(members) };
}

function lineOf({ method, path }: DeclaredRequest): string {
  return `${method} ${path.split('?')[0]!}`;
}

/** What a live key is answered. Where several rules say so, it is the one that has most to say. */
function alive(kind: DeclaredKind): KitAnswer {
  const { answers } = kind.probe;
  const rules = answers.filter((rule) => rule.as === 'alive');
  const best = rules.find((rule) => [rule.status].flat()[0]! < 300) ?? rules[0];
  if (best === undefined) throw new Error(`no answer means that a ${kind.name} is alive`);
  return said(answers, best);
}

/** What everybody else is answered; where the declaration knows no death, a refusal of which nobody says what it means. */
function dead(kind: DeclaredKind): KitAnswer {
  const { answers } = kind.probe;
  const rule = first(answers, 'dead');
  return rule === null ? { status: 403, body: { message: 'forbidden' } } : said(answers, rule);
}

/** What a kind answers at an address. `kinds`: all that answer there. */
interface Answering {
  readonly kind: DeclaredKind;
  readonly request: DeclaredRequest;
  readonly class: KitRoute<null>['class'];
  readonly answer: (context: Context, kinds: readonly string[]) => KitAnswer;
}

/** One route for each request line. Where several kinds have the same, a creation is told by what it asks for, and everything else by who asks. */
function routesOf(kinds: readonly DeclaredKind[], options: DeclaredTwinOptions): KitRoute<null>[] {
  const lines = new Map<string, readonly Answering[]>();
  const add = (
    kind: DeclaredKind,
    request: DeclaredRequest | undefined,
    route: Pick<Answering, 'class' | 'answer'>,
  ): void => {
    if (request === undefined) return;
    if (request.secrets !== undefined)
      throw new Error(`${kind.name} names where secrets stand: it needs a twin of its own`);
    const there = lines.get(lineOf(request)) ?? [];
    if (there.some((one) => one.class !== route.class))
      throw new Error(`${lineOf(request)} is two things at once: ${kind.name} needs a twin of its own`);
    lines.set(lineOf(request), [...there, { kind, request, ...route }]);
  };
  for (const kind of kinds) {
    const isOneRequest = kind.identity !== undefined && lineOf(kind.identity.request) === lineOf(kind.probe.request);
    add(kind, kind.probe.request, {
      class: 'auth',
      answer: (context) => (isOneRequest ? together(alive(kind), identity(kind, context)) : alive(kind)),
    });
    if (!isOneRequest)
      add(kind, kind.identity?.request, { class: 'auth', answer: (context) => identity(kind, context) });
    add(kind, kind.issue?.request, { class: 'create-key', answer: (context) => issue(kind, context, options) });
    add(kind, kind.list?.request, { class: 'list-keys', answer: (context, all) => list(kind, context, all) });
    add(kind, kind.revoke?.request, { class: 'revoke-key', answer: (context) => revoke(kind, context) });
  }
  return [...lines].map(([line, there]) => {
    const [{ class: is }] = there as readonly [Answering];
    const all = there.map(({ kind }) => kind.name);
    return {
      line,
      class: is,
      asks: 'key',
      handle(context) {
        const isAsked = ({ kind, request }: Answering) =>
          is === 'create-key' ? isOfTemplate(request, context.request) : kind.name === context.key!.kind;
        return (there.find(isAsked) ?? there[0]!).answer(context, all);
      },
    };
  });
}

/** The twin of a declaration. Throws where the declaration has what no such twin can do, or reads its own answers otherwise. */
export function declaredTwin(declaration: Declaration, options: DeclaredTwinOptions = {}): KitDefinition<null> {
  const { name, kinds } = declaration;
  for (const kind of kinds) {
    if (kind.replace !== undefined || kind.preflight !== undefined || kind.asks === 'issuer')
      throw new Error(`${kind.name} needs a twin of its own`);
  }
  const full = kinds.flatMap(({ issue: made }) => {
    const rule = made?.answers.find((one) => one.as === 'refused' && one.quotaFull);
    return made === undefined || rule === undefined ? [] : [said(made.answers, rule)];
  });
  const kindOf = (request: KitRequest): DeclaredKind =>
    kinds.find((kind) => {
      const [method, template = ''] = lineOf(kind.probe.request).split(' ');
      const pattern = template.split('/').map((part) => (part.startsWith('{') ? '[^/]+' : RegExp.escape(part)));
      return request.method === method && new RegExp(`^${pattern.join('/')}$`).test(request.path);
    }) ?? kinds[0]!;
  const isShownBy = (request: KitRequest) => (key: KitKey) =>
    shows(request, kinds.find((kind) => kind.name === key.kind)!.places, key.parts);
  return {
    name,
    state: () => null,
    newId: (random) => random.text(22, ALPHANUMERIC),
    keyOf: (request, keys) => keys.all().find(isShownBy(request)) ?? null,
    refused: (_, request) => dead(kindOf(request)),
    notFound: () => ({ status: 404, body: { message: 'not found' } }),
    rateLimited: (retryAfter) => ({
      status: 429,
      body: { message: 'too many requests' },
      ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
    }),
    serverError: (status) => ({ status, body: { message: 'internal error' } }),
    ...(full[0] === undefined ? {} : { quotaFull: full[0] }),
    routes: routesOf(kinds, options),
  };
}
