// A key that a person brings, held against what the providers' own documents say their answers look like: dead, unknown, the old one again, of
// another account, able to do more, able to do less. Whatever the verdict, no key is in its words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { credentialRow, versionRow } from '../../test/support/rows.ts';
import type { VersionRow } from '../credentials/credential.ts';
import { createLive } from '../credentials/live.ts';
import { NO_PROGRAMS } from '../credentials/programs.ts';
import type { KeyHolder } from '../credentials/same-key.ts';
import { Failure } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { revealSecretText, Secret } from '../model/secret.ts';
import { cachet } from '../providers/cachet.ts';
import { gitlab } from '../providers/gitlab.ts';
import { mastodon } from '../providers/mastodon.ts';
import { plaid } from '../providers/plaid.ts';
import { prefectServer } from '../providers/prefect-server.ts';
import type { Call, Kind, KindSettings, Parts, Provider } from '../providers/provider.ts';
import { sendgrid } from '../providers/sendgrid.ts';
import { type Examined, examineKey, widerScopes } from './bring.ts';
import type { EffectTools, Scene } from './effects.ts';
import { beginOverlap } from './overlap.ts';
import { defaultOverlapPolicy } from './policy.ts';

/** An answer, or no answer: the code of the Failure. */
type Said = { readonly status: number; readonly json: Json } | string;

/** What a provider says: by key and path, `*` for whoever asks. `-` is a request without a key. */
type World = Readonly<Record<string, Said>>;

interface Asked {
  readonly provider: Provider;
  readonly kind: string;
  readonly world: World;
  readonly settings?: KindSettings;
  /** Keys that the versions hold, the oldest first; null: one that cannot be opened. */
  readonly held?: readonly (string | null)[];
  readonly ids?: readonly (string | null)[];
  readonly isSealed?: boolean;
  readonly elsewhere?: KeyHolder;
}

const OLD = 'canary-old-key';
const NEW = 'canary-new-key';

function kindOf(provider: Provider, name: string): Kind {
  return provider.kinds.find((kind) => kind.name === name) ?? assert.fail(`no kind ${name}`);
}

/** The secret part of a key of this kind. */
function partsOf(kind: Kind, text: string): Parts {
  return Object.fromEntries(
    kind.parts.map((name) => [name, new Secret(kind.publicParts?.includes(name) ? 'same-for-all' : text)]),
  );
}

async function examine(asked: Asked, brought = NEW): Promise<{ examined: Examined; calls: string[] }> {
  const { provider, settings = {}, held = [OLD] } = asked;
  const kind = kindOf(provider, asked.kind);
  const credential = credentialRow({ provider: provider.name, kind: kind.name, places: kind.places, settings });
  const issuerKind = provider.kinds.find((one) => kind.issuers.includes(one.name));
  const issuer =
    issuerKind === undefined
      ? null
      : {
          credential: credentialRow({ id: 'crd_issuer', kind: issuerKind.name, places: issuerKind.places }),
          version: versionRow({ id: 'ver_issuer', credentialId: 'crd_issuer' }),
        };
  const versions = held.map((_, at) =>
    versionRow({ id: `ver_${at}`, number: at + 1, providerKeyId: asked.ids?.[at] ?? null }),
  );
  const calls: string[] = [];
  const call: Call = (request, acting, target) => {
    const shown = Object.values(target ?? (request.secrets?.length === 0 ? {} : acting.parts)).map((part) =>
      revealSecretText(part),
    );
    const key = shown.find((text) => text !== 'same-for-all') ?? '-';
    calls.push(`${key} ${request.path}`);
    const said = asked.world[`${key} ${request.path}`] ?? asked.world[`* ${request.path}`] ?? 'upstream-unavailable';
    if (typeof said === 'string') return Promise.reject(new Failure('upstream-unavailable', said));
    return Promise.resolve({ ...said, headers: {}, text: JSON.stringify(said.json) });
  };
  const nobody = () => assert.fail('not asked');
  const tools: EffectTools = {
    kindOf: (row) => ({ kind: row.id === 'crd_issuer' ? issuerKind! : kind }),
    callFor: () => call,
    async open(row, version: VersionRow) {
      if (asked.isSealed === true) throw new Failure('sealed', 'sealed');
      if (row.id === 'crd_issuer') return partsOf(issuerKind!, 'canary-issuer-key');
      const text = held[versions.findIndex((one) => one.id === version.id)] ?? null;
      if (text === null) throw new Failure('corrupt', 'no envelope');
      return partsOf(kind, text);
    },
    instance: 'i',
    now: () => 0,
    mono: () => 0,
    live: createLive(),
    prober: { read: nobody, bracket: nobody },
    programsFor: () => NO_PROGRAMS,
    copy: null,
    newVersionId: nobody,
  };
  const scene: Scene = {
    row: {
      id: 'rot_1',
      rowVersion: 1,
      credentialId: credential.id,
      trigger: 'operator',
      reason: 'superseded',
      requestedAt: 0,
      requestedBy: 'prn_1',
      endedAt: null,
      settings,
      state: beginOverlap(
        { versionId: versions.at(-1)!.id, providerKeyId: '' },
        { boot: 1, mono: 0 },
        { issue: 'person', revoke: 'person' },
      ),
      policy: defaultOverlapPolicy(1_000),
      refusals: [],
      revokeCalledAt: null,
      lastProblem: null,
    },
    credential,
    kind,
    issuer,
    issuerOf: () => issuer,
    versions,
  };
  const examined = await examineKey(
    { parts: partsOf(kind, brought), issuer, elsewhere: asked.elsewhere ?? null },
    scene,
    tools,
  );
  assert.ok(!JSON.stringify(examined).includes('canary'), JSON.stringify(examined));
  return { examined, calls };
}

async function outcomeOf(asked: Asked, brought = NEW): Promise<string> {
  const { examined } = await examine(asked, brought);
  return examined.is === 'taken' ? `taken ${examined.detail['account']}` : examined.outcome;
}

const SELF = '/api/v4/personal_access_tokens/self';
const self = (given: Record<string, Json> = {}): Said => ({
  status: 200,
  json: { id: 42, user_id: 7, scopes: ['read_api', 'read_registry'], active: true, expires_at: '2027-01-01', ...given },
});
/** GitLab: the same request says whether a token lives, whose it is and what it may do. */
const GITLAB = { provider: gitlab, kind: 'personal-token' } as const;
const gitlabWorld = (fresh: Said, old: Said = self({ id: 41 })): Asked => ({
  ...GITLAB,
  world: { [`${NEW} ${SELF}`]: fresh, [`${OLD} ${SELF}`]: old },
});

test('a key of the same account that may do as much, or less, is taken, with its id and its end', async () => {
  const { examined } = await examine(gitlabWorld(self()));
  assert.deepEqual(examined, {
    is: 'taken',
    providerKeyId: '42',
    expiresAt: Date.UTC(2027, 0, 1),
    scopes: ['read_api', 'read_registry'],
    detail: { outcome: 'brought', account: 'same', signature: 'gitlab.200.self' },
  });
  assert.equal(await outcomeOf(gitlabWorld(self({ scopes: ['read_api'] }))), 'taken same');
  assert.equal(await outcomeOf(gitlabWorld(self({ scopes: [] }))), 'taken same');
  // What includes it was there before.
  const wide = self({ id: 41, scopes: ['api'] });
  assert.equal(await outcomeOf(gitlabWorld(self({ scopes: ['read_api', 'write_registry'] }), wide)), 'taken same');
});

test('a key that may do more than the one before is not taken, and is told by how much', async () => {
  const { examined } = await examine(gitlabWorld(self({ scopes: ['read_api', 'api', 'sudo'] })));
  assert.ok(examined.is === 'refused' && examined.outcome === 'wider');
  assert.match(examined.why, /: api, sudo$/);
  // What the settings name is the measure, not what the old key happened to have.
  const narrow = { ...gitlabWorld(self({ scopes: ['read_api'] }), self({ scopes: ['api'] })) };
  assert.equal(await outcomeOf({ ...narrow, settings: { scopes: 'read_registry' } }), 'wider');
  assert.equal(await outcomeOf({ ...narrow, settings: { scopes: 'read_api, read_registry' } }), 'taken same');
});

test('a key of another account is not taken; one whose account cannot be compared is, and is said to be unverified', async () => {
  assert.equal(await outcomeOf(gitlabWorld(self({ user_id: 8 }))), 'other-account');
  const revoked: Said = {
    status: 401,
    json: { error: 'invalid_token', error_description: 'Token was revoked. You have to re-authorize from the user.' },
  };
  assert.equal(
    await outcomeOf(gitlabWorld(self(), revoked)),
    'taken unverified',
    'the old key is dead: nobody can say whose it was',
  );
  assert.equal(
    await outcomeOf({ ...gitlabWorld(self()), held: [null] }),
    'taken unverified',
    'the old key is not at hand',
  );
});

test('a dead key is not taken, and one that nobody can tell about is not either', async () => {
  const table: [Said, string][] = [
    [{ status: 401, json: { message: '401 Unauthorized' } }, 'dead'],
    [
      {
        status: 401,
        json: { error: 'invalid_token', error_description: 'Token is expired. You can either do re-authorization.' },
      },
      'dead',
    ],
    [{ status: 401, json: { message: 'from a proxy' } }, 'unknown'],
    [{ status: 403, json: { message: 'blocked' } }, 'unknown'],
    [{ status: 404, json: null }, 'unknown'],
    [{ status: 429, json: { message: 'slow down' } }, 'unknown'],
    [{ status: 502, json: null }, 'unknown'],
    ['no connection', 'unknown'],
  ];
  for (const [said, expected] of table)
    assert.equal(await outcomeOf(gitlabWorld(said)), expected, JSON.stringify(said));
});

test('a key that was there before is not taken, whichever version holds it, and the provider is not asked', async () => {
  const held = ['canary-first-key', 'canary-second-key', OLD];
  for (const [at, key] of held.entries()) {
    const { examined, calls } = await examine({ ...gitlabWorld(self()), held }, key);
    assert.ok(examined.is === 'refused' && examined.outcome === 'same-key');
    assert.match(examined.why, new RegExp(`version ${at + 1}:`));
    assert.deepEqual(calls, []);
  }
  assert.equal(
    await outcomeOf({ ...gitlabWorld(self({ id: 40 })), ids: ['40'] }),
    'same-key',
    'another text, the same id',
  );
});

test('a key that another credential holds is not taken, and the provider is not asked', async () => {
  const elsewhere = { credential: credentialRow({ name: 'other' }), version: versionRow({ number: 4 }) };
  const { examined, calls } = await examine({ ...gitlabWorld(self()), elsewhere });
  assert.ok(examined.is === 'refused' && examined.outcome === 'same-key');
  assert.match(examined.why, /other, version 4: to rotate one would end the other/);
  assert.deepEqual(calls, []);
});

test('while the vault is sealed nothing is said about a key', async () => {
  await assert.rejects(examine({ ...gitlabWorld(self()), isSealed: true }), (error) => Failure.is(error, 'sealed'));
});

test('Mastodon: the account is the one that the token speaks for', async () => {
  const [verify, account] = ['/api/v1/apps/verify_credentials', '/api/v1/accounts/verify_credentials'];
  const app: Said = { status: 200, json: { id: '1', name: 'app', website: null, scopes: ['read'], redirect_uris: [] } };
  const world = (id: string): World => ({
    [`* ${verify}`]: app,
    [`${NEW} ${account}`]: { status: 200, json: { id, username: 'ines', acct: 'ines' } },
    [`${OLD} ${account}`]: { status: 200, json: { id: '14715', username: 'ines', acct: 'ines' } },
  });
  const asked = { provider: mastodon, kind: 'user-token' };
  assert.equal(await outcomeOf({ ...asked, world: world('14715') }), 'taken same');
  assert.equal(await outcomeOf({ ...asked, world: world('14716') }), 'other-account');
  const invalid: Said = { status: 401, json: { error: 'The access token is invalid' } };
  assert.equal(await outcomeOf({ ...asked, world: { ...world('14715'), [`${NEW} ${verify}`]: invalid } }), 'dead');
});

test('Cachet: a token is probed only where a probe means something, and has no account to be compared', async () => {
  const pong: Said = { status: 200, json: { data: 'Pong!' } };
  const asked = (said: Said, ping: Said = pong): Asked => ({
    provider: cachet,
    kind: 'token',
    world: { '- /api/ping': ping, [`${NEW} /api/subscribers/0`]: said },
  });
  const absent = { status: 404, json: { message: 'No query results for model [Subscriber] 0' } };
  assert.equal(await outcomeOf(asked(absent)), 'taken unverified');
  assert.equal(await outcomeOf(asked({ status: 401, json: { message: 'Unauthenticated.' } })), 'dead');
  assert.equal(
    await outcomeOf(asked(absent, { status: 404, json: { message: 'Not Found' } })),
    'unknown',
    'the API is off',
  );
});

test('Prefect Server: where anybody is let in, no string is confirmed', async () => {
  const version: Said = { status: 200, json: '3.8.8' };
  const unauthorized: Said = { status: 401, json: { exception_message: 'Unauthorized' } };
  const asked = (open: Said, said: Said): Asked => ({
    provider: prefectServer,
    kind: 'auth-string',
    world: { '- /api/admin/version': open, [`${NEW} /api/admin/version`]: said },
  });
  assert.equal(await outcomeOf(asked(unauthorized, version)), 'taken unverified');
  assert.equal(await outcomeOf(asked(unauthorized, unauthorized)), 'dead');
  assert.equal(await outcomeOf(asked(version, version)), 'unknown');
});

test('Plaid: the client asks about the token, whose Item must be the same and hold no more products', async () => {
  const item = (id: string, products: string[]): Said => ({
    status: 200,
    json: { item: { item_id: id, products }, request_id: 'r1' },
  });
  const asked = (fresh: Said, old: Said): Asked => ({
    provider: plaid,
    kind: 'access-token',
    world: { [`${NEW} /item/get`]: fresh, [`${OLD} /item/get`]: old },
  });
  const dead: Said = { status: 400, json: { error_type: 'INVALID_INPUT', error_code: 'INVALID_ACCESS_TOKEN' } };
  const login: Said = { status: 400, json: { error_type: 'ITEM_ERROR', error_code: 'ITEM_LOGIN_REQUIRED' } };
  const old = item('item-1', ['auth', 'transactions']);
  assert.equal(await outcomeOf(asked(item('item-1', ['auth']), old)), 'taken same');
  assert.equal(await outcomeOf(asked(item('item-1', ['auth', 'identity']), old)), 'wider');
  assert.equal(await outcomeOf(asked(item('item-2', ['auth']), old)), 'other-account');
  assert.equal(await outcomeOf(asked(dead, old)), 'dead');
  assert.equal(
    await outcomeOf(asked(item('item-2', ['auth']), dead)),
    'taken unverified',
    'a lost token is replaced by that of a new Item',
  );
  assert.equal(await outcomeOf(asked(login, old)), 'taken unverified', 'it lives, and its Item wants the user');
  const refused: Said = { status: 400, json: { error_type: 'INVALID_INPUT', error_code: 'INVALID_API_KEYS' } };
  assert.equal(await outcomeOf(asked(refused, old)), 'unknown', 'nobody looked at the token');
});

test('SendGrid: what a key may do is all that it says of itself', async () => {
  const scopes = (...names: string[]): Said => ({ status: 200, json: { scopes: names } });
  const asked = (fresh: Said): Asked => ({
    provider: sendgrid,
    kind: 'admin-key',
    world: { [`${NEW} /v3/scopes`]: fresh, [`${OLD} /v3/scopes`]: scopes('mail.send', 'api_keys.read') },
  });
  assert.match(await outcomeOf(asked(scopes('mail.send'))), /^taken/);
  assert.equal(await outcomeOf(asked(scopes('mail.send', 'api_keys.create'))), 'wider');
});

test('scopes: nothing is said to be wider where nobody says what a key may do', () => {
  const kind = kindOf(gitlab, 'personal-token');
  assert.deepEqual(widerScopes(kind, null, ['api']), []);
  assert.deepEqual(widerScopes(kind, ['read_api'], null), []);
  assert.deepEqual(widerScopes(kind, [], ['api']), ['api']);
  const all = kindOf(cachet, 'token');
  assert.deepEqual(widerScopes(all, ['*'], ['incidents.manage', '*']), []);
  assert.deepEqual(widerScopes(all, ['incidents.manage'], ['*']), ['*']);
});
