// Brokers and what reads them, by declaration: SnapTrade, Interactive Brokers (Flex), Indexa Capital, Trading 212.
// docs/providers/financial.md says where each fact is from and what nobody has verified.
import { declared } from '../declared.ts';
import { ANY_OBJECT, BEARER, UNMEASURED_SECONDS } from './common.ts';

export const snaptrade = declared({
  name: 'snaptrade',
  title: 'SnapTrade',
  origin: 'https://api.snaptrade.com',
  console: 'https://dashboard.snaptrade.com',
  kinds: [
    {
      name: 'oauth-token',
      title: 'SnapTrade OAuth access token',
      places: [BEARER],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://dashboard.snaptrade.com',
        issue: [
          'Let the user authorise the OAuth app again, or refresh the token where the app is.',
          'Copy the access token.',
        ],
        revoke: ['Let the user take the app’s access away on the dashboard.'],
      },
      probe: {
        request: { method: 'GET', path: '/api/v1/accounts' },
        answers: [
          { status: 200, name: 'accounts', when: { json: { '': { is: 'array' } } }, as: 'alive' },
          { status: 401, name: 'unauthorized', when: ANY_OBJECT, as: 'dead' },
        ],
      },
    },
  ],
});

export const ibkrFlex = declared({
  name: 'ibkr-flex',
  title: 'Interactive Brokers Flex Web Service',
  origin: 'https://ndcdyn.interactivebrokers.com',
  console: 'https://www.interactivebrokers.com/portal',
  kinds: [
    {
      name: 'flex-token',
      title: 'Flex Web Service token',
      // In the query, where logs keep it.
      places: [{ in: 'query', name: 't' }],
      rotation: 'assisted',
      // "When you generate a new token, you invalidate the current token."
      activeMax: 1,
      propagationSeconds: UNMEASURED_SECONDS,
      settings: { queryId: { about: 'Id of a Flex query of the account, for the probe', format: '^[0-9]{1,20}$' } },
      byHand: {
        url: 'https://www.interactivebrokers.com/portal',
        issue: [
          'Settings, Account settings, Flex Web Service.',
          'Choose when the token expires, at most a year, and from which address it may be used.',
          'Generate a new token, when nothing needs the old one: it ends at that moment.',
        ],
        revoke: null,
      },
      // Prepares a statement each time; nobody has to fetch it.
      probe: {
        request: { method: 'GET', path: '/AccountManagement/FlexWebService/SendRequest?v=3&q={queryId}' },
        answers: [
          { status: 200, name: 'token-expired', when: { contains: '<ErrorCode>1012</ErrorCode>' }, as: 'dead' },
          { status: 200, name: 'token-invalid', when: { contains: '<ErrorCode>1015</ErrorCode>' }, as: 'dead' },
          { status: 200, name: 'success', when: { contains: '<Status>Success</Status>' }, as: 'alive' },
        ],
      },
    },
  ],
});

export const indexaCapital = declared({
  name: 'indexa-capital',
  title: 'Indexa Capital',
  origin: 'https://api.indexacapital.com',
  console: 'https://indexacapital.com',
  kinds: [
    {
      name: 'api-token',
      title: 'Indexa Capital API token',
      places: [{ in: 'header', name: 'X-AUTH-TOKEN' }],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://indexacapital.com',
        issue: ['Make another API token in the settings of the user.', 'Copy it.'],
        revoke: ['Delete the old API token on the same page.'],
      },
      probe: {
        request: { method: 'GET', path: '/users/me' },
        answers: [
          { status: 200, name: 'user', when: { json: { '/accounts': { is: 'array' } } }, as: 'alive' },
          { status: 401, name: 'unauthorized', when: ANY_OBJECT, as: 'dead' },
        ],
      },
    },
  ],
});

export const trading212 = declared({
  name: 'trading-212',
  title: 'Trading 212',
  // Paper trading has an origin of its own: https://demo.trading212.com.
  origin: 'https://live.trading212.com',
  console: 'https://app.trading212.com',
  kinds: [
    {
      name: 'api-key',
      title: 'Trading 212 API key and secret',
      parts: {
        apiKey: { format: '^[\\x21-\\x39\\x3b-\\x7e]{8,1024}$' },
        apiSecret: { format: '^[\\x21-\\x7e]{8,1024}$' },
      },
      places: [{ in: 'basic', user: '{apiKey}', part: 'apiSecret' }],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://app.trading212.com',
        issue: [
          'Settings, API: generate another key with the permissions of the old one.',
          'Leave the list of addresses empty, or put the address there from which Claviger calls.',
          'Copy key and secret.',
        ],
        revoke: ['Delete the old key on the same page.'],
      },
      probe: {
        request: { method: 'GET', path: '/api/v0/equity/account/summary' },
        answers: [
          { status: 200, name: 'account', when: { json: { '/investments': { is: 'object' } } }, as: 'alive' },
          { status: 401, name: 'unauthorized', when: ANY_OBJECT, as: 'dead' },
        ],
      },
    },
  ],
});
