// The audit log of the twin of Prefect Cloud: what was done with its keys, by whom, and the two routes that show it. Shapes follow the OpenAPI document,
// API 0.8.4 (EventPage, ReceivedEvent); names of events and resources follow Prefect's page on audit log events. Keys that come and go without a
// request, on the pages of the service or late, are in it too. The twin itself is prefect-cloud.ts.
import type { Json, JsonObject } from '../src/model/json.ts';
import { type KitAnswer, type KitContext, type KitDefinition, type KitKey, member } from './kit.ts';
import { prng } from './prng.ts';

const DAY_MS = 86_400_000;
const LIMIT_MAX = 200;
const LIMIT_DEFAULT = 50;
const ENTRIES_MAX = 20_000;
const TOKENS_MAX = 1_000;
const FILTER = '/api/accounts/{account_id}/events/filter';

interface Entry {
  readonly id: string;
  readonly at: number;
  /** From when it is shown. */
  readonly shownFrom: number;
  readonly event: string;
  readonly keyId: string;
  readonly keyName: string;
  readonly by: Actor;
}

interface Actor {
  readonly id: string;
  readonly name: string;
}

interface Query {
  readonly since: number;
  readonly until: number;
  readonly isWanted: (event: string) => boolean;
  readonly isDescending: boolean;
  readonly limit: number;
  readonly offset: number;
}

export interface PrefectLog {
  /** Whose doing what has no request is: a person at the pages of the service. */
  person: Actor;
  /** Which key the event of a rotation names. The documents do not say. */
  rotatedNames: 'old' | 'new';
  /** How long after it happened an event is shown: for those that are recorded from now on. */
  lateMs: number;
  /** Whether the account's plan has such a log. */
  isInPlan: boolean;
  /** Ends every walk through pages with an address that leads elsewhere. */
  nextPage: string | null;
  /** Who asked last for something to be done to a key. */
  readonly doers: Map<string, Actor>;
  /** Notes a rotation in place; that the new key was made is not logged besides. */
  rotated(keys: { readonly old: KitKey; readonly made: KitKey }, by: Actor, now: number): void;
  /** Adds what is not in it yet of the keys that were made and ended. */
  catchUp(keys: readonly KitKey[]): void;
  entries(): readonly Entry[];
  /** Puts what remains of a query aside, and gives the token that it is had by. */
  keep(query: Query): string;
  kept(token: string): Query | null;
}

export function prefectLog(person: Actor): PrefectLog {
  // A source of its own: the log must not change the ids that a seed gives to keys.
  const random = prng(0x109);
  const entries: Entry[] = [];
  const [made, ended] = [new Set<string>(), new Set<string>()];
  const queries = new Map<string, Query>();

  function add(log: PrefectLog, action: string, key: KitKey, at: number, by: Actor): void {
    if (entries.length >= ENTRIES_MAX) throw new Error('the log is full');
    const { id: keyId, name: keyName } = key;
    const event = `prefect-cloud.api-key.${action}`;
    entries.push({ id: random.uuid(), at, shownFrom: at + log.lateMs, event, keyId, keyName, by });
  }

  return {
    person,
    rotatedNames: 'new',
    lateMs: 0,
    isInPlan: true,
    nextPage: null,
    doers: new Map(),
    rotated(keys, by, now) {
      made.add(keys.made.id);
      // One that was left no grace goes with it.
      if (keys.old.revokedAt !== null) ended.add(keys.old.id);
      add(this, 'rotated', this.rotatedNames === 'old' ? keys.old : keys.made, now, by);
    },
    catchUp(keys) {
      for (const key of keys) {
        const by = this.doers.get(key.id) ?? this.person;
        if (!made.has(key.id)) add(this, 'created', key, key.createdAt, by);
        made.add(key.id);
        if (key.revokedAt === null || ended.has(key.id)) continue;
        ended.add(key.id);
        add(this, 'deleted', key, key.revokedAt, by);
      }
    },
    entries: () => entries,
    keep(query) {
      if (queries.size >= TOKENS_MAX) throw new Error('too many walks through pages');
      const token = random.uuid();
      queries.set(token, query);
      return token;
    },
    kept: (token) => queries.get(token) ?? null,
  };
}

/** What the state of the twin has to have for its log to be shown. */
export interface LoggedState {
  readonly accountId: string;
  readonly log: PrefectLog;
}

function invalid(field: string, msg: string): KitAnswer {
  return { status: 422, body: { detail: [{ loc: ['body', field], msg, type: 'value_error' }] } };
}

function eventAnswer({ id, at, shownFrom, event, keyId, keyName, by }: Entry, account: string): JsonObject {
  return {
    id,
    account,
    event,
    occurred: new Date(at).toISOString(),
    received: new Date(shownFrom).toISOString(),
    resource: { 'prefect.resource.id': `prefect-cloud.api-key.${keyId}`, 'prefect.resource.name': keyName },
    related: [
      { 'prefect.resource.id': `prefect-cloud.account.${account}`, 'prefect.resource.role': 'account' },
      {
        'prefect.resource.id': `prefect-cloud.actor.${by.id}`,
        'prefect.resource.name': by.name,
        'prefect.resource.role': 'actor',
      },
    ],
    payload: {},
    follows: null,
    workspace: null,
  };
}

function pageOf({ state, keys, now, request }: KitContext<LoggedState>, query: Query): KitAnswer {
  const { log, accountId } = state;
  log.catchUp(keys.all());
  const sign = query.isDescending ? -1 : 1;
  const all = log
    .entries()
    .filter(
      ({ at, shownFrom, event }) => shownFrom <= now && at >= query.since && at <= query.until && query.isWanted(event),
    )
    .sort((a, b) => sign * (a.at - b.at));
  const end = query.offset + query.limit;
  const path = `${FILTER.replace('{account_id}', accountId)}/next`;
  const next = () =>
    log.nextPage ?? `http://${request.headers['host']}${path}?page-token=${log.keep({ ...query, offset: end })}`;
  const body = {
    events: all.slice(query.offset, end).map((entry) => eventAnswer(entry, accountId)),
    total: all.length,
    next_page: query.limit > 0 && end < all.length ? next() : null,
  };
  return { status: 200, body };
}

/** A time of the filter; undefined where it is none. */
function timeOf(value: Json | undefined, otherwise: number): number | undefined {
  if (value === undefined) return otherwise;
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function textsOf(value: Json | undefined): readonly string[] | null {
  return Array.isArray(value) ? value.map(String) : null;
}

function queryOf({ request, now }: KitContext<LoggedState>): Query | KitAnswer {
  const limit = member(request.body, 'limit') ?? LIMIT_DEFAULT;
  if (!Number.isInteger(limit) || Number(limit) < 0 || Number(limit) > LIMIT_MAX)
    return invalid('limit', 'Input should be less than or equal to 200');
  const filter = member(request.body, 'filter') ?? undefined;
  const occurred = member(filter, 'occurred');
  const until = timeOf(member(occurred, 'until'), now);
  const since = timeOf(member(occurred, 'since'), (until ?? now) - DAY_MS);
  if (since === undefined || until === undefined) return invalid('occurred', 'Input should be a valid datetime');
  if (until - since > 14 * DAY_MS) return invalid('occurred', 'The time range may not be longer than 14 days');
  const wanted = member(filter, 'event') ?? undefined;
  const [names, prefixes] = [textsOf(member(wanted, 'name')), textsOf(member(wanted, 'prefix'))];
  return {
    since,
    until,
    isWanted: (event) =>
      (names === null || names.includes(event)) &&
      (prefixes === null || prefixes.some((prefix) => event.startsWith(prefix))),
    isDescending: member(filter, 'order') !== 'ASC',
    limit: Number(limit),
    offset: 0,
  };
}

/** The routes, for those who may: `read:audit_event`, which a Member has not. */
export function logRoutes<State extends LoggedState>(
  allowed: (handle: (context: KitContext<State>) => KitAnswer) => (context: KitContext<State>) => KitAnswer,
): KitDefinition<State>['routes'] {
  return [
    {
      line: `POST ${FILTER}`,
      class: 'other',
      asks: 'key',
      handle: allowed((context) => {
        const query = queryOf(context);
        return 'status' in query ? query : pageOf(context, query);
      }),
    },
    {
      line: `GET ${FILTER}/next`,
      class: 'other',
      asks: 'key',
      handle: allowed((context) => {
        const query = context.state.log.kept(context.request.query.get('page-token') ?? '');
        return query === null ? invalid('page-token', 'The page token is not valid') : pageOf(context, query);
      }),
    },
  ];
}
