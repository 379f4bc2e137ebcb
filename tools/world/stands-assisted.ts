// Stands whose keys only a person makes: Mastodon and both Cachets. The contract is stand.ts.
import { cachetToken, cachetTwin } from '../../twins/cachet.ts';
import { cachetV2Twin, regenerate } from '../../twins/cachet-v2.ts';
import { startTwin } from '../../twins/kit.io.ts';
import type { KitKey } from '../../twins/kit.ts';
import { mastodonTwin, newMastodonApp, newMastodonToken } from '../../twins/mastodon.ts';
import { prng } from '../../twins/prng.ts';
import { countCarried, type Stand } from './stand.ts';
import { aliveIn, asked, bearer, beside, discard, endAllButNewest, LATENCY_MS, stored } from './stand-parts.ts';

const OUT_OF_BAND = 'urn:ietf:wg:oauth:2.0:oob';

/** Users of one instance, and two apps that they consent to in turn: one app would give the same token again. */
export async function standMastodon(): Promise<Stand> {
  const random = prng(41);
  const { carried, onExchange } = countCarried();
  const scopes = ['read:accounts', 'write:statuses'];
  const twin = await startTwin(mastodonTwin('mastodon'), { onExchange });
  const { control } = twin;
  control.latency(LATENCY_MS);
  const apps = ['mastodon-app-a', 'mastodon-app-b'].map((name) => {
    const parts = newMastodonApp(random, 'mastodon');
    const more = { redirectUris: [OUT_OF_BAND] };
    return control.mint({ kind: 'app', name, account: '', scopes, parts, more });
  });
  const account = (n: number) => String(100 + n);
  function consent(of: string, round: number): KitKey {
    const app = apps[round % apps.length]!;
    const parts = { key: newMastodonToken(random, 'mastodon') };
    return control.mint({ kind: 'user-token', name: app.name, account: of, scopes, parts, more: { app: app.id } });
  }
  const settings = { software: 'mastodon' };
  return {
    provider: 'mastodon',
    about: 'tokens of users',
    nature: 'assisted',
    origin: twin.origin,
    beside: apps.map((app) => beside(app.name, 'manage', stored(app, { ...settings, scopes: scopes.join(' ') }))),
    companion: null,
    issuerOf: (round) => apps[round % apps.length]!.name,
    actions: ['own-account.get', 'status.create'],
    first: (n) => stored(consent(account(n), 0), settings, true),
    asks(door) {
      return {
        read: asked(bearer(door), 'GET', `${door.brokerOrigin}/api/v1/accounts/verify_credentials`),
        write: asked(bearer(door), 'POST', `${door.brokerOrigin}/api/v1/statuses`, { status: '{n}' }),
      };
    },
    person: {
      isCut: false,
      make: (n, round) => consent(account(n), round).parts,
      discard: (parts) => discard(control, parts),
      endOld: null,
      ofAnother: () => consent('1', 1).parts,
    },
    alive: (n) => aliveIn(control, (key) => key.kind === 'user-token' && key.account === account(n)),
    carried,
    close: () => twin.close(),
  };
}

export async function standCachet(): Promise<Stand> {
  const random = prng(43);
  const { carried, onExchange } = countCarried();
  const twin = await startTwin(cachetTwin, { onExchange });
  const { control } = twin;
  control.latency(LATENCY_MS);
  // Else its reads ask for no token, and would prove nothing.
  control.state.isProtected = true;
  let ids = 0;
  const make = (n: number) =>
    control.mint({ ...cachetToken(random, String(++ids), ['components.manage']), account: `page-${n}` });
  const isOurs = (n: number) => (key: KitKey) => key.account === `page-${n}`;
  return {
    provider: 'cachet',
    about: 'tokens of its dashboard',
    nature: 'assisted',
    origin: twin.origin,
    beside: [],
    companion: null,
    issuerOf: () => null,
    actions: ['component.list', 'component.create'],
    first: (n) => stored(make(n), {}, true),
    asks(door) {
      const url = `${door.brokerOrigin}/api/components`;
      const component = { name: '{n}', status: 1 };
      return { read: asked(bearer(door), 'GET', url), write: asked(bearer(door), 'POST', url, component) };
    },
    person: {
      isCut: false,
      make: (n) => make(n).parts,
      discard: (parts) => discard(control, parts),
      endOld: (n) => endAllButNewest(control, isOurs(n)),
      ofAnother: null,
    },
    alive: (n) => aliveIn(control, isOurs(n)),
    carried,
    close: () => twin.close(),
  };
}

/** One key for each user: the new one ends it. */
export async function standCachetV2(): Promise<Stand> {
  const random = prng(47);
  const { carried, onExchange } = countCarried();
  const twin = await startTwin(cachetV2Twin, { onExchange });
  const { control } = twin;
  control.latency(LATENCY_MS);
  const user = (n: number) => `user-${n}`;
  return {
    provider: 'cachet-v2',
    about: 'the one key of a user',
    nature: 'assisted',
    origin: twin.origin,
    beside: [],
    companion: null,
    issuerOf: () => null,
    actions: ['subscriber.list', 'component.create'],
    first: (n) => stored(regenerate(control, random, user(n)), {}, true),
    asks({ brokerOrigin, bound }) {
      const headers = { 'x-cachet-token': bound };
      const component = { name: '{n}', status: 1 };
      return {
        read: asked(headers, 'GET', `${brokerOrigin}/api/v1/subscribers`),
        write: asked(headers, 'POST', `${brokerOrigin}/api/v1/components`, component),
      };
    },
    person: {
      isCut: true,
      make: (n) => regenerate(control, random, user(n)).parts,
      discard: (parts) => discard(control, parts),
      endOld: null,
      ofAnother: null,
    },
    alive: (n) => aliveIn(control, (key) => key.account === user(n)),
    carried,
    close: () => twin.close(),
  };
}
