// Providers of property values, by declaration: RentCast and Realie. Both count calls by the month (50 and 25 on the free plans), and a
// probe is a call: a rotation costs several. docs/providers/financial.md says where each fact is from and what nobody has verified.
import { declared } from '../declared.ts';
import { ANY_OBJECT, UNMEASURED_SECONDS } from './common.ts';

export const rentcast = declared({
  name: 'rentcast',
  title: 'RentCast',
  origin: 'https://api.rentcast.io',
  console: 'https://app.rentcast.io/app/api',
  kinds: [
    {
      name: 'api-key',
      title: 'RentCast API key',
      places: [{ in: 'header', name: 'X-Api-Key' }],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://app.rentcast.io/app/api',
        issue: ['Create another API key on the API dashboard.', 'Copy it.'],
        revoke: ['Delete the old API key on the same page.'],
      },
      probe: {
        request: {
          method: 'GET',
          path: '/v1/avm/value?address=5500%20Grand%20Lake%20Dr%2C%20San%20Antonio%2C%20TX%2C%2078244',
        },
        answers: [
          { status: 200, name: 'value', when: { json: { '/price': { exists: true } } }, as: 'alive' },
          { status: 401, name: 'wrong-key', when: { json: { '/error': 'auth/api-key-invalid' } }, as: 'dead' },
        ],
      },
    },
  ],
});

export const realie = declared({
  name: 'realie',
  title: 'Realie',
  origin: 'https://app.realie.ai',
  console: 'https://app.realie.ai',
  kinds: [
    {
      name: 'api-key',
      title: 'Realie API key',
      // The key stands there alone, without a scheme.
      places: [{ in: 'header', name: 'Authorization' }],
      rotation: 'assisted',
      propagationSeconds: UNMEASURED_SECONDS,
      byHand: {
        url: 'https://app.realie.ai',
        issue: ['Make another API key in the account’s pages.', 'Copy it.'],
        revoke: ['Delete the old API key on the same page.'],
      },
      probe: {
        request: { method: 'GET', path: '/api/public/property/address/?address=1%20Market%20St&state=CA' },
        answers: [
          { status: 200, name: 'property', when: { json: { '/property': { exists: true } } }, as: 'alive' },
          { status: 401, name: 'unauthorized', when: ANY_OBJECT, as: 'dead' },
        ],
      },
    },
  ],
});
