// A twin of a server with Mastodon's API, in two dialects: Mastodon's own and GoToSocial's. Apps, consent, tokens and their ends, with each
// server's words. Shapes follow the official documents; texts and order of checks are Doorkeeper's and what was measured at GoToSocial. A
// stand-in for tests and demonstrations; docs/providers/mastodon.md says what was never compared with a live instance.
import { createHash } from 'node:crypto';
import type { Json } from '../src/model/json.ts';
import {
  bearerOf,
  isAlive,
  type KitAnswer,
  type KitContext,
  type KitDefinition,
  type KitKey,
  type KitKeys,
  type KitRequest,
  type KitRoute,
  member,
} from './kit.ts';
import { accountOf, type KeptStatus, nodeinfoOf, statusOf } from './mastodon.entities.ts';
import { ALPHANUMERIC, type Prng } from './prng.ts';

export type Dialect = 'mastodon' | 'gotosocial';
/** Why a user is shut out although the token lives. */
export type Shut = 'disabled' | 'unconfirmed' | 'pending';

interface Code {
  readonly app: string;
  readonly account: string;
  readonly scopes: readonly string[];
  readonly redirectUri: string;
  readonly challenge: string | null;
  readonly endsAt: number;
}

/** Whoever sits before the page of `GET /oauth/authorize`, signed in, and what they press. */
export interface Person {
  account: string;
  agrees: boolean;
}

export interface MastodonState {
  readonly codes: Map<string, Code>;
  readonly shut: Map<string, Shut>;
  readonly person: Person;
  /** Oldest first. */
  readonly statuses: KeptStatus[];
}

type Context = KitContext<MastodonState>;

const URL_SAFE = `${ALPHANUMERIC}_-`;
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const CODE_LIVES_MS = 600_000;
/** How long a token of an app lives at GoToSocial. */
export const APP_TOKEN_LIVES_MS = 7_200_000;
const OUT_OF_BAND = 'urn:ietf:wg:oauth:2.0:oob';
const FIRST_STATUS = 110_000_000_000;
const PAGE = 20;
const PAGE_MAX = 40;

const SHUT_TEXTS: Readonly<Record<Shut, string>> = {
  disabled: 'Your login is currently disabled',
  unconfirmed: 'Your login is missing a confirmed e-mail address',
  pending: 'Your login is currently pending approval',
};

/** 43 characters of base64url; at GoToSocial 48 capitals and digits, so that the mark stands in capitals there. */
export function newMastodonToken(random: Prng, dialect: Dialect): string {
  if (dialect === 'gotosocial') return `CANARY${random.text(42, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789')}`;
  return `canary${random.text(37, URL_SAFE)}`;
}

/** An app's credentials: at GoToSocial a ULID and a UUID, in which no mark can stand. */
export function newMastodonApp(random: Prng, dialect: Dialect): Readonly<Record<string, string>> {
  if (dialect === 'gotosocial') return { clientId: `01${random.text(24, CROCKFORD)}`, clientSecret: random.uuid() };
  return { clientId: random.text(43, URL_SAFE), clientSecret: `canary${random.text(37, URL_SAFE)}` };
}

function failure(status: number, error: string, description?: string): KitAnswer {
  return { status, body: { error, ...(description === undefined ? {} : { error_description: description }) } };
}

function redirect(target: string, query: Readonly<Record<string, string>>): KitAnswer {
  return { status: 302, body: null, headers: { location: `${target}?${new URLSearchParams(query)}` } };
}

const INVALID_GRANT = failure(400, 'invalid_grant', 'The provided authorization grant is invalid, expired or revoked.');

function textOf(request: KitRequest, name: string): string {
  const value = member(request.body, name) ?? request.query.get(name);
  return typeof value === 'string' ? value : '';
}

function scopesOf(text: string): string[] {
  return (text === '' ? 'read' : text).split(/[ +]/).filter((one) => one !== '');
}

function covers(granted: readonly string[], wanted: string): boolean {
  return granted.some((one) => one === wanted || wanted.startsWith(`${one}:`));
}

function sameScopes(one: readonly string[], other: readonly string[]): boolean {
  return [...one].sort().join(' ') === [...other].sort().join(' ');
}

/** The app that a request shows itself as, with the right secret; null otherwise. */
function clientOf(request: KitRequest, keys: KitKeys): KitKey | null {
  const app = keys.byText(textOf(request, 'client_id'));
  return app?.kind === 'app' && app.parts['clientSecret'] === textOf(request, 'client_secret') ? app : null;
}

function appEntity(app: KitKey): Readonly<Record<string, Json>> {
  const redirectUris = app.more['redirectUris'] as readonly string[];
  return {
    id: app.id,
    name: app.name,
    scopes: [...app.scopes],
    redirect_uri: redirectUris.join('\n'),
    redirect_uris: redirectUris,
    // Deprecated, and still required by the document.
    vapid_key: 'public',
  };
}

function tokenEntity(token: KitKey): KitAnswer {
  const body = {
    access_token: token.parts['key']!,
    token_type: 'Bearer',
    scope: token.scopes.join(' '),
    created_at: Math.floor(token.createdAt / 1000),
  };
  const endsIn = token.expiresAt === null ? null : Math.round((token.expiresAt - token.createdAt) / 1000);
  return { status: 200, body: endsIn === null ? body : { ...body, expires_in: endsIn } };
}

export function mastodonTwin(dialect: Dialect): KitDefinition<MastodonState> {
  const isMastodon = dialect === 'mastodon';
  const invalidClient = isMastodon
    ? failure(401, 'invalid_client', 'Client authentication failed due to unknown client.')
    : failure(400, 'invalid_client', 'Client authentication failed.');
  const invalidScope = failure(isMastodon ? 400 : 403, 'invalid_scope', 'The requested scope is invalid.');
  const outsideScopes = isMastodon
    ? failure(403, 'This action is outside the authorized scopes')
    : failure(403, 'Forbidden: token has insufficient scope permission');

  /** Mastodon's `reuse_access_token`: who asks again for the same gets the same. */
  function grant(context: Context, wanted: { app: KitKey; account: string; scopes: readonly string[] }): KitAnswer {
    const { app, account, scopes } = wanted;
    const same = context.keys.all().find((one) => {
      const isSame = one.more['app'] === app.id && one.account === account && sameScopes(one.scopes, scopes);
      return isSame && isAlive(one, context.now);
    });
    if (isMastodon && same !== undefined) return tokenEntity(same);
    const isApps = account === '';
    return context.create(
      {
        kind: isApps ? 'app-token' : 'user-token',
        name: app.name,
        account,
        scopes,
        parts: { key: newMastodonToken(context.random, dialect) },
        more: { app: app.id },
        expiresAt: isApps && !isMastodon ? context.now + APP_TOKEN_LIVES_MS : null,
      },
      tokenEntity,
    );
  }

  function exchange(context: Context, app: KitKey): KitAnswer {
    const { request, state, now } = context;
    const code = textOf(request, 'code');
    const found = state.codes.get(code);
    state.codes.delete(code);
    if (found === undefined || found.app !== app.id || now >= found.endsAt) return INVALID_GRANT;
    if (found.redirectUri !== textOf(request, 'redirect_uri')) return INVALID_GRANT;
    const verified = createHash('sha256').update(textOf(request, 'code_verifier')).digest('base64url');
    if (found.challenge !== null && found.challenge !== verified) return INVALID_GRANT;
    return grant(context, { app, account: found.account, scopes: found.scopes });
  }

  function register({ request, create, random }: Context): KitAnswer {
    const asked = member(request.body, 'redirect_uris');
    const redirectUris = [asked].flat().filter((one) => typeof one === 'string') as string[];
    const name = textOf(request, 'client_name');
    if (name === '' || redirectUris.length === 0)
      return isMastodon
        ? failure(422, 'Validation failed: Redirect URI must be an absolute URI.')
        : failure(400, 'Bad Request: client_name must be set');
    return create(
      {
        kind: 'app',
        name,
        account: '',
        scopes: scopesOf(textOf(request, 'scopes')),
        parts: newMastodonApp(random, dialect),
        more: { redirectUris },
      },
      (made) => {
        const secret = { client_id: made.parts['clientId']!, client_secret: made.parts['clientSecret']! };
        const expiry = isMastodon ? { client_secret_expires_at: 0 } : {};
        return { status: 200, body: { ...appEntity(made), ...secret, ...expiry } };
      },
    );
  }

  /** A person signed in, read what the app wants, and agreed or did not: in place of a page with a form. */
  function consent({ request, keys, state, random, now }: Context): KitAnswer {
    const app = keys.byText(textOf(request, 'client_id'));
    const redirectUri = textOf(request, 'redirect_uri');
    if (app?.kind !== 'app' || textOf(request, 'response_type') !== 'code') return invalidClient;
    if (!(app.more['redirectUris'] as readonly string[]).includes(redirectUri))
      return failure(400, 'invalid_redirect_uri', 'The requested redirect uri is malformed or does not match.');
    const scopes = scopesOf(textOf(request, 'scope'));
    if (!scopes.every((one) => covers(app.scopes, one))) return invalidScope;
    const challenge = textOf(request, 'code_challenge');
    // S256 is the only one that Mastodon takes.
    if (challenge !== '' && textOf(request, 'code_challenge_method') !== 'S256')
      return failure(400, 'invalid_code_challenge_method', 'The code challenge method must be S256.');
    const isPage = request.method === 'GET';
    const kept = textOf(request, 'state');
    if (isPage && !state.person.agrees) {
      const denial = { error: 'access_denied', error_description: 'The resource owner denied the request.' };
      return redirect(redirectUri, { ...denial, ...(kept === '' ? {} : { state: kept }) });
    }
    const code = `canary${random.text(37, URL_SAFE)}`;
    const account = isPage ? state.person.account : textOf(request, 'account');
    const given = { app: app.id, account, scopes, redirectUri, challenge: challenge === '' ? null : challenge };
    state.codes.set(code, { ...given, endsAt: now + CODE_LIVES_MS });
    const target = redirectUri === OUT_OF_BAND ? '/oauth/authorize/native' : redirectUri;
    return redirect(target, { code, ...(kept === '' ? {} : { state: kept }) });
  }

  function issueToken(context: Context): KitAnswer {
    const { request } = context;
    const app = context.key!;
    if (!isMastodon && textOf(request, 'redirect_uri') === '') return failure(400, 'invalid_request');
    if (textOf(request, 'grant_type') === 'authorization_code') return exchange(context, app);
    if (textOf(request, 'grant_type') !== 'client_credentials') return failure(400, 'unsupported_grant_type');
    const scopes = scopesOf(textOf(request, 'scope'));
    if (!scopes.every((one) => covers(app.scopes, one))) return invalidScope;
    return grant(context, { app, account: '', scopes });
  }

  function revoke({ request, keys, end }: Context): KitAnswer {
    const done: KitAnswer = { status: 200, body: {} };
    const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
    // GoToSocial binds a form here, and nothing else.
    if (!isMastodon && !isForm) return failure(400, 'invalid_request', 'client_id not set');
    const token = keys.byText(textOf(request, 'token'));
    const client = clientOf(request, keys);
    const stranger = failure(403, 'unauthorized_client', 'You are not authorized to revoke this token');
    if (token === null || token.kind === 'app') return isMastodon || client !== null ? done : stranger;
    return client?.id === token.more['app'] ? end(token, done) : stranger;
  }

  /** What stands before every answer to a token; null where nothing does. */
  function barrier({ key, state }: Context): KitAnswer | null {
    const shut = state.shut.get(key!.account);
    return isMastodon && shut !== undefined ? failure(403, SHUT_TEXTS[shut]) : null;
  }

  function showApp(context: Context): KitAnswer {
    const token = context.key!;
    if (!isMastodon && token.kind === 'app-token')
      return failure(401, 'Unauthorized: user not supplied or not authorized');
    if (!isMastodon && !covers(token.scopes, 'read')) return outsideScopes;
    const app = context.keys.byId(String(token.more['app']));
    return barrier(context) ?? { status: 200, body: appEntity(app!) };
  }

  function showAccount(context: Context): KitAnswer {
    const token = context.key!;
    if (token.kind === 'app-token')
      return isMastodon
        ? failure(422, 'This method requires an authenticated user')
        : failure(401, 'Unauthorized: user not supplied or not authorized');
    const may = covers(token.scopes, 'read:accounts') || token.scopes.includes('profile');
    return barrier(context) ?? (may ? { status: 200, body: accountOf(token.account, dialect) } : outsideScopes);
  }

  function post(context: Context): KitAnswer {
    const { key, request, state, now } = context;
    const shut = barrier(context);
    if (shut !== null) return shut;
    if (!covers(key!.scopes, 'write:statuses')) return outsideScopes;
    const text = textOf(request, 'status');
    if (text === '') return failure(422, 'Validation failed: Text can\u2019t be blank');
    const status = { id: String(FIRST_STATUS + state.statuses.length), account: key!.account, text, at: now };
    state.statuses.push(status);
    return { status: 200, body: statusOf(status, dialect) };
  }

  /** Newest first, by pages; the next one is named with this server's own address, as everywhere. */
  function listStatuses(context: Context): KitAnswer {
    const { request, state, params } = context;
    const shut = barrier(context);
    if (shut !== null) return shut;
    const limit = Math.min(Number(request.query.get('limit') ?? PAGE), PAGE_MAX);
    const below = Number(request.query.get('max_id') ?? Number.POSITIVE_INFINITY);
    const found = state.statuses.filter((one) => one.account === params['id'] && Number(one.id) < below).toReversed();
    const page = found.slice(0, limit);
    const body = page.map((one) => statusOf(one, dialect));
    if (page.length === 0) return { status: 200, body };
    const at = (name: string, id: string) =>
      `<http://${request.headers['host']}${request.path}?limit=${limit}&${name}=${id}>`;
    const next = `${at('max_id', page.at(-1)!.id)}; rel="next"`;
    const previous = `${at('min_id', page[0]!.id)}; rel="prev"`;
    return { status: 200, body, headers: { link: found.length > limit ? `${next}, ${previous}` : previous } };
  }

  const route = (
    line: string,
    kind: KitRoute<MastodonState>['class'],
    asks: 'key' | 'none',
    handle: (context: Context) => KitAnswer,
  ): KitRoute<MastodonState> => ({ line, class: kind, asks, handle });

  return {
    name: dialect,
    state: () => ({ codes: new Map(), shut: new Map(), person: { account: '42', agrees: true }, statuses: [] }),
    keyOf(request, keys) {
      if (request.path === '/oauth/token') return clientOf(request, keys);
      const found = keys.byText(bearerOf(request));
      return found?.kind === 'app' ? null : found;
    },
    refused(why, request) {
      if (request.path === '/oauth/token') {
        const lacksUri = !isMastodon && textOf(request, 'redirect_uri') === '';
        return lacksUri ? failure(400, 'invalid_request') : invalidClient;
      }
      if (!isMastodon) return failure(401, 'Unauthorized: token not supplied');
      const texts = { unknown: 'is invalid', ended: 'was revoked', expired: 'expired' } as const;
      return failure(401, `The access token ${texts[why]}`);
    },
    notFound: () => failure(404, isMastodon ? 'Record not found' : 'Not Found'),
    // Mastodon says when in a header of its own, and has no Retry-After.
    rateLimited: (retryAfter) => ({
      ...failure(429, 'Too many requests'),
      ...(isMastodon || retryAfter === null ? {} : { headers: { 'retry-after': retryAfter } }),
    }),
    serverError: (status) => failure(status, 'Internal Server Error'),
    routes: [
      route('POST /api/v1/apps', 'create-key', 'none', register),
      route('GET /api/v1/apps/verify_credentials', 'auth', 'key', showApp),
      route('GET /api/v1/accounts/verify_credentials', 'auth', 'key', showAccount),
      route('GET /api/v1/accounts/{id}/statuses', 'other', 'key', listStatuses),
      route('POST /api/v1/statuses', 'other', 'key', post),
      route('GET /oauth/authorize', 'other', 'none', consent),
      route('POST /oauth/authorize', 'other', 'none', consent),
      route('POST /oauth/token', 'create-key', 'key', issueToken),
      route('POST /oauth/revoke', 'revoke-key', 'none', revoke),
      route('GET /nodeinfo/2.0', 'other', 'none', () => ({ status: 200, body: nodeinfoOf(dialect) })),
    ],
  };
}
