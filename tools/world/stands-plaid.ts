// Plaid's two stands: access tokens of Items, which have one slot, and the client's secret, which a person rotates. The contract is stand.ts.
import { startTwin } from '../../twins/kit.io.ts';
import { isAlive, type KitKey, member } from '../../twins/kit.ts';
import { newPlaidSecret, newPlaidToken, plaidTwin } from '../../twins/plaid.ts';
import { prng } from '../../twins/prng.ts';
import { countCarried, type Stand } from './stand.ts';
import { aliveIn, asked, beside, discard, endAllButNewest, LATENCY_MS, stored } from './stand-parts.ts';

/** Plaid's judgement of a payment, billed for each call: the load's write. */
const SIGNAL: (typeof plaidTwin)['routes'][number] = {
  line: 'POST /signal/evaluate',
  class: 'other',
  asks: 'key',
  handle({ request, keys, now }) {
    const shown = member(request.body, 'access_token');
    const token = typeof shown === 'string' ? keys.byText(shown) : null;
    const error = { error_type: 'INVALID_INPUT', error_code: 'INVALID_ACCESS_TOKEN', request_id: 'HNTDNrA8F1shFEW' };
    if (token === null || !isAlive(token, now)) return { status: 400, body: error };
    return { status: 200, body: { request_id: 'HNTDNrA8F1shFEW', scores: null, core_attributes: {}, warnings: [] } };
  },
};

const PLAID_CLIENT_ID = '0123456789abcdef01234567';

async function startPlaid() {
  const random = prng(37);
  const { carried, onExchange } = countCarried();
  const twin = await startTwin({ ...plaidTwin, routes: [...plaidTwin.routes, SIGNAL] }, { onExchange });
  twin.control.latency(LATENCY_MS);
  const secretOf = (account: string) =>
    twin.control.mint({
      kind: 'client',
      name: '',
      account,
      parts: { clientId: PLAID_CLIENT_ID, secret: newPlaidSecret(random) },
    });
  return { random, twin, carried, control: twin.control, secretOf };
}

export async function standPlaid(): Promise<Stand> {
  const { random, twin, carried, control, secretOf } = await startPlaid();
  const items = new Set<string>();
  return {
    provider: 'plaid',
    about: 'access tokens of Items',
    nature: 'swap',
    origin: twin.origin,
    // Two secrets of one client: one asks about tokens and replaces them, the other is lent.
    beside: [
      beside('plaid-issuer', 'manage', stored(secretOf('team'))),
      beside('plaid-team', 'lend', stored(secretOf('team'))),
    ],
    companion: 'plaid-team',
    issuerOf: () => 'plaid-issuer',
    actions: ['item.get', 'signal.evaluate'],
    first(n) {
      items.add(`item-${n}`);
      const parts = { key: newPlaidToken(random, 'production') };
      const more = { item: `item-${n}` };
      return stored(control.mint({ kind: 'access-token', name: '', account: 'team', parts, more }), {}, true);
    },
    asks({ brokerOrigin, bound, unbound }) {
      const headers = { 'plaid-client-id': 'claviger', 'plaid-secret': unbound };
      const mount = `${brokerOrigin}/plaid/plaid-team`;
      const payment = { access_token: bound, client_transaction_id: '{n}', account_id: 'account', amount: 1 };
      return {
        read: asked(headers, 'POST', `${mount}/item/get`, { access_token: bound }),
        write: asked(headers, 'POST', `${mount}/signal/evaluate`, payment),
      };
    },
    person: null,
    alive: (n) => aliveIn(control, (key) => key.kind === 'access-token' && key.more['item'] === `item-${n}`),
    carried,
    close: () => twin.close(),
  };
}

/** The client's secret: a second one is made by hand, and the first deleted by hand. */
export async function standPlaidSecret(): Promise<Stand> {
  const { twin, carried, control, secretOf } = await startPlaid();
  const isOurs = (n: number) => (key: KitKey) => key.kind === 'client' && key.account === `team-${n}`;
  return {
    provider: 'plaid',
    about: 'secrets of a client',
    nature: 'assisted',
    origin: twin.origin,
    beside: [],
    companion: null,
    issuerOf: () => null,
    actions: ['institutions.get-by-id'],
    first: (n) => stored(secretOf(`team-${n}`), {}, true),
    asks({ brokerOrigin, bound }) {
      const headers = { 'plaid-client-id': 'claviger', 'plaid-secret': bound };
      const body = { institution_id: 'ins_109508', country_codes: ['US'] };
      return { read: asked(headers, 'POST', `${brokerOrigin}/institutions/get_by_id`, body), write: null };
    },
    person: {
      isCut: false,
      make: (n) => secretOf(`team-${n}`).parts,
      discard: (parts) => discard(control, parts),
      endOld: (n) => endAllButNewest(control, isOurs(n)),
      ofAnother: null,
    },
    alive: (n) => aliveIn(control, isOurs(n)),
    carried,
    close: () => twin.close(),
  };
}
