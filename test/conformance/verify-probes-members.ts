// Which member of the registry each row of the collected probes is about, and how that provider words its answers: what a row names by its
// status, its code or its text alone, the provider says in a form of its own. For verify-probes.test.ts.
import type { Json } from '../../src/model/json.ts';
import * as registry from '../../src/providers/index.ts';
import type { KindSettings, Provider } from '../../src/providers/provider.ts';
import { cachetTwin, newCachetToken } from '../../twins/cachet.ts';
import { cachetV2Twin } from '../../twins/cachet-v2.ts';
import { createTwin, type KitAnswer, type KitControl, type KitDefinition, type KitRequest } from '../../twins/kit.ts';
import { mastodonTwin, newMastodonApp, newMastodonToken } from '../../twins/mastodon.ts';
import { createNeonTwin } from '../../twins/neon.ts';
import { newPlaidSecret, newPlaidToken, plaidTwin } from '../../twins/plaid.ts';
import { newPrefectKey, prefectCloudTwin } from '../../twins/prefect-cloud.ts';
import { newAuthString, prefectServerTwin } from '../../twins/prefect-server.ts';
import { ALPHANUMERIC, prng } from '../../twins/prng.ts';

type Texts = Readonly<Record<string, string>>;

export interface Member {
  readonly provider: Provider;
  readonly kinds: readonly string[];
  /** Each set of settings under which the row holds. */
  readonly settings: readonly KindSettings[];
  /** Parts of a kind's form that no provider ever gave out. */
  readonly parts: Texts;
  /** Who asks, where the kind is asked about by its issuer. */
  readonly issuer?: { readonly kind: string; readonly parts: Texts };
  /** What a live key is shown, whole. */
  readonly whole: Json;
  /** The provider's own form of an error: `word` is its message, its error or its code. */
  readonly error: (status: number, word: string) => Json;
  /** Its words at a status that the row names without any. */
  readonly words: Readonly<Record<number, readonly string[]>>;
  /** Texts, or codes, that the patterns and classes of a row are about. */
  readonly samples: readonly string[];
  /** What the provider's twin answers to a key that never was; null where the twin knows no more than the declaration. */
  readonly twin: ((request: KitRequest) => KitAnswer) | null;
}

const random = prng(41);
const NOW = 1_790_000_000_000;
const clock = { now: () => NOW };

function at<State>(
  definition: KitDefinition<State>,
  prepare: (control: KitControl<State>) => void = () => {},
): (request: KitRequest) => KitAnswer {
  return (request) => {
    const twin = createTwin(definition, { seed: 1, clock });
    prepare(twin.control);
    return twin.handle(request, NOW);
  };
}

function atNeon(request: KitRequest): KitAnswer {
  const authorization = request.headers['authorization'] ?? null;
  const asked = { method: request.method, target: request.path, authorization, requestId: null };
  const { status, body } = createNeonTwin({ seed: 1, clock }).handle(
    { ...asked, remoteAddress: '127.0.0.1', body: null },
    NOW,
  );
  // The request's id is another one each time.
  const { request_id: _, ...rest } = body as Readonly<Record<string, Json>>;
  return { status, body: rest };
}

/** Error types by code, as Plaid's pages have them; every other code here is about the input. */
const PLAID_TYPES: Readonly<Record<string, string>> = {
  ITEM_NOT_FOUND: 'ITEM_ERROR',
  ITEM_LOGIN_REQUIRED: 'ITEM_ERROR',
  ITEM_LOCKED: 'ITEM_ERROR',
  ACCESS_NOT_GRANTED: 'ITEM_ERROR',
  INSTITUTION_DOWN: 'INSTITUTION_ERROR',
  RATE_LIMIT: 'RATE_LIMIT_EXCEEDED',
  INTERNAL_SERVER_ERROR: 'API_ERROR',
};

function plaidError(status: number, word: string): Json {
  const code = status === 429 ? 'RATE_LIMIT' : status >= 500 ? 'INTERNAL_SERVER_ERROR' : word;
  return {
    display_message: null,
    error_code: code,
    error_message: 'm',
    error_type: PLAID_TYPES[code] ?? 'INVALID_INPUT',
    request_id: 'r',
    suggested_action: null,
  };
}

const UUID = '00000000-0000-4000-8000-000000000001';
const CLIENT = { clientId: '0123456789abcdef01234567', secret: newPlaidSecret(random) };
const mastodonError = (_: number, error: string): Json => ({ error });
const APPLICATION = { id: '1', name: 'vault', website: null, scopes: ['read'], redirect_uris: ['https://app.example'] };

/** By the name of the row. */
export const MEMBERS: Readonly<Record<string, Member>> = {
  'neon-api-key': {
    provider: registry.neon,
    kinds: ['personal-key', 'organization-key', 'project-key'],
    settings: [{ orgId: 'org-1', projectId: 'project-1' }],
    parts: { key: `napi_canary${random.text(58, ALPHANUMERIC)}` },
    whole: { account_id: 'a', auth_method: 'api_key_org', auth_data: 'd' },
    error: (_, message) => ({ request_id: 'r', code: '', message }),
    words: { 403: ['forbidden'] },
    samples: [
      'not allowed for organization API keys',
      'not allowed to perform actions outside the project this key is scoped to; subject_project_id:"p"',
      'org_id is required, you can find it on your organization settings page',
    ],
    twin: atNeon,
  },
  'prefect-cloud key (user or service account)': {
    provider: registry.prefectCloud,
    kinds: ['user-key', 'service-account-key'],
    settings: [{ userId: UUID, accountId: UUID, botId: UUID }],
    parts: { key: newPrefectKey(random, 'pnu') },
    whole: [],
    error: (_, detail) => ({ detail }),
    words: { 403: ['Missing required permissions', 'Your IP address is not allowed'] },
    samples: [],
    twin: at(prefectCloudTwin),
  },
  'prefect-server basic auth string': {
    provider: registry.prefectServer,
    kinds: ['auth-string'],
    settings: [{}],
    parts: { key: newAuthString(random) },
    whole: '3.8.8',
    error: (_, message) => ({ exception_message: message }),
    words: {},
    samples: [],
    twin: at(prefectServerTwin()),
  },
  'mastodon user token': {
    provider: registry.mastodon,
    kinds: ['user-token', 'app-token'],
    settings: [{ software: 'mastodon' }, {}],
    parts: { key: newMastodonToken(random, 'mastodon') },
    whole: APPLICATION,
    error: mastodonError,
    // Of other words at this status no dialect says what they mean, and then nobody knows.
    words: {
      403: [
        'This action is outside the authorized scopes',
        'Your login is currently disabled',
        'Your login is currently pending approval',
        'Your login is missing a confirmed e-mail address',
      ],
    },
    samples: [],
    twin: at(mastodonTwin('mastodon')),
  },
  'mastodon app (client_id + client_secret)': {
    provider: registry.mastodon,
    kinds: ['app'],
    settings: [{ software: 'mastodon' }, {}],
    parts: newMastodonApp(random, 'mastodon'),
    whole: { access_token: newMastodonToken(random, 'mastodon'), token_type: 'Bearer', scope: 'read', created_at: 1 },
    error: (_, error) => ({ error, error_description: 'd' }),
    words: {},
    samples: [],
    twin: at(mastodonTwin('mastodon')),
  },
  'gotosocial token': {
    provider: registry.mastodon,
    kinds: ['user-token', 'app-token'],
    settings: [{ software: 'gotosocial' }, {}],
    parts: { key: newMastodonToken(random, 'gotosocial') },
    whole: APPLICATION,
    error: mastodonError,
    words: {},
    samples: [],
    twin: at(mastodonTwin('gotosocial')),
  },
  'plaid client_id + secret': {
    provider: registry.plaid,
    kinds: ['client', 'sandbox-client'],
    settings: [{}, { countryCode: 'GB' }],
    parts: CLIENT,
    whole: { institution: { institution_id: 'ins_109508' }, request_id: 'r' },
    error: plaidError,
    words: {},
    // Said of a request whose keys were looked at. Of errors in the form of a request, of limits and of Plaid's own troubles nobody knows that.
    samples: ['INVALID_INSTITUTION', 'INVALID_PRODUCT', 'INSTITUTION_DOWN'],
    twin: at(plaidTwin),
  },
  'plaid item access_token': {
    provider: registry.plaid,
    kinds: ['access-token', 'sandbox-access-token'],
    settings: [{}],
    parts: { key: newPlaidToken(random, 'production') },
    issuer: { kind: 'client', parts: CLIENT },
    whole: { item: { item_id: 'i', error: null }, status: null, request_id: 'r' },
    error: plaidError,
    words: {},
    samples: ['ITEM_LOGIN_REQUIRED', 'ITEM_LOCKED', 'ACCESS_NOT_GRANTED'],
    twin: at(plaidTwin, (control) => control.mint({ kind: 'client', name: '', account: 'team', parts: CLIENT })),
  },
  'cachet v3 token': {
    provider: registry.cachet,
    kinds: ['token'],
    settings: [{}],
    parts: { key: newCachetToken(random, '17') },
    whole: { data: { id: '0', type: 'subscribers' } },
    error: (_, message) => ({ message }),
    words: { 404: ['No query results for model [Cachet\\Models\\Subscriber] 0'] },
    samples: [],
    twin: at(cachetTwin),
  },
  'cachet v2 key': {
    provider: registry.cachetV2,
    kinds: ['user-key'],
    settings: [{}],
    parts: { key: `canary${random.text(14, ALPHANUMERIC)}` },
    whole: { meta: { pagination: { total: 0 } }, data: [] },
    error: (status, title) => ({ errors: [{ id: 'e', status, title, detail: `${title}.` }] }),
    words: { 401: ['Unauthorized'] },
    samples: [],
    twin: at(cachetV2Twin),
  },
  'sure X-Api-Key': {
    provider: registry.sure,
    kinds: ['api-key'],
    settings: [{}],
    parts: { key: 'ca0a4'.padEnd(64, '0') },
    whole: { api_key: { name: 'n', scopes: ['read'] } },
    error: (_, error) => ({ error, message: 'm' }),
    // At both statuses what stands before the application has words of its own, and proves nothing.
    words: { 403: ['insufficient_scope'], 429: ['rate_limit_exceeded'] },
    samples: [],
    twin: null,
  },
};

/** Rows that no member stands for, each with the reason. */
export const NO_MEMBER: Readonly<Record<string, string>> = {};
