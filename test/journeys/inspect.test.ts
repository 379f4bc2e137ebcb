// What a provider says of its keys is noted where they come in, and again whenever somebody asks: the id, what they may do, when they end. At twins of
// GitLab, which says all of it, and of Prefect Cloud, where a key may do what its role allows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sendgrid } from '../../src/providers/sendgrid.ts';
import { gitlabTwin, newGitlabToken } from '../../twins/gitlab.ts';
import { startTwin } from '../../twins/kit.io.ts';
import { addBot, newPrefectKey, prefectCloudTwin } from '../../twins/prefect-cloud.ts';
import { prng } from '../../twins/prng.ts';
import { newSendgridKey, sendgridTwin } from '../../twins/sendgrid.ts';
import { addService, ask, assertReplays, grant } from '../support/applications.ts';
import { startHouse } from '../support/house.ts';
import { until } from '../support/workshop-checks.ts';

interface View {
  readonly credential: { readonly id: string };
  readonly identified: { readonly providerKeyId: string | null; readonly why: string } | null;
  readonly versions: readonly {
    readonly providerKeyId: string | null;
    readonly expiresAt: string | null;
    readonly holds?: { readonly scopes: readonly string[]; readonly at: string };
  }[];
  readonly privilege: {
    readonly verdict: string;
    readonly held: readonly string[] | null;
    readonly unused: readonly string[];
    readonly reveals: readonly string[];
    readonly missing: readonly string[];
  };
}

test('a token that is brought is known by its provider’s word, without anybody’s notes', async () => {
  const twin = await startTwin(gitlabTwin);
  const house = await startHouse({ providers: { gitlab: twin.origin } });
  try {
    const { control } = twin;
    const ends = Math.floor(Date.now() / 86_400_000 + 30) * 86_400_000;
    const token = control.mint({
      kind: 'personal-token',
      name: 'by hand',
      account: 'user:7',
      scopes: ['api', 'read_user'],
      expiresAt: ends,
      parts: { key: newGitlabToken(prng(4)) },
      more: { user: 7 },
    });
    const body = { provider: 'gitlab', name: 'ci', kind: 'personal-token', purpose: 'lend', parts: token.parts };
    const made = await ask<View>(house, 'POST', '/v1/credentials', body);
    assert.deepEqual(made.identified, { providerKeyId: token.id, why: 'the provider says so itself' });
    const { id } = made.credential;
    const [version] = made.versions;
    assert.deepEqual(
      [version?.providerKeyId, version?.holds?.scopes, Date.parse(version?.expiresAt ?? '')],
      [token.id, ['api', 'read_user'], ends],
    );
    const held = async () => (await ask<View>(house, 'GET', `/v1/credentials/${id}`)).privilege.held;
    assert.deepEqual(await held(), ['api', 'read_user']);

    // Somebody narrows it at the provider. Nothing is known of that until it is asked.
    (token as { scopes: readonly string[] }).scopes = ['read_user'];
    const seen = await ask<{ account: string; scopes: readonly string[]; why: null }>(
      house,
      'POST',
      `/v1/credentials/${id}/inspect`,
    );
    assert.deepEqual([seen.account, seen.scopes, seen.why], ['7', ['read_user'], null]);
    assert.deepEqual(await held(), ['read_user']);

    // A provider that answers nothing takes nothing away.
    control.fault('server-error', { count: 1 });
    const silent = await ask<{ scopes: null; why: string }>(house, 'POST', `/v1/credentials/${id}/inspect`);
    assert.equal(silent.scopes, null);
    assert.deepEqual(await held(), ['read_user']);
    await assertReplays(house);
  } finally {
    await house.stop();
    await twin.close();
  }
});

test('a role at the provider is compared with what the grants need, and a change of it is seen when somebody asks', async () => {
  const twin = await startTwin(prefectCloudTwin);
  const house = await startHouse({ providers: { 'prefect-cloud': twin.origin } });
  try {
    const { control } = twin;
    const { accountId, workspaceId, bots } = control.state;
    const random = prng(8);
    const bot = addBot(control.state, random, { name: 'etl', scopes: ['see_flows', 'see_secret_blocks'] });
    const parts = { key: newPrefectKey(random, 'pnb') };
    control.mint({ kind: 'service-account-key', name: 'etl', account: bot.id, parts });
    const settings = { accountId, botId: bot.id, workspaceId };
    const body = { provider: 'prefect-cloud', name: 'etl', kind: 'service-account-key', settings, parts };
    const { credential, versions } = await ask<View>(house, 'POST', '/v1/credentials', body);
    assert.deepEqual(versions[0]?.holds?.scopes, ['read:account', 'see_flows', 'see_secret_blocks']);
    const service = await addService(house, 'etl');
    await grant(house, service, credential.id, ['flow.list']);
    const privilege = async () => (await ask<View>(house, 'GET', `/v1/credentials/${credential.id}`)).privilege;
    const first = await privilege();
    assert.deepEqual([first.verdict, first.unused], ['wider', ['read:account', 'see_secret_blocks']]);
    assert.deepEqual(first.reveals, ['see_secret_blocks'], 'it may read the secrets of its workspace');

    // Its role is changed at the provider: flows may not be seen any more.
    bots.set(bot.id, { ...bot, scopes: ['see_secret_blocks'] });
    await ask(house, 'POST', `/v1/credentials/${credential.id}/inspect`);
    const second = await privilege();
    assert.deepEqual([second.verdict, second.missing], ['missing', ['see_flows']]);
  } finally {
    await house.stop();
    await twin.close();
  }
});

test('what the next key may do is narrowed by an edit, and the next rotation asks for that and no more', async () => {
  const twin = await startTwin(sendgridTwin);
  const house = await startHouse({ providers: { sendgrid: twin.origin } });
  try {
    const { control } = twin;
    const random = prng(9);
    const mint = (kind: string, scopes: readonly string[]) => {
      const parts = { key: newSendgridKey(random) };
      return control.mint({ kind, name: kind, account: '', scopes, parts });
    };
    const wide = ['mail.send', 'templates.read'];
    const issuer = mint('admin-key', sendgrid.kinds[0]!.scopes!.all);
    const first = mint('api-key', wide);
    const add = (name: string, kind: string, more: object) =>
      ask<View>(house, 'POST', '/v1/credentials', { provider: 'sendgrid', name, kind, ...more });
    const admin = await add('admin', 'admin-key', { purpose: 'manage', parts: issuer.parts });
    const settings = { scopes: wide.join(' ') };
    const given = { parts: first.parts, providerKeyId: first.id, issuer: admin.credential.id, settings };
    const { credential } = await add('mailer', 'api-key', given);
    const path = `/v1/credentials/${credential.id}`;
    const service = await addService(house, 'mailer');
    await grant(house, service, credential.id, ['mail.send']);
    const before = await ask<View>(house, 'GET', path);
    assert.deepEqual(before.privilege.unused, ['templates.read']);

    const nothing = await house.request('PATCH', path, { body: { settings: { scopes: ' ' } } });
    assert.deepEqual([nothing.status, /name at least one/.test(nothing.text)], [400, true]);
    await ask(house, 'PATCH', path, { settings: { scopes: 'mail.send' } });
    const early = await house.request('POST', '/v1/rotations', { body: { credential: credential.id } });
    assert.deepEqual([early.status, /nothing has used this key through the broker/.test(early.text)], [409, true]);
    await ask(house, 'POST', '/v1/rotations', { credential: credential.id, unseen: true });
    const made = await until(
      () => control.keys.all().find((one) => ![issuer.id, first.id].includes(one.id)),
      'the next key',
    );
    assert.deepEqual(made.scopes, ['mail.send']);
  } finally {
    await house.stop();
    await twin.close();
  }
});

test('without a key there is nothing to ask about', async () => {
  const house = await startHouse();
  try {
    const body = { provider: 'gitlab', name: 'ci', kind: 'personal-token', purpose: 'lend' };
    const { credential } = await ask<View>(house, 'POST', '/v1/credentials', body);
    const refused = await house.request('POST', `/v1/credentials/${credential.id}/inspect`);
    assert.deepEqual([refused.status, /no current version/.test(refused.text)], [409, true]);
  } finally {
    await house.stop();
  }
});
