// Mastodon, and GoToSocial as its second dialect: apps, the tokens of users that consented to them, and the tokens of apps themselves. In code,
// because what an answer means depends on the server's software (mastodon.dialect.ts), which a declaration cannot say.
// Follows mastodon/documentation for 4.7 and GoToSocial's Swagger document (read 2026-11-21); docs/providers/mastodon.md says what was never
// seen live.
//
// Mastodon gives the same token for the same app, user and scopes (`reuse_access_token`). So nothing follows itself inside one app: the next
// token is of a second app, to which its user has to consent.
import { Failure } from '../model/failure.ts';
import { Secret } from '../model/secret.ts';
import { at, idAt, namesAt } from './declared-answers.ts';
import { mastodonActions } from './mastodon.actions.ts';
import { dialectOf, errorOf, evidenceOf, patienceMs, readAppProbe, readTokenProbe } from './mastodon.dialect.ts';
import { mastodonScopes } from './mastodon.scopes.ts';
import type {
  Evidence,
  IdentityOutcome,
  IssueInput,
  IssueOutcome,
  Kind,
  KindSettings,
  Liveness,
  Operation,
  Place,
  ProbeInput,
  Provider,
  ProviderAnswer,
  RevokeInput,
  RevokeOutcome,
} from './provider.ts';

/** 43 characters of base64url at Mastodon, 64 hexadecimal digits at servers of old, 48 capitals and digits at GoToSocial. No checksum. */
const TOKEN_FORMAT = /^(?:[A-Za-z0-9_-]{43}|[0-9a-f]{64}|[A-Z0-9]{48})$/;
/** The same, but at GoToSocial a ULID and a UUID. */
const CLIENT_ID_FORMAT = /^(?:[A-Za-z0-9_-]{43}|[0-9a-f]{64}|[0-9A-HJKMNP-TV-Z]{26})$/;
const CLIENT_SECRET_FORMAT = /^(?:[A-Za-z0-9_-]{43}|[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
/** What a new part must at least be, whatever its form: fit for a header. */
const HEADER_SAFE = /^[\x21-\x7e]{6,512}$/;
/** Mastodon's own limit for an app's name (application_extension.rb, from memory); our labels have at most 51 characters. */
const APP_NAME_MAX = 60;
const REDIRECT_URI = /^[\x21-\x7e]{1,2000}$/;

/** For programs without a page of their own: the code is shown to the person. */
const OUT_OF_BAND = 'urn:ietf:wg:oauth:2.0:oob';
/** A scope that no server knows and so no app can have. */
const NO_SCOPE = 'claviger:none';

const TOKEN_PLACES: readonly Place[] = [
  { in: 'header', name: 'Authorization', scheme: 'Bearer' },
  // Where browsers put it for the WebSocket.
  { in: 'header', name: 'Sec-WebSocket-Protocol', scheme: null },
  { in: 'query', name: 'access_token' },
];

const SOFTWARE = {
  required: false,
  about: 'What the instance runs, where you know it: mastodon or gotosocial. Its page /nodeinfo/2.0 says it',
} as const;

/** Evidence in the name of the dialect that is set. */
function says(answer: ProviderAnswer, signature: string, { settings }: { readonly settings: KindSettings }): Evidence {
  return evidenceOf(answer, signature, dialectOf(settings) ?? 'mastodon');
}

function checked(settings: KindSettings): KindSettings {
  if (settings['software'] !== undefined && dialectOf(settings) === null)
    throw new Failure('invalid', 'the setting software is mastodon or gotosocial');
  return settings;
}

const TOKEN_PROBE: Operation<ProbeInput, Liveness> = {
  request({ settings }) {
    checked(settings);
    // Any token will do from 4.3 on, GoToSocial asks for `read`; who lacks it is told so, and lives.
    return { method: 'GET', path: '/api/v1/apps/verify_credentials' };
  },
  read: (answer, { settings }) => readTokenProbe(answer, settings),
};

const APP_PARTS = [
  { of: 'acting', part: 'clientId', in: 'body', pointer: '/client_id' },
  { of: 'acting', part: 'clientSecret', in: 'body', pointer: '/client_secret' },
] as const;

const APP_PROBE: Operation<ProbeInput, Liveness> = {
  request({ settings }) {
    const software = dialectOf(checked(settings));
    // A grant makes a token, which a probe cannot revoke. Mastodon accepts the client before it looks at the scope: asked for one that nobody
    // has, it says whether the secret is right, and makes nothing. Of other servers that is not known: there a token of `read` is made, and
    // thrown away unread. GoToSocial lets it end after two hours.
    const scope = software === 'mastodon' ? NO_SCOPE : 'read';
    // Mastodon documents `redirect_uri` as required, GoToSocial refuses a request without it.
    return {
      method: 'POST',
      path: '/oauth/token',
      json: { grant_type: 'client_credentials', redirect_uri: OUT_OF_BAND, scope },
      secrets: APP_PARTS,
    };
  },
  read: (answer, { settings }) => readAppProbe(answer, settings),
};

/** With the app's own credentials: only the app that a token was given to may end it. As a form (RFC 7009): GoToSocial reads nothing else here. */
const REVOKE: Operation<RevokeInput, RevokeOutcome> = {
  request: () => ({
    method: 'POST',
    path: '/oauth/revoke',
    secrets: [
      { of: 'acting', part: 'clientId', in: 'form', name: 'client_id' },
      { of: 'acting', part: 'clientSecret', in: 'form', name: 'client_secret' },
      { of: 'target', in: 'form', name: 'token' },
    ],
  }),
  read(answer, input) {
    // A token that never was is accepted just so.
    if (answer.status === 200 && answer.json !== null)
      return { is: 'accepted', evidence: says(answer, 'revoked', input) };
    const error = errorOf(answer);
    if (answer.status === 403 && error === 'unauthorized_client')
      return { is: 'refused', final: true, evidence: says(answer, 'unauthorized-client', input) };
    if (answer.status === 401 && error === 'invalid_client')
      return { is: 'refused', final: false, evidence: says(answer, 'invalid-client', input) };
    if (answer.status === 400 && error !== null)
      return { is: 'refused', final: true, evidence: says(answer, 'bad-request', input) };
    return { is: 'ambiguous', evidence: says(answer, 'other', input), retryAfterMs: patienceMs(answer) };
  },
};

const IDENTITY: Operation<ProbeInput, IdentityOutcome> = {
  request: () => ({ method: 'GET', path: '/api/v1/accounts/verify_credentials' }),
  read(answer, input) {
    const account = answer.status === 200 ? idAt(answer.json, '/id') : null;
    if (account === null || typeof at(answer.json, '/acct') !== 'string')
      return { is: 'unknown', evidence: says(answer, 'other', input) };
    return { is: 'known', account, evidence: says(answer, 'account', input) };
  },
};

/** Registering an app is open to everybody: no key stands in this request. */
const REGISTER: Operation<IssueInput, IssueOutcome> = {
  request({ settings, label, scopes }) {
    // Without any, an app gets `read`.
    if (scopes === undefined || scopes.length === 0)
      throw new Failure('invalid', 'an app is registered with its scopes, and they are not known');
    if (label === '' || label.length > APP_NAME_MAX)
      throw new Failure('invalid', `an app's name has 1 to ${APP_NAME_MAX} characters at Mastodon`);
    const redirectUri = settings['redirectUri'] ?? OUT_OF_BAND;
    if (!REDIRECT_URI.test(redirectUri)) throw new Failure('invalid', 'the setting redirectUri is not an address');
    const redirectUris = dialectOf(checked(settings)) === 'gotosocial' ? redirectUri : [redirectUri];
    const json = { client_name: label, redirect_uris: redirectUris, scopes: scopes.join(' ') };
    return { method: 'POST', path: '/api/v1/apps', json, secrets: [] };
  },
  read: readRegister,
};

function readRegister(answer: ProviderAnswer, input: IssueInput): IssueOutcome {
  if (answer.status !== 200) {
    const isRefused = errorOf(answer) !== null && [400, 401, 403, 422].includes(answer.status);
    if (!isRefused && answer.status !== 429) return { is: 'ambiguous', evidence: says(answer, 'other', input) };
    const evidence = says(answer, isRefused ? 'refused' : 'rate-limited', input);
    return { is: 'refused', final: isRefused, quotaFull: false, evidence };
  }
  const [clientId, clientSecret] = ['/client_id', '/client_secret'].map((pointer) => at(answer.json, pointer));
  const providerKeyId = idAt(answer.json, '/id');
  const isWhole = typeof clientId === 'string' && typeof clientSecret === 'string' && providerKeyId !== null;
  if (!isWhole || !HEADER_SAFE.test(clientId) || !HEADER_SAFE.test(clientSecret))
    return { is: 'ambiguous', evidence: says(answer, 'malformed', input) };
  const given = namesAt(answer.json, '/scopes');
  if (given?.some((one) => !input.scopes?.includes(one)))
    return { is: 'ambiguous', evidence: says(answer, 'other-scopes', input) };
  // Zero: never, which is what Mastodon has always said so far.
  const ends = at(answer.json, '/client_secret_expires_at');
  return {
    is: 'issued',
    parts: { clientId: new Secret(clientId), clientSecret: new Secret(clientSecret) },
    providerKeyId,
    ...(given === null ? {} : { scopes: given }),
    ...(typeof ends === 'number' ? { expiresAt: ends > 0 ? ends * 1000 : null } : {}),
    evidence: says(answer, 'app-registered', input),
  };
}

/** Revoked in the database that each request asks (Doorkeeper): at once. Two seconds are for the request on its way. */
const PROPAGATION_MS = 2_000;
const PAGES = 'https://mastodon.example';

const APP: Kind = {
  name: 'app',
  title: 'Mastodon app',
  parts: ['clientId', 'clientSecret'],
  publicParts: ['clientId'],
  format: { clientId: CLIENT_ID_FORMAT, clientSecret: CLIENT_SECRET_FORMAT },
  places: [
    { part: 'clientId', in: 'body', pointer: '/client_id' },
    { part: 'clientSecret', in: 'body', pointer: '/client_secret' },
    { part: 'clientSecret', in: 'basic', user: '{clientId}' },
  ],
  rotation: 'assisted',
  activeMax: null,
  propagationMs: PROPAGATION_MS,
  settings: {
    software: SOFTWARE,
    redirectUri: { required: false, about: 'Where a user who consented is sent back to; without it the code is shown' },
  },
  // Anybody registers an app; the one that follows another is asked for in its name.
  issuers: ['app'],
  issue: REGISTER,
  list: null,
  revoke: null,
  probe: APP_PROBE,
  scopes: mastodonScopes,
  byHand: {
    url: `${PAGES}/settings/applications`,
    issue: [
      'Register an app under Development, or by POST /api/v1/apps, which needs no key.',
      'Choose every scope that its tokens are to have: a token cannot have more than its app.',
      'Keep the client id and the client secret; a secret cannot be renewed, and without it only users can end their tokens.',
    ],
    revoke: [
      'Revoke every token of the old app first: its own secret is needed for that.',
      'Delete the old app under Development, where it was made there. One that was registered by the API stays: nothing can delete it.',
    ],
  },
};

/** What the tokens of users and of apps have in common. */
const TOKEN = {
  parts: ['key'],
  format: { key: TOKEN_FORMAT },
  places: TOKEN_PLACES,
  rotation: 'assisted',
  // One for each app, user and scopes at Mastodon; a second app makes a second one.
  activeMax: null,
  propagationMs: PROPAGATION_MS,
  settings: { software: SOFTWARE },
  issuers: ['app'],
  issue: null,
  list: null,
  revoke: REVOKE,
  probe: TOKEN_PROBE,
  scopes: mastodonScopes,
} satisfies Partial<Kind>;

const USER_TOKEN: Kind = {
  ...TOKEN,
  name: 'user-token',
  title: 'Mastodon user access token',
  identity: IDENTITY,
  byHand: {
    url: `${PAGES}/oauth/authorized_applications`,
    issue: [
      'Register a second app with the same scopes: the same app would give the same token again.',
      'Let the user open /oauth/authorize with its client id and these scopes, sign in and agree.',
      'Exchange the code at /oauth/token within ten minutes, and bring the token in.',
    ],
    revoke: [
      'Nobody has to, while the old app’s client secret is at hand: it is the issuer that ends the old token.',
      'Without it: the user revokes the old app’s access in the settings of the account.',
    ],
  },
};

/** Nobody's: there is no account to ask for. */
const APP_TOKEN: Kind = {
  ...TOKEN,
  name: 'app-token',
  title: 'Mastodon app token',
  byHand: {
    url: `${PAGES}/settings/applications`,
    issue: [
      'Register a second app: at Mastodon the same app gives the same token again for as long as that lives.',
      'Ask POST /oauth/token with grant_type client_credentials, its client id, its client secret and the scopes.',
      'At GoToSocial the same app will do; its tokens end after two hours.',
    ],
    revoke: ['Nobody has to: the old app ends it. At GoToSocial it ends by itself, too, two hours after it was made.'],
  },
};

export const mastodon: Provider = {
  name: 'mastodon',
  title: 'Mastodon',
  // Everybody's own: a name that is nobody's, so that nothing is sent anywhere before an origin was set.
  origin: PAGES,
  kinds: [USER_TOKEN, APP, APP_TOKEN],
  actions: mastodonActions,
  console: `${PAGES}/settings/applications`,
};
