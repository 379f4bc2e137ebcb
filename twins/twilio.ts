// A twin of Twilio's API keys: shapes follow Twilio's OpenAPI document of its IAM API v1. Management and use stand on one origin here, and on
// two at Twilio. A stand-in for tests and demonstrations; docs/providers/twilio.md says what was never compared with the live service.
import type { Json } from '../src/model/json.ts';
import {
  bearerOf,
  type KitAnswer,
  type KitContext,
  type KitDefinition,
  type KitKey,
  type KitRequest,
  member,
} from './kit.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

const HEX = '0123456789abcdef';
const PAGE_SIZE_DEFAULT = 50;
const PAGE_MAX = 1000;
/** What a restricted key's policy must allow for the one resource that is here. */
export const MESSAGES_READ = '/twilio/messaging/messages/read';

function failure(status: number, code: number, message: string): KitAnswer {
  return { status, body: { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status } };
}

export const newSid = (random: Prng, prefix: string) => `${prefix}${random.text(32, HEX)}`;
export const newSecret = (random: Prng) => `canary${random.text(26, ALPHANUMERIC)}`;

/** The key whose SID and secret a request shows. */
function keyOf(request: KitRequest, byText: (text: string) => KitKey | null): KitKey | null {
  const token = bearerOf(request, 'Basic');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(token)) return null;
  const [sid, secret] = atob(token).split(':');
  const key = byText(secret ?? '');
  return key !== null && key.parts['sid'] === sid ? key : null;
}

/** `Mon, 13 Jun 2016 22:50:08 +0000` */
const rfc2822 = (ms: number) => new Date(ms).toUTCString().replace('GMT', '+0000');

function shown(key: KitKey): Readonly<Record<string, Json>> {
  const at = rfc2822(key.createdAt);
  return { sid: key.parts['sid']!, friendly_name: key.name, date_created: at, date_updated: at };
}

type Context = KitContext<null>;

/** Keys and accounts are for main keys and the Auth Token alone; a live key of another type is told what a dead one is told. */
function managing(handle: (context: Context) => KitAnswer): (context: Context) => KitAnswer {
  return (context) =>
    context.key?.kind === 'main-key' || context.key?.kind === 'auth-token'
      ? handle(context)
      : failure(401, 20003, 'Authentication Error - invalid username');
}

const isApiKey = (key: KitKey) => key.kind !== 'auth-token';

function list(context: Context): KitAnswer {
  const { query } = context.request;
  const size = Math.min(Number(query.get('PageSize') ?? PAGE_SIZE_DEFAULT), PAGE_MAX);
  const from = Number((query.get('PageToken') ?? 'PT0').slice(2));
  const account = query.get('AccountSid');
  const all = context.listed((key) => isApiKey(key) && key.account === account);
  const url = (token: number) =>
    `https://iam.twilio.com/v1/Keys?AccountSid=${account}&PageSize=${size}&Page=${token / size}&PageToken=PT${token}`;
  const hasMore = from + size < all.length;
  return {
    status: 200,
    body: {
      keys: all.slice(from, from + size).map((key) => ({ ...shown(key), flags: [] })),
      meta: {
        key: 'keys',
        page: from / size,
        page_size: size,
        url: url(from),
        first_page_url: url(0),
        next_page_url: hasMore ? url(from + size) : null,
        previous_page_url: from === 0 ? null : url(from - size),
      },
    },
  };
}

function policyOf(text: Json | undefined): string[] | null {
  if (typeof text !== 'string') return null;
  const allow = member(JSON.parse(text) as Json, 'allow');
  return Array.isArray(allow) && allow.length > 0 ? allow.map(String) : null;
}

function create({ request, random, create: make }: Context): KitAnswer {
  const [account, name] = ['AccountSid', 'FriendlyName'].map((field) => member(request.body, field));
  if (typeof account !== 'string') return failure(400, 20001, 'AccountSid is required');
  if (typeof name !== 'string' || name.length > 64) return failure(400, 20001, 'FriendlyName is too long');
  const isRestricted = member(request.body, 'KeyType') === 'restricted';
  const scopes = policyOf(member(request.body, 'Policy'));
  if (isRestricted && scopes === null) return failure(400, 20001, 'A restricted key needs a policy');
  const sid = newSid(random, 'SK');
  const wanted = {
    id: sid,
    kind: isRestricted ? 'restricted-key' : 'api-key',
    name,
    account,
    scopes: isRestricted ? scopes! : [],
    parts: { sid, secret: newSecret(random) },
  };
  return make(wanted, (made) => ({
    status: 201,
    body: {
      ...shown(made),
      secret: made.parts['secret']!,
      policy: isRestricted ? { allow: [...made.scopes] } : null,
    },
  }));
}

export const twilioTwin: KitDefinition<null> = {
  name: 'twilio',
  state: () => null,
  newId: (random) => newSid(random, 'SK'),
  keyOf: (request, keys) => keyOf(request, keys.byText),
  refused: () => failure(401, 20003, 'Authenticate'),
  notFound: () => failure(404, 20404, 'The requested resource was not found'),
  rateLimited: (retryAfter) => ({
    ...failure(429, 20429, 'Too Many Requests'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => failure(status, 20500, 'Internal Server Error'),
  routes: [
    { line: 'GET /v1/Keys', class: 'list-keys', asks: 'key', handle: managing(list) },
    { line: 'POST /v1/Keys', class: 'create-key', asks: 'key', handle: managing(create) },
    {
      line: 'DELETE /v1/Keys/{sid}',
      class: 'revoke-key',
      asks: 'key',
      handle: managing(({ params, keys, end }) => {
        const found = keys.all().find((key) => isApiKey(key) && key.parts['sid'] === params['sid']);
        if (found === undefined || found.revokedAt !== null) return failure(404, 20404, 'The key was not found');
        return end(found, { status: 204, body: null });
      }),
    },
    {
      line: 'GET /2010-04-01/Accounts/{account}/AvailablePhoneNumbers.json',
      class: 'auth',
      asks: 'key',
      handle: ({ request, key }) =>
        key!.kind === 'restricted-key'
          ? failure(403, 20403, 'Forbidden')
          : { status: 200, body: { countries: [{ country_code: 'US' }], uri: request.path } },
    },
    {
      line: 'GET /2010-04-01/Accounts/{account}/Messages.json',
      class: 'auth',
      asks: 'key',
      handle: ({ request, key }) =>
        key!.kind === 'restricted-key' && !key!.scopes.includes(MESSAGES_READ)
          ? failure(403, 20403, 'Forbidden')
          : { status: 200, body: { messages: [], uri: request.path } },
    },
  ],
};
