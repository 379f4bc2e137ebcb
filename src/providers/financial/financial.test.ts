// The declarations of this folder as a table: where each key stands on the wire, which answer proves it alive, which one dead, and that
// nothing else proves anything. The inventory they come from is gone through row by row, so that none is forgotten.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { providerConformance } from '../../../test/conformance/provider.ts';
import { declaredTwinOf } from '../../../test/support/declared-twin.ts';
import type { Json } from '../../model/json.ts';
import { Secret } from '../../model/secret.ts';
import { injectSecrets } from '../../net/inject.ts';
import type { Kind, Provider, ProviderAnswer } from '../provider.ts';
import { akahu, lunchFlow, redbark, simplefin } from './aggregators.ts';
import { brex, mercury, up, wise } from './banks.ts';
import { ibkrFlex, indexaCapital, snaptrade, trading212 } from './brokers.ts';
import { alphaVantage, eodhd, tInvest, tiingo, twelveData } from './prices.ts';
import { realie, rentcast } from './property.ts';
import { coinstats, etherscan } from './wallets.ts';

type Body = Json | { readonly text: string };

interface Row {
  readonly provider: Provider;
  /** What the key looks like on the wire: a header line, or the end of the path. */
  readonly wire: string;
  readonly parts?: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, string>>;
  readonly alive: readonly [number, Body];
  /** Null: no answer is known that proves it. */
  readonly dead: readonly (readonly [number, Body])[];
  readonly unknown?: readonly (readonly [number, Body])[];
}

const KEY = 'canary-0123456789';
const SECRET_TOKEN = `secret-token:${KEY}`;

function flex(code: string): Body {
  return { text: `<FlexStatementResponse><Status>Fail</Status><ErrorCode>${code}</ErrorCode></FlexStatementResponse>` };
}

const ROWS: readonly Row[] = [
  {
    provider: twelveData,
    wire: `authorization: apikey ${KEY}`,
    alive: [200, { plan_category: 'basic', daily_usage: 1 }],
    dead: [
      [401, { code: 401, message: 'm', status: 'error' }],
      [200, { code: 401, message: 'm', status: 'error' }],
    ],
    unknown: [
      [200, { code: 429, message: 'm', status: 'error' }],
      [401, { message: 'proxy' }],
    ],
  },
  {
    provider: tiingo,
    wire: `authorization: Token ${KEY}`,
    alive: [200, { ticker: 'AAPL' }],
    dead: [[401, { detail: 'Invalid token.' }]],
    unknown: [[200, { detail: 'You have run over your hourly request allocation.' }]],
  },
  {
    provider: eodhd,
    wire: `/api/user?fmt=json&api_token=${KEY}`,
    alive: [200, { name: 'n' }],
    dead: [[401, { message: 'm' }]],
  },
  {
    provider: alphaVantage,
    wire: `/query?function=GLOBAL_QUOTE&symbol=IBM&apikey=${KEY}`,
    alive: [200, { 'Global Quote': { '01. symbol': 'IBM' } }],
    dead: [
      [200, { 'Error Message': 'the parameter apikey is invalid or missing. Please claim your free API key.' }],
      [200, { Information: 'the parameter apikey is invalid or missing. Please claim your free API key.' }],
    ],
    unknown: [
      [200, { Note: 'Thank you for using Alpha Vantage!' }],
      [200, { Information: 'our standard API rate limit is 25 requests per day' }],
      [200, { 'Error Message': 'Invalid API call.' }],
      [401, { 'Error Message': 'the parameter apikey is invalid or missing' }],
    ],
  },
  {
    provider: tInvest,
    wire: `authorization: Bearer ${KEY}`,
    alive: [200, { instruments: [] }],
    dead: [[401, { code: 16, message: 'authentication token is missing or invalid', description: '40003' }]],
    unknown: [[401, { code: 16, message: 'm', description: '40004' }]],
  },
  {
    provider: rentcast,
    wire: `x-api-key: ${KEY}`,
    alive: [200, { price: 1 }],
    dead: [[401, { status: 401, error: 'auth/api-key-invalid', message: 'm' }]],
    unknown: [[401, { status: 401, error: 'billing/subscription-inactive', message: 'm' }]],
  },
  { provider: realie, wire: `authorization: ${KEY}`, alive: [200, { property: {} }], dead: [[401, { error: 'e' }]] },
  {
    provider: mercury,
    wire: `authorization: Bearer ${SECRET_TOKEN}`,
    parts: { key: SECRET_TOKEN },
    alive: [200, { accounts: [] }],
    dead: [[401, { errors: { errorCode: 'noTokenInDBButMaybeMalformed', message: 'm' } }]],
    // A live token from an address that is not on its list.
    unknown: [
      [401, { errors: { errorCode: 'ipNotWhitelisted', ip: '192.0.2.1', message: 'm' } }],
      [401, { errors: { message: 'm' } }],
    ],
  },
  { provider: brex, wire: `authorization: Bearer ${KEY}`, alive: [200, { id: 'u' }], dead: [[401, { message: 'm' }]] },
  {
    provider: wise,
    wire: `authorization: Bearer ${KEY}`,
    alive: [200, []],
    dead: [[401, { error: 'invalid_token', error_description: 'd' }]],
    unknown: [[401, { error: 'unauthorized' }]],
  },
  {
    provider: up,
    wire: `authorization: Bearer ${KEY}`,
    alive: [200, { meta: { id: 'i', statusEmoji: 'e' } }],
    dead: [[401, { errors: [{ status: '401', title: 'Not Authorized', detail: 'd' }] }]],
    unknown: [[401, { message: 'proxy' }]],
  },
  {
    provider: simplefin,
    wire: `authorization: Basic ${Buffer.from('user:canary-password').toString('base64')}`,
    parts: { key: 'user:canary-password' },
    settings: { path: 'simplefin' },
    alive: [200, { errors: [], accounts: [] }],
    dead: [],
    unknown: [
      [403, { errors: ['revoked'] }],
      [402, { errors: ['payment'] }],
    ],
  },
  {
    provider: lunchFlow,
    wire: `x-api-key: ${KEY}`,
    alive: [200, { accounts: [], total: 0 }],
    dead: [[401, { error: 'e' }]],
  },
  {
    provider: akahu,
    wire: `x-akahu-id: canary-app-token`,
    parts: { userToken: KEY, appToken: 'canary-app-token' },
    alive: [200, { success: true, items: [] }],
    dead: [[401, { success: false, message: 'Unauthorized' }]],
    unknown: [[403, { success: false, message: 'Forbidden' }]],
  },
  {
    provider: redbark,
    wire: `authorization: Bearer ${KEY}`,
    alive: [200, { data: [], pagination: { hasMore: false } }],
    dead: [[401, { error: { message: 'm', code: 'c' } }]],
    unknown: [[401, { message: 'proxy' }]],
  },
  { provider: snaptrade, wire: `authorization: Bearer ${KEY}`, alive: [200, []], dead: [[401, { detail: 'd' }]] },
  {
    provider: ibkrFlex,
    wire: `/AccountManagement/FlexWebService/SendRequest?v=3&q=77&t=${KEY}`,
    settings: { queryId: '77' },
    alive: [200, { text: '<FlexStatementResponse><Status>Success</Status></FlexStatementResponse>' }],
    dead: [
      [200, flex('1012')],
      [200, flex('1015')],
    ],
    // The query is wrong; too many calls; the statement is being made; a token that another address may use.
    unknown: ['1014', '1018', '1019', '1013'].map((code) => [200, flex(code)] as const),
  },
  {
    provider: indexaCapital,
    wire: `x-auth-token: ${KEY}`,
    alive: [200, { username: 'u', accounts: [] }],
    dead: [[401, { message: 'm' }]],
  },
  {
    provider: trading212,
    wire: `authorization: Basic ${Buffer.from(`${KEY}:canary-api-secret`).toString('base64')}`,
    parts: { apiKey: KEY, apiSecret: 'canary-api-secret' },
    alive: [200, { currency: 'EUR', investments: {} }],
    dead: [[401, { code: 'c' }]],
  },
  {
    provider: coinstats,
    wire: `x-api-key: ${KEY}`,
    alive: [200, [{ connectionId: 'ethereum' }]],
    dead: [[401, { statusCode: 401, message: 'Invalid API key', path: '/wallet/blockchains' }]],
    unknown: [[401, { statusCode: 401, message: 'Too early' }]],
  },
  {
    provider: etherscan,
    wire: `&tag=latest&apikey=${KEY}`,
    alive: [200, { status: '1', message: 'OK', result: '0' }],
    dead: [[200, { status: '0', message: 'NOTOK', result: 'Invalid API Key (#err2)|1' }]],
    unknown: [
      [200, { status: '0', message: 'NOTOK', result: 'Max rate limit reached' }],
      [200, { status: '0', message: 'NOTOK', result: 'Missing/Invalid API Key' }],
    ],
  },
];

function kindOf(provider: Provider): Kind {
  assert.equal(provider.kinds.length, 1);
  return provider.kinds[0]!;
}

function answer(status: number, body: Body): ProviderAnswer {
  const text = (body as { text?: string } | null)?.text;
  return typeof text === 'string'
    ? { status, headers: {}, json: null, text }
    : { status, headers: {}, json: body as Json, text: JSON.stringify(body) };
}

const FOREIGN: readonly (readonly [number, Body])[] = [
  [401, { text: '<html>Sign in to the proxy</html>' }],
  [401, null],
  [200, { text: '<html>Welcome</html>' }],
  [200, { status: 'up' }],
  [302, null],
  [403, { message: 'm' }],
  [404, { message: 'm' }],
];

for (const row of ROWS) {
  const { provider, settings = {} } = row;
  test(`${provider.name}: where its key stands, and what each answer proves`, () => {
    const kind = kindOf(provider);
    const read = ([status, body]: readonly [number, Body]) => kind.probe.read(answer(status, body), { settings });

    const texts = row.parts ?? { key: KEY };
    for (const [name, text] of Object.entries(texts)) assert.match(text, kind.format[name]!);
    const parts = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, new Secret(text)]));
    const wire = injectSecrets(kind.probe.request({ settings }), { parts, places: kind.places });
    const lines = wire.headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${wire.headers[i + 1]!}`] : []));
    assert(
      [...lines, wire.path].some((one) => one.endsWith(row.wire)),
      `${row.wire} is nowhere`,
    );

    assert.equal(read(row.alive).is, 'alive');
    for (const one of row.dead) {
      const verdict = read(one);
      assert.equal(verdict.is, 'dead', JSON.stringify(one));
      assert.match(verdict.evidence.signature, new RegExp(`^${provider.name}\\.${one[0]}\\.[a-z-]+$`));
      // The same words with a status that says something else are no death.
      for (const status of [403, 404, 429, 500, 503]) assert.equal(read([status, one[1]]).is, 'unknown');
    }
    for (const one of [...(row.unknown ?? []), ...FOREIGN]) assert.equal(read(one).is, 'unknown', JSON.stringify(one));
  });
}

test('an application may send its token where its client puts the key, in the query too', () => {
  const places = (provider: Provider) => kindOf(provider).places.map((place) => place.in);
  assert.deepEqual(places(twelveData), ['header', 'query']);
  assert.deepEqual(places(tiingo), ['header', 'query']);
});

test('a person makes every one of these keys, and is told how', () => {
  for (const { provider } of ROWS) {
    const kind = kindOf(provider);
    assert.equal(kind.rotation, 'assisted');
    assert(kind.issue === null && kind.revoke === null && kind.list === null);
    assert(kind.byHand !== undefined && kind.byHand.issue.length > 0);
    // Where there can be only one key, the new one ends the old one: nobody has to. Alpha Vantage ends none.
    const isEndedBySuccessor = kind.activeMax === 1 && provider !== alphaVantage;
    assert.equal(kind.byHand.revoke === null, isEndedBySuccessor, provider.name);
  }
});

test('names are unique', () => {
  const names = ROWS.map(({ provider }) => provider.name);
  assert.equal(new Set(names).size, names.length);
});

// The family's suite, at twins that are made out of the declarations themselves: places, parts, faults, the order of rules. None of these
// services has told us more than stands in its declaration, so none has a twin that could contradict it.
for (const { provider, settings = {} } of ROWS) {
  // Nothing is known that proves an access URL dead, and the suite asks for that.
  if (provider === simplefin) continue;
  providerConformance(provider, declaredTwinOf(provider, { settings }));
}

/** Every row of the inventory: the member that stands for it, or why none does. docs/providers/financial.md says more. */
const INVENTORY: Readonly<Record<string, string>> = {
  'Plaid (US)': 'plaid',
  'Plaid (EU)': 'plaid',
  Synth: 'none: the service has ended; its key must go nowhere',
  Stripe: 'stripe',
  OpenAI: 'openai',
  Anthropic: 'anthropic',
  'Twelve Data': 'twelve-data',
  Tiingo: 'tiingo',
  EODHD: 'eodhd',
  'Alpha Vantage': 'alpha-vantage',
  'Tinkoff Invest (T-Invest)': 't-invest',
  RentCast: 'rentcast',
  Realie: 'realie',
  Brandfetch: 'none: a public id',
  SimpleFIN: 'simplefin',
  'Lunch Flow': 'lunch-flow',
  'Enable Banking': 'none: requests are signed',
  Akahu: 'akahu',
  Mercury: 'mercury',
  Brex: 'brex',
  Wise: 'wise',
  Up: 'up',
  Redbark: 'redbark',
  Sophtron: 'none: requests are signed',
  SnapTrade: 'snaptrade',
  'Interactive Brokers (Flex)': 'ibkr-flex',
  Questrade: 'none: a probe uses the token up',
  'Indexa Capital': 'indexa-capital',
  'Trading 212': 'trading-212',
  'Coinbase (CDP)': 'none: requests are signed',
  Kraken: 'none: requests are signed',
  Binance: 'none: requests are signed',
  CoinStats: 'coinstats',
  Etherscan: 'etherscan',
  'Keyless sources': 'none: no key',
  'Langfuse, Qdrant, embeddings, external assistant, MCP': 'none: no check is known',
  'Sign-in': 'none: no check is known',
  Infrastructure: 'none: no check is known',
};

test('the inventory of the maybe and sure applications: each row has a member, or a reason why not', (t) => {
  const shared = process.env['CLAVIGER_SHARED'] ?? path.resolve(import.meta.dirname, '../../../../shared');
  const file = path.join(shared, 'specs/derived/sure-integrations.json');
  if (!existsSync(file)) return t.skip('NOT CHECKED: the inventory is not in the shared folder');
  const { integrations } = JSON.parse(readFileSync(file, 'utf8')) as { integrations: { name: string }[] };
  assert.deepEqual(integrations.map(({ name }) => name).sort(), Object.keys(INVENTORY).sort());
  const elsewhere = ['plaid', 'stripe', 'openai', 'anthropic'];
  const members = [...new Set(Object.values(INVENTORY))].filter((one) => !one.startsWith('none: '));
  assert.deepEqual(
    members.filter((name) => !elsewhere.includes(name)).sort(),
    ROWS.map(({ provider }) => provider.name).sort(),
  );
});
