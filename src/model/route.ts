// A route of the control API as data: method, path, permission, schemas, answers and a handler. Each room's api.ts gives a list of
// them; http/server.io.ts mounts the lists, and the OpenAPI document, the permission check and the documentation follow from them.
// Here too: the small vocabulary that every room's routes share (ids, text, times, pages). Not here: sockets, authentication,
// problem details. Follows DESIGN section 9 and docs/api.md.
import { z } from 'zod';
import type { ControlEvent, Noun, Row, RowImage } from './change.ts';
import { toRfc3339 } from './clock.ts';
import type { Desk } from './desk.ts';
import { Failure } from './failure.ts';
import { ID_PREFIXES, type IdKind, SLUG } from './id.ts';
import type { JsonObject } from './json.ts';

/** Who calls: a principal, by one of its tokens. */
export interface Caller {
  readonly principalId: string;
  readonly tokenId: string;
  readonly permissions: ReadonlySet<string>;
}

export interface Context {
  readonly caller: Caller;
  /** Its `write` carries the record of the request's Idempotency-Key. Write with no other desk. */
  readonly desk: Desk;
  /** The media type wanted, among those that the route offers; the first one where the caller does not say. */
  readonly type: string;
}

export interface Answer {
  readonly status: number;
  /** An object is sent as JSON, text as `type`. */
  readonly body: object | string;
  /** Row version for the ETag. */
  readonly etag?: number;
  /** What a repetition under the same Idempotency-Key is answered with, where that must differ: secrets are shown once. */
  readonly replay?: object;
}

/** What a handler is given: validated, with defaults filled in. */
export interface Input<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
}

export interface AnswerShape {
  readonly about: string;
  readonly schema: z.ZodType;
  /** Media types on offer; `application/json` alone where absent. Any other is text. */
  readonly types?: readonly string[];
}

export interface Route<P = unknown, Q = unknown, B = unknown> {
  readonly method: 'GET' | 'POST' | 'PATCH';
  /** `/v1/principals/{id}`. */
  readonly path: string;
  /** `noun:verb`; null: any valid token; `public`: no token. */
  readonly permission: string | null;
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  readonly params?: z.ZodType<P>;
  readonly query?: z.ZodType<Q>;
  readonly body?: z.ZodType<B>;
  readonly answers: Readonly<Record<number, AnswerShape>>;
  /** The noun of the row in `{id}` that If-Match is about. */
  readonly matches?: Noun;
  /**
   * What a POST changes. `rows`: only through the context's desk, in one write. `outside`: besides, or later, and then a crash may
   * leave the effect without its answer. `memory`: nothing that lasts, so nothing is kept under its Idempotency-Key.
   */
  readonly effect?: 'rows' | 'outside' | 'memory';
  handler(context: Context, input: Input<P, Q, B>): Promise<Answer> | Answer;
}

/** A route with the types of its schemas known to its handler, and forgotten afterwards. */
export function route<P, Q, B>(spec: Route<P, Q, B>): Route {
  return spec as unknown as Route;
}

/** An event of this caller. The detail names the token that was used. */
export function eventOf(
  context: Pick<Context, 'caller' | 'desk'>,
  type: string,
  rows: readonly RowImage[],
  detail: JsonObject = {},
): ControlEvent {
  const { caller, desk } = context;
  return {
    v: 1,
    at: desk.clock.now(),
    actor: caller.principalId,
    type,
    rows,
    detail: { token: caller.tokenId, ...detail },
  };
}

/** A field that is wrong although its form is right: one entry of `errors`. */
export function invalidField(pointer: string, detail: string): Failure {
  return new Failure('invalid', detail, { errors: [{ pointer, detail }] });
}

/** Reads rows as the database has them, history included. */
export interface Records {
  page<R extends Row>(
    noun: Noun,
    filter: { readonly parent: string | null; readonly live: boolean | null },
    page: PageQuery,
  ): Promise<Page<R>>;
  find<R extends Row>(noun: Noun, id: string): Promise<R | null>;
}

export interface PageQuery {
  readonly limit: number;
  readonly cursor: string | null;
  readonly order: 'asc' | 'desc';
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

// The schemas that routes share.

export const LIMIT_MAX = 200;
const LIMIT_DEFAULT = 50;
const CURSOR = /^[A-Za-z0-9_-]{1,128}$/;

/** A whole number in a query: digits only, as nothing else is a number there. */
export function queryInteger(minimum: number, maximum: number) {
  return z
    .string()
    .regex(/^(?:0|[1-9][0-9]{0,14})$/, 'not a whole number')
    .refine((text) => Number(text) >= minimum && Number(text) <= maximum, `not between ${minimum} and ${maximum}`)
    .transform(Number)
    .meta({ type: 'integer', minimum, maximum });
}

export function queryFlag(fallback: boolean) {
  return z
    .enum(['true', 'false'])
    .optional()
    .transform((text) => (text === undefined ? fallback : text === 'true'))
    .meta({ default: fallback ? 'true' : 'false' });
}

/** The members of a list's query; spread into a `strictObject`. */
export const PAGE_MEMBERS = {
  limit: queryInteger(1, LIMIT_MAX)
    .optional()
    .transform((limit) => limit ?? LIMIT_DEFAULT)
    .meta({ default: LIMIT_DEFAULT, description: 'How many items at most' }),
  cursor: z
    .string()
    .regex(CURSOR, 'not a cursor')
    .optional()
    .transform((cursor) => cursor ?? null)
    .meta({ description: 'The `next` of the page before' }),
};

export function pageOfSchema(item: z.ZodType) {
  return z.object({
    items: z.array(item),
    next: z.string().nullable().meta({ description: 'Cursor of the next page; null: this is the last' }),
  });
}

export function idSchema(kind: IdKind) {
  return z
    .string()
    .regex(new RegExp(`^${ID_PREFIXES[kind]}_[0-9a-f]{32}$`), `not the id of a ${kind}`)
    .meta({ examples: [`${ID_PREFIXES[kind]}_0198c1d2e3f4708192a3b4c5d6e7f801`] });
}

export function idParams(kind: IdKind) {
  return z.strictObject({ id: idSchema(kind) });
}

export const slugSchema = z.string().regex(SLUG, 'lower-case letters, digits and dashes, 1 to 63 characters');
/** Free text: kept and given back exactly. U+0000 and lone surrogates were refused before. */
export function textSchema(lengthMax: number) {
  return z.string().max(lengthMax);
}
export const OWNER_LENGTH_MAX = 200;
export const NOTE_LENGTH_MAX = 2_000;
export const networksSchema = z.array(z.string().max(64)).max(64).meta({
  description: 'Networks in CIDR form; empty: from anywhere',
});
export const NO_BODY = z.strictObject({}).optional();

/** Times in answers. */
export const timeSchema = z.iso.datetime();
export const timeOrNull = timeSchema.nullable();

/** Durations in requests: a second to ten years. */
export const secondsSchema = z.int().min(1).max(315_360_000);

const RANGE_MS_MAX = 8.64e15;
/** What is somebody else's text or a signed statement is not looked into. */
const OPAQUE = new Set(['statement', 'settings', 'parameters']);

/**
 * A row as answers give it: every number called `at` or `…At` is a time and becomes RFC 3339. The names that are left out are
 * those of `without`.
 */
export function rowView(row: object, without: readonly string[] = []): Record<string, unknown> {
  const view: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(row)) {
    if (!without.includes(name)) view[name] = OPAQUE.has(name) ? value : viewOf(name, value);
  }
  return view;
}

function viewOf(name: string, value: unknown): unknown {
  if (typeof value === 'number') {
    if (name !== 'at' && !name.endsWith('At')) return value;
    return Math.abs(value) <= RANGE_MS_MAX ? toRfc3339(value) : null;
  }
  if (Array.isArray(value)) return value.map((item) => viewOf('', item));
  return typeof value === 'object' && value !== null ? rowView(value) : value;
}

/** Cursors say nothing to callers, so that what they hold may change. */
export function cursorOf(text: string): string {
  return new TextEncoder().encode(text).toBase64({ alphabet: 'base64url', omitPadding: true });
}

/** What a cursor holds. Throws `invalid` for one that was not given out. */
export function readCursor(cursor: string, form: RegExp): string {
  let text = '';
  try {
    text = new TextDecoder().decode(Uint8Array.fromBase64(cursor, { alphabet: 'base64url' }));
  } catch {
    // Falls through to the same refusal.
  }
  if (!form.test(text)) throw invalidField('/query/cursor', 'not a cursor');
  return text;
}

export const ID_CURSOR = /^[a-z]{3}_[0-9a-f]{32}$/;

/** One page of rows that are in memory, by id: which is by age. */
export function pageOf<R extends Row>(rows: Iterable<R>, page: PageQuery, keep: (row: R) => boolean): Page<R> {
  const after = page.cursor === null ? null : readCursor(page.cursor, ID_CURSOR);
  const sign = page.order === 'asc' ? 1 : -1;
  const found: R[] = [];
  for (const row of rows) {
    const isBeyond = after === null || (page.order === 'asc' ? row.id > after : row.id < after);
    if (isBeyond && keep(row)) found.push(row);
  }
  found.sort((a, b) => (a.id < b.id ? -sign : sign));
  return cutPage(found, page.limit);
}

/** The first `limit` of rows that may be one more, with the cursor of the next page. */
export function cutPage<R extends Row>(rows: readonly R[], limit: number): Page<R> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, next: rows.length > limit && last !== undefined ? cursorOf(last.id) : null };
}

/** A page as an answer, each item rendered. */
export function pageAnswer<T>(page: Page<T>, view: (item: T) => object): Answer {
  return { status: 200, body: { items: page.items.map((item) => view(item)), next: page.next } };
}

/** One row as an answer, with its ETag. */
export function rowAnswer(row: Row, view: object, status = 200): Answer {
  return { status, body: view, etag: row.rowVersion };
}

/** Runs functions one after the other: for rules over several rows, which a guard on one row cannot keep. */
export function createTurns(): <T>(run: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (run) => {
    const mine = last.then(run, run);
    last = mine.catch(() => {});
    return mine;
  };
}
