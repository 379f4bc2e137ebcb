// Providers of prices and rates, by declaration: Twelve Data, Tiingo, EODHD, Alpha Vantage, T-Invest. One key an account, except at T-Invest.
// docs/providers/financial.md says where each fact is from and what nobody has verified. Two of them take the key in the query, where
// logs keep it: an application that goes through the broker sends a token there instead.
import { declared } from '../declared.ts';
import { ANY_OBJECT, BEARER, UNMEASURED_SECONDS } from './common.ts';

export const twelveData = declared({
  name: 'twelve-data',
  title: 'Twelve Data',
  origin: 'https://api.twelvedata.com',
  console: 'https://twelvedata.com/account/api-keys',
  kinds: [
    {
      name: 'api-key',
      title: 'Twelve Data API key',
      places: [
        { in: 'header', name: 'Authorization', scheme: 'apikey' },
        { in: 'query', name: 'apikey' },
      ],
      rotation: 'assisted',
      activeMax: 1,
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://twelvedata.com/account/api-keys',
        issue: ['Make a new API key in the account’s pages; an account has one.', 'Copy it.'],
        revoke: null,
      },
      probe: {
        request: { method: 'GET', path: '/api_usage' },
        answers: [
          // Some answers carry their status in the body only.
          { status: [200, 401], name: 'wrong-key', when: { json: { '/code': 401, '/status': 'error' } }, as: 'dead' },
          { status: 200, name: 'usage', when: { json: { '/plan_category': { is: 'string' } } }, as: 'alive' },
        ],
      },
    },
  ],
});

export const tiingo = declared({
  name: 'tiingo',
  title: 'Tiingo',
  origin: 'https://api.tiingo.com',
  console: 'https://www.tiingo.com/account/api/token',
  kinds: [
    {
      name: 'api-token',
      title: 'Tiingo API token',
      places: [
        { in: 'header', name: 'Authorization', scheme: 'Token' },
        { in: 'query', name: 'token' },
      ],
      rotation: 'assisted',
      activeMax: 1,
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://www.tiingo.com/account/api/token',
        issue: ['Renew the token in the account’s pages; an account has one.', 'Copy it.'],
        revoke: null,
      },
      probe: {
        request: { method: 'GET', path: '/tiingo/daily/AAPL' },
        answers: [
          { status: 200, name: 'ticker', when: { json: { '/ticker': { is: 'string' } } }, as: 'alive' },
          { status: 401, name: 'unauthorized', when: { json: { '/detail': { is: 'string' } } }, as: 'dead' },
        ],
      },
    },
  ],
});

export const eodhd = declared({
  name: 'eodhd',
  title: 'EODHD',
  origin: 'https://eodhd.com',
  console: 'https://eodhd.com/cp/dashboard',
  kinds: [
    {
      name: 'api-token',
      title: 'EODHD API token',
      places: [{ in: 'query', name: 'api_token' }],
      rotation: 'assisted',
      activeMax: 1,
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://eodhd.com/cp/dashboard',
        issue: ['Renew the API token on the dashboard; an account has one.', 'Copy it.'],
        revoke: null,
      },
      probe: {
        request: { method: 'GET', path: '/api/user?fmt=json' },
        answers: [
          { status: 200, name: 'user', when: { json: { '/name': { exists: true } } }, as: 'alive' },
          { status: 401, name: 'unauthorized', when: ANY_OBJECT, as: 'dead' },
        ],
      },
    },
  ],
});

const WRONG_ALPHA_VANTAGE_KEY = { matches: '^the parameter apikey is invalid or missing[\\s\\S]*$' } as const;

export const alphaVantage = declared({
  name: 'alpha-vantage',
  title: 'Alpha Vantage',
  origin: 'https://www.alphavantage.co',
  console: 'https://www.alphavantage.co/support/#api-key',
  kinds: [
    {
      name: 'api-key',
      title: 'Alpha Vantage API key',
      places: [{ in: 'query', name: 'apikey' }],
      rotation: 'assisted',
      activeMax: 1,
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://www.alphavantage.co/support/#api-key',
        issue: ['Claim a new API key.', 'Copy it.'],
        revoke: ['Ask the support of Alpha Vantage to end the old key: the site offers no way.'],
      },
      // Every call counts: a free key has 25 a day.
      probe: {
        request: { method: 'GET', path: '/query?function=GLOBAL_QUOTE&symbol=IBM' },
        answers: [
          { status: 200, name: 'wrong-key', when: { json: { '/Error Message': WRONG_ALPHA_VANTAGE_KEY } }, as: 'dead' },
          { status: 200, name: 'wrong-key', when: { json: { '/Information': WRONG_ALPHA_VANTAGE_KEY } }, as: 'dead' },
          { status: 200, name: 'quote', when: { json: { '/Global Quote': { is: 'object' } } }, as: 'alive' },
          // "Note" and "Information" mostly say that there were too many calls.
          { status: 200, name: 'note', when: { json: { '/Note': { is: 'string' } } }, as: 'unknown' },
        ],
      },
    },
  ],
});

export const tInvest = declared({
  name: 't-invest',
  title: 'T-Invest (Tinkoff Invest)',
  origin: 'https://invest-public-api.tinkoff.ru',
  console: 'https://www.tbank.ru/invest/settings/',
  requestIds: ['x-tracking-id'],
  kinds: [
    {
      name: 'api-token',
      title: 'T-Invest API token',
      places: [BEARER],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://www.tbank.ru/invest/settings/',
        issue: [
          'Make another token in the settings, with the access that the old one has: read-only where that is enough.',
        ],
        revoke: ['Close the old token in the same list.'],
      },
      probe: {
        // Answers read-only and sandbox tokens too; the calls about accounts do not.
        request: {
          method: 'POST',
          path: '/rest/tinkoff.public.invest.api.contract.v1.InstrumentsService/FindInstrument',
          json: { query: 'SBER', instrumentKind: 'INSTRUMENT_TYPE_SHARE' },
        },
        answers: [
          { status: 200, name: 'instruments', when: { json: { '/instruments': { is: 'array' } } }, as: 'alive' },
          // An incident of the service in 2023 gave live tokens the same answer: it counts beside a live control only.
          {
            status: 401,
            name: 'unauthenticated',
            when: { json: { '/code': 16, '/description': '40003' } },
            as: 'dead',
          },
        ],
      },
    },
  ],
});
