// How servers with Mastodon's API tell a key that lives from one that is dead. Two dialects are known, Mastodon and GoToSocial; they use the
// same statuses for opposite things, so that only status and text together say something, and what no dialect explains stays `unknown`.
// Follows mastodon/documentation and Doorkeeper's texts, and GoToSocial as it was measured at commit 57cb4fe (read 2026-11-21).
import type { Json } from '../model/json.ts';
import { at, foreignText, headerOf, retryAfterMs } from './declared-answers.ts';
import type { Evidence, KindSettings, Liveness, Operation, ProbeInput, ProviderAnswer } from './provider.ts';

export type Dialect = 'mastodon' | 'gotosocial';

/** One answer that is known, by its status and its `error`. */
interface Sign {
  readonly dialect: Dialect;
  readonly status: number;
  readonly error: string;
  readonly name: string;
  readonly as: 'alive' | 'dead';
}

/** To `GET /api/v1/apps/verify_credentials` with a token. No text of one dialect is one of the other. */
const TOKEN_SIGNS: readonly Sign[] = [
  sign('mastodon', 401, 'The access token was revoked', 'revoked', 'dead'),
  sign('mastodon', 401, 'The access token is invalid', 'invalid', 'dead'),
  // Only where a server was set up to let tokens expire.
  sign('mastodon', 401, 'The access token expired', 'expired', 'dead'),
  sign('mastodon', 403, 'This action is outside the authorized scopes', 'outside-scopes', 'alive'),
  // The token lives, its user is shut out: for a while, or until somebody lets them in.
  sign('mastodon', 403, 'Your login is currently disabled', 'login-disabled', 'alive'),
  sign('mastodon', 403, 'Your login is missing a confirmed e-mail address', 'login-unconfirmed', 'alive'),
  sign('mastodon', 403, 'Your login is currently pending approval', 'login-pending', 'alive'),
  sign('mastodon', 422, 'This method requires an authenticated user', 'app-token', 'alive'),
  // Unknown, dead and missing tokens all get this text.
  sign('gotosocial', 401, 'Unauthorized: token not supplied', 'not-supplied', 'dead'),
  // A live app token: the same status, and only the text differs.
  sign('gotosocial', 401, 'Unauthorized: user not supplied or not authorized', 'app-token', 'alive'),
  sign('gotosocial', 403, 'Forbidden: token has insufficient scope permission', 'outside-scopes', 'alive'),
];

/** To `POST /oauth/token` with the credentials of an app. */
const APP_SIGNS: readonly Sign[] = [
  sign('mastodon', 401, 'invalid_client', 'invalid-client', 'dead'),
  // Doorkeeper looks at the scopes only after it has accepted the client (its ClientCredentials::Validator).
  sign('mastodon', 400, 'invalid_scope', 'invalid-scope', 'alive'),
  // GoToSocial's `403 invalid_scope` is not here: it may say so before it has looked at the secret.
  sign('gotosocial', 400, 'invalid_client', 'invalid-client', 'dead'),
];

function sign(dialect: Dialect, status: number, error: string, name: string, as: Sign['as']): Sign {
  return { dialect, status, error, name, as };
}

function isDialect(text: Json | undefined): text is Dialect {
  return text === 'mastodon' || text === 'gotosocial';
}

/** The dialect that a credential's settings name, or null where they name none that is known. */
export function dialectOf(settings: KindSettings): Dialect | null {
  const { software } = settings;
  return isDialect(software) ? software : null;
}

/** What an instance says that it is; null for software whose answers nobody has described here. It needs no key. */
export const instanceDialect: Operation<ProbeInput, Dialect | null> = {
  request: () => ({ method: 'GET', path: '/nodeinfo/2.0', secrets: [] }),
  read(answer) {
    const name = answer.status === 200 ? at(answer.json, '/software/name') : undefined;
    return isDialect(name) ? name : null;
  },
};

/** Names what was seen. Only what looks like an id is kept of the peer's: evidence is published. */
export function evidenceOf(answer: ProviderAnswer, signature: string, dialect: Dialect = 'mastodon'): Evidence {
  const id = headerOf(answer, 'x-request-id') ?? '';
  const requestId = /^[A-Za-z0-9._:-]{1,60}$/.test(id) ? id : null;
  return { status: answer.status, signature: `${dialect}.${answer.status}.${signature}`, requestId };
}

/** The `error` of both dialects' form of an error; null where the body is somebody else's. */
export function errorOf(answer: ProviderAnswer): string | null {
  const error = at(answer.json, '/error');
  return typeof error === 'string' ? foreignText(error) : null;
}

const PATIENCE_MAX_MS = 3_600_000;

/** Milliseconds to wait: Retry-After, or, as Mastodon says it, X-RateLimit-Reset against the answer's own Date, never against our clock. */
export function patienceMs(answer: ProviderAnswer): number | null {
  const asked = retryAfterMs(answer);
  if (asked !== null || answer.status !== 429) return asked;
  const instant = (name: string) => Date.parse(headerOf(answer, name) ?? '');
  const waitMs = instant('x-ratelimit-reset') - instant('date');
  return Number.isFinite(waitMs) ? Math.min(Math.max(waitMs, 0), PATIENCE_MAX_MS) : null;
}

function readSign(signs: readonly Sign[], answer: ProviderAnswer, dialects: readonly Dialect[]): Liveness {
  const error = errorOf(answer);
  const found = signs.find(
    (one) => one.status === answer.status && one.error === error && dialects.includes(one.dialect),
  );
  if (found !== undefined) return { is: found.as, evidence: evidenceOf(answer, found.name, found.dialect) };
  return { is: 'unknown', evidence: evidenceOf(answer, 'other'), retryAfterMs: patienceMs(answer) };
}

/** What an answer says of a token. Without a setting both dialects are heard: their texts cannot be mistaken for one another. */
export function readTokenProbe(answer: ProviderAnswer, settings: KindSettings): Liveness {
  const dialect = dialectOf(settings);
  if (answer.status === 200 && typeof at(answer.json, '/name') === 'string')
    return { is: 'alive', evidence: evidenceOf(answer, 'application', dialect ?? 'mastodon') };
  return readSign(TOKEN_SIGNS, answer, dialect === null ? ['mastodon', 'gotosocial'] : [dialect]);
}

/**
 * What an answer says of an app. Without a setting only Mastodon's are heard: `invalid_client` is the same word in both, and a status alone
 * is not enough to call an app dead.
 */
export function readAppProbe(answer: ProviderAnswer, settings: KindSettings): Liveness {
  const dialect = dialectOf(settings) ?? 'mastodon';
  if (answer.status === 200 && typeof at(answer.json, '/access_token') === 'string')
    return { is: 'alive', evidence: evidenceOf(answer, 'token-granted', dialect) };
  return readSign(APP_SIGNS, answer, [dialect]);
}
