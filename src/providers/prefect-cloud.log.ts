// Prefect Cloud's audit log, as far as it is about API keys: asked for a span of time, read page by page. Follows Prefect Cloud's OpenAPI document,
// API 0.8.4 (`read_account_events`, EventPage, ReceivedEvent), and its page on audit log events (read 2026-11-21): `prefect-cloud.api-key.{action}`, with
// the key as the event's resource and who did it as a related resource with the role `actor`. Not here: what an event means for our versions
// (credentials/provider-log.ts). docs/providers/prefect-cloud.md says what was never seen live.
import type { UtcMs } from '../model/clock.ts';
import { toRfc3339 } from '../model/clock.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { at, foreignText, retryAfterMs } from './declared-answers.ts';
import type { Evidence, LoggedEvent, LogInput, LogOutcome, Operation, ProviderAnswer } from './provider.ts';

const DAY_MS = 86_400_000;
/** The service takes spans of at most 14 days. A minute less, so that no rounding of its makes ours longer. */
export const PREFECT_LOG_WINDOW_MS = 14 * DAY_MS - 60_000;
const PAGE_EVENTS = 200;
const TOKEN_LENGTH_MAX = 4_000;

const MEANINGS: Readonly<Record<string, LoggedEvent['is']>> = {
  'prefect-cloud.api-key.created': 'made',
  // Whether it names the key that goes or the one that comes is not documented.
  'prefect-cloud.api-key.rotated': 'replaced',
  'prefect-cloud.api-key.deleted': 'ended',
};

const UUID = /^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/;
const KEY = /^prefect-cloud\.api-key\.([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$/;
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;
const ID = '/prefect.resource.id';
const NAME = '/prefect.resource.name';
const ROLE = '/prefect.resource.role';

/** Null where no account is named. */
function pathOf(settings: LogInput['settings']): string | null {
  const account = settings['accountId'] ?? '';
  return UUID.test(account) ? `/api/accounts/${account}/events/filter` : null;
}

/** Of the address of the next page only the token is taken, and only where the page is one of the same log. Null for any other. */
function cursorOf(next: string, input: LogInput): string | null {
  const url = URL.parse(next);
  const tokens = url?.searchParams.getAll('page-token') ?? [];
  const [token = ''] = tokens;
  const isOurs = url?.pathname.toLowerCase() === `${pathOf(input.settings)}/next`.toLowerCase();
  return isOurs && tokens.length === 1 && token !== '' && token.length <= TOKEN_LENGTH_MAX ? token : null;
}

function timeOf(value: Json | undefined): UtcMs | null {
  const ms = typeof value === 'string' && RFC3339.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}

function actorOf(event: Json): string | null {
  const related = at(event, '/related');
  const actor = Array.isArray(related) ? related.find((one) => at(one, ROLE) === 'actor') : undefined;
  return foreignText(at(actor, NAME)) || foreignText(at(actor, ID)) || null;
}

/** An event about a key; `skipped` where its name is none of those, null where it is one and cannot be read. */
function eventOf(event: Json): LoggedEvent | 'skipped' | null {
  const name = at(event, '/event');
  if (typeof name !== 'string') return null;
  const is = Object.hasOwn(MEANINGS, name) ? MEANINGS[name] : undefined;
  if (is === undefined) return 'skipped';
  const id = at(event, '/id');
  const occurredAt = timeOf(at(event, '/occurred'));
  const resource = at(event, '/resource');
  const key = at(resource, ID);
  const providerKeyId = typeof key === 'string' ? (KEY.exec(key)?.[1] ?? null) : null;
  if (typeof id !== 'string' || !UUID.test(id) || occurredAt === null || providerKeyId === null) return null;
  const keyName = foreignText(at(resource, NAME));
  return { id, at: occurredAt, is, event: name, providerKeyId, keyName, by: actorOf(event) };
}

function evidenceOf({ status }: ProviderAnswer, what: string): Evidence {
  return { status, signature: `prefect-cloud.${status}.${what}`, requestId: null };
}

export const prefectCloudLog: Operation<LogInput, LogOutcome> = {
  request({ settings, since, until, cursor }) {
    const path = pathOf(settings);
    if (path === null) throw new Failure('invalid', 'the setting accountId names no account');
    if (cursor !== undefined) return { method: 'GET', path: `${path}/next?page-token=${encodeURIComponent(cursor)}` };
    const filter = {
      occurred: { since: toRfc3339(since), until: toRfc3339(until) },
      event: { name: Object.keys(MEANINGS) },
      order: 'ASC',
    };
    return { method: 'POST', path, json: { limit: PAGE_EVENTS, filter } };
  },
  read(answer, input): LogOutcome {
    const { status, json } = answer;
    const unknown = (what: string): LogOutcome => ({
      is: 'unknown',
      evidence: evidenceOf(answer, what),
      retryAfterMs: retryAfterMs(answer),
    });
    if ((status === 401 || status === 403) && typeof at(json, '/detail') === 'string')
      return { is: 'refused', evidence: evidenceOf(answer, 'log-refused') };
    const members = at(json, '/events');
    if (status !== 200 || !Array.isArray(members)) return unknown('other');
    const events: LoggedEvent[] = [];
    for (const member of members) {
      const event = eventOf(member);
      if (event === null) return unknown('log-unreadable');
      if (event !== 'skipped') events.push(event);
    }
    const next = at(json, '/next_page');
    if (next === null) return { is: 'read', events };
    const cursor = typeof next === 'string' ? cursorOf(next, input) : null;
    return cursor === null ? unknown('log-next-page') : { is: 'read', events, next: cursor };
  },
};
