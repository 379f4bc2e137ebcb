// Twilio, by declaration: API keys of a SID and a secret, standard and restricted, and the two credentials that manage them.
// Follows Twilio's OpenAPI documents of its IAM and Accounts APIs, v1 (read 2026-11-21); docs/providers/twilio.md says what was never seen live.
//
// Keys are managed at one host (iam.twilio.com) and used at others (api.twilio.com). In code, because a declaration cannot say it: the next
// page behind a whole address, scopes as a policy inside a form, a probe at a path that the key's own policy allows.
import { declared } from './declared.ts';
import type { Kind, ListOutcome, Provider } from './provider.ts';
import { twilioActions } from './twilio.actions.ts';

const IAM = 'https://iam.twilio.com';
const KEYS_URL = 'https://console.twilio.com/us1/account/keys-credentials/api-keys';
const SID = '[0-9a-fA-F]{32}';
const ACCOUNT_SID = {
  accountSid: { about: 'SID of the account, AC…; on the first page of the console', format: `^AC${SID}$` },
} as const;
/** Where a restricted key can be probed: the API 2010-04-01 answers with the address of what it shows. */
const PROBE_PATH = {
  probePath: {
    about: "Path that the key's policy lets it GET, for the probe: /2010-04-01/Accounts/AC…/Messages.json",
    format: `^/2010-04-01/Accounts/AC${SID}/[A-Za-z]+(?:/[A-Za-z]+)*\\.json$`,
  },
} as const;

const KEY_PARTS = {
  sid: { format: `^SK${SID}$`, public: true },
  secret: { format: '^[A-Za-z0-9]{32}$' },
} as const;
const BASIC = [{ in: 'basic', user: '{sid}', part: 'secret' }] as const;

/** Nobody documents how soon a deleted key is refused everywhere, and nobody measured it: room for one short-lived cache. */
const PROPAGATION_SECONDS = 10;
/** Twilio on error 403: wait at least a minute after an Auth Token was changed, until it has come to all of its services. */
const AUTH_TOKEN_PROPAGATION_SECONDS = 60;

/**
 * A live key hears the same 401 with code 20003 on a resource that is not for it (accounts and keys, for a standard one), whatever its
 * message: so it is death on a path that the key may certainly ask for, and only there.
 */
const DEAD = { status: 401, name: 'authenticate', when: { json: { '/code': 20003 } }, as: 'dead' } as const;

const SHOWN = { status: 200, name: 'shown', when: { json: { '/uri': { is: 'string' } } }, as: 'alive' } as const;
const KEYS_LISTED = { json: { '/keys': { is: 'array' } } } as const;

/** What manages keys may list them. */
const MANAGES = {
  request: { method: 'GET', path: '/v1/Keys?AccountSid={accountSid}&PageSize=1' },
  answers: [{ status: 200, name: 'keys', when: KEYS_LISTED, as: 'alive' }, DEAD],
} as const;

const LIST = {
  request: { method: 'GET', path: '/v1/Keys?AccountSid={accountSid}&PageSize=100', page: 'PageToken={cursor}' },
  answers: [
    {
      status: 200,
      name: 'listed',
      when: KEYS_LISTED,
      as: 'listed',
      keys: '/keys',
      id: '/sid',
      keyName: '/friendly_name',
      // RFC 2822, which the same reader takes: `Mon, 13 Jun 2016 22:50:08 +0000`.
      createdAt: { at: '/date_created', in: 'rfc3339' },
      next: { cursor: '/meta/next_page_url' },
    },
  ],
} as const;

const REVOKE = {
  request: { method: 'DELETE', path: '/v1/Keys/{providerKeyId}' },
  answers: [
    { status: 204, name: 'deleted', as: 'accepted' },
    { status: 404, name: 'absent', when: { json: { '/code': 20404 } }, as: 'absent' },
  ],
} as const;

const CREATED = { status: 201, name: 'created', as: 'issued', id: '/sid' } as const;
const SECRETS = { sid: '/sid', secret: '/secret' } as const;
const ISSUERS = ['main-key', 'auth-token'] as const;

const byDeclaration = declared({
  name: 'twilio',
  title: 'Twilio',
  origin: 'https://api.twilio.com',
  console: KEYS_URL,
  requestIds: ['twilio-request-id', 'x-request-id'],
  actions: twilioActions,
  kinds: [
    {
      name: 'api-key',
      title: 'Standard API key',
      parts: KEY_PARTS,
      places: BASIC,
      rotation: 'overlap',
      propagationSeconds: PROPAGATION_SECONDS,
      settings: ACCOUNT_SID,
      issuers: ISSUERS,
      scopes: { of: 'kind', all: [] },
      issue: {
        // `FriendlyName` takes 64 characters, and our label has no more.
        request: {
          method: 'POST',
          path: '/v1/Keys',
          form: { AccountSid: '{accountSid}', FriendlyName: '{label}' },
        },
        answers: [{ ...CREATED, parts: SECRETS }],
      },
      list: LIST,
      revoke: REVOKE,
      // Countries with numbers for sale: nothing of the account, and everything but accounts and keys is a standard key's to read.
      probe: {
        request: { method: 'GET', path: '/2010-04-01/Accounts/{accountSid}/AvailablePhoneNumbers.json?PageSize=1' },
        answers: [SHOWN, DEAD],
      },
    },
    {
      name: 'restricted-key',
      title: 'Restricted API key',
      parts: KEY_PARTS,
      places: BASIC,
      rotation: 'overlap',
      propagationSeconds: PROPAGATION_SECONDS,
      settings: { ...ACCOUNT_SID, ...PROBE_PATH },
      issuers: ISSUERS,
      // Permissions by path, at most a hundred a key: `/twilio/messaging/messages/read`. No document lists them all.
      scopes: { of: 'key', all: [] },
      issue: {
        request: {
          method: 'POST',
          path: '/v1/Keys',
          form: {
            AccountSid: '{accountSid}',
            FriendlyName: '{label}',
            KeyType: 'restricted',
            // Becomes JSON in `withPolicy`.
            Policy: '{scopesText}',
          },
        },
        // A standard key, perhaps, where its policy is another one.
        answers: [{ ...CREATED, parts: SECRETS, scopes: { at: '/policy/allow', must: 'equal' } }],
      },
      list: LIST,
      revoke: REVOKE,
      // The path is replaced in `atProbePath`.
      probe: { request: { method: 'GET', path: '/' }, answers: [SHOWN, DEAD] },
    },
    {
      name: 'main-key',
      title: 'Main API key',
      origin: IAM,
      parts: KEY_PARTS,
      places: BASIC,
      rotation: 'assisted',
      propagationSeconds: PROPAGATION_SECONDS,
      settings: ACCOUNT_SID,
      scopes: { of: 'kind', all: [] },
      probe: MANAGES,
      byHand: {
        url: KEYS_URL,
        issue: [
          'Create an API key of the type "Main" in the region United States.',
          'Copy its SID and its secret; the secret is shown once.',
        ],
        revoke: ['Delete the old key in the list of API keys.'],
      },
    },
    {
      name: 'auth-token',
      title: 'Auth Token of the account',
      origin: IAM,
      parts: { sid: { format: `^AC${SID}$`, public: true }, secret: { format: '^[A-Za-z0-9]{32}$' } },
      places: BASIC,
      rotation: 'assisted',
      // The primary and the secondary one.
      activeMax: 2,
      propagationSeconds: AUTH_TOKEN_PROPAGATION_SECONDS,
      settings: ACCOUNT_SID,
      scopes: { of: 'kind', all: [] },
      probe: MANAGES,
      byHand: {
        url: 'https://console.twilio.com/us1/account/keys-credentials/auth-tokens',
        issue: [
          'Create a secondary Auth Token and copy it.',
          'Give it to everything that still uses the primary one; webhooks are signed with the primary one.',
        ],
        revoke: ['Promote the secondary Auth Token to primary: that ends the old one at once.'],
      },
    },
  ],
});

/** The token of the next page, where Twilio gives its whole address; null where that has none. */
function pageTokenOf(address: string): string | null {
  return URL.canParse(address) ? new URL(address).searchParams.get('PageToken') : null;
}

function pagedByToken(list: NonNullable<Kind['list']>): NonNullable<Kind['list']> {
  return {
    request: list.request,
    read(answer, input): ListOutcome {
      const outcome = list.read(answer, input);
      if (outcome.is !== 'listed' || outcome.next === undefined) return outcome;
      const next = pageTokenOf(outcome.next);
      if (next !== null) return { ...outcome, next };
      // There is more, and nobody can say where: a list that is not whole is no list to delete by.
      const evidence = { status: answer.status, signature: `twilio.${answer.status}.no-page-token`, requestId: null };
      return { is: 'unknown', evidence, retryAfterMs: null };
    },
  };
}

/** The scopes as Twilio's policy. */
function withPolicy(issue: NonNullable<Kind['issue']>): NonNullable<Kind['issue']> {
  return {
    request(input) {
      const request = issue.request(input);
      return { ...request, form: { ...request.form, Policy: JSON.stringify({ allow: input.scopes }) } };
    },
    read: issue.read,
  };
}

function atProbePath(probe: Kind['probe']): Kind['probe'] {
  return {
    // The declared request has checked that the setting is there, and its form.
    request: (input) => ({ ...probe.request(input), path: `${input.settings['probePath']!}?PageSize=1` }),
    read: probe.read,
  };
}

function completed(kind: Kind): Kind {
  const list = kind.list === null ? null : pagedByToken(kind.list);
  if (kind.name !== 'restricted-key') return { ...kind, list };
  return { ...kind, list, issue: withPolicy(kind.issue!), probe: atProbePath(kind.probe) };
}

export const twilio: Provider = { ...byDeclaration, kinds: byDeclaration.kinds.map(completed) };
