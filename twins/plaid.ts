// A twin of the part of Plaid that keys go through: client secrets (two at once, by hand), Items and their access tokens, and the sandbox's way
// to an Item without a browser. Shapes follow Plaid's OpenAPI document 2020-09-14. One twin stands for production and sandbox: a client of
// one environment finds no token of the other. docs/providers/plaid.md says what was never compared with the live service.
import type { Json } from '../src/model/json.ts';
import { isAlive, type KitAnswer, type KitContext, type KitDefinition, type KitKey, member } from './kit.ts';
import type { Prng } from './prng.ts';

const HEX = '0123456789abcdef';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const PRODUCTS = ['auth', 'transactions'];

export interface PlaidState {
  /** Items that were removed: their tokens are answered otherwise than invalidated ones. */
  readonly removed: Set<string>;
  /** Items whose user has to log in again. */
  readonly loggedOut: Set<string>;
  /** Item by public token, single use. */
  readonly publicTokens: Map<string, string>;
}

type Context = KitContext<PlaidState>;
type Environment = 'production' | 'sandbox';

function requestId(random: Prng): string {
  return random.text(15, LETTERS);
}

function failure(status: number, type: string, code: string, message: string): KitAnswer {
  return {
    status,
    body: {
      display_message: null,
      error_code: code,
      error_message: message,
      error_type: type,
      request_id: 'HNTDNrA8F1shFEW',
      suggested_action: null,
    },
  };
}

const NO_SUCH_TOKEN = failure(400, 'INVALID_INPUT', 'INVALID_ACCESS_TOKEN', 'could not find matching access token');
const NO_SUCH_ITEM = failure(400, 'ITEM_ERROR', 'ITEM_NOT_FOUND', 'The Item you requested cannot be found.');

export function newPlaidSecret(random: Prng): string {
  return `canary${random.text(24, HEX)}`;
}

export function newPlaidToken(random: Prng, environment: Environment): string {
  const hex = (length: number) => random.text(length, HEX);
  return `access-${environment}-${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-canary${hex(6)}`;
}

function environmentOf(key: KitKey): Environment {
  return key.kind.startsWith('sandbox-') ? 'sandbox' : 'production';
}

function tokenKind(environment: Environment): string {
  return environment === 'sandbox' ? 'sandbox-access-token' : 'access-token';
}

function itemOf(token: KitKey): string {
  return String(token.more['item']);
}

function text(body: Json | undefined, name: string): string | null {
  const value = member(body, name);
  return typeof value === 'string' && value !== '' ? value : null;
}

/** A successor that arrived later than its answer ends its predecessor when it arrives. */
function settle(context: Context): void {
  for (const late of context.keys.all()) {
    const replaced = late.more['endsOnArrival'];
    const old = typeof replaced === 'string' ? context.keys.byId(replaced) : null;
    if (old !== null) old.diesAt ??= late.createdAt;
  }
}

/** The token that a request is about, where its client may use it, or Plaid's refusal. */
function tokenOf(context: Context): KitKey | KitAnswer {
  settle(context);
  const { request, key, keys, state, now } = context;
  const shown = text(request.body, 'access_token');
  if (shown === null)
    return failure(400, 'INVALID_REQUEST', 'MISSING_FIELDS', 'the following required fields are missing: access_token');
  const token = keys.byText(shown);
  const isTheirs = token?.kind === tokenKind(environmentOf(key!)) && token.account === key!.account;
  if (token === null || !isTheirs) return NO_SUCH_TOKEN;
  if (isAlive(token, now)) return token;
  return state.removed.has(itemOf(token)) ? NO_SUCH_ITEM : NO_SUCH_TOKEN;
}

function isRefusal(found: KitKey | KitAnswer): found is KitAnswer {
  return 'status' in found;
}

function itemView(token: KitKey, state: PlaidState): Json {
  const wantsUser = state.loggedOut.has(itemOf(token));
  const trouble = failure(400, 'ITEM_ERROR', 'ITEM_LOGIN_REQUIRED', 'the login details of this item have changed');
  return {
    item_id: itemOf(token),
    institution_id: 'ins_109508',
    institution_name: 'First Platypus Bank',
    webhook: '',
    auth_method: null,
    error: wantsUser ? trouble.body : null,
    available_products: ['balance'],
    billed_products: PRODUCTS,
    products: PRODUCTS,
    consented_products: PRODUCTS,
    consented_data_scopes: ['account_balance_info'],
    consented_use_cases: ['Track and manage your finances'],
    consent_expiration_time: null,
    created_at: new Date(token.createdAt).toISOString(),
    update_type: 'background',
  };
}

/** The one account of every Item. */
const ACCOUNT: Json = {
  account_id: 'BxBXxLj1m4HMXBm9WZZmCWVbPjX16EHwv99vp',
  balances: { available: 100, current: 110, limit: null, iso_currency_code: 'USD', unofficial_currency_code: null },
  mask: '0000',
  name: 'Plaid Checking',
  official_name: 'Plaid Gold Standard 0% Interest Checking',
  type: 'depository',
  subtype: 'checking',
};

/** Swaps a token for its successor. The answer may be lost, late, or a lie, as the faults have it. */
function invalidate(context: Context): KitAnswer {
  const old = tokenOf(context);
  if (isRefusal(old)) return old;
  const more: Record<string, Json> = { item: itemOf(old) };
  let wasMade = false;
  const answer = context.create(
    {
      kind: old.kind,
      name: '',
      account: old.account,
      parts: { key: newPlaidToken(context.random, environmentOf(old)) },
      more,
    },
    (made) => {
      wasMade = true;
      return {
        status: 200,
        body: { new_access_token: made.parts['key']!, request_id: requestId(context.random) },
      };
    },
  );
  if (wasMade) return context.end(old, answer);
  more['endsOnArrival'] = old.id;
  return answer;
}

export const plaidTwin: KitDefinition<PlaidState> = {
  name: 'plaid',
  state: () => ({ removed: new Set(), loggedOut: new Set(), publicTokens: new Map() }),
  newId: (random) => random.text(37, LETTERS),
  /** The client, in headers or in the body; both of its parts must fit. */
  keyOf(request, keys) {
    const secret = request.headers['plaid-secret'] ?? text(request.body, 'secret') ?? '';
    const clientId = request.headers['plaid-client-id'] ?? text(request.body, 'client_id') ?? '';
    const key = keys.byText(secret);
    return key?.parts['secret'] === secret && key.parts['clientId'] === clientId ? key : null;
  },
  refused: () => failure(400, 'INVALID_INPUT', 'INVALID_API_KEYS', 'invalid client_id or secret provided'),
  notFound: () => failure(404, 'INVALID_REQUEST', 'NOT_FOUND', 'there is nothing here'),
  rateLimited: (retryAfter) => ({
    ...failure(429, 'RATE_LIMIT_EXCEEDED', 'RATE_LIMIT', 'rate limit exceeded'),
    ...(retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
  }),
  serverError: (status) => failure(status, 'API_ERROR', 'INTERNAL_SERVER_ERROR', 'an unexpected error occurred'),
  routes: [
    {
      line: 'POST /institutions/get_by_id',
      class: 'auth',
      asks: 'key',
      handle({ request, random }) {
        if (text(request.body, 'institution_id') !== 'ins_109508')
          return failure(400, 'INVALID_INPUT', 'INVALID_INSTITUTION', 'invalid institution_id provided');
        const institution = {
          institution_id: 'ins_109508',
          name: 'First Platypus Bank',
          products: PRODUCTS,
          country_codes: ['US'],
          routing_numbers: [],
          oauth: false,
        };
        return { status: 200, body: { institution, request_id: requestId(random) } };
      },
    },
    {
      line: 'POST /item/get',
      class: 'auth',
      asks: 'key',
      handle(context) {
        const token = tokenOf(context);
        if (isRefusal(token)) return token;
        token.lastUsedAt = context.now;
        return {
          status: 200,
          body: { item: itemView(token, context.state), status: null, request_id: requestId(context.random) },
        };
      },
    },
    {
      line: 'POST /accounts/get',
      class: 'other',
      asks: 'key',
      handle(context) {
        const token = tokenOf(context);
        if (isRefusal(token)) return token;
        token.lastUsedAt = context.now;
        // An Item whose user has to log in again gives no data.
        if (context.state.loggedOut.has(itemOf(token)))
          return failure(400, 'ITEM_ERROR', 'ITEM_LOGIN_REQUIRED', 'the login details of this item have changed');
        const body = {
          accounts: [ACCOUNT],
          item: itemView(token, context.state),
          request_id: requestId(context.random),
        };
        return { status: 200, body };
      },
    },
    { line: 'POST /item/access_token/invalidate', class: 'create-key', asks: 'key', handle: invalidate },
    {
      line: 'POST /item/remove',
      class: 'revoke-key',
      asks: 'key',
      handle(context) {
        const token = tokenOf(context);
        if (isRefusal(token)) return token;
        const answer = context.end(token, { status: 200, body: { request_id: requestId(context.random) } });
        if (token.revokedAt !== null) context.state.removed.add(itemOf(token));
        return answer;
      },
    },
    {
      line: 'POST /sandbox/public_token/create',
      class: 'other',
      asks: 'key',
      handle({ key, random, state }) {
        if (environmentOf(key!) !== 'sandbox')
          return failure(400, 'INVALID_INPUT', 'UNAUTHORIZED_ENVIRONMENT', 'only in the sandbox');
        const hex = (length: number) => random.text(length, HEX);
        const publicToken = `public-sandbox-${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-canary${hex(6)}`;
        state.publicTokens.set(publicToken, random.text(37, LETTERS));
        return { status: 200, body: { public_token: publicToken, request_id: requestId(random) } };
      },
    },
    {
      line: 'POST /item/public_token/exchange',
      class: 'create-key',
      asks: 'key',
      handle({ request, key, random, state, create }) {
        const shown = text(request.body, 'public_token') ?? '';
        const item = state.publicTokens.get(shown);
        if (item === undefined)
          return failure(400, 'INVALID_INPUT', 'INVALID_PUBLIC_TOKEN', 'could not find matching public token');
        state.publicTokens.delete(shown);
        const environment = environmentOf(key!);
        return create(
          {
            kind: tokenKind(environment),
            name: '',
            account: key!.account,
            parts: { key: newPlaidToken(random, environment) },
            more: { item },
          },
          (made) => ({
            status: 200,
            body: { access_token: made.parts['key']!, item_id: item, request_id: requestId(random) },
          }),
        );
      },
    },
    {
      line: 'POST /sandbox/item/reset_login',
      class: 'other',
      asks: 'key',
      handle(context) {
        const token = tokenOf(context);
        if (isRefusal(token)) return token;
        context.state.loggedOut.add(itemOf(token));
        return { status: 200, body: { reset_login: true, request_id: requestId(context.random) } };
      },
    },
  ],
};
