// Every twin of the kit with one kind of its keys, and what it takes to use, make, replace and end such a key there. For twin-traps.test.ts.

import type { DeclaredKind } from '../../src/providers/declaration.ts';
import { declarationOf } from '../../src/providers/declared.ts';
import * as registry from '../../src/providers/index.ts';
import type { Kind, KindSettings, Provider } from '../../src/providers/provider.ts';
import * as anthropic from '../../twins/anthropic.ts';
import { cachetToken, cachetTwin } from '../../twins/cachet.ts';
import { cachetV2Twin } from '../../twins/cachet-v2.ts';
import { cloudflareTwin, newCloudflareToken } from '../../twins/cloudflare.ts';
import * as datadog from '../../twins/datadog.ts';
import { declaredTwin, newDeclaredParts } from '../../twins/declared.ts';
import { gitlabTwin, newGitlabToken } from '../../twins/gitlab.ts';
import { grafanaTwin, newGrafanaKey } from '../../twins/grafana.ts';
import type { KitControl, KitDefinition, NewKitKey } from '../../twins/kit.ts';
import { mastodonTwin, newMastodonApp, newMastodonToken } from '../../twins/mastodon.ts';
import * as openai from '../../twins/openai.ts';
import { newPlaidSecret, newPlaidToken, plaidTwin } from '../../twins/plaid.ts';
import { addBot, newPrefectKey, prefectCloudTwin } from '../../twins/prefect-cloud.ts';
import { newAuthString, prefectServerTwin } from '../../twins/prefect-server.ts';
import { ALPHANUMERIC, prng } from '../../twins/prng.ts';
import { newSendgridKey, sendgridTwin } from '../../twins/sendgrid.ts';
import { ACCOUNT_READ, newStripeKey, stripeTwin } from '../../twins/stripe.ts';
import { newPersonalToken, supabaseTwin } from '../../twins/supabase.ts';
import { newSecret, newSid, twilioTwin } from '../../twins/twilio.ts';
import { declaredSettings } from '../support/declared-twin.ts';

export interface Subject {
  readonly name: string;
  readonly provider: Provider;
  readonly kind: Kind;
  /** Hands over the twin's definition, whatever its state is, and what is to be prepared there. */
  start<T>(use: <State>(definition: KitDefinition<State>, prepared: (control: KitControl<State>) => Prepared) => T): T;
  /** Mastodon says when in a header of its own. */
  readonly hasRetryAfter: boolean;
}

export interface Prepared {
  readonly settings: KindSettings;
  /** A key of the kind, as a person makes it; null where it is made by API. */
  readonly key: NewKitKey | null;
  /** Who mints and ends keys of the kind, and asks about them where the kind says so; null: nobody does. */
  readonly issuer: NewKitKey | null;
}

const random = prng(31);
const HEX = '0123456789abcdef';

function subject<State>(
  of: { readonly provider: Provider; readonly kind: string; readonly name?: string; readonly hasRetryAfter?: boolean },
  definition: KitDefinition<State>,
  prepared: (control: KitControl<State>) => Prepared,
): Subject {
  const kind = of.provider.kinds.find((one) => one.name === of.kind)!;
  return {
    name: `${of.name ?? of.provider.name} ${of.kind}`,
    provider: of.provider,
    kind,
    start: (use) => use(definition, prepared),
    hasRetryAfter: of.hasRetryAfter ?? true,
  };
}

function key(kind: string, parts: Readonly<Record<string, string>>, more: Partial<NewKitKey> = {}): NewKitKey {
  return { kind, name: 'by hand', account: 'account', parts, ...more };
}

const ACCOUNT = '0'.repeat(32);
const POLICY = {
  effect: 'allow',
  permission_groups: [{ id: 'p1' }],
  resources: { [`com.cloudflare.api.account.${ACCOUNT}`]: '*' },
};
const TWILIO_ACCOUNT = `AC${'0'.repeat(32)}`;

function mastodonSubject(dialect: 'mastodon' | 'gotosocial'): Subject {
  const { mastodon: provider } = registry;
  const isMastodon = dialect === 'mastodon';
  return subject(
    { provider, kind: 'user-token', name: dialect, hasRetryAfter: !isMastodon },
    mastodonTwin(dialect),
    () => {
      const app = { id: 'app-1', more: { redirectUris: ['urn:ietf:wg:oauth:2.0:oob'] }, scopes: ['read'] };
      const token = { key: newMastodonToken(random, dialect) };
      return {
        settings: { software: dialect },
        issuer: key('app', newMastodonApp(random, dialect), app),
        key: key('user-token', token, { account: '7', scopes: ['read'], more: { app: 'app-1' } }),
      };
    },
  );
}

/** A kind whose keys only a person makes, and nobody ends by API. */
function byHand<State>(
  of: { readonly provider: Provider; readonly kind: string },
  definition: KitDefinition<State>,
  made: () => NewKitKey,
): Subject {
  return subject(of, definition, () => ({ settings: {}, issuer: null, key: made() }));
}

const OWN: readonly Subject[] = [
  subject({ provider: registry.prefectCloud, kind: 'user-key' }, prefectCloudTwin, ({ state }) => ({
    settings: { userId: state.userId },
    issuer: key('user-key', { key: newPrefectKey(random, 'pnu') }, { account: state.userId }),
    key: null,
  })),
  subject({ provider: registry.prefectCloud, kind: 'service-account-key' }, prefectCloudTwin, ({ state }) => {
    const bot = addBot(state, random, { name: 'etl' });
    return {
      settings: { accountId: state.accountId, botId: bot.id },
      issuer: key('user-key', { key: newPrefectKey(random, 'pnu') }, { account: state.userId }),
      key: key('service-account-key', { key: newPrefectKey(random, 'pnb') }, { account: bot.id }),
    };
  }),
  byHand({ provider: registry.prefectServer, kind: 'auth-string' }, prefectServerTwin(), () =>
    key('auth-string', { key: newAuthString(random) }),
  ),
  mastodonSubject('mastodon'),
  mastodonSubject('gotosocial'),
  subject({ provider: registry.plaid, kind: 'client' }, plaidTwin, () => ({
    settings: {},
    issuer: null,
    key: key('client', { clientId: random.text(24, HEX), secret: newPlaidSecret(random) }),
  })),
  subject({ provider: registry.plaid, kind: 'access-token' }, plaidTwin, () => ({
    settings: {},
    issuer: key('client', { clientId: random.text(24, HEX), secret: newPlaidSecret(random) }),
    key: key('access-token', { key: newPlaidToken(random, 'production') }, { more: { item: 'item-1' } }),
  })),
  subject({ provider: registry.cachet, kind: 'token' }, cachetTwin, () => ({
    settings: {},
    issuer: null,
    key: cachetToken(random, '17', ['*']),
  })),
  byHand({ provider: registry.cachetV2, kind: 'user-key' }, cachetV2Twin, () =>
    key('user-key', { key: `canary${random.text(14, ALPHANUMERIC)}` }),
  ),
  subject({ provider: registry.openai, kind: 'admin-key' }, openai.openaiTwin, () => ({
    settings: {},
    issuer: key('admin-key', { key: openai.newAdminKey(random) }),
    key: null,
  })),
  subject({ provider: registry.openai, kind: 'service-account-key' }, openai.openaiTwin, () => ({
    settings: { projectId: 'proj_test1' },
    issuer: key('admin-key', { key: openai.newAdminKey(random) }),
    key: null,
  })),
  subject({ provider: registry.anthropic, kind: 'api-key' }, anthropic.anthropicTwin, () => ({
    settings: {},
    issuer: key('admin-key', { key: anthropic.newAdminKey(random) }),
    key: key('api-key', { key: anthropic.newApiKey(random) }),
  })),
  subject({ provider: registry.gitlab, kind: 'project-token' }, gitlabTwin, () => ({
    settings: { project: 'group/twin', accessLevel: '30' },
    issuer: key('personal-token', { key: newGitlabToken(random) }, { scopes: ['api'], more: { user: 1 } }),
    key: null,
  })),
  subject({ provider: registry.cloudflare, kind: 'account-token' }, cloudflareTwin, () => ({
    settings: { accountId: ACCOUNT, policies: JSON.stringify([POLICY]) },
    issuer: key('user-admin-token', { key: newCloudflareToken(random, 'cfut') }, { account: 'user' }),
    key: null,
  })),
  subject({ provider: registry.sendgrid, kind: 'api-key' }, sendgridTwin, () => ({
    settings: {},
    issuer: key('admin-key', { key: newSendgridKey(random) }, { scopes: registry.sendgrid.kinds[0]!.scopes!.all }),
    key: null,
  })),
  subject({ provider: registry.datadog, kind: 'api-key' }, datadog.datadogTwin, () => ({
    settings: {},
    issuer: key('key-pair', { apiKey: datadog.newApiKey(random), appKey: datadog.newApplicationKey(random) }),
    key: null,
  })),
  subject({ provider: registry.twilio, kind: 'api-key' }, twilioTwin, () => ({
    settings: { accountSid: TWILIO_ACCOUNT },
    issuer: key('main-key', { sid: newSid(random, 'SK'), secret: newSecret(random) }, { account: TWILIO_ACCOUNT }),
    key: null,
  })),
  subject({ provider: registry.grafana, kind: 'service-account-token' }, grafanaTwin, () => ({
    settings: { serviceAccountId: '7' },
    issuer: key('admin-token', { key: newGrafanaKey(random) }, { account: '8' }),
    key: null,
  })),
  subject({ provider: registry.supabase, kind: 'secret-key' }, supabaseTwin, () => ({
    settings: { ref: 'abcdefghijklmnopqrst', role: 'service_role' },
    issuer: key('personal-token', { key: newPersonalToken(random) }),
    key: null,
  })),
  byHand({ provider: registry.stripe, kind: 'restricted-key' }, stripeTwin, () =>
    key('restricted-key', { key: newStripeKey(random, 'rk_test_') }, { scopes: [ACCOUNT_READ] }),
  ),
];

/** A provider that is nothing but its declaration, and of which no twin knows more: at the twin that is made of it. */
function declaredSubjects(provider: Provider): Subject[] {
  const declaration = declarationOf(provider);
  if (declaration === null) return [];
  const definition = declaredTwin(declaration);
  return declaration.kinds.map((kind) => {
    const issuer = declaration.kinds.find((one) => one.name === kind.issuers[0]);
    const fresh = (of: DeclaredKind) => key(of.name, newDeclaredParts(of, random), { scopes: of.scopes?.all ?? [] });
    return subject({ provider, kind: kind.name }, definition, () => ({
      settings: declaredSettings(kind, random),
      issuer: issuer === undefined ? null : fresh(issuer),
      key: kind.issue === undefined ? fresh(kind) : null,
    }));
  });
}

export const SUBJECTS: readonly Subject[] = [
  ...OWN,
  ...Object.values(registry as Readonly<Record<string, Provider>>)
    .filter((provider) => !OWN.some((one) => one.provider === provider))
    .flatMap(declaredSubjects),
];
