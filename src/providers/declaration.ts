// The form of a provider by declaration: data, checked whole before any of it is used, so that what is wrong is told at once with its path.
// What it means is in declared.ts; docs/providers/declared.md is for those who write one.
import { z } from 'zod';

const name = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/);
const partName = z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,31}$/);
const pointer = z.string().regex(/^(?:\/(?:[^~/]|~[01])*)*$/, 'a JSON pointer begins with a slash');
const pattern = z.string().max(500).refine(isPattern, 'not a regular expression that begins with ^ and ends with $');
const text = z.string().min(1).max(2_000);
const status = z.union([z.int().min(100).max(599), z.array(z.int().min(100).max(599)).min(1)]);

function isPattern(source: string): boolean {
  try {
    new RegExp(source, 'u');
  } catch {
    return false;
  }
  return source.startsWith('^') && source.endsWith('$');
}

const PLACES = [
  z.strictObject({
    in: z.literal('header'),
    name: text,
    scheme: z.string().nullable().default(null),
    part: partName.optional(),
  }),
  z.strictObject({ in: z.literal('basic'), user: z.string().nullable(), part: partName.optional() }),
  z.strictObject({ in: z.literal('query'), name: text, part: partName.optional() }),
  z.strictObject({ in: z.literal('body'), pointer, part: partName.optional() }),
] as const;
const kindPlace = z.discriminatedUnion('in', PLACES);

/** Where a part may stand in a request of our own: where a kind's key may, and in a field of a form. */
export const placeSchema = z.discriminatedUnion('in', [
  ...PLACES,
  z.strictObject({ in: z.literal('form'), name: text, part: partName.optional() }),
]);

const secretPlace = z.intersection(z.object({ of: z.enum(['acting', 'target']) }), z.looseObject({ in: z.string() }));

/** A condition on an answer. What is named must all hold. */
const condition = z.strictObject({
  /** By pointer: a value that must stand there, one of several, a pattern that its text matches, or whether anything stands there. */
  json: z
    .record(
      pointer,
      z.union([
        z.string(),
        z.number(),
        z.boolean(),
        z.null(),
        z.strictObject({ oneOf: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])).min(1) }),
        z.strictObject({ noneOf: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])).min(1) }),
        z.strictObject({ matches: pattern }),
        z.strictObject({ exists: z.boolean() }),
        z.strictObject({ is: z.enum(['array', 'object', 'string']) }),
      ]),
    )
    .optional(),
  /** Text that the body holds, where it is not JSON. */
  contains: text.optional(),
});

/** What comes first in every rule: when it applies, and the name that evidence gives it. */
const rule = { status, name, when: condition.optional() };
/** A time in an answer, and the form it has there. */
const time = z.strictObject({ at: pointer, in: z.enum(['rfc3339', 'unix', 'unix-ms']) });

const request = z.strictObject({
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
  /** With `{settings}`, `{providerKeyId}` and, in a list, `{cursor}`; each is percent-encoded. */
  path: z.string().startsWith('/'),
  /** Added to the path of a list where there is a cursor: `after={cursor}`. */
  page: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  json: z.json().optional(),
  form: z.record(z.string(), z.string()).optional(),
  secrets: z.array(secretPlace).optional(),
});

const issueAnswer = z.discriminatedUnion('as', [
  z.strictObject({
    ...rule,
    as: z.literal('issued'),
    parts: z.record(partName, pointer),
    id: pointer,
    /** Where its scopes stand; with `must`, a key that has others, or more, than were asked for is not the one that was asked for. */
    scopes: z.union([pointer, z.strictObject({ at: pointer, must: z.enum(['equal', 'no-wider']) })]).optional(),
    /** Where an end was asked for, a key that ends later or never is not the one that was asked for. */
    expiresAt: time.optional(),
    /** By pointer, what must stand there for this to be the key that was asked for: a template, as in the request. */
    asAsked: z.record(pointer, text).optional(),
  }),
  z.strictObject({
    ...rule,
    as: z.literal('refused'),
    final: z.boolean().default(true),
    quotaFull: z.boolean().default(false),
  }),
  z.strictObject({ ...rule, as: z.literal('ambiguous') }),
]);

const listAnswer = z.discriminatedUnion('as', [
  z.strictObject({
    ...rule,
    as: z.literal('listed'),
    /** Where the array stands; the other pointers begin at one of its members. */
    keys: pointer,
    id: pointer,
    keyName: pointer,
    createdAt: time.optional(),
    lastUsedAt: time.optional(),
    lastUsedFrom: pointer.optional(),
    scope: pointer.optional(),
    /** A text that ends with the key's last characters: `sk-...a1b2`. Four of them are kept. */
    hint: pointer.optional(),
    expiresAt: time.optional(),
    /** Members that are no keys any more: revoked ones that the provider still lists. */
    skip: condition.optional(),
    next: z
      .union([
        z.strictObject({ cursor: pointer, more: pointer.optional() }),
        /** The next page is asked for by the id of this one's last member, whether that is shown or passed over. */
        z.strictObject({ by: z.literal('last-id'), more: pointer }),
        /** Pages by number: there is another where one is full. */
        z.strictObject({ size: z.int().min(1).max(1_000), first: z.union([z.literal(0), z.literal(1)]).default(1) }),
      ])
      .optional(),
  }),
  z.strictObject({ ...rule, as: z.literal('refused') }),
]);

const revokeAnswer = z.discriminatedUnion('as', [
  z.strictObject({ ...rule, as: z.literal('accepted') }),
  z.strictObject({ ...rule, as: z.literal('absent') }),
  z.strictObject({ ...rule, as: z.literal('refused'), final: z.boolean().default(true) }),
  z.strictObject({ ...rule, as: z.literal('ambiguous') }),
]);

const preflightAnswer = z.strictObject({ ...rule, as: z.enum(['sound', 'unsound', 'unknown']) });

const probeAnswer = z.strictObject({ ...rule, as: z.enum(['alive', 'dead', 'unknown']) });

const identityAnswer = z.strictObject({
  ...rule,
  as: z.literal('known'),
  /** Absent where the answer does not say whose key it is. */
  account: pointer.optional(),
  id: pointer.optional(),
  scopes: pointer.optional(),
  expiresAt: time.optional(),
});

const kind = z.strictObject({
  name,
  title: text,
  origin: z.url({ protocol: /^https$/ }).optional(),
  parts: z
    .record(partName, z.strictObject({ format: pattern, public: z.boolean().default(false) }))
    .default({ key: { format: '^[\\x21-\\x7e]{8,4096}$', public: false } }),
  places: z.array(kindPlace).min(1).max(16),
  rotation: z.enum(['overlap', 'grace', 'swap', 'assisted']),
  activeMax: z.int().min(1).nullable().default(null),
  propagationSeconds: z.int().min(0).max(86_400).default(10),
  settings: z
    .record(
      z.string().regex(/^[a-z][A-Za-z0-9]{0,31}$/),
      z.strictObject({
        required: z.boolean().default(true),
        about: text,
        format: pattern.optional(),
        /** What is sent where nothing is set; such a setting is not required. */
        default: text.optional(),
        /** Whether it is a number in a JSON body. */
        number: z.boolean().default(false),
      }),
    )
    .default({}),
  issuers: z.array(name).default([]),
  asks: z.enum(['own', 'issuer']).optional(),
  scopes: z
    .strictObject({
      of: z.enum(['key', 'actor', 'kind', 'none']),
      all: z.array(z.string()),
      isOpen: z.boolean().optional(),
      includes: z.record(z.string(), z.array(z.string())).optional(),
      everything: z.array(z.string()).optional(),
      /** Those with which a key reads stored secrets or makes other keys. */
      reveals: z.array(z.string()).optional(),
    })
    .optional(),
  byHand: z
    .strictObject({ url: text, issue: z.array(text).min(1), revoke: z.array(text).min(1).nullable() })
    .optional(),
  graceMaxSeconds: z.int().min(1).optional(),
  issue: z.strictObject({ request, answers: z.array(issueAnswer).min(1) }).optional(),
  replace: z.strictObject({ request, answers: z.array(issueAnswer).min(1) }).optional(),
  list: z.strictObject({ request, answers: z.array(listAnswer).min(1) }).optional(),
  revoke: z.strictObject({ request, answers: z.array(revokeAnswer).min(1) }).optional(),
  probe: z.strictObject({ request, answers: z.array(probeAnswer).min(1) }),
  /** Sent before each probe, without any key: unless the answer is `sound`, the probe is unknown. */
  preflight: z.strictObject({ request, answers: z.array(preflightAnswer).min(1) }).optional(),
  identity: z.strictObject({ request, answers: z.array(identityAnswer).min(1) }).optional(),
  /** What the key may do, where `identity` does not say: the scopes of all of these together. */
  rights: z
    .array(z.strictObject({ request, answers: z.array(identityAnswer.required({ scopes: true })).min(1) }))
    .min(1)
    .max(8)
    .optional(),
});

const action = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+\.[a-z0-9-]+$/),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']),
  path: z.string().startsWith('/'),
  effect: z.enum(['read', 'write', 'delete']),
  query: z.array(z.string()).optional(),
  slashes: z.array(z.string()).optional(),
  scopes: z.array(z.string()).optional(),
  /** One of these is needed, besides every one of `scopes`. */
  scopesAnyOf: z.array(z.string()).min(1).optional(),
  mints: z.boolean().optional(),
  foreignRedirect: z.literal('pass').optional(),
  upgrade: z.literal('websocket').optional(),
  firstFrame: z
    .strictObject({ pointer: z.string().regex(/^(?:\/[^/,\s]+)+$/), subprotocol: z.string().regex(/^[\w.+-]+$/) })
    .optional(),
});

export const declarationSchema = z.strictObject({
  name,
  title: text,
  origin: z.url({ protocol: /^https$/ }),
  console: z.url(),
  /** Headers of an answer that may hold a request's id, for evidence. */
  requestIds: z.array(z.string()).default(['x-request-id', 'request-id']),
  /** Where a request's id stands in the body of an answer, where no header holds it. */
  requestIdsInBody: z.array(pointer).default([]),
  kinds: z.array(kind).min(1),
  /** Absent: everything below the origin, as `api.read`, `api.write` and `api.delete`. */
  actions: z.array(action).optional(),
});

export type Declaration = z.infer<typeof declarationSchema>;
/** As people write it: what has a default may be left out. */
export type DeclarationInput = z.input<typeof declarationSchema>;
/** The same where nothing will be written to: a constant. */
type Frozen<T> = T extends readonly (infer One)[]
  ? readonly Frozen<One>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;
export type FrozenDeclaration = Frozen<DeclarationInput>;
export type DeclaredKind = Declaration['kinds'][number];
export type DeclaredRequest = z.infer<typeof request>;
export type DeclaredCondition = z.infer<typeof condition>;
export type IssueRule = z.infer<typeof issueAnswer>;
export type ListRule = z.infer<typeof listAnswer>;
export type RevokeRule = z.infer<typeof revokeAnswer>;
export type ProbeRule = z.infer<typeof probeAnswer>;
export type IdentityRule = z.infer<typeof identityAnswer>;
export type PreflightRule = z.infer<typeof preflightAnswer>;
export type DeclaredTime = z.infer<typeof time>;
