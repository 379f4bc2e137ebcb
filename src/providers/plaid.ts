// Plaid, by declaration: the client's secret, which a person rotates, and the access token of an Item, which its client replaces in place.
// Each once for production and once for the sandbox: a token that is sent to the other environment reads there like a dead one.
// Follows Plaid's OpenAPI document 2020-09-14 and its pages on errors and secrets (read 2026-11-21); docs/providers/plaid.md says what was
// never seen live. Plaid answers every refusal with 400, so answers are read by their `error_code` alone.
import type { FrozenDeclaration } from './declaration.ts';
import { declared } from './declared.ts';
import { plaidActions, plaidProducts } from './plaid.actions.ts';

type DeclaredKind = FrozenDeclaration['kinds'][number];

const HEADERS = { 'Plaid-Version': '2020-09-14' } as const;
const CONSOLE = 'https://dashboard.plaid.com/developers/keys';

function code(...codes: readonly string[]) {
  return { json: { '/error_code': { oneOf: codes } } } as const;
}

/** The client's keys stand in headers, the token that a request is about in its body. */
const CLIENT_AND_TOKEN = [
  { of: 'acting', in: 'header', name: 'PLAID-CLIENT-ID', scheme: null, part: 'clientId' },
  { of: 'acting', in: 'header', name: 'PLAID-SECRET', scheme: null, part: 'secret' },
  { of: 'target', in: 'body', pointer: '/access_token', part: 'key' },
] as const;

/** 400 means anything; what is not an error of Plaid's own is a proxy's word, and leaves it open what happened. */
const OTHER_400 = [
  {
    status: 400,
    name: 'plaid-error',
    when: { json: { '/error_type': { oneOf: ['INVALID_REQUEST', 'INVALID_INPUT'] } } },
    as: 'refused',
  },
  { status: 400, name: 'item-error', when: { json: { '/error_type': 'ITEM_ERROR' } }, as: 'refused', final: false },
  { status: [400, 401, 402, 403, 404, 405, 409, 410, 415, 422], name: 'other', as: 'ambiguous' },
] as const;

interface Environment {
  readonly name: 'production' | 'sandbox';
  readonly prefix: string;
  readonly title: string;
  readonly origin?: string;
}

function client({ prefix, title, origin }: Environment): DeclaredKind {
  return {
    name: `${prefix}client`,
    title: `Plaid client id and secret${title}`,
    ...(origin === undefined ? {} : { origin }),
    parts: {
      clientId: { format: '^[0-9a-f]{24}$', public: true },
      // 30 hex digits by two scanners, 30 letters and digits by another; nobody says how long new ones are.
      secret: { format: '^[0-9A-Za-z]{30,64}$' },
    },
    // The first place of each part is where it is written; all are emptied.
    places: [
      { in: 'header', name: 'PLAID-CLIENT-ID', part: 'clientId' },
      { in: 'header', name: 'PLAID-SECRET', part: 'secret' },
      { in: 'body', pointer: '/client_id', part: 'clientId' },
      { in: 'body', pointer: '/secret', part: 'secret' },
    ],
    rotation: 'assisted',
    // "Rotate secret" makes a second one, and both work until a person deletes the old one (plaid.com/docs/account/security).
    activeMax: 2,
    // Plaid does not say how soon a deleted secret is refused, and nobody has measured it.
    propagationSeconds: 60,
    settings: {
      countryCode: {
        about: 'A country that the client is enabled for, for the probe',
        format: '^[A-Z]{2}$',
        default: 'US',
      },
    },
    scopes: { of: 'none', all: [] },
    byHand: {
      url: CONSOLE,
      issue: [
        'Open Developers, Keys, as a member of the team who may rotate secrets in this environment.',
        'Choose "Rotate secret": a second secret is made, and the old one goes on working.',
        'Copy the new secret. The client id stays.',
      ],
      revoke: ['When nothing uses the old secret any more, delete it under Developers, Keys.'],
    },
    probe: {
      request: {
        method: 'POST',
        path: '/institutions/get_by_id',
        headers: HEADERS,
        json: { institution_id: 'ins_109508', country_codes: ['{countryCode}'] },
      },
      answers: [
        {
          status: 200,
          name: 'institution',
          when: { json: { '/institution': { is: 'object' }, '/request_id': { is: 'string' } } },
          as: 'alive',
        },
        { status: 400, name: 'invalid-api-keys', when: code('INVALID_API_KEYS'), as: 'dead' },
        // The client is there, and not enabled here: says nothing about the secret.
        { status: 400, name: 'unauthorized-environment', when: code('UNAUTHORIZED_ENVIRONMENT'), as: 'unknown' },
        // Whatever else is wrong, the keys were accepted: INVALID_INSTITUTION, INVALID_PRODUCT. But errors in the form of a request may come
        // before anybody looks at its keys, limits too, and Plaid's own troubles at any time.
        {
          status: 400,
          name: 'keys-accepted',
          when: {
            json: {
              '/error_code': { is: 'string' },
              '/error_type': { noneOf: ['INVALID_REQUEST', 'RATE_LIMIT_EXCEEDED', 'API_ERROR', null] },
            },
          },
          as: 'alive',
        },
      ],
    },
  };
}

function accessToken({ name, prefix, title, origin }: Environment): DeclaredKind {
  return {
    name: `${prefix}access-token`,
    title: `Plaid access token of an Item${title}`,
    ...(origin === undefined ? {} : { origin }),
    // The environment is written in it. Its last part is hex wherever it was seen; taken is a little more.
    parts: { key: { format: `^access-${name}-[0-9a-z]{8}-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{12}$` } },
    places: [{ in: 'body', pointer: '/access_token' }],
    rotation: 'swap',
    activeMax: 1,
    // "Immediately invalidates the previous" (OpenAPI document); never measured.
    propagationSeconds: 10,
    issuers: [`${prefix}client`],
    asks: 'issuer',
    scopes: { of: 'actor', all: [...plaidProducts] },
    byHand: {
      url: 'https://plaid.com/docs/link/',
      issue: [
        'Let the user connect the institution in Link, in update mode if the Item is still there.',
        'Exchange the public token that Link gives within 30 minutes; take the access token from the answer.',
      ],
      revoke: null,
    },
    // Plaid lists neither Items nor tokens: what is lost here is lost, and the user must connect again.
    replace: {
      request: {
        method: 'POST',
        path: '/item/access_token/invalidate',
        headers: HEADERS,
        secrets: CLIENT_AND_TOKEN,
      },
      answers: [
        {
          status: 200,
          name: 'replaced',
          as: 'issued',
          parts: { key: '/new_access_token' },
          // A token has no id, and its Item keeps the one it has: the request that made it stands in Plaid's own logs.
          id: '/request_id',
        },
        // Nothing was made now; whether an earlier call did, only a probe can tell.
        { status: 400, name: 'token-dead', when: code('INVALID_ACCESS_TOKEN', 'ITEM_NOT_FOUND'), as: 'refused' },
        { status: 400, name: 'invalid-api-keys', when: code('INVALID_API_KEYS'), as: 'refused', final: false },
        ...OTHER_400,
      ],
    },
    /** Ends the Item and not only its token: the user's connection and what was made from it, processor tokens too. */
    revoke: {
      request: { method: 'POST', path: '/item/remove', headers: HEADERS, secrets: CLIENT_AND_TOKEN },
      answers: [
        { status: 200, name: 'removed', when: { json: { '/request_id': { is: 'string' } } }, as: 'accepted' },
        { status: 400, name: 'token-dead', when: code('INVALID_ACCESS_TOKEN', 'ITEM_NOT_FOUND'), as: 'absent' },
        { status: 400, name: 'invalid-api-keys', when: code('INVALID_API_KEYS'), as: 'refused', final: false },
        ...OTHER_400,
      ],
    },
    probe: {
      request: { method: 'POST', path: '/item/get', headers: HEADERS, secrets: CLIENT_AND_TOKEN },
      answers: [
        {
          status: 200,
          name: 'item',
          when: { json: { '/item': { is: 'object' }, '/request_id': { is: 'string' } } },
          as: 'alive',
        },
        { status: 400, name: 'invalid-access-token', when: code('INVALID_ACCESS_TOKEN'), as: 'dead' },
        { status: 400, name: 'item-not-found', when: code('ITEM_NOT_FOUND'), as: 'dead' },
        // The asker's keys are refused: nobody looked at the token.
        { status: 400, name: 'invalid-api-keys', when: code('INVALID_API_KEYS'), as: 'unknown' },
        // ITEM_LOGIN_REQUIRED and its like: the token passes, its Item wants the user.
        { status: 400, name: 'item-error', when: { json: { '/error_type': 'ITEM_ERROR' } }, as: 'alive' },
      ],
    },
    identity: {
      request: { method: 'POST', path: '/item/get', headers: HEADERS, secrets: CLIENT_AND_TOKEN },
      answers: [{ status: 200, name: 'item', as: 'known', account: '/item/item_id', scopes: '/item/products' }],
    },
  };
}

const ENVIRONMENTS: readonly Environment[] = [
  { name: 'production', prefix: '', title: '' },
  { name: 'sandbox', prefix: 'sandbox-', title: ' (sandbox)', origin: 'https://sandbox.plaid.com' },
];

export const plaid = declared({
  name: 'plaid',
  title: 'Plaid',
  origin: 'https://production.plaid.com',
  console: CONSOLE,
  requestIds: ['plaid-request-id', 'x-request-id'],
  requestIdsInBody: ['/request_id'],
  actions: plaidActions,
  kinds: ENVIRONMENTS.flatMap((environment) => [client(environment), accessToken(environment)]),
});
