// Readers of crypto wallets and chains that take a key as it is, by declaration: CoinStats and Etherscan. Exchanges sign their requests and
// are not here. docs/providers/financial.md says where each fact is from and what nobody has verified.
import { declared } from '../declared.ts';
import { UNMEASURED_SECONDS } from './common.ts';

export const coinstats = declared({
  name: 'coinstats',
  title: 'CoinStats',
  origin: 'https://openapiv1.coinstats.app',
  console: 'https://openapi.coinstats.app',
  kinds: [
    {
      name: 'api-key',
      title: 'CoinStats API key',
      places: [{ in: 'header', name: 'X-API-KEY' }],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://openapi.coinstats.app',
        issue: ['Generate another API key on the API dashboard.', 'Copy it.'],
        revoke: ['Delete the old API key on the same page.'],
      },
      probe: {
        request: { method: 'GET', path: '/wallet/blockchains' },
        answers: [
          { status: 200, name: 'blockchains', when: { json: { '': { is: 'array' } } }, as: 'alive' },
          { status: 401, name: 'invalid-key', when: { json: { '/message': 'Invalid API key' } }, as: 'dead' },
        ],
      },
    },
  ],
});

export const etherscan = declared({
  name: 'etherscan',
  title: 'Etherscan',
  origin: 'https://api.etherscan.io',
  console: 'https://etherscan.io/apidashboard',
  kinds: [
    {
      name: 'api-key',
      title: 'Etherscan API key',
      // In the query, where logs keep it.
      places: [{ in: 'query', name: 'apikey' }],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://etherscan.io/apidashboard',
        issue: ['Add another API key on the API dashboard.', 'Copy it.'],
        revoke: ['Delete the old API key on the same page.'],
      },
      probe: {
        request: {
          method: 'GET',
          path: '/v2/api?chainid=1&module=account&action=balance&address=0x0000000000000000000000000000000000000000&tag=latest',
        },
        answers: [
          {
            status: 200,
            name: 'invalid-key',
            when: { json: { '/status': '0', '/result': { matches: '^Invalid API Key[\\s\\S]*$' } } },
            as: 'dead',
          },
          { status: 200, name: 'balance', when: { json: { '/status': '1' } }, as: 'alive' },
        ],
      },
    },
  ],
});
