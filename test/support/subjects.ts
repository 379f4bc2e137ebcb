// Providers for a workshop, one of each nature: a grace, one slot, a person who makes and deletes keys, a person whose new key ends the old one, and
// a value of ours. Each with what a person does at the provider's own pages.
import assert from 'node:assert/strict';
import { revealSecretText } from '../../src/model/secret.ts';
import type { Parts } from '../../src/providers/provider.ts';
import { type CachetState, cachetToken, cachetTwin } from '../../twins/cachet.ts';
import { type RunningTwin, startTwin } from '../../twins/kit.io.ts';
import type { KitControl, KitDefinition, KitKey } from '../../twins/kit.ts';
import { type MastodonState, mastodonTwin, newMastodonApp, newMastodonToken } from '../../twins/mastodon.ts';
import { newPlaidSecret, newPlaidToken, type PlaidState, plaidTwin } from '../../twins/plaid.ts';
import { addBot, newPrefectKey, type PrefectCloudState, prefectCloudTwin } from '../../twins/prefect-cloud.ts';
import { newAuthString, type PrefectServerState, prefectServerTwin, restartWith } from '../../twins/prefect-server.ts';
import { prng } from '../../twins/prng.ts';
import { secretParts } from './kit-twin.ts';
import { type Subject, startShop, type Workshop, type WorkshopOptions } from './workshop.ts';
import { currentOf } from './workshop-checks.ts';

const random = prng(29);

export interface KitSubject<State> extends Subject<RunningTwin<State>> {
  /** Makes another key by hand, as the provider's pages do. */
  byHand(twin: RunningTwin<State>): KitKey;
}

interface Made {
  readonly kind: string;
  readonly key: KitKey;
  readonly settings?: Readonly<Record<string, string>>;
  readonly isNameless?: boolean;
}

function subject<State>(
  provider: string,
  definition: KitDefinition<State>,
  given: {
    issuer: (control: KitControl<State>) => KitKey | null;
    key: (control: KitControl<State>) => Made;
    byHand: (control: KitControl<State>) => KitKey;
  },
): KitSubject<State> {
  return {
    provider,
    start: () => startTwin(definition),
    issuer({ control }) {
      const key = given.issuer(control);
      return key === null ? null : { kind: key.kind, parts: secretParts(key), providerKeyId: key.id };
    },
    key({ control }) {
      const { kind, key, settings = {}, isNameless = false } = given.key(control);
      return { kind, parts: secretParts(key), providerKeyId: isNameless ? null : key.id, settings };
    },
    byHand: ({ control }) => given.byHand(control),
  };
}

function newestOf<State>(control: KitControl<State>, kind: string): KitKey {
  const key = control.keys
    .all()
    .filter((one) => one.kind === kind)
    .at(-1);
  assert(key !== undefined, `no key of kind ${kind}`);
  return key;
}

function plaidToken(control: KitControl<PlaidState>): KitKey {
  for (const one of control.keys.all()) if (one.kind === 'access-token') control.endByHand(one.id);
  const parts = { key: newPlaidToken(random, 'production') };
  return control.mint({ kind: 'access-token', name: '', account: 'team', parts, more: { item: 'item-1' } });
}

/** One slot: an Item's access token, which its client replaces. */
export const PLAID_TOKEN: KitSubject<PlaidState> = subject('plaid', plaidTwin, {
  issuer: (control) =>
    control.mint({
      kind: 'client',
      name: '',
      account: 'team',
      parts: { clientId: '0123456789abcdef01234567', secret: newPlaidSecret(random) },
    }),
  key: (control) => ({ kind: 'access-token', key: plaidToken(control), isNameless: true }),
  byHand: plaidToken,
});

/** Rotated in place with a grace. */
export const SERVICE_ACCOUNT: KitSubject<PrefectCloudState> = subject('prefect-cloud', prefectCloudTwin, {
  issuer: (control) =>
    control.mint({
      kind: 'user-key',
      name: 'issuer',
      account: control.state.userId,
      parts: { key: newPrefectKey(random, 'pnu') },
    }),
  key(control) {
    const bot = addBot(control.state, random, { name: 'etl' });
    const parts = { key: newPrefectKey(random, 'pnb') };
    const key = control.mint({ kind: 'service-account-key', name: 'etl', account: bot.id, parts });
    return { kind: 'service-account-key', key, settings: { accountId: control.state.accountId, botId: bot.id } };
  },
  byHand: (control) => newestOf(control, 'service-account-key'),
});

let cachetIds = 0;
const cachetKey = (control: KitControl<CachetState>, abilities: readonly string[] = ['components.manage']) =>
  control.mint(cachetToken(random, String(++cachetIds), abilities));

/** A person makes the new key and deletes the old one. */
export const CACHET: KitSubject<CachetState> = subject('cachet', cachetTwin, {
  issuer: () => null,
  key: (control) => ({ kind: 'token', key: cachetKey(control), isNameless: true }),
  byHand: (control) => cachetKey(control),
});

function mastodonToken(control: KitControl<MastodonState>, app: KitKey, account: string): KitKey {
  return control.mint({
    kind: 'user-token',
    name: 'an app',
    account,
    scopes: ['read:accounts'],
    parts: { key: newMastodonToken(random, 'mastodon') },
    more: { app: app.id },
  });
}

/** A person consents anew; the old token is revoked by API, by its value. */
export const MASTODON: KitSubject<MastodonState> = subject('mastodon', mastodonTwin('mastodon'), {
  issuer: (control) =>
    control.mint({
      kind: 'app',
      name: 'an app',
      account: '',
      scopes: ['read', 'write'],
      parts: newMastodonApp(random, 'mastodon'),
      more: { redirectUris: ['urn:ietf:wg:oauth:2.0:oob'] },
    }),
  key: (control) => ({
    kind: 'user-token',
    key: mastodonToken(control, newestOf(control, 'app'), '42'),
    isNameless: true,
  }),
  byHand: (control) => mastodonToken(control, newestOf(control, 'app'), '42'),
});

/** One string for everybody: setting another one ends it. */
export const PREFECT_SERVER: KitSubject<PrefectServerState> = subject('prefect-server', prefectServerTwin(), {
  issuer: () => null,
  key: (control) => ({ kind: 'auth-string', key: restartWith(control, newAuthString(random)), isNameless: true }),
  byHand: (control) => restartWith(control, newAuthString(random)),
});

export function partsOf(key: KitKey): Parts {
  return secretParts(key);
}

/** A workshop at such a provider. */
export type Shop<State> = Workshop<RunningTwin<State>>;

/** Runs a test in a workshop of its own, which is cleared away whatever happens. */
export async function within<State>(
  subject: KitSubject<State>,
  run: (shop: Shop<State>) => Promise<void>,
  options: WorkshopOptions = {},
): Promise<void> {
  const shop = await startShop(subject, options);
  try {
    await run(shop);
  } finally {
    await shop.stop();
  }
}

/** Whether the twin takes these parts. */
export function isTaken<State>(shop: Shop<State>, parts: Parts): boolean {
  const key = shop.twin.control.keys.byText(revealSecretText(Object.values(parts).at(-1)!));
  return key !== null && shop.twin.control.isAlive(key.id);
}

/** The key that the broker uses now. */
export async function currentParts<State>(shop: Shop<State>): Promise<Parts> {
  return shop.app.ring.open(shop.credential, await currentOf(shop));
}
