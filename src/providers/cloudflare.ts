// Cloudflare: API tokens of accounts and of users, minted, listed, deleted and probed through its API v4. A declaration, but for policies,
// which are settings in JSON (cloudflare.policies.ts) and are compared with what a new token got. Follows the types of Cloudflare's own client
// (npm cloudflare 7.3.0, read 2026-11-21); docs/providers/cloudflare.md says what was never seen live.
//
// Never by rolling (PUT …/value): it ends the old value in the same moment, and the new one is lost with its answer.
import type { Json, JsonObject } from '../model/json.ts';
import { cloudflareActions } from './cloudflare.actions.ts';
import { isNoWider, type Narrowing, narrowingOf, scopeOf } from './cloudflare.policies.ts';
import { declared } from './declared.ts';
import { at, foreignText, idAt } from './declared-answers.ts';
import type { IdentityOutcome, IssueInput, IssueOutcome, Kind, ListOutcome, Provider } from './provider.ts';

const SUCCESS = { json: { '/success': true } } as const;
const BEARER = [{ in: 'header', name: 'Authorization', scheme: 'Bearer' }] as const;

const POLICIES = {
  policies: { about: 'What new tokens may do: Cloudflare’s list of policies, as JSON text' },
  condition: { required: false, about: 'From where: Cloudflare’s condition {"request_ip":{…}}, as JSON text' },
} as const;
const ACCOUNT_ID = { about: 'Id of the account: 32 hexadecimal digits', format: '^[0-9a-f]{32}$' } as const;

function probeOf(tokens: string) {
  return {
    // Needs no permission of its own.
    request: { method: 'GET', path: `${tokens}/verify` },
    answers: [
      { status: 200, name: 'active', when: { json: { '/success': true, '/result/status': 'active' } }, as: 'alive' },
      // Neither alive nor dead: whoever may change tokens brings both back, by status or by a later end.
      {
        status: 200,
        name: 'set-aside',
        when: { json: { '/success': true, '/result/status': { oneOf: ['disabled', 'expired'] } } },
        as: 'unknown',
      },
      // "Invalid API Token". Other codes are about the request, or the place it came from.
      { status: 401, name: 'invalid-token', when: { json: { '/success': false, '/errors/0/code': 1000 } }, as: 'dead' },
    ],
  } as const;
}

/** What tokens of accounts and of users have in common; `owner` is what stands before `/tokens` in their paths. */
function tokenKind(owner: string, prefix: string) {
  const tokens = `${owner}/tokens`;
  return {
    // `cfat_`, `cfut_`: 40 characters and a checksum of 8, whose construction is not published. Older tokens are 40 characters.
    parts: { key: { format: `^(?:${prefix}_[A-Za-z0-9]{40}[0-9a-f]{8}|[A-Za-z0-9_-]{40})$` } },
    places: BEARER,
    // No figure is published. Tokens are known at Cloudflare's edge all over the world, so this is generous.
    propagationSeconds: 60,
    probe: probeOf(tokens),
    issue: {
      request: { method: 'POST', path: tokens, json: { name: '{label}', expires_on: '{expiresAt}' } },
      answers: [
        {
          status: [200, 201],
          name: 'created',
          when: SUCCESS,
          as: 'issued',
          parts: { key: '/result/value' },
          id: '/result/id',
          expiresAt: { at: '/result/expires_on', in: 'rfc3339' },
        },
      ],
    },
    list: {
      request: { method: 'GET', path: `${tokens}?per_page=50`, page: 'page={cursor}' },
      answers: [
        {
          status: 200,
          name: 'listed',
          when: SUCCESS,
          as: 'listed',
          keys: '/result',
          id: '/id',
          keyName: '/name',
          createdAt: { at: '/issued_on', in: 'rfc3339' },
          lastUsedAt: { at: '/last_used_on', in: 'rfc3339' },
          expiresAt: { at: '/expires_on', in: 'rfc3339' },
          // Not the disabled ones: they come back.
          skip: { json: { '/status': 'expired' } },
          next: { size: 50 },
        },
      ],
    },
    revoke: {
      request: { method: 'DELETE', path: `${tokens}/{providerKeyId}` },
      // What a token that is not there answers is documented nowhere: it stays ambiguous, and the probe decides.
      answers: [{ status: 200, name: 'deleted', when: SUCCESS, as: 'accepted' }],
    },
  } as const;
}

const OF_ACCOUNT = tokenKind('/client/v4/accounts/{accountId}', 'cfat');
const OF_USER = tokenKind('/client/v4/user', 'cfut');

const base = declared({
  name: 'cloudflare',
  title: 'Cloudflare',
  origin: 'https://api.cloudflare.com',
  console: 'https://dash.cloudflare.com/profile/api-tokens',
  requestIds: ['cf-ray'],
  actions: cloudflareActions,
  kinds: [
    {
      ...OF_ACCOUNT,
      name: 'account-token',
      title: 'Account API token',
      rotation: 'overlap',
      // "Account API token quota 500" (developers.cloudflare.com/fundamentals/api/reference/limits, read 2026-11-21).
      activeMax: 500,
      settings: { accountId: ACCOUNT_ID, ...POLICIES },
      issuers: ['account-admin-token', 'user-admin-token'],
    },
    {
      ...OF_USER,
      name: 'user-token',
      title: 'User API token',
      rotation: 'overlap',
      // "User API token quota 50", same page.
      activeMax: 50,
      settings: POLICIES,
      issuers: ['user-admin-token'],
    },
    {
      ...OF_ACCOUNT,
      issue: undefined,
      list: undefined,
      revoke: undefined,
      name: 'account-admin-token',
      title: 'Account API token that manages API tokens',
      rotation: 'assisted',
      activeMax: 500,
      settings: { accountId: ACCOUNT_ID },
      byHand: {
        url: 'https://dash.cloudflare.com/?to=/:account/api-tokens',
        issue: [
          'As a super administrator, open Manage Account, Account API Tokens, and create a custom token.',
          'Give it the permission "Account API Tokens", Edit, and every permission that it is to hand on.',
          'Restrict it to the addresses of Claviger. Copy the token; it is shown once.',
        ],
        revoke: ['Delete the old token in the same list.'],
      },
    },
    {
      ...OF_USER,
      issue: undefined,
      list: undefined,
      revoke: undefined,
      name: 'user-admin-token',
      title: 'User API token that manages API tokens',
      rotation: 'assisted',
      activeMax: 50,
      byHand: {
        url: 'https://dash.cloudflare.com/profile/api-tokens',
        issue: [
          'Open My Profile, API Tokens, and create a token from the template "Create Additional Tokens".',
          'Restrict it to the addresses of Claviger, and give it no other permission: it can make tokens with all rights of its user.',
          'Copy the token; it is shown once.',
        ],
        revoke: ['Delete the old token in the same list.'],
      },
    },
  ],
});

const SIGNATURE = 'cloudflare.200.other-than-asked';

function askedBy(input: IssueInput): Narrowing | null {
  try {
    return narrowingOf(input.settings);
  } catch {
    // Such a request was never made: whatever this answers, it is not what was asked for.
    return null;
  }
}

/** A token that may do more than was asked for is not the one that was asked for: it is found by its name and removed. */
function demandAsAsked(outcome: IssueOutcome, token: Json | undefined, input: IssueInput): IssueOutcome {
  if (outcome.is !== 'issued') return outcome;
  const asked = askedBy(input);
  if (asked !== null && isNoWider(token, asked)) return outcome;
  return { is: 'ambiguous', evidence: { ...outcome.evidence, signature: SIGNATURE } };
}

function withScopes(outcome: ListOutcome, tokens: Json | undefined): ListOutcome {
  if (outcome.is !== 'listed' || !Array.isArray(tokens)) return outcome;
  const scopes = new Map(tokens.map((token: Json) => [idAt(token, '/id'), scopeOf(token)]));
  const keys = outcome.keys.map((key) => {
    const scope = scopes.get(key.providerKeyId) ?? null;
    return { ...key, scope: scope === null ? null : foreignText(scope) };
  });
  return { ...outcome, keys };
}

function narrowed(kind: Kind): Kind {
  const { issue, list } = kind;
  if (issue === null || list === null) return kind;
  return {
    ...kind,
    issue: {
      request(input) {
        const made = issue.request(input);
        const { policies, condition } = narrowingOf(input.settings);
        const more = condition === null ? { policies } : { policies, condition };
        return { ...made, json: { ...(made.json as JsonObject), ...more } };
      },
      read: (answer, input) => demandAsAsked(issue.read(answer, input), at(answer.json, '/result'), input),
    },
    list: {
      request: list.request,
      read: (answer, input) => withScopes(list.read(answer, input), at(answer.json, '/result')),
    },
  };
}

/** A token that an account's own address verifies is of that account; a user's address does not say whose it is, only which one. */
function identified(kind: Kind): Kind {
  return {
    ...kind,
    identity: {
      request: kind.probe.request,
      read(answer, { settings }): IdentityOutcome {
        const { is, evidence } = kind.probe.read(answer, { settings });
        const providerKeyId = idAt(answer.json, '/result/id');
        if (is !== 'alive' || providerKeyId === null) return { is: 'unknown', evidence };
        return { is: 'known', account: settings['accountId'] ?? null, providerKeyId, evidence };
      },
    },
  };
}

export const cloudflare: Provider = { ...base, kinds: base.kinds.map((kind) => identified(narrowed(kind))) };
