// Banks that give out keys to their own accounts, by declaration: Mercury, Brex, Wise, Up. What such a key opens is money, or the sight of it.
// docs/providers/financial.md says where each fact is from and what nobody has verified.
import { declared } from '../declared.ts';
import { ANY_OBJECT, BEARER, UNMEASURED_SECONDS } from './common.ts';

export const mercury = declared({
  name: 'mercury',
  title: 'Mercury',
  origin: 'https://api.mercury.com',
  console: 'https://app.mercury.com/settings/tokens',
  kinds: [
    {
      name: 'api-token',
      title: 'Mercury API token',
      // The prefix is a part of the token (RFC 8959), not a label.
      parts: { key: { format: '^secret-token:[\\x21-\\x7e]{8,1024}$' } },
      places: [BEARER],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://app.mercury.com/settings/tokens',
        issue: [
          'Create another API token with the access of the old one, read-only where that is enough.',
          'Put the address from which Claviger calls on its list of addresses: Mercury refuses all others.',
          'Copy the token with its beginning, "secret-token:".',
        ],
        revoke: ['Revoke the old token on the same page.'],
      },
      probe: {
        request: { method: 'GET', path: '/api/v1/accounts' },
        answers: [
          { status: 200, name: 'accounts', when: { json: { '/accounts': { is: 'array' } } }, as: 'alive' },
          // The same status for a live token from an address that is not on its list.
          {
            status: 401,
            name: 'address-not-listed',
            when: { json: { '/errors/errorCode': 'ipNotWhitelisted' } },
            as: 'unknown',
          },
          {
            status: 401,
            name: 'no-such-token',
            when: { json: { '/errors/errorCode': 'noTokenInDBButMaybeMalformed' } },
            as: 'dead',
          },
        ],
      },
    },
  ],
});

export const brex = declared({
  name: 'brex',
  title: 'Brex',
  origin: 'https://api.brex.com',
  console: 'https://dashboard.brex.com/settings/developer',
  requestIds: ['x-brex-trace-id'],
  kinds: [
    {
      name: 'user-token',
      title: 'Brex user token',
      places: [BEARER],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://dashboard.brex.com/settings/developer',
        issue: ['Create another token with the scopes of the old one.', 'Copy it.'],
        revoke: ['Revoke the old token on the same page.'],
      },
      probe: {
        request: { method: 'GET', path: '/v2/users/me' },
        answers: [
          { status: 200, name: 'user', when: { json: { '/id': { is: 'string' } } }, as: 'alive' },
          { status: 401, name: 'unauthorized', when: ANY_OBJECT, as: 'dead' },
        ],
      },
    },
  ],
});

export const wise = declared({
  name: 'wise',
  title: 'Wise',
  origin: 'https://api.wise.com',
  console: 'https://wise.com/settings/api-tokens',
  kinds: [
    {
      name: 'personal-token',
      title: 'Wise personal API token',
      places: [BEARER],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://wise.com/settings/api-tokens',
        issue: ['Your account, Integrations and tools, API tokens: add a new token.', 'Copy it; it is shown once.'],
        revoke: ['Revoke the old token in the same list.'],
      },
      probe: {
        request: { method: 'GET', path: '/v1/profiles' },
        answers: [
          { status: 200, name: 'profiles', when: { json: { '': { is: 'array' } } }, as: 'alive' },
          { status: 401, name: 'invalid-token', when: { json: { '/error': 'invalid_token' } }, as: 'dead' },
        ],
      },
    },
  ],
});

export const up = declared({
  name: 'up',
  title: 'Up',
  origin: 'https://api.up.com.au',
  console: 'https://api.up.com.au/getting_started',
  kinds: [
    {
      name: 'personal-token',
      title: 'Up personal access token',
      places: [BEARER],
      rotation: 'assisted',
      // One for each user: making a new one ends the old one.
      activeMax: 1,
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://api.up.com.au/getting_started',
        issue: ['Make a new token, when nothing needs the old one: it ends at that moment.', 'Copy it.'],
        revoke: null,
      },
      probe: {
        request: { method: 'GET', path: '/api/v1/util/ping' },
        answers: [
          { status: 200, name: 'ping', when: { json: { '/meta/id': { is: 'string' } } }, as: 'alive' },
          {
            status: 401,
            name: 'not-authorized',
            when: { json: { '/errors/0/title': 'Not Authorized' } },
            as: 'dead',
          },
        ],
      },
    },
  ],
});
