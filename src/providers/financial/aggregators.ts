// Services that read a user's accounts at many banks, by declaration: SimpleFIN, Lunch Flow, Akahu, Redbark (Plaid has a member of its own).
// docs/providers/financial.md says where each fact is from and what nobody has verified.
import { declared } from '../declared.ts';
import { ANY_OBJECT, BEARER, UNMEASURED_SECONDS } from './common.ts';

export const simplefin = declared({
  name: 'simplefin',
  title: 'SimpleFIN',
  // The host stands in the access URL: set it as the credential's origin where it is another one.
  origin: 'https://bridge.simplefin.org',
  console: 'https://bridge.simplefin.org/simplefin/create',
  kinds: [
    {
      name: 'access-url',
      title: 'SimpleFIN access URL',
      // `user:password`, as it stands in the URL before the @.
      parts: { key: { format: '^[\\x21-\\x39\\x3b-\\x7e]{1,256}:[\\x21-\\x7e]{1,256}$' } },
      places: [{ in: 'basic', user: null }],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      settings: {
        path: { about: 'Path of the access URL without slashes: simplefin', format: '^[A-Za-z0-9._-]{1,64}$' },
      },
      byHand: {
        url: 'https://bridge.simplefin.org/simplefin/create',
        issue: [
          'Make a setup token. It is an address in base64, and good for one use.',
          'Send an empty POST to that address: the answer is the access URL.',
          'Take user and password out of it, and check its host and path.',
        ],
        revoke: ['Disable the old access URL in the list of connected applications.'],
      },
      // The bridge wants at most 24 calls a day.
      probe: {
        request: { method: 'GET', path: '/{path}/accounts?balances-only=1' },
        answers: [
          { status: 200, name: 'accounts', when: { json: { '/accounts': { is: 'array' } } }, as: 'alive' },
          // Nobody has noted the body of the refusal, and a status alone proves nothing.
          { status: 403, name: 'revoked-or-wrong', as: 'unknown' },
          { status: 402, name: 'payment-required', as: 'unknown' },
        ],
      },
    },
  ],
});

export const lunchFlow = declared({
  name: 'lunch-flow',
  title: 'Lunch Flow',
  origin: 'https://lunchflow.app',
  console: 'https://lunchflow.app',
  kinds: [
    {
      name: 'api-key',
      title: 'Lunch Flow API key',
      places: [{ in: 'header', name: 'x-api-key' }],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://lunchflow.app',
        issue: ['Make another API key for the destination.', 'Copy it.'],
        revoke: ['Delete the old API key in the same place.'],
      },
      probe: {
        request: { method: 'GET', path: '/api/v1/accounts' },
        answers: [
          { status: 200, name: 'accounts', when: { json: { '/accounts': { is: 'array' } } }, as: 'alive' },
          { status: 401, name: 'unauthorized', when: ANY_OBJECT, as: 'dead' },
        ],
      },
    },
  ],
});

export const akahu = declared({
  name: 'akahu',
  title: 'Akahu',
  origin: 'https://api.akahu.io',
  console: 'https://my.akahu.nz/developers',
  kinds: [
    {
      name: 'user-token',
      title: 'Akahu app token and user token',
      parts: {
        appToken: { format: '^[\\x21-\\x7e]{8,1024}$' },
        userToken: { format: '^[\\x21-\\x7e]{8,1024}$' },
      },
      places: [
        { ...BEARER, part: 'userToken' },
        { in: 'header', name: 'X-Akahu-Id', part: 'appToken' },
      ],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://my.akahu.nz/developers',
        issue: ['Make new tokens for the app, or let the user connect it again.', 'Copy both.'],
        revoke: ['Revoke the old user token in the list of connected apps.'],
      },
      probe: {
        request: { method: 'GET', path: '/v1/accounts' },
        answers: [
          {
            status: 200,
            name: 'accounts',
            when: { json: { '/success': true, '/items': { is: 'array' } } },
            as: 'alive',
          },
          // Since 2024-09-02 for a token that is invalid or revoked, and for nothing else; 403 is for rights of other sorts.
          { status: 401, name: 'unauthorized', when: { json: { '/message': { is: 'string' } } }, as: 'dead' },
        ],
      },
    },
  ],
});

export const redbark = declared({
  name: 'redbark',
  title: 'Redbark',
  origin: 'https://api.redbark.com',
  console: 'https://redbark.com',
  kinds: [
    {
      name: 'api-key',
      title: 'Redbark API key',
      places: [BEARER],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://redbark.com',
        issue: ['Make another API key in the account’s pages.', 'Copy it.'],
        revoke: ['Delete the old API key on the same page.'],
      },
      probe: {
        request: { method: 'GET', path: '/v1/accounts?limit=1&offset=0' },
        answers: [
          { status: 200, name: 'accounts', when: { json: { '/data': { is: 'array' } } }, as: 'alive' },
          { status: 401, name: 'unauthorized', when: { json: { '/error/message': { is: 'string' } } }, as: 'dead' },
        ],
      },
    },
  ],
});
